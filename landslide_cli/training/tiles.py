"""Count landslide, cloud and nodata in each window of an event."""

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

REASONS: Final[Mapping[str, str]] = {
    "no_landslide": "hold no landslide",
    "nodata": "have pixels without data",
    "cloudy": "have too much cloud",
    "hidden": "show too little of their landslides",
}
"""Reasons why a window of an image pair is left out; the first that applies counts."""


def corners(length_px: int, window_px: int, stride_px: int) -> NDArray[np.int64]:
    """Return the first pixels of windows along an axis: multiples of the stride.

    No window is moved back to the edge, so up to `stride_px - 1` pixels there are in none: a window that was
    would share more with its neighbour than the paper's stride says.
    """
    return np.arange(0, length_px - window_px + 1, stride_px)


def window_counts(strips: Iterable[NDArray[np.bool_]], window_px: int, stride_px: int) -> NDArray[np.int64]:
    """Count the true pixels in each window, from masks in strips of rows.

    One pass over the pixels, whatever the overlap of the windows: sums along the rows of each strip are kept only
    at the windows' columns, then summed down.

    Args:
        strips: (K, h, W) each, from top to bottom, K masks of the same place.
        window_px: side of the windows.
        stride_px: pixels between windows.

    Returns:
        (K, rows of windows, columns of windows).
    """
    across = []
    for strip in strips:
        left = corners(strip.shape[2], window_px, stride_px)
        across.append(_between(strip, left, window_px, axis=2))
    whole = np.concatenate(across, axis=1)
    return _between(whole, corners(whole.shape[1], window_px, stride_px), window_px, axis=1).astype(np.int64)


def _between(values: NDArray[np.generic], start: NDArray[np.int64], length: int, axis: int) -> NDArray[np.int32]:
    """Sum `length` values along an axis, from each `start`."""
    shape = list(values.shape)
    shape[axis] += 1
    sums = np.zeros(shape, np.int32)
    after_first = tuple(slice(1, None) if a == axis else slice(None) for a in range(values.ndim))
    np.cumsum(values, axis=axis, dtype=np.int32, out=sums[after_first])
    return sums.take(start + length, axis) - sums.take(start, axis)


def choose(
    *,
    mapped: NDArray[np.int64],
    visible: NDArray[np.int64],
    cloud: NDArray[np.int64],
    nodata: NDArray[np.int64],
    min_visible_px: int,
    max_cloud_px: float,
) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Choose the windows of an image pair (paper, section 3.2) by their counts of pixels, arrays of one shape.

    Args:
        mapped: landslide.
        visible: landslide whose ground is seen on both dates.
        cloud: under a cloud on either date.
        nodata: not observed on either date, or without terrain.
        min_visible_px: least of `visible`.
        max_cloud_px: most of `cloud`.

    Returns:
        Which are kept, and how many are left out by reason (a key of `REASONS`).
    """
    hidden = visible < min_visible_px
    lacks = (hidden & (mapped == 0), nodata > 0, cloud > max_cloud_px, hidden)
    kept, left_out = np.ones(mapped.shape, np.bool_), {}
    for reason, lacking in zip(REASONS, lacks, strict=True):
        left_out[reason] = int((kept & lacking).sum())
        kept &= ~lacking
    return kept, left_out
