"""What is said of each landslide."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from landslide_cli.mapping.polygons import Regions

LANDSLIDE_FIELDS = {
    "id": "int", "area_m2": "float", "confidence": "float", "probability_max": "float",
    "slope_mean_deg": "float", "elevation_mean_m": "float",
    "pre_date": "str", "post_date": "str", "event_date": "str", "model": "str",
}  # fmt: skip
"""Fields of the layer `landslides`, in order, with their types."""

NOT_ANALYSED_FIELDS = {"id": "int", "area_m2": "float", "reason": "str"}
"""Fields of the layer `not_analysed`."""


def landslide_attributes(
    regions: Regions,
    polygons: Sequence[BaseGeometry],
    probability_percent: NDArray[np.uint8],
    terrain: NDArray[np.float32] | None,
    facts: dict[str, Any],
) -> list[dict[str, Any]]:
    """Return one record per region, with the fields of `LANDSLIDE_FIELDS`.

    Args:
        regions: the regions.
        polygons: their outlines, in a metric CRS.
        probability_percent: (H, W) on the regions' grid.
        terrain: (2, H, W) elevation in metres and slope in degrees, NaN where unknown; None without terrain.
        facts: what is the same for all: dates and model.
    """
    mean, highest = region_mean(regions, probability_percent), _region_max(regions, probability_percent)
    nothing = np.full(regions.count, np.nan)
    elevation = nothing if terrain is None else region_mean(regions, terrain[0])
    slope = nothing if terrain is None else region_mean(regions, terrain[1])
    return [
        {
            "id": number + 1,
            "area_m2": round(polygon.area, 1),
            "confidence": round(mean[number] / 100, 3),
            "probability_max": round(float(highest[number]) / 100, 2),
            "slope_mean_deg": _rounded(slope[number]),
            "elevation_mean_m": _rounded(elevation[number]),
            **facts,
        }
        for number, polygon in enumerate(polygons)
    ]


def region_mean(regions: Regions, values: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return the mean of (H, W) `values` in each region, over the pixels where they are known; NaN if none."""
    inside = (regions.labels > 0) & np.isfinite(values.astype(np.float32))
    labels = regions.labels[inside]
    total = np.bincount(labels, weights=values[inside], minlength=regions.count + 1)[1:]
    count = np.bincount(labels, minlength=regions.count + 1)[1:]
    mean: NDArray[np.float64] = np.divide(total, count, out=np.full(regions.count, np.nan), where=count > 0)
    return mean


def _region_max(regions: Regions, values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    highest = np.zeros(regions.count + 1, np.uint8)
    inside = regions.labels > 0
    np.maximum.at(highest, regions.labels[inside], values[inside])
    return highest[1:]


def _rounded(value: float) -> float | None:
    return round(float(value), 1) if np.isfinite(value) else None
