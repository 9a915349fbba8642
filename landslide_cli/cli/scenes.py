"""`landslide scenes`."""

from typing import TYPE_CHECKING, Any

from landslide_cli.cli.command import Rows, command
from landslide_cli.config import ScenesConfig

if TYPE_CHECKING:
    from landslide_cli.workflows.scenes import Candidate, ScenesSummary

LEAST_SHOWN = 0.05
"""Smaller numbers of points would be shown as 0.0 and are left out."""


@command(ScenesConfig)
def scenes(config: ScenesConfig, progress: Any) -> tuple["ScenesSummary", Rows]:
    """Rank the scenes of an event and draw them, before any is fetched."""
    from landslide_cli.workflows.scenes import scenes as run

    summary = run(config, progress)
    return summary, rows(summary)


def rows(summary: "ScenesSummary") -> dict[str, str]:
    """Return the table of a search."""
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
    """Return two lines: the scene, and below it the reasons for lost points, because ids fill half a line."""
    used, orbit = ("" if value is None else value for value in (scene.used, scene.relative_orbit))
    lost = ", ".join(f"{reason} {points:.1f}" for reason, points in scene.lost.items() if points > LEAST_SHOWN)
    return (
        f"{scene.rank:>4}  {used:>4}  {scene.datetime[:16].replace('T', ' ')}  {orbit:>5}  "
        f"{scene.clear_percent:>5.1f} %  {scene.points:>6.1f}  {scene.id}",
        f"{'':12}{lost}",
    )
