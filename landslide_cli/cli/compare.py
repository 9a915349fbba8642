"""`landslide compare`."""

from typing import TYPE_CHECKING, Any

from landslide_cli.cli.command import Rows, command
from landslide_cli.config import CompareConfig

if TYPE_CHECKING:
    from landslide_cli.workflows.compare import CompareSummary


@command(CompareConfig)
def compare(config: CompareConfig, progress: Any) -> tuple["CompareSummary", Rows]:
    """Compare two maps, or a map and an inventory: new, grown, confirmed, gone, doubtful, not seen."""
    from landslide_cli.workflows.compare import compare as run

    summary = run(config, progress)
    return summary, rows(summary)


def rows(summary: "CompareSummary") -> dict[str, str]:
    """Return the table of a comparison."""
    table = {change: f"{count}, {summary.areas_m2[change] / 1e4:.1f} ha" for change, count in summary.counts.items()}
    return table | ({"written": str(summary.out)} if summary.out else {})
