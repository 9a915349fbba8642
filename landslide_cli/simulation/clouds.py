"""Simulates clouds, their shadows and their scene classification."""

from dataclasses import dataclass

import numpy as np

from landslide_cli.geo.bands import GSD_M, SCL
from landslide_cli.simulation.arrays import Codes, Floats, fractal, ramp


@dataclass(frozen=True, slots=True)
class Clouds:
    """Clouds over a scene. Both arrays are (h, w) float32, 0 to 1."""

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
    """Make clouds, with shadows away from the sun.

    Args:
        shape: height and width in pixels.
        rng: source of the clouds.
        share: share of the scene that clouds cover, 0 to 1, not exact.
        sun_zenith_deg: zenith angle of the sun in degrees.
        sun_azimuth_deg: azimuth of the sun in degrees, clockwise from north.

    Returns:
        The clouds and their shadows.
    """
    lumps = fractal(shape, rng, exponent=3.1, longest_px=max(shape) / 2)
    field = lumps + 0.09 * fractal(shape, rng, exponent=1.9)
    level = float(np.quantile(field, 1.0 - min(max(share, 0.0), 1.0)))
    # At `level` the opacity passes 0.4, from which a pixel counts as cloud.
    core = ramp(field, level - 0.28, level + 0.40)
    opacity = core * (0.93 + 0.07 * ramp(lumps, level, level + 1.0))
    base_m = rng.uniform(900.0, 2200.0)
    shift_px = base_m * np.tan(np.radians(min(sun_zenith_deg, 70.0))) / GSD_M
    azimuth = np.radians(sun_azimuth_deg)
    # The field is periodic, so rolling it loses nothing. Shadows fall away from the sun.
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
    """Classify a scene, with the errors of a real scene classification.

    It misses some rims of clouds and shadows. It takes some bright ground for cloud and some dark slopes for cloud
    shadow.

    Args:
        clouds: the clouds over the scene.
        reflectance: (12, h, w) float32.
        water: (h, w) float32, share of water.
        rng: source of the errors.
        snow: (h, w) float32, share of snow. None for no snow.
        sunlight: (h, w) float32, direct light relative to flat ground. None for no dark slopes.
        mistakes: factor on the errors at the rims of clouds and shadows.

    Returns:
        (h, w) uint8, codes of bands.SCL.
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
