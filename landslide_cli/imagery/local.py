"""Reads your own images, any raster that GDAL opens, onto the grid of an event."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from shapely import segmentize, union_all
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from landslide_cli.errors import InputError
from landslide_cli.geo.bands import _BAND, BANDS, GSD_M, NODATA, REFLECTANCE_ONE, band_name
from landslide_cli.geo.rasters import opened
from landslide_cli.geo.resample import FIXED_KERNEL, TOLERANCE_PX

_RASTERS: Final = (".tif", ".tiff", ".jp2", ".vrt", ".img")


@dataclass(frozen=True, slots=True)
class Channel:
    """One band in one file."""

    path: Path
    index: int
    """Number of the band in the file, from 1."""
    band: str


def find_channels(paths: Sequence[str], names: str | None, option: str) -> tuple[Channel, ...]:
    """Find the bands in files and folders.

    Args:
        paths: files, or folders of band files.
        names: comma-separated names of the channels, in order, if the files do not state them.
        option: the option that gave `paths`, for messages.

    Returns:
        The known bands of all files.

    Raises:
        InputError: a path is missing, is not a raster, or does not state which bands it holds.
    """
    files = [file for path in paths for file in _files(Path(path), option)]
    given = [band_name(name, "--bands") for name in names.split(",")] if names else None
    channels: list[Channel] = []
    for file in files:
        with opened(file, option) as source:
            counted = range(1, source.count + 1)
            if given and source.count == len(given):
                found: list[str] | None = given
            elif given and source.count == 1 and len(files) == len(given):
                found = [given[files.index(file)]]
            else:
                found = _bands_of(file, source)
        if found is None:
            raise InputError(
                f"{file} holds {len(counted)} channels, but neither file name nor band descriptions say which bands; "
                f"name them with --bands, such as --bands B02,B03,B04,B08 (known: {', '.join(BANDS)})"
            )
        channels += [Channel(file, index, band) for index, band in zip(counted, found, strict=True) if band]
    return tuple(channels)


def _files(path: Path, option: str) -> list[Path]:
    if path.is_dir():
        rasters = sorted(p for p in path.iterdir() if p.suffix.lower() in _RASTERS)
        named = [p for p in rasters if _BAND.search(p.stem)]
        if not named:
            raise InputError(
                f"{option} {path} holds no band files ({len(rasters)} rasters); "
                "name them by band, such as B04.tif, or give one multi-band file"
            )
        return named
    if not path.exists():
        raise InputError(f"{option} {path}: no such file or folder; check the path")
    return [path]


def _bands_of(file: Path, source: rasterio.DatasetReader) -> list[str] | None:
    if source.count == 1 and (match := _BAND.search(file.stem)):
        name = f"B{match[1].upper().zfill(2)}"
        return [name] if name in BANDS else [""]
    described = [_BAND.search(text or "") for text in source.descriptions]
    if all(described):
        names = [f"B{match[1].upper().zfill(2)}" for match in described if match]
        return [name if name in BANDS else "" for name in names]
    return list(BANDS) if source.count == len(BANDS) else None


def footprint(files: Sequence[Path], option: str) -> BaseGeometry:
    """Return the union of the ground that the files cover, EPSG:4326."""
    parts = []
    for file in files:
        with opened(file, option) as source:
            outline = segmentize(box(*source.bounds), max(source.bounds[2] - source.bounds[0], 1e-9) / 50)
            parts.append(Geometry(outline, source.crs.to_wkt()).to_crs("EPSG:4326").geom)
    return union_all(parts)


def read_images(
    channels: Sequence[Channel],
    bands: Sequence[str],
    geobox: GeoBox,
    scale: float,
    offset: float,
    option: str,
) -> NDArray[np.uint16]:
    """Read bands onto a grid.

    If several files hold a band, each pixel comes from the first file that observed it.

    Args:
        channels: channels from `find_channels`.
        bands: the bands to read, in order.
        geobox: the grid, (H, W).
        scale: reflectance = value x scale + offset.
        offset: see `scale`.
        option: the option that gave the files, for messages.

    Returns:
        (B, H, W) uint16 digital numbers, 10000 = reflectance 1, 0 = not observed.

    Raises:
        InputError: a file cannot be read.
    """
    out = np.zeros((len(bands), *geobox.shape), np.uint16)
    for index, band in enumerate(bands):
        merged = out[index]
        for channel in (c for c in channels if c.band == band):
            values, valid = read_channel(channel.path, channel.index, geobox, option)
            reflectance = np.where(valid, values.astype(np.float64) * scale + offset, 0)
            dn = np.clip(np.rint(reflectance * REFLECTANCE_ONE), 1, np.iinfo(np.uint16).max).astype(np.uint16)
            np.copyto(merged, dn, where=valid & (merged == NODATA))
    return out


def read_channel(
    path: Path, index: int, geobox: GeoBox, option: str, undeclared: float = NODATA
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Resample one channel onto a grid.

    Args:
        path: the file.
        index: number of the channel, from 1.
        geobox: the grid, (H, W).
        option: the option that gave the file, for messages.
        undeclared: the nodata value if the file declares no nodata value.

    Returns:
        (H, W) float32 values, and (H, W) bool, true where they are valid.
    """
    height, width = geobox.shape
    with opened(path, option) as source:
        nodata = source.nodata if source.nodata is not None else undeclared
        finer = _pixel_m(source, geobox) < GSD_M / 1.5
        with WarpedVRT(
            source, crs=str(geobox.crs), transform=geobox.transform, width=width, height=height,
            src_nodata=nodata, nodata=nodata, dtype="float32",
            resampling=Resampling.average if finer else Resampling.bilinear,
            tolerance=TOLERANCE_PX, **({} if finer else FIXED_KERNEL),
        ) as warped:  # fmt: skip
            values = warped.read(index)
    known = np.isfinite(values) & (values != np.float32(nodata))
    return values, known


def _pixel_m(source: rasterio.DatasetReader, geobox: GeoBox) -> float:
    native = GeoBox(source.shape, source.transform, source.crs.to_wkt())
    centre = native.center_pixel.to_crs(str(geobox.crs))
    return float(max(abs(centre.resolution.x), abs(centre.resolution.y)))
