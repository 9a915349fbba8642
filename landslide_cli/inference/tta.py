"""Test-time augmentation (TTA): runs a model on eight turned and mirrored copies and averages the answers."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from landslide_cli.inference.engines import Engine

Array = NDArray[np.float32]

SYMMETRIES: Final = tuple((quarters, mirrored) for mirrored in (False, True) for quarters in range(4))
"""Symmetries of a square: number of quarter turns counter-clockwise, and whether east and west are mirrored before."""


class TtaEngine:
    """Averages another engine over `SYMMETRIES`; windows must be square."""

    def __init__(self, engine: Engine) -> None:
        """Wrap `engine`."""
        self._engine = engine
        self.card = engine.card
        self.provider = engine.provider
        self.calls = engine.calls

    def run(self, inputs: Mapping[str, Array]) -> Array:
        """Return probabilities (N, 1, H, W); see `engines.Engine.run`."""
        total = sum(
            _back(
                self._engine.run({name: _turned(name, image, *symmetry) for name, image in inputs.items()}), *symmetry
            )
            for symmetry in SYMMETRIES
        )
        return np.asarray(total / np.float32(len(SYMMETRIES)), np.float32)


def _turned(name: str, image: Array, quarters: int, mirrored: bool) -> Array:
    turned = image[..., ::-1] if mirrored else image
    turned = np.rot90(turned, quarters, axes=(-2, -1))
    if name != "terrain":
        return turned
    # The aspect turns with the ground. Channels as in bands.TERRAIN_BANDS.
    elevation, slope, east, north = np.moveaxis(turned, 1, 0)
    if mirrored:
        east = -east
    for _ in range(quarters):
        east, north = -north, east
    return np.stack([elevation, slope, east, north], axis=1)


def _back(probability: Array, quarters: int, mirrored: bool) -> Array:
    turned = np.rot90(probability, -quarters, axes=(-2, -1))
    return turned[..., ::-1] if mirrored else turned
