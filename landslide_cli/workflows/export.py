"""Write a trained network as an ONNX file, only if ONNX Runtime and torch give the same result."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landslide_cli.card import ModelCard
from landslide_cli.config import ExportConfig
from landslide_cli.errors import InputError, ModelError
from landslide_cli.files import atomic
from landslide_cli.geo.bands import BAND_GSD_M, GSD_M
from landslide_cli.inference.mlm import write_item
from landslide_cli.inference.models import check_model_out, with_facts
from landslide_cli.inference.parity import HALF_PARITY, PARITY, example_inputs, run_model
from landslide_cli.progress import Progress, silent
from landslide_cli.training.requirements import require_training

if TYPE_CHECKING:
    from landslide_cli.training.export import SelfContained


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """The file that was written, and how well it agrees with torch."""

    model: Path
    megabytes: float
    difference: float
    """Largest difference in probability between the file and the network in torch."""
    rounding: float
    """Largest difference in probability caused by storing the weights in fewer bits."""


def export(config: ExportConfig, progress: Progress = silent) -> ExportSummary:
    """Write the best network of a run as a model file that `predict` runs.

    Args:
        config: the options.
        progress: called with each step and the share done.

    Returns:
        What was written.

    Raises:
        InputError: there is no run, the file exists, or two options contradict each other.
        ModelError: ONNX Runtime and torch differ too much.
        OutputError: the file cannot be written.
    """
    require_training()
    from landslide_cli.training.export import self_contained
    from landslide_cli.training.runs import best_row, best_scaling, open_run, read_metrics

    check_model_out(config.out, overwrite=config.overwrite)
    if config.half and config.eight_bits:
        raise InputError("--half stores the weights in 16 bits and --eight-bits in 8 bits; leave one of them out")
    if config.run.is_file():
        raise InputError(
            f"{config.run} is a model already; give a run folder, or use `landslide weights card` to change its card "
            "and `landslide weights qgis` to use it in QGIS"
        )
    module, record = open_run(config.run)
    history = read_metrics(config.run)
    scaling = best_scaling(config.run)
    recipe, best = module.recipe, best_row(history)
    events = record["events"]["train"]
    card = ModelCard(
        name=config.out.stem,
        version="1",
        architecture=recipe.model,
        bands=recipe.bands,
        terrain=module.network.reads_terrain,
        # Of the calibrated probability, rounded to whole percent because `probability.tif` holds whole percent.
        threshold=round(min(max(scaling.probability(best["best_threshold"]), 0.01), 0.99), 2),
        tile_px=record["window_px"],
        # Every image with a GSD of 10 m has the bands of 10 m, so only coarser bands can be missing.
        spare_bands=tuple(b for b in recipe.bands if BAND_GSD_M[b] > GSD_M) if recipe.band_dropout else (),
        training_data=f"{record['windows']['train']} windows of {len(events)} events: {', '.join(events)}; "
        f"best of {len(history)} epochs by the loss on {', '.join(record['events']['validation'])}",
        scores={"validation_f1": best["best_f1"]},
        limits="Its score was measured on the events by which its best epoch was chosen; measure it on other events "
        "with `landslide evaluate`.",
        licence=config.licence,
        config_sha256=record["config_sha256"],
    )
    if config.card:
        card = with_facts(card, config.card)
    model = self_contained(module, scaling)
    return export_model(model, card, config.out, progress, half=config.half, eight_bits=config.eight_bits)


def export_model(
    model: "SelfContained",
    card: ModelCard,
    out: Path,
    progress: Progress = silent,
    *,
    half: bool = False,
    eight_bits: bool = False,
) -> ExportSummary:
    """Write `model` and its card to `out`, if wanted with weights in half precision or in eight bits.

    Args:
        model: a network with its normalisation.
        card: the card to store in the file.
        out: ONNX file to write.
        progress: called with each step and the share done.
        half: store the weights and compute in half precision.
        eight_bits: store the large weights in eight bits each, with a scale for each channel.

    Returns:
        The file, its size, and the differences from torch.

    Raises:
        ModelError: ONNX Runtime and torch differ by more than `PARITY` (`HALF_PARITY`).
        OutputError: the file cannot be written.
    """
    from landslide_cli.training.export import answer
    from landslide_cli.training.packing import rounded

    model.eval()
    stored = rounded(model, eight_bits=eight_bits)
    difference = write_checked(stored, card, out, progress, half=half)
    inputs = example_inputs(len(card.bands), card.tile_px)
    rounding = float(np.abs(answer(stored, inputs) - answer(model, inputs)).max())
    return ExportSummary(out, out.stat().st_size / 1e6, difference, rounding)


def write_checked(
    model: "SelfContained", card: ModelCard, out: Path, progress: Progress = silent, *, half: bool = False
) -> float:
    """Write `model` and its card to `out`, only if ONNX Runtime and torch give the same result.

    Args:
        model: a network in eval mode; the file holds exactly its weights.
        card: the card to store in the file.
        out: ONNX file to write.
        progress: called with each step and the share done.
        half: let the file compute in half precision; it is compared with `model` in float32.

    Returns:
        The largest difference in probability.

    Raises:
        ModelError: the difference is more than `PARITY` (`HALF_PARITY`), or the card does not suit the model.
        OutputError: the file cannot be written.
    """
    from landslide_cli.training.export import answer, write_onnx

    limit = HALF_PARITY if half else PARITY
    inputs = example_inputs(len(card.bands), card.tile_px)
    with atomic(out) as temporary:
        progress("exporting", 0)
        write_onnx(model, temporary, card.to_metadata(), len(card.bands), half=half)
        progress("comparing with torch", 0.8)
        difference = float(np.abs(run_model(temporary, inputs) - answer(model, inputs)).max())
        if not difference <= limit:
            raise ModelError(
                f"the export differs from the network by {difference:.2g}, more than {limit:g}; not written"
            )
    write_item(card, out)
    return difference
