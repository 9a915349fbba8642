"""`landslide weights`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landslide_cli.cli import console
from landslide_cli.cli import options as o

if TYPE_CHECKING:
    from landslide_cli.card import ModelCard
    from landslide_cli.workflows.weights import Weights

weights = typer.Typer(help="Models that come with the program, and models made of published checkpoints.")

Name = Annotated[str, typer.Argument(metavar="NAME|PATH", help="A model of `landslide weights list`, or an ONNX file.")]
CheckpointFile = Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="File written by torch.save.")]
ModelOut = Annotated[Path, typer.Option(metavar="NAME.onnx", help="Model to write.")]
CheckpointThreshold = Annotated[
    float | None,
    typer.Option(
        metavar="P", help="Probability from which a pixel is a landslide.", show_default="the checkpoint's own"
    ),
]
CheckpointBands = Annotated[
    str | None,
    typer.Option(
        metavar="NAMES", help="Bands that the network reads, in order, such as B04,B03,B02.", show_default="as recorded"
    ),
]


@weights.command("list")
def list_(as_json: o.Json = False, verbose: o.Verbose = False) -> None:
    """List the models that `predict --model` knows by name."""
    from landslide_cli.workflows.weights import list_weights as run

    with console.working(verbose) as progress:
        summary = run(progress)
    console.show(summary, {model.card.name: _line(model) for model in summary.models}, as_json)


@weights.command()
def show(name: Name, as_json: o.Json = False, verbose: o.Verbose = False) -> None:
    """Show all that a model says of itself."""
    from landslide_cli.workflows.weights import show_weights as run

    with console.working(verbose) as progress:
        summary = run(name, progress)
    file = {"file": f"{summary.file}, {summary.megabytes:.1f} MB"} if summary.file else {}
    console.show(summary, {**_rows(summary.card), **file}, as_json)


@weights.command("import")
def import_(
    checkpoint: CheckpointFile,
    out: ModelOut,
    bands: CheckpointBands = None,
    threshold: CheckpointThreshold = None,
    as_json: o.Json = False,
    verbose: o.Verbose = False,
) -> None:
    """Make a model of a checkpoint as the authors of the paper publish them."""
    from landslide_cli.workflows.weights import import_weights as run

    with console.working(verbose) as progress:
        summary = run(checkpoint, out, bands=bands, threshold=threshold, progress=progress)
    made = {
        "file": f"{summary.model}, {summary.megabytes:.1f} MB",
        "checked": f"differs from torch by {summary.difference:.1g} in probability",
    }
    console.show(summary, {**_rows(summary.card), **made}, as_json)


def _line(model: "Weights") -> str:
    """Return what a person reads of a model in a list."""
    size = f"{model.megabytes:.1f} MB" if model.megabytes else "no weights"
    measured = [f"{name} {score:.3f}" for name, score in model.card.scores.items() if "f1" in name.lower()]
    threshold = f"threshold {model.card.threshold:g}"
    return ", ".join((model.card.architecture, size, threshold, *(measured or ["no F1 measured"]), model.card.licence))


def _rows(card: "ModelCard") -> Mapping[str, str]:
    """Return what a person reads of a card."""
    rows = {
        "name": f"{card.name} {card.version}",
        "architecture": card.architecture,
        "reads": " ".join([*card.bands, *(["and terrain"] if card.terrain else [])]),
        "window": f"{card.tile_px} px of {card.gsd_m} m",
        "threshold": f"{card.threshold:g}",
        "scores": "\n".join(f"{name} {score:.3f}" for name, score in card.scores.items()) or "none",
        "trained on": card.training_data,
        "limits": card.limits,
        "licence": card.licence,
        "training": card.config_sha256,
    }
    return {name: text for name, text in rows.items() if text}
