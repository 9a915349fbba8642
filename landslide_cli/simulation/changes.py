"""Simulates changes that are not landslides. To tell the two apart is half of the work."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, shift

from landslide_cli.geo.bands import GSD_M
from landslide_cli.simulation.arrays import Distances, Floats, fractal, line_noise, ramp, turned
from landslide_cli.simulation.felling import clear_cuts, felled_mixture
from landslide_cli.simulation.ground import Ground, convert
from landslide_cli.simulation.nature import Change, Nature
from landslide_cli.simulation.spectra import PLANTS, Material
from landslide_cli.simulation.terrain import Terrain

OPENED: Final = 0.1
"""Share of the pits that are new. Two images are at most a year apart, and few pits open in that time."""
ADVANCE_M: Final = (5.0, 40.0)
"""How far the face of an older pit moves. A million tonnes a year, 20 m deep at 2.5 t/m3, are 2 hectares. Along a face
of 400 m this is 50 m a year. Most pits yield less, and the images can be only weeks apart."""
PIT_PX: Final = (4.0, 14.0)
"""Distance from the middle of an older pit to an edge."""
STRIPPED_PX: Final = (1.5, 7.0)
"""Distance from the middle of a new pit to an edge. At the pace above, 2 hectares are stripped in a year."""
BENCH_M: Final = (6.0, 15.0)
"""Height of the faces of an older pit on a hillside. An excavator reaches no higher."""
STRIPPED_M: Final = (2.0, 10.0)
"""Height of the faces of a new pit."""
FACE: Final = 1.2
"""Rise of the ground at the edge of a pit, in m/m: 50 degrees."""
BESIDE_PX: Final = 6.0
"""Distance of new buildings from roofs and roads, as a standard deviation."""
ALONE: Final = 0.02
"""A building gets its own road if the weighted share of roofs and roads near it is lower: 100 m from the next one."""
FLOODED_DEG: Final = (7.0, 4.0)
"""Nothing floods above the first slope, everything floods below the second. Steeper beds carry debris flows instead."""
ROAD_STEPS: Final = (120, 1200)
"""Shortest and longest road, in half pixels."""
TRACK_STEPS: Final = (40, 200)
"""Shortest and longest track to a pit or to a building that stands alone, in half pixels."""

DEAD: Final = 0.65
"""Share of dead trees among the conifers of an affected group, where they still stand."""


def change_ground(ground: Ground, nature: Nature, rng: np.random.Generator) -> None:
    """Apply the changes of `nature` to the ground, in place."""
    for kind, adorn in _KINDS.items():
        if kind in nature.changes:
            earlier = ground.after - ground.before
            adorn(ground, nature, rng)
            ground.mark(kind, earlier)
    # A pit that exists on both dates can lie where a field changed.
    ground.unmark_unchanged()


def blob(shape: tuple[int, int], centre: Sequence[float], radius_px: float, rng: np.random.Generator) -> Floats:
    """Make a ragged patch.

    Args:
        shape: height and width in pixels.
        centre: row and column of the middle.
        radius_px: radius of the patch in pixels.
        rng: source of its form.

    Returns:
        (h, w) float32, 1 inside and 0 outside.
    """
    angle, stretch = rng.uniform(0.0, np.pi), rng.uniform(1.0, 2.2)
    u, v = turned(shape, centre, angle)
    distance = np.hypot(u / stretch, v * stretch) / radius_px
    return ramp(distance + 0.3 * fractal(shape, rng, exponent=2.4, longest_px=6 * radius_px), 1.1, 0.9)


def _places(wanted: npt.NDArray[np.floating], count: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Draw up to `count` pixels (row, column) with the weights `wanted` (h, w)."""
    cumulative = np.cumsum(wanted, axis=None, dtype=np.float64)
    if cumulative[-1] <= 0.0:
        return []
    drawn = np.searchsorted(cumulative, rng.uniform(0.0, cumulative[-1], count), side="right")
    return [divmod(int(min(place, cumulative.size - 1)), wanted.shape[1]) for place in drawn]


def _fires(ground: Ground, nature: Nature, rng: np.random.Generator) -> None:
    """Burn patches: they become char where the fire was hot and brown plants elsewhere."""
    amount = nature.changes[Change.FIRE]
    shape, after = ground.terrain.shape, ground.after
    plants = after[list(PLANTS)].sum(axis=0)
    for place in _places(plants, int(rng.integers(1, 4)), rng):
        burnt = blob(shape, place, rng.uniform(20.0, 40.0 + 60.0 * amount), rng)
        severity = ramp(fractal(shape, rng, exponent=2.2), -1.6, 0.6) * burnt
        convert(after, 0.95 * severity, {Material.CHAR: 0.75, Material.SOIL: 0.15, Material.DEAD_WOOD: 0.1}, PLANTS)
        convert(after, 0.6 * (burnt - severity), {Material.DEAD_WOOD: 0.7, Material.DRY_GRASS: 0.3}, PLANTS)


def _dieback(ground: Ground, nature: Nature, rng: np.random.Generator) -> None:
    """Kill groups of conifers, as beetles or drought do, and fell some of them."""
    amount = nature.changes[Change.DIEBACK]
    shape, after = ground.terrain.shape, ground.after
    groups = fractal(shape, rng, exponent=2.0, shortest_px=6) + 1.2 * fractal(shape, rng, exponent=3.0, shortest_px=30)
    dead = ramp(groups, 2.6 - 1.6 * amount, 3.2 - 1.6 * amount)
    felled = dead * ramp(fractal(shape, rng, exponent=2.2, shortest_px=6), 0.5, 0.8)
    convert(after, DEAD * (dead - felled), {Material.DEAD_WOOD: 0.8, Material.GRASS: 0.2}, (Material.CONIFER,))
    convert(after, felled, felled_mixture(nature, rng), (Material.CONIFER,))


def _floods(ground: Ground, nature: Nature, rng: np.random.Generator) -> None:
    """Make the river muddy, and flood the ground beside it with muddy water and gravel."""
    amount = nature.changes[Change.FLOOD]
    terrain, after = ground.terrain, ground.after
    shape = terrain.shape
    convert(after, np.full(shape, rng.uniform(0.3, 1.0), np.float32), {Material.MUDDY_WATER: 1.0}, (Material.WATER,))
    width = 25.0 + 120.0 * amount * (0.6 + 0.5 * fractal(shape, rng, exponent=2.8, shortest_px=20))
    reached = ramp(terrain.river_m - width, 6.0, -6.0) * ramp(terrain.slope_deg(2.0), *FLOODED_DEG)
    gravel = ramp(fractal(shape, rng, exponent=2.4, shortest_px=5), -0.2, 0.4)
    land = tuple(material for material in Material if material not in (Material.WATER, Material.MUDDY_WATER))
    convert(after, reached * gravel, {Material.GRAVEL: 0.7, Material.SOIL: 0.3}, land)
    convert(after, reached * (1.0 - gravel) * 0.9, {Material.MUDDY_WATER: 1.0}, land)


def _quarries(ground: Ground, nature: Nature, rng: np.random.Generator) -> None:
    """Advance the faces of pits, strip ground for new pits, and add buildings. Some pits are on a hillside."""
    amount = nature.changes[Change.QUARRY]
    terrain, before, after = ground.terrain, ground.before, ground.after
    shape = terrain.shape
    slope, gradient = terrain.slope_deg(2.0), terrain.gradient(4.0)
    dry = 1.0 - after[Material.WATER] - after[Material.MUDDY_WATER]
    for place in _places(dry * ramp(slope, 38.0, 15.0), int(rng.integers(1, 2 + round(4 * amount))), rng):
        kind = Material(rng.choice((Material.ROCK, Material.SOIL, Material.GRAVEL, Material.FRESH_OCHRE)))
        bare = {kind: 0.8, Material.ASPHALT: 0.2}
        opened = rng.random() < OPENED
        bench_m = rng.uniform(*(STRIPPED_M if opened else BENCH_M))
        beyond_px = dug(shape, place, rng.uniform(*(STRIPPED_PX if opened else PIT_PX)), rng)
        track = _track(gradient, place, rng)
        if not opened:
            bared = np.maximum(_inside(beyond_px), track)
            for shares in (before, after):
                convert(shares, 0.95 * bared, bare)
            for dug_m in ground.dug_m:
                dig(dug_m, terrain.elevation_m, beyond_px, bench_m)
            heading, step_px = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(*ADVANCE_M) / GSD_M
            offset = (step_px * np.sin(heading), step_px * np.cos(heading))
            beyond_px = shift(beyond_px, offset, order=1, mode="nearest")
        convert(after, 0.95 * np.maximum(_inside(beyond_px), track), bare)
        dig(ground.dug_m[1], terrain.elevation_m, beyond_px, bench_m)
    # Houses and halls stand near others or beside a road.
    beside = gaussian_filter(after[Material.ROOF] + after[Material.ASPHALT], BESIDE_PX)
    wanted = dry * (beside + 0.002) * ramp(slope, 9.0, 5.0)
    for place in _places(wanted, int(rng.integers(1, 3 + round(8 * amount))), rng):
        axes = turned(shape, place, rng.uniform(0.0, np.pi))
        half_px = rng.uniform(0.7, 4.5, 2)
        beyond_px = np.maximum(*(np.abs(axis) - half for axis, half in zip(axes, half_px, strict=True)))
        built = 0.9 * ramp(beyond_px, 0.5, -0.5)
        if beside[place] < ALONE:
            convert(after, 0.9 * _track(gradient, place, rng), {Material.SOIL: 0.5, Material.ASPHALT: 0.5})
        convert(after, built, {Material.ROOF: 0.6, Material.ASPHALT: 0.2, Material.SOIL: 0.2})


def _track(gradient: tuple[Floats, Floats], place: tuple[int, int], rng: np.random.Generator) -> Floats:
    """Draw the track to `place` (row, column); share (h, w) of each pixel that is track."""
    track = np.zeros_like(gradient[0])
    _walk(track, gradient, place, TRACK_STEPS, rng)
    return _widened(track, 0.6)


def dug(shape: tuple[int, int], centre: Sequence[float], reach_px: float, rng: np.random.Generator) -> Distances:
    """Measure how far each pixel lies outside the straight edges of a pit.

    Args:
        shape: height and width in pixels.
        centre: row and column of the middle of the pit.
        reach_px: distance from the middle to an edge in pixels, on average.
        rng: source of its form.

    Returns:
        (h, w) float64, distance in pixels, negative inside.
    """
    sides = int(rng.integers(4, 7))
    angles = rng.uniform(0.0, 2.0 * np.pi) + 2.0 * np.pi / sides * (np.arange(sides) + rng.uniform(-0.2, 0.2, sides))
    beyond_px = np.full(shape, -np.inf)
    for angle, reach in zip(angles, reach_px * rng.uniform(0.7, 1.3, sides), strict=True):
        np.maximum(beyond_px, turned(shape, centre, angle)[0] - reach, out=beyond_px)
    return np.asarray(beyond_px + 0.4 * fractal(shape, rng, exponent=2.0, longest_px=20))


def _inside(beyond_px: Distances) -> Floats:
    """Share (h, w) of each pixel that lies inside an edge."""
    return ramp(beyond_px, 0.6, -0.6)


def dig(dug_m: Floats, elevation_m: Floats, beyond_px: Distances, bench_m: float) -> None:
    """Cut level benches into the ground inside an edge. Ground that is already deeper does not change.

    Args:
        dug_m: (h, w) float32, depth dug in metres; changed in place.
        elevation_m: (h, w) float32, natural elevation in metres.
        beyond_px: (h, w) float64, distance outside the edge in pixels, negative inside.
        bench_m: height from one bench to the next.
    """
    # Heights count from sea level, so that benches keep their height as a pit grows.
    above_m = elevation_m % np.float32(bench_m)
    np.maximum(dug_m, np.clip(np.minimum(above_m, FACE * GSD_M * -beyond_px), 0.0, None), out=dug_m)


def lines(terrain: Terrain, count: int, rng: np.random.Generator, width_px: float) -> Floats:
    """Draw roads that climb as little as possible.

    Args:
        terrain: the ground.
        count: number of roads.
        rng: source of their courses.
        width_px: width of a road in pixels.

    Returns:
        (h, w) float32, share of each pixel that is road.
    """
    gradient = terrain.gradient(4.0)
    hits = np.zeros(terrain.shape, np.float32)
    for _ in range(count):
        start = [rng.uniform(0.0, size - 1.0) for size in terrain.shape]
        _walk(hits, gradient, start, ROAD_STEPS, rng)
    return _widened(hits, width_px)


def _walk(
    hits: Floats,
    gradient: tuple[Floats, Floats],
    start: Sequence[float],
    steps: tuple[int, int],
    rng: np.random.Generator,
) -> None:
    """Add a road from `start` (row, column) to `hits` (h, w), its length per pixel; `steps` limits its half pixels."""
    height, width = hits.shape
    east, north = gradient
    row, column = start
    heading = rng.uniform(0.0, 2.0 * np.pi)
    bends = 0.08 * line_noise(steps[1], rng, 60)
    for step in range(rng.integers(*steps)):
        r, c = int(row), int(column)
        uphill = np.arctan2(-north[r, c], east[r, c])
        steep = min(float(np.hypot(east[r, c], north[r, c])) / 0.3, 1.0)
        # Turn towards the nearer of the two directions along the contour line.
        along = uphill + np.pi / 2 * (1.0 if np.sin(heading - uphill) > 0.0 else -1.0)
        heading += 0.35 * steep * np.sin(along - heading) + bends[step]
        row, column = row + 0.5 * np.sin(heading), column + 0.5 * np.cos(heading)
        if not (0.0 <= row < height - 1 and 0.0 <= column < width - 1):
            break
        # The four nearest pixels share the length by distance, so that a diagonal road has the same width everywhere.
        r, c = int(row), int(column)
        down, right = row - r, column - c
        hits[r, c : c + 2] += 0.5 * (1.0 - down) * np.array((1.0 - right, right))
        hits[r + 1, c : c + 2] += 0.5 * down * np.array((1.0 - right, right))


def _widened(hits: Floats, width_px: float) -> Floats:
    return np.asarray(np.clip(gaussian_filter(hits, 0.5) * np.float32(2.2 * width_px), 0.0, 1.0), dtype=np.float32)


def _roads(ground: Ground, nature: Nature, rng: np.random.Generator) -> None:
    """Add new roads and their cuts, which are as bare and as long as a scar."""
    amount = nature.changes[Change.ROAD]
    cut = lines(ground.terrain, 1 + round(3 * amount), rng, rng.uniform(0.5, 1.0))
    land = tuple(material for material in Material if material not in (Material.WATER, Material.MUDDY_WATER))
    soil = Material(rng.choice((Material.SOIL, Material.GRAVEL, Material.ROCK)))
    convert(ground.after, cut, {soil: 0.8, Material.ASPHALT: 0.2}, land)


def _season(ground: Ground, nature: Nature, rng: np.random.Generator) -> None:
    """Let leaves fall and grass dry, in some stands earlier than in others."""
    stands = 0.18 * fractal(ground.terrain.shape, rng, exponent=2.2, shortest_px=4)
    for shares, leafless, dry in zip((ground.before, ground.after), nature.leafless, nature.dry, strict=True):
        convert(shares, _part(leafless + stands, leafless), {Material.LEAFLESS: 1.0}, (Material.BROADLEAF,))
        convert(shares, _part(dry + stands, dry), {Material.DRY_GRASS: 1.0}, (Material.GRASS,))


def _part(field: Floats, mean: float) -> Floats:
    """Clip a field to 0..1; all 0 if `mean` is 0."""
    return np.asarray(np.clip(field, 0.0, 1.0) * (mean > 0.0), dtype=np.float32)


def _snow(ground: Ground, nature: Nature, rng: np.random.Generator) -> None:
    """Add snow on high ground: longer in gullies and on slopes that face away from the sun, less under trees."""
    terrain = ground.terrain
    relief = float(np.ptp(terrain.elevation_m)) or 1.0
    hollow = gaussian_filter(terrain.elevation_m, 4.0) - terrain.elevation_m
    north = terrain.gradient(2.0)[1]
    chill = terrain.elevation_m / relief + 0.02 * hollow - 0.08 * north
    chill = chill + 0.04 * fractal(terrain.shape, rng, exponent=2.0)
    for shares, quantile in zip((ground.before, ground.after), nature.snow_above, strict=True):
        if quantile < 1.0:
            line = float(np.quantile(chill, quantile))
            lying = ramp(chill, line - 0.04, line + 0.06)
            shaded = 1.0 - 0.6 * (shares[Material.CONIFER] + shares[Material.BROADLEAF])
            convert(shares, lying * np.clip(shaded, 0.0, 1.0), {Material.SNOW: 1.0})


_KINDS: Final[Mapping[Change, Callable[[Ground, Nature, np.random.Generator], None]]] = {
    Change.CLEAR_CUT: clear_cuts,
    Change.FIRE: _fires,
    Change.DIEBACK: _dieback,
    Change.FLOOD: _floods,
    Change.QUARRY: _quarries,
    Change.ROAD: _roads,
    Change.SEASON: _season,
    Change.SNOW: _snow,
}
"""Later kinds cover earlier ones. Fields are not here: they change where they are laid out."""
