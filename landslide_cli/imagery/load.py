"""Reads scenes and elevation onto the grid of an event, with the radiometric offset removed."""

import logging
import random
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from time import sleep
from typing import Any, Final

import numpy as np
import odc.stac
import pystac
import requests
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.types import xy_
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from landslide_cli.errors import CatalogError, is_interrupt
from landslide_cli.geo.bands import BAND_GSD_M, NODATA, SCL
from landslide_cli.geo.resample import resample
from landslide_cli.imagery import catalogs
from landslide_cli.imagery.scenes import Scene
from landslide_cli.imagery.traffic import COUNTED

log = logging.getLogger(__name__)


HALO_PX: Final = 12
"""Pixels read beyond each block, so that resampling from 60 m and growing of clouds do not depend on the blocks."""

NATIVE_MARGIN_PX: Final = 4
"""Native pixels read beyond the ground of a block, for the resampling kernel."""

SCL_GSD_M: Final = 20
"""Native ground sampling distance of the scene classification."""

ATTEMPTS: Final = 5
"""Attempts to read a block before its scene is given up: about 15 seconds in all."""
FIRST_PAUSE_S: Final = 1.0
"""Pause after the first failure. It doubles each time, with jitter so that many workers do not retry at once."""
_FINAL: Final = re.compile(r"response code: 40[014]|40[0134] Client Error|not recognized as|does not exist")
"""Failures that another attempt does not fix."""

REMOTE: Final[dict[str, Any]] = {
    # GDAL must not cache a failed request as a missing file.
    "CPL_VSIL_CURL_NON_CACHED": "/vsicurl/:/vsis3/",
    "GDAL_HTTP_MAX_RETRY": "5",
    "GDAL_HTTP_RETRY_DELAY": "1",
    "GDAL_HTTP_TIMEOUT": "120",
    **COUNTED,
}
"""How GDAL reads over HTTP."""

_TYPES: Final[dict[str, Any]] = {
    "*": {"assets": {"*": {"data_type": "uint16", "nodata": NODATA}}, "warnings": "ignore"},
}


def load_images(scene: Scene, bands: Sequence[str], geobox: GeoBox, workers: int) -> NDArray[np.uint16]:
    """Read a scene onto a grid.

    Granules overlap and can have different offsets, so offsets are removed before granules are merged.

    Args:
        scene: the scene.
        bands: the bands to read, in order.
        geobox: the grid, (H, W).
        workers: number of parallel reads.

    Returns:
        (B, H, W) uint16 digital numbers, 10000 = reflectance 1, 0 = not observed.

    Raises:
        CatalogError: a band is missing or cannot be read.
    """
    out = np.zeros((len(bands), *geobox.shape), np.uint16)
    for offset, indexes, stack in _granules(scene, bands, geobox, workers, Resampling.bilinear):
        for index, dn in zip(indexes, remove_offset(stack, offset), strict=True):
            np.copyto(out[index], dn, where=out[index] == NODATA)
    return out


def remove_offset(dn: NDArray[np.uint16], offset: int) -> NDArray[np.uint16]:
    """Subtract the radiometric offset; valid pixels stay at least 1, so that dark pixels do not become nodata."""
    if offset == 0:
        return dn
    shifted = np.clip(dn.astype(np.int32) - offset, 1, np.iinfo(np.uint16).max)
    return np.where(dn == NODATA, NODATA, shifted).astype(np.uint16)


def load_classes(scene: Scene, geobox: GeoBox, workers: int) -> NDArray[np.uint8]:
    """Read the scene classification (SCL) of a scene onto a grid.

    Args:
        scene: the scene.
        geobox: the grid, (H, W).
        workers: number of parallel reads.

    Returns:
        (H, W) uint8 classes.

    Raises:
        CatalogError: the classification is missing or cannot be read.
    """
    out = np.zeros(geobox.shape, np.uint8)
    for _, _, (scl,) in _granules(scene, ["SCL"], geobox, workers, Resampling.nearest):
        np.copyto(out, scl.astype(np.uint8), where=out == SCL.NODATA)
    return out


def load_overview(scene: Scene, geobox: GeoBox, workers: int) -> NDArray[np.uint8]:
    """Read the scene classification (SCL) of a scene onto a coarse grid, from its overviews.

    Args:
        scene: the scene.
        geobox: the coarse grid, (H, W).
        workers: number of parallel reads.

    Returns:
        (H, W) uint8 classes.

    Raises:
        CatalogError: the classification is missing or cannot be read.
    """
    classes: NDArray[np.uint8] = _read(scene.granules, ["SCL"], geobox, workers)[0].astype(np.uint8)
    return classes


def load_overview_images(scene: Scene, bands: Sequence[str], geobox: GeoBox, workers: int) -> NDArray[np.uint16]:
    """Read a scene onto a coarse grid, from its overviews, for display.

    Args:
        scene: the scene.
        bands: the bands to read, in order.
        geobox: the coarse grid, (H, W).
        workers: number of parallel reads.

    Returns:
        (B, H, W) uint16 digital numbers, as from `load_images`.

    Raises:
        CatalogError: a band is missing or cannot be read.
    """
    out = np.zeros((len(bands), *geobox.shape), np.uint16)
    for offset, group in groupby(sorted(scene.granules, key=catalogs.dn_offset), key=catalogs.dn_offset):
        dn = remove_offset(_read(list(group), bands, geobox, workers), offset)
        np.copyto(out, dn, where=out == NODATA)
    return out


def load_elevation(items: Sequence[pystac.Item], geobox: GeoBox, workers: int) -> NDArray[np.float32]:
    """Read elevation tiles onto a grid.

    Args:
        items: items of the tiles.
        geobox: the grid, (H, W).
        workers: number of parallel reads.

    Returns:
        (H, W) float32 elevation in metres, NaN where unknown.

    Raises:
        CatalogError: a tile has no elevation asset, or cannot be read.
    """
    out = np.full(geobox.shape, np.nan, np.float32)
    if not items:
        return out
    key = next((key for key in catalogs.ELEVATION_KEYS if key in items[0].assets), None)
    if key is None:
        raise CatalogError(f"elevation item {items[0].id} has no asset {' or '.join(catalogs.ELEVATION_KEYS)}")
    declared: dict[str, Any] = {"*": {"assets": {"*": {"data_type": "float32", "nodata": -9999}}, "warnings": "ignore"}}
    data = _load(items, [key], geobox, workers, groupby="id", resampling="bilinear", stac_cfg=declared)
    for tile in data[key].values:
        np.copyto(out, tile, where=np.isnan(out) & (tile > -9999))
    return out


def _granules(
    scene: Scene, bands: Sequence[str], geobox: GeoBox, workers: int, method: Resampling
) -> Iterator[tuple[int, list[int], NDArray[np.uint16]]]:
    """Yield offset, band indexes and (B, H, W) pixels of those bands on `geobox`, for all granules.

    Pixels are read in the CRS of the granule and resampled once. Granules in the CRS of `geobox` come first, because
    they need the least resampling where granules overlap.
    """

    def kind(item: pystac.Item) -> tuple[bool, str, int]:
        crs = _crs(item) or str(geobox.crs)
        return crs != str(geobox.crs), crs, catalogs.dn_offset(item)

    for (_, crs, offset), group in groupby(sorted(scene.granules, key=kind), key=kind):
        items = list(group)
        _require_assets(items, bands)
        lattices = [_lattice(items[0], band) for band in bands]
        for lattice in dict.fromkeys(lattices):
            indexes = [index for index, other in enumerate(lattices) if other == lattice]
            native = _native_grid(geobox, crs, *lattice)
            stack = _read(items, [bands[index] for index in indexes], native, workers)
            yield offset, indexes, resample(stack, native, geobox, NODATA, method)


def _lattice(item: pystac.Item, band: str) -> tuple[float, float, float]:
    """Return the pixel size of a band in metres, and the offsets of its pixel edges in x and y modulo that size."""
    transform = item.assets[str(catalogs.asset_key(item, band))].extra_fields.get("proj:transform")
    if not transform:
        return float(BAND_GSD_M.get(band, SCL_GSD_M)), 0.0, 0.0
    pixel_m, left, top = float(transform[0]), float(transform[2]), float(transform[5])
    return pixel_m, left % pixel_m, top % pixel_m


def _native_grid(geobox: GeoBox, crs: str, pixel_m: float, left: float, top: float) -> GeoBox:
    """Return the native grid of a band around the ground of `geobox`; `geobox` itself if both are the same."""
    here = geobox.transform
    if crs == str(geobox.crs) and (pixel_m, left, top) == (here.a, here.c % pixel_m, here.f % pixel_m):
        return geobox
    around = geobox.extent.to_crs(crs, resolution=1000).boundingbox.buffered(NATIVE_MARGIN_PX * pixel_m)
    return GeoBox.from_bbox(around, crs=crs, resolution=pixel_m, anchor=xy_(left / pixel_m, top / pixel_m))


def _crs(item: pystac.Item) -> str | None:
    code = item.properties.get("proj:code") or item.properties.get("proj:epsg")
    return None if code is None else f"EPSG:{str(code).removeprefix('EPSG:')}"


def _require_assets(items: Sequence[pystac.Item], bands: Sequence[str]) -> None:
    for item in items:
        missing = [band for band in bands if catalogs.asset_key(item, band) is None]
        if missing:
            raise CatalogError(f"item {item.id} has no asset for {', '.join(missing)}; give another --catalog")


def _read(items: Sequence[pystac.Item], bands: Sequence[str], geobox: GeoBox, workers: int) -> NDArray[np.uint16]:
    _require_assets(items, bands)
    keys = [str(catalogs.asset_key(items[0], band)) for band in bands]
    data = _load(items, keys, geobox, workers, groupby=lambda *_: 0, resampling="nearest", stac_cfg=_TYPES)
    return np.stack([data[key].values[0] for key in keys])


def _load(items: Sequence[pystac.Item], keys: Sequence[str], geobox: GeoBox, workers: int, **options: Any) -> Any:
    """Read assets and retry failures that can pass: services throttle, drop connections and cut answers off."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with _reading(items):
                # Links are signed again at each attempt, because tokens expire.
                return odc.stac.load(
                    items, bands=list(keys), geobox=geobox, patch_url=catalogs.sign, pool=workers, **options
                )
        except CatalogError as error:
            if attempt == ATTEMPTS or _FINAL.search(str(error)) or is_interrupt(error):
                raise
            pause_s = FIRST_PAUSE_S * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)
            log.info("%s; trying again in %.1f s", error, pause_s)
            sleep(pause_s)
    raise AssertionError("the last attempt returns or raises")


@contextmanager
def _reading(items: Sequence[pystac.Item]) -> Iterator[None]:
    odc.stac.configure_rio(cloud_defaults=True, **REMOTE)
    try:
        with warnings.catch_warnings():
            # rasterio warns about the arrays that odc passes without a geotransform.
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            yield
    # odc asserts that a file has a CRS; a file that is cut off can lack it.
    except (RasterioError, requests.RequestException, OSError, ValueError, AssertionError) as error:
        names = ", ".join(item.id for item in items[:3])
        raise CatalogError(
            f"reading {names} failed ({str(error).partition('?')[0][:200]}); check the network and run again"
        ) from error
