"""Windows over a raster and the weights that blend them. Arithmetic only.

Per axis the weights of all windows sum to one at every pixel, so that blending is a plain sum: it needs no
division, and a constant network gives a constant map.
"""

import numpy as np
from numpy.typing import NDArray


def starts(size: int, tile: int, stride: int) -> list[int]:
    """Return where windows begin along an axis of `size` pixels; the last one ends flush with the axis.

    An axis shorter than a window gets one window, which reaches beyond it.

    Raises:
        ValueError: a stride below 1, or above the tile: pixels would be left out.
    """
    if not 1 <= stride <= tile:
        raise ValueError(f"stride {stride} must be within 1..{tile}, the size of a window")
    last = max(size - tile, 0)
    return [*range(0, last, stride), last]


def ramps(begins: list[int], tile: int) -> NDArray[np.float32]:
    """Return the blending weights of windows along an axis.

    Each window has a tent that falls towards its ends, where a network sees least; tents are then divided
    by their sum at every pixel.

    Args:
        begins: where the windows begin, ascending, without gaps between windows.
        tile: their size.

    Returns:
        (windows, tile) float32, summing to one over the windows at each pixel.
    """
    tent = np.minimum(np.arange(1, tile + 1), np.arange(tile, 0, -1)).astype(np.float64)
    total = np.zeros(begins[-1] + tile)
    for begin in begins:
        total[begin : begin + tile] += tent
    return np.stack([tent / total[begin : begin + tile] for begin in begins]).astype(np.float32)
