"""Event folders and landslide inventories into a training set."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path
from time import perf_counter
from typing import Any, Final, TypeVar

import numpy as np
import rasterio
import rasterio.features
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry
from rasterio.errors import RasterioError
from rasterio.windows import Window
from shapely import STRtree

from landslide_cli import __version__
from landslide_cli.config import PrepareConfig, Progress, silent
from landslide_cli.errors import InputError
from landslide_cli.event import PRODUCTS, Event, now
from landslide_cli.files import remove, writing
from landslide_cli.imagery import load
from landslide_cli.imagery.bands import Unseen
from landslide_cli.imagery.cog import BLOCK_PX, create
from landslide_cli.training import splits, tiles
from landslide_cli.training.tiles_index import (
    INDEX,
    LANDSLIDE,
    MASKS,
    RECORD,
    STABLE,
    UNKNOWN,
    VERSION,
    Windows,
    fetched,
    read_record,
    require_pyarrow,
    write_index,
    write_record,
)
from landslide_cli.training.truth import Landslides, checksum, read_landslides
from landslide_cli.workflows.selection import SIDES, parse_date

STAGING: Final = ".prepare"
"""Folder below the training set in which everything is made before it is put in place."""

CACHE_BYTES: Final = 2**26
"""Rasters are read from top to bottom: what GDAL keeps beyond a row of their blocks is of no use."""

NODATA_CODES: Final = (Unseen.OUTSIDE, Unseen.DEFECTIVE)
"""Why a pixel has no value; under clouds, shadow and snow it has one, of something else than the ground."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PrepareSummary:
    """What `prepare` made."""

    dataset: Path
    events: tuple[Mapping[str, Any], ...]
    """What the record says of each event: the fate of its landslides, its image pairs and windows, and more."""
    windows: Mapping[str, int]
    """Windows kept, by split."""
    paper_windows: Mapping[str, int]
    """The same of the paper."""
    left_out: Mapping[str, int]
    """Windows left out, by reason (a key of `tiles.REASONS` or `splits.REASONS`)."""
    halved: Mapping[str, str]
    """Events cut in two, and where."""
    overlapping: tuple[tuple[str, str], ...]
    """Pairs of events in different splits that share ground."""
    megabytes: float
    seconds: float
    reused: bool
    """Whether the folder already held this very training set."""


@dataclass(frozen=True, slots=True)
class _Source:
    """An event with its inventory."""

    name: str
    event: Event
    inventory: Path
    stated_date: str | None


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What became of an event."""

    windows: Windows
    left_out: Mapping[str, int]
    facts: Mapping[str, Any]
    """For the record."""


def prepare(config: PrepareConfig, progress: Progress = silent) -> PrepareSummary:
    """Make the training set `config.out`: masks, an index of windows, and a record; no image is copied.

    A window of a pre-post pair is kept as in the paper (section 3.2): it shows a landslide, clouds hide little of
    it, and every pixel was observed on both dates, and has terrain where the event does.

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
            prepared = [_prepare_event(source, config, staging, progress) for source in sources]
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
    """Refuse options that mean nothing."""
    least = {"window": 1, "stride": 1, "min_pixels": 0, "min_evaluation_pixels": 0}
    for field, lowest in least.items():
        if getattr(config, field) is not None and getattr(config, field) < lowest:
            raise InputError(f"--{field.replace('_', '-')} {getattr(config, field)} must be at least {lowest}")
    if config.stride_px > config.window:
        raise InputError(
            f"--stride {config.stride_px} leaves gaps between windows of {config.window} px; give --window or less"
        )
    if not 0 <= config.max_cloud <= 100:
        raise InputError(f"--max-cloud {config.max_cloud:g} is no percentage; give 0 to 100")
    if not config.events:
        raise InputError("no event is given; name the folders that `landslide fetch` made")
    if config.out.exists() and not config.out.is_dir():
        raise InputError(f"--out {config.out} is a file; give a folder")


def _sources(config: PrepareConfig) -> list[_Source]:
    """Open the events, each with its inventory."""
    events = [Event.open(folder) for folder in config.events]
    names = [event.folder.resolve().name for event in events]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise InputError(f"two event folders are named {twice!r}; masks and splits go by that name, so rename one")
    inventories = _one_each(config.inventory, len(events), "--inventory")
    dates = [parse_date(text, "--event-date").isoformat() for text in config.event_date]
    stated = _one_each(dates, len(events), "--event-date") if dates else [None] * len(events)
    return [_Source(*each) for each in zip(names, events, inventories, stated, strict=True)]


def _one_each(values: Sequence[T], events: int, option: str) -> list[T]:
    """Return a value for each event: the only one for all, or one each."""
    if len(values) not in (1, events):
        raise InputError(
            f"{option} is given {len(values)} times for {events} events; give it once, or once for each event in order"
        )
    return list(values) * (events if len(values) == 1 else 1)


def _plan(config: PrepareConfig, sources: Sequence[_Source]) -> Mapping[str, Any]:
    """Return what the content of the training set depends on, by which a rerun knows itself."""
    events = []
    for source in sources:
        if not source.inventory.exists():
            raise InputError(f"inventory {source.inventory} does not exist; check the path")
        inventory = {"file": _seen_from(config.out, source.inventory), "sha256": checksum(source.inventory)}
        folder = _seen_from(config.out, source.event.folder)
        events.append({"name": source.name, "folder": folder, "fetched": fetched(source.event), "inventory": inventory})
    plan: Mapping[str, Any] = json.loads(json.dumps({"parameters": config.parameters(), "events": events}))
    return plan


def _seen_from(folder: Path, path: Path) -> str:
    """Return `path` relative to `folder`, so that both can be moved together; absolute on another drive."""
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:
        return path.resolve().as_posix()


def _same_set(config: PrepareConfig, plan: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the record of the training set that is there already, if it is the very same."""
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


def _prepare_event(source: _Source, config: PrepareConfig, staging: Path, progress: Progress) -> _Prepared:
    """Write the mask of an event and choose its windows, pair by pair."""
    event, mask = source.event, staging / MASKS / f"{source.name}.tif"
    with rasterio.open(event.path("sources")) as raster:
        grid = GeoBox.from_rio(raster)
    height, width = grid.shape
    if min(height, width) < config.window:
        raise InputError(
            f"event {source.name} is {height} x {width} px, smaller than a window of {config.window} px; "
            "fetch a larger AOI or give a smaller --window"
        )
    progress(f"burning the landslides of {source.name}", 0)
    found = read_landslides(
        source.inventory, str(grid.crs), event.event_date, layer=config.layer, date_attributes=config.date_attribute,
        stated_date=source.stated_date,
    )  # fmt: skip
    landslides = _burn(found, source, grid, mask, all_touched=config.all_touched)
    terrain = event.path("terrain") if event.has("terrain") else None
    mapped, no_terrain = tiles.window_counts(_event_strips(mask, terrain, grid), config.window, config.stride_px)
    images = _images(event)
    pairs = list(product(*([name for name, facts in images.items() if facts["side"] == side] for side in SIDES)))
    if not pairs:
        raise InputError(f"event {source.name} has no scene on one of its sides; fetch it again")
    kept: list[Windows] = []
    left_out: Counter[str] = Counter()
    for number, (pre, post) in enumerate(pairs):
        progress(f"looking through pair {number + 1} of {len(pairs)} of {source.name}", number / len(pairs))
        codes = [(event.folder / images[name]["unseen"], images[name]["channel"]) for name in (pre, post)]
        visible, cloud, nodata = tiles.window_counts(_pair_strips(mask, codes, grid), config.window, config.stride_px)
        keep, reasons = tiles.choose(
            mapped=mapped, visible=visible, cloud=cloud, nodata=nodata + no_terrain, min_visible_px=config.min_pixels,
            max_cloud_px=config.max_cloud / 100 * config.window**2,
        )  # fmt: skip
        left_out.update(reasons)
        row, col = np.nonzero(keep)
        kept.append(
            Windows(
                event=np.full(len(row), source.name),
                pre=np.full(len(row), pre),
                post=np.full(len(row), post),
                row=(row * config.stride_px).astype(np.int32),
                col=(col * config.stride_px).astype(np.int32),
                landslide_px=visible[keep].astype(np.int32),
                cloud_share=(cloud[keep] / config.window**2).astype(np.float32),
                split=np.full(len(row), "train"),
            )
        )
    windows = Windows.join(kept)
    facts = {
        "event_date": event.event_date,
        "bands": list(event.bands),
        "terrain": terrain is not None,
        "mask": f"{MASKS}/{mask.name}",
        "images": images,
        "landslides": landslides,
        "pairs": len(pairs),
        "windows": len(windows),
    }
    return _Prepared(windows, left_out, facts)


def _images(event: Event) -> dict[str, dict[str, Any]]:
    """Return the images to pair, each with its side and the raster that tells where it does not show the ground."""
    scene_files = event.step("fetch").get("scene_files")
    if not scene_files:
        return {
            PRODUCTS[side].file: {"side": side, "unseen": PRODUCTS["sources"].file, "channel": channel}
            for channel, side in enumerate(SIDES, 1)
        }
    try:
        return {f["image"]: {"side": f["side"], "unseen": f["unseen"], "channel": 1} for f in scene_files}
    except KeyError as error:
        raise InputError(
            f"the record of {event.folder} does not tell the {error} of its scenes: it was fetched by another version; "
            "fetch the event again"
        ) from error


def _burn(found: Landslides, source: _Source, grid: GeoBox, path: Path, *, all_touched: bool) -> dict[str, int]:
    """Write the mask of an event, block by block; return what became of the landslides of its inventory."""
    aoi = Geometry(source.event.aoi, "EPSG:4326").to_crs(str(grid.crs), resolution=0.01).geom
    tree = STRtree(found.polygons)
    burned = len(tree.query(aoi, predicate="intersects"))
    if not burned:
        raise InputError(
            f"none of the {len(found.polygons)} landslides of {source.inventory} lies in the AOI of event "
            f"{source.name}; give its own inventory"
        )
    landslide_px = 0
    with create(path, grid, dtype="uint8", nodata=UNKNOWN, names=("landslide",)) as writer:
        for window, block in load.blocks(grid):
            values = np.full(block.shape, STABLE, np.uint8)
            polygons = [found.polygons[index] for index in tree.query(block.extent.geom)]
            if polygons:
                rasterio.features.rasterize(
                    polygons, out=values, transform=block.transform, default_value=LANDSLIDE, all_touched=all_touched
                )
            values[~load.inside(source.event.aoi, block)] = UNKNOWN
            landslide_px += int((values == LANDSLIDE).sum())
            writer.write(values, window.row_off, window.col_off)
    return {
        "burned": burned,
        "landslide_px": landslide_px,
        "outside": len(found.polygons) - burned,
        "other_date": found.other_date,
        "undated": found.undated,
        "not_polygons": found.not_polygons,
        "mended": found.mended,
    }


def _event_strips(mask: Path, terrain: Path | None, grid: GeoBox) -> Iterator[NDArray[np.bool_]]:
    """Yield, strip by strip, where there is landslide and where terrain has a gap: (2, h, W)."""
    for strips in _strips([mask, *([terrain] if terrain else [])], grid):
        gap = ~np.isfinite(strips[1]).all(axis=0) if terrain else np.zeros_like(strips[0][0], np.bool_)
        yield np.stack([strips[0][0] == LANDSLIDE, gap])


def _pair_strips(mask: Path, codes: Sequence[tuple[Path, int]], grid: GeoBox) -> Iterator[NDArray[np.bool_]]:
    """Yield, strip by strip, where there is visible landslide, cloud and nodata on either date: (3, h, W)."""
    for truth, *stacks in _strips([mask, *(path for path, _ in codes)], grid):
        pre, post = (stack[channel - 1] for stack, (_, channel) in zip(stacks, codes, strict=True))
        seen = (pre < min(Unseen)) & (post < min(Unseen))
        cloud = (pre == Unseen.CLOUD) | (post == Unseen.CLOUD)
        nodata = np.isin(pre, NODATA_CODES) | np.isin(post, NODATA_CODES)
        yield np.stack([(truth[0] == LANDSLIDE) & seen, cloud, nodata])


def _strips(paths: Sequence[Path], grid: GeoBox) -> Iterator[list[NDArray[Any]]]:
    """Yield all channels of rasters on the event's grid, in strips of rows from top to bottom: (C, h, W) each."""
    height, width = grid.shape
    try:
        with ExitStack() as stack:
            rasters = [stack.enter_context(rasterio.open(path)) for path in paths]
            for raster in rasters:
                if GeoBox.from_rio(raster) != grid:
                    raise InputError(f"{raster.name} is not on the grid of its event; fetch the event again")
            for row in range(0, height, BLOCK_PX):
                window = Window(0, row, width, min(BLOCK_PX, height - row))
                yield [raster.read(window=window) for raster in rasters]
    except RasterioError as error:
        raise InputError(f"a raster of an event cannot be read ({error}); fetch the event again") from error


def _nothing_kept(config: PrepareConfig, left_out: Mapping[str, int]) -> str:
    reasons = ", ".join(f"{left_out[reason]} {words}" for reason, words in tiles.REASONS.items() if left_out[reason])
    return (
        f"none of the {sum(left_out.values())} windows can be used: {reasons} (at most {config.max_cloud:g} % cloud, "
        f"at least {config.min_pixels} visible landslide px); fetch clearer scenes or change --max-cloud, --min-pixels"
    )


def _record(
    config: PrepareConfig,
    plan: Mapping[str, Any],
    sources: Sequence[_Source],
    prepared: Sequence[_Prepared],
    split: splits.Split,
) -> Mapping[str, Any]:
    """Return what `dataset.json` says."""
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


def _overlapping(config: PrepareConfig, sources: Sequence[_Source]) -> list[tuple[str, str]]:
    """Return the pairs of events in different splits that share ground."""

    def use(source: _Source) -> int:
        return next((n for n, names in enumerate((config.validation, config.test), 1) if source.name in names), 0)

    return [
        (one.name, other.name)
        for one, other in combinations(sources, 2)
        if (use(one) != use(other) or {one.name, other.name} & set(config.halve))
        and one.event.aoi.intersection(other.event.aoi).area > 0
    ]


def _publish(staging: Path, out: Path, record: Mapping[str, Any]) -> None:
    """Put the finished files in place, then the record without which the folder is no training set."""
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
