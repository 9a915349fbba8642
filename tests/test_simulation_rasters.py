from pathlib import Path

import numpy as np
import pytest
import rasterio
from odc.geo.geobox import GeoBox

from landslide_cli.errors import OutputError
from landslide_cli.simulation.rasters import write_cog

GRID = GeoBox.from_bbox((600_000, 1_990_000, 608_000, 1_998_000), "EPSG:32618", resolution=10)


def test_large_images_have_overviews(tmp_path: Path) -> None:
    data = np.arange(640_000, dtype=np.uint32).reshape(800, 800).astype(np.uint16)
    write_cog(tmp_path / "folder" / "a.tif", data, GRID, nodata=0)
    with rasterio.open(tmp_path / "folder" / "a.tif") as file:
        assert file.overviews(1) == [2]
        assert file.nodata == 0
        assert file.transform == GRID.transform
        assert np.array_equal(file.read(1), data)


def test_a_wrong_shape_is_an_error_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        write_cog(tmp_path / "a.tif", np.ones((10, 10), np.uint8), GRID, nodata=0)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_cog(tmp_path / "file" / "a.tif", np.ones(GRID.shape, np.uint8), GRID, nodata=0)
