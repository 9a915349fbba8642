"""`landslide demo`."""

from typing import TYPE_CHECKING, Any

from landslide_cli.cli import vectorize
from landslide_cli.cli.command import Rows, command
from landslide_cli.config import DemoConfig

if TYPE_CHECKING:
    from landslide_cli.workflows.demo import DemoSummary


@command(DemoConfig)
def demo(config: DemoConfig, progress: Any) -> tuple["DemoSummary", Rows]:
    """Map a simulated event, offline: see what the program does before you need it."""
    from landslide_cli.workflows.demo import demo as run

    summary = run(config, progress)
    return summary, rows(summary)


def rows(summary: "DemoSummary") -> dict[str, str]:
    """Return the table of the demo."""
    return {
        "event": f"simulated: {summary.map.fetch.event}",
        "model": f"{summary.map.predict.model} on {summary.map.predict.provider}",
        **vectorize.rows(summary.map.vectorize),
        "truth": str(summary.truth),
        "match": f"F1 {summary.f1:.2f} (precision {summary.precision:.2f}, recall {summary.recall:.2f}) over pixels",
    }
