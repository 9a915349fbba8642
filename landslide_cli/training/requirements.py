"""TODO."""

from importlib.util import find_spec

from landslide_cli.errors import InputError

TORCH_DEVICES = ("auto", "cuda", "cpu")


def require_training() -> None:
    """Make sure that what trains is installed.

    Raises:
        InputError: it is not.
    """
    # Found, not imported: that takes seconds, in which a mistake in an option would stay untold.
    if not all(find_spec(name) for name in ("torch", "lightning", "segmentation_models_pytorch")):
        raise InputError("training needs torch and lightning; run: pip install 'landslide[train]'")


def require_device(device: str) -> None:
    """Refuse a device that is not there.

    Raises:
        InputError: it is unknown, or no GPU can be used.
    """
    if device not in TORCH_DEVICES:
        raise InputError(f"--device {device} is unknown; give {', '.join(TORCH_DEVICES)}")
    if device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise InputError("--device cuda: torch finds no GPU that it can use here; give --device cpu")
