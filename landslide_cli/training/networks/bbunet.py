"""BBU-Net: a U-Net on the difference of two dates, with the terrain at every level (paper, section 4)."""

import torch
from torch import Tensor, nn

from landslide_cli.geo.bands import BANDS, TERRAIN_BANDS
from landslide_cli.training.networks.unet import DEPTH, DifferenceUNet, build_encoder


class BitemporalBimodalFusion(nn.Module):
    """Adds to the difference of the dates what the terrain says about it (paper, figure 2).

    Nothing is rectified after the sum: a difference has both signs.
    """

    def __init__(self, image_channels: int, terrain_channels: int) -> None:
        """Fuse maps of `image_channels` and `terrain_channels` channels into `image_channels`."""
        super().__init__()
        self.fusion = nn.Sequential(
            nn.Conv2d(image_channels + terrain_channels, image_channels, kernel_size=3, padding=1),
            nn.BatchNorm2d(image_channels),
            nn.ReLU(),
            nn.Conv2d(image_channels, image_channels, kernel_size=3, padding=1),
            nn.BatchNorm2d(image_channels),
        )

    def forward(self, difference: Tensor, terrain: Tensor) -> Tensor:
        """Return the fused map (N, C, h, w) of two maps of one level."""
        correction: Tensor = self.fusion(torch.cat([difference, terrain], dim=1))
        return difference + correction


class BBUNet(DifferenceUNet):
    """Bitemporal-bimodal U-Net with two encoders and an scSE decoder; 35.2 M parameters with ResNet18."""

    reads_terrain = True

    def __init__(
        self,
        bands: int = len(BANDS),
        terrain_bands: int = len(TERRAIN_BANDS),
        encoder: str = "resnet18",
        dates_together: bool = False,
    ) -> None:
        """Build the network with random weights.

        Args:
            bands: channels of each image.
            terrain_bands: channels of the terrain.
            encoder: name in segmentation-models-pytorch of the encoder, the same for images and terrain.
            dates_together: learn from both dates as one batch, see `Recipe.dates_together`.

        Raises:
            InputError: the encoder is unknown, or gives no map at one of the levels.
        """
        super().__init__(bands, encoder, "scse", dates_together)
        self.dem_encoder = build_encoder(encoder, terrain_bands)
        self.fusion_module = nn.ModuleDict(
            {
                str(level): BitemporalBimodalFusion(
                    self.encoder.out_channels[level], self.dem_encoder.out_channels[level]
                )
                for level in range(1, DEPTH + 1)
            }
        )

    def forward(self, pre: Tensor, post: Tensor, terrain: Tensor) -> Tensor:
        """Return the landslide logits; see `ChangeNetwork.forward`."""
        differences = self.differences(pre, post)
        terrain_maps = self.dem_encoder(terrain)[1:]
        fused = [
            fusion(difference, terrain_map)
            for fusion, difference, terrain_map in zip(
                self.fusion_module.values(), differences, terrain_maps, strict=True
            )
        ]
        return self.decode(post, fused)
