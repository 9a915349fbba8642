"""Connected regions of a raster, as polygons."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import rasterio.features
import shapely
from numpy.typing import NDArray
from rasterio.transform import Affine
from scipy import ndimage
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

_EIGHT = np.ones((3, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class Regions:
    """Connected regions of a grid, numbered from 1, the largest first."""

    labels: NDArray[np.int32]
    """(H, W), 0 outside of all regions."""
    pixels: NDArray[np.int64]
    """Number of pixels of each region."""

    @property
    def count(self) -> int:
        """How many regions there are."""
        return len(self.pixels)

    def members(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
        """Return row, column and region, from 0, of every pixel that is in one; in order of rows."""
        rows, columns = np.nonzero(self.labels)
        return rows, columns, self.labels[rows, columns] - 1


def find_regions(mask: NDArray[np.bool_], min_pixels: float = 1) -> Regions:
    """Number the connected regions of `mask` that have at least `min_pixels`.

    Pixels that touch at a corner are connected: a narrow scar that runs diagonally is one landslide.

    Args:
        mask: (H, W).
        min_pixels: smaller regions are dropped.
    """
    labels = np.empty(mask.shape, np.int32)
    count = ndimage.label(mask, structure=_EIGHT, output=labels)
    # Over the pixels of regions alone: counting copies what it counts, and a granule has 120 million.
    sizes = np.bincount(labels[mask], minlength=count + 1)
    kept = np.flatnonzero(sizes >= max(min_pixels, 1))
    kept = kept[np.argsort(-sizes[kept], kind="stable")]
    renumber = np.zeros(len(sizes), np.int32)
    renumber[kept] = np.arange(1, len(kept) + 1)
    labels[mask] = renumber[labels[mask]]
    return Regions(labels, sizes[kept].astype(np.int64))


def outlines(regions: Regions, transform: Affine, simplify_m: float = 0) -> list[BaseGeometry]:
    """Return the outline of each region: valid polygons or multipolygons, holes kept.

    Args:
        regions: what `find_regions` found.
        transform: of their grid.
        simplify_m: how far an outline may move, in the units of `transform`; 0 keeps the pixels' edges.
    """
    valid = np.empty(regions.count, dtype=object)
    for label, outline in _traced(regions.labels, regions.labels > 0, transform):
        valid[label - 1] = outline
    if simplify_m > 0:
        simple = _only_polygons(shapely.make_valid(shapely.simplify(valid, simplify_m), method="structure"))
        # A region thinner than the tolerance would vanish; its own outline is better than none.
        valid = np.where(shapely.area(simple) > 0, simple, valid)
    return list(valid)


def areas(codes: NDArray[np.uint8], mask: NDArray[np.bool_], transform: Affine) -> list[tuple[int, BaseGeometry]]:
    """Return the connected areas of each code within `mask` and their outlines, by code, the largest first.

    Args:
        codes: (H, W).
        mask: (H, W), true where the code counts.
        transform: of their grid.
    """
    return sorted(_traced(codes, mask, transform), key=lambda found: (found[0], -found[1].area))


def _traced(
    values: NDArray[np.generic], mask: NDArray[np.bool_], transform: Affine
) -> Iterator[tuple[int, BaseGeometry]]:
    """Yield the value and the outline of each connected area of one value, valid polygons or multipolygons."""
    traced = list(rasterio.features.shapes(values, mask=mask, connectivity=8, transform=transform))
    rings = np.array([shape(geometry) for geometry, _ in traced], dtype=object)
    # Where two pixels touch at a corner, the traced ring touches itself.
    valid = _only_polygons(shapely.make_valid(rings, method="structure", keep_collapsed=False))
    yield from zip((int(value) for _, value in traced), valid, strict=True)


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
