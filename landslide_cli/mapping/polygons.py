"""Finds connected regions of a raster and turns them into polygons."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import rasterio.features
import shapely
from numpy.typing import NDArray
from rasterio.transform import Affine
from scipy import ndimage
from shapely import STRtree
from shapely.geometry import LinearRing, Polygon, shape
from shapely.geometry.base import BaseGeometry

_EIGHT = np.ones((3, 3), np.uint8)
AREA_TOLERANCE = 0.02
"""Smoothing changes the area of an outline by at most 2 %."""


@dataclass(frozen=True, slots=True)
class Regions:
    """Connected regions of a grid, numbered from 1, the largest first."""

    labels: NDArray[np.int32]
    """(H, W) number of the region of each pixel; 0 outside all regions."""
    pixels: NDArray[np.int64]
    """(N,) number of pixels in each region."""

    def only(self, kept: NDArray[np.int64]) -> "Regions":
        """Return only the regions `kept` (numbers from 0), renumbered in that order; changes `labels` in place."""
        renumber = np.zeros(self.count + 1, np.int32)
        renumber[kept + 1] = np.arange(1, len(kept) + 1)
        # Row by row to save memory: the labels of a granule take half a gigabyte.
        for row in self.labels:
            row[:] = renumber[row]
        return Regions(self.labels, self.pixels[kept])

    @property
    def count(self) -> int:
        """Number of regions."""
        return len(self.pixels)

    def members(self) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
        """Return row, column and region (from 0) of every pixel inside a region, in row order."""
        at = np.flatnonzero(self.labels)
        rows, columns = np.divmod(at, self.labels.shape[1])
        return rows.astype(np.int32), columns.astype(np.int32), self.labels.ravel()[at] - 1


def find_regions(
    mask: NDArray[np.bool_], min_pixels: float = 1, *, seeds: NDArray[np.bool_] | None = None, merge_px: float = 0
) -> Regions:
    """Number the connected regions of `mask` that have at least `min_pixels`.

    Pixels that touch at a corner are connected, so that a narrow diagonal scar is one landslide.

    Args:
        mask: (H, W), true inside regions.
        min_pixels: smaller regions are dropped.
        seeds: (H, W); regions without any seed pixel are dropped.
        merge_px: regions are merged if the gap between them is at most about this many pixels.

    Returns:
        The regions, numbered from 1, the largest first.
    """
    labels = np.empty(mask.shape, np.int32)
    joined = ndimage.binary_dilation(mask, _disc(merge_px / 2)) if merge_px > 0 else mask
    count = ndimage.label(joined, structure=_EIGHT, output=labels)
    if merge_px > 0:
        labels[~mask] = 0
    # Count only the pixels inside regions: bincount copies its input, and a granule has 120 million pixels.
    sizes = np.bincount(labels[mask], minlength=count + 1)
    if seeds is not None:
        sizes[np.bincount(labels[mask & seeds], minlength=count + 1) == 0] = 0
    kept = np.flatnonzero(sizes >= max(min_pixels, 1))
    kept = kept[np.argsort(-sizes[kept], kind="stable")]
    renumber = np.zeros(len(sizes), np.int32)
    renumber[kept] = np.arange(1, len(kept) + 1)
    labels[mask] = renumber[labels[mask]]
    return Regions(labels, sizes[kept].astype(np.int64))


def outlines(regions: Regions, transform: Affine, simplify_m: float = 0) -> list[BaseGeometry]:
    """Trace the outline of each region.

    Args:
        regions: regions from `find_regions`.
        transform: transform of their grid.
        simplify_m: distance by which an outline can move, in the units of `transform`; 0 keeps the pixel edges.

    Returns:
        One valid polygon or multipolygon per region, holes kept.
    """
    parts: list[list[BaseGeometry]] = [[] for _ in range(regions.count)]
    for label, outline in _traced(regions.labels, regions.labels > 0, transform):
        parts[label - 1].append(outline)
    valid = np.empty(regions.count, dtype=object)
    valid[:] = [found[0] if len(found) == 1 else shapely.union_all(found) for found in parts]
    if simplify_m > 0:
        simple = _only_polygons(shapely.make_valid(shapely.simplify(valid, simplify_m), method="structure"))
        # A region thinner than the tolerance would vanish: keep its original outline.
        valid = np.where(shapely.area(simple) > 0, simple, valid)
    return list(valid)


def smoothed(outlines: Sequence[BaseGeometry]) -> list[BaseGeometry]:
    """Return outlines with rounded corners; an outline whose area would change by more than 2 % stays as it is."""
    return [_smoothed(outline) for outline in outlines]


def _smoothed(outline: BaseGeometry) -> BaseGeometry:
    polygons = [part for part in shapely.get_parts(outline) if part.geom_type == "Polygon"]
    rounded: BaseGeometry = shapely.make_valid(
        shapely.union_all([Polygon(_rounded(p.exterior), [_rounded(r) for r in p.interiors]) for p in polygons]),
        method="structure",
    )
    for _ in range(4):
        # Give back along the whole outline what the corners lost.
        rounded = rounded.buffer((outline.area - rounded.area) / max(rounded.length, 1e-9), join_style="mitre")
    (rounded,) = _only_polygons(np.array([rounded, None], dtype=object)[:1])
    kept = outline.area * (1 - AREA_TOLERANCE) <= rounded.area <= outline.area * (1 + AREA_TOLERANCE)
    return rounded if kept and rounded.is_valid and not rounded.is_empty else outline


def _rounded(ring: LinearRing) -> NDArray[np.float64]:
    """Cut each corner at a quarter of its sides, and do so twice (Chaikin 1974)."""
    points: NDArray[np.float64] = shapely.get_coordinates(ring)[:-1]
    for _ in range(2):
        following = np.roll(points, -1, axis=0)
        points = np.stack([0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following], axis=1).reshape(-1, 2)
    return points


def clipped(
    outlines: Sequence[BaseGeometry], area: BaseGeometry | None, hidden: Sequence[BaseGeometry]
) -> list[BaseGeometry]:
    """Cut off what lies outside `area` or inside `hidden`; an outline with nothing left becomes empty."""
    found = np.empty(len(outlines), dtype=object)
    found[:] = outlines
    if area is not None:
        shapely.prepare(area)
        across = ~shapely.covers(area, found)
        found[across] = shapely.intersection(found[across], area)
    if len(hidden):
        for number, near in _by_first(*STRtree(hidden).query(found, predicate="intersects")):
            west, south, east, north = found[number].buffer(1).bounds
            # Clip first: a cloud can cover half the scene.
            parts = [shapely.make_valid(shapely.clip_by_rect(hidden[n], west, south, east, north)) for n in near]
            found[number] = found[number] - shapely.union_all(parts)
    return list(_only_polygons(found))


def _by_first(first: NDArray[np.int64], second: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield each value of `first` with all values of `second` paired with it."""
    order = np.argsort(first, kind="stable")
    numbers, starts = np.unique(first[order], return_index=True)
    yield from zip(numbers.tolist(), np.split(second[order], starts[1:]), strict=False)


def _disc(radius: float) -> NDArray[np.bool_]:
    reach = math.ceil(radius)
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return np.asarray(rows**2 + columns**2 <= radius**2 + 1e-9) if radius >= 1 else np.ones((3, 3), bool)


def areas(codes: NDArray[np.uint8], mask: NDArray[np.bool_], transform: Affine) -> list[tuple[int, BaseGeometry]]:
    """Trace the connected areas of each code within `mask`.

    Args:
        codes: (H, W) codes.
        mask: (H, W), true where the code counts.
        transform: transform of their grid.

    Returns:
        Code and outline of each area, sorted by code, the largest area first.
    """
    return sorted(_traced(codes, mask, transform), key=lambda found: (found[0], -found[1].area))


def _traced(
    values: NDArray[np.generic], mask: NDArray[np.bool_], transform: Affine
) -> Iterator[tuple[int, BaseGeometry]]:
    """Yield value and outline (a valid polygon or multipolygon) of each connected area of equal value."""
    traced = rasterio.features.shapes(values, mask=mask, connectivity=8, transform=transform)
    found = [(shape(geometry), int(value)) for geometry, value in traced]
    rings = np.array([outline for outline, _ in found], dtype=object)
    # The traced ring touches itself where two pixels touch at a corner.
    valid = _only_polygons(shapely.make_valid(rings, method="structure", keep_collapsed=False))
    yield from zip((value for _, value in found), valid, strict=True)


def _only_polygons(geometries: NDArray[np.object_]) -> NDArray[np.object_]:
    polygonal = [
        g
        if g.geom_type in ("Polygon", "MultiPolygon")
        else shapely.union_all([p for p in shapely.get_parts(g) if p.geom_type in ("Polygon", "MultiPolygon")])
        for g in geometries
    ]
    out = np.empty(len(polygonal), dtype=object)
    out[:] = polygonal
    return out
