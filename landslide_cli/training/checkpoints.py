"""Read the checkpoints that the authors of the paper publish, without running code in them."""

import re
from argparse import Namespace
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Final

import torch
from torch import Tensor

from landslide_cli.errors import InputError, ModelError
from landslide_cli.training.networks import build_network
from landslide_cli.training.networks.base import ChangeNetwork

MODELS: Final = {"bbunet": "bbunet", "unet": "unet-siam-diff", "bit": "bit", "seifnet": "seifnet", "tinycd": "tinycd"}
"""Our name of each network, by the `MODEL` of a checkpoint."""

RELEASED_ENCODER: Final = "resnet18"
"""The encoder of the released code, used if a checkpoint does not name one."""

WRAPPERS: Final = ("model.", "module.", "net.")
"""Prefixes that training frameworks put before the name of each parameter."""

SAFE_TYPES: Final = [
    Namespace,
    # The options of a training often hold paths. They are read as pure paths, which have no access to the disk.
    *(
        (pure, f"{module}.{name}")
        for pure, name in ((PurePosixPath, "PosixPath"), (PureWindowsPath, "WindowsPath"))
        for module in ("pathlib", "pathlib._local")
    ),
]
"""What a checkpoint may hold beside tensors and plain values. None does more than hold what it is given."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A trained network and the facts in its checkpoint."""

    network: ChangeNetwork
    """In eval mode, with the weights of the checkpoint."""
    architecture: str
    """A key of `NETWORKS`; for networks with a choice of encoder, also the encoder in brackets."""
    bands: int
    """Channels of each image."""
    hparams: Mapping[str, Any]
    """The options of the training by upper-case name; plain values and lists of them."""
    epoch: int | None
    scores: Mapping[str, float]
    """Validation scores in the checkpoint, those within 0..1."""


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a file written by `torch.save`: a dict with `state_dict`, `hparams`, `val_metrics` and `epoch`.

    Args:
        path: the checkpoint.

    Returns:
        The network with its weights, and the facts in the checkpoint.

    Raises:
        InputError: the file does not exist.
        ModelError: the file is not such a checkpoint, holds more than tensors and plain values, or its weights are not
            those of the network that it names.
    """
    content = load_plain(path)
    weights = _weights(content, path)
    hparams = _hparams(content, path)
    name = _network_name(hparams, path)
    bands = _image_channels(weights, path)
    options: dict[str, Any] = {"bands": bands}
    if name in ("bbunet", "unet-siam-diff"):
        options["encoder"] = str(hparams.get("ENCODER") or RELEASED_ENCODER)[:80]
    try:
        network = build_network(name, **options)
    except InputError as error:
        raise ModelError(f"{path} asks for a network that cannot be built: {error}") from error
    architecture = f"{name} ({options['encoder']})" if "encoder" in options else name
    _fill(network, weights, f"{path} does not hold the weights of {architecture}")
    epoch = _number(content.get("epoch"))
    return Checkpoint(
        network=network.eval(),
        architecture=architecture,
        bands=bands,
        hparams=hparams,
        epoch=None if epoch is None else int(epoch),
        scores=_scores(content.get("val_metrics")),
    )


def load_plain(path: Path) -> Mapping[Any, Any]:
    """Read a file written by `torch.save` that holds only tensors, plain values and `SAFE_TYPES`.

    Args:
        path: the file.

    Returns:
        The dictionary in the file.

    Raises:
        InputError: the file does not exist.
        ModelError: the file was not written by `torch.save`, or holds objects that could run code.
    """
    if not path.is_file():
        raise InputError(f"checkpoint {path}: no such file; check the path")
    try:
        with torch.serialization.safe_globals(SAFE_TYPES):  # type: ignore[arg-type]
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # The errors that foreign and hostile files cause have no common base class.
        if refused := re.search(r"GLOBAL ([\w.]+)", str(error)):
            raise ModelError(
                f"{path} holds {refused[1]}, which could run code when it is read; get a checkpoint that holds "
                "only tensors, numbers and text, from someone you trust"
            ) from error
        raise ModelError(
            f"{path} is not a complete file written by torch.save; give a checkpoint (.pt). If it is one, download it "
            "again"
        ) from error
    if not isinstance(content, Mapping):
        raise ModelError(f"{path} holds a {type(content).__name__}; a checkpoint is a dict with state_dict and hparams")
    return content


def _weights(content: Mapping[Any, Any], path: Path) -> dict[str, Tensor]:
    """Return the `state_dict` by the names that the networks know."""
    state = content.get("state_dict")
    if not isinstance(state, Mapping) or not state:
        raise ModelError(f"{path} has no state_dict, the weights of a network; give a checkpoint of a training")
    weights = {}
    for key, value in state.items():
        if not (isinstance(key, str) and isinstance(value, Tensor) and _is_plain(value)):
            raise ModelError(f"the state_dict in {path} holds {str(key)[:80]!r}, which is not a plain tensor")
        weights[key] = value.detach()
    while wrapper := next((w for w in WRAPPERS if all(key.startswith(w) for key in weights)), None):
        weights = {key.removeprefix(wrapper): value for key, value in weights.items()}
    return weights


def _is_plain(tensor: Tensor) -> bool:
    return tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized


def _hparams(content: Mapping[Any, Any], path: Path) -> Mapping[str, Any]:
    """Return the options of the training, by upper-case names."""
    hparams = content.get("hparams")
    options = vars(hparams) if isinstance(hparams, Namespace) else hparams
    if not isinstance(options, Mapping):
        raise ModelError(f"{path} has no hparams, which name the network; give a checkpoint as the authors publish it")
    return {str(name).upper(): value for name, value in options.items() if _is_value(value)}


def _is_value(value: Any) -> bool:
    scalars = value if isinstance(value, list | tuple) else [value]
    return all(scalar is None or isinstance(scalar, str | int | float) for scalar in scalars)


def _network_name(hparams: Mapping[str, Any], path: Path) -> str:
    model = str(hparams.get("MODEL")).lower()
    if model not in MODELS:
        raise ModelError(f"{path} holds the network {model[:80]!r}; use one of {', '.join(MODELS)}")
    fusion = hparams.get("FUSION_MODULE") or "diff_features"
    if model == "unet" and fusion != "diff_features":
        raise ModelError(f"{path} holds a unet with the fusion {str(fusion)[:80]!r}; only diff_features can be read")
    return MODELS[model]


def _image_channels(weights: Mapping[str, Tensor], path: Path) -> int:
    """Return the number of channels that the first convolution of the encoder reads."""
    for key, value in weights.items():
        if key.startswith(("encoder.", "_backbone.")) and value.ndim == 4:
            return value.shape[1]
    raise ModelError(f"{path} holds no encoder; give a checkpoint of {', '.join(MODELS)}")


def _fill(network: ChangeNetwork, weights: Mapping[str, Tensor], complaint: str) -> None:
    """Give the network its weights after checking each of them."""
    expected = network.state_dict()
    common = [key for key in expected if key in weights]
    problems = {
        "missing": [key for key in expected if key not in weights],
        "unexpected": [key for key in weights if key not in expected],
        "other shape": [key for key in common if weights[key].shape != expected[key].shape],
        "other kind": [key for key in common if weights[key].is_floating_point() != expected[key].is_floating_point()],
    }
    if not any(problems.values()):
        with torch.no_grad():
            network.load_state_dict(weights)
        problems = {"not finite": [key for key, value in network.state_dict().items() if not value.isfinite().all()]}
    found = "; ".join(f"{problem} {_some(keys)}" for problem, keys in problems.items() if keys)
    if found:
        raise ModelError(f"{complaint} ({found}); give the checkpoint of a finished training, as published")


def _some(keys: Collection[str], most: int = 3) -> str:
    named = ", ".join(key[:80] for key in list(keys)[:most])
    return f"{named} and {len(keys) - most} more" if len(keys) > most else named


def _scores(metrics: Any) -> dict[str, float]:
    """Return the scores in `val_metrics`: single numbers within 0..1, except losses."""
    numbers = {str(name): _number(value) for name, value in metrics.items()} if isinstance(metrics, Mapping) else {}
    return {
        name: value
        for name, value in numbers.items()
        if value is not None and 0 <= value <= 1 and "loss" not in name.lower()
    }


def _number(value: Any) -> float | None:
    """Return `value` as a float if it is one finite number, else None."""
    if isinstance(value, Tensor):
        value = value.item() if value.numel() == 1 and _is_plain(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e300 < value < 1e300:
        return None
    return float(value)
