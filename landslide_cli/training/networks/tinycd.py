"""TinyCD: a few stages of a shared encoder; mixed maps of both dates become masks (Codegoni et al. 2023)."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import efficientnet_b4

from landslide_cli.errors import InputError
from landslide_cli.geo.bands import BANDS
from landslide_cli.training.networks.base import TwoClassNetwork

STAGES = 4
"""Stages of EfficientNet-B4 that are used; their maps have 48, 24, 32 and 56 channels."""


class TinyCD(TwoClassNetwork):
    """Small change detector; 0.289 M parameters."""

    def __init__(self, bands: int = len(BANDS)) -> None:
        """Build the network with random weights, for images of `bands` channels.

        Raises:
            InputError: `bands` is no multiple of 3, by which the images are mixed.
        """
        if bands % 3:
            raise InputError(f"tinycd mixes bands by threes and cannot read {bands}; give a multiple of 3")
        super().__init__()
        self._backbone = efficientnet_b4(weights=None).features[:STAGES]
        self._backbone[0][0] = nn.Conv2d(bands, 48, kernel_size=3, stride=2, padding=1, bias=False)
        self._first_mix = MixingMask(2 * bands, 3, (10, 5))
        self._mixing_mask = nn.ModuleList([MixingMask(48, 24, (12, 6)), MixingMask(64, 32, (16, 8)), Mixing(112, 56)])
        self._up = nn.ModuleList([MaskedEnlarging(56, 64), MaskedEnlarging(64, 64), MaskedEnlarging(64, 32)])
        self._classify = PixelwiseMLP((32, 16, 8, 2), nn.Identity())

    def class_logits(self, pre: Tensor, post: Tensor) -> Tensor:
        """Return the logits (N, 2, H, W) of background and landslide."""
        stem, *stages = self._backbone.children()
        mixed = [self._first_mix(pre, post)]
        pre, post = stem(pre), stem(post)
        for stage, mixing in zip(stages, self._mixing_mask, strict=True):
            pre, post = stage(pre), stage(post)
            mixed.append(mixing(pre, post))
        *masks, maps = mixed
        for enlarging, mask in zip(self._up, reversed(masks), strict=True):
            maps = enlarging(maps, mask)
        logits: Tensor = self._classify(maps)
        return logits


class Mixing(nn.Module):
    """Mixes both dates, each channel of one with the same channel of the other."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        """Mix maps of `in_channels` together into one of `out_channels`."""
        super().__init__()
        self._convmix = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, groups=out_channels),
            nn.PReLU(),
            nn.InstanceNorm2d(out_channels),
        )

    def forward(self, pre: Tensor, post: Tensor) -> Tensor:
        """Return the mixed map (N, out_channels, h, w)."""
        mixed: Tensor = self._convmix(torch.stack([pre, post], dim=2).flatten(1, 2))
        return mixed


class MixingMask(nn.Module):
    """Makes one mask of both dates."""

    def __init__(self, in_channels: int, mixed_channels: int, hidden_channels: Sequence[int]) -> None:
        """Mix, then judge each pixel by a perceptron of `hidden_channels`."""
        super().__init__()
        self._mixing = Mixing(in_channels, mixed_channels)
        self._linear = PixelwiseMLP((mixed_channels, *hidden_channels, 1), nn.PReLU())

    def forward(self, pre: Tensor, post: Tensor) -> Tensor:
        """Return the mask (N, 1, h, w)."""
        mask: Tensor = self._linear(self._mixing(pre, post))
        return mask


class PixelwiseMLP(nn.Module):
    """A perceptron on each pixel alone."""

    def __init__(self, channels: Sequence[int], last_activation: nn.Module) -> None:
        """Lead through layers of `channels`, with PReLU after each but the last."""
        super().__init__()
        pairs = list(pairwise(channels))
        activations = [*(nn.PReLU() for _ in pairs[1:]), last_activation]
        self._linears = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(before, after, kernel_size=1), activation)
                for (before, after), activation in zip(pairs, activations, strict=True)
            )
        )

    def forward(self, values: Tensor) -> Tensor:
        """Return (N, last of the channels, h, w)."""
        result: Tensor = self._linears(values)
        return result


class MaskedEnlarging(nn.Module):
    """Doubles the resolution of a map and applies the mask of that resolution."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        """Make maps of `out_channels` of maps of `in_channels`."""
        super().__init__()
        self._convolution = nn.Sequential(
            nn.Conv2d(in_channels, in_channels, kernel_size=3, padding=1, groups=in_channels),
            nn.PReLU(),
            nn.InstanceNorm2d(in_channels),
            nn.Conv2d(in_channels, out_channels, kernel_size=1),
            nn.PReLU(),
            nn.InstanceNorm2d(out_channels),
        )

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        """Return (N, out_channels, h, w), of the resolution of `mask` (N, 1, h, w)."""
        enlarged = functional.interpolate(values, scale_factor=2.0, mode="bilinear", align_corners=True)
        result: Tensor = self._convolution(enlarged * mask)
        return result
