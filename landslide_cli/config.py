"""The options of each command: one frozen dataclass per command, with every default, choice and bound.

A field holds everything about an option: its type (a `Literal` lists the choices), and an `Option` with its help and
its bounds. The command line, the checks and the documentation are made from it. A configuration is checked when it is
made, so it need not be checked again.
"""

from collections.abc import Hashable
from dataclasses import asdict, dataclass, fields
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, get_args, get_origin, get_type_hints

from landslide_cli.errors import InputError

CloudMask = Literal["scl", "csmask"]
Device = Literal["auto", "tensorrt", "cuda", "openvino-bf16", "openvino-mixed", "openvino", "cpu"]
"""Engines, the fastest first after `auto`."""
TorchDevice = Literal["auto", "cuda", "cpu"]
Overviews = Literal["average", "nearest", "mode", "none"]
"""Small scars fade with `average`, and show only by chance with `nearest`. With `none` a large map opens slowly."""
Format = Literal["flatgeobuf", "geoparquet", "shapefile", "kml", "csv"]
Schema = Literal["landslide", "cems"]
Split = Literal["train", "validation", "test"]

BATCH: Final = 4
"""Windows per call of an engine on the CPU. A GPU gets four times this number, and OpenVINO twice this number."""
AOI_LIMIT_KM2: Final = 15_000
"""A larger AOI needs `--yes`: more than a granule (12,056 km2) takes hours on a laptop, and is often a mistake."""
MERGE_MAX_M: Final = 200
"""Parts farther apart are not one landslide. The limit also bounds the time of the search for parts."""
TILE_STEP_PX: Final = 32
"""Networks halve a window five times, so its side must be a multiple of 32."""

WHAT, IMAGES, OWN, MODEL, OUTLINES, OUTPUT = (
    "What and when", "Images from a catalog", "Your own images", "Model", "Outlines", "Output",
)  # fmt: skip
"""Panels of the help. Options without a panel come first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """The properties of a field besides its type and its default."""

    help: str
    """One sentence or two."""
    panel: str | None = None
    metavar: str | None = None
    shown: str | None = None
    """Text that the help shows as default if the default is worked out later."""
    least: float | None = None
    most: float | None = None
    above: float | None = None
    """Bound that the value must exceed."""
    step: int | None = None
    """The value must be a multiple of this number."""
    argument: bool = False
    """Whether the option is given by its place on the command line, not by its name."""
    short: str | None = None
    """A one-letter name."""
    required: bool = False
    """Whether the command line requires it although the field has a default."""


class Checked:
    """Checks all fields when an object is made."""

    __slots__ = ()
    PREFIX: ClassVar[str] = "--"
    """Text before the name of a field in messages."""

    def __post_init__(self) -> None:
        """Check each field against its type and its `Option`.

        Raises:
            InputError: a value is not one of the choices, or is out of bounds.
        """
        check(self)


def check(config: Any, prefix: str | None = None) -> None:
    """Check each field of a configuration against its type and its `Option`.

    Args:
        config: a dataclass whose fields are `Annotated` with an `Option`.
        prefix: text before the name of a field in messages; the `PREFIX` of the class if None.

    Raises:
        InputError: a value is not one of the choices, or is out of bounds.
    """
    for name, (kind, option) in described(type(config)).items():
        value = getattr(config, name)
        before = config.PREFIX if prefix is None else prefix
        said = before + (name.replace("_", "-") if before.startswith("--") else name)
        if value is None and kind_is_optional(kind):
            continue
        choices = choices_of(kind)
        values = value if isinstance(value, tuple | list) else (value,)
        for one in values:
            if choices and one not in choices:
                raise InputError(f"{said} {one!r} is unknown; use {', '.join(map(str, choices))}")
            if option is not None:
                _check_bounds(one, kind, option, said)


def _check_bounds(value: Any, kind: Any, option: Option, said: str) -> None:
    plain = plain_type(kind)
    if plain not in (int, float):
        return
    wanted = _bounds_in_words(option, plain)
    number = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    if not number or (plain is int and not isinstance(value, int)):
        raise InputError(f"{said} {value!r} must be {wanted}")
    if (
        (option.least is not None and value < option.least)
        or (option.most is not None and value > option.most)
        or (option.above is not None and value <= option.above)
        or (option.step is not None and value % option.step)
    ):
        raise InputError(f"{said} {value:g} must be {wanted}")


def _bounds_in_words(option: Option, plain: type) -> str:
    number = "a whole number" if plain is int else "a number"
    if option.step is not None:
        return f"a multiple of {option.step}, such as 256"
    low = f"above {option.above:g}" if option.above is not None else None
    if option.least is not None and option.most is not None:
        return f"{number} within {option.least:g}..{option.most:g}"
    if option.least is not None:
        return f"{number}, {option.least:g} or more"
    if low and option.most is not None:
        return f"{number} {low} and at most {option.most:g}"
    return f"{number} {low}" if low else number


def described(config: type[Any]) -> dict[str, tuple[Any, Option | None]]:
    """Return the type and the `Option` of each field of a configuration, by its name, in order."""
    return _described(config)  # type: ignore[arg-type]


@cache
def _described(config: Hashable) -> dict[str, tuple[Any, Option | None]]:
    assert isinstance(config, type)
    hints = get_type_hints(config, include_extras=True)
    found: dict[str, tuple[Any, Option | None]] = {}
    for field in fields(config):
        hint = hints[field.name]
        kind, *extras = get_args(hint) if get_origin(hint) is Annotated else (hint,)
        found[field.name] = (kind, next((extra for extra in extras if isinstance(extra, Option)), None))
    return found


def kind_is_optional(kind: Any) -> bool:
    """Return whether a type admits None."""
    return type(None) in get_args(kind)


def plain_type(kind: Any) -> Any:
    """Return a type without None, and without the tuple around it."""
    parts = [part for part in get_args(kind) if part not in (type(None), Ellipsis)]
    if get_origin(kind) is Literal or not parts:
        return kind
    return plain_type(parts[0])


def choices_of(kind: Any) -> tuple[Any, ...]:
    """Return the choices that a type lists; empty if the type is not made of a `Literal`."""
    plain = plain_type(kind)
    return get_args(plain) if get_origin(plain) is Literal else ()


EventFolder = Annotated[
    Path, Option(help="Event folder, made by `landslide fetch` or `landslide map`.", metavar="EVENT", argument=True)
]
Model = Annotated[
    str,
    Option(
        help="bbunet, bbunet-rgb, a detector without training (rdndvi, red-change), or the path of an ONNX file.",
        panel=MODEL, metavar="NAME|PATH",
    ),
]  # fmt: skip
Threshold = Annotated[
    float | None,
    Option(
        help="A pixel is a landslide from this probability on.",
        panel=MODEL, metavar="P", above=0, most=1, shown="the model's own",
    ),
]  # fmt: skip
MinSlope = Annotated[
    float,
    Option(help="Detectors ignore ground flatter than this, in degrees.", panel=MODEL, least=0, most=90, metavar="DEG"),
]
Overwrite = Annotated[bool, Option(help="Replace what is there.", panel=OUTPUT)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchConfig(Checked):
    """Options of the search for images."""

    aoi: Annotated[
        str | None,
        Option(
            help="Area of interest: a vector file, or west,south,east,north in degrees.",
            panel=WHAT, metavar="FILE|BBOX",
        ),
    ] = None  # fmt: skip
    event_date: Annotated[str, Option(help="Day of the event.", panel=WHAT, metavar="YYYY-MM-DD")]
    aoi_from: Annotated[
        str | None,
        Option(
            help="Take the hull of these features, widened by 1 km, as area of interest.",
            panel=WHAT, metavar="INVENTORY",
        ),
    ] = None  # fmt: skip
    event_time: Annotated[
        str | None,
        Option(help="UTC time of the event. Without it, images of its day are not used.", panel=WHAT, metavar="HH:MM"),
    ] = None
    catalog: Annotated[
        str,
        Option(
            help="STAC catalog: planetary-computer, earth-search, copernicus, a URL, or an item collection on disk; "
            "auto tries the known ones in turn.",
            panel=IMAGES, metavar="NAME|URL|FILE",
        ),
    ] = "auto"  # fmt: skip
    pre_scene: Annotated[
        tuple[str, ...],
        Option(help="Use this scene before the event. Repeat for more.", panel=IMAGES, metavar="ID"),
    ] = ()
    post_scene: Annotated[
        tuple[str, ...],
        Option(help="Use this scene after the event. Repeat for more.", panel=IMAGES, metavar="ID"),
    ] = ()
    pre_days: Annotated[
        int, Option(help="Search this many days before the event.", panel=IMAGES, least=1, metavar="DAYS")
    ] = 90
    post_days: Annotated[
        int, Option(help="Search this many days after the event.", panel=IMAGES, least=1, metavar="DAYS")
    ] = 30
    """The defaults of `pre_days` and `post_days` are those of the paper (section 3.2: three months and one month)."""
    max_cloud: Annotated[
        float,
        Option(
            help="Percent of the AOI that clouds may hide on each side, after all scenes of that side are joined.",
            panel=IMAGES, least=0, most=100, metavar="PERCENT",
        ),
    ] = 40.0  # fmt: skip
    workers: Annotated[int, Option(help="Reads at the same time.", panel=IMAGES, least=1, most=64, metavar="N")] = 4
    """Enough to hide the latency of servers, and not so many that servers slow the program down."""
    yes: Annotated[
        bool, Option(help=f"Go on although the AOI is larger than {AOI_LIMIT_KM2:,} km2.", panel=WHAT, short="-y")
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenesConfig(SearchConfig):
    """What `scenes` needs to know."""

    out: Annotated[Path | None, Option(help="Contact sheet to write, a PNG file.", panel=OUTPUT, metavar="PNG")] = Path(
        "scenes.png"
    )
    """Nothing is drawn if None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchConfig(SearchConfig):
    """What `fetch` needs to know."""

    out: Annotated[Path, Option(help="Event folder to write.", panel=OUTPUT, metavar="EVENT")]
    all_scenes: Annotated[
        bool, Option(help="Keep every usable scene as a file of its own as well, for training.", panel=OUTPUT)
    ] = False
    pre: Annotated[
        tuple[str, ...],
        Option(
            help="Image before the event: a file, or a folder of band files. Repeat for more. No catalog is asked.",
            panel=OWN, metavar="PATH",
        ),
    ] = ()  # fmt: skip
    post: Annotated[tuple[str, ...], Option(help="Image after the event, like --pre.", panel=OWN, metavar="PATH")] = ()
    pre_date: Annotated[str | None, Option(help="Acquisition date of --pre.", panel=OWN, metavar="YYYY-MM-DD")] = None
    post_date: Annotated[str | None, Option(help="Acquisition date of --post.", panel=OWN, metavar="YYYY-MM-DD")] = None
    dem: Annotated[
        str | None, Option(help="Elevation in metres, with --pre and --post.", panel=OWN, metavar="FILE")
    ] = None
    no_dem: Annotated[bool, Option(help="Go without elevation. Some models then cannot run.", panel=IMAGES)] = False
    bands: Annotated[
        str | None,
        Option(help="Bands of the files, if their names do not tell, such as B02,B03,B04.", panel=OWN, metavar="NAMES"),
    ] = None
    scale: Annotated[float, Option(help="Reflectance = value x scale + offset.", panel=OWN, metavar="NUMBER")] = 0.0001
    offset: Annotated[
        float,
        Option(
            help="See --scale. Use -0.1 for products of processing baseline 04.00 and later.",
            panel=OWN, metavar="NUMBER",
        ),
    ] = 0.0  # fmt: skip
    clouds: Annotated[
        CloudMask,
        Option(
            help="Cloud mask: scl is the scene classification of the catalog, csmask is the network of ukis-csmask "
            "(also for your own images).",
            panel=IMAGES,
        ),
    ] = "scl"  # fmt: skip
    overwrite: Annotated[
        bool, Option(help="Start anew. Earlier versions of the map are removed, too.", panel=OUTPUT)
    ] = False

    def parameters(self) -> dict[str, object]:
        """Return the options that the content of the event depends on, so that a second run can recognise it."""
        return {key: value for key, value in asdict(self).items() if key not in ("out", "workers", "overwrite", "yes")}


@dataclass(frozen=True, slots=True)
class PredictConfig(Checked):
    """What `predict` needs to know."""

    event: EventFolder
    model: Model = "bbunet"
    device: Annotated[
        Device,
        Option(
            help="What the model runs on; auto takes the fastest that gives the same map. See `landslide doctor`.",
            panel=MODEL, metavar="ENGINE",
        ),
    ] = "auto"  # fmt: skip
    threshold: Threshold = None
    tile: Annotated[
        int | None,
        Option(
            help="Side of a window in pixels.", panel=MODEL, least=TILE_STEP_PX, step=TILE_STEP_PX, metavar="PX",
            shown="the model's own",
        ),
    ] = None  # fmt: skip
    stride: Annotated[
        int | None,
        Option(
            help="Pixels from one window to the next.", panel=MODEL, least=1, metavar="PX",
            shown="three quarters of a window",
        ),
    ] = None  # fmt: skip
    tta: Annotated[
        bool,
        Option(
            help="Test-time augmentation: run the model on eight turned and mirrored copies of each window and take "
            "the mean. Takes eight times as long.",
            panel=MODEL,
        ),
    ] = False  # fmt: skip
    overviews: Annotated[
        Overviews, Option(help="How the overviews of probability.tif are resampled.", panel=OUTPUT)
    ] = "average"
    batch: int = BATCH
    min_slope: MinSlope = 10.0
    """Degrees. Where terrain is known, the training-free detectors never map flatter ground."""


@dataclass(frozen=True, slots=True)
class DoctorConfig(Checked):
    """What `doctor` needs to know."""

    event: Annotated[
        Path | None,
        Option(
            help="Event folder to try the engines on; simulated windows if not given.", metavar="EVENT", argument=True
        ),
    ] = None
    model: Model = "bbunet"


@dataclass(frozen=True, slots=True)
class VectorizeConfig(Checked):
    """What `vectorize` needs to know."""

    event: EventFolder
    min_area: Annotated[
        float, Option(help="Smallest landslide in square metres.", panel=OUTLINES, least=0, metavar="M2")
    ] = 400.0
    """Four pixels in m2: the smallest area that two bands with a GSD of 20 m can tell from noise."""
    simplify: Annotated[
        float,
        Option(help="Simplify outlines; they move by this many metres at most.", panel=OUTLINES, least=0, metavar="M"),
    ] = 0.0
    threshold: Annotated[
        float | None,
        Option(
            help="A pixel is a landslide from this probability on.",
            panel=OUTLINES, metavar="P", above=0, most=1, shown="that of predict",
        ),
    ] = None  # fmt: skip
    grow: Annotated[
        float | None,
        Option(
            help="Follow each landslide down to this lower probability.",
            panel=OUTLINES, metavar="P", above=0, most=1, shown="the threshold",
        ),
    ] = None  # fmt: skip
    merge: Annotated[
        float,
        Option(
            help="Parts closer together than this are one landslide, in metres.",
            panel=OUTLINES, least=0, most=MERGE_MAX_M, metavar="M",
        ),
    ] = 0.0  # fmt: skip
    smooth: Annotated[bool, Option(help="Round the corners of the pixels. Areas stay within 2 %.", panel=OUTLINES)] = (
        False
    )
    steeper_than: Annotated[
        float,
        Option(
            help="Leave ground flatter than this out of landslides, in degrees.",
            panel=OUTLINES, least=0, most=90, metavar="DEG",
        ),
    ] = 0.0  # fmt: skip
    exclude: Annotated[
        Path | None,
        Option(
            help="Vector file with areas in which nothing is mapped, such as water or fields.",
            panel=OUTLINES, metavar="FILE",
        ),
    ] = None  # fmt: skip
    formats: Annotated[
        tuple[Format, ...],
        Option(
            help="More formats for the landslides, separated by commas.",
            panel=OUTPUT, metavar="NAMES",
        ),
    ] = ()  # fmt: skip
    schema: Annotated[
        Schema, Option(help="cems also writes the layers of Copernicus EMS Rapid Mapping.", panel=OUTPUT)
    ] = "landslide"


@dataclass(frozen=True, slots=True)
class CompareConfig(Checked):
    """What `compare` needs to know."""

    before: Annotated[Path, Option(help="Event folder, or vector file of landslides.", metavar="BEFORE", argument=True)]
    after: Annotated[Path, Option(help="Event folder, or vector file of landslides.", metavar="AFTER", argument=True)]
    out: Annotated[
        Path | None, Option(help="Write each landslide with its kind of change.", panel=OUTPUT, metavar="FILE.geojson")
    ] = None


@dataclass(frozen=True, slots=True)
class MapConfig:
    """What `map` needs to know: fetch, predict and vectorize on one folder."""

    fetch: FetchConfig
    predict: PredictConfig
    vectorize: VectorizeConfig


@dataclass(frozen=True, slots=True)
class PrepareConfig(Checked):
    """What `prepare` needs to know. The defaults for windows are those of the paper (section 3.2)."""

    out: Annotated[Path, Option(help="Folder of the training set to write.", panel=OUTPUT, metavar="DATASET")]
    events: Annotated[
        tuple[Path, ...], Option(help="Event folders made by `landslide fetch`.", metavar="EVENT...", argument=True)
    ] = ()
    inventory: Annotated[
        tuple[Path, ...],
        Option(
            help="Landslide polygons: one file for all events, or one for each event in order.", panel="Truth",
            metavar="FILE", required=True,
        ),
    ] = ()  # fmt: skip
    changes: Annotated[
        tuple[Path, ...],
        Option(
            help="Raster with codes of other changes, which a recipe can weigh: one for all events, or one for each.",
            panel="Truth", metavar="FILE",
        ),
    ] = ()  # fmt: skip
    """Rasters with codes of other changes, 0 elsewhere."""
    layer: Annotated[
        str | None, Option(help="Layer of the inventories.", panel="Truth", metavar="NAME", shown="all")
    ] = None
    date_attribute: Annotated[
        tuple[str, ...],
        Option(
            help="Attribute with the day of a landslide. Give it twice for the first and the last possible day.",
            panel="Truth", metavar="NAME", shown="found by its name",
        ),
    ] = ()  # fmt: skip
    event_date: Annotated[
        tuple[str, ...],
        Option(
            help="Day of an inventory's landslides, whatever its attributes say: one for all, or one for each.",
            panel="Truth", metavar="YYYY-MM-DD",
        ),
    ] = ()  # fmt: skip
    window: Annotated[int, Option(help="Side of the windows in pixels.", panel="Windows", least=1, metavar="PX")] = 256
    stride: Annotated[
        int | None,
        Option(
            help="Pixels from one window to the next.", panel="Windows", least=1, metavar="PX", shown="half a window"
        ),
    ] = None
    max_cloud: Annotated[
        float,
        Option(
            help="Percent of a window that clouds of either date may hide.",
            panel="Windows", least=0, most=100, metavar="PERCENT",
        ),
    ] = 20.0  # fmt: skip
    min_pixels: Annotated[
        int,
        Option(
            help="Landslide pixels that a window must show on both dates.", panel="Windows", least=0, metavar="PIXELS"
        ),
    ] = 1
    all_touched: Annotated[
        bool,
        Option(
            help="Burn every pixel that a landslide touches, not only those whose centre lies in it.", panel="Truth"
        ),
    ] = False
    validation: Annotated[
        tuple[str, ...],
        Option(help="Event (folder name) to validate on. Repeat for more.", panel="Splits", metavar="NAME"),
    ] = ()
    test: Annotated[
        tuple[str, ...],
        Option(help="Event (folder name) to test on. Repeat for more.", panel="Splits", metavar="NAME"),
    ] = ()
    halve: Annotated[
        tuple[str, ...],
        Option(
            help="Event to cut by a line: one side to validate on, the other to test on, without a pixel in both. "
            "(The paper draws its halves by window; there they overlap.)",
            panel="Splits", metavar="NAME",
        ),
    ] = ()  # fmt: skip
    min_evaluation_pixels: Annotated[
        int,
        Option(
            help="Landslide pixels that windows for validation and testing must show.",
            panel="Splits", least=0, metavar="PIXELS",
        ),
    ] = 200  # fmt: skip
    """Paper, section 4."""
    overwrite: Annotated[bool, Option(help="Replace a training set made in another way.", panel=OUTPUT)] = False

    def parameters(self) -> dict[str, object]:
        """Return the options that the content of the training set depends on."""
        other = {"out", "overwrite", "events", "inventory", "changes"}
        return {key: value for key, value in asdict(self).items() if key not in other} | {"stride": self.stride_px}

    @property
    def stride_px(self) -> int:
        """Pixels from one window to the next."""
        return self.stride or max(self.window // 2, 1)


Dataset = Annotated[Path, Option(help="Training set made by `landslide prepare`.", metavar="DATASET", argument=True)]


@dataclass(frozen=True, slots=True)
class TrainConfig(Checked):
    """What `train` needs to know."""

    dataset: Dataset
    out: Annotated[Path, Option(help="Run folder to write.", panel=OUTPUT, metavar="RUN")]
    model: Annotated[
        str | None,
        Option(
            help="Network: bbunet, unet-siam-diff, bit, seifnet or tinycd.", panel="Recipe", metavar="NAME",
            shown="bbunet",
        ),
    ] = None  # fmt: skip
    config: Annotated[
        Path | None, Option(help="Recipe, such as examples/paper.toml.", panel="Recipe", metavar="TOML")
    ] = None
    """TOML file with fields of `Recipe`, and with tables `[models.NAME]` for single networks."""
    bands: Annotated[
        str | None,
        Option(help="Bands to learn from.", panel="Recipe", metavar="B02,B03,...", shown="those of the recipe, or all"),
    ] = None
    encoder: Annotated[
        str | None,
        Option(
            help="Encoder of bbunet and unet-siam-diff, by its name in segmentation-models-pytorch.",
            panel="Recipe", metavar="NAME", shown="that of the recipe, or of the paper",
        ),
    ] = None  # fmt: skip
    epochs: Annotated[
        int | None, Option(help="Number of epochs.", panel="Recipe", least=1, metavar="N", shown="that of the recipe")
    ] = None
    batch: Annotated[
        int | None, Option(help="Windows per step.", panel="Recipe", least=2, metavar="N", shown="that of the recipe")
    ] = None
    seed: Annotated[
        int | None,
        Option(help="Seed of weights and chance.", panel="Recipe", least=0, metavar="N", shown="that of the recipe"),
    ] = None
    """Options from `model` to `seed` that are given replace the values of the recipe."""
    encoder_weights: Annotated[
        Path | None,
        Option(
            help="SSL4EO-S12 ResNet (MoCo or DINO) to start the encoder of the images with.",
            panel="Start", metavar="FILE",
        ),
    ] = None  # fmt: skip
    start: Annotated[
        tuple[Path, ...],
        Option(
            help="Model of the same network to train on. Repeat to start with the mean of several.",
            panel="Start", metavar="MODEL.onnx",
        ),
    ] = ()  # fmt: skip
    resume: Annotated[bool, Option(help="Go on after the last complete epoch of this run.", panel="Start")] = False
    device: Annotated[TorchDevice, Option(help="All GPUs of the machine are used.", panel="Machine")] = "auto"
    workers: Annotated[int, Option(help="Processes that read windows.", panel="Machine", least=0, metavar="N")] = 2
    """Reading a window takes 10 % of the processor time of learning from it."""


@dataclass(frozen=True, slots=True)
class EvaluateConfig(Checked):
    """What `evaluate` needs to know."""

    model: Annotated[
        str,
        Option(
            help="Run folder, ONNX file, name of a shipped model, rdndvi or red-change.",
            metavar="RUN|MODEL", argument=True,
        ),
    ]  # fmt: skip
    dataset: Dataset
    split: Annotated[Split, Option(help="Windows to measure on.")] = "test"
    out: Annotated[Path | None, Option(help="Folder for tables, curves and maps.", panel=OUTPUT, metavar="DIR")] = None
    threshold: Annotated[
        float | None,
        Option(
            help="A pixel is a landslide from this probability on.", metavar="P", above=0, most=1,
            shown="best F1 on the validation windows",
        ),
    ] = None  # fmt: skip
    found_overlap: Annotated[
        float,
        Option(help="A landslide is found if this share of its area is mapped...", least=0, most=1, metavar="SHARE"),
    ] = 0.5
    found_iou: Annotated[
        float,
        Option(help="...or if it and the mapped regions that touch it have this IoU.", least=0, most=1, metavar="IOU"),
    ] = 0.3
    min_slope: MinSlope = 10.0
    device: Annotated[Device, Option(help="What the model runs on.", panel=MODEL, metavar="ENGINE")] = "auto"
    batch: Annotated[int, Option(help="Windows per call.", panel=MODEL, least=1, metavar="N")] = 8
    overwrite: Annotated[bool, Option(help="Replace an evaluation in --out.", panel=OUTPUT)] = False


ModelOut = Annotated[Path, Option(help="Model file to write.", panel=OUTPUT, metavar="NAME.onnx")]


@dataclass(frozen=True, slots=True)
class ExportConfig(Checked):
    """What `export` needs to know."""

    run: Annotated[Path, Option(help="Run folder made by `landslide train`.", metavar="RUN", argument=True)]
    out: ModelOut
    half: Annotated[bool, Option(help="Compute in float16: half the memory on a GPU.")] = False
    """Slower on most processors."""
    eight_bits: Annotated[
        bool, Option(help="Store the large weights in eight bits: half the file, as fast, nearly the same map.")
    ] = False
    licence: Annotated[str, Option(help="Licence of the weights, as the model's card states it.", metavar="TEXT")] = (
        "not stated"
    )
    card: Annotated[
        Path | None,
        Option(
            help="What the card of the model adds: limits, training_data, scores, threshold, tile_px.", metavar="TOML"
        ),
    ] = None
    overwrite: Annotated[bool, Option(help="Replace an existing file.", panel=OUTPUT)] = False


KnownModel = Annotated[
    str, Option(help="A name that `landslide weights list` shows, or an ONNX file.", metavar="NAME|PATH", argument=True)
]


@dataclass(frozen=True, slots=True)
class CardConfig(Checked):
    """What `weights card` needs to know."""

    model: KnownModel
    card: Annotated[
        Path,
        Option(help="What the new card says: limits, training_data, scores, threshold, tile_px.", metavar="TOML"),
    ]
    out: ModelOut
    overwrite: Annotated[bool, Option(help="Replace an existing file.", panel=OUTPUT)] = False


@dataclass(frozen=True, slots=True)
class QgisModelConfig(Checked):
    """What `weights qgis` needs to know."""

    model: KnownModel
    out: ModelOut
    event: Annotated[
        Path | None,
        Option(help="Also write the raster that the plugin reads, into this event folder.", metavar="EVENT"),
    ] = None
    overwrite: Annotated[bool, Option(help="Replace an existing file.", panel=OUTPUT)] = False


@dataclass(frozen=True, slots=True)
class ImportConfig(Checked):
    """What `weights import` needs to know."""

    checkpoint: Annotated[Path, Option(help="File written by torch.save.", metavar="CHECKPOINT", argument=True)]
    out: ModelOut
    bands: Annotated[
        str | None,
        Option(
            help="Bands that the network reads, in order, such as B04,B03,B02.", metavar="NAMES", shown="as recorded"
        ),
    ] = None
    threshold: Annotated[
        float | None,
        Option(
            help="A pixel is a landslide from this probability on.", metavar="P", above=0, most=1,
            shown="that of the checkpoint",
        ),
    ] = None  # fmt: skip


@dataclass(frozen=True, slots=True)
class SimulateConfig(Checked):
    """What `simulate` needs to know."""

    out: Annotated[
        Path, Option(help="Folder to write the events into, each in a folder of its own.", panel=OUTPUT, metavar="DIR")
    ]
    seed: Annotated[
        int, Option(help="Seed of the first event; each following event has the next number.", least=0, metavar="N")
    ] = 1
    events: Annotated[int, Option(help="Number of events.", least=1, metavar="N")] = 1
    size_px: Annotated[
        int, Option(help="Side of the area of each event, in pixels of 10 m.", least=60, metavar="PX")
    ] = 512
    dem: Annotated[
        tuple[Path, ...],
        Option(
            help="Real elevation in metres: the ground of two in three events is cut from it. Repeat for more.",
            panel="Real ground", metavar="FILE",
        ),
    ] = ()  # fmt: skip
    landcover: Annotated[
        tuple[Path, ...],
        Option(
            help="Land cover on the ground of --dem, in codes of ESA WorldCover. Repeat for more.",
            panel="Real ground", metavar="FILE",
        ),
    ] = ()  # fmt: skip
    """If several files know a place, the first one counts."""
    landcover_class: Annotated[
        tuple[str, ...],
        Option(
            help="Meaning of a code of --landcover that is not WorldCover: trees, shrubs, grass, cropland, built-up, "
            "bare, snow, water, wetland, mangroves, moss. Repeat for each code.",
            panel="Real ground", metavar="CODE=CLASS",
        ),
    ] = ()  # fmt: skip
    inventory: Annotated[
        tuple[Path, ...],
        Option(help="Mapped landslides to take shapes from. Repeat for more.", panel="Real ground", metavar="FILE"),
    ] = ()
    more_changes: Annotated[
        tuple[str, ...],
        Option(
            help="Make other changes this many times as frequent, for training. Repeat for single kinds: field, "
            "clear-cut, fire, dieback, flood, quarry, road, snow, season.",
            metavar="[KIND=]TIMES",
        ),
    ] = ()
    clear_scenes: Annotated[
        int, Option(help="Nearly cloudless scenes on each side of the event.", least=1, metavar="N")
    ] = 1
    cloudy_scenes: Annotated[int, Option(help="Cloudy scenes on each side of the event.", least=0, metavar="N")] = 1


@dataclass(frozen=True, slots=True)
class DemoConfig(Checked):
    """What `demo` needs to know."""

    out: Annotated[Path, Option(help="Folder to write.", metavar="DIR")] = Path("landslide-demo")
    model: Model = "bbunet"
    seed: int = 7


@dataclass(frozen=True, slots=True)
class InfoConfig(Checked):
    """What `info` needs to know."""

    event: EventFolder


@dataclass(frozen=True, slots=True)
class InventoryConfig(Checked):
    """What `inventories fetch` needs to know."""

    name: Annotated[str, Option(help="Name that `landslide inventories list` shows.", metavar="NAME", argument=True)]
    out: Annotated[Path | None, Option(help="File to write.", metavar="FILE", shown="the inventory's name")] = None


@dataclass(frozen=True, slots=True)
class ShowModelConfig(Checked):
    """What `weights show` needs to know."""

    name: KnownModel
