"""TODO."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from landslide_cli.files import remove, writing

ITEM = "event.json"


VERSIONS: Final = "versions"
"""Folder below the event in which earlier versions of the map are kept, each an event folder named by its number."""


READY: Final = ".ready"
"""Folder below the event of a new version that is finished and about to take its place."""


def put_in_place(folder: Path) -> None:
    """Put the version that is ready, if there is one, in the place of the event in `folder`.

    A kill may end this at any point: the next call goes on.

    Raises:
        OutputError: the folder cannot be written.
    """
    ready = folder / READY
    if not ready.is_dir():
        return
    with writing(folder):
        record = ready / ITEM
        # It goes last: where it is gone, all else is in place.
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


def last_kept(folder: Path) -> int:
    """Return the number of the latest version that is kept below `folder`, 0 if there is none."""
    return max(
        (int(p.parent.name) for p in folder.glob(f"{VERSIONS}/*/{ITEM}") if p.parent.name.isdecimal()), default=0
    )


def asset_files(folder: Path, item: Mapping[str, Any]) -> list[Path]:
    """Return the files of assets that lie below the folder and are there, relative to it."""
    paths = [Path(asset["href"]) for asset in item["assets"].values() if ":" not in asset["href"]]
    return [p for p in paths if not p.is_absolute() and ".." not in p.parts and (folder / p).is_file()]
