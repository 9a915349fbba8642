"""`landslide inventories`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landslide_cli.cli import console
from landslide_cli.cli import options as o

if TYPE_CHECKING:
    from landslide_cli.training.inventories import Inventory
    from landslide_cli.workflows.inventories import FetchedInventory

inventories = typer.Typer(name="inventories", help="Published landslide inventories to train on.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the inventory, as `landslide inventories list` tells it.")]
Out = Annotated[Path | None, typer.Option(metavar="FILE", help="File to write.", show_default="the inventory's name")]


@inventories.command("list")
def list_(as_json: o.Json = False) -> None:
    """List the inventories that the paper's networks learned from."""
    from landslide_cli.workflows.inventories import list_inventories

    summary = list_inventories()
    console.show(summary, {known.name: _lines(known) for known in summary.inventories}, as_json)


@inventories.command()
def fetch(name: Name, out: Out = None, as_json: o.Json = False, verbose: o.Verbose = False) -> None:
    """Download an inventory."""
    from landslide_cli.workflows.inventories import fetch_inventory

    with console.working(verbose) as progress:
        summary = fetch_inventory(name, out, progress)
    console.show(summary, rows(summary), as_json)


def rows(summary: "FetchedInventory") -> dict[str, str]:
    """Return what a person reads of a download."""
    checked = "as published" if summary.verified else "cannot be verified, for none is on record; note it for next time"
    return {
        "file": str(summary.file),
        "polygons": f"{summary.polygons:,} (paper: {summary.inventory.landslides:,})",
        "SHA-256": f"{summary.sha256} ({checked})",
        "licence": summary.inventory.licence,
        "cite": "\n".join(summary.inventory.citation),
    }


def _lines(known: "Inventory") -> str:
    """Say what is known of an inventory."""
    days = " to ".join(dict.fromkeys((known.first_date, known.last_date)))
    how = f"landslide inventories fetch {known.name}" if known.download else "by hand"
    return "\n".join(
        (
            f"{known.region}: {known.landslides:,} landslides of {days}, {known.event}",
            f"licence: {known.licence}",
            *(f"cite: {citation}" for citation in known.citation),
            f"source: {known.source}",
            f"download: {how}",
        )
    )
