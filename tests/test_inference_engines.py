from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import CARD, write_model

from landslide_cli.errors import InputError, ModelError
from landslide_cli.inference import engines
from landslide_cli.inference.engines import ENGINES, OnnxEngine, difference, load, open_model, why_not
from landslide_cli.workflows.doctor import made_up_windows
from landslide_cli.workflows.predict import shipped_models

HERE = [name for name in ENGINES if why_not(name) is None]


@pytest.mark.parametrize("name", HERE)
def test_a_model_runs_and_says_on_what(tmp_path: Path, name: str) -> None:
    path = write_model(tmp_path / "m.onnx")
    engine = load(path, name, OnnxEngine(path))
    for windows in (3, 1):
        pre = np.full((windows, 2, 64, 96), 500, np.float32)
        probability = engine.run({"pre": pre, "post": pre + 600})
        assert engine.card == CARD
        assert engine.provider == name
        assert probability.shape == (windows, 1, 64, 96)
        assert probability == pytest.approx(0.3, abs=0.01)


def test_what_an_engine_answered_is_not_overwritten_by_its_next_answer(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx")
    pre = np.full((1, 2, 64, 64), 500, np.float32)
    for name in HERE:
        engine = load(path, name, OnnxEngine(path))
        first = engine.run({"pre": pre, "post": pre + 600})
        engine.run({"pre": pre, "post": pre + 1200})
        assert first == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize("name", [name for name in HERE if name not in engines.REDUCED])
def test_full_precision_gives_the_map_of_the_reference(name: str) -> None:
    path = shipped_models()["bbunet"]
    reference = OnnxEngine(path)
    samples = list(made_up_windows(reference.card, count=1))
    probability = reference.run(samples[0])
    assert probability.max() > 0.5 > probability.min(), "windows without a landslide prove nothing"
    assert difference(load(path, name, reference), reference, samples) < 1e-3


def test_auto_takes_the_first_that_agrees(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx")
    pre = np.full((1, 2, 64, 64), 512, np.float32)
    # Powers of two are exact in bfloat16 too.
    samples = [{"pre": pre, "post": pre + 512}]
    assert open_model(path, "auto", samples).provider == HERE[0]
    untried = [name for name in HERE if name not in engines.REDUCED]
    assert open_model(path).provider == untried[0]
    assert open_model(path, "cpu").provider == "cpu"


@pytest.mark.skipif("openvino-bf16" not in HERE, reason="no bfloat16 here")
def test_an_engine_that_changes_the_map_is_passed_over_and_said_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_model(tmp_path / "m.onnx")
    pre = np.full((1, 2, 64, 64), 3000, np.float32)
    # bfloat16 has 8 bits: 3000 and 3009 are the same to it, or 16 apart.
    samples = [{"pre": pre, "post": pre + step} for step in (9.0, 130.0, 41.0)]
    shift = difference(load(path, "openvino-bf16", OnnxEngine(path)), OnnxEngine(path), samples)
    caplog.clear()
    engine = open_model(path, "auto", samples)
    if shift > engines.POINT:
        assert engine.provider not in engines.REDUCED
        assert "would change the map" in caplog.text
        assert open_model(path, "openvino-bf16", samples).provider == "openvino-bf16"
    else:
        assert engine.provider == HERE[0]


@pytest.mark.parametrize("name", [name for name in ENGINES if name not in HERE])
def test_an_engine_that_is_not_there_falls_back_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    path = write_model(tmp_path / "m.onnx")
    assert open_model(path, name).provider == "cpu"
    assert "runs on the cpu" in caplog.text
    assert why_not(name) in caplog.text
    caplog.clear()
    open_model(path, "auto")
    assert not caplog.text


def test_an_engine_that_fails_gives_way_to_the_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> engines.Engine:
        raise RuntimeError("driver too old")

    monkeypatch.setattr(engines, "why_not", lambda _: None)
    monkeypatch.setattr(engines, "load", broken)
    assert open_model(write_model(tmp_path / "m.onnx"), "auto", []).provider == "cpu"
    assert "driver too old" in caplog.text


def test_an_unknown_device_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="tpu"):
        open_model(write_model(tmp_path / "m.onnx"), "tpu")


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_text("not a model")
    with pytest.raises(ModelError, match="not an ONNX model"):
        open_model(tmp_path / "m.onnx")


def test_a_truncated_model_is_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ModelError, match="not an ONNX model"):
        open_model(path)


def test_a_model_without_a_card_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model card"):
        open_model(write_model(tmp_path / "m.onnx", card=None))


def test_a_card_that_promises_other_inputs_is_refused(tmp_path: Path) -> None:
    import onnx

    path = write_model(tmp_path / "m.onnx")
    model = onnx.load(path)
    onnx.helper.set_model_props(model, replace(CARD, terrain=True).to_metadata())
    onnx.save(model, path)
    with pytest.raises(ModelError, match="promises pre, post, terrain"):
        open_model(path)
