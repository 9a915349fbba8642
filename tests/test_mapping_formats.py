import csv
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args
from xml.etree.ElementTree import parse

import fiona
import pytest
import shapely
from shapely.geometry import MultiPolygon, Polygon, box, shape
from test_mapping_text import HOSTILE

from landslide_cli.config import Format
from landslide_cli.mapping.formats import Layer, write_as, write_geojson, write_geopackage
from landslide_cli.mapping.text import plain

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
    assert fiona.listlayers(path)[:2] == ["landslides", "not_analysed"]
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


def test_the_geopackage_holds_the_styles_that_qgis_looks_for(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    write_geopackage([layer(), layer("not_analysed")], path)
    database = sqlite3.connect(path)
    rows = database.execute(
        "SELECT f_table_name, f_geometry_column, useAsDefault, styleQML FROM layer_styles"
    ).fetchall()
    kind = database.execute("SELECT data_type FROM gpkg_contents WHERE table_name = 'layer_styles'").fetchone()
    database.close()
    assert kind == ("attributes",)
    styles = {row[0]: row[1:] for row in rows}
    assert set(styles) == {"landslides", "not_analysed"}
    assert styles["landslides"][:2] == ("geom", 1)
    assert "graduatedSymbol" in styles["landslides"][2]
    assert "b_diagonal" in styles["not_analysed"][2]


SUFFIXES = {
    "geojson": ".geojson", "geopackage": ".gpkg", "flatgeobuf": ".fgb", "geoparquet": ".parquet",
    "shapefile": ".shp.zip", "kml": ".kml", "csv": ".csv",
}  # fmt: skip


@pytest.mark.parametrize("kind", ["flatgeobuf", "shapefile"])
def test_other_formats_read_back(tmp_path: Path, kind: Format) -> None:
    path = tmp_path / f"a{SUFFIXES[kind]}"
    write_as(kind, layer(), path)
    assert fiona.listlayers(path) == ["landslides"]
    with fiona.open(path) as source:
        assert source.name == "landslides"
        assert [feature.properties["model"] for feature in source] == ["m é", "m é"]
        areas = sorted(shape(feature.geometry).area for feature in source)
        assert source.crs.to_epsg() == (4326 if kind == "flatgeobuf" else 32618)
    if kind == "shapefile":
        assert areas == pytest.approx([600, HOLED.area])
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_geoparquet_says_where_its_geometries_lie(tmp_path: Path) -> None:
    from pyarrow import parquet

    write_as("geoparquet", layer(), tmp_path / "a.parquet")
    table = parquet.read_table(tmp_path / "a.parquet")
    geo = json.loads(table.schema.metadata[b"geo"])
    assert geo["columns"]["geometry"]["crs"]["id"]["code"] == 32618
    assert [g.area for g in shapely.from_wkb(table["geometry"].to_pylist())] == pytest.approx([HOLED.area, 600])
    assert table["area_m2"].to_pylist() == [HOLED.area, 600]


def said(kind: str, path: Path) -> list[str]:
    """The names of the models in a file, read as plainly as can be."""
    if kind == "geojson":
        return [feature["properties"]["model"] for feature in json.loads(path.read_text())["features"]]
    if kind == "kml":
        return [element.text or "" for element in parse(path).iter() if element.get("name") == "model"][-2:]
    if kind == "geopackage":
        with closing(sqlite3.connect(path)) as database:
            return [model for (model,) in database.execute("SELECT model FROM landslides")]
    with fiona.open(path) as source:
        return [feature.properties["model"] for feature in source]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("kind", ["geojson", "geopackage", "kml", "flatgeobuf"])
def test_names_stay_what_they_are(
    tmp_path: Path, kind: Literal["geojson", "geopackage", "kml", "flatgeobuf"], name: str
) -> None:
    evil = layer()
    evil = replace(evil, records=[{**record, "model": HOSTILE[name]} for record in evil.records])
    path = tmp_path / f"a{SUFFIXES[kind]}"
    if kind == "geojson":
        write_geojson(evil, path)
        assert parse(path.with_suffix(".qml")).getroot().tag == "qgis"
    elif kind == "geopackage":
        write_geopackage([evil], path)
    else:
        write_as(kind, evil, path)
    assert said(kind, path) == [plain(HOSTILE[name])] * 2
    with fiona.open(path, allow_unsupported_drivers=True) as source:
        assert len(source) == 2


@pytest.mark.parametrize("kind", get_args(Format))
def test_half_a_letter_ends_no_file(tmp_path: Path, kind: Format) -> None:
    evil = layer()
    evil = replace(evil, records=[{**record, "model": HOSTILE["half a letter"]} for record in evil.records])
    write_as(kind, evil, tmp_path / f"a{SUFFIXES[kind]}")
    assert (tmp_path / f"a{SUFFIXES[kind]}").stat().st_size > 0


def test_a_kml_is_named_after_its_layer(tmp_path: Path) -> None:
    write_as("kml", layer(), tmp_path / "a.kml")
    assert ".part" not in (tmp_path / "a.kml").read_text()
    assert "<Folder><name>landslides</name>" in (tmp_path / "a.kml").read_text()


def test_the_points_of_the_table_lie_in_their_landslides_and_run_no_formula(tmp_path: Path) -> None:
    evil = layer()
    evil = replace(evil, records=[{**record, "model": "=1+1"} for record in evil.records])
    write_as("csv", evil, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    write_geojson(evil, tmp_path / "a.geojson")
    features = json.loads((tmp_path / "a.geojson").read_text())["features"]
    assert len(rows) == 2
    for row, feature in zip(rows, features, strict=True):
        assert shape(feature["geometry"]).contains(shapely.Point(float(row["longitude"]), float(row["latitude"])))
        assert row["model"] == "'=1+1"


@pytest.mark.parametrize("kind", get_args(Format))
def test_no_landslide_is_written_too(tmp_path: Path, kind: Format) -> None:
    path = tmp_path / f"a{SUFFIXES[kind]}"
    write_as(kind, layer(empty=True), path)
    assert path.exists()
