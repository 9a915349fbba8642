"""`landslide evaluate`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landslide_cli.cli import console
from landslide_cli.cli import options as o
from landslide_cli.config import EvaluateConfig

if TYPE_CHECKING:
    from landslide_cli.training.evaluation_report import EvaluateSummary

Evaluated = Annotated[
    str, typer.Argument(metavar="RUN|MODEL", help="Run folder, ONNX file, shipped network, rdndvi or red-change.")
]
Split = Annotated[str, typer.Option(metavar="train|validation|test", help="Windows to measure on.")]
Out = Annotated[Path | None, typer.Option(metavar="DIR", help="Folder for tables, curves and maps.")]
Threshold = Annotated[
    float | None,
    typer.Option(metavar="P", help="Probability of a landslide.", show_default="best F1 on the validation windows"),
]
FoundOverlap = Annotated[
    float, typer.Option(min=0, max=1, help="A landslide is found if this share of its area is mapped...")
]
FoundIou = Annotated[float, typer.Option(min=0, max=1, help="...or if it has this IoU with the regions touching it.")]
Batch = Annotated[int, typer.Option(min=1, help="Windows per call.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an evaluation in --out.")]


def evaluate(
    model: Evaluated,
    dataset: o.Dataset,
    split: Split = o.default(EvaluateConfig, "split"),
    out: Out = None,
    threshold: Threshold = None,
    found_overlap: FoundOverlap = o.default(EvaluateConfig, "found_overlap"),
    found_iou: FoundIou = o.default(EvaluateConfig, "found_iou"),
    min_slope: o.MinSlope = o.default(EvaluateConfig, "min_slope"),
    device: o.Device = o.default(EvaluateConfig, "device"),
    batch: Batch = o.default(EvaluateConfig, "batch"),
    overwrite: Overwrite = False,
    as_json: o.Json = False,
    verbose: o.Verbose = False,
) -> None:
    """Measure a model or a detector on a training set made by `landslide prepare`."""
    config = o.build(EvaluateConfig, locals())
    from landslide_cli.workflows.evaluate import evaluate as run

    with console.working(verbose) as progress:
        summary = run(config, progress)
    console.show(summary, rows(summary), as_json)


def rows(summary: "EvaluateSummary") -> dict[str, str]:
    """Return what a person reads of an evaluation."""
    from landslide_cli.training.evaluation_report import PAPER, percent, text
    from landslide_cli.training.mosaics import PAPER_THRESHOLD

    table = {
        "model": summary.model,
        "windows": f"{summary.windows}, {summary.split} of {summary.dataset}",
        f"at {summary.threshold:.2f}": f"{_scores(summary.at_threshold)} ({summary.threshold_from})",
    }
    if summary.threshold != PAPER_THRESHOLD:
        table[f"at {PAPER_THRESHOLD:.2f}"] = _scores(summary.at_half)
    table |= {
        "average precision": text(summary.average_precision),
        "calibration": f"expected error {text(summary.calibration['expected_error'])}",
        "landslides": f"{summary.objects['found']} of {summary.objects['landslides']} found; "
        f"{summary.objects['false_alarms']} of {summary.objects['regions']} mapped regions are none; "
        f"mapped is {percent(summary.objects['mapped_share'])} of the ground",
        "events": "\n".join(f"{name}: {_scores(scores)}" for name, scores in summary.by_event.items()),
    }
    if summary.changes:
        mapped = (f"{c['code']}: {percent(c['share'])} of {c['pixels']:,} px mapped" for c in summary.changes)
        table["changes"] = "\n".join(mapped)
    table |= {
        "paper, Haiti": "\n".join(f"{name}: F1 {f1:.3f}, P {p:.3f}, R {r:.3f}" for name, (f1, p, r) in PAPER.items()),
        "took": f"{summary.seconds:.0f} s, {summary.windows_per_second:.1f} windows/s",
    }
    if summary.beware:
        table["beware"] = "\n".join(f"{reason}: the scores are too good" for reason in summary.beware)
    return table | ({"written": str(summary.out)} if summary.out else {})


def _scores(scores: Mapping[str, float | None]) -> str:
    from landslide_cli.training.evaluation_report import text

    names = {"f1": "F1", "precision": "P", "recall": "R", "iou": "IoU"}
    return ", ".join(f"{label} {text(scores[name])}" for name, label in names.items())
