"""Windows of image pairs, read from the event folders themselves."""

import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
import torch
from rasterio.errors import RasterioError
from rasterio.windows import Window
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from landslide_cli.errors import InputError
from landslide_cli.event.products import PRODUCTS
from landslide_cli.geo.bands import TERRAIN_BANDS, Unseen
from landslide_cli.geo.fill import fill_unobserved
from landslide_cli.training.tiles_index import LANDSLIDE, UNKNOWN, TrainingSet, Windows

Sample = dict[str, Tensor]
"""A window, or a batch with a leading axis N; float32. `pre` and `post` (B, H, W) are digital numbers, `terrain`
(4, H, W) as in `terrain.tif`, `landslide` (1, H, W) 0 or 1, `weight` (1, H, W) the weight of each pixel, 0 if it does
not count."""

Key = int | tuple[int, int, int]
"""Number of a window; or number, rows and columns by which it is shifted down and right."""

OPEN_FILES: Final = 200
"""Rasters that a process keeps open. When a file is closed, GDAL drops its decoded blocks, which cost the most time."""


class PairWindows(Dataset[Sample]):
    """Windows of a training set, each with its two images, its terrain and its mask."""

    def __init__(
        self,
        training_set: TrainingSet,
        windows: Windows,
        bands: Sequence[str],
        *,
        spare: Sequence[str] = (),
        terrain: bool = True,
        change_weights: Mapping[str, float] | None = None,
    ) -> None:
        """Choose windows and bands.

        Args:
            training_set: the training set.
            windows: the windows to use.
            bands: channels of `pre` and `post`, in this order.
            spare: bands that are 0 if an image lacks them.
            terrain: whether to refuse events without terrain; otherwise their `terrain` is 0.
            change_weights: `weight` of other changes, by code; 1 for codes that are not given.

        Raises:
            InputError: an image lacks a band, or an event has no terrain.
        """
        self.training_set, self.windows, self.bands = training_set, windows, tuple(bands)
        self._open: OrderedDict[Path, Any] = OrderedDict()
        self._opened_by = os.getpid()
        self._weighs_changes = bool(change_weights)
        self._weight_of = np.ones(UNKNOWN + 1, np.float32)
        for code, weight in (change_weights or {}).items():
            self._weight_of[int(code)] = weight
        for event in np.unique(windows.event).tolist():
            folder = training_set.event_folder(event)
            if terrain and not training_set.has_terrain(event):
                raise InputError(
                    f"event {event} has no terrain, which the network reads; fetch it again without --no-dem, or use "
                    "another network"
                )
            mine = windows.event == event
            for image in np.unique([*windows.pre[mine], *windows.post[mine]]).tolist():
                with rasterio.open(folder / image) as source:
                    missing = [band for band in bands if band not in (*source.descriptions, *spare)]
                if missing:
                    raise InputError(f"{folder / image} lacks {', '.join(missing)}; leave these bands out")

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.windows)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out open files: each process opens its own."""
        return {**self.__dict__, "_open": OrderedDict()}

    def __getitem__(self, key: Key) -> Sample:
        """Read window `key`. A shifted window stays within its event.

        Returns:
            The window.

        Raises:
            InputError: a raster cannot be read.
        """
        index, down, right = key if isinstance(key, tuple) else (key, 0, 0)
        windows = self.windows
        event, pre, post = str(windows.event[index]), str(windows.pre[index]), str(windows.post[index])
        box = self._box(event, int(windows.row[index]) + down, int(windows.col[index]) + right)
        folder = self.training_set.event_folder(event)
        channels = (1, 2) if self._weighs_changes and self.training_set.has_changes(event) else (1,)
        mask, *changes = self._read(self.training_set.mask(event), channels, box)
        if self.training_set.has_terrain(event):
            terrain = self._read(folder / PRODUCTS["terrain"].file, TERRAIN_BANDS, box)
        else:
            terrain = np.zeros((len(TERRAIN_BANDS), *mask.shape), np.float32)
        seen = np.ones(mask.shape, bool)
        for image in (pre, post):
            path, channel = self.training_set.unseen(event, image)
            seen &= self._read(path, (channel,), box)[0] < min(Unseen)
        has_terrain: np.ndarray[Any, np.dtype[np.bool_]] = np.isfinite(terrain).all(axis=0)
        weight = self._weight_of[changes[0]] if changes else np.float32(1)
        arrays = {
            "pre": fill_unobserved(self._read(folder / pre, self.bands, box), seen),
            "post": fill_unobserved(self._read(folder / post, self.bands, box), seen),
            "terrain": fill_unobserved(terrain, has_terrain),
            "landslide": (mask == LANDSLIDE)[None].astype(np.float32),
            "weight": ((seen & has_terrain & (mask != UNKNOWN)) * weight)[None],
        }
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def _box(self, event: str, row: int, col: int) -> Window:
        """Return the window at `row` and `col`, moved into the event if it would cross its border."""
        size = self.training_set.window_px
        height, width = self._source(self.training_set.mask(event)).shape
        return Window(min(max(col, 0), width - size), min(max(row, 0), height - size), size, size)

    def _read(self, path: Path, channels: Sequence[str | int], box: Window) -> Any:
        try:
            source = self._source(path)
            there = [c for c in channels if isinstance(c, int) or c in source.descriptions]
            indexes = [c if isinstance(c, int) else source.descriptions.index(c) + 1 for c in there]
            pixels = source.read(indexes, window=box)
            if len(there) == len(channels):
                return pixels
            whole = np.zeros((len(channels), *pixels.shape[1:]), pixels.dtype)
            whole[[channels.index(c) for c in there]] = pixels
            return whole
        except RasterioError as error:
            raise _unreadable(path, error) from error

    def _source(self, path: Path) -> Any:
        if self._opened_by != os.getpid():
            # Forked processes share the position in open files, so each process opens its own.
            self._open, self._opened_by = OrderedDict(), os.getpid()
        if path in self._open:
            self._open.move_to_end(path)
        else:
            try:
                self._open[path] = rasterio.open(path)
            except RasterioError as error:
                raise _unreadable(path, error) from error
            if len(self._open) > OPEN_FILES:
                self._open.popitem(last=False)[1].close()
        return self._open[path]


def _unreadable(path: Path, error: RasterioError) -> InputError:
    return InputError(f"{path} cannot be read ({error}); fetch the event again")


class EpochSampler(Sampler[Key]):
    """Random order of windows. It depends only on the seed and the epoch, so a resumed run sees the same windows."""

    def __init__(self, windows: int, per_epoch: int | None, seed: int, shift_px: int = 0) -> None:
        """Draw `per_epoch` of `windows` (None: all) in each epoch, each shifted by up to `shift_px` pixels."""
        self.windows, self.per_epoch, self.seed, self.epoch = windows, min(per_epoch or windows, windows), seed, 0
        self.shift_px = shift_px

    def set_epoch(self, epoch: int) -> None:
        """Start another epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Return the number of windows of an epoch."""
        return self.per_epoch

    def __iter__(self) -> Iterator[Key]:
        """Yield the windows of the epoch."""
        generator = np.random.default_rng((self.seed, self.epoch))
        order = generator.permutation(self.windows)[: self.per_epoch].tolist()
        if not self.shift_px:
            return iter(order)
        down, right = generator.integers(-self.shift_px, self.shift_px, (2, len(order)), endpoint=True).tolist()
        return iter(zip(order, down, right, strict=True))
