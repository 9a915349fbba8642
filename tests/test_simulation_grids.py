import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.warp import Resampling, reproject

from landslide_cli.errors import InputError
from landslide_cli.simulation.grids import block_mean, make_layout, mgrs_tile, to_grid, upsample


def code(grid: GeoBox) -> int | None:
    """Return the EPSG code of a grid."""
    assert grid.crs is not None
    return grid.crs.to_epsg()


def test_two_granules_in_two_zones_cover_the_area() -> None:
    layout = make_layout((-72.0, 18.5), (200, 300))
    zones = [code(granule.grid) for granule in layout.granules]
    assert zones == [32618, 32619]
    covered = np.zeros((2, *layout.aoi.shape), dtype=bool)
    for index, granule in enumerate(layout.granules):
        assert granule.grid.transform.c % 60 == granule.grid.transform.f % 60 == 0
        valid = upsample(granule.valid, 6).astype(np.uint8)
        assert 0 < valid.mean() < 1
        out = np.zeros(layout.aoi.shape, dtype=np.uint8)
        reproject(
            valid, out, src_transform=granule.grid.transform, src_crs=granule.grid.crs,
            dst_transform=layout.aoi.transform, dst_crs=layout.aoi.crs, resampling=Resampling.nearest,
        )  # fmt: skip
        covered[index] = out == 1
    assert covered.any(axis=0).all()
    assert 0.05 < covered.all(axis=0).mean() < 0.5


def test_southern_hemisphere() -> None:
    layout = make_layout((36.0, -15.0), (120, 120))
    assert [code(granule.grid) for granule in layout.granules] == [32736, 32737]
    assert [granule.tile[:3] for granule in layout.granules] == ["36L", "37L"]


@pytest.mark.parametrize("centre", [(-71.0, 18.5), (180.0, 0.0), (0.0, 80.0)])
def test_a_centre_off_the_zone_boundary_is_refused(centre: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="multiple of 6"):
        make_layout(centre, (100, 100))


def test_a_tiny_area_is_refused() -> None:
    with pytest.raises(InputError, match="at least 60 x 60"):
        make_layout((-72.0, 18.5), (30, 100))


@pytest.mark.parametrize(
    ("epsg", "x", "y", "tile"),
    [(32632, 654_900, 5_345_000, "32UPU"), (32618, 754_980, 2_045_000, "18QYF"), (32719, 354_900, 6_300_000, "19HCC")],
)  # fmt: skip
def test_mgrs_tiles(epsg: int, x: float, y: float, tile: str) -> None:
    assert mgrs_tile(GeoBox((2, 2), Affine(10, 0, x, 0, -10, y), f"EPSG:{epsg}")) == tile


def test_same_zone_is_cut_and_not_resampled() -> None:
    world = GeoBox((60, 60), Affine(10, 0, 600_000, 0, -10, 2_000_040), "EPSG:32618")
    data = np.random.default_rng(0).random((2, 60, 60), dtype=np.float32)
    part = to_grid(data, world, world[6:30, 12:48], Resampling.cubic)
    assert np.array_equal(part, data[:, 6:30, 12:48])


def test_block_mean() -> None:
    data = np.arange(16, dtype=np.float32).reshape(1, 4, 4)
    assert block_mean(data, 2).tolist() == [[[2.5, 4.5], [10.5, 12.5]]]
    assert block_mean(data, 1) is data
