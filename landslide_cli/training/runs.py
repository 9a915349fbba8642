"""A run folder: the files of a training."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from io import StringIO
from math import inf, isnan
from pathlib import Path
from typing import Any, Final

import torch

from landslide_cli.config import TorchDevice
from landslide_cli.errors import InputError
from landslide_cli.files import atomic
from landslide_cli.training.calibration import Scaling, fit_scaling
from landslide_cli.training.checkpoints import load_plain
from landslide_cli.training.module import ChangeModule
from landslide_cli.training.recipes import Recipe

RECORD: Final = "run.json"
"""The recipe and the training set; written first."""
LAST: Final = "last.ckpt"
"""The state after the last finished epoch; `--resume` continues from it."""
BEST: Final = "best.ckpt"
"""The weights of the epoch with the lowest validation loss (paper, section 4)."""
METRICS: Final = "metrics.csv"
FORMER_NAMES: Final = {"averaging": "ema"}
"""Names of recipe fields in runs of earlier versions, and their names now."""


def write_record(run: Path, recipe: Recipe, dataset: Path, facts: Mapping[str, Any]) -> None:
    """Write the record of a run.

    Raises:
        OutputError: the folder cannot be written.
    """
    record = {"recipe": asdict(recipe), "dataset": str(dataset.absolute()), **facts}
    with atomic(run / RECORD) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def read_record(run: Path) -> tuple[Recipe, Mapping[str, Any]]:
    """Return the recipe of a run, and the content of `run.json`.

    Raises:
        InputError: the folder holds no run, or its record is damaged.
    """
    path = run / RECORD
    if not path.is_file():
        raise InputError(f"{run} is not a run folder: it has no {RECORD}; make one with `landslide train`")
    try:
        record: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        known = {f.name for f in fields(Recipe)}
        recorded = {FORMER_NAMES.get(key, key): value for key, value in record["recipe"].items()}
        values = {key: value for key, value in recorded.items() if key in known}
        return Recipe(**{**values, "bands": tuple(values["bands"])}), record
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is not the record of a run ({error!r}); train again") from error


def read_state(path: Path) -> Mapping[str, Any]:
    """Read a checkpoint of a run.

    Args:
        path: the checkpoint.

    Returns:
        Its content.

    Raises:
        InputError: the file is missing.
        ModelError: the file is damaged, or is not a checkpoint.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing: no epoch of the run has ended yet; start it again without --resume")
    return load_plain(path)


def write_metrics(run: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """Write `metrics.csv`, one row for each epoch.

    Raises:
        OutputError: the file cannot be written.
    """
    text = StringIO()
    writer = csv.DictWriter(text, list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    with atomic(run / METRICS) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def read_metrics(run: Path) -> list[dict[str, float]]:
    """Read `metrics.csv`.

    Args:
        run: the run folder.

    Returns:
        One dictionary for each epoch.

    Raises:
        InputError: the file is missing or damaged.
    """
    try:
        with (run / METRICS).open(encoding="utf-8", newline="") as file:
            rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{run / METRICS} cannot be read ({error}); train on with --resume") from error
    return rows


def best_scaling(run: Path) -> Scaling:
    """Return the calibration of the network that `open_run` opens, measured on the validation windows.

    Raises:
        InputError: no epoch of the run has ended.
    """
    counts = read_state(run / BEST).get("validation_counts")
    return Scaling() if counts is None else fit_scaling(counts.numpy())


def best_row(history: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the epoch with the lowest validation loss, which is that of `BEST`; of equal ones, the first."""
    return min(history, key=lambda row: inf if isnan(row["validation_loss"]) else row["validation_loss"])


def open_run(run: Path, device: TorchDevice = "cpu") -> tuple[ChangeModule, Mapping[str, Any]]:
    """Open the network of a run with its best weights, in eval mode.

    Args:
        run: the run folder.
        device: the device of the network; `auto` takes a GPU if there is one.

    Returns:
        The network, and the record of the run.

    Raises:
        InputError: there is no run, no epoch of it has ended, or its files do not fit together.
    """
    recipe, record = read_record(run)
    checkpoint = read_state(run / BEST)
    module = ChangeModule(recipe)
    try:
        module.load_state_dict(checkpoint["state_dict"])
    except (RuntimeError, KeyError) as error:
        raise InputError(f"{run / BEST} does not fit {run / RECORD}; train again") from error
    if device != "cpu" and torch.cuda.is_available():
        module.to("cuda")
    module.eval()
    return module, record
