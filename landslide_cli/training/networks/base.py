"""Base classes of the networks, with their inputs and outputs."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn


class ChangeNetwork(nn.Module, ABC):
    """Finds landslides in the changes between two images.

    The parameters of every network carry the names of the published checkpoints: do not rename attributes.
    """

    reads_terrain: ClassVar[bool] = False

    @abstractmethod
    def forward(self, pre: Tensor, post: Tensor, terrain: Tensor) -> Tensor:
        """Return the landslide logits.

        Args:
            pre: (N, bands, H, W) image before the event, normalised; H and W multiples of 32.
            post: the same after the event.
            terrain: (N, terrain_bands, H, W), normalised; ignored unless `reads_terrain`.

        Returns:
            Logits (N, 1, H, W).
        """


class TwoClassNetwork(ChangeNetwork):
    """Gives logits of background and landslide. The softmax of the two is the sigmoid of their difference."""

    @abstractmethod
    def class_logits(self, pre: Tensor, post: Tensor) -> Tensor:
        """Return the logits (N, 2, H, W) of background and landslide, for a loss with two classes."""

    def forward(self, pre: Tensor, post: Tensor, terrain: Tensor) -> Tensor:  # noqa: ARG002
        """Return the landslide logits; see `ChangeNetwork.forward`."""
        logits = self.class_logits(pre, post)
        return logits[:, 1:] - logits[:, :1]
