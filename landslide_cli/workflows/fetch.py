"""Put the images and the terrain of an event into its folder, from a STAC catalog or from your own files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

from odc.geo.geobox import GeoBox

from landslide_cli.config import FetchConfig
from landslide_cli.errors import CatalogError, InputError, is_interrupt
from landslide_cli.event.folder import Event, new_event
from landslide_cli.event.placing import ITEM, VERSIONS, last_kept, put_in_place
from landslide_cli.event.products import DEEPNESS, FETCHED, PRODUCTS, Product
from landslide_cli.event.records import FetchRecord, SceneFile, SceneRecord
from landslide_cli.event.stac import Raster
from landslide_cli.files import remove, writing
from landslide_cli.geo.bands import GSD_M, SIDES, Unseen
from landslide_cli.imagery.clouds import DILATION_PX
from landslide_cli.imagery.selection import event_moment, select
from landslide_cli.imagery.sources import CatalogSource, FileSource, SceneError, Source, require_cloud_mask
from landslide_cli.imagery.staging import STAGING, assemble, read_side, target, write_every_scene, write_terrain
from landslide_cli.imagery.traffic import downloaded_bytes
from landslide_cli.progress import Progress, silent


@dataclass(frozen=True, slots=True)
class FetchSummary:
    """The result of `fetch`."""

    event: Path
    scenes: tuple[SceneRecord, ...]
    bands: tuple[str, ...]
    height_px: int
    width_px: int
    area_km2: float
    clear_percent: float
    """Percent of the AOI where the ground is seen on both dates."""
    unseen_percent: Mapping[str, float]
    """Percent of the AOI where the ground is not seen, by reason."""
    elevation: str | None
    megabytes: float
    """Size of the rasters."""
    downloaded_megabytes: float | None
    """Megabytes that this run read over the network; None if GDAL does not count them."""
    seconds: float
    """Time that this run took."""
    scene_files: int
    """Number of scenes that are kept as separate files."""
    reused: bool
    """Whether the folder already held this event, fetched with the same options."""


def fetch(
    config: FetchConfig,
    progress: Progress = silent,
    check: Callable[[tuple[str, ...], bool], None] | None = None,
    *,
    source: Source | None = None,
    previous: Event | None = None,
) -> FetchSummary:
    """Make the event folder `config.out`.

    Args:
        config: the options.
        progress: called with each step and the share done.
        check: called before images are read, with the bands of the event and whether it will have terrain; raises to
            stop the fetch.
        source: the result of `open_source`, if it was called before.
        previous: an event with files to reuse; what is the same in both is not read again.

    Returns:
        The images used, and what they show of the AOI.

    Raises:
        InputError: an option or a file cannot be used.
        NoSceneError: no scene suits the event.
        CatalogError: the catalog or its images cannot be reached.
        OutputError: the folder cannot be written.
    """
    meter = _Meter(perf_counter(), downloaded_bytes() or 0)
    progress = meter.beside(progress)
    event_moment(config)
    require_cloud_mask(config)
    if existing := _same_event(config):
        return _summary(existing, meter, reused=True)
    source = source or open_source(config, progress)
    if check:
        check(source.bands, source.elevation is not None)
    staging = config.out / STAGING
    try:
        with writing(config.out):
            staging.mkdir(parents=True, exist_ok=True)
        event = _fetch_into(staging, config, source, progress, previous)
    except BaseException as error:
        if not (source.resumable and (isinstance(error, CatalogError) or is_interrupt(error))):
            remove(staging)
        raise
    return _summary(event, meter, reused=False)


def open_source(config: FetchConfig, progress: Progress = silent) -> Source:
    """Find the images and the elevation of an event without reading them.

    Args:
        config: the options.
        progress: called with each step and the share done.

    Returns:
        The source of the pixels.

    Raises:
        InputError: an option or a file cannot be used.
        NoSceneError: no scene suits the event.
        CatalogError: the catalog cannot be reached.
    """
    if config.pre or config.post:
        return FileSource(config)
    return CatalogSource(config, select(config, progress))


def summarise(event: Event) -> FetchSummary:
    """Return the summary of an event that was fetched before."""
    return _summary(event, _Meter(perf_counter(), downloaded_bytes() or 0), reused=True)


@dataclass(frozen=True, slots=True)
class _Meter:
    """Measures the time and the downloads of a run."""

    began: float
    downloaded_before: int

    def seconds(self) -> float:
        return perf_counter() - self.began

    def megabytes(self) -> float | None:
        total = downloaded_bytes()
        return None if total is None else (total - self.downloaded_before) / 1e6

    def beside(self, progress: Progress) -> Progress:
        """Add the megabytes downloaded so far to the text of each step."""

        def tell(step: str, share: float) -> None:
            progress(f"{step}, {megabytes:.1f} MB" if (megabytes := self.megabytes()) else step, share)

        return tell


def _same_event(config: FetchConfig) -> Event | None:
    if config.out.exists() and not config.out.is_dir():
        raise InputError(f"--out {config.out} is a file; give a folder")
    put_in_place(config.out)
    if config.overwrite or not (config.out / ITEM).exists():
        return None
    event = Event.open(config.out)
    if event.fetched.same_parameters(config.parameters()):
        return event
    raise InputError(
        f"{config.out} already holds the event of {event.event_date}, fetched with other options; "
        "give another --out, or --overwrite to replace it and its results"
    )


def _fetch_into(
    staging: Path, config: FetchConfig, source: Source, progress: Progress, previous: Event | None
) -> Event:
    for side in SIDES:
        while True:
            try:
                read_side(staging, source, side, progress, previous)
                break
            except SceneError as failed:
                source.replace(failed)
    counts = assemble(staging, source, progress)
    scene_files = write_every_scene(staging, source, progress) if config.all_scenes else []
    if source.elevation is not None:
        write_terrain(staging, source, progress, previous)
    return _publish(staging, config, source, counts, scene_files)


def _publish(
    staging: Path,
    config: FetchConfig,
    source: Source,
    counts: Mapping[int, int],
    scene_files: Sequence[SceneFile],
) -> Event:
    """Move the finished rasters to their place, then write the record that makes the folder an event."""
    geobox: GeoBox = source.geobox
    height, width = geobox.shape
    event = new_event(
        config.out,
        aoi=source.aoi.geometry,
        event_date=config.event_date,
        bands=source.bands,
        scenes=[scene for side in SIDES for scene in source.scenes(side)],
        crs=str(geobox.crs),
        shape_px=(height, width),
        transform=tuple(geobox.transform)[:6],
    ).after(0 if config.overwrite else last_kept(config.out))
    total = max(sum(counts.values()), 1)
    percent = {code: round(100 * pixels / total, 2) for code, pixels in counts.items()}
    record = FetchRecord(
        parameters=config.parameters(),
        clear_percent=percent[0],
        unseen_percent={reason.label: percent[reason] for reason in Unseen},
        unseen_codes={str(int(reason)): reason.label for reason in Unseen},
        area_km2=round(source.aoi.area_km2, 3),
        elevation=source.elevation,
        scene_files=tuple(scene_files),
        cloud_dilation_m=DILATION_PX * GSD_M,
    )
    with writing(config.out):
        remove(config.out / ITEM)
        if config.overwrite:
            remove(config.out / VERSIONS)
        remove(config.out / DEEPNESS)
        for product in FETCHED:
            staged = target(staging, product)
            if staged.exists():
                staged.replace(event.path(product))
            else:
                remove(event.path(product))
        for side in SIDES:
            remove(config.out / side)
            if (staging / side).exists():
                (staging / side).replace(config.out / side)
        recorded = event.record(record, FETCHED, _scene_products(scene_files))
        remove(staging)
    return recorded


def _scene_products(scene_files: Sequence[SceneFile]) -> dict[str, Product]:
    """Return the files of every scene as assets of the event."""
    products: dict[str, Product] = {}
    for scene in scene_files:
        key, day = Path(scene.image).stem, (scene.datetime or "")[:10]
        image = replace(PRODUCTS[scene.side], file=scene.image, title=f"Scene {scene.id} of {day}")
        unseen = replace(
            PRODUCTS["sources"],
            file=scene.unseen,
            title=f"Reason why scene {scene.id} does not show the ground; 0 where it does",
            raster=Raster("uint8", None, ("unseen",)),
        )
        products |= {f"{scene.side}_{key}": image, f"{scene.side}_{key}_unseen": unseen}
    return products


def _summary(event: Event, meter: _Meter, *, reused: bool) -> FetchSummary:
    height, width = event.shape_px
    record = event.fetched
    return FetchSummary(
        event=event.folder,
        scenes=tuple(event.scenes),
        bands=event.bands,
        height_px=height,
        width_px=width,
        area_km2=record.area_km2,
        clear_percent=record.clear_percent,
        unseen_percent=record.unseen_percent,
        elevation=record.elevation,
        megabytes=sum(event.path(p).stat().st_size for p in FETCHED if event.has(p)) / 1e6,
        downloaded_megabytes=meter.megabytes(),
        seconds=meter.seconds(),
        scene_files=len(record.scene_files),
        reused=reused,
    )
