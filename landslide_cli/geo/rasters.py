"""Write cloud-optimised GeoTIFFs (COG), and open rasters that the user gives."""

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
"""Side of the tiles of a COG, in pixels."""


class CogWriter:
    """Writes blocks of one raster in any order; see `create`."""

    def __init__(self, dataset: rasterio.io.DatasetWriter, path: Path) -> None:
        """Write into `dataset`, which is later copied to `path`."""
        self._dataset = dataset
        self._path = path

    def write(self, data: NDArray[np.generic], row: int, column: int = 0) -> None:
        """Write a (C, H, W) or (H, W) block; its upper left pixel lies at `row`, `column`."""
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
    names: tuple[str | None, ...],
    overviews: str = "nearest",
) -> Iterator[CogWriter]:
    """Open a COG for writing; it appears under `path` when the block ends without an error.

    Args:
        path: the file; its folder is made if it is missing.
        geobox: its grid.
        dtype: its data type.
        nodata: its nodata value, if any.
        names: the description of each channel; None for a channel without description.
        overviews: how overviews are resampled: `nearest` for codes, `average` for quantities; `none` for no overviews.

    Yields:
        The writer of the blocks.

    Raises:
        OutputError: the disk is full or cannot be written.
    """
    height, width = geobox.shape
    plain = path.with_name(f".blocks-{path.name}")
    size_bytes = height * width * len(names) * np.dtype(dtype).itemsize
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    require_free(path.parent, size_bytes // 4)
    profile = {
        "driver": "GTiff", "height": height, "width": width, "count": len(names), "dtype": dtype,
        "crs": str(geobox.crs), "transform": geobox.transform, "nodata": nodata,
        "tiled": True, "blockxsize": BLOCK_PX, "blockysize": BLOCK_PX,
        # Fast compression is enough, because this file is deleted once it is copied.
        "compress": "zstd", "zstd_level": 1, "num_threads": "all_cpus", "bigtiff": "if_safer",
    }  # fmt: skip
    try:
        with writing(path):
            with rasterio.open(plain, "w", **profile) as dataset:
                for channel, name in enumerate(names, 1):
                    if name is not None:
                        dataset.set_band_description(channel, name)
                yield CogWriter(dataset, path)
            with atomic(path) as temporary:
                levels = {"overviews": "none"} if overviews == "none" else {"overview_resampling": overviews}
                # Higher levels take longer and make Sentinel-2 bands no smaller. zstd would be faster, but only
                # programs with GDAL read it.
                rasterio.shutil.copy(
                    plain, temporary, driver="COG", blocksize=BLOCK_PX, compress="deflate", level=1,
                    predictor="yes", num_threads="all_cpus", bigtiff="if_safer", **levels,
                )  # fmt: skip
    finally:
        plain.unlink(missing_ok=True)


def write_cog(
    path: Path, array: NDArray[np.generic], geobox: GeoBox, *, nodata: float | None, overviews: str = "average"
) -> None:
    """Write a COG with one channel in one call.

    Args:
        path: the file; its folder is made if it is missing.
        array: (H, W) of any number type.
        geobox: its grid.
        nodata: its nodata value, if any.
        overviews: how overviews are resampled, see `create`.

    Raises:
        ValueError: the array does not fit the grid.
        OutputError: the disk is full or cannot be written.
    """
    if array.shape != tuple(geobox.shape):
        raise ValueError(f"array {array.shape} does not fit the grid {tuple(geobox.shape)}")
    with create(path, geobox, dtype=array.dtype.name, nodata=nodata, names=(None,), overviews=overviews) as writer:
        writer.write(array, 0)


@contextmanager
def opened(path: Path, option: str) -> Iterator[rasterio.DatasetReader]:
    """Open a raster that must have a CRS and at least one channel.

    Args:
        path: the raster.
        option: the option that gave it, for messages.

    Yields:
        The open raster.

    Raises:
        InputError: the raster cannot be read, also inside of the block, or has no CRS.
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
            f"{option} {path} cannot be read: it is not a raster, or is cut short ({str(error)[:200]}); check the file"
        ) from error
