"""Compare two implementations of one network: the windows to use, and the largest difference allowed."""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from landslide_cli.geo.bands import REFLECTANCE_ONE
from landslide_cli.inference.engines import Inputs, OnnxEngine

PARITY: Final = 1e-4
"""Largest difference in probability that is allowed for a float32 export."""
HALF_PARITY: Final = 1e-2
"""Largest difference in probability that is allowed in half precision: one step of `probability.tif`."""


def run_model(path: Path, inputs: Inputs) -> NDArray[np.float32]:
    """Return the probabilities (N, 1, H, W) that a model file gives in ONNX Runtime on the CPU."""
    return OnnxEngine(path).run(inputs)


def example_inputs(bands: int, tile_px: int, count: int = 2, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Return random windows with realistic values: `pre`, `post` and `terrain`, each (count, C, H, W) float32."""
    rng = np.random.default_rng(seed)
    shape = (count, bands, tile_px, tile_px)
    slope = rng.uniform(0, 60, (count, tile_px, tile_px))
    aspect = rng.uniform(0, 2 * np.pi, (count, tile_px, tile_px))
    # Flat ground has no aspect.
    steep = slope >= 3
    elevation = rng.uniform(0, 4000, (count, tile_px, tile_px))
    return {
        "pre": rng.uniform(1, 0.6 * REFLECTANCE_ONE, shape).astype(np.float32),
        "post": rng.uniform(1, 0.6 * REFLECTANCE_ONE, shape).astype(np.float32),
        "terrain": np.stack([elevation, slope * steep, np.sin(aspect) * steep, np.cos(aspect) * steep], axis=1).astype(
            np.float32
        ),
    }
