"""The common part of BBU-Net and UNet-Siam-Diff: a U-Net of segmentation-models-pytorch on differences of dates."""

import re
from typing import Any, Final

import segmentation_models_pytorch as smp
import torch
from torch import Tensor

from landslide_cli.errors import InputError
from landslide_cli.training.networks.base import ChangeNetwork

DEPTH: Final = 5
"""Levels of the encoder, at 1/2 to 1/32 of the resolution of the images."""


class DifferenceUNet(ChangeNetwork):
    """One encoder for both dates, and one decoder for the differences at each level."""

    def __init__(self, bands: int, encoder: str, attention: str | None = None, dates_together: bool = False) -> None:
        """Build the network with random weights.

        Args:
            bands: channels of each image.
            encoder: name of the encoder in segmentation-models-pytorch.
            attention: kind of attention in the decoder, such as `scse`.
            dates_together: whether to learn from both dates as one batch, see `Recipe.dates_together`.

        Raises:
            InputError: the encoder is unknown, or has no output at one of the levels.
        """
        super().__init__()
        self.dates_together = dates_together
        self.encoder = build_encoder(encoder, bands)
        decoded: Any = smp.Unet(encoder, encoder_weights=None, in_channels=bands, decoder_attention_type=attention)
        self.decoder = decoded.decoder
        self.segmentation_head = decoded.segmentation_head

    def differences(self, pre: Tensor, post: Tensor) -> list[Tensor]:
        """Return the differences at levels 1 to `DEPTH`, (N, C, H / 2^level, W / 2^level) each."""
        if self.dates_together and self.training:
            both = [maps.chunk(2) for maps in self.encoder(torch.cat([pre, post]))[1:]]
            return [after - before for before, after in both]
        # One date at a time: batch norm sees each date's own statistics, as in the published training.
        pre_maps, post_maps = self.encoder(pre), self.encoder(post)
        return [after - before for before, after in zip(pre_maps[1:], post_maps[1:], strict=True)]

    def decode(self, image: Tensor, maps: list[Tensor]) -> Tensor:
        """Return the logits (N, 1, H, W) of maps at levels 1 to `DEPTH`, of the size of `image`."""
        # The decoder uses only the size of level 0.
        logits: Tensor = self.segmentation_head(self.decoder([image, *maps]))
        return logits


def build_encoder(name: str, bands: int) -> Any:
    """Build an encoder with random weights.

    Args:
        name: name of the encoder in segmentation-models-pytorch.
        bands: channels of each image.

    Returns:
        The encoder; its `out_channels` are those of levels 0 to `DEPTH`.

    Raises:
        InputError: the encoder is unknown, or has no output at one of the levels.
    """
    advice = "use one of segmentation-models-pytorch that has five levels, such as resnet18 or resnet50"
    # With other names, timm could download the definition of an encoder.
    if not re.fullmatch(r"[\w.-]+", name):
        raise InputError(f"encoder {name!r} is not the name of an encoder; {advice}")
    try:
        encoder = smp.encoders.get_encoder(name, in_channels=bands, depth=DEPTH, weights=None)
    except Exception as error:  # Each family of encoders refuses in its own way.
        raise InputError(f"encoder {name!r} cannot be built for {bands} bands; {advice}") from error
    if len(encoder.out_channels) != DEPTH + 1 or 0 in encoder.out_channels[1:]:
        raise InputError(f"encoder {name!r} has no output at some of the {DEPTH} levels; {advice}")
    return encoder
