"""Detectors without training: the baseline to compare networks with.

They need no weights and follow the same protocol as a network. Their probability is not calibrated: it is 0.5 at the
published threshold and grows linearly with the index.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from landslide_cli.card import ModelCard
from landslide_cli.geo.bands import REFLECTANCE_ONE

Array = NDArray[np.float32]


def ndvi(red: Array, nir: Array) -> Array:
    """Return the normalised difference vegetation index; 0 where both bands are 0."""
    total = red + nir
    index: Array = np.divide(nir - red, total, out=np.zeros_like(total), where=total > 0)
    return index


def relative_ndvi_change(ndvi_pre: Array, ndvi_post: Array) -> Array:
    """Return rdNDVI, the index of HazMapper (Scheip and Wegmann 2021): negative where vegetation is lost.

    rdNDVI = (NDVI_post - NDVI_pre) / sqrt(|NDVI_post + NDVI_pre|) x 100.

    Args:
        ndvi_pre: NDVI of the pre image.
        ndvi_post: NDVI of the post image, of the same shape.

    Returns:
        rdNDVI in percent, of the same shape; 0 where the root is not above 0.001.
    """
    root = np.sqrt(np.abs(ndvi_post + ndvi_pre))
    change: Array = np.divide(ndvi_post - ndvi_pre, root, out=np.zeros_like(root), where=root > 1e-3)
    return 100 * change


class Detector(ABC):
    """An engine that computes a change index per pixel."""

    provider = "numpy"
    calls = 1

    def __init__(self, card: ModelCard, min_slope_deg: float) -> None:
        """Give ground flatter than `min_slope_deg` probability 0, if the event has terrain."""
        self.card = card
        self._min_slope_deg = min_slope_deg

    @abstractmethod
    def index(self, pre: Mapping[str, Array], post: Mapping[str, Array]) -> Array:
        """Return the index (N, H, W), 1 at the threshold, from bands (N, H, W) of digital numbers."""

    def run(self, inputs: Mapping[str, Array]) -> Array:
        """Return probabilities (N, 1, H, W); see `engines.Engine.run`."""
        pre, post = (
            {band: inputs[side][:, number] for number, band in enumerate(self.card.bands)} for side in ("pre", "post")
        )
        probability: Array = np.clip(0.5 * self.index(pre, post), 0, 1).astype(np.float32)
        if "terrain" in inputs:
            probability[inputs["terrain"][:, 1] < self._min_slope_deg] = 0
        return np.expand_dims(probability, 1)


class VegetationLoss(Detector):
    """`rdndvi`: relative loss of NDVI."""

    THRESHOLD_PERCENT: Final = 30.0

    def __init__(self, min_slope_deg: float) -> None:
        """See `Detector`."""
        super().__init__(_card("rdndvi", ("B04", "B08"), "Scheip and Wegmann 2021"), min_slope_deg)

    def index(self, pre: Mapping[str, Array], post: Mapping[str, Array]) -> Array:
        """Return the fall of rdNDVI, divided by the threshold."""
        change = relative_ndvi_change(ndvi(pre["B04"], pre["B08"]), ndvi(post["B04"], post["B08"]))
        return -change / np.float32(self.THRESHOLD_PERCENT)


class RedChange(Detector):
    """`red-change`: brightening in the red band, where fresh soil is brighter than the vegetation before it."""

    THRESHOLD_REFLECTANCE: Final = 0.04

    def __init__(self, min_slope_deg: float) -> None:
        """See `Detector`."""
        super().__init__(_card("red-change", ("B04",), "the red-band baseline of GLaD4CD"), min_slope_deg)

    def index(self, pre: Mapping[str, Array], post: Mapping[str, Array]) -> Array:
        """Return the rise of red reflectance, divided by the threshold."""
        return (post["B04"] - pre["B04"]) / np.float32(REFLECTANCE_ONE * self.THRESHOLD_REFLECTANCE)


def _card(name: str, bands: tuple[str, ...], source: str) -> ModelCard:
    return ModelCard(
        name=name, version="1", architecture="threshold on a change index", bands=bands, terrain=False, threshold=0.5,
        training_data=f"none: {source}",
        limits="Maps any loss of vegetation or brightening as a landslide: harvest, fire, clear-cuts, snow melt.",
        licence="MIT",
    )  # fmt: skip


DETECTORS: Final[Mapping[str, type[VegetationLoss] | type[RedChange]]] = {
    "rdndvi": VegetationLoss,
    "red-change": RedChange,
}
