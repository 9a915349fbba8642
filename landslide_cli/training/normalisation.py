"""Normalisations: from the digital numbers in files to the inputs of a network. They are part of the exported file."""

from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor, nn

from landslide_cli.geo.bands import REFLECTANCE_ONE

HIGHEST_M = 5000.0
RELEASED_HIGHEST_M = 3000.0
STEEPEST_DEG = 90.0
GREY = 0.1
"""Reflectance with the logarithm 0: between soil and forest."""
FAINT = 0.01
"""Reflectance that is added before the logarithm; else noise in shadows would fill half of the range."""


class PaperNormalisation(nn.Module):
    """The normalisation of the paper, section 3.2."""

    terrain_scale: Tensor

    def __init__(self) -> None:
        """Prepare the scales of the terrain. There are no parameters to learn."""
        super().__init__()
        scale = torch.tensor([1 / HIGHEST_M, 1 / STEEPEST_DEG, 1.0, 1.0]).view(1, 4, 1, 1)
        self.register_buffer("terrain_scale", scale, persistent=False)

    def forward(self, pre: Tensor, post: Tensor, terrain: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Normalise a batch.

        Args:
            pre: (N, B, H, W) float32 digital numbers, 10000 is reflectance 1.
            post: the same after the event.
            terrain: (N, 4, H, W) float32: elevation in metres, slope in degrees, sine, cosine of the aspect.

        Returns:
            The images as reflectance clipped to 0..1; the terrain with elevation per 5000 m and slope per 90
            degrees.
        """
        return _reflectance(pre), _reflectance(post), terrain * self.terrain_scale


class ReleasedNormalisation(nn.Module):
    """The normalisation of the released code of the paper, and of its checkpoints.

    It differs from the paper's in the terrain alone: elevation per 3000 m, and half the aspect in place of the
    aspect, so that north is where the cosine jumps.
    """

    def forward(self, pre: Tensor, post: Tensor, terrain: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Normalise a batch; arguments and images as in `PaperNormalisation.forward`.

        Returns:
            The images; the terrain with elevation per 3000 m, slope per 90 degrees, and sine and cosine of half
            the aspect, brought from -1..1 to 0..1. Flat ground, which has no aspect, counts as facing north.
        """
        elevation, slope, aspect_sin, aspect_cos = terrain.split(1, dim=1)  # type: ignore[no-untyped-call]
        # From -90 to 90 degrees; half of an aspect in 0..360 degrees lies in 0..180.
        flat = (aspect_sin == 0) & (aspect_cos == 0)
        half_aspect = torch.where(flat, 0.0, torch.atan2(aspect_sin, aspect_cos) / 2)
        half_sin = torch.abs(torch.sin(half_aspect))
        half_cos = torch.where(aspect_sin < 0, -torch.cos(half_aspect), torch.cos(half_aspect))
        bands = [elevation / RELEASED_HIGHEST_M, slope / STEEPEST_DEG, (half_sin + 1) / 2, (half_cos + 1) / 2]
        return _reflectance(pre), _reflectance(post), torch.cat(bands, dim=1)


class LogarithmNormalisation(PaperNormalisation):
    """Logarithms of reflectance. Light and shade then add to all bands alike, and cancel in differences of dates.

    The terrain is as in the paper.
    """

    def forward(self, pre: Tensor, post: Tensor, terrain: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Normalise a batch; arguments and terrain as in `PaperNormalisation.forward`.

        Returns:
            The images as natural logarithms of reflectance, between -2.4 for black and 2.2, 0 where it is 0.1; 0 too
            where a digital number is 0: the band is missing there.
        """
        return _logarithm(pre), _logarithm(post), terrain * self.terrain_scale


NORMALISATIONS: Final[Mapping[str, type[nn.Module]]] = {
    "paper": PaperNormalisation,
    "released": ReleasedNormalisation,
    "logarithm": LogarithmNormalisation,
}
"""The normalisations by name."""


def _reflectance(image: Tensor) -> Tensor:
    """Return digital numbers as reflectance, clipped to 0..1."""
    return torch.clamp(image / REFLECTANCE_ONE, 0.0, 1.0)


def _logarithm(image: Tensor) -> Tensor:
    """Return digital numbers as logarithms of reflectance; 0 for nodata."""
    logarithm = torch.log((_reflectance(image) + FAINT) / GREY)
    return torch.where(image > 0, logarithm, 0.0)
