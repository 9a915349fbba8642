"""Describes a model as a STAC Item with the Machine Learning Model (MLM) extension, for catalogs and programs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from landslide_cli.card import ModelCard
from landslide_cli.event.dates import now
from landslide_cli.files import atomic, sha256_of
from landslide_cli.geo.bands import TERRAIN_BANDS

SCHEMA: Final = "https://stac-extensions.github.io/mlm/v1.5.0/schema.json"
FILE_SCHEMA: Final = "https://stac-extensions.github.io/file/v2.1.0/schema.json"
WORLD: Final = (-180.0, -90.0, 180.0, 90.0)
"""A model has no location, so its extent is the world."""


def model_item(card: ModelCard, href: str, size_bytes: int, sha256: str, created: str) -> dict[str, Any]:
    """Describe a model file by its card.

    Args:
        card: card of the model.
        href: href of the file, relative to the item.
        size_bytes: size of the file.
        sha256: SHA-256 of the file, hexadecimal.
        created: ISO time.

    Returns:
        A STAC 1.1 Item with the required properties of MLM 1.5, ready for JSON.
    """
    west, south, east, north = WORLD
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    inputs = [_input(name, card, len(card.bands), card.bands) for name in ("pre", "post")]
    if card.terrain:
        inputs.append(_input("terrain", card, len(TERRAIN_BANDS), TERRAIN_BANDS))
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [SCHEMA, FILE_SCHEMA],
        "id": f"landslide-{card.name}",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": list(WORLD),
        "properties": {
            "datetime": created,
            "title": f"{card.name}: landslides between two Sentinel-2 images",
            "description": card.limits,
            "license": card.licence if card.licence in ("MIT", "Apache-2.0", "CC-BY-4.0") else "other",
            "gsd": card.gsd_m,
            "mlm:name": card.name,
            "mlm:architecture": card.architecture,
            "mlm:tasks": ["semantic-segmentation"],
            "mlm:framework": "ONNX",
            "mlm:input": inputs,
            "mlm:output": [
                {
                    "name": "probability",
                    "tasks": ["semantic-segmentation"],
                    "result": _tensor(card, 1),
                    "classification:classes": [
                        {"value": 0, "name": "background"},
                        {"value": 1, "name": "landslide", "description": f"from probability {card.threshold:g} on"},
                    ],
                }
            ],
            "landslide:version": card.version,
            "landslide:threshold": card.threshold,
            "landslide:training_data": card.training_data,
            "landslide:scores": dict(card.scores),
            "landslide:spare_bands": list(card.spare_bands),
        },
        "links": [],
        "assets": {
            "model": {
                "href": href,
                "type": "application/octet-stream; application=onnx",
                "title": "model with its normalisation and its card",
                "roles": ["mlm:model"],
                "mlm:artifact_type": "onnx",
                "file:size": size_bytes,
                # A multihash: 12 is SHA-256, 20 is the length of 32 bytes.
                "file:checksum": f"1220{sha256}",
            }
        },
    }


def _input(name: str, card: ModelCard, channels: int, bands: tuple[str, ...]) -> Mapping[str, Any]:
    return {"name": name, "bands": [{"name": band} for band in bands], "input": _tensor(card, channels)}


def _tensor(card: ModelCard, channels: int) -> Mapping[str, Any]:
    return {
        "shape": [-1, channels, card.tile_px, card.tile_px],
        "dim_order": ["batch", "channel", "height", "width"],
        "data_type": "float32",
    }


def write_item(card: ModelCard, model: Path) -> None:
    """Write the STAC Item of a model file beside it, as `<name>.json`.

    Args:
        card: card of the model.
        model: the file.

    Raises:
        OutputError: the item cannot be written.
    """
    item = model_item(card, f"./{model.name}", model.stat().st_size, sha256_of(model), now())
    with atomic(model.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(item, indent=2) + "\n", encoding="utf-8")
