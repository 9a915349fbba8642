"""Make the layers of a map from the probability: landslides, ground that was not analysed, AOI and scenes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry
from rasterio.transform import Affine
from rasterio.windows import Window
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from landslide_cli.config import VectorizeConfig
from landslide_cli.errors import InputError
from landslide_cli.event.folder import Event
from landslide_cli.geo.bands import GSD_M, NOT_ANALYSED
from landslide_cli.geo.grids import inside
from landslide_cli.geo.rasters import BLOCK_PX
from landslide_cli.mapping import masks
from landslide_cli.mapping.attributes import (
    AOI_FIELDS,
    LANDSLIDE_FIELDS,
    SCENE_FIELDS,
    Pixels,
    ellipsoidal_area_m2,
    landslide_attributes,
)
from landslide_cli.mapping.formats import Layer
from landslide_cli.mapping.polygons import AREA_TOLERANCE, Regions, clipped, find_regions, outlines, smoothed
from landslide_cli.progress import Progress

CACHE_BYTES: Final = 128 * 2**20
"""GDAL's cache can be small because strips are read once. GDAL's default is 5 % of the machine's memory."""
UTM_DISTORTION: Final = 0.003
"""Largest share by which a pixel of 100 m2 is smaller on the ellipsoid, up to a little beyond the edge of a zone."""


def event_layers(
    event: Event, config: VectorizeConfig, threshold: float, areas: NDArray[np.object_] | None, progress: Progress
) -> tuple[Layer, Layer, Layer]:
    """Make the layers of the landslides outside of `areas`, of the ground that was not analysed, and of the AOI.

    Args:
        event: an event with a map of probability.
        config: the options of the outlines.
        threshold: a pixel is a landslide from this probability on, 0..1.
        areas: (N,) polygons in which nothing is mapped, WGS 84; None if there are none.
        progress: called with each step and the share done.

    Returns:
        The layers `landslides`, `not_analysed` and `aoi`, in the CRS of the event.

    Raises:
        InputError: the map was made by an unknown model.
    """
    if (predicted := event.predicted) is None:
        raise InputError(f"{event.folder} has no prediction on record; run `landslide predict {event.folder}` first")
    progress("drawing ground that was not analysed", 0)
    with rasterio.open(event.path("probability")) as source:
        percent, transform, crs = source.read(1), source.transform, source.crs.to_string()
        grid = GeoBox.from_rio(source)
    excluded = None if areas is None else masks.burned(areas, event.aoi, grid)
    analysed = percent != NOT_ANALYSED
    if excluded is not None:
        analysed &= ~excluded
    within = inside(event.aoi, grid)
    area = Geometry(event.aoi, "EPSG:4326").to_crs(crs, resolution=0.01).geom
    # Done before there are labels, which take four times the memory of any of these arrays.
    not_analysed = masks.not_analysed(event, within & ~analysed, excluded, transform, crs, area)
    del excluded
    within &= analysed
    progress("finding regions", 0.2)
    regions = _find(event, config, percent, within, threshold)
    del within
    progress("drawing outlines", 0.4)
    outlined = _outlined(regions, config, transform, crs, area, not_analysed.polygons)
    polygons, regions = _large(outlined, regions, config.min_area, crs)
    progress("measuring the landslides", 0.5)
    pixels = _pixels(event, regions, percent, analysed)
    times = _times(event, "pre"), _times(event, "post")
    facts = {"event_date": event.event_date, "model": predicted.model}
    records = landslide_attributes(pixels, polygons, crs, area, times, facts)
    landslides = Layer("landslides", crs, LANDSLIDE_FIELDS, polygons, records)
    (area_m2,) = ellipsoidal_area_m2([area], crs)
    hidden_m2 = ellipsoidal_area_m2(not_analysed.polygons, crs).sum()
    analysed_percent = 100 * max(0.0, 1 - float(hidden_m2 / area_m2))
    progress("writing", 0.8)
    values = (event.event_date, round(float(area_m2) / 1e6, 3), round(analysed_percent, 2))
    aoi = Layer("aoi", crs, AOI_FIELDS, [area], [dict(zip(AOI_FIELDS, values, strict=True))])
    return landslides, not_analysed, aoi


def _find(
    event: Event, config: VectorizeConfig, percent: NDArray[np.uint8], candidates: NDArray[np.bool_], threshold: float
) -> Regions:
    """Return the landslides among the `candidates`, the pixels that can be landslides; changes `candidates`."""
    if config.steeper_than > 0:
        candidates &= masks.steep(event, config.steeper_than)
    grow = threshold if config.grow is None else config.grow
    return find_regions(
        (percent >= 100 * grow) & candidates,
        # A little below the limit, because the area of the outline decides.
        0.95 * config.min_area / GSD_M**2,
        seeds=(percent >= 100 * threshold) if grow < threshold else None,
        merge_px=config.merge / GSD_M,
    )


def _outlined(
    regions: Regions, config: VectorizeConfig, transform: Affine, crs: str, area: BaseGeometry,
    hidden: Sequence[BaseGeometry | None],
) -> list[BaseGeometry]:  # fmt: skip
    """Return the outline of each region, within the AOI and outside of ground that was not analysed."""
    exact = clipped(outlines(regions, transform), area, [])
    if not config.simplify and not config.smooth:
        return exact
    shaped = outlines(regions, transform, config.simplify)
    shaped = clipped(smoothed(shaped) if config.smooth else shaped, area, [p for p in hidden if p is not None])
    before, after = (ellipsoidal_area_m2(of, crs) for of in (exact, shaped))
    # A landslide keeps the outline of its pixels if it would get too small, or if smoothing changes its area too much.
    least_m2 = config.min_area * (1 - UTM_DISTORTION)
    kept = (after >= least_m2) | (before < least_m2)
    if config.smooth and not config.simplify:
        kept &= np.abs(after - before) <= AREA_TOLERANCE * before
    return [new if keep else old for new, old, keep in zip(shaped, exact, kept, strict=True)]


def _large(
    polygons: Sequence[BaseGeometry], regions: Regions, min_area_m2: float, crs: str
) -> tuple[list[BaseGeometry], Regions]:
    """Return the landslides that are large enough, the largest first."""
    sizes_m2 = ellipsoidal_area_m2(polygons, crs)
    order = np.argsort(-sizes_m2, kind="stable")
    order = order[(sizes_m2[order] >= min_area_m2 * (1 - UTM_DISTORTION)) & (sizes_m2[order] > 0)]
    return [polygons[number] for number in order], regions.only(order)


def _times(event: Event, side: str) -> dict[int, str | None]:
    """Return the time of each scene by its number in `sources.tif`; all granules of a scene have one number."""
    return {scene.get("source", 1): scene["datetime"] for scene in event.scenes if scene["side"] == side}


def scene_layer(event: Event, crs: str) -> Layer:
    """Return the layer of the image footprints; your own images have the extent of the event's grid."""
    with rasterio.open(event.path("clear")) as source:
        grid = box(*source.bounds)
    footprints = [
        Geometry(scene["footprint"], "EPSG:4326").to_crs(crs, resolution=0.01).geom if scene.get("footprint") else grid
        for scene in event.scenes
    ]
    records = [
        {"scene": s["id"], "side": s["side"], "datetime": s["datetime"], "platform": s.get("platform")}
        for s in event.scenes
    ]
    return Layer("scenes", crs, SCENE_FIELDS, footprints, records)


def _pixels(event: Event, regions: Regions, percent: NDArray[np.uint8], analysed: NDArray[np.bool_]) -> Pixels:
    """Return the values of the pixels of all regions."""
    rows, columns, region = regions.members()
    # Pixels at the edge of the grid count as next to ground that was not analysed.
    around = np.pad(analysed, 1)
    inner = np.ones(len(rows), bool)
    for down in range(3):
        for right in range(3):
            inner &= around[rows + down, columns + right]
    return Pixels(
        region=region,
        rows=rows,
        columns=columns,
        percent=percent[rows, columns],
        terrain=_values(event.path("terrain"), rows, columns) if event.has("terrain") else None,
        scenes=_values(event.path("sources"), rows, columns),
        at_edge=~inner,
    )


def _values(path: Path, rows: NDArray[np.int32], columns: NDArray[np.int32]) -> NDArray[Any]:
    """Return the values (C, N) of a raster at N pixels, sorted by row; the raster is read in strips."""
    with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES), rasterio.open(path, num_threads="all_cpus") as source:
        values = np.empty((source.count, len(rows)), source.dtypes[0])
        for top in range(0, source.height, BLOCK_PX):
            here = slice(*np.searchsorted(rows, (top, top + BLOCK_PX)))
            if here.start < here.stop:
                strip = source.read(window=Window(0, top, source.width, min(BLOCK_PX, source.height - top)))
                values[:, here] = strip[:, rows[here] - top, columns[here]]
    return values
