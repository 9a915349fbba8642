"""UNet-Siam-Diff: a U-Net on the difference of two dates (Caye Daudt et al. 2018; paper, section 4)."""

from torch import Tensor

from landslide_cli.geo.bands import BANDS
from landslide_cli.training.networks.unet import DifferenceUNet


class SiamDiff(DifferenceUNet):
    """Siamese U-Net; 32.6 M parameters with the paper's ResNet50, 14.4 M with the ResNet18 of the released code."""

    def __init__(self, bands: int = len(BANDS), encoder: str = "resnet50", dates_together: bool = False) -> None:
        """Build the network with random weights.

        Args:
            bands: channels of each image.
            encoder: its name in segmentation-models-pytorch.
            dates_together: learn from both dates as one batch, see `Recipe.dates_together`.

        Raises:
            InputError: the encoder is unknown, or gives no map at one of the levels.
        """
        super().__init__(bands, encoder, dates_together=dates_together)

    def forward(self, pre: Tensor, post: Tensor, terrain: Tensor) -> Tensor:  # noqa: ARG002
        """Return the landslide logits; see `ChangeNetwork.forward`."""
        return self.decode(post, self.differences(pre, post))
