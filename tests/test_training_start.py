"""A network that begins with a model file is that model."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CARD

from landslide_cli.config import TrainConfig
from landslide_cli.errors import InputError, ModelError
from landslide_cli.training.export import SelfContained, write_onnx
from landslide_cli.training.module import ChangeModule
from landslide_cli.training.packing import rounded
from landslide_cli.training.recipes import Recipe
from landslide_cli.training.start import load_start
from landslide_cli.workflows.train import train

BANDS = ("B02", "B03", "B04", "B08", "B8A", "B11")
RECIPE = Recipe(model="unet-siam-diff", encoder="resnet18", bands=BANDS)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[ChangeModule, Path]:
    return written(RECIPE, tmp_path_factory.mktemp("start") / "six.onnx", seed=1)


def written(recipe: Recipe, path: Path, seed: int) -> tuple[ChangeModule, Path]:
    """A network of random weights, and the file it was written to."""
    torch.manual_seed(seed)
    module = ChangeModule(recipe).eval()
    card = replace(CARD, architecture=recipe.model, bands=recipe.bands)
    write_onnx(
        rounded(SelfContained(module.normalisation, module.network)), path, card.to_metadata(), len(recipe.bands)
    )
    return module, path


def test_all_weights_are_taken_over(model: tuple[ChangeModule, Path]) -> None:
    source, path = model
    torch.manual_seed(2)
    module = ChangeModule(RECIPE)
    assert load_start(module, {path: BANDS}) > 60
    for key, value in source.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            assert torch.allclose(module.state_dict()[key], value, rtol=1e-3, atol=1e-6), key


def test_of_several_models_the_mean_is_taken(model: tuple[ChangeModule, Path], tmp_path: Path) -> None:
    one, path = model
    fewer, path_of_fewer = written(replace(RECIPE, bands=("B04", "B02")), tmp_path / "two.onnx", seed=3)
    module = ChangeModule(replace(RECIPE, bands=("B04", "B02")))
    load_start(module, {path: BANDS, path_of_fewer: ("B04", "B02")})
    for key in ("network.encoder.layer1.0.conv1.weight", "network.encoder.bn1.running_var"):
        values = [m.state_dict()[key] for m in (module, one, fewer)]
        assert torch.allclose(values[0], (values[1] + values[2]) / 2, rtol=1e-3, atol=1e-4), key
    ours, theirs, other = (m.state_dict()["network.encoder.conv1.weight"].numpy() for m in (module, one, fewer))
    assert np.allclose(ours, (theirs[:, [2, 0]] * 3**0.5 + other) / 2, rtol=1e-3, atol=1e-4)


def test_fewer_bands_take_the_weights_of_theirs(model: tuple[ChangeModule, Path]) -> None:
    source, path = model
    module = ChangeModule(replace(RECIPE, bands=("B04", "B02")))
    load_start(module, {path: BANDS})
    ours, theirs = (m.state_dict()["network.encoder.conv1.weight"].numpy() for m in (module, source))
    assert np.allclose(ours, theirs[:, [2, 0]] * 3**0.5, rtol=1e-3, atol=1e-6)


def test_what_is_another_network_is_refused(model: tuple[ChangeModule, Path], dataset: Path, tmp_path: Path) -> None:
    _, path = model
    with pytest.raises(InputError, match="holds another network"):
        load_start(ChangeModule(replace(RECIPE, encoder="resnet34")), {path: BANDS})
    with pytest.raises(InputError, match="was not trained on B12"):
        load_start(ChangeModule(replace(RECIPE, bands=("B02", "B12"))), {path: BANDS})
    config = TrainConfig(dataset, tmp_path / "run", model="tinycd", bands="B02,B03,B04", start=(path,), device="cpu")
    with pytest.raises(InputError, match="is a unet-siam-diff, not a tinycd"):
        train(config)
    with pytest.raises(ModelError, match="is not an ONNX model"):
        train(replace(config, start=(path.with_name("none.onnx"),)))
    assert not (tmp_path / "run").exists()
