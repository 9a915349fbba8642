"""Versions of a map: a new version is made in its own folder, then replaces the earlier version, which is kept."""

from dataclasses import dataclass
from filecmp import cmp
from pathlib import Path
from typing import Final

from landslide_cli.event.folder import Event
from landslide_cli.event.placing import ITEM, READY, VERSIONS, put_in_place
from landslide_cli.event.products import FETCHED, PREDICTED, PRODUCTS
from landslide_cli.event.records import STEPS, ChangesRecord
from landslide_cli.files import atomic, link, remove, writing

UPDATE: Final = ".update"
"""Folder below the event in which its next version is made. After a kill, the next run reuses its files."""


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a map."""

    version: int
    folder: Path
    datetime: str
    """When it was finished, UTC."""
    model: str
    threshold: float
    landslides: int
    area_m2: float
    post_dates: str | None
    changes: ChangesRecord | None
    """Changes since the previous version."""


def versions(event: Event) -> list[Version]:
    """Return the versions of an event's map, the newest first: the event itself, if it is mapped, and kept versions."""
    folders = [event.folder / VERSIONS / str(number) for number in range(event.version - 1, 0, -1)]
    all_of_them = [event, *(Event.open(folder) for folder in folders if (folder / ITEM).exists())]
    return [_described(one) for one in all_of_them if one.has("landslides")]


def _described(event: Event) -> Version:
    predicted, outlined = event.mapped
    return Version(
        version=event.version,
        folder=event.folder,
        datetime=outlined.datetime,
        model=predicted.model,
        threshold=outlined.threshold,
        landslides=outlined.landslides,
        area_m2=outlined.area_m2,
        post_dates=event.dates("post"),
        changes=outlined.changes,
    )


def place_of_next(event: Event) -> Path:
    """Return the folder in which the next version of an event is made. It has the event's name."""
    return event.folder / UPDATE / event.folder.absolute().name


def drop_next(event: Event) -> None:
    """Remove the files of an unfinished next version."""
    remove(event.folder / UPDATE)


def start_next(event: Event, *, with_prediction: bool) -> Event:
    """Begin the next version of an event with the same images.

    Args:
        event: the current version.
        with_prediction: whether to keep the map of probability, too.

    Returns:
        The next version, in a folder of its own.

    Raises:
        OutputError: the folder cannot be written.
    """
    drop_next(event)
    products = (*FETCHED, *(PREDICTED if with_prediction else ()))
    steps = ("fetch", "predict") if with_prediction else ("fetch",)
    done = event.properties[STEPS]
    item = {
        **event.item,
        "properties": {**event.properties, STEPS: {step: done[step] for step in steps}},
        # Assets that are not in `PRODUCTS` are files of single scenes.
        "assets": {k: v for k, v in event.item["assets"].items() if k in products or k not in PRODUCTS},
    }
    begun = Event(place_of_next(event), item).after(event.version)
    with writing(event.folder):
        for file in Event(event.folder, item).files():
            link(event.folder / file, begun.folder / file)
    begun.save()
    return begun


def finish_next(event: Event, begun: Event) -> Event:
    """Keep the current version of an event, and put the next version in its place.

    A kill leaves the event as it was, or leaves an update that the next writing command completes.

    Args:
        event: the current version.
        begun: the next version, complete.

    Returns:
        The event in its new version.

    Raises:
        OutputError: the folder cannot be written.
    """
    with writing(event.folder):
        for product in FETCHED:
            _share(event.path(product), begun.path(product))
        _keep(event)
        begun.folder.replace(event.folder / READY)
    put_in_place(event.folder)
    drop_next(event)
    return Event.open(event.folder)


def _share(earlier: Path, later: Path) -> None:
    """If two files are equal, keep one copy on the disk."""
    if not (earlier.exists() and later.exists()) or earlier.samefile(later) or not cmp(earlier, later, shallow=False):
        return
    with atomic(later) as temporary:
        link(earlier, temporary)


def _keep(event: Event) -> None:
    """Keep the files of an event as one of its versions, as links, which take no disk space."""
    folder = event.folder / VERSIONS / str(event.version)
    part = folder.with_name(f".part-{folder.name}")
    remove(part)
    for file in event.files():
        link(event.folder / file, part / file)
    event.kept(part).save()
    # An attempt that was killed before its last step can have left this version.
    remove(folder)
    part.replace(folder)
