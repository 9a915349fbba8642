"""A trained network as an ONNX file, refused unless ONNX Runtime and torch agree."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from landslide_cli.config import Progress, silent
from landslide_cli.errors import ModelError
from landslide_cli.files import atomic
from landslide_cli.imagery.bands import REFLECTANCE_ONE
from landslide_cli.inference.card import ModelCard
from landslide_cli.inference.engines import OnnxEngine

if TYPE_CHECKING:
    from torch import nn

PARITY = 1e-4
"""Largest difference in probability that a float32 export may show."""


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """What was written, and how well it agrees with torch."""

    model: Path
    megabytes: float
    difference: float
    """Largest difference in probability between the file and the network it was made of."""
    rounding: float
    """Largest difference that storing the weights in half precision makes."""


def export_model(network: "nn.Module", card: ModelCard, out: Path, progress: Progress = silent) -> ExportSummary:
    """Write `network` with its normalisation and card to `out`.

    Args:
        network: called as `network(pre, post, terrain)`; gives logits.
        card: what the file says of itself.
        out: ONNX file to write.
        progress: told what is being done.

    Raises:
        ModelError: ONNX Runtime and torch differ by more than `PARITY`.
        OutputError: the file cannot be written.
    """
    import torch

    from landslide_cli.training.export import SelfContained, rounded_to_half, write_onnx
    from landslide_cli.training.normalisation import PaperNormalisation

    model = SelfContained(PaperNormalisation(), network).eval()
    rounded = rounded_to_half(model).eval()
    progress("exporting", 0)
    inputs = example_inputs(len(card.bands), card.tile_px)
    tensors = [torch.from_numpy(inputs[name]) for name in ("pre", "post", "terrain")]
    with torch.no_grad():
        exact, expected = model(*tensors).numpy(), rounded(*tensors).numpy()
    with atomic(out) as temporary:
        write_onnx(rounded, temporary, card.to_metadata(), len(card.bands))
        progress("comparing with torch", 0.6)
        difference = float(np.abs(OnnxEngine(temporary, "cpu").run(inputs) - expected).max())
        if not difference <= PARITY:
            raise ModelError(f"the export differs from the network by {difference:.2g}, over {PARITY:g}; not written")
    return ExportSummary(out, out.stat().st_size / 1e6, difference, float(np.abs(expected - exact).max()))


def example_inputs(bands: int, tile_px: int, count: int = 2, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Return made-up windows in the range of real ones, for comparing implementations."""
    rng = np.random.default_rng(seed)
    shape = (count, bands, tile_px, tile_px)
    slope = rng.uniform(0, 60, (count, tile_px, tile_px))
    aspect = rng.uniform(0, 2 * np.pi, (count, tile_px, tile_px))
    elevation = rng.uniform(0, 4000, (count, tile_px, tile_px))
    return {
        "pre": rng.uniform(1, 0.6 * REFLECTANCE_ONE, shape).astype(np.float32),
        "post": rng.uniform(1, 0.6 * REFLECTANCE_ONE, shape).astype(np.float32),
        "terrain": np.stack([elevation, slope, np.sin(aspect), np.cos(aspect)], axis=1).astype(np.float32),
    }
