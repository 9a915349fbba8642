import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import fiona
import numpy as np
import pytest
import rasterio
import shapely
from conftest import Maker, band_folder, write_raster
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.warp import transform_bounds, transform_geom
from shapely.geometry import box, mapping, shape
from shapely.geometry.base import BaseGeometry

from landslide_cli.config import FetchConfig, PrepareConfig
from landslide_cli.errors import InputError
from landslide_cli.event import Event
from landslide_cli.imagery import load
from landslide_cli.imagery.bands import Unseen
from landslide_cli.training.tiles_index import INDEX, LANDSLIDE, RECORD, UNKNOWN, TrainingSet, Windows
from landslide_cli.workflows.fetch import fetch
from landslide_cli.workflows.prepare import STAGING, prepare

SHAPE = (200, 260)
WINDOW, STRIDE = 48, 24


def read(path: Path) -> NDArray[Any]:
    with rasterio.open(path) as source:
        return source.read()


def rewrite(path: Path, data: NDArray[Any]) -> None:
    """Write other values into a raster of an event."""
    with rasterio.open(path) as source:
        profile = {**source.profile, "driver": "GTiff"}
    with rasterio.open(path, "w", **profile) as target:
        target.write(data)


def write_inventory(
    path: Path,
    event: Path,
    boxes: Sequence[tuple[float, float, float, float]],
    properties: Mapping[str, Any] | None = None,
) -> Path:
    """Write boxes of pixels (left, top, right, bottom; fractions too) of an event's grid, as degrees."""
    with rasterio.open(event / "clear.tif") as source:
        transform, crs = source.transform, source.crs
    shapes = [box(*(transform @ (left, bottom)), *(transform @ (right, top))) for left, top, right, bottom in boxes]
    features = [
        {
            "type": "Feature",
            "properties": properties or {},
            "geometry": transform_geom(crs, "EPSG:4326", mapping(corners), precision=9),
        }
        for corners in shapes
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def scattered(seed: int = 0, count: int = 40) -> list[tuple[float, float, float, float]]:
    """Return boxes all over the event."""
    rng = np.random.default_rng(seed)
    left, top = rng.uniform(0, SHAPE[1] - 12, count), rng.uniform(0, SHAPE[0] - 12, count)
    width, height = rng.uniform(1, 12, (2, count))
    return list(zip(left, top, left + width, top + height, strict=True))


def codes(seed: int) -> NDArray[np.uint8]:
    """Return an image's codes: mostly seen, with patches of everything else."""
    rng = np.random.default_rng(seed)
    unseen = np.zeros(SHAPE, np.uint8)
    for code in (Unseen.CLOUD, Unseen.CLOUD, Unseen.SHADOW, Unseen.SNOW):
        row, col = rng.integers(0, SHAPE[0] - 40), rng.integers(0, SHAPE[1] - 40)
        unseen[row : row + 40, col : col + 40] = code
    unseen[rng.integers(0, SHAPE[0]), rng.integers(0, SHAPE[1])] = Unseen.OUTSIDE
    unseen[rng.integers(0, SHAPE[0]), rng.integers(0, SHAPE[1])] = Unseen.DEFECTIVE
    return unseen


def with_scenes(event: Path, sides: Mapping[str, int]) -> dict[str, NDArray[np.uint8]]:
    """Give an event several scenes of each side, as `fetch --all-scenes` does; return the codes of each."""
    opened = Event.open(event)
    scenes, unseen = [], {}
    for side, count in sides.items():
        for number in range(count):
            image = f"{side}/2021-08-0{number + 1}_R011.tif"
            (event / side).mkdir(exist_ok=True)
            (event / image).write_bytes((event / f"{side}.tif").read_bytes())
            unseen[image] = codes(len(unseen))
            with rasterio.open(event / "clear.tif") as source:
                origin = source.transform.c, source.transform.f
            raster = f"{image.removesuffix('.tif')}_unseen.tif"
            write_raster(event / raster, unseen[image], origin=origin, nodata=None)
            scenes.append({"side": side, "id": str(number), "datetime": None, "image": image, "unseen": raster})
    steps = {"fetch": {**opened.step("fetch"), "scene_files": scenes}}
    replace(opened, item={**opened.item, "properties": {**opened.properties, "landslide:steps": steps}}).save()
    return unseen


@pytest.fixture
def config(make_event: Maker, tmp_path: Path) -> PrepareConfig:
    """An event with landslides all over, ready to be prepared."""
    event = make_event("haiti", shape=SHAPE)
    inventory = write_inventory(tmp_path / "haiti.geojson", event, scattered())
    return PrepareConfig(tmp_path / "set", (event,), (inventory,), window=WINDOW, stride=STRIDE)


def keys(windows: Windows) -> list[tuple[Any, ...]]:
    return list(zip(windows.event, windows.pre, windows.post, windows.row.tolist(), windows.col.tolist(), strict=True))


def test_pixels_whose_centre_lies_in_a_landslide_are_burned(config: PrepareConfig) -> None:
    prepare(config)
    (event,) = config.events
    mask = TrainingSet.open(config.out).mask("haiti")
    with rasterio.open(mask) as source, rasterio.open(event / "pre.tif") as image:
        assert GeoBox.from_rio(source) == GeoBox.from_rio(image)
        assert (source.dtypes, source.profile["tiled"], source.profile["compress"]) == (("uint8",), True, "deflate")
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5
    polygons = shapely.union_all([box(*corners) for corners in scattered()])
    assert np.array_equal(read(mask)[0] == LANDSLIDE, shapely.contains_xy(polygons, columns, rows))


def test_the_mask_is_the_same_however_it_is_cut(config: PrepareConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(config)
    whole = read(config.out / "masks" / "haiti.tif")
    monkeypatch.setattr(load, "BLOCK_PX", 37)
    prepare(replace(config, overwrite=True))
    assert np.array_equal(read(config.out / "masks" / "haiti.tif"), whole)


def test_all_touched_burns_more(config: PrepareConfig, tmp_path: Path) -> None:
    prepare(config)
    prepare(replace(config, out=tmp_path / "touched", all_touched=True))
    by_centre, touched = (
        read(folder / "masks" / "haiti.tif") == LANDSLIDE for folder in (config.out, tmp_path / "touched")
    )
    assert (by_centre <= touched).all()
    assert touched.sum() > 1.2 * by_centre.sum()


def test_truth_is_not_known_outside_the_aoi(config: PrepareConfig) -> None:
    event = Event.open(config.events[0])
    west, south, east, north = event.aoi.bounds
    triangle = {"type": "Polygon", "coordinates": [[[west, south], [east, south], [west, north], [west, south]]]}
    replace(event, item={**event.item, "geometry": triangle}).save()
    summary = prepare(config)
    mask = read(config.out / "masks" / "haiti.tif")[0]
    outside = ~load.inside(shape(triangle), GeoBox.from_rio(rasterio.open(event.path("clear"))))
    assert np.array_equal(mask == UNKNOWN, outside)
    assert 0.4 < outside.mean() < 0.6
    landslides = summary.events[0]["landslides"]
    assert landslides["burned"] + landslides["outside"] == len(scattered())
    assert landslides["outside"] > 5
    assert landslides["landslide_px"] == (mask == LANDSLIDE).sum()


@pytest.mark.parametrize("seed", range(2))
def test_the_windows_are_those_that_a_look_at_each_would_keep(make_event: Maker, tmp_path: Path, seed: int) -> None:
    event = make_event("haiti", shape=SHAPE)
    inventory = write_inventory(tmp_path / "haiti.geojson", event, scattered(seed))
    unseen = with_scenes(event, {"pre": 2, "post": 3})
    terrain = read(event / "terrain.tif")
    terrain[1, 150, 30] = np.nan
    rewrite(event / "terrain.tif", terrain)
    config = PrepareConfig(tmp_path / "set", (event,), (inventory,), window=WINDOW, stride=STRIDE, min_pixels=9)
    summary = prepare(config)
    landslide = read(config.out / "masks" / "haiti.tif")[0] == LANDSLIDE
    expected, measures = [], []
    pres, posts = ([image for image in unseen if image.startswith(side)] for side in ("pre/", "post/"))
    nodata = (Unseen.OUTSIDE, Unseen.DEFECTIVE)
    total = 0
    for pre, post in product(pres, posts):
        for row in range(0, SHAPE[0] - WINDOW + 1, STRIDE):
            for col in range(0, SHAPE[1] - WINDOW + 1, STRIDE):
                here = (slice(row, row + WINDOW), slice(col, col + WINDOW))
                before, after = unseen[pre][here], unseen[post][here]
                total += 1
                visible = (landslide[here] & (before == 0) & (after == 0)).sum()
                cloud = ((before == Unseen.CLOUD) | (after == Unseen.CLOUD)).mean()
                if np.isin(before, nodata).any() or np.isin(after, nodata).any() or cloud > 0.2 or visible < 9:
                    continue
                if np.isfinite(terrain[(slice(None), *here)]).all():
                    expected.append(("haiti", pre, post, row, col))
                    measures.append((visible, cloud))
    windows = TrainingSet.open(config.out).windows
    assert keys(windows) == sorted(expected)
    found = list(zip(windows.landslide_px, windows.cloud_share, strict=True))
    assert np.allclose(found, [measure for _, measure in sorted(zip(expected, measures, strict=True))])
    assert len(windows) > 100
    assert summary.windows == {"train": len(windows), "validation": 0, "test": 0}
    assert len(windows) + sum(summary.left_out.values()) == total
    assert all(summary.left_out[reason] for reason in ("no_landslide", "nodata", "cloudy", "hidden"))


def test_without_scenes_of_their_own_the_two_images_are_the_pair(config: PrepareConfig) -> None:
    event = config.events[0]
    sources = np.stack([codes(1), codes(2)])
    sources[sources == 0] = 3
    rewrite(event / "sources.tif", sources)
    summary = prepare(config)
    windows = TrainingSet.open(config.out).windows
    assert set(zip(windows.pre, windows.post, strict=True)) == {("pre.tif", "post.tif")}
    assert summary.events[0]["pairs"] == 1
    assert summary.left_out["cloudy"] > 0
    assert summary.left_out["nodata"] > 0


def test_no_pixel_of_an_event_is_in_two_splits(make_event: Maker, tmp_path: Path) -> None:
    events = []
    for name in ("haiti", "palu", "luding"):
        events.append(make_event(name, shape=SHAPE))
        with_scenes(events[-1], {"pre": 2, "post": 2})
    inventories = [write_inventory(tmp_path / f"{e.name}.geojson", e, scattered(n)) for n, e in enumerate(events)]
    config = PrepareConfig(
        tmp_path / "set", tuple(events), tuple(inventories), window=WINDOW, stride=STRIDE, halve=("haiti",),
        test=("palu",), min_evaluation_pixels=20,
    )  # fmt: skip
    summary = prepare(config)
    windows = TrainingSet.open(config.out).windows
    assert summary.windows == {name: (windows.split == name).sum() for name in ("train", "validation", "test")}
    for event in ("haiti", "palu", "luding"):
        seen = np.zeros((3, *SHAPE), bool)
        for number, split in enumerate(summary.windows):
            mine = windows.take((windows.event == event) & (windows.split == split))
            for row, col in zip(mine.row, mine.col, strict=True):
                seen[number, row : row + WINDOW, col : col + WINDOW] = True
        assert seen.sum(axis=0).max() == 1
        used = [split for split, pixels in zip(summary.windows, seen, strict=True) if pixels.any()]
        assert used == {"haiti": ["validation", "test"], "palu": ["test"], "luding": ["train"]}[event]
    assert windows.landslide_px[windows.split != "train"].min() >= 20
    assert list(summary.halved) == ["haiti"]
    # All three were put in the same place, which only the user can mend.
    assert summary.overlapping == (("haiti", "palu"), ("haiti", "luding"), ("palu", "luding"))


def test_the_same_again_is_kept_and_anything_else_needs_overwrite(config: PrepareConfig, make_event: Maker) -> None:
    first = prepare(config)
    before = {path: path.stat().st_mtime_ns for path in config.out.rglob("*")}
    again = prepare(config)
    assert again.reused
    assert replace(again, seconds=0, reused=False) == replace(first, seconds=0)
    assert before == {path: path.stat().st_mtime_ns for path in config.out.rglob("*")}
    for change in ({"max_cloud": 10.0}, {"stride": 12}, {"min_pixels": 2}):
        with pytest.raises(InputError, match="--overwrite"):
            prepare(replace(config, **change))  # type: ignore[arg-type]
    index = (config.out / INDEX).read_bytes()
    write_inventory(config.inventory[0], config.events[0], scattered(1))
    with pytest.raises(InputError, match="other options, events or inventories"):
        prepare(config)
    assert (config.out / INDEX).read_bytes() == index
    assert not prepare(replace(config, overwrite=True)).reused
    assert (config.out / INDEX).read_bytes() != index
    other = make_event("palu", shape=SHAPE)
    with pytest.raises(InputError, match="--overwrite"):
        prepare(replace(config, events=(other,)))
    prepare(replace(config, events=(other,), overwrite=True))
    assert [path.name for path in (config.out / "masks").iterdir()] == ["palu.tif"]


def test_the_same_inputs_give_the_same_index(config: PrepareConfig, tmp_path: Path) -> None:
    prepare(config)
    prepare(replace(config, out=tmp_path / "other"))
    assert (config.out / INDEX).read_bytes() == (tmp_path / "other" / INDEX).read_bytes()


def test_files_that_are_no_training_set_are_not_replaced(config: PrepareConfig) -> None:
    mine = config.out / "masks" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("precious")
    with pytest.raises(InputError, match="holds masks but no training set"):
        prepare(config)
    assert mine.read_text() == "precious"


def test_a_run_that_stops_leaves_what_was_there(config: PrepareConfig) -> None:
    def stop(step: str, _: float) -> None:
        if step.startswith("looking"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(config, stop)
    assert not config.out.exists()
    prepare(config)
    before = {path: path.read_bytes() for path in config.out.rglob("*") if path.is_file()}
    with pytest.raises(KeyboardInterrupt):
        prepare(replace(config, stride=12, overwrite=True), stop)
    assert before == {path: path.read_bytes() for path in config.out.rglob("*") if path.is_file()}


def test_a_killed_run_leaves_no_training_set_and_a_rerun_makes_it(config: PrepareConfig) -> None:
    code = (
        "import os, signal\nfrom pathlib import Path\nfrom landslide_cli.config import PrepareConfig\n"
        "from landslide_cli.workflows.prepare import prepare\n"
        "def kill(step, share):\n    if step.startswith('looking'): os.kill(os.getpid(), signal.SIGKILL)\n"
        f"prepare(PrepareConfig(Path({str(config.out)!r}), (Path({str(config.events[0])!r}),), "
        f"(Path({str(config.inventory[0])!r}),), window={WINDOW}, stride={STRIDE}), kill)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (config.out / STAGING).exists()
    with pytest.raises(InputError, match="is not a training set"):
        TrainingSet.open(config.out)
    prepare(config)
    TrainingSet.open(config.out)
    assert sorted(path.name for path in config.out.iterdir()) == [RECORD, INDEX, "masks"]


def test_torch_is_not_needed(config: PrepareConfig) -> None:
    out, event, inventory = str(config.out), str(config.events[0]), str(config.inventory[0])
    code = (
        "import sys\nfrom pathlib import Path\nsys.modules['torch'] = None\n"
        "from landslide_cli.config import PrepareConfig\nfrom landslide_cli.workflows.prepare import prepare\n"
        "from landslide_cli.training.tiles_index import TrainingSet\n"
        f"prepare(PrepareConfig(Path({out!r}), (Path({event!r}),), (Path({inventory!r}),), window={WINDOW}))\n"
        f"TrainingSet.open(Path({out!r}))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window": 0}, "--window 0"),
        ({"stride": 0}, "--stride 0"),
        ({"stride": WINDOW + 1}, "leaves gaps between windows"),
        ({"max_cloud": 101.0}, "--max-cloud 101"),
        ({"max_cloud": float("nan")}, "--max-cloud nan"),
        ({"min_evaluation_pixels": -1}, "--min-evaluation-pixels -1"),
        ({"events": ()}, "no event is given"),
        ({"events": (Path("missing"),)}, "missing is not an event folder"),
        ({"inventory": ()}, "--inventory is given 0 times for 1 events"),
        ({"inventory": (Path("a"), Path("b"))}, "--inventory is given 2 times for 1 events"),
        ({"inventory": (Path("missing.gpkg"),)}, "missing.gpkg does not exist"),
        ({"event_date": ("14.8.2021",)}, "--event-date '14.8.2021' is not a date"),
        ({"event_date": ("2021-08-15",)}, "none of the 40 landslides"),
        ({"layer": "north"}, "no layer 'north'"),
        ({"date_attribute": ("when",)}, "no attribute 'when'"),
        ({"test": ("palu",)}, "'palu' is none of the events"),
        ({"window": 201}, "haiti is 200 x 260 px, smaller than a window of 201 px"),
        ({"min_pixels": 2000}, "none of the 63 windows can be used: 8 hold no landslide, 55 show too little"),
    ],
)
def test_bad_input_is_refused_and_leaves_nothing(config: PrepareConfig, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        prepare(replace(config, **change))
    assert not config.out.exists()


def test_one_event_twice_is_refused(config: PrepareConfig) -> None:
    with pytest.raises(InputError, match="two event folders are named 'haiti'"):
        prepare(replace(config, events=config.events * 2))


def test_an_output_that_is_a_file_is_refused(config: PrepareConfig) -> None:
    config.out.write_text("")
    with pytest.raises(InputError, match="is a file"):
        prepare(config)


def test_an_inventory_of_another_place_is_refused(config: PrepareConfig) -> None:
    write_inventory(config.inventory[0], config.events[0], [(4000, 10, 4010, 20)])
    with pytest.raises(InputError, match=r"none of the 1 landslides .* lies in the AOI of event haiti"):
        prepare(config)


def test_landslides_of_another_date_are_not_burned(config: PrepareConfig) -> None:
    event = config.events[0]
    path = config.inventory[0]
    parts = [
        json.loads(write_inventory(path, event, boxes, {"event_date": day}).read_text())["features"]
        for boxes, day in ((scattered()[:30], "2021-08-14"), (scattered()[30:], "2020-05-01"))
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": parts[0] + parts[1]}))
    some = prepare(config)
    assert (some.events[0]["landslides"]["burned"], some.events[0]["landslides"]["other_date"]) == (30, 10)
    every = prepare(replace(config, event_date=("2021-08-14",), overwrite=True))
    assert (every.events[0]["landslides"]["burned"], every.events[0]["landslides"]["other_date"]) == (40, 0)
    assert every.events[0]["landslides"]["landslide_px"] > some.events[0]["landslides"]["landslide_px"]


def test_nothing_visible_is_one_error_with_its_reasons(config: PrepareConfig) -> None:
    sources = np.full((2, *SHAPE), 1, np.uint8)
    sources[0, :, :150] = Unseen.CLOUD
    sources[1, :, 150:] = Unseen.OUTSIDE
    rewrite(config.events[0] / "sources.tif", sources)
    with pytest.raises(InputError, match=r"none of the 63 windows .* pixels without data, \d+ have too much cloud"):
        prepare(config)
    assert not config.out.exists()


def test_scenes_of_another_version_or_grid_are_refused(config: PrepareConfig) -> None:
    event = config.events[0]
    with_scenes(event, {"pre": 1, "post": 1})
    write_raster(event / "pre" / "2021-08-01_R011_unseen.tif", np.zeros((10, 10), np.uint8), nodata=None)
    with pytest.raises(InputError, match="is not on the grid of its event"):
        prepare(config)
    (event / "pre" / "2021-08-01_R011_unseen.tif").unlink()
    with pytest.raises(InputError, match="cannot be read"):
        prepare(config)
    record = event / "event.json"
    record.write_text(record.read_text().replace('"unseen":', '"clear":'))
    with pytest.raises(InputError, match="fetched by another version"):
        prepare(config)


def test_a_side_without_scenes_is_refused(config: PrepareConfig) -> None:
    with_scenes(config.events[0], {"pre": 2})
    with pytest.raises(InputError, match="no scene on one of its sides"):
        prepare(config)


def test_an_event_without_terrain_can_be_prepared(make_event: Maker, tmp_path: Path) -> None:
    event = make_event("flat", shape=SHAPE, dem=False)
    inventory = write_inventory(tmp_path / "flat.geojson", event, scattered())
    summary = prepare(PrepareConfig(tmp_path / "set", (event,), (inventory,), window=WINDOW))
    assert TrainingSet.open(summary.dataset).record["stride_px"] == WINDOW // 2
    assert summary.events[0]["terrain"] is False
    assert summary.windows["train"] > 0


def test_the_paper_s_inventory_of_mesetas_on_images_of_its_place(shared_data: Path, tmp_path: Path) -> None:
    inventory = shared_data / "mesetas2019" / "landslides.gpkg"
    crs, degrees = "EPSG:32618", (-74.2591383, 3.3718247, -74.0658161, 3.6118633)
    west, south, east, north = transform_bounds("EPSG:4326", crs, *degrees)
    origin = (west // 60 * 60 - 1200, north // 60 * 60 + 1200)
    image = np.full((int((origin[1] - south) / 10) + 120, int((east - origin[0]) / 10) + 120), 500, np.uint16)
    for side in ("pre", "post"):
        band_folder(tmp_path / side, {"B04": image}, origin=origin, crs=crs)
    event = tmp_path / "mesetas"
    fetch(
        FetchConfig(
            event, "2019-12-24", aoi_from=str(inventory), pre=(str(tmp_path / "pre"),), post=(str(tmp_path / "post"),),
            no_dem=True,
        )
    )  # fmt: skip
    summary = prepare(PrepareConfig(tmp_path / "set", (event,), (inventory,), halve=("mesetas",)))
    landslides = summary.events[0]["landslides"]
    assert (landslides["burned"], landslides["outside"], landslides["other_date"]) == (838, 0, 0)
    with rasterio.open(tmp_path / "set" / "masks" / "mesetas.tif") as source:
        assert (source.read(1) == LANDSLIDE).sum() == landslides["landslide_px"]
        assert source.crs == crs
    area_m2 = shapely.union_all(polygons_of(inventory, crs)).area
    assert 100 * landslides["landslide_px"] == pytest.approx(area_m2, rel=0.01)
    windows = TrainingSet.open(tmp_path / "set").windows
    assert set(windows.split) == {"validation", "test"}
    assert windows.landslide_px.min() >= 200
    sizes = summary.windows["validation"], summary.windows["test"]
    assert min(sizes) > 0.8 * max(sizes)


def polygons_of(inventory: Path, crs: str) -> list[BaseGeometry]:
    """Read an inventory without the code under test."""
    with fiona.open(inventory) as layer:
        return [shapely.make_valid(shape(transform_geom(layer.crs, crs, dict(f.geometry)))) for f in layer]
