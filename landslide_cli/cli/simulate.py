"""`landslide simulate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landslide_cli.cli import console
from landslide_cli.cli import options as o
from landslide_cli.config import SimulateConfig

if TYPE_CHECKING:
    from landslide_cli.workflows.simulate import SimulateSummary

Out = Annotated[Path, typer.Option(metavar="DIR", help="Folder to write events into, each in a folder of its own.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the first event; the others follow.")]
Events = Annotated[int, typer.Option(min=1, help="How many to make.")]
SizePx = Annotated[int, typer.Option(min=60, help="Side of the area of each, pixels of 10 m.")]
Dem = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="Real elevation in metres to cut the ground from; may be repeated."),
]
Landcover = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE", help="Land cover that lies on the ground of --dem, codes of ESA WorldCover; may be repeated."
    ),
]
LandcoverClass = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CODE=CLASS",
        help="What a code of --landcover means where it is no WorldCover, once for each: trees, shrubs, grass, "
        "cropland, built-up, bare, snow, water, wetland, mangroves, moss.",
    ),
]
Inventory = Annotated[
    list[Path] | None, typer.Option(metavar="FILE", help="Mapped landslides to take shapes from; may be repeated.")
]
MoreChanges = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[KIND=]TIMES",
        help="How many times as often something changes that is no landslide, to train on; may be repeated, for one "
        "kind each: field, clear-cut, fire, dieback, flood, quarry, road, snow, season.",
    ),
]
ClearScenes = Annotated[int, typer.Option(min=1, help="Nearly cloudless scenes on each side.")]
CloudyScenes = Annotated[int, typer.Option(min=0, help="Cloudy scenes on each side.")]


def simulate(
    out: Out,
    seed: Seed = o.default(SimulateConfig, "seed"),
    events: Events = o.default(SimulateConfig, "events"),
    size_px: SizePx = o.default(SimulateConfig, "size_px"),
    dem: Dem = None,
    landcover: Landcover = None,
    landcover_class: LandcoverClass = None,
    inventory: Inventory = None,
    more_changes: MoreChanges = None,
    clear_scenes: ClearScenes = o.default(SimulateConfig, "clear_scenes"),
    cloudy_scenes: CloudyScenes = o.default(SimulateConfig, "cloudy_scenes"),
    as_json: o.Json = False,
    verbose: o.Verbose = False,
) -> None:
    """Make up events with landslides and with changes that are none, to train and to try things with."""
    config = o.build(SimulateConfig, locals())
    from landslide_cli.workflows.simulate import simulate as run

    with console.working(verbose) as progress:
        summary = run(config, progress)
    console.show(summary, rows(summary), as_json)


def rows(summary: "SimulateSummary") -> dict[str, str]:
    """Return what a person reads of a simulation."""
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
    table["took"] = f"{summary.seconds:.0f} s" + (f"; {summary.kept} were there already" if summary.kept else "")
    return table
