"""Which pixels show the ground, from the scene classification of Sentinel-2 L2A."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from landslide_cli.geo.bands import SCL, Unseen

CLOUD: Final = (SCL.CLOUD_MEDIUM, SCL.CLOUD_HIGH, SCL.THIN_CIRRUS)

DILATION_PX: Final = 3
"""Clouds and shadows are grown by 30 m: their rims are seldom classified."""


def unseen(scl: NDArray[np.uint8], dilation_px: int = DILATION_PX) -> NDArray[np.uint8]:
    """Tell why the ground is not seen.

    Args:
        scl: (H, W) scene classification on the event's 10 m grid.
        dilation_px: how far clouds and shadows are grown.

    Returns:
        (H, W) uint8, codes of `Unseen`; 0 where the ground is seen. Snow counts as unseen: it can cover a
        scar (paper, section 3.2).
    """
    why = clouds_and_shadows(np.isin(scl, CLOUD), scl == SCL.CLOUD_SHADOW, dilation_px)
    why[scl == SCL.SNOW] = Unseen.SNOW
    why[scl == SCL.SATURATED] = Unseen.DEFECTIVE
    why[scl == SCL.NODATA] = Unseen.OUTSIDE
    return why


def clouds_and_shadows(cloud: NDArray[np.bool_], shadow: NDArray[np.bool_], dilation_px: int) -> NDArray[np.uint8]:
    """Grow clouds and shadows, both (H, W), and give them their codes of `Unseen`: (H, W) uint8, else 0."""
    why = np.zeros(cloud.shape, np.uint8)
    why[_grown(shadow, dilation_px)] = Unseen.SHADOW
    why[_grown(cloud, dilation_px)] = Unseen.CLOUD
    return why


def _grown(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    return binary_dilation(mask, iterations=pixels) if pixels and mask.any() else mask
