import json
from dataclasses import replace

import pytest

from landslide_cli.card import KEY_FIGURES, METADATA_KEY, ModelCard
from landslide_cli.errors import ModelError

CARD = ModelCard(
    name="a", version="2", architecture="BBU-Net", bands=("B02", "B04"), terrain=True, threshold=0.4,
    scores={"f1": 0.5}, limits="none known",
)  # fmt: skip


def test_a_card_survives_the_metadata() -> None:
    assert ModelCard.from_metadata(CARD.to_metadata(), "a.onnx") == CARD


def test_a_card_of_a_later_version_is_read() -> None:
    raw = {**json.loads(CARD.to_metadata()[METADATA_KEY]), "new": 1}
    assert ModelCard.from_metadata({METADATA_KEY: json.dumps(raw)}, "a.onnx") == CARD


@pytest.mark.parametrize("metadata", [{}, {METADATA_KEY: "{"}, {METADATA_KEY: "[]"}, {METADATA_KEY: '{"name": "a"}'}])
def test_a_missing_or_broken_card_is_a_model_error(metadata: dict[str, str]) -> None:
    with pytest.raises(ModelError, match=r"a\.onnx") as caught:
        ModelCard.from_metadata(metadata, "a.onnx")
    assert caught.value.exit_code == 5


def test_a_card_says_its_most_important_figures_in_words() -> None:
    scores = {"simulated_test_recall": 0.734, "real_pairs_without_landslides_flagged": 1e-05, "unnamed": 0.3}
    assert replace(CARD, scores=scores).figures() == (
        "finds 73 % of the landslide pixels of simulated test events",
        "maps 0.001 % of real image pairs without landslides",
    )
    assert len(replace(CARD, scores=dict.fromkeys(KEY_FIGURES, 0.5)).figures()) == 5
    assert CARD.figures() == ()
