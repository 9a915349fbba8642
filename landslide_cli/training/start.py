"""Start a network with the weights of another one, read from a model file."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor

from landslide_cli.errors import InputError
from landslide_cli.training.module import ChangeModule
from landslide_cli.training.packing import unpacked

SPARE_SHARE = 0.05
"""Largest share of the weights that can be missing in a file."""


def load_start(module: ChangeModule, models: Mapping[Path, Sequence[str]]) -> int:
    """Start `module` with the weights of a model, or the mean of several (Wortsman et al. 2022).

    A network of fewer bands takes over those weights of the first layer that read them.

    Args:
        module: the network to start.
        models: ONNX files of the same architecture that `write_onnx` wrote, with the bands that each reads.

    Returns:
        How many tensors were taken over.

    Raises:
        InputError: the network reads other bands, or has other weights.
    """
    found = [_weights(module, path, bands) for path, bands in models.items()]
    mean = {
        key: torch.stack([weights[key] for weights in found if key in weights]).mean(dim=0)
        for key in dict.fromkeys(key for weights in found for key in weights)
    }
    module.load_state_dict(mean, strict=False)
    return len(mean)


def _weights(module: ChangeModule, path: Path, bands: Sequence[str]) -> dict[str, Tensor]:
    """Read the weights of the model `path` (for `bands`) that `module` also has."""
    unknown = [band for band in module.recipe.bands if band not in bands]
    if unknown:
        raise InputError(f"--start {path} was not trained on {', '.join(unknown)}; leave these bands out")
    chosen = [bands.index(band) for band in module.recipe.bands]
    found = unpacked(onnx.load(path))
    state = module.state_dict()
    taken, missing = {}, []
    for key, wanted in state.items():
        if key.endswith("num_batches_tracked") or not key.startswith("network."):
            continue
        values = found.get(key)
        if values is not None and values.ndim == 4 and values.shape[1] == len(bands) != wanted.shape[1]:
            # Fewer terms have a smaller sum, but the next layer expects larger sums.
            values = values[:, chosen] * np.float32(len(bands) / len(chosen)) ** 0.5
        if values is None:
            missing.append(key)
            continue
        if values.shape != wanted.shape:
            raise InputError(
                f"--start {path} holds another network: {key} is {values.shape}, not {tuple(wanted.shape)}; "
                "give one of this --model and --encoder, or leave it out"
            )
        taken[key] = torch.from_numpy(values)
    # The last level of a decoder has a few unused weights, which a file leaves out.
    if len(missing) > len(taken) * SPARE_SHARE:
        raise InputError(
            f"--start {path} holds another network: it has no {missing[0]} ({len(missing)} such); give one of this "
            "--model and --encoder, or leave it out"
        )
    return taken
