"""Windows over a raster and the weights that blend them. Arithmetic only.

Windows lie on multiples of the stride in absolute coordinates, so that a pixel is seen by the same windows however an
area was cut. Per axis the weights of all windows sum to one at every pixel, so that blending is a plain sum: it needs
no division, and a constant network gives a constant map.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

PARTS: Final = 2**16
"""Weights are whole multiples of 1/PARTS: their sums and products are exact in float64, in any order."""


def starts(size: int, tile: int, stride: int, origin: int = 0) -> list[int]:
    """Return where windows begin along an axis of `size` pixels; the first and the last may reach beyond it.

    Args:
        size: pixels of the axis.
        tile: pixels of a window.
        stride: pixels between windows.
        origin: absolute index of the axis' first pixel; windows begin at absolute multiples of `stride`.

    Raises:
        ValueError: a stride below 1, or above the tile: pixels would be left out.
    """
    if not 1 <= stride <= tile:
        raise ValueError(f"stride {stride} must be within 1..{tile}, the size of a window")
    first = -(origin % stride)
    beyond = max(size - tile - first, 0)
    return [first + number * stride for number in range(-(-beyond // stride) + 1)]


def ramps(begins: list[int], tile: int) -> NDArray[np.float64]:
    """Return the blending weights of windows along an axis.

    Each window has a tent that falls towards its ends, where a network sees least; tents are then divided by their
    sum at every pixel. The weights of a pixel depend only on where it lies in the windows that see it.

    Args:
        begins: where the windows begin, ascending, without gaps between windows.
        tile: their size.

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
        # Differences of rounded running sums: what is lost to rounding by one window is given to the next.
        after = before[span] + tent
        weights[number] = PARTS * after // total[span] - PARTS * before[span] // total[span]
        before[span] = after
    return weights / PARTS
