"""`landslide train`."""

from typing import TYPE_CHECKING, Any

from landslide_cli.cli.command import Rows, command
from landslide_cli.config import TrainConfig

if TYPE_CHECKING:
    from landslide_cli.workflows.train import TrainSummary


@command(TrainConfig)
def train(config: TrainConfig, progress: Any) -> tuple["TrainSummary", Rows]:
    """Train a network on a training set made by `landslide prepare`."""
    from landslide_cli.workflows.train import train as run

    summary = run(config, progress)
    return summary, rows(summary)


def rows(summary: "TrainSummary") -> dict[str, str]:
    """Return the table of a training run."""
    return {
        "run": str(summary.run),
        "network": f"{summary.model}, {summary.parameters / 1e6:.2f} million parameters",
        "windows": f"{summary.train_windows} to learn from, {summary.validation_windows} to validate on",
        "best epoch": f"{summary.best_epoch} of {summary.epochs}: validation loss {summary.validation_loss:.4f}",
        "F1": f"{summary.validation_f1:.3f} at 0.5, {summary.best_f1:.3f} at {summary.best_threshold:.2f} (validation)",
        "speed": f"{summary.windows_per_second:.1f} windows/s, {summary.seconds_per_epoch:.1f} s per epoch; "
        f"{summary.waiting_percent:.1f} % of the time waiting for windows",
        "took": f"{summary.seconds:.0f} s",
    }
