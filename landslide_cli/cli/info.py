"""`landslide info`."""

from landslide_cli.cli import console
from landslide_cli.cli import options as o


def info(event: o.EventFolder, as_json: o.Json = False, verbose: o.Verbose = False) -> None:
    """Show what is in an event folder: scenes, dates, bands, clear share, outputs."""
    from landslide_cli.workflows.info import info as run

    with console.working(verbose) as progress:
        summary = run(event, progress)
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
        made = f", {done['model']} from {done['threshold']:g}" if name == "predict" else ""
        found = f", {done['landslides']} landslides" if name == "vectorize" else ""
        rows[name] = f"{done['datetime']}{made}{found}"
    for one in summary.versions:
        rows[f"version {one.version}"] = (
            f"{one.landslides} landslides, {one.model} from {one.threshold:g}, "
            f"after: {one.post_dates or 'date unknown'}, "
            f"made {one.datetime}, in {one.folder}"
        )
    for file, size in summary.products.items():
        rows[file] = f"{size / 1e6:.2f} MB"
    console.show(summary, rows, as_json)
