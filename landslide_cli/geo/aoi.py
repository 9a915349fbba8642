"""Read the area of interest (AOI) from a file or from coordinates, and refuse areas that look like mistakes."""

import math
import re
from dataclasses import dataclass
from pathlib import Path

import shapely
from fiona.transform import transform_geom
from pyproj import Geod
from shapely.geometry import box, mapping, shape
from shapely.geometry.base import BaseGeometry

from landslide_cli.errors import InputError
from landslide_cli.geo.vectors import read_layers, the_layer

_NUMBER = r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?"
_BBOX = re.compile(rf"\s*{_NUMBER}(?:\s*,\s*{_NUMBER})*\s*")
INVENTORY_BUFFER_M = 1000.0
"""Width added around an inventory, because landslides are mapped up to the edge of the area that was searched."""

_HINT = "expected longitudes within -180..180 and latitudes within -90..90"


@dataclass(frozen=True, slots=True)
class AOI:
    """An area of interest."""

    geometry: BaseGeometry
    """Polygon or multipolygon, EPSG:4326."""

    @property
    def area_km2(self) -> float:
        """Area on the WGS 84 ellipsoid in km2."""
        return abs(float(Geod(ellps="WGS84").geometry_area_perimeter(self.geometry)[0])) / 1e6

    @property
    def utm(self) -> str:
        """The UTM zone in which the AOI's centre lies, such as `EPSG:32618`."""
        centre = self.geometry.centroid
        return utm_at(centre.x, centre.y)


def utm_at(longitude_deg: float, latitude_deg: float) -> str:
    """Return the UTM zone of a place, such as `EPSG:32618`."""
    return utm_zone(min(int((longitude_deg + 180) // 6) + 1, 60), north=latitude_deg >= 0)


def utm_zone(zone: int, *, north: bool) -> str:
    """Return the code of the UTM zone `zone`, 1 to 60, on the northern or southern hemisphere."""
    return f"EPSG:{(32600 if north else 32700) + zone}"


def read_aoi(text: str) -> AOI:
    """Read an AOI from a vector file (features are united) or from `west,south,east,north` in degrees.

    Args:
        text: path of the file, the four numbers, or a GeoJSON geometry in EPSG:4326.

    Returns:
        The area, EPSG:4326.

    Raises:
        InputError: the file is missing, is not a vector file, is empty or has no polygons; or coordinates are out of
            range, look swapped, or cross the antimeridian.
    """
    if _BBOX.fullmatch(text):
        geometry = _from_bbox(text)
    elif text.lstrip().startswith("{"):
        geometry = _from_geojson(text)
    else:
        geometry = _from_file(Path(text))
    _check_range(geometry, text)
    return AOI(geometry)


def aoi_around(inventory: str, buffer_m: float = INVENTORY_BUFFER_M) -> AOI:
    """Make an AOI around the features of a vector file.

    Args:
        inventory: path of the file; points and lines are allowed, too.
        buffer_m: width added around the features.

    Returns:
        The convex hull of the features, widened by `buffer_m`, EPSG:4326.

    Raises:
        InputError: the file or its coordinates cannot be used, see `read_aoi`.
    """
    hull = shapely.union_all(_features(Path(inventory))).convex_hull
    _check_range(hull, inventory)
    # The buffer is in metres, so it is added in the UTM zone of the centre.
    utm = AOI(hull.centroid).utm
    widened = shape(transform_geom("EPSG:4326", utm, mapping(hull))).buffer(buffer_m)
    return AOI(shape(transform_geom(utm, "EPSG:4326", mapping(widened))))


def _from_bbox(text: str) -> BaseGeometry:
    numbers = [float(number) for number in text.split(",")]
    if len(numbers) != 4:
        raise InputError(f"AOI {text!r} has {len(numbers)} numbers; a bounding box is west,south,east,north")
    west, south, east, north = numbers
    if west > east and all(abs(x) <= 180 for x in (west, east)):
        raise InputError(
            f"AOI {text!r} has its west edge east of its east edge: it crosses the antimeridian, or the edges are "
            "swapped; give west,south,east,north, and map each side of the antimeridian on its own"
        )
    if south >= north or west == east:
        raise InputError(f"AOI {text!r} is empty; give west,south,east,north with west < east and south < north")
    return box(west, south, east, north)


def _from_geojson(text: str) -> BaseGeometry:
    try:
        geometry = shapely.from_geojson(text)
    except shapely.errors.GEOSException as error:
        raise InputError(f"AOI {text[:80]!r} is not a GeoJSON geometry ({error})") from error
    united = shapely.union_all(_polygons(geometry))
    if united.is_empty or united.area == 0:
        raise InputError(f"AOI is a {geometry.geom_type} without an area; give a polygon")
    return united


def _from_file(path: Path) -> BaseGeometry:
    features = _features(path)
    united = shapely.union_all([polygon for feature in features for polygon in _polygons(feature)])
    if united.is_empty or united.area == 0:
        kinds = ", ".join(sorted({feature.geom_type for feature in features}))
        raise InputError(f"AOI {path} holds no polygon with an area, only: {kinds}; draw at least one polygon")
    return united


def _features(path: Path) -> list[BaseGeometry]:
    """Return the geometries of a vector file, EPSG:4326."""
    if not path.exists():
        raise InputError(
            f"AOI {str(path)!r} is neither a file nor west,south,east,north; check the path, "
            "or give a bounding box such as --aoi=-73.8,18.3,-73.5,18.6"
        )
    layers = read_layers(path, f"AOI {path}", "use GeoJSON, GeoPackage, Shapefile or KML")
    layer = the_layer(layers, f"AOI {path}", polygons=any(layer.has_polygons for layer in layers))
    features = [feature.geometry for feature in layer.features if feature.geometry is not None]
    if not features:
        raise InputError(f"AOI {path} is empty: it holds no feature with a geometry; draw at least one polygon")
    if layer.crs and layer.crs.to_epsg() != 4326:
        features = [transform_geom(layer.crs, "EPSG:4326", feature) for feature in features]
    return [shape(feature) for feature in features]


def _polygons(geometry: BaseGeometry) -> list[BaseGeometry]:
    parts = shapely.get_parts(shapely.make_valid(shapely.force_2d(geometry))).tolist()
    return [part for part in parts if part.geom_type in ("Polygon", "MultiPolygon")]


def _check_range(geometry: BaseGeometry, source: str) -> None:
    west, south, east, north = geometry.bounds
    if not all(map(math.isfinite, (west, south, east, north))):
        raise InputError(f"AOI {source} has coordinates that are not finite numbers; {_HINT}")
    if (abs(south) > 90 or abs(north) > 90) and max(abs(west), abs(east)) <= 90:
        raise InputError(
            f"AOI {source} reaches latitude {max(south, north, key=abs):g}; are longitude and latitude swapped? {_HINT}"
        )
    if max(abs(south), abs(north)) > 90 or max(abs(west), abs(east)) > 180:
        raise InputError(f"AOI {source} spans {west:g},{south:g},{east:g},{north:g}; {_HINT}, EPSG:4326")
    if east - west > 180:
        raise InputError(
            f"AOI {source} spans {east - west:.0f} degrees of longitude: it crosses the antimeridian; "
            "map each side of it on its own"
        )
    if max(abs(south), abs(north)) > 84:
        raise InputError(f"AOI {source} reaches latitude {max(south, north, key=abs):g}; Sentinel-2 sees up to 84")
