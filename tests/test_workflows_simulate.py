"""A simulated event can be fetched, its truth is exact, and its mapped inventory is not."""

import json
from dataclasses import replace
from pathlib import Path

import fiona
import numpy as np
import pytest
import rasterio
from conftest import write_raster
from shapely.geometry import shape
from shapely.ops import unary_union
from typer.testing import CliRunner

from landslide_cli.cli.app import app
from landslide_cli.config import FetchConfig, SimulateConfig
from landslide_cli.errors import InputError
from landslide_cli.event.folder import Event
from landslide_cli.simulation.nature import Change
from landslide_cli.workflows.fetch import fetch
from landslide_cli.workflows.simulate import SimulateSummary, read_outlines, simulate

SIZE_PX = 160


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SimulateSummary:
    out = tmp_path_factory.mktemp("simulated")
    return simulate(SimulateConfig(out, seed=31, events=2, size_px=SIZE_PX, cloudy_scenes=0))


def test_an_event_can_be_fetched(made: SimulateSummary, tmp_path: Path) -> None:
    event = made.events[1]
    fetch(
        FetchConfig(aoi=str(event.aoi), event_date=event.event_date, out=tmp_path / "event", catalog=str(event.items))
    )
    fetched = Event.open(tmp_path / "event")
    assert fetched.event_date == event.event_date
    with rasterio.open(fetched.path("pre")) as source:
        assert source.count == 12
        assert min(source.shape) >= SIZE_PX
        assert np.median(source.read(8)) > 300


def test_changes_are_no_landslides_and_lie_on_the_same_grid(made: SimulateSummary) -> None:
    for event in made.events:
        with (
            rasterio.open(event.inventory.with_name("truth.tif")) as truth,
            rasterio.open(event.inventory.with_name("changes.tif")) as changes,
        ):
            assert (truth.transform, truth.shape, truth.crs) == (changes.transform, changes.shape, changes.crs)
            landslide, codes = truth.read(1), changes.read(1)
        assert landslide.sum() > 10
        assert not codes[landslide == 1].any()
        names = {Change(code).name.lower().replace("_", " ") for code in np.unique(codes[codes > 0])}
        assert names
        assert names <= set(event.changes)


def test_the_mapped_inventory_is_near_the_truth_but_not_it(made: SimulateSummary) -> None:
    for event in made.events:
        exact, mapped = (
            unary_union([shape(f.geometry).buffer(0) for f in fiona.open(path)])
            for path in (event.inventory, event.mapped)
        )
        share = exact.intersection(mapped).area / exact.union(mapped).area
        assert 0.4 < share < 0.97


def test_the_same_seed_is_the_same_event_and_is_kept(made: SimulateSummary, tmp_path: Path) -> None:
    again = simulate(SimulateConfig(made.out, seed=31, events=2, size_px=SIZE_PX, cloudy_scenes=0))
    assert again.kept == 2
    assert again.events == made.events
    other = simulate(SimulateConfig(tmp_path / "other", seed=32, size_px=SIZE_PX, cloudy_scenes=0)).events[0]
    for name in ("truth.tif", "changes.tif", "landslides_mapped.geojson", "items.json"):
        assert (other.inventory.parent / name).read_bytes() == (made.events[1].inventory.parent / name).read_bytes()
    with pytest.raises(InputError, match="made with other options"):
        simulate(SimulateConfig(made.out, seed=31, size_px=SIZE_PX + 10))


def test_outlines_and_real_ground_are_used(made: SimulateSummary, tmp_path: Path) -> None:
    outlines = read_outlines(made.events[0].inventory)
    assert all(abs(np.ptp(ring[:, 0])) >= 0.7 * abs(np.ptp(ring[:, 1])) for ring in outlines)
    area = [0.5 * abs(np.dot(r[:, 0], np.roll(r[:, 1], 1)) - np.dot(r[:, 1], np.roll(r[:, 0], 1))) for r in outlines]
    assert np.median(area) == pytest.approx(1, abs=0.02)
    rows, columns = np.indices((250, 250), dtype=np.float32)
    ridges = 800 + 150 * np.sin(rows / 9) + 150 * np.sin(columns / 11)
    dem = write_raster(tmp_path / "ridges.tif", ridges.astype(np.float32), pixel=30)
    config = SimulateConfig(
        tmp_path / "out", seed=1, events=3, size_px=SIZE_PX, dem=(dem,), inventory=(made.events[0].inventory,),
        cloudy_scenes=0,
    )  # fmt: skip
    summary = simulate(config)
    assert {event.relief for event in summary.events} == {"ridges.tif", "simulated"}


def test_real_ground_is_covered_as_a_map_says(tmp_path: Path) -> None:
    rows, columns = np.indices((220, 220), dtype=np.float32)
    hills = 800 + 40 * np.sin(rows / 9) + 40 * np.sin(columns / 11)
    dem = write_raster(tmp_path / "hills.tif", hills.astype(np.float32), pixel=30)
    # Codes of no known product, in two files of which the second is asked where the first ends.
    west, east = (np.full((220, 220), 7, np.int16) for _ in range(2))
    west[:, 110:] = -9999
    paths = tuple(
        write_raster(tmp_path / f"{name}.tif", codes, pixel=30, nodata=-9999)
        for name, codes in (("west", west), ("east", east))
    )
    base = SimulateConfig(tmp_path / "plain", seed=1, events=3, size_px=60, cloudy_scenes=0, dem=(dem,))
    plain = simulate(base)
    config = replace(base, out=tmp_path / "snowy", landcover=paths, landcover_class=("7=snow",))
    snowy = simulate(config)
    assert {event.cover for event in plain.events} == {"simulated"}
    assert {(event.relief, event.cover) for event in snowy.events} == {
        ("hills.tif", "west.tif, east.tif"), ("simulated", "simulated"),
    }  # fmt: skip
    for before, after in zip(plain.events, snowy.events, strict=True):
        blue = []
        for event in (before, after):
            with rasterio.open(min(event.items.parent.glob("sentinel2-l2/**/*_B02*.tif"))) as source:
                seen = source.read(1)
                blue.append(np.median(seen[seen > 0]))
        record = json.loads((after.items.parent / "simulation.json").read_text())
        if after.relief == "hills.tif":
            assert blue[1] > 3 * blue[0]
            assert (record["landcover"], record["landcover_classes"]) == (["west.tif", "east.tif"], ["7=snow"])
        else:
            assert blue[1] == blue[0]
            assert "landcover" not in record
    assert simulate(config).kept == 3
    with pytest.raises(InputError, match="made with other options"):
        simulate(replace(config, landcover_class=("7=water",)))


def test_bad_input_is_one_clear_error(tmp_path: Path) -> None:
    base = SimulateConfig(tmp_path / "out", size_px=SIZE_PX)
    (tmp_path / "file").touch()
    empty = tmp_path / "empty.geojson"
    empty.write_text(json.dumps({"type": "FeatureCollection", "features": []}))
    dem = write_raster(tmp_path / "dem.tif", np.full((40, 40), 500, np.float32), pixel=30)
    cover = write_raster(tmp_path / "cover.tif", np.full((40, 40), 4, np.uint8), pixel=30)
    far = write_raster(tmp_path / "far.tif", np.full((40, 40), 10, np.uint8), pixel=30, origin=(900_000, 100_000))
    for change, message in (
        ({"landcover": (cover,)}, "give its elevation with --dem"),
        ({"landcover_class": ("4=trees",), "dem": (dem,)}, "give that too"),
        ({"landcover": (cover,), "dem": (dem,)}, "but the known codes are 10, 20, "),
        ({"landcover": (cover,), "dem": (dem,), "landcover_class": ("4=woods",)}, "must have the form CODE=CLASS"),
        ({"landcover": (far,), "dem": (dem,)}, "does not overlap --dem"),
        ({"landcover": (tmp_path / "none.tif",), "dem": (dem,)}, "cannot be put on the grid of --dem"),
        ({"events": 0}, "--events 0"),
        ({"size_px": 10}, "--size-px 10"),
        ({"out": tmp_path / "file"}, "is a file"),
        ({"inventory": (empty,)}, "holds no polygon"),
        ({"inventory": (tmp_path / "none.gpkg",)}, "is not a vector file"),
        ({"dem": (tmp_path / "none.tif",), "events": 3}, "cannot be read"),
    ):
        with pytest.raises(InputError, match=message):
            simulate(replace(base, **change))
    assert not [path for path in (tmp_path / "out").glob("*") if path.name.startswith(".part")]


def test_the_command_tells_what_it_made(made: SimulateSummary) -> None:
    command = ["simulate", "--out", str(made.out), "--seed", "31", "--size-px", str(SIZE_PX), "--cloudy-scenes", "0"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "event-31" in result.output
    assert "landslide fetch" in result.output.replace("\n", " ")
