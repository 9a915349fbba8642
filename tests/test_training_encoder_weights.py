"""An encoder begins with what was learned on thirteen bands, less the one that L2A lacks."""

import pickle
from pathlib import Path

import pytest
import segmentation_models_pytorch as smp
import torch
from torch import Tensor

from landslide_cli.errors import InputError, ModelError
from landslide_cli.geo.bands import BANDS
from landslide_cli.training.encoder_weights import SSL4EO_BANDS, STEM, load_encoder_weights
from landslide_cli.training.networks import build_network


@pytest.fixture(scope="module")
def pretrained() -> dict[str, Tensor]:
    """A ResNet18 of thirteen bands, whose first layer tells the band in its values."""
    torch.manual_seed(1)
    state = smp.encoders.get_encoder("resnet18", in_channels=13, weights=None).state_dict()
    state[STEM] = torch.arange(13.0).view(1, 13, 1, 1).expand(64, 13, 7, 7).clone()
    return {**state, "fc.0.weight": torch.zeros(3, 3)}


LAYOUTS = {
    "moco": lambda state: {
        "epoch": 99,
        "state_dict": {f"module.encoder_q.{key}": value for key, value in state.items()}
        | {f"module.encoder_k.{key}": value * 0 for key, value in state.items()},
    },
    "dino": lambda state: {"student": {}, "teacher": {f"backbone.{key}": value for key, value in state.items()}},
    "bare": lambda state: state,
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("network", "bands"), [("bbunet", BANDS), ("bit", ("B04", "B11"))])
def test_every_layout_fills_the_encoder_and_drops_b10(
    tmp_path: Path, pretrained: dict[str, Tensor], layout: str, network: str, bands: tuple[str, ...]
) -> None:
    torch.save(LAYOUTS[layout](pretrained), tmp_path / "weights.pth")  # type: ignore[no-untyped-call]
    built = build_network(network, bands=len(bands))
    before = {key: value.clone() for key, value in built.state_dict().items()}
    load_encoder_weights(built, tmp_path / "weights.pth", bands)
    after = built.state_dict()
    assert after[f"encoder.{STEM}"][0, :, 0, 0].tolist() == [SSL4EO_BANDS.index(band) for band in bands]
    for key in ("layer1.0.conv1.weight", "layer4.1.bn2.running_mean"):
        assert torch.equal(after[f"encoder.{key}"], pretrained[key])
    others = [key for key in after if not key.startswith("encoder.")]
    assert others
    assert all(torch.equal(after[key], before[key]) for key in others)


class _Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


def test_what_is_no_such_encoder_is_one_clear_error(tmp_path: Path, pretrained: dict[str, Tensor]) -> None:
    path = tmp_path / "weights.pth"
    network = build_network("bbunet", bands=12)
    torch.save(pretrained, path)
    with pytest.raises(InputError, match="another encoder"):
        load_encoder_weights(build_network("unet-siam-diff", bands=12, encoder="resnet34"), path, BANDS)
    with pytest.raises(InputError, match="has no ResNet encoder"):
        load_encoder_weights(build_network("tinycd", bands=12), path, BANDS)
    torch.save({"something": torch.zeros(1)}, path)
    with pytest.raises(InputError, match="holds no ResNet"):
        load_encoder_weights(network, path, BANDS)
    for content in (b"no weights", b"", pickle.dumps({"a": _Bomb(tmp_path / "exploded")})):
        path.write_bytes(content)
        with pytest.raises(ModelError, match=r"not a complete file|could run code"):
            load_encoder_weights(network, path, BANDS)
    assert not (tmp_path / "exploded").exists()
