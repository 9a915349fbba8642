"""TODO."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from landslide_cli.errors import InputError
from landslide_cli.geo.bands import BANDS

LOSSES = ("binary", "two-class")


NORMALISATIONS = ("paper", "released", "logarithm")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained. The defaults are the paper's (sections 3.2, 3.3 and 4) wherever it gives one."""

    model: str = "bbunet"
    """A key of `training.networks.NETWORKS`."""
    bands: tuple[str, ...] = BANDS
    encoder: str | None = None
    """A name of segmentation-models-pytorch, for networks with a choice; their own where not given."""
    normalisation: str = "paper"
    """One of `NORMALISATIONS`."""
    epochs: int = 50
    batch: int = 64
    windows_per_epoch: int | None = None
    """Learn from so many windows, drawn anew, instead of all: for a laptop."""
    window_shift_px: int = 0
    """Windows to learn from are read up to so far from their place in rows and columns, drawn anew in each epoch."""
    learning_rate: float = 0.01
    decay: float = 0.99
    """Factor of the learning rate from epoch to epoch; the paper says only that it is exponential, this is the
    released code's."""
    dates_together: bool = False
    """Show the encoder both dates in one batch: batch norm then does not level what changed in a whole window, which
    it does not when predicting either. The published networks learned from one date at a time."""
    norm_momentum: float = 0.1
    """Share of a batch in the running statistics of batch norm; small batches want less than torch's own."""
    weight_decay: float = 1e-4
    averaging: float = 0.0
    """Decay, from step to step, of the moving average of the weights, less in the first steps; the average is validated
    and kept. 0 is none."""
    gradient_clip: float | None = None
    """Largest norm of the gradient; none where not given."""
    loss: str = "binary"
    """`binary`: cross-entropy averaged over pixels; `two-class`: averaged over the weights of their classes."""
    landslide_weight: float = 5.0
    """How much more a landslide pixel counts than one of stable ground."""
    change_weights: Mapping[str, float] = field(default_factory=dict)
    """How many times as much as other stable ground one counts that changed, by the codes of `prepare --changes`."""
    focal_gamma: float = 0.0
    """Power of the probability of its wrong class by which a pixel counts (focal loss, Lin et al. 2017)."""
    dice_weight: float = 0.0
    """Share of the Dice loss that is added."""
    flips: bool = True
    quarter_turns: bool = True
    rotation_deg: float = 15.0
    """Windows are turned further by up to this."""
    brightness: float = 0.1
    contrast: float = 0.1
    """Largest relative change, for each date on its own."""
    histogram_matching: float = 0.25
    """Share of the images that take the histograms of another image."""
    misregistration_px: int = 1
    """Each date is moved by up to this in rows and columns."""
    elevation_shift_m: float = 0.0
    """The elevation of each window is raised or lowered by up to this: landslides know no sea level."""
    flattest: float = 1.0
    """Least factor on the rise of the ground: how steep it must be to fail differs from place to place."""
    band_dropout: float = 0.0
    """Share of the windows in which some bands, drawn anew, are blank on both dates: a network that learned so can
    do without a band."""
    negatives: float = 0.05
    """Share each of pre-pre, post-post and post-pre pairs, in which nothing slid (released code; not in the paper)."""
    precision: str = "auto"
    """Of Lightning, such as `32-true` or `bf16-mixed`; `auto` is the latter on a GPU, the former elsewhere."""
    seed: int = 0


def check_recipe(recipe: Recipe) -> None:
    """Refuse what no training can be done with.

    Raises:
        InputError: it names the field, the value and what would do.
    """
    shares = ("brightness", "contrast", "histogram_matching", "band_dropout")
    rules: Mapping[str, tuple[bool, str]] = {
        "bands": (bool(recipe.bands) and set(recipe.bands) <= set(BANDS), f"names out of {', '.join(BANDS)}"),
        "normalisation": (recipe.normalisation in NORMALISATIONS, " or ".join(NORMALISATIONS)),
        "loss": (recipe.loss in LOSSES, " or ".join(LOSSES)),
        "epochs": (_whole(recipe.epochs, 1), "at least 1"),
        "batch": (_whole(recipe.batch, 2), "at least 2: batch norm needs two windows"),
        "windows_per_epoch": (recipe.windows_per_epoch is None or _whole(recipe.windows_per_epoch, 2), "at least 2"),
        "window_shift_px": (_whole(recipe.window_shift_px, 0), "a whole number of pixels, 0 or more"),
        "learning_rate": (_within(recipe.learning_rate, 1e-12, 10), "above 0 and at most 10"),
        "decay": (_within(recipe.decay, 1e-12, 1), "above 0 and at most 1"),
        "norm_momentum": (_within(recipe.norm_momentum, 1e-6, 1), "above 0 and at most 1"),
        "elevation_shift_m": (_within(recipe.elevation_shift_m, 0, 9000), "within 0..9000"),
        "flattest": (_within(recipe.flattest, 0.01, 1), "within 0.01..1"),
        "averaging": (_within(recipe.averaging, 0, 0.999999), "0, or more and below 1"),
        "weight_decay": (_within(recipe.weight_decay, 0, 1), "within 0..1"),
        "landslide_weight": (_within(recipe.landslide_weight, 1e-12, 1e6), "above 0"),
        "change_weights": (_weighs_codes(recipe.change_weights), "codes of 1 to 254 with weights of 0 or more"),
        "focal_gamma": (_within(recipe.focal_gamma, 0, 10), "within 0..10"),
        "dice_weight": (_within(recipe.dice_weight, 0, 100), "within 0..100"),
        "rotation_deg": (_within(recipe.rotation_deg, 0, 45), "within 0..45"),
        "misregistration_px": (_whole(recipe.misregistration_px, 0), "a whole number of pixels, 0 or more"),
        "negatives": (_within(recipe.negatives, 0, 1 / 3), "within 0..0.33: three kinds share the pairs"),
        "seed": (_whole(recipe.seed, 0), "a whole number, 0 or more"),
        **{name: (_within(getattr(recipe, name), 0, 1), "within 0..1") for name in shares},
    }
    for name, (holds, wanted) in rules.items():
        if not holds:
            raise InputError(f"{name} = {getattr(recipe, name)!r} in the recipe cannot be; give {wanted}")


def _weighs_codes(value: object) -> bool:
    codes = {str(code) for code in range(1, 255)}
    return isinstance(value, dict) and set(value) <= codes and all(_within(weight, 0, 1e6) for weight in value.values())


def _whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _within(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
