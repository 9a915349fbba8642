"""Simulates the land cover before and after the event, without landslides."""

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
"""Standard deviation of the blur between classes of land cover. The cells of a map are not edges on the ground."""
PLOUGHED_DEG: Final = 20.0
"""Steepest fields with straight edges. Steeper cropland is terraces, which look like open land at 10 m."""
LOWEST: Final = -1.5
"""Smallest value of the noise that decides where there is forest."""
HALF_EDGE_PX: Final = 0.7
"""Half the width of the sharpest edge of a forest. A part of the pixel on the edge is forest."""
RIDE_PX: Final = (0.2, 0.7)
"""Width of the rides (straight lines without trees) between blocks of a managed forest."""
RIDE: Final[Mixture] = {Material.GRASS: 0.5, Material.DRY_GRASS: 0.2, Material.SOIL: 0.3}
"""Land cover of the rides."""
SAME_RIVER_M: Final = 300.0
"""Largest distance between a river on a map and the same river on an elevation model."""


# wooded: from 2 up the forest has few gaps, below -2 there are few trees, in between there are groups of both.
# bare: from 3 up little grows. rock: how many degrees gentler slopes can be and still show rock.
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
"""Values that a class of land cover adds to the noise that decides where there is forest, bare soil and rock."""
ON_TOP: Final[Mapping[Cover, tuple[Material, float]]] = {
    Cover.BUILT_UP: (Material.ASPHALT, 0.15),
    Cover.SNOW: (Material.SNOW, 0.92),
    Cover.WATER: (Material.WATER, 1.0),
    Cover.WETLAND: (Material.WATER, 0.25),
    Cover.MANGROVES: (Material.WATER, 0.12),
    Cover.MOSS: (Material.DRY_GRASS, 0.35),
}
"""Material that lies on the ground of a class or stands in it, and its share."""


def make_surface(terrain: Terrain, rng: np.random.Generator, nature: Nature = PLAIN) -> Ground:
    """Make land cover that suits the terrain, on both dates.

    If `terrain.cover` has a class, it decides the land cover. Noise decides the density and the kind: forest has
    gaps, cropland has fields.

    Args:
        terrain: the ground.
        rng: source of the noise.
        nature: conditions of the event.

    Returns:
        The land cover before and after the event.
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
    """Where the map has the class `cover`; where its class is unknown, `otherwise`; (h, w) bool."""
    if terrain.cover is None:
        return otherwise
    return np.asarray((terrain.cover == cover) | ((terrain.cover == UNKNOWN) & otherwise))


def _parts(terrain: Terrain) -> dict[Cover, Floats]:
    """Share (h, w) of each class of the map; with the share of unknown ground they add up to 1."""
    if terrain.cover is None:
        return {}
    return {
        cover: gaussian_filter((terrain.cover == cover).astype(np.float32), EDGE_PX, mode="nearest")
        for cover in Cover
        if (terrain.cover == cover).any()
    }


def _leaning(parts: Mapping[Cover, Floats], natural: float, steep: Floats) -> Floats:
    """Mean of LEANING over the classes, (3, h, w). Unknown ground has the value `natural` for forest."""
    leaning = np.zeros((3, *steep.shape), np.float32)
    known = np.zeros(steep.shape, np.float32)
    for cover, part in parts.items():
        leaning += np.array(LEANING[cover], np.float32)[:, None, None] * part
        known += part
    # Where the map has a class, the slope must not decide again whether there is forest.
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
    """Add forest on slopes, patches of grass and shrubs, and bare soil and rock on steep ground."""
    step = compartments.ramp if compartments else ramp
    shape = terrain.shape
    east, north = terrain.gradient(3.0)
    # Sunny slopes are drier. For a simulated place it does not matter which side is sunny.
    dryness = 0.6 * fractal(shape, rng, exponent=2.6) + 0.5 * north / 0.4 + 0.2 * east / 0.4
    # A forest that ends at a line has few small gaps.
    tended = 1.0 - nature.forest_edge
    patches = fractal(shape, rng, exponent=2.2 + tended, shortest_px=4.0 + 8.0 * tended)
    if nature is not PLAIN:
        # Rare low values of the noise would make holes of one pixel in dense forest.
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
    """Flatten a field (h, w) so that it passes `at` by at most `half_width` in HALF_EDGE_PX."""
    slopes = np.gradient(field)
    steeper = np.hypot(slopes[0], slopes[1]) * np.float32(HALF_EDGE_PX / half_width)
    return np.asarray(at + (field - at) / np.maximum(steeper, 1.0), dtype=np.float32)


def _forestry(shares: Floats, compartments: Compartments, managed: float, rng: np.random.Generator) -> None:
    """Change compartments: some were felled years ago, some are young, some have another kind of tree."""
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
    """Cut straight lines without trees between the blocks of a forest. Branches hang over them."""
    shape = (shares.shape[1], shares.shape[2])
    width_px = rng.uniform(*RIDE_PX)
    reach_px = 0.5 + 0.5 * width_px - compartments.blocks.border_px(shape)
    open_ = ramp(fractal(shape, rng, exponent=1.6, longest_px=40), -1.5, 0.5)
    gentle = ramp(slope_deg, TENDED_DEG, TENDED_DEG - 6.0)
    convert(shares, np.clip(reach_px, 0.0, width_px) * open_ * gentle, RIDE, TREES)


def _fields(before: Floats, after: Floats, flat: Flags, changed: float, rng: np.random.Generator, parts: Parts) -> None:
    """Make fields with straight edges on flat ground. Each field has one state before and one after."""
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
    # A crop is cut, stubble is ploughed, bare soil turns green. Meadows and orchards stay.
    later = np.array([2, 0, 3, 1, 4, 5])[first]
    second = np.where(rng.random(number) < changed, later, first)
    vigour = rng.normal(0.0, 0.12, number).astype(np.float32)
    within = 0.06 * fractal(flat.shape, rng, exponent=2.0)[rows, columns]
    for shares, state in ((before, first), (after, second)):
        mixed = states[state[field]]
        # Soil shows between weak plants.
        bare = np.clip(vigour[field] + within, 0.0, 0.4).astype(np.float32)[..., None]
        mixed *= 1.0 - bare
        mixed[..., m.SOIL] += bare[..., 0]
        shares[:, rows, columns] = mixed.mean(axis=0).T


def _towns(both: tuple[Floats, Floats], terrain: Terrain, flat: Flags, rng: np.random.Generator) -> None:
    """Add villages on flat ground: roofs and yards mixed with gardens."""
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
    """Add water in the middle of the valley, with gravel bars beside it."""
    width = 22.0 + 9.0 * fractal(terrain.shape, rng, exponent=3.0, shortest_px=30)
    water = ramp(terrain.river_m - width, 6.0, -6.0)
    bars = fractal(terrain.shape, rng, exponent=2.6, shortest_px=6)
    gravel = ramp(terrain.river_m - width - 22.0 * np.clip(bars, 0.0, 2.5), 5.0, -5.0) * (1.0 - water)
    if terrain.cover is not None and (terrain.cover == Cover.WATER).any():
        # The map leaves out narrow rivers. A river on the map must not run a second time beside itself.
        mapped_m = GSD_M * distance_transform_edt(terrain.cover != Cover.WATER)
        water, gravel = (part * ramp(mapped_m, 0.7 * SAME_RIVER_M, SAME_RIVER_M) for part in (water, gravel))
    for shares in both:
        np.multiply(shares, 1.0 - water - 0.9 * gravel, out=shares)
        shares[Material.WATER] += water
        shares[Material.ROCK] += 0.9 * gravel


def _roads(both: tuple[Floats, Floats], terrain: Terrain, rng: np.random.Generator) -> None:
    """Add roads that exist on both dates, some of them paved. Trees hang over them, most of all over tracks."""
    for paved, count, hidden in ((0.8, 2, 0.5), (0.0, 6, 1.0)):
        road = lines(terrain, count, rng, rng.uniform(0.3, 0.7))
        # The width varies because of verges, cuttings and grass between the wheels.
        road *= np.clip(0.7 + 0.3 * fractal(terrain.shape, rng, exponent=1.2), 0.0, 1.0)
        hanging = hidden * ramp(fractal(terrain.shape, rng, exponent=1.6, longest_px=40), -1.2, 0.8)
        for shares in both:
            seen = road * (1.0 - hanging * shares[list(TREES)].sum(axis=0))
            convert(shares, seen, {Material.ASPHALT: paved, Material.SOIL: 1.0 - paved})


def _sea(both: tuple[Floats, Floats], terrain: Terrain, quantile: float) -> None:
    """Add water up to a level, with a bright beach."""
    if quantile:
        above_m = terrain.elevation_m - float(np.quantile(terrain.elevation_m, quantile))
        if terrain.cover is not None:
            above_m = np.where(terrain.cover == UNKNOWN, above_m, np.inf).astype(np.float32)
        for shares in both:
            convert(shares, 0.7 * ramp(above_m, 4.0, 1.0), {Material.GRAVEL: 1.0})
            convert(shares, ramp(above_m, 0.7, -0.7), {Material.WATER: 1.0})
