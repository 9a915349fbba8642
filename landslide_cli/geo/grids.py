"""Defines the grid of an event, its blocks, and the pixels inside an area."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import rasterio.features
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from landslide_cli.geo.aoi import AOI
from landslide_cli.geo.bands import GSD_M

BLOCK_PX: Final = 2048
"""Size of the blocks in which an event is read: at most 12 bands x 8 MiB are in memory at once."""


def event_grid(aoi: AOI) -> GeoBox:
    """Return the grid of an event around the AOI: UTM, 10 m, aligned with the Sentinel-2 granules."""
    bounds = Geometry(aoi.geometry, "EPSG:4326").to_crs(aoi.utm, resolution=0.01).boundingbox
    return GeoBox.from_bbox(bounds, crs=aoi.utm, resolution=GSD_M)


def inside(area: BaseGeometry, geobox: GeoBox) -> NDArray[np.bool_]:
    """Burn `area` (EPSG:4326) onto a grid; return (H, W) bool, true in every pixel that it touches."""
    projected = Geometry(area, "EPSG:4326").to_crs(str(geobox.crs), resolution=0.01).geom
    touched: NDArray[np.bool_] = rasterio.features.geometry_mask(
        [projected], out_shape=geobox.shape, transform=geobox.transform, all_touched=True, invert=True
    )
    return touched


def blocks(geobox: GeoBox) -> Iterator[tuple[Window, GeoBox]]:
    """Yield the blocks of a grid, at most `BLOCK_PX` wide and high, row by row."""
    height, width = geobox.shape
    for row in range(0, height, BLOCK_PX):
        for column in range(0, width, BLOCK_PX):
            rows, columns = min(BLOCK_PX, height - row), min(BLOCK_PX, width - column)
            yield Window(column, row, columns, rows), geobox[row : row + rows, column : column + columns]
