"""Cloud-optimised GeoTIFFs, written block by block and put in place whole."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.errors import RasterioError
from rasterio.windows import Window

from landslide_cli.errors import InputError
from landslide_cli.files import atomic, require_free, writing

BLOCK_PX = 512


class CogWriter:
    """Takes blocks of one raster in any order; see `create`."""

    def __init__(self, dataset: rasterio.io.DatasetWriter, path: Path) -> None:
        """Write into `dataset`, which becomes `path`."""
        self._dataset = dataset
        self._path = path

    def write(self, data: NDArray[np.generic], row: int, column: int = 0) -> None:
        """Write a (C, H, W) or (H, W) block whose upper left pixel is `row`, `column`."""
        data = data if data.ndim == 3 else data[None]
        with writing(self._path):
            self._dataset.write(data, window=Window(column, row, data.shape[2], data.shape[1]))


@contextmanager
def create(
    path: Path,
    geobox: GeoBox,
    *,
    dtype: str,
    nodata: float | None,
    names: tuple[str, ...],
    overviews: str = "nearest",
) -> Iterator[CogWriter]:
    """Open a COG for writing; it appears under `path` when the block ends without an error.

    Args:
        path: the file.
        geobox: its grid.
        dtype: its data type.
        nodata: its nodata value, if any.
        names: the description of each channel.
        overviews: how overviews are resampled: `nearest` for codes, `average` for quantities; `none` makes none.

    Raises:
        OutputError: the disk is full or cannot be written.
    """
    height, width = geobox.shape
    plain = path.with_name(f".blocks-{path.name}")
    size_bytes = height * width * len(names) * np.dtype(dtype).itemsize
    require_free(path.parent, size_bytes // 4)
    profile = {
        "driver": "GTiff", "height": height, "width": width, "count": len(names), "dtype": dtype,
        "crs": str(geobox.crs), "transform": geobox.transform, "nodata": nodata,
        "tiled": True, "blockxsize": BLOCK_PX, "blockysize": BLOCK_PX,
        # Fast and small enough: this file lives only until it is copied.
        "compress": "zstd", "zstd_level": 1, "num_threads": "all_cpus", "bigtiff": "if_safer",
    }  # fmt: skip
    try:
        with writing(path):
            with rasterio.open(plain, "w", **profile) as dataset:
                dataset.descriptions = names
                yield CogWriter(dataset, path)
            with atomic(path) as temporary:
                levels = {"overviews": "none"} if overviews == "none" else {"overview_resampling": overviews}
                # Sentinel-2 bands become no smaller above the first level, and take longer. Not zstd, which would be
                # faster still: other programs than GDAL's do not read it.
                rasterio.shutil.copy(
                    plain, temporary, driver="COG", blocksize=BLOCK_PX, compress="deflate", level=1,
                    predictor="yes", num_threads="all_cpus", bigtiff="if_safer", **levels,
                )  # fmt: skip
    finally:
        plain.unlink(missing_ok=True)


@contextmanager
def opened(path: Path, option: str) -> Iterator[rasterio.DatasetReader]:
    """Open a raster that must have a CRS and at least one channel.

    Raises:
        InputError: it cannot be read, or has no CRS; also if reading inside the block fails.
    """
    try:
        with rasterio.open(path) as source:
            if source.crs is None:
                raise InputError(
                    f"{option} {path} has no coordinate reference system; "
                    "assign one, such as with `gdal_edit.py -a_srs EPSG:32618 FILE`"
                )
            yield source
    except RasterioError as error:
        raise InputError(
            f"{option} {path} cannot be read: it is no raster, or it is truncated ({str(error)[:200]}); check the file"
        ) from error
