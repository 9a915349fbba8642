"""Finds pixels that do not show the ground, with the network of ukis-csmask instead of the scene classification."""

import warnings
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from landslide_cli.errors import InputError, needs_extra
from landslide_cli.geo.bands import COMMON_NAMES, REFLECTANCE_ONE, Unseen
from landslide_cli.imagery.clouds import DILATION_PX, clouds_and_shadows

CSMASK_BANDS: Final = ("B02", "B03", "B04", "B08", "B11", "B12")
"""Bands that the network reads, in this order."""

_CLOUD, _SHADOW = 1, 2

_CELL_PX: Final = 3
"""The network works best on images of about 30 m."""

_SNOW_INDEX: Final = 0.4
_SNOW_NIR: Final = 0.11
"""Ground is snow where the normalised difference of green and short-wave infrared, and the near-infrared reflectance,
are above these two values (Hall and others 1995). The network has no snow class. Water has an equally high index but
is darker."""


def find_network() -> Any:
    """Return the class `CSmask` of ukis-csmask.

    Returns:
        The class.

    Raises:
        InputError: ukis-csmask is not installed.
    """
    try:
        from ukis_csmask.mask import CSmask
    except ImportError as error:
        raise InputError(needs_extra("--clouds csmask", "ukis-csmask", "clouds")) from error
    return CSmask


def unseen_by_csmask(
    dn: NDArray[np.uint16], observed: NDArray[np.bool_], dilation_px: int = DILATION_PX
) -> NDArray[np.uint8]:
    """Return for each pixel why the ground is not seen.

    Args:
        dn: (6, H, W) uint16 digital numbers at 10 m, 10000 = surface reflectance 1, in the order of `CSMASK_BANDS`.
        observed: (H, W), true where all bands were observed.
        dilation_px: number of pixels by which clouds and shadows are grown.

    Returns:
        (H, W) uint8, codes of `Unseen`; 0 where the ground is seen.

    Raises:
        InputError: ukis-csmask is not installed.
    """
    network = find_network()
    if not observed.any():
        return np.full(observed.shape, Unseen.OUTSIDE, np.uint8)
    reflectance = dn.astype(np.float32) / np.float32(REFLECTANCE_ONE)
    # Fill unobserved pixels with the mean: black pixels would affect what the network sees beside them.
    np.copyto(reflectance, reflectance.mean(axis=(1, 2), where=observed, keepdims=True), where=~observed)
    with warnings.catch_warnings():
        # ukis-csmask mirrors an image smaller than a tile to fill it, which is wanted here.
        warnings.filterwarnings("ignore", "Your input image is smaller", UserWarning)
        # Always the CPU: results are then the same everywhere, and the default fails noisily without CUDA.
        names = [COMMON_NAMES[band] for band in CSMASK_BANDS]
        cells = network(
            _cells(reflectance),
            names,
            "l2a",
            providers=["CPUExecutionProvider"],
        ).csm[..., 0]
    height, width = observed.shape
    classes = cells.repeat(_CELL_PX, axis=0).repeat(_CELL_PX, axis=1)[:height, :width]
    cloud = classes == _CLOUD
    why = clouds_and_shadows(cloud & observed, (classes == _SHADOW) & observed, dilation_px)
    why[_snow(reflectance) & ~cloud] = Unseen.SNOW
    why[~observed] = Unseen.OUTSIDE
    return why


def _cells(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average (B, H, W) over cells of `_CELL_PX` pixels, channels last; edge pixels repeat to fill the last cells."""
    bands, height, width = image.shape
    padded = np.pad(image, ((0, 0), (0, -height % _CELL_PX), (0, -width % _CELL_PX)), mode="edge")
    means = padded.reshape(bands, -(-height // _CELL_PX), _CELL_PX, -1, _CELL_PX).mean(axis=(2, 4))
    return np.ascontiguousarray(np.moveaxis(means, 0, -1))


def _snow(reflectance: NDArray[np.float32]) -> NDArray[np.bool_]:
    green, near_infrared, short_wave = (reflectance[CSMASK_BANDS.index(band)] for band in ("B03", "B08", "B11"))
    snow: NDArray[np.bool_] = (green - short_wave > _SNOW_INDEX * (green + short_wave)) & (near_infrared > _SNOW_NIR)
    return snow
