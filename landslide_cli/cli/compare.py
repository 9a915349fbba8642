"""`landslide compare`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landslide_cli.cli import console
from landslide_cli.cli import options as o
from landslide_cli.config import CompareConfig

if TYPE_CHECKING:
    from landslide_cli.workflows.compare import CompareSummary

Before = Annotated[Path, typer.Argument(metavar="BEFORE", help="Event folder, or a vector file of landslides.")]
After = Annotated[Path, typer.Argument(metavar="AFTER", help="Event folder, or a vector file of landslides.")]
Out = Annotated[
    Path | None,
    typer.Option(metavar="FILE.geojson", help="Write each landslide with what became of it.", show_default=False),
]


def compare(before: Before, after: After, out: Out = None, as_json: o.Json = False, verbose: o.Verbose = False) -> None:
    """Compare two maps, or a map and an inventory: new, grown, confirmed, gone, doubtful, not seen."""
    config = o.build(CompareConfig, locals())
    from landslide_cli.workflows.compare import compare_maps as run

    with console.working(verbose) as progress:
        summary = run(config, progress)
    console.show(summary, rows(summary), as_json)


def rows(summary: "CompareSummary") -> dict[str, str]:
    """Return what a person reads of a comparison."""
    table = {change: f"{count}, {summary.areas_m2[change] / 1e4:.1f} ha" for change, count in summary.counts.items()}
    return table | ({"written": str(summary.out)} if summary.out else {})
