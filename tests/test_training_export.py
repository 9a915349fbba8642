"""The exported file computes what the network computes, for windows and batches of any size."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from landslide_cli.training.export import SelfContained, write_onnx
from landslide_cli.training.normalisation import PaperNormalisation
from landslide_cli.training.packing import rounded


class SmallNetwork(nn.Module):
    """Shared convolutions and batch norm, as in the large networks, but quick to export."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8))
        self.head = nn.Conv2d(12, 1, 1)

    def forward(self, pre: Tensor, post: Tensor, terrain: Tensor) -> Tensor:
        difference = self.encoder(post) - self.encoder(pre)
        maps = torch.cat([nn.functional.interpolate(difference, pre.shape[2:]), terrain], dim=1)
        logits: Tensor = self.head(maps)
        return logits


def trained(network: nn.Module, bands: int) -> SelfContained:
    """Give batch norm statistics of its own, as a training does."""
    model = SelfContained(PaperNormalisation(), network).train()
    with torch.no_grad():
        for seed in range(2):
            model(*(torch.from_numpy(values) for values in inputs(2, 64, 64, bands, seed).values()))
    return model.eval()


def inputs(n: int, height: int, width: int, bands: int, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    generator = np.random.default_rng(seed)
    terrain = generator.uniform((0, 0, -1, -1), (4000, 60, 1, 1), (n, height, width, 4)).transpose(0, 3, 1, 2)
    return {
        "pre": generator.uniform(0, 12_000, (n, bands, height, width)).astype(np.float32),
        "post": generator.uniform(0, 12_000, (n, bands, height, width)).astype(np.float32),
        "terrain": np.ascontiguousarray(terrain, np.float32),
    }


def open_session(path: Path, optimised: Path | None = None) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    if optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(optimised)
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def largest_difference(model: nn.Module, session: Any, values: dict[str, NDArray[np.float32]]) -> float:
    with torch.inference_mode():
        expected = model(*(torch.from_numpy(array) for array in values.values())).numpy()
    (probability,) = session.run(["probability"], values)
    assert probability.shape == expected.shape
    return float(np.abs(probability - expected).max())


def test_half_precision_stays_near_and_inputs_stay_float32(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = trained(SmallNetwork(), bands=3)
    write_onnx(model, tmp_path / "half.onnx", {}, bands=3, half=True)
    session = open_session(tmp_path / "half.onnx")
    assert {value.type for value in (*session.get_inputs(), *session.get_outputs())} == {"tensor(float)"}
    values = inputs(2, 64, 96, bands=3)
    # Weights alone in float16 would differ less.
    assert 1e-6 < largest_difference(model, session, values) <= 1e-2
    assert largest_difference(rounded(model), session, values) > 1e-6
    weights = {a.name: a.data_type for a in onnx.load(tmp_path / "half.onnx").graph.initializer if len(a.dims) == 4}
    assert {kind for name, kind in weights.items() if "network" in name} == {onnx.TensorProto.FLOAT16}
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())


def test_a_network_without_terrain_gives_a_file_without_it(tmp_path: Path) -> None:
    class WithoutTerrain(SmallNetwork):
        def forward(self, pre: Tensor, post: Tensor, terrain: Tensor) -> Tensor:  # noqa: ARG002
            return super().forward(pre, post, pre[:, [0, 1, 2, 0]])

    model = trained(WithoutTerrain(), bands=3)
    write_onnx(model, tmp_path / "small.onnx", {}, bands=3)
    session = open_session(tmp_path / "small.onnx")
    assert [value.name for value in session.get_inputs()] == ["pre", "post"]


def test_runtime_folds_casts_and_batch_norm(tmp_path: Path) -> None:
    model = rounded(trained(SmallNetwork(), bands=3))
    write_onnx(model, tmp_path / "small.onnx", {"key": "value"}, bands=3)
    stored = onnx.load(tmp_path / "small.onnx")
    assert {entry.key: entry.value for entry in stored.metadata_props} == {"key": "value"}
    assert [entry.version for entry in stored.opset_import if entry.domain == ""] == [18]
    halves = [array for array in stored.graph.initializer if array.data_type == onnx.TensorProto.FLOAT16]
    assert len(halves) == 2
    session = open_session(tmp_path / "small.onnx", optimised=tmp_path / "optimised.onnx")
    assert largest_difference(model, session, inputs(3, 32, 96, bands=3)) <= 1e-5
    operators = {node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node}
    assert not operators & {"Cast", "BatchNormalization"}
    assert [path.name for path in tmp_path.glob("*")].count("small.onnx") == 1
    assert not list(tmp_path.glob(".part-*"))


def test_nothing_is_lost_without_rounding(tmp_path: Path) -> None:
    model = trained(SmallNetwork(), bands=3)
    write_onnx(model, tmp_path / "exact.onnx", {}, bands=3)
    assert largest_difference(model, open_session(tmp_path / "exact.onnx"), inputs(1, 64, 64, bands=3)) <= 1e-5
