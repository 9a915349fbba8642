"""A scaling undoes what was done to honest probabilities, and leaves their order alone."""

import numpy as np
import pytest

from landslide_cli.training.calibration import Scaling, fit_scaling
from landslide_cli.training.metrics import STEPS, PixelCounter


def counted(scale: float, shift: float, pixels: int = 400_000) -> PixelCounter:
    """Count pixels whose honest logits were changed to `(logit - shift) / scale`."""
    rng = np.random.default_rng(3)
    honest = rng.normal(-2, 2, pixels)
    truth = rng.random(pixels) < 1 / (1 + np.exp(-honest))
    counter = PixelCounter()
    counter.add(1 / (1 + np.exp(-(honest - shift) / scale)), truth, np.ones(pixels))
    return counter


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (0.5, -1.6), (2.0, 0.7)])
def test_what_was_done_to_honest_probabilities_is_undone(scale: float, shift: float) -> None:
    found = fit_scaling(counted(scale, shift).counts)
    assert (found.scale, found.shift) == pytest.approx((scale, shift), rel=0.03, abs=0.06)


def test_calibrated_probabilities_have_a_smaller_error() -> None:
    before = counted(0.5, -1.6)
    scaling = fit_scaling(before.counts)
    after = PixelCounter()
    for step in range(STEPS + 1):
        moved = int(scaling.probability(min((step + 0.5) / STEPS, 1 - 1e-6)) * STEPS)
        after.counts[:, moved] += before.counts[:, step]
    assert after.calibration().error < 0.01 < before.calibration().error
    assert after.average_precision() == pytest.approx(before.average_precision(), abs=0.01)


def test_too_few_pixels_and_a_network_that_is_wrong_change_nothing() -> None:
    assert fit_scaling(np.zeros((2, STEPS + 1), np.int64)) == Scaling()
    assert fit_scaling(counted(1, 0).counts[::-1]) == Scaling()


def test_a_perfect_prediction_stays_finite() -> None:
    counts = np.zeros((2, STEPS + 1), np.int64)
    counts[0, 0] = counts[1, -1] = 100_000
    found = fit_scaling(counts)
    assert np.isfinite([found.scale, found.shift]).all()
    assert found.probability(0.9) > 0.9
