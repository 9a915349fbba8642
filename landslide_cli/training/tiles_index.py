"""A training set: masks and an index of windows. The pixels stay in the event folders."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from landslide_cli.errors import InputError, needs_extra
from landslide_cli.event.folder import Event
from landslide_cli.files import atomic

RECORD: Final = "dataset.json"
"""The record of the training set. It is written last: a folder without it holds no training set."""
INDEX: Final = "index.parquet"
MASKS: Final = "masks"
VERSION: Final = 1

LANDSLIDE: Final = 1
STABLE: Final = 0
UNKNOWN: Final = 255
"""Values of a mask. Ground outside the AOI of the event is unknown."""


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Windows of image pairs, column by column; all columns have the same length."""

    event: NDArray[np.str_]
    """Name of the event."""
    pre: NDArray[np.str_]
    post: NDArray[np.str_]
    """Paths of the images, relative to the event folder."""
    row: NDArray[np.int32]
    col: NDArray[np.int32]
    """Upper left pixel."""
    landslide_px: NDArray[np.int32]
    """Landslide pixels that are seen on both dates."""
    cloud_share: NDArray[np.float32]
    """Share of the window under cloud on either date, 0..1."""
    split: NDArray[np.str_]
    """`train`, `validation` or `test`."""

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.row)

    def take(self, which: NDArray[Any]) -> "Windows":
        """Return some of the windows, by a mask or by indexes."""
        return Windows(**{f.name: getattr(self, f.name)[which] for f in fields(self)})

    def with_split(self, split: NDArray[np.str_]) -> "Windows":
        """Return the same windows in other splits."""
        return replace(self, split=split)

    @classmethod
    def join(cls, parts: Sequence["Windows"]) -> "Windows":
        """Return all windows, in the order of the index: by event, images, row and column."""
        whole = cls(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)})
        return whole.take(np.lexsort((whole.col, whole.row, whole.post, whole.pre, whole.event)))


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSet:
    """A training set that `landslide prepare` made."""

    folder: Path
    record: Mapping[str, Any]
    """The content of `dataset.json`."""
    windows: Windows

    @classmethod
    def open(cls, folder: Path) -> "TrainingSet":
        """Read the training set in `folder`.

        Args:
            folder: the folder that `landslide prepare` made.

        Returns:
            The training set.

        Raises:
            InputError: the folder holds no training set, a file is missing, or an event folder was moved or fetched
                again.
        """
        record = read_record(folder)
        try:
            training_set = cls(folder, record, read_index(folder / INDEX))
            for name in training_set.events:
                training_set._check_event(name)
            if len(training_set.windows) != sum(record["counts"].values()):
                raise InputError(f"{folder / INDEX} does not belong to {folder / RECORD}; prepare it again")
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{folder / RECORD} is not the record of a training set ({error!r})") from error
        return training_set

    @property
    def window_px(self) -> int:
        """Side of the windows."""
        return int(self.record["window_px"])

    @property
    def events(self) -> tuple[str, ...]:
        """Names of the events."""
        return tuple(event["name"] for event in self.record["events"])

    def of_split(self, split: str) -> Windows:
        """Return the windows for `train`, `validation` or `test`."""
        return self.windows.take(self.windows.split == split)

    def event_folder(self, name: str) -> Path:
        """Return the folder of an event."""
        return Path(self.folder, self._event(name)["folder"])

    def mask(self, name: str) -> Path:
        """Return the path of the mask of an event, uint8 on its grid: 1 landslide, 0 other ground, 255 unknown.

        If `has_changes`, a second channel holds the codes of other changes, 0 elsewhere.
        """
        return Path(self.folder, self._event(name)["mask"])

    def has_changes(self, name: str) -> bool:
        """Return whether the other changes of an event are known."""
        return bool(self._event(name).get("changes"))

    def has_terrain(self, name: str) -> bool:
        """Return whether an event was fetched with elevation."""
        return bool(self._event(name)["terrain"])

    def unseen(self, name: str, image: str) -> tuple[Path, int]:
        """Return the raster, and the channel in it, with the pixels of `image` that do not show the ground.

        Values from `min(Unseen)` on are the reasons; lower values mean that the ground is seen.
        """
        where = self._event(name)["images"][image]
        return self.event_folder(name) / where["unseen"], int(where["channel"])

    def _event(self, name: str) -> Mapping[str, Any]:
        event: Mapping[str, Any] = next(event for event in self.record["events"] if event["name"] == name)
        return event

    def _check_event(self, name: str) -> None:
        """Refuse an event that is missing, or that was fetched again after the windows were cut."""
        folder = self.event_folder(name)
        again = "move it back beside the training set, or prepare the set again"
        if not folder.is_dir():
            raise InputError(f"event {name} of {self.folder} is no longer in {folder}; {again}")
        if fetched(Event.open(folder)) != self._event(name)["fetched"]:
            raise InputError(
                f"event {name} in {folder} was fetched again after {self.folder} was made; prepare it again"
            )
        images = self._event(name)["images"]
        needed = [self.mask(name), *(folder / image for image in images)]
        needed += [self.unseen(name, image)[0] for image in images]
        missing = next((path for path in needed if not path.is_file()), None)
        if missing:
            raise InputError(f"{missing} of event {name} is missing; fetch the event and prepare {self.folder} again")


def fetched(event: Event) -> str:
    """Return the time of the fetch, which identifies the content of the folder."""
    return event.fetched.datetime


def read_record(folder: Path) -> Mapping[str, Any]:
    """Read `dataset.json`.

    Args:
        folder: the training set.

    Returns:
        The content of the file.

    Raises:
        InputError: the file is missing or damaged, or was written for another version of the format.
    """
    path = folder / RECORD
    if not path.is_file():
        raise InputError(
            f"{folder} is not a training set, or its `landslide prepare` did not end: it has no {RECORD}; "
            "run `landslide prepare`"
        )
    try:
        record: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = record["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is not the record of a training set ({error!r}); prepare it again") from error
    if version != VERSION:
        raise InputError(f"{path} has version {version}, but this program reads version {VERSION}; prepare it again")
    return record


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write `dataset.json`, which completes the training set.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic(folder / RECORD) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def write_index(windows: Windows, path: Path) -> None:
    """Write the windows as Parquet; the same windows give the same bytes.

    Raises:
        InputError: pyarrow is not installed.
        OutputError: the file cannot be written.
    """
    arrow, parquet = require_pyarrow()
    table = arrow.table({f.name: arrow.array(getattr(windows, f.name)) for f in fields(Windows)})
    with atomic(path) as temporary:
        parquet.write_table(table, temporary, compression="zstd")


def read_index(path: Path) -> Windows:
    """Read the windows that `write_index` wrote.

    Args:
        path: the index.

    Returns:
        The windows.

    Raises:
        InputError: the file is missing or damaged, or pyarrow is not installed.
    """
    arrow, parquet = require_pyarrow()
    try:
        table = parquet.read_table(path)
        columns = {f.name: table.column(f.name).to_numpy() for f in fields(Windows)}
    except (OSError, KeyError, arrow.ArrowException) as error:
        raise InputError(f"{path} cannot be read ({error}); prepare the training set again") from error
    return Windows(**{k: v.astype(np.str_) if v.dtype == object else v for k, v in columns.items()})


def require_pyarrow() -> tuple[Any, Any]:
    """Import pyarrow.

    Returns:
        The modules `pyarrow` and `pyarrow.parquet`.

    Raises:
        InputError: pyarrow is not installed.
    """
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        raise InputError(needs_extra("a training set", "pyarrow", "train")) from error
