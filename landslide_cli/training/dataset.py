"""Windows of events to learn and to validate on, cut from the files of the event folders themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import rasterio
import torch
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.warp import Resampling, reproject
from torch.utils.data import Dataset

from landslide_cli.errors import InputError
from landslide_cli.imagery.bands import CLEAR, NODATA
from landslide_cli.training.augment import Sample, augment
from landslide_cli.windows import fill_unobserved

UNKNOWN: Final = 255
"""Value of truth outside the raster that holds it."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledEvent:
    """The rasters of one event on one grid, held in memory: 66 bytes per pixel with 12 bands."""

    pre: NDArray[np.uint16]
    post: NDArray[np.uint16]
    terrain: NDArray[np.float32]
    clear: NDArray[np.bool_]
    """(H, W), what `clear.tif` calls clear."""
    landslide: NDArray[np.bool_]
    known: NDArray[np.bool_]
    """(H, W), where the loss may look: clear, observed in all bands, with terrain and truth."""
    candidates: NDArray[np.int64]
    """(K, 2), rows and columns of the landslide pixels that are known."""

    def window(self, row: int, column: int, size: int) -> Sample:
        """Return the square window whose upper left pixel is (`row`, `column`)."""
        box = (slice(row, row + size), slice(column, column + size))
        clear = np.asarray(self.clear[box])
        terrain = self.terrain[:, *box]
        has_terrain: NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(terrain))
        arrays = {
            "pre": fill_unobserved(self.pre[:, *box], clear),
            "post": fill_unobserved(self.post[:, *box], clear),
            "terrain": fill_unobserved(terrain, has_terrain),
            "landslide": self.landslide[None, *box].astype(np.float32),
            "weight": self.known[None, *box].astype(np.float32),
        }
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


def read_labelled_event(folder: Path, truth: Path) -> LabelledEvent:
    """Read an event folder and what is true of it.

    Args:
        folder: holds `pre.tif`, `post.tif`, `terrain.tif` and `clear.tif`, all on one grid.
        truth: a raster of any grid and extent: 1 landslide, 0 none; other values and what lies outside its
            extent are not known.

    Raises:
        InputError: a file is missing or cannot be read, or the files are not on one grid.
    """
    try:
        with rasterio.open(folder / "pre.tif") as source:
            pre, crs, transform = source.read(), source.crs, source.transform
        rasters = {}
        for name in ("post", "terrain", "clear"):
            with rasterio.open(folder / f"{name}.tif") as source:
                if (source.shape, source.crs, source.transform) != (pre.shape[1:], crs, transform):
                    raise InputError(f"{source.name} is not on the grid of pre.tif; fetch the event again")
                rasters[name] = source.read()
        with rasterio.open(truth) as source:
            values = source.read(1)
            warped = np.full(pre.shape[1:], UNKNOWN, np.uint8)
            reproject(
                np.where((values == 0) | (values == 1), values, UNKNOWN).astype(np.uint8),
                warped,
                src_transform=source.transform,
                src_crs=source.crs,
                src_nodata=UNKNOWN,
                dst_transform=transform,
                dst_crs=crs,
                dst_nodata=UNKNOWN,
                resampling=Resampling.nearest,
            )
    except RasterioError as error:
        raise InputError(f"the event in {folder} cannot be read: {error}") from error
    clear = rasters["clear"][0] == CLEAR
    observed = (pre != NODATA).all(axis=0) & (rasters["post"] != NODATA).all(axis=0)
    known = clear & observed & np.isfinite(rasters["terrain"]).all(axis=0) & (warped != UNKNOWN)
    landslide = warped == 1
    return LabelledEvent(
        pre=pre,
        post=rasters["post"],
        terrain=rasters["terrain"],
        clear=clear,
        landslide=landslide,
        known=known,
        candidates=np.argwhere(landslide & known),
    )


class EventWindows(Dataset[Sample]):
    """Random windows to learn on; each index always gives the same one.

    Windows of even index hold a landslide pixel wherever an event has one: else a network that sees mostly
    stable ground learns to say no.
    """

    def __init__(
        self,
        events: Sequence[tuple[Path, Path]],
        tile_px: int = 128,
        length: int = 1_000_000,
        seed: int = 0,
        augmented: bool = True,
    ) -> None:
        """Read the events.

        Args:
            events: event folder and truth raster of each.
            tile_px: side of the windows.
            length: how many windows there are before `IndexError`.
            seed: other seeds give other windows.
            augmented: whether windows are flipped, turned and jittered.

        Raises:
            InputError: an event cannot be read or is smaller than a window, or no event is given.
        """
        self.events = _read_all(events, tile_px)
        self.tile_px, self.length, self.seed, self.augmented = tile_px, length, seed, augmented
        self.with_landslides = [event for event in self.events if len(event.candidates)]

    def __len__(self) -> int:
        """Return how many windows there are."""
        return self.length

    def __getitem__(self, index: int) -> Sample:
        """Return window `index`."""
        if not 0 <= index < self.length:
            raise IndexError(index)
        generator = np.random.default_rng((self.seed, index))
        wants_landslide = index % 2 == 0 and bool(self.with_landslides)
        events = self.with_landslides if wants_landslide else self.events
        event = events[generator.integers(len(events))]
        last = np.array(event.clear.shape) - self.tile_px
        corner = generator.integers(0, last + 1)
        if wants_landslide:
            # The pixel may lie anywhere in the window: a network must not learn to look at the centre.
            pixel = event.candidates[generator.integers(len(event.candidates))]
            corner = np.clip(pixel - generator.integers(0, self.tile_px, 2), 0, last)
        sample = event.window(int(corner[0]), int(corner[1]), self.tile_px)
        return augment(sample, generator) if self.augmented else sample


class EventTiles(Dataset[Sample]):
    """All of each event, once, in windows side by side: what validation counts over."""

    def __init__(self, events: Sequence[tuple[Path, Path]], tile_px: int = 256) -> None:
        """Read the events; arguments and errors as for `EventWindows`."""
        self.events = _read_all(events, tile_px)
        self.tile_px = tile_px
        self.corners = [
            (event, row, column)
            for event in self.events
            for row in range(0, event.clear.shape[0], tile_px)
            for column in range(0, event.clear.shape[1], tile_px)
        ]

    def __len__(self) -> int:
        """Return how many windows there are."""
        return len(self.corners)

    def __getitem__(self, index: int) -> Sample:
        """Return window `index`, row by row."""
        event, row, column = self.corners[index]
        height, width = event.clear.shape
        # The last windows are moved back to lie inside; what others counted has no weight in them.
        first_row, first_column = min(row, height - self.tile_px), min(column, width - self.tile_px)
        sample = event.window(first_row, first_column, self.tile_px)
        sample["weight"][:, : row - first_row] = 0
        sample["weight"][:, :, : column - first_column] = 0
        return sample


def _read_all(events: Sequence[tuple[Path, Path]], tile_px: int) -> list[LabelledEvent]:
    """Read `events` and make sure that a window fits into each."""
    if not events:
        raise InputError("no event is given to learn or to validate on")
    labelled = []
    for folder, truth in events:
        event = read_labelled_event(folder, truth)
        height, width = event.clear.shape
        if min(height, width) < tile_px:
            raise InputError(f"{folder} is {height} x {width} px, smaller than a window of {tile_px} px")
        labelled.append(event)
    return labelled
