"""The whole way from a STAC API, its storage and its token service on loopback to polygons."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fiona
import numpy as np
import pytest
from conftest import read_raster
from servers import BASE_URL, Traffic, stac_api, storage
from shapely.geometry import shape

from landslide_cli.config import FetchConfig, MapConfig, PredictConfig, VectorizeConfig
from landslide_cli.errors import InputError
from landslide_cli.event.folder import Event
from landslide_cli.geo.bands import BANDS
from landslide_cli.simulation.catalog import SimulatedCatalog, write_catalog
from landslide_cli.workflows.demo import agreement
from landslide_cli.workflows.fetch import fetch
from landslide_cli.workflows.map import map_event

SHAPE = (300, 420)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> SimulatedCatalog:
    """A simulated catalog whose hrefs are those of Planetary Computer's storage."""
    return write_catalog(tmp_path_factory.mktemp("catalog"), seed=11, shape=SHAPE, base_url=BASE_URL)


@dataclass
class Cloud:
    """A STAC API and its storage on loopback."""

    api: str
    environment: dict[str, str]
    traffic: Traffic

    def landslide(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command line as a user would, with the services found at their loopback addresses."""
        return subprocess.run(
            [sys.executable, "-m", "landslide_cli", *arguments],
            env=self.environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip


@pytest.fixture(scope="module")
def cloud(catalog: SimulatedCatalog) -> Iterator[Cloud]:
    """Serve the catalog."""
    folder = catalog.items.parent
    with storage(folder) as (address, traffic), stac_api(catalog.items) as api:
        environment = {
            **os.environ,
            "PC_SDK_SAS_URL": f"http://{address}/token",
            "GDAL_HTTP_PROXY": address,
            "NO_PROXY": "127.0.0.1",
        }
        yield Cloud(api, environment, traffic)


@pytest.fixture(scope="module")
def mapped(cloud: Cloud, catalog: SimulatedCatalog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The event that one command makes from the served catalog."""
    out = tmp_path_factory.mktemp("served") / "event"
    done = cloud.landslide(
        "map", "--aoi", str(catalog.aoi), "--event-date", catalog.event_date.isoformat(), "--out", str(out),
        "--catalog", cloud.api, "--model", "rdndvi", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["vectorize"]["landslides"] > 0
    return out


def test_images_are_signed_and_found_over_http(mapped: Path, cloud: Cloud) -> None:
    assert Event.open(mapped).bands == BANDS
    assert cloud.traffic.tokens >= 1
    assert cloud.traffic.refused == 0
    assert any("B8A" in path for path in cloud.traffic.paths)


def test_what_was_downloaded_is_told(cloud: Cloud, catalog: SimulatedCatalog, tmp_path: Path) -> None:
    before = cloud.traffic.bytes_sent
    done = cloud.landslide(
        "fetch", "--aoi", str(catalog.aoi), "--event-date", catalog.event_date.isoformat(),
        "--out", str(tmp_path / "event"), "--catalog", cloud.api, "--json",
    )  # fmt: skip
    sent = (cloud.traffic.bytes_sent - before) / 1e6
    # The server counts its tokens too, and the bytes of a file that is asked for twice at once.
    assert json.loads(done.stdout)["downloaded_megabytes"] == pytest.approx(sent, rel=0.02)


def test_no_token_lands_in_the_event(mapped: Path) -> None:
    assert "sig=" not in (mapped / "event.json").read_text()


def test_the_served_event_is_the_one_on_disk(mapped: Path, tmp_path: Path) -> None:
    local = write_catalog(tmp_path / "catalog", seed=11, shape=SHAPE)
    fetch(
        FetchConfig(
            out=tmp_path / "event",
            aoi=str(local.aoi),
            event_date=local.event_date.isoformat(),
            catalog=str(local.items),
        )
    )
    for name in ("pre.tif", "post.tif", "clear.tif", "terrain.tif"):
        assert np.array_equal(read_raster(mapped / name), read_raster(tmp_path / "event" / name), equal_nan=True), name


def test_both_granules_in_two_zones_are_mosaicked_without_a_gap(mapped: Path) -> None:
    event = Event.open(mapped)
    used = [scene for scene in event.scenes if scene["side"] == "post"]
    assert len({scene["id"] for scene in used if scene["source"] == 1}) == 2
    assert (read_raster(mapped / "post.tif") > 0).all()


def test_the_offset_is_removed_where_the_baseline_has_it(mapped: Path) -> None:
    scenes = Event.open(mapped).scenes
    assert {(s["side"], s["offset_removed"]) for s in scenes} == {("pre", 0), ("post", 1000)}
    clear = read_raster(mapped / "clear.tif")[0] == 1
    pre, post = (read_raster(mapped / f"{side}.tif")[:, clear].astype(float) for side in ("pre", "post"))
    # Most of the ground did not change: a step of 1000 would show in every band.
    assert np.abs(np.median(post - pre, axis=1)).max() < 350


def test_polygons_lie_on_the_simulated_landslides(mapped: Path, catalog: SimulatedCatalog) -> None:
    precision, recall, f1 = agreement(Event.open(mapped), catalog.truth)
    assert precision > 0.4
    assert recall > 0.3
    assert f1 > 0.4
    with fiona.open(catalog.inventory) as layer:
        truth = [shape(feature.geometry) for feature in layer]
    with fiona.open(mapped / "landslides.geojson") as layer:
        found = [shape(feature.geometry) for feature in layer]
    assert all(polygon.is_valid for polygon in found)
    assert sum(any(f.intersects(t) for t in truth) for f in found) > 0.4 * len(found)


def test_the_clouds_are_in_the_layer_of_what_was_not_analysed(mapped: Path) -> None:
    percent = read_raster(mapped / "probability.tif")[0]
    clear = read_raster(mapped / "clear.tif")[0]
    assert np.array_equal(percent == 255, clear == 0)
    layers = ["landslides", "not_analysed", "aoi", "scenes", "layer_styles"]
    assert fiona.listlayers(mapped / "landslides.gpkg") == layers
    with fiona.open(mapped / "landslides.gpkg", layer="not_analysed") as layer:
        area = sum(shape(feature.geometry).area for feature in layer)
        assert area > 0
    geometry = Event.open(mapped).aoi
    with fiona.open(mapped / "not_analysed.geojson") as layer:
        assert all(shape(f.geometry).intersects(geometry) for f in layer)


def test_a_command_run_again_reads_no_more_than_it_needs_to_find_nothing_new(
    mapped: Path, cloud: Cloud, catalog: SimulatedCatalog
) -> None:
    before = len(cloud.traffic.paths)
    there = {path.name: path.stat().st_mtime_ns for path in mapped.iterdir()}
    done = cloud.landslide(
        "map", "--aoi", str(catalog.aoi), "--event-date", catalog.event_date.isoformat(), "--out", str(mapped),
        "--catalog", cloud.api, "--model", "rdndvi",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "1, unchanged: no new scene" in done.stderr
    assert all("SCL" in path for path in cloud.traffic.paths[before:])
    assert {path.name: path.stat().st_mtime_ns for path in mapped.iterdir()} == there


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--event-date", "2019-08-14"), 3, "no pre scene covers the AOI"),
        (("--max-cloud", "0.01"), 3, "under 0.01 % cloud"),
        (("--aoi", "10,45,10.1,45.1"), 3, "no pre scene covers the AOI"),
        (("--catalog", "http://127.0.0.1:9/stac"), 4, "did not answer"),
        (("--catalog", "nowhere"), 2, "is not a known name, a URL or a file"),
        (("--model", "nothing"), 5, "neither a known name nor a file"),
        (("--device", "tpu"), 2, "unknown"),
        (("--threshold", "2"), 2, "--threshold"),
    ],
)
def test_each_failure_is_one_message_and_its_exit_code(
    cloud: Cloud, catalog: SimulatedCatalog, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    options = {
        "--aoi": str(catalog.aoi), "--event-date": catalog.event_date.isoformat(), "--out": str(tmp_path / "event"),
        "--catalog": cloud.api, "--model": "rdndvi",
    }  # fmt: skip
    options |= dict(zip(arguments[::2], arguments[1::2], strict=True))
    done = cloud.landslide("map", *(word for option in options.items() for word in option))
    assert done.returncode == code, done.stderr
    assert message in done.stderr.replace("\n", " ")
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "event" / "event.json").exists()


NOWHERE = "http://127.0.0.1:9/stac"
"""A catalog that does not answer: to ask it is an error of another kind."""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"min_area": -1.0}, "--min-area -1"),
        ({"merge": 5000.0}, r"--merge 5000 must be a number within 0\.\.200"),
        ({"steeper_than": float("nan")}, "--steeper-than nan"),
        ({"steeper_than": 5.0}, "--steeper-than 5 needs elevation, and the event has no elevation"),
        ({"formats": ("csv", "dwg")}, "--formats 'dwg' is unknown"),
        ({"formats": ("geoparquet",)}, "--formats geoparquet needs pyarrow, which is not installed; run: pip install"),
        ({"schema": "none"}, "--schema 'none' is unknown"),
        ({"grow": 0.7}, r"--grow 0\.7 is above the threshold of 0\.5"),
        ({"grow": 0.95, "threshold": 0.9}, r"--grow 0\.95 is above the threshold of 0\.9"),
        ({"exclude": Path("missing.gpkg")}, r"--exclude missing\.gpkg is not a vector file that can be read"),
        ({"exclude": Path(__file__)}, r"--exclude .* is not a vector file that can be read"),
        ({"overviews": "bogus"}, "--overviews 'bogus' is unknown"),
        ({"tile": 100}, "--tile 100 must be a multiple of 32"),
        ({"stride": 999}, "--stride 999 must be within"),
        ({"device": "abacus"}, "--device 'abacus' is unknown"),
    ],
)
def test_what_the_later_steps_cannot_do_is_refused_before_the_catalog_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], message: str
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    out = tmp_path / "event"
    predicting, outlining = PredictConfig(out, model="rdndvi"), VectorizeConfig(out)
    with pytest.raises(InputError, match=message):
        map_event(
            MapConfig(
                FetchConfig(
                    out=out, event_date="2021-08-14", aoi="-73.8,18.3,-73.7,18.4", catalog=NOWHERE, no_dem=True
                ),
                replace(predicting, **{name: value for name, value in change.items() if hasattr(predicting, name)}),
                replace(outlining, **{name: value for name, value in change.items() if hasattr(outlining, name)}),
            )
        )
    assert not out.exists()


def test_a_model_whose_bands_will_be_missing_is_refused_before_reading(
    cloud: Cloud, catalog: SimulatedCatalog, tmp_path: Path
) -> None:
    cloud.traffic.paths.clear()
    done = cloud.landslide(
        "map", "--aoi", str(catalog.aoi), "--event-date", catalog.event_date.isoformat(), "--catalog", cloud.api,
        "--out", str(tmp_path / "event"), "--no-dem", "--model", "bbunet",
    )  # fmt: skip
    assert done.returncode == 5, done.stderr
    assert "reads terrain" in done.stderr
    assert not [path for path in cloud.traffic.paths if "SCL" not in path]
    assert not (tmp_path / "event").exists()


def test_storage_that_refuses_is_a_catalog_error(cloud: Cloud, catalog: SimulatedCatalog, tmp_path: Path) -> None:
    refusing = cloud.environment["PC_SDK_SAS_URL"].replace("/token", "/refused")
    unsigned = Cloud(cloud.api, {**cloud.environment, "PC_SDK_SAS_URL": refusing}, cloud.traffic)
    done = unsigned.landslide(
        "fetch", "--aoi", str(catalog.aoi), "--event-date", catalog.event_date.isoformat(), "--catalog", cloud.api,
        "--out", str(tmp_path / "event"),
    )  # fmt: skip
    assert done.returncode == 4, done.stderr
    assert "error: " in done.stderr
    assert "Traceback" not in done.stderr
