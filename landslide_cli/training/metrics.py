"""F1, precision and recall of the landslide class, counted over all pixels at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

THRESHOLDS: NDArray[np.float32] = (np.arange(1, 100) / 100).astype(np.float32)
"""The thresholds that are tried: whole percent, the steps of `probability.tif`."""


@dataclass(frozen=True, slots=True)
class Scores:
    """How well a map agrees with the truth at one threshold; 0 where a ratio is not defined."""

    threshold: float
    f1: float
    precision: float
    recall: float


class PixelCounter:
    """Counts pixels of each probability, with and without landslide, over any number of windows.

    Scores of the whole are not the mean of scores of windows: a window without landslides has none.
    """

    def __init__(self) -> None:
        """Begin with no pixel counted."""
        self._counts = np.zeros((2, len(THRESHOLDS) + 1), np.int64)

    def add(self, probability: NDArray[np.float32], landslide: NDArray[np.generic], known: NDArray[np.generic]) -> None:
        """Count the pixels of arrays of one shape.

        Args:
            probability: 0..1.
            landslide: what is true, 0 or 1.
            known: 0 where a pixel does not count.
        """
        counted = known.astype(bool)
        truth = landslide.astype(bool)[counted]
        passed = np.searchsorted(THRESHOLDS, probability[counted].astype(np.float32), side="right")
        for value in (0, 1):
            self._counts[value] += np.bincount(passed[truth == bool(value)], minlength=len(THRESHOLDS) + 1)

    def scores(self) -> list[Scores]:
        """Return the scores at each of `THRESHOLDS`; a pixel is positive from the threshold on."""
        # Pixels that passed at least threshold k, for each k.
        false_positive, true_positive = np.cumsum(self._counts[:, ::-1], axis=1)[:, ::-1][:, 1:]
        landslides = int(self._counts[1].sum())
        return [
            Scores(
                threshold=round(float(threshold), 2),
                f1=_ratio(2 * int(hit), landslides + int(hit) + int(alarm)),
                precision=_ratio(int(hit), int(hit) + int(alarm)),
                recall=_ratio(int(hit), landslides),
            )
            for threshold, hit, alarm in zip(THRESHOLDS, true_positive, false_positive, strict=True)
        ]

    def at(self, threshold: float) -> Scores:
        """Return the scores at the one of `THRESHOLDS` nearest to `threshold`."""
        return min(self.scores(), key=lambda scores: abs(scores.threshold - threshold))

    def best(self) -> Scores:
        """Return the scores at the threshold of the highest F1, the lowest of equals."""
        return max(self.scores(), key=lambda scores: scores.f1)


def _ratio(part: int, whole: int) -> float:
    """Divide, with 0 for nothing out of nothing."""
    return part / whole if whole else 0.0
