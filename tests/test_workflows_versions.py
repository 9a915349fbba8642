"""A map brought up to date: what is new is told, what was there is kept, also by a run that is killed."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import fiona
import numpy as np
import pystac
import pytest
import rasterio
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from landslide_cli.config import FetchConfig, InfoConfig, MapConfig, PredictConfig, VectorizeConfig
from landslide_cli.errors import InputError
from landslide_cli.event import versions as versions_module
from landslide_cli.event.folder import Event, open_to_write
from landslide_cli.event.placing import ITEM, READY, VERSIONS
from landslide_cli.event.products import PRODUCTS
from landslide_cli.event.versions import UPDATE
from landslide_cli.simulation.catalog import SimulatedCatalog, write_catalog
from landslide_cli.workflows import map as mapping
from landslide_cli.workflows.info import info
from landslide_cli.workflows.map import MapSummary, map_event


class Killed(BaseException):
    """What no part of the program catches, as a kill."""


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> SimulatedCatalog:
    return write_catalog(tmp_path_factory.mktemp("catalog"), seed=11, shape=(160, 220))


@pytest.fixture(scope="module")
def first(catalog: SimulatedCatalog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the map of the days after the event, when only a cloudy image is there, beside that catalog."""
    folder = tmp_path_factory.mktemp("first")
    collection = json.loads(catalog.items.read_text())
    shown = [f for f in collection["features"] if "SCL" in f["assets"]]
    last = max(f["properties"]["datetime"] for f in shown)
    left = [f for f in collection["features"] if f["properties"].get("datetime") != last or "SCL" not in f["assets"]]
    assert len(left) < len(collection["features"])
    # Links are relative to the items file.
    cloudy = catalog.items.with_name("cloudy.json")
    cloudy.write_text(json.dumps({**collection, "features": left}))
    now = catalog.items.with_name("now.json")
    shutil.copy(cloudy, now)
    assert map_event(config(catalog, folder / "event")).version == 1
    return folder / "event"


def config(catalog: SimulatedCatalog, out: Path, **options: object) -> MapConfig:
    return MapConfig(
        FetchConfig(
            out=out, event_date=catalog.event_date.isoformat(), aoi=str(catalog.aoi), max_cloud=98,
            catalog=str(catalog.items.with_name("now.json")),
        ),
        PredictConfig(out, model="rdndvi", **options),  # type: ignore[arg-type]
        VectorizeConfig(out),
    )  # fmt: skip


@pytest.fixture
def event(first: Path, catalog: SimulatedCatalog, tmp_path: Path) -> Iterator[Path]:
    """A copy of the first map; the catalog knows the clear image by now."""
    shutil.copytree(first, tmp_path / "event")
    now = catalog.items.with_name("now.json")
    shutil.copy(catalog.items, now)
    yield tmp_path / "event"
    shutil.copy(catalog.items.with_name("cloudy.json"), now)


def contents(folder: Path) -> dict[str, bytes]:
    """The files of the record of an event, all but the record."""
    return {str(file): (folder / file).read_bytes() for file in Event.open(folder).files()}


def outlines(path: Path) -> list[tuple[dict[str, object], BaseGeometry]]:
    with fiona.open(path) as layer:
        return [(dict(f.properties), shape(f.geometry)) for f in layer]


def check_updated(event: Path, earlier: dict[str, bytes]) -> None:
    assert Event.open(event).version == 2
    assert contents(event / VERSIONS / "1") == earlier
    files = {PRODUCTS[key].file for key in Event.open(event).item["assets"]}
    assert {path.name for path in event.iterdir()} == files | {ITEM, VERSIONS}
    assert [p.name for p in (event / VERSIONS).iterdir()] == ["1"]


def test_a_clearer_image_makes_a_version_and_the_old_one_is_kept(event: Path, catalog: SimulatedCatalog) -> None:
    earlier = contents(event)
    summary = map_event(config(catalog, event))
    assert (summary.version, summary.previous, summary.unchanged) == (2, event / VERSIONS / "1", None)
    assert summary.fetch.event == event
    assert summary.vectorize.geojson == event / "landslides.geojson"
    check_updated(event, earlier)
    assert [(one.version, one.folder) for one in info(InfoConfig(event)).versions] == [
        (2, event),
        (1, event / VERSIONS / "1"),
    ]
    again = map_event(config(catalog, event))
    assert (again.version, again.unchanged) == (2, "no new scene")
    check_updated(event, earlier)


def test_what_clouds_hid_is_not_new(event: Path, catalog: SimulatedCatalog) -> None:
    changes = map_event(config(catalog, event)).vectorize.changes
    assert changes is not None
    assert changes["since"] == 1
    assert changes["differences"] == {}
    counts = changes["counts"]
    assert counts["not seen before"] > 5
    assert counts["not seen before"] > 5 * (counts["new"] + counts["gone"])
    found = outlines(event / "changes.geojson")
    assert sum(counts.values()) == len(found)
    hidden = outlines(event / VERSIONS / "1" / "not_analysed.geojson")
    for facts, outline in found:
        share = sum(outline.intersection(gap).area for _, gap in hidden) / outline.area
        if facts["change"] == "not seen before":
            assert share > 0.45
        if facts["change"] == "new":
            assert share < 0.55
    assert "changes" in fiona.listlayers(event / "landslides.gpkg")
    assert "Changes since version 1" in (event / "report.html").read_text()


def test_what_did_not_change_lies_on_the_disk_once(event: Path, catalog: SimulatedCatalog) -> None:
    map_event(config(catalog, event))
    for name in ("pre.tif", "terrain.tif"):
        assert (event / name).samefile(event / VERSIONS / "1" / name), name
    with rasterio.open(event / "post.tif") as new, rasterio.open(event / VERSIONS / "1" / "post.tif") as old:
        assert not np.array_equal(new.read(), old.read())


def test_the_images_are_those_of_a_fresh_fetch(event: Path, catalog: SimulatedCatalog, tmp_path: Path) -> None:
    map_event(config(catalog, event))
    map_event(config(catalog, tmp_path / "fresh"))
    for name in ("pre.tif", "post.tif", "sources.tif", "terrain.tif", "probability.tif"):
        with rasterio.open(event / name) as one, rasterio.open(tmp_path / "fresh" / name) as other:
            assert np.array_equal(one.read(), other.read(), equal_nan=True), name


def test_another_threshold_is_another_version_of_the_same_images(event: Path, catalog: SimulatedCatalog) -> None:
    earlier = contents(event)
    summary = map_event(config(catalog, event, threshold=0.7))
    check_updated(event, earlier)
    assert (event / "post.tif").samefile(event / VERSIONS / "1" / "post.tif")
    changes = summary.vectorize.changes
    assert changes is not None
    assert list(changes["differences"]) == ["threshold"]
    assert changes["counts"]["gone"] == changes["counts"]["new"] == changes["counts"]["not seen again"] == 0


def test_another_event_is_refused(event: Path, catalog: SimulatedCatalog) -> None:
    earlier = contents(event)
    wanted = config(catalog, event)
    with pytest.raises(InputError, match="holds the event of"):
        map_event(replace(wanted, fetch=replace(wanted.fetch, event_date="2021-08-13")))
    assert contents(event) == earlier


@pytest.mark.parametrize("step", ["fetch", "predict", "vectorize"])
def test_a_run_killed_while_it_makes_a_version_leaves_the_map(
    event: Path, catalog: SimulatedCatalog, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    earlier = contents(event)
    real = getattr(mapping, step)

    def killed(*arguments: object, **options: object) -> None:
        real(*arguments, **options)
        raise Killed

    monkeypatch.setattr(mapping, step, killed)
    with pytest.raises(Killed):
        map_event(config(catalog, event))
    assert Event.open(event).version == 1
    assert contents(event) == earlier
    monkeypatch.undo()
    map_event(config(catalog, event))
    check_updated(event, earlier)


@pytest.mark.parametrize("after", range(0, 45, 5))
def test_a_run_killed_while_versions_change_places_leaves_one_of_them(
    event: Path, catalog: SimulatedCatalog, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    earlier = contents(event)

    def killed(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(mapping, "finish_next", killed)
    with pytest.raises(Killed):
        map_event(config(catalog, event))
    monkeypatch.undo()
    moves = 0
    move, make = Path.replace, Path.hardlink_to

    def counted(real: object) -> object:
        def call(self: Path, target: Path) -> object:
            nonlocal moves
            moves += 1
            if moves > after:
                raise Killed
            return real(self, target)  # type: ignore[operator]

        return call

    monkeypatch.setattr(Path, "replace", counted(move))
    monkeypatch.setattr(Path, "hardlink_to", counted(make))
    begun = Event.open(event / UPDATE / "event")
    with pytest.raises(Killed):
        versions_module.finish_next(Event.open(event), begun)
        raise Killed  # It takes fewer moves than that.
    monkeypatch.undo()
    seen = Event.open(event).version
    there = open_to_write(event)
    assert there.version == seen
    assert not (event / READY).exists()
    if there.version == 1:
        assert contents(event) == earlier
    else:
        assert contents(event / VERSIONS / "1") == earlier
    map_event(config(catalog, event))
    check_updated(event, earlier)


KILLED_WHEN_IT_WRITES = """
import os, signal, sys
target = sys.argv.pop(1)
def kill(event, arguments):
    if event == "os.rename" and os.fspath(arguments[1]) == target:
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(kill)
from landslide_cli.__main__ import main
main()
"""


@pytest.mark.parametrize(
    "target",
    [
        f"{UPDATE}/event/probability.tif", f"{UPDATE}/event/landslides.gpkg", f"{VERSIONS}/1", READY, "report.html",
        ITEM,
    ],
)  # fmt: skip
def test_a_process_killed_before_it_puts_a_file_in_its_place_leaves_the_map(
    event: Path, catalog: SimulatedCatalog, target: str
) -> None:
    earlier = contents(event)
    wanted = config(catalog, event)
    command = [
        sys.executable, "-c", KILLED_WHEN_IT_WRITES, str(event / target), "map", "--out", str(event), "--aoi",
        str(wanted.fetch.aoi), "--event-date", wanted.fetch.event_date, "--catalog", wanted.fetch.catalog,
        "--max-cloud", "98", "--model", "rdndvi",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, timeout=300, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    there = Event.open(event)
    assert there.version == (2 if target in ("report.html", ITEM) else 1)
    assert contents(event if there.version == 1 else event / VERSIONS / "1") == earlier
    map_event(wanted)
    check_updated(event, earlier)


def test_records_of_versions_are_valid_and_linked(event: Path, catalog: SimulatedCatalog) -> None:
    map_event(config(catalog, event))
    map_event(config(catalog, event, threshold=0.7))
    for folder, version in ((event, 3), (event / VERSIONS / "2", 2), (event / VERSIONS / "1", 1)):
        item = pystac.Item.from_file(str(folder / ITEM))
        item.stac_extensions = []
        item.validate()
        assert item.properties["version"] == str(version)
        links = {link.rel: link.get_absolute_href() for link in item.links}
        if version > 1:
            assert Path(str(links["predecessor-version"])).samefile(event / VERSIONS / str(version - 1) / ITEM)
        if version < 3:
            assert Path(str(links["latest-version"])).samefile(event / ITEM)
        assert all((folder / asset.href).is_file() for asset in item.assets.values())


def test_a_file_asked_for_later_is_added_to_the_same_version(event: Path, catalog: SimulatedCatalog) -> None:
    wanted = config(catalog, event)
    updated: MapSummary = map_event(wanted)
    more = map_event(replace(wanted, vectorize=replace(wanted.vectorize, formats=("csv",))))
    assert more.version == updated.version == 2
    assert more.unchanged
    assert (event / "landslides.csv").exists()
    assert map_event(wanted).unchanged == "no new scene"
    assert (event / "landslides.csv").exists()


def test_overwriting_starts_anew(event: Path, catalog: SimulatedCatalog) -> None:
    wanted = config(catalog, event)
    map_event(wanted)
    summary = map_event(replace(wanted, fetch=replace(wanted.fetch, overwrite=True)))
    assert (summary.version, summary.previous) == (1, None)
    assert not (event / VERSIONS).exists()
