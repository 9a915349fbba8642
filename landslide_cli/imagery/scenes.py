"""Ranks scenes and chooses which to use. Pure: no reading, no network.

A scene loses points for ground that it does not show, and for differences to the scene of the other side. One point
equals 1 % of the AOI, so that the ranking can be checked by hand.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
import pystac
from numpy.typing import NDArray

from landslide_cli.errors import InputError, NoSceneError
from landslide_cli.geo.bands import Unseen
from landslide_cli.imagery.catalogs import baseline, relative_orbit, sun_position
from landslide_cli.imagery.clouds import unseen

PASS_GAP: Final = timedelta(minutes=20)
"""Granules less than this apart belong to one overpass; the next overpass of a place is hours or days away."""

DAY_POINTS: Final = 0.1
"""Points lost per day between a scene and the event, because the ground keeps changing."""
ORBIT_POINTS: Final = 5.0
"""Points lost if the relative orbit differs from the other side: other view, other parallax, other shadows."""
SUN_POINTS: Final = 0.2
"""Points lost per degree between the sun positions of both sides."""

FILL_SHARE: Final = 0.002
"""Another scene joins a composite only if it shows at least this share of the AOI that the others do not show."""
FILL_SCENES: Final = 6
"""At most this many scenes in a composite: each costs a pass over the AOI."""


@dataclass(frozen=True, slots=True)
class Rating:
    """The part of the AOI that a scene shows, measured on a coarse grid."""

    covered: float
    """Share of the AOI that was observed, 0..1."""
    hidden: dict[Unseen, float]
    """Share of the AOI where the ground is hidden, 0..1, by reason."""
    clear: NDArray[np.bool_] = field(repr=False, compare=False)
    """(H, W) on the coarse grid, true inside the AOI where the ground is seen."""
    pixels: int
    """Number of AOI pixels on that grid."""

    @property
    def clear_share(self) -> float:
        """Share of the AOI where the ground is seen, 0..1."""
        return float(self.clear.sum()) / self.pixels


def rate(scl: NDArray[np.uint8], inside: NDArray[np.bool_]) -> Rating:
    """Rate a scene by its classification (H, W) on a coarse grid; `inside` marks the AOI."""
    pixels = max(int(inside.sum()), 1)
    why = unseen(scl, dilation_px=0)
    shares = {reason: float(((why == reason) & inside).sum()) / pixels for reason in Unseen}
    covered = 1 - shares.pop(Unseen.OUTSIDE)
    return Rating(covered, shares, (why == 0) & inside, pixels)


@dataclass(frozen=True, slots=True)
class Scene:
    """All granules of one overpass over the AOI, which are mosaicked."""

    granules: tuple[pystac.Item, ...]
    rating: Rating | None = None

    @property
    def id(self) -> str:
        """Identifier of the first granule, used as the name of the scene."""
        return str(self.granules[0].id)

    @property
    def datetime(self) -> datetime:
        """Sensing time of the first granule, UTC."""
        return min(_moment(item) for item in self.granules)

    @property
    def orbit(self) -> int | None:
        """Relative orbit."""
        return relative_orbit(self.granules[0])

    def rated(self, rating: Rating) -> "Scene":
        """Return the scene with its rating."""
        return replace(self, rating=rating)

    def named(self, name: str) -> bool:
        """Return True if `name` is the identifier of one of the granules."""
        return any(item.id == name for item in self.granules)


@dataclass(frozen=True, slots=True)
class Ranked:
    """A scene with the points that it lost, by reason."""

    scene: Scene
    lost: dict[str, float]

    @property
    def points(self) -> float:
        """Sum of the points lost; fewer is better."""
        return sum(self.lost.values())


def overpasses(items: Iterable[pystac.Item]) -> list[Scene]:
    """Group granules of one satellite, minutes apart, into scenes; of a granule processed twice the newer is kept."""
    newest: dict[tuple[object, ...], pystac.Item] = {}
    for item in sorted(items, key=lambda item: (baseline(item), item.id)):
        newest[(_tile(item), item.properties.get("platform"), _moment(item).replace(second=0, microsecond=0))] = item
    groups: list[list[pystac.Item]] = []
    for item in sorted(newest.values(), key=lambda i: (str(i.properties.get("platform")), _moment(i), i.id)):
        last = groups[-1][-1] if groups else None
        same = (
            last is not None
            and last.properties.get("platform") == item.properties.get("platform")
            and _moment(item) - _moment(last) < PASS_GAP
        )
        if same:
            groups[-1].append(item)
        else:
            groups.append([item])
    return sorted((Scene(tuple(group)) for group in groups), key=lambda scene: scene.datetime)


def rank(scenes: Sequence[Scene], event: datetime, partner: Scene | None = None) -> list[Ranked]:
    """Rank rated scenes, the best first; if `partner` is given, compare them with this scene of the other side."""
    ranked = [Ranked(scene, _lost(scene, event, partner)) for scene in scenes if scene.rating and scene.rating.covered]
    return sorted(ranked, key=lambda r: (round(r.points, 6), abs(r.scene.datetime - event), r.scene.id))


def best_pair(pre: Sequence[Scene], post: Sequence[Scene], event: datetime) -> tuple[Scene, Scene]:
    """Return the pair of rated scenes that loses the fewest points together; both sides must have scenes."""
    alone = {side: {r.scene.id: r.points for r in rank(scenes, event)} for side, scenes in (("a", pre), ("b", post))}
    return min(
        ((a, b) for a in pre for b in post if a.id in alone["a"] and b.id in alone["b"]),
        key=lambda pair: (
            round(alone["a"][pair[0].id] + alone["b"][pair[1].id] + sum(_unlike(*pair).values()), 6),
            abs(pair[0].datetime - event) + abs(pair[1].datetime - event),
        ),
    )


def compose(ranked: Sequence[Ranked]) -> list[Scene]:
    """Return the best scene, then the scenes that show most of the ground still hidden, in order of filling."""
    first = ranked[0].scene
    chosen = [first]
    if first.rating is None:
        return chosen
    seen = first.rating.clear.copy()
    while len(chosen) < FILL_SCENES:
        gains = [
            (int((r.scene.rating.clear & ~seen).sum()), -number)
            for number, r in enumerate(ranked)
            if r.scene.rating is not None
        ]
        gain, number = max(gains)
        if gain < FILL_SHARE * first.rating.pixels:
            break
        filler = ranked[-number].scene
        chosen.append(filler)
        if filler.rating is not None:
            seen |= filler.rating.clear
    return chosen


def composite_clear(scenes: Sequence[Scene]) -> float:
    """Return the share of the AOI, 0..1, where at least one of the rated scenes shows the ground."""
    ratings = [scene.rating for scene in scenes if scene.rating is not None]
    seen = np.logical_or.reduce([rating.clear for rating in ratings])
    return float(seen.sum()) / ratings[0].pixels


def require_usable(ranked: Sequence[Ranked], side: str, max_cloud: float, days: tuple[date, date]) -> None:
    """Check that clouds do not hide too much of a side, even in a composite.

    Args:
        ranked: ranked scenes of the side.
        side: `pre` or `post`.
        max_cloud: allowed hidden share of the observed AOI, in percent.
        days: first and last day searched, for the message.

    Raises:
        NoSceneError: no scene covers the AOI, or the composite leaves too much hidden.
    """
    period = f"between {days[0]} and {days[1]}"
    if not ranked:
        raise NoSceneError(
            f"no {side} scene covers the AOI {period}; widen --{side}-days, or check the AOI and the event date"
        )
    scenes = compose(ranked)
    covered = max(scene.rating.covered for scene in scenes if scene.rating)
    hidden = 100 * (1 - min(composite_clear(scenes) / covered, 1))
    if hidden > max_cloud:
        best = min(100 * (1 - r.scene.rating.clear_share / r.scene.rating.covered) for r in ranked if r.scene.rating)
        raise NoSceneError(
            f"no {side} scene under {max_cloud:g} % cloud covers the AOI {period} (best of {len(ranked)}: "
            f"{best:.0f} %, all together: {hidden:.0f} %); widen --{side}-days or raise --max-cloud"
        )


def named_scenes(scenes: Sequence[Scene], names: Sequence[str], side: str) -> list[Scene]:
    """Return the scenes that the user named, in that order.

    Args:
        scenes: scenes of the side.
        names: identifiers of granules.
        side: `pre` or `post`.

    Returns:
        The named scenes, each once.

    Raises:
        InputError: a name is not a scene of that side.
    """
    chosen = []
    for name in names:
        match = next((scene for scene in scenes if scene.named(name)), None)
        if match is None:
            known = ", ".join(scene.id for scene in scenes) or "none"
            raise InputError(f"--{side}-scene {name!r} is not a {side} scene of this event; available: {known}")
        chosen.append(match)
    return list({scene.id: scene for scene in chosen}.values())


def _lost(scene: Scene, event: datetime, partner: Scene | None) -> dict[str, float]:
    assert scene.rating is not None
    lost = {
        Unseen.OUTSIDE.label: 100 * (1 - scene.rating.covered),
        **{reason.label: 100 * share for reason, share in scene.rating.hidden.items()},
        "days": DAY_POINTS * abs(scene.datetime - event) / timedelta(days=1),
    }
    return lost if partner is None else lost | _unlike(scene, partner)


def _unlike(scene: Scene, other: Scene) -> dict[str, float]:
    orbits = {scene.orbit, other.orbit}
    here, there = sun_position(scene.granules[0]), sun_position(other.granules[0])
    return {
        "orbit": ORBIT_POINTS if len(orbits) == 2 and None not in orbits else 0.0,
        "sun": SUN_POINTS * _angle_deg(here, there) if here and there else 0.0,
    }


def _angle_deg(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Return the angle between two directions, each elevation and azimuth in degrees."""
    (high_a, turn_a), (high_b, turn_b) = np.radians(a), np.radians(b)
    cosine = np.sin(high_a) * np.sin(high_b) + np.cos(high_a) * np.cos(high_b) * np.cos(turn_a - turn_b)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def _moment(item: pystac.Item) -> datetime:
    moment = item.datetime or item.common_metadata.start_datetime
    if moment is None:
        return datetime.min.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _tile(item: pystac.Item) -> str:
    properties = item.properties
    return str(properties.get("s2:mgrs_tile") or properties.get("grid:code") or item.id).removeprefix("MGRS-")
