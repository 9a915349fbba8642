"""What training needs of the machine: packages, and a GPU if one is asked for."""

from importlib.util import find_spec
from typing import get_args

from landslide_cli.config import TorchDevice
from landslide_cli.errors import InputError, needs_extra


def require_training() -> None:
    """Make sure that the packages for training are installed.

    Raises:
        InputError: they are not.
    """
    # Found, not imported: an import takes seconds, and an error in an option should be reported at once.
    missing = [name for name in ("torch", "lightning", "segmentation_models_pytorch") if not find_spec(name)]
    if missing:
        raise InputError(needs_extra("training", missing[0], "train"))


def torch_device(device: str) -> TorchDevice:
    """Return a device that torch can use.

    Args:
        device: what the user asked for.

    Returns:
        The device.

    Raises:
        InputError: the device is unknown to torch, or there is no GPU.
    """
    known: dict[str, TorchDevice] = {name: name for name in get_args(TorchDevice)}
    if device not in known:
        raise InputError(f"--device {device} is unknown for a network in torch; use {', '.join(known)}")
    if device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise InputError("--device cuda: torch finds no GPU that it can use here; give --device cpu")
    return known[device]
