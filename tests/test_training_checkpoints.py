"""Checkpoints of others: read as published, refused in one sentence otherwise, and never run."""

import io
import os
import pickle
import zipfile
from argparse import Namespace
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
import torch
from conftest import write_model
from reference_models import PUBLISHED, Published, each_published, reference_weights

from landslide_cli.errors import InputError, LandslideError, ModelError
from landslide_cli.training.checkpoints import read_checkpoint
from landslide_cli.training.networks import build_network

TINY = next(published for published in PUBLISHED if published.network == "tinycd")


class RunsCode:
    """A pickle of it creates a file when it is read by a reader that trusts it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self.path),)


@pytest.fixture(scope="module")
def tiny_weights() -> dict[str, torch.Tensor]:
    return reference_weights(build_network("tinycd"))


@pytest.fixture
def content(tiny_weights: dict[str, torch.Tensor]) -> dict[str, Any]:
    """What a checkpoint of the smallest network holds."""
    return {
        "state_dict": OrderedDict(tiny_weights),
        "hparams": Namespace(**TINY.hparams, THRESHOLD=0.4),
        "val_metrics": {"val_f1": torch.tensor(0.3), "val_loss": torch.tensor(0.7), "classes": torch.tensor([0.1, 1])},
        "epoch": 12,
    }


def saved(content: Any, path: Path, **options: Any) -> Path:
    torch.save(content, path, **options)
    return path


@each_published
def test_a_published_checkpoint_gives_its_network(published: Published, tmp_path: Path) -> None:
    weights = reference_weights(build_network(published.network, **published.options))
    checkpoint = read_checkpoint(
        saved({"state_dict": weights, "hparams": Namespace(**published.hparams)}, tmp_path / "published.pt")
    )
    read = checkpoint.network.state_dict()
    assert list(read) == list(weights)
    assert all(torch.equal(read[key], value) for key, value in weights.items())
    assert not checkpoint.network.training
    assert checkpoint.bands == 12
    assert checkpoint.architecture.split(" (")[0] == published.network
    assert (checkpoint.epoch, checkpoint.scores) == (None, {})


@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}], ids=["zip", "legacy"])
def test_what_a_checkpoint_tells_is_kept(content: dict[str, Any], tmp_path: Path, options: dict[str, Any]) -> None:
    # Options of a training that none of ours needs, but that must not stand in the way.
    content["hparams"].OUT, content["hparams"].DEVICE = Path("/data/run"), torch.device("cuda")
    checkpoint = read_checkpoint(saved(content, tmp_path / "tiny.pt", **options))
    assert checkpoint.hparams == {**TINY.hparams, "THRESHOLD": 0.4}
    assert checkpoint.epoch == 12
    assert checkpoint.scores == {"val_f1": pytest.approx(0.3)}


@pytest.mark.parametrize("prefix", ["model.", "module.", "net.", "module.model."])
def test_the_names_of_wrappers_are_taken_off(content: dict[str, Any], tmp_path: Path, prefix: str) -> None:
    plain = read_checkpoint(saved(content, tmp_path / "plain.pt")).network.state_dict()
    content["state_dict"] = {prefix + key: value for key, value in content["state_dict"].items()}
    wrapped = read_checkpoint(saved(content, tmp_path / "wrapped.pt")).network.state_dict()
    assert all(torch.equal(wrapped[key], plain[key]) for key in plain)


def test_the_first_convolution_tells_the_bands(content: dict[str, Any], tmp_path: Path) -> None:
    content["state_dict"] = reference_weights(build_network("tinycd", bands=3))
    content["hparams"].BANDS = 12
    assert read_checkpoint(saved(content, tmp_path / "three.pt")).bands == 3


@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}], ids=["zip", "legacy"])
@pytest.mark.parametrize("where", ["whole", "hparams", "option", "state_dict", "val_metrics"])
def test_code_in_a_checkpoint_is_not_run(
    content: dict[str, Any], tmp_path: Path, where: str, options: dict[str, Any]
) -> None:
    payload = RunsCode(tmp_path / "was-here")
    hostile: Any = {**content, where: payload}
    if where == "whole":
        hostile = payload
    elif where == "option":
        hostile = {**content, "hparams": Namespace(**TINY.hparams, BANDS=payload)}
    elif where == "state_dict":
        hostile = {**content, where: {**content[where], "_backbone.0.0.weight": payload}}
    with pytest.raises(ModelError, match=r"mkdir|not a complete file"):
        read_checkpoint(saved(hostile, tmp_path / "hostile.pt", **options))
    assert not payload.path.exists()
    # The payload is alive: a reader that trusts the file runs it.
    torch.load(tmp_path / "hostile.pt", weights_only=False)
    assert payload.path.is_dir()


def test_paths_of_a_training_cannot_touch_the_disk(tmp_path: Path) -> None:
    from landslide_cli.training.checkpoints import SAFE_TYPES

    path = saved(Path("/etc/hostname"), tmp_path / "path.pt")
    with torch.serialization.safe_globals(SAFE_TYPES):  # type: ignore[arg-type]
        assert type(torch.load(path, weights_only=True)) is PurePosixPath


def foreign_files(folder: Path) -> dict[str, Path]:
    """Write files that are no checkpoints."""
    contents = {
        "noise.pt": np.random.default_rng(0).bytes(10_000),
        "text.pt": b"landslide\n" * 100,
        "empty.pt": b"",
        "pickle.pt": pickle.dumps({"state_dict": {"a": 1}}),
    }
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    with zipfile.ZipFile(folder / "archive.pt", "w") as archive:
        archive.writestr("readme.txt", "no network")
    write_model(folder / "onnx.pt")
    torch.jit.save(torch.jit.trace(torch.nn.Identity(), torch.zeros(1)), folder / "script.pt")  # type: ignore[no-untyped-call]
    return {name: folder / name for name in (*contents, "archive.pt", "onnx.pt", "script.pt")}


@pytest.mark.filterwarnings("ignore:.torch.jit")
def test_foreign_files_are_refused(tmp_path: Path) -> None:
    for path in foreign_files(tmp_path).values():
        with pytest.raises(ModelError) as refused:
            read_checkpoint(path)
        assert str(path) in str(refused.value)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}], ids=["zip", "legacy"])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.9, 0.999])
def test_a_truncated_checkpoint_is_refused(
    content: dict[str, Any], tmp_path: Path, share: float, options: dict[str, Any]
) -> None:
    path = saved(content, tmp_path / "cut.pt", **options)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ModelError, match="not a complete file"):
        read_checkpoint(path)


def test_whatever_is_damaged_ends_in_an_error_of_ours(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    small = {"state_dict": {"encoder.a": torch.ones(2, 3, 1, 1)}, "hparams": Namespace(**TINY.hparams), "epoch": 1}
    torch.save(small, buffer, _use_new_zipfile_serialization=False)
    generator = np.random.default_rng(0)
    path = tmp_path / "damaged.pt"
    for _ in range(300):
        data = bytearray(buffer.getvalue())
        for position in generator.integers(0, len(data), 3):
            data[position] = generator.integers(256)
        path.write_bytes(data)
        with pytest.raises(LandslideError):
            read_checkpoint(path)


def test_a_missing_file_is_no_bad_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_checkpoint(tmp_path / "none.pt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"state_dict": None}, "no state_dict"),
        ({"state_dict": {}}, "no state_dict"),
        ({"state_dict": {"weight": 1.0}}, "'weight', which is not a plain tensor"),
        ({"state_dict": {"weight": torch.ones(3, device="meta")}}, "'weight', which is not a plain tensor"),
        ({"state_dict": {"weight": torch.ones(3)}}, "no encoder"),
        ({"hparams": None}, "no hparams"),
        ({"hparams": {}}, "holds the network 'none'"),
        ({"hparams": Namespace(MODEL="unet3d")}, "holds the network 'unet3d'.*bbunet"),
        ({"hparams": Namespace(MODEL="unet", FUSION_MODULE="concat")}, "fusion 'concat'"),
        ({"hparams": Namespace(MODEL="unet", ENCODER="resnet19")}, "cannot be built.*'resnet19'"),
        ({"hparams": Namespace(MODEL="bit")}, r"missing pos_embedding, .* and \d+ more; unexpected _backbone"),
    ],
)
def test_another_content_is_named(
    content: dict[str, Any], tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        read_checkpoint(saved({**content, **change}, tmp_path / "other.pt"))


def test_something_else_than_a_dict_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds a Tensor"):
        read_checkpoint(saved(torch.ones(2), tmp_path / "tensor.pt"))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("_classify._linears.2.0.bias", torch.ones(3), "other shape _classify._linears.2.0.bias"),
        ("_classify._linears.2.0.bias", torch.ones(2, dtype=torch.int64), "other kind _classify._linears.2.0.bias"),
        ("_classify._linears.2.0.bias", torch.tensor([0, torch.nan]), "not finite _classify._linears.2.0.bias"),
        ("_classify._linears.2.0.bias", torch.tensor([0, 1e300], dtype=torch.float64), "not finite"),
        ("loss.weight", torch.ones(1), "unexpected loss.weight"),
    ],
)
def test_weights_that_do_not_fit_are_named(
    content: dict[str, Any], tmp_path: Path, key: str, value: torch.Tensor, message: str
) -> None:
    content["state_dict"][key] = value
    with pytest.raises(ModelError, match=message):
        read_checkpoint(saved(content, tmp_path / "unfit.pt"))
