"""`landslide demo`."""

from pathlib import Path
from typing import Annotated

import typer

from landslide_cli.cli import console, vectorize
from landslide_cli.cli import options as o
from landslide_cli.config import DemoConfig


def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write.")] = o.default(DemoConfig, "out"),
    model: o.Model = o.default(DemoConfig, "model"),
    as_json: o.Json = False,
    verbose: o.Verbose = False,
) -> None:
    """Map a simulated event, offline: see what the program does before you need it."""
    from landslide_cli.workflows.demo import demo as run

    with console.working(verbose) as progress:
        summary = run(DemoConfig(out=out, model=model), progress)
    rows = {
        "event": f"simulated: {summary.map.fetch.event}",
        "model": f"{summary.map.predict.model} on {summary.map.predict.provider}",
        **vectorize.rows(summary.map.vectorize),
        "truth": str(summary.truth),
        "match": f"F1 {summary.f1:.2f} (precision {summary.precision:.2f}, recall {summary.recall:.2f}) over pixels",
    }
    console.show(summary, rows, as_json)
