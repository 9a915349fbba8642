"""Curves and pictures, as PNG."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from landslide_cli.files import atomic
from landslide_cli.training.dataset import Sample
from landslide_cli.training.metrics import PixelCounter
from landslide_cli.training.tiles_index import Windows

STRETCH_PERCENT: Final = (1, 99)
"""Percentiles that are drawn black and white."""
LEAST_CONTRAST: Final = 300
"""Smallest difference between black and white in digital numbers, so that noise is not stretched."""
NOT_KNOWN: Final = (0.55, 0.55, 0.55)
HIT, MISS, ALARM = 1, 2, 3
"""Codes of the maps of an evaluation. 0: no landslide and none mapped; 255: does not count."""
COLOURS: Final[Mapping[int, tuple[int, int, int]]] = {HIT: (0, 158, 115), MISS: (0, 114, 178), ALARM: (213, 94, 0)}
"""Colours of Okabe and Ito, which colour-blind people can tell apart."""
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
    """Draw the share of landslide pixels over the mean probability."""
    calibration = counter.calibration()
    figure = Figure((4.5, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, label="perfect")
    label = f"measured, expected error {calibration.error:.3f}"
    axes.plot(calibration.predicted, calibration.observed, marker="o", label=label)
    axes.set(xlabel="mean probability", ylabel="share of landslide pixels", xlim=(0, 1), ylim=(0, 1))
    axes.set_title("Calibration")
    axes.legend(fontsize="small")
    axes.grid(alpha=0.3)
    _save(figure, path)


def spread_out(windows: Windows, count: int, window_px: int) -> NDArray[np.int64]:
    """Choose windows to draw: those with the most landslide pixels, from each event in turn, without overlap.

    Returns:
        `count` indexes into `windows`, or all if there are fewer windows.
    """
    order = np.argsort(-windows.landslide_px, kind="stable").tolist()
    queues = [[i for i in order if windows.event[i] == event] for event in np.unique(windows.event)]
    chosen: list[int] = []
    while len(chosen) < count and any(queues):
        for queue in queues:
            while queue and any(_overlap(windows, queue[0], other, window_px) for other in chosen):
                queue.pop(0)
            if queue and len(chosen) < count:
                chosen.append(queue.pop(0))
    # If all ground is drawn already, draw other dates of it.
    return np.array([*chosen, *(i for i in order if i not in set(chosen))][:count], np.int64)


def _overlap(windows: Windows, one: int, other: int, window_px: int) -> bool:
    apart = max(abs(int(getattr(windows, axis)[one]) - int(getattr(windows, axis)[other])) for axis in ("row", "col"))
    return bool(windows.event[one] == windows.event[other]) and apart < window_px


def window_titles(windows: Windows) -> list[str]:
    """Name each window by its event and upper left pixel."""
    names = zip(windows.event.tolist(), windows.row.tolist(), windows.col.tolist(), strict=True)
    return [f"{event}\nrow {row}, column {column}" for event, row, column in names]


def draw_windows(
    path: Path, batch: Sample, probability: NDArray[np.float32], bands: Sequence[str], titles: Sequence[str]
) -> None:
    """Draw windows: before, after, the truth, and the probability (N, 1, H, W)."""
    count = len(batch["pre"])
    figure = Figure((9.2, 2.15 * count + 0.6), layout="constrained")
    rows = np.atleast_2d(figure.subplots(count, 4))
    befores, afters = true_colours(batch["pre"].numpy(), batch["post"].numpy(), bands)
    for number, (pre, post, truth, predicted) in enumerate(rows):
        pre.imshow(befores[number])
        post.imshow(afters[number])
        truth.imshow(afters[number])
        landslide, weight = batch["landslide"][number, 0].numpy(), batch["weight"][number, 0].numpy()
        truth.imshow(np.ma.masked_equal(landslide, 0), cmap="autumn", vmin=0, vmax=1.5, interpolation="nearest")
        truth.imshow(
            np.ma.masked_not_equal(weight, 0), cmap="gray", vmin=-1, vmax=1, alpha=0.8, interpolation="nearest"
        )
        shown = predicted.imshow(probability[number, 0], vmin=0, vmax=1, cmap="magma")
        pre.set_ylabel(titles[number], fontsize="x-small")
    for axes, title in zip(rows[0], ("before", "after", "truth (grey: does not count)", "probability"), strict=True):
        axes.set_title(title, fontsize="small")
    figure.colorbar(shown, ax=rows[-1, 3], orientation="horizontal", ticks=(0, 0.5, 1), fraction=0.06, pad=0.02)
    _no_axes(rows)
    _save(figure, path)


def draw_hits(
    path: Path,
    pre: NDArray[np.float32],
    post: NDArray[np.float32],
    codes: Sequence[NDArray[np.uint8]],
    titles: Sequence[str],
    bands: Sequence[str],
) -> None:
    """Draw images before and after (N, B, H, W), and the image after with hits, misses and false alarms."""
    count = len(codes)
    figure = Figure((8.6, 2.75 * count + 0.6), layout="constrained")
    rows = np.atleast_2d(figure.subplots(count, 3))
    befores, afters = true_colours(pre, post, bands)
    for number, (left, middle, right) in enumerate(rows):
        left.imshow(befores[number])
        left.set_ylabel(titles[number], fontsize="x-small")
        middle.imshow(afters[number])
        painted = afters[number].copy()
        for value, paint in COLOURS.items():
            painted[codes[number] == value] = np.array(paint) / 255
        painted[codes[number] == 255] = NOT_KNOWN
        right.imshow(painted, interpolation="nearest")
    for axes, title in zip(rows[0], ("before", "after", "compared with the truth"), strict=True):
        axes.set_title(title, fontsize="small")
    marks = [Patch(color=(r / 255, g / 255, b / 255), label=NAMES[value]) for value, (r, g, b) in COLOURS.items()]
    figure.legend(
        handles=[*marks, Patch(color=NOT_KNOWN, label="not known")],
        loc="outside lower center",
        ncols=4,
        fontsize="small",
    )
    _no_axes(rows)
    _save(figure, path)


def true_colours(
    pre: NDArray[np.float32], post: NDArray[np.float32], bands: Sequence[str]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return red, green and blue (N, H, W, 3) in 0..1 of both dates; the first band in grey if one of them is missing.

    Each pair of windows has its own stretch, the same for both dates, so that changes stay visible.
    """
    names = ("B04", "B03", "B02")
    channels = [bands.index(name) for name in names] if set(names) <= set(bands) else [0, 0, 0]
    both = np.stack([pre[:, channels], post[:, channels]])
    low, high = np.percentile(both, STRETCH_PERCENT, axis=(0, 2, 3, 4), keepdims=True)
    stretched = np.clip((both - low) / np.maximum(high - low, LEAST_CONTRAST), 0, 1).astype(np.float32)
    before, after = stretched.transpose(0, 1, 3, 4, 2)
    return before, after


def _no_axes(rows: NDArray[Any]) -> None:
    axes: Axes
    for axes in rows.flat:
        axes.set_xticks([])
        axes.set_yticks([])


def _save(figure: Figure, path: Path) -> None:
    with atomic(path) as temporary:
        figure.savefig(temporary)
