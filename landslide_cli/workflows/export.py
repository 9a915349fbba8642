"""A trained network as an ONNX file, refused unless ONNX Runtime and torch agree."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from landslide_cli.card import ModelCard
from landslide_cli.config import ExportConfig
from landslide_cli.errors import InputError, ModelError
from landslide_cli.event.dates import now
from landslide_cli.files import atomic, sha256_of
from landslide_cli.geo.bands import BAND_GSD_M, GSD_M, REFLECTANCE_ONE
from landslide_cli.inference.engines import OnnxEngine
from landslide_cli.inference.mlm import model_item
from landslide_cli.inference.models import check_threshold, check_tile
from landslide_cli.progress import Progress, silent
from landslide_cli.training.requirements import require_training

if TYPE_CHECKING:
    from landslide_cli.training.export import SelfContained

PARITY = 1e-4
"""Largest difference in probability that a float32 export may show."""

HALF_PARITY = 1e-2
"""The same for an export that computes in half precision: as much as a step of `probability.tif`."""


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """What was written, and how well it agrees with torch."""

    model: Path
    megabytes: float
    difference: float
    """Largest difference in probability between the file and the network it was made of."""
    rounding: float
    """Largest difference that storing the weights in fewer bits makes."""


def export(config: ExportConfig, progress: Progress = silent) -> ExportSummary:
    """Write the best network of a run as a model that `predict` runs, or such a model with another card.

    Raises:
        InputError: there is no run, the file exists, or two options contradict each other.
        ModelError: ONNX Runtime and torch differ too much, or the file is no model.
        OutputError: the file cannot be written.
    """
    require_training()
    import torch

    from landslide_cli.training.export import SelfContained
    from landslide_cli.training.runs import best_row, best_scaling, open_run, read_metrics

    check_out(config)
    if config.half and config.eight_bits:
        raise InputError("--half stores what it computes with, in sixteen bits; leave it or --eight-bits out")
    if config.event and not config.deepness:
        raise InputError(f"--event {config.event} is of use with --deepness only; leave it out")
    if config.run.is_file() or config.run.suffix == ".onnx":
        return _with_another_card(config)
    module, record = open_run(config.run)
    history = read_metrics(config.run)
    scaling = best_scaling(config.run)
    recipe, best = module.recipe, best_row(history)
    module.network.to(memory_format=torch.contiguous_format)
    events = record["events"]["train"]
    card = ModelCard(
        name=config.out.stem,
        version="1",
        architecture=recipe.model,
        bands=recipe.bands,
        terrain=module.network.reads_terrain,
        # Of the calibrated probability, in the whole percent of `probability.tif`.
        threshold=round(min(max(scaling.probability(best["best_threshold"]), 0.01), 0.99), 2),
        tile_px=record["window_px"],
        # What an image of 10 m always has must be there.
        spare_bands=tuple(b for b in recipe.bands if BAND_GSD_M[b] > GSD_M) if recipe.band_dropout else (),
        training_data=f"{record['windows']['train']} windows of {len(events)} events: {', '.join(events)}; "
        f"best of {len(history)} epochs by the loss on {', '.join(record['events']['validation'])}",
        scores={"validation_f1": best["best_f1"]},
        limits="Its score is of the events it was chosen by; measure it on others with `landslide evaluate`.",
        licence=config.licence,
        config_sha256=record["config_sha256"],
    )
    if config.card:
        card = with_facts(card, config.card)
    model = SelfContained(module.normalisation, module.network, scaling)
    return export_model(model, card, config.out, progress, half=config.half, eight_bits=config.eight_bits)


def _with_another_card(config: ExportConfig) -> ExportSummary:
    """Write a model file as it is but for what its card says."""
    if not config.card or config.half or config.eight_bits:
        raise InputError(
            f"{config.run} is a model already; give a run folder, --card alone to let it say something else of itself, "
            "or --deepness to take it into QGIS"
        )
    from landslide_cli.training.export import copy_onnx

    card = replace(with_facts(OnnxEngine(config.run).card, config.card), name=config.out.stem)
    with atomic(config.out) as temporary:
        copy_onnx(config.run, temporary, card.to_metadata())
    write_item(card, config.out)
    return ExportSummary(config.out, config.out.stat().st_size / 1e6, difference=0.0, rounding=0.0)


def check_out(config: ExportConfig) -> None:
    """Refuse a file that must not be written.

    Raises:
        InputError: its name is none of a model, or it exists.
    """
    if config.out.suffix != ".onnx" or config.out.is_dir():
        raise InputError(f"--out {config.out} must be the name of a file that ends in .onnx")
    if config.out.exists() and not config.overwrite:
        raise InputError(f"{config.out} exists; give --overwrite to replace it, or another --out")


def with_facts(card: ModelCard, path: Path) -> ModelCard:
    """Return `card` with what the TOML file `path` says; its `scores` are added to those of the run.

    Raises:
        InputError: the file cannot be read, says what only the run can know, or a value that cannot be.
    """
    try:
        facts = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"--card {path} cannot be read as TOML ({error})") from error
    kinds = {
        "version": str, "training_data": str, "limits": str, "licence": str, "tile_px": int, "scores": dict,
        "threshold": float,
    }  # fmt: skip
    wrong = [key for key, value in facts.items() if key not in kinds or not isinstance(value, kinds[key])]
    if wrong:
        raise InputError(f"--card {path}: {', '.join(wrong)} cannot be given; it may hold {', '.join(kinds)}")
    check_threshold(facts.get("threshold"), f"--card {path}: threshold")
    if "tile_px" in facts:
        check_tile(facts["tile_px"], f"--card {path}: tile_px")
    return replace(card, **{**facts, "scores": {**card.scores, **facts.get("scores", {})}})


def export_model(
    model: "SelfContained",
    card: ModelCard,
    out: Path,
    progress: Progress = silent,
    *,
    half: bool = False,
    eight_bits: bool = False,
) -> ExportSummary:
    """Write `model` and its card to `out`, its weights in half precision or in eight bits.

    Args:
        model: a network with its normalisation.
        card: what the file says of itself.
        out: ONNX file to write.
        progress: told what is being done.
        half: compute in half precision too.
        eight_bits: keep the large weights in eight bits each, with a scale for each channel.

    Raises:
        ModelError: ONNX Runtime and torch differ by more than `PARITY` (`HALF_PARITY`).
        OutputError: the file cannot be written.
    """
    from landslide_cli.training.packing import rounded

    model.eval()
    stored = rounded(model, eight_bits=eight_bits)
    difference = write_checked(stored, card, out, progress, half=half)
    inputs = example_inputs(len(card.bands), card.tile_px)
    rounding = float(np.abs(_run(stored, inputs) - _run(model, inputs)).max())
    return ExportSummary(out, out.stat().st_size / 1e6, difference, rounding)


def write_checked(
    model: "SelfContained", card: ModelCard, out: Path, progress: Progress = silent, *, half: bool = False
) -> float:
    """Write `model` and its card to `out`, once ONNX Runtime has run the file and agreed with torch.

    Args:
        model: in eval mode; the file holds exactly its weights.
        card: what the file says of itself.
        out: ONNX file to write.
        progress: told what is being done.
        half: let the file compute in half precision; it is still compared with `model` as it is.

    Returns:
        The largest difference in probability.

    Raises:
        ModelError: it is more than `PARITY` (`HALF_PARITY`), or the card does not suit the model.
        OutputError: the file cannot be written.
    """
    from landslide_cli.training.export import write_onnx

    limit = HALF_PARITY if half else PARITY
    inputs = example_inputs(len(card.bands), card.tile_px)
    with atomic(out) as temporary:
        progress("exporting", 0)
        write_onnx(model, temporary, card.to_metadata(), len(card.bands), half=half)
        progress("comparing with torch", 0.8)
        difference = float(np.abs(OnnxEngine(temporary).run(inputs) - _run(model, inputs)).max())
        if not difference <= limit:
            raise ModelError(f"the export differs from the network by {difference:.2g}, over {limit:g}; not written")
    write_item(card, out)
    return difference


def write_item(card: ModelCard, model: Path) -> None:
    """Write the STAC Item of a model file beside it, as `<name>.json`.

    Raises:
        OutputError: it cannot be written.
    """
    item = model_item(card, f"./{model.name}", model.stat().st_size, sha256_of(model), now())
    with atomic(model.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(item, indent=2) + "\n", encoding="utf-8")


def _run(model: "SelfContained", inputs: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return what torch makes of the inputs."""
    import torch

    with torch.no_grad():
        tensors = [torch.from_numpy(inputs[name]) for name in ("pre", "post", "terrain")]
        probability: NDArray[np.float32] = model(*tensors).numpy()
    return probability


def example_inputs(bands: int, tile_px: int, count: int = 2, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Return made-up windows in the range of real ones, for comparing implementations."""
    rng = np.random.default_rng(seed)
    shape = (count, bands, tile_px, tile_px)
    slope = rng.uniform(0, 60, (count, tile_px, tile_px))
    aspect = rng.uniform(0, 2 * np.pi, (count, tile_px, tile_px))
    # Flat ground has no aspect.
    steep = slope >= 3
    elevation = rng.uniform(0, 4000, (count, tile_px, tile_px))
    return {
        "pre": rng.uniform(1, 0.6 * REFLECTANCE_ONE, shape).astype(np.float32),
        "post": rng.uniform(1, 0.6 * REFLECTANCE_ONE, shape).astype(np.float32),
        "terrain": np.stack([elevation, slope * steep, np.sin(aspect) * steep, np.cos(aspect) * steep], axis=1).astype(
            np.float32
        ),
    }
