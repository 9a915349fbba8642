"""Fetching from services that fail, with a program that is killed: the event is the same, or the failure is told."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from conftest import day_of, read_raster
from servers import BASE_URL, Faults, Traffic, stac_api, storage

from landslide_cli.event.folder import Event
from landslide_cli.event.placing import ITEM
from landslide_cli.event.products import FETCHED, PRODUCTS
from landslide_cli.imagery.staging import STAGING
from landslide_cli.simulation.catalog import SimulatedCatalog, write_catalog

BLOCK_PX = 130
"""Small blocks, so that a small event has many."""


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> SimulatedCatalog:
    """Two scenes a side, so that there is one to fall back on."""
    return write_catalog(
        tmp_path_factory.mktemp("catalog"), seed=3, shape=(120, 250), clear_scenes=2, base_url=BASE_URL
    )


def arguments(catalog: SimulatedCatalog, out: Path, api: str) -> list[str]:
    code = (
        # Under a shell's job in the background, interrupts come ignored.
        "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from landslide_cli.geo import grids\n"
        "from landslide_cli.imagery import load\n"
        f"grids.BLOCK_PX = {BLOCK_PX}\nload.FIRST_PAUSE_S = 0.05\n"
        "load.REMOTE['GDAL_HTTP_RETRY_DELAY'] = '0.05'\n"
        "from landslide_cli.cli.app import app\n"
        f"app(['fetch', '--aoi', {str(catalog.aoi)!r}, '--event-date', '{catalog.event_date}', "
        f"'--out', {str(out)!r}, '--catalog', {api!r}, '-v'])"
    )
    return [sys.executable, "-c", code]


@contextmanager
def served(
    catalog: SimulatedCatalog, faults: Faults, items: Path | None = None
) -> Iterator[tuple[str, dict[str, str], Traffic]]:
    with storage(catalog.items.parent, faults) as (address, traffic), stac_api(items or catalog.items) as api:
        environment = {
            **os.environ, "PC_SDK_SAS_URL": f"http://{address}/token", "GDAL_HTTP_PROXY": address,
            "NO_PROXY": "127.0.0.1",
        }  # fmt: skip
        yield api, environment, traffic


def fetch(catalog: SimulatedCatalog, out: Path, faults: Faults, items: Path | None = None) -> tuple[str, Traffic]:
    with served(catalog, faults, items) as (api, environment, traffic):
        done = subprocess.run(
            arguments(catalog, out, api), env=environment, capture_output=True, text=True, timeout=300, check=False
        )
    assert done.returncode == 0, done.stderr
    return done.stderr, traffic


@pytest.fixture(scope="module")
def calm(catalog: SimulatedCatalog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The event as it is when nothing fails."""
    out = tmp_path_factory.mktemp("calm") / "event"
    fetch(catalog, out, Faults())
    return out


def assert_same(one: Path, other: Path) -> None:
    for product in FETCHED:
        name = PRODUCTS[product].file
        assert np.array_equal(read_raster(one / name), read_raster(other / name), equal_nan=True), name
    assert sorted(p.name for p in one.iterdir()) == sorted(p.name for p in other.iterdir())


def test_throttling_and_cut_answers_change_nothing(catalog: SimulatedCatalog, calm: Path, tmp_path: Path) -> None:
    log, traffic = fetch(catalog, tmp_path / "event", Faults(throttled_share=0.05, cut_share=0.02))
    assert traffic.throttled > 5
    assert traffic.cut > 1
    assert_same(calm, tmp_path / "event")
    assert "sig=" not in log


def test_tokens_that_expire_are_renewed(catalog: SimulatedCatalog, calm: Path, tmp_path: Path) -> None:
    _, traffic = fetch(catalog, tmp_path / "event", Faults(token_life_s=1.5))
    assert traffic.tokens > 3
    assert_same(calm, tmp_path / "event")


def altered_items(catalog: SimulatedCatalog, folder: Path, scene: str, change: str) -> Path:
    collection = json.loads(catalog.items.read_text())
    for feature in collection["features"]:
        if feature["id"] == scene:
            if change == "missing":
                del feature["assets"]["B11"]
            else:
                feature["assets"]["B11"]["href"] = change
    path = folder / "items.json"
    path.write_text(json.dumps(collection))
    return path


@pytest.mark.parametrize("change", ["missing", f"{BASE_URL}/gone.tif", "/etc/passwd"])
def test_a_scene_that_cannot_be_read_is_replaced_with_a_warning(
    catalog: SimulatedCatalog, calm: Path, tmp_path: Path, change: str
) -> None:
    used = next(s for s in Event.open(calm).scenes if s["side"] == "post" and s["source"] == 1)
    items = altered_items(catalog, tmp_path, used["id"], change)
    log, _ = fetch(catalog, tmp_path / "event", Faults(), items)
    flat = " ".join(log.split())
    assert "is replaced by" in flat
    event = Event.open(tmp_path / "event")
    assert used["id"] not in {scene["id"] for scene in event.scenes}
    assert {s["side"] for s in event.scenes} == {"pre", "post"}
    assert np.array_equal(read_raster(event.path("pre")), read_raster(calm / "pre.tif"))
    assert (read_raster(event.path("post")) > 0).all()
    if change == "/etc/passwd":
        assert "not on the network" in flat


def test_a_scene_that_is_all_nodata_is_not_used(catalog: SimulatedCatalog, calm: Path, tmp_path: Path) -> None:
    collection = json.loads(catalog.items.read_text())
    used = next(day_of(s) for s in Event.open(calm).scenes if s["side"] == "pre" and s["source"] == 1)
    folder = tmp_path / "catalog"
    shutil.copytree(catalog.items.parent, folder)
    for feature in collection["features"]:
        if feature["collection"] == "sentinel-2-l2a" and feature["properties"]["datetime"].startswith(used):
            for asset in feature["assets"].values():
                path = folder / asset["href"].split(".net/")[1]
                with rasterio.open(path) as source:
                    profile = source.profile | {"driver": "GTiff"}
                with rasterio.open(path, "w", **profile) as target:
                    target.write(np.zeros((1, profile["height"], profile["width"]), profile["dtype"]))
    other = replace(catalog, items=folder / "items.json")
    fetch(other, tmp_path / "event", Faults())
    event = Event.open(tmp_path / "event")
    assert used not in {day_of(s) for s in event.scenes}
    assert np.array_equal(read_raster(event.path("post")), read_raster(calm / "post.tif"))


def test_ten_kills_and_a_rerun_give_the_same_event(catalog: SimulatedCatalog, calm: Path, tmp_path: Path) -> None:
    out = tmp_path / "event"
    moments = random.Random(5)
    kills = 0
    with served(catalog, Faults()) as (api, environment, traffic):
        command = arguments(catalog, out, api)
        for _ in range(10):
            process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, text=True)
            time.sleep(moments.uniform(1.0, 5.0))
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
                kills += 1
            process.wait()
            if (out / ITEM).exists():
                Event.open(out)
                break
        subprocess.run(command, env=environment, check=True, stderr=subprocess.DEVNULL)
        assert traffic.refused == 0
    assert kills >= 1
    assert_same(calm, out)


def test_finished_blocks_are_not_read_again(catalog: SimulatedCatalog, calm: Path, tmp_path: Path) -> None:
    out = tmp_path / "event"
    with served(catalog, Faults()) as (api, environment, traffic):
        command = arguments(catalog, out, api)
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        while len(list((out / STAGING).glob("pre-*.tif"))) < 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGINT)
        _, log = process.communicate()
        assert process.returncode == 130, log
        kept = {p.name: p.stat().st_mtime_ns for p in (out / STAGING).glob("p*-*-*.tif")}
        assert kept
        assert not (out / ITEM).exists()
        traffic.paths.clear()
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, text=True)
        seen: dict[str, int] = {}
        while process.poll() is None:
            for path in (out / STAGING).glob("p*-*-*.tif") if (out / STAGING).exists() else ():
                try:
                    seen[path.name] = path.stat().st_mtime_ns
                except FileNotFoundError:
                    break
            time.sleep(0.01)
        assert process.returncode == 0
        assert {name: seen[name] for name in kept} == kept
    assert_same(calm, out)


def test_a_catalog_that_dies_is_told_and_auto_goes_on(tmp_path: Path, catalog: SimulatedCatalog) -> None:
    done = subprocess.run(
        arguments(catalog, tmp_path / "event", "http://127.0.0.1:9"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 4
    assert "did not answer" in " ".join(done.stderr.split())
