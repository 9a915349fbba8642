"""Measure how good a model is on windows with known truth."""

from dataclasses import asdict
from math import inf, isnan
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from landslide_cli.card import ModelCard
from landslide_cli.config import EvaluateConfig
from landslide_cli.errors import InputError
from landslide_cli.inference.models import check_suits, load_model
from landslide_cli.progress import Progress, silent
from landslide_cli.training.evaluation_report import METRICS, EvaluateSummary, write_map, write_report
from landslide_cli.training.mosaics import PAPER_THRESHOLD, Counted, Model, changes_of, mosaics, transform_of
from landslide_cli.training.requirements import require_training, torch_device

if TYPE_CHECKING:
    from landslide_cli.training.metrics import PixelCounter, Scores
    from landslide_cli.training.objects import ObjectCounter
    from landslide_cli.training.tiles_index import TrainingSet


def evaluate(config: EvaluateConfig, progress: Progress = silent) -> EvaluateSummary:
    """Measure a model on a split of a training set. Write tables, curves and maps if `config.out` is given.

    Args:
        config: the options.
        progress: called with each step and the share done.

    Returns:
        The scores.

    Raises:
        InputError: the split is empty, or an option cannot be used.
        ModelError: the model cannot be loaded, or the images lack its bands.
        OutputError: the folder cannot be written.
    """
    began = perf_counter()
    require_training()
    from landslide_cli.training.metrics import PixelCounter
    from landslide_cli.training.objects import ObjectCounter
    from landslide_cli.training.tiles_index import UNKNOWN, TrainingSet

    training_set = TrainingSet.open(config.dataset)
    if not len(training_set.of_split(config.split)):
        held = ", ".join(sorted(set(training_set.windows.split.tolist()))) or "none"
        raise InputError(
            f"split {config.split!r} of {config.dataset} holds no window (splits with windows: {held}); "
            "choose another --split, or prepare the set with --validation, --test or --halve"
        )
    _check_out(config)
    model = open_model(config)
    check_events(training_set, model)
    threshold, threshold_from = _threshold(config, training_set, model, progress)
    counted = Counted(PixelCounter())
    objects = ObjectCounter(config.found_overlap, config.found_iou)
    changes = np.zeros((2, UNKNOWN + 1), np.int64)
    windows, predicting = len(training_set.of_split(config.split)), perf_counter()
    for mosaic in mosaics(config, training_set, config.split, model, counted, progress):
        mapped = mosaic.probability() >= threshold
        transform = transform_of(training_set, mosaic)
        objects.add(mosaic.landslide, mapped, mosaic.known, abs(transform.a * transform.e))
        codes = changes_of(training_set, mosaic)
        for row, counting in enumerate((mosaic.known, mosaic.known & mapped)):
            changes[row] += np.bincount(codes[counting], minlength=UNKNOWN + 1)
        if config.out:
            write_map(config.out, training_set, mosaic, mapped)
    predicting = perf_counter() - predicting
    summary = EvaluateSummary(
        model=model.card.name,
        dataset=config.dataset,
        split=config.split,
        windows=windows,
        threshold=threshold,
        threshold_from=threshold_from,
        at_threshold=_plain(counted.pixels.at(threshold)),
        at_half=_plain(counted.pixels.at(PAPER_THRESHOLD)),
        average_precision=_number(counted.pixels.average_precision()),
        calibration=_calibration(counted.pixels),
        by_event={name: _plain(counter.at(threshold)) for name, counter in sorted(counted.events.items())},
        objects=_objects(objects),
        changes=_changes(changes),
        beware=_beware(training_set, config.split, model),
        out=config.out,
        windows_per_second=windows / predicting,
        seconds=perf_counter() - began,
    )
    if config.out:
        write_report(config, training_set, model, counted, summary)
    return summary


def _check_out(config: EvaluateConfig) -> None:
    if config.out and config.out.exists() and not config.out.is_dir():
        raise InputError(f"--out {config.out} is a file; give a folder")
    if config.out and (config.out / METRICS).exists() and not config.overwrite:
        raise InputError(f"{config.out} already holds an evaluation; give --overwrite to replace it, or another --out")


def _beware(training_set: "TrainingSet", split: str, model: Model) -> tuple[str, ...]:
    """Return the reasons why the scores can be too good."""
    measured = set(training_set.of_split(split).event.tolist())
    seen = sorted(measured & model.learned_from)
    shared = [pair for pair in training_set.record["overlapping"] if measured & set(pair)]
    return (
        *([f"{model.card.name} has learned from events with these names: {', '.join(seen)}"] if seen else []),
        *(f"{one} and {other} share ground across splits" for one, other in shared),
    )


def _threshold(
    config: EvaluateConfig, training_set: "TrainingSet", model: Model, progress: Progress
) -> tuple[float, str]:
    from landslide_cli.training.metrics import PixelCounter

    if config.threshold is not None:
        return config.threshold, "as given"
    validation = training_set.of_split("validation")
    if config.split == "validation" or not validation.landslide_px.sum():
        return model.card.threshold, "the model's own"
    counted = Counted(PixelCounter())
    for _ in mosaics(config, training_set, "validation", model, counted, progress):
        pass
    return counted.pixels.best().threshold, "best F1 on the validation windows"


def _objects(counter: "ObjectCounter") -> dict[str, Any]:
    classes, lower = [], 0.0
    for bound, landslides in counter.landslides.items():
        size = f"{lower:,.0f} to {bound:,.0f} m2" if bound < inf else f"over {lower:,.0f} m2"
        found = counter.found[bound]
        classes.append({"size": size, "landslides": landslides, "found": found, "share": _share(found, landslides)})
        lower = bound
    landslides, found = sum(counter.landslides.values()), sum(counter.found.values())
    classes.append({"size": "all", "landslides": landslides, "found": found, "share": _share(found, landslides)})
    return {
        "found_overlap": counter.overlap,
        "found_iou": counter.iou,
        "landslides": landslides,
        "found": found,
        "regions": counter.regions,
        "false_alarms": counter.false_alarms,
        "mapped_share": _share(counter.mapped_px, counter.known_px),
        "by_size": classes,
    }


def _changes(counts: NDArray[np.int64]) -> list[dict[str, Any]]:
    """List the codes of other changes from counts (2, N): all pixels, and the mapped ones."""
    return [
        {"code": code, "pixels": pixels, "mapped": mapped, "share": _share(mapped, pixels)}
        for code, (pixels, mapped) in enumerate(counts.T.tolist())
        if code and pixels
    ]


def _calibration(counter: "PixelCounter") -> dict[str, Any]:
    measured = counter.calibration()
    bins = zip(measured.predicted, measured.observed, measured.pixels, strict=True)
    return {
        "expected_error": _number(measured.error),
        "bins": [{"predicted": _number(p), "observed": _number(o), "pixels": n} for p, o, n in bins],
    }


def _plain(scores: "Scores") -> dict[str, float | None]:
    return {name: _number(value) for name, value in asdict(scores).items()}


def _number(value: float) -> float | None:
    """Return the number, or None for NaN, because JSON has no NaN."""
    return None if isnan(value) else round(value, 4)


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def open_model(config: EvaluateConfig) -> Model:
    """Open a model file, a detector, or the folder of a run.

    Args:
        config: the options.

    Returns:
        The model with its card.

    Raises:
        InputError: the device cannot be used, or there is no such detector.
        ModelError: the model cannot be loaded.
    """
    # Imports torch, which the windows need. The choice of an engine depends on it, so it comes first.
    from landslide_cli.training.runs import open_run

    if Path(config.model).is_dir():
        device = torch_device(config.device)
        module, record = open_run(Path(config.model), device)
        card = ModelCard(
            name=Path(config.model).name, version="", architecture=module.recipe.model, bands=module.recipe.bands,
            terrain=module.network.reads_terrain, threshold=PAPER_THRESHOLD,
        )  # fmt: skip
        return Model(card, module.probability, frozenset(record["events"]["train"]))
    engine = load_model(config.model).engine(config.device, config.min_slope)
    return Model(engine.card, engine.run)


def check_events(training_set: "TrainingSet", model: Model) -> None:
    """Refuse a model that reads what an event does not have."""
    for event in training_set.record["events"]:
        where = f"event {event['name']} of {training_set.folder}"
        check_suits(model.card, event["bands"], terrain=event["terrain"], where=where)
