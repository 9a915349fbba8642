"""SEIFNet: differences made clear at each level, and levels fused from coarse to fine (Huang et al. 2024)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import resnet18

from landslide_cli.geo.bands import BANDS
from landslide_cli.training.networks.base import TwoClassNetwork

CHANNELS = (64, 128, 256, 512)
"""Of levels 1 to 4, at 1/4 to 1/32 of the resolution."""


class SEIFNet(TwoClassNetwork):
    """Spatiotemporal enhancement and interlevel fusion network; 28.6 M parameters.

    `encoder.fc`, `classifier` and the `conv` of each `ACFF` are in the published checkpoints, but not used.
    """

    def __init__(self, bands: int = len(BANDS)) -> None:
        """Build the network with random weights, for images of `bands` channels."""
        super().__init__()
        self.encoder = resnet18(weights=None)
        self.encoder.conv1 = nn.Conv2d(bands, 64, kernel_size=7, stride=2, padding=3, bias=False)
        self.diff1, self.diff2, self.diff3, self.diff4 = map(DifferenceEnhancement, CHANNELS)
        self.sam_p1, self.sam_p2, self.sam_p3, self.sam_p4 = map(Refinement, CHANNELS)
        self.ACFF1, self.ACFF2, self.ACFF3 = map(LevelFusion, CHANNELS[1:], CHANNELS[:-1])
        self.conv2, self.conv3, self.conv4 = (nn.Conv2d(c, CHANNELS[0], kernel_size=1) for c in CHANNELS[1:])
        self.conv_final1 = nn.Conv2d(CHANNELS[0], 2, kernel_size=1)
        self.classifier = nn.Sequential(
            nn.Conv2d(32, 32, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Conv2d(32, 2, kernel_size=3, padding=1),
        )

    def class_logits(self, pre: Tensor, post: Tensor) -> Tensor:
        """Return the logits (N, 2, H, W) of background and landslide."""
        enhance = (self.diff1, self.diff2, self.diff3, self.diff4)
        d1, d2, d3, d4 = (
            diff(*pair) for diff, *pair in zip(enhance, self.features(pre), self.features(post), strict=True)
        )
        p4 = self.sam_p4(d4)
        p3 = self.sam_p3(self.ACFF3(p4, d3))
        p2 = self.sam_p2(self.ACFF2(p3, d2))
        p1 = self.sam_p1(self.ACFF1(p2, d1))
        fused = p1 + self.conv2(_enlarge(p2, 2)) + self.conv3(_enlarge(p3, 4)) + self.conv4(_enlarge(p4, 8))
        logits: Tensor = self.conv_final1(_enlarge(fused, 4))
        return logits

    def features(self, image: Tensor) -> list[Tensor]:
        """Return the features of one date at levels 1 to 4."""
        stem = self.encoder.maxpool(self.encoder.relu(self.encoder.bn1(self.encoder.conv1(image))))
        maps = [self.encoder.layer1(stem)]
        for stage in (self.encoder.layer2, self.encoder.layer3, self.encoder.layer4):
            maps.append(stage(maps[-1]))
        return maps


class DifferenceEnhancement(nn.Module):
    """What both dates hold together, and their difference where coordinate attention finds it worth looking."""

    def __init__(self, channels: int) -> None:
        """Join two maps of `channels` channels into one."""
        super().__init__()
        self.Conv3 = nn.Conv2d(2 * channels, 2 * channels, kernel_size=3, padding=1)
        self.BN1 = nn.BatchNorm2d(2 * channels)
        self.Conv1 = nn.Conv2d(2 * channels, channels, kernel_size=1)
        self.BN2 = nn.BatchNorm2d(channels)
        self.coAtt_1 = CoordinateAttention(channels)

    def forward(self, pre: Tensor, post: Tensor) -> Tensor:
        """Return a map of the shape of each."""
        both = torch.relu(self.BN1(self.Conv3(torch.cat([pre, post], dim=1))))
        difference = torch.abs(pre - post)
        enhanced: Tensor = torch.relu(self.BN2(self.Conv1(both))) + difference * self.coAtt_1(difference)
        return enhanced


class CoordinateAttention(nn.Module):
    """Weights for the rows and the columns of a map."""

    def __init__(self, channels: int) -> None:
        """Weigh maps of `channels` channels."""
        super().__init__()
        hidden = max(8, channels // 16)
        self.conv1 = nn.Conv2d(channels, hidden, kernel_size=1)
        self.bn1 = nn.BatchNorm2d(hidden)
        self.conv_h = nn.Conv2d(hidden, channels, kernel_size=1)
        self.conv_w = nn.Conv2d(hidden, channels, kernel_size=1)

    def forward(self, values: Tensor) -> Tensor:
        """Return weights of the shape of `values`, 0..1."""
        height, width = values.shape[2:]
        rows, columns = values.mean(dim=3, keepdim=True), values.mean(dim=2, keepdim=True).transpose(2, 3)
        joint = functional.hardswish(self.bn1(self.conv1(torch.cat([rows, columns], dim=2))))
        rows, columns = torch.split(joint, [height, width], dim=2)
        return torch.sigmoid(self.conv_h(rows)) * torch.sigmoid(self.conv_w(columns.transpose(2, 3)))


class LevelFusion(nn.Module):
    """A choice, channel by channel, between a level and the coarser one."""

    def __init__(self, high_channels: int, low_channels: int) -> None:
        """Fuse a map of `high_channels` channels into one of `low_channels` and twice the resolution."""
        super().__init__()
        self.conv1 = nn.Conv2d(high_channels, low_channels, kernel_size=1)
        self.BN = nn.BatchNorm2d(low_channels)
        self.conv = nn.Conv2d(high_channels, low_channels, kernel_size=1)
        self.ca = FusionAttention(low_channels)

    def forward(self, high: Tensor, low: Tensor) -> Tensor:
        """Return a map of the shape of `low`."""
        high = functional.interpolate(high, scale_factor=2.0, mode="bilinear", align_corners=True)
        high = torch.relu(self.BN(self.conv1(high)))
        weight = self.ca(low + high)
        fused: Tensor = low * weight + high * (1 - weight)
        return fused


class FusionAttention(nn.Module):
    """Channel weights of a fusion."""

    def __init__(self, channels: int) -> None:
        """Weigh `channels` channels."""
        super().__init__()
        self.fc1, _, self.fc2 = _squeezing_mlp(channels)

    def forward(self, values: Tensor) -> Tensor:
        """Return weights (N, C, 1, 1), 0..1."""
        return _channel_weights(lambda pooled: self.fc2(torch.relu(self.fc1(pooled))), values)


class Refinement(nn.Module):
    """What of a level matters: first which channels, then where."""

    def __init__(self, channels: int) -> None:
        """Refine maps of `channels` channels."""
        super().__init__()
        self.cbam = BlockAttention(channels)
        self.conv2 = nn.Sequential(
            nn.Conv2d(channels, channels, kernel_size=3, padding=1), nn.BatchNorm2d(channels), nn.ReLU()
        )

    def forward(self, values: Tensor) -> Tensor:
        """Return a map of the shape given."""
        refined: Tensor = self.conv2(self.cbam(values))
        return refined


class BlockAttention(nn.Module):
    """Weighs channels, then pixels (CBAM); nothing is added to the product."""

    def __init__(self, channels: int) -> None:
        """Weigh maps of `channels` channels."""
        super().__init__()
        self.channel_attention = ChannelAttention(channels)
        self.spatial_attention = SpatialAttention()

    def forward(self, values: Tensor) -> Tensor:
        """Return a map of the shape given."""
        values = values * self.channel_attention(values)
        weighed: Tensor = values * self.spatial_attention(values)
        return weighed


class ChannelAttention(nn.Module):
    """Channel weights of a refinement."""

    def __init__(self, channels: int) -> None:
        """Weigh `channels` channels."""
        super().__init__()
        self.shared_MLP = nn.Sequential(*_squeezing_mlp(channels))

    def forward(self, values: Tensor) -> Tensor:
        """Return weights (N, C, 1, 1), 0..1."""
        return _channel_weights(self.shared_MLP, values)


class SpatialAttention(nn.Module):
    """Weights of pixels, by the mean and the maximum of their channels."""

    def __init__(self) -> None:
        """Build the one convolution."""
        super().__init__()
        self.conv2d = nn.Conv2d(2, 1, kernel_size=7, padding=3)

    def forward(self, values: Tensor) -> Tensor:
        """Return weights (N, 1, h, w), 0..1."""
        pooled = torch.cat([values.mean(dim=1, keepdim=True), values.amax(dim=1, keepdim=True)], dim=1)
        return torch.sigmoid(self.conv2d(pooled))


def _squeezing_mlp(channels: int) -> tuple[nn.Module, nn.Module, nn.Module]:
    """Return the layers of a perceptron on channels alone, with few channels in its middle."""
    squeezed = channels // 16
    return (
        nn.Conv2d(channels, squeezed, kernel_size=1, bias=False),
        nn.ReLU(),
        nn.Conv2d(squeezed, channels, kernel_size=1, bias=False),
    )


def _channel_weights(mlp: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
    """Return weights (N, C, 1, 1), 0..1, by the mean and the maximum of each channel over the pixels."""
    mean, highest = values.mean(dim=(2, 3), keepdim=True), values.amax(dim=(2, 3), keepdim=True)
    return torch.sigmoid(mlp(mean) + mlp(highest))


def _enlarge(values: Tensor, factor: int) -> Tensor:
    return functional.interpolate(values, scale_factor=float(factor), mode="bilinear")
