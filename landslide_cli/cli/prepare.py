"""`landslide prepare`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from landslide_cli.cli.command import Rows, command
from landslide_cli.config import PrepareConfig

if TYPE_CHECKING:
    from landslide_cli.workflows.prepare import PrepareSummary


@command(PrepareConfig)
def prepare(config: PrepareConfig, progress: Any) -> tuple["PrepareSummary", Rows]:
    """Turn events and inventories into a training set. Events that no split names are for training."""
    from landslide_cli.workflows.prepare import prepare as run

    summary = run(config, progress)
    return summary, rows(summary)


def rows(summary: "PrepareSummary") -> dict[str, str]:
    """Return the table of a training set."""
    from landslide_cli.training import splits, tiles

    table = {"training set": f"{summary.dataset}" + (" (already prepared, kept)" if summary.reused else "")}
    table["events"] = "\n".join(
        f"{event['name']} {event['event_date']}: {_landslides(event['landslides'])}{_changes(event)}; "
        f"{event['windows']} windows of {event['pairs']} image pair{'s' if event['pairs'] != 1 else ''}"
        for event in summary.events
    )
    for name, count in summary.windows.items():
        table[name] = f"{count:,} windows (paper: {summary.paper_windows[name]:,})"
    if beware := _beware(summary):
        table["warning"] = "\n".join(beware)
    for name, where in summary.halved.items():
        table[f"{name} halved"] = where
    reasons = {**tiles.REASONS, **splits.REASONS}
    table["left out"] = "\n".join(f"{n:,} {reasons[reason]}" for reason, n in summary.left_out.items() if n) or "none"
    table["took"] = f"{summary.seconds:.1f} s; {summary.megabytes:.1f} MB"
    return table


def _beware(summary: "PrepareSummary") -> list[str]:
    """Return warnings: why the training set is of little use, or why its scores will be too good."""
    counts, beware = summary.windows, []
    if not counts["validation"] + counts["test"]:
        beware.append("all windows are for training; choose events for --validation, --test or --halve")
    if not counts["train"]:
        beware.append("no window is for training: this set can only be used to evaluate")
    beware += [
        f"{one} and {other} share ground across splits: scores will be too good" for one, other in summary.overlapping
    ]
    return beware


def _changes(event: Mapping[str, Any]) -> str:
    """Return the number of pixels with other changes, if it is known."""
    return f", {sum(event['changes_px'].values()):,} px of other changes" if event.get("changes") else ""


def _landslides(counts: "dict[str, int]") -> str:
    """Return what became of the landslides of an inventory."""
    words = {
        "outside": "outside the AOI",
        "other_date": "of another date",
        "undated": "without a date (used)",
        "not_polygons": "not polygons",
        "mended": "repaired",
    }
    rest = ", ".join(f"{counts[key]} {text}" for key, text in words.items() if counts[key])
    return f"{counts['burned']} landslides on {counts['landslide_px']:,} px" + (f" ({rest})" if rest else "")
