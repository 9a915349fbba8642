"""Report which engines this machine has to run models on, and how fast each is."""

import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from typing import Final

import numpy as np
import rasterio
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from landslide_cli.card import ModelCard
from landslide_cli.config import BATCH, DoctorConfig
from landslide_cli.event.folder import Event
from landslide_cli.geo.bands import BANDS, REFLECTANCE_ONE
from landslide_cli.inference.engines import (
    ENGINES,
    POINT,
    REDUCED,
    Engine,
    Inputs,
    OnnxEngine,
    difference,
    load,
    processors,
)
from landslide_cli.inference.models import check_suits, find_model, shipped_models, windows_per_call
from landslide_cli.inference.reader import EventReader
from landslide_cli.inference.sliding import SAMPLES, busiest
from landslide_cli.progress import Progress, silent
from landslide_cli.simulation.spectra import SPECTRA, Material
from landslide_cli.version import __version__

MEASURE_S: Final = 3.0
"""Seconds for which each engine is measured."""


@dataclass(frozen=True, slots=True)
class EngineReport:
    """The result for one engine."""

    name: str
    why_not: str | None
    """Why it cannot be used; None if it can."""
    windows_per_second: float | None
    difference_points: float | None
    """Largest difference from the reference in the tested windows, in percentage points of probability."""
    used: bool
    """Whether `--device auto` would use it."""


@dataclass(frozen=True, slots=True)
class DoctorSummary:
    """The result of `doctor`."""

    versions: dict[str, str]
    processor: str
    processors: int
    models: tuple[str, ...]
    model: str
    tile_px: int
    tried_on: str
    engines: tuple[EngineReport, ...]


def doctor(config: DoctorConfig, progress: Progress = silent) -> DoctorSummary:
    """Load a network into every engine of this machine, compare the maps and measure the speed.

    Args:
        config: the options.
        progress: called with each step and the share done.

    Returns:
        The versions, the processor, and a report for each engine.

    Raises:
        InputError: the folder is not an event folder.
        ModelError: there is no such network, or it does not suit the event.
    """
    path = find_model(config.model)
    reference = OnnxEngine(path)
    samples = list(_from_event(config.event, reference.card) if config.event else random_windows(reference.card))
    answers = [reference.run(sample) for sample in samples]
    reports: list[EngineReport] = []
    for number, name in enumerate(ENGINES):
        progress(f"trying {name}", number / len(ENGINES))
        found = any(report.used for report in reports)
        reports.append(_report(path, name, reference, samples, answers, may_be_used=not found))
    return DoctorSummary(
        versions=_versions(),
        processor=_processor(),
        processors=processors(),
        models=tuple(shipped_models()),
        model=reference.card.name,
        tile_px=reference.card.tile_px,
        tried_on=f"{len(samples)} windows {f'of {config.event}' if config.event else 'that are simulated'}",
        engines=tuple(reports),
    )


def _report(
    path: Path,
    name: str,
    reference: OnnxEngine,
    samples: list[Inputs],
    answers: list[NDArray[np.float32]],
    *,
    may_be_used: bool,
) -> EngineReport:
    try:
        engine = load(path, name, reference)
        apart = difference(engine, samples, answers)
    except Exception as error:  # Drivers raise errors of any kind; the user wants to read them.
        return EngineReport(name, str(error).splitlines()[0][:200], None, None, used=False)
    rate = windows_per_second(engine, samples or list(random_windows(reference.card)), MEASURE_S)
    agrees = apart <= POINT and (bool(samples) or name not in REDUCED)
    return EngineReport(name, None, rate, 100 * apart, used=may_be_used and agrees)


def windows_per_second(engine: Engine, samples: Sequence[Inputs], at_least_s: float) -> float:
    """Measure the speed of an engine on windows in memory, in the batches that `predict` uses.

    Args:
        engine: the engine.
        samples: single windows of one size; they are repeated to fill a batch.
        at_least_s: how long to measure, in seconds.

    Returns:
        Windows per second.
    """
    windows = [samples[number % len(samples)] for number in range(windows_per_call(engine, BATCH))]
    batch = {name: np.concatenate([window[name] for window in windows]) for name in windows[0]}
    engine.run(batch)
    began, done = perf_counter(), 0
    while (seconds := perf_counter() - began) < at_least_s or not done:
        done += len(engine.run(batch))
    return done / seconds


def random_windows(card: ModelCard, count: int = SAMPLES, seed: int = 0) -> Iterator[Inputs]:
    """Yield simulated windows (1, C, H, W) float32 to try engines on: forest with bare scars on slopes."""
    rng = np.random.default_rng(seed)
    channels = [BANDS.index(band) for band in card.bands]
    forest, scar = (SPECTRA[material][channels] for material in (Material.BROADLEAF, Material.FRESH_BROWN))
    for _ in range(count):
        shape = (card.tile_px, card.tile_px)
        field = gaussian_filter(rng.standard_normal(shape), 6, mode="wrap")
        bare = np.clip((field / field.std() - 1.5) * 4, 0, 1)
        texture = 1 + 0.1 * rng.standard_normal((2, len(channels), *shape))
        pre = forest[:, None, None] * texture[0]
        post = (forest[:, None, None] * (1 - bare) + scar[:, None, None] * bare) * texture[1]
        slope = np.full(shape, 30.0)
        terrain = np.stack([1000 + 5.8 * np.arange(shape[0])[:, None] + 0 * slope, slope, 0 * slope, 0 * slope + 1])
        inputs = {"pre": REFLECTANCE_ONE * pre, "post": REFLECTANCE_ONE * post}
        if card.terrain:
            inputs["terrain"] = terrain
        yield {
            name: np.maximum(image, 1 if name != "terrain" else -500)[None].astype(np.float32)
            for name, image in inputs.items()
        }


def _from_event(folder: Path, card: ModelCard) -> Iterator[Inputs]:
    event = Event.open(folder)
    check_suits(card, event.bands, terrain=event.has("terrain"), where=folder)
    with EventReader(event, card.bands) as reader:
        yield from busiest(reader, card.tile_px, SAMPLES)


def _versions() -> dict[str, str]:
    found = {"landslide": __version__, "Python": platform.python_version(), "GDAL": rasterio.__gdal_version__}
    for package in ("onnxruntime-gpu", "onnxruntime", "openvino", "torch"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    """Return the name of the processor: on Linux from a file, on other systems from `platform`."""
    facts = Path("/proc/cpuinfo")
    if facts.exists():
        for line in facts.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
