"""Attributes of each landslide: size, shape, terrain, confidence and dates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Proj, Transformer
from shapely.geometry.base import BaseGeometry

LANDSLIDE_FIELDS: Final = {
    "id": "int", "area_m2": "float", "length_m": "float", "width_m": "float", "drop_m": "float",
    "slope_mean_deg": "float", "aspect_mean_deg": "float", "elevation_mean_m": "float",
    "confidence": "float", "confidence_spread": "float", "probability_max": "float",
    "at_edge": "bool", "aoi_edge_m": "float",
    "pre_date": "str", "post_date": "str", "pre_datetime": "str", "post_datetime": "str",
    "event_date": "str", "model": "str",
}  # fmt: skip
"""Fields of the layer `landslides`, in order, with their types."""

ALIASES: Final = {
    "id": "Number, largest first",
    "area_m2": "Area on the ellipsoid (m²)",
    "length_m": "Length along the slope, on the map (m)",
    "width_m": "Width across the slope (m)",
    "drop_m": "Drop in elevation (m)",
    "slope_mean_deg": "Mean slope (°)",
    "aspect_mean_deg": "Mean aspect, downslope from north (°)",
    "elevation_mean_m": "Mean elevation (m)",
    "confidence": "Confidence: mean probability",
    "confidence_spread": "Deviation of the probability",
    "probability_max": "Highest probability",
    "at_edge": "Touches what was not analysed",
    "aoi_edge_m": "Distance to the edge of the AOI (m)",
    "pre_date": "Date before (first/last)",
    "post_date": "Date after (first/last)",
    "pre_datetime": "Time before, UTC (first/last)",
    "post_datetime": "Time after, UTC (first/last)",
    "event_date": "Date of the event",
    "model": "Model",
    "reason": "Why not analysed",
    "area_km2": "Area (km²)",
    "analysed_percent": "Analysed (%)",
    "scene": "Image",
    "side": "Before or after",
    "datetime": "Time, UTC",
    "platform": "Satellite",
    "change": "What became of it",
    "id_before": "Number on the map before",
    "id_after": "Number on the map after",
    "area_before_m2": "Area on the map before (m²)",
    "area_after_m2": "Area on the map after (m²)",
    "overlap": "Overlap of both outlines (IoU)",
}
"""Name of each field in words."""

NOT_ANALYSED_FIELDS: Final = {"id": "int", "area_m2": "float", "reason": "str"}
"""Fields of the layer `not_analysed`."""

AOI_FIELDS: Final = {"event_date": "str", "area_km2": "float", "analysed_percent": "float"}
"""Fields of the layer `aoi`."""

SCENE_FIELDS: Final = {"scene": "str", "side": "str", "datetime": "str", "platform": "str"}
"""Fields of the layer `scenes`."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """The N pixels that belong to any region."""

    region: NDArray[np.int32]
    """(N,) number of the region of each pixel, from 0."""
    rows: NDArray[np.int32]
    columns: NDArray[np.int32]
    percent: NDArray[np.uint8]
    """(N,) probability in percent, 0..100."""
    terrain: NDArray[np.float32] | None
    """(4, N) elevation in metres, slope in degrees, sine and cosine of the aspect; NaN where unknown."""
    scenes: NDArray[np.uint8]
    """(2, N) number of the pre scene and of the post scene, from 1."""
    at_edge: NDArray[np.bool_]
    """(N,) true where the pixel touches ground that was not analysed."""
    gsd_m: float = 10.0


def landslide_attributes(
    pixels: Pixels,
    polygons: Sequence[BaseGeometry],
    crs: str,
    aoi: BaseGeometry,
    times: tuple[Mapping[int, str | None], Mapping[int, str | None]],
    facts: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Measure every region and describe it.

    Length and width are the extents along and across the mean aspect of the region.

    Args:
        pixels: the pixels of the regions.
        polygons: the outlines of the regions, in `crs`.
        crs: authority code of a metric CRS.
        aoi: area of interest in `crs`.
        times: acquisition times (ISO) of the pre scenes and of the post scenes, by scene number; None if unknown.
        facts: fields with the same value for all regions.

    Returns:
        One record per region, with the fields of `LANDSLIDE_FIELDS`.
    """
    count = len(polygons)
    probability = pixels.percent / 100
    confidence = mean(pixels, probability, count)
    spread = np.sqrt(np.maximum(mean(pixels, probability**2, count) - confidence**2, 0))
    highest = _extreme(pixels, probability, count, np.maximum)
    columns: dict[str, Sequence[Any]] = {
        "id": range(1, count + 1),
        "area_m2": _rounded(ellipsoidal_area_m2(polygons, crs), 1),
        **{name: _rounded(values, 1) for name, values in _of_terrain(pixels, count).items()},
        "confidence": _rounded(confidence, 3),
        "confidence_spread": _rounded(spread, 3),
        "probability_max": _rounded(highest, 2),
        "at_edge": (np.bincount(pixels.region[pixels.at_edge], minlength=count) > 0).tolist(),
        "aoi_edge_m": _rounded(shapely.distance(np.array(polygons, dtype=object), aoi.boundary), 0),
    }
    for side, (name, of_scenes) in enumerate(zip(("pre", "post"), times, strict=True)):
        spans = _spans(pixels.region, pixels.scenes[side], of_scenes, count)
        columns[f"{name}_datetime"] = ["/".join(span) or None for span in spans]
        columns[f"{name}_date"] = ["/".join(dict.fromkeys(time[:10] for time in span)) or None for span in spans]
    records = [{name: values[number] for name, values in columns.items()} | dict(facts) for number in range(count)]
    return [{name: record.get(name) for name in LANDSLIDE_FIELDS} for record in records]


def ellipsoidal_area_m2(polygons: Sequence[BaseGeometry | None], crs: str) -> NDArray[np.float64]:
    """Return (N,) areas on the ellipsoid in m², measured in an equal-area projection around the polygons."""
    if not polygons:
        return np.zeros(0)
    outlines = np.array(polygons, dtype=object)
    west, south, east, north = shapely.total_bounds(outlines)
    geodetic = Proj(crs).crs.geodetic_crs
    longitude, latitude = Transformer.from_crs(crs, geodetic, always_xy=True).transform(
        (west + east) / 2, (south + north) / 2
    )
    equal = {"proj": "laea", "lon_0": longitude, "lat_0": latitude, "ellps": "WGS84", "type": "crs"}
    to_equal = Transformer.from_crs(crs, equal, always_xy=True).transform
    return np.asarray(shapely.area(shapely.transform(outlines, to_equal, interleaved=False)))


def mean(pixels: Pixels, values: NDArray[np.floating], count: int) -> NDArray[np.float64]:
    """Return (count,) means of the known (N,) `values` of each region; NaN where a region has no known value."""
    known = np.isfinite(values)
    region = pixels.region[known]
    total = np.bincount(region, weights=values[known], minlength=count)
    number = np.bincount(region, minlength=count)
    of_each: NDArray[np.float64] = np.divide(total, number, out=np.full(count, np.nan), where=number > 0)
    return of_each


def _extreme(pixels: Pixels, values: NDArray[np.floating], count: int, which: np.ufunc) -> NDArray[np.float64]:
    """Return the highest or lowest known value of each region; NaN where a region has no known value."""
    known = np.isfinite(values)
    found = np.full(count, -np.inf if which is np.maximum else np.inf)
    which.at(found, pixels.region[known], values[known])
    return np.where(np.isfinite(found), found, np.nan)


def _of_terrain(pixels: Pixels, count: int) -> dict[str, NDArray[np.float64]]:
    names = ("length_m", "width_m", "drop_m", "slope_mean_deg", "aspect_mean_deg", "elevation_mean_m")
    if pixels.terrain is None:
        return {name: np.full(count, np.nan) for name in names}
    elevation, slope, sine, cosine = pixels.terrain
    east, north = mean(pixels, sine, count), mean(pixels, cosine, count)
    # Flat ground has no downslope direction.
    faces = np.where(np.hypot(east, north) > 1e-3, np.arctan2(east, north), np.nan)
    direction = faces[pixels.region]
    away, right = -pixels.gsd_m * pixels.rows, pixels.gsd_m * pixels.columns
    along = right * np.sin(direction) + away * np.cos(direction)
    across = right * np.cos(direction) - away * np.sin(direction)

    def extent(values: NDArray[np.floating]) -> NDArray[np.float64]:
        return _extreme(pixels, values, count, np.maximum) - _extreme(pixels, values, count, np.minimum)

    found = (
        extent(along) + pixels.gsd_m,
        extent(across) + pixels.gsd_m,
        extent(elevation),
        mean(pixels, slope, count),
        np.degrees(faces) % 360,
        mean(pixels, elevation, count),
    )
    return dict(zip(names, found, strict=True))


def _spans(
    region: NDArray[np.int32], scenes: NDArray[np.uint8], times: Mapping[int, str | None], count: int
) -> list[tuple[str, ...]]:
    """Return first and last scene time of each region: one entry if both are equal, no entry if unknown."""
    found: list[list[str]] = [[] for _ in range(count)]
    for pair in np.unique(region.astype(np.int64) * 256 + scenes).tolist():
        number, scene = divmod(pair, 256)
        if time := times.get(scene):
            found[number].append(time)
    return [tuple(dict.fromkeys((min(of), max(of)))) if of else () for of in found]


def _rounded(values: NDArray[np.floating], digits: int) -> list[float | None]:
    return [round(value, digits) if np.isfinite(value) else None for value in np.asarray(values, float).tolist()]
