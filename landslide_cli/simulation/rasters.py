"""Cloud-optimized GeoTIFFs."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.warp import Resampling

from landslide_cli.errors import OutputError


def write_cog(
    path: Path,
    array: npt.NDArray[np.generic],
    grid: GeoBox,
    *,
    nodata: int | None,
    resampling: Resampling = Resampling.average,
) -> None:
    """Write (h, w) as one deflated band; `resampling` makes the overviews."""
    if array.shape != tuple(grid.shape):
        raise ValueError(f"array {array.shape} does not fit the grid {tuple(grid.shape)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with rasterio.open(
            path,
            "w",
            driver="COG",
            height=grid.shape[0],
            width=grid.shape[1],
            count=1,
            dtype=array.dtype.name,
            crs=str(grid.crs),
            transform=grid.transform,
            nodata=nodata,
            compress="DEFLATE",
            level=1,  # the files are read once or twice: time counts more than size
            predictor="YES",
            blocksize=512,
            overview_resampling=resampling.name.upper(),
        ) as file:
            file.write(array, 1)
    except (OSError, rasterio.errors.RasterioError) as error:
        raise OutputError(f"{path} cannot be written: {error}. Check space and permissions.") from error
