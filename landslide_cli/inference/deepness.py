"""Converts a model for the QGIS plugin Deepness: one input with all channels, and the metadata that the plugin reads.

Deepness 0.6.5 reads the bands of one raster as stored, multiplies them by 1/255, and runs one window at a time. It
keeps the middle of each answer. The steps of `predict` that need only one window are added to the graph here:
unobserved pixels are filled before the network, and get probability 0 after it.

The package `onnx` edits graphs; only this module and `training` need it.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox

from landslide_cli.card import DEEPNESS_KEY, ModelCard
from landslide_cli.errors import InputError, ModelError, needs_extra
from landslide_cli.event.folder import Event
from landslide_cli.event.products import DEEPNESS, PRODUCTS, Product
from landslide_cli.files import atomic
from landslide_cli.geo.bands import NODATA, TERRAIN_BANDS
from landslide_cli.geo.fill import fill_unobserved
from landslide_cli.geo.vrt import StackBand, write_stack
from landslide_cli.inference.engines import OnnxEngine, run_file
from landslide_cli.inference.parity import example_inputs

if TYPE_CHECKING:
    import onnx

INPUT: Final = "deepness.stack"
OUTPUT: Final = "deepness.landslide"
"""Names that no network uses inside: torch names tensors after the operation of their node, such as `stack`."""
FACTOR: Final = 255.0
"""The plugin divides every value by this number, whatever its type."""
OPSET: Final = 13
"""First opset in which ReduceSum takes its axes as an input, as this module writes it."""
OVERLAP_PERCENT: Final = 25
"""Windows are three quarters of a window apart, as in `predict`."""


def channels(card: ModelCard) -> tuple[str, ...]:
    """Return the names of the raster bands that the model needs, in order."""
    images = [f"{side} {band}" for side in ("pre", "post") for band in card.bands]
    return (*images, *(TERRAIN_BANDS if card.terrain else ()))


def metadata(card: ModelCard) -> dict[str, str]:
    """Return the ONNX `metadata_props` that Deepness 0.6.5 reads, plus the card; each value is JSON."""
    count = len(channels(card))
    values: dict[str, Any] = {
        "model_type": "Segmentor",
        "class_names": {"0": "background", "1": "landslide"},
        "resolution": 100 * card.gsd_m,  # cm per pixel
        "tile_size": card.tile_px,
        "tiles_size": card.tile_px,  # name in the plugin's documentation; its code reads tile_size
        "tiles_overlap": OVERLAP_PERCENT,
        "standardization_mean": [0.0] * count,
        "standardization_std": [1.0] * count,
        "seg_thresh": card.threshold,
        "seg_small_segment": 0,  # a median filter, which would remove small landslides
        DEEPNESS_KEY: {"card": asdict(card), "channels": channels(card)},
    }
    return {key: json.dumps(value) for key, value in values.items()}


def write_single_input(model: Path, card: ModelCard, out: Path) -> None:
    """Write `model` with one input (N, C, S, S) and one output (N, 1, S, S), the probability.

    The input is `channels(card)` divided by 255: digital numbers, 0 where not observed, then terrain, NaN where
    unknown. Where a date or the terrain is missing, the probability is 0, and the network sees the mean of the rest
    of the window, as in `predict`.

    Args:
        model: ONNX file with the inputs `pre`, `post` and, if the card states it, `terrain`.
        card: card of the model.
        out: file to write.

    Raises:
        InputError: the package `onnx` is not installed.
        ModelError: the file uses an ONNX opset below 13.
        OutputError: `out` cannot be written.
    """
    try:
        import onnx
    except ModuleNotFoundError as error:
        raise InputError(needs_extra("a model for the QGIS plugin Deepness", "onnx", "deepness")) from error
    from onnx import TensorProto, helper, numpy_helper

    proto = onnx.load(model)
    opset = next((known.version for known in proto.opset_import if known.domain in ("", "ai.onnx")), 0)
    if opset < OPSET:
        raise ModelError(f"{model} uses ONNX opset {opset}; export it again with opset {OPSET} or later")
    graph = proto.graph
    before, after, constants = _nodes(card)
    nodes = [*before, *graph.node, *after]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    for values, name, count in ((graph.input, INPUT, len(channels(card))), (graph.output, OUTPUT, 1)):
        shape: list[str | int | None] = ["batch", count, card.tile_px, card.tile_px]
        del values[:]
        values.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    # Remove inner shapes: they were for windows of any size.
    del graph.value_info[:]
    del proto.metadata_props[:]
    helper.set_model_props(proto, metadata(card))
    onnx.checker.check_model(proto)
    with atomic(out) as temporary:
        temporary.write_bytes(proto.SerializeToString())


def _nodes(card: ModelCard) -> "tuple[list[onnx.NodeProto], list[onnx.NodeProto], dict[str, np.ndarray[Any, Any]]]":
    """Return nodes before and after the network, and their constants; all their names begin with `deepness`."""
    from onnx import TensorProto, helper

    bands = len(card.bands)
    parts = {"pre": (0, bands), "post": (bands, 2 * bands)}
    if card.terrain:
        parts["terrain"] = (2 * bands, 2 * bands + len(TERRAIN_BANDS))
    constants: dict[str, np.ndarray[Any, Any]] = {
        "deepness.factor": np.array(FACTOR, np.float32),
        "deepness.zero": np.array(0, np.float32),
        "deepness.one": np.array(1, np.float32),
        "deepness.channel": np.array([1], np.int64),
        "deepness.pixels": np.array([2, 3], np.int64),
    }
    nodes: list[onnx.NodeProto] = []

    def node(kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    values = node("Mul", [INPUT, "deepness.factor"], "deepness.values")
    known = {}
    for part, (first, last) in parts.items():
        constants |= {
            f"deepness.{part}.{end}": np.array([at], np.int64) for end, at in (("first", first), ("last", last))
        }
        cut = [values, f"deepness.{part}.first", f"deepness.{part}.last", "deepness.channel"]
        if part == "terrain":
            read = node("Slice", cut, f"deepness.{part}.read")
            total = node("ReduceSum", [read, "deepness.channel"], f"deepness.{part}.total", keepdims=1)
            unknown = node("IsNaN", [total], f"deepness.{part}.unknown")
            known[part] = node("Not", [unknown], f"deepness.{part}.known")
        else:
            # Digital numbers are integers, so rounding undoes the division exactly.
            read = node("Round", [node("Slice", cut, f"deepness.{part}.cut")], f"deepness.{part}.read")
            total = node("ReduceSum", [read, "deepness.channel"], f"deepness.{part}.total", keepdims=1)
            known[part] = node("Greater", [total, "deepness.zero"], f"deepness.{part}.known")
    clear = node("And", [known["pre"], known["post"]], "deepness.clear")
    if card.terrain:
        clear = node("And", [clear, known["terrain"]], "deepness.clear.known")
    for part in parts:
        seen = known[part] if part == "terrain" else clear
        bare = node("Where", [seen, f"deepness.{part}.read", "deepness.zero"], f"deepness.{part}.bare")
        total = node("ReduceSum", [bare, "deepness.pixels"], f"deepness.{part}.sum", keepdims=1)
        ones = node("Cast", [seen], f"deepness.{part}.ones", to=TensorProto.FLOAT)
        count = node("ReduceSum", [ones, "deepness.pixels"], f"deepness.{part}.count", keepdims=1)
        least = node("Max", [count, "deepness.one"], f"deepness.{part}.least")
        mean = node("Div", [total, least], f"deepness.{part}.mean")
        node("Where", [seen, bare, mean], part)
    before = list(nodes)
    nodes.clear()
    node("Where", [clear, "probability", "deepness.zero"], OUTPUT)
    return before, nodes, constants


def largest_difference(engine: OnnxEngine, path: Path) -> float:
    """Compare a converted model with its source, on windows with gaps in images and terrain.

    Args:
        engine: the source model.
        path: the model for the plugin.

    Returns:
        The largest difference in probability.
    """
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


def write_event_stack(event: Event, card: ModelCard, name: str) -> Path:
    """Write the input raster of the plugin, and list it in the record of the event.

    Args:
        event: the event.
        card: card of the model.
        name: name of the model file without its suffix.

    Returns:
        Path of the raster, a VRT in the event folder.

    Raises:
        OutputError: the raster cannot be written.
    """
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
            # A spare band, which the model does not need.
            bands.append(StackBand(channel, "uint16", NODATA, None))
    write_stack(path, geobox, bands)
    event.add(f"{DEEPNESS}_{name}", product)
    return path
