"""Places windows over a raster and computes their blending weights. Arithmetic only.

Windows start at multiples of the stride in absolute coordinates, so that a pixel lies in the same windows however an
area is cut. On each axis the weights of all windows sum to one at every pixel. So blending is a plain sum without
division, and a constant network gives a constant map.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

PARTS: Final = 2**16
"""Weights are multiples of 1/PARTS: their sums and products are exact in float64, in any order."""


def starts(size: int, tile: int, stride: int, origin: int = 0) -> list[int]:
    """Return the first pixel of each window along an axis; the first and the last window can reach beyond the axis.

    Args:
        size: length of the axis in pixels.
        tile: size of a window in pixels.
        stride: distance between windows in pixels.
        origin: absolute index of the first pixel of the axis; windows start at absolute multiples of `stride`.

    Returns:
        Positions relative to the first pixel of the axis, ascending; the first can be negative.

    Raises:
        ValueError: the stride is below 1, or above the window size, which would skip pixels.
    """
    if not 1 <= stride <= tile:
        raise ValueError(f"stride {stride} must be within 1..{tile}, the window size")
    first = -(origin % stride)
    beyond = max(size - tile - first, 0)
    return [first + number * stride for number in range(-(-beyond // stride) + 1)]


def ramps(begins: list[int], tile: int) -> NDArray[np.float64]:
    """Return the blending weights of windows along an axis.

    Each window has a tent that falls towards its ends, where a network sees least context. The tents are divided by
    their sum at every pixel. The weights of a pixel depend only on its place in the windows that contain it.

    Args:
        begins: first pixel of each window, ascending, without gaps between windows.
        tile: size of a window in pixels.

    Returns:
        (windows, tile) float64, multiples of 1/PARTS that sum to exactly one over the windows at each pixel.
    """
    tent = np.minimum(np.arange(1, tile + 1), np.arange(tile, 0, -1))
    spans = [slice(begin - begins[0], begin - begins[0] + tile) for begin in begins]
    total = np.zeros(spans[-1].stop, np.int64)
    for span in spans:
        total[span] += tent
    weights, before = np.empty((len(begins), tile)), np.zeros_like(total)
    for number, span in enumerate(spans):
        # Differences of rounded running sums: the next window gets what rounding took from this one.
        after = before[span] + tent
        weights[number] = PARTS * after // total[span] - PARTS * before[span] // total[span]
        before[span] = after
    return weights / PARTS
