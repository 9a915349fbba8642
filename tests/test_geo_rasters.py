from pathlib import Path

import numpy as np
import pytest
import rasterio
from conftest import CRS
from odc.geo.geobox import GeoBox
from rio_cogeo.cogeo import cog_validate

from landslide_cli.errors import OutputError
from landslide_cli.geo.rasters import create, write_cog


def test_blocks_in_any_order_become_a_valid_cog(tmp_path: Path) -> None:
    geobox = GeoBox.from_bbox((500_000, 2_000_000, 511_000, 2_013_000), crs=CRS, resolution=10)
    height, width = geobox.shape
    data = np.random.default_rng(0).integers(1, 9000, (2, height, width), dtype=np.uint16)
    path = tmp_path / "a.tif"
    with create(path, geobox, dtype="uint16", nodata=0, names=("B04", "B08"), overviews="average") as writer:
        for row in reversed(range(0, height, 500)):
            writer.write(data[:, row : row + 500], row)
    valid, errors, warnings = cog_validate(path, quiet=True, strict=True)
    assert (valid, errors, warnings) == (True, [], [])
    with rasterio.open(path) as source:
        assert np.array_equal(source.read(), data)
        assert source.descriptions == ("B04", "B08")
        assert GeoBox.from_rio(source) == geobox
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    geobox = GeoBox.from_bbox((0, 0, 1000, 1000), crs=CRS, resolution=10)
    with (
        pytest.raises(ZeroDivisionError),
        create(tmp_path / "a.tif", geobox, dtype="uint8", nodata=None, names=("a",)) as writer,
    ):
        writer.write(np.zeros((100, 100), np.uint8), 0)
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


ONE = GeoBox.from_bbox((600_000, 1_990_000, 608_000, 1_998_000), "EPSG:32618", resolution=10)


def test_large_images_have_overviews(tmp_path: Path) -> None:
    data = np.arange(640_000, dtype=np.uint32).reshape(800, 800).astype(np.uint16)
    write_cog(tmp_path / "folder" / "a.tif", data, ONE, nodata=0)
    with rasterio.open(tmp_path / "folder" / "a.tif") as file:
        assert file.overviews(1) == [2]
        assert file.nodata == 0
        assert file.transform == ONE.transform
        assert np.array_equal(file.read(1), data)


def test_a_wrong_shape_is_an_error_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        write_cog(tmp_path / "a.tif", np.ones((10, 10), np.uint8), ONE, nodata=0)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_cog(tmp_path / "file" / "a.tif", np.ones(ONE.shape, np.uint8), ONE, nodata=0)
