"""How good a model is on windows whose truth is known."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import groupby
from math import inf, isnan
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import rasterio
from numpy.typing import NDArray

from landslide_cli import __version__
from landslide_cli.config import EvaluateConfig, Progress, silent
from landslide_cli.errors import InputError, ModelError
from landslide_cli.files import atomic
from landslide_cli.imagery.bands import BANDS
from landslide_cli.inference.card import ModelCard
from landslide_cli.workflows.predict import check_suits, open_engine
from landslide_cli.workflows.train import require_device, require_training

if TYPE_CHECKING:
    from landslide_cli.training.metrics import PixelCounter, Scores
    from landslide_cli.training.objects import ObjectCounter
    from landslide_cli.training.tiles_index import TrainingSet

PAPER: Final[Mapping[str, tuple[float, float, float]]] = {
    "BIT": (0.306, 0.497, 0.221),
    "SEIFNet": (0.299, 0.576, 0.201),
    "TinyCD": (0.257, 0.580, 0.165),
    "UNet-Siam-Diff": (0.341, 0.525, 0.252),
    "BBU-Net": (0.348, 0.582, 0.249),
}
"""F1, precision and recall on Haiti (paper, table 2), at probability 0.5."""
PAPER_THRESHOLD: Final = 0.5
PICTURED: Final = 6
"""Windows that are drawn."""
REPORT, METRICS = "report.md", "metrics.json"

Inputs = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class EvaluateSummary:
    """What was measured; scores are None where a ratio is of nothing to nothing."""

    model: str
    dataset: Path
    split: str
    windows: int
    threshold: float
    threshold_from: str
    """Where the threshold comes from."""
    at_threshold: Mapping[str, float | None]
    at_half: Mapping[str, float | None]
    """At probability 0.5, as in the paper."""
    average_precision: float | None
    calibration: Mapping[str, Any]
    by_event: Mapping[str, Mapping[str, float | None]]
    """Scores at the threshold."""
    objects: Mapping[str, Any]
    beware: tuple[str, ...]
    """Why the scores may be too good."""
    out: Path | None
    windows_per_second: float
    seconds: float


@dataclass(frozen=True, slots=True)
class _Model:
    """What gives probabilities."""

    card: ModelCard
    run: Callable[[Inputs], NDArray[np.float32]]
    learned_from: frozenset[str] = frozenset()
    """Names of events, where they are on record."""


@dataclass(slots=True)
class _Mosaic:
    """The windows of one pair of images, put together; cut to what they cover."""

    event: str
    pre: str
    post: str
    row: int
    column: int
    total: NDArray[np.float32]
    count: NDArray[np.uint16]
    landslide: NDArray[np.bool_]
    known: NDArray[np.bool_]

    def probability(self) -> NDArray[np.float32]:
        """Return the mean over the windows that hold a pixel."""
        mean: NDArray[np.float32] = np.divide(self.total, np.maximum(self.count, 1), dtype=np.float32)
        return mean


@dataclass(slots=True)
class _Counted:
    """What is counted over a split."""

    pixels: "PixelCounter"
    events: dict[str, "PixelCounter"] = field(default_factory=dict)


def evaluate(config: EvaluateConfig, progress: Progress = silent) -> EvaluateSummary:
    """Measure a model on a split of a training set; write tables, curves and maps where `out` is given.

    Raises:
        InputError: the split is empty, or an option cannot be used.
        ModelError: the model cannot be loaded, or the images lack its bands.
        OutputError: the folder cannot be written.
    """
    began = perf_counter()
    require_training()
    from landslide_cli.training.metrics import PixelCounter
    from landslide_cli.training.objects import ObjectCounter
    from landslide_cli.training.splits import SPLITS
    from landslide_cli.training.tiles_index import TrainingSet

    if config.split not in SPLITS:
        raise InputError(f"--split {config.split!r} is unknown; give {', '.join(SPLITS)}")
    training_set = TrainingSet.open(config.dataset)
    if not len(training_set.of_split(config.split)):
        held = ", ".join(sorted(set(training_set.windows.split.tolist()))) or "none"
        raise InputError(
            f"split {config.split!r} of {config.dataset} holds no window (splits with windows: {held}); "
            "choose another --split, or prepare the set with --validation, --test or --halve"
        )
    _check_out(config)
    model = _open_model(config)
    _check_suits(training_set, model)
    threshold, threshold_from = _threshold(config, training_set, model, progress)
    counted = _Counted(PixelCounter())
    objects = ObjectCounter(config.found_overlap, config.found_iou)
    windows, predicting = len(training_set.of_split(config.split)), perf_counter()
    for mosaic in _mosaics(config, training_set, config.split, model, counted, progress):
        mapped = mosaic.probability() >= threshold
        transform = _transform(training_set, mosaic)
        objects.add(mosaic.landslide, mapped, mosaic.known, abs(transform.a * transform.e))
        if config.out:
            _write_map(config.out, training_set, mosaic, mapped)
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
        beware=_beware(training_set, config.split, model),
        out=config.out,
        windows_per_second=windows / predicting,
        seconds=perf_counter() - began,
    )
    if config.out:
        _write_report(config, training_set, model, counted, summary)
    return summary


def _check_out(config: EvaluateConfig) -> None:
    if config.out and config.out.exists() and not config.out.is_dir():
        raise InputError(f"--out {config.out} is a file; give a folder")
    if config.out and (config.out / METRICS).exists() and not config.overwrite:
        raise InputError(f"{config.out} already holds an evaluation; give --overwrite to replace it, or another --out")


def _open_model(config: EvaluateConfig) -> _Model:
    # Loaded first, for the windows need it: the choice of an engine depends on it.
    import torch

    if Path(config.model).is_dir():
        from landslide_cli.training.runs import open_run

        require_device(config.device)
        module, record = open_run(Path(config.model))
        if config.device != "cpu" and torch.cuda.is_available():
            module.to("cuda")
        card = ModelCard(
            name=Path(config.model).name, version="", architecture=module.recipe.model, bands=module.recipe.bands,
            terrain=module.network.reads_terrain, threshold=PAPER_THRESHOLD,
        )  # fmt: skip
        return _Model(card, module.probability, frozenset(record["events"]["train"]))
    engine = open_engine(config.model, config.device, config.min_slope)
    return _Model(engine.card, engine.run)


def _check_suits(training_set: "TrainingSet", model: _Model) -> None:
    """Refuse a model that reads what an event does not have."""
    for event in training_set.record["events"]:
        where = f"event {event['name']} of {training_set.folder}"
        check_suits(model.card, event["bands"], terrain=event["terrain"], where=where)


def _beware(training_set: "TrainingSet", split: str, model: _Model) -> tuple[str, ...]:
    """Say why scores may be too good."""
    measured = set(training_set.of_split(split).event.tolist())
    seen = sorted(measured & model.learned_from)
    shared = [pair for pair in training_set.record["overlapping"] if measured & set(pair)]
    return (
        *([f"{model.card.name} has learned from events of these names: {', '.join(seen)}"] if seen else []),
        *(f"{one} and {other} share ground across splits" for one, other in shared),
    )


def _threshold(
    config: EvaluateConfig, training_set: "TrainingSet", model: _Model, progress: Progress
) -> tuple[float, str]:
    from landslide_cli.training.metrics import PixelCounter

    if config.threshold is not None:
        if not 0 < config.threshold < 1:
            raise InputError(f"--threshold {config.threshold:g} must lie between 0 and 1")
        return config.threshold, "as given"
    validation = training_set.of_split("validation")
    if config.split == "validation" or not validation.landslide_px.sum():
        return model.card.threshold, "the model's own"
    counted = _Counted(PixelCounter())
    for _ in _mosaics(config, training_set, "validation", model, counted, progress):
        pass
    return counted.pixels.best().threshold, "best F1 on the validation windows"


def _mosaics(
    config: EvaluateConfig,
    training_set: "TrainingSet",
    split: str,
    model: _Model,
    counted: _Counted,
    progress: Progress,
) -> Iterator[_Mosaic]:
    """Run the model over a split: count each window as it comes, and yield each pair of images put together."""
    from torch.utils.data import default_collate

    from landslide_cli.training.dataset import PairWindows
    from landslide_cli.training.metrics import PixelCounter

    windows, size = training_set.of_split(split), training_set.window_px
    data = PairWindows(
        training_set, windows, model.card.bands, spare=model.card.spare_bands, terrain=model.card.terrain
    )
    pair_of = list(zip(windows.event.tolist(), windows.pre.tolist(), windows.post.tolist(), strict=True))
    done = 0
    for (event, pre, post), group in groupby(range(len(windows)), key=lambda index: pair_of[index]):
        indexes = list(group)
        rows, columns = windows.row[indexes], windows.col[indexes]
        top, left = int(rows.min()), int(columns.min())
        shape = (int(rows.max()) - top + size, int(columns.max()) - left + size)
        mosaic = _Mosaic(
            event, pre, post, top, left, np.zeros(shape, np.float32), np.zeros(shape, np.uint16),
            np.zeros(shape, bool), np.zeros(shape, bool),
        )  # fmt: skip
        for start in range(0, len(indexes), config.batch):
            chosen = indexes[start : start + config.batch]
            batch = {name: v.numpy() for name, v in default_collate([data[index] for index in chosen]).items()}
            probability = model.run(_inputs(training_set, batch, {event}))
            if not np.isfinite(probability).all():
                raise ModelError(
                    f"{model.card.name} gives probabilities that are not numbers; train or export it again"
                )
            counter = PixelCounter()
            counter.add(probability, batch["landslide"], batch["weight"])
            counted.pixels.counts += counter.counts
            counted.events.setdefault(event, PixelCounter()).counts += counter.counts
            for number, index in enumerate(chosen):
                row, column = int(windows.row[index]) - top, int(windows.col[index]) - left
                box = (slice(row, row + size), slice(column, column + size))
                mosaic.total[box] += probability[number, 0]
                mosaic.count[box] += 1
                mosaic.landslide[box] = batch["landslide"][number, 0] > 0
                mosaic.known[box] = batch["weight"][number, 0] > 0
            done += len(chosen)
            progress(f"running {model.card.name} on {split} windows, {done} of {len(windows)}", done / len(windows))
        yield mosaic


def _inputs(training_set: "TrainingSet", batch: Inputs, events: set[str]) -> Inputs:
    """Return what a model reads of a batch: detectors ask for steep ground only where the terrain is known."""
    terrain = all(training_set.has_terrain(event) for event in events)
    return {name: batch[name] for name in ("pre", "post", *(["terrain"] if terrain else []))}


def _transform(training_set: "TrainingSet", mosaic: _Mosaic) -> Any:
    with rasterio.open(training_set.mask(mosaic.event)) as source:
        return source.transform @ rasterio.Affine.translation(mosaic.column, mosaic.row)


def _codes(landslide: NDArray[np.bool_], mapped: NDArray[np.bool_], known: NDArray[np.bool_]) -> NDArray[np.uint8]:
    from landslide_cli.training.plots import ALARM, HIT, MISS

    codes = np.select([landslide & mapped, landslide, mapped], [HIT, MISS, ALARM], 0)
    return np.where(known, codes, 255).astype(np.uint8)


def _write_map(out: Path, training_set: "TrainingSet", mosaic: _Mosaic, mapped: NDArray[np.bool_]) -> None:
    """Write hits, misses and false alarms of a pair of images as a raster with its colours."""
    from landslide_cli.training.plots import COLOURS, NAMES

    codes = _codes(mosaic.landslide, mapped, mosaic.known & (mosaic.count > 0))
    name = "_".join((mosaic.event, Path(mosaic.pre).stem, Path(mosaic.post).stem))
    with rasterio.open(training_set.mask(mosaic.event)) as source:
        crs = source.crs
    with (
        atomic(out / "maps" / f"{name}.tif") as temporary,
        rasterio.open(
            temporary, "w", driver="GTiff", dtype="uint8", count=1, height=codes.shape[0], width=codes.shape[1],
            nodata=255, compress="deflate", tiled=True, crs=crs, transform=_transform(training_set, mosaic),
        ) as target,
    ):  # fmt: skip
        target.write(codes, 1)
        target.write_colormap(1, {0: (255, 255, 255, 0), **{code: (*paint, 255) for code, paint in COLOURS.items()}})
        target.update_tags(**{f"value_{code}": meaning for code, meaning in NAMES.items()})
    with atomic(out / "maps" / f"{name}.qml") as temporary:
        temporary.write_text(_style(), encoding="utf-8")


def _style() -> str:
    """Return the QGIS style of a map: the palette of a GeoTIFF cannot say that 0 is transparent."""
    from landslide_cli.training.plots import COLOURS, NAMES

    entries = "".join(
        f'<paletteEntry value="{code}" color="#{red:02x}{green:02x}{blue:02x}" label="{NAMES[code]}" alpha="255"/>'
        for code, (red, green, blue) in COLOURS.items()
    )
    return (
        '<!DOCTYPE qgis PUBLIC "http://mrcc.com/qgis.dtd" "SYSTEM">\n<qgis version="3.22"><pipe>'
        '<rasterrenderer type="paletted" band="1" opacity="1" alphaBand="-1">'
        f'<colorPalette><paletteEntry value="0" color="#ffffff" label="none" alpha="0"/>{entries}</colorPalette>'
        "</rasterrenderer></pipe></qgis>\n"
    )


def _write_report(
    config: EvaluateConfig, training_set: "TrainingSet", model: _Model, counted: _Counted, summary: EvaluateSummary
) -> None:
    from landslide_cli.training import plots

    assert config.out
    plots.draw_precision_recall(config.out / "precision_recall.png", {config.split: counted.pixels})
    plots.draw_calibration(config.out / "calibration.png", counted.pixels)
    _draw_windows(config, training_set, model, summary)
    with atomic(config.out / REPORT) as temporary:
        temporary.write_text(report(summary), encoding="utf-8")
    facts = {"software": f"landslide {__version__}", **asdict(summary)}
    with atomic(config.out / METRICS) as temporary:
        temporary.write_text(json.dumps(facts, default=str, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _draw_windows(config: EvaluateConfig, training_set: "TrainingSet", model: _Model, summary: EvaluateSummary) -> None:
    from torch.utils.data import default_collate

    from landslide_cli.training import plots
    from landslide_cli.training.dataset import PairWindows

    assert config.out
    windows = training_set.of_split(config.split)
    with rasterio.open(training_set.event_folder(str(windows.event[0])) / str(windows.post[0])) as source:
        shown = tuple(band for band in BANDS if band in source.descriptions)
    chosen = windows.take(plots.spread_out(windows, PICTURED, training_set.window_px))
    data = PairWindows(training_set, chosen, model.card.bands, spare=model.card.spare_bands, terrain=model.card.terrain)
    seen = PairWindows(training_set, chosen, shown, terrain=False)
    batch, images = (
        {name: values.numpy() for name, values in default_collate([source[i] for i in range(len(source))]).items()}
        for source in (data, seen)
    )
    mapped = model.run(_inputs(training_set, batch, set(chosen.event.tolist()))) >= summary.threshold
    codes = _codes(batch["landslide"] > 0, mapped, batch["weight"] > 0)[:, 0]
    titles = plots.window_titles(chosen)
    plots.draw_hits(config.out / "windows.png", images["pre"], images["post"], list(codes), titles, shown)


def report(summary: EvaluateSummary) -> str:
    """Return the measurements as Markdown."""
    columns = ("f1", "precision", "recall", "iou")
    lines = [
        f"# {summary.model} on the {summary.split} windows of {summary.dataset.name}",
        "",
        f"{summary.windows} windows, pixels counted over all of them at once. Threshold "
        f"{summary.threshold:.2f}: {summary.threshold_from}. Average precision {text(summary.average_precision)}.",
        "",
        *(f"**Beware:** {reason}: the scores are too good.\n" for reason in summary.beware),
        "| pixels | F1 | precision | recall | IoU |",
        "|---|---|---|---|---|",
    ]
    measured = {
        f"**{summary.model}, at {summary.threshold:.2f}**": summary.at_threshold,
        f"**{summary.model}, at {PAPER_THRESHOLD:.2f}**": summary.at_half,
    }
    lines += [f"| {name} | {' | '.join(text(s[c]) for c in columns)} |" for name, s in measured.items()]
    lines += [f"| paper, Haiti: {n} | {' | '.join(text(v) for v in values)} | |" for n, values in PAPER.items()]
    lines += [
        "",
        "The paper's figures (table 2) are of real images of another event: they stand here for orientation.",
        "",
        f"| event, at {summary.threshold:.2f} | F1 | precision | recall | IoU |",
        "|---|---|---|---|---|",
    ]
    lines += [f"| {n} | {' | '.join(text(s[c]) for c in columns)} |" for n, s in summary.by_event.items()]
    objects = summary.objects
    lines += [
        "",
        f"A landslide is found if {100 * objects['found_overlap']:.0f} % of its area is mapped, or if it and the "
        f"regions that touch it have an IoU of {objects['found_iou']:g}. Of {objects['regions']} mapped regions, "
        f"{objects['false_alarms']} touch no landslide. Mapped is {percent(objects['mapped_share'])} of the ground: "
        "who maps all of it finds every landslide.",
        "",
        "| landslides | found | of | share |",
        "|---|---|---|---|",
    ]
    lines += [f"| {c['size']} | {c['found']} | {c['landslides']} | {text(c['share'])} |" for c in objects["by_size"]]
    calibration = summary.calibration
    lines += [
        "",
        f"Expected calibration error: {text(calibration['expected_error'])}.",
        "",
        "| mean probability | share of landslide pixels | pixels |",
        "|---|---|---|",
    ]
    lines += [f"| {text(b['predicted'])} | {text(b['observed'])} | {b['pixels']} |" for b in calibration["bins"]]
    return "\n".join(lines) + "\n"


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
    """Return the number, or None for NaN, which JSON does not know."""
    return None if isnan(value) else round(value, 4)


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def percent(share: float | None) -> str:
    """Return a share for people."""
    return "-" if share is None else f"{100 * share:.2f} %"


def text(value: float | None) -> str:
    """Return a score for people."""
    return "-" if value is None else f"{value:.3f}"
