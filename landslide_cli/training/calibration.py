"""Calibration: scale and shift the logits of a network, so that its probabilities agree with the truth (Platt 1999)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landslide_cli.training.metrics import STEPS

ROUNDS = 100
"""Largest number of steps of Newton's method; ten are usually enough."""
LEAST_PX = 1000
"""Smallest number of landslide pixels, and of other pixels, to calibrate with."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """A calibrated logit is `scale * logit + shift`; `1 / scale` is the temperature."""

    scale: float = 1.0
    shift: float = 0.0

    def probability(self, probability: float) -> float:
        """Return the calibrated value of a probability."""
        logit = np.log(probability) - np.log1p(-probability)
        return float(1 / (1 + np.exp(-(self.scale * logit + self.shift))))


def fit_scaling(counts: NDArray[np.int64]) -> Scaling:
    """Find the scaling with the highest likelihood of the counted pixels.

    A loss with a higher weight for landslides makes all probabilities too high. A temperature alone cannot correct
    this, so there is also a shift.

    Args:
        counts: (2, STEPS + 1) counts of a `PixelCounter`, from windows that the network did not learn from.

    Returns:
        The scaling; it changes nothing if there are too few pixels, or if landslides do not become likelier with the
        logit.
    """
    stable, landslide = counts.astype(np.float64)
    if min(stable.sum(), landslide.sum()) < LEAST_PX:
        return Scaling()
    middle = np.minimum((np.arange(STEPS + 1) + 0.5) / STEPS, 1 - 0.25 / STEPS)
    features = np.stack([np.log(middle / (1 - middle)), np.ones(STEPS + 1)])
    pixels = stable + landslide
    parameters = np.array([1.0, 0.0])
    for _ in range(ROUNDS):
        predicted = 1 / (1 + np.exp(-parameters @ features))
        gradient = features @ (landslide - pixels * predicted)
        curvature = (features * (pixels * predicted * (1 - predicted))) @ features.T
        step = np.linalg.solve(curvature + 1e-9 * np.trace(curvature) * np.eye(2), gradient)
        # A full step is too long if most probabilities are near 0 or 1.
        parameters = parameters + step * min(1.0, 1.0 / max(np.abs(step).max(), 1e-12))
        if np.abs(step).max() < 1e-8:
            break
    scale, shift = (float(value) for value in parameters)
    return Scaling(scale, shift) if np.isfinite(parameters).all() and scale > 0 else Scaling()
