"""Vector files that other programs open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fiona
import shapely
from fiona.crs import CRS
from fiona.transform import transform_geom
from shapely.geometry import MultiPolygon, mapping, shape
from shapely.geometry.base import BaseGeometry

from landslide_cli.files import atomic


@dataclass(frozen=True, slots=True)
class Layer:
    """Polygons with attributes."""

    name: str
    crs: str
    """Authority code."""
    fields: Mapping[str, str]
    """Type of each field, as Fiona names it."""
    polygons: Sequence[BaseGeometry]
    records: Sequence[Mapping[str, Any]]
    """The attributes of each polygon."""


def write_geojson(layer: Layer, path: Path) -> None:
    """Write GeoJSON by RFC 7946: WGS 84, seven decimals, outer rings counter-clockwise.

    Raises:
        OutputError: it cannot be written.
    """
    geographic = Layer(layer.name, "EPSG:4326", layer.fields, _to_wgs84(layer), layer.records)
    with atomic(path) as temporary:
        _write(geographic, temporary, "GeoJSON", RFC7946="YES", WRITE_NAME="NO", WRITE_BBOX="YES")


def write_geopackage(layers: Sequence[Layer], path: Path) -> None:
    """Write a GeoPackage with the layers, each in its own CRS.

    Raises:
        OutputError: it cannot be written.
    """
    with atomic(path) as temporary:
        for layer in layers:
            _write(layer, temporary, "GPKG")


def _write(layer: Layer, path: Path, driver: str, **options: str) -> None:
    schema = {"geometry": "MultiPolygon" if driver == "GPKG" else "Unknown", "properties": dict(layer.fields)}
    with fiona.open(
        path, "w", driver=driver, layer=layer.name if driver == "GPKG" else None,
        crs=CRS.from_string(layer.crs), schema=schema, **options,
    ) as target:  # fmt: skip
        target.writerecords(
            {
                "type": "Feature",
                "geometry": mapping(_multi(p) if driver == "GPKG" else p),
                "properties": dict(r),
            }
            for p, r in zip(layer.polygons, layer.records, strict=True)
        )


def _multi(polygon: BaseGeometry) -> BaseGeometry:
    return polygon if polygon.geom_type == "MultiPolygon" else MultiPolygon([polygon])


def _to_wgs84(layer: Layer) -> list[BaseGeometry]:
    if not layer.polygons:
        return []
    moved = [shape(g) for g in transform_geom(layer.crs, "EPSG:4326", [mapping(p) for p in layer.polygons])]
    # Rounding to the seven decimals of the file may make rings touch; mend before, not after, writing.
    return list(shapely.set_precision(moved, 1e-7))
