"""Turn event folders and landslide inventories into a training set."""

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from time import perf_counter
from typing import Any, Final, TypeVar

import rasterio

from landslide_cli.config import PrepareConfig
from landslide_cli.errors import InputError
from landslide_cli.event.dates import now, parse_date
from landslide_cli.event.folder import Event
from landslide_cli.files import remove, writing
from landslide_cli.progress import Progress, silent
from landslide_cli.training import splits, tiles
from landslide_cli.training.event_windows import EventSource, PreparedEvent, prepare_event
from landslide_cli.training.tiles_index import (
    INDEX,
    MASKS,
    RECORD,
    VERSION,
    Windows,
    fetched,
    read_record,
    require_pyarrow,
    write_index,
    write_record,
)
from landslide_cli.training.truth import checksum
from landslide_cli.version import __version__

STAGING: Final = ".prepare"
"""Folder below the training set in which everything is made first."""

CACHE_BYTES: Final = 2**26
"""GDAL's cache can be small: rasters are read from top to bottom, so one row of blocks is enough."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PrepareSummary:
    """The result of `prepare`."""

    dataset: Path
    events: tuple[Mapping[str, Any], ...]
    """The record of each event: what became of its landslides, its image pairs and windows, and more."""
    windows: Mapping[str, int]
    """Number of windows kept, by split."""
    paper_windows: Mapping[str, int]
    """Number of windows in the paper, by split."""
    left_out: Mapping[str, int]
    """Number of windows left out, by reason (a key of `tiles.REASONS` or `splits.REASONS`)."""
    halved: Mapping[str, str]
    """Events cut in two, and where the cut is."""
    overlapping: tuple[tuple[str, str], ...]
    """Pairs of events in different splits that share ground."""
    megabytes: float
    seconds: float
    reused: bool
    """Whether the folder already held this training set, made with the same options."""


def prepare(config: PrepareConfig, progress: Progress = silent) -> PrepareSummary:
    """Make the training set `config.out`: masks, an index of windows, and a record. No image is copied.

    A window of a pre/post pair is kept by the rules of the paper (section 3.2). It shows a landslide, and clouds hide
    little of it. Every pixel was observed on both dates. If the event has terrain, every pixel has terrain.

    Args:
        config: the options.
        progress: called with each step and the share done.

    Returns:
        The windows kept and left out.

    Raises:
        InputError: an option, an event or an inventory cannot be used, or no window is kept.
        OutputError: the folder cannot be written.
    """
    began = perf_counter()
    _check(config)
    require_pyarrow()
    sources = _sources(config)
    rule = splits.SplitRule(config.validation, config.test, config.halve, config.min_evaluation_pixels)
    splits.check_names(rule, [source.name for source in sources])
    plan = _plan(config, sources)
    if record := _same_set(config, plan):
        return _summary(config.out, record, perf_counter() - began, reused=True)
    staging, was_there = config.out / STAGING, config.out.exists()
    try:
        with writing(config.out):
            remove(staging)
            (staging / MASKS).mkdir(parents=True)
        with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES):
            prepared = [prepare_event(source, config, staging / MASKS, progress) for source in sources]
        left_out = sum((Counter(event.left_out) for event in prepared), Counter[str]())
        windows = Windows.join([event.windows for event in prepared])
        if not len(windows):
            raise InputError(_nothing_kept(config, left_out))
        split = splits.assign(windows, rule, config.window)
        write_index(split.windows, staging / INDEX)
        record = _record(config, plan, sources, prepared, split)
        _publish(staging, config.out, record)
    finally:
        remove(staging)
        if not was_there and config.out.is_dir() and not any(config.out.iterdir()):
            config.out.rmdir()
    return _summary(config.out, record, perf_counter() - began, reused=False)


def _check(config: PrepareConfig) -> None:
    """Refuse options that make no sense."""
    least = {"window": 1, "stride": 1, "min_pixels": 0, "min_evaluation_pixels": 0}
    for field, lowest in least.items():
        if getattr(config, field) is not None and getattr(config, field) < lowest:
            raise InputError(f"--{field.replace('_', '-')} {getattr(config, field)} must be at least {lowest}")
    if config.stride_px > config.window:
        raise InputError(
            f"--stride {config.stride_px} leaves gaps between windows of {config.window} px; give --window or less"
        )
    if not 0 <= config.max_cloud <= 100:
        raise InputError(f"--max-cloud {config.max_cloud:g} is not a percentage; give 0 to 100")
    if not config.events:
        raise InputError("no event is given; name the folders that `landslide fetch` made")
    if config.out.exists() and not config.out.is_dir():
        raise InputError(f"--out {config.out} is a file; give a folder")


def _sources(config: PrepareConfig) -> list[EventSource]:
    """Open the events, each with its inventory."""
    events = [Event.open(folder) for folder in config.events]
    names = [event.folder.resolve().name for event in events]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise InputError(f"two event folders are named {twice!r}; masks and splits use that name, so rename one folder")
    inventories = _one_each(config.inventory, len(events), "--inventory")
    dates = [parse_date(text, "--event-date").isoformat() for text in config.event_date]
    stated = _one_each(dates, len(events), "--event-date") if dates else [None] * len(events)
    changes = _one_each(config.changes, len(events), "--changes") if config.changes else [None] * len(events)
    return [EventSource(*each) for each in zip(names, events, inventories, stated, changes, strict=True)]


def _one_each(values: Sequence[T], events: int, option: str) -> list[T]:
    """Return one value for each event: one given value holds for all, or each event has its own."""
    if len(values) not in (1, events):
        raise InputError(
            f"{option} is given {len(values)} times for {events} events; give it once, or once for each event in order"
        )
    return list(values) * (events if len(values) == 1 else 1)


def _plan(config: PrepareConfig, sources: Sequence[EventSource]) -> Mapping[str, Any]:
    """Return what the content of the training set depends on, so that a second run can recognise it."""

    def fingerprint(path: Path, said: str) -> Mapping[str, str]:
        if not path.exists():
            raise InputError(f"{said} {path} does not exist; check the path")
        return {"file": _seen_from(config.out, path), "sha256": checksum(path)}

    events = [
        {
            "name": source.name,
            "folder": _seen_from(config.out, source.event.folder),
            "fetched": fetched(source.event),
            "inventory": fingerprint(source.inventory, "inventory"),
            "changes": source.changes and fingerprint(source.changes, "--changes"),
        }
        for source in sources
    ]
    plan: Mapping[str, Any] = json.loads(json.dumps({"parameters": config.parameters(), "events": events}))
    return plan


def _seen_from(folder: Path, path: Path) -> str:
    """Return `path` relative to `folder`, so that both can be moved together; absolute if on another drive."""
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:
        return path.resolve().as_posix()


def _same_set(config: PrepareConfig, plan: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the record of the training set in the folder, if it was made from the same input and options."""
    there = [name for name in (RECORD, INDEX, MASKS) if (config.out / name).exists()]
    if config.overwrite or not there:
        return None
    if RECORD not in there:
        raise InputError(
            f"{config.out} holds {' and '.join(there)} but no training set; give another --out, or --overwrite to "
            "replace them"
        )
    record = read_record(config.out)
    same_events = [{key: event.get(key) for key in plan["events"][0]} for event in record["events"]] == plan["events"]
    if same_events and record["parameters"] == plan["parameters"]:
        return record
    raise InputError(
        f"{config.out} already holds a training set, made with other options, events or inventories; give another "
        "--out, or --overwrite to replace it"
    )


def _nothing_kept(config: PrepareConfig, left_out: Mapping[str, int]) -> str:
    reasons = ", ".join(f"{left_out[reason]} {words}" for reason, words in tiles.REASONS.items() if left_out[reason])
    return (
        f"none of the {sum(left_out.values())} windows can be used: {reasons} (at most {config.max_cloud:g} % cloud, "
        f"at least {config.min_pixels} visible landslide px); fetch clearer scenes or change --max-cloud, --min-pixels"
    )


def _record(
    config: PrepareConfig,
    plan: Mapping[str, Any],
    sources: Sequence[EventSource],
    prepared: Sequence[PreparedEvent],
    split: splits.Split,
) -> Mapping[str, Any]:
    """Return the content of `dataset.json`."""
    left_out = sum((Counter(event.left_out) for event in prepared), Counter(split.left_out))
    return {
        "version": VERSION,
        "software": f"landslide {__version__}",
        "created": now(),
        "window_px": config.window,
        "stride_px": config.stride_px,
        "parameters": plan["parameters"],
        "events": [{**planned, **event.facts} for planned, event in zip(plan["events"], prepared, strict=True)],
        "counts": {name: int((split.windows.split == name).sum()) for name in splits.SPLITS},
        "left_out": {reason: left_out[reason] for reason in (*tiles.REASONS, *splits.REASONS)},
        "halved": {name: {"axis": line.axis, "at_px": line.at_px} for name, line in split.halvings.items()},
        "overlapping": _overlapping(config, sources),
    }


def _overlapping(config: PrepareConfig, sources: Sequence[EventSource]) -> list[tuple[str, str]]:
    """Return the pairs of events in different splits that share ground."""

    def use(source: EventSource) -> int:
        return next((n for n, names in enumerate((config.validation, config.test), 1) if source.name in names), 0)

    return [
        (one.name, other.name)
        for one, other in combinations(sources, 2)
        if (use(one) != use(other) or {one.name, other.name} & set(config.halve))
        and one.event.aoi.intersection(other.event.aoi).area > 0
    ]


def _publish(staging: Path, out: Path, record: Mapping[str, Any]) -> None:
    """Move the finished files to their place, then write the record that makes the folder a training set."""
    with writing(out):
        for name in (RECORD, MASKS, INDEX):
            remove(out / name)
        for name in (MASKS, INDEX):
            (staging / name).replace(out / name)
    write_record(out, record)


def _summary(out: Path, record: Mapping[str, Any], seconds: float, *, reused: bool) -> PrepareSummary:
    files = [out / RECORD, out / INDEX, *(out / event["mask"] for event in record["events"])]
    halved = {name: splits.Halving(**line).words for name, line in record["halved"].items()}
    return PrepareSummary(
        dataset=out,
        events=tuple(record["events"]),
        windows=record["counts"],
        paper_windows=splits.PAPER_WINDOWS,
        left_out=record["left_out"],
        halved=halved,
        overlapping=tuple((one, other) for one, other in record["overlapping"]),
        megabytes=sum(file.stat().st_size for file in files if file.exists()) / 1e6,
        seconds=seconds,
        reused=reused,
    )
