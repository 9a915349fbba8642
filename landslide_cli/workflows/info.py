"""Describe the content of an event folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landslide_cli.config import InfoConfig
from landslide_cli.errors import InputError
from landslide_cli.event.folder import Event
from landslide_cli.event.records import STEPS, SceneRecord
from landslide_cli.event.versions import Version, versions
from landslide_cli.progress import Progress, silent


@dataclass(frozen=True, slots=True)
class EventInfo:
    """The content of `event.json` and the files of the folder."""

    event: Path
    event_date: str
    crs: str
    height_px: int
    width_px: int
    area_km2: float
    clear_percent: float
    bands: tuple[str, ...]
    elevation: str | None
    scenes: tuple[SceneRecord, ...]
    steps: Mapping[str, Any]
    """The record of each workflow, by its name."""
    versions: tuple[Version, ...]
    """Versions of the map, the newest first."""
    products: Mapping[str, int]
    """Size of each file in bytes, by its name."""


def info(config: InfoConfig, progress: Progress = silent) -> EventInfo:
    """Describe an event; nothing is written.

    Args:
        config: names the event.
        progress: called with each step and the share done.

    Returns:
        The content of the folder.

    Raises:
        InputError: there is no complete event in that folder.
    """
    progress("reading the event", 0)
    folder = config.event
    if folder.suffix == ".onnx":
        raise InputError(f"{folder} is a model, not an event; run: landslide weights show {folder}")
    event = Event.open(folder)
    height, width = event.shape_px
    fetched = event.fetched
    return EventInfo(
        event=event.folder,
        event_date=event.event_date,
        crs=event.crs,
        height_px=height,
        width_px=width,
        area_km2=fetched.area_km2,
        clear_percent=fetched.clear_percent,
        bands=event.bands,
        elevation=fetched.elevation,
        scenes=tuple(event.scenes),
        steps=event.properties[STEPS],
        versions=tuple(versions(event)),
        products=_sizes(event),
    )


def _sizes(event: Event) -> dict[str, int]:
    """Return the size of each file that the record lists and that exists."""
    files = [asset["href"].removeprefix("./") for asset in event.item["assets"].values()]
    return {file: (event.folder / file).stat().st_size for file in files if (event.folder / file).is_file()}
