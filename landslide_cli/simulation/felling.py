"""Forest that is felled: cuts of this year and of years ago, and what they leave on the ground."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from landslide_cli.geo.bands import GSD_M
from landslide_cli.simulation.arrays import Distances, Floats, fractal, ramp, turned
from landslide_cli.simulation.ground import Ground, Mixture, convert
from landslide_cli.simulation.nature import Change, Nature
from landslide_cli.simulation.spectra import TREES, Material

EDGE_PX: Final = 0.7
"""Half the width of the edge of a clear-cut, where some trees stand."""
BESIDE: Final = (0.0, 2.0)
"""How far from the middle of a clear-cut that of an earlier one lies, in half sides: it grows around or beside it."""
GREENING: Final = (0.6, 0.3)
"""Share of an earlier one that grass has come to cover at most, before the event and from then on; in Czechia 2019 the
median spectrum of old cuts is that of half grass, a year later of 0.7, and new ones are of a fifth."""
ASKEW: Final = 0.1
"""Deviation of the angle between a cut and the compartments around it."""
STRIP_PX: Final = (1.5, 3.5)
"""Half the width of a strip, which is usually twice as wide as the trees that sow it anew are high."""
FELLED: Final = (0.85, 0.98)
"""Share of the trees inside it that are felled."""
THINNED: Final = (0.2, 1.0)
"""The same of the smaller ones beside it: from single trees taken out to all."""
SMALLER_PX: Final = (1.5, 7.0)
"""From the middle of those to an edge."""


def clear_cuts(ground: Ground, nature: Nature, rng: np.random.Generator) -> None:
    """Patches of forest that are gone: rectangles, strips side by side, or as ragged as what beetles left to fell.

    Many lie beside one of years ago; groups of trees are left in some; smaller ones lie around, old and new, thinned
    and bare.
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
            # Here all was cleared up, there it still lies, or grass has come.
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
    """Cuts around one at `centre` (row, column) that reaches `half_px` along axes turned by `angle`; some are older."""
    row, column = centre
    for _ in range(rng.poisson(nature.more_cuts)):
        # From one to the next: what stands between them is felled last.
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
    """The exponent of a superellipse: 2 is an ellipse, infinity a rectangle."""
    return rng.uniform(*nature.corners) if nature.corners else np.inf


def _fell_earlier(ground: Ground, nature: Nature, rng: np.random.Generator, cut: Floats) -> None:
    """A cut (h, w) of some years ago: grass has come, and more of it until the image after the event."""
    mixture = felled_mixture(nature, rng)
    for shares, grown in zip((ground.before, ground.after), np.cumsum(rng.uniform(0.0, GREENING)), strict=True):
        convert(shares, cut, _grown_over(mixture, grown if nature.ragged else 0.0), TREES)


def _grown_over(mixture: Mixture, share: float) -> Mixture:
    """A mixture of which so much is grass instead."""
    rest = {material: (1.0 - share) * part for material, part in mixture.items()}
    return rest | {Material.GRASS: rest[Material.GRASS] + share}


def _opening(
    u: Distances, v: Distances, half_px: Distances, corners: float, waver: Floats | float, share: float
) -> Floats:
    """The share (h, w) of the trees felled inside of `half_px` along each of two axes, edges moved by `waver` of it."""
    longer, shorter = np.abs(u) / half_px[0], np.abs(v) / half_px[1]
    reach = np.maximum(longer, shorter)
    if np.isfinite(corners):
        longer, shorter = reach, np.minimum(longer, shorter)
        reach = longer * (1.0 + (shorter / np.maximum(longer, 1e-6)) ** corners) ** (1.0 / corners)
    reach = reach + waver
    soft = EDGE_PX / half_px.min()
    return np.asarray(share * ramp(reach, 1.0 + soft, 1.0 - soft), dtype=np.float32)


def _repeated(distance: Distances, apart_px: float, more: int) -> Distances:
    """The distance (h, w) from the nearest of lines side by side: one at 0 and so many `more` on either side of it."""
    return np.asarray(distance - apart_px * np.clip(np.round(distance / apart_px), -more, more))


def felled_mixture(nature: Nature, rng: np.random.Generator) -> Mixture:
    """What covers the ground where trees were felled: slash, what grew under them, soil in the tracks.

    Near the median of damaged forest in real pairs, Czechia 2019 and 2020: reflectance x 10000 of 830 in B04, 2150 in
    B08 and 2420 in B11, where soil as bright in B04 has less in both.
    """
    soil, green, dead = rng.uniform(0.05, 0.3), rng.uniform(0.0, 0.3), rng.uniform(*nature.slash)
    rest = 1.0 - soil - green
    return {
        Material.SOIL: soil,
        Material.GRASS: green,
        Material.DEAD_WOOD: dead * rest,
        Material.DRY_GRASS: (1.0 - dead) * rest,
    }
