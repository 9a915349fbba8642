import numpy as np
import pytest
import shapely
from rasterio.features import rasterize
from rasterio.transform import from_origin

from landslide_cli.mapping.polygons import find_regions, outlines

TRANSFORM = from_origin(500_000, 2_000_000, 10, 10)


def random_mask(seed: int = 0, share: float = 0.45) -> np.ndarray:
    return np.random.default_rng(seed).random((120, 150)) < share


def test_regions_are_numbered_from_the_largest_and_small_ones_dropped() -> None:
    mask = np.zeros((20, 20), bool)
    mask[0, 0] = mask[2:4, 2:4] = mask[10:15, 10:15] = True
    regions = find_regions(mask, min_pixels=4)
    assert regions.pixels.tolist() == [25, 4]
    assert regions.labels[12, 12] == 1
    assert regions.labels[2, 2] == 2
    assert regions.labels[0, 0] == 0


def test_pixels_that_touch_at_a_corner_are_one_region() -> None:
    regions = find_regions(np.eye(5, dtype=bool))
    (outline,) = outlines(regions, TRANSFORM)
    assert regions.count == 1
    assert outline.is_valid
    assert outline.area == 500


@pytest.mark.parametrize("share", [0.2, 0.45, 0.7])
def test_outlines_are_valid_and_cover_exactly_their_pixels(share: float) -> None:
    mask = random_mask(share=share)
    regions = find_regions(mask)
    polygons = outlines(regions, TRANSFORM)
    assert all(polygon.is_valid for polygon in polygons)
    assert [polygon.area for polygon in polygons] == pytest.approx((regions.pixels * 100).tolist())
    burned = rasterize(((p, n) for n, p in enumerate(polygons, 1)), out_shape=mask.shape, transform=TRANSFORM)
    assert np.array_equal(burned, regions.labels)


def test_holes_are_kept() -> None:
    mask = np.ones((9, 9), bool)
    mask[4, 4] = False
    (outline,) = outlines(find_regions(mask), TRANSFORM)
    assert len(outline.interiors) == 1
    assert outline.area == 8000


@pytest.mark.parametrize("tolerance_m", [5.0, 10.0, 50.0])
def test_simplified_outlines_stay_valid_and_none_vanishes(tolerance_m: float) -> None:
    regions = find_regions(random_mask(2))
    polygons = outlines(regions, TRANSFORM, tolerance_m)
    assert len(polygons) == regions.count
    assert all(p.is_valid and p.area > 0 and p.geom_type in ("Polygon", "MultiPolygon") for p in polygons)
    exact = outlines(regions, TRANSFORM)
    assert shapely.get_num_coordinates(polygons).sum() < shapely.get_num_coordinates(exact).sum()


def test_nothing_gives_nothing() -> None:
    regions = find_regions(np.zeros((5, 5), bool))
    assert regions.count == 0
    assert outlines(regions, TRANSFORM) == []
