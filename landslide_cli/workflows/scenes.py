"""List the scenes of an event, rank them, and draw them on a contact sheet."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from odc.geo.geobox import GeoBox

from landslide_cli.config import ScenesConfig
from landslide_cli.errors import CatalogError, InputError, NoSceneError
from landslide_cli.files import atomic
from landslide_cli.geo import grids
from landslide_cli.geo.bands import SIDES, TRUE_COLOUR, Side
from landslide_cli.imagery import load
from landslide_cli.imagery.clouds import unseen
from landslide_cli.imagery.contact_sheet import Section, Thumbnail, View, draw_sheet
from landslide_cli.imagery.scenes import Ranked, Scene
from landslide_cli.imagery.selection import Selection, check_clouds, event_moment, search_days, select
from landslide_cli.progress import Progress, silent

log = logging.getLogger(__name__)

SHOWN: Final = 12
"""Number of thumbnails for each side. Scenes that are used are always shown."""
THUMBNAIL_PX: Final = 240
"""Longest side of the AOI on a thumbnail, in pixels."""
AROUND_PX: Final = 8
"""Margin around the AOI on a thumbnail, in pixels."""
_WORDS: Final = {"pre": "Before", "post": "After"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A scene that could be used."""

    side: Side
    rank: int
    """Rank on its side; 1 is the best."""
    used: int | None
    """Its number in the composite, from 1; None if it is not used or its side is refused."""
    id: str
    """The id that `--pre-scene` and `--post-scene` take."""
    granules: tuple[str, ...]
    datetime: str
    """UTC."""
    platform: str | None
    relative_orbit: int | None
    clear_percent: float
    """Percent of the AOI where the ground is seen."""
    points: float
    """Total points lost, the sum of `lost`."""
    lost: Mapping[str, float]
    """Points lost, by reason."""


@dataclass(frozen=True, slots=True)
class ScenesSummary:
    """The result of `scenes`."""

    event_date: str
    catalog: str
    area_km2: float
    scenes: tuple[Candidate, ...]
    """Scenes of both sides, each side from the best to the worst."""
    refused: Mapping[str, str]
    """Why `fetch` would refuse a side, by side."""
    sheet: Path | None


def scenes(config: ScenesConfig, progress: Progress = silent) -> ScenesSummary:
    """Search, rate and rank the scenes of an event as `fetch` does, and draw them.

    Cloudy scenes are listed, too, so that the user sees all scenes.

    Args:
        config: the options; nothing is drawn if its `out` is None.
        progress: called with each step and the share done.

    Returns:
        The scenes of both sides.

    Raises:
        InputError: an option cannot be used.
        NoSceneError: no scene covers the AOI.
        CatalogError: no catalog can be reached.
        OutputError: the sheet cannot be written.
    """
    sheet = config.out
    if sheet is not None and (sheet.suffix.lower() != ".png" or sheet.is_dir()):
        raise InputError(f"--out {sheet} must be the name of a file that ends in .png")
    moment = event_moment(config)
    selection = select(replace(config, max_cloud=100), progress)
    refused = dict(_refused(selection, config, moment))
    candidates = {side: _candidates(selection, side, side not in refused) for side in SIDES}
    if sheet is not None:
        _draw(sheet, selection, candidates, config, progress)
    return ScenesSummary(
        event_date=config.event_date,
        catalog=selection.catalog.name,
        area_km2=round(selection.aoi.area_km2, 3),
        scenes=tuple(candidate for side in SIDES for candidate in candidates[side]),
        refused=refused,
        sheet=sheet,
    )


def _refused(selection: Selection, config: ScenesConfig, moment: datetime) -> Iterator[tuple[str, str]]:
    for side in SIDES:
        try:
            check_clouds([ranked.scene for ranked in selection.ranked[side]], side, config, moment)
        except NoSceneError as error:
            yield side, str(error)


def _candidates(selection: Selection, side: Side, usable: bool) -> list[Candidate]:
    numbers = {scene.id: number for number, scene in enumerate(selection.chosen[side], 1)} if usable else {}
    return [
        _candidate(side, rank, numbers.get(ranked.scene.id), ranked)
        for rank, ranked in enumerate(selection.ranked[side], 1)
    ]


def _candidate(side: Side, rank: int, used: int | None, ranked: Ranked) -> Candidate:
    scene = ranked.scene
    assert scene.rating is not None
    return Candidate(
        side=side,
        rank=rank,
        used=used,
        id=scene.id,
        granules=tuple(item.id for item in scene.granules),
        datetime=scene.datetime.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        platform=scene.granules[0].properties.get("platform"),
        relative_orbit=scene.orbit,
        clear_percent=round(100 * scene.rating.clear_share, 1),
        points=ranked.points,
        lost=ranked.lost,
    )


def _draw(
    sheet: Path,
    selection: Selection,
    candidates: Mapping[Side, Sequence[Candidate]],
    config: ScenesConfig,
    progress: Progress,
) -> None:
    grid = selection.geobox.zoom_to(THUMBNAIL_PX).pad(AROUND_PX)
    days = search_days(config, event_moment(config))
    sections = []
    for side in SIDES:
        scenes = [ranked.scene for ranked in selection.ranked[side]]
        shown = [c for c in candidates[side] if c.rank <= SHOWN or c.used]
        thumbnails = []
        for number, candidate in enumerate(shown, 1):
            view = _view(scenes[candidate.rank - 1], side, grid, config.workers)
            thumbnails.append(Thumbnail(view, _caption(candidate), candidate.used is not None))
            progress(f"looking at {side} scenes", number / len(shown))
        first, last = days[side]
        title = f"{_WORDS[side]} the event, {first} to {last}: {len(shown)} of {len(scenes)} scenes"
        sections.append(Section(title, tuple(thumbnails)))
    picture = draw_sheet(
        f"Sentinel-2 scenes around the event of {config.event_date}",
        sections,
        grids.inside(selection.aoi.geometry, grid),
    )
    with atomic(sheet) as temporary:
        picture.save(temporary, format="PNG")


def _view(scene: Scene, side: Side, grid: GeoBox, workers: int) -> View | None:
    try:
        dn = load.load_overview_images(scene, TRUE_COLOUR, grid, workers)
        # As in the rating, clouds are not grown, so that the tint matches the percentages.
        return View(dn, unseen(load.load_overview(scene, grid, workers), dilation_px=0))
    except CatalogError as error:
        log.warning("%s scene %s cannot be drawn: %s", side, scene.id, error)
        return None


def _caption(candidate: Candidate) -> tuple[str, ...]:
    orbit = "" if candidate.relative_orbit is None else f", orbit {candidate.relative_orbit}"
    used = () if candidate.used is None else (f"used as {candidate.used}",)
    return (
        f"{candidate.rank}: {candidate.datetime[:10]}{orbit}",
        f"{candidate.clear_percent:.1f} % clear, {candidate.points:.1f} points",
        *used,
    )
