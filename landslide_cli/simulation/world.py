"""Simulates a place before and after landslides: terrain, surface and truth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, zoom
from scipy.spatial import cKDTree

from landslide_cli.simulation.arrays import Codes, Floats, fractal, ramp
from landslide_cli.simulation.landslides import Outline, Scars, make_scars
from landslide_cli.simulation.nature import PLAIN, Nature
from landslide_cli.simulation.parcels import Compartments
from landslide_cli.simulation.spectra import AXES, PLANTS, ROUGHNESS, Material
from landslide_cli.simulation.surface import make_surface
from landslide_cli.simulation.terrain import Terrain

OLD_SHARE = 0.003
"""Share of the ground with scars of earlier events, visible on both dates."""
HOUSE_M = 8.0
"""Height of buildings."""
STAND_GROWTH = (0.4, 1.1)
"""Least and greatest height of the trees of a stand; fully grown trees have 1."""
CLOSED = (0.15, 0.35)
"""Share of trees from which a forest has some height, and from which it is as high as its trees."""
CROWNS = 0.015
"""Standard deviation of the height of trees inside a stand, from pixel to pixel."""


@dataclass(frozen=True, slots=True)
class World:
    """Everything that a scene is rendered from. Arrays end in (h, w), on a north-up grid of 10 m."""

    terrain: Terrain
    """Terrain before the event, with pits."""
    terrain_after: Terrain
    """Terrain after the event: machines can have dug more."""
    before: Floats
    """(materials, h, w) float32 shares before the event."""
    after: Floats
    """(materials, h, w) float32 shares after the event, with landslides."""
    brightness: Floats
    """(h, w) lasting factor on reflectance before the event: canopy, soil moisture, age of plants."""
    brightness_after: Floats
    """(h, w) the same after the event. It is new where the land cover changed, and darker or brighter on fresh soil."""
    stands: npt.NDArray[np.int32]
    """(h, w) number of the stand. A stand is a patch of ground with one history."""
    coarseness: Floats
    """(h, w) factor on the differences from pixel to pixel."""
    growth: Floats
    """(h, w) height of the trees; 1 is `Nature.canopy_m`. Each stand has one age, and crowns differ a little."""
    tint: Floats | None
    """(4, h, w) lasting tint of the place along spectra.AXES. None in a plain event."""
    scars: Scars
    changes: Codes
    """(h, w) uint8, a `Change` where something other than a landslide changed, else 0."""
    nature: Nature

    @property
    def truth(self) -> Codes:
        """(h, w) uint8, 1 where the event left a landslide."""
        return self.scars.truth

    @property
    def surface_m(self) -> Floats:
        """Elevation (h, w) float32, with the canopy if `nature` asks for a surface model."""
        if not self.nature.surface_model:
            return self.terrain.elevation_m
        return np.asarray(self.terrain.elevation_m + gaussian_filter(self.standing_m(self.before), 1.5))

    def standing_m(self, shares: Floats, finer: int = 1) -> Floats:
        """Compute the height of trees and houses.

        Shares are interpolated between the middles of pixels. Trees then end at a line and not at the border of a
        pixel.

        Args:
            shares: (materials, h, w) float32, land cover.
            finer: parts per side of a pixel.

        Returns:
            (finer * h, finer * w) float32 in metres.
        """
        trees = shares[[Material.CONIFER, Material.BROADLEAF, Material.LEAFLESS]].sum(axis=0)
        trees, growth, roofs = (_finer(field, finer) for field in (trees, self.growth, shares[Material.ROOF]))
        # A thinner forest is not lower. Light reaches the ground only where most trees are gone.
        standing_m = np.float32(self.nature.canopy_m) * growth * ramp(trees, *CLOSED)
        return np.asarray(standing_m + np.float32(HOUSE_M) * roofs)

    def passing_brightness(self, shares: Floats, rng: np.random.Generator) -> Floats:
        """Draw the factor (h, w) float32 of one date on the brightness of the land cover `shares` (materials, h, w)."""
        passing = self.coarseness * np.float32(self.nature.restless**0.5)
        return _brightness(shares, passing * _grain(self.terrain.shape, rng))


def make_world(
    terrain: Terrain, rng: np.random.Generator, nature: Nature = PLAIN, outlines: Sequence[Outline] = ()
) -> World:
    """Cover the terrain and add landslides.

    Args:
        terrain: the ground.
        rng: source of land cover and landslides.
        nature: conditions of the event.
        outlines: shapes for some of the landslides.

    Returns:
        The place before and after the event.
    """
    surface = make_surface(terrain, rng, nature)
    before, after = surface.before, surface.after
    old = make_scars(terrain, rng, share=OLD_SHARE, nature=nature)
    for shares in (before, after):
        # Pioneer plants have grown on old scars.
        lay_bare(shares, old, regrowth=0.45)
    ground = before[Material.WATER] + before[Material.ROOF] < 0.2
    if nature is not PLAIN:
        # On bare ground nobody would see and map a scar.
        ground &= before[list(PLANTS)].sum(axis=0) > 0.4
    allowed = ground & (old.cover < 0.1)
    scars = make_scars(terrain, rng, share=nature.fresh_share, nature=nature, allowed=allowed, outlines=outlines)
    lay_bare(after, scars, regrowth=0.0, fresh=nature.fresh)
    shaped, shaped_after = (surface.shaped(after=date) for date in (False, True))
    changes = np.where(scars.cover > 0.05, np.uint8(0), surface.changes)

    plain = nature is PLAIN
    grain = _grain(terrain.shape, rng)
    coarseness = np.float32(nature.grain) * _coarseness(terrain.shape, rng, nature.unevenness)
    lasting = coarseness * np.float32((1.0 - nature.restless) ** 0.5)
    brightness = brightness_after = _brightness(before, lasting * grain)
    if not plain:
        new = 0.5 * np.abs(after - before).sum(axis=0)
        grain = (1.0 - new) * grain + new * _grain(terrain.shape, rng)
        brightness_after = _brightness(after, lasting * grain / np.hypot(1.0 - new, new))
    shade = np.asarray(1.0 + scars.cover * (scars.brightness - 1.0), dtype=np.float32)
    stands = np.zeros(terrain.shape, np.int32) if plain else _stands(terrain.shape, rng, surface.compartments)
    tint = None if plain else np.float32(nature.tint) * variation(stands, rng)
    growth = np.ones(terrain.shape, np.float32) if plain else _growth(stands, rng)
    return World(
        shaped, shaped_after, before, after, brightness, brightness_after * shade,
        stands, coarseness, growth, tint, scars, changes, nature,
    )  # fmt: skip


def _finer(field: Floats, factor: int) -> Floats:
    """Interpolate a field (h, w) to `factor` times the rows and columns."""
    if factor == 1:
        return field
    return np.asarray(zoom(field, factor, order=1, mode="nearest", grid_mode=True), dtype=np.float32)


def _grain(shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    """Noise (h, w) of the ground, from pixel to pixel and in patches."""
    texture = fractal(shape, rng, exponent=0.7)
    return np.asarray(0.7 * texture + 0.65 * fractal(shape, rng, exponent=2.2, shortest_px=4))


def _brightness(shares: Floats, grain: Floats) -> Floats:
    """Factor (h, w) on the reflectance of the land cover `shares` (materials, h, w)."""
    return np.asarray(np.exp(np.tensordot(ROUGHNESS, shares, axes=1) * grain), dtype=np.float32)


def _coarseness(shape: tuple[int, int], rng: np.random.Generator, unevenness: float) -> Floats:
    """Factor (h, w) on the grain with a mean square of 1, in patches of 60 to 500 m."""
    if not unevenness:
        return np.ones(shape, np.float32)
    patches = fractal(shape, rng, exponent=2.0, shortest_px=6, longest_px=50)
    return np.asarray(np.exp(np.float32(unevenness) * (patches - np.float32(unevenness))))


def _growth(stands: npt.NDArray[np.int32], rng: np.random.Generator) -> Floats:
    """Height (h, w) of the trees: 1 for fully grown trees, at least 0.1."""
    youngest, oldest = STAND_GROWTH
    # Trees grow fast at first and stay tall for long.
    age = (oldest - (oldest - youngest) * rng.uniform(size=int(stands.max()) + 1) ** 2).astype(np.float32)
    crowns = fractal((stands.shape[0], stands.shape[1]), rng, exponent=0.7)
    return np.asarray(np.maximum(age[stands] + CROWNS * crowns, 0.1), dtype=np.float32)


def variation(stands: npt.NDArray[np.int32], rng: np.random.Generator, grain: Floats | None = None) -> Floats:
    """Make noise along spectra.AXES: smooth between soils, with edges between stands.

    Args:
        stands: (h, w) number of the stand.
        rng: source of the noise.
        grain: (h, w) float32, share of the variance that differs from pixel to pixel, 0 to 1. None for 0.

    Returns:
        (4, h, w) float32 with standard deviation 1.
    """
    shape = (stands.shape[0], stands.shape[1])
    own = rng.standard_normal((len(AXES), int(stands.max()) + 1)).astype(np.float32)
    smooth = np.stack([fractal(shape, rng, exponent=2.0) for _ in AXES])
    whole = np.float32(0.5**0.5) * (own[:, stands] + smooth)
    if grain is not None:
        whole *= (1.0 - grain) ** 0.5
        whole += grain**0.5 * np.stack([fractal(shape, rng, exponent=0.5) for _ in AXES])
    return np.asarray(whole, dtype=np.float32)


def _stands(
    shape: tuple[int, int], rng: np.random.Generator, compartments: Compartments | None
) -> npt.NDArray[np.int32]:
    """Stand of each pixel: ragged patches of 15 ha on average, or the compartment where this is managed."""
    patches = max(shape[0] * shape[1] // 1500, 1)
    rows, columns = np.indices(shape, dtype=np.float32)
    ragged = [6.0 * fractal(shape, rng, exponent=2.2, shortest_px=20, longest_px=60) for _ in range(2)]
    _, patch = cKDTree(rng.uniform((0, 0), shape, (patches, 2))).query(
        np.stack([rows + ragged[0], columns + ragged[1]], axis=-1)
    )
    if compartments:
        compartment = compartments.of[0]
        patch = np.where(compartments.tended[compartment], patches + compartment, patch)
    return np.asarray(patch, dtype=np.int32)


def lay_bare(shares: Floats, scars: Scars, *, regrowth: float, fresh: Sequence[Material] = PLAIN.fresh) -> None:
    """Replace the land cover under scars by soil.

    Args:
        shares: (materials, h, w) float32; changed in place.
        scars: the scars.
        regrowth: share of the bare ground on which grass has grown.
        fresh: the soils to which `scars.soil` refers.
    """
    plants = scars.cover * scars.plants
    grass = (scars.cover - plants) * regrowth
    soil = scars.cover - plants - grass
    shares *= 1.0 - scars.cover
    shares[Material.BROADLEAF] += 0.6 * plants
    shares[Material.GRASS] += 0.4 * plants
    shares[Material.DRY_GRASS] += 0.6 * grass
    shares[Material.GRASS] += 0.4 * grass
    for index, material in enumerate(fresh):
        shares[material] += np.where(scars.soil == index, soil, np.float32(0.0))
