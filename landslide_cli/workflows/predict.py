"""Run a model over an event: from images to a map of probability."""

import logging
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Final

import rasterio
from odc.geo.geobox import GeoBox

from landslide_cli.config import TILE_STEP_PX, PredictConfig
from landslide_cli.errors import InputError
from landslide_cli.event.folder import Event, open_to_write
from landslide_cli.event.products import PREDICTED
from landslide_cli.event.records import PredictOptions, PredictRecord
from landslide_cli.geo.bands import NOT_ANALYSED
from landslide_cli.geo.rasters import create
from landslide_cli.inference.models import Model, check_suits, load_model, windows_per_call
from landslide_cli.inference.prefetch import prefetch
from landslide_cli.inference.reader import EventReader
from landslide_cli.inference.sliding import SAMPLES, busiest
from landslide_cli.inference.sliding import predict as slide
from landslide_cli.inference.tta import SYMMETRIES, TtaEngine
from landslide_cli.progress import Progress, silent

log = logging.getLogger(__name__)

CACHE_BYTES: Final = 2**26
"""GDAL's cache can be small: the reader needs each block once and holds it itself."""


@dataclass(frozen=True, slots=True)
class PredictSummary:
    """The result of `predict`."""

    event: Path
    model: str
    provider: str
    """What the model ran on."""
    threshold: float
    analysed_percent: float
    """Percent of the event's grid that was analysed."""
    landslide_percent: float
    """Percent of the analysed pixels that reach the threshold."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """A checked configuration with its model, opened once."""

    config: PredictConfig
    model: Model
    tile_px: int
    stride_px: int
    threshold: float

    @property
    def options(self) -> PredictOptions:
        """The options that the map depends on, as they are recorded."""
        card, detector = self.model.card, self.model.is_detector
        return PredictOptions(
            model=card.name,
            model_version=card.version,
            model_sha256=self.model.sha256,
            threshold=self.threshold,
            tile_px=self.tile_px,
            stride_px=self.stride_px,
            symmetries=len(SYMMETRIES) if self.config.tta else 1,
            min_slope_deg=self.config.min_slope if detector else None,
            overviews=self.config.overviews,
        )


def resolve(config: PredictConfig) -> Prediction:
    """Open the model and work out the options that depend on it.

    Args:
        config: the options.

    Returns:
        The model with its options.

    Raises:
        InputError: the stride is larger than a window, or the window of the model cannot be used.
        ModelError: there is no such model, or it cannot be loaded.
    """
    model = load_model(config.model)
    card = model.card
    tile = card.tile_px if config.tile is None else config.tile
    if tile < TILE_STEP_PX or tile % TILE_STEP_PX:
        raise InputError(f"the window of {card.name}, {tile} px, must be a multiple of {TILE_STEP_PX}; give --tile 256")
    stride = tile * 3 // 4 if config.stride is None else config.stride
    if stride > tile:
        raise InputError(f"--stride {stride} must be within 1..{tile}, the window of {card.name}")
    threshold = card.threshold if config.threshold is None else config.threshold
    return Prediction(config, model, tile, stride, threshold)


def predict(
    config: PredictConfig, progress: Progress = silent, *, prediction: Prediction | None = None
) -> PredictSummary:
    """Write `probability.tif` into the event folder.

    Args:
        config: the options.
        progress: called with each step and the share done.
        prediction: the result of `resolve` for the same options, if it was called before.

    Returns:
        What was done.

    Raises:
        InputError: there is no such event, or an option is out of range.
        ModelError: the model cannot be loaded, or the event lacks what it needs.
        OutputError: the folder cannot be written.
    """
    event = open_to_write(config.event)
    prediction = prediction or resolve(config)
    card = prediction.model.card
    check_suits(card, event.bands, terrain=event.has("terrain"), where=event.folder)
    blank = tuple(band for band in card.bands if band not in event.bands)
    if blank:
        log.warning("the images lack %s; %s can run without, but its map is less certain", ", ".join(blank), card.name)
    began, analysed_px, landslide_px, total_px = perf_counter(), 0, 0, 0
    grid = _grid(event)
    with (
        rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES),
        EventReader(event, card.bands) as reader,
    ):
        samples = busiest(reader, prediction.tile_px, SAMPLES)
        engine = prediction.model.engine(config.device, config.min_slope, samples)
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
                TtaEngine(engine) if config.tta else engine,
                tile=prediction.tile_px,
                stride=prediction.stride_px,
                batch=windows_per_call(engine, config.batch),
                progress=lambda share: progress("predicting", share),
            )
            with closing(prefetch(strips)) as made:
                for row, percent in made:
                    writer.write(percent, row)
                    analysed = percent != NOT_ANALYSED
                    analysed_px += int(analysed.sum())
                    landslide_px += int((analysed & (percent >= 100 * prediction.threshold)).sum())
                    total_px += percent.size
    record = PredictRecord(
        **asdict(prediction.options),
        provider=engine.provider,
        blank_bands=blank,
        training_data=card.training_data,
        scores=dict(card.scores),
        limits=card.limits,
        analysed_percent=100 * analysed_px / total_px,
        landslide_percent=100 * landslide_px / max(analysed_px, 1),
        seconds=perf_counter() - began,
    )
    event.record(record, PREDICTED)
    return summarise(event, record)


def summarise(event: Event, record: PredictRecord) -> PredictSummary:
    """Return the summary of a recorded prediction."""
    return PredictSummary(
        event=event.folder,
        model=record.model,
        provider=record.provider,
        threshold=record.threshold,
        analysed_percent=record.analysed_percent,
        landslide_percent=record.landslide_percent,
        seconds=record.seconds,
    )


def _grid(event: Event) -> GeoBox:
    with rasterio.open(event.path("clear")) as clear:
        return GeoBox.from_rio(clear)
