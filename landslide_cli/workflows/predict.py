"""An event through a model, to a map of probabilities."""

import logging
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from time import perf_counter
from typing import Final

import rasterio
from odc.geo.geobox import GeoBox

from landslide_cli.config import OVERVIEWS, PredictConfig, Progress, silent
from landslide_cli.errors import InputError, ModelError
from landslide_cli.event import PREDICTED, Event
from landslide_cli.files import sha256_of
from landslide_cli.imagery.bands import NOT_ANALYSED
from landslide_cli.imagery.cog import create
from landslide_cli.inference.ahead import ahead
from landslide_cli.inference.card import ModelCard
from landslide_cli.inference.engines import Engine, Inputs, OnnxEngine, check_device, open_model
from landslide_cli.inference.indices import DETECTORS
from landslide_cli.inference.reader import EventReader
from landslide_cli.inference.sliding import busiest
from landslide_cli.inference.sliding import predict as slide
from landslide_cli.inference.symmetry import SYMMETRIES, Symmetric

log = logging.getLogger("landslide.predict")

TILE_STEP_PX: Final = 32
"""Networks halve a window five times."""
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


def windows_per_call(engine: Engine, batch: int) -> int:
    """Return how many windows to give an engine at once; see `config.BATCH`."""
    if engine.provider in ("cuda", "tensorrt"):
        return 4 * batch
    return 2 * batch if engine.provider.startswith("openvino") else batch


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


def check_tile(tile_px: int, named: str = "--tile") -> None:
    """Refuse a window, said by the option `named`, that no network can run in.

    Raises:
        InputError: its side is no multiple of `TILE_STEP_PX`.
    """
    if tile_px < TILE_STEP_PX or tile_px % TILE_STEP_PX:
        raise InputError(f"{named} {tile_px} must be a multiple of {TILE_STEP_PX}, such as 256")


def check_threshold(threshold: float | None, named: str = "--threshold") -> None:
    """Refuse a threshold, said by the option `named`, that no probability can be meant by.

    Raises:
        InputError: it is not within 0..1, or 0, by which everything would be a landslide.
    """
    if threshold is not None and not 0 < threshold <= 1:
        raise InputError(f"{named} {threshold:g} is no probability above 0 and up to 1; give one such as 0.5")


def shipped_models() -> dict[str, Path]:
    """Return the models that come with the program, by name."""
    packaged = Path(str(files("landslide_cli"))) / "weights"
    # In a checkout the weights lie beside the package; in a wheel inside it.
    folder = packaged if packaged.is_dir() else packaged.parents[1] / "weights"
    return {path.stem: path for path in sorted(folder.glob("*.onnx"))}


def open_engine(model: str, device: str, min_slope_deg: float, samples: Iterable[Inputs] | None = None) -> Engine:
    """Open a model by name or path, on windows `samples` to try engines on; see `engines.open_model`.

    Raises:
        InputError: the device is unknown.
        ModelError: there is no such model, or it cannot be loaded.
    """
    check_device(device)
    if model in DETECTORS:
        return DETECTORS[model](min_slope_deg)
    return open_model(find_model(model), device, samples)


def read_card(model: str) -> ModelCard:
    """Return the card of a model by name or path.

    Raises:
        ModelError: there is no such model, or it cannot be loaded.
    """
    if model in DETECTORS:
        return DETECTORS[model](0).card
    return OnnxEngine(find_model(model), optimised=False).card


def find_model(model: str) -> Path:
    """Return the file of a network by name or path.

    Raises:
        ModelError: there is none.
    """
    shipped = shipped_models()
    path = shipped.get(model, Path(model))
    if path.is_dir():
        raise ModelError(
            f"model {model!r} is a folder; of a training run, make a model: landslide export {model} --out NAME.onnx"
        )
    if not path.is_file():
        known = ", ".join([*shipped, *DETECTORS])
        raise ModelError(
            f"model {model!r} is neither a known name nor a file; known: {known}, or the path of an ONNX file"
        )
    return path


def check_suits(card: ModelCard, bands: Sequence[str], *, terrain: bool, where: object) -> None:
    """Refuse a model that reads what an event does not have.

    Args:
        card: of the model.
        bands: those of the event.
        terrain: whether the event has terrain.
        where: names the event in the message.

    Raises:
        ModelError: bands that it cannot do without are missing, or terrain; the message says which model would run.
    """
    missing = [band for band in card.bands if band not in bands and band not in card.spare_bands]
    if missing:
        raise ModelError(
            f"model {card.name} reads {', '.join(missing)}, which {where} does not have "
            f"(it has {', '.join(bands)}); {_alternative(bands, terrain)}"
        )
    if card.terrain and not terrain:
        raise ModelError(
            f"model {card.name} reads terrain, and {where} was made without; {_alternative(bands, terrain)}"
        )


def _alternative(bands: Sequence[str], terrain: bool) -> str:
    """Say which model would run."""
    candidates = [OnnxEngine(path, optimised=False).card for path in shipped_models().values()]
    candidates += [detector(0).card for detector in DETECTORS.values()]
    for card in candidates:
        if set(card.bands) - set(card.spare_bands) <= set(bands) and (terrain or not card.terrain):
            return f"use --model {card.name}, which reads {', '.join(card.bands)}"
    return "fetch the event again with more bands: no model runs on these"


def _grid(event: Event) -> GeoBox:
    with rasterio.open(event.path("clear")) as clear:
        return GeoBox.from_rio(clear)
