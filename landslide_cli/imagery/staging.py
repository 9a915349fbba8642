"""Read the rasters of a new event block by block, so that a stopped run can continue, and join the blocks."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.errors import RasterioError
from rasterio.windows import Window

from landslide_cli.errors import CatalogError
from landslide_cli.event.folder import Event
from landslide_cli.event.products import PRODUCTS
from landslide_cli.event.records import SceneFile
from landslide_cli.files import atomic, link, remove
from landslide_cli.geo import grids
from landslide_cli.geo.bands import NODATA, SIDES, TERRAIN_BANDS, Side, Unseen, unseen_codes, why_unseen
from landslide_cli.geo.rasters import create
from landslide_cli.geo.resample import resample
from landslide_cli.imagery.reuse import read_again, same_side, same_terrain
from landslide_cli.imagery.scenes import Scene
from landslide_cli.imagery.sources import Block, SceneError, Source
from landslide_cli.progress import Progress

log = logging.getLogger(__name__)

STAGING: Final = ".fetch"
"""Folder below the event in which its files are prepared. After a kill, the next run reuses its files."""


def read_side(staging: Path, source: Source, side: Side, progress: Progress, previous: Event | None) -> None:
    """Read one side of a source into block files.

    Args:
        staging: folder for the blocks.
        source: where the pixels come from.
        side: `pre` or `post`.
        progress: called with each step and the share done.
        previous: an event to copy the blocks from, if it has the same pixels on this side.

    Raises:
        SceneError: a scene cannot be read.
        CatalogError: the images cannot be reached.
    """
    known = previous if previous and same_side(source, previous, side) else None

    def read(block: GeoBox) -> Block:
        return read_again(known, side, block) if known else source.read(side, block)

    plan = _plan(source, source.scenes(side))
    _read_blocks(staging, side, plan, source.geobox, read, _prefixed(progress, f"reading {side} images"))


def _plan(source: Source, scenes: object) -> dict[str, object]:
    """Return everything that the content of the blocks depends on."""
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
    """Read the blocks of an image, each into its own file. Blocks that exist are kept."""
    recorded = staging / f"{name}.json"
    text = json.dumps(plan, indent=1)
    if not recorded.exists() or recorded.read_text(encoding="utf-8") != text:
        # Blocks of another plan must not be mixed in, such as blocks from before a scene was replaced.
        for stale in staging.glob(f"{name}-*.tif"):
            stale.unlink()
        with atomic(recorded) as temporary:
            temporary.write_text(text, encoding="utf-8")
    blocks = list(grids.blocks(geobox))
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
        raise CatalogError(f"{path} was damaged and has been removed; run the same command again") from None
    return stack[:-1], stack[-1].astype(np.uint8)


def assemble(staging: Path, source: Source, progress: Progress) -> dict[int, int]:
    """Join the blocks to `pre`, `post`, `sources` and `clear`.

    Args:
        staging: folder with the blocks.
        source: where the pixels come from.
        progress: called with each step and the share done.

    Returns:
        Number of pixels of the AOI by code of `Unseen`; 0 is clear.
    """
    geobox, counts = source.geobox, dict.fromkeys((0, *Unseen), 0)
    codes: dict[str, Any] = {"dtype": "uint8", "nodata": None}
    blocks = list(grids.blocks(geobox))
    with (
        create(target(staging, "pre"), geobox, **_images(source)) as pre,
        create(target(staging, "post"), geobox, **_images(source)) as post,
        create(target(staging, "sources"), geobox, names=SIDES, **codes) as sources,
        create(target(staging, "clear"), geobox, names=("clear",), **codes) as clear,
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
            for reason, pixels in _count(why[grids.inside(source.aoi.geometry, block)]):
                counts[reason] += pixels
    return counts


def write_terrain(staging: Path, source: Source, progress: Progress, previous: Event | None) -> None:
    """Write `terrain`; if `previous` has the same terrain, link to its file."""
    terrain = target(staging, "terrain")
    if previous and same_terrain(source, previous):
        remove(terrain)
        link(previous.path("terrain"), terrain)
        return
    progress("reading elevation", 0)
    stack, grid = source.terrain()
    nodata = float("nan")
    with create(
        terrain, source.geobox, dtype="float32", nodata=nodata, names=TERRAIN_BANDS, overviews="average"
    ) as writer:
        for window, block in grids.blocks(source.geobox):
            writer.write(resample(stack, grid, block, nodata), window.row_off, window.col_off)


def write_every_scene(staging: Path, source: Source, progress: Progress) -> list[SceneFile]:
    """Write each usable scene to `<side>/<date>_<orbit>.tif`, and a second file with reasons why ground is not seen."""
    written: list[SceneFile] = []
    for side in SIDES:
        scenes = sorted(source.every_scene(side), key=lambda scene: scene.datetime)
        for number, scene in enumerate(scenes, 1):
            name = f"{scene.datetime:%Y-%m-%d}_R{scene.orbit or 0:03d}"
            if any(other.image == f"{side}/{name}.tif" for other in written):
                name += f"_{scene.datetime:%H%M%S}"
            files = {"image": f"{side}/{name}.tif", "unseen": f"{side}/{name}_unseen.tif"}
            what = f"keeping every {side} scene, {number} of {len(scenes)}"
            try:
                _write_scene(staging, source, side, scene, files, _prefixed(progress, what))
            except SceneError as failed:
                log.warning("%s scene %s is left out: %s", side, scene.id, failed)
                continue
            written.append(SceneFile(side=side, id=scene.id, datetime=scene.datetime.isoformat(), **files))
    return written


def _write_scene(
    staging: Path, source: Source, side: Side, scene: Scene, files: Mapping[str, str], progress: Progress
) -> None:
    geobox, name = source.geobox, files["image"].replace("/", "_").removesuffix(".tif")
    plan = _plan(source, [item.id for item in scene.granules])
    _read_blocks(staging, name, plan, geobox, lambda block: source.read_scene(side, scene, block), progress)
    (staging / side).mkdir(exist_ok=True)
    with (
        create(staging / files["image"], geobox, **_images(source)) as image,
        create(staging / files["unseen"], geobox, dtype="uint8", nodata=None, names=("unseen",)) as unseen,
    ):
        for window, _ in grids.blocks(geobox):
            dn, origin = _load_block(_block_path(staging, name, window))
            image.write(dn, window.row_off, window.col_off)
            unseen.write(unseen_codes(origin), window.row_off, window.col_off)


def _images(source: Source) -> dict[str, Any]:
    return {"dtype": "uint16", "nodata": NODATA, "names": source.bands, "overviews": "average"}


def _prefixed(progress: Progress, what: str) -> Progress:
    return lambda step, share: progress(f"{what}, {step}", share)


def _count(codes: NDArray[np.uint8]) -> Iterator[tuple[int, int]]:
    values, counts = np.unique(codes, return_counts=True)
    yield from zip(values.tolist(), counts.tolist(), strict=True)


def target(staging: Path, product: str) -> Path:
    """Return the path of a product until the event is complete."""
    return staging / PRODUCTS[product].file
