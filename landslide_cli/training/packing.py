"""Store weights in fewer bits than they compute with: the file has half or a quarter of the size."""

from copy import deepcopy
from typing import Final, TypeVar

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from landslide_cli.errors import ModelError

Model = TypeVar("Model", bound=nn.Module)

EIGHT_BITS_FROM: Final = 20_000
"""Smallest number of weights of a tensor that is stored in eight bits."""
LARGEST: Final = 127
"""Largest whole number that stands for a weight in eight bits."""
HALF: Final = ".half"
BYTES: Final = ".int8"
SCALE: Final = ".scale"
"""Ends of the names of the tensors that are stored for a weight."""


def rounded(model: Model, *, eight_bits: bool = False) -> Model:
    """Return a copy of `model` whose convolution and matrix weights are numbers that `pack` stores in fewer bits.

    The copy computes in float32 as before. Biases and the statistics of batch norm keep their precision: they
    take no room, and a small variance would suffer.

    Args:
        model: it is left as it is.
        eight_bits: of tensors of `EIGHT_BITS_FROM` and more, make each weight a whole number up to 127 times a scale
            that belongs to its output channel. All others become what float16 can hold.

    Raises:
        ModelError: a weight is not finite, or too large for float16.
    """
    copy = deepcopy(model)
    with torch.no_grad():
        for name, parameter in copy.named_parameters():
            if parameter.ndim < 2:
                continue
            half = parameter.half()
            if not torch.isfinite(half).all():
                raise ModelError(f"{name} holds a weight beyond the range of float16; the training diverged")
            if eight_bits and parameter.numel() >= EIGHT_BITS_FROM:
                whole, scale = _in_bytes(parameter.numpy())
                parameter.copy_(torch.from_numpy(whole * scale))
            else:
                parameter.copy_(half)
    return copy


def pack(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of `proto` that stores each large weight in the fewest bits that hold it exactly.

    What makes float32 of it again are nodes that the runtime folds when it loads the file: nothing is lost here, and
    nothing is slower.
    """
    packed = onnx.ModelProto()
    packed.CopyFrom(proto)
    graph = packed.graph
    stored, nodes = [], []
    for initializer in graph.initializer:
        weight, name = numpy_helper.to_array(initializer), initializer.name
        if weight.dtype != np.float32 or weight.ndim < 2:
            stored.append(initializer)
            continue
        whole, scale = _in_bytes(weight)
        half = weight.astype(np.float16)
        if weight.size >= EIGHT_BITS_FROM and np.array_equal(whole * scale, weight):
            stored += [numpy_helper.from_array(whole, name + BYTES), numpy_helper.from_array(scale, name + SCALE)]
            nodes += [
                helper.make_node("Cast", [name + BYTES], [f"{name}.whole"], to=TensorProto.FLOAT),
                helper.make_node("Mul", [f"{name}.whole", name + SCALE], [name]),
            ]
        elif np.array_equal(half.astype(np.float32), weight):
            stored.append(numpy_helper.from_array(half, name + HALF))
            nodes.append(helper.make_node("Cast", [name + HALF], [name], to=TensorProto.FLOAT))
        else:
            stored.append(initializer)
    nodes += graph.node
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(stored)
    graph.node.extend(nodes)
    return packed


def unpacked(proto: onnx.ModelProto) -> dict[str, NDArray[np.float32]]:
    """Return the weights that `pack` stored, and all others, by name, as float32."""
    arrays = {initializer.name: numpy_helper.to_array(initializer) for initializer in proto.graph.initializer}
    weights = {}
    for name, array in arrays.items():
        if name.endswith(BYTES):
            weights[name.removesuffix(BYTES)] = array * arrays[name.removesuffix(BYTES) + SCALE]
        elif not name.endswith(SCALE) and array.dtype.kind == "f":
            weights[name.removesuffix(HALF)] = array.astype(np.float32)
    return weights


def _in_bytes(weight: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return whole numbers and a scale for each output channel; their products approximate `weight`.

    Of weights that are such products already they give these back.
    """
    across = tuple(range(1, weight.ndim))
    mantissa, exponent = np.frexp(np.abs(weight).max(axis=across, keepdims=True) / LARGEST)
    # So few digits that products with seven bits are exact.
    scale = np.ldexp(np.ceil(mantissa * 2**12) / 2**12, exponent).astype(np.float32)
    whole = np.rint(weight / np.where(scale > 0, scale, 1)).astype(np.int8)
    return whole, scale
