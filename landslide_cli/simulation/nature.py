"""Conditions that differ from event to event: ground, season, air, and changes that are not landslides."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

import numpy as np

from landslide_cli.errors import InputError
from landslide_cli.simulation.arrays import Floats
from landslide_cli.simulation.spectra import FRESH, SPECTRA, Material, tinted


class Change(IntEnum):
    """Why the ground looks different after the event without a landslide. Values of `changes.tif`."""

    FIELD = 1
    CLEAR_CUT = 2
    FIRE = 3
    DIEBACK = 4
    FLOOD = 5
    QUARRY = 6
    ROAD = 7
    SNOW = 8
    SEASON = 9


CHANCE: Final[Mapping[Change, float]] = {
    Change.FIELD: 0.9,
    Change.CLEAR_CUT: 0.6,
    Change.FIRE: 0.25,
    Change.DIEBACK: 0.35,
    Change.FLOOD: 0.5,
    Change.QUARRY: 0.45,
    Change.ROAD: 0.5,
    Change.SNOW: 0.2,
    Change.SEASON: 0.7,
}
"""Share of the events that have each kind of change."""
RARE: Final = frozenset((Change.CLEAR_CUT, Change.QUARRY, Change.ROAD))
"""Changes of small places. `more_changes` also increases their amount."""
DRIFT: Final = (0.03, 0.24)
"""Smallest and largest `Nature.drift`. Conifers without changes have about 0.07 in a year (Czechia, September). Other
seasons and other weather have more."""
RESTLESS: Final = 1.0
"""`Nature.restless` at the largest drift."""
LEFT_HAZE: Final = 0.0075
"""`Nature.left_haze` of every event. Conifers in Czechia differ from one September to the next by 24 % in B01, 21 % in
B02, 10 to 12 % in B03 and B04 and 5 % in the infrared (standard deviations over 71 pairs of images)."""
USUAL: Final[Mapping[Change, float]] = dict.fromkeys(Change, 1.0)
"""Factor on how often each kind of change happens: 1, the usual frequency."""


@dataclass(frozen=True, slots=True)
class Nature:
    """The conditions of an event. The defaults give a plain event: fields and clear-cuts, one season, clean air."""

    spectra: Floats = field(default_factory=lambda: SPECTRA)
    """(materials, 12) float32 reflectance."""
    tint: float = 0.0
    """Standard deviation of the logarithm of reflectance along spectra.AXES, from place to place."""
    drift: float = 0.0
    """Standard deviation of the same from date to date, before the factors render.DRIFT."""
    fresh: tuple[Material, Material, Material] = (FRESH[0], FRESH[1], FRESH[2])
    """Soils that landslides expose."""
    fresh_share: float = 0.022
    """Share of the ground that fails in the event."""
    source_deg: float = 25.0
    """Slope from which the ground fails."""
    failing_share: float = 0.0
    """Smallest share of the ground that is steep enough to fail, even if the ground is gentle."""
    clustering: float = 1.1
    """How closely landslides crowd: standard deviation of the logarithm of their density, from place to place."""
    fresh_spread: float = 0.16
    """Standard deviation of the logarithm of the brightness of fresh soil, from landslide to landslide."""
    sizes_m2: tuple[float, float] = (400.0, 60_000.0)
    """Area of the smallest and of the largest landslide."""
    changes: Mapping[Change, float] = field(default_factory=lambda: {Change.FIELD: 0.18, Change.CLEAR_CUT: 0.12})
    """Amount of each kind of change: share of the fields (0.18), clear-cuts per km2 (0.12), 0 to 1 for other kinds.
    `more_changes` multiplies the amounts of the kinds in `RARE`."""
    ragged: float = 0.0
    """How far the edges of clear-cuts waver at most: standard deviation in half sides."""
    grain: float = 1.0
    """Factor on the differences from pixel to pixel."""
    unevenness: float = 0.0
    """Standard deviation of the logarithm of the grain, from place to place. Young stands are smoother than old."""
    corners: tuple[float, float] | None = None
    """Range of the exponent if clear-cuts are superellipses; 2 is an ellipse. None for rectangles."""
    strips: float = 0.0
    """Share of the clear-cuts that are strips side by side."""
    growing: float = 0.0
    """Share of the clear-cuts beside an older one."""
    slash: tuple[float, float] = (0.2, 0.7)
    """Range of the share of dead wood where trees were felled. Soil and green plants do not count; the rest is dry
    grass."""
    more_cuts: float = 0.0
    """Mean number of smaller cuts around each clear-cut."""
    forest_edge: float = 1.0
    """Width of the edges of the forest: 1 if nobody tends them, 0.2 if fields or meadows end at a line."""
    leafless: tuple[float, float] = (0.0, 0.0)
    """Share of the broadleaf canopy without leaves, before and after."""
    dry: tuple[float, float] = (0.0, 0.0)
    """Share of the grass that is dry in addition to the grass that always is, before and after."""
    snow_above: tuple[float, float] = (1.0, 1.0)
    """Quantile of the elevation from which there is snow, before and after. 1 is no snow."""
    haze: tuple[float, float] = (1.0, 1.0)
    """Factor on the usual haze, before and after."""
    noise: float = 0.0009
    """Standard deviation of the noise that an image adds to each pixel, in reflectance."""
    left_haze: float = 0.0
    """Standard deviation of the haze that atmospheric correction leaves in an image. It can also remove too much."""
    air: float = 0.0
    """0: reflectance of the ground. 1: reflectance at the top of the atmosphere."""
    misregistration_px: float = 0.0
    """Standard deviation of the shift of pre images against post images, in rows and in columns."""
    mistakes: float = 1.0
    """Factor on the errors of the scene classification."""
    shadows: bool = False
    """Whether mountains cast shadows."""
    surface_model: bool = False
    """Whether the elevation in the catalog includes the canopy and errors."""
    canopy_m: float = 14.0
    """Height of the forest."""
    conifers: float = 0.0
    """Tendency of the forest to conifers. From 1 up there is nothing else; from -1 down low ground has no conifers."""
    managed: float = 0.0
    """Share of the forest compartments with trees of another age or kind than the natural forest."""
    sea: float = 0.0
    """Quantile of the elevation up to which there is sea."""

    @property
    def restless(self) -> float:
        """Share of the variance of the grain that is new on each date: crowns have another sun and other leaves."""
        return RESTLESS * self.drift / DRIFT[1]


PLAIN: Final = Nature()


def parse_more_changes(texts: Iterable[str]) -> Mapping[Change, float]:
    """Read factors on how often each kind of change happens.

    Args:
        texts: values of --more-changes: `3` is for all kinds, `quarry=20` for one kind.

    Returns:
        The factor of each kind.

    Raises:
        InputError: a text has no such number, or its kind is unknown.
    """  # noqa: DOC501 - the ValueError never leaves the function
    names = {kind.name.lower().replace("_", "-"): kind for kind in Change}
    for_all, for_one = 1.0, {}
    for text in texts:
        name, separator, number = text.rpartition("=")
        try:
            times = float(number)
            if not 0.0 <= times < np.inf:
                raise ValueError(number)
            if separator:
                for_one[names[name]] = times
            else:
                for_all = times
        except (ValueError, KeyError) as error:
            raise InputError(
                f"--more-changes {text} must have the form TIMES or KIND=TIMES, where TIMES is a number from 0 up and "
                f"KIND is one of {', '.join(names)}"
            ) from error
    return dict.fromkeys(Change, for_all) | for_one


def draw_nature(rng: np.random.Generator, more_changes: Mapping[Change, float] = USUAL) -> Nature:
    """Draw the conditions of one event.

    Changes that are not landslides are there because a model learns from them what is not a landslide.

    Args:
        rng: source of the conditions.
        more_changes: factor on the chance of each kind of change, up to certainty. For the kinds in `RARE` it is also
            a factor on their amount.

    Returns:
        The conditions.
    """
    changes = {
        kind: float(rng.uniform(0.15, 1.0))
        for kind, chance in CHANCE.items()
        if rng.random() < chance * more_changes[kind]
    }
    if Change.FIELD in changes:
        changes[Change.FIELD] = float(rng.uniform(0.05, 0.6))
    if Change.CLEAR_CUT in changes:
        changes[Change.CLEAR_CUT] = float(rng.uniform(0.1, 1.2))
    for kind in RARE & changes.keys():
        changes[kind] *= more_changes[kind]
    season = changes.get(Change.SEASON, 0.0)
    leafless = rng.uniform(0.0, season, 2) * (rng.random(2) < 0.5)
    dry = rng.uniform(0.0, season, 2)
    snow = (1.0, 1.0)
    if Change.SNOW in changes:
        low = 1.0 - 0.5 * changes[Change.SNOW]
        snow = (low, float(rng.uniform(low, 1.0))) if rng.random() < 0.7 else (float(rng.uniform(low, 1.0)), low)
    spread = np.array((0.14, 0.10, 0.08, 0.10), np.float32)
    materials = rng.standard_normal((len(Material), 4)).astype(np.float32) * spread
    # All materials of a place have the same soil and the same light.
    materials += rng.standard_normal(4).astype(np.float32) * 0.6 * spread
    # Conifers range from pine to old spruce, which is darker, most of all in the shortwave infrared.
    materials[Material.CONIFER] += rng.uniform(0.0, 1.2) * np.array((-0.2, 0.0, 0.25, 0.0), np.float32)
    # The needles of dead and felled trees are red for a while.
    materials[Material.DEAD_WOOD] += rng.uniform(0.0, 0.5) * np.array((0.0, 0.0, 0.0, 1.0), np.float32)
    palette = rng.choice(len(FRESH), 3, p=(0.26, 0.2, 0.24, 0.15, 0.15))
    shift = rng.choice((0.15, 0.5, 1.0), p=(0.4, 0.5, 0.1))
    drift = float(np.exp(rng.uniform(*np.log(DRIFT))))
    return Nature(
        spectra=np.clip(tinted(SPECTRA, materials), 0.003, 0.95),
        tint=float(rng.uniform(0.03, 0.09)),
        drift=drift,
        fresh=(FRESH[palette[0]], FRESH[palette[1]], FRESH[palette[2]]),
        # Some events leave single scars, others strip whole slopes.
        fresh_share=float(np.exp(rng.uniform(np.log(0.004), np.log(0.25)))),
        # Loose ash on low hills fails on slopes where mountain rock stands. A model of 30 m shows both flatter.
        source_deg=float(rng.uniform(10.0, 32.0)),
        failing_share=0.4,
        clustering=float(rng.uniform(0.7, 1.9)),
        fresh_spread=float(rng.uniform(0.12, 0.26)),
        sizes_m2=(100.0, 100_000.0),
        changes=changes,
        ragged=0.25,
        corners=(2.5, 12.0),
        grain=1.2,
        unevenness=0.35,
        strips=0.3,
        growing=0.5,
        slash=(0.2, float(rng.uniform(0.6, 1.0))),
        more_cuts=float(rng.uniform(0.0, 7.0)),
        forest_edge=float(rng.uniform(0.15, 1.0)),
        leafless=(float(leafless[0]), float(leafless[1])),
        dry=(float(dry[0]), float(dry[1])),
        snow_above=snow,
        haze=(float(rng.lognormal(-0.4, 0.8)), float(rng.lognormal(-0.4, 0.8))),
        noise=0.0011,
        left_haze=LEFT_HAZE,
        air=float(rng.uniform(0.6, 1.1)) if rng.random() < 0.3 else 0.0,
        misregistration_px=float(shift),
        mistakes=float(rng.uniform(1.0, 2.2)),
        shadows=True,
        surface_model=True,
        canopy_m=float(rng.uniform(8.0, 34.0)),
        conifers=float(rng.normal(0.2, 0.8)),
        managed=float(rng.uniform(0.1, 0.6)) if rng.random() < 0.65 else 0.0,
        sea=float(rng.uniform(0.05, 0.2)) if rng.random() < 0.12 else 0.0,
    )
