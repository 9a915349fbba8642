"""Images and terrain of an event, from a STAC catalog or from files at hand, into an event folder."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.errors import RasterioError
from rasterio.windows import Window, from_bounds
from shapely import set_precision

from landslide_cli.config import FetchConfig, Progress, silent
from landslide_cli.errors import CatalogError, InputError
from landslide_cli.event import (
    DEEPNESS,
    FETCHED,
    ITEM,
    PRODUCTS,
    VERSIONS,
    Event,
    Product,
    last_kept,
    new_event,
    put_in_place,
    software,
)
from landslide_cli.files import atomic, link, remove, writing
from landslide_cli.imagery import load
from landslide_cli.imagery.bands import GSD_M, NODATA, TERRAIN_BANDS, Unseen
from landslide_cli.imagery.clouds import DILATION_PX
from landslide_cli.imagery.cog import create
from landslide_cli.imagery.resample import resample
from landslide_cli.imagery.scenes import Scene
from landslide_cli.imagery.traffic import downloaded_bytes
from landslide_cli.stac import Raster
from landslide_cli.workflows.selection import SIDES, event_moment, select
from landslide_cli.workflows.sources import Block, CatalogSource, FileSource, SceneError, Source, check_cloud_mask

log = logging.getLogger("landslide.fetch")

STAGING: Final = ".fetch"
"""Folder below the event in which everything is prepared. What it holds after a kill is used by the next run."""


@dataclass(frozen=True, slots=True)
class FetchSummary:
    """What `fetch` found."""

    event: Path
    scenes: tuple[Mapping[str, Any], ...]
    bands: tuple[str, ...]
    height_px: int
    width_px: int
    area_km2: float
    clear_percent: float
    """Percent of the AOI whose ground is seen on both dates."""
    unseen_percent: Mapping[str, float]
    """Percent of the AOI that is not, by reason."""
    elevation: str | None
    megabytes: float
    """Size of the rasters."""
    downloaded_megabytes: float | None
    """What this run read over the network; none where it cannot be told."""
    seconds: float
    """How long it took."""
    scene_files: int
    """Scenes that are kept as files of their own."""
    reused: bool
    """Whether the folder already held this very event."""


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
        config: what is wanted.
        progress: told what is being done.
        check: is given the bands of the event and whether it will have terrain, before images are read; it may
            raise.
        source: what `open_source` returned, if it was called before.
        previous: an event from whose files is taken what they have in common, instead of reading it again.

    Raises:
        InputError: an option or a file cannot be used.
        NoSceneError: no scene suits the event.
        CatalogError: the catalog or its images cannot be reached.
        OutputError: the folder cannot be written.
    """
    meter = _Meter(perf_counter(), downloaded_bytes() or 0)
    progress = meter.beside(progress)
    event_moment(config)
    check_cloud_mask(config)
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
    except (CatalogError, KeyboardInterrupt):
        if not source.resumable:
            remove(staging)
        raise
    except BaseException:
        remove(staging)
        raise
    return _summary(event, meter, reused=False)


def open_source(config: FetchConfig, progress: Progress = silent) -> Source:
    """Find the images and the elevation of an event; none is read yet.

    Raises:
        InputError: an option or a file cannot be used.
        NoSceneError: no scene suits the event.
        CatalogError: the catalog cannot be reached.
    """
    event_moment(config)
    check_cloud_mask(config)
    if config.pre or config.post:
        return FileSource(config)
    return CatalogSource(config, select(config, progress))


def has_new_scene(source: Source, event: Event) -> bool:
    """Tell whether a source would use a scene that the event was made without."""
    used = {(scene["side"], scene["id"]) for scene in event.scenes}
    return any((side, scene["id"]) not in used for side in SIDES for scene in source.scenes(side))


def same_images(source: Source, event: Event) -> bool:
    """Tell whether a source would give the event the very files that it has."""
    aoi = set_precision(source.aoi.geometry, 1e-7)
    return (
        all(_same_side(source, event, side) for side in SIDES)
        and _same_terrain(source, event)
        and source.config.all_scenes == event.step("fetch")["parameters"]["all_scenes"]
        and bool(aoi.equals(event.aoi))
    )


def recorded(event: Event) -> FetchSummary:
    """Return the summary of an event that was fetched before."""
    return _summary(event, _Meter(perf_counter(), downloaded_bytes() or 0), reused=True)


def _same_grid(source: Source, event: Event) -> bool:
    """Whether an event lies on the grid of a source, and was read from a catalog by this version of the program."""
    grid, there = source.geobox, event.properties
    return (
        source.resumable
        and event.step("fetch")["software"] == software()
        and (str(grid.crs), list(grid.shape)) == (there["proj:code"], there["proj:shape"])
        and list(tuple(grid.transform)[:6]) == there["proj:transform"]
    )


def _same_side(source: Source, event: Event, side: str) -> bool:
    """Whether an event shows on one side, pixel by pixel, what a source would read again."""
    fetched = event.step("fetch")
    return (
        _same_grid(source, event)
        and source.bands == event.bands
        and source.config.clouds == fetched["parameters"]["clouds"]
        and fetched["cloud_dilation_m"] == DILATION_PX * GSD_M
        and json.loads(json.dumps(source.scenes(side))) == [s for s in event.scenes if s["side"] == side]
    )


def _same_terrain(source: Source, event: Event) -> bool:
    return _same_grid(source, event) and source.elevation == event.step("fetch")["elevation"]


@dataclass(frozen=True, slots=True)
class _Meter:
    """What was spent before this run."""

    began: float
    downloaded_before: int

    def seconds(self) -> float:
        return perf_counter() - self.began

    def megabytes(self) -> float | None:
        total = downloaded_bytes()
        return None if total is None else (total - self.downloaded_before) / 1e6

    def beside(self, progress: Progress) -> Progress:
        """Add to each step that is told how much was downloaded until then."""

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
    if event.step("fetch").get("parameters") == json.loads(json.dumps(config.parameters())):
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
                _read_side(staging, source, side, progress, previous)
                break
            except SceneError as failed:
                source.replace(failed)
    counts = _assemble(staging, source, progress)
    scene_files = _write_every_scene(staging, source, progress) if config.all_scenes else []
    if previous and source.elevation is not None and _same_terrain(source, previous):
        remove(_target(staging, "terrain"))
        link(previous.path("terrain"), _target(staging, "terrain"))
    elif source.elevation is not None:
        progress("reading elevation", 0)
        stack, grid = source.terrain()
        with create(
            _target(staging, "terrain"), source.geobox, dtype="float32", nodata=float("nan"), names=TERRAIN_BANDS,
            overviews="average",
        ) as writer:  # fmt: skip
            for window, block in load.blocks(source.geobox):
                writer.write(resample(stack, grid, block, float("nan")), window.row_off, window.col_off)
    return _publish(staging, config, source, counts, scene_files)


def _read_side(staging: Path, source: Source, side: str, progress: Progress, previous: Event | None) -> None:
    known = previous if previous and _same_side(source, previous, side) else None

    def read(block: GeoBox) -> Block:
        return _read_again(known, side, block) if known else source.read(side, block)

    plan = _plan(source, source.scenes(side))
    _read_blocks(staging, side, plan, source.geobox, read, _prefixed(progress, f"reading {side} images"))


def _read_again(event: Event, side: str, block: GeoBox) -> Block:
    """Read a block of an event that has it already."""
    with rasterio.open(event.path(side)) as image, rasterio.open(event.path("sources")) as sources:
        window = from_bounds(*block.boundingbox, transform=image.transform).round_offsets().round_lengths()
        return image.read(window=window), sources.read(1 + SIDES.index(side), window=window)


def _plan(source: Source, scenes: object) -> dict[str, object]:
    """Return what the content of blocks depends on."""
    return {
        "geobox": repr(source.geobox), "bands": source.bands, "clouds": source.config.clouds, "scenes": scenes
    }  # fmt: skip


def _read_blocks(
    staging: Path,
    name: str,
    plan: Mapping[str, object],
    geobox: GeoBox,
    read: Callable[[GeoBox], Block],
    progress: Progress,
) -> None:
    """Read the blocks of an image, each into a file of its own; those that are there already are kept."""
    recorded = staging / f"{name}.json"
    text = json.dumps(plan, indent=1)
    if not recorded.exists() or recorded.read_text(encoding="utf-8") != text:
        # Blocks of another plan, such as before a scene was replaced, must not be mixed in.
        for stale in staging.glob(f"{name}-*.tif"):
            stale.unlink()
        with atomic(recorded) as temporary:
            temporary.write_text(text, encoding="utf-8")
    blocks = list(load.blocks(geobox))
    for number, (window, block) in enumerate(blocks):
        progress(f"block {number + 1} of {len(blocks)}", number / len(blocks))
        path = _block_path(staging, name, window)
        if not path.exists():
            _save_block(path, block, *read(block))


def _block_path(staging: Path, name: str, window: Window) -> Path:
    return staging / f"{name}-{window.row_off}-{window.col_off}.tif"


def _save_block(path: Path, grid: GeoBox, dn: NDArray[np.uint16], source: NDArray[np.uint8]) -> None:
    stack = np.concatenate([dn, source[None].astype(np.uint16)])
    count, height, width = stack.shape
    with (
        atomic(path) as temporary,
        rasterio.open(
            temporary, "w", driver="GTiff", dtype="uint16", count=count, height=height, width=width,
            compress="zstd", zstd_level=1, num_threads="all_cpus", tiled=True, transform=grid.transform,
            crs=str(grid.crs),
        ) as target,
    ):  # fmt: skip
        target.write(stack)


def _load_block(path: Path) -> Block:
    try:
        with rasterio.open(path) as source:
            stack = source.read()
    except RasterioError:
        path.unlink(missing_ok=True)
        raise CatalogError(f"{path} was damaged and is removed; run the same command again") from None
    return stack[:-1], stack[-1].astype(np.uint8)


def _assemble(staging: Path, source: Source, progress: Progress) -> dict[int, int]:
    """Join the blocks to `pre`, `post`, `sources` and `clear`; count the pixels of the AOI by reason, 0 = clear."""
    geobox, counts = source.geobox, dict.fromkeys((0, *Unseen), 0)
    codes: dict[str, Any] = {"dtype": "uint8", "nodata": None}
    blocks = list(load.blocks(geobox))
    with (
        create(_target(staging, "pre"), geobox, **_images(source)) as pre,
        create(_target(staging, "post"), geobox, **_images(source)) as post,
        create(_target(staging, "sources"), geobox, names=SIDES, **codes) as sources,
        create(_target(staging, "clear"), geobox, names=("clear",), **codes) as clear,
    ):
        for number, (window, block) in enumerate(blocks):
            progress("joining the blocks", number / len(blocks))
            at = (window.row_off, window.col_off)
            origins = []
            for side, writer in zip(SIDES, (pre, post), strict=True):
                dn, origin = _load_block(_block_path(staging, side, window))
                writer.write(dn, *at)
                origins.append(origin)
            sources.write(np.stack(origins), *at)
            why = why_unseen(*origins)
            clear.write((why == 0).astype(np.uint8), *at)
            for reason, pixels in _count(why[load.inside(source.aoi.geometry, block)]):
                counts[reason] += pixels
    return counts


def _write_every_scene(staging: Path, source: Source, progress: Progress) -> list[dict[str, str]]:
    """Write each usable scene to `<side>/<date>_<orbit>.tif`, and beside it why its ground is not seen."""
    written: list[dict[str, str]] = []
    for side in SIDES:
        scenes = sorted(source.every_scene(side), key=lambda scene: scene.datetime)
        for number, scene in enumerate(scenes, 1):
            name = f"{scene.datetime:%Y-%m-%d}_R{scene.orbit or 0:03d}"
            if any(other["image"] == f"{side}/{name}.tif" for other in written):
                name += f"_{scene.datetime:%H%M%S}"
            files = {"image": f"{side}/{name}.tif", "unseen": f"{side}/{name}_unseen.tif"}
            what = f"keeping every {side} scene, {number} of {len(scenes)}"
            try:
                _write_scene(staging, source, side, scene, files, _prefixed(progress, what))
            except SceneError as failed:
                log.warning("%s scene %s is left out: %s", side, scene.id, failed)
                continue
            written.append({"side": side, "id": scene.id, "datetime": scene.datetime.isoformat(), **files})
    return written


def _write_scene(
    staging: Path, source: Source, side: str, scene: Scene, files: Mapping[str, str], progress: Progress
) -> None:
    geobox, name = source.geobox, files["image"].replace("/", "_").removesuffix(".tif")
    plan = _plan(source, [item.id for item in scene.granules])
    _read_blocks(staging, name, plan, geobox, lambda block: source.read_scene(side, scene, block), progress)
    (staging / side).mkdir(exist_ok=True)
    with (
        create(staging / files["image"], geobox, **_images(source)) as image,
        create(staging / files["unseen"], geobox, dtype="uint8", nodata=None, names=("unseen",)) as unseen,
    ):
        for window, _ in load.blocks(geobox):
            dn, origin = _load_block(_block_path(staging, name, window))
            image.write(dn, window.row_off, window.col_off)
            unseen.write(_codes(origin), window.row_off, window.col_off)


def _images(source: Source) -> dict[str, Any]:
    return {"dtype": "uint16", "nodata": NODATA, "names": source.bands, "overviews": "average"}


def _prefixed(progress: Progress, what: str) -> Progress:
    return lambda step, share: progress(f"{what}, {step}", share)


def why_unseen(pre: NDArray[np.uint8], post: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return why the ground is not seen on both dates, from the two channels of `sources.tif`; 0 where it is."""
    return _codes(np.where(pre >= min(Unseen), pre, post))


def _codes(origin: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Keep the codes of `Unseen` and make 0 of the numbers of scenes."""
    return np.where(origin >= min(Unseen), origin, 0).astype(np.uint8)


def _count(codes: NDArray[np.uint8]) -> Iterator[tuple[int, int]]:
    values, counts = np.unique(codes, return_counts=True)
    yield from zip(values.tolist(), counts.tolist(), strict=True)


def _target(staging: Path, product: str) -> Path:
    return staging / PRODUCTS[product].file


def _publish(
    staging: Path,
    config: FetchConfig,
    source: Source,
    counts: Mapping[int, int],
    scene_files: Sequence[Mapping[str, str]],
) -> Event:
    """Put the finished rasters in place, then the record without which the folder is no event."""
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
    facts = {
        "parameters": config.parameters(),
        "clear_percent": percent[0],
        "unseen_percent": {reason.label: percent[reason] for reason in Unseen},
        "unseen_codes": {str(int(reason)): reason.label for reason in Unseen},
        "area_km2": round(source.aoi.area_km2, 3),
        "elevation": source.elevation,
        "scene_files": list(scene_files),
        "cloud_dilation_m": DILATION_PX * GSD_M,
    }
    with writing(config.out):
        remove(config.out / ITEM)
        if config.overwrite:
            remove(config.out / VERSIONS)
        remove(config.out / DEEPNESS)
        for product in FETCHED:
            staged = _target(staging, product)
            if staged.exists():
                staged.replace(event.path(product))
            else:
                remove(event.path(product))
        for side in SIDES:
            remove(config.out / side)
            if (staging / side).exists():
                (staging / side).replace(config.out / side)
        recorded = event.record("fetch", FETCHED, facts, _scene_products(scene_files))
        remove(staging)
    return recorded


def _scene_products(scene_files: Sequence[Mapping[str, str]]) -> dict[str, Product]:
    """Describe the files of every scene as assets of the event."""
    products: dict[str, Product] = {}
    for scene in scene_files:
        key, day = Path(scene["image"]).stem, scene["datetime"][:10]
        image = replace(PRODUCTS[scene["side"]], file=scene["image"], title=f"Scene {scene['id']} of {day}")
        unseen = replace(
            PRODUCTS["sources"],
            file=scene["unseen"],
            title=f"Why scene {scene['id']} does not show the ground, else 0",
            raster=Raster("uint8", None, ("unseen",)),
        )
        products |= {f"{scene['side']}_{key}": image, f"{scene['side']}_{key}_unseen": unseen}
    return products


def _summary(event: Event, meter: _Meter, *, reused: bool) -> FetchSummary:
    height, width = event.properties["proj:shape"]
    facts = event.step("fetch")
    return FetchSummary(
        event=event.folder,
        scenes=tuple(event.scenes),
        bands=event.bands,
        height_px=height,
        width_px=width,
        area_km2=facts["area_km2"],
        clear_percent=facts["clear_percent"],
        unseen_percent=facts["unseen_percent"],
        elevation=facts["elevation"],
        megabytes=sum(event.path(p).stat().st_size for p in FETCHED if event.has(p)) / 1e6,
        downloaded_megabytes=meter.megabytes(),
        seconds=meter.seconds(),
        scene_files=len(facts["scene_files"]),
        reused=reused,
    )
