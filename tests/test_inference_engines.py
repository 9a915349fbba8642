from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import CARD, write_model

from landslide_cli.errors import InputError, ModelError
from landslide_cli.inference.engines import OnnxEngine


def test_a_model_runs_and_says_on_what(tmp_path: Path) -> None:
    engine = OnnxEngine(write_model(tmp_path / "m.onnx"), "cpu")
    pre = np.full((3, 2, 64, 96), 500, np.float32)
    probability = engine.run({"pre": pre, "post": pre + 600})
    assert engine.card == CARD
    assert engine.provider == "cpu"
    assert probability.shape == (3, 1, 64, 96)
    assert probability == pytest.approx(0.3)


def test_without_a_gpu_cuda_falls_back_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    engine = OnnxEngine(write_model(tmp_path / "m.onnx"), "cuda")
    if engine.provider == "cuda":
        pytest.skip("this machine has a CUDA device")
    assert "no CUDA device" in caplog.text
    caplog.clear()
    assert OnnxEngine(write_model(tmp_path / "m.onnx"), "auto").provider == "cpu"
    assert not caplog.text


def test_an_unknown_device_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="tpu"):
        OnnxEngine(write_model(tmp_path / "m.onnx"), "tpu")


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_text("not a model")
    with pytest.raises(ModelError, match="not an ONNX model"):
        OnnxEngine(tmp_path / "m.onnx")


def test_a_truncated_model_is_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ModelError, match="not an ONNX model"):
        OnnxEngine(path)


def test_a_model_without_a_card_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model card"):
        OnnxEngine(write_model(tmp_path / "m.onnx", card=None))


def test_a_card_that_promises_other_inputs_is_refused(tmp_path: Path) -> None:
    import onnx

    path = write_model(tmp_path / "m.onnx")
    model = onnx.load(path)
    onnx.helper.set_model_props(model, replace(CARD, terrain=True).to_metadata())
    onnx.save(model, path)
    with pytest.raises(ModelError, match="promises pre, post, terrain"):
        OnnxEngine(path)
