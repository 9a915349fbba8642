"""Renders images of a world: light on slopes, season, haze, clouds, blur and noise of the sensor."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from scipy.ndimage import gaussian_filter

from landslide_cli.geo.bands import GSD_M
from landslide_cli.simulation.arrays import Codes, Flags, Floats, fractal, moved
from landslide_cli.simulation.clouds import Clouds, classify, make_clouds
from landslide_cli.simulation.grids import block_mean
from landslide_cli.simulation.spectra import AXES, CLOUD, DIFFUSE, GREEN, HAZE, RAYLEIGH, Material
from landslide_cli.simulation.terrain import Terrain
from landslide_cli.simulation.world import World, variation

FINER = 2
"""Parts per side of a pixel where trees end, because a rim of shade is narrower than a pixel."""
BLUR_PX = 0.6
"""Standard deviation of the sensor's point spread. It keeps 0.17 of a wave of 2 pixels; 0.15 to 0.3 is required."""
DRIFT = (0.5, 0.9, 1.2, 0.5)
"""Changes of brightness, greenness, wetness and redness between dates, relative to each other."""
GRAIN = 0.15
"""Mean share of these changes that differs from pixel to pixel."""
LEFT_HAZE_VARIES = 0.7
"""Variation of the remaining haze inside an image, relative to its variation from image to image."""
TOO_MUCH_TAKEN = -1.0
"""Smallest remaining haze, in `Nature.left_haze`. If a correction removed more, the darkest ground would show it."""
DARKEST = (0.68, 0.25)
"""Share of the sunlight that trees keep from the ground behind them: mean, and standard deviation along the edge."""


@dataclass(frozen=True, slots=True)
class Acquisition:
    """When and how a scene is taken."""

    when: datetime
    platform: str
    """Satellite, such as `S2A`."""
    baseline: str
    """Processing baseline, such as `05.09`."""
    after_event: bool
    cloud_share: float
    """Share of the scene under clouds, 0 to 1."""
    sun_zenith_deg: float
    sun_azimuth_deg: float
    """Clockwise from north."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Image and scene classification of one date."""

    reflectance: Floats
    """(12, h, w) float32."""
    scl: Codes
    """(h, w) uint8, codes of bands.SCL."""


def sun_position(when: datetime, latitude_deg: float, longitude_deg: float) -> tuple[float, float]:
    """Compute the position of the sun to about one degree.

    Args:
        when: UTC time.
        latitude_deg: latitude of the place.
        longitude_deg: longitude of the place.

    Returns:
        Zenith angle and azimuth (clockwise from north) in degrees.
    """
    day = when.timetuple().tm_yday
    declination = np.radians(-23.44 * np.cos(2.0 * np.pi * (day + 10) / 365.25))
    hour = np.radians(15.0 * (when.hour + when.minute / 60.0 - 12.0) + longitude_deg)
    latitude = np.radians(latitude_deg)
    east = -np.cos(declination) * np.sin(hour)
    north = np.cos(latitude) * np.sin(declination) - np.sin(latitude) * np.cos(declination) * np.cos(hour)
    up = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(hour)
    return float(np.degrees(np.arccos(up))), float(np.degrees(np.arctan2(east, north)) % 360.0)


def relative_sunlight(terrain: Terrain, sun_zenith_deg: float, sun_azimuth_deg: float) -> Floats:
    """Compute the direct light on slopes, relative to flat ground.

    Args:
        terrain: the ground.
        sun_zenith_deg: zenith angle of the sun.
        sun_azimuth_deg: azimuth of the sun, clockwise from north.

    Returns:
        (h, w) float32, 0 where the slope faces away from the sun.
    """
    east, north = terrain.gradient()
    zenith, azimuth = np.radians(sun_zenith_deg), np.radians(sun_azimuth_deg)
    towards_sun = east * np.sin(azimuth) + north * np.cos(azimuth)
    cosine = (1.0 - np.tan(zenith) * towards_sun) / np.sqrt(1.0 + east**2 + north**2)
    return np.asarray(np.clip(cosine, 0.0, 2.2), dtype=np.float32)


def cast_shadow(terrain: Terrain, sun_zenith_deg: float, sun_azimuth_deg: float) -> Flags:
    """Find where higher ground hides the sun.

    Args:
        terrain: the ground.
        sun_zenith_deg: zenith angle of the sun.
        sun_azimuth_deg: azimuth of the sun, clockwise from north.

    Returns:
        (h, w) bool, True in shadow.
    """
    height = terrain.elevation_m
    rise_m = GSD_M / np.tan(np.radians(max(sun_zenith_deg, 5.0)))
    azimuth = np.radians(sun_azimuth_deg)
    reach_px = min(int(np.ptp(height) / rise_m) + 1, max(height.shape))
    shadow = np.zeros(height.shape, dtype=bool)
    edge = np.pad(height, reach_px, mode="edge")
    for distance in range(2, reach_px, 2):
        row = reach_px - round(distance * np.cos(azimuth))
        column = reach_px + round(distance * np.sin(azimuth))
        there = edge[row : row + height.shape[0], column : column + height.shape[1]]
        shadow |= there - height > distance * rise_m
    return shadow


def rim_shade(standing_m: Floats, sun_zenith_deg: float, sun_azimuth_deg: float, gsd_m: float = GSD_M) -> Floats:
    """Compute the shade of taller trees and houses beside each pixel: the dark rim of a clearing.

    Args:
        standing_m: (h, w) float32, height of trees and houses in metres.
        sun_zenith_deg: zenith angle of the sun.
        sun_azimuth_deg: azimuth of the sun, clockwise from north.
        gsd_m: side of a pixel.

    Returns:
        (h, w) float32, share of each pixel in shade, 0 to 1.
    """
    rise_m = gsd_m / np.tan(np.radians(max(sun_zenith_deg, 5.0)))
    azimuth = np.radians(sun_azimuth_deg)
    shade = np.zeros_like(standing_m)
    reach_px = int(standing_m.max() / rise_m) + 2
    edge = np.pad(standing_m, reach_px + 1, mode="edge")
    for distance in range(1, reach_px):
        there = _seen_from(edge, reach_px + 1, -distance * np.cos(azimuth), distance * np.sin(azimuth))
        # This is the length of the shadow beyond the near side of the pixel, in pixels.
        np.maximum(shade, (there - standing_m) / rise_m - (distance - 1), out=shade)
    return np.asarray(np.clip(shade, 0.0, 1.0), dtype=np.float32)


def _seen_from(edge: Floats, margin_px: int, rows: float, columns: float) -> Floats:
    """Interpolate a field (`edge` without its margin) at the distance `rows`, `columns` from each of its pixels."""
    height, width = (size - 2 * margin_px for size in edge.shape)
    top, left = int(np.floor(rows)), int(np.floor(columns))
    there = np.zeros((height, width), np.float32)
    for row, of_row in ((top, 1.0 - (rows - top)), (top + 1, rows - top)):
        for column, of_column in ((left, 1.0 - (columns - left)), (left + 1, columns - left)):
            corner = (slice(margin_px + row, None), slice(margin_px + column, None))
            there += np.float32(of_row * of_column) * edge[corner][:height, :width]
    return there


def render(world: World, acquisition: Acquisition, rng: np.random.Generator) -> Scene:
    """Render one scene on the whole grid of the world.

    Args:
        world: the place.
        acquisition: when and how the scene is taken.
        rng: source of season, haze, clouds and noise.

    Returns:
        The scene.
    """
    shares = world.after if acquisition.after_event else world.before
    terrain = world.terrain_after if acquisition.after_event else world.terrain
    shape, nature = terrain.shape, world.nature
    seasonal = nature.spectra.copy()
    for material in GREEN:
        # Plants change in two weeks: chlorophyll darkens the visible, leaves brighten the infrared.
        seasonal[material, :5] *= rng.normal(1.0, 0.06)
        seasonal[material, 5:] *= rng.normal(1.0, 0.05)
    reflectance = np.tensordot(seasonal.T, shares, axes=1)

    brightness = world.brightness_after if acquisition.after_event else world.brightness
    factor = brightness * (1.0 + 0.025 * fractal(shape, rng, exponent=1.2))
    if nature.restless:
        factor = factor * world.passing_brightness(shares, rng)
    sunlight = relative_sunlight(terrain, acquisition.sun_zenith_deg, acquisition.sun_azimuth_deg)
    if nature.shadows:
        sunlight *= ~cast_shadow(terrain, acquisition.sun_zenith_deg, acquisition.sun_azimuth_deg)
    reflectance *= factor
    if world.tint is not None:
        # Plants, moisture and air differ from date to date: in the whole scene, in each stand, in each pixel.
        grain = np.minimum(np.float32(GRAIN) * world.coarseness**2, np.float32(1.0))
        drift = variation(world.stands, rng, grain) + rng.normal(0.0, 0.8, (len(AXES), 1, 1))
        drift *= nature.drift * np.array(DRIFT)[:, None, None]
        reflectance *= np.exp(np.tensordot(AXES.T, world.tint + drift.astype(np.float32), axes=1))
    direct = sunlight
    if nature.shadows:
        standing_m = world.standing_m(shares, FINER)
        shade = rim_shade(standing_m, acquisition.sun_zenith_deg, acquisition.sun_azimuth_deg, GSD_M / FINER)
        # Some light comes through the crowns, not the same everywhere.
        dense = DARKEST[0] + DARKEST[1] * fractal(shape, rng, exponent=1.0)
        direct = sunlight * (1.0 - block_mean(shade, FINER) * np.clip(dense, 0.0, 1.0))
    for index, diffuse in enumerate(DIFFUSE):
        reflectance[index] *= diffuse + (1.0 - diffuse) * direct

    clouds = make_clouds(
        shape,
        rng,
        share=acquisition.cloud_share,
        sun_zenith_deg=acquisition.sun_zenith_deg,
        sun_azimuth_deg=acquisition.sun_azimuth_deg,
    )
    _veil(reflectance, clouds, nature.haze[acquisition.after_event], rng)
    if nature.left_haze:
        left = np.maximum(rng.normal() + LEFT_HAZE_VARIES * fractal(shape, rng, exponent=3.0), TOO_MUCH_TAKEN)
        reflectance += np.float32(nature.left_haze) * left * HAZE[:, None, None]
    if nature.air:
        # The air differs from date to date.
        air = nature.air * rng.uniform(0.85, 1.15)
        reflectance = (1.0 - 0.07 * air) * reflectance + np.float32(air) * RAYLEIGH[:, None, None]
    reflectance = _blurred(reflectance)
    scl_seen = reflectance
    # Landslides are mapped from the post image. It is in place, and pre images are shifted against it.
    if nature.misregistration_px and not acquisition.after_event:
        reflectance = moved(reflectance, *rng.normal(0.0, nature.misregistration_px, 2))
    # Images are resampled to their grid, so neighbouring pixels share a part of their noise.
    noise = _blurred(rng.standard_normal(reflectance.shape, dtype=np.float32))
    noise /= noise.std()
    reflectance += noise * (np.float32(nature.noise) + np.float32(0.008) * reflectance)
    water = shares[Material.WATER] + shares[Material.MUDDY_WATER]
    dark = sunlight if nature.shadows else None
    scl = classify(clouds, scl_seen, water, rng, shares[Material.SNOW], dark, nature.mistakes)
    return Scene(np.clip(reflectance, 0.0, 1.6), scl)


def _blurred(bands: Floats) -> Floats:
    """Blur bands (12, h, w) as the sensor does."""
    return np.asarray(gaussian_filter(bands, (0.0, BLUR_PX, BLUR_PX), mode="nearest", truncate=3.0))


def _veil(reflectance: Floats, clouds: Clouds, haziness: float, rng: np.random.Generator) -> None:
    """Add shadows, haze and clouds to the reflectance, in place."""
    shape = clouds.opacity.shape
    haze = 0.02 * haziness * rng.uniform(0.2, 2.0) * (1.0 + 0.6 * fractal(shape, rng, exponent=3.2))
    haze = np.clip(haze, 0.0, 0.2)
    lit = 1.0 - clouds.shadow
    bright = 1.0 + 0.06 * fractal(shape, rng, exponent=2.4)
    clear = 1.0 - clouds.opacity
    white = clouds.opacity * bright
    # Each band gets one factor and one addend. They apply light, then haze, then cloud, from the ground up.
    through = clear * (1.0 - haze)
    for index in range(len(reflectance)):
        # In shadow only sky light is left.
        reflectance[index] *= through * (lit + (1.0 - lit) * np.float32(0.75 * DIFFUSE[index]))
        reflectance[index] += clear * haze * HAZE[index] + white * CLOUD[index]
