import numpy as np
import pytest

from landslide_cli.simulation.arrays import fractal, line_noise, ramp


def test_noise_is_normalised_and_repeats_for_a_seed() -> None:
    noise = fractal((60, 90), np.random.default_rng(1), exponent=2.4)
    assert noise.shape == (60, 90)
    assert noise.dtype == np.float32
    assert noise.mean() == pytest.approx(0.0, abs=1e-4)
    assert noise.std() == pytest.approx(1.0, abs=1e-4)
    assert np.array_equal(noise, fractal((60, 90), np.random.default_rng(1), exponent=2.4))


def test_a_higher_exponent_is_smoother() -> None:
    rough, smooth = (fractal((128, 128), np.random.default_rng(2), exponent=e) for e in (1.0, 3.0))
    assert np.abs(np.diff(smooth)).mean() < 0.5 * np.abs(np.diff(rough)).mean()


def test_noise_without_long_waves_has_no_trend() -> None:
    field = fractal((256, 256), np.random.default_rng(3), exponent=2.0, longest_px=10)
    assert np.abs(field.reshape(4, 64, 4, 64).mean(axis=(1, 3))).max() < 0.2


def test_ramp_goes_both_ways() -> None:
    values = np.array([-1.0, 0.0, 0.5, 1.0, 2.0])
    assert ramp(values, 0.0, 1.0).tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert ramp(values, 1.0, 0.0).tolist() == [1.0, 1.0, 0.5, 0.0, 0.0]


def test_line_noise_has_its_length() -> None:
    assert line_noise(37, np.random.default_rng(0), 20.0).shape == (37,)
