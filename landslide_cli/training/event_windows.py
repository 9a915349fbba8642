"""One event of a training set: the mask of its landslides, and the usable windows of its image pairs."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
import rasterio.features
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window
from shapely import STRtree

from landslide_cli.config import PrepareConfig
from landslide_cli.errors import InputError
from landslide_cli.event.folder import Event
from landslide_cli.event.products import PRODUCTS
from landslide_cli.geo import grids
from landslide_cli.geo.bands import SIDES, Unseen
from landslide_cli.geo.rasters import BLOCK_PX, create, opened
from landslide_cli.progress import Progress
from landslide_cli.training import tiles
from landslide_cli.training.tiles_index import LANDSLIDE, MASKS, STABLE, UNKNOWN, Windows
from landslide_cli.training.truth import Landslides, read_landslides

NODATA_CODES: Final = (Unseen.OUTSIDE, Unseen.DEFECTIVE)
"""Codes of pixels without a value. Pixels under cloud, shadow or snow have a value, but not that of the ground."""


@dataclass(frozen=True, slots=True)
class EventSource:
    """An event with its inventory."""

    name: str
    event: Event
    inventory: Path
    stated_date: str | None
    changes: Path | None
    """Raster with codes of other changes."""


@dataclass(frozen=True, slots=True)
class PreparedEvent:
    """The windows of an event."""

    windows: Windows
    left_out: Mapping[str, int]
    facts: Mapping[str, Any]
    """Entries for `dataset.json`."""


def prepare_event(source: EventSource, config: PrepareConfig, masks: Path, progress: Progress) -> PreparedEvent:
    """Write the mask of an event and choose its windows, pair by pair.

    Args:
        source: the event and its inventory.
        config: size, stride and limits of the windows.
        masks: folder for the mask.
        progress: called with each pair of images.

    Returns:
        The windows of the event, and the number of windows left out by reason.

    Raises:
        InputError: the event, its inventory or its other changes cannot be used.
        OutputError: the mask cannot be written.
    """
    event, mask = source.event, masks / f"{source.name}.tif"
    with rasterio.open(event.path("sources")) as raster:
        grid = GeoBox.from_rio(raster)
    height, width = grid.shape
    if min(height, width) < config.window:
        raise InputError(
            f"event {source.name} is {height} x {width} px, smaller than a window of {config.window} px; "
            "fetch a larger AOI or give a smaller --window"
        )
    progress(f"burning the landslides of {source.name}", 0)
    found = read_landslides(
        source.inventory, str(grid.crs), event.event_date, layer=config.layer, date_attributes=config.date_attribute,
        stated_date=source.stated_date,
    )  # fmt: skip
    landslides, changes_px = _burn(found, source, grid, mask, all_touched=config.all_touched)
    terrain = event.path("terrain") if event.has("terrain") else None
    mapped, no_terrain = tiles.window_counts(_event_strips(mask, terrain, grid), config.window, config.stride_px)
    images = _images(event)
    pairs = list(product(*([name for name, facts in images.items() if facts["side"] == side] for side in SIDES)))
    if not pairs:
        raise InputError(f"event {source.name} has no scene on one of its sides; fetch it again")
    kept: list[Windows] = []
    left_out: Counter[str] = Counter()
    for number, (pre, post) in enumerate(pairs):
        progress(f"looking through pair {number + 1} of {len(pairs)} of {source.name}", number / len(pairs))
        codes = [(event.folder / images[name]["unseen"], images[name]["channel"]) for name in (pre, post)]
        visible, cloud, nodata = tiles.window_counts(_pair_strips(mask, codes, grid), config.window, config.stride_px)
        keep, reasons = tiles.choose(
            mapped=mapped, visible=visible, cloud=cloud, nodata=nodata + no_terrain, min_visible_px=config.min_pixels,
            max_cloud_px=config.max_cloud / 100 * config.window**2,
        )  # fmt: skip
        left_out.update(reasons)
        row, col = np.nonzero(keep)
        kept.append(
            Windows(
                event=np.full(len(row), source.name),
                pre=np.full(len(row), pre),
                post=np.full(len(row), post),
                row=(row * config.stride_px).astype(np.int32),
                col=(col * config.stride_px).astype(np.int32),
                landslide_px=visible[keep].astype(np.int32),
                cloud_share=(cloud[keep] / config.window**2).astype(np.float32),
                split=np.full(len(row), "train"),
            )
        )
    windows = Windows.join(kept)
    facts = {
        "event_date": event.event_date,
        "bands": list(event.bands),
        "terrain": terrain is not None,
        "mask": f"{MASKS}/{mask.name}",
        "images": images,
        "landslides": landslides,
        "changes_px": changes_px,
        "pairs": len(pairs),
        "windows": len(windows),
    }
    return PreparedEvent(windows, left_out, facts)


def _images(event: Event) -> dict[str, dict[str, Any]]:
    """Return the images to pair, each with its side and the raster of pixels that do not show the ground."""
    scene_files = event.fetched.scene_files
    if not scene_files:
        return {
            PRODUCTS[side].file: {"side": side, "unseen": PRODUCTS["sources"].file, "channel": channel}
            for channel, side in enumerate(SIDES, 1)
        }
    return {file.image: {"side": file.side, "unseen": file.unseen, "channel": 1} for file in scene_files}


def _burn(
    found: Landslides, source: EventSource, grid: GeoBox, path: Path, *, all_touched: bool
) -> tuple[dict[str, int], dict[str, int]]:
    """Write the mask of an event, block by block.

    Returns:
        Counts of the landslides in the inventory, and the number of pixels of each other change.

    Raises:
        InputError: no landslide lies in the AOI.
    """
    aoi = Geometry(source.event.aoi, "EPSG:4326").to_crs(str(grid.crs), resolution=0.01).geom
    tree = STRtree(found.polygons)
    burned = len(tree.query(aoi, predicate="intersects"))
    if not burned:
        raise InputError(
            f"none of the {len(found.polygons)} landslides of {source.inventory} lies in the AOI of event "
            f"{source.name}; give its own inventory"
        )
    landslide_px, changes_px = 0, np.zeros(UNKNOWN, np.int64)
    names = ("landslide", "change") if source.changes else ("landslide",)
    with (
        _on_grid(source.changes, grid) as codes,
        create(path, grid, dtype="uint8", nodata=UNKNOWN, names=names) as writer,
    ):
        for window, block in grids.blocks(grid):
            values = np.full(block.shape, STABLE, np.uint8)
            polygons = [found.polygons[index] for index in tree.query(block.extent.geom)]
            if polygons:
                rasterio.features.rasterize(
                    polygons, out=values, transform=block.transform, default_value=LANDSLIDE, all_touched=all_touched
                )
            values[~grids.inside(source.event.aoi, block)] = UNKNOWN
            landslide_px += int((values == LANDSLIDE).sum())
            channels = [values]
            if codes is not None:
                changed = _read_codes(codes, window)
                changed[values == LANDSLIDE] = 0
                changes_px += np.bincount(changed[values != UNKNOWN], minlength=UNKNOWN)
                changed[values == UNKNOWN] = UNKNOWN
                channels.append(changed)
            writer.write(np.stack(channels), window.row_off, window.col_off)
    landslides = {
        "burned": burned,
        "landslide_px": landslide_px,
        "outside": len(found.polygons) - burned,
        "other_date": found.other_date,
        "undated": found.undated,
        "not_polygons": found.not_polygons,
        "mended": found.mended,
    }
    return landslides, {str(code): int(changes_px[code]) for code in np.flatnonzero(changes_px) if code}


@contextmanager
def _on_grid(changes: Path | None, grid: GeoBox) -> Iterator[WarpedVRT | None]:
    """Open codes of changes on the grid."""
    if changes is None:
        yield None
        return
    with opened(changes, "--changes") as source:
        if not np.issubdtype(source.dtypes[0], np.integer):
            raise InputError(f"--changes {changes} holds {source.dtypes[0]}; give a raster of whole numbers")
        height, width = grid.shape
        with WarpedVRT(
            source, crs=str(grid.crs), transform=grid.transform, width=width, height=height, nodata=0,
            resampling=Resampling.nearest,
        ) as warped:  # fmt: skip
            yield warped


def _read_codes(changes: WarpedVRT, window: Window) -> NDArray[np.uint8]:
    """Read codes of changes (h, w); 0 outside the raster."""
    path = changes.src_dataset.name
    try:
        codes = changes.read(1, window=window)
    except RasterioError as error:
        raise InputError(f"--changes {path} cannot be read ({error}); make it again") from error
    if codes.min() < 0 or codes.max() >= UNKNOWN:
        wrong = codes.min() if codes.min() < 0 else codes.max()
        raise InputError(f"--changes {path} holds the code {wrong}; give codes from 1 to {UNKNOWN - 1}")
    return np.asarray(codes, np.uint8)


def _event_strips(mask: Path, terrain: Path | None, grid: GeoBox) -> Iterator[NDArray[np.bool_]]:
    """Yield strips (2, h, W): landslide, and gap in the terrain."""
    for strips in _strips([mask, *([terrain] if terrain else [])], grid):
        gap = ~np.isfinite(strips[1]).all(axis=0) if terrain else np.zeros_like(strips[0][0], np.bool_)
        yield np.stack([strips[0][0] == LANDSLIDE, gap])


def _pair_strips(mask: Path, codes: Sequence[tuple[Path, int]], grid: GeoBox) -> Iterator[NDArray[np.bool_]]:
    """Yield strips (3, h, W): visible landslide, and cloud and nodata on either date."""
    for truth, *stacks in _strips([mask, *(path for path, _ in codes)], grid):
        pre, post = (stack[channel - 1] for stack, (_, channel) in zip(stacks, codes, strict=True))
        seen = (pre < min(Unseen)) & (post < min(Unseen))
        cloud = (pre == Unseen.CLOUD) | (post == Unseen.CLOUD)
        nodata = np.isin(pre, NODATA_CODES) | np.isin(post, NODATA_CODES)
        yield np.stack([(truth[0] == LANDSLIDE) & seen, cloud, nodata])


def _strips(paths: Sequence[Path], grid: GeoBox) -> Iterator[list[NDArray[Any]]]:
    """Yield all channels (C, h, W) of rasters on the event's grid, in strips from top to bottom."""
    height, width = grid.shape
    try:
        with ExitStack() as stack:
            rasters = [stack.enter_context(rasterio.open(path)) for path in paths]
            for raster in rasters:
                if GeoBox.from_rio(raster) != grid:
                    raise InputError(f"{raster.name} is not on the grid of its event; fetch the event again")
            for row in range(0, height, BLOCK_PX):
                window = Window(0, row, width, min(BLOCK_PX, height - row))
                yield [raster.read(window=window) for raster in rasters]
    except RasterioError as error:
        raise InputError(f"a raster of an event cannot be read ({error}); fetch the event again") from error
