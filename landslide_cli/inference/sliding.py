"""Slides windows over an event: reads, runs the engine, blends and yields, one row of windows at a time."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from landslide_cli.geo.bands import NOT_ANALYSED
from landslide_cli.geo.fill import fill_unobserved
from landslide_cli.inference.engines import Engine
from landslide_cli.inference.prefetch import prefetch
from landslide_cli.inference.reader import Strip
from landslide_cli.inference.tiles import ramps, starts

SAMPLES = 3
"""Number of windows to try engines on."""

STEPS = 2**20
"""Probabilities are rounded to multiples of 1/STEPS. With weights in multiples of 1/PARTS, every sum is exact in
float64, in any order. One step is a ten-thousandth of a percentage point."""

STEP_PX = 16
"""The most changed place is searched on every 16th pixel and line; window sizes are multiples of 16."""

BATCHES_AHEAD = 5
"""Batches prepared ahead, so that the engine has work while the next row of blocks is decoded, which takes seconds on a
granule."""

Span = slice | NDArray[np.intp]
"""Pixels along an axis: a slice if they are contiguous, because a slice copies nothing."""


class Reader(Protocol):
    """Gives rows of an event."""

    @property
    def height(self) -> int:
        """Rows of the event."""

    @property
    def width(self) -> int:
        """Columns of the event."""

    @property
    def origin(self) -> tuple[int, int]:
        """Absolute row and column of the first pixel, in pixels, from the origin of the CRS."""

    def read(self, row: int, rows: int) -> Strip:
        """Read `rows` rows from `row`."""


class SamplingReader(Protocol):
    """Gives parts of an event in any order."""

    @property
    def height(self) -> int:
        """Rows of the event."""

    @property
    def width(self) -> int:
        """Columns of the event."""

    def part(self, row: int, column: int, rows: int, columns: int) -> Strip:
        """Read a part of `rows` x `columns` pixels that starts at `row` and `column`."""

    def thinned(self, step: int) -> Strip:
        """Read the whole event, one pixel for each `step` x `step` pixels."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """Windows of one row of windows, ready to run."""

    row: int
    """Number of the row of windows, from the north."""
    columns: list[int]
    """Numbers of the windows, from the west."""
    inputs: Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class _Answer:
    """Probabilities of a batch."""

    row: int
    columns: list[int]
    probability: NDArray[np.float32]
    """(N, 1, H, W)."""


@dataclass(frozen=True, slots=True)
class _Row:
    """Marks the end of a row of windows, after its batches."""

    number: int
    usable: NDArray[np.bool_]
    """(H, W) of the rows that no later window reaches."""


def predict(
    reader: Reader, engine: Engine, *, tile: int, stride: int, batch: int, progress: Callable[[float], None]
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Run `engine` over an event; a thread reads ahead while the engine works.

    Memory grows with the width of the event, not with its height: only rows that windows still reach are kept. The
    event is extended beyond its borders by its mirror image. A pixel that lies in the same windows in two events gets
    the same percent in both, if the engine is deterministic.

    Args:
        reader: the event.
        engine: the model.
        tile: size of a window in pixels.
        stride: distance between windows in pixels, at most `tile`.
        batch: windows per call of the engine.
        progress: called with the share done, 0..1.

    Yields:
        First row, and (rows, W) uint8 percent, 255 where not analysed; all rows in order, each once.
    """
    tops, lefts = (
        starts(size, tile, stride, origin) for size, origin in zip(_shape(reader), reader.origin, strict=True)
    )
    row_weights, column_weights = ramps(tops, tile), ramps(lefts, tile)
    # Sum of the current row of windows; columns start at the first window.
    blended = np.zeros((tile, lefts[-1] - lefts[0] + tile))
    # Three threads: one reads and prepares, one runs the engine, and this one blends.
    for made in prefetch(_answers(prefetch(_batches(reader, tops, lefts, tile, batch), BATCHES_AHEAD), engine)):
        if isinstance(made, _Answer):
            for column, probability in zip(made.columns, made.probability[:, 0], strict=True):
                at = lefts[column] - lefts[0]
                # Exact in float32 too: STEPS is a power of two.
                steps = np.rint(probability * np.float32(STEPS))
                weight = row_weights[made.row][:, None] * column_weights[column][None]
                blended[:, at : at + tile] += weight * steps
            continue
        done = stride if made.number + 1 < len(tops) else tile
        first = max(tops[made.number], 0)
        rows = slice(first - tops[made.number], first - tops[made.number] + len(made.usable))
        share = blended[rows, -lefts[0] : reader.width - lefts[0]] / STEPS
        percent = np.rint(100 * np.clip(share, 0, 1)).astype(np.uint8)
        percent[~made.usable] = NOT_ANALYSED
        yield first, percent
        blended[: tile - done] = blended[done:].copy()
        blended[tile - done :] = 0
        progress((made.number + 1) / len(tops))


def busiest(reader: SamplingReader, tile: int, count: int) -> Iterator[Mapping[str, NDArray[np.float32]]]:
    """Yield inputs of single windows with much change, to try engines on.

    The event is split from north to south into `count` parts. Each part gives its most changed window; parts without
    usable pixels are skipped.

    Args:
        reader: the event.
        tile: size of a window in pixels.
        count: number of parts.

    Yields:
        Inputs of one window, as for `Engine.run`.
    """
    seen = reader.thinned(STEP_PX)
    # The 1 lets a window with usable pixels but no change win over a window without usable pixels.
    change = np.where(seen.usable, 1 + np.abs(seen.post.astype(np.int32) - seen.pre).sum(axis=0), 0)
    for axis, size in enumerate(change.shape):
        change = np.add.reduceat(change, np.arange(0, size, tile // STEP_PX), axis=axis)
    height, width = min(tile, reader.height), min(tile, reader.width)
    for rows in np.array_split(np.arange(len(change)), count):
        if not change[rows].any():
            continue
        row, column = np.unravel_index(int(np.argmax(change[rows])), change[rows].shape)
        top, left = min(int(rows[row]) * tile, reader.height - height), min(int(column) * tile, reader.width - width)
        strip = _take_rows(reader.part(top, left, height, width), _mirrored(0, tile, height))
        yield _inputs(strip, [_mirrored(0, tile, width)])


def _shape(reader: Reader) -> tuple[int, int]:
    return reader.height, reader.width


def _batches(reader: Reader, tops: list[int], lefts: list[int], tile: int, batch: int) -> Iterator[_Batch | _Row]:
    """Yield batches of windows with usable pixels, row by row, and mark the end of each row."""
    at = [_mirrored(left, tile, reader.width) for left in lefts]
    for number, top in enumerate(tops):
        strip = _read(reader, top, tile)
        columns = [column for column, window in enumerate(at) if strip.usable[:, window].any()]
        for first in range(0, len(columns), batch):
            taken = columns[first : first + batch]
            yield _Batch(number, taken, _inputs(strip, [at[column] for column in taken]))
        until = tops[number + 1] if number + 1 < len(tops) else reader.height
        yield _Row(number, strip.usable[max(top, 0) - top : until - top])


def _answers(batches: Iterable[_Batch | _Row], engine: Engine) -> Iterator[_Answer | _Row]:
    """Run the engine on batches, `engine.calls` at once; the order is kept and row ends pass through."""

    def answer(made: _Batch | _Row) -> _Answer | _Row:
        return made if isinstance(made, _Row) else _Answer(made.row, made.columns, engine.run(made.inputs))

    under_way: deque[Future[_Answer | _Row]] = deque()
    with ThreadPoolExecutor(engine.calls) as pool:
        for made in batches:
            under_way.append(pool.submit(answer, made))
            if len(under_way) >= engine.calls:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()


def _inputs(strip: Strip, windows: list[Span]) -> dict[str, NDArray[np.float32]]:
    """Return the inputs of `windows` (columns of `strip`), with unobserved pixels filled."""
    layers: dict[str, NDArray[np.generic]] = {"pre": strip.pre, "post": strip.post}
    if strip.terrain is not None:
        layers["terrain"] = strip.terrain
    inputs = {}
    for name, layer in layers.items():
        channels, tile, _ = layer.shape
        inputs[name] = np.empty((len(windows), channels, tile, tile), np.float32)
        for filled, window in zip(inputs[name], windows, strict=True):
            part = layer[:, :, window]
            known = strip.usable[:, window] if name != "terrain" else np.logical_and.reduce(np.isfinite(part))
            fill_unobserved(part, known, filled)
    return inputs


def _read(reader: Reader, top: int, rows: int) -> Strip:
    """Read `rows` rows from `top`; rows beyond the event are mirrored."""
    first, last = max(top, 0), min(top + rows, reader.height)
    strip = reader.read(first, last - first)
    return strip if last - first == rows else _take_rows(strip, _mirrored(top - first, rows, last - first))


def _take_rows(strip: Strip, at: Span) -> Strip:
    terrain = None if strip.terrain is None else strip.terrain[:, at]
    return Strip(strip.pre[:, at], strip.post[:, at], terrain, strip.usable[at])


def _mirrored(begin: int, count: int, size: int) -> Span:
    """Return positions of `count` pixels from `begin` on an axis of `size` pixels, mirrored beyond its ends.

    A network must never see an edge of zeros: it would be the largest change in the window.
    """
    if begin >= 0 and begin + count <= size:
        return slice(begin, begin + count)
    there = np.arange(begin, begin + count) % (2 * size)
    return np.minimum(there, 2 * size - 1 - there)
