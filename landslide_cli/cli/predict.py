"""`landslide predict`."""

from typing import TYPE_CHECKING

from landslide_cli.cli import console
from landslide_cli.cli import options as o
from landslide_cli.config import PredictConfig

if TYPE_CHECKING:
    from landslide_cli.workflows.predict import PredictSummary


def predict(
    event: o.EventFolder,
    model: o.Model = o.default(PredictConfig, "model"),
    device: o.Device = o.default(PredictConfig, "device"),
    threshold: o.Threshold = None,
    tile: o.Tile = None,
    stride: o.Stride = None,
    tta: o.Tta = False,
    overviews: o.Overviews = o.default(PredictConfig, "overviews"),
    min_slope: o.MinSlope = o.default(PredictConfig, "min_slope"),
    as_json: o.Json = False,
    verbose: o.Verbose = False,
) -> None:
    """Run a model over an event: a map of landslide probability."""
    config = o.build(PredictConfig, locals())
    from landslide_cli.workflows.predict import predict as run

    with console.working(verbose) as progress:
        summary = run(config, progress)
    console.show(summary, rows(summary), as_json)


def rows(summary: "PredictSummary") -> dict[str, str]:
    """Return what a person reads of a prediction."""
    return {
        "model": f"{summary.model}, run on {summary.provider} in {summary.seconds:.1f} s",
        "analysed": f"{summary.analysed_percent:.1f} % of the grid",
        "landslide": f"{summary.landslide_percent:.2f} % of the pixels analysed on the grid, "
        f"at a probability of {summary.threshold:g} or more",
    }
