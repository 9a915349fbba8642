"""Train a network on a training set."""

import hashlib
import json
import tomllib
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from landslide_cli.config import TrainConfig
from landslide_cli.errors import InputError
from landslide_cli.event.dates import now
from landslide_cli.files import require_free, sha256_of
from landslide_cli.inference.engines import OnnxEngine
from landslide_cli.progress import Progress, silent
from landslide_cli.training.recipes import Recipe
from landslide_cli.training.requirements import require_training, torch_device
from landslide_cli.version import __version__

CHECKPOINT_BYTES = 12 * 2**20
"""Least disk space for a run: the checkpoints and pictures of a small network."""


@dataclass(frozen=True, slots=True)
class TrainSummary:
    """The result of `train`."""

    run: Path
    model: str
    parameters: int
    train_windows: int
    validation_windows: int
    epochs: int
    best_epoch: int
    """The epoch with the lowest validation loss, from 1; its weights are kept."""
    validation_loss: float
    validation_f1: float
    """F1 at probability 0.5, as in the paper."""
    best_threshold: float
    best_f1: float
    """F1 at `best_threshold`, which gives the highest F1 on the validation windows."""
    windows_per_second: float
    seconds_per_epoch: float
    """Training time, without validation."""
    waiting_percent: float
    """Percent of that time in which the network waited for windows."""
    seconds: float


def train(config: TrainConfig, progress: Progress = silent) -> TrainSummary:
    """Train a network and fill the run folder `config.out`.

    Args:
        config: the options.
        progress: called with each step and the share done.

    Returns:
        The scores of the best epoch, and the speed.

    Raises:
        InputError: the recipe, the training set or an option cannot be used.
        ModelError: the training fails: the loss is not finite, or there is too little memory.
        OutputError: the run folder cannot be written.
    """
    began = perf_counter()
    require_training()
    recipe = read_recipe(config)
    from landslide_cli.training.tiles_index import INDEX, TrainingSet

    training_set = TrainingSet.open(config.dataset)
    windows = {split: training_set.of_split(split) for split in ("train", "validation")}
    for split, chosen in windows.items():
        if not len(chosen):
            raise InputError(
                f"{config.dataset} has no window to {'learn from' if split == 'train' else 'validate on'}; "
                "prepare it again, with other --validation, --test or --halve"
            )
        if not chosen.landslide_px.sum():
            raise InputError(
                f"the {split} windows of {config.dataset} show no landslide at all; prepare it again with events "
                "that have some"
            )
    if recipe.change_weights and not any(training_set.has_changes(event) for event in set(windows["train"].event)):
        raise InputError(
            f"the recipe has change_weights, but {config.dataset} does not know what changed; prepare it with "
            "--changes, or remove change_weights from the recipe"
        )
    index_sha256 = sha256_of(config.dataset / INDEX)
    _check_run(config, recipe, index_sha256)
    torch_device(config.device)
    require_free(config.out, CHECKPOINT_BYTES)

    from landslide_cli.training.dataset import PairWindows
    from landslide_cli.training.encoder_weights import load_encoder_weights
    from landslide_cli.training.module import ChangeModule
    from landslide_cli.training.runs import best_row, write_record
    from landslide_cli.training.start import load_start
    from landslide_cli.training.trainer import fit, sow

    sow(recipe.seed)
    module = ChangeModule(recipe)
    if config.encoder_weights and not config.resume:
        load_encoder_weights(module.network, config.encoder_weights, recipe.bands)
    if config.start and not config.resume:
        cards = {path: OnnxEngine(path).card for path in config.start}
        for path, card in cards.items():
            if card.architecture != recipe.model:
                raise InputError(f"--start {path} is a {card.architecture}, not a {recipe.model}; leave it out")
        load_start(module, {path: card.bands for path, card in cards.items()})
    data = {
        split: PairWindows(
            training_set, chosen, recipe.bands, terrain=module.network.reads_terrain,
            change_weights=recipe.change_weights,
        )
        for split, chosen in windows.items()
    }  # fmt: skip
    parameters = sum(p.numel() for p in module.network.parameters())
    if not config.resume:
        require_free(config.out, 8 * 4 * parameters)
        facts = {
            "software": f"landslide {__version__}",
            "created": now(),
            "parameters": parameters,
            "encoder_weights": config.encoder_weights and config.encoder_weights.name,
            "start": [path.name for path in config.start],
            "config_sha256": hashlib.sha256(json.dumps(asdict(recipe), sort_keys=True).encode()).hexdigest(),
            "index_sha256": index_sha256,
            "window_px": training_set.window_px,
            "windows": {split: len(chosen) for split, chosen in windows.items()},
            "events": {
                split: sorted({str(event) for event in chosen.event}) for split, chosen in windows.items()
            },
        }  # fmt: skip
        write_record(config.out, recipe, config.dataset, facts)
    history = fit(
        module, data["train"], data["validation"], config.out, device=config.device, workers=config.workers,
        resume=config.resume, progress=progress,
    )  # fmt: skip
    best = best_row(history)
    trained_s = sum(row["train_seconds"] for row in history)
    return TrainSummary(
        run=config.out,
        model=recipe.model,
        parameters=parameters,
        train_windows=len(windows["train"]),
        validation_windows=len(windows["validation"]),
        epochs=len(history),
        best_epoch=best["epoch"] + 1,
        validation_loss=best["validation_loss"],
        validation_f1=best["f1"],
        best_threshold=best["best_threshold"],
        best_f1=best["best_f1"],
        windows_per_second=sum(row["windows_per_second"] * row["train_seconds"] for row in history) / trained_s,
        seconds_per_epoch=trained_s / len(history),
        waiting_percent=100 * sum(row["waiting_share"] * row["train_seconds"] for row in history) / trained_s,
        seconds=perf_counter() - began,
    )


def read_recipe(config: TrainConfig) -> Recipe:
    """Return the recipe: that of the run if it is resumed, else from the TOML file and the options.

    Args:
        config: the options.

    Returns:
        The recipe.

    Raises:
        InputError: the file cannot be read, or a value cannot be used.
    """
    if config.resume:
        from landslide_cli.training.runs import read_record

        recipe, _ = read_record(config.out)
        wanted = (_read_toml(config.config, recipe.model) if config.config else {}) | _given(config)
        changed = [key for key, value in wanted.items() if key != "epochs" and getattr(recipe, key) != value]
        if changed:
            raise InputError(
                f"{config.out} is resumed with the recipe it began with, which has another {', '.join(changed)}; leave "
                "out these options, or start a new training with another --out"
            )
        return recipe if config.epochs is None else replace(recipe, epochs=config.epochs)
    values = _read_toml(config.config, config.model) if config.config else {}
    return Recipe(**{**values, **_given(config)})


def _given(config: TrainConfig) -> dict[str, Any]:
    """Return the fields of the recipe that are given as options."""
    names = ("model", "bands", "encoder", "epochs", "batch", "seed")
    given = {name: value for name in names if (value := getattr(config, name)) is not None}
    if "bands" in given:
        given["bands"] = tuple(band.strip() for band in given["bands"].split(","))
    return given


def _read_toml(path: Path, model: str | None) -> dict[str, Any]:
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"--config {path} cannot be read as TOML ({error})") from error
    per_model = raw.pop("models", {})
    name = model or raw.get("model", Recipe().model)
    values = {**raw, **per_model.get(name, {})}
    kinds = {f.name: f.type for f in fields(Recipe)}
    if unknown := sorted(set(values) - set(kinds)):
        raise InputError(f"--config {path}: {', '.join(unknown)} is not part of a recipe; known: {', '.join(kinds)}")
    for key, value in values.items():
        values[key] = tuple(value) if key == "bands" else value
    return values


def _check_run(config: TrainConfig, recipe: Recipe, index_sha256: str) -> None:
    """Refuse to replace an existing run, and check that a run can be resumed."""
    from landslide_cli.training.runs import LAST, read_record, read_state

    if config.out.exists() and not config.out.is_dir():
        raise InputError(f"--out {config.out} is a file; give a folder")
    if config.resume:
        _, record = read_record(config.out)
        if record.get("index_sha256") != index_sha256:
            raise InputError(
                f"{config.out} learns from {record.get('dataset')}, but {config.dataset} holds other windows; resume "
                "it with the training set it began with, or give another --out"
            )
        done = read_state(config.out / LAST)["epoch"] + 1
        if done >= recipe.epochs:
            raise InputError(f"{config.out} has trained its {done} epochs; give more --epochs to train on")
    elif (config.out / LAST).exists():
        # A run that stopped during its first epoch has nothing to keep.
        raise InputError(f"{config.out} already holds a run; give --resume to continue it, or another --out")
