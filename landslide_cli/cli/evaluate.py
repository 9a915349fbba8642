"""`landslide evaluate`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from landslide_cli.cli.command import Rows, command
from landslide_cli.config import EvaluateConfig

if TYPE_CHECKING:
    from landslide_cli.training.evaluation_report import EvaluateSummary


@command(EvaluateConfig)
def evaluate(config: EvaluateConfig, progress: Any) -> tuple["EvaluateSummary", Rows]:
    """Measure a model or a detector on a training set made by `landslide prepare`."""
    from landslide_cli.workflows.evaluate import evaluate as run

    summary = run(config, progress)
    return summary, rows(summary)


def rows(summary: "EvaluateSummary") -> dict[str, str]:
    """Return the table of an evaluation."""
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
        f"{summary.objects['false_alarms']} of {summary.objects['regions']} mapped regions are false alarms; "
        f"{percent(summary.objects['mapped_share'])} of the ground is mapped",
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
        table["warning"] = "\n".join(f"{reason}: the scores are too good" for reason in summary.beware)
    return table | ({"written": str(summary.out)} if summary.out else {})


def _scores(scores: Mapping[str, float | None]) -> str:
    from landslide_cli.training.evaluation_report import text

    names = {"f1": "F1", "precision": "P", "recall": "R", "iou": "IoU"}
    return ", ".join(f"{label} {text(scores[name])}" for name, label in names.items())
