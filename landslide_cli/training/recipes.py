"""How a network is trained: every hyperparameter, with its default, its bounds and its reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Final, Literal

from landslide_cli.config import Checked, Option, check
from landslide_cli.errors import InputError
from landslide_cli.geo.bands import BANDS

Loss = Literal["binary", "two-class"]
Normalisation = Literal["paper", "released", "logarithm"]
CODES: Final = tuple(str(code) for code in range(1, 255))
"""Codes of other changes, see `prepare --changes`."""


@dataclass(frozen=True, slots=True)
class Recipe(Checked):
    """How a network is trained. The defaults are the paper's (sections 3.2, 3.3 and 4) wherever it gives one."""

    PREFIX: ClassVar[str] = "recipe: "

    model: Annotated[str, Option(help="Network: bbunet, unet-siam-diff, bit, seifnet or tinycd.")] = "bbunet"
    bands: Annotated[
        tuple[Literal[BANDS], ...], Option(help="Bands to learn from.")  # type: ignore[valid-type]
    ] = BANDS
    encoder: Annotated[
        str | None, Option(help="Encoder of bbunet and unet-siam-diff, by its name in segmentation-models-pytorch.")
    ] = None
    normalisation: Annotated[Normalisation, Option(help="How digital numbers become inputs.")] = "paper"
    epochs: Annotated[int, Option(help="Number of epochs.", least=1)] = 50
    batch: Annotated[int, Option(help="Windows per step; batch norm needs two.", least=2)] = 64
    windows_per_epoch: Annotated[
        int | None, Option(help="Draw this many windows for each epoch instead of using all: for a laptop.", least=2)
    ] = None
    window_shift_px: Annotated[
        int, Option(help="Shift each window at random by up to this many rows and columns.", least=0)
    ] = 0
    learning_rate: Annotated[float, Option(help="Learning rate of the first epoch.", above=0, most=10)] = 0.01
    decay: Annotated[float, Option(help="Factor of the learning rate from epoch to epoch.", above=0, most=1)] = 0.99
    """The paper says only that it is exponential; this is the value of the released code."""
    dates_together: Annotated[bool, Option(help="Show the encoder both dates in one batch.")] = False
    """With one date at a time, batch norm levels a change of a whole window in training, but not in prediction. The
    published networks learned from one date at a time."""
    norm_momentum: Annotated[
        float, Option(help="Share of a batch in the running statistics of batch norm.", above=0, most=1)
    ] = 0.1
    """Small batches need less than torch's default."""
    weight_decay: Annotated[float, Option(help="Weight decay of the optimiser.", least=0, most=1)] = 1e-4
    ema: Annotated[
        float, Option(help="Decay per step of the exponential moving average of the weights; 0 for no average.",
                      least=0, most=0.999999)
    ] = 0.0  # fmt: skip
    """The decay is less in the first steps. The average is validated and kept."""
    gradient_clip: Annotated[float | None, Option(help="Largest norm of the gradient.", above=0)] = None
    loss: Annotated[
        Loss,
        Option(help="Cross-entropy: binary averages over pixels, two-class over the weights of their classes."),
    ] = "binary"
    landslide_weight: Annotated[
        float, Option(help="Weight of a landslide pixel; stable ground has 1.", above=0, most=1e6)
    ] = 5.0
    change_weights: Annotated[
        Mapping[str, float], Option(help="Weight of stable ground with another change, by its code.")
    ] = field(default_factory=dict)
    focal_gamma: Annotated[
        float, Option(help="Power of the probability of the wrong class (focal loss, Lin et al. 2017).",
                      least=0, most=10)
    ] = 0.0  # fmt: skip
    dice_weight: Annotated[float, Option(help="Weight of the Dice loss that is added.", least=0, most=100)] = 0.0
    flips: Annotated[bool, Option(help="Mirror windows at random.")] = True
    quarter_turns: Annotated[bool, Option(help="Turn windows by quarter turns at random.")] = True
    rotation_deg: Annotated[float, Option(help="Turn windows further by up to this angle.", least=0, most=45)] = 15.0
    brightness: Annotated[
        float, Option(help="Largest relative change of brightness, for each date on its own.", least=0, most=1)
    ] = 0.1
    contrast: Annotated[
        float, Option(help="Largest relative change of contrast, for each date on its own.", least=0, most=1)
    ] = 0.1
    histogram_matching: Annotated[
        float, Option(help="Share of the images that take the histograms of another image.", least=0, most=1)
    ] = 0.25
    misregistration_px: Annotated[int, Option(help="Move each date by up to this many rows and columns.", least=0)] = 1
    elevation_shift_m: Annotated[
        float, Option(help="Raise or lower the elevation of each window by up to this.", least=0, most=9000)
    ] = 0.0
    """Landslides do not depend on the height above the sea."""
    flattest: Annotated[
        float, Option(help="Flatten the ground of each window at random, down to this factor.", least=0.01, most=1)
    ] = 1.0
    """The slope at which ground fails differs from place to place."""
    band_dropout: Annotated[
        float, Option(help="Share of the windows in which some bands are blank on both dates.", least=0, most=1)
    ] = 0.0
    """A network that learned so can do without a band."""
    negatives: Annotated[
        float, Option(help="Share each of pre-pre, post-post and post-pre pairs, which show no landslide.",
                      least=0, most=1 / 3)
    ] = 0.05  # fmt: skip
    """From the released code; not in the paper."""
    precision: Annotated[
        str,
        Option(help="Precision as Lightning names it, such as 32-true; auto is bf16-mixed on a GPU, else 32-true."),
    ] = "auto"
    seed: Annotated[int, Option(help="Seed of weights and chance.", least=0)] = 0

    def __post_init__(self) -> None:
        """Check all fields.

        Raises:
            InputError: a field is out of bounds.
        """
        check(self)
        if not self.bands:
            raise InputError(f"recipe: bands is empty; give names out of {', '.join(BANDS)}")
        weights = self.change_weights
        if not (
            isinstance(weights, Mapping)
            and set(weights) <= set(CODES)
            and all(isinstance(w, int | float) and not isinstance(w, bool) and 0 <= w <= 1e6 for w in weights.values())
        ):
            raise InputError(
                f"recipe: change_weights {weights!r} must hold codes of 1 to 254 with weights of 0 or more"
            )
