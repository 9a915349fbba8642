from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from landslide_cli.geo.rasters import create
from landslide_cli.inference.reader import _Raster

SIZE = (1500, 40)


@pytest.fixture
def raster(tmp_path: Path) -> Path:
    path = tmp_path / "image.tif"
    grid = GeoBox(SIZE, Affine(10, 0, 0, 0, -10, 0), "EPSG:32618")
    image = np.random.default_rng(1).integers(0, 1000, (3, *SIZE), dtype=np.uint16)
    with create(path, grid, dtype="uint16", nodata=0, names=("a", "b", "c")) as writer:
        writer.write(image, 0)
    return path


@pytest.mark.parametrize("channels", [(1, 2, 3), (3, None, 1), (None, 2)])
def test_rows_are_those_of_the_raster_in_whatever_order_they_are_read(
    raster: Path, channels: tuple[int | None, ...]
) -> None:
    with rasterio.open(raster) as source:
        image = source.read()
    wanted = np.stack([np.zeros(SIZE, np.uint16) if band is None else image[band - 1] for band in channels])
    rows = _Raster(raster, channels)
    steps = [(top, min(256, 1500 - top)) for top in range(0, 1400, 192)]
    for top, count in [*steps, (700, 256), (0, 10), (1499, 1), (20, 700), (0, 1500), (512, 512)]:
        assert np.array_equal(rows.read(top, count), wanted[:, top : top + count])
    rows.dataset.close()


@pytest.mark.parametrize("channels", [(1, 2, 3), (3, None, 1)])
def test_parts_are_those_of_the_raster_and_leave_what_is_held(raster: Path, channels: tuple[int | None, ...]) -> None:
    with rasterio.open(raster) as source:
        image = source.read()
    wanted = np.stack([np.zeros(SIZE, np.uint16) if band is None else image[band - 1] for band in channels])
    rows = _Raster(raster, channels)
    held = rows.read(100, 256).copy()
    assert np.array_equal(rows.part(Window(7, 900, 20, 300)), wanted[:, 900:1200, 7:27])
    thinned = rows.part(Window(0, 0, SIZE[1], SIZE[0]), 16)
    assert thinned.shape == (3, 94, 3)
    # Overviews are made of the nearest pixels here: each is one of those that it stands for, or of its neighbours.
    assert np.isin(thinned, wanted).all()
    assert np.array_equal(rows.read(100, 256), held)
    rows.dataset.close()
