"""Which pixels show the ground, from the scene classification of Sentinel-2 L2A."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from landslide_cli.imagery.bands import SCL

CLOUD: Final = (SCL.CLOUD_SHADOW, SCL.CLOUD_MEDIUM, SCL.CLOUD_HIGH, SCL.THIN_CIRRUS)
HIDDEN: Final = (SCL.SATURATED, SCL.SNOW)
"""Observed, but not as ground; snow can cover a scar (paper, section 3.2)."""

DILATION_PX: Final = 3
"""Clouds and shadows are grown by 30 m: their rims are seldom classified."""


def clear_ground(scl: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell where the ground is seen.

    Args:
        scl: (H, W) scene classification on the event's 10 m grid.

    Returns:
        (H, W), false for nodata, cloud, shadow, their rims, snow and defective pixels.
    """
    cloud = np.isin(scl, CLOUD)
    if cloud.any():
        cloud = binary_dilation(cloud, iterations=DILATION_PX)
    clear: NDArray[np.bool_] = ~cloud & ~np.isin(scl, HIDDEN) & (scl != SCL.NODATA)
    return clear


def shares(scl: NDArray[np.uint8], inside: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the shares of the AOI that a scene covers, and that clouds or shadows hide in it.

    Args:
        scl: (H, W) scene classification on a coarse grid.
        inside: (H, W), true in the AOI.
    """
    total = max(int(inside.sum()), 1)
    return (
        float(((scl != SCL.NODATA) & inside).sum()) / total,
        float((np.isin(scl, (*CLOUD, *HIDDEN)) & inside).sum()) / total,
    )
