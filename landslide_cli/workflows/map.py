"""From an AOI and a date to polygons: fetch, predict and vectorize in one; again, to bring a map up to date."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from landslide_cli.card import ModelCard
from landslide_cli.config import MapConfig
from landslide_cli.errors import InputError, OutputError
from landslide_cli.event.dates import check_event_date
from landslide_cli.event.folder import Event
from landslide_cli.event.placing import ITEM
from landslide_cli.event.versions import drop_next, finish_next, place_of_next, start_next
from landslide_cli.files import remove
from landslide_cli.imagery.reuse import has_new_scene, same_images
from landslide_cli.imagery.sources import Source
from landslide_cli.inference.models import check_suits, read_card
from landslide_cli.mapping.formats import FORMATS, named_formats
from landslide_cli.progress import Progress, silent
from landslide_cli.workflows import predict as prediction
from landslide_cli.workflows import vectorize as outlines
from landslide_cli.workflows.fetch import FetchSummary, fetch, open_source
from landslide_cli.workflows.fetch import recorded as as_fetched
from landslide_cli.workflows.predict import PredictSummary, predict
from landslide_cli.workflows.vectorize import VectorizeSummary, vectorize

NO_NEWS: Final = "no new scene"
MORE_FILES: Final = "the map is the same; files were added"

Check = Callable[[tuple[str, ...], bool], None]


@dataclass(frozen=True, slots=True)
class MapSummary:
    """What each of the three steps did, or had done."""

    fetch: FetchSummary
    predict: PredictSummary
    vectorize: VectorizeSummary
    version: int
    """The number of the map, from 1."""
    previous: Path | None
    """Where the version before is kept."""
    unchanged: str | None
    """Why the map is the one that was there already; none if it is new."""


def map_event(config: MapConfig, progress: Progress = silent) -> MapSummary:
    """Fetch, predict and vectorize.

    A folder that holds a finished map gets a new version of it, and the earlier one is kept, if there is something
    new: the catalog has a scene that suits better, or options differ. A map that is not finished is finished.

    Raises:
        InputError: the folder holds another event.
        LandslideError: what any of the three steps raises.
    """
    # What cannot be used should be known before an hour of downloads.
    card = read_card(config.predict.model)
    prediction.check_options(config.predict, card)
    outlines.check_options(config.vectorize, _threshold(config, card), terrain=not config.fetch.no_dem)

    def check(bands: tuple[str, ...], terrain: bool) -> None:
        check_suits(card, bands, terrain=terrain, where=config.fetch.out)

    if (finished := _finished(config)) is not None:
        return _again(config, finished, card, check, progress)
    fetched = fetch(config.fetch, progress, check)
    predicted, outlined = predict(config.predict, progress), vectorize(config.vectorize, progress)
    event = Event.open(config.fetch.out)
    return MapSummary(fetched, predicted, outlined, event.version, event.predecessor, None)


def _threshold(config: MapConfig, card: ModelCard) -> float:
    """Return the probability from which a pixel of the map counts as landslide."""
    asked = config.predict.threshold if config.vectorize.threshold is None else config.vectorize.threshold
    return card.threshold if asked is None else asked


def _finished(config: MapConfig) -> Event | None:
    """Return the event that the folder holds, if it is mapped and not to be replaced."""
    out = config.fetch.out
    if config.fetch.overwrite or not (out / ITEM).exists():
        return None
    event = Event.open(out)
    return event if event.has("landslides") and event.step("vectorize") else None


def _again(config: MapConfig, current: Event, card: ModelCard, check: Check, progress: Progress) -> MapSummary:
    """Bring a map up to date."""
    out, wanted = config.fetch.out, config.fetch
    if check_event_date(wanted.event_date) != check_event_date(current.event_date):
        raise InputError(
            f"{out} holds the event of {current.event_date}, not one of {wanted.event_date}; "
            "give another --out, or --overwrite to replace it and its results"
        )
    inference = prediction.prediction_options(config.predict, card)
    same_prediction = _holds(current.step("predict"), inference)
    same_outlines = _holds(
        current.step("vectorize"), outlines.outline_options(config.vectorize, _threshold(config, card))
    )
    same_map = same_prediction and same_outlines
    as_before = _holds(current.step("fetch")["parameters"], wanted.parameters())
    source: Source | None = None
    fetched: FetchSummary | None = None
    # Options of the model are tried on the images that are there; images at hand do not become more by waiting.
    if not as_before or (same_map and not (wanted.pre or wanted.post)):
        source = _new_images(config, current, as_before, progress)
    if source is not None:
        fetched, begun = _fetch_next(config, current, source, check, progress)
        if as_before and {s["id"] for s in begun.scenes} <= {s["id"] for s in current.scenes}:
            # The new scene could not be read.
            source = None
    if source is None and same_map:
        drop_next(current)
        return _unchanged(config, current, progress)
    if source is None:
        check(current.bands, current.has("terrain"))
        begun = start_next(current, with_prediction=same_prediction)
    try:
        if not begun.has("probability"):
            predict(replace(config.predict, event=begun.folder), progress)
        vectorize(replace(config.vectorize, event=begun.folder), progress, previous=current)
        finished = finish_next(current, Event.open(begun.folder))
    except OutputError:
        # The room is needed.
        drop_next(current)
        raise
    return _recorded(finished, None, fetched)


def _new_images(config: MapConfig, current: Event, as_before: bool, progress: Progress) -> Source | None:
    """Return where to read the images of a new version from, if they are others than those at hand."""
    source = open_source(config.fetch, progress)
    if as_before:
        return source if has_new_scene(source, current) else None
    if not source.aoi.geometry.intersects(current.aoi):
        raise InputError(
            f"{config.fetch.out} holds an event of another place; "
            "give another --out, or --overwrite to replace it and its results"
        )
    return None if same_images(source, current) else source


def _fetch_next(
    config: MapConfig, current: Event, source: Source, check: Check, progress: Progress
) -> tuple[FetchSummary, Event]:
    """Fetch the images of the next version; what a killed run has fetched of them is used."""
    place = place_of_next(current)
    wanted = replace(config.fetch, out=place)
    if (place / ITEM).exists():
        there = Event.open(place)
        if has_new_scene(source, there) or not _holds(there.step("fetch")["parameters"], wanted.parameters()):
            remove(place)
    fetched = fetch(wanted, progress, check, source=source, previous=current)
    begun = Event.open(place).after(current.version)
    begun.save()
    return fetched, begun


def _unchanged(config: MapConfig, current: Event, progress: Progress) -> MapSummary:
    """Leave the map as it is; write what files it lacks of those asked for."""
    asked = named_formats(config.vectorize.formats)
    wanted = [*asked, *(["cems"] if config.vectorize.schema == "cems" else [])]
    if all(current.has(name) for name in wanted):
        return _recorded(current, NO_NEWS)
    formats = ",".join(dict.fromkeys([*asked, *(name for name in FORMATS if current.has(name))]))
    schema = "cems" if current.has("cems") else config.vectorize.schema
    vectorize(replace(config.vectorize, event=current.folder, formats=formats, schema=schema), progress)
    return _recorded(Event.open(current.folder), MORE_FILES)


def _holds(recorded: Mapping[str, Any], options: Mapping[str, Any]) -> bool:
    """Tell whether a record has these options."""
    return all(name in recorded and recorded[name] == _as_recorded(value) for name, value in options.items())


def _as_recorded(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _recorded(event: Event, unchanged: str | None, fetched: FetchSummary | None = None) -> MapSummary:
    """Return what is recorded of a map; `fetched` is the summary of the images that this run read for it."""
    images = as_fetched(event)
    if fetched is not None:
        images = replace(
            images,
            reused=fetched.reused,
            seconds=fetched.seconds,
            downloaded_megabytes=fetched.downloaded_megabytes,
        )
    return MapSummary(
        images, prediction.recorded(event), outlines.recorded(event), event.version, event.predecessor,
        unchanged,
    )  # fmt: skip
