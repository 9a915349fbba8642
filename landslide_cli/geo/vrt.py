"""Bands of several rasters on one grid as one raster, without copying a pixel: a GDAL virtual raster (VRT)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from odc.geo.geobox import GeoBox

from landslide_cli.files import atomic

_TYPES: Final = {"uint8": "Byte", "uint16": "UInt16", "float32": "Float32"}
"""Names of GDAL."""


@dataclass(frozen=True, slots=True)
class StackBand:
    """A band of the stack."""

    name: str
    dtype: str
    """Of the band, as it is in its file: bands may differ."""
    nodata: float
    source: tuple[str, int] | None
    """A file, relative to the VRT, and the number of its band, from 1; none for a band of `nodata` alone."""
    mask: str | None = None
    """A file, relative to the VRT, of 0 and 1 that the values are multiplied with."""


def write_stack(path: Path, geobox: GeoBox, bands: Sequence[StackBand]) -> None:
    """Write a VRT of `bands`, all on the grid `geobox`. Its paths are relative, so that the folder can be moved.

    Raises:
        OutputError: it cannot be written.
    """
    height, width = geobox.shape
    root = Element("VRTDataset", rasterXSize=str(width), rasterYSize=str(height))
    SubElement(root, "SRS", dataAxisToSRSAxisMapping="1,2").text = str(geobox.crs.to_wkt()) if geobox.crs else ""
    SubElement(root, "GeoTransform").text = ", ".join(repr(float(number)) for number in geobox.transform.to_gdal())
    for number, band in enumerate(bands, 1):
        # What hides pixels is a product of two rasters, which GDAL computes with a function of its own.
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
