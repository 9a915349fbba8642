"""What covers the ground before and after the event, apart from landslides."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from landslide_cli.imagery.bands import GSD_M
from landslide_cli.simulation.arrays import Flags, Floats, fractal, ramp
from landslide_cli.simulation.spectra import Material
from landslide_cli.simulation.terrain import Terrain

BLOCK_M: Final = 650.0
"""Distance between blocks of fields that share an orientation."""
CHANGED_FIELDS: Final = 0.18
"""Share of the fields harvested, ploughed or greened between the two dates."""
CUTS_PER_KM2: Final = 0.12
"""Clear-cuts between the two dates."""


@dataclass(frozen=True, slots=True)
class Surface:
    """Shares of materials in every pixel, (materials, h, w) float32 that add up to 1."""

    before: Floats
    after: Floats


def make_surface(terrain: Terrain, rng: np.random.Generator) -> Surface:
    """Land cover that suits the terrain, on both dates."""
    shape = terrain.shape
    slope = terrain.slope_deg(1.5)
    before = np.zeros((len(Material), *shape), dtype=np.float32)
    _hills(before, terrain, slope, rng)

    flat = (terrain.river_m < 1.15 * terrain.floor_m) & (slope < 9.0)
    after = before.copy()
    _fields(before, after, flat, rng)
    _towns((before, after), flat, rng)
    _river((before, after), terrain, rng)
    _clear_cuts(after, slope, rng)
    return Surface(before, after)


def _hills(shares: Floats, terrain: Terrain, slope_deg: Floats, rng: np.random.Generator) -> None:
    """Forest on slopes, grass and shrubs in patches, bare soil and rock where it is steep."""
    shape = terrain.shape
    east, north = terrain.gradient(3.0)
    # Sunny slopes are drier; which side that is does not matter for a made-up place.
    dryness = 0.6 * fractal(shape, rng, exponent=2.6) + 0.5 * north / 0.4 + 0.2 * east / 0.4
    patches = fractal(shape, rng, exponent=1.9, shortest_px=3)
    height = terrain.elevation_m - gaussian_filter(terrain.elevation_m, 60.0, mode="nearest")
    # One place is wooded, another is grazed.
    wooded = rng.uniform(-0.3, 0.9)
    forest = ramp(0.35 * slope_deg / 10.0 + 0.9 * patches - 0.7 * dryness + wooded, -0.45, 0.35)
    conifer = ramp(fractal(shape, rng, exponent=2.4, shortest_px=4) + height / 160.0, -0.1, 0.9)
    dry = ramp(dryness + 0.4 * fractal(shape, rng, exponent=1.6), -0.8, 1.6)
    bare = ramp(fractal(shape, rng, exponent=1.8) + 0.35 * dryness, 1.75, 2.3)
    rock = ramp(slope_deg + 3.0 * fractal(shape, rng, exponent=1.5), 44.0, 52.0)

    open_land = (1.0 - forest) * (1.0 - bare)
    shares[Material.BROADLEAF] = forest * (1.0 - 0.9 * conifer)
    shares[Material.CONIFER] = forest * 0.9 * conifer
    shares[Material.GRASS] = open_land * (1.0 - 0.75 * dry)
    shares[Material.DRY_GRASS] = open_land * 0.75 * dry
    shares[Material.SOIL] = (1.0 - forest) * bare
    shares *= 1.0 - 0.85 * rock
    shares[Material.ROCK] += 0.85 * rock


def _fields(before: Floats, after: Floats, flat: Flags, rng: np.random.Generator) -> None:
    """Fields with straight edges on flat ground: each has one state before and one after."""
    rows, columns = np.nonzero(flat)
    if rows.size == 0:
        return
    number, field = _parcels(rows, columns, flat.shape, rng)
    m = Material
    states: Floats = np.zeros((6, len(Material)), dtype=np.float32)
    states[0, [m.CROP, m.SOIL]] = 0.9, 0.1
    states[1, [m.CROP, m.GRASS, m.SOIL]] = 0.45, 0.2, 0.35
    states[2, [m.STUBBLE, m.DRY_GRASS]] = 0.8, 0.2
    states[3, [m.SOIL, m.STUBBLE]] = 0.95, 0.05
    states[4, [m.GRASS, m.DRY_GRASS]] = 0.85, 0.15
    states[5, [m.BROADLEAF, m.GRASS]] = 0.75, 0.25
    first = rng.choice(6, number, p=(0.30, 0.18, 0.14, 0.10, 0.16, 0.12))
    # A crop is cut, stubble is ploughed, bare soil turns green; meadows and orchards stay.
    later = np.array([2, 0, 3, 1, 4, 5])[first]
    second = np.where(rng.random(number) < CHANGED_FIELDS, later, first)
    vigour = rng.normal(0.0, 0.12, number).astype(np.float32)
    within = 0.06 * fractal(flat.shape, rng, exponent=2.0)[rows, columns]
    for shares, state in ((before, first), (after, second)):
        mixed = states[state[field]]
        # Poor plants let soil show.
        bare = np.clip(vigour[field] + within, 0.0, 0.4).astype(np.float32)[:, None]
        mixed *= 1.0 - bare
        mixed[:, m.SOIL] += bare[:, 0]
        shares[:, rows, columns] = mixed.T


def _parcels(
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
    shape: tuple[int, int],
    rng: np.random.Generator,
) -> tuple[int, npt.NDArray[np.intp]]:
    """Number of fields, and the field of each pixel: rectangles of one orientation and size per block."""
    blocks = max(int(shape[0] * shape[1] * GSD_M**2 / BLOCK_M**2), 1)
    centres = rng.uniform((0, 0), shape, (blocks, 2))
    _, block = cKDTree(centres).query(np.column_stack([rows, columns]))
    angle = rng.uniform(0.0, np.pi, blocks)[block]
    sides = rng.uniform((5.0, 9.0), (14.0, 30.0), (blocks, 2))[block]
    across = np.floor((columns * np.cos(angle) + rows * np.sin(angle)) / sides[:, 0]).astype(np.int64)
    along = np.floor((rows * np.cos(angle) - columns * np.sin(angle)) / sides[:, 1]).astype(np.int64)
    key = (block * 4096 + across + 2048) * 4096 + along + 2048
    names, field = np.unique(key, return_inverse=True)
    return names.size, field


def _towns(both: tuple[Floats, Floats], flat: Flags, rng: np.random.Generator) -> None:
    """Villages on flat ground: roofs and yards mixed with gardens."""
    rows, columns = np.nonzero(flat)
    if rows.size == 0:
        return
    built = np.zeros(flat.shape, dtype=np.float32)
    for _ in range(max(1, round(flat.size * GSD_M**2 / 2.5e7))):
        place = rng.integers(rows.size)
        radius_px = rng.uniform(10.0, 28.0)
        y, x = np.ogrid[: flat.shape[0], : flat.shape[1]]
        near = np.hypot((y - rows[place]) * rng.uniform(0.7, 1.4), x - columns[place])
        built = np.maximum(built, ramp(near, radius_px, 0.4 * radius_px))
    houses = fractal(flat.shape, rng, exponent=0.6)
    roofs = ramp(houses + 2.2 * built, 1.6, 2.6) * (built > 0.02) * flat
    for shares in both:
        np.multiply(shares, 1.0 - roofs, out=shares)
        shares[Material.ROOF] += roofs


def _river(both: tuple[Floats, Floats], terrain: Terrain, rng: np.random.Generator) -> None:
    """Water in the middle of the valley with gravel bars beside it."""
    width = 22.0 + 9.0 * fractal(terrain.shape, rng, exponent=3.0, shortest_px=30)
    water = ramp(terrain.river_m - width, 6.0, -6.0)
    bars = fractal(terrain.shape, rng, exponent=2.6, shortest_px=6)
    gravel = ramp(terrain.river_m - width - 22.0 * np.clip(bars, 0.0, 2.5), 5.0, -5.0) * (1.0 - water)
    for shares in both:
        np.multiply(shares, 1.0 - water - 0.9 * gravel, out=shares)
        shares[Material.WATER] += water
        shares[Material.ROCK] += 0.9 * gravel


def _clear_cuts(after: Floats, slope_deg: Floats, rng: np.random.Generator) -> None:
    """Rectangles of forest that are gone after the event: a change that is no landslide."""
    forest = after[Material.BROADLEAF] + after[Material.CONIFER]
    rows, columns = np.nonzero((forest > 0.7) & (slope_deg < 28.0))
    if rows.size == 0:
        return
    y, x = np.ogrid[: forest.shape[0], : forest.shape[1]]
    for _ in range(max(1, round(forest.size * GSD_M**2 / 1e6 * CUTS_PER_KM2))):
        place = rng.integers(rows.size)
        angle = rng.uniform(0.0, np.pi)
        half = rng.uniform(4.0, 13.0, 2)
        u = (x - columns[place]) * np.cos(angle) + (y - rows[place]) * np.sin(angle)
        v = (y - rows[place]) * np.cos(angle) - (x - columns[place]) * np.sin(angle)
        cut = (np.abs(u) < half[0]) & (np.abs(v) < half[1]) & (forest > 0.3)
        slash = rng.uniform(0.25, 0.6)
        after[:, cut] *= 0.15
        after[Material.DRY_GRASS, cut] += 0.85 * slash
        after[Material.SOIL, cut] += 0.85 * (1.0 - slash)
