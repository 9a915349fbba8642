"""The published networks: the weights and the numbers that ours are compared with."""

import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from landslide_cli.training.networks import build_network
from landslide_cli.training.networks.base import ChangeNetwork

REFERENCE = Path(__file__).parents[2] / "shared" / "reference-models"
needs_reference = pytest.mark.skipif(not REFERENCE.is_dir(), reason=f"the reference vectors are not in {REFERENCE}")


@dataclass(frozen=True)
class Published:
    """A network as it was published."""

    reference: str
    """Name of its files in `REFERENCE`."""
    network: str
    """Its name in our registry."""
    hparams: dict[str, Any]
    """What a checkpoint of it tells."""
    options: dict[str, Any] = field(default_factory=dict)
    """Options of `build_network`."""

    def build(self) -> ChangeNetwork:
        """Return the network in eval mode, with the weights that the vectors were computed with."""
        network = build_network(self.network, **self.options)
        network.load_state_dict(reference_weights(network))
        return network.eval()


PUBLISHED = (
    Published("bbunet", "bbunet", {"MODEL": "bbunet", "ENCODER": "resnet18"}),
    *(
        Published(
            f"unet_siam_diff_{encoder}",
            "unet-siam-diff",
            {"MODEL": "unet", "ENCODER": encoder, "FUSION_MODULE": "diff_features"},
            {"encoder": encoder},
        )
        for encoder in ("resnet18", "resnet50")
    ),
    *(
        Published(name, name, {"MODEL": name, "ENCODER": "resnet18", "N_CLASSES": 2})
        for name in ("bit", "seifnet", "tinycd")
    ),
)
each_published = pytest.mark.parametrize("published", PUBLISHED, ids=lambda published: published.reference)


def reference_weights(network: ChangeNetwork) -> dict[str, Tensor]:
    """Give every array of a network the values that follow from its name alone."""
    return {
        key: torch.from_numpy(np.asarray(reference_array(key, tuple(value.shape))))
        for key, value in network.state_dict().items()
    }


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


def reference_inputs(name: str) -> list[Tensor]:
    """Read the images before and after and the terrain, float32, from `inputs` or `raw_inputs`."""
    with np.load(REFERENCE / f"{name}.npz") as arrays:
        terrain = "dem" if "dem" in arrays else "terrain"
        return [torch.from_numpy(arrays[key].astype(np.float32)) for key in ("pre", "post", terrain)]


def reference_output(name: str) -> np.ndarray[Any, Any]:
    """Read what a published network made of the inputs: landslide logits, or of raw inputs the probability."""
    with np.load(REFERENCE / f"{name}.npz") as arrays:
        (values,) = arrays.values()
    return np.asarray(values if values.shape[1] == 1 else values[:, 1:] - values[:, :1])
