"""From one grid to another, the same wherever the grids are cut."""

from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.io import MemoryFile
from rasterio.vrt import WarpedVRT

Number = TypeVar("Number", bound=np.generic)

FIXED_KERNEL: Final[dict[str, Any]] = {"XSCALE": 1, "YSCALE": 1}
"""GDAL otherwise widens its kernel by the ratio of the two windows, so that each cut gives other pixels."""

TOLERANCE_PX: Final = 1e-6
"""GDAL otherwise interpolates the transformation to an eighth of a pixel, between nodes that move with the cut."""


def resample(
    stack: NDArray[Number],
    source: GeoBox,
    target: GeoBox,
    nodata: float,
    method: Resampling = Resampling.bilinear,
) -> NDArray[Number]:
    """Resample a (C, H, W) stack from `source` onto `target`.

    Args:
        stack: any number type.
        source: its grid.
        target: the grid wanted, not much coarser than `source`.
        nodata: marks the unknown in both; it does not spread into what is known.
        method: how values between pixels are made.
    """
    if source == target:
        return stack
    count, height, width = stack.shape
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": stack.dtype}
    rows, columns = target.shape
    with MemoryFile() as memory:
        with memory.open(**profile, crs=str(source.crs), transform=source.transform, nodata=nodata) as plain:
            plain.write(stack)
        with (
            memory.open() as plain,
            WarpedVRT(
                plain, crs=str(target.crs), transform=target.transform, height=rows, width=columns,
                src_nodata=nodata, nodata=nodata, resampling=method, tolerance=TOLERANCE_PX, NUM_THREADS="ALL_CPUS",
                **FIXED_KERNEL,
            ) as warped,
        ):  # fmt: skip
            resampled: NDArray[Number] = warped.read()
    return resampled
