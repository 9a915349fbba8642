"""From an AOI and a date to polygons: fetch, predict and vectorize in one. A second run brings the map up to date."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, get_args

from landslide_cli.config import Format, MapConfig
from landslide_cli.errors import InputError, OutputError
from landslide_cli.event.dates import check_event_date
from landslide_cli.event.folder import Event, open_to_write
from landslide_cli.event.placing import ITEM
from landslide_cli.event.records import same_options
from landslide_cli.event.versions import drop_next, finish_next, place_of_next, start_next
from landslide_cli.files import remove
from landslide_cli.imagery.reuse import has_new_scene, same_images
from landslide_cli.imagery.sources import Source
from landslide_cli.inference.models import check_suits
from landslide_cli.progress import Progress, silent
from landslide_cli.workflows import fetch as fetching
from landslide_cli.workflows import predict as predicting
from landslide_cli.workflows import vectorize as outlining
from landslide_cli.workflows.fetch import FetchSummary, fetch, open_source
from landslide_cli.workflows.predict import Prediction, PredictSummary, predict
from landslide_cli.workflows.vectorize import Outlining, VectorizeSummary, vectorize

NO_NEWS: Final = "no new scene"
MORE_FILES: Final = "the map is the same; files were added"


@dataclass(frozen=True, slots=True)
class MapSummary:
    """The results of the three steps, from this run or an earlier one."""

    fetch: FetchSummary
    predict: PredictSummary
    vectorize: VectorizeSummary
    version: int
    """The number of the map, from 1."""
    previous: Path | None
    """Folder of the earlier version; None if there is none."""
    unchanged: str | None
    """Why the map did not change; None if it is new."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All options of a map, checked and resolved once."""

    config: MapConfig
    prediction: Prediction
    outlining: Outlining

    def check(self, bands: tuple[str, ...], terrain: bool) -> None:
        """Refuse a model that reads what the event does not have."""
        check_suits(self.prediction.model.card, bands, terrain=terrain, where=self.config.fetch.out)


def map_event(config: MapConfig, progress: Progress = silent) -> MapSummary:
    """Fetch, predict and vectorize.

    A folder that holds a finished map gets a new version of it if there is something new: the catalog has a scene that
    suits better, or options differ. The earlier version is kept. A map that is not finished is completed.

    Args:
        config: the options of the three steps.
        progress: called with each step and the share done.

    Returns:
        The result of each step.

    Raises:
        InputError: the folder holds another event.
        LandslideError: one of the three steps fails.
    """
    # Options that cannot be used are refused here, not after an hour of downloads.
    prediction = predicting.resolve(config.predict)
    terrain = not config.fetch.no_dem
    plan = Plan(config, prediction, outlining.resolve(config.vectorize, prediction.threshold, terrain=terrain))
    if (finished := _finished(config)) is not None:
        return _again(plan, finished, progress)
    fetched = fetch(config.fetch, progress, plan.check)
    predicted = predict(config.predict, progress, prediction=plan.prediction)
    vectorized = vectorize(config.vectorize, progress, outlining=plan.outlining)
    event = Event.open(config.fetch.out)
    return MapSummary(fetched, predicted, vectorized, event.version, event.predecessor, None)


def _finished(config: MapConfig) -> Event | None:
    """Return the event in the folder, if its map is complete and must not be replaced."""
    out = config.fetch.out
    if config.fetch.overwrite or not (out / ITEM).exists():
        return None
    event = open_to_write(out)
    return event if event.has("landslides") and event.vectorized else None


def _again(plan: Plan, current: Event, progress: Progress) -> MapSummary:
    """Bring a map up to date."""
    config, wanted = plan.config, plan.config.fetch
    if check_event_date(wanted.event_date) != check_event_date(current.event_date):
        raise InputError(
            f"{wanted.out} holds the event of {current.event_date}, not one of {wanted.event_date}; "
            "give another --out, or --overwrite to replace it and its results"
        )
    same_prediction = same_options(current.predicted, plan.prediction.options)
    same_map = same_prediction and same_options(current.vectorized, plan.outlining.options)
    as_before = current.fetched.same_parameters(wanted.parameters())
    source: Source | None = None
    fetched: FetchSummary | None = None
    # Other model options need no new images. Your own images are what you give, so no catalog is searched.
    if not as_before or (same_map and not (wanted.pre or wanted.post)):
        source = _new_images(config, current, as_before, progress)
    if source is not None:
        fetched, begun = _fetch_next(plan, current, source, progress)
        if as_before and {s["id"] for s in begun.scenes} <= {s["id"] for s in current.scenes}:
            # The new scene could not be read.
            source = None
    if source is None and same_map:
        drop_next(current)
        return _unchanged(config, current, progress)
    if source is None:
        plan.check(current.bands, current.has("terrain"))
        begun = start_next(current, with_prediction=same_prediction)
    try:
        if not begun.has("probability"):
            predict(replace(config.predict, event=begun.folder), progress, prediction=plan.prediction)
        following = replace(config.vectorize, event=begun.folder)
        vectorize(following, progress, outlining=plan.outlining, previous=current)
        finished = finish_next(current, Event.open(begun.folder))
    except OutputError:
        # The disk may be full: free the space.
        drop_next(current)
        raise
    return _summarise(finished, None, fetched)


def _new_images(config: MapConfig, current: Event, as_before: bool, progress: Progress) -> Source | None:
    """Return the source of the images of a new version; None if the images stay the same."""
    source = open_source(config.fetch, progress)
    if as_before:
        return source if has_new_scene(source, current) else None
    if not source.aoi.geometry.intersects(current.aoi):
        raise InputError(
            f"{config.fetch.out} holds an event of another place; "
            "give another --out, or --overwrite to replace it and its results"
        )
    return None if same_images(source, current) else source


def _fetch_next(plan: Plan, current: Event, source: Source, progress: Progress) -> tuple[FetchSummary, Event]:
    """Fetch the images of the next version; files that a killed run has fetched are reused."""
    place = place_of_next(current)
    wanted = replace(plan.config.fetch, out=place)
    if (place / ITEM).exists():
        there = Event.open(place)
        if has_new_scene(source, there) or not there.fetched.same_parameters(wanted.parameters()):
            remove(place)
    fetched = fetch(wanted, progress, plan.check, source=source, previous=current)
    begun = Event.open(place).after(current.version)
    begun.save()
    return fetched, begun


def _unchanged(config: MapConfig, current: Event, progress: Progress) -> MapSummary:
    """Keep the map as it is; write the wanted files that are missing."""
    asked = config.vectorize.formats
    wanted = [*asked, *(["cems"] if config.vectorize.schema == "cems" else [])]
    if all(current.has(name) for name in wanted):
        return _summarise(current, NO_NEWS)
    formats = tuple(dict.fromkeys([*asked, *(name for name in get_args(Format) if current.has(name))]))
    schema = "cems" if current.has("cems") else config.vectorize.schema
    vectorize(replace(config.vectorize, event=current.folder, formats=formats, schema=schema), progress)
    return _summarise(Event.open(current.folder), MORE_FILES)


def _summarise(event: Event, unchanged: str | None, fetched: FetchSummary | None = None) -> MapSummary:
    """Return the summary of a recorded map; `fetched` is the summary of the images, if this run read them."""
    images = fetching.summarise(event)
    if fetched is not None:
        images = replace(
            images,
            reused=fetched.reused,
            seconds=fetched.seconds,
            downloaded_megabytes=fetched.downloaded_megabytes,
        )
    predicted, vectorized = event.mapped
    return MapSummary(
        images, predicting.summarise(event, predicted), outlining.summarise(event, vectorized), event.version,
        event.predecessor, unchanged,
    )  # fmt: skip
