"""Weights stored in fewer bits: rounded ones come back to the last bit, and the runtime notices nothing."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from landslide_cli.errors import ModelError
from landslide_cli.training.packing import EIGHT_BITS_FROM, LARGEST, pack, rounded, unpacked


@pytest.fixture
def network() -> nn.Sequential:
    """A convolution worth eight bits, one that is not, and what keeps its precision; channels of very unlike sizes."""
    torch.manual_seed(0)
    large, norm, small = nn.Conv2d(64, 64, 3), nn.BatchNorm2d(64), nn.Conv2d(64, 4, 3)
    with torch.no_grad():
        large.weight.mul_(10.0 ** torch.linspace(-12, 3, 64).reshape(-1, 1, 1, 1))
        large.weight[5] = 0
        norm.weight.fill_(1e-9)
    assert large.weight.numel() >= EIGHT_BITS_FROM > small.weight.numel()
    return nn.Sequential(large, norm, small)


@pytest.mark.parametrize("eight_bits", [False, True])
def test_rounding_leaves_the_model_and_what_is_small(network: nn.Sequential, eight_bits: bool) -> None:
    before = {key: value.clone() for key, value in network.state_dict().items()}
    after = rounded(network, eight_bits=eight_bits).state_dict()
    for key, value in network.state_dict().items():
        assert torch.equal(value, before[key])
        if value.ndim < 2:
            assert torch.equal(after[key], value)
        elif key == "2.weight" or not eight_bits:
            assert torch.equal(after[key], value.half().float())
    if eight_bits:
        # Half a step of each channel, whatever its size; float16 has no numbers for the smallest of them.
        step = before["0.weight"].abs().amax(dim=(1, 2, 3), keepdim=True) / LARGEST
        assert ((after["0.weight"] - before["0.weight"]).abs() <= 0.501 * step).all()
        assert not torch.equal(after["0.weight"], before["0.weight"])


@pytest.mark.parametrize(("eight_bits", "kind"), [(False, TensorProto.FLOAT16), (True, TensorProto.INT8)])
def test_what_was_rounded_comes_back_and_computes_the_same(
    network: nn.Sequential, eight_bits: bool, kind: int, tmp_path: Path
) -> None:
    weight = rounded(network, eight_bits=eight_bits).state_dict()["0.weight"].numpy()
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"])], "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 64, 8, 8))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 64, 6, 6))],
        [numpy_helper.from_array(weight, "w")],
    )  # fmt: skip
    plain = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    packed = pack(plain)
    onnx.checker.check_model(packed)
    assert kind in {initializer.data_type for initializer in packed.graph.initializer}
    assert packed.ByteSize() < plain.ByteSize() * (0.27 if eight_bits else 0.52)
    assert np.array_equal(unpacked(packed)["w"], weight)
    assert unpacked(packed).keys() == unpacked(plain).keys() == {"w"}
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    x = np.random.default_rng(0).normal(size=(1, 64, 8, 8)).astype(np.float32)
    answers = []
    for model in (plain, packed):
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        answers += session.run(None, {"x": x})
    assert np.array_equal(*answers)
    assert [node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node] == ["Conv"]


def test_weights_that_no_one_rounded_stay_as_they_are(network: nn.Sequential) -> None:
    weight = network.state_dict()["0.weight"].numpy()
    graph = helper.make_graph([], "none", [], [], [numpy_helper.from_array(weight, "w")])
    packed = pack(helper.make_model(graph))
    assert packed.graph.initializer[0].data_type == TensorProto.FLOAT
    assert np.array_equal(unpacked(packed)["w"], weight)


def test_weights_beyond_float16_are_refused(network: nn.Sequential) -> None:
    with torch.no_grad():
        next(network[2].parameters()).fill_(1e6)
    with pytest.raises(ModelError, match=r"2\.weight"):
        rounded(network, eight_bits=True)
