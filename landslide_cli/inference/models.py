"""Models by name or path: shipped networks, ONNX files and detectors, each opened once."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, ClassVar

from landslide_cli.card import ModelCard
from landslide_cli.config import TILE_STEP_PX, Checked, Device, Option
from landslide_cli.errors import InputError, ModelError
from landslide_cli.files import sha256_of
from landslide_cli.inference.detectors import DETECTORS
from landslide_cli.inference.engines import Engine, Inputs, OnnxEngine, choose_engine


@dataclass(frozen=True, slots=True)
class Model:
    """A network or a detector."""

    card: ModelCard
    file: Path | None = None
    """The ONNX file; None for a detector."""
    reference: OnnxEngine | None = None
    """The network in ONNX Runtime on the CPU; None for a detector."""
    sha256: str | None = None
    """SHA-256 of the file."""

    @property
    def is_detector(self) -> bool:
        """Whether this is a training-free detector."""
        return self.reference is None

    def engine(self, device: Device, min_slope_deg: float, samples: Iterable[Inputs] | None = None) -> Engine:
        """Return what runs the model.

        Args:
            device: what to run on; `auto` takes the fastest that gives the same map.
            min_slope_deg: detectors ignore flatter ground.
            samples: windows on which engines are compared, see `engines.choose_engine`.

        Returns:
            The engine.
        """
        if self.reference is None:
            return DETECTORS[self.card.name](min_slope_deg)
        return choose_engine(self.reference, device, samples)


def load_model(name: str) -> Model:
    """Open a model; its file is read once.

    Args:
        name: name of a shipped network or of a detector, or path of an ONNX file.

    Returns:
        The model.

    Raises:
        ModelError: there is no such model, or it cannot be loaded.
    """
    if name in DETECTORS:
        return Model(DETECTORS[name](0).card)
    path = find_model(name)
    reference = OnnxEngine(path)
    return Model(reference.card, path, reference, sha256_of(path))


def shipped_models() -> dict[str, Path]:
    """Return the model files that come with the program, by name."""
    packaged = Path(str(files("landslide_cli"))) / "weights"
    # In a checkout the weights lie beside the package; in a wheel inside it.
    folder = packaged if packaged.is_dir() else packaged.parents[1] / "weights"
    return {path.stem: path for path in sorted(folder.glob("*.onnx"))}


def find_model(name: str) -> Path:
    """Return the file of a network.

    Args:
        name: name of a shipped network, or path of an ONNX file.

    Returns:
        The path of the file.

    Raises:
        ModelError: there is no such file.
    """
    shipped = shipped_models()
    path = shipped.get(name, Path(name))
    if path.is_dir():
        raise ModelError(
            f"model {name!r} is a folder; make a model of a training run with: landslide export {name} --out NAME.onnx"
        )
    if not path.is_file():
        known = ", ".join([*shipped, *DETECTORS])
        raise ModelError(
            f"model {name!r} is neither a known name nor a file; known: {known}, or the path of an ONNX file"
        )
    return path


def read_card(name: str) -> ModelCard:
    """Return the card of a model, without preparing it to run.

    Args:
        name: name of a shipped network or of a detector, or path of an ONNX file.

    Returns:
        The card.

    Raises:
        ModelError: there is no such model, or it cannot be loaded.
    """
    if name in DETECTORS:
        return DETECTORS[name](0).card
    return OnnxEngine(find_model(name), optimised=False).card


def windows_per_call(engine: Engine, batch: int) -> int:
    """Return the number of windows to give an engine in one call; see `config.BATCH`."""
    if engine.provider in ("cuda", "tensorrt"):
        return 4 * batch
    return 2 * batch if engine.provider.startswith("openvino") else batch


def check_suits(card: ModelCard, bands: Sequence[str], *, terrain: bool, where: object) -> None:
    """Refuse a model that reads what an event does not have.

    Args:
        card: card of the model.
        bands: bands of the event.
        terrain: whether the event has terrain.
        where: names the event in the message.

    Raises:
        ModelError: terrain is missing, or bands that the model needs; the message names a model that would run.
    """
    missing = [band for band in card.bands if band not in bands and band not in card.spare_bands]
    if missing:
        raise ModelError(
            f"model {card.name} reads {', '.join(missing)}, which {where} does not have "
            f"(it has {', '.join(bands)}); {_alternative(bands, terrain)}"
        )
    if card.terrain and not terrain:
        raise ModelError(
            f"model {card.name} reads terrain, and {where} was made without terrain; {_alternative(bands, terrain)}"
        )


def _alternative(bands: Sequence[str], terrain: bool) -> str:
    """Return the advice to use a model that would run."""
    for name in (*shipped_models(), *DETECTORS):
        card = read_card(name)
        if set(card.bands) - set(card.spare_bands) <= set(bands) and (terrain or not card.terrain):
            return f"use --model {card.name}, which reads {', '.join(card.bands)}"
    return "fetch the event again with more bands: no model runs on these"


def check_model_out(out: Path, *, overwrite: bool) -> None:
    """Refuse a model file that must not be written.

    Args:
        out: the file.
        overwrite: whether it may replace a file.

    Raises:
        InputError: its name does not end in `.onnx`, or it exists.
    """
    if out.suffix != ".onnx" or out.is_dir():
        raise InputError(f"--out {out} must be the name of a file that ends in .onnx")
    if out.exists() and not overwrite:
        raise InputError(f"{out} exists; give --overwrite to replace it, or another --out")


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFacts(Checked):
    """What a TOML file may add to a model card; None leaves the card as it is."""

    PREFIX: ClassVar[str] = ""

    version: Annotated[str | None, Option(help="Version of the model.")] = None
    training_data: Annotated[str | None, Option(help="What the model learned from.")] = None
    limits: Annotated[str | None, Option(help="What the model has not been shown to do.")] = None
    licence: Annotated[str | None, Option(help="Licence of the weights.")] = None
    tile_px: Annotated[int | None, Option(help="Side of the windows.", least=TILE_STEP_PX, step=TILE_STEP_PX)] = None
    scores: Annotated[Mapping[str, float] | None, Option(help="Measured scores, by name.")] = None
    threshold: Annotated[
        float | None, Option(help="A pixel is a landslide from this probability on.", above=0, most=1)
    ] = None


def with_facts(card: ModelCard, path: Path) -> ModelCard:
    """Return a card with what a TOML file adds.

    Args:
        card: the card.
        path: TOML file with fields of `CardFacts`; its `scores` are added to those of the card.

    Returns:
        The new card.

    Raises:
        InputError: the file cannot be read, has a field that only a training run sets, or has a value out of bounds.
    """
    try:
        facts: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"--card {path} cannot be read as TOML ({error})") from error
    kinds: dict[str, type] = dict.fromkeys(("version", "training_data", "limits", "licence"), str)
    kinds |= {"tile_px": int, "scores": dict, "threshold": float}
    wrong = [key for key, value in facts.items() if key not in kinds or not isinstance(value, kinds[key])]
    if wrong:
        raise InputError(f"--card {path}: {', '.join(wrong)} cannot be given; it may hold {', '.join(kinds)}")
    try:
        given = asdict(CardFacts(**facts))
    except InputError as error:
        raise InputError(f"--card {path}: {error}") from error
    scores = {**card.scores, **(given.pop("scores") or {})}
    return replace(card, **{key: value for key, value in given.items() if value is not None}, scores=scores)
