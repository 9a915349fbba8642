"""Images and terrain of an event, from a STAC catalog or from files at hand, into an event folder."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from landslide_cli.config import AOI_LIMIT_KM2, FetchConfig, Progress, silent
from landslide_cli.errors import InputError
from landslide_cli.event import FETCHED, ITEM, PRODUCTS, Event, new_event
from landslide_cli.files import remove, writing
from landslide_cli.imagery import catalogs, load, local
from landslide_cli.imagery.aoi import AOI, read_aoi
from landslide_cli.imagery.bands import BANDS, GSD_M, NODATA, TERRAIN_BANDS
from landslide_cli.imagery.clouds import DILATION_PX, clear_ground, shares
from landslide_cli.imagery.cog import create
from landslide_cli.imagery.resample import resample
from landslide_cli.imagery.scenes import Scene, clearest, overpasses
from landslide_cli.imagery.terrain import DEM_GSD_M, dem_grid, terrain_stack

log = logging.getLogger("landslide.fetch")

FIRST_DAY = date(2015, 6, 23)
"""Launch of Sentinel-2A."""

STAGING = ".fetch"

_SIDES = ("pre", "post")
_Block = tuple[NDArray[np.uint16], NDArray[np.bool_]]


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
    elevation: str | None
    reused: bool
    """Whether the folder already held this very event."""


@dataclass(frozen=True, slots=True)
class _Source:
    """Where an event's pixels come from: a catalog or files."""

    aoi: AOI
    geobox: GeoBox
    bands: tuple[str, ...]
    scenes: tuple[Mapping[str, Any], ...]
    read: Callable[[str, GeoBox], _Block]
    """Side and block -> digital numbers (B, H, W) and where the ground is seen (H, W)."""
    elevation: str | None
    terrain: Callable[[], tuple[NDArray[np.float32], GeoBox]] | None
    """Elevation, slope and aspect with their 30 m grid."""


def fetch(config: FetchConfig, progress: Progress = silent) -> FetchSummary:
    """Make the event folder `config.out`.

    Raises:
        InputError: an option or a file cannot be used.
        NoSceneError: no scene suits the event.
        CatalogError: the catalog or its images cannot be reached.
        OutputError: the folder cannot be written.
    """
    event_day = check_event_date(config.event_date)
    if existing := _same_event(config):
        return _summary(existing, reused=True)
    at_hand = config.pre or config.post
    source = _from_files(config) if at_hand else _from_catalog(config, event_day, progress)
    return _summary(_write(config, source, progress), reused=False)


def check_event_date(text: str) -> date:
    """Parse an event date.

    Raises:
        InputError: it is not a date, lies in the future, or before Sentinel-2.
    """
    day = _date(text, "--event-date")
    if day > datetime.now(UTC).date():
        raise InputError(f"event date {text} lies in the future; give the day the landslides happened")
    if day < FIRST_DAY:
        raise InputError(f"event date {text} is before Sentinel-2 ({FIRST_DAY}); there are no images of that time")
    return day


def _date(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{option} {text!r} is not a date; write it as YYYY-MM-DD, such as 2021-08-14") from error


def _same_event(config: FetchConfig) -> Event | None:
    if config.out.exists() and not config.out.is_dir():
        raise InputError(f"--out {config.out} is a file; give a folder")
    if config.overwrite or not (config.out / ITEM).exists():
        return None
    event = Event.open(config.out)
    if event.step("fetch").get("parameters") == config.parameters():
        return event
    raise InputError(
        f"{config.out} already holds the event of {event.event_date}, fetched with other options; "
        "give another --out, or --overwrite to replace it and its results"
    )


def _check_size(aoi: AOI, config: FetchConfig) -> None:
    if aoi.area_km2 > AOI_LIMIT_KM2 and not config.yes:
        raise InputError(
            f"the AOI has {aoi.area_km2:,.0f} km2, over the limit of {AOI_LIMIT_KM2:,} km2; "
            "draw a smaller one, or confirm with --yes"
        )


def _from_catalog(config: FetchConfig, event_day: date, progress: Progress) -> _Source:
    if config.aoi is None:
        raise InputError("no AOI is given; use --aoi with a vector file or west,south,east,north")
    aoi = read_aoi(config.aoi)
    _check_size(aoi, config)
    catalog = catalogs.find_catalog(config.catalog)
    geobox = load.event_grid(aoi)
    periods = catalogs.search_days(event_day, config.pre_days, config.post_days)
    noon = datetime.combine(event_day, datetime.min.time(), UTC)
    chosen: dict[str, Scene] = {}
    for side, days in zip(_SIDES, periods, strict=True):
        progress(f"searching {side} scenes", 0)
        found = overpasses(catalogs.search(catalog, catalog.images, aoi.geometry, days))
        measured = _measure(found, aoi, geobox, config, partial(progress, f"rating {side} scenes"))
        named = (days[0].isoformat(), days[1].isoformat())
        chosen[side] = clearest(measured, side, noon, config.max_cloud, named)
        if chosen[side].covered < 0.995:
            log.warning(
                "the %s scene covers %.0f %% of the AOI; the rest will be marked as not analysed",
                side, 100 * chosen[side].covered,
            )  # fmt: skip

    def read(side: str, block: GeoBox) -> _Block:
        halo = load.HALO_PX
        padded = block.pad(halo)
        images = load.load_images(chosen[side], BANDS, padded, config.workers)
        clear = clear_ground(load.load_classes(chosen[side], padded, config.workers))
        inner = (slice(halo, -halo), slice(halo, -halo))
        return images[:, *inner], clear[inner]

    elevation, terrain = (None, None) if config.no_dem else _catalog_terrain(catalog, geobox, config)
    return _Source(aoi, geobox, BANDS, _described(chosen, catalog), read, elevation, terrain)


def _measure(
    scenes: Sequence[Scene], aoi: AOI, geobox: GeoBox, config: FetchConfig, progress: Callable[[float], None]
) -> list[Scene]:
    # The overviews of the scene classification are enough to rate a scene, and cheap to read.
    coarse = geobox.zoom_out(max(2, max(geobox.shape) / 512))
    inside = load.inside(aoi.geometry, coarse)
    measured = []
    for number, scene in enumerate(scenes, 1):
        rated = scene.measured(*shares(load.load_overview(scene, coarse, config.workers), inside))
        log.info("%s: covers %.0f %%, hidden %.0f %%", scene.granules[0].id, 100 * rated.covered, 100 * rated.cloud)
        measured.append(rated)
        progress(number / len(scenes))
    return measured


def _catalog_terrain(
    catalog: catalogs.Catalog, geobox: GeoBox, config: FetchConfig
) -> tuple[str, Callable[[], tuple[NDArray[np.float32], GeoBox]]]:
    grid = dem_grid(geobox)
    area = grid.extent.to_crs("EPSG:4326", resolution=1000).geom
    tiles = {name: catalogs.search(catalog, [name], area) for name in catalog.elevation}
    available = [name for name, items in tiles.items() if items]
    if not available:
        raise InputError(
            f"catalog {catalog.name} has no elevation ({', '.join(catalog.elevation)}) for the AOI; "
            "give another --catalog, or --no-dem for models that can do without"
        )

    def terrain() -> tuple[NDArray[np.float32], GeoBox]:
        elevation = np.full(grid.shape, np.nan, np.float32)
        for name in available:
            if not np.isnan(elevation).any():
                break
            # The first collection leads; later ones fill where it has voids.
            filling = load.load_elevation(tiles[name], grid, config.workers)
            log.info(
                "elevation %s fills %.1f %%",
                name,
                100 * float(np.mean(np.isnan(elevation) & ~np.isnan(filling))),
            )
            np.copyto(elevation, filling, where=np.isnan(elevation))
        return terrain_stack(elevation, DEM_GSD_M), grid

    return available[0], terrain


def _described(chosen: Mapping[str, Scene], catalog: catalogs.Catalog) -> tuple[Mapping[str, Any], ...]:
    return tuple(
        {
            "side": side,
            "id": item.id,
            "datetime": item.datetime.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if item.datetime else None,
            "platform": item.properties.get("platform"),
            "collection": item.collection_id,
            "catalog": catalog.name,
            "processing_baseline": item.properties.get("s2:processing_baseline"),
            "offset_removed": catalogs.dn_offset(item),
            "cloud_percent": round(100 * scene.cloud, 1),
            "covered_percent": round(100 * scene.covered, 1),
            "href": item.get_self_href() if catalog.is_api else None,
        }
        for side, scene in chosen.items()
        for item in scene.granules
    )


def _from_files(config: FetchConfig) -> _Source:
    if not (config.pre and config.post):
        raise InputError("images at hand need both sides; give --pre and --post")
    if config.dem is None and not config.no_dem:
        raise InputError(
            "no elevation is given; add --dem FILE (Copernicus GLO-30 or ALOS World 3D of the area, any raster in "
            "metres), or --no-dem for models that can do without"
        )
    channels = {
        side: local.find_channels(paths, config.bands, f"--{side}")
        for side, paths in zip(_SIDES, (config.pre, config.post), strict=True)
    }
    found = {side: {channel.band for channel in channels[side]} for side in _SIDES}
    bands = tuple(band for band in BANDS if band in found["pre"] & found["post"])
    if not bands:
        raise InputError(
            f"--pre holds {', '.join(sorted(found['pre']))} and --post {', '.join(sorted(found['post']))}: "
            "no band in common; give the same bands of both dates"
        )
    if dropped := sorted((found["pre"] | found["post"]) - set(bands)):
        log.warning("only one side has %s; using %s", ", ".join(dropped), ", ".join(bands))
    aoi = _common_ground(config, channels)
    _check_size(aoi, config)
    geobox = load.event_grid(aoi)

    def read(side: str, block: GeoBox) -> _Block:
        images = local.read_images(channels[side], bands, block, config.scale, config.offset, f"--{side}")
        return images, (images != NODATA).all(axis=0)

    def terrain() -> tuple[NDArray[np.float32], GeoBox]:
        grid = dem_grid(geobox)
        values, known = local.read_channel(Path(str(config.dem)), 1, grid, "--dem", undeclared=-9999)
        if not known.any():
            raise InputError(f"--dem {config.dem} does not cover the images; give elevation of the same area")
        return terrain_stack(np.where(known, values, np.nan).astype(np.float32), DEM_GSD_M), grid

    if config.dem is not None and not config.no_dem:
        local.footprint([Path(config.dem)], "--dem")  # Refuse a bad file before anything is written.
    days = {"pre": config.pre_date, "post": config.post_date}
    scenes = tuple(
        {
            "side": side,
            "id": path.name,
            "datetime": f"{_date(day, f'--{side}-date')}T00:00:00Z" if (day := days[side]) else None,
            "catalog": None,
        }
        for side in _SIDES
        for path in dict.fromkeys(channel.path for channel in channels[side])
    )
    with_dem = not config.no_dem
    return _Source(
        aoi,
        geobox,
        bands,
        scenes,
        read,
        Path(str(config.dem)).name if with_dem else None,
        terrain if with_dem else None,
    )


def _common_ground(config: FetchConfig, channels: Mapping[str, Sequence[local.Channel]]) -> AOI:
    seen = {side: local.footprint([c.path for c in channels[side]], f"--{side}") for side in _SIDES}
    common = seen["pre"].intersection(seen["post"])
    if common.is_empty or common.area == 0:
        raise InputError(
            f"--pre covers {_bounds(seen['pre'])} and --post {_bounds(seen['post'])} (degrees): they do not overlap; "
            "give images of the same place"
        )
    if config.aoi is None:
        return AOI(common)
    aoi = read_aoi(config.aoi)
    if not aoi.geometry.intersects(common):
        raise InputError(
            f"the AOI {_bounds(aoi.geometry)} lies outside the images {_bounds(common)} (degrees); "
            "give an AOI that the images cover"
        )
    return aoi


def _bounds(geometry: Any) -> str:
    return ",".join(f"{value:.3f}" for value in geometry.bounds)


def _write(config: FetchConfig, source: _Source, progress: Progress) -> Event:
    """Write the rasters into a staging folder; only when all are whole do they replace what was there."""
    staging = config.out / STAGING
    with writing(config.out):
        remove(staging)
        staging.mkdir(parents=True)
    try:
        clear_share = _write_rasters(source, staging, progress)
        return _publish(config, source, staging, clear_share)
    finally:
        remove(staging)


def _write_rasters(source: _Source, staging: Path, progress: Progress) -> float:
    geobox, total = source.geobox, sum(1 for _ in load.blocks(source.geobox))

    def target(product: str) -> Path:
        return staging / PRODUCTS[product].file

    images: dict[str, Any] = {"dtype": "uint16", "nodata": NODATA, "names": source.bands, "overviews": "average"}
    seen_px = aoi_px = 0
    with (
        create(target("pre"), geobox, **images) as pre,
        create(target("post"), geobox, **images) as post,
        create(target("clear"), geobox, dtype="uint8", nodata=None, names=("clear",)) as clear,
    ):
        for number, (window, block) in enumerate(load.blocks(geobox), 1):
            both = np.ones(block.shape, bool)
            for side, writer in zip(_SIDES, (pre, post), strict=True):
                progress(f"reading {side} images", (number - 1) / total)
                dn, ground = source.read(side, block)
                both &= ground & (dn != NODATA).all(axis=0)
                writer.write(dn, window.row_off, window.col_off)
            clear.write(both.astype(np.uint8), window.row_off, window.col_off)
            inside = load.inside(source.aoi.geometry, block)
            seen_px += int((both & inside).sum())
            aoi_px += int(inside.sum())
            progress("reading images", number / total)
    if source.terrain is not None:
        progress("reading elevation", 0)
        stack, grid = source.terrain()
        with create(
            target("terrain"),
            geobox,
            dtype="float32",
            nodata=float("nan"),
            names=TERRAIN_BANDS,
            overviews="average",
        ) as writer:
            for window, block in load.blocks(geobox):
                writer.write(resample(stack, grid, block, float("nan")), window.row_off, window.col_off)
    return seen_px / max(aoi_px, 1)


def _publish(config: FetchConfig, source: _Source, staging: Path, clear_share: float) -> Event:
    height, width = source.geobox.shape
    event = new_event(
        config.out,
        aoi=source.aoi.geometry,
        event_date=config.event_date,
        bands=source.bands,
        scenes=[dict(scene) for scene in source.scenes],
        crs=str(source.geobox.crs),
        shape_px=(height, width),
        transform=tuple(source.geobox.transform)[:6],
    )
    # Without its record the folder is no event; so a kill between here and the end is seen as what it is.
    remove(config.out / ITEM)
    for product in FETCHED:
        staged = staging / PRODUCTS[product].file
        if staged.exists():
            staged.replace(event.path(product))
        else:
            remove(event.path(product))
    facts = {
        "parameters": config.parameters(),
        "clear_percent": round(100 * clear_share, 2),
        "area_km2": round(source.aoi.area_km2, 3),
        "elevation": source.elevation,
        "cloud_dilation_m": DILATION_PX * GSD_M,
    }
    return event.record("fetch", FETCHED, facts)


def _summary(event: Event, reused: bool) -> FetchSummary:
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
        elevation=facts["elevation"],
        reused=reused,
    )
