"""Landslides as objects: how many are found, by size, and how many mapped regions are false alarms."""

from dataclasses import dataclass, field
from math import inf
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

SIZE_CLASSES_M2: Final = (1_000, 5_000, 10_000, 50_000, inf)
"""Upper bounds of the size classes; 1000 m² are ten pixels."""

_EIGHT: Final = np.ones((3, 3), bool)
"""Pixels that touch at a corner belong to one region, as in the polygons of `vectorize`."""


@dataclass
class ObjectCounter:
    """Counts landslides and mapped regions, over any number of maps.

    A landslide is a region of true pixels. It is found if at least the share `overlap` of its area is mapped, or if it
    has at least the IoU `iou` with the mapped regions that touch it. A mapped region without a true pixel is a false
    alarm.
    """

    overlap: float
    iou: float
    landslides: dict[float, int] = field(default_factory=lambda: dict.fromkeys(SIZE_CLASSES_M2, 0))
    """By the upper bound of their size class."""
    found: dict[float, int] = field(default_factory=lambda: dict.fromkeys(SIZE_CLASSES_M2, 0))
    regions: int = 0
    false_alarms: int = 0
    mapped_px: int = 0
    known_px: int = 0

    def add(
        self, landslide: NDArray[np.bool_], mapped: NDArray[np.bool_], known: NDArray[np.bool_], pixel_m2: float
    ) -> None:
        """Count a map.

        Args:
            landslide: (H, W), the truth.
            mapped: (H, W), the map.
            known: (H, W), False where pixels do not count.
            pixel_m2: area of a pixel in square metres.
        """
        self.mapped_px += int((mapped & known).sum())
        self.known_px += int(known.sum())
        truth, truths = label(landslide & known, _EIGHT)
        regions, count = label(mapped & known, _EIGHT)
        true_px = np.bincount(truth.ravel(), minlength=truths + 1)[1:]
        region_px = np.bincount(regions.ravel(), minlength=count + 1)[1:]
        both = (truth > 0) & (regions > 0)
        pairs, shared_px = np.unique(np.stack([truth[both], regions[both]]) - 1, axis=1, return_counts=True)
        covered_px = np.bincount(pairs[0], weights=shared_px, minlength=truths)
        touching_px = np.bincount(pairs[0], weights=region_px[pairs[1]], minlength=truths)
        found = covered_px >= self.overlap * true_px
        # The union of the landslide and all mapped regions that touch it.
        found |= covered_px >= self.iou * (touching_px + true_px - covered_px)
        found &= covered_px > 0
        for size_m2, hit in zip((true_px * pixel_m2).tolist(), found.tolist(), strict=True):
            bound = next(bound for bound in SIZE_CLASSES_M2 if size_m2 <= bound)
            self.landslides[bound] += 1
            self.found[bound] += hit
        self.regions += count
        self.false_alarms += count - len(np.unique(pairs[1]))
