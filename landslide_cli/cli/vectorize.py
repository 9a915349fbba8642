"""`landslide vectorize`."""

from typing import TYPE_CHECKING

from landslide_cli.cli import console
from landslide_cli.cli import options as o
from landslide_cli.config import VectorizeConfig

if TYPE_CHECKING:
    from landslide_cli.workflows.vectorize import VectorizeSummary


def vectorize(
    event: o.EventFolder,
    min_area: o.MinArea = o.default(VectorizeConfig, "min_area"),
    simplify: o.Simplify = o.default(VectorizeConfig, "simplify"),
    threshold: o.OutlineThreshold = None,
    grow: o.Grow = None,
    merge: o.Merge = o.default(VectorizeConfig, "merge"),
    smooth: o.Smooth = False,
    steeper_than: o.SteeperThan = o.default(VectorizeConfig, "steeper_than"),
    exclude: o.Exclude = None,
    formats: o.Formats = o.default(VectorizeConfig, "formats"),
    schema: o.Schema = o.default(VectorizeConfig, "schema"),
    as_json: o.Json = False,
    verbose: o.Verbose = False,
) -> None:
    """Turn a map of probability into landslide polygons."""
    config = o.build(VectorizeConfig, locals())
    from landslide_cli.workflows.vectorize import vectorize as run

    with console.working(verbose) as progress:
        summary = run(config, progress)
    console.show(summary, rows(summary), as_json)


def rows(summary: "VectorizeSummary") -> dict[str, str]:
    """Return what a person reads of the polygons."""
    table = {
        "landslides": f"{summary.landslides}, {summary.area_m2 / 1e4:.1f} ha (largest {summary.largest_m2 / 1e4:.2f})",
        "analysed": f"{summary.analysed_percent:.1f} % of the AOI; the rest is in the layer not_analysed",
        "GeoJSON": str(summary.geojson),
        "GeoPackage": str(summary.geopackage),
        "QGIS": str(summary.project),
        "report": str(summary.report),
        "to print": str(summary.sheet),
    }
    if changes := summary.changes:
        areas = changes["areas_m2"]
        lines = [f"{what}: {count}, {areas[what] / 1e4:.1f} ha" for what, count in changes["counts"].items() if count]
        table[f"since version {changes['since']}"] = "\n".join(lines) or "no landslide on either map"
    return table
