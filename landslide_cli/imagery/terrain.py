"""Derives slope and aspect on a 30 m grid, near the GSD of the elevation; they are resampled to 10 m later."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

DEM_GSD_M: Final = 30.0
"""Slope depends on the GSD: models learn it at the 30 m of ALOS World 3D (paper, section 3.2)."""

MARGIN_PX: Final = 4
"""Pixels of elevation beyond the event, so that slope and interpolation have neighbours."""


def dem_grid(geobox: GeoBox) -> GeoBox:
    """Return the 30 m grid around `geobox`, in its CRS, on which slope and aspect are derived."""
    box = geobox.boundingbox
    margin = MARGIN_PX * DEM_GSD_M
    bounds = (box.left - margin, box.bottom - margin, box.right + margin, box.top + margin)
    return GeoBox.from_bbox(bounds, crs=geobox.crs, resolution=DEM_GSD_M)


def slope_aspect(
    elevation: NDArray[np.float32], pixel_m: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Derive slope and aspect by Horn's third-order differences (Horn 1981), as `gdaldem` does.

    Args:
        elevation: (H, W) in metres, north up, NaN where unknown.
        pixel_m: side of a pixel in metres.

    Returns:
        Slope in degrees, and sine and cosine of the aspect (clockwise from grid north, downslope), each (H, W)
        float32. Sine and cosine are 0 on flat ground. Values are NaN where a neighbour is unknown. At the border the
        elevation is extended linearly.
    """
    z = np.pad(elevation.astype(np.float64), 1, mode="reflect", reflect_type="odd")
    north, middle, south = z[:-2], z[1:-1], z[2:]
    east_rise = (
        (north[:, 2:] - north[:, :-2]) + 2 * (middle[:, 2:] - middle[:, :-2]) + (south[:, 2:] - south[:, :-2])
    ) / (8 * pixel_m)
    weights = (1, 2, 1)
    columns = (slice(None, -2), slice(1, -1), slice(2, None))
    north_rise = sum(w * (north[:, c] - south[:, c]) for w, c in zip(weights, columns, strict=True)) / (8 * pixel_m)
    steepness = np.hypot(east_rise, north_rise)
    with np.errstate(invalid="ignore", divide="ignore"):
        aspect_sin = np.where(steepness == 0, 0, -east_rise / steepness)
        aspect_cos = np.where(steepness == 0, 0, -north_rise / steepness)
    slope = np.degrees(np.arctan(steepness))
    return slope.astype(np.float32), aspect_sin.astype(np.float32), aspect_cos.astype(np.float32)


def terrain_stack(elevation: NDArray[np.float32], pixel_m: float) -> NDArray[np.float32]:
    """Stack elevation, slope, aspect sine and aspect cosine (`bands.TERRAIN_BANDS`) on the grid of the elevation.

    Args:
        elevation: (H, W) float32 in metres, NaN where unknown.
        pixel_m: side of a pixel in metres.

    Returns:
        (4, H, W) float32.
    """
    return np.stack([elevation.astype(np.float32), *slope_aspect(elevation, pixel_m)])
