import json
from pathlib import Path

import fiona
import pytest
from shapely.geometry import LineString, MultiPolygon, Polygon, box, mapping

from landslide_cli.errors import InputError
from landslide_cli.geo.vectors import read_polygons


def write(path: Path, shapes: list[object], **options: object) -> Path:
    schema = {"geometry": "Unknown", "properties": {"id": "str"}}
    with fiona.open(path, "w", schema=schema, **options) as target:
        for number, geometry in enumerate(shapes):
            target.write({"type": "Feature", "geometry": mapping(geometry), "properties": {"id": f"n{number}"}})
    return path


def test_polygons_come_flat_in_degrees_whatever_they_were_drawn_in(tmp_path: Path) -> None:
    high = Polygon([(500_000, 2_000_000, 9), (500_000, 2_000_100, 9), (500_100, 2_000_100, 9)])
    shapes = [LineString([(0, 0), (1, 1)]), high, MultiPolygon([box(500_200, 2_000_000, 500_300, 2_000_100)])]
    polygons, ids = read_polygons(write(tmp_path / "a.gpkg", shapes, crs="EPSG:32618", driver="GPKG"), "a", "b")
    assert ids == ["n1", "n2"]
    assert [polygon.geom_type for polygon in polygons] == ["Polygon", "MultiPolygon"]
    assert not polygons[0].has_z
    assert polygons[0].exterior.coords[0] == pytest.approx((-75, 18.0885), abs=1e-3)


KML = """<?xml version="1.0" encoding="UTF-8"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document><Placemark>
<Polygon><outerBoundaryIs><LinearRing><coordinates>7,46,0 7.1,46,0 7.1,46.1,0 7,46.1,0 7,46,0</coordinates></LinearRing>
</outerBoundaryIs></Polygon></Placemark></Document></kml>"""


def test_what_was_drawn_in_google_earth_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.kml").write_text(KML)
    polygons, _ = read_polygons(tmp_path / "a.kml", "a", "b")
    assert [polygon.equals(box(7, 46, 7.1, 46.1)) for polygon in polygons] == [True]


def test_what_has_no_identifier_is_numbered(tmp_path: Path) -> None:
    features = [{"type": "Feature", "properties": {}, "geometry": mapping(box(n, 0, n + 1, 1))} for n in range(2)]
    (tmp_path / "a.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    polygons, ids = read_polygons(tmp_path / "a.geojson", "a", "b")
    assert ids == ["1", "2"]
    assert polygons.tolist() == [box(0, 0, 1, 1), box(1, 0, 2, 1)]


def test_an_empty_file_holds_nothing(tmp_path: Path) -> None:
    polygons, ids = read_polygons(write(tmp_path / "a.gpkg", [], crs="EPSG:4326", driver="GPKG"), "a", "b")
    assert (len(polygons), ids) == (0, [])


@pytest.mark.parametrize("content", [None, "nothing", '{"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}'])
def test_what_cannot_be_read_is_told_with_what_to_do(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "a.geojson"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=r"^--exclude a is not a vector file that can be read \(.+\); give another$"):
        read_polygons(path, "--exclude a", "give another")


def test_a_file_without_a_reference_system_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", [box(0, 0, 1, 1)], driver="GPKG")
    with pytest.raises(InputError, match=r"^--exclude a does not state its coordinate reference system; set one$"):
        read_polygons(path, "--exclude a", "give another")


def test_the_layer_with_polygons_is_taken_and_several_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    write(path, [LineString([(0, 0), (1, 1)])], crs="EPSG:4326", driver="GPKG", layer="roads")
    write(path, [box(0, 0, 1, 1)], crs="EPSG:4326", driver="GPKG", layer="fields")
    polygons, _ = read_polygons(path, "--exclude a", "give another")
    assert polygons.tolist() == [box(0, 0, 1, 1)]
    write(path, [box(2, 0, 3, 1)], crs="EPSG:4326", driver="GPKG", layer="water")
    with pytest.raises(InputError, match=r"^--exclude a has several layers that could be meant \(fields, water\)"):
        read_polygons(path, "--exclude a", "give another")
