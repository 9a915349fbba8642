"""`landslide simulate`."""

from typing import TYPE_CHECKING, Any

from landslide_cli.cli.command import Rows, command
from landslide_cli.config import SimulateConfig

if TYPE_CHECKING:
    from landslide_cli.workflows.simulate import SimulateSummary


@command(SimulateConfig)
def simulate(config: SimulateConfig, progress: Any) -> tuple["SimulateSummary", Rows]:
    """Simulate events with landslides and other changes, for training and for tests."""
    from landslide_cli.workflows.simulate import simulate as run

    summary = run(config, progress)
    return summary, rows(summary)


def rows(summary: "SimulateSummary") -> dict[str, str]:
    """Return the table of a simulation."""
    table = {
        event.name: f"{event.event_date}, {event.landslides} landslides, ground {event.relief}, "
        f"land cover {event.cover}; also "
        f"{', '.join(event.changes) or 'nothing else'}"
        for event in summary.events
    }
    first = summary.events[0]
    table["next"] = (
        f"landslide fetch --aoi {first.aoi} --event-date {first.event_date} --catalog {first.items} --out EVENT"
    )
    table["took"] = f"{summary.seconds:.0f} s" + (f"; {summary.kept} existed already" if summary.kept else "")
    return table
