"""`landslide inventories`."""

from typing import TYPE_CHECKING, Any

import typer

from landslide_cli.cli.command import Rows, command
from landslide_cli.config import InventoryConfig

if TYPE_CHECKING:
    from landslide_cli.training.inventories import Inventory
    from landslide_cli.workflows.inventories import FetchedInventory, InventoryList

inventories = typer.Typer(name="inventories", help="Published landslide inventories to train on.", no_args_is_help=True)


@inventories.command("list")
@command()
def list_(_progress: Any) -> tuple["InventoryList", Rows]:
    """List the inventories that the paper's networks learned from."""
    from landslide_cli.workflows.inventories import list_inventories

    summary = list_inventories()
    return summary, {known.name: _lines(known) for known in summary.inventories}


@inventories.command()
@command(InventoryConfig)
def fetch(config: InventoryConfig, progress: Any) -> tuple["FetchedInventory", Rows]:
    """Download an inventory."""
    from landslide_cli.workflows.inventories import fetch_inventory

    summary = fetch_inventory(config.name, config.out, progress)
    return summary, rows(summary)


def rows(summary: "FetchedInventory") -> dict[str, str]:
    """Return the table of a download."""
    checked = (
        "as published" if summary.verified else "not verified: no checksum is known yet; note this one for next time"
    )
    return {
        "file": str(summary.file),
        "polygons": f"{summary.polygons:,} (paper: {summary.inventory.landslides:,})",
        "SHA-256": f"{summary.sha256} ({checked})",
        "licence": summary.inventory.licence,
        "cite": "\n".join(summary.inventory.citation),
    }


def _lines(known: "Inventory") -> str:
    """Return the known facts about an inventory."""
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
