"""The item says of a model what MLM 1.5 asks for, and it is valid STAC."""

import json
from dataclasses import replace

import pystac
import pytest
from conftest import CARD

from landslide_cli.inference.mlm import SCHEMA, model_item

ITEM = model_item(replace(CARD, terrain=True), "./test.onnx", 123, "ab" * 32, "2026-01-02T03:04:05Z")


def test_it_is_an_item_that_pystac_reads() -> None:
    item = pystac.Item.from_dict(json.loads(json.dumps(ITEM)))
    assert SCHEMA in item.stac_extensions
    assert item.datetime is not None
    asset = item.assets["model"]
    assert asset.roles == ["mlm:model"]
    assert asset.extra_fields["mlm:artifact_type"] == "onnx"
    assert asset.extra_fields["file:checksum"] == "1220" + "ab" * 32


@pytest.mark.parametrize("name", ["name", "architecture", "tasks", "input", "output", "framework"])
def test_what_mlm_requires_is_there(name: str) -> None:
    assert ITEM["properties"][f"mlm:{name}"]


def test_inputs_and_outputs_are_those_of_the_file() -> None:
    inputs = {each["name"]: each for each in ITEM["properties"]["mlm:input"]}
    assert list(inputs) == ["pre", "post", "terrain"]
    assert [band["name"] for band in inputs["post"]["bands"]] == list(CARD.bands)
    assert inputs["terrain"]["input"]["shape"] == [-1, 4, 64, 64]
    assert [each["name"] for each in ITEM["properties"]["mlm:output"]] == ["probability"]
    assert len(model_item(CARD, "x", 1, "", "")["properties"]["mlm:input"]) == 2
