"""`landslide doctor`."""

from typing import TYPE_CHECKING, Any

from landslide_cli.cli.command import Rows, command
from landslide_cli.config import DoctorConfig

if TYPE_CHECKING:
    from landslide_cli.workflows.doctor import DoctorSummary


@command(DoctorConfig)
def doctor(config: DoctorConfig, progress: Any) -> tuple["DoctorSummary", Rows]:
    """Show what this machine can run models on, what would be used, and how fast it is."""
    from landslide_cli.workflows.doctor import doctor as run

    summary = run(config, progress)
    return summary, rows(summary)


def rows(summary: "DoctorSummary") -> dict[str, str]:
    """Return the table of a machine."""
    table = {
        "versions": ", ".join(f"{name} {version}" for name, version in summary.versions.items()),
        "processor": f"{summary.processor}, {summary.processors} cores",
        "models": ", ".join(summary.models),
        "tested with": f"{summary.model} on {summary.tried_on}, {summary.tile_px} x {summary.tile_px} px",
    }
    for engine in summary.engines:
        if engine.why_not is not None:
            table[engine.name] = f"no: {engine.why_not}"
            continue
        table[engine.name] = (
            f"{engine.windows_per_second:.1f} windows/s, differs by {engine.difference_points:.2f} percentage points"
            f"{'; used by --device auto' if engine.used else ''}"
        )
    return table
