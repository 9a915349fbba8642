"""Simulates felled forest: new and older clear-cuts, and what they leave on the ground."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from landslide_cli.geo.bands import GSD_M
from landslide_cli.simulation.arrays import Distances, Floats, fractal, ramp, turned
from landslide_cli.simulation.ground import Ground, Mixture, convert
from landslide_cli.simulation.nature import Change, Nature
from landslide_cli.simulation.spectra import TREES, Material

EDGE_PX: Final = 0.7
"""Half the width of the edge of a clear-cut, where some trees still stand."""
BESIDE: Final = (0.0, 2.0)
"""Distance between the middles of a clear-cut and an earlier one, in half sides. It grows around or beside that one."""
GREENING: Final = (0.6, 0.3)
"""Largest share of an earlier clear-cut that grass covers before the event, and that it covers in addition after it.
In Czechia in 2019 the median spectrum of old cuts is that of 0.5 grass, a year later of 0.7; of new cuts, 0.2."""
ASKEW: Final = 0.1
"""Standard deviation of the angle between a cut and the compartments around it, in radians."""
STRIP_PX: Final = (1.5, 3.5)
"""Half the width of a strip. A strip is usually twice as wide as the height of the trees that sow it again."""
FELLED: Final = (0.85, 0.98)
"""Share of the trees inside a clear-cut that are felled."""
THINNED: Final = (0.2, 1.0)
"""Share of the trees inside a smaller cut beside it that are felled: from single trees to all trees."""
SMALLER_PX: Final = (1.5, 7.0)
"""Distance from the middle of a smaller cut to an edge."""


def clear_cuts(ground: Ground, nature: Nature, rng: np.random.Generator) -> None:
    """Fell patches of forest: rectangles, strips side by side, or patches as ragged as those that beetles killed.

    Many patches lie beside a cut of earlier years. Some keep groups of trees. Smaller cuts lie around them: old and
    new, thinned and bare.

    Args:
        ground: the ground; changed in place.
        nature: how many cuts there are, and of which form.
        rng: source of their places and forms.
    """
    terrain, after = ground.terrain, ground.after
    forest = after[list(TREES)].sum(axis=0)
    rows, columns = np.nonzero((forest > 0.7) & (terrain.slope_deg(1.5) < 28.0))
    if rows.size == 0:
        return
    uneven = fractal(forest.shape, rng, exponent=2.6, shortest_px=5, longest_px=40) if nature.ragged else None
    left = fractal(forest.shape, rng, exponent=1.6, shortest_px=7, longest_px=20)
    patches = fractal(forest.shape, rng, exponent=1.6, shortest_px=4, longest_px=30) if nature.ragged else left
    for _ in range(max(1, round(forest.size * GSD_M**2 / 1e6 * nature.changes[Change.CLEAR_CUT]))):
        place = rng.integers(rows.size)
        angle = rng.uniform(0.0, np.pi)
        if ground.compartments:
            angle = ground.compartments.blocks.angle_at((rows[place], columns[place])) + rng.normal(0.0, ASKEW)
        u, v = turned(forest.shape, (rows[place], columns[place]), angle)
        half = rng.uniform(4.0, 13.0, 2)
        waver = 0.0 if uneven is None else nature.ragged * rng.uniform() ** 2 * uneven
        corners = _corners(nature, rng)
        share = rng.uniform(*FELLED) if nature.ragged else FELLED[0]
        if nature.strips and rng.random() < nature.strips:
            half[0] = rng.uniform(*STRIP_PX)
            u = _repeated(u, rng.uniform(3.0, 5.0) * half[0], int(rng.integers(0, 3)))
        if rng.random() < nature.growing:
            earlier = _opening(u + rng.uniform(*BESIDE) * half[0], v, half, corners, waver, share)
            _fell_earlier(ground, nature, rng, earlier)
        cut = _opening(u, v, half, corners, waver, share)
        if nature.ragged:
            left_from = rng.uniform(1.8, 3.0)
            cut *= ramp(left, left_from + 0.3, left_from - 0.3)
            # Some parts are cleared up. On others slash still lies, or grass grows.
            part = ramp(patches, -0.8, 0.8)
            convert(after, cut * part, felled_mixture(nature, rng), TREES)
            cut *= (1.0 - part) / np.maximum(1.0 - cut * part, 0.01)
        convert(after, cut, felled_mixture(nature, rng), TREES)
        if nature.more_cuts:
            _smaller_cuts(ground, nature, rng, (rows[place], columns[place]), angle, half, waver)


def _smaller_cuts(
    ground: Ground,
    nature: Nature,
    rng: np.random.Generator,
    centre: Sequence[float],
    angle: float,
    half_px: Distances,
    waver: Floats | float,
) -> None:
    """Add smaller cuts, some older, around one at `centre` (row, column) with half sides `half_px`, turned `angle`."""
    row, column = centre
    for _ in range(rng.poisson(nature.more_cuts)):
        # Each cut lies beside the one before: the trees between two cuts are felled last.
        smaller_px, heading = rng.uniform(*SMALLER_PX, 2), rng.uniform(0.0, 2.0 * np.pi)
        away_px = rng.uniform(0.7, 1.6) * (half_px.mean() + smaller_px.mean())
        row, column = row + away_px * np.sin(heading), column + away_px * np.cos(heading)
        u, v = turned(ground.terrain.shape, (row, column), angle + rng.normal(0.0, 0.15))
        corners = _corners(nature, rng)
        share = rng.uniform(*THINNED)
        cut = _opening(u, v, smaller_px, corners, waver, share)
        if rng.random() < nature.growing:
            _fell_earlier(ground, nature, rng, cut)
        else:
            convert(ground.after, cut, felled_mixture(nature, rng), TREES)
        half_px = smaller_px


def _corners(nature: Nature, rng: np.random.Generator) -> float:
    """Draw the exponent of a superellipse: 2 is an ellipse, infinity a rectangle."""
    return rng.uniform(*nature.corners) if nature.corners else np.inf


def _fell_earlier(ground: Ground, nature: Nature, rng: np.random.Generator, cut: Floats) -> None:
    """Add a cut (h, w) of earlier years: grass grows on it, and more grass after the event than before."""
    mixture = felled_mixture(nature, rng)
    for shares, grown in zip((ground.before, ground.after), np.cumsum(rng.uniform(0.0, GREENING)), strict=True):
        convert(shares, cut, _grown_over(mixture, grown if nature.ragged else 0.0), TREES)


def _grown_over(mixture: Mixture, share: float) -> Mixture:
    """Replace a share of a mixture by grass."""
    rest = {material: (1.0 - share) * part for material, part in mixture.items()}
    return rest | {Material.GRASS: rest[Material.GRASS] + share}


def _opening(
    u: Distances, v: Distances, half_px: Distances, corners: float, waver: Floats | float, share: float
) -> Floats:
    """Share (h, w) of the trees felled inside half sides `half_px` on two axes; `waver`, in half sides, moves edges."""
    longer, shorter = np.abs(u) / half_px[0], np.abs(v) / half_px[1]
    reach = np.maximum(longer, shorter)
    if np.isfinite(corners):
        longer, shorter = reach, np.minimum(longer, shorter)
        reach = longer * (1.0 + (shorter / np.maximum(longer, 1e-6)) ** corners) ** (1.0 / corners)
    reach = reach + waver
    soft = EDGE_PX / half_px.min()
    return np.asarray(share * ramp(reach, 1.0 + soft, 1.0 - soft), dtype=np.float32)


def _repeated(distance: Distances, apart_px: float, more: int) -> Distances:
    """Distance (h, w) from the nearest of parallel lines: one line at 0 and `more` lines on either side."""
    return np.asarray(distance - apart_px * np.clip(np.round(distance / apart_px), -more, more))


def felled_mixture(nature: Nature, rng: np.random.Generator) -> Mixture:
    """Draw what covers the ground where trees were felled: slash, plants that grew under them, soil in the tracks.

    The result is near the median of damaged forest in real image pairs (Czechia, 2019 and 2020): reflectance x 10000
    of 830 in B04, 2150 in B08 and 2420 in B11. Soil that is as bright in B04 has less in B08 and B11.

    Args:
        nature: its `slash` gives the share of dead wood.
        rng: source of the shares.

    Returns:
        The share of each material.
    """
    soil, green, dead = rng.uniform(0.05, 0.3), rng.uniform(0.0, 0.3), rng.uniform(*nature.slash)
    rest = 1.0 - soil - green
    return {
        Material.SOIL: soil,
        Material.GRASS: green,
        Material.DEAD_WOOD: dead * rest,
        Material.DRY_GRASS: (1.0 - dead) * rest,
    }
