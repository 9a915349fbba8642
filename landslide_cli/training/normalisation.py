"""From what the files of an event hold to what a network reads. It travels inside the exported file."""

import torch
from torch import Tensor, nn

from landslide_cli.imagery.bands import REFLECTANCE_ONE

HIGHEST_M = 5000.0
STEEPEST_DEG = 90.0


class PaperNormalisation(nn.Module):
    """The normalisation of the paper, section 3.2."""

    terrain_scale: Tensor

    def __init__(self) -> None:
        """Prepare the scales of the terrain; the module has nothing to learn."""
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
        pre = torch.clamp(pre / REFLECTANCE_ONE, 0.0, 1.0)
        post = torch.clamp(post / REFLECTANCE_ONE, 0.0, 1.0)
        return pre, post, terrain * self.terrain_scale
