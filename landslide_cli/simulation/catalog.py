"""Writes a simulated event as a STAC catalog in the layout of the Planetary Computer."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from math import ceil, floor
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.features import shapes
from rasterio.warp import Resampling, reproject, transform_geom
from shapely.affinity import translate
from shapely.geometry import mapping
from shapely.geometry import shape as shape_of
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from landslide_cli.errors import OutputError
from landslide_cli.geo.bands import BAND_GSD_M, BANDS, BASELINE_OFFSET, GSD_M, NODATA, REFLECTANCE_ONE, SCL
from landslide_cli.geo.rasters import write_cog
from landslide_cli.simulation.arrays import Codes, Floats, fractal
from landslide_cli.simulation.grids import (
    COARSEST_M,
    TERRAIN_MARGIN_PX,
    Granule,
    Layout,
    block_mean,
    make_layout,
    to_grid,
    upsample,
)
from landslide_cli.simulation.items import SCL_GSD_M, HrefOf, Item, elevation_item, scene_item, scene_path
from landslide_cli.simulation.landslides import Outline
from landslide_cli.simulation.nature import PLAIN, Nature
from landslide_cli.simulation.render import Acquisition, Scene, render, sun_position
from landslide_cli.simulation.terrain import Terrain, make_terrain
from landslide_cli.simulation.world import World, make_world

REVISIT_DAYS: Final = 5
"""Days between two passes over a place, with two satellites."""
LOCAL_HOUR: Final = 10.5
"""Mean solar time of every pass, in hours."""
BASELINE_BEFORE, BASELINE_AFTER = "03.01", "05.09"
"""Processing baselines before and after the event. Their digital numbers differ by an offset, as for many events."""
DEM_NODATA: Final = -9999
DEM_MARGIN_M: Final = 1800.0
WRITERS: Final = 2


@dataclass(frozen=True, slots=True)
class SimulatedCatalog:
    """Paths of the files of a simulated event."""

    items: Path
    """Item collection (GeoJSON FeatureCollection): `sentinel-2-l2a` and `alos-dem`."""
    aoi: Path
    """The AOI, one polygon in EPSG:4326."""
    event_date: date
    truth: Path
    """uint8, 1 = landslide, 10 m, in the western UTM zone. It covers the AOI."""
    inventory: Path
    """The same truth as polygons in EPSG:4326."""
    mapped: Path
    """The truth as a person would map it: slightly shifted, some landslides missing, some merged."""
    changes: Path
    """uint8 on the grid of `truth`: a `Change` where something other than a landslide changed, else 0."""


@dataclass(frozen=True, slots=True)
class Links:
    """Turns the path of a file in its container into a path in the folder and an href."""

    folder: Path
    base_url: str | None

    def scene(self, path: str) -> tuple[Path, str]:
        """Return the file and the href of a Sentinel-2 asset."""
        if self.base_url is None:
            return self.folder / "sentinel2-l2" / path, f"./sentinel2-l2/{path}"
        prefix = self.base_url.rstrip("/")
        return self.folder / urlsplit(prefix).path.lstrip("/") / path, f"{prefix}/{path}"

    def elevation(self, path: str) -> tuple[Path, str]:
        """Return the file and the href of an elevation asset. It is on the same server as the images."""
        place = f"alos-dem/AW3D30_global/{path}"
        if self.base_url is None:
            return self.folder / place, f"./{place}"
        server = urlsplit(self.base_url)
        return self.folder / place, f"{server.scheme}://{server.netloc}/{place}"

    @property
    def scene_href(self) -> HrefOf:
        """Function that turns the path of a Sentinel-2 asset into its href."""
        return lambda path: self.scene(path)[1]


def write_catalog(
    folder: Path,
    *,
    seed: int = 7,
    shape: tuple[int, int] = (800, 1000),
    event_date: date = date(2021, 8, 14),
    centre: tuple[float, float] = (-72.0, 18.5),
    cloudy_scenes: int = 1,
    clear_scenes: int = 1,
    base_url: str | None = None,
    nature: Nature = PLAIN,
    terrain: Terrain | None = None,
    outlines: Sequence[Outline] = (),
) -> SimulatedCatalog:
    """Simulate an event and write its images, elevation, truth and STAC items.

    The same arguments give the same bytes.

    Args:
        folder: folder for the files.
        seed: seed of all random numbers.
        shape: height and width of the AOI in pixels of 10 m.
        event_date: day of the event.
        centre: longitude and latitude of the AOI in degrees. The longitude must be a multiple of 6.
        cloudy_scenes: number of cloudy scenes on each side of the event.
        clear_scenes: number of clear scenes on each side of the event.
        base_url: prefix of the Sentinel-2 container, with which hrefs begin. The path of an href on its server is
            the path of the file in `folder`. If None, hrefs are relative to the items file.
        nature: conditions of the event.
        terrain: the ground, with the size from `terrain_shape`. If None, the ground is simulated.
        outlines: shapes for some of the landslides.

    Returns:
        Paths of the files.

    Raises:
        InputError: the centre or the shape is not allowed.
        OutputError: a file cannot be written.
    """
    layout = make_layout(centre, shape)
    links = Links(folder, base_url)
    seeds = np.random.SeedSequence(seed).spawn(3)
    if terrain is None:
        terrain = make_terrain(layout.terrain.shape.yx, np.random.default_rng(seeds[0]))
    world = make_world(
        terrain.crop(TERRAIN_MARGIN_PX, layout.world.shape.yx), np.random.default_rng(seeds[1]), nature, outlines
    )
    catalog = SimulatedCatalog(
        items=folder / "items.json",
        aoi=folder / "aoi.geojson",
        event_date=event_date,
        truth=folder / "truth.tif",
        inventory=folder / "landslides.geojson",
        mapped=folder / "landslides_mapped.geojson",
        changes=folder / "changes.tif",
    )
    scenes = np.random.default_rng(seeds[2])
    items: list[Item] = []
    with ThreadPoolExecutor(WRITERS) as pool:
        jobs = []
        for acquisition in plan(event_date, centre, cloudy_scenes, clear_scenes, scenes):
            scene = render(world, acquisition, scenes)
            for granule in layout.granules:
                images = digital_numbers(scene, acquisition, layout.world, granule)
                items.append(scene_item(granule, acquisition, images["SCL"], links.scene_href))
                for key, image in images.items():
                    path, _ = links.scene(scene_path(granule, acquisition, key))
                    grid = granule.grid.zoom_out(granule.grid.shape[0] // image.shape[0])
                    overviews = "nearest" if key == "SCL" else "average"
                    jobs.append(pool.submit(write_cog, path, image, grid, nodata=NODATA, overviews=overviews))
        surface = replace(terrain, elevation_m=_surface_m(terrain, world))
        for name, grid, elevation in elevation_tiles(surface, layout):
            path, href = links.elevation(f"ALPSMLC30_{name}_DSM.tif")
            items.append(elevation_item(name, grid, href))
            jobs.append(pool.submit(write_cog, path, elevation, grid, nodata=DEM_NODATA))
        for path, codes in ((catalog.truth, world.truth), (catalog.changes, world.changes)):
            jobs.append(pool.submit(write_cog, path, codes, layout.world, nodata=None, overviews="nearest"))
        for job in jobs:
            job.result()
    _write_json(catalog.items, {"type": "FeatureCollection", "features": items})
    _write_features(catalog.aoi, [mapping(layout.aoi.extent.to_crs("EPSG:4326").geom)])
    exact = [shape_of(polygon) for polygon in _polygons(world.truth, layout.world)]
    _write_features(catalog.inventory, _to_degrees(exact, layout.world))
    mapped = mapped_by_hand(exact, np.random.default_rng(seeds[2].spawn(1)[0]))
    _write_features(catalog.mapped, _to_degrees(mapped, layout.world))
    return catalog


def terrain_shape(centre: tuple[float, float], shape: tuple[int, int]) -> tuple[int, int]:
    """Return the height and width in pixels of the terrain for an event. It extends beyond the AOI."""
    height, width = make_layout(centre, shape).terrain.shape.yx
    return height, width


def mapped_by_hand(polygons: Sequence[BaseGeometry], rng: np.random.Generator) -> list[BaseGeometry]:
    """Redraw exact polygons as an inventory has them: shifted, simplified, neighbours merged, small ones missed.

    Args:
        polygons: exact outlines in metres.
        rng: source of the errors.

    Returns:
        Outlines in metres.
    """
    shift_m = rng.normal(0.0, 3.0, 2)
    drawn = []
    for polygon in polygons:
        if rng.random() < 0.12 * np.exp(-polygon.area / 2_000.0) + 0.02:
            continue
        x, y = np.clip(shift_m + rng.normal(0.0, 3.0, 2), -15.0, 15.0)
        drawn.append(
            translate(polygon.simplify(rng.uniform(2.0, 8.0)).buffer(rng.normal(0.0, 2.0), join_style="mitre"), x, y)
        )
    # A mapper in a hurry draws one outline around two landslides.
    near = unary_union([polygon.buffer(8.0, quad_segs=2) if rng.random() < 0.15 else polygon for polygon in drawn])
    return [part for part in getattr(near, "geoms", [near]) if part.area > 0.0]


def _surface_m(terrain: Terrain, world: World) -> Floats:
    """Elevation as a satellite would measure it; (h, w) on the grid of the whole terrain."""
    surface_m = terrain.elevation_m.copy()
    if world.nature.surface_model:
        inner = (slice(TERRAIN_MARGIN_PX, -TERRAIN_MARGIN_PX),) * 2
        surface_m[inner] = world.surface_m
        noise = np.random.default_rng(int(abs(float(surface_m[0, 0])) * 1000))
        surface_m += 1.2 * fractal(terrain.shape, noise, exponent=1.0, shortest_px=6)
    return surface_m


def plan(
    event_date: date,
    centre: tuple[float, float],
    cloudy_scenes: int,
    clear_scenes: int,
    rng: np.random.Generator,
) -> list[Acquisition]:
    """Plan the scenes around an event. The sky is cloudy close to the event and clear further away from it.

    Args:
        event_date: day of the event.
        centre: longitude and latitude in degrees.
        cloudy_scenes: number of cloudy scenes on each side of the event.
        clear_scenes: number of clear scenes on each side of the event.
        rng: source of the cloud shares.

    Returns:
        The acquisitions in order of time.
    """
    longitude, latitude = centre
    noon = LOCAL_HOUR - longitude / 15.0
    first_after = 3
    acquisitions = []
    for after in (False, True):
        shares = [rng.uniform(0.5, 0.8) for _ in range(cloudy_scenes)]
        shares += [rng.uniform(0.02, 0.05) for _ in range(clear_scenes)]
        for number, share in enumerate(shares):
            days = first_after + REVISIT_DAYS * (number if after else -number - 1)
            when = datetime.combine(event_date + timedelta(days=days), time()) + timedelta(hours=noon)
            zenith, azimuth = sun_position(when, latitude, longitude)
            acquisitions.append(
                Acquisition(
                    when=when,
                    platform="S2B" if (when.toordinal() // REVISIT_DAYS) % 2 else "S2A",
                    baseline=BASELINE_AFTER if after else BASELINE_BEFORE,
                    after_event=after,
                    cloud_share=share,
                    sun_zenith_deg=zenith,
                    sun_azimuth_deg=azimuth,
                )
            )
    return sorted(acquisitions, key=lambda acquisition: acquisition.when)


def digital_numbers(
    scene: Scene, acquisition: Acquisition, world: GeoBox, granule: Granule
) -> dict[str, npt.NDArray[Any]]:
    """Turn a scene into the assets of one granule, each at its own GSD.

    Args:
        scene: reflectance and SCL on the grid of the world.
        acquisition: when and how the scene is taken.
        world: grid of the world.
        granule: grid and data area of the granule.

    Returns:
        An array (h, w) for each asset key: uint16 for bands, uint8 for `SCL`; 0 = nodata.
    """
    offset = BASELINE_OFFSET if acquisition.after_event else 0
    images: dict[str, npt.NDArray[Any]] = {}
    for gsd in sorted(set(BAND_GSD_M.values())):
        factor = gsd // GSD_M
        keys = [band for band in BANDS if BAND_GSD_M[band] == gsd]
        native = block_mean(scene.reflectance[[BANDS.index(key) for key in keys]], factor)
        warped = to_grid(native, world.zoom_out(factor), granule.grid.zoom_out(factor), Resampling.cubic)
        # A dark pixel with data must not become nodata.
        numbers = np.clip(np.rint(warped * REFLECTANCE_ONE), NODATA + 1, 65_535 - offset) + offset
        valid = upsample(granule.valid, COARSEST_M // gsd)
        images.update(zip(keys, np.where(valid, numbers, NODATA).astype(np.uint16), strict=True))
    factor = SCL_GSD_M // GSD_M
    codes = to_grid(
        scene.scl[::factor, ::factor],
        world.zoom_out(factor),
        granule.grid.zoom_out(factor),
        Resampling.nearest,
    )
    valid = upsample(granule.valid, COARSEST_M // SCL_GSD_M)
    images["SCL"] = np.where(valid, codes, np.uint8(SCL.NODATA)).astype(np.uint8)
    return images


def elevation_tiles(terrain: Terrain, layout: Layout) -> Iterator[tuple[str, GeoBox, npt.NDArray[np.int16]]]:
    """Cut the elevation around the AOI into one-degree tiles.

    Args:
        terrain: the elevation.
        layout: the grids of the event.

    Yields:
        Name, grid and elevation (h, w) int16 in metres of each tile.
    """
    around = layout.aoi.pad(round(DEM_MARGIN_M / GSD_M)).extent.to_crs("EPSG:4326").boundingbox
    # The grid in degrees is rotated against the world. Its corners need elevation beyond the edge of the world.
    spare = 32 + max(layout.aoi.shape) // 8
    elevation_m = np.pad(terrain.elevation_m, spare, mode="edge")
    source = layout.terrain.pad(spare)
    second = 3600
    for north in range(floor(around.bottom), ceil(around.top)):
        for east in range(floor(around.left), ceil(around.right)):
            left = max(floor(around.left * second), east * second)
            right = min(ceil(around.right * second), (east + 1) * second)
            bottom = max(floor(around.bottom * second), north * second)
            top = min(ceil(around.top * second), (north + 1) * second)
            grid = GeoBox(
                (top - bottom, right - left),
                Affine(1 / second, 0.0, left / second, 0.0, -1 / second, top / second),
                "EPSG:4326",
            )
            out: Floats = np.full(grid.shape, np.nan, dtype=np.float32)
            reproject(
                elevation_m,
                out,
                src_transform=source.transform,
                src_crs=source.crs,
                dst_transform=grid.transform,
                dst_crs=grid.crs,
                dst_nodata=np.nan,
                resampling=Resampling.average,
            )
            filled = np.where(np.isnan(out), DEM_NODATA, np.rint(out)).astype(np.int16)
            yield tile_name(east, north), grid, filled


def tile_name(east: int, north: int) -> str:
    """Return the name of the one-degree tile with this lower left corner in degrees, such as `N018W072`."""
    return f"{'N' if north >= 0 else 'S'}{abs(north):03d}{'E' if east >= 0 else 'W'}{abs(east):03d}"


def _polygons(truth: Codes, grid: GeoBox) -> list[dict[str, Any]]:
    found = shapes(truth, mask=truth == 1, connectivity=8, transform=grid.transform)
    return [polygon for polygon, _ in found]


def _to_degrees(polygons: Sequence[BaseGeometry], grid: GeoBox) -> list[dict[str, Any]]:
    return [transform_geom(grid.crs, "EPSG:4326", mapping(polygon), precision=7) for polygon in polygons]


def _write_features(path: Path, geometries: list[Any]) -> None:
    features = [
        {
            "type": "Feature",
            "properties": {"id": number},
            "geometry": {"type": geometry["type"], "coordinates": geometry["coordinates"]},
        }
        for number, geometry in enumerate(geometries, start=1)
    ]
    _write_json(path, {"type": "FeatureCollection", "features": features})


def _write_json(path: Path, content: dict[str, Any]) -> None:
    try:
        path.write_text(json.dumps(content) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error}. Check space and permissions.") from error
