"""`landslide scenes`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landslide_cli.cli import console
from landslide_cli.cli import options as o
from landslide_cli.config import CONTACT_SHEET, FetchConfig

if TYPE_CHECKING:
    from landslide_cli.workflows.scenes import Candidate, ScenesSummary

LEAST_SHOWN = 0.05
"""Points; what would be shown as 0.0 is left out."""

Sheet = Annotated[Path, typer.Option("--out", metavar="PNG", help="Contact sheet to write.")]


def scenes(
    event_date: o.EventDate,
    sheet: Sheet = CONTACT_SHEET,
    aoi: o.Aoi = None,
    event_time: o.EventTime = None,
    catalog: o.CatalogOption = o.default(FetchConfig, "catalog"),
    pre_scene: o.PreScene = None,
    post_scene: o.PostScene = None,
    pre_days: o.PreDays = o.default(FetchConfig, "pre_days"),
    post_days: o.PostDays = o.default(FetchConfig, "post_days"),
    max_cloud: o.MaxCloud = o.default(FetchConfig, "max_cloud"),
    workers: o.Workers = o.default(FetchConfig, "workers"),
    yes: o.Yes = False,
    as_json: o.Json = False,
    verbose: o.Verbose = False,
) -> None:
    """Rank the scenes of an event and draw them, before any is fetched."""
    # There is no event folder to write.
    config = o.build(FetchConfig, {**locals(), "out": Path(os.devnull)})
    from landslide_cli.workflows.scenes import list_scenes

    with console.working(verbose) as progress:
        summary = list_scenes(config, sheet, progress)
    console.show(summary, rows(summary), as_json)


def rows(summary: "ScenesSummary") -> dict[str, str]:
    """Return what a person reads of a search."""
    table = {"catalog": summary.catalog, "AOI": f"{summary.area_km2:.1f} km2"}
    for side in ("pre", "post"):
        lines = [f"{'rank':>4}  {'used':>4}  {'UTC':16}  {'orbit':>5}  {'clear':>7}  {'points':>6}  id"]
        for scene in (s for s in summary.scenes if s.side == side):
            lines += _lines(scene)
        table[side] = "\n".join(lines)
    if summary.refused:
        table["refused"] = "\n".join(summary.refused.values())
    table["sheet"] = str(summary.sheet)
    return table


def _lines(scene: "Candidate") -> tuple[str, str]:
    """Return what a scene is, and below it what it lost points for: identifiers alone fill half a line."""
    used, orbit = ("" if value is None else value for value in (scene.used, scene.relative_orbit))
    lost = ", ".join(f"{reason} {points:.1f}" for reason, points in scene.lost.items() if points > LEAST_SHOWN)
    return (
        f"{scene.rank:>4}  {used:>4}  {scene.datetime[:16].replace('T', ' ')}  {orbit:>5}  "
        f"{scene.clear_percent:>5.1f} %  {scene.points:>6.1f}  {scene.id}",
        f"{'':12}{lost}",
    )
