"""`landslide fetch`."""

from typing import TYPE_CHECKING

from landslide_cli.cli import console
from landslide_cli.cli import options as o
from landslide_cli.config import FetchConfig

if TYPE_CHECKING:
    from landslide_cli.workflows.fetch import FetchSummary


def fetch(
    event_date: o.EventDate,
    out: o.Out,
    aoi: o.Aoi = None,
    aoi_from: o.AoiFrom = None,
    all_scenes: o.AllScenes = False,
    event_time: o.EventTime = None,
    catalog: o.CatalogOption = o.default(FetchConfig, "catalog"),
    pre_scene: o.PreScene = None,
    post_scene: o.PostScene = None,
    pre: o.Pre = None,
    post: o.Post = None,
    dem: o.Dem = None,
    no_dem: o.NoDem = False,
    bands: o.Bands = None,
    scale: o.Scale = o.default(FetchConfig, "scale"),
    offset: o.Offset = o.default(FetchConfig, "offset"),
    pre_date: o.PreDate = None,
    post_date: o.PostDate = None,
    pre_days: o.PreDays = o.default(FetchConfig, "pre_days"),
    post_days: o.PostDays = o.default(FetchConfig, "post_days"),
    clouds: o.Clouds = o.default(FetchConfig, "clouds"),
    max_cloud: o.MaxCloud = o.default(FetchConfig, "max_cloud"),
    workers: o.Workers = o.default(FetchConfig, "workers"),
    overwrite: o.Overwrite = False,
    yes: o.Yes = False,
    as_json: o.Json = False,
    verbose: o.Verbose = False,
) -> None:
    """Fetch images and elevation of an event, from a STAC catalog or from files at hand."""
    config = o.build(FetchConfig, locals())
    from landslide_cli.workflows.fetch import fetch as run

    with console.working(verbose) as progress:
        summary = run(config, progress)
    console.show(summary, rows(summary), as_json)


def rows(summary: "FetchSummary") -> dict[str, str]:
    """Return what a person reads of a fetch."""
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
        table["every scene"] = f"{summary.scene_files} kept as files of their own"
    downloaded = summary.downloaded_megabytes
    table["took"] = f"{summary.seconds:.1f} s" + (f", {downloaded:.1f} MB downloaded" if downloaded else "")
    table["rasters"] = f"{summary.megabytes:.1f} MB"
    return table
