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
"""Pixels on either side from which an image between its pixels is interpolated."""


def fractal(
    shape: tuple[int, int],
    rng: np.random.Generator,
    *,
    exponent: float = 2.0,
    longest_px: float = float("inf"),
    shortest_px: float = 2.0,
) -> Floats:
    """Noise whose spectral power falls as frequency ** -exponent: (h, w) float32, mean 0, deviation 1, periodic.

    Wavelengths fade out above `longest_px` and below `shortest_px`.
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
    """A smooth random curve with mean 0 and deviation 1; (length,) float32."""
    # A long run-in on both sides keeps the deviation of a short piece from being forced to 1.
    pad = int(8 * wavelength_px)
    white = rng.standard_normal(length + 2 * pad, dtype=np.float32)
    smooth = gaussian_filter1d(white, wavelength_px / 4.0, mode="wrap")
    smooth /= max(float(smooth.std()), 1e-12)
    return np.asarray(smooth[pad : pad + length], dtype=np.float32)


def moved(field: Floats, rows: float, columns: float) -> Floats:
    """A field (..., h, w) moved by fractions of a pixel, no less sharp; what enters is what lies at the edge.

    Interpolated by the windowed sine of Lanczos (Duchon 1979), row by row and column by column.
    """
    for axis, offset in ((-2, rows), (-1, columns)):
        reach_px = LANCZOS + int(np.ceil(abs(offset)))
        away = np.arange(-reach_px, reach_px + 1) + offset
        weights = np.where(np.abs(away) < LANCZOS, np.sinc(away) * np.sinc(away / LANCZOS), 0.0)
        field = correlate1d(field, weights / weights.sum(), axis, mode="nearest")
    return np.asarray(field, dtype=np.float32)


def turned(shape: tuple[int, int], centre: Sequence[float], angle: float) -> tuple[Distances, Distances]:
    """Each pixel's distance (h, w) from `centre` (row, column) along two axes turned by `angle`, in pixels."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    y, x = y - centre[0], x - centre[1]
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def ramp(values: npt.NDArray[np.floating], low: float, high: float) -> Floats:
    """A smooth step from 0 at `low` to 1 at `high` (which may be the lower); float32, same shape."""
    t = np.clip((values - np.float32(low)) / np.float32(high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), dtype=np.float32)
