"""`landslide weights`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from landslide_cli.cli.command import Rows, command
from landslide_cli.config import CardConfig, ImportConfig, QgisModelConfig, ShowModelConfig

if TYPE_CHECKING:
    from landslide_cli.card import ModelCard
    from landslide_cli.workflows.weights import CardSummary, ImportSummary, QgisModelSummary, Weights, WeightsList

weights = typer.Typer(help="Model files: shipped models, model cards, and models from other files.")


@weights.command("list")
@command()
def list_(progress: Any) -> tuple["WeightsList", Rows]:
    """List the models that `predict --model` knows by name."""
    from landslide_cli.workflows.weights import list_weights

    summary = list_weights(progress)
    return summary, {model.card.name: _line(model) for model in summary.models}


@weights.command()
@command(ShowModelConfig)
def show(config: ShowModelConfig, progress: Any) -> tuple["Weights", Rows]:
    """Show the card of a model: what it reads, its scores, and its limits."""
    from landslide_cli.workflows.weights import show_weights

    summary = show_weights(config.name, progress)
    file = {"file": f"{summary.file}, {summary.megabytes:.1f} MB"} if summary.file else {}
    return summary, {**_rows(summary.card), **file}


@weights.command("import")
@command(ImportConfig)
def import_(config: ImportConfig, progress: Any) -> tuple["ImportSummary", Rows]:
    """Make a model file from a checkpoint that the authors of the paper published."""
    from landslide_cli.workflows.weights import import_weights

    summary = import_weights(config, progress)
    made = {
        "file": f"{summary.model}, {summary.megabytes:.1f} MB",
        "checked": f"differs from torch by {summary.difference:.1g} in probability",
    }
    return summary, {**_rows(summary.card), **made}


@weights.command()
@command(CardConfig)
def card(config: CardConfig, progress: Any) -> tuple["CardSummary", Rows]:
    """Write a model file with another card: threshold, scores, limits. The network stays as it is."""
    from landslide_cli.workflows.weights import write_card

    summary = write_card(config, progress)
    return summary, {**_rows(summary.card), "file": f"{summary.model}, {summary.megabytes:.1f} MB"}


@weights.command()
@command(QgisModelConfig)
def qgis(config: QgisModelConfig, progress: Any) -> tuple["QgisModelSummary", Rows]:
    """Write a model for the QGIS plugin Deepness, and the raster of an event that the plugin reads."""
    from landslide_cli.workflows.weights import write_qgis_model

    summary = write_qgis_model(config, progress)
    raster = (
        f"{summary.stack}: open it in QGIS as the plugin's input layer"
        if summary.stack
        else "not written; give --event"
    )
    return summary, {
        "model": f"{summary.model}, {summary.megabytes:.1f} MB; press `Load default parameters` in the plugin",
        "raster": raster,
        "bands": ", ".join(summary.channels),
        "windows": f"{summary.tile_px} px, threshold {summary.threshold:g}",
        "difference": f"{summary.difference:.1e} at most from `landslide predict` in a window",
    }


def _line(model: "Weights") -> str:
    """Return one line about a model for a list."""
    size = f"{model.megabytes:.1f} MB" if model.megabytes else "no weights"
    measured = [f"{name} {score:.3f}" for name, score in model.card.scores.items() if "f1" in name.lower()]
    threshold = f"threshold {model.card.threshold:g}"
    return ", ".join((model.card.architecture, size, threshold, *(measured or ["no F1 measured"]), model.card.licence))


def _rows(card: "ModelCard") -> Mapping[str, str]:
    """Return the table of a card."""
    rows = {
        "name": f"{card.name} {card.version}",
        "architecture": card.architecture,
        "reads": " ".join([*card.bands, *(["and terrain"] if card.terrain else [])]),
        "window": f"{card.tile_px} px of {card.gsd_m} m",
        "threshold": f"{card.threshold:g}",
        "figures": "\n".join(card.figures()) or "not measured",
        "all scores": f"{len(card.scores)}; --json lists them" if card.scores else "",
        "trained on": card.training_data,
        "limits": card.limits,
        "licence": card.licence,
        "training": card.config_sha256,
    }
    return {name: text for name, text in rows.items() if text}
