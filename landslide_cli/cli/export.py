"""`landslide export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landslide_cli.cli import console
from landslide_cli.cli import options as o
from landslide_cli.config import ExportConfig

if TYPE_CHECKING:
    from landslide_cli.workflows.export import ExportSummary

Run = Annotated[Path, typer.Argument(metavar="RUN", help="Run folder made by `landslide train`.")]
Out = Annotated[Path, typer.Option(metavar="NAME.onnx", help="Model file to write.")]
Half = Annotated[bool, typer.Option("--half", help="Compute in float16: for GPUs.")]
Card = Annotated[
    Path | None,
    typer.Option(metavar="TOML", help="What the model should say of itself: limits, training_data, scores, tile_px."),
]
Licence = Annotated[str, typer.Option(help="Of the weights, as the model's card states it.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")]


def export(
    run: Run,
    out: Out,
    half: Half = False,
    licence: Licence = o.default(ExportConfig, "licence"),
    card: Card = None,
    overwrite: Overwrite = False,
    as_json: o.Json = False,
    verbose: o.Verbose = False,
) -> None:
    """Write a trained network as a model that `landslide predict --model FILE` runs."""
    config = o.build(ExportConfig, locals())
    from landslide_cli.workflows.export import export as write

    with console.working(verbose) as progress:
        summary = write(config, progress)
    console.show(summary, rows(summary), as_json)


def rows(summary: "ExportSummary") -> dict[str, str]:
    """Return what a person reads of an export."""
    return {
        "model": f"{summary.model}, {summary.megabytes:.1f} MB",
        "difference": f"{summary.difference:.1e} at most between ONNX Runtime and torch",
        "rounding": f"{summary.rounding:.1e} at most by storing weights in half precision",
    }
