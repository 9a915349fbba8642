"""BBU-Net: a U-Net on the difference of two dates, with the terrain at every level (paper, section 4)."""

import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn

from landslide_cli.imagery.bands import BANDS, TERRAIN_BANDS

ENCODER = "resnet18"
LEVELS = (1, 2, 3, 4, 5)
"""Levels of the encoders that are fused, at 1/2 to 1/32 of the resolution of the images."""


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

    def forward(self, pre: Tensor, post: Tensor, terrain: Tensor) -> Tensor:
        """Return the fused map (N, C, h, w) of three maps of one level."""
        difference = post - pre
        correction: Tensor = self.fusion(torch.cat([difference, terrain], dim=1))
        return difference + correction


class BBUNet(nn.Module):
    """Bitemporal-bimodal U-Net with two ResNet18 encoders and an scSE decoder; 35.2 M parameters.

    The parameters carry the names of the published checkpoints: do not rename attributes.
    """

    def __init__(self, bands: int = len(BANDS), terrain_bands: int = len(TERRAIN_BANDS)) -> None:
        """Build the network with random weights.

        Args:
            bands: channels of each image.
            terrain_bands: channels of the terrain.
        """
        super().__init__()
        unet = smp.Unet(ENCODER, encoder_weights=None, in_channels=bands, decoder_attention_type="scse")
        self.encoder = unet.encoder
        self.dem_encoder = smp.encoders.get_encoder(ENCODER, in_channels=terrain_bands, weights=None)
        self.fusion_module = nn.ModuleDict(
            {
                str(level): BitemporalBimodalFusion(
                    self.encoder.out_channels[level], self.dem_encoder.out_channels[level]
                )
                for level in LEVELS
            }
        )
        self.decoder = unet.decoder
        self.segmentation_head = unet.segmentation_head

    def forward(self, pre: Tensor, post: Tensor, terrain: Tensor) -> Tensor:
        """Return the landslide logits.

        Args:
            pre: (N, bands, H, W) image before the event, normalised; H and W multiples of 32.
            post: the same after the event.
            terrain: (N, terrain_bands, H, W), normalised.

        Returns:
            Logits (N, 1, H, W).
        """
        # One date at a time: batch norm sees each date's own statistics, as in the published training.
        pre_maps = self.encoder(pre)
        post_maps = self.encoder(post)
        terrain_maps = self.dem_encoder(terrain)
        fused = [
            self.fusion_module[str(level)](pre_maps[level], post_maps[level], terrain_maps[level]) for level in LEVELS
        ]
        # The decoder takes only the size of level 0 and does not read its values.
        logits: Tensor = self.segmentation_head(self.decoder([post, *fused]))
        return logits
