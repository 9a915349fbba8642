"""Put a finished version of a map in the place of the earlier one, in steps, so that a kill loses nothing."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from landslide_cli.files import remove, writing

ITEM: Final = "event.json"
"""The record of an event. A folder without it is not an event folder."""
VERSIONS: Final = "versions"
"""Folder below the event with earlier versions of the map. Each is an event folder, named by its number."""
READY: Final = ".ready"
"""Folder below the event with a new version that is complete but not yet in its place."""


def put_in_place(folder: Path) -> None:
    """Complete an update: move the version in `READY`, if there is one, to `folder`.

    Every command that writes into an event folder calls this first. A kill can stop it at any point, and the next call
    continues. Until then, `Event.open` reads the new version from both places.

    Args:
        folder: the event folder; nothing happens if it does not exist.

    Raises:
        OutputError: the folder cannot be written.
    """
    ready = folder / READY
    if not ready.is_dir():
        return
    with writing(folder):
        record = ready / ITEM
        # The record is moved last: if it is gone from `READY`, everything else is in place.
        if record.exists():
            new, old = (json.loads((of / ITEM).read_text(encoding="utf-8")) for of in (ready, folder))
            for file in set(asset_files(folder, old)) - {Path(asset["href"]) for asset in new["assets"].values()}:
                remove(folder / file)
            for path in sorted(p for p in ready.rglob("*") if p.is_file() and p != record):
                target = folder / path.relative_to(ready)
                target.parent.mkdir(exist_ok=True)
                path.replace(target)
            record.replace(folder / ITEM)
        remove(ready)


def current_record(folder: Path) -> Path:
    """Return the path of the valid record: that of the version in `READY` if there is one, else that of the folder."""
    ready = folder / READY / ITEM
    return ready if ready.exists() else folder / ITEM


def current_file(folder: Path, file: str) -> Path:
    """Return the path of a file of the current version, even while that version is being put in place."""
    ready = folder / READY / file
    return ready if ready.exists() else folder / file


def last_kept(folder: Path) -> int:
    """Return the number of the latest version that is kept below `folder`, 0 if there is none."""
    return max(
        (int(p.parent.name) for p in folder.glob(f"{VERSIONS}/*/{ITEM}") if p.parent.name.isdecimal()), default=0
    )


def asset_files(folder: Path, item: Mapping[str, Any]) -> list[Path]:
    """Return the files of the item's assets that exist below the folder, relative to it."""
    paths = [Path(asset["href"]) for asset in item["assets"].values() if ":" not in asset["href"]]
    return [p for p in paths if not p.is_absolute() and ".." not in p.parts and (folder / p).is_file()]
