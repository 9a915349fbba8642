"""Writes layers to vector files that other programs open."""

import csv
import json
import sqlite3
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import fiona
import numpy as np
import shapely
from fiona.crs import CRS
from fiona.drvsupport import supported_drivers
from pyproj import Transformer
from shapely.geometry import MultiPolygon, mapping
from shapely.geometry.base import BaseGeometry

from landslide_cli.config import Format
from landslide_cli.files import atomic
from landslide_cli.mapping.styles import style
from landslide_cli.mapping.text import plain

_SHORT: Final = {
    "slope_mean_deg": "slope_deg", "aspect_mean_deg": "aspect_deg", "elevation_mean_m": "elev_m",
    "confidence_spread": "conf_sprd", "probability_max": "prob_max", "pre_datetime": "pre_time",
    "post_datetime": "post_time",
}  # fmt: skip
"""Field names in a shapefile, which have at most ten letters."""


_GEOJSON: Final = {
    "RFC7946": "YES", "WRITE_NAME": "NO", "WRITE_BBOX": "YES",
    # Keep text in brackets as text.
    "AUTODETECT_JSON_STRINGS": "NO",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Layer:
    """Polygons with attributes, or a table without geometry."""

    name: str
    crs: str
    """Authority code of the CRS."""
    fields: Mapping[str, str]
    """Fiona type of each field."""
    polygons: Sequence[BaseGeometry | None]
    """None for each row of a table."""
    records: Sequence[Mapping[str, Any]]
    """The attributes of each polygon."""


def write_geojson(layer: Layer, path: Path, *, styled: bool = True) -> None:
    """Write GeoJSON by RFC 7946: WGS 84, seven decimals, outer rings counter-clockwise.

    Args:
        layer: the layer to write.
        path: the file.
        styled: also write a QGIS style (`.qml`) beside the file.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic(path) as temporary:
        _write(_geographic(layer), temporary, "GeoJSON", **_GEOJSON)
    if styled:
        with atomic(path.with_suffix(".qml")) as temporary:
            temporary.write_text(style(layer.name, list(layer.fields)), encoding="utf-8")


def write_geopackage(layers: Sequence[Layer], path: Path, *, styled: bool = True) -> None:
    """Write the layers to a GeoPackage, each in its own CRS.

    Args:
        layers: the layers to write.
        path: the file.
        styled: also store styles, which QGIS applies by itself.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic(path) as temporary:
        for layer in layers:
            _write(layer, temporary, "GPKG")
        if styled:
            _write_styles(layers, temporary)


def write_as(kind: Format, layer: Layer, path: Path) -> None:
    """Write a layer in one of the formats of `config.Format`.

    Shapefile and GeoParquet keep the CRS of the layer; all other formats are in WGS 84.

    Args:
        kind: the format.
        layer: the layer to write.
        path: the file.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic(path) as temporary:
        if kind == "flatgeobuf":
            _write(_geographic(layer), temporary, "FlatGeobuf")
        elif kind == "geoparquet":
            _write_geoparquet(layer, temporary)
        elif kind == "shapefile":
            fields = {_SHORT.get(name, name): kind for name, kind in layer.fields.items()}
            records = [{_SHORT.get(name, name): value for name, value in record.items()} for record in layer.records]
            _write_shapefile(replace(layer, fields=fields, records=records), temporary)
        elif kind == "kml":
            with _may_write("KML"):
                _write(_geographic(layer), temporary, "KML", NameField="id")
        else:
            _write_centroids(_geographic(layer), temporary)


def _write(layer: Layer, path: Path, driver: str, **options: str) -> None:
    many = driver in ("GPKG", "FlatGeobuf")
    table = bool(layer.polygons) and layer.polygons[0] is None
    geometry = "None" if table else "MultiPolygon" if many else "Polygon" if driver == "ESRI Shapefile" else "Unknown"
    with fiona.open(
        path, "w", driver=driver, layer=layer.name if driver in ("GPKG", "FlatGeobuf", "KML") else None,
        crs=None if table else CRS.from_string(layer.crs),
        schema={"geometry": geometry, "properties": dict(layer.fields)}, **options,
    ) as target:  # fmt: skip
        # Built here because plain dicts as properties are written in half the time.
        target.writerecords(
            fiona.Feature(
                geometry=None if p is None else fiona.Geometry.from_dict(mapping(_multi(p) if many else p)),
                properties=r,
            )
            for p, r in zip(layer.polygons, _records(layer), strict=True)
        )


def _records(layer: Layer) -> list[dict[str, Any]]:
    """Return the attributes, with all text reduced to characters that every format can store."""
    return [
        {name: plain(value) if isinstance(value, str) else value for name, value in record.items()}
        for record in layer.records
    ]


def _write_shapefile(layer: Layer, path: Path) -> None:
    """Write a zipped shapefile; the files inside have the name of the layer."""
    with TemporaryDirectory(dir=path.parent) as folder:
        _write(layer, Path(folder) / f"{layer.name}.shp", "ESRI Shapefile", ENCODING="UTF-8")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(Path(folder).iterdir()):
                archive.write(file, file.name)


def _write_styles(layers: Sequence[Layer], path: Path) -> None:
    """Add `layer_styles`, the table from which QGIS reads styles."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "CREATE TABLE layer_styles (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT, "
            "f_table_schema TEXT, f_table_name TEXT, f_geometry_column TEXT, styleName TEXT, styleQML TEXT, "
            "styleSLD TEXT, useAsDefault BOOLEAN, description TEXT, owner TEXT, ui TEXT, "
            "update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')))"
        )
        database.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier) "
            "VALUES ('layer_styles', 'attributes', 'layer_styles')"
        )
        geometry = dict(database.execute("SELECT table_name, column_name FROM gpkg_geometry_columns").fetchall())
        for layer in layers:
            database.execute(
                "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, "
                "styleName, styleQML, useAsDefault, description) VALUES ('', '', ?, ?, ?, ?, 1, ?)",
                (layer.name, geometry[layer.name], layer.name, style(layer.name, list(layer.fields)), layer.name),
            )


def _write_geoparquet(layer: Layer, path: Path) -> None:
    """Write GeoParquet 1.1, with geometries as WKB and the CRS as PROJJSON."""
    import pyarrow as pa
    import pyproj
    from pyarrow import parquet

    geo = {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {
            "geometry": {
                "encoding": "WKB",
                "geometry_types": sorted({p.geom_type for p in layer.polygons if p is not None}),
                "crs": pyproj.CRS(layer.crs).to_json_dict(),
            }
        },
    }
    types = {"int": pa.int64(), "float": pa.float64(), "str": pa.string(), "bool": pa.bool_()}
    records = _records(layer)
    columns = {name: pa.array([record[name] for record in records], types[kind]) for name, kind in layer.fields.items()}
    columns["geometry"] = pa.array(list(shapely.to_wkb(list(layer.polygons))), pa.binary())
    parquet.write_table(pa.table(columns).replace_schema_metadata({"geo": json.dumps(geo)}), path)


def _write_centroids(layer: Layer, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["longitude", "latitude", *layer.fields])
        for polygon, record in zip(layer.polygons, _records(layer), strict=True):
            # The centroid of a bent scar can lie outside the polygon; this point never does.
            point = shapely.point_on_surface(polygon)
            writer.writerow([f"{point.x:.6f}", f"{point.y:.6f}", *(_harmless(record[name]) for name in layer.fields)])


def _harmless(value: object) -> object:
    """Quote text that a spreadsheet would run as a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value


@contextmanager
def _may_write(driver: str) -> Iterator[None]:
    """Let Fiona write a format that it only reads by default."""
    before = supported_drivers.get(driver)
    supported_drivers[driver] = "rw"
    try:
        yield
    finally:
        if before is None:
            del supported_drivers[driver]
        else:
            supported_drivers[driver] = before


def _multi(polygon: BaseGeometry) -> BaseGeometry:
    return polygon if polygon.geom_type == "MultiPolygon" else MultiPolygon([polygon])


def _geographic(layer: Layer) -> Layer:
    if not layer.polygons:
        return replace(layer, crs="EPSG:4326")
    to_degrees = Transformer.from_crs(layer.crs, "EPSG:4326", always_xy=True).transform
    moved = shapely.transform(np.array(layer.polygons, dtype=object), to_degrees, interleaved=False)
    # Rounding to seven decimals can make rings touch: round and mend here, not while writing.
    return replace(layer, crs="EPSG:4326", polygons=list(shapely.set_precision(moved, 1e-7)))
