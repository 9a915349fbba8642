"""Sliding windows over an event: read, run, blend, hand on, one row of windows at a time."""

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from landslide_cli.imagery.bands import NOT_ANALYSED
from landslide_cli.inference.engines import Engine
from landslide_cli.inference.reader import Strip
from landslide_cli.inference.tiles import ramps, starts
from landslide_cli.windows import fill_unobserved


class Reader(Protocol):
    """Gives rows of an event."""

    height: int
    width: int

    def read(self, row: int, rows: int) -> Strip:
        """Read `rows` rows from `row` on."""


def predict(
    reader: Reader, engine: Engine, *, stride: int, batch: int, progress: Callable[[float], None]
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Run `engine` over everything `reader` holds.

    Memory grows with the width of the event, not with its height: only the rows that windows still reach
    are kept.

    Args:
        reader: the event.
        engine: the model.
        stride: pixels between windows, at most the model's window.
        batch: windows per call.
        progress: called with the share done.

    Yields:
        The first row and (rows, W) uint8 percent, 255 where not analysed; rows in order, each once.
    """
    tile, height, width = engine.card.tile_px, reader.height, reader.width
    tops, lefts = starts(height, tile, stride), starts(width, tile, stride)
    row_weights, column_weights = ramps(tops, tile), ramps(lefts, tile)
    blended = np.zeros((tile, lefts[-1] + tile), np.float32)
    for number, top in enumerate(tops):
        rows = min(tile, height - top)
        strip = _padded(reader.read(top, rows), tile, lefts[-1] + tile)
        for column, probability in _run(engine, strip, lefts, tile, batch):
            weight = row_weights[number][:, None] * column_weights[column][None]
            blended[:, lefts[column] : lefts[column] + tile] += weight * probability
        done = (tops[number + 1] if number + 1 < len(tops) else height) - top
        percent = np.rint(100 * np.clip(blended[:done, :width], 0, 1)).astype(np.uint8)
        percent[~strip.usable[:done, :width]] = NOT_ANALYSED
        yield top, percent
        blended = np.concatenate([blended[done:], np.zeros((min(done, tile), blended.shape[1]), np.float32)])
        progress((number + 1) / len(tops))


def _run(
    engine: Engine, strip: Strip, lefts: list[int], tile: int, batch: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield the number of each window that has anything to analyse, and its probability (tile, tile)."""
    columns = [n for n, left in enumerate(lefts) if strip.usable[:, left : left + tile].any()]
    for first in range(0, len(columns), batch):
        numbers = columns[first : first + batch]
        windows = [slice(lefts[n], lefts[n] + tile) for n in numbers]
        inputs = {
            side: np.stack([fill_unobserved(image[:, :, w], strip.usable[:, w]) for w in windows])
            for side, image in (("pre", strip.pre), ("post", strip.post))
        }
        if strip.terrain is not None:
            inputs["terrain"] = np.stack([_known(strip.terrain[:, :, w]) for w in windows])
        yield from zip(numbers, engine.run(inputs)[:, 0], strict=True)


def _known(terrain: NDArray[np.float32]) -> NDArray[np.float32]:
    known: NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(terrain))
    return fill_unobserved(terrain, known)


def _padded(strip: Strip, height: int, width: int) -> Strip:
    """Reflect an event smaller than a window, so that the network never sees an edge of zeros."""
    missing = ((0, height - strip.usable.shape[0]), (0, width - strip.usable.shape[1]))
    if not any(after for _, after in missing):
        return strip

    def pad(array: NDArray[np.generic]) -> NDArray[np.generic]:
        return np.pad(array, ((0, 0),) * (array.ndim - 2) + missing, mode="symmetric")

    return Strip(
        pre=pad(strip.pre).astype(np.uint16),
        post=pad(strip.post).astype(np.uint16),
        terrain=None if strip.terrain is None else pad(strip.terrain).astype(np.float32),
        usable=pad(strip.usable).astype(bool),
    )
