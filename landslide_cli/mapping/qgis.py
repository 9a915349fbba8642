"""Writes a QGIS project for the files of an event, without needing QGIS."""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

import pyproj

from landslide_cli.files import atomic
from landslide_cli.mapping.styles import QGIS_VERSION, aliases, renderer
from landslide_cli.mapping.text import plain


@dataclass(frozen=True, slots=True)
class RasterLayer:
    """A raster of the project."""

    name: str
    title: str
    file: str
    """Path relative to the project."""
    kind: str
    """`rgb`, `probability` or `hillshade`."""
    bands: tuple[int, ...] = (1,)
    ranges: tuple[tuple[float, float], ...] = ()
    """Lowest and highest value of each band of `rgb`."""
    shown: bool = True


@dataclass(frozen=True, slots=True)
class VectorLayer:
    """A layer of the project's GeoPackage."""

    name: str
    title: str
    file: str
    fields: tuple[str, ...]
    shown: bool = True


ID: Final = "event_layer_"
"""Prefix of each layer identifier: QGIS replaces identifiers of ten letters or fewer, and then misses the layer."""
PROBABILITY_RAMP: Final = ((10, "255,255,178,0"), (30, "254,204,92,160"), (60, "240,59,32,200"), (100, "189,0,38,255"))
"""Percent and colour."""


def write_project(
    path: Path,
    title: str,
    crs: str,
    extent: tuple[float, float, float, float],
    layers: Sequence[RasterLayer | VectorLayer],
) -> None:
    """Write a project (`.qgz`) that QGIS 3.22 and later open without a prompt.

    Args:
        path: the file.
        title: title of the window.
        crs: authority code of the map and of all layers.
        extent: west, south, east, north in `crs`.
        layers: layers from the top of the map to the bottom.

    Raises:
        OutputError: the file cannot be written.
    """
    root = Element("qgis", projectname=plain(title), version=QGIS_VERSION)
    SubElement(root, "homePath", path="")
    SubElement(root, "title").text = plain(title)
    _crs(SubElement(root, "projectCrs"), crs)
    tree = SubElement(root, "layer-tree-group")
    order = SubElement(tree, "custom-order", enabled="0")
    canvas = SubElement(root, "mapcanvas", name="theMapCanvas", annotationsVisible="1")
    SubElement(canvas, "units").text = "meters"
    _extent(canvas, extent)
    SubElement(canvas, "rotation").text = "0"
    _crs(SubElement(canvas, "destinationsrs"), crs)
    project = SubElement(root, "projectlayers")
    for layer in layers:
        vector = isinstance(layer, VectorLayer)
        source = f"./{layer.file}" + (f"|layername={layer.name}" if vector else "")
        SubElement(
            tree, "layer-tree-layer", id=ID + layer.name, name=layer.title, source=source,
            providerKey="ogr" if vector else "gdal", checked="Qt::Checked" if layer.shown else "Qt::Unchecked",
            expanded="1" if layer.name in ("landslides", "changes") else "0",
        )  # fmt: skip
        SubElement(order, "item").text = ID + layer.name
        project.append(_vector(layer, source, crs) if isinstance(layer, VectorLayer) else _raster(layer, source, crs))
    properties = SubElement(root, "properties")
    SubElement(SubElement(properties, "Paths"), "Absolute", type="bool").text = "false"
    # QGIS reads the reference system of the project only if this is set.
    SubElement(SubElement(properties, "SpatialRefSys"), "ProjectionsEnabled", type="int").text = "1"
    document = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n" + tostring(root, encoding="unicode")
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(path.with_suffix(".qgs").name, document)


def _crs(parent: Element, crs: str) -> None:
    described = pyproj.CRS(crs)
    system = SubElement(parent, "spatialrefsys", nativeFormat="Wkt")
    # The code alone is enough for a layer; the project needs WKT.
    SubElement(system, "wkt").text = described.to_wkt("WKT2_2019")
    SubElement(system, "srid").text = crs.partition(":")[2]
    SubElement(system, "authid").text = crs
    SubElement(system, "description").text = described.name


def _extent(parent: Element, extent: tuple[float, float, float, float]) -> None:
    box = SubElement(parent, "extent")
    for name, value in zip(("xmin", "ymin", "xmax", "ymax"), extent, strict=True):
        SubElement(box, name).text = repr(value)


def _layer(kind: Mapping[str, str], layer: RasterLayer | VectorLayer, source: str, crs: str, provider: str) -> Element:
    root = Element("maplayer", {**kind, "styleCategories": "AllStyleCategories"})
    SubElement(root, "id").text = ID + layer.name
    SubElement(root, "datasource").text = source
    SubElement(root, "layername").text = layer.title
    _crs(SubElement(root, "srs"), crs)
    SubElement(root, "provider", encoding="UTF-8").text = provider
    return root


def _vector(layer: VectorLayer, source: str, crs: str) -> Element:
    root = _layer({"type": "vector", "geometry": "Polygon", "wkbType": "MultiPolygon"}, layer, source, crs, "ogr")
    root.append(renderer(layer.name))
    root.append(aliases(layer.fields))
    return root


def _raster(layer: RasterLayer, source: str, crs: str) -> Element:
    root = _layer({"type": "raster"}, layer, source, crs, "gdal")
    pipe = SubElement(root, "pipe")
    if layer.kind == "rgb":
        _rgb(pipe, layer)
    elif layer.kind == "hillshade":
        SubElement(
            pipe, "rasterrenderer", type="hillshade", band="1", azimuth="315", angle="45", zfactor="1",
            multidirection="0", opacity="1", alphaBand="-1", nodataColor="",
        )  # fmt: skip
    else:
        _ramp(pipe)
    SubElement(root, "blendMode").text = "0"
    return root


def _rgb(pipe: Element, layer: RasterLayer) -> None:
    colours = ("red", "green", "blue")
    bands = {f"{colour}Band": str(band) for colour, band in zip(colours, layer.bands, strict=True)}
    root = SubElement(
        pipe,
        "rasterrenderer",
        {"type": "multibandcolor", "opacity": "1", "alphaBand": "-1", "nodataColor": "", **bands},
    )
    for colour, (low, high) in zip(colours, layer.ranges, strict=True):
        contrast = SubElement(root, f"{colour}ContrastEnhancement")
        SubElement(contrast, "minValue").text = f"{low:g}"
        SubElement(contrast, "maxValue").text = f"{high:g}"
        SubElement(contrast, "algorithm").text = "StretchToMinimumMaximum"


def _ramp(pipe: Element) -> None:
    low, high = (str(PROBABILITY_RAMP[end][0]) for end in (0, -1))
    root = SubElement(
        pipe, "rasterrenderer", type="singlebandpseudocolor", band="1", opacity="1", alphaBand="-1", nodataColor="",
        classificationMin=low, classificationMax=high,
    )  # fmt: skip
    shader = SubElement(
        SubElement(root, "rastershader"), "colorrampshader", colorRampType="INTERPOLATED", classificationMode="1",
        clip="0", minimumValue=low, maximumValue=high,
    )  # fmt: skip
    for percent, colour in PROBABILITY_RAMP:
        red, green, blue, alpha = colour.split(",")
        SubElement(
            shader, "item", value=str(percent), label=f"{percent} %", alpha=alpha,
            color=f"#{int(red):02x}{int(green):02x}{int(blue):02x}",
        )  # fmt: skip
