import json
import shutil
from pathlib import Path

import fiona
import pytest
from conftest import Maker
from shapely.affinity import translate
from shapely.geometry import box, mapping, shape

from landslide_cli.config import CompareConfig, PredictConfig, VectorizeConfig
from landslide_cli.errors import InputError
from landslide_cli.workflows.compare import compare
from landslide_cli.workflows.predict import predict
from landslide_cli.workflows.vectorize import vectorize


def mapped(event: Path) -> Path:
    predict(PredictConfig(event, model="red-change"))
    vectorize(VectorizeConfig(event))
    return event


def test_a_result_against_itself_is_confirmed(make_event: Maker, tmp_path: Path) -> None:
    event = mapped(make_event())
    summary = compare(CompareConfig(event, event, tmp_path / "changes.geojson"))
    assert summary.counts["confirmed"] == 1
    assert sum(summary.counts.values()) == 1
    (feature,) = json.loads((tmp_path / "changes.geojson").read_text())["features"]
    assert feature["properties"]["overlap"] == 1
    assert feature["properties"]["area_after_m2"] == pytest.approx(60_000, rel=1e-3)
    assert "categorizedSymbol" in (tmp_path / "changes.qml").read_text()


def test_what_clouds_hide_in_the_second_result_is_not_gone(make_event: Maker) -> None:
    first = mapped(make_event("first"))
    second = mapped(make_event("second", hole=(slice(90, 140), slice(140, 180))))
    assert compare(CompareConfig(first, second)).counts["not seen again"] == 1
    assert compare(CompareConfig(second, first)).counts["not seen before"] == 1


def test_what_ends_at_the_edge_of_the_area_was_seen(make_event: Maker, tmp_path: Path) -> None:
    # The area ends within the only row of pixels that this landslide has in the map.
    event = mapped(make_event(shape=(101, 400)))
    with fiona.open(event / "landslides.gpkg", layer="landslides") as source:
        (outline,) = [shape(feature.geometry) for feature in source]
    assert outline.bounds[3] - outline.bounds[1] == pytest.approx(10)
    item = json.loads((event / "event.json").read_text())
    west, south, east, north = shape(item["geometry"]).bounds
    item["geometry"] = mapping(box(west, south + 3 / 110_600, east, north))
    (event / "event.json").write_text(json.dumps(item))
    predict(PredictConfig(event, model="red-change"))
    vectorize(VectorizeConfig(event))
    lacking = tmp_path / "lacking"
    shutil.copytree(event, lacking)
    vectorize(VectorizeConfig(lacking, min_area=1e6))
    counts = compare(CompareConfig(event, lacking)).counts
    assert (counts["not seen again"], counts["doubtful now"]) == (0, 1)


def test_another_threshold_is_warned_of(make_event: Maker, caplog: pytest.LogCaptureFixture) -> None:
    first, second = mapped(make_event("first")), mapped(make_event("second"))
    assert compare(CompareConfig(first, second)).differences == {}
    assert caplog.text.count("different options") == 0
    vectorize(VectorizeConfig(second, threshold=0.7))
    assert compare(CompareConfig(first, second)).differences == {"threshold": (0.5, 0.7)}
    assert "threshold 0.5, then 0.7" in caplog.text


def test_maps_of_different_places_are_refused(make_event: Maker, tmp_path: Path) -> None:
    event = mapped(make_event())
    far = {"type": "Feature", "properties": {}, "geometry": mapping(box(10, 45, 10.1, 45.1))}
    (tmp_path / "far.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [far]}))
    with pytest.raises(InputError, match="different places"):
        compare(CompareConfig(tmp_path / "far.geojson", event))


def test_an_inventory_may_stand_for_a_result(make_event: Maker, tmp_path: Path) -> None:
    event = mapped(make_event())
    with fiona.open(event / "landslides.gpkg", layer="landslides") as source:
        (outline,) = [shape(feature.geometry) for feature in source]
        crs = source.crs
    path = tmp_path / "inventory.shp"
    with fiona.open(path, "w", "ESRI Shapefile", {"geometry": "Polygon", "properties": {}}, crs=crs) as target:
        for moved in (translate(outline, 40), translate(outline, 900)):
            target.write({"type": "Feature", "geometry": mapping(moved), "properties": {}})
    counts = compare(CompareConfig(path, event)).counts
    assert (counts["confirmed"], counts["gone"]) == (1, 1)


def test_what_cannot_be_compared_is_refused(make_event: Maker, tmp_path: Path) -> None:
    event = make_event(shape=(64, 64))
    with pytest.raises(InputError, match="run `landslide vectorize"):
        compare(CompareConfig(event, event))
    (tmp_path / "a.geojson").write_text("nothing")
    with pytest.raises(InputError, match=r"a\.geojson is not a vector file"):
        compare(CompareConfig(tmp_path / "a.geojson", event))
