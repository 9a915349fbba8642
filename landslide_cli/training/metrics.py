"""Scores of a map of probabilities, counted over all pixels together (paper, section 4)."""

from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray

STEPS = 1000
"""Probabilities are counted in steps of a thousandth."""
CALIBRATION_BINS = 10
THRESHOLDS = tuple(percent / 100 for percent in range(1, 100))
"""Thresholds to try: whole percent, the steps of `probability.tif`."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of a map at one threshold. A score is NaN if its ratio has the divisor 0."""

    threshold: float
    precision: float
    recall: float
    f1: float
    iou: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Mean probability and share of landslides, in bins of equal width from 0 to 1."""

    predicted: tuple[float, ...]
    """Mean probability of the pixels of each bin; NaN for an empty bin."""
    observed: tuple[float, ...]
    """Share of landslide pixels in each bin."""
    pixels: tuple[int, ...]
    error: float
    """Expected calibration error: mean distance between `predicted` and `observed` over all pixels."""


class PixelCounter:
    """Counts pixels by probability and truth, over any number of windows.

    Scores of single windows are never averaged, because a window without landslides has no score.
    """

    def __init__(self, counts: NDArray[np.int64] | None = None) -> None:
        """Start with `counts` (2, STEPS + 1), other and landslide pixels by probability; or with zeros."""
        self.counts = np.zeros((2, STEPS + 1), np.int64) if counts is None else counts

    def add(
        self, probability: NDArray[np.floating], landslide: NDArray[np.generic], known: NDArray[np.generic]
    ) -> None:
        """Count the pixels of arrays of one shape.

        Args:
            probability: 0..1.
            landslide: the truth, 0 or 1.
            known: 0 if a pixel does not count.
        """
        counted = known.astype(bool)
        truth = landslide.astype(bool)[counted]
        # Rounded down, because a pixel belongs to the thresholds that it reaches; the margin allows for float32.
        step = np.floor(probability[counted].astype(np.float64) * STEPS + 1e-4).astype(np.int64)
        for value in (0, 1):
            self.counts[value] += np.bincount(step[truth == bool(value)], minlength=STEPS + 1)

    def at(self, threshold: float) -> Scores:
        """Return the scores for the pixels that reach `threshold`, a multiple of 1 / STEPS."""
        alarms, hits = (int(n) for n in self.counts[:, round(threshold * STEPS) :].sum(axis=1))
        landslides = int(self.counts[1].sum())
        return Scores(
            threshold=threshold,
            precision=_ratio(hits, hits + alarms),
            recall=_ratio(hits, landslides),
            f1=_ratio(2 * hits, landslides + hits + alarms),
            iou=_ratio(hits, landslides + alarms),
        )

    def best(self) -> Scores:
        """Return the scores at the threshold with the highest F1; of equal ones, at the lowest."""
        return max(
            (self.at(threshold) for threshold in THRESHOLDS), key=lambda scores: np.nan_to_num(scores.f1, nan=-1)
        )

    def curve(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return precision and recall at each threshold, from the highest down; NaN as in `Scores`."""
        alarms, hits = np.cumsum(self.counts[:, ::-1], axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return hits / (hits + alarms), hits / self.counts[1].sum()

    def average_precision(self) -> float:
        """Return the average precision; NaN without landslides."""
        precision, recall = self.curve()
        if np.isnan(recall).all():
            return nan
        gained = np.diff(recall, prepend=0)
        return float(np.sum(np.where(gained > 0, precision, 0) * gained))

    def calibration(self) -> Calibration:
        """Compare the probabilities with the truth."""
        step = np.arange(STEPS + 1)
        # The middle of a step stands for its pixels; the last holds only 1.
        probability = np.minimum((step + 0.5) / STEPS, 1)
        bin_of = np.minimum(step * CALIBRATION_BINS // STEPS, CALIBRATION_BINS - 1)
        total = self.counts.sum(axis=0)
        pixels, mass, landslides = (
            np.bincount(bin_of, weights=weights, minlength=CALIBRATION_BINS)
            for weights in (total, total * probability, self.counts[1])
        )
        with np.errstate(invalid="ignore"):
            predicted, observed = mass / pixels, landslides / pixels
        distance = np.nan_to_num(np.abs(predicted - observed)) * pixels
        return Calibration(
            tuple(predicted.tolist()),
            tuple(observed.tolist()),
            tuple(int(n) for n in pixels),
            float(distance.sum() / pixels.sum()) if pixels.sum() else nan,
        )


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else nan
