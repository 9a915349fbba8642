"""Clouds, their shadows and what the scene classification makes of them."""

from dataclasses import dataclass

import numpy as np

from landslide_cli.geo.bands import GSD_M, SCL
from landslide_cli.simulation.arrays import Codes, Floats, fractal, ramp


@dataclass(frozen=True, slots=True)
class Clouds:
    """Clouds over a scene; both arrays are (h, w) float32, 0 to 1."""

    opacity: Floats
    shadow: Floats


def make_clouds(
    shape: tuple[int, int],
    rng: np.random.Generator,
    *,
    share: float,
    sun_zenith_deg: float,
    sun_azimuth_deg: float,
) -> Clouds:
    """Clouds over about `share` of the scene, with shadows away from the sun."""
    lumps = fractal(shape, rng, exponent=3.1, longest_px=max(shape) / 2)
    field = lumps + 0.09 * fractal(shape, rng, exponent=1.9)
    level = float(np.quantile(field, 1.0 - min(max(share, 0.0), 1.0)))
    # Opacity passes 0.4, where a cloud counts as one, at the level.
    core = ramp(field, level - 0.28, level + 0.40)
    opacity = core * (0.93 + 0.07 * ramp(lumps, level, level + 1.0))
    base_m = rng.uniform(900.0, 2200.0)
    shift_px = base_m * np.tan(np.radians(min(sun_zenith_deg, 70.0))) / GSD_M
    azimuth = np.radians(sun_azimuth_deg)
    # The field is periodic, so rolling it loses nothing; shadows fall away from the sun.
    shift = (round(shift_px * np.cos(azimuth)), round(-shift_px * np.sin(azimuth)))
    shadow = np.roll(opacity, shift, axis=(0, 1))
    return Clouds(opacity, shadow)


def classify(
    clouds: Clouds,
    reflectance: Floats,
    water: Floats,
    rng: np.random.Generator,
    snow: Floats | None = None,
    sunlight: Floats | None = None,
    mistakes: float = 1.0,
) -> Codes:
    """Scene classification (h, w) uint8 of reflectance (12, h, w), with the faults of a real one.

    Rims of clouds and shadows are missed here and there, some bright ground is taken for cloud, and dark slopes for
    cloud shadow. `mistakes` is a factor on the first; `snow` and `sunlight` (h, w) are what lies there and how it
    is lit.
    """
    red, nir, swir = reflectance[3], reflectance[7], reflectance[10]
    ndvi = (nir - red) / np.maximum(nir + red, 1e-3)
    codes = np.where(ndvi > 0.42, np.uint8(SCL.VEGETATION), np.uint8(SCL.NOT_VEGETATED))
    codes[(nir < 0.10) & (swir < 0.07)] = SCL.DARK
    codes[water > 0.5] = SCL.WATER
    if snow is not None:
        codes[snow > 0.5] = SCL.SNOW
    if sunlight is not None:
        dark = (sunlight < 0.15) & (codes != SCL.WATER)
        codes[dark] = SCL.DARK
        codes[dark & (fractal(water.shape, rng, exponent=2.0, longest_px=60) > 1.2)] = SCL.CLOUD_SHADOW

    doubt = 1.0 + 0.18 * mistakes * fractal(water.shape, rng, exponent=2.0, longest_px=40)
    codes[clouds.shadow * doubt > 0.55] = SCL.CLOUD_SHADOW
    seen = clouds.opacity * doubt
    codes[seen > 0.16] = SCL.THIN_CIRRUS
    bright = (reflectance[1] > 0.24) & (codes != SCL.SNOW)
    codes[(seen > 0.40) | bright] = SCL.CLOUD_MEDIUM
    codes[seen > 0.65] = SCL.CLOUD_HIGH
    return codes.astype(np.uint8)
