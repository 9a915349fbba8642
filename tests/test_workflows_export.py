import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CARD
from torch import Tensor, nn

from landslide_cli.card import ModelCard
from landslide_cli.config import CardConfig, ExportConfig
from landslide_cli.errors import InputError, ModelError
from landslide_cli.inference.engines import OnnxEngine
from landslide_cli.inference.models import with_facts
from landslide_cli.inference.parity import PARITY, example_inputs
from landslide_cli.training.export import SelfContained
from landslide_cli.training.normalisation import PaperNormalisation
from landslide_cli.workflows.export import export, export_model
from landslide_cli.workflows.weights import write_card

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
    with pytest.raises(InputError, match="threshold 60 must be a number above 0 and at most 1"):
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


def test_a_model_gets_another_card_and_stays_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    old, new, toml = tmp_path / "old.onnx", tmp_path / "new.onnx", tmp_path / "card.toml"
    export_model(SelfContained(PaperNormalisation(), Small()), replace(TERRAIN_CARD, scores={"f1": 0.4}), old)
    toml.write_text('version = "2"\nthreshold = 0.61\n[scores]\nf1 = 0.5')
    summary = write_card(CardConfig(str(old), toml, new))
    assert summary.model == new
    engines = OnnxEngine(old), OnnxEngine(new)
    assert engines[1].card == replace(engines[0].card, name="new", version="2", threshold=0.61, scores={"f1": 0.5})
    inputs = example_inputs(len(TERRAIN_CARD.bands), TERRAIN_CARD.tile_px)
    assert np.array_equal(engines[0].run(inputs), engines[1].run(inputs))
    assert json.loads(new.with_suffix(".json").read_text())["properties"]["mlm:name"] == "new"
    # In place, too; and a model is not exported again.
    write_card(CardConfig(str(new), toml, new, overwrite=True))
    assert OnnxEngine(new).card == engines[1].card
    with pytest.raises(InputError, match="is a model already"):
        export(ExportConfig(old, tmp_path / "small.onnx", card=toml, eight_bits=True))
    with pytest.raises(InputError, match="exists; give --overwrite"):
        write_card(CardConfig(str(old), toml, new))
    assert not (tmp_path / "small.onnx").exists()
