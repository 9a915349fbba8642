"""Scores are counted over all pixels at once, at every threshold."""

import numpy as np
import pytest

from landslide_cli.training.metrics import PixelCounter


def test_scores_equal_a_count_by_hand() -> None:
    generator = np.random.default_rng(3)
    counter = PixelCounter()
    windows = [
        (generator.uniform(0, 1, (1, 9, 9)).astype(np.float32), generator.integers(0, 2, (1, 9, 9))) for _ in range(4)
    ]
    for probability, truth in windows:
        counter.add(probability, truth, np.ones_like(truth))
    probability = np.stack([window[0] for window in windows])
    truth = np.stack([window[1] for window in windows]).astype(bool)
    for scores in counter.scores():
        mapped = probability >= np.float32(scores.threshold)
        hits = (mapped & truth).sum()
        assert scores.precision == pytest.approx(hits / mapped.sum() if mapped.any() else 0)
        assert scores.recall == pytest.approx(hits / truth.sum())
        assert scores.f1 == pytest.approx(2 * hits / (mapped.sum() + truth.sum()))


def test_a_probability_equal_to_the_threshold_passes() -> None:
    counter = PixelCounter()
    counter.add(np.array([0.5, 0.57], np.float32), np.array([1, 1]), np.array([1, 1]))
    assert counter.at(0.5).recall == 1
    assert counter.at(0.57).recall == 0.5


def test_unknown_pixels_do_not_count() -> None:
    counter = PixelCounter()
    counter.add(np.array([0.9, 0.9, 0.1], np.float32), np.array([1, 0, 1]), np.array([1, 0, 0]))
    assert counter.at(0.5).f1 == 1


def test_best_is_the_threshold_that_separates() -> None:
    counter = PixelCounter()
    counter.add(np.array([0.1, 0.2, 0.31, 0.4], np.float32), np.array([0, 0, 1, 1]), np.ones(4))
    assert counter.best().f1 == 1
    assert counter.best().threshold == 0.21


def test_nothing_counted_scores_zero() -> None:
    assert PixelCounter().best().f1 == 0
