"""The models at hand, and a published checkpoint as a model: the same numbers, from raw inputs, at any size."""

import json
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from reference_models import (
    PUBLISHED,
    REFERENCE,
    Published,
    reference_inputs,
    reference_output,
    reference_weights,
)

from landslide_cli.config import ImportConfig
from landslide_cli.errors import InputError, ModelError
from landslide_cli.geo.bands import BANDS
from landslide_cli.inference.detectors import DETECTORS
from landslide_cli.inference.engines import OnnxEngine
from landslide_cli.inference.models import shipped_models
from landslide_cli.inference.parity import PARITY, example_inputs
from landslide_cli.training.export import SelfContained
from landslide_cli.training.networks import build_network
from landslide_cli.training.normalisation import ReleasedNormalisation
from landslide_cli.workflows.weights import import_weights, list_weights, resolve_bands, show_weights

INPUTS = ("pre", "post", "terrain")


@pytest.fixture(scope="module", params=PUBLISHED, ids=lambda published: published.reference)
def published(request: pytest.FixtureRequest) -> Published:
    parameter: Published = request.param
    return parameter


@pytest.fixture(scope="module")
def imported(published: Published, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each published network, from a checkpoint to a model; of one, the user tells what its checkpoint does not."""
    folder = tmp_path_factory.mktemp(published.reference)
    weights = reference_weights(build_network(published.network, **published.options))
    content = {
        "state_dict": {f"model.{key}": value for key, value in weights.items()},
        "hparams": Namespace(**published.hparams, THRESHOLD=0.4, BANDS=list(range(12))),
        "val_metrics": {"f1": torch.tensor(0.348)},
        "epoch": 37,
    }
    options: dict[str, Any] = {}
    if published.network == "tinycd":
        content["hparams"] = Namespace(**published.hparams, THRESHOLD=40)
        options = {"threshold": 0.4, "bands": ",".join(BANDS).lower()}
    torch.save(content, folder / "published.pt")
    (folder / "mine.onnx").write_text("an old model")
    summary = import_weights(ImportConfig(folder / "published.pt", folder / "mine.onnx", **options))
    assert summary.difference <= PARITY
    assert sorted(path.name for path in folder.iterdir()) == ["mine.json", "mine.onnx", "published.pt"]
    return summary.model


@pytest.mark.skipif(not REFERENCE.is_dir(), reason=f"the reference vectors are not in {REFERENCE}")
def test_an_imported_model_gives_the_published_probability(published: Published, imported: Path) -> None:
    arrays = [tensor.numpy() for tensor in reference_inputs("raw_inputs")]
    probability = OnnxEngine(imported, "cpu").run(dict(zip(INPUTS, arrays, strict=True)))
    assert np.abs(probability - reference_output(f"{published.reference}.raw")).max() <= 1e-4


def test_an_imported_model_equals_torch_at_any_size(published: Published, imported: Path) -> None:
    model = SelfContained(ReleasedNormalisation(), published.build()).eval()
    engine = OnnxEngine(imported, "cpu")
    for count, height, width in ((1, 32, 96), (3, 128, 64)):
        squares = example_inputs(12, max(height, width), count)
        values = {name: np.ascontiguousarray(squares[name][..., :height, :width]) for name in INPUTS}
        with torch.inference_mode():
            expected = model(*(torch.from_numpy(values[name]) for name in INPUTS)).numpy()
        assert np.ptp(expected) > 0.01
        assert np.abs(engine.run(values) - expected).max() <= PARITY


def test_the_card_says_what_is_known(published: Published, imported: Path) -> None:
    card = show_weights(str(imported)).card
    assert (card.name, card.bands, card.threshold) == ("mine", BANDS, 0.4)
    assert card.architecture.startswith(published.network)
    assert card.terrain == (published.network == "bbunet")
    assert card.scores == {"reported_f1": pytest.approx(0.348)}
    assert "published.pt, epoch 37, SHA-256" in card.training_data
    assert "reports" in card.limits
    assert "not stated" in card.licence


@pytest.fixture
def tiny() -> dict[str, Any]:
    """What a checkpoint of the smallest network holds."""
    hparams = Namespace(MODEL="tinycd", BANDS=["B04", "B03", "B02"])
    return {"state_dict": reference_weights(build_network("tinycd", bands=3)), "hparams": hparams}


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"THRESHOLD": 7}, {}, "--threshold"),
        ({"BANDS": [4, 3, 2]}, {}, "--bands"),
        ({}, {"bands": "B04,B03"}, "3 channels"),
        ({}, {"bands": "B04,B03,B10"}, "B10"),
        ({}, {"threshold": 40}, "--threshold 40"),
        ({}, {"out": "tiny.pt"}, r"ends in \.onnx"),
        ({}, {"checkpoint": "none.pt"}, "no such file"),
    ],
)
def test_options_that_do_not_suit_are_refused(
    tiny: dict[str, Any], tmp_path: Path, change: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    vars(tiny["hparams"]).update(change)
    torch.save(tiny, tmp_path / "tiny.pt")
    checkpoint, out = (
        tmp_path / options.pop(key, f"tiny.{end}") for key, end in (("checkpoint", "pt"), ("out", "onnx"))
    )
    with pytest.raises(InputError, match=message):
        import_weights(ImportConfig(checkpoint, out, **options))
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.pt"]


def test_a_checkpoint_that_cannot_be_read_leaves_the_old_model(tiny: dict[str, Any], tmp_path: Path) -> None:
    tiny["state_dict"]["_up.0._convolution.0.bias"][3] = torch.inf
    torch.save(tiny, tmp_path / "tiny.pt")
    (tmp_path / "tiny.onnx").write_text("an old model")
    with pytest.raises(ModelError, match="not finite"):
        import_weights(ImportConfig(tmp_path / "tiny.pt", tmp_path / "tiny.onnx"))
    assert (tmp_path / "tiny.onnx").read_text() == "an old model"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("recorded", "channels", "bands"),
    [
        (None, 12, BANDS),
        (12, 12, BANDS),
        (13, 12, BANDS),
        (list(range(12)), 12, BANDS),
        ([*range(1, 11), 12, 13], 12, BANDS),
        (tuple(reversed(BANDS)), 12, tuple(reversed(BANDS))),
        (["b2", " B3", "B8a"], 3, ("B02", "B03", "B8A")),
        ("B04,B03,B02", 3, ("B04", "B03", "B02")),
    ],
)
def test_bands_are_those_recorded(recorded: Any, channels: int, bands: tuple[str, ...]) -> None:
    assert resolve_bands(recorded, channels) == bands


def test_bands_that_the_user_names_come_first() -> None:
    assert resolve_bands(["B04", "B03", "B02"], 3, "b8, B4,B03") == ("B08", "B04", "B03")


@pytest.mark.parametrize(
    ("recorded", "channels"),
    [
        (None, 3),
        (3, 3),
        ([3, 2, 1], 3),
        (["red", "green", "blue"], 3),
        (["B04", "B04", "B02"], 3),
        (list(BANDS), 3),
        ([*range(11, -1, -1)], 12),
        ([f"L{i}" for i in range(12)], 12),
        (["B10", *BANDS[1:]], 12),
    ],
)
def test_bands_that_are_not_clear_must_be_named(recorded: Any, channels: int) -> None:
    with pytest.raises(InputError, match="--bands B04,B03,B02"):
        resolve_bands(recorded, channels)


def test_the_list_holds_the_shipped_models_and_the_detectors() -> None:
    models = {model.card.name: model for model in list_weights().models}
    assert set(models) == {*shipped_models(), *DETECTORS}
    for name, model in models.items():
        assert model == show_weights(name)
        assert (model.file is None) == (name in DETECTORS)
        assert 0 < model.card.threshold <= 1
        assert model.card.licence


def test_an_unknown_model_lists_the_known() -> None:
    with pytest.raises(ModelError, match="rdndvi"):
        show_weights("nonsense")


def without_torch(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line where torch is not installed."""
    code = (
        "import sys\nsys.modules['torch'] = None\nfrom landslide_cli.cli.app import app\n"
        f"app({['weights', *arguments]!r})"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_only_the_import_needs_torch(tmp_path: Path) -> None:
    listed = without_torch("list", "--json")
    assert {model["card"]["name"] for model in json.loads(listed.stdout)["models"]} >= set(DETECTORS)
    shown = without_torch("show", "rdndvi")
    assert (shown.returncode, shown.stdout) == (0, "")
    assert "B04 B08" in shown.stderr
    (tmp_path / "some.pt").write_bytes(b"")
    refused = without_torch("import", str(tmp_path / "some.pt"), "--out", str(tmp_path / "some.onnx"))
    assert refused.returncode == InputError.exit_code
    assert "pip install 'landslide-cli[train]'" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_a_bad_checkpoint_is_one_line_and_exit_5(tmp_path: Path) -> None:
    (tmp_path / "text.pt").write_text("no checkpoint")
    command = ["weights", "import", str(tmp_path / "text.pt"), "--out", str(tmp_path / "text.onnx")]
    done = subprocess.run(
        [sys.executable, "-m", "landslide_cli", *command], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (ModelError.exit_code, "")
    assert len(done.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["text.pt"]
