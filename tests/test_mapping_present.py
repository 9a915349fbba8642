import re
import shutil
import zipfile
from dataclasses import replace
from html import escape
from pathlib import Path
from xml.etree.ElementTree import fromstring, parse

import fiona
import pytest
from conftest import Maker
from shapely.geometry import box

from landslide_cli.config import PredictConfig, VectorizeConfig
from landslide_cli.event.folder import Event
from landslide_cli.geo.bands import Unseen
from landslide_cli.mapping.attributes import AOI_FIELDS, LANDSLIDE_FIELDS, NOT_ANALYSED_FIELDS, ellipsoidal_area_m2
from landslide_cli.mapping.formats import Layer
from landslide_cli.mapping.present import totals
from landslide_cli.mapping.text import plain
from landslide_cli.workflows.predict import predict
from landslide_cli.workflows.vectorize import vectorize

CRS = "EPSG:32618"


NAME = "event \"<script>' & ]]> \x07 \u202eגבעה 🏔"


@pytest.fixture
def event(make_event: Maker) -> Path:
    """A map with one scar and a hole in its images, in a folder, and of images, that bear a name full of traps."""
    event = make_event(NAME, shape=(160, 200), hole=(slice(0, 50), slice(0, 60)))
    predict(PredictConfig(event, model="red-change"))
    opened = Event.open(event)
    scenes = [{**scene, "id": f"{scene['side']} {NAME}\ud800"} for scene in opened.scenes]
    properties = {**opened.properties, "landslide:scenes": scenes}
    replace(opened, item={**opened.item, "properties": properties}).save()
    vectorize(VectorizeConfig(event, formats=("kml",)))
    return event


def percent(text: str) -> float:
    return float(text.partition(" %")[0])


def test_shares_of_what_was_analysed_and_of_each_reason_add_up_to_the_whole() -> None:
    # At the edge of a zone, where a square metre of the map is none of the ground.
    aoi = box(100_000, 2_000_000, 110_000, 2_010_000)
    gaps = {
        Unseen.CLOUD.label: [box(100_000, 2_000_000, 110_000, 2_002_000), box(100_000, 2_009_900, 110_000, 2_010_000)],
        Unseen.SHADOW.label: [box(100_000, 2_005_000, 103_000, 2_006_000)],
    }
    polygons = [polygon for of in gaps.values() for polygon in of]
    reasons = [reason for reason, of in gaps.items() for _ in of]
    sizes = ellipsoidal_area_m2(polygons, CRS).tolist()
    records = [{"id": 1, "area_m2": size, "reason": reason} for size, reason in zip(sizes, reasons, strict=True)]
    (aoi_m2,) = ellipsoidal_area_m2([aoi], CRS).tolist()
    facts = {"event_date": "2021-08-14", "area_km2": aoi_m2 / 1e6, "analysed_percent": 100 - 100 * sum(sizes) / aoi_m2}
    told = totals(
        Layer("landslides", CRS, LANDSLIDE_FIELDS, [], []),
        Layer("not_analysed", CRS, NOT_ANALYSED_FIELDS, polygons, records),
        Layer("aoi", CRS, AOI_FIELDS, [aoi], [facts]),
    )
    assert list(told)[-3:] == ["analysed", "not analysed: cloud", "not analysed: shadow"], "the largest share first"
    assert percent(told["not analysed: cloud"]) == pytest.approx(21, abs=0.1)
    assert percent(told["not analysed: shadow"]) == pytest.approx(3, abs=0.1)
    assert sum(percent(told[name]) for name in list(told)[-3:]) == pytest.approx(100, abs=0.15)


def test_the_report_says_what_share_was_not_analysed(event: Path) -> None:
    page = (event / "report.html").read_text(encoding="utf-8")
    shares = {name: percent(said) for name, said in re.findall(r"<th>((?:not )?analysed[^<]*)</th><td>([^<]*)", page)}
    assert shares.pop("analysed") == pytest.approx(90.6, abs=0.05)
    assert list(shares.values()) == [pytest.approx(9.4, abs=0.05)]


def test_names_full_of_traps_come_through_and_a_moved_folder_finds_its_layers(event: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "moved"
    moved.parent.mkdir()
    shutil.move(event, moved)
    with fiona.open(moved / "landslides.gpkg", layer="scenes") as layer:
        assert {feature.properties["scene"] for feature in layer} == {
            f"{side} {plain(NAME)}" for side in ("pre", "post")
        }
    for name in ("landslides.kml", "landslides.qml", "not_analysed.qml"):
        assert len(parse(moved / name).getroot()) > 0
    assert escape(plain(NAME)) in (moved / "report.html").read_text(encoding="utf-8")
    with zipfile.ZipFile(moved / "map.qgz") as archive:
        project = fromstring(archive.read("map.qgs"))
    sources = [element.text or "" for element in project.iter("datasource")]
    sources += [element.get("source", "") for element in project.iter("layer-tree-layer")]
    assert len(sources) >= 12
    for source in sources:
        file, _, layer_name = source.partition("|layername=")
        assert file.startswith("./")
        assert (moved / file).is_file(), source
        assert not layer_name or layer_name in fiona.listlayers(moved / file)
