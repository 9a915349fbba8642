"""The card of a model: what it reads, how good it is, and its limits. The card is stored inside the ONNX file."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

from landslide_cli.errors import ModelError

METADATA_KEY = "landslide_card"
"""The key of the ONNX `metadata_props` whose value is the card as JSON."""
DEEPNESS_KEY = "landslide_deepness"
"""The same key in a file for the QGIS plugin Deepness, which this program does not run."""


KEY_FIGURES: Final[Mapping[str, str]] = {
    "simulated_test_recall": "finds {percent} of the landslide pixels of simulated test events",
    "simulated_test_precision": "{percent} of the pixels it maps there are landslide",
    "simulated_test_f1": "F1 {score:.2f} there",
    "real_pairs_without_landslides_flagged": "maps {percent} of real image pairs without landslides",
    "iburi_plain_scars_flagged": "maps {percent} of the plainest scars on the real images of Iburi (2018)",
    "simulated_further_events_most_of_a_kind_of_change_flagged": "maps at most {percent} of any other kind of change",
    "reported_f1": "F1 {score:.2f}, as its authors report it",
    "validation_f1": "F1 {score:.2f} on the events that it was chosen by",
}
"""The most important scores, in words, in the order in which they are shown."""
SHOWN_FIGURES: Final = 5


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Everything that is needed to run a model and to judge its map."""

    name: str
    version: str
    architecture: str
    bands: tuple[str, ...]
    """The channels of `pre` and `post`, in this order."""
    terrain: bool
    """Whether the model reads the terrain."""
    threshold: float
    """Probability from which a pixel counts as landslide, 0..1."""
    gsd_m: int = 10
    tile_px: int = 256
    """Side of the windows that the model learned from, in pixels."""
    training_data: str = ""
    spare_bands: tuple[str, ...] = ()
    """Bands that can be missing (0 on both dates). The model has learned to work without them, but less well."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Measured scores, by name, each 0..1."""
    limits: str = ""
    """What the model has not been shown to do."""
    licence: str = ""
    config_sha256: str = ""
    """SHA-256 of the training configuration."""

    def figures(self) -> tuple[str, ...]:
        """Return the most important scores in words, at most `SHOWN_FIGURES`."""
        known = [(words, self.scores[name]) for name, words in KEY_FIGURES.items() if name in self.scores]
        return tuple(words.format(score=score, percent=_percent(score)) for words, score in known[:SHOWN_FIGURES])

    def to_metadata(self) -> dict[str, str]:
        """Return the card as ONNX `metadata_props`."""
        return {METADATA_KEY: json.dumps(asdict(self), sort_keys=True)}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], source: str) -> "ModelCard":
        """Read the card from the `metadata_props` of an ONNX file.

        Args:
            metadata: the `metadata_props`.
            source: name of the file, for messages.

        Returns:
            The card.

        Raises:
            ModelError: there is no card, or it lacks a field.
        """
        if DEEPNESS_KEY in metadata:
            raise ModelError(f"{source} was written for the QGIS plugin Deepness; give the model that it was made from")
        if METADATA_KEY not in metadata:
            raise ModelError(
                f"{source} holds no model card (metadata {METADATA_KEY!r}); "
                "use a model written by this program, which says which bands it reads"
            )
        try:
            raw: dict[str, Any] = json.loads(metadata[METADATA_KEY])
            known = {f.name for f in fields(cls)}
            values = {key: value for key, value in raw.items() if key in known}
            tuples: dict[str, Any] = {key: tuple(values[key]) for key in ("bands", "spare_bands") if key in values}
            return cls(**{**values, **tuples})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"the model card in {source} cannot be read ({error}); export the model again") from error


def _percent(share: float) -> str:
    """Return a share for people: two digits, as 73 % or 0.001 %."""
    return f"{100 * share:.0f} %" if share >= 0.1 or share == 0 else f"{100 * share:.2g} %"
