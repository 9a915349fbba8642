"""The result of an evaluation and its files: tables, curves, and maps of hits and misses."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import rasterio
from numpy.typing import NDArray

from landslide_cli.config import EvaluateConfig
from landslide_cli.files import atomic
from landslide_cli.geo.bands import BANDS
from landslide_cli.training.mosaics import PAPER_THRESHOLD, Counted, Model, Mosaic, inputs, transform_of
from landslide_cli.version import __version__

if TYPE_CHECKING:
    from landslide_cli.training.tiles_index import TrainingSet

PAPER: Final[Mapping[str, tuple[float, float, float]]] = {
    "BIT": (0.306, 0.497, 0.221),
    "SEIFNet": (0.299, 0.576, 0.201),
    "TinyCD": (0.257, 0.580, 0.165),
    "UNet-Siam-Diff": (0.341, 0.525, 0.252),
    "BBU-Net": (0.348, 0.582, 0.249),
}
"""F1, precision and recall on Haiti (paper, table 2), at probability 0.5."""
PICTURED: Final = 6
"""Windows that are drawn."""
REPORT, METRICS = "report.md", "metrics.json"


@dataclass(frozen=True, slots=True)
class EvaluateSummary:
    """The measured scores. A score is None if its ratio has the divisor 0."""

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
    changes: Sequence[Mapping[str, Any]]
    """Other changes by code, and how much of each is mapped; empty without `prepare --changes`."""
    beware: tuple[str, ...]
    """Reasons why the scores can be too good."""
    out: Path | None
    windows_per_second: float
    seconds: float


def write_map(out: Path, training_set: "TrainingSet", mosaic: Mosaic, mapped: NDArray[np.bool_]) -> None:
    """Write hits, misses and false alarms of a pair of images as a raster with colours."""
    from landslide_cli.training.plots import COLOURS, NAMES

    codes = _codes(mosaic.landslide, mapped, mosaic.known & (mosaic.count > 0))
    name = "_".join((mosaic.event, Path(mosaic.pre).stem, Path(mosaic.post).stem))
    with rasterio.open(training_set.mask(mosaic.event)) as source:
        crs = source.crs
    with (
        atomic(out / "maps" / f"{name}.tif") as temporary,
        rasterio.open(
            temporary, "w", driver="GTiff", dtype="uint8", count=1, height=codes.shape[0], width=codes.shape[1],
            nodata=255, compress="deflate", tiled=True, crs=crs, transform=transform_of(training_set, mosaic),
        ) as target,
    ):  # fmt: skip
        target.write(codes, 1)
        target.write_colormap(1, {0: (255, 255, 255, 0), **{code: (*paint, 255) for code, paint in COLOURS.items()}})
        target.update_tags(**{f"value_{code}": meaning for code, meaning in NAMES.items()})
    with atomic(out / "maps" / f"{name}.qml") as temporary:
        temporary.write_text(_style(), encoding="utf-8")


def _style() -> str:
    """Return the QGIS style of a map. The palette of a GeoTIFF cannot make 0 transparent."""
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


def write_report(
    config: EvaluateConfig, training_set: "TrainingSet", model: Model, counted: Counted, summary: EvaluateSummary
) -> None:
    """Write the report, its pictures and the measurements to `config.out`."""
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


def _draw_windows(config: EvaluateConfig, training_set: "TrainingSet", model: Model, summary: EvaluateSummary) -> None:
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
    mapped = model.run(inputs(training_set, batch, set(chosen.event.tolist()))) >= summary.threshold
    codes = _codes(batch["landslide"] > 0, mapped, batch["weight"] > 0)[:, 0]
    titles = plots.window_titles(chosen)
    plots.draw_hits(config.out / "windows.png", images["pre"], images["post"], list(codes), titles, shown)


def _codes(landslide: NDArray[np.bool_], mapped: NDArray[np.bool_], known: NDArray[np.bool_]) -> NDArray[np.uint8]:
    from landslide_cli.training.plots import ALARM, HIT, MISS

    codes = np.select([landslide & mapped, landslide, mapped], [HIT, MISS, ALARM], 0)
    return np.where(known, codes, 255).astype(np.uint8)


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
        "The figures of the paper (table 2) come from real images of another event. They are for orientation only.",
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
        "a map that marks everything would find every landslide.",
        "",
        "| landslides | found | of | share |",
        "|---|---|---|---|",
    ]
    lines += [f"| {c['size']} | {c['found']} | {c['landslides']} | {text(c['share'])} |" for c in objects["by_size"]]
    if summary.changes:
        lines += [
            "",
            "Other changes, by their code in the rasters given with `prepare --changes`:",
            "",
            "| code | mapped | of | share |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| {c['code']} | {c['mapped']} | {c['pixels']} px | {percent(c['share'])} |" for c in summary.changes
        ]
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


def percent(share: float | None) -> str:
    """Return a share for people."""
    return "-" if share is None else f"{100 * share:.2f} %"


def text(value: float | None) -> str:
    """Return a score for people."""
    return "-" if value is None else f"{value:.3f}"
