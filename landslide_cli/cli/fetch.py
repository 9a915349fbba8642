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
    catalog: o.CatalogOption = o.default(FetchConfig, "catalog"),
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
    max_cloud: o.MaxCloud = o.default(FetchConfig, "max_cloud"),
    workers: o.Workers = o.default(FetchConfig, "workers"),
    overwrite: o.Overwrite = False,
    yes: o.Yes = False,
    as_json: o.Json = False,
    verbose: o.Verbose = False,
) -> None:
    """Fetch images and elevation of an event, from a STAC catalog or from files at hand."""
    from landslide_cli.workflows.fetch import fetch as run

    config = FetchConfig(
        out=out, event_date=event_date, aoi=aoi, catalog=catalog, pre=tuple(pre or ()), post=tuple(post or ()),
        dem=dem, no_dem=no_dem, bands=bands, scale=scale, offset=offset, pre_date=pre_date, post_date=post_date,
        pre_days=pre_days, post_days=post_days, max_cloud=max_cloud, workers=workers, overwrite=overwrite, yes=yes,
    )  # fmt: skip
    with console.working(verbose) as progress:
        summary = run(config, progress)
    console.show(summary, rows(summary), as_json)


def rows(summary: "FetchSummary") -> dict[str, str]:
    """Return what a person reads of a fetch."""
    table = {"event": f"{summary.event}" + (" (already fetched, kept)" if summary.reused else "")}
    for side in ("pre", "post"):
        used = [s for s in summary.scenes if s["side"] == side]
        table[f"{side} scene"] = ", ".join(s["id"] for s in used)
        if used and used[0].get("cloud_percent") is not None:
            table[f"{side} over the AOI"] = (
                f"{used[0]['datetime'][:10]}, {used[0]['covered_percent']:g} % covered, "
                f"{used[0]['cloud_percent']:g} % cloud"
            )
    table["bands"] = " ".join(summary.bands)
    table["elevation"] = summary.elevation or "none"
    table["grid"] = f"{summary.width_px} x {summary.height_px} px of 10 m"
    table["AOI"] = f"{summary.area_km2:.1f} km2, {summary.clear_percent:.1f} % clear on both dates"
    return table
