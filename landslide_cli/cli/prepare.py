"""`landslide prepare`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from landslide_cli.cli import console
from landslide_cli.cli import options as o
from landslide_cli.config import PrepareConfig

if TYPE_CHECKING:
    from landslide_cli.workflows.prepare import PrepareSummary

Events = Annotated[list[Path], typer.Argument(metavar="EVENT...", help="Event folders made by `landslide fetch`.")]
Inventories = Annotated[
    list[Path],
    typer.Option(metavar="FILE", help="Landslide polygons: one file for all events, or one for each, in order."),
]
Changes = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE",
        help="Raster with codes of what changed and is no landslide, which a recipe may weigh: one for all events, or "
        "one for each.",
    ),
]
Out = Annotated[Path, typer.Option(metavar="DATASET", help="Folder of the training set to write.")]
Layer = Annotated[str | None, typer.Option(help="Layer of the inventories.", show_default="all")]
DateAttribute = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Attribute with the day of a landslide, or two: first and last possible day."),
]
EventDates = Annotated[
    list[str] | None,
    typer.Option(metavar="DATE", help="Day of an inventory's landslides, YYYY-MM-DD, whatever its attributes say."),
]
WindowPx = Annotated[int, typer.Option("--window", min=1, help="Side of the windows in pixels.")]
StridePx = Annotated[
    int | None, typer.Option("--stride", min=1, help="Pixels between windows.", show_default="half a window")
]
MaxCloud = Annotated[float, typer.Option(min=0, max=100, help="Percent of a window under cloud on either date.")]
MinPixels = Annotated[int, typer.Option(min=0, help="Landslide pixels that a window must show on both dates.")]
AllTouched = Annotated[
    bool, typer.Option("--all-touched", help="Burn every pixel that a landslide touches, not only by its centre.")
]
Validation = Annotated[list[str] | None, typer.Option(metavar="NAME", help="Event (folder name) to validate on.")]
Test = Annotated[list[str] | None, typer.Option(metavar="NAME", help="Event to test on; can be repeated.")]
Halve = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Event to cut by a line: one side to validate on, the other to test on, without a pixel in both. "
        "The paper draws its halves by window; there they overlap.",
    ),
]
MinEvaluationPixels = Annotated[
    int, typer.Option(min=0, help="Landslide pixels that windows for validation and testing must show.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a training set made in another way.")]


def prepare(
    events: Events,
    inventory: Inventories,
    out: Out,
    changes: Changes = None,
    layer: Layer = None,
    date_attribute: DateAttribute = None,
    event_date: EventDates = None,
    window: WindowPx = o.default(PrepareConfig, "window"),
    stride: StridePx = None,
    max_cloud: MaxCloud = o.default(PrepareConfig, "max_cloud"),
    min_pixels: MinPixels = o.default(PrepareConfig, "min_pixels"),
    all_touched: AllTouched = False,
    validation: Validation = None,
    test: Test = None,
    halve: Halve = None,
    min_evaluation_pixels: MinEvaluationPixels = o.default(PrepareConfig, "min_evaluation_pixels"),
    overwrite: Overwrite = False,
    as_json: o.Json = False,
    verbose: o.Verbose = False,
) -> None:
    """Turn events and inventories into a training set; windows of events not named in a split are for training."""
    config = o.build(PrepareConfig, locals())
    from landslide_cli.workflows.prepare import prepare as run

    with console.working(verbose) as progress:
        summary = run(config, progress)
    console.show(summary, rows(summary), as_json)


def rows(summary: "PrepareSummary") -> dict[str, str]:
    """Return what a person reads of a training set."""
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
        table["beware"] = "\n".join(beware)
    for name, where in summary.halved.items():
        table[f"{name} halved"] = where
    reasons = {**tiles.REASONS, **splits.REASONS}
    table["left out"] = "\n".join(f"{n:,} {reasons[reason]}" for reason, n in summary.left_out.items() if n) or "none"
    table["took"] = f"{summary.seconds:.1f} s; {summary.megabytes:.1f} MB"
    return table


def _beware(summary: "PrepareSummary") -> list[str]:
    """Say what makes the training set of little use, or its scores too good."""
    counts, beware = summary.windows, []
    if not counts["validation"] + counts["test"]:
        beware.append("all windows are for training; set events apart with --validation, --test or --halve")
    if not counts["train"]:
        beware.append("no window is for training: this set can only be used to evaluate")
    beware += [
        f"{one} and {other} share ground across splits: scores will be too good" for one, other in summary.overlapping
    ]
    return beware


def _changes(event: Mapping[str, Any]) -> str:
    """Say how much changed that is no landslide, where that is known."""
    return f", {sum(event['changes_px'].values()):,} px of other changes" if event.get("changes") else ""


def _landslides(counts: "dict[str, int]") -> str:
    """Say what became of the landslides of an inventory."""
    words = {
        "outside": "outside the AOI",
        "other_date": "of another date",
        "undated": "of no date (burned)",
        "not_polygons": "no polygons",
        "mended": "mended",
    }
    rest = ", ".join(f"{counts[key]} {text}" for key, text in words.items() if counts[key])
    return f"{counts['burned']} landslides on {counts['landslide_px']:,} px" + (f" ({rest})" if rest else "")
