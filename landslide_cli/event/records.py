"""Types for `event.json`: the record of each step, and the parts of the STAC Item that the program reads."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, ClassVar, Final, Literal, NotRequired, Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from landslide_cli.event.dates import now, software
from landslide_cli.geo.bands import BANDS, Side

STEPS: Final = "landslide:steps"
"""Property of the STAC Item that holds the record of each step, by the name of the step."""


class StepRecord(Protocol):
    """The fields that the record of every step has."""

    STEP: ClassVar[str]
    """Name of the step."""
    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def software(self) -> str:
        """Name and version of the program that made the step."""

    @property
    def datetime(self) -> str:
        """When the step ended, UTC, ISO 8601."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneFile:
    """One scene that `fetch --all-scenes` kept in separate files."""

    side: Side
    id: str
    datetime: str | None
    image: str
    """Path relative to the event folder; so is `unseen`."""
    unseen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRecord:
    """The record of `fetch`."""

    STEP: ClassVar[str] = "fetch"
    software: str = field(default_factory=software)
    datetime: str = field(default_factory=now)
    parameters: Mapping[str, Any]
    """The options that the content of the event depends on, see `FetchConfig.parameters`."""
    clear_percent: float
    """Percent of the AOI where the ground is seen on both dates."""
    unseen_percent: Mapping[str, float]
    """Percent of the AOI where the ground is not seen, by reason."""
    unseen_codes: Mapping[str, str]
    """Reason of each code in `sources.tif`."""
    area_km2: float
    elevation: str | None
    """Where the elevation comes from; None without elevation."""
    scene_files: tuple[SceneFile, ...] = ()
    cloud_dilation_m: float

    def same_parameters(self, parameters: Mapping[str, object]) -> bool:
        """Return whether the event was fetched with these options, see `FetchConfig.parameters`."""
        wanted = json.loads(json.dumps(parameters))
        return all(name in self.parameters and self.parameters[name] == value for name, value in wanted.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictOptions:
    """The options that a map of probability and its threshold depend on, besides the images."""

    model: str
    model_version: str = ""
    model_sha256: str | None = None
    """SHA-256 of the model file; None for a detector."""
    threshold: float
    """Probability from which a pixel counts as landslide, 0..1."""
    tile_px: int | None = None
    stride_px: int | None = None
    symmetries: int = 1
    """1, or 8 with TTA."""
    min_slope_deg: float | None = None
    """None for a network."""
    overviews: str = "average"


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictRecord(PredictOptions):
    """The record of `predict`."""

    STEP: ClassVar[str] = "predict"
    software: str = field(default_factory=software)
    datetime: str = field(default_factory=now)
    provider: str = ""
    """The engine that ran the model."""
    blank_bands: tuple[str, ...] = ()
    """Bands that the model reads and the images lack."""
    training_data: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    limits: str = ""
    analysed_percent: float = 0.0
    """Percent of the event's grid that was analysed."""
    landslide_percent: float = 0.0
    """Percent of the analysed pixels that reach the threshold."""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlineOptions:
    """The options that the outlines depend on, besides the map of probability."""

    threshold: float
    min_area_m2: float
    simplify_m: float
    grow: float | None
    merge_m: float
    smooth: bool
    steeper_than_deg: float
    exclude: str | None
    """Name of the file with excluded areas."""
    exclude_sha256: str | None


class ChangesRecord(TypedDict):
    """The differences between a map and its previous version."""

    since: int
    """Number of the previous version."""
    counts: dict[str, int]
    """Number of landslides by kind of change."""
    areas_m2: dict[str, float]
    differences: dict[str, tuple[Any, Any]]
    """Options that differ between the two maps, with both values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorizeRecord(OutlineOptions):
    """The record of `vectorize`."""

    STEP: ClassVar[str] = "vectorize"
    software: str = field(default_factory=software)
    datetime: str = field(default_factory=now)
    landslides: int
    area_m2: float
    largest_m2: float
    analysed_percent: float
    """Percent of the AOI that was analysed."""
    changes: ChangesRecord | None
    """None without an earlier version."""


class SceneRecord(TypedDict):
    """One image of an event, as `landslide:scenes` lists it."""

    side: Side
    id: str
    datetime: str | None
    source: NotRequired[int]
    """Number of the scene in `sources.tif`, from 1."""
    catalog: NotRequired[str | None]
    platform: NotRequired[str | None]
    relative_orbit: NotRequired[int | None]
    collection: NotRequired[str | None]
    processing_baseline: NotRequired[str | None]
    offset_removed: NotRequired[int]
    clear_percent: NotRequired[float | None]
    href: NotRequired[str | None]
    footprint: NotRequired[dict[str, Any] | None]
    """GeoJSON geometry, EPSG:4326."""


_Properties = TypedDict(
    "_Properties",
    {
        "proj:code": str,
        "proj:shape": tuple[int, int],
        "proj:transform": list[float],
        "landslide:event_date": str,
        "landslide:bands": list[Literal[BANDS]],  # type: ignore[valid-type]
        "landslide:scenes": list[SceneRecord],
        "landslide:steps": NotRequired[dict[str, dict[str, Any]]],
    },
)


class _Asset(TypedDict):
    href: str


class _Link(TypedDict):
    rel: str
    href: str


class _Item(TypedDict):
    """The fields of a STAC Item that the program reads. Other fields are kept as they are."""

    id: str
    geometry: dict[str, Any]
    properties: _Properties
    assets: dict[str, _Asset]
    links: list[_Link]


Step = TypeVar("Step", bound=StepRecord)


def check_item(item: object) -> None:
    """Check that the record of an event has all fields that the program reads, with the right types.

    Args:
        item: the content of `event.json`.

    Raises:
        ValueError: a field is missing or has another type; the message names the first such field.
    """
    _validated(_Item, item)


def read_step(item: Mapping[str, Any], kind: type[Step]) -> Step | None:
    """Return the record of a step.

    Args:
        item: the STAC Item of an event.
        kind: `FetchRecord`, `PredictRecord` or `VectorizeRecord`.

    Returns:
        The record; None if the step did not run.

    Raises:
        ValueError: a field is missing or has another type; the message names the first such field.
    """
    recorded = item["properties"].get(STEPS, {}).get(kind.STEP)
    return None if recorded is None else _validated(kind, recorded)


def same_options(record: PredictRecord | VectorizeRecord | None, options: PredictOptions | OutlineOptions) -> bool:
    """Return whether a step was recorded with exactly these options."""
    return record is not None and all(
        getattr(record, option.name) == getattr(options, option.name) for option in fields(options)
    )


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _validated(kind: Any, value: object) -> Any:
    try:
        return _adapter(kind).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
