"""Writes a GDAL virtual raster (VRT): bands of several rasters on one grid as one raster, without copying pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from odc.geo.geobox import GeoBox

from landslide_cli.files import atomic

_TYPES: Final = {"uint8": "Byte", "uint16": "UInt16", "float32": "Float32"}
"""GDAL names of the types."""


@dataclass(frozen=True, slots=True)
class StackBand:
    """A band of the stack."""

    name: str
    dtype: str
    """Type of the band in its file; bands can differ."""
    nodata: float
    source: tuple[str, int] | None
    """File, relative to the VRT, and band number from 1; None for a band filled with `nodata`."""
    mask: str | None = None
    """File of 0 and 1, relative to the VRT; the values are multiplied by it."""


def write_stack(path: Path, geobox: GeoBox, bands: Sequence[StackBand]) -> None:
    """Write a VRT; its paths are relative, so that the folder can be moved.

    Args:
        path: the file.
        geobox: grid of all bands.
        bands: the bands, in order.

    Raises:
        OutputError: the file cannot be written.
    """
    height, width = geobox.shape
    root = Element("VRTDataset", rasterXSize=str(width), rasterYSize=str(height))
    SubElement(root, "SRS", dataAxisToSRSAxisMapping="1,2").text = str(geobox.crs.to_wkt()) if geobox.crs else ""
    SubElement(root, "GeoTransform").text = ", ".join(repr(float(number)) for number in geobox.transform.to_gdal())
    for number, band in enumerate(bands, 1):
        # A masked band is the product of two rasters, computed by a pixel function of GDAL.
        derived = {"subClass": "VRTDerivedRasterBand"} if band.mask else {}
        element = SubElement(root, "VRTRasterBand", {"dataType": _TYPES[band.dtype], "band": str(number), **derived})
        SubElement(element, "Description").text = band.name
        SubElement(element, "NoDataValue").text = f"{band.nodata:g}"
        if band.mask:
            SubElement(element, "PixelFunctionType").text = "mul"
        for file, index in (*([band.source] if band.source else []), *([(band.mask, 1)] if band.mask else [])):
            source = SubElement(element, "SimpleSource")
            SubElement(source, "SourceFilename", relativeToVRT="1").text = file
            SubElement(source, "SourceBand").text = str(index)
    indent(root)
    with atomic(path) as temporary:
        temporary.write_text(tostring(root, encoding="unicode") + "\n", encoding="utf-8")
