"""`landslide train`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landslide_cli.cli import console
from landslide_cli.cli import options as o
from landslide_cli.config import TrainConfig

if TYPE_CHECKING:
    from landslide_cli.workflows.train import TrainSummary

Network = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="bbunet, unet-siam-diff, bit, seifnet or tinycd.", show_default="bbunet"),
]
Run = Annotated[Path, typer.Option(metavar="RUN", help="Run folder to write.")]
RecipeFile = Annotated[Path | None, typer.Option(metavar="TOML", help="Recipe, such as examples/paper.toml.")]
Bands = Annotated[
    str | None, typer.Option(metavar="B02,B03,...", help="Bands to learn from.", show_default="the recipe's, or all")
]
Encoder = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Encoder of bbunet and unet-siam-diff, by its name in segmentation-models-pytorch.",
        show_default="the recipe's, or the paper's",
    ),
]
Epochs = Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.", show_default="the recipe's")]
Batch = Annotated[int | None, typer.Option(min=2, help="Windows per step.", show_default="the recipe's")]
Seed = Annotated[int | None, typer.Option(min=0, help="Of weights and chance.", show_default="the recipe's")]
EncoderWeights = Annotated[
    Path | None, typer.Option(metavar="FILE", help="SSL4EO-S12 ResNet (MoCo or DINO) to start the encoder with.")
]
Start = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="MODEL.onnx",
        help="Model of the same network to begin with, to train it on; of several, with the mean of their weights.",
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on after the last epoch of this run that ended.")]
Device = Annotated[str, typer.Option(metavar="auto|cuda|cpu", help="All GPUs of the machine are used.")]
Workers = Annotated[int, typer.Option(min=0, help="Processes that read windows.")]


def train(
    dataset: o.Dataset,
    out: Run,
    model: Network = None,
    config: RecipeFile = None,
    bands: Bands = None,
    encoder: Encoder = None,
    epochs: Epochs = None,
    batch: Batch = None,
    seed: Seed = None,
    encoder_weights: EncoderWeights = None,
    start: Start = None,
    resume: Resume = False,
    device: Device = o.default(TrainConfig, "device"),
    workers: Workers = o.default(TrainConfig, "workers"),
    as_json: o.Json = False,
    verbose: o.Verbose = False,
) -> None:
    """Train a network on a training set made by `landslide prepare`."""
    options = o.build(TrainConfig, locals())
    from landslide_cli.workflows.train import train as run

    with console.working(verbose) as progress:
        summary = run(options, progress)
    console.show(summary, rows(summary), as_json)


def rows(summary: "TrainSummary") -> dict[str, str]:
    """Return what a person reads of a training."""
    return {
        "run": str(summary.run),
        "network": f"{summary.model}, {summary.parameters / 1e6:.2f} million parameters",
        "windows": f"{summary.train_windows} to learn from, {summary.validation_windows} to validate on",
        "best epoch": f"{summary.best_epoch} of {summary.epochs}: validation loss {summary.validation_loss:.4f}",
        "F1": f"{summary.validation_f1:.3f} at 0.5, {summary.best_f1:.3f} at {summary.best_threshold:.2f} (validation)",
        "speed": f"{summary.windows_per_second:.1f} windows/s, {summary.seconds_per_epoch:.1f} s per epoch; "
        f"{summary.waiting_percent:.1f} % of it waiting for windows",
        "took": f"{summary.seconds:.0f} s",
    }
