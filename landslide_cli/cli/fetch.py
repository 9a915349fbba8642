"""`landslide fetch`."""

from typing import TYPE_CHECKING, Any

from landslide_cli.cli.command import Rows, command
from landslide_cli.config import FetchConfig

if TYPE_CHECKING:
    from landslide_cli.workflows.fetch import FetchSummary


@command(FetchConfig, first=("aoi", "event_date", "out", "catalog", "pre", "post", "dem", "max_cloud"))
def fetch(config: FetchConfig, progress: Any) -> tuple["FetchSummary", Rows]:
    """Fetch the images and the elevation of an event, from a STAC catalog or from your own files."""
    from landslide_cli.workflows.fetch import fetch as run

    summary = run(config, progress)
    return summary, rows(summary)


def rows(summary: "FetchSummary") -> dict[str, str]:
    """Return the table of a fetch."""
    table = {"event": f"{summary.event}" + (" (already fetched, kept)" if summary.reused else "")}
    for side in ("pre", "post"):
        lines = []
        for scene in (s for s in summary.scenes if s["side"] == side):
            date = f"{scene['datetime'][:10]} " if scene["datetime"] else ""
            clear = scene.get("clear_percent")
            shows = "" if clear is None else f" ({clear:g} % of the AOI clear)"
            lines.append(f"{date}{scene['id']}{shows}")
        table[f"{side} scenes"] = "\n".join(lines)
    if catalog := next((s["catalog"] for s in summary.scenes if s["catalog"]), None):
        table["catalog"] = catalog
    table["bands"] = " ".join(summary.bands)
    table["elevation"] = summary.elevation or "none"
    table["grid"] = f"{summary.width_px} x {summary.height_px} px of 10 m"
    table["AOI"] = f"{summary.area_km2:.1f} km2, {summary.clear_percent:.1f} % clear on both dates"
    unseen = {reason: share for reason, share in summary.unseen_percent.items() if share}
    table["not seen"] = ", ".join(f"{share:.1f} % {reason}" for reason, share in unseen.items()) or "nothing"
    if summary.scene_files:
        table["every scene"] = f"{summary.scene_files} scenes kept as separate files"
    downloaded = summary.downloaded_megabytes
    table["took"] = f"{summary.seconds:.1f} s" + (f", {downloaded:.1f} MB downloaded" if downloaded else "")
    table["rasters"] = f"{summary.megabytes:.1f} MB"
    return table
