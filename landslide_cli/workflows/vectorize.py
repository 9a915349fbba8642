"""A map of probabilities into polygons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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

from landslide_cli.config import SCHEMAS, Progress, VectorizeConfig, silent
from landslide_cli.errors import InputError
from landslide_cli.event import Event
from landslide_cli.files import sha256_of
from landslide_cli.imagery.bands import GSD_M, NOT_ANALYSED
from landslide_cli.imagery.cog import BLOCK_PX
from landslide_cli.imagery.load import inside
from landslide_cli.mapping.attributes import (
    AOI_FIELDS,
    LANDSLIDE_FIELDS,
    SCENE_FIELDS,
    Pixels,
    ellipsoidal_area_m2,
    landslide_attributes,
)
from landslide_cli.mapping.cems import cems_layers
from landslide_cli.mapping.formats import Layer, named_formats, write_as, write_geojson, write_geopackage
from landslide_cli.mapping.polygons import AREA_TOLERANCE, Regions, clipped, find_regions, outlines, smoothed
from landslide_cli.workflows import masks
from landslide_cli.workflows.compare import Changes, changes_since
from landslide_cli.workflows.predict import check_threshold
from landslide_cli.workflows.present import present

ALWAYS: Final = (
    "landslides", "not_analysed", "geopackage", "landslides_style", "not_analysed_style", "project", "report",
    "sheet",
)  # fmt: skip
"""Products that are made whatever the options."""
MERGE_MAX_M: Final = 200
"""Parts farther from each other are no single landslide; it also bounds the time that looking for them takes."""
CACHE_BYTES: Final = 128 * 2**20
"""Of GDAL: strips are read once, and what it keeps of them would be a twentieth of the machine's memory."""
UTM_DISTORTION: Final = 0.003
"""By how much a pixel of 100 m2 may be smaller on the ellipsoid, at the edge of a zone and a little beyond."""


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
    project: Path
    report: Path
    sheet: Path
    changes: Mapping[str, Any] | None
    """Against the earlier version, if there is one: its number as `since`, `counts` and `areas_m2` of landslides by
    what became of them, and `differences` of the options that both maps were made with."""


def vectorize(
    config: VectorizeConfig, progress: Progress = silent, *, previous: Event | None = None
) -> VectorizeSummary:
    """Write the landslides of an event, and what was not analysed, as GeoJSON, GeoPackage, QGIS project and report.

    Of an event that has an earlier version it is written what became of that one's landslides.

    Args:
        config: what is wanted.
        progress: told what is being done.
        previous: the earlier version, where it does not lie yet where the event's record says.

    Raises:
        InputError: there is no such event, it was not predicted, or an option is out of range.
        OutputError: the folder cannot be written.
    """
    event = Event.open(config.event)
    if not event.has("probability"):
        raise InputError(f"{event.folder} has no probability.tif; run `landslide predict {event.folder}` first")
    prediction = event.step("predict")
    if not {"model", "threshold"} <= set(prediction):
        raise InputError(
            f"event.json does not tell which model made probability.tif; run `landslide predict {event.folder}` again"
        )
    threshold = prediction["threshold"] if config.threshold is None else config.threshold
    excluded = check_options(config, threshold, terrain=event.has("terrain"))
    landslides, not_analysed, aoi = _layers(event, config, threshold, excluded, progress)
    scenes = _scenes(event, aoi.crs)
    write_geojson(landslides, event.path("landslides"))
    write_geojson(not_analysed, event.path("not_analysed"))
    changes = _changes(event, previous, outline_options(config, threshold))
    layers = [landslides, not_analysed, aoi, scenes, *([changes.layer] if changes else [])]
    write_geopackage(layers, event.path("geopackage"))
    for name in (formats := named_formats(config.formats)):
        write_as(name, landslides, event.path(name))
    if config.schema == "cems":
        cems = cems_layers(landslides, not_analysed, aoi.polygons[0], scenes.polygons, event.scenes)
        write_geopackage(cems, event.path("cems"), styled=False)
    present(event, landslides, not_analysed, aoi, scenes, changes)
    made = [*ALWAYS, *formats, *(["cems"] if config.schema == "cems" else [])]
    if changes:
        write_geojson(changes.layer, event.path("changes"))
        made += ["changes", "changes_style"]
    sizes = np.array([record["area_m2"] for record in landslides.records])
    facts = {
        **outline_options(config, threshold),
        "landslides": len(sizes),
        "area_m2": float(sizes.sum()),
        "largest_m2": float(sizes.max(initial=0)),
        "analysed_percent": aoi.records[0]["analysed_percent"],
        "changes": changes and changes.record(),
    }
    return recorded(event.record("vectorize", tuple(made), facts))


def _layers(
    event: Event, config: VectorizeConfig, threshold: float, areas: NDArray[np.object_] | None, progress: Progress
) -> tuple[Layer, Layer, Layer]:
    """Return the landslides outside of `areas`, what was not analysed, and the AOI."""
    progress("drawing what was not analysed", 0)
    with rasterio.open(event.path("probability")) as source:
        percent, transform, crs = source.read(1), source.transform, source.crs.to_string()
        grid = GeoBox.from_rio(source)
    excluded = None if areas is None else masks.burned(areas, event.aoi, grid)
    analysed = percent != NOT_ANALYSED
    if excluded is not None:
        analysed &= ~excluded
    within = inside(event.aoi, grid)
    area = Geometry(event.aoi, "EPSG:4326").to_crs(crs, resolution=0.01).geom
    # Before there are labels, which take four times the room of any of these.
    not_analysed = masks.not_analysed(event, within & ~analysed, excluded, transform, crs, area)
    del excluded
    within &= analysed
    progress("finding regions", 0.2)
    regions = _find(event, config, percent, within, threshold)
    del within
    progress("drawing outlines", 0.4)
    outlined = _outlined(regions, config, transform, crs, area, not_analysed.polygons)
    polygons, regions = _large(outlined, regions, config.min_area, crs)
    progress("describing them", 0.5)
    pixels = _pixels(event, regions, percent, analysed)
    times = _times(event, "pre"), _times(event, "post")
    facts = {"event_date": event.event_date, "model": event.step("predict")["model"]}
    records = landslide_attributes(pixels, polygons, crs, area, times, facts)
    landslides = Layer("landslides", crs, LANDSLIDE_FIELDS, polygons, records)
    (area_m2,) = ellipsoidal_area_m2([area], crs)
    hidden_m2 = ellipsoidal_area_m2(not_analysed.polygons, crs).sum()
    analysed_percent = 100 * max(0.0, 1 - float(hidden_m2 / area_m2))
    progress("writing", 0.8)
    values = (event.event_date, round(float(area_m2) / 1e6, 3), round(analysed_percent, 2))
    aoi = Layer("aoi", crs, AOI_FIELDS, [area], [dict(zip(AOI_FIELDS, values, strict=True))])
    return landslides, not_analysed, aoi


def outline_options(config: VectorizeConfig, threshold: float) -> dict[str, object]:
    """Return what the outlines depend on beside the map of probability, as it is recorded."""
    return {
        "threshold": threshold,
        "min_area_m2": config.min_area,
        "simplify_m": config.simplify,
        "grow": config.grow,
        "merge_m": config.merge,
        "smooth": config.smooth,
        "steeper_than_deg": config.steeper_than,
        "exclude": config.exclude and config.exclude.name,
        "exclude_sha256": sha256_of(config.exclude) if config.exclude and config.exclude.is_file() else None,
    }


def recorded(event: Event) -> VectorizeSummary:
    """Return the summary of an event that was vectorized."""
    done = event.step("vectorize")
    return VectorizeSummary(
        event=event.folder,
        landslides=done["landslides"],
        area_m2=done["area_m2"],
        largest_m2=done["largest_m2"],
        analysed_percent=done["analysed_percent"],
        geojson=event.path("landslides"),
        geopackage=event.path("geopackage"),
        project=event.path("project"),
        report=event.path("report"),
        sheet=event.path("sheet"),
        changes=done["changes"],
    )


def _changes(event: Event, previous: Event | None, outlined: Mapping[str, Any]) -> Changes | None:
    """Compare the event with its earlier version, if it has one."""
    if previous is None and event.predecessor:
        previous = Event.open(event.predecessor)
    if previous is None or not previous.has("landslides"):
        return None
    return changes_since(previous, event, outlined)


def check_options(config: VectorizeConfig, threshold: float, *, terrain: bool) -> NDArray[np.object_] | None:
    """Refuse options that cannot be met, before any image is read.

    Args:
        config: the options.
        threshold: what a landslide starts from, by the options or the model.
        terrain: whether the event has elevation or will have it.

    Returns:
        (N,) the areas to leave out, WGS 84, where the options name some.

    Raises:
        InputError: an option is out of range, or needs what is not there.
    """
    check_threshold(config.threshold)
    for option, value in (
        ("--min-area", config.min_area), ("--simplify", config.simplify), ("--merge", config.merge),
        ("--steeper-than", config.steeper_than),
    ):  # fmt: skip
        if not 0 <= value < float("inf"):
            raise InputError(f"{option} {value:g} must be a number from 0 up")
    if config.merge > MERGE_MAX_M:
        raise InputError(
            f"--merge {config.merge:g} is over {MERGE_MAX_M} m, too far apart for one landslide; give less"
        )
    if config.steeper_than and not terrain:
        raise InputError(
            f"--steeper-than {config.steeper_than:g} needs elevation, and there is none; "
            "leave it out, or fetch the event without --no-dem"
        )
    named_formats(config.formats)
    if config.schema not in SCHEMAS:
        raise InputError(f"--schema {config.schema} is unknown; use {', '.join(SCHEMAS)}")
    check_threshold(config.grow, "--grow")
    if config.grow is not None and config.grow > threshold:
        raise InputError(f"--grow {config.grow:g} is above the threshold of {threshold:g}; give a lower probability")
    return masks.read_excluded(config.exclude) if config.exclude else None


def _find(
    event: Event, config: VectorizeConfig, percent: NDArray[np.uint8], candidates: NDArray[np.bool_], threshold: float
) -> Regions:
    """Return the landslides among the `candidates`, pixels that may be one; these are changed in place."""
    if config.steeper_than > 0:
        candidates &= masks.steep(event, config.steeper_than)
    grow = threshold if config.grow is None else config.grow
    return find_regions(
        (percent >= 100 * grow) & candidates,
        # Fewer than it takes: what counts is the area of the outline.
        0.95 * config.min_area / GSD_M**2,
        seeds=(percent >= 100 * threshold) if grow < threshold else None,
        merge_px=config.merge / GSD_M,
    )


def _outlined(
    regions: Regions, config: VectorizeConfig, transform: Affine, crs: str, area: BaseGeometry,
    hidden: Sequence[BaseGeometry | None],
) -> list[BaseGeometry]:  # fmt: skip
    """Return the outline of each region within the AOI and outside of what was not analysed."""
    exact = clipped(outlines(regions, transform), area, [])
    if not config.simplify and not config.smooth:
        return exact
    shaped = outlines(regions, transform, config.simplify)
    shaped = clipped(smoothed(shaped) if config.smooth else shaped, area, [p for p in hidden if p is not None])
    before, after = (ellipsoidal_area_m2(of, crs) for of in (exact, shaped))
    # What would become too small, or lose more than smoothing may, keeps the outline of its pixels.
    least_m2 = config.min_area * (1 - UTM_DISTORTION)
    kept = (after >= least_m2) | (before < least_m2)
    if config.smooth and not config.simplify:
        kept &= np.abs(after - before) <= AREA_TOLERANCE * before
    return [new if keep else old for new, old, keep in zip(shaped, exact, kept, strict=True)]


def _large(
    polygons: Sequence[BaseGeometry], regions: Regions, min_area_m2: float, crs: str
) -> tuple[list[BaseGeometry], Regions]:
    """Return what is large enough, the largest first."""
    sizes_m2 = ellipsoidal_area_m2(polygons, crs)
    order = np.argsort(-sizes_m2, kind="stable")
    order = order[(sizes_m2[order] >= min_area_m2 * (1 - UTM_DISTORTION)) & (sizes_m2[order] > 0)]
    return [polygons[number] for number in order], regions.only(order)


def _times(event: Event, side: str) -> dict[int, str | None]:
    """Return the time of each scene by its number in `sources.tif`: its granules share one."""
    return {scene["source"]: scene["datetime"] for scene in event.scenes if scene["side"] == side}


def _scenes(event: Event, crs: str) -> Layer:
    """Return the footprints of the images; an image at hand has that of the event's grid."""
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
    """Return what is known of the pixels of all regions."""
    rows, columns, region = regions.members()
    # What lies at the rim of the grid touches what was not analysed too.
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
    """Return (C, N) the values of a raster at N pixels in order of rows; it is read in strips."""
    with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES), rasterio.open(path, num_threads="all_cpus") as source:
        values = np.empty((source.count, len(rows)), source.dtypes[0])
        for top in range(0, source.height, BLOCK_PX):
            here = slice(*np.searchsorted(rows, (top, top + BLOCK_PX)))
            if here.start < here.stop:
                strip = source.read(window=Window(0, top, source.width, min(BLOCK_PX, source.height - top)))
                values[:, here] = strip[:, rows[here] - top, columns[here]]
    return values
