"""Reads strips of an event in the form that models need."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from landslide_cli.event.folder import Event
from landslide_cli.geo.bands import CLEAR, TERRAIN_BANDS


@dataclass(frozen=True, slots=True)
class Strip:
    """Rows of an event, in full or partial width."""

    pre: NDArray[np.uint16]
    """(B, H, W) pre image, digital numbers."""
    post: NDArray[np.uint16]
    terrain: NDArray[np.float32] | None
    """(4, H, W), NaN where unknown."""
    usable: NDArray[np.bool_]
    """(H, W), true where all inputs are known."""


class _Raster:
    """Reads rows of a raster and keeps the rest of each block, so that reading southwards decodes each block once."""

    def __init__(self, path: Path, channels: Sequence[int | None]) -> None:
        """Open `path`; `channels` are band numbers from 1, and None gives a channel of zeros."""
        self.dataset = rasterio.open(path)
        self._block_px = int(self.dataset.block_shapes[0][0])
        self._there = [channel for channel, band in enumerate(channels) if band is not None]
        self._bands = [band for band in channels if band is not None]
        self._held = np.zeros((len(channels), 0, self.dataset.width), self.dataset.dtypes[0])
        self._first = self._end = 0

    def read(self, row: int, rows: int) -> NDArray[Any]:
        """Return (channels, rows, W) from `row`; the next call can overwrite the array."""
        if not self._first <= row <= row + rows <= self._end:
            held = self._held[:, : self._end - self._first]
            kept = held[:, row - self._first :] if row >= self._first else held[:, :0]
            begin = row + kept.shape[1]
            end = min(-(-(row + rows) // self._block_px) * self._block_px, self.dataset.height)
            if end - row > self._held.shape[1]:
                self._held = np.zeros((len(kept), rows + self._block_px, self.dataset.width), kept.dtype)
            self._held[:, : kept.shape[1]] = kept
            self._fill(self._held[:, begin - row : end - row], Window(0, begin, self.dataset.width, end - begin))
            self._first, self._end = row, end
        return self._held[:, row - self._first :][:, :rows]

    def part(self, window: Window, step: int = 1) -> NDArray[Any]:
        """Return (channels, H / step, W / step) of `window`, thinned by `step`; nothing is kept."""
        shape = (-(-window.height // step), -(-window.width // step))
        part = np.zeros((len(self._held), *shape), self._held.dtype)
        self._fill(part, window)
        return part

    def _fill(self, part: NDArray[Any], window: Window) -> None:
        if len(self._there) == len(part):
            self.dataset.read(self._bands, window=window, out=part)
        else:
            shape = (len(self._bands), *part.shape[1:])
            part[self._there] = self.dataset.read(self._bands, window=window, out_shape=shape)


class EventReader:
    """Reads strips of an event's rasters; a context manager."""

    def __init__(self, event: Event, bands: Sequence[str]) -> None:
        """Open `bands` of `event`, zeros for missing bands; pixels without terrain are unusable if it has terrain."""
        channels = [event.bands.index(band) + 1 if band in event.bands else None for band in bands]
        self._pre, self._post = (_Raster(event.path(side), channels) for side in ("pre", "post"))
        self._clear = _Raster(event.path("clear"), (1,))
        there = event.has("terrain")
        self._terrain = _Raster(event.path("terrain"), range(1, len(TERRAIN_BANDS) + 1)) if there else None
        self.height: int = self._clear.dataset.height
        self.width: int = self._clear.dataset.width
        place = self._clear.dataset.transform
        self.origin: tuple[int, int] = (round(place.f / place.e), round(place.c / place.a))

    def __enter__(self) -> "EventReader":
        """Return the reader."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the rasters."""
        for raster in (self._pre, self._post, self._clear, self._terrain):
            if raster is not None:
                raster.dataset.close()

    def read(self, row: int, rows: int) -> Strip:
        """Read `rows` rows from `row`; the next call can overwrite images and terrain."""
        return self._strip(lambda raster: raster.read(row, rows))

    def part(self, row: int, column: int, rows: int, columns: int) -> Strip:
        """Read a part of `rows` x `columns` pixels that starts at `row` and `column`."""
        return self._strip(lambda raster: raster.part(Window(column, row, columns, rows)))

    def thinned(self, step: int) -> Strip:
        """Read the whole event, one pixel for each `step` x `step` pixels, from overviews if there are any."""
        return self._strip(lambda raster: raster.part(Window(0, 0, self.width, self.height), step))

    def _strip(self, read: Callable[[_Raster], NDArray[Any]]) -> Strip:
        usable = read(self._clear)[0] == CLEAR
        terrain = None
        if self._terrain is not None:
            terrain = read(self._terrain)
            # A detector masks by slope; where the slope is unknown, no answer would be right.
            usable &= np.isfinite(terrain).all(axis=0)
        return Strip(read(self._pre), read(self._post), terrain, usable)
