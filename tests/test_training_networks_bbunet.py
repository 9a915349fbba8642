"""BBU-Net against the parameter names and the numbers of the published network."""

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from landslide_cli.errors import InputError
from landslide_cli.training.networks import NETWORKS, build_network
from landslide_cli.training.networks.bbunet import BBUNet

REFERENCE = Path(__file__).parents[2] / "shared" / "reference-models"
needs_reference = pytest.mark.skipif(
    not (REFERENCE / "bbunet.npz").exists(), reason=f"the reference vectors are not in {REFERENCE}"
)


def reference_array(key: str, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Give the values that the reference vectors were computed with, from the name of the parameter alone."""
    generator = np.random.default_rng(zlib.crc32(key.encode()))
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if key.endswith("running_var"):
        return generator.uniform(0.5, 1.5, shape).astype(np.float32)
    normal = generator.standard_normal(shape).astype(np.float32)
    if key.endswith(("running_mean", "bias")):
        return 0.1 * normal
    if len(shape) <= 1:
        return 1 + 0.1 * normal if key.endswith("weight") and shape and shape[0] > 1 else 0.25 + 0 * normal
    return normal * np.float32(np.sqrt(1.0 / np.prod(shape[1:])))


@pytest.fixture(scope="module")
def reference_shapes() -> dict[str, tuple[int, ...]]:
    shapes = json.loads((REFERENCE / "bbunet.keys.json").read_text())
    return {key: tuple(shape) for key, shape in shapes.items()}


@pytest.fixture(scope="module")
def network() -> Iterator[BBUNet]:
    yield BBUNet().eval()


@needs_reference
def test_parameters_have_the_published_names_and_shapes(
    network: BBUNet, reference_shapes: dict[str, tuple[int, ...]]
) -> None:
    assert {key: tuple(value.shape) for key, value in network.state_dict().items()} == reference_shapes


@needs_reference
def test_logits_equal_the_published_network(network: BBUNet, reference_shapes: dict[str, tuple[int, ...]]) -> None:
    arrays = {key: torch.from_numpy(np.asarray(reference_array(key, shape))) for key, shape in reference_shapes.items()}
    network.load_state_dict(arrays, strict=True)
    with np.load(REFERENCE / "inputs.npz") as inputs, torch.inference_mode():
        pre, post, terrain = (torch.from_numpy(inputs[name]) for name in ("pre", "post", "dem"))
        logits = network(pre, post, terrain).numpy()
    with np.load(REFERENCE / "bbunet.npz") as expected:
        assert np.abs(logits - expected["logits"]).max() <= 1e-4


def test_other_numbers_of_bands_are_possible() -> None:
    network = build_network("bbunet", bands=3, terrain_bands=2).eval()
    with torch.inference_mode():
        logits = network(torch.zeros(1, 3, 64, 96), torch.zeros(1, 3, 64, 96), torch.zeros(1, 2, 64, 96))
    assert logits.shape == (1, 1, 64, 96)


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match=", ".join(sorted(NETWORKS))):
        build_network("resunet")
