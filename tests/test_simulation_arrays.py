import numpy as np
import pytest

from landslide_cli.simulation.arrays import fractal, line_noise, moved, ramp


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


def test_what_is_moved_lies_where_it_should_and_is_as_sharp() -> None:
    rows, columns = np.indices((64, 80), dtype=np.float32)
    wave = np.stack([np.cos(2 * np.pi * rows / 4.5), np.cos(2 * np.pi * columns / 3.5)])
    there = moved(wave, 1.3, -2.45)
    expected = np.stack([np.cos(2 * np.pi * (rows - 1.3) / 4.5), np.cos(2 * np.pi * (columns + 2.45) / 3.5)])
    inner = (..., slice(10, -10), slice(10, -10))
    assert there.dtype == np.float32
    assert there[inner] == pytest.approx(expected[inner], abs=0.03)
    assert moved(wave, 3.0, 0.0)[0, 3:] == pytest.approx(wave[0, :-3], abs=1e-5)
    assert moved(np.full((5, 6), 0.7, np.float32), 0.4, 1.9) == pytest.approx(0.7)
