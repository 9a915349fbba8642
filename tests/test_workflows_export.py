import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import CARD
from torch import Tensor, nn

from landslide_cli.errors import InputError, ModelError
from landslide_cli.inference.card import ModelCard
from landslide_cli.inference.engines import OnnxEngine
from landslide_cli.training.export import SelfContained
from landslide_cli.training.normalisation import PaperNormalisation
from landslide_cli.workflows.export import PARITY, export_model, with_facts

TERRAIN_CARD = ModelCard(**{**{f: getattr(CARD, f) for f in CARD.__slots__}, "terrain": True})


class Small(nn.Module):
    """A network small enough for a test, with all that matters: convolution, norm and three inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(2 + 2 + 4, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Conv2d(8, 1, 1)

    def forward(self, pre: Tensor, post: Tensor, terrain: Tensor) -> Tensor:
        logits: Tensor = self.head(torch.relu(self.norm(self.mix(torch.cat([pre, post, terrain], 1)))))
        return logits


def test_a_card_takes_what_a_person_adds(tmp_path: Path) -> None:
    path = tmp_path / "card.toml"
    path.write_text('limits = "flat ground"\ntile_px = 256\nthreshold = 0.61\n[scores]\nsimulated_f1 = 0.5')
    card = with_facts(replace(CARD, scores={"validation_f1": 0.6}), path)
    assert (card.limits, card.tile_px, card.bands) == ("flat ground", 256, CARD.bands)
    assert card.threshold == 0.61 != CARD.threshold
    assert card.scores == {"validation_f1": 0.6, "simulated_f1": 0.5}
    for text in ('bands = ["B02"]', 'tile_px = "256"'):
        path.write_text(text)
        with pytest.raises(InputError, match="cannot be given"):
            with_facts(CARD, path)
    path.write_text("threshold = 60.0")
    with pytest.raises(InputError, match="threshold 60 is no probability"):
        with_facts(CARD, path)
    path.write_text("tile_px = 100")
    with pytest.raises(InputError, match="tile_px 100 must be a multiple of 32"):
        with_facts(CARD, path)
    path.write_text("limits =")
    with pytest.raises(InputError, match="as TOML"):
        with_facts(CARD, path)


def test_the_file_agrees_with_torch_and_carries_its_card(tmp_path: Path) -> None:
    torch.manual_seed(0)
    summary = export_model(SelfContained(PaperNormalisation(), Small()), TERRAIN_CARD, tmp_path / "small.onnx")
    assert summary.difference <= PARITY
    assert summary.rounding < 0.01
    assert OnnxEngine(summary.model, "cpu").card == TERRAIN_CARD
    assert sorted(p.name for p in tmp_path.iterdir()) == ["small.json", "small.onnx"]
    item = json.loads((tmp_path / "small.json").read_text())
    sha256 = hashlib.sha256(summary.model.read_bytes()).hexdigest()
    assert item["assets"]["model"]["file:checksum"] == f"1220{sha256}"


def test_a_network_that_diverged_is_refused_and_nothing_written(tmp_path: Path) -> None:
    network = Small()
    with torch.no_grad():
        network.head.weight.fill_(torch.nan)
    with pytest.raises(ModelError):
        export_model(SelfContained(PaperNormalisation(), network), TERRAIN_CARD, tmp_path / "small.onnx")
    assert list(tmp_path.iterdir()) == []
