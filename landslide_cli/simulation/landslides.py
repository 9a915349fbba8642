"""Simulates landslides: where they start, how far they run, and the share of each pixel that they cover."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from affine import Affine
from rasterio.features import rasterize
from scipy.ndimage import gaussian_filter
from shapely.geometry import Polygon

from landslide_cli.geo.bands import GSD_M
from landslide_cli.simulation.arrays import Codes, Flags, Floats, fractal, ramp
from landslide_cli.simulation.nature import PLAIN, Nature
from landslide_cli.simulation.terrain import Terrain

SHARE_OF_OUTLINES = 0.5
"""Share of the landslides that take the shape of a mapped one, if outlines are given."""
FINER = 4
"""Parts per side of a pixel when outlines are rasterised."""

Outline: TypeAlias = npt.NDArray[np.float64]
"""(n, 2) float64, x and y of a ring around its centre, scaled to area 1, longest along x."""
STEP_M = 10.0
"""Distance between two points of a path."""

# Malamud et al. 2004: areas follow an inverse gamma law. The tail of its density falls as area ** -2.4.
_TAIL, _SCALE_M2, _SHIFT_M2 = 1.4, 1280.0, -132.0


@dataclass(frozen=True, slots=True)
class Landslide:
    """One landslide. Rows and columns refer to the grid of its terrain."""

    area_m2: float
    path: npt.NDArray[np.float64]
    """(n, 2) float64, row and column from the crown down to the toe."""


@dataclass(frozen=True, slots=True)
class Scars:
    """What a set of landslides does to each pixel. Arrays are (h, w)."""

    slides: tuple[Landslide, ...]
    cover: Floats
    """Share of the pixel that a landslide covers, 0 to 1."""
    soil: Codes
    """Index into the fresh soils of the event, `Nature.fresh`."""
    brightness: Floats
    """Factor on the reflectance of the soil."""
    plants: Floats
    """Share of the covered part on which plants survive, 0 to 1."""

    @property
    def truth(self) -> Codes:
        """(h, w) uint8, 1 where a landslide covers at least half of the pixel."""
        return (self.cover >= 0.5).astype(np.uint8)


def draw_areas_m2(total_m2: float, rng: np.random.Generator, sizes_m2: tuple[float, float]) -> Floats:
    """Draw the areas of landslides.

    Args:
        total_m2: sum of the areas; the result reaches it with its last area.
        rng: source of the areas.
        sizes_m2: smallest and largest area.

    Returns:
        (n,) float32 in m2, largest first.
    """
    areas: list[float] = []
    drawn_m2 = 0.0
    while drawn_m2 < total_m2:
        area = _SCALE_M2 / rng.gamma(_TAIL) + _SHIFT_M2
        if sizes_m2[0] <= area <= sizes_m2[1]:
            areas.append(area)
            drawn_m2 += area
    return np.sort(np.array(areas, dtype=np.float32))[::-1]


def make_scars(
    terrain: Terrain,
    rng: np.random.Generator,
    *,
    share: float,
    nature: Nature = PLAIN,
    allowed: Flags | None = None,
    outlines: Sequence[Outline] = (),
) -> Scars:
    """Make landslides with the sizes and on the slopes that `nature` gives.

    Args:
        terrain: the ground.
        rng: source of their places and forms.
        share: share of the terrain that they cover, not exact.
        nature: conditions of the event.
        allowed: (h, w) bool, where landslides can start. None for everywhere.
        outlines: shapes of mapped landslides. Some landslides take one of them, turned to run downhill.

    Returns:
        The landslides and what they do to each pixel.
    """
    shape = terrain.shape
    smooth_m = gaussian_filter(terrain.elevation_m, 1.5, mode="nearest")
    descent = tuple(-g for g in terrain.gradient(2.0))
    steep = terrain.slope_deg(1.0)
    source_deg = min(nature.source_deg, float(np.quantile(steep, 1.0 - nature.failing_share)))
    # Landslides crowd in places, because a storm cell or a rupture has a centre.
    intensity = np.exp(nature.clustering * fractal(shape, rng, exponent=3.0, shortest_px=40))
    weight = ramp(steep, source_deg, source_deg + 15.0) * intensity * (steep > source_deg)
    if allowed is not None:
        weight = weight * allowed
    scars = Scars(
        (),
        np.zeros(shape, np.float32),
        np.zeros(shape, np.uint8),
        np.ones(shape, np.float32),
        np.zeros(shape, np.float32),
    )
    cumulative = np.cumsum(weight, axis=None, dtype=np.float64)
    if cumulative[-1] == 0.0:
        return scars
    ragged = fractal(shape, rng, exponent=2.0, longest_px=12)
    regional = fractal(shape, rng, exponent=3.0, shortest_px=60)
    slides = []
    for area_m2 in draw_areas_m2(share * shape[0] * shape[1] * GSD_M**2, rng, nature.sizes_m2):
        slide = _run(float(area_m2), cumulative, smooth_m, descent, rng)
        if slide is not None:
            outline = None
            if len(outlines) and rng.random() < SHARE_OF_OUTLINES:
                outline = outlines[int(rng.integers(len(outlines)))]
            soil = float(regional[tuple(slide.path[0].astype(int))])
            _paint(slide, scars, ragged, soil, nature.fresh_spread, outline, rng)
            slides.append(slide)
    return Scars(tuple(slides), scars.cover, scars.soil, scars.brightness, scars.plants)


def _run(
    area_m2: float,
    cumulative: npt.NDArray[np.float64],
    elevation_m: Floats,
    descent: tuple[Floats, ...],
    rng: np.random.Generator,
) -> Landslide | None:
    """Follow the ground down from a steep place to the length for this area, or to where the ground flattens."""
    height, width = elevation_m.shape
    # Large landslides are longer in relation to their width, as debris flows are.
    elongation = rng.lognormal(1.1 + 0.16 * np.log(area_m2 / 1000.0), 0.4)
    wanted_m = np.sqrt(area_m2 * max(elongation, 1.2))
    for _ in range(20):
        start = int(np.searchsorted(cumulative, rng.uniform(0.0, cumulative[-1]), side="right"))
        row, column = divmod(min(start, cumulative.size - 1), width)
        path = [(float(row), float(column))]
        heading = np.zeros(2)
        slow = 0
        while (len(path) - 1) * STEP_M < wanted_m:
            r, c = (round(x) for x in path[-1])
            down = np.array([-float(descent[1][r, c]), float(descent[0][r, c])])
            slope = float(np.hypot(*down))
            slow += slope < 0.12
            if slope < 0.03 or slow * STEP_M > 0.25 * wanted_m:
                break
            # Moving ground has inertia and turns slowly.
            heading = 0.45 * heading + down / slope
            heading /= np.hypot(*heading)
            following = (path[-1][0] + heading[0], path[-1][1] + heading[1])
            r2, c2 = (round(x) for x in following)
            if not (0 <= r2 < height and 0 <= c2 < width) or elevation_m[r2, c2] > elevation_m[r, c]:
                break
            path.append(following)
        if (len(path) - 1) * STEP_M >= 0.55 * wanted_m and len(path) > 1:
            return Landslide(area_m2, np.array(path))
    return None


def _paint(
    slide: Landslide,
    scars: Scars,
    ragged: Floats,
    regional: float,
    spread: float,
    outline: Outline | None,
    rng: np.random.Generator,
) -> None:
    """Add one landslide to the arrays of `scars`."""
    height, width = scars.cover.shape
    n = len(slide.path)
    half_px = 0.5 * slide.area_m2 / (n * STEP_M) / GSD_M
    reach = int(2.2 * half_px + 6)
    if outline is not None:
        reach += int(np.abs(outline).max() * np.sqrt(slide.area_m2) / GSD_M)
    (top, left), (bottom, right) = slide.path.min(axis=0).astype(int), slide.path.max(axis=0).astype(int)
    window = (
        slice(max(top - reach, 0), min(bottom + reach + 1, height)),
        slice(max(left - reach, 0), min(right + reach + 1, width)),
    )
    rows, columns = (np.arange(s.start, s.stop) for s in window)
    # Half-width along the path: a round crown, a neck, and a deposit that spreads.
    t = np.linspace(0.0, 1.0, n)
    neck = rng.uniform(0.55, 0.9)
    fan = rng.uniform(0.8, 1.6)
    profile = np.interp(t, [0.0, 0.2, 0.6, 0.9, 1.0], [0.8, 1.05, neck, fan, 0.8 * fan])
    distance = np.hypot(rows[:, None, None] - slide.path[:, 0], columns[None, :, None] - slide.path[:, 1])
    edge = distance - half_px * profile
    nearest = edge.argmin(axis=2)
    edge = edge.min(axis=2) + 0.28 * min(half_px, 5.0) * ragged[window]
    # Bends, overlaps of the discs and raggedness change the area. Moving the edge corrects it.
    pixels = min(max(round(slide.area_m2 / GSD_M**2), 1), edge.size)
    edge -= np.partition(edge, pixels - 1, axis=None)[pixels - 1]
    cover = np.clip(0.5 - edge / 1.6, 0.0, 1.0).astype(np.float32)
    if outline is not None:
        cover = _burn(outline, slide, (rows, columns), rng)

    along = t[nearest].astype(np.float32)
    wins = cover > scars.cover[window]
    kind = int(np.clip(np.floor(1.5 + 0.7 * regional + rng.normal(0.0, 0.7)), 0, 2))
    shade = float(np.clip(rng.lognormal(0.0, spread), 0.55, 1.5))
    wet = rng.uniform(0.0, 0.35)
    plants = rng.beta(1.2, 6.0)
    bright = shade * (1.0 - wet * along)
    # Trees move down with the debris: the deposit and the edge have more plants than the crown.
    alive = plants * (0.5 + along) + 0.25 * ramp(ragged[window], 1.0, 2.2)
    for array, value in (
        (scars.soil, np.uint8(kind)),
        (scars.brightness, bright),
        (scars.plants, np.clip(alive, 0.0, 0.7)),
        (scars.cover, cover),
    ):
        array[window] = np.where(wins, value, array[window])


def outline_of(polygon: Polygon) -> Outline | None:
    """Return the shape of a mapped landslide without its place and size.

    Args:
        polygon: outline in metres.

    Returns:
        The shape. None if it is too thin for a landslide or has too few points.
    """
    ring = np.asarray(polygon.exterior.coords, dtype=np.float64)[:, :2]
    ring = ring - np.asarray(polygon.centroid.coords[0])
    covariance = np.cov(ring.T)
    if not np.isfinite(covariance).all() or polygon.area <= 0.0 or len(ring) < 6:
        return None
    _, axes = np.linalg.eigh(covariance)
    turned = ring @ axes[:, ::-1]
    outline: Outline = turned / np.sqrt(polygon.area)
    return outline if np.abs(outline).max() < 6.0 else None


def _burn(
    outline: Outline, slide: Landslide, axes: tuple[npt.NDArray[Any], npt.NDArray[Any]], rng: np.random.Generator
) -> Floats:
    """Share of each pixel of `axes` (rows, columns) that the outline covers, when it lies along the path."""
    rows, columns = axes
    down = slide.path[-1] - slide.path[0]
    # East and south are the directions of columns and rows. The shape is mirrored at random.
    east, south = down[1] / np.hypot(*down), down[0] / np.hypot(*down)
    shape = outline * (1.0, rng.choice((-1.0, 1.0))) * np.sqrt(slide.area_m2) / GSD_M
    middle = slide.path.mean(axis=0)
    x = middle[1] + 0.5 + shape[:, 0] * east - shape[:, 1] * south
    y = middle[0] + 0.5 + shape[:, 0] * south + shape[:, 1] * east
    fine = rasterize(
        [{"type": "Polygon", "coordinates": [np.column_stack([x, y]).tolist()]}],
        out_shape=(len(rows) * FINER, len(columns) * FINER),
        transform=Affine(1 / FINER, 0.0, float(columns[0]), 0.0, 1 / FINER, float(rows[0])),
    )
    blocks = fine.reshape(len(rows), FINER, len(columns), FINER)
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float32)
