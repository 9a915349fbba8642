"""What covers the ground before and after the event, landslides left out."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from landslide_cli.geo.bands import GSD_M
from landslide_cli.simulation.arrays import Flags, Floats, fractal, ramp
from landslide_cli.simulation.changes import change_ground, lines
from landslide_cli.simulation.ground import Ground, Mixture, bare_ground, convert
from landslide_cli.simulation.landcover import UNKNOWN, Cover
from landslide_cli.simulation.nature import PLAIN, Change, Nature
from landslide_cli.simulation.parcels import (
    QUARTERS,
    TENDED_DEG,
    WHOLE,
    Compartments,
    Parts,
    make_blocks,
    make_compartments,
)
from landslide_cli.simulation.spectra import TREES, Material
from landslide_cli.simulation.terrain import Terrain

EDGE_PX: Final = 1.5
"""Deviation of the blur between classes of land cover: the cells of a map are no edges of the ground."""
PLOUGHED_DEG: Final = 20.0
"""Fields with straight edges end here; steeper cropland is terraces, which look like open land at 10 m."""
LOWEST: Final = -1.5
"""Least of the noise that decides where there is forest."""
HALF_EDGE_PX: Final = 0.7
"""Half the width of the sharpest edge of a forest: part of the pixel that it runs through is forest."""
RIDE_PX: Final = (0.2, 0.7)
"""Width of the rides between blocks of a managed forest."""
RIDE: Final[Mixture] = {Material.GRASS: 0.5, Material.DRY_GRASS: 0.2, Material.SOIL: 0.3}
"""What covers them."""
SAME_RIVER_M: Final = 300.0
"""A map shows a river so far from where water would gather on a model of the ground."""


# From 2 on there are few gaps in the forest, below -2 few trees, between them groups of both; bare from 3 on little
# grows; rock shows on slopes gentler by so many degrees.
#                  wooded  bare  rock
LEANING: Final[Mapping[Cover, tuple[float, float, float]]] = {
    Cover.TREES: (2.4, -2.0, -20.0),
    Cover.SHRUBS: (-0.3, 0.2, -8.0),
    Cover.GRASS: (-2.6, -0.6, -6.0),
    Cover.CROPLAND: (-2.2, 0.4, -20.0),
    Cover.BUILT_UP: (-1.0, 0.6, -20.0),
    Cover.BARE: (-3.2, 3.2, 14.0),
    Cover.SNOW: (-3.2, 3.2, 14.0),
    Cover.WATER: (-3.2, 0.0, -20.0),
    Cover.WETLAND: (-1.2, -2.0, -20.0),
    Cover.MANGROVES: (2.4, -2.0, -20.0),
    Cover.MOSS: (-3.2, 0.8, 6.0),
}
"""What a class of land cover adds to the noise that decides where there is forest, bare soil and rock."""
ON_TOP: Final[Mapping[Cover, tuple[Material, float]]] = {
    Cover.BUILT_UP: (Material.ASPHALT, 0.15),
    Cover.SNOW: (Material.SNOW, 0.92),
    Cover.WATER: (Material.WATER, 1.0),
    Cover.WETLAND: (Material.WATER, 0.25),
    Cover.MANGROVES: (Material.WATER, 0.12),
    Cover.MOSS: (Material.DRY_GRASS, 0.35),
}
"""What lies on the ground of a class or stands in it, and its share."""


def make_surface(terrain: Terrain, rng: np.random.Generator, nature: Nature = PLAIN) -> Ground:
    """Land cover that suits the terrain, on both dates; that of a map where `terrain.cover` has one.

    The map says what lies where, noise how dense and of which kind it is: forest has gaps, cropland has fields.
    """
    slope = terrain.slope_deg(1.5)
    compartments = make_compartments(slope, rng) if nature.managed else None
    ground = bare_ground(terrain, compartments)
    before, after = ground.before, ground.after
    _hills(before, terrain, slope, rng, nature, compartments)
    if compartments:
        _forestry(before, compartments, nature.managed, rng)
        _rides(before, compartments, slope, rng)

    flat = (terrain.river_m < 1.15 * terrain.floor_m) & (slope < 9.0)
    after[:] = before
    fields = _where(terrain, Cover.CROPLAND, flat) & (slope < PLOUGHED_DEG)
    _fields(before, after, fields, nature.changes.get(Change.FIELD, 0.0), rng, WHOLE if nature is PLAIN else QUARTERS)
    ground.mark(Change.FIELD)
    _towns((before, after), terrain, flat, rng)
    _river((before, after), terrain, rng)
    if nature is not PLAIN:
        _roads((before, after), terrain, rng)
        _sea((before, after), terrain, nature.sea)
    change_ground(ground, nature, rng)
    return ground


def _where(terrain: Terrain, cover: Cover, otherwise: Flags) -> Flags:
    """Where the map says `cover`, and where it says nothing, `otherwise`; (h, w) bool."""
    if terrain.cover is None:
        return otherwise
    return np.asarray((terrain.cover == cover) | ((terrain.cover == UNKNOWN) & otherwise))


def _parts(terrain: Terrain) -> dict[Cover, Floats]:
    """Share (h, w) of each class that the map has here; they add up to 1 less what is unknown."""
    if terrain.cover is None:
        return {}
    return {
        cover: gaussian_filter((terrain.cover == cover).astype(np.float32), EDGE_PX, mode="nearest")
        for cover in Cover
        if (terrain.cover == cover).any()
    }


def _leaning(parts: Mapping[Cover, Floats], natural: float, steep: Floats) -> Floats:
    """Mean of LEANING over the classes; (3, h, w). Unknown ground has the `natural` lean towards forest."""
    leaning = np.zeros((3, *steep.shape), np.float32)
    known = np.zeros(steep.shape, np.float32)
    for cover, part in parts.items():
        leaning += np.array(LEANING[cover], np.float32)[:, None, None] * part
        known += part
    # Where the map tells, how steep it is does not tell again whether there is forest.
    leaning[0] += (1.0 - known) * natural - known * steep
    return leaning


def _hills(
    shares: Floats,
    terrain: Terrain,
    slope_deg: Floats,
    rng: np.random.Generator,
    nature: Nature,
    compartments: Compartments | None,
) -> None:
    """Forest on slopes, grass and shrubs in patches, bare soil and rock where it is steep."""
    step = compartments.ramp if compartments else ramp
    shape = terrain.shape
    east, north = terrain.gradient(3.0)
    # Sunny slopes are drier; which side that is does not matter for a made-up place.
    dryness = 0.6 * fractal(shape, rng, exponent=2.6) + 0.5 * north / 0.4 + 0.2 * east / 0.4
    # Where the forest ends at a line there are few small gaps in it.
    tended = 1.0 - nature.forest_edge
    patches = fractal(shape, rng, exponent=2.2 + tended, shortest_px=4.0 + 8.0 * tended)
    if nature is not PLAIN:
        # The rare depths of the noise would be holes of a pixel in dense forest.
        patches = np.maximum(patches, LOWEST)
    height = terrain.elevation_m - gaussian_filter(terrain.elevation_m, 60.0, mode="nearest")
    # One place is wooded, another is grazed.
    natural = rng.uniform(-0.3, 0.9)
    steep = 0.35 * slope_deg / 10.0
    parts = _parts(terrain)
    leaning: Sequence[float | Floats] = (natural, 0.0, 0.0)
    if parts:
        leaning = tuple(_leaning(parts, natural, steep))
    edge = 0.4 * nature.forest_edge
    wooded = steep + 0.9 * patches - 0.7 * dryness + leaning[0]
    if nature is not PLAIN:
        wooded = _with_edges_of_pixels(wooded, edge, -0.05)
    forest = step(wooded, -0.05 - edge, -0.05 + edge)
    kinds = fractal(shape, rng, exponent=2.4, shortest_px=4.0 + 8.0 * tended)
    conifer = step(kinds + height / 160.0 + nature.conifers, 0.2, 0.6)
    dry = step(dryness + 0.4 * fractal(shape, rng, exponent=1.6), -0.8, 1.6)
    bare = ramp(fractal(shape, rng, exponent=1.8) + 0.35 * dryness + leaning[1], 1.75, 2.3)
    rock = ramp(slope_deg + 3.0 * fractal(shape, rng, exponent=1.5) + leaning[2], 44.0, 52.0)

    open_land = (1.0 - forest) * (1.0 - bare)
    shares[Material.BROADLEAF] = forest * (1.0 - 0.9 * conifer)
    shares[Material.CONIFER] = forest * 0.9 * conifer
    shares[Material.GRASS] = open_land * (1.0 - 0.75 * dry)
    shares[Material.DRY_GRASS] = open_land * 0.75 * dry
    shares[Material.SOIL] = (1.0 - forest) * bare
    shares *= 1.0 - 0.85 * rock
    shares[Material.ROCK] += 0.85 * rock
    for cover, part in parts.items():
        if cover in ON_TOP:
            material, share = ON_TOP[cover]
            convert(shares, share * part, {material: 1.0})


def _with_edges_of_pixels(field: Floats, half_width: float, at: float) -> Floats:
    """A field (h, w) that goes through `at` no faster than by `half_width` in half a pixel."""
    slopes = np.gradient(field)
    steeper = np.hypot(slopes[0], slopes[1]) * np.float32(HALF_EDGE_PX / half_width)
    return np.asarray(at + (field - at) / np.maximum(steeper, 1.0), dtype=np.float32)


def _forestry(shares: Floats, compartments: Compartments, managed: float, rng: np.random.Generator) -> None:
    """Compartments of forest that were felled years ago, are young, or were planted with another kind of tree."""
    m = Material
    shape = (shares.shape[1], shares.shape[2])
    density = np.clip(1.0 + 0.15 * fractal(shape, rng, exponent=2.0, shortest_px=8), 0.0, 1.1)
    kinds: Sequence[tuple[float, Mapping[Material, float]]] = (
        (0.85, {m.GRASS: 0.4, m.DRY_GRASS: 0.4, m.SOIL: 0.2}),
        (0.7, {m.GRASS: 0.55, m.CONIFER: 0.3, m.DRY_GRASS: 0.15}),
        (0.5, {m.GRASS: 0.4, m.BROADLEAF: 0.6}),
        (0.9, {m.CONIFER: 1.0}),
        (0.9, {m.BROADLEAF: 1.0}),
    )
    number = compartments.tended.size
    kind = rng.choice(len(kinds), number, p=(0.12, 0.2, 0.2, 0.28, 0.2))
    kind[(rng.random(number) >= managed) | ~compartments.tended] = -1
    for which, (share, mixture) in enumerate(kinds):
        where = share * (kind[compartments.of] == which).mean(axis=0, dtype=np.float32)
        convert(shares, where * density, mixture, TREES)


def _rides(shares: Floats, compartments: Compartments, slope_deg: Floats, rng: np.random.Generator) -> None:
    """Straight lines without trees between the blocks of a forest; branches hang over them."""
    shape = (shares.shape[1], shares.shape[2])
    width_px = rng.uniform(*RIDE_PX)
    reach_px = 0.5 + 0.5 * width_px - compartments.blocks.border_px(shape)
    open_ = ramp(fractal(shape, rng, exponent=1.6, longest_px=40), -1.5, 0.5)
    gentle = ramp(slope_deg, TENDED_DEG, TENDED_DEG - 6.0)
    convert(shares, np.clip(reach_px, 0.0, width_px) * open_ * gentle, RIDE, TREES)


def _fields(before: Floats, after: Floats, flat: Flags, changed: float, rng: np.random.Generator, parts: Parts) -> None:
    """Fields with straight edges on flat ground: each has one state before and one after."""
    rows, columns = np.nonzero(flat)
    if rows.size == 0:
        return
    number, field = make_blocks((flat.shape[0], flat.shape[1]), rng).parcels(rows, columns, parts)
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
    second = np.where(rng.random(number) < changed, later, first)
    vigour = rng.normal(0.0, 0.12, number).astype(np.float32)
    within = 0.06 * fractal(flat.shape, rng, exponent=2.0)[rows, columns]
    for shares, state in ((before, first), (after, second)):
        mixed = states[state[field]]
        # Poor plants let soil show.
        bare = np.clip(vigour[field] + within, 0.0, 0.4).astype(np.float32)[..., None]
        mixed *= 1.0 - bare
        mixed[..., m.SOIL] += bare[..., 0]
        shares[:, rows, columns] = mixed.mean(axis=0).T


def _towns(both: tuple[Floats, Floats], terrain: Terrain, flat: Flags, rng: np.random.Generator) -> None:
    """Villages on flat ground: roofs and yards mixed with gardens."""
    flat = _where(terrain, Cover.BUILT_UP, flat)
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
    if terrain.cover is not None:
        built[terrain.cover == Cover.BUILT_UP] = 1.0
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
    if terrain.cover is not None and (terrain.cover == Cover.WATER).any():
        # The map leaves out narrow rivers; one that it has must not run a second time beside itself.
        mapped_m = GSD_M * distance_transform_edt(terrain.cover != Cover.WATER)
        water, gravel = (part * ramp(mapped_m, 0.7 * SAME_RIVER_M, SAME_RIVER_M) for part in (water, gravel))
    for shares in both:
        np.multiply(shares, 1.0 - water - 0.9 * gravel, out=shares)
        shares[Material.WATER] += water
        shares[Material.ROCK] += 0.9 * gravel


def _roads(both: tuple[Floats, Floats], terrain: Terrain, rng: np.random.Generator) -> None:
    """Roads that are there on both dates, some paved; trees hang over them, most over tracks."""
    for paved, count, hidden in ((0.8, 2, 0.5), (0.0, 6, 1.0)):
        road = lines(terrain, count, rng, rng.uniform(0.3, 0.7))
        # Of one width nowhere: verges, cuttings, grass between the wheels.
        road *= np.clip(0.7 + 0.3 * fractal(terrain.shape, rng, exponent=1.2), 0.0, 1.0)
        hanging = hidden * ramp(fractal(terrain.shape, rng, exponent=1.6, longest_px=40), -1.2, 0.8)
        for shares in both:
            seen = road * (1.0 - hanging * shares[list(TREES)].sum(axis=0))
            convert(shares, seen, {Material.ASPHALT: paved, Material.SOIL: 1.0 - paved})


def _sea(both: tuple[Floats, Floats], terrain: Terrain, quantile: float) -> None:
    """Water up to a level, with a bright beach."""
    if quantile:
        above_m = terrain.elevation_m - float(np.quantile(terrain.elevation_m, quantile))
        if terrain.cover is not None:
            above_m = np.where(terrain.cover == UNKNOWN, above_m, np.inf).astype(np.float32)
        for shares in both:
            convert(shares, 0.7 * ramp(above_m, 4.0, 1.0), {Material.GRAVEL: 1.0})
            convert(shares, ramp(above_m, 0.7, -0.7), {Material.WATER: 1.0})
