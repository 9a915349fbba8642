"""The Python API: each command as a function that takes natural Python types.

An area is a path, a bounding box or a shapely geometry. Dates are `datetime.date` or text. Options with several values
are lists. Every function takes the other options of its command by name, such as `max_cloud=20`: see the fields of its
configuration in `landslide_cli.config`. It returns the summary that the command prints, and raises the errors of
`landslide_cli.errors`.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, get_origin

import shapely
from shapely.geometry.base import BaseGeometry

from landslide_cli.config import (
    CompareConfig,
    FetchConfig,
    MapConfig,
    PredictConfig,
    ScenesConfig,
    VectorizeConfig,
    described,
    plain_type,
)
from landslide_cli.errors import InputError
from landslide_cli.event.folder import Event
from landslide_cli.inference.arrays import predict_arrays
from landslide_cli.progress import Progress, silent

if TYPE_CHECKING:
    from landslide_cli.workflows.compare import CompareSummary
    from landslide_cli.workflows.fetch import FetchSummary
    from landslide_cli.workflows.map import MapSummary
    from landslide_cli.workflows.predict import PredictSummary
    from landslide_cli.workflows.scenes import ScenesSummary
    from landslide_cli.workflows.vectorize import VectorizeSummary

__all__ = ["Event", "compare", "fetch", "map_event", "predict", "predict_arrays", "scenes", "vectorize"]

File: TypeAlias = str | PathLike[str]
Area: TypeAlias = File | Sequence[float] | BaseGeometry
"""A vector file, (west, south, east, north) in degrees, or a shapely geometry in EPSG:4326."""
Day: TypeAlias = str | date
Config = TypeVar("Config")


def map_event(
    out: File, event_date: Day, *, aoi: Area | None = None, progress: Progress = silent, **options: Any
) -> "MapSummary":
    """Map the landslides of an event: fetch, predict and vectorize in one.

    Args:
        out: event folder to write; a finished map there gets a new version.
        event_date: day of the event.
        aoi: area of interest; not needed with your own images.
        progress: called with each step and the share done, 0..1.
        **options: other fields of `FetchConfig`, `PredictConfig` and `VectorizeConfig`.

    Returns:
        The result of each step.

    Raises:
        LandslideError: one of the steps fails.
        TypeError: an option is unknown.
    """
    from landslide_cli.workflows.map import map_event as run

    given = {**options, "out": out, "event": out, "event_date": event_date, "aoi": aoi}
    known = {name for kind in (FetchConfig, PredictConfig, VectorizeConfig) for name in described(kind)}
    if unknown := sorted(set(options) - known):
        raise TypeError(f"map_event() got an unknown option {unknown[0]!r}")

    def made(kind: type[Config]) -> Config:
        return _made(kind, {name: value for name, value in given.items() if name in described(kind)})

    return run(MapConfig(made(FetchConfig), made(PredictConfig), made(VectorizeConfig)), progress)


def scenes(
    aoi: Area, event_date: Day, *, out: File | None = None, progress: Progress = silent, **options: Any
) -> "ScenesSummary":
    """Rank the scenes of an event before one is fetched; nothing is written without `out`.

    Args:
        aoi: area of interest.
        event_date: day of the event.
        out: PNG file for a contact sheet.
        progress: called with each step and the share done, 0..1.
        **options: other fields of `ScenesConfig`.

    Returns:
        The scenes of both sides, the best first.

    Raises:
        LandslideError: an option cannot be used, no scene covers the area, or no catalog can be reached.
    """
    from landslide_cli.workflows.scenes import scenes as run

    return run(_made(ScenesConfig, {**options, "aoi": aoi, "event_date": event_date, "out": out}), progress)


def fetch(
    out: File, event_date: Day, *, aoi: Area | None = None, progress: Progress = silent, **options: Any
) -> "FetchSummary":
    """Fetch the images and the elevation of an event, from a STAC catalog or from your own files.

    Args:
        out: event folder to write.
        event_date: day of the event.
        aoi: area of interest; not needed with your own images.
        progress: called with each step and the share done, 0..1.
        **options: other fields of `FetchConfig`, such as `pre=["before.tif"]`.

    Returns:
        The images used, and what they show of the area.

    Raises:
        LandslideError: an option cannot be used, no scene suits, or a catalog or the folder fails.
    """
    from landslide_cli.workflows.fetch import fetch as run

    return run(_made(FetchConfig, {**options, "out": out, "event_date": event_date, "aoi": aoi}), progress)


def predict(
    event: "File | Event", *, model: str = "bbunet", progress: Progress = silent, **options: Any
) -> "PredictSummary":
    """Run a model over an event and write the map of probability.

    Args:
        event: event folder, or the event itself.
        model: name of a shipped model or of a detector, or path of an ONNX file.
        progress: called with each step and the share done, 0..1.
        **options: other fields of `PredictConfig`.

    Returns:
        The model used, and the shares analysed and mapped.

    Raises:
        LandslideError: there is no such event or model, or the event lacks what the model reads.
    """
    from landslide_cli.workflows.predict import predict as run

    return run(_made(PredictConfig, {**options, "event": event, "model": model}), progress)


def vectorize(event: "File | Event", *, progress: Progress = silent, **options: Any) -> "VectorizeSummary":
    """Turn a map of probability into polygons, a QGIS project, a report and a map sheet.

    Args:
        event: event folder, or the event itself.
        progress: called with each step and the share done, 0..1.
        **options: other fields of `VectorizeConfig`, such as `formats=["kml"]`.

    Returns:
        The landslides found and the files written.

    Raises:
        LandslideError: there is no such event, it was not predicted, or an option cannot be used.
    """
    from landslide_cli.workflows.vectorize import vectorize as run

    return run(_made(VectorizeConfig, {**options, "event": event}), progress)


def compare(
    before: "File | Event", after: "File | Event", out: File | None = None, *, progress: Progress = silent
) -> "CompareSummary":
    """Compare two maps, or a map and an inventory.

    Args:
        before: event folder, event, or vector file of landslides.
        after: the same, of the second map.
        out: GeoJSON file to write, with each landslide and its kind of change.
        progress: called with each step and the share done, 0..1.

    Returns:
        Counts and areas by kind of change.

    Raises:
        LandslideError: a map cannot be read, or the maps show different places.
    """
    from landslide_cli.workflows.compare import compare as run

    return run(_made(CompareConfig, {"before": before, "after": after, "out": out}), progress)


def _made(kind: type[Config], values: Mapping[str, Any]) -> Config:
    """Make a configuration from values in natural types; None means the default."""
    types = described(kind)
    given = {
        name: _natural(name, value, types[name][0]) if name in types else value
        for name, value in values.items()
        if value is not None or name == "out"
    }
    return kind(**given)


def _natural(name: str, value: Any, kind: Any) -> Any:
    """Convert a value to the type that the configuration holds."""
    if name == "aoi":
        return _area(value)
    if get_origin(kind) is tuple:
        single = isinstance(value, str | PathLike)
        return tuple(_plain(one, plain_type(kind)) for one in ([value] if single else value))
    if name == "bands" and not isinstance(value, str):
        return ",".join(value)
    return _plain(value, plain_type(kind))


def _plain(value: Any, kind: Any) -> Any:
    if isinstance(value, Event):
        return value.folder
    if kind is Path:
        return value if value is None else Path(value)
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return value.strftime("%H:%M:%S")
    return fspath(value) if isinstance(value, PathLike) else value


def _area(area: Area) -> str:
    """Return an area as text: a path, four numbers, or a GeoJSON geometry."""
    if isinstance(area, BaseGeometry):
        return str(shapely.to_geojson(area))
    if isinstance(area, str | PathLike):
        return fspath(area)
    numbers = list(area)
    if len(numbers) != 4:
        raise InputError(f"aoi {area!r} has {len(numbers)} numbers; a bounding box is west, south, east, north")
    return ",".join(repr(float(number)) for number in numbers)
