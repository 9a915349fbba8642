"""Fetching from files at hand. The STAC path is in test_workflows_map.py."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from conftest import ORIGIN_M, Maker, band_folder, read_raster, write_raster
from odc.geo.geobox import GeoBox
from rio_cogeo.cogeo import cog_validate

from landslide_cli.config import FetchConfig
from landslide_cli.errors import InputError
from landslide_cli.event.folder import Event
from landslide_cli.event.placing import ITEM
from landslide_cli.event.products import FETCHED, PRODUCTS
from landslide_cli.geo.bands import TERRAIN_BANDS
from landslide_cli.imagery.staging import STAGING
from landslide_cli.workflows.fetch import fetch

SHAPE = (90, 120)


@pytest.fixture
def config(tmp_path: Path) -> FetchConfig:
    """A small event, ready to be fetched."""
    rng = np.random.default_rng(0)
    images = {band: rng.integers(300, 3000, SHAPE).astype(np.uint16) for band in ("B02", "B03", "B04")}
    elevation = np.add.outer(np.arange(100.0), np.arange(100.0)).astype(np.float32) * 5
    write_raster(tmp_path / "dem.tif", elevation, pixel=30, origin=(ORIGIN_M[0] - 600, ORIGIN_M[1] + 600), nodata=-9999)
    return FetchConfig(
        out=tmp_path / "event",
        event_date="2021-08-14",
        pre=(str(band_folder(tmp_path / "pre", images)),),
        post=(str(band_folder(tmp_path / "post", {b: i + 100 for b, i in images.items()})),),
        dem=str(tmp_path / "dem.tif"),
    )


def test_an_event_holds_valid_cogs_on_one_grid(config: FetchConfig) -> None:
    summary = fetch(config)
    grids = set()
    for product in FETCHED:
        path = config.out / PRODUCTS[product].file
        assert cog_validate(path, quiet=True, strict=True)[0], product
        with rasterio.open(path) as source:
            grids.add(GeoBox.from_rio(source))
            described = {"terrain": TERRAIN_BANDS, "clear": ("clear",), "sources": ("pre", "post")}
            assert source.descriptions == described.get(product, summary.bands)
    assert len(grids) == 1
    assert sorted(p.name for p in config.out.iterdir()) == sorted([ITEM, *(PRODUCTS[p].file for p in FETCHED)])


def test_pixels_on_the_grid_come_through_unchanged(config: FetchConfig) -> None:
    summary = fetch(config)
    assert (summary.height_px, summary.width_px) == SHAPE
    for side in ("pre", "post"):
        assert np.array_equal(
            read_raster(config.out / f"{side}.tif")[0], read_raster(config.out.parent / side / "B02.tif")[0]
        )
    assert summary.clear_percent == 100
    assert summary.bands == ("B02", "B03", "B04")


def test_a_multiband_file_and_a_folder_of_bands_give_the_same(config: FetchConfig, tmp_path: Path) -> None:
    fetch(config)
    stacked = []
    for side in ("pre", "post"):
        stack = np.concatenate([read_raster(tmp_path / side / f"{band}.tif") for band in ("B04", "B02", "B03")])
        stacked.append((str(write_raster(tmp_path / f"{side}.tif", stack)),))
    other = replace(config, out=tmp_path / "other", bands="b4, B02,B03", pre=stacked[0], post=stacked[1])
    fetch(other)
    for product in ("pre", "post", "clear"):
        assert np.array_equal(read_raster(config.out / f"{product}.tif"), read_raster(other.out / f"{product}.tif"))


def test_files_given_one_by_one_are_joined(config: FetchConfig, tmp_path: Path) -> None:
    fetch(config)
    pre, post = (tuple(str(tmp_path / side / f"{band}.tif") for band in ("B04", "B02")) for side in ("pre", "post"))
    summary = fetch(replace(config, out=tmp_path / "other", pre=pre, post=post))
    assert summary.bands == ("B02", "B04")
    assert np.array_equal(read_raster(config.out / "pre.tif")[[0, 2]], read_raster(tmp_path / "other" / "pre.tif"))


def test_reflectance_files_are_brought_to_digital_numbers(config: FetchConfig, tmp_path: Path) -> None:
    fetch(config)
    scaled = []
    for side in ("pre", "post"):
        images = {
            b: read_raster(tmp_path / side / f"{b}.tif")[0].astype(np.float32) / 1e4 for b in ("B02", "B03", "B04")
        }
        scaled.append((str(band_folder(tmp_path / f"{side}-reflectance", images, nodata=None)),))
    other = replace(config, out=tmp_path / "other", scale=1.0, pre=scaled[0], post=scaled[1])
    fetch(other)
    assert np.array_equal(read_raster(config.out / "pre.tif"), read_raster(other.out / "pre.tif"))


def test_the_offset_is_removed_and_nodata_stays_nodata(config: FetchConfig, tmp_path: Path) -> None:
    shifted = []
    for side in ("pre", "post"):
        images = {b: read_raster(tmp_path / side / f"{b}.tif")[0] + np.uint16(1000) for b in ("B02", "B03", "B04")}
        images["B03"][5, 7] = 0
        images["B03"][6, 7] = 900  # Darker than the offset, yet observed.
        shifted.append((str(band_folder(tmp_path / f"{side}-shifted", images)),))
    other = replace(config, out=tmp_path / "other", offset=-0.1, pre=shifted[0], post=shifted[1])
    fetch(config)
    fetch(other)
    expected = read_raster(config.out / "pre.tif")
    expected[1, 5, 7] = 0
    expected[1, 6, 7] = 1
    assert np.array_equal(read_raster(other.out / "pre.tif"), expected)
    clear = read_raster(other.out / "clear.tif")[0]
    assert np.argwhere(clear == 0).tolist() == [[5, 7]]


def test_images_in_degrees_are_brought_to_the_metric_grid(shared_data: Path, tmp_path: Path) -> None:
    iburi = shared_data / "iburi2018"
    summary = fetch(
        FetchConfig(
            out=tmp_path / "event", event_date="2018-09-06", pre=(str(iburi / "pre"),), post=(str(iburi / "post"),),
            dem=str(iburi / "dem.tif"),
        )
    )  # fmt: skip
    assert Event.open(tmp_path / "event").properties["proj:code"] == "EPSG:32654"
    assert summary.bands == ("B02", "B03", "B04")
    assert summary.clear_percent == pytest.approx(59.4, abs=0.3)
    terrain = read_raster(tmp_path / "event" / "terrain.tif")
    assert np.nanmin(terrain[0]) >= 9
    assert np.nanmax(terrain[0]) <= 286
    assert np.nanmax(np.hypot(terrain[2], terrain[3])) <= 1 + 1e-5


def test_an_aoi_cuts_the_images(config: FetchConfig) -> None:
    west, south, east, north = -75.0 + 0.002, 18.08, -75.0 + 0.006, 18.0875
    summary = fetch(replace(config, aoi=f"{west},{south},{east},{north}"))
    assert summary.width_px < SHAPE[1]
    assert summary.area_km2 == pytest.approx(0.35, abs=0.05)


def test_the_same_command_again_keeps_the_event_and_another_is_refused(config: FetchConfig) -> None:
    fetch(config)
    before = {p.name: p.stat().st_mtime_ns for p in config.out.iterdir()}
    assert fetch(config).reused
    assert before == {p.name: p.stat().st_mtime_ns for p in config.out.iterdir()}
    with pytest.raises(InputError, match="--overwrite"):
        fetch(replace(config, event_date="2021-08-15"))
    assert not fetch(replace(config, event_date="2021-08-15", overwrite=True)).reused
    assert Event.open(config.out).event_date == "2021-08-15"


def test_fetching_anew_drops_the_results_of_the_old_images(config: FetchConfig) -> None:
    fetch(config)
    (config.out / "landslides.geojson").write_text("{}")
    fetch(replace(config, event_date="2021-08-15", overwrite=True))
    assert not (config.out / "landslides.geojson").exists()


def test_without_elevation_there_is_no_terrain_and_none_left_over(config: FetchConfig) -> None:
    fetch(config)
    summary = fetch(replace(config, dem=None, no_dem=True, overwrite=True))
    assert summary.elevation is None
    assert not (config.out / "terrain.tif").exists()
    assert not Event.open(config.out).has("terrain")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"event_date": "14/08/2021"}, "not a date"),
        ({"event_date": "2021-02-30"}, "not a date"),
        ({"event_date": "2999-01-01"}, "future"),
        ({"event_date": "2015-05-01"}, "before Sentinel-2"),
        ({"post": ()}, "both sides"),
        ({"dem": None}, "no elevation.*--no-dem"),
        ({"no_dem": True}, "contradict each other"),
        ({"dem": "missing.tif"}, "no such file|cannot be read"),
        ({"pre": ("missing.tif",)}, "no such file"),
        ({"bands": "B02,B03,B99"}, "B99"),
        ({"aoi": "10,45,10.1,45.1"}, "outside the images"),
        ({"pre_date": "soon"}, "--pre-date"),
        ({"pre_date": "2021-08-15"}, "after the event.*swapped"),
        ({"post_date": "2021-08-13"}, "before the event.*swapped"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(
    config: FetchConfig, change: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        fetch(replace(config, **change))  # type: ignore[arg-type]
    assert caught.value.exit_code == 2
    assert not config.out.exists() or list(config.out.iterdir()) == []


@pytest.mark.parametrize("change", [{"scale": 1.0}, {"scale": 0.0}, {"offset": -1000.0}, {"scale": 1e-6}])
def test_numbers_that_are_no_reflectance_are_refused(config: FetchConfig, change: dict[str, float]) -> None:
    with pytest.raises(InputError, match="which no ground has"):
        fetch(replace(config, **change))  # type: ignore[arg-type]
    assert list(config.out.iterdir()) == []


def test_the_user_is_told_that_clouds_are_not_looked_for(config: FetchConfig, caplog: pytest.LogCaptureFixture) -> None:
    fetch(config)
    assert "clouds are not looked for" in caplog.text


def test_a_file_without_a_crs_is_refused(config: FetchConfig, tmp_path: Path) -> None:
    path = write_raster(tmp_path / "bare" / "B04.tif", np.ones(SHAPE, np.uint16), crs=None)
    with pytest.raises(InputError, match="no coordinate reference system"):
        fetch(replace(config, pre=(str(path),)))


def test_a_folder_without_bands_and_a_file_of_unknown_channels_are_refused(config: FetchConfig, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no band files"):
        fetch(replace(config, pre=(str(tmp_path / "empty"),)))
    path = write_raster(tmp_path / "five.tif", np.ones((5, *SHAPE), np.uint16))
    with pytest.raises(InputError, match="--bands"):
        fetch(replace(config, pre=(str(path),)))


def test_images_that_do_not_overlap_are_refused(config: FetchConfig, tmp_path: Path) -> None:
    images = {"B04": np.ones(SHAPE, np.uint16)}
    away = band_folder(tmp_path / "away", images, origin=(ORIGIN_M[0] + 50_000, ORIGIN_M[1]))
    with pytest.raises(InputError, match="do not overlap"):
        fetch(replace(config, post=(str(away),)))


def test_a_truncated_file_is_refused_and_nothing_is_left(config: FetchConfig, tmp_path: Path) -> None:
    path = tmp_path / "pre" / "B03.tif"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"B03\.tif.*cannot be read"):
        fetch(config)
    assert list(config.out.iterdir()) == []


def test_a_dem_of_another_place_is_refused(config: FetchConfig, tmp_path: Path) -> None:
    away = write_raster(tmp_path / "away.tif", np.ones((50, 50), np.float32), pixel=30, origin=(0, 0), nodata=-9999)
    with pytest.raises(InputError, match="does not cover"):
        fetch(replace(config, dem=str(away)))


def test_a_very_large_aoi_needs_a_yes(config: FetchConfig) -> None:
    with pytest.raises(InputError, match="--yes"):
        fetch(replace(config, pre=(), post=(), dem=None, aoi="10,40,12,42", catalog="earth-search"))


def test_a_killed_fetch_leaves_no_event_and_a_rerun_succeeds(make_event: Maker, tmp_path: Path) -> None:
    reference = make_event("reference", shape=(1500, 1500))
    files = tmp_path / "reference-files"
    command = [
        sys.executable, "-m", "landslide_cli", "fetch", "--event-date", "2021-08-14", "--pre", str(files / "pre"),
        "--post", str(files / "post"), "--dem", str(files / "dem.tif"), "--out", str(tmp_path / "killed"),
    ]  # fmt: skip
    kills = 0
    for delay_s in (0.1, 0.3, 0.6, 1.0, 1.5):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        staging = tmp_path / "killed" / STAGING
        deadline = time.monotonic() + 20
        while not staging.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(delay_s)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.wait()
        if (tmp_path / "killed" / ITEM).exists():
            Event.open(tmp_path / "killed")
            shutil.rmtree(tmp_path / "killed")
    assert kills >= 2
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    for product in FETCHED:
        assert np.array_equal(
            read_raster(tmp_path / "killed" / f"{product}.tif"), read_raster(reference / f"{product}.tif"), True
        )
    assert sorted(p.name for p in (tmp_path / "killed").iterdir()) == sorted(p.name for p in reference.iterdir())
