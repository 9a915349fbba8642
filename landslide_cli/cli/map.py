"""`landslide map`."""

from typing import TYPE_CHECKING, Any

from landslide_cli.cli import fetch, predict, vectorize
from landslide_cli.cli.command import Rows, command
from landslide_cli.config import FetchConfig, MapConfig, PredictConfig, VectorizeConfig

if TYPE_CHECKING:
    from landslide_cli.workflows.map import MapSummary

FIRST = ("aoi", "event_date", "out", "model", "threshold", "min_area", "max_cloud", "catalog", "device", "formats")


# The threshold goes to both steps: predict records it, and vectorize uses it.
@command(FetchConfig, PredictConfig, VectorizeConfig, first=FIRST, skip=("all_scenes",), same={"event": "out"})
def map_(
    fetched: FetchConfig, predicted: PredictConfig, vectorized: VectorizeConfig, progress: Any
) -> tuple["MapSummary", Rows]:
    """Map the landslides of an event: fetch, predict and vectorize in one.

    Run it again on the same folder to look for better images. If there are better images, or if options differ, a
    new version of the map is made, and the earlier version is kept.
    """  # noqa: DOC201 - the help of the command
    from landslide_cli.workflows.map import map_event

    summary = map_event(MapConfig(fetched, predicted, vectorized), progress)
    return summary, rows(summary)


def rows(summary: "MapSummary") -> dict[str, str]:
    """Return the table of a map."""
    unchanged = f", unchanged: {summary.unchanged}" if summary.unchanged else ""
    kept = f"; version {summary.version - 1} is kept in {summary.previous}" if summary.previous else ""
    version = {"version": f"{summary.version}{unchanged}{kept}"}
    return version | fetch.rows(summary.fetch) | predict.rows(summary.predict) | vectorize.rows(summary.vectorize)
