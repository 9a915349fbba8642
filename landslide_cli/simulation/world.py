"""A made-up place before and after landslides: terrain, surface and truth."""

from dataclasses import dataclass

import numpy as np

from landslide_cli.simulation.arrays import Codes, Floats, fractal
from landslide_cli.simulation.landslides import Scars, make_scars
from landslide_cli.simulation.spectra import FRESH, ROUGHNESS, Material
from landslide_cli.simulation.surface import make_surface
from landslide_cli.simulation.terrain import Terrain

FRESH_SHARE = 0.022
"""Share of the ground that fails in the event."""
OLD_SHARE = 0.003
"""Share of the ground with scars of earlier events, seen on both dates."""


@dataclass(frozen=True, slots=True)
class World:
    """Everything a scene is rendered from; arrays end in (h, w), on a north-up grid of 10 m."""

    terrain: Terrain
    before: Floats
    """(materials, h, w) shares before the event."""
    after: Floats
    """(materials, h, w) shares after the event, landslides included."""
    brightness: Floats
    """(h, w) factor on reflectance that lasts: canopy, soil moisture, age of plants."""
    shade: Floats
    """(h, w) factor of the fresh soil, which only images after the event have."""
    scars: Scars

    @property
    def truth(self) -> Codes:
        """1 where the event left a landslide; (h, w) uint8."""
        return self.scars.truth


def make_world(terrain: Terrain, rng: np.random.Generator) -> World:
    """Cover the terrain and let landslides happen on it."""
    surface = make_surface(terrain, rng)
    before, after = surface.before, surface.after
    old = make_scars(terrain, rng, share=OLD_SHARE)
    for shares in (before, after):
        # Pioneers have come back since.
        lay_bare(shares, old, regrowth=0.45)
    ground = before[Material.WATER] + before[Material.ROOF] < 0.2
    scars = make_scars(terrain, rng, share=FRESH_SHARE, allowed=ground & (old.cover < 0.1))
    lay_bare(after, scars, regrowth=0.0)

    texture = fractal(terrain.shape, rng, exponent=0.7)
    patches = fractal(terrain.shape, rng, exponent=2.2, shortest_px=4)
    roughness = np.tensordot(ROUGHNESS, before, axes=1)
    brightness = np.exp(roughness * (0.8 * texture + 0.75 * patches))
    shade = 1.0 + scars.cover * (scars.brightness - 1.0)
    return World(terrain, before, after, brightness.astype(np.float32), shade.astype(np.float32), scars)


def lay_bare(shares: Floats, scars: Scars, *, regrowth: float) -> None:
    """Replace what `scars` cover by soil; `regrowth` is the share of it that is grass again. In place."""
    plants = scars.cover * scars.plants
    grass = (scars.cover - plants) * regrowth
    soil = scars.cover - plants - grass
    shares *= 1.0 - scars.cover
    shares[Material.BROADLEAF] += 0.6 * plants
    shares[Material.GRASS] += 0.4 * plants
    shares[Material.DRY_GRASS] += 0.6 * grass
    shares[Material.GRASS] += 0.4 * grass
    for index, material in enumerate(FRESH):
        shares[material] += np.where(scars.soil == index, soil, np.float32(0.0))
