"""Strips of an event, as a model wants them."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from landslide_cli.event import Event
from landslide_cli.imagery.bands import CLEAR


@dataclass(frozen=True, slots=True)
class Strip:
    """Full-width rows of an event."""

    pre: NDArray[np.uint16]
    """(B, H, W) digital numbers."""
    post: NDArray[np.uint16]
    terrain: NDArray[np.float32] | None
    """(4, H, W), NaN where unknown."""
    usable: NDArray[np.bool_]
    """(H, W), true where the model has all it needs."""


class EventReader:
    """Reads strips of an event's rasters; a context manager."""

    def __init__(self, event: Event, bands: Sequence[str]) -> None:
        """Open the `bands` of `event`, 0 for those it lacks; where it has terrain, pixels without are not usable."""
        self._images = [rasterio.open(event.path(side)) for side in ("pre", "post")]
        self._clear = rasterio.open(event.path("clear"))
        self._terrain = rasterio.open(event.path("terrain")) if event.has("terrain") else None
        there = [(channel, event.bands.index(band) + 1) for channel, band in enumerate(bands) if band in event.bands]
        self._channels, self._indexes = ([pair[side] for pair in there] for side in (0, 1))
        self._bands = len(bands)
        self.height: int = self._clear.height
        self.width: int = self._clear.width
        place = self._clear.transform
        self.origin: tuple[int, int] = (round(place.f / place.e), round(place.c / place.a))

    def __enter__(self) -> "EventReader":
        """Return the reader."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the rasters."""
        for dataset in (*self._images, self._clear, self._terrain):
            if dataset is not None:
                dataset.close()

    def read(self, row: int, rows: int) -> Strip:
        """Read `rows` rows from `row` on."""
        window = Window(0, row, self.width, rows)
        pre, post = (self._read_image(dataset, window) for dataset in self._images)
        usable = self._clear.read(1, window=window) == CLEAR
        terrain = None
        if self._terrain is not None:
            terrain = self._terrain.read(window=window)
            # A detector masks by slope: where it is unknown, neither answer would be honest.
            usable &= np.isfinite(terrain).all(axis=0)
        return Strip(pre, post, terrain, usable)

    def _read_image(self, dataset: rasterio.DatasetReader, window: Window) -> NDArray[np.uint16]:
        pixels: NDArray[np.uint16] = dataset.read(self._indexes, window=window)
        if len(self._indexes) == self._bands:
            return pixels
        image = np.zeros((self._bands, *pixels.shape[1:]), pixels.dtype)
        image[self._channels] = pixels
        return image
