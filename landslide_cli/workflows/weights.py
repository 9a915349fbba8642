"""List and describe models, change their cards, and make models for QGIS or from published checkpoints."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landslide_cli.card import ModelCard
from landslide_cli.config import CardConfig, ImportConfig, QgisModelConfig
from landslide_cli.errors import InputError, ModelError, needs_extra
from landslide_cli.event.folder import open_to_write
from landslide_cli.files import atomic, sha256_of
from landslide_cli.geo.bands import BANDS, band_name
from landslide_cli.inference.deepness import channels, largest_difference, write_event_stack, write_single_input
from landslide_cli.inference.detectors import DETECTORS
from landslide_cli.inference.engines import OnnxEngine
from landslide_cli.inference.mlm import write_item
from landslide_cli.inference.models import (
    check_model_out,
    check_suits,
    find_model,
    read_card,
    shipped_models,
    with_facts,
)
from landslide_cli.inference.parity import PARITY
from landslide_cli.progress import Progress, silent
from landslide_cli.workflows.export import write_checked

if TYPE_CHECKING:
    from landslide_cli.training.checkpoints import Checkpoint

PAPER_THRESHOLD = 0.5
"""Threshold if the checkpoint records none (paper, section 4)."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A model and its card."""

    file: Path | None
    """The ONNX file; None for a detector, which has no file."""
    megabytes: float | None
    card: ModelCard


@dataclass(frozen=True, slots=True)
class WeightsList:
    """The models that `predict --model` knows by name."""

    models: tuple[Weights, ...]


@dataclass(frozen=True, slots=True)
class CardSummary:
    """The result of `write_card`."""

    model: Path
    megabytes: float
    card: ModelCard


@dataclass(frozen=True, slots=True)
class QgisModelSummary:
    """The files for the plugin, and how well the model agrees with its source."""

    model: Path
    stack: Path | None
    """The raster that the plugin reads; None without an event."""
    channels: tuple[str, ...]
    """The bands of the raster."""
    tile_px: int
    threshold: float
    megabytes: float
    difference: float
    """Largest difference in probability from `predict`, over a window."""


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """The result of `import_weights`."""

    model: Path
    megabytes: float
    difference: float
    """Largest difference in probability between the file and the network in torch."""
    card: ModelCard


def list_weights(progress: Progress = silent) -> WeightsList:
    """Describe the shipped models and the detectors."""
    names = [*shipped_models(), *DETECTORS]
    models = []
    for number, name in enumerate(names):
        progress(f"reading {name}", number / len(names))
        models.append(show_weights(name))
    return WeightsList(tuple(models))


def show_weights(name: str, progress: Progress = silent) -> Weights:
    """Describe one model.

    Args:
        name: a name that `list_weights` gives, or the path of an ONNX file.
        progress: called with each step and the share done.

    Returns:
        The model and its card.

    Raises:
        ModelError: there is no such model, or it cannot be loaded.
    """
    progress(f"reading {name}", 0)
    card = read_card(name)
    file = None if name in DETECTORS else shipped_models().get(name, Path(name))
    return Weights(file, file.stat().st_size / 1e6 if file else None, card)


def write_card(config: CardConfig, progress: Progress = silent) -> CardSummary:
    """Write a model file with another card. The network stays as it is.

    Args:
        config: the options.
        progress: called with each step and the share done.

    Returns:
        What was written.

    Raises:
        InputError: the card cannot be read, or the file exists.
        ModelError: there is no such model.
        OutputError: the file cannot be written.
    """
    try:
        from landslide_cli.training.export import copy_onnx
    except ModuleNotFoundError as error:
        raise InputError(needs_extra("another card", str(error.name), "train")) from error

    check_model_out(config.out, overwrite=config.overwrite)
    if config.model in DETECTORS:
        raise InputError(f"{config.model} is a detector and has no file; give a network")
    progress("writing the model", 0)
    source = find_model(config.model)
    card = replace(with_facts(read_card(config.model), config.card), name=config.out.stem)
    with atomic(config.out) as temporary:
        copy_onnx(source, temporary, card.to_metadata())
    write_item(card, config.out)
    return CardSummary(config.out, config.out.stat().st_size / 1e6, card)


def write_qgis_model(config: QgisModelConfig, progress: Progress = silent) -> QgisModelSummary:
    """Write a model with one input for the QGIS plugin Deepness. With an event, also write the raster that it reads.

    Args:
        config: the options.
        progress: called with each step and the share done.

    Returns:
        What was written.

    Raises:
        InputError: there is no such event, the file exists, or a package is not installed.
        ModelError: the model cannot be rebuilt, or does not suit the event.
        OutputError: a file cannot be written.
    """
    check_model_out(config.out, overwrite=config.overwrite)
    if config.model in DETECTORS:
        raise InputError(f"{config.model} is not a network; run it with `landslide predict --model {config.model}`")
    event = open_to_write(config.event) if config.event else None
    source = find_model(config.model)
    if config.out.exists() and source.samefile(config.out):
        raise InputError(f"--out {config.out} is the model itself, which `predict` needs; give another name")
    engine = OnnxEngine(source)
    card = engine.card
    if event:
        check_suits(card, event.bands, terrain=event.has("terrain"), where=event.folder)
    progress("joining the inputs", 0.3)
    with atomic(config.out) as temporary:
        write_single_input(source, card, temporary)
        progress("comparing with the model", 0.7)
        difference = largest_difference(engine, temporary)
        if not difference <= PARITY:
            raise ModelError(
                f"the model for Deepness differs from its source by {difference:.2g}, more than {PARITY:g}; not written"
            )
    stack = write_event_stack(event, card, config.out.stem) if event else None
    megabytes = config.out.stat().st_size / 1e6
    return QgisModelSummary(config.out, stack, channels(card), card.tile_px, card.threshold, megabytes, difference)


def import_weights(config: ImportConfig, progress: Progress = silent) -> ImportSummary:
    """Make a model from a checkpoint that the authors of the paper published.

    No code in the checkpoint is run. Nothing is written unless ONNX Runtime and torch agree.

    Args:
        config: the options.
        progress: called with each step and the share done.

    Returns:
        What was written.

    Raises:
        InputError: torch is not installed, or an option is missing or does not suit the checkpoint.
        ModelError: the checkpoint cannot be read, or holds another network.
        OutputError: the file cannot be written.
    """
    checkpoint, out = config.checkpoint, config.out
    check_model_out(out, overwrite=True)
    try:
        from landslide_cli.training.checkpoints import read_checkpoint
        from landslide_cli.training.export import SelfContained
        from landslide_cli.training.normalisation import NORMALISATIONS
    except ModuleNotFoundError as error:
        raise InputError(needs_extra("the import of a checkpoint", str(error.name), "train")) from error

    progress("reading the checkpoint", 0)
    source = read_checkpoint(checkpoint)
    card = ModelCard(
        name=out.stem,
        version="imported",
        architecture=source.architecture,
        bands=resolve_bands(source.hparams.get("BANDS"), source.bands, config.bands),
        terrain=source.network.reads_terrain,
        threshold=_threshold(source) if config.threshold is None else config.threshold,
        training_data=_provenance(checkpoint, source),
        scores={f"reported_{name}": score for name, score in source.scores.items()},
        limits=(
            "Imported from a checkpoint of others. The checkpoint reports these scores for its own validation. "
            "This program has not measured them."
        ),
        licence="not stated in the checkpoint; ask its publisher before you pass the file on",
    )
    model = SelfContained(NORMALISATIONS["released"](), source.network).eval()
    difference = write_checked(model, card, out, progress)
    return ImportSummary(out, out.stat().st_size / 1e6, difference, card)


def resolve_bands(recorded: Any, channels: int, names: str | None = None) -> tuple[str, ...]:
    """Return the names of the channels that a network reads.

    Args:
        recorded: the bands that the checkpoint records: names, indices, their number, or None.
        channels: number of channels that the network reads.
        names: comma-separated names from the user; they replace the record.

    Returns:
        The names, in the order of the channels.

    Raises:
        InputError: the names from the user do not suit the network, or there are no such names and the record is not
            clear.
    """
    if names is not None:
        bands = tuple(band_name(name, "--bands") for name in names.split(","))
        if not len(bands) == channels == len(set(bands)):
            raise InputError(f"--bands {names} must name the {channels} channels that the checkpoint reads, each once")
        return bands
    named = _named(recorded)
    if len(named) == channels == len(set(named)):
        return named
    if channels == len(BANDS) and _is_all(recorded):
        return BANDS
    told = "nothing" if recorded is None else str(recorded)[:80]
    raise InputError(
        f"it is not clear which {channels} bands the checkpoint reads (it records {told}); name them in their order "
        f"with --bands, such as --bands B04,B03,B02 (known: {', '.join(BANDS)})"
    )


def _is_all(recorded: Any) -> bool:
    """Return whether a record for twelve channels means all bands in their usual order."""
    if isinstance(recorded, list | tuple):
        # Twelve indices in rising order are all bands, whether they count from 0 or from 1.
        return all(isinstance(index, int) for index in recorded) and list(recorded) == sorted(set(recorded))
    return recorded is None or isinstance(recorded, int)


def _named(recorded: Any) -> tuple[str, ...]:
    """Return the band names that the checkpoint records; empty if it records anything else."""
    entries = recorded.split(",") if isinstance(recorded, str) else recorded
    if not isinstance(entries, list | tuple) or not all(isinstance(entry, str) for entry in entries):
        return ()
    try:
        return tuple(band_name(entry, "BANDS") for entry in entries)
    except InputError:
        return ()


def _threshold(source: "Checkpoint") -> float:
    """Return the threshold that the checkpoint records, or the paper's."""
    threshold = source.hparams.get("THRESHOLD")
    if threshold is None:
        return PAPER_THRESHOLD
    if isinstance(threshold, int | float) and 0 < threshold <= 1:
        return float(threshold)
    raise InputError(
        f"the checkpoint's threshold {str(threshold)[:80]} is not a probability above 0 and at most 1; "
        "give one with --threshold, such as 0.5"
    )


def _provenance(checkpoint: Path, source: "Checkpoint") -> str:
    """Return what is known about the origin of the weights."""
    epoch = "" if source.epoch is None else f", epoch {source.epoch}"
    return f"not stated in the checkpoint ({checkpoint.name}{epoch}, SHA-256 {sha256_of(checkpoint)})"
