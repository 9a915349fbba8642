"""Run a model over the windows of a training set, and join the windows of each pair of images to one map."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from landslide_cli.card import ModelCard
from landslide_cli.config import EvaluateConfig
from landslide_cli.errors import ModelError
from landslide_cli.progress import Progress

if TYPE_CHECKING:
    from landslide_cli.training.metrics import PixelCounter
    from landslide_cli.training.tiles_index import TrainingSet

PAPER_THRESHOLD: Final = 0.5
"""Threshold of the scores of the paper; a run has no threshold of its own."""

Inputs = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Model:
    """Something that gives probabilities."""

    card: ModelCard
    run: Callable[[Inputs], NDArray[np.float32]]
    learned_from: frozenset[str] = frozenset()
    """Names of the training events, if they are recorded."""


@dataclass(slots=True)
class Mosaic:
    """The joined windows of one pair of images; the arrays end where the windows end."""

    event: str
    pre: str
    post: str
    row: int
    column: int
    total: NDArray[np.float32]
    count: NDArray[np.uint16]
    landslide: NDArray[np.bool_]
    known: NDArray[np.bool_]

    def probability(self) -> NDArray[np.float32]:
        """Return the mean over the windows that contain a pixel."""
        mean: NDArray[np.float32] = np.divide(self.total, np.maximum(self.count, 1), dtype=np.float32)
        return mean


@dataclass(slots=True)
class Counted:
    """Counts over a split."""

    pixels: "PixelCounter"
    events: dict[str, "PixelCounter"] = field(default_factory=dict)


def mosaics(
    config: EvaluateConfig,
    training_set: "TrainingSet",
    split: str,
    model: Model,
    counted: Counted,
    progress: Progress,
) -> Iterator[Mosaic]:
    """Run the model over a split: count each window, and yield the joined windows of each pair of images."""
    from torch.utils.data import default_collate

    from landslide_cli.training.dataset import PairWindows
    from landslide_cli.training.metrics import PixelCounter

    windows, size = training_set.of_split(split), training_set.window_px
    data = PairWindows(
        training_set, windows, model.card.bands, spare=model.card.spare_bands, terrain=model.card.terrain
    )
    pair_of = list(zip(windows.event.tolist(), windows.pre.tolist(), windows.post.tolist(), strict=True))
    done = 0
    for (event, pre, post), group in groupby(range(len(windows)), key=lambda index: pair_of[index]):
        indexes = list(group)
        rows, columns = windows.row[indexes], windows.col[indexes]
        top, left = int(rows.min()), int(columns.min())
        shape = (int(rows.max()) - top + size, int(columns.max()) - left + size)
        mosaic = Mosaic(
            event, pre, post, top, left, np.zeros(shape, np.float32), np.zeros(shape, np.uint16),
            np.zeros(shape, bool), np.zeros(shape, bool),
        )  # fmt: skip
        for start in range(0, len(indexes), config.batch):
            chosen = indexes[start : start + config.batch]
            batch = {name: v.numpy() for name, v in default_collate([data[index] for index in chosen]).items()}
            probability = model.run(inputs(training_set, batch, {event}))
            if not np.isfinite(probability).all():
                raise ModelError(
                    f"{model.card.name} gives probabilities that are not numbers; train or export it again"
                )
            counter = PixelCounter()
            counter.add(probability, batch["landslide"], batch["weight"])
            counted.pixels.counts += counter.counts
            counted.events.setdefault(event, PixelCounter()).counts += counter.counts
            for number, index in enumerate(chosen):
                row, column = int(windows.row[index]) - top, int(windows.col[index]) - left
                box = (slice(row, row + size), slice(column, column + size))
                mosaic.total[box] += probability[number, 0]
                mosaic.count[box] += 1
                mosaic.landslide[box] = batch["landslide"][number, 0] > 0
                mosaic.known[box] = batch["weight"][number, 0] > 0
            done += len(chosen)
            progress(f"running {model.card.name} on {split} windows, {done} of {len(windows)}", done / len(windows))
        yield mosaic


def transform_of(training_set: "TrainingSet", mosaic: Mosaic) -> Any:
    """Return the affine transform of a mosaic, from (column, row) to the CRS of its event."""
    with rasterio.open(training_set.mask(mosaic.event)) as source:
        return source.transform @ rasterio.Affine.translation(mosaic.column, mosaic.row)


def changes_of(training_set: "TrainingSet", mosaic: Mosaic) -> NDArray[np.uint8]:
    """Return the codes of other changes in a mosaic; 0 elsewhere, and if none are known."""
    height, width = mosaic.landslide.shape
    if not training_set.has_changes(mosaic.event):
        return np.zeros((height, width), np.uint8)
    with rasterio.open(training_set.mask(mosaic.event)) as source:
        codes: NDArray[np.uint8] = source.read(2, window=Window(mosaic.column, mosaic.row, width, height))
    return codes


def inputs(training_set: "TrainingSet", batch: Inputs, events: set[str]) -> Inputs:
    """Return the inputs of a model. Without terrain, a detector does not require steep ground."""
    terrain = all(training_set.has_terrain(event) for event in events)
    return {name: batch[name] for name in ("pre", "post", *(["terrain"] if terrain else []))}
