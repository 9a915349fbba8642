"""Finds pixels that do not show the ground, from the scene classification (SCL) of Sentinel-2 L2A."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from landslide_cli.geo.bands import SCL, Unseen

CLOUD: Final = (SCL.CLOUD_MEDIUM, SCL.CLOUD_HIGH, SCL.THIN_CIRRUS)

DILATION_PX: Final = 3
"""Clouds and shadows are grown by 3 pixels (30 m), because their rims are rarely classified."""


def unseen(scl: NDArray[np.uint8], dilation_px: int = DILATION_PX) -> NDArray[np.uint8]:
    """Return for each pixel why the ground is not seen.

    Args:
        scl: (H, W) scene classification on the 10 m grid of the event.
        dilation_px: number of pixels by which clouds and shadows are grown.

    Returns:
        (H, W) uint8, codes of `Unseen`; 0 where the ground is seen. Snow counts as unseen, because it can cover a
        scar (paper, section 3.2).
    """
    why = clouds_and_shadows(np.isin(scl, CLOUD), scl == SCL.CLOUD_SHADOW, dilation_px)
    why[scl == SCL.SNOW] = Unseen.SNOW
    why[scl == SCL.SATURATED] = Unseen.DEFECTIVE
    why[scl == SCL.NODATA] = Unseen.OUTSIDE
    return why


def clouds_and_shadows(cloud: NDArray[np.bool_], shadow: NDArray[np.bool_], dilation_px: int) -> NDArray[np.uint8]:
    """Grow clouds and shadows, both (H, W), and return their codes of `Unseen`: (H, W) uint8, 0 elsewhere."""
    why = np.zeros(cloud.shape, np.uint8)
    why[_grown(shadow, dilation_px)] = Unseen.SHADOW
    why[_grown(cloud, dilation_px)] = Unseen.CLOUD
    return why


def _grown(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    return binary_dilation(mask, iterations=pixels) if pixels and mask.any() else mask
