"""One frozen dataclass per workflow. Every default lives here, once."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

Progress = Callable[[str, float], None]
"""Called with what is being done and the share done, 0..1."""


def silent(_step: str, _share: float) -> None:
    """Take progress and show nothing."""


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


@dataclass(frozen=True, slots=True)
class PredictConfig:
    """What `predict` needs to know."""

    event: Path
    model: str = "bbunet"
    """A name in `weights/`, the path of an ONNX file, or a detector: `rdndvi`, `red-change`."""
    device: str = "auto"
    threshold: float | None = None
    """Probability from which a pixel counts as landslide; the model's own where not given."""
    stride: int | None = None
    """Pixels between windows; three quarters of the model's window where not given: 192 of 256."""
    batch: int = 4
    """Windows per call on the CPU; on a GPU four times as many."""
    min_slope: float = 10.0
    """Degrees; flatter ground is no landslide to the training-free detectors, where terrain is known."""


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


@dataclass(frozen=True, slots=True)
class MapConfig:
    """What `map` needs to know: fetch, predict and vectorize on one folder."""

    fetch: FetchConfig
    predict: PredictConfig
    vectorize: VectorizeConfig


@dataclass(frozen=True, slots=True)
class DemoConfig:
    """What `demo` needs to know."""

    out: Path = Path("landslide-demo")
    model: str = "bbunet"
    seed: int = 7
