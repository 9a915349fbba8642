"""BIT: two dates compared through a few tokens that sum each of them up (Chen and Shi 2021)."""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import resnet18

from landslide_cli.geo.bands import BANDS
from landslide_cli.training.networks.base import TwoClassNetwork

CHANNELS = 32
TOKENS = 4
"""Tokens of each date."""
HEADS = 8
HEAD_CHANNELS = 64
MLP_CHANNELS = 64
DECODER_DEPTH = 8


class BIT(TwoClassNetwork):
    """Bitemporal image transformer, `base_transformer_pos_s4_dd8` of its authors; 12.4 M parameters.

    The last stage of the encoder and its classifier are in the published checkpoints, but not used.
    """

    def __init__(self, bands: int = len(BANDS)) -> None:
        """Build the network with random weights, for images of `bands` channels."""
        super().__init__()
        self.encoder = resnet18(weights=None)
        self.encoder.conv1 = nn.Conv2d(bands, 64, kernel_size=7, stride=2, padding=3, bias=False)
        # The third stage keeps the resolution of the second. Its authors ask for dilated convolutions in return,
        # but the published network has none.
        for convolution in (self.encoder.layer3[0].conv1, self.encoder.layer3[0].downsample[0]):
            convolution.stride = (1, 1)
        self.conv_pred = nn.Conv2d(256, CHANNELS, kernel_size=3, padding=1)
        self.conv_a = nn.Conv2d(CHANNELS, TOKENS, kernel_size=1, bias=False)
        self.pos_embedding = nn.Parameter(torch.randn(1, 2 * TOKENS, CHANNELS))
        self.transformer = TransformerEncoder()
        self.transformer_decoder = TransformerDecoder()
        self.classifier = nn.Sequential(
            nn.Conv2d(CHANNELS, CHANNELS, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(CHANNELS),
            nn.ReLU(),
            nn.Conv2d(CHANNELS, 2, kernel_size=3, padding=1),
        )

    def class_logits(self, pre: Tensor, post: Tensor) -> Tensor:
        """Return the logits (N, 2, H, W) of background and landslide."""
        maps = [self.features(image) for image in (pre, post)]
        tokens = torch.cat([self.tokens(features) for features in maps], dim=1)
        tokens = self.transformer(tokens + self.pos_embedding)
        before, after = (
            self.attend(features, own) for features, own in zip(maps, tokens.split(TOKENS, dim=1), strict=True)
        )
        change = functional.interpolate(torch.abs(before - after), scale_factor=4.0, mode="bilinear")
        logits: Tensor = self.classifier(change)
        return logits

    def features(self, image: Tensor) -> Tensor:
        """Return the features (N, CHANNELS, H / 4, W / 4) of one date."""
        stem = self.encoder.maxpool(self.encoder.relu(self.encoder.bn1(self.encoder.conv1(image))))
        maps = self.encoder.layer3(self.encoder.layer2(self.encoder.layer1(stem)))
        features: Tensor = self.conv_pred(functional.interpolate(maps, scale_factor=2.0, mode="nearest"))
        return features

    def tokens(self, features: Tensor) -> Tensor:
        """Return the tokens (N, TOKENS, CHANNELS) of one date: means of its pixels, weighted in several ways."""
        weights = torch.softmax(self.conv_a(features).flatten(2), dim=-1)
        return weights @ features.flatten(2).transpose(1, 2)

    def attend(self, features: Tensor, tokens: Tensor) -> Tensor:
        """Return the features of one date after its pixels looked at its tokens."""
        pixels: Tensor = self.transformer_decoder(features.flatten(2).transpose(1, 2), tokens)
        return pixels.transpose(1, 2).reshape(features.shape)


class TransformerEncoder(nn.Module):
    """The tokens of both dates look at each other."""

    def __init__(self) -> None:
        """Build one layer."""
        super().__init__()
        self.layers = nn.ModuleList([nn.ModuleList([Residual(Normed(SelfAttention())), Residual(Normed(MLP()))])])

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens of the shape given, (N, 2 x TOKENS, CHANNELS)."""
        for block in self.layers.children():
            for step in block.children():
                tokens = step(tokens)
        return tokens


class TransformerDecoder(nn.Module):
    """The pixels of a date look at its tokens."""

    def __init__(self) -> None:
        """Build `DECODER_DEPTH` layers."""
        super().__init__()
        self.layers = nn.ModuleList(
            nn.ModuleList([Residual(Normed(CrossAttention())), Residual(Normed(MLP()))]) for _ in range(DECODER_DEPTH)
        )

    def forward(self, pixels: Tensor, tokens: Tensor) -> Tensor:
        """Return pixels of the shape given, (N, pixels, CHANNELS)."""
        for block in self.layers.children():
            attention, mlp = block.children()
            pixels = mlp(attention(pixels, tokens))
        return pixels


class Residual(nn.Module):
    """Adds its first input to what a module makes of the inputs."""

    def __init__(self, module: nn.Module) -> None:
        """Wrap `module`."""
        super().__init__()
        self.fn = module

    def forward(self, values: Tensor, *others: Tensor) -> Tensor:
        """Return the sum, of the shape of `values`."""
        added: Tensor = self.fn(values, *others)
        return values + added


class Normed(nn.Module):
    """One layer norm for all inputs of a module."""

    def __init__(self, module: nn.Module) -> None:
        """Wrap `module`."""
        super().__init__()
        self.norm = nn.LayerNorm(CHANNELS)
        self.fn = module

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return what the module makes of the normalised inputs."""
        result: Tensor = self.fn(*(self.norm(values) for values in inputs))
        return result


class MLP(nn.Module):
    """Two linear layers."""

    def __init__(self) -> None:
        """Build the layers."""
        super().__init__()
        # The identity keeps the published numbering.
        self.net = nn.Sequential(
            nn.Linear(CHANNELS, MLP_CHANNELS), nn.GELU(), nn.Identity(), nn.Linear(MLP_CHANNELS, CHANNELS)
        )

    def forward(self, values: Tensor) -> Tensor:
        """Return values of the shape given."""
        result: Tensor = self.net(values)
        return result


class Attention(nn.Module):
    """Attention in several heads."""

    def __init__(self) -> None:
        """Build the layer that joins the heads."""
        super().__init__()
        self.to_out = nn.Sequential(nn.Linear(HEADS * HEAD_CHANNELS, CHANNELS))

    def attend(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Return (N, queries, CHANNELS); all inputs are (N, length, HEADS x HEAD_CHANNELS)."""
        queries, keys, values = (
            part.reshape(*part.shape[:2], HEADS, HEAD_CHANNELS).transpose(1, 2) for part in (queries, keys, values)
        )
        # The published network scales by the channels of a token, not of a head.
        weights = torch.softmax(queries @ keys.transpose(2, 3) * CHANNELS**-0.5, dim=-1)
        result: Tensor = self.to_out((weights @ values).transpose(1, 2).flatten(2))
        return result


class SelfAttention(Attention):
    """Tokens that look at each other."""

    def __init__(self) -> None:
        """Build one layer for queries, keys and values."""
        super().__init__()
        self.to_qkv = nn.Linear(CHANNELS, 3 * HEADS * HEAD_CHANNELS, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens of the shape given."""
        return self.attend(*self.to_qkv(tokens).chunk(3, dim=-1))


class CrossAttention(Attention):
    """Pixels that look at tokens."""

    def __init__(self) -> None:
        """Build a layer each for queries, keys and values."""
        super().__init__()
        self.to_q = nn.Linear(CHANNELS, HEADS * HEAD_CHANNELS, bias=False)
        self.to_k = nn.Linear(CHANNELS, HEADS * HEAD_CHANNELS, bias=False)
        self.to_v = nn.Linear(CHANNELS, HEADS * HEAD_CHANNELS, bias=False)

    def forward(self, pixels: Tensor, tokens: Tensor) -> Tensor:
        """Return pixels of the shape given."""
        return self.attend(self.to_q(pixels), self.to_k(tokens), self.to_v(tokens))
