"""The files of an event folder: name, title, media type and roles, and the content of rasters."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from landslide_cli.event.stac import Raster
from landslide_cli.geo.bands import NODATA, NOT_ANALYSED, TERRAIN_BANDS

DEEPNESS: Final = "deepness"
"""Folder below an event with rasters for the QGIS plugin Deepness. A new fetch removes it."""

_COG = "image/tiff; application=geotiff; profile=cloud-optimized"
_IMAGE = Raster("uint16", NODATA)


@dataclass(frozen=True, slots=True)
class Product:
    """A file of the event folder."""

    file: str
    title: str
    media_type: str
    roles: tuple[str, ...]
    raster: Raster | None = None
    """Content of the file, if it is a raster."""


PRODUCTS: Final[Mapping[str, Product]] = {
    "pre": Product("pre.tif", "Image before the event", _COG, ("data", "reflectance"), _IMAGE),
    "post": Product("post.tif", "Image after the event", _COG, ("data", "reflectance"), _IMAGE),
    "terrain": Product(
        "terrain.tif",
        "Elevation, slope, sine and cosine of the aspect",
        _COG,
        ("data",),
        Raster("float32", "nan", TERRAIN_BANDS, ("m", "deg", "1", "1")),
    ),
    "clear": Product(
        "clear.tif",
        "1 where the ground is seen on both dates, else 0",
        _COG,
        ("data-mask",),
        Raster("uint8", None, ("clear",)),
    ),
    "sources": Product(
        "sources.tif",
        "Scene of each pixel before and after the event, or the reason why no scene shows the ground",
        _COG,
        ("data-mask",),
        Raster("uint8", None, ("pre", "post")),
    ),
    "probability": Product(
        "probability.tif",
        "Landslide probability in percent, 255 where not analysed",
        _COG,
        ("data",),
        Raster("uint8", NOT_ANALYSED, ("probability_percent",), ("%",)),
    ),
    "landslides": Product(
        "landslides.geojson", "Landslides, WGS 84", "application/geo+json", ("data", "labels", "labels-vector")
    ),
    "not_analysed": Product(
        "not_analysed.geojson", "Ground that could not be analysed, WGS 84", "application/geo+json", ("data",)
    ),
    "geopackage": Product(
        "landslides.gpkg",
        "Landslides, ground that was not analysed, AOI and image footprints, in the event's CRS",
        "application/geopackage+sqlite3",
        ("data",),
    ),
    "landslides_style": Product("landslides.qml", "How QGIS draws the landslides", "application/xml", ("metadata",)),
    "not_analysed_style": Product(
        "not_analysed.qml", "How QGIS draws ground that was not analysed", "application/xml", ("metadata",)
    ),
    "changes": Product(
        "changes.geojson",
        "Changes of the landslides since the previous version, WGS 84",
        "application/geo+json",
        ("data",),
    ),
    "changes_style": Product("changes.qml", "How QGIS draws the changes", "application/xml", ("metadata",)),
    "project": Product("map.qgz", "QGIS project with the files of this event", "application/zip", ("overview",)),
    "report": Product("report.html", "Report to open in a browser", "text/html", ("overview",)),
    "sheet": Product("map.pdf", "Map sheet to print, A3", "application/pdf", ("overview",)),
    "flatgeobuf": Product("landslides.fgb", "Landslides, WGS 84, FlatGeobuf", "application/flatgeobuf", ("data",)),
    "geoparquet": Product(
        "landslides.parquet", "Landslides in the event's CRS, GeoParquet", "application/vnd.apache.parquet", ("data",)
    ),
    "shapefile": Product(
        "landslides.shp.zip", "Landslides in the event's CRS, zipped shapefile", "application/zip", ("data",)
    ),
    "kml": Product("landslides.kml", "Landslides, WGS 84, KML", "application/vnd.google-earth.kml+xml", ("data",)),
    "csv": Product("landslides.csv", "One point inside each landslide, WGS 84", "text/csv", ("data",)),
    "cems": Product("cems.gpkg", "Layers of Copernicus EMS Rapid Mapping", "application/geopackage+sqlite3", ("data",)),
}
"""Every file of an event, by the key of its STAC asset."""


FETCHED: Final = ("pre", "post", "terrain", "clear", "sources")


PREDICTED: Final = ("probability",)


VECTORIZED: Final = (
    "landslides", "not_analysed", "geopackage", "landslides_style", "not_analysed_style", "project", "report",
    "sheet", "flatgeobuf", "geoparquet", "shapefile", "kml", "csv", "cems", "changes", "changes_style",
)  # fmt: skip
