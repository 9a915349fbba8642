"""Merges several scenes of one side into one image: gaps of a scene are filled from the next scene."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from landslide_cli.geo.bands import NODATA, Unseen
from landslide_cli.imagery.scenes import Scene

Reader = Callable[[Scene], tuple[NDArray[np.uint8], Callable[[], NDArray[np.uint16]]]]
"""Takes a scene. Returns the codes of `Unseen` (H, W), and a function that reads the digital numbers (B, H, W)."""


def composite(scenes: Sequence[Scene], read: Reader) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """Fill each pixel from the first scene that shows the ground; scenes that add nothing are not read.

    Args:
        scenes: scenes, the best first.
        read: see `Reader`.

    Returns:
        (B, H, W) uint16 digital numbers, 0 where no scene observed; and (H, W) uint8, the number of the scene (from 1)
        that shows the ground, or a code of `Unseen`. If no scene shows the ground, the pixel is taken from the first
        scene that observed it, including its clouds, so that a person can see the reason.
    """
    why, read_images = read(scenes[0])
    dn = read_images().copy()
    observed = _observed(dn)
    source = np.where(observed, why, Unseen.OUTSIDE).astype(np.uint8)
    source[source == 0] = 1
    for number, scene in enumerate(scenes[1:], 2):
        wanting = source >= min(Unseen)
        if not wanting.any():
            break
        why, read_images = read(scene)
        if not (wanting & ((why == 0) | ((source == Unseen.OUTSIDE) & (why != Unseen.OUTSIDE)))).any():
            continue
        other = read_images()
        fills = wanting & (why == 0) & _observed(other)
        shows = (source == Unseen.OUTSIDE) & _observed(other)
        dn[:, fills | shows] = other[:, fills | shows]
        source[shows] = why[shows]
        source[fills] = number
    return dn, source


def _observed(dn: NDArray[np.uint16]) -> NDArray[np.bool_]:
    observed: NDArray[np.bool_] = np.logical_and.reduce(dn != NODATA)
    return observed
