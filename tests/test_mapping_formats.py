import json
from pathlib import Path

import fiona
import pytest
import shapely
from shapely.geometry import MultiPolygon, Polygon, box, shape

from landslide_cli.mapping.formats import Layer, write_geojson, write_geopackage

HOLED = Polygon(
    [(500_000, 2_000_000), (500_000, 2_000_100), (500_100, 2_000_100), (500_100, 2_000_000)],
    [[(500_040, 2_000_040), (500_060, 2_000_040), (500_060, 2_000_060), (500_040, 2_000_060)]],
)
FIELDS = {"id": "int", "area_m2": "float", "model": "str"}


def layer(name: str = "landslides", empty: bool = False) -> Layer:
    polygons = [] if empty else [HOLED, MultiPolygon([box(500_200, 2_000_000, 500_220, 2_000_030)])]
    records = [{"id": n, "area_m2": p.area, "model": "m é"} for n, p in enumerate(polygons, 1)]
    return Layer(name, "EPSG:32618", FIELDS, polygons, records)


def test_geojson_follows_rfc_7946(tmp_path: Path) -> None:
    write_geojson(layer(), tmp_path / "a.geojson")
    collection = json.loads((tmp_path / "a.geojson").read_text())
    assert collection["type"] == "FeatureCollection"
    assert "crs" not in collection
    west, south, east, north = collection["bbox"]
    assert -75.1 < west < east < -74.9
    assert 18 < south < north < 18.2
    first = shape(collection["features"][0]["geometry"])
    assert first.exterior.is_ccw
    assert not first.interiors[0].is_ccw
    assert collection["features"][0]["properties"] == {"id": 1, "area_m2": HOLED.area, "model": "m é"}


def test_the_geopackage_keeps_the_crs_and_the_area(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    write_geopackage([layer(), layer("not_analysed")], path)
    assert fiona.listlayers(path) == ["landslides", "not_analysed"]
    with fiona.open(path, layer="landslides") as source:
        assert source.crs.to_epsg() == 32618
        polygons = [shape(feature.geometry) for feature in source]
    assert [p.area for p in polygons] == pytest.approx([HOLED.area, 600])


def test_no_landslide_is_an_empty_collection(tmp_path: Path) -> None:
    write_geojson(layer(empty=True), tmp_path / "a.geojson")
    assert json.loads((tmp_path / "a.geojson").read_text())["features"] == []
    write_geopackage([layer(empty=True)], tmp_path / "a.gpkg")
    with fiona.open(tmp_path / "a.gpkg", layer="landslides") as source:
        assert len(source) == 0


def test_polygons_are_valid_after_reprojection_and_rounding(tmp_path: Path) -> None:
    # Thousands of little corners: rounding must not make a ring touch itself.
    rows = [box(500_000 + 10 * n, 2_000_000, 500_010 + 10 * n, 2_000_010 + 10 * (n % 7)) for n in range(400)]
    jagged = shapely.union_all(rows)
    many = Layer("landslides", "EPSG:32618", {"id": "int"}, [jagged], [{"id": 1}])
    write_geojson(many, tmp_path / "a.geojson")
    geometry = shape(json.loads((tmp_path / "a.geojson").read_text())["features"][0]["geometry"])
    assert geometry.is_valid
