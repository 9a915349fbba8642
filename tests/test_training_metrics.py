"""Scores are counted over all pixels at once, at every threshold."""

from math import isnan

import numpy as np
import numpy.typing as npt
import pytest

from landslide_cli.training.metrics import THRESHOLDS, PixelCounter


def counted(probability: npt.ArrayLike, truth: npt.ArrayLike) -> PixelCounter:
    counter = PixelCounter()
    counter.add(np.asarray(probability, np.float32), np.asarray(truth), np.ones(np.shape(truth)))
    return counter


def test_scores_equal_a_count_by_hand() -> None:
    generator = np.random.default_rng(3)
    probability = generator.integers(0, 101, (4, 1, 9, 9)).astype(np.float32) / 100
    truth = generator.integers(0, 2, (4, 1, 9, 9)).astype(bool)
    counter = PixelCounter()
    for one, other in zip(probability, truth, strict=True):
        counter.add(one, other, np.ones_like(other))
    for threshold in THRESHOLDS:
        mapped = np.round(100 * probability) >= round(100 * threshold)
        hits, scores = (mapped & truth).sum(), counter.at(threshold)
        assert scores.precision == pytest.approx(hits / mapped.sum())
        assert scores.recall == pytest.approx(hits / truth.sum())
        assert scores.f1 == pytest.approx(2 * hits / (mapped.sum() + truth.sum()))
        assert scores.iou == pytest.approx(hits / (mapped | truth).sum())
    assert counter.best().f1 == max(counter.at(threshold).f1 for threshold in THRESHOLDS)


def test_pixels_that_do_not_count_change_nothing() -> None:
    known = np.array([1, 1, 0, 0])
    counter = PixelCounter()
    counter.add(np.array([0.9, 0.1, 0.9, 0.1], np.float32), np.array([1, 0, 0, 1]), known)
    assert counter.at(0.5).f1 == 1


def test_a_perfect_map_is_perfect() -> None:
    truth = np.array([0, 1, 1, 0, 0])
    counter = counted(truth, truth)
    scores = counter.best()
    assert (scores.f1, scores.precision, scores.recall, scores.iou) == (1, 1, 1, 1)
    assert counter.average_precision() == 1
    assert counter.calibration().error == pytest.approx(0, abs=1e-3)


def test_an_untrained_network_is_as_precise_as_chance() -> None:
    generator = np.random.default_rng(0)
    truth = generator.random(200_000) < 0.1
    counter = counted(np.full(truth.shape, 0.5), truth)
    assert counter.at(0.5).precision == pytest.approx(0.1, abs=0.005)
    assert counter.at(0.5).recall == 1
    assert counter.average_precision() == pytest.approx(0.1, abs=0.005)
    assert counter.calibration().error == pytest.approx(0.4, abs=0.01)
    guessed = counted(generator.random(truth.shape), truth)
    assert guessed.average_precision() == pytest.approx(0.1, abs=0.01)


def test_nothing_counted_has_no_scores() -> None:
    under_clouds = PixelCounter()
    under_clouds.add(np.full(9, 0.9, np.float32), np.ones(9), np.zeros(9))
    for counter in (PixelCounter(), under_clouds):
        scores = counter.best()
        assert all(isnan(value) for value in (scores.precision, scores.recall, scores.f1, scores.iou))
        assert isnan(counter.average_precision())
        assert isnan(counter.calibration().error)


def test_no_landslide_leaves_recall_undefined_and_counts_alarms() -> None:
    scores = counted([0.9, 0.1], [0, 0]).at(0.5)
    assert isnan(scores.recall)
    assert (scores.precision, scores.f1) == (0, 0)


def test_calibration_compares_probability_with_frequency() -> None:
    generator = np.random.default_rng(1)
    probability = generator.random(400_000)
    honest = counted(probability, generator.random(probability.shape) < probability).calibration()
    assert honest.error < 0.01
    assert np.allclose(honest.predicted, np.arange(0.05, 1, 0.1), atol=0.01)
    assert sum(honest.pixels) == probability.size
    bold = counted(probability, generator.random(probability.shape) < probability / 2).calibration()
    assert bold.error == pytest.approx(0.25, abs=0.01)
    assert np.allclose(np.array(bold.observed) * 2, bold.predicted, atol=0.02)


def test_a_probability_equal_to_the_threshold_passes() -> None:
    assert counted([0.5, 0.57], [1, 1]).at(0.57).recall == 0.5
    assert counted([0.5, 0.57], [1, 1]).at(0.5).recall == 1
