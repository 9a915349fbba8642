"""Start encoders from weights that were trained on Sentinel-2 without labels (SSL4EO-S12; paper, section 3.2)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from torch import Tensor, nn

from landslide_cli.errors import InputError
from landslide_cli.geo.bands import BANDS
from landslide_cli.training.checkpoints import load_plain

SSL4EO_BANDS: Final = (*BANDS[:10], "B10", *BANDS[10:])
"""Channels of the encoders of SSL4EO-S12. These are the bands of L1C; L2A has no B10."""
STEM: Final = "conv1.weight"


def load_encoder_weights(network: nn.Module, path: Path, bands: Sequence[str]) -> int:
    """Start the encoder of the images of `network` with the weights in `path`.

    Both layouts of SSL4EO-S12 are read: MoCo's `state_dict` with `module.encoder_q.`, DINO's `teacher` with
    `backbone.`, and a bare encoder. No code in the file is run.

    Args:
        network: a network with a ResNet as `encoder`; its first layer reads `bands`.
        path: file written by `torch.save`.
        bands: channels of the network, in their order.

    Returns:
        The number of parameters taken over.

    Raises:
        InputError: the file does not exist, or holds no such encoder, or another encoder than that of the network.
        ModelError: the file was not written by `torch.save`, or holds objects that could run code.
    """
    encoder = getattr(network, "encoder", None)
    wanted: dict[str, Tensor] = encoder.state_dict() if isinstance(encoder, nn.Module) else {}
    if STEM not in wanted:
        raise InputError(f"--encoder-weights {path}: this network has no ResNet encoder; leave the option out")
    found = _encoder_state(path)
    if STEM not in found:
        raise InputError(f"--encoder-weights {path} holds no ResNet (no {STEM}); give one of SSL4EO-S12's MoCo or DINO")
    stem = found[STEM]
    if stem.shape[1] == len(SSL4EO_BANDS):
        found[STEM] = stem[:, [SSL4EO_BANDS.index(band) for band in bands]]
    elif stem.shape[1] == len(BANDS):
        found[STEM] = stem[:, [BANDS.index(band) for band in bands]]
    # Some files leave out the count of batches, which changes nothing. Heads are not part of the encoder.
    needed = {key for key in wanted if not key.endswith("num_batches_tracked") and not key.startswith("fc.")}
    wrong = sorted(key for key in needed if key not in found or found[key].shape != wanted[key].shape)
    if wrong:
        key = wrong[0]
        have = tuple(found[key].shape) if key in found else "missing"
        raise InputError(
            f"--encoder-weights {path} holds another encoder: {key} is {have}, the network's is "
            f"{tuple(wanted[key].shape)} ({len(wrong)} such parameters); choose the encoder of the "
            "file, or leave the option out"
        )
    encoder.load_state_dict({key: found[key] for key in needed}, strict=False)  # type: ignore[union-attr]
    return len(needed)


def _encoder_state(path: Path) -> dict[str, Tensor]:
    loaded: Any = load_plain(path)
    for key in ("teacher", "state_dict"):
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
            break
    state = {}
    for key, value in loaded.items():
        name = str(key)
        for prefix in ("module.", "encoder_q.", "backbone."):
            name = name.removeprefix(prefix)
        # Files of MoCo also hold a second, slower encoder.
        if isinstance(value, Tensor) and not name.startswith(("encoder_k.", "queue")):
            state[name] = value
    return state
