"""Which images to use. Pure: no reading, no asking."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pystac

from landslide_cli.errors import NoSceneError
from landslide_cli.imagery.catalogs import baseline

PASS_GAP: timedelta = timedelta(minutes=20)
"""Granules of one overpass are sensed within minutes; the next overpass of a place is hours or days away."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What one overpass saw of the AOI: one granule or several that are mosaicked."""

    granules: tuple[pystac.Item, ...]
    covered: float = 0.0
    """Share of the AOI that was observed, 0..1."""
    cloud: float = 0.0
    """Share of the AOI hidden by clouds, shadows or snow, 0..1."""

    @property
    def datetime(self) -> datetime:
        """When the first granule was sensed, UTC."""
        return min(_moment(item) for item in self.granules)

    @property
    def clear(self) -> float:
        """Share of the AOI whose ground is seen, 0..1."""
        return self.covered - self.cloud

    def measured(self, covered: float, cloud: float) -> "Scene":
        """Return the scene with the shares measured over the AOI."""
        return replace(self, covered=covered, cloud=cloud)


def overpasses(items: Iterable[pystac.Item]) -> list[Scene]:
    """Group granules into scenes: same satellite, minutes apart. Of a granule processed twice the newer stays."""
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


def clearest(scenes: Sequence[Scene], side: str, event: datetime, max_cloud: float, days: tuple[str, str]) -> Scene:
    """Return the scene that shows most of the AOI; of equals, the one nearest to the event.

    Args:
        scenes: measured scenes.
        side: `pre` or `post`.
        event: time of the event.
        max_cloud: percent of what is observed of the AOI that may be hidden.
        days: first and last day searched, for the message.

    Raises:
        NoSceneError: there is none, or clouds hide too much of every one.
    """
    period = f"between {days[0]} and {days[1]}"
    seen = [scene for scene in scenes if scene.covered > 0]
    if not seen:
        raise NoSceneError(
            f"no {side} scene covers the AOI {period}; widen --{side}-days, or check the AOI and the event date"
        )
    usable = [scene for scene in seen if 100 * scene.cloud <= max_cloud * scene.covered]
    if not usable:
        best = min(100 * scene.cloud / scene.covered for scene in seen)
        raise NoSceneError(
            f"no {side} scene under {max_cloud:g} % cloud covers the AOI {period} "
            f"(best of {len(seen)}: {best:.0f} %); widen --{side}-days or raise --max-cloud"
        )
    # Whole percents: a closer date is worth more than a fraction of a percent of cloud.
    return min(usable, key=lambda scene: (-round(100 * scene.clear), abs(scene.datetime - event)))


def _moment(item: pystac.Item) -> datetime:
    moment = item.datetime or item.common_metadata.start_datetime
    if moment is None:
        return datetime.min.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _tile(item: pystac.Item) -> str:
    properties = item.properties
    return str(properties.get("s2:mgrs_tile") or properties.get("grid:code") or item.id).removeprefix("MGRS-")
