"""`landslide predict`."""

from typing import TYPE_CHECKING, Any

from landslide_cli.cli.command import Rows, command
from landslide_cli.config import PredictConfig

if TYPE_CHECKING:
    from landslide_cli.workflows.predict import PredictSummary


@command(PredictConfig)
def predict(config: PredictConfig, progress: Any) -> tuple["PredictSummary", Rows]:
    """Run a model over an event: a map of landslide probability."""
    from landslide_cli.workflows.predict import predict as run

    summary = run(config, progress)
    return summary, rows(summary)


def rows(summary: "PredictSummary") -> dict[str, str]:
    """Return the table of a prediction."""
    return {
        "model": f"{summary.model}, run on {summary.provider} in {summary.seconds:.1f} s",
        "analysed": f"{summary.analysed_percent:.1f} % of the grid",
        "landslide": f"{summary.landslide_percent:.2f} % of the analysed pixels, "
        f"at a probability of {summary.threshold:g} or more",
    }
