"""One frozen dataclass per workflow. Every default lives here, once."""

from dataclasses import asdict, dataclass
from pathlib import Path

CLOUD_MASKS = ("scl", "csmask")


@dataclass(frozen=True, slots=True)
class FetchConfig:
    """What `fetch` needs to know."""

    out: Path
    """Event folder to write."""
    event_date: str
    """ISO date of the event."""
    aoi: str | None = None
    """A vector file, or `west,south,east,north` in degrees. Optional where images are given as files."""
    aoi_from: str | None = None
    """An inventory whose surroundings are the area of interest, instead of `aoi`."""
    all_scenes: bool = False
    """Keep every usable scene as a file of its own too, so that a training can pair them all."""
    event_time: str | None = None
    """UTC time of the event, HH:MM; without it images of its day are not used."""
    catalog: str = "auto"
    """A name in `imagery.catalogs.CATALOGS`, the URL of a STAC API, an item collection on disk, or `auto`: the
    known catalogs in turn, until one answers."""
    pre_scene: tuple[str, ...] = ()
    post_scene: tuple[str, ...] = ()
    """Identifiers of the scenes to use instead of the program's own choice."""
    pre: tuple[str, ...] = ()
    post: tuple[str, ...] = ()
    """Images at hand: files, or folders of band files. With these, no catalog is asked."""
    dem: str | None = None
    no_dem: bool = False
    bands: str | None = None
    """Names of the channels of `pre` and `post`, comma-separated, where the files do not say."""
    scale: float = 0.0001
    offset: float = 0.0
    """Reflectance = value x scale + offset, for images given as files."""
    pre_date: str | None = None
    post_date: str | None = None
    """Acquisition dates of images given as files."""
    pre_days: int = 90
    post_days: int = 30
    """Search windows before and after the event (paper, section 3.2: three months and one month)."""
    clouds: str = "scl"
    """What tells clouds from ground, one of `CLOUD_MASKS`: the scene classification that comes with the images
    (images given as files have none), or the network of ukis-csmask."""
    max_cloud: float = 40.0
    """Percent of the observed AOI that clouds may hide on a side, when all its scenes are joined."""
    workers: int = 4
    """Concurrent reads: enough to hide latency, few enough not to be throttled."""
    overwrite: bool = False
    yes: bool = False
    """Go on although the AOI is larger than `AOI_LIMIT_KM2`."""

    def parameters(self) -> dict[str, object]:
        """Return what the content of the event depends on: its provenance, and how a rerun knows itself."""
        return {key: value for key, value in asdict(self).items() if key not in _NOT_CONTENT}


_NOT_CONTENT = {"out", "workers", "overwrite", "yes"}

CONTACT_SHEET = Path("scenes.png")
"""Where `scenes` draws its thumbnails unless told otherwise."""

AOI_LIMIT_KM2 = 15_000
"""Above this an AOI needs `--yes`: more than one granule (12,056 km2), hours on a laptop, often a mistake."""


OVERVIEWS = ("average", "nearest", "mode", "none")
"""Small scars fade in averages, and come and go in the nearest pixel; without overviews a large map opens slowly."""


BATCH = 4
"""Windows per call of an engine on the CPU; four times as many on a GPU, twice in OpenVINO, which spreads them."""


@dataclass(frozen=True, slots=True)
class PredictConfig:
    """What `predict` needs to know."""

    event: Path
    model: str = "bbunet"
    """A name in `weights/`, the path of an ONNX file, or a detector: `rdndvi`, `red-change`."""
    device: str = "auto"
    threshold: float | None = None
    """Probability from which a pixel counts as landslide; the model's own where not given."""
    tile: int | None = None
    """Pixels of a window; that of the model where not given: 256."""
    stride: int | None = None
    """Pixels between windows; three quarters of a window where not given: 192 of 256."""
    tta: bool = False
    """Ask the model eight times, of the ground turned and mirrored, and take the mean."""
    overviews: str = "average"
    """How the overviews of the map are resampled, one of `OVERVIEWS`."""
    batch: int = BATCH
    min_slope: float = 10.0
    """Degrees; flatter ground is no landslide to the training-free detectors, where terrain is known."""


@dataclass(frozen=True, slots=True)
class DoctorConfig:
    """What `doctor` needs to know."""

    event: Path | None = None
    """Windows of it are tried; made-up ones where not given."""
    model: str = "bbunet"
    """A network in `weights/`, or the path of an ONNX file."""


SCHEMAS = ("landslide", "cems")


@dataclass(frozen=True, slots=True)
class VectorizeConfig:
    """What `vectorize` needs to know."""

    event: Path
    min_area: float = 400.0
    """m2: four pixels, the least that two bands at 20 m can tell from noise."""
    simplify: float = 0.0
    """m; 0 keeps the outline of the pixels."""
    threshold: float | None = None
    """Probability; the one `predict` recorded where not given."""
    grow: float | None = None
    """Probability down to which a landslide is followed from where it reaches the threshold."""
    merge: float = 0.0
    """m; what lies closer together is one landslide."""
    smooth: bool = False
    """Round the corners of the pixels; the area stays."""
    steeper_than: float = 0.0
    """Degrees; flatter ground is left out of landslides."""
    exclude: Path | None = None
    """Vector file with areas in which nothing is mapped, such as water or fields."""
    formats: str = ""
    """More formats for the landslides, comma-separated, of `mapping.formats.FORMATS`."""
    schema: str = "landslide"
    """One of `SCHEMAS`; `cems` writes the layers of Copernicus EMS Rapid Mapping too."""


@dataclass(frozen=True, slots=True)
class CompareConfig:
    """What `compare` needs to know."""

    before: Path
    after: Path
    """Event folders, or vector files of landslides."""
    out: Path | None = None
    """GeoJSON to write."""


@dataclass(frozen=True, slots=True)
class MapConfig:
    """What `map` needs to know: fetch, predict and vectorize on one folder."""

    fetch: FetchConfig
    predict: PredictConfig
    vectorize: VectorizeConfig


@dataclass(frozen=True, slots=True)
class PrepareConfig:
    """What `prepare` needs to know. Windows and what they must hold are those of the paper (section 3.2)."""

    out: Path
    """Folder of the training set to write."""
    events: tuple[Path, ...] = ()
    """Event folders."""
    inventory: tuple[Path, ...] = ()
    """Vector files with the landslides: one for all events, or one for each in their order."""
    changes: tuple[Path, ...] = ()
    """Rasters with codes of what changed and is no landslide, 0 elsewhere: one for all events, or one for each in
    their order."""
    layer: str | None = None
    """Layer of the inventories; all of them where not given."""
    date_attribute: tuple[str, ...] = ()
    """Attributes that tell when a landslide occurred; looked for where not given."""
    event_date: tuple[str, ...] = ()
    """ISO dates of the inventories, one for all or one each, whatever their attributes say."""
    window: int = 256
    """Pixels."""
    stride: int | None = None
    """Pixels between windows; half a window where not given."""
    max_cloud: float = 20.0
    """Percent of a window that clouds of either date may hide."""
    min_pixels: int = 1
    """Landslide pixels of a window that must be seen on both dates."""
    all_touched: bool = False
    """Burn every pixel that a landslide touches, instead of those whose centre lies in it."""
    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    """Names of the events to validate and to test on; the others are for training."""
    halve: tuple[str, ...] = ()
    """Names of the events of which one half is for validation, the other for testing."""
    min_evaluation_pixels: int = 200
    """Visible landslide pixels that a window for validation or testing must hold (paper, section 4)."""
    overwrite: bool = False

    def parameters(self) -> dict[str, object]:
        """Return the options that the content of the training set depends on."""
        values = {key: value for key, value in asdict(self).items() if key not in _NOT_PARAMETERS}
        return values | {"stride": self.stride_px}

    @property
    def stride_px(self) -> int:
        """Pixels between windows."""
        return self.stride or max(self.window // 2, 1)


_NOT_PARAMETERS = {"out", "overwrite", "events", "inventory", "changes"}


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """What `train` needs to know."""

    dataset: Path
    out: Path
    """Run folder to write."""
    model: str | None = None
    config: Path | None = None
    """TOML file with fields of `Recipe`, and with tables `[models.NAME]` that hold for one network alone."""
    bands: str | None = None
    """Names of bands, comma-separated."""
    encoder: str | None = None
    epochs: int | None = None
    batch: int | None = None
    seed: int | None = None
    """Those of these that are given replace what the recipe says."""
    encoder_weights: Path | None = None
    """Weights of SSL4EO-S12 to start the encoder of the images with."""
    start: tuple[Path, ...] = ()
    """Model files of the same network to start with; of several, with the mean of their weights."""
    resume: bool = False
    device: str = "auto"
    workers: int = 2
    """Processes that read windows: reading one takes a tenth of what learning from it takes a processor."""


@dataclass(frozen=True, slots=True)
class EvaluateConfig:
    """What `evaluate` needs to know."""

    model: str
    """A run folder, an ONNX file, a shipped network or a detector."""
    dataset: Path
    split: str = "test"
    out: Path | None = None
    """Folder for tables, curves and maps; none are written where not given."""
    threshold: float | None = None
    """The best on the validation windows where not given."""
    found_overlap: float = 0.5
    """A landslide is found if this share of its area is mapped..."""
    found_iou: float = 0.3
    """...or if it and the mapped regions that touch it share this much of their union."""
    min_slope: float = 10.0
    """Degrees; flatter ground is no landslide to the training-free detectors."""
    device: str = "auto"
    batch: int = 8
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class ExportConfig:
    """What `export` needs to know."""

    run: Path
    """A run folder; with `card` alone also an ONNX file; with `deepness` that, or a network in `weights/` by name."""
    out: Path
    half: bool = False
    """Compute in float16: half the memory on a GPU, slower on most processors."""
    eight_bits: bool = False
    """Store the large weights in eight bits instead of sixteen."""
    licence: str = "not stated"
    card: Path | None = None
    """TOML file with what the model should say of itself beyond what the run knows."""
    deepness: bool = False
    """Write what the QGIS plugin Deepness runs, instead of what `predict` runs."""
    event: Path | None = None
    """With `deepness`, an event folder whose rasters are joined to the one that the plugin reads."""
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class SimulateConfig:
    """What `simulate` needs to know."""

    out: Path
    """Folder to write the events into."""
    seed: int = 1
    """Of the first event; each of the others has the next."""
    events: int = 1
    size_px: int = 512
    """Side of the area of each event, pixels of 10 m."""
    dem: tuple[Path, ...] = ()
    """Elevation models in metres to cut the ground of two in three events from."""
    landcover: tuple[Path, ...] = ()
    """Codes of what covers the ground of `dem`; the first that knows a place counts."""
    landcover_class: tuple[str, ...] = ()
    """What the codes mean, such as `4=trees`; those of ESA WorldCover without any."""
    inventory: tuple[Path, ...] = ()
    """Mapped landslides whose shapes are used."""
    more_changes: tuple[str, ...] = ()
    """How many times as often there are changes that are no landslides: `3`, or of one kind, `quarry=20`."""
    clear_scenes: int = 1
    cloudy_scenes: int = 1
    """On each side of the event."""


@dataclass(frozen=True, slots=True)
class DemoConfig:
    """What `demo` needs to know."""

    out: Path = Path("landslide-demo")
    model: str = "bbunet"
    seed: int = 7
