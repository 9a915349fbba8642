"""Array types and random fields that every part of the simulation uses."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import fft
from scipy.ndimage import correlate1d, gaussian_filter1d

Floats: TypeAlias = npt.NDArray[np.float32]
Codes: TypeAlias = npt.NDArray[np.uint8]
Flags: TypeAlias = npt.NDArray[np.bool_]
Distances: TypeAlias = npt.NDArray[np.float64]

LANCZOS = 4
"""Pixels on either side that the interpolation between pixels uses."""


def fractal(
    shape: tuple[int, int],
    rng: np.random.Generator,
    *,
    exponent: float = 2.0,
    longest_px: float = float("inf"),
    shortest_px: float = 2.0,
) -> Floats:
    """Make periodic noise with a spectral power of frequency ** -exponent.

    Args:
        shape: height and width in pixels.
        rng: source of the noise.
        exponent: a larger exponent gives smoother noise.
        longest_px: wavelengths above it fade out.
        shortest_px: wavelengths below it fade out.

    Returns:
        (h, w) float32 with mean 0 and standard deviation 1.
    """
    rows = np.fft.fftfreq(shape[0]).astype(np.float32)[:, None]
    columns = np.fft.rfftfreq(shape[1]).astype(np.float32)[None, :]
    squared = rows**2 + columns**2
    squared[0, 0] = 1.0
    amplitude = squared ** np.float32(-exponent / 4.0)
    amplitude *= np.exp(squared * np.float32(-((shortest_px / 2.0) ** 2)))
    if np.isfinite(longest_px):
        amplitude *= 1.0 - np.exp(squared * np.float32(-(longest_px**2)))
    amplitude[0, 0] = 0.0
    white = rng.standard_normal(shape, dtype=np.float32)
    field = fft.irfft2(fft.rfft2(white) * amplitude, s=shape)
    field -= field.mean()
    field /= max(float(field.std()), 1e-12)
    return np.asarray(field, dtype=np.float32)


def line_noise(length: int, rng: np.random.Generator, wavelength_px: float) -> Floats:
    """Make a smooth random curve with mean 0 and standard deviation 1; (length,) float32."""
    # The curve is scaled with a long margin on both sides. Otherwise each short piece would have a deviation of 1.
    pad = int(8 * wavelength_px)
    white = rng.standard_normal(length + 2 * pad, dtype=np.float32)
    smooth = gaussian_filter1d(white, wavelength_px / 4.0, mode="wrap")
    smooth /= max(float(smooth.std()), 1e-12)
    return np.asarray(smooth[pad : pad + length], dtype=np.float32)


def moved(field: Floats, rows: float, columns: float) -> Floats:
    """Move a field by fractions of a pixel without blurring it.

    The windowed sine of Lanczos (Duchon 1979) interpolates along the rows and along the columns.

    Args:
        field: (..., h, w) float32.
        rows: distance to move down, in pixels.
        columns: distance to move to the right, in pixels.

    Returns:
        (..., h, w) float32. Edge values fill the part that the move uncovers.
    """
    for axis, offset in ((-2, rows), (-1, columns)):
        reach_px = LANCZOS + int(np.ceil(abs(offset)))
        away = np.arange(-reach_px, reach_px + 1) + offset
        weights = np.where(np.abs(away) < LANCZOS, np.sinc(away) * np.sinc(away / LANCZOS), 0.0)
        field = correlate1d(field, weights / weights.sum(), axis, mode="nearest")
    return np.asarray(field, dtype=np.float32)


def turned(shape: tuple[int, int], centre: Sequence[float], angle: float) -> tuple[Distances, Distances]:
    """Measure the distance of each pixel from a point along two rotated axes.

    Args:
        shape: height and width in pixels.
        centre: row and column of the point.
        angle: rotation of the axes in radians.

    Returns:
        Two arrays (h, w) float64: signed distance in pixels along the first and the second axis.
    """
    y, x = np.ogrid[: shape[0], : shape[1]]
    y, x = y - centre[0], x - centre[1]
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def ramp(values: npt.NDArray[np.floating], low: float, high: float) -> Floats:
    """Make a smooth step from 0 at `low` to 1 at `high`; float32, same shape. `high` can be less than `low`."""
    t = np.clip((values - np.float32(low)) / np.float32(high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), dtype=np.float32)
