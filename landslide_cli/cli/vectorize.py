"""`landslide vectorize`."""

from typing import TYPE_CHECKING, Any

from landslide_cli.cli.command import Rows, command
from landslide_cli.config import VectorizeConfig

if TYPE_CHECKING:
    from landslide_cli.workflows.vectorize import VectorizeSummary


@command(VectorizeConfig)
def vectorize(config: VectorizeConfig, progress: Any) -> tuple["VectorizeSummary", Rows]:
    """Turn a map of probability into landslide polygons, a QGIS project, a report and a map sheet."""
    from landslide_cli.workflows.vectorize import vectorize as run

    summary = run(config, progress)
    return summary, rows(summary)


def rows(summary: "VectorizeSummary") -> dict[str, str]:
    """Return the table of the polygons."""
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
