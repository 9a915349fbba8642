import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import fiona
import numpy as np
import pytest
import rasterio
import shapely
from conftest import Maker, band_folder, read_raster, write_raster
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from prepared_events import (
    SHAPE,
    STRIDE,
    WINDOW,
    codes,
    rewrite,
    scattered,
    scattered_event,
    with_scenes,
    write_changes,
    write_inventory,
)
from rasterio.warp import transform_bounds, transform_geom
from shapely.geometry import box, shape
from shapely.geometry.base import BaseGeometry

from landslide_cli.config import FetchConfig, PrepareConfig
from landslide_cli.errors import InputError
from landslide_cli.event.folder import Event
from landslide_cli.geo import grids
from landslide_cli.geo.bands import Unseen
from landslide_cli.training.tiles_index import LANDSLIDE, UNKNOWN, TrainingSet, Windows
from landslide_cli.workflows.fetch import fetch
from landslide_cli.workflows.prepare import prepare


@pytest.fixture
def config(make_event: Maker, tmp_path: Path) -> PrepareConfig:
    return scattered_event(make_event, tmp_path)


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
    assert np.array_equal(read_raster(mask)[0] == LANDSLIDE, shapely.contains_xy(polygons, columns, rows))


def test_the_mask_is_the_same_however_it_is_cut(config: PrepareConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(config)
    whole = read_raster(config.out / "masks" / "haiti.tif")
    monkeypatch.setattr(grids, "BLOCK_PX", 37)
    prepare(replace(config, overwrite=True))
    assert np.array_equal(read_raster(config.out / "masks" / "haiti.tif"), whole)


def test_all_touched_burns_more(config: PrepareConfig, tmp_path: Path) -> None:
    prepare(config)
    prepare(replace(config, out=tmp_path / "touched", all_touched=True))
    by_centre, touched = (
        read_raster(folder / "masks" / "haiti.tif") == LANDSLIDE for folder in (config.out, tmp_path / "touched")
    )
    assert (by_centre <= touched).all()
    assert touched.sum() > 1.2 * by_centre.sum()


def test_other_changes_are_kept_beside_the_landslides(
    config: PrepareConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(config)
    landslide = read_raster(config.out / "masks" / "haiti.tif")[0] == LANDSLIDE
    given = np.random.default_rng(5).choice(np.array((0, 6, 254, 3), np.int16), (SHAPE[0] // 2, SHAPE[1] // 2))
    # Pixels of 20 m, the rightmost of which nobody looked at.
    given[:, -10:] = -9
    changes = write_changes(tmp_path / "changes.tif", config.events[0], given, pixel=20.0, nodata=-9)
    monkeypatch.setattr(grids, "BLOCK_PX", 37)
    summary = prepare(replace(config, changes=(changes,), overwrite=True))
    mask = read_raster(config.out / "masks" / "haiti.tif")
    expected = np.where(given < 0, 0, given).repeat(2, axis=0).repeat(2, axis=1)
    expected[landslide] = 0
    assert np.array_equal(mask[0] == LANDSLIDE, landslide)
    assert np.array_equal(mask[1], expected)
    assert summary.events[0]["changes_px"] == {str(code): (expected == code).sum() for code in (3, 6, 254)}
    opened = TrainingSet.open(config.out)
    assert opened.has_changes("haiti")
    assert opened.record["events"][0]["changes"]["file"] == "../changes.tif"
    assert prepare(replace(config, changes=(changes,))).reused
    with pytest.raises(InputError, match="with other options, events or inventories"):
        prepare(config)


@pytest.mark.parametrize(
    ("values", "how", "message"),
    [
        (np.full((4, 4), 255, np.uint8), {}, r"changes\.tif holds the code 255; give codes from 1 to 254"),
        (np.full((4, 4), -1, np.int16), {}, "holds the code -1"),
        (np.ones((4, 4), np.float32), {}, "holds float32; give a raster of whole numbers"),
        (np.ones((4, 4), np.uint8), {"crs": None}, r"--changes .*changes\.tif has no coordinate reference system"),
    ],
)
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_codes_of_changes_that_cannot_be_are_refused(
    config: PrepareConfig, tmp_path: Path, values: NDArray[Any], how: dict[str, Any], message: str
) -> None:
    changes = write_changes(tmp_path / "changes.tif", config.events[0], values, **how)
    with pytest.raises(InputError, match=message):
        prepare(replace(config, changes=(changes,)))
    assert not config.out.exists()


def test_truth_is_not_known_outside_the_aoi(config: PrepareConfig) -> None:
    event = Event.open(config.events[0])
    west, south, east, north = event.aoi.bounds
    triangle = {"type": "Polygon", "coordinates": [[[west, south], [east, south], [west, north], [west, south]]]}
    replace(event, item={**event.item, "geometry": triangle}).save()
    summary = prepare(config)
    mask = read_raster(config.out / "masks" / "haiti.tif")[0]
    outside = ~grids.inside(shape(triangle), GeoBox.from_rio(rasterio.open(event.path("clear"))))
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
    terrain = read_raster(event / "terrain.tif")
    terrain[1, 150, 30] = np.nan
    rewrite(event / "terrain.tif", terrain)
    config = PrepareConfig(tmp_path / "set", (event,), (inventory,), window=WINDOW, stride=STRIDE, min_pixels=9)
    summary = prepare(config)
    landslide = read_raster(config.out / "masks" / "haiti.tif")[0] == LANDSLIDE
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
    with pytest.raises(InputError, match=r"unseen: Field required.*; fetch the event again"):
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
            out=event,
            event_date="2019-12-24",
            aoi_from=str(inventory),
            pre=(str(tmp_path / "pre"),),
            post=(str(tmp_path / "post"),),
            no_dem=True,
        )
    )
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
