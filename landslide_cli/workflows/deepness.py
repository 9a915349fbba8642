"""A model for the QGIS plugin Deepness, and the one raster of an event that the plugin reads."""

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox

from landslide_cli.card import ModelCard
from landslide_cli.config import ExportConfig
from landslide_cli.errors import InputError, ModelError
from landslide_cli.event.folder import Event
from landslide_cli.event.products import DEEPNESS, PRODUCTS, Product
from landslide_cli.files import atomic
from landslide_cli.geo.bands import NODATA, TERRAIN_BANDS
from landslide_cli.geo.fill import fill_unobserved
from landslide_cli.geo.vrt import StackBand, write_stack
from landslide_cli.inference.deepness import FACTOR, INPUT, channels, write_single_input
from landslide_cli.inference.detectors import DETECTORS
from landslide_cli.inference.engines import OnnxEngine, run_file
from landslide_cli.inference.models import check_suits, find_model
from landslide_cli.progress import Progress, silent
from landslide_cli.workflows.export import PARITY, check_out, example_inputs, export


@dataclass(frozen=True, slots=True)
class DeepnessSummary:
    """What was written for the plugin, and how well it agrees with the model it was made of."""

    model: Path
    stack: Path | None
    """The raster that the plugin reads; none without an event."""
    channels: tuple[str, ...]
    """What the raster's bands are."""
    tile_px: int
    threshold: float
    megabytes: float
    difference: float
    """Largest difference in probability from what `predict` gives for a window."""


def export_for_deepness(config: ExportConfig, progress: Progress = silent) -> DeepnessSummary:
    """Write a model with one input for the QGIS plugin Deepness, and with an event the raster that it reads.

    Raises:
        InputError: there is no such run or event, the file exists, or a package is not installed.
        ModelError: the model cannot be rebuilt, or does not suit the event.
        OutputError: a file cannot be written.
    """
    check_out(config)
    if str(config.run) in DETECTORS:
        raise InputError(f"{config.run} is no network; run it with `landslide predict --model {config.run}`")
    event = Event.open(config.event) if config.event else None
    with TemporaryDirectory() as folder:
        model = Path(folder) / config.out.name
        if config.run.is_dir():
            export(replace(config, out=model), progress)
        else:
            model = find_model(str(config.run))
            if config.out.exists() and model.samefile(config.out):
                raise InputError(f"--out {config.out} is the model itself, which `predict` needs; give another name")
        engine = OnnxEngine(model)
        card = engine.card
        if event:
            check_suits(card, event.bands, terrain=event.has("terrain"), where=event.folder)
        progress("joining the inputs", 0.3)
        with atomic(config.out) as temporary:
            write_single_input(model, card, temporary)
            progress("comparing with the model", 0.7)
            difference = _difference(engine, temporary)
            if not difference <= PARITY:
                raise ModelError(
                    f"the model for Deepness differs from its source by {difference:.2g}, over {PARITY:g}; not written"
                )
    stack = _stack(event, card, config.out.stem) if event else None
    megabytes = config.out.stat().st_size / 1e6
    return DeepnessSummary(config.out, stack, channels(card), card.tile_px, card.threshold, megabytes, difference)


def _difference(engine: OnnxEngine, path: Path) -> float:
    """Return the largest difference in probability of windows with holes, some in the images, some in the terrain."""
    card = engine.card
    inputs = example_inputs(len(card.bands), card.tile_px)
    inputs |= {side: np.rint(inputs[side]) for side in ("pre", "post")}
    hidden, unknown = (np.zeros((card.tile_px, card.tile_px), bool) for _ in range(2))
    third = card.tile_px // 3
    hidden[:third, third:] = True
    unknown[-third:, :third] = True
    clear = ~hidden & ~(unknown & card.terrain)
    seen = {side: np.stack([fill_unobserved(window, clear) for window in inputs[side]]) for side in ("pre", "post")}
    seen["terrain"] = np.stack([fill_unobserved(window, ~unknown) for window in inputs["terrain"]])
    expected = engine.run(seen) * clear
    stored = {side: np.where(hidden, NODATA, inputs[side]) for side in ("pre", "post")}
    if card.terrain:
        stored["terrain"] = np.where(unknown, np.nan, inputs["terrain"])
    stack = np.concatenate(list(stored.values()), axis=1).astype(np.float32) / np.float32(FACTOR)
    return float(np.abs(run_file(path, {INPUT: stack}) - expected).max())


def _stack(event: Event, card: ModelCard, name: str) -> Path:
    """Write the raster that the plugin reads, and list it in the record of the event."""
    product = Product(
        f"{DEEPNESS}/{name}.vrt", f"What the QGIS plugin Deepness reads for {name}.onnx", "application/xml", ("data",)
    )
    path = event.folder / product.file
    with rasterio.open(event.path("clear")) as clear:
        geobox = GeoBox.from_rio(clear)
    files = {key: f"../{PRODUCTS[key].file}" for key in ("pre", "post", "terrain", "clear")}
    bands = []
    for channel in channels(card):
        side, _, band = channel.partition(" ")
        if channel in TERRAIN_BANDS:
            source = (files["terrain"], TERRAIN_BANDS.index(channel) + 1)
            bands.append(StackBand(channel, "float32", float("nan"), source))
        elif band in event.bands:
            source = (files[side], event.bands.index(band) + 1)
            bands.append(StackBand(channel, "uint16", NODATA, source, files["clear"]))
        else:
            # One that the model can do without.
            bands.append(StackBand(channel, "uint16", NODATA, None))
    write_stack(path, geobox, bands)
    event.add(f"{DEEPNESS}_{name}", product)
    return path
