"""Curves and pictures, as PNG."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from landslide_cli.files import atomic
from landslide_cli.imagery.bands import REFLECTANCE_ONE
from landslide_cli.training.dataset import Sample
from landslide_cli.training.metrics import PixelCounter

BRIGHTEST: Final = 0.25
"""Reflectance that is drawn white."""
HIT, MISS, ALARM = 1, 2, 3
"""Codes of the maps of an evaluation; 0 where there is no landslide and none is mapped, 255 where nothing counts."""
COLOURS: Final[Mapping[int, tuple[int, int, int]]] = {HIT: (0, 158, 115), MISS: (0, 114, 178), ALARM: (213, 94, 0)}
"""Okabe and Ito's colours, which colour-blind people can tell apart."""
NAMES: Final[Mapping[int, str]] = {HIT: "hit", MISS: "miss", ALARM: "false alarm"}


def draw_losses(path: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """Draw the loss of each epoch, in training and in validation, and F1."""
    figure = Figure((9, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = [row["epoch"] + 1 for row in history]
    for name, label in (("train_loss", "training (augmented)"), ("validation_loss", "validation")):
        left.plot(epochs, [row[name] for row in history], marker=".", label=label)
    left.set(xlabel="epoch", ylabel="loss", title="Loss")
    labels = {
        "f1": "F1 at 0.5", "best_f1": "F1 at the best threshold",
        "precision": "precision at 0.5", "recall": "recall at 0.5",
    }  # fmt: skip
    for name, label in labels.items():
        right.plot(epochs, [row[name] for row in history], marker=".", label=label)
    right.set(xlabel="epoch", ylim=(0, 1), title="Validation pixels")
    for axes in (left, right):
        axes.legend(fontsize="small")
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
    _save(figure, path)


def draw_precision_recall(path: Path, counters: Mapping[str, PixelCounter]) -> None:
    """Draw precision over recall for each set of pixels."""
    figure = Figure((4.5, 4), layout="constrained")
    axes = figure.subplots()
    for name, counter in counters.items():
        precision, recall = counter.curve()
        axes.plot(recall, precision, label=f"{name}, average precision {counter.average_precision():.2f}")
        scores = counter.at(0.5)
        axes.plot([scores.recall], [scores.precision], "o", color=axes.lines[-1].get_color())
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02), title="Pixels; dots: threshold 0.5")
    axes.legend(fontsize="small")
    axes.grid(alpha=0.3)
    _save(figure, path)


def draw_calibration(path: Path, counter: PixelCounter) -> None:
    """Draw how often what is given a probability is a landslide."""
    calibration = counter.calibration()
    figure = Figure((4.5, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, label="what it should be")
    label = f"measured, expected error {calibration.error:.3f}"
    axes.plot(calibration.predicted, calibration.observed, marker="o", label=label)
    axes.set(xlabel="mean probability", ylabel="share of landslide pixels", xlim=(0, 1), ylim=(0, 1))
    axes.set_title("Calibration")
    axes.legend(fontsize="small")
    axes.grid(alpha=0.3)
    _save(figure, path)


def draw_windows(path: Path, batch: Sample, probability: NDArray[np.float32], bands: Sequence[str]) -> None:
    """Draw windows: before, after, the truth on it, and the probability (N, 1, H, W)."""
    count = len(batch["pre"])
    figure = Figure((8.4, 2.15 * count), layout="constrained")
    rows = np.atleast_2d(figure.subplots(count, 4))
    images = {name: true_colour(batch[name].numpy(), bands) for name in ("pre", "post")}
    for number, (pre, post, truth, predicted) in enumerate(rows):
        pre.imshow(images["pre"][number])
        post.imshow(images["post"][number])
        truth.imshow(images["post"][number])
        landslide, weight = batch["landslide"][number, 0].numpy(), batch["weight"][number, 0].numpy()
        truth.imshow(np.ma.masked_equal(landslide, 0), cmap="autumn", vmin=0, vmax=1.5, interpolation="nearest")
        truth.imshow(
            np.ma.masked_not_equal(weight, 0), cmap="gray", vmin=-1, vmax=1, alpha=0.8, interpolation="nearest"
        )
        predicted.imshow(probability[number, 0], vmin=0, vmax=1, cmap="magma")
    for axes, title in zip(rows[0], ("before", "after", "truth (grey: does not count)", "probability"), strict=True):
        axes.set_title(title, fontsize="small")
    _no_axes(rows)
    _save(figure, path)


def draw_hits(
    path: Path,
    images: NDArray[np.float32],
    codes: Sequence[NDArray[np.uint8]],
    titles: Sequence[str],
    bands: Sequence[str],
) -> None:
    """Draw images after the event (N, B, H, W) beside the same with hits, misses and false alarms."""
    count = len(codes)
    figure = Figure((7, 3.4 * count), layout="constrained")
    rows = np.atleast_2d(figure.subplots(count, 2))
    colours = true_colour(images, bands)
    for (left, right), colour, code, title in zip(rows, colours, codes, titles, strict=True):
        left.imshow(colour)
        left.set_title(title, fontsize="small")
        painted = colour.copy()
        for value, paint in COLOURS.items():
            painted[code == value] = np.array(paint) / 255
        painted[code == 255] *= 0.4
        right.imshow(painted, interpolation="nearest")
    for value, paint in COLOURS.items():
        rows[0, 1].plot([], [], "s", color=np.array(paint) / 255, label=NAMES[value])
    rows[0, 1].legend(fontsize="x-small", loc="lower right")
    _no_axes(rows)
    _save(figure, path)


def true_colour(images: NDArray[np.float32], bands: Sequence[str]) -> NDArray[np.float32]:
    """Return red, green and blue (N, H, W, 3) in 0..1; the first band in grey where they are not all there."""
    names = ("B04", "B03", "B02")
    channels = [bands.index(name) for name in names] if set(names) <= set(bands) else [0, 0, 0]
    colour: NDArray[np.float32] = np.clip(images[:, channels] / (BRIGHTEST * REFLECTANCE_ONE), 0, 1).transpose(
        0, 2, 3, 1
    )
    return colour


def _no_axes(rows: NDArray[Any]) -> None:
    axes: Axes
    for axes in rows.flat:
        axes.set_xticks([])
        axes.set_yticks([])


def _save(figure: Figure, path: Path) -> None:
    with atomic(path) as temporary:
        figure.savefig(temporary)
