"""A map of probabilities into polygons."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry
from rasterio.transform import Affine
from rasterio.windows import Window

from landslide_cli.config import Progress, VectorizeConfig, silent
from landslide_cli.errors import InputError
from landslide_cli.event import VECTORIZED, Event
from landslide_cli.imagery.bands import NO_TERRAIN, NOT_ANALYSED, Unseen
from landslide_cli.imagery.cog import BLOCK_PX
from landslide_cli.imagery.load import inside
from landslide_cli.mapping.attributes import (
    LANDSLIDE_FIELDS,
    NOT_ANALYSED_FIELDS,
    Pixels,
    ellipsoidal_area_m2,
    landslide_attributes,
)
from landslide_cli.mapping.formats import Layer, write_geojson, write_geopackage
from landslide_cli.mapping.polygons import Regions, areas, find_regions, outlines
from landslide_cli.workflows.fetch import why_unseen
from landslide_cli.workflows.predict import check_threshold


@dataclass(frozen=True, slots=True)
class VectorizeSummary:
    """What `vectorize` found."""

    event: Path
    landslides: int
    area_m2: float
    largest_m2: float
    analysed_percent: float
    """Percent of the AOI that was analysed."""
    geojson: Path
    geopackage: Path


def vectorize(config: VectorizeConfig, progress: Progress = silent) -> VectorizeSummary:
    """Write the landslides of an event, and what was not analysed, as GeoJSON and GeoPackage.

    Raises:
        InputError: there is no such event, it was not predicted, or an option is out of range.
        OutputError: the folder cannot be written.
    """
    check_threshold(config.threshold)
    for option, value in (("--min-area", config.min_area), ("--simplify", config.simplify)):
        if not 0 <= value < float("inf"):
            raise InputError(f"{option} {value:g} must be a number from 0 up")
    event = Event.open(config.event)
    if not event.has("probability"):
        raise InputError(f"{event.folder} has no probability.tif; run `landslide predict {event.folder}` first")
    prediction = event.step("predict")
    threshold = prediction["threshold"] if config.threshold is None else config.threshold
    progress("finding regions", 0)
    with rasterio.open(event.path("probability")) as source:
        percent, transform, crs = source.read(1), source.transform, source.crs.to_string()
        within = inside(event.aoi, GeoBox.from_rio(source))
    analysed = percent != NOT_ANALYSED
    pixel_m2 = abs(transform.a * transform.e)
    regions = find_regions((percent >= 100 * threshold) & analysed & within, config.min_area / pixel_m2)
    progress("drawing outlines", 0.3)
    polygons = outlines(regions, transform, config.simplify)
    progress("describing them", 0.5)
    pixels = _pixels(event, regions, percent, analysed)
    area = Geometry(event.aoi, "EPSG:4326").to_crs(crs, resolution=0.01).geom
    times = _times(event, "pre"), _times(event, "post")
    facts = {"event_date": event.event_date, "model": prediction["model"]}
    records = landslide_attributes(pixels, polygons, crs, area, times, facts)
    landslides = Layer("landslides", crs, LANDSLIDE_FIELDS, polygons, records)
    analysed_percent = 100 * int((analysed & within).sum()) / max(int(within.sum()), 1)
    del regions, pixels
    progress("drawing what was not analysed", 0.6)
    not_analysed = _not_analysed(event, ~analysed & within, transform, crs)
    progress("writing", 0.8)
    write_geojson(landslides, event.path("landslides"))
    write_geojson(not_analysed, event.path("not_analysed"))
    write_geopackage([landslides, not_analysed], event.path("geopackage"))
    sizes = np.array([record["area_m2"] for record in records])
    summary = {
        "threshold": threshold,
        "min_area_m2": config.min_area,
        "simplify_m": config.simplify,
        "landslides": len(records),
        "area_m2": float(sizes.sum()),
        "analysed_percent": round(analysed_percent, 2),
    }
    event.record("vectorize", VECTORIZED, summary)
    return VectorizeSummary(
        event=event.folder,
        landslides=len(records),
        area_m2=float(sizes.sum()),
        largest_m2=float(sizes.max(initial=0)),
        analysed_percent=analysed_percent,
        geojson=event.path("landslides"),
        geopackage=event.path("geopackage"),
    )


def _times(event: Event, side: str) -> list[str | None]:
    return [scene["datetime"] for scene in event.scenes if scene["side"] == side]


def _pixels(event: Event, regions: Regions, percent: NDArray[np.uint8], analysed: NDArray[np.bool_]) -> Pixels:
    """Return what is known of the pixels of all regions."""
    rows, columns, region = regions.members()
    beside = np.zeros(len(rows), bool)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            row, column = rows + down, columns + right
            outside = (row < 0) | (column < 0) | (row >= percent.shape[0]) | (column >= percent.shape[1])
            beside |= outside | ~analysed[np.where(outside, 0, row), np.where(outside, 0, column)]
    return Pixels(
        region=region,
        rows=rows,
        columns=columns,
        percent=percent[rows, columns],
        terrain=_values(event.path("terrain"), rows, columns) if event.has("terrain") else None,
        scenes=_values(event.path("sources"), rows, columns),
        at_edge=beside,
    )


def _values(path: Path, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[Any]:
    """Return (C, N) the values of a raster at N pixels in order of rows; it is read in strips."""
    with rasterio.open(path) as source:
        values = np.empty((source.count, len(rows)), source.dtypes[0])
        for top in range(0, source.height, BLOCK_PX):
            here = slice(*np.searchsorted(rows, (top, top + BLOCK_PX)))
            if here.start < here.stop:
                strip = source.read(window=Window(0, top, source.width, min(BLOCK_PX, source.height - top)))
                values[:, here] = strip[:, rows[here] - top, columns[here]]
    return values


def _not_analysed(event: Event, mask: NDArray[np.bool_], transform: Affine, crs: str) -> Layer:
    """Return what was not analysed, each reason's areas on their own."""
    with rasterio.open(event.path("sources")) as source:
        why = why_unseen(*source.read())
    found = areas(why, mask, transform)
    sizes = ellipsoidal_area_m2([polygon for _, polygon in found], crs)
    records = [
        {"id": number, "area_m2": round(size, 1), "reason": Unseen(code).label if code else NO_TERRAIN}
        for number, ((code, _), size) in enumerate(zip(found, sizes.tolist(), strict=True), 1)
    ]
    return Layer("not_analysed", crs, NOT_ANALYSED_FIELDS, [polygon for _, polygon in found], records)
