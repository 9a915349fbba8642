"""A map of probabilities into polygons."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine
from shapely.geometry.base import BaseGeometry

from landslide_cli.config import Progress, VectorizeConfig, silent
from landslide_cli.errors import InputError
from landslide_cli.event import VECTORIZED, Event
from landslide_cli.imagery.bands import NO_TERRAIN, NOT_ANALYSED, Unseen
from landslide_cli.imagery.load import inside
from landslide_cli.mapping.attributes import LANDSLIDE_FIELDS, NOT_ANALYSED_FIELDS, landslide_attributes
from landslide_cli.mapping.formats import Layer, write_geojson, write_geopackage
from landslide_cli.mapping.polygons import find_regions, outlines
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
    terrain = None
    if event.has("terrain"):
        with rasterio.open(event.path("terrain")) as source:
            terrain = source.read([1, 2])
    facts = {
        "pre_date": event.dates("pre"),
        "post_date": event.dates("post"),
        "event_date": event.event_date,
        "model": prediction["model"],
    }
    records = landslide_attributes(regions, polygons, percent, terrain, facts)
    landslides = Layer("landslides", crs, LANDSLIDE_FIELDS, polygons, records)
    progress("drawing what was not analysed", 0.6)
    not_analysed = _not_analysed(event, ~analysed & within, transform, crs)
    progress("writing", 0.8)
    write_geojson(landslides, event.path("landslides"))
    write_geojson(not_analysed, event.path("not_analysed"))
    write_geopackage([landslides, not_analysed], event.path("geopackage"))
    areas = np.array([record["area_m2"] for record in records])
    analysed_percent = 100 * float((analysed & within).sum()) / max(int(within.sum()), 1)
    summary = {
        "threshold": threshold,
        "min_area_m2": config.min_area,
        "simplify_m": config.simplify,
        "landslides": len(records),
        "area_m2": float(areas.sum()),
        "analysed_percent": round(analysed_percent, 2),
    }
    event.record("vectorize", VECTORIZED, summary)
    return VectorizeSummary(
        event=event.folder,
        landslides=len(records),
        area_m2=float(areas.sum()),
        largest_m2=float(areas.max(initial=0)),
        analysed_percent=analysed_percent,
        geojson=event.path("landslides"),
        geopackage=event.path("geopackage"),
    )


def _not_analysed(event: Event, mask: NDArray[np.bool_], transform: Affine, crs: str) -> Layer:
    """Return what was not analysed, each reason's regions on their own."""
    with rasterio.open(event.path("sources")) as source:
        why = why_unseen(*source.read())
    polygons: list[BaseGeometry] = []
    records: list[dict[str, Any]] = []
    for code in np.unique(why[mask]).tolist():
        reason = Unseen(code).label if code else NO_TERRAIN
        for polygon in outlines(find_regions(mask & (why == code)), transform):
            polygons.append(polygon)
            records.append({"id": len(polygons), "area_m2": round(polygon.area, 1), "reason": reason})
    return Layer("not_analysed", crs, NOT_ANALYSED_FIELDS, polygons, records)
