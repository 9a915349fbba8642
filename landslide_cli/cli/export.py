"""`landslide export`."""

from typing import TYPE_CHECKING, Any

from landslide_cli.cli.command import Rows, command
from landslide_cli.config import ExportConfig

if TYPE_CHECKING:
    from landslide_cli.workflows.export import ExportSummary


@command(ExportConfig)
def export(config: ExportConfig, progress: Any) -> tuple["ExportSummary", Rows]:
    """Write a trained network as a model file that `landslide predict --model FILE` runs."""
    from landslide_cli.workflows.export import export as run

    summary = run(config, progress)
    return summary, rows(summary)


def rows(summary: "ExportSummary") -> dict[str, str]:
    """Return the table of an export."""
    return {
        "model": f"{summary.model}, {summary.megabytes:.1f} MB",
        "difference": f"{summary.difference:.1e} at most between ONNX Runtime and torch",
        "rounding": f"{summary.rounding:.1e} at most, because weights are stored in fewer bits",
    }
