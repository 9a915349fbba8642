import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import CARD, write_model

from landslide_cli.errors import InputError, ModelError
from landslide_cli.inference import engines
from landslide_cli.inference.engines import ENGINES, OnnxEngine, difference, load, open_model, why_not
from landslide_cli.inference.models import shipped_models
from landslide_cli.workflows.doctor import random_windows

HERE = [name for name in ENGINES if why_not(name) is None]
ANY_MODEL = [name for name in HERE if name != "openvino-mixed"]
"""Those that run the network of `write_model`, which is too small to be cut into parts."""


@pytest.mark.parametrize("name", ANY_MODEL)
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
    for name in ANY_MODEL:
        engine = load(path, name, OnnxEngine(path))
        first = engine.run({"pre": pre, "post": pre + 600})
        engine.run({"pre": pre, "post": pre + 1200})
        assert first == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize("name", [name for name in HERE if name not in engines.REDUCED])
def test_full_precision_gives_the_map_of_the_reference(name: str) -> None:
    path = shipped_models()["bbunet"]
    reference = OnnxEngine(path)
    samples = list(random_windows(reference.card, count=1))
    probability = reference.run(samples[0])
    assert probability.max() > 0.5 > probability.min(), "windows without a landslide prove nothing"
    assert difference(load(path, name, reference), samples, [probability]) < 1e-3


def test_openvino_is_left_alone_beside_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda _: "installed")
    monkeypatch.setitem(sys.modules, "torch", object())
    for name in ENGINES:
        if name.startswith("openvino"):
            assert "torch is loaded" in (why_not(name) or "")


@pytest.mark.skipif("openvino-mixed" not in HERE, reason="no bfloat16 here")
@pytest.mark.parametrize("model", ["bbunet", "bbunet-rgb"])
def test_mixed_precision_gives_the_map_where_bfloat16_alone_may_not(model: str) -> None:
    path = shipped_models()[model]
    reference = OnnxEngine(path)
    samples = list(random_windows(reference.card, count=2))
    answers = [reference.run(sample) for sample in samples]
    mixed, few_bits = (load(path, name, reference) for name in ("openvino-mixed", "openvino-bf16"))
    apart = difference(mixed, samples, answers)
    assert 0 < apart <= engines.POINT
    assert apart < difference(few_bits, samples, answers) / 2
    # Windows keep their order, and others of another size are told apart.
    both = {name: np.concatenate([sample[name] for sample in samples]) for name in samples[0]}
    for _ in range(3):
        assert np.abs(mixed.run(both) - np.concatenate(answers)).max() == pytest.approx(apart, abs=1e-6)
    part = {name: image[:, :, :96, :160] for name, image in both.items()}
    assert np.abs(mixed.run(part) - reference.run(part)).max() <= engines.POINT
    assert open_model(path, "auto", samples).provider in ("tensorrt", "cuda", "openvino-bf16", "openvino-mixed")


@pytest.mark.skipif("openvino-mixed" not in HERE, reason="no bfloat16 here")
def test_a_network_that_cannot_be_cut_says_so_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_model(tmp_path / "m.onnx")
    assert open_model(path, "openvino-mixed").provider == "cpu"
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "20 convolutions" in caplog.text
    caplog.clear()
    # Most changed in bfloat16, so that auto comes past the mixed engine.
    pre = np.full((1, 2, 64, 64), 3000, np.float32)
    open_model(path, "auto", [{"pre": pre, "post": pre + step} for step in (9.0, 130.0, 41.0)])
    assert "20 convolutions" not in "".join(r.message for r in caplog.records if r.levelname == "WARNING")


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
    reference = OnnxEngine(path)
    shift = difference(load(path, "openvino-bf16", reference), samples, [reference.run(s) for s in samples])
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
    assert (reason := why_not(name))
    assert reason in caplog.text
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
    caplog.clear()
    assert open_model(write_model(tmp_path / "m.onnx"), "openvino", []).provider == "cpu"
    assert len(caplog.records) == 1
    assert "openvino cannot be used here: driver too old; the model runs on the cpu" in caplog.text


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
