"""TODO."""

from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final

from landslide_cli.card import ModelCard
from landslide_cli.errors import InputError, ModelError
from landslide_cli.inference.detectors import DETECTORS
from landslide_cli.inference.engines import Engine, Inputs, OnnxEngine, check_device, open_model

TILE_STEP_PX: Final = 32
"""Networks halve a window five times."""


def windows_per_call(engine: Engine, batch: int) -> int:
    """Return how many windows to give an engine at once; see `config.BATCH`."""
    if engine.provider in ("cuda", "tensorrt"):
        return 4 * batch
    return 2 * batch if engine.provider.startswith("openvino") else batch


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
