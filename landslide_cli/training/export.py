"""A trained network as one file that holds its normalisation and its card."""

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import onnxscript.optimizer
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.export import Dim

from landslide_cli.files import atomic
from landslide_cli.geo.bands import TERRAIN_BANDS
from landslide_cli.training.calibration import Scaling
from landslide_cli.training.module import ChangeModule
from landslide_cli.training.packing import pack

OPSET: Final = 18
INPUTS: Final = ("pre", "post", "terrain")
OUTPUT: Final = "probability"
AXES: Final = {0: "batch", 2: "height", 3: "width"}
"""Axes of any length, in all inputs and in the output alike."""


class SelfContained(nn.Module):
    """A network with its normalisation and the sigmoid: digital numbers in, probabilities out."""

    def __init__(self, normalisation: nn.Module, network: nn.Module, scaling: Scaling | None = None) -> None:
        """Join the normalisation of `(pre, post, terrain)`, the network of logits (N, 1, H, W), and the calibration."""
        super().__init__()
        self.normalisation = normalisation
        self.network = network
        self.scaling = scaling or Scaling()

    def forward(self, pre: Tensor, post: Tensor, terrain: Tensor) -> Tensor:
        """Return the landslide probability (N, 1, H, W) float32, 0..1.

        Args:
            pre: (N, B, H, W) float32 digital numbers as in `pre.tif`.
            post: the same as in `post.tif`.
            terrain: (N, 4, H, W) float32 as in `terrain.tif`, without NaN.
        """
        logits: Tensor = self.network(*self.normalisation(pre, post, terrain))
        if self.scaling != Scaling():
            logits = self.scaling.scale * logits + self.scaling.shift
        return torch.sigmoid(logits)


def self_contained(module: ChangeModule, scaling: Scaling) -> SelfContained:
    """Return the network of a training with its normalisation, in the memory layout of ONNX."""
    module.network.to(memory_format=torch.contiguous_format)
    return SelfContained(module.normalisation, module.network, scaling)


def answer(model: SelfContained, inputs: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return the probability (N, 1, H, W) that torch computes from `pre`, `post` and `terrain`, each (N, C, H, W)."""
    with torch.no_grad():
        tensors = [torch.from_numpy(inputs[name]) for name in INPUTS]
        probability: NDArray[np.float32] = model(*tensors).numpy()
    return probability


class InHalf(nn.Module):
    """A network that computes in float16; inputs and logits are float32."""

    def __init__(self, network: nn.Module) -> None:
        """Copy `network`; the original does not change."""
        super().__init__()
        self.network = deepcopy(network).half()

    def forward(self, pre: Tensor, post: Tensor, terrain: Tensor) -> Tensor:
        """Return the logits (N, 1, H, W) float32 of normalised inputs in float32."""
        logits: Tensor = self.network(pre.half(), post.half(), terrain.half())
        return logits.float()


def write_onnx(
    model: SelfContained,
    path: Path,
    metadata: Mapping[str, str],
    bands: int,
    *,
    half: bool = False,
    terrain_bands: int = len(TERRAIN_BANDS),
    example_px: int = 64,
) -> None:
    """Write `model` as a single ONNX file, opset 18, for batches and windows of any size.

    The file computes the same as `model`, in float32. For a smaller file, use `packing.rounded` first. The file of a
    network that ignores the terrain does not have that input.

    Args:
        model: the model; it does not change, and is exported in eval mode.
        path: the file to write; an existing one is replaced only when the new one is complete.
        metadata: entries of `metadata_props`, such as the card.
        bands: channels of `pre` and `post`.
        half: whether the network computes in float16; normalisation and sigmoid stay in float32.
        terrain_bands: channels of `terrain`.
        example_px: side of the windows that the graph is traced with, a multiple of 32.

    Raises:
        OutputError: the file cannot be written.
    """
    network = InHalf(model.network) if half else deepcopy(model.network)
    exported = SelfContained(deepcopy(model.normalisation), network, model.scaling).eval()
    # A batch of two, because the tracer takes a dimension of 1 for a constant.
    image = torch.full((2, bands, example_px, example_px + 32), 1000.0)
    terrain = torch.zeros(2, terrain_bands, example_px, example_px + 32)
    axes = dict.fromkeys(AXES, Dim.DYNAMIC)
    program = torch.onnx.export(
        exported,
        (image, image.clone(), terrain),
        dynamo=True,
        opset_version=OPSET,
        input_names=INPUTS,
        output_names=[OUTPUT],
        dynamic_shapes=(axes,) * len(INPUTS),
        external_data=False,
        # The optimiser would multiply batch norm into the weights, which then exceed float16. ONNX Runtime does the
        # same when it loads the file.
        optimize=False,
        verbose=False,
    )
    assert program is not None
    onnxscript.optimizer.fold_constants(program.model)
    onnxscript.optimizer.remove_unused_nodes(program.model)
    proto = pack(program.model_proto)
    _remove_unread_inputs(proto)
    for value in (*proto.graph.input, *proto.graph.output):
        for axis, name in AXES.items():
            value.type.tensor_type.shape.dim[axis].dim_param = name
    onnx.helper.set_model_props(proto, dict(metadata))
    onnx.checker.check_model(proto)
    with atomic(path) as temporary:
        temporary.write_bytes(proto.SerializeToString())


def _remove_unread_inputs(proto: onnx.ModelProto) -> None:
    """Remove inputs that no node reads."""
    read = {name for node in proto.graph.node for name in node.input}
    inputs = [value for value in proto.graph.input if value.name in read]
    del proto.graph.input[:]
    proto.graph.input.extend(inputs)


def copy_onnx(model: Path, out: Path, metadata: Mapping[str, str]) -> None:
    """Copy the ONNX file `model` to `out` and set `metadata` in its `metadata_props`; other entries stay."""
    proto = onnx.load(model)
    onnx.helper.set_model_props(proto, {prop.key: prop.value for prop in proto.metadata_props} | dict(metadata))
    onnx.save(proto, out)
