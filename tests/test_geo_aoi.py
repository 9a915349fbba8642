import json
from pathlib import Path
from typing import Any

import fiona
import pytest
from shapely.geometry import box, mapping

from landslide_cli.errors import InputError
from landslide_cli.geo.aoi import read_aoi


def write_geojson(path: Path, *geometries: dict[str, Any]) -> str:
    features = [{"type": "Feature", "properties": {}, "geometry": geometry} for geometry in geometries]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return str(path)


def square(west: float, south: float, size: float = 0.1) -> dict[str, Any]:
    return dict(mapping(box(west, south, west + size, south + size)))


def test_a_bounding_box_is_read_as_west_south_east_north() -> None:
    aoi = read_aoi(" -73.8, 18.3,-73.5 ,18.6")
    assert aoi.geometry.bounds == (-73.8, 18.3, -73.5, 18.6)
    assert aoi.utm == "EPSG:32618"
    assert aoi.area_km2 == pytest.approx(1053, rel=0.01)


def test_the_zone_follows_the_hemisphere() -> None:
    assert read_aoi("170,-45,170.5,-44.5").utm == "EPSG:32759"
    assert read_aoi("179,10,180,11").utm == "EPSG:32660"


def test_features_are_united(tmp_path: Path) -> None:
    path = write_geojson(tmp_path / "a.geojson", square(10, 45), square(10.05, 45), square(20, 45))
    aoi = read_aoi(path)
    assert aoi.geometry.area == pytest.approx(0.1 * 0.15 + 0.01)
    assert aoi.geometry.geom_type == "MultiPolygon"


def test_what_was_drawn_in_google_earth_is_read(tmp_path: Path) -> None:
    corners = "7,46,0 7.1,46,0 7.1,46.1,0 7,46.1,0 7,46,0"
    (tmp_path / "a.kml").write_text(
        '<kml xmlns="http://www.opengis.net/kml/2.2"><Document><Placemark><Polygon><outerBoundaryIs><LinearRing>'
        f"<coordinates>{corners}</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark></Document></kml>"
    )
    assert read_aoi(str(tmp_path / "a.kml")).geometry.equals(box(7, 46, 7.1, 46.1))


def test_holes_are_kept_and_heights_dropped(tmp_path: Path) -> None:
    ring = [[10, 45, 7], [11, 45, 7], [11, 46, 7], [10, 46, 7], [10, 45, 7]]
    hole = [[10.4, 45.4, 7], [10.4, 45.6, 7], [10.6, 45.6, 7], [10.6, 45.4, 7], [10.4, 45.4, 7]]
    aoi = read_aoi(write_geojson(tmp_path / "a.geojson", {"type": "Polygon", "coordinates": [ring, hole]}))
    assert aoi.geometry.area == pytest.approx(1 - 0.04)
    assert not aoi.geometry.has_z


def test_other_formats_and_reference_systems_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    schema = {"geometry": "Polygon", "properties": {}}
    with fiona.open(path, "w", driver="GPKG", crs="EPSG:32633", schema=schema) as layer:
        layer.write({"geometry": mapping(box(500_000, 5_000_000, 501_000, 5_001_000)), "properties": {}})
    aoi = read_aoi(str(path))
    assert aoi.area_km2 == pytest.approx(1.0, rel=0.002)
    assert aoi.geometry.centroid.x == pytest.approx(15.006, abs=0.01)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("missing.geojson", "neither a file nor"),
        ("1,2,3", "3 numbers"),
        ("10,46,11,45", "is empty"),
        ("10,45,10,46", "is empty"),
        ("170,10,-170,20", "antimeridian"),
        ("18.3,-73.8,18.6,-93.5", "empty"),
        ("18.3,-97.8,18.6,-93.5", "swapped"),
        ("100,95,101,96", "latitudes within"),
        ("200,10,201,11", "longitudes within"),
        ("10,85,11,86", "up to 84"),
        ("-100,10,100,20", "antimeridian"),
    ],
)
def test_an_aoi_that_cannot_be_meant_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_aoi(text)
    assert caught.value.exit_code == 2


def test_a_file_that_is_no_vector_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.geojson").write_text("this is no GeoJSON")
    with pytest.raises(InputError, match="not a vector file"):
        read_aoi(str(tmp_path / "a.geojson"))


def test_a_file_without_features_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="empty"):
        read_aoi(write_geojson(tmp_path / "a.geojson"))


def test_a_file_without_polygons_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no polygon with an area, only: Point"):
        read_aoi(write_geojson(tmp_path / "a.geojson", {"type": "Point", "coordinates": [10, 45]}))


def test_a_file_with_swapped_coordinates_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="swapped"):
        read_aoi(write_geojson(tmp_path / "a.geojson", square(45, 120)))
