import json
import logging
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fiona
import numpy as np
import pytest
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box, mapping
from shapely.geometry.base import BaseGeometry

from landslide_cli.errors import InputError
from landslide_cli.training.truth import checksum, read_landslides

UTM = "EPSG:32618"
DAY = "2021-08-14"
A, B = box(500_000, 1_999_000, 500_100, 1_999_050), box(501_000, 1_998_000, 501_030, 1_998_030)
BOWTIE = Polygon([(500_000, 0), (500_100, 100), (500_100, 0), (500_000, 100)])


def write(
    path: Path,
    geometries: Sequence[BaseGeometry | None],
    properties: Sequence[dict[str, Any]] | None = None,
    *,
    kinds: dict[str, str] | None = None,
    crs: str | None = UTM,
    layer: str | None = None,
    driver: str = "GPKG",
) -> Path:
    """Write features with their attributes."""
    schema = {"geometry": "Unknown" if driver == "GPKG" else "Polygon", "properties": kinds or {}}
    options = {"layer": layer} if layer else {}
    with fiona.open(path, "w", driver=driver, schema=schema, crs=crs, **options) as file:
        for number, geometry in enumerate(geometries):
            values = properties[number] if properties else {}
            file.write(
                {
                    "type": "Feature",
                    "geometry": mapping(geometry) if geometry is not None else None,
                    "properties": values,
                }
            )
    return path


def dated(path: Path, *values: Any, name: str = "event_date", kind: str = "str") -> Path:
    """Write a square per date."""
    squares = [box(x, 0, x + 10, 10) for x in range(500_000, 500_000 + 20 * len(values), 20)]
    return write(path, squares, [{name: value} for value in values], kinds={name: kind})


def test_polygons_come_in_the_crs_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", [A, MultiPolygon([A, B])])
    geojson = tmp_path / "a.geojson"
    with fiona.open(path) as source:
        features = [
            {
                "type": "Feature",
                "properties": {},
                "geometry": fiona.transform.transform_geom(UTM, "EPSG:4326", f.geometry),
            }
            for f in source
        ]
        text = json.dumps(
            {"type": "FeatureCollection", "features": [{**f, "geometry": dict(f["geometry"])} for f in features]}
        )
    geojson.write_text(text)
    here, there = read_landslides(path, UTM, DAY), read_landslides(geojson, UTM, DAY)
    assert here.polygons[0].equals(A)
    for one, other in zip(here.polygons, there.polygons, strict=True):
        assert one.hausdorff_distance(other) < 0.01


def test_what_is_no_polygon_is_dropped_and_what_is_invalid_is_mended(tmp_path: Path) -> None:
    with_z = Polygon([(500_000, 0, 5), (500_100, 0, 5), (500_100, 100, 5)])
    others = [Point(500_000, 0), LineString([(500_000, 0), (500_100, 0)]), None]
    found = read_landslides(write(tmp_path / "a.gpkg", [A, *others, BOWTIE, with_z]), UTM, DAY)
    assert (found.not_polygons, found.mended) == (3, 1)
    assert len(found.polygons) == 3
    assert all(polygon.is_valid and not polygon.has_z for polygon in found.polygons)
    assert found.polygons[1].area == pytest.approx(5000)


def test_all_layers_are_read_unless_one_is_chosen(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", [A], layer="north")
    write(path, [B, B], layer="south")
    assert len(read_landslides(path, UTM, DAY).polygons) == 3
    assert len(read_landslides(path, UTM, DAY, layer="south").polygons) == 2
    with pytest.raises(InputError, match="no layer 'east'; it has north, south"):
        read_landslides(path, UTM, DAY, layer="east")


def test_a_zipped_shapefile_is_read(tmp_path: Path) -> None:
    write(tmp_path / "slides.shp", [A, B], [{"id": 1}, {"id": 2}], kinds={"id": "int"}, driver="ESRI Shapefile")
    with zipfile.ZipFile(tmp_path / "inventory.zip", "w") as archive:
        for file in tmp_path.glob("slides.*"):
            archive.write(file, file.name)
    assert len(read_landslides(tmp_path / "inventory.zip", UTM, DAY).polygons) == 2


@pytest.mark.parametrize(
    ("kind", "values", "burned", "other", "undated"),
    [
        ("str", ("2021-08-14", "2021-08-14T06:00:00", "2021/08/14", "20210814"), 4, 0, 0),
        ("str", ("2021-08-14", "2021-08-15", "2020-08-14", None), 2, 2, 1),
        ("datetime", ("2021-08-14T12:29:08", "2021-08-13T23:59:59"), 1, 1, 0),
        ("date", ("2021-08-14", "2021-08-13"), 1, 1, 0),
        ("int", (20210814, 20200101), 1, 1, 0),
    ],
)
def test_landslides_of_the_day_are_found_by_their_date(
    tmp_path: Path, kind: str, values: tuple[Any, ...], burned: int, other: int, undated: int
) -> None:
    found = read_landslides(dated(tmp_path / "a.gpkg", *values, kind=kind), UTM, DAY)
    assert (len(found.polygons), found.other_date, found.undated) == (burned, other, undated)


@pytest.mark.parametrize(("day", "burned"), [("2021-08-13", 0), (DAY, 2), ("2021-08-15", 1), ("2021-08-17", 1)])
def test_two_dates_span_the_days_between_them(tmp_path: Path, day: str, burned: int) -> None:
    kinds = {"min_event_date": "str", "max_event_date": "str"}
    values = [
        dict(zip(kinds, days, strict=True)) for days in (("2021-08-14", "2021-08-17"), ("2021-08-14", "2021-08-14"))
    ]
    path = write(tmp_path / "a.gpkg", [A, B], values, kinds=kinds)
    if burned:
        assert len(read_landslides(path, UTM, day).polygons) == burned
    else:
        with pytest.raises(InputError, match="2021-08-14 to 2021-08-17"):
            read_landslides(path, UTM, day)


def test_the_date_of_the_event_comes_before_other_dates(tmp_path: Path) -> None:
    kinds = {"event_date": "str", "edit_date": "datetime"}
    values = [dict(zip(kinds, (DAY, "2022-02-02T00:00:00"), strict=True))]
    assert len(read_landslides(write(tmp_path / "a.gpkg", [A], values, kinds=kinds), UTM, DAY).polygons) == 1


def test_which_attribute_is_meant_is_asked_where_it_is_not_plain(tmp_path: Path) -> None:
    kinds = {"date": "str", "image_date": "str"}
    values = [dict(zip(kinds, (DAY, "2021-09-01"), strict=True))] * 2
    path = write(tmp_path / "a.gpkg", [A, B], values, kinds=kinds)
    with pytest.raises(InputError, match=r"more than one attribute with dates \(date, image_date\).*--date-attribute"):
        read_landslides(path, UTM, DAY)
    assert len(read_landslides(path, UTM, DAY, date_attributes=["date"]).polygons) == 2
    assert len(read_landslides(path, UTM, DAY, stated_date=DAY).polygons) == 2
    with pytest.raises(InputError, match="none of the 2 landslides"):
        read_landslides(path, UTM, DAY, date_attributes=["image_date"])


def test_a_date_that_is_stated_goes_before_those_of_the_attributes(tmp_path: Path) -> None:
    path = dated(tmp_path / "a.gpkg", "2021-08-13", "2021-08-13")
    with pytest.raises(InputError, match=r"dated 2021-08-13; .* --event-date 2021-08-14"):
        read_landslides(path, UTM, DAY)
    assert len(read_landslides(path, UTM, DAY, stated_date=DAY).polygons) == 2
    with pytest.raises(InputError, match="dated 2021-08-15"):
        read_landslides(path, UTM, DAY, stated_date="2021-08-15")


def test_an_inventory_without_dates_is_taken_as_the_events(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert len(read_landslides(dated(tmp_path / "a.gpkg", 1, 2, name="id", kind="int"), UTM, DAY).polygons) == 2
    assert caplog.text == ""
    with caplog.at_level(logging.WARNING):
        assert len(read_landslides(dated(tmp_path / "b.gpkg", "14.8.21", DAY), UTM, DAY).polygons) == 2
    assert "'14.8.21'" in caplog.text


@pytest.mark.parametrize("value", ["14.8.21", "2021-13-01", "2021-08-140", "1234567890", "2021-0814"])
def test_a_chosen_attribute_must_hold_dates(tmp_path: Path, value: str) -> None:
    path = dated(tmp_path / "a.gpkg", value, name="when")
    with pytest.raises(InputError, match=f"{value}.*YYYY-MM-DD"):
        read_landslides(path, UTM, DAY, date_attributes=["when"])
    with pytest.raises(InputError, match=r"no attribute 'day'.*it has when"):
        read_landslides(path, UTM, DAY, date_attributes=["day"])


def test_what_cannot_be_an_inventory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_landslides(tmp_path / "missing.gpkg", UTM, DAY)
    (tmp_path / "text.gpkg").write_text("no vector file")
    with pytest.raises(InputError, match="not a vector file"):
        read_landslides(tmp_path / "text.gpkg", UTM, DAY)
    with pytest.raises(InputError, match=r"no polygon \(2 points"):
        read_landslides(write(tmp_path / "points.gpkg", [Point(0, 0), Point(1, 1)]), UTM, DAY)
    bare = write(tmp_path / "bare.shp", [A], [{"id": 1}], kinds={"id": "int"}, driver="ESRI Shapefile")
    bare.with_suffix(".prj").unlink()
    with pytest.raises(InputError, match=r"no coordinate reference system.*\.prj"):
        read_landslides(bare, UTM, DAY)


def test_the_checksum_tells_when_any_file_of_an_inventory_changed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.shp", [A], [{"id": 1}], kinds={"id": "int"}, driver="ESRI Shapefile")
    before = checksum(path)
    (tmp_path / "a.txt").write_text("a note")
    shutil.copytree(tmp_path, tmp_path / "copy")
    assert checksum(tmp_path / "copy" / "a.shp") == before
    with path.with_suffix(".dbf").open("ab") as file:
        file.write(b" ")
    assert checksum(path) != before
    folder = checksum(tmp_path / "copy")
    (tmp_path / "copy" / "a.txt").write_text("another note")
    assert checksum(tmp_path / "copy") != folder


def test_the_paper_s_inventory_of_mesetas(shared_data: Path) -> None:
    path = shared_data / "mesetas2019" / "landslides.gpkg"
    found = read_landslides(path, UTM, "2019-12-24")
    assert (len(found.polygons), found.other_date, found.undated, found.not_polygons) == (838, 0, 0, 0)
    assert np.median([polygon.area for polygon in found.polygons]) == pytest.approx(1635, abs=5)
    with pytest.raises(InputError, match=r"none of the 838 landslides.*dated 2019-12-24"):
        read_landslides(path, UTM, "2019-12-25")


def test_an_inventory_without_dates_in_a_shapefile(shared_data: Path) -> None:
    found = read_landslides(shared_data / "kaghan" / "landslides.shp", "EPSG:32643", "2010-01-01")
    assert len(found.polygons) + found.not_polygons == 3820
    assert all(polygon.is_valid for polygon in found.polygons)
