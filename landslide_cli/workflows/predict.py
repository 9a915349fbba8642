"""An event through a model, to a map of probabilities."""

import logging
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Final

import rasterio
from odc.geo.geobox import GeoBox

from landslide_cli.card import ModelCard
from landslide_cli.config import OVERVIEWS, PredictConfig
from landslide_cli.errors import InputError
from landslide_cli.event.folder import Event
from landslide_cli.event.products import PREDICTED
from landslide_cli.files import sha256_of
from landslide_cli.geo.bands import NOT_ANALYSED
from landslide_cli.geo.rasters import create
from landslide_cli.inference.detectors import DETECTORS
from landslide_cli.inference.engines import check_device
from landslide_cli.inference.models import (
    check_suits,
    check_threshold,
    check_tile,
    find_model,
    open_engine,
    read_card,
    windows_per_call,
)
from landslide_cli.inference.prefetch import ahead
from landslide_cli.inference.reader import EventReader
from landslide_cli.inference.sliding import busiest
from landslide_cli.inference.sliding import predict as slide
from landslide_cli.inference.tta import SYMMETRIES, Symmetric
from landslide_cli.progress import Progress, silent

log = logging.getLogger("landslide.predict")

SAMPLES: Final = 3
"""Windows to try engines on."""
CACHE_BYTES: Final = 2**26
"""Room for the blocks under way: the reader holds what it needs of them, and needs none twice."""


@dataclass(frozen=True, slots=True)
class PredictSummary:
    """What `predict` did."""

    event: Path
    model: str
    provider: str
    """What the model ran on."""
    threshold: float
    analysed_percent: float
    """Percent of the event's grid that was analysed."""
    landslide_percent: float
    """Percent of what was analysed that reaches the threshold."""
    seconds: float


def predict(config: PredictConfig, progress: Progress = silent) -> PredictSummary:
    """Write `probability.tif` into the event folder.

    Raises:
        InputError: there is no such event, or an option is out of range.
        ModelError: the model cannot be loaded, or the event lacks what it needs.
        OutputError: the folder cannot be written.
    """
    event = Event.open(config.event)
    card = read_card(config.model)
    tile, stride = check_options(config, card)
    check_suits(card, event.bands, terrain=event.has("terrain"), where=event.folder)
    blank = [band for band in card.bands if band not in event.bands]
    if blank:
        log.warning("the images lack %s: %s does without, and its map is less sure", ", ".join(blank), card.name)
    threshold = card.threshold if config.threshold is None else config.threshold
    began, analysed_px, landslide_px, total_px = perf_counter(), 0, 0, 0
    grid = _grid(event)
    with (
        rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES),
        EventReader(event, card.bands) as reader,
    ):
        engine = open_engine(config.model, config.device, config.min_slope, busiest(reader, tile, SAMPLES))
        log.info("%s runs on %s", card.name, engine.provider)
        with create(
            event.path("probability"),
            grid,
            dtype="uint8",
            nodata=NOT_ANALYSED,
            names=("probability_percent",),
            overviews=config.overviews,
        ) as writer:
            strips = slide(
                reader,
                Symmetric(engine) if config.tta else engine,
                tile=tile,
                stride=stride,
                batch=windows_per_call(engine, config.batch),
                progress=lambda share: progress("predicting", share),
            )
            with closing(ahead(strips)) as made:
                for row, percent in made:
                    writer.write(percent, row)
                    analysed = percent != NOT_ANALYSED
                    analysed_px += int(analysed.sum())
                    landslide_px += int((analysed & (percent >= 100 * threshold)).sum())
                    total_px += percent.size
    facts = {
        **prediction_options(config, card),
        "provider": engine.provider,
        "blank_bands": blank,
        "training_data": card.training_data,
        "scores": dict(card.scores),
        "limits": card.limits,
        "analysed_percent": 100 * analysed_px / total_px,
        "landslide_percent": 100 * landslide_px / max(analysed_px, 1),
        "seconds": perf_counter() - began,
    }
    return recorded(event.record("predict", PREDICTED, facts))


def prediction_options(config: PredictConfig, card: ModelCard) -> dict[str, object]:
    """Return what a map of probability and its threshold depend on beside the event, as it is recorded.

    Raises:
        InputError: an option is out of range.
    """
    tile, stride = check_options(config, card)
    detector = config.model in DETECTORS
    return {
        "model": card.name,
        "model_version": card.version,
        "model_sha256": None if detector else sha256_of(find_model(config.model)),
        "threshold": card.threshold if config.threshold is None else config.threshold,
        "tile_px": tile,
        "stride_px": stride,
        "symmetries": len(SYMMETRIES) if config.tta else 1,
        "min_slope_deg": config.min_slope if detector else None,
        "overviews": config.overviews,
    }


def recorded(event: Event) -> PredictSummary:
    """Return the summary of an event that was predicted."""
    done = event.step("predict")
    return PredictSummary(
        event=event.folder,
        model=done["model"],
        provider=done["provider"],
        threshold=done["threshold"],
        analysed_percent=done["analysed_percent"],
        landslide_percent=done["landslide_percent"],
        seconds=done["seconds"],
    )


def check_options(config: PredictConfig, card: ModelCard) -> tuple[int, int]:
    """Return the window and the stride in pixels.

    Raises:
        InputError: an option is unknown or out of range.
    """
    check_threshold(config.threshold)
    check_device(config.device)
    if config.overviews not in OVERVIEWS:
        raise InputError(f"--overviews {config.overviews} is unknown; use {', '.join(OVERVIEWS)}")
    tile = card.tile_px if config.tile is None else config.tile
    check_tile(tile)
    stride = tile * 3 // 4 if config.stride is None else config.stride
    if not 1 <= stride <= tile:
        raise InputError(f"--stride {stride} must be within 1..{tile}, the window of {card.name}")
    return tile, stride


def _grid(event: Event) -> GeoBox:
    with rasterio.open(event.path("clear")) as clear:
        return GeoBox.from_rio(clear)
