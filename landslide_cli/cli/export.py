"""`landslide export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landslide_cli.cli import console
from landslide_cli.cli import options as o
from landslide_cli.config import ExportConfig

if TYPE_CHECKING:
    from landslide_cli.workflows.deepness import DeepnessSummary
    from landslide_cli.workflows.export import ExportSummary

Run = Annotated[
    Path,
    typer.Argument(
        metavar="RUN|MODEL",
        help="Run folder made by `landslide train`; with --card alone also an ONNX file, to give it another card; with "
        "--deepness also a model by name.",
    ),
]
Out = Annotated[Path, typer.Option(metavar="NAME.onnx", help="Model file to write.")]
Half = Annotated[bool, typer.Option("--half", help="Compute in float16: for GPUs.")]
EightBits = Annotated[
    bool, typer.Option("--eight-bits", help="Store weights in eight bits: half the file, as fast, nearly the same map.")
]
Card = Annotated[
    Path | None,
    typer.Option(metavar="TOML", help="What the model should say of itself: limits, training_data, scores, tile_px."),
]
Licence = Annotated[str, typer.Option(help="Of the weights, as the model's card states it.")]
Deepness = Annotated[
    bool, typer.Option("--deepness", help="For the QGIS plugin Deepness: a model with one input for all channels.")
]
StackOf = Annotated[
    Path | None,
    typer.Option(metavar="EVENT", help="With --deepness: also write the raster that the plugin reads into this event."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")]


def export(
    run: Run,
    out: Out,
    half: Half = False,
    eight_bits: EightBits = False,
    licence: Licence = o.default(ExportConfig, "licence"),
    card: Card = None,
    deepness: Deepness = False,
    event: StackOf = None,
    overwrite: Overwrite = False,
    as_json: o.Json = False,
    verbose: o.Verbose = False,
) -> None:
    """Write a trained network as a model that `landslide predict --model FILE` runs, or that QGIS runs."""
    config = o.build(ExportConfig, locals())
    if deepness:
        from landslide_cli.workflows.deepness import export_for_deepness

        with console.working(verbose) as progress:
            for_qgis = export_for_deepness(config, progress)
        console.show(for_qgis, deepness_rows(for_qgis), as_json)
        return
    from landslide_cli.workflows.export import export as write

    with console.working(verbose) as progress:
        summary = write(config, progress)
    console.show(summary, rows(summary), as_json)


def rows(summary: "ExportSummary") -> dict[str, str]:
    """Return what a person reads of an export."""
    return {
        "model": f"{summary.model}, {summary.megabytes:.1f} MB",
        "difference": f"{summary.difference:.1e} at most between ONNX Runtime and torch",
        "rounding": f"{summary.rounding:.1e} at most by storing weights in fewer bits",
    }


def deepness_rows(summary: "DeepnessSummary") -> dict[str, str]:
    """Return what a person reads of an export for the QGIS plugin."""
    stack = f"{summary.stack}: open it in QGIS as the plugin's input layer" if summary.stack else "none: give --event"
    return {
        "model": f"{summary.model}, {summary.megabytes:.1f} MB; press `Load default parameters` in the plugin",
        "raster": stack,
        "bands": ", ".join(summary.channels),
        "windows": f"{summary.tile_px} px, landslide from {summary.threshold:g}",
        "difference": f"{summary.difference:.1e} at most from `landslide predict` in a window",
    }
