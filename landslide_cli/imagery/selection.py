"""Find the scenes of an event in a catalog, rate them over the AOI, rank them and choose."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from landslide_cli.config import AOI_LIMIT_KM2, SearchConfig
from landslide_cli.errors import CatalogError, InputError
from landslide_cli.event.dates import check_event_date
from landslide_cli.geo import grids
from landslide_cli.geo.aoi import AOI, aoi_around, read_aoi
from landslide_cli.geo.bands import SIDES, Side
from landslide_cli.imagery import catalogs, load
from landslide_cli.imagery.scenes import (
    Ranked,
    Scene,
    best_pair,
    compose,
    named_scenes,
    overpasses,
    rank,
    rate,
    require_usable,
)
from landslide_cli.progress import Progress

log = logging.getLogger(__name__)

OVERVIEW_PX = 512
"""Side in pixels of the grid on which scenes are rated. Overviews of the classification are cheap to read."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The scenes found for an event, and the scenes used."""

    catalog: catalogs.Catalog
    aoi: AOI
    geobox: GeoBox
    ranked: Mapping[Side, Sequence[Ranked]]
    """All scenes of each side, the best first."""
    chosen: Mapping[Side, Sequence[Scene]]
    """The scenes used, in the order in which they fill the image."""


def event_moment(config: SearchConfig) -> datetime:
    """Return the time of the event in UTC; noon if only the day is known.

    Args:
        config: the options.

    Returns:
        The time, with its zone.

    Raises:
        InputError: the date or the time cannot be read, or the date lies in the future or before Sentinel-2.
    """
    day = check_event_date(config.event_date)
    try:
        clock = time.fromisoformat(config.event_time) if config.event_time else time(12)
    except ValueError as error:
        raise InputError(f"--event-time {config.event_time!r} is not a time; write it as HH:MM, in UTC") from error
    return datetime.combine(day, clock.replace(tzinfo=UTC))


def wanted_aoi(config: SearchConfig) -> AOI | None:
    """Return the area that the user asks for.

    Args:
        config: the options.

    Returns:
        The area; None if the extent of the images decides.

    Raises:
        InputError: the area cannot be read, or is given twice.
    """
    if config.aoi and config.aoi_from:
        raise InputError("--aoi and --aoi-from both give an area; give one of them")
    if config.aoi_from:
        return aoi_around(config.aoi_from)
    return read_aoi(config.aoi) if config.aoi else None


def check_size(aoi: AOI, config: SearchConfig) -> None:
    """Refuse an AOI that is so large that it can be a mistake.

    Args:
        aoi: the AOI.
        config: the options.

    Raises:
        InputError: it is larger than `AOI_LIMIT_KM2` and not confirmed.
    """
    if aoi.area_km2 > AOI_LIMIT_KM2 and not config.yes:
        raise InputError(
            f"the AOI has {aoi.area_km2:,.0f} km2, over the limit of {AOI_LIMIT_KM2:,} km2; "
            "draw a smaller one, or confirm with --yes"
        )


def select(config: SearchConfig, progress: Progress) -> Selection:
    """Find, rate, rank and choose the scenes of an event.

    Args:
        config: the options.
        progress: called with each step and the share done.

    Returns:
        All scenes, and those chosen.

    Raises:
        InputError: an option cannot be used.
        NoSceneError: no scene suits the event.
        CatalogError: no catalog can be reached.
    """
    moment = event_moment(config)
    aoi = wanted_aoi(config)
    if aoi is None:
        raise InputError("no AOI is given; use --aoi with a vector file or west,south,east,north")
    check_size(aoi, config)
    geobox = grids.event_grid(aoi)
    catalog, found = _find(config, aoi, moment, progress)
    # Both axes are coarsened alike. A coarse pixel is at least two pixels of the event's grid wide.
    coarse = geobox.zoom_out(max(2, max(geobox.shape) / OVERVIEW_PX))
    inside = grids.inside(aoi.geometry, coarse)
    rated = {side: _rated(found[side], coarse, inside, side, config, progress) for side in SIDES}
    return choose(Selection(catalog, aoi, geobox, {}, {}), rated, config, moment)


def choose(
    selection: Selection, rated: Mapping[Side, Sequence[Scene]], config: SearchConfig, moment: datetime
) -> Selection:
    """Rank rated scenes and choose those to use. Scenes that the user names replace the program's choice.

    Args:
        selection: the catalog, the AOI and the grid.
        rated: the rated scenes of each side.
        config: the options.
        moment: time of the event, UTC.

    Returns:
        The selection with ranked and chosen scenes.

    Raises:
        InputError: the user names a scene that was not found.
        NoSceneError: a side has no scene, or clouds hide too much in all of them.
    """
    wanted = {
        side: named_scenes(rated[side], names, side)
        for side, names in zip(SIDES, (config.pre_scene, config.post_scene), strict=True)
    }
    for side in SIDES:
        check_clouds(rated[side], side, config, moment)
    pre, post = best_pair(wanted["pre"] or rated["pre"], wanted["post"] or rated["post"], moment)
    ranked: dict[Side, Sequence[Ranked]] = {
        "pre": rank(rated["pre"], moment, post),
        "post": rank(rated["post"], moment, pre),
    }
    chosen: dict[Side, Sequence[Scene]] = {}
    for side, best in (("pre", pre), ("post", post)):
        first = [r for r in ranked[side] if r.scene is best]
        chosen[side] = wanted[side] or compose([*first, *(r for r in ranked[side] if r.scene is not best)])
    return Selection(selection.catalog, selection.aoi, selection.geobox, ranked, chosen)


def check_clouds(rated: Sequence[Scene], side: Side, config: SearchConfig, moment: datetime) -> None:
    """Refuse a side on which clouds hide too much, unless the user names its scenes.

    Args:
        rated: the rated scenes of the side.
        side: `pre` or `post`.
        config: the options.
        moment: time of the event, UTC.

    Raises:
        NoSceneError: the side has no scene, or clouds hide too much in all of them.
    """
    named = {"pre": config.pre_scene, "post": config.post_scene}[side]
    require_usable(rank(rated, moment), side, 100 if named else config.max_cloud, search_days(config, moment)[side])


def search_days(config: SearchConfig, moment: datetime) -> dict[Side, tuple[date, date]]:
    """Return the first and last day of the search on each side.

    If the hour of the event is not known, its day is on neither side: an image of that day can show the ground before
    or after the event.

    Args:
        config: the options.
        moment: time of the event, UTC.

    Returns:
        First and last day, by side.
    """
    day, event_day = timedelta(days=1), moment.date()
    gap = 0 * day if config.event_time else day
    return {
        "pre": (event_day - config.pre_days * day, event_day - gap),
        "post": (event_day + gap, event_day + config.post_days * day),
    }


def _find(
    config: SearchConfig, aoi: AOI, moment: datetime, progress: Progress
) -> tuple[catalogs.Catalog, dict[Side, list[Scene]]]:
    """Search the catalogs in turn until one answers."""
    days = search_days(config, moment)
    candidates = catalogs.find_catalogs(config.catalog)
    for number, catalog in enumerate(candidates, 1):
        try:
            found = {}
            for side in SIDES:
                progress(f"searching {catalog.name} for {side} scenes", 0)
                scenes = overpasses(catalogs.search(catalog, catalog.images, aoi.geometry, days[side]))
                found[side] = [s for s in scenes if (s.datetime < moment) == (side == "pre")]
        except CatalogError as error:
            if number == len(candidates):
                raise
            log.warning("%s; trying %s", error, candidates[number].name)
        else:
            return catalog, found
    raise AssertionError("there is always a catalog")


def _rated(
    scenes: Sequence[Scene],
    coarse: GeoBox,
    inside: NDArray[np.bool_],
    side: Side,
    config: SearchConfig,
    progress: Progress,
) -> list[Scene]:
    rated, failed = [], []
    for number, scene in enumerate(scenes, 1):
        try:
            rated.append(scene.rated(rate(load.load_overview(scene, coarse, config.workers), inside)))
        except CatalogError as error:
            failed.append(error)
            log.warning("%s scene %s is left out: %s", side, scene.id, error)
        progress(f"rating {side} scenes", number / len(scenes))
    if failed and not rated:
        raise failed[0]
    return rated


def rechoose(selection: Selection, side: Side, failed: Scene, error: CatalogError) -> Selection:
    """Return the selection without a scene that cannot be read. The other side stays as it is.

    Args:
        selection: the selection so far.
        side: side of the scene.
        failed: the scene that cannot be read.
        error: why it cannot be read.

    Returns:
        The new selection.

    Raises:
        CatalogError: no other scene is left.
    """
    left = [ranked for ranked in selection.ranked[side] if ranked.scene.id != failed.id]
    if not left:
        raise error
    return replace(
        selection,
        ranked={**selection.ranked, side: left},
        chosen={**selection.chosen, side: compose(left)},
    )
