"""Sources of an event's pixels: a catalog, or your own images. Both give blocks of the event's grid."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from landslide_cli.config import FetchConfig
from landslide_cli.errors import CatalogError, InputError
from landslide_cli.event.dates import parse_date
from landslide_cli.event.records import SceneRecord
from landslide_cli.geo import grids
from landslide_cli.geo.aoi import AOI
from landslide_cli.geo.bands import BANDS, NODATA, REFLECTANCE_ONE, SIDES, Side, Unseen
from landslide_cli.imagery import catalogs, load, local
from landslide_cli.imagery.clouds import unseen
from landslide_cli.imagery.composite import composite
from landslide_cli.imagery.csmask import CSMASK_BANDS, find_network, unseen_by_csmask
from landslide_cli.imagery.scenes import Scene
from landslide_cli.imagery.selection import Selection, check_size, rechoose, wanted_aoi
from landslide_cli.imagery.terrain import DEM_GSD_M, dem_grid, terrain_stack

log = logging.getLogger(__name__)

Block = tuple[NDArray[np.uint16], NDArray[np.uint8]]
"""Digital numbers (B, H, W), and for each pixel the number of its scene or a code of `Unseen` (H, W)."""
Terrain = tuple[NDArray[np.float32], GeoBox]
"""Elevation, slope, sine and cosine of the aspect (4, H, W), and their 30 m grid."""


PLAUSIBLE_PIXELS = 1000
"""With fewer pixels, values are not checked: they can all be alike."""
DARKEST_DN = 60
"""In every band, the brightest 1 % of any ground reflects more than 0.006; even water does."""


class SceneError(Exception):
    """A scene cannot be read, even after several attempts."""

    def __init__(self, side: Side, scene: Scene, error: CatalogError) -> None:
        """Keep the side, the scene and the reason."""
        super().__init__(str(error))
        self.side, self.scene, self.error = side, scene, error


class Source(ABC):
    """A source of an event's pixels."""

    config: FetchConfig
    aoi: AOI
    geobox: GeoBox
    bands: tuple[str, ...]
    elevation: str | None
    """Where the elevation comes from; None without elevation."""
    resumable: bool
    """Whether to keep the blocks that were read if a later block fails."""

    @abstractmethod
    def scenes(self, side: Side) -> list[SceneRecord]:
        """Return the records of the scenes of a side; `source` is their number in `sources.tif`."""

    @abstractmethod
    def read(self, side: Side, block: GeoBox) -> Block:
        """Read a block."""

    @abstractmethod
    def terrain(self) -> Terrain:
        """Read the elevation, and compute slope and aspect."""

    def every_scene(self, side: Side) -> list[Scene]:  # noqa: ARG002
        """Return the scenes of a side that `--all-scenes` keeps as separate files; your own images have no scenes."""
        return []

    def read_scene(self, side: Side, scene: Scene, block: GeoBox) -> Block:  # noqa: ARG002
        """Read a block of one scene alone."""
        return self.read(side, block)

    def replace(self, failed: SceneError) -> None:
        """Continue without a scene that cannot be read."""
        raise failed.error


@dataclass
class CatalogSource(Source):
    """Scenes that `selection.select` chose."""

    config: FetchConfig
    selection: Selection
    bands: tuple[str, ...] = BANDS
    resumable: bool = True

    def __post_init__(self) -> None:
        """Search for elevation before anything is downloaded."""
        self.aoi, self.geobox = self.selection.aoi, self.selection.geobox
        self._tiles = {} if self.config.no_dem else _elevation_tiles(self.selection.catalog, self.geobox)
        self.elevation = next(iter(self._tiles), None)

    def scenes(self, side: Side) -> list[SceneRecord]:
        """See `Source`."""
        return [
            {
                "side": side,
                "source": number,
                "id": item.id,
                "datetime": item.datetime.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if item.datetime else None,
                "platform": item.properties.get("platform"),
                "relative_orbit": scene.orbit,
                "collection": item.collection_id,
                "catalog": self.selection.catalog.name,
                "processing_baseline": item.properties.get("s2:processing_baseline"),
                "offset_removed": catalogs.dn_offset(item),
                "clear_percent": round(100 * scene.rating.clear_share, 1) if scene.rating else None,
                "href": item.get_self_href() if self.selection.catalog.is_api else None,
                "footprint": item.geometry,
            }
            for number, scene in enumerate(self.selection.chosen[side], 1)
            for item in scene.granules
        ]

    def read(self, side: Side, block: GeoBox) -> Block:
        """See `Source`.

        Args:
            side: `pre` or `post`.
            block: grid of the block.

        Returns:
            The block.

        Raises:
            SceneError: one of the scenes cannot be read.
        """
        return self._composite(side, self.selection.chosen[side], block)

    def every_scene(self, side: Side) -> list[Scene]:
        """See `Source`. Clouds hide at most `max_cloud` percent of these scenes."""
        return [
            ranked.scene
            for ranked in self.selection.ranked[side]
            if (rating := ranked.scene.rating)
            and rating.clear_share >= (1 - self.config.max_cloud / 100) * rating.covered
        ]

    def read_scene(self, side: Side, scene: Scene, block: GeoBox) -> Block:
        """See `Source`.

        Args:
            side: side of the scene.
            scene: the scene.
            block: grid of the block.

        Returns:
            The block.

        Raises:
            SceneError: the scene cannot be read.
        """
        return self._composite(side, [scene], block)

    def _composite(self, side: Side, scenes: Sequence[Scene], block: GeoBox) -> Block:
        padded, inner = _with_halo(block)
        workers = self.config.workers

        def attempt(scene: Scene, reading: Callable[[], NDArray[Any]]) -> NDArray[Any]:
            try:
                return reading()
            except CatalogError as error:
                raise SceneError(side, scene, error) from error

        def images(scene: Scene) -> NDArray[np.uint16]:
            return attempt(scene, lambda: load.load_images(scene, self.bands, padded, workers))

        def by_scl(scene: Scene) -> tuple[NDArray[np.uint8], Callable[[], NDArray[np.uint16]]]:
            classes = attempt(scene, lambda: load.load_classes(scene, padded, workers))
            return unseen(classes)[inner], lambda: images(scene)[:, *inner]

        def by_csmask(scene: Scene) -> tuple[NDArray[np.uint8], Callable[[], NDArray[np.uint16]]]:
            dn = images(scene)
            return _unseen_by_csmask(dn, self.bands)[inner], lambda: dn[:, *inner]

        return composite(scenes, by_csmask if self.config.clouds == "csmask" else by_scl)

    def terrain(self) -> Terrain:
        """See `Source`."""
        grid = dem_grid(self.geobox)
        elevation = np.full(grid.shape, np.nan, np.float32)
        for name, items in self._tiles.items():
            if not np.isnan(elevation).any():
                break
            # Later collections only fill the voids of the first one.
            filling = load.load_elevation(items, grid, self.config.workers)
            filled = float(np.mean(np.isnan(elevation) & ~np.isnan(filling)))
            log.info("elevation %s fills %.1f %%", name, 100 * filled)
            np.copyto(elevation, filling, where=np.isnan(elevation))
        return terrain_stack(elevation, DEM_GSD_M), grid

    def replace(self, failed: SceneError) -> None:
        """See `Source`.

        Raises:
            CatalogError: no other scene is left.
        """
        before = {scene.id for scene in self.selection.chosen[failed.side]}
        self.selection = rechoose(self.selection, failed.side, failed.scene, failed.error)
        after = ", ".join(s.id for s in self.selection.chosen[failed.side] if s.id not in before) or "no other scene"
        log.warning("%s scene %s is replaced by %s: %s", failed.side, failed.scene.id, after, failed.error)


def _elevation_tiles(catalog: catalogs.Catalog, geobox: GeoBox) -> dict[str, list[Any]]:
    area = dem_grid(geobox).extent.to_crs("EPSG:4326", resolution=1000).geom
    found = {name: catalogs.search(catalog, [name], area) for name in catalog.elevation}
    available = {name: items for name, items in found.items() if items}
    if not available:
        raise InputError(
            f"catalog {catalog.name} has no elevation ({', '.join(catalog.elevation)}) for the AOI; "
            "give another --catalog, or --no-dem for models that do not need elevation"
        )
    return available


@dataclass
class FileSource(Source):
    """Your own images and elevation."""

    config: FetchConfig
    resumable: bool = False

    def __post_init__(self) -> None:
        """Check the content of the files before anything is written.

        Raises:
            InputError: a file cannot be used, or an option is missing.
        """
        config = self.config
        if not (config.pre and config.post):
            raise InputError("your own images must be given for both sides; give --pre and --post")
        if config.dem is not None and config.no_dem:
            raise InputError(f"--dem {config.dem} and --no-dem contradict each other; give one of them")
        if config.dem is None and not config.no_dem:
            raise InputError(
                "no elevation is given; add --dem FILE (Copernicus GLO-30, ALOS World 3D, or any raster in metres "
                "of the area), or --no-dem for models that do not need elevation"
            )
        self._channels = {
            side: local.find_channels(paths, config.bands, f"--{side}")
            for side, paths in zip(SIDES, (config.pre, config.post), strict=True)
        }
        self._days = {"pre": config.pre_date, "post": config.post_date}
        event_day = parse_date(config.event_date, "--event-date")
        for side, text in self._days.items():
            day = parse_date(text, f"--{side}-date") if text is not None else event_day
            if (day > event_day) if side == "pre" else (day < event_day):
                after = "after" if side == "pre" else "before"
                raise InputError(
                    f"--{side}-date {text} is {after} the event of {event_day}; are --pre and --post swapped?"
                )
        found = {side: {channel.band for channel in self._channels[side]} for side in SIDES}
        self.bands = tuple(band for band in BANDS if band in found["pre"] & found["post"])
        if not self.bands:
            raise InputError(
                f"--pre holds {', '.join(sorted(found['pre']))} and --post {', '.join(sorted(found['post']))}: "
                "no band in common; give the same bands of both dates"
            )
        if dropped := sorted((found["pre"] | found["post"]) - set(self.bands)):
            log.warning("only one side has %s; using %s", ", ".join(dropped), ", ".join(self.bands))
        missing = [band for band in CSMASK_BANDS if band not in self.bands]
        if config.clouds == "csmask" and missing:
            raise InputError(
                f"--clouds csmask needs {', '.join(CSMASK_BANDS)} of both dates, and the images lack "
                f"{', '.join(missing)}; give these bands too, or use --clouds scl"
            )
        self.aoi = _common_ground(config, self._channels)
        check_size(self.aoi, config)
        self.geobox = grids.event_grid(self.aoi)
        if config.clouds == "scl":
            log.warning("clouds are not looked for in your own images: 'clear' only means observed; check the images")
        self.elevation = None
        if config.dem is not None:
            local.footprint([Path(config.dem)], "--dem")
            self.elevation = Path(config.dem).name

    def scenes(self, side: Side) -> list[SceneRecord]:
        """See `Source`."""
        day = self._days[side]
        moment = None if day is None else datetime.combine(parse_date(day, side), datetime.min.time()).isoformat() + "Z"
        paths = dict.fromkeys(channel.path for channel in self._channels[side])
        return [{"side": side, "source": 1, "id": path.name, "datetime": moment, "catalog": None} for path in paths]

    def read(self, side: Side, block: GeoBox) -> Block:
        """See `Source`."""
        if self.config.clouds == "csmask":
            padded, inner = _with_halo(block)
            dn = self._images(side, padded)
            why = _unseen_by_csmask(dn, self.bands)[inner]
            return dn[:, *inner], np.where(why == 0, 1, why).astype(np.uint8)
        dn = self._images(side, block)
        return dn, np.where(_observed(dn), 1, Unseen.OUTSIDE).astype(np.uint8)

    def _images(self, side: Side, block: GeoBox) -> NDArray[np.uint16]:
        config = self.config
        dn = local.read_images(self._channels[side], self.bands, block, config.scale, config.offset, f"--{side}")
        for band, values in zip(self.bands, dn, strict=True):
            _check_plausible(values[values != NODATA], band, side, config)
        return dn

    def terrain(self) -> Terrain:
        """See `Source`.

        Returns:
            The terrain and its grid.

        Raises:
            InputError: the elevation shows another place.
        """
        grid = dem_grid(self.geobox)
        values, known = local.read_channel(Path(str(self.config.dem)), 1, grid, "--dem", undeclared=-9999)
        if not known.any():
            raise InputError(f"--dem {self.config.dem} does not cover the images; give elevation of the same place")
        return terrain_stack(np.where(known, values, np.nan).astype(np.float32), DEM_GSD_M), grid


def require_cloud_mask(config: FetchConfig) -> None:
    """Refuse a cloud mask that is not installed, before anything is read.

    Args:
        config: the options.

    Raises:
        InputError: the cloud mask is not installed.
    """
    if config.clouds == "csmask":
        find_network()


def _with_halo(block: GeoBox) -> tuple[GeoBox, tuple[slice, slice]]:
    """Return the block with a margin, and the slices of the block itself within it."""
    inner = slice(load.HALO_PX, -load.HALO_PX)
    return block.pad(load.HALO_PX), (inner, inner)


def _observed(dn: NDArray[np.uint16]) -> NDArray[np.bool_]:
    observed: NDArray[np.bool_] = (dn != NODATA).all(axis=0)
    return observed


def _unseen_by_csmask(dn: NDArray[np.uint16], bands: Sequence[str]) -> NDArray[np.uint8]:
    return unseen_by_csmask(dn[[bands.index(band) for band in CSMASK_BANDS]], _observed(dn))


def _check_plausible(dn: NDArray[np.uint16], band: str, side: Side, config: FetchConfig) -> None:
    """Refuse values that are not reflectances, because their map would be empty and look as if nothing had happened.

    Args:
        dn: (N,) digital numbers of observed pixels.
        band: name of the band.
        side: `pre` or `post`.
        config: the options.

    Raises:
        InputError: nearly all values are below 0.0001, above 6.5, or too dark for any land.
    """
    if dn.size < PLAUSIBLE_PIXELS:
        return
    low, high = np.percentile(dn, [5, 99])
    if high <= DARKEST_DN or low >= np.iinfo(np.uint16).max:
        raise InputError(
            f"--{side} {band} gives reflectances of {low / REFLECTANCE_ONE:.4f} to {high / REFLECTANCE_ONE:.4f} with "
            f"--scale {config.scale:g} and --offset {config.offset:g}, which no ground has; set them so that "
            "value x scale + offset is a reflectance of 0 to 1"
        )


def _common_ground(config: FetchConfig, channels: Mapping[Side, Sequence[local.Channel]]) -> AOI:
    seen = {side: local.footprint([c.path for c in channels[side]], f"--{side}") for side in SIDES}
    common = seen["pre"].intersection(seen["post"])
    if common.is_empty or common.area == 0:
        raise InputError(
            f"--pre covers {_bounds(seen['pre'])} and --post {_bounds(seen['post'])} (degrees): "
            "they do not overlap; give images of the same place"
        )
    aoi = wanted_aoi(config)
    if aoi is None:
        return AOI(common)
    if not aoi.geometry.intersects(common):
        raise InputError(
            f"the AOI {_bounds(aoi.geometry)} lies outside the images {_bounds(common)} (degrees); "
            "give an AOI that the images cover"
        )
    return aoi


def _bounds(geometry: Any) -> str:
    return ",".join(f"{value:.3f}" for value in geometry.bounds)
