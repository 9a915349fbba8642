"""`landslide doctor`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landslide_cli.cli import console
from landslide_cli.cli import options as o
from landslide_cli.config import DoctorConfig

if TYPE_CHECKING:
    from landslide_cli.workflows.doctor import DoctorSummary

Tried = Annotated[
    Path | None,
    typer.Argument(
        metavar="[EVENT]", help="Event folder to try on; made-up windows where not given.", show_default=False
    ),
]


def doctor(
    event: Tried = None,
    model: o.Model = o.default(DoctorConfig, "model"),
    as_json: o.Json = False,
    verbose: o.Verbose = False,
) -> None:
    """Tell what this machine has to run models on, what would be used, and how fast it is."""
    config = o.build(DoctorConfig, locals())
    from landslide_cli.workflows.doctor import doctor as run

    with console.working(verbose) as progress:
        summary = run(config, progress)
    console.show(summary, rows(summary), as_json)


def rows(summary: "DoctorSummary") -> dict[str, str]:
    """Return what a person reads of a machine."""
    table = {
        "versions": ", ".join(f"{name} {version}" for name, version in summary.versions.items()),
        "processor": f"{summary.processor}, {summary.processors} cores",
        "models": ", ".join(summary.models),
        "tried": f"{summary.model} on {summary.tried_on}, {summary.tile_px} px square",
    }
    for engine in summary.engines:
        if engine.why_not is not None:
            table[engine.name] = f"no: {engine.why_not}"
            continue
        table[engine.name] = (
            f"{engine.windows_per_second:.1f} windows/s, differs by {engine.difference_points:.2f} percent points"
            f"{'; used by --device auto' if engine.used else ''}"
        )
    return table
