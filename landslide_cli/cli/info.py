"""`landslide info`."""

from typing import TYPE_CHECKING, Any

from landslide_cli.cli.command import Rows, command
from landslide_cli.config import InfoConfig

if TYPE_CHECKING:
    from landslide_cli.workflows.info import EventInfo


@command(InfoConfig)
def info(config: InfoConfig, progress: Any) -> tuple["EventInfo", Rows]:
    """Show what is in an event folder: scenes, dates, bands, clear share, outputs, versions."""
    from landslide_cli.workflows.info import info as run

    summary = run(config, progress)
    return summary, rows(summary)


def rows(summary: "EventInfo") -> dict[str, str]:
    """Return the table of an event."""
    rows = {
        "event": f"{summary.event}, {summary.event_date}",
        "AOI": f"{summary.area_km2:.1f} km2, {summary.clear_percent:.1f} % clear on both dates",
        "grid": f"{summary.width_px} x {summary.height_px} px of 10 m, {summary.crs}",
        "bands": " ".join(summary.bands),
        "elevation": summary.elevation or "none",
    }
    for scene in summary.scenes:
        label = f"{scene['side']} scene"
        text = f"{scene['id']} {(scene['datetime'] or 'date unknown')[:16].replace('T', ' ')}"
        rows[label] = f"{rows[label]}\n{text}" if label in rows else text
    for name, done in summary.steps.items():
        made = f", {done['model']}, threshold {done['threshold']:g}" if name == "predict" else ""
        found = f", {done['landslides']} landslides" if name == "vectorize" else ""
        rows[name] = f"{done['datetime']}{made}{found}"
    for one in summary.versions:
        rows[f"version {one.version}"] = (
            f"{one.landslides} landslides, {one.model}, threshold {one.threshold:g}, "
            f"post image: {one.post_dates or 'date unknown'}, "
            f"made {one.datetime}, in {one.folder}"
        )
    for file, size in summary.products.items():
        rows[file] = f"{size / 1e6:.2f} MB"
    return rows
