import json
from pathlib import Path

import numpy as np
import pytest
from conftest import CRS, ORIGIN_M, Maker
from fiona.transform import transform_geom
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin
from shapely.geometry import Polygon, box, mapping, shape

from landslide_cli.errors import InputError
from landslide_cli.event.folder import Event
from landslide_cli.mapping.masks import burned, read_excluded, steep

GRID = GeoBox((30, 40), from_origin(*ORIGIN_M, 10, 10), CRS)
AOI = shape(transform_geom(CRS, "EPSG:4326", mapping(box(*GRID.boundingbox))))


def areas(*polygons: object) -> np.ndarray:
    found = np.empty(len(polygons), dtype=object)
    found[:] = polygons
    return found


def test_every_pixel_that_an_area_touches_is_burned() -> None:
    east, north = ORIGIN_M
    ground = box(east + 101, north - 59, east + 129, north - 21)
    mask = burned(areas(shape(transform_geom(CRS, "EPSG:4326", mapping(ground)))), AOI, GRID)
    assert mask.shape == GRID.shape
    assert np.array_equal(np.argwhere(mask)[[0, -1]], [[2, 10], [5, 12]])
    assert mask.sum() == 4 * 3


def test_areas_on_the_other_side_of_the_earth_hide_nothing_here() -> None:
    # In the UTM zone of the grid, which lies at 75 degrees west, the first covers it.
    assert not burned(areas(box(100, -10, 110, 10), box(10, 40, 11, 41)), AOI, GRID).any()


def test_areas_all_around_the_earth_and_areas_that_cross_themselves_are_burned() -> None:
    assert burned(areas(box(-180, -90, 180, 90)), AOI, GRID).all()
    west, south, east, north = AOI.bounds
    bow = Polygon([(west, south), (west, north), (east, south), (east, north)])
    mask = burned(areas(bow), AOI, GRID)
    assert mask[3:-3, [0, -1]].all()
    assert not mask[[0, -1], 20].any()


def test_areas_to_leave_out_must_be_polygons(tmp_path: Path) -> None:
    path = tmp_path / "lines.geojson"
    line = {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}
    feature = {"type": "Feature", "properties": {}, "geometry": line}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    with pytest.raises(InputError, match=r"^--exclude .*lines\.geojson holds no polygon; give the areas"):
        read_excluded(path)


def test_steep_ground_is_told_from_flat_ground(make_event: Maker) -> None:
    # It falls to the south by 1500 m in 61 rows of 30 m: 39 degrees.
    event = Event.open(make_event(shape=(64, 64)))
    assert steep(event, 35).all()
    assert not steep(event, 45).any()
