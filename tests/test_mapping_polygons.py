import numpy as np
import pytest
import shapely
from rasterio.features import rasterize
from rasterio.transform import from_origin
from scipy import ndimage

from landslide_cli.mapping.polygons import areas, find_regions, outlines, smoothed

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


def test_a_region_needs_a_seed() -> None:
    mask = np.zeros((20, 40), bool)
    mask[2:10, 2:10] = mask[2:10, 20:30] = True
    seeds = np.zeros_like(mask)
    seeds[5, 25] = seeds[15, 15] = True
    regions = find_regions(mask, seeds=seeds)
    assert regions.pixels.tolist() == [80]
    assert np.array_equal(regions.labels > 0, mask & (np.arange(40) >= 20))


@pytest.mark.parametrize(("gap", "merge_px", "count"), [(4, 4, 1), (6, 4, 2), (1, 1, 1), (3, 0, 2)])
def test_what_lies_close_together_is_one_landslide(gap: int, merge_px: float, count: int) -> None:
    mask = np.zeros((30, 60), bool)
    mask[5:20, 5:15] = mask[5:20, 15 + gap : 30 + gap] = True
    regions = find_regions(mask, merge_px=merge_px)
    polygons = outlines(regions, TRANSFORM)
    assert regions.count == len(polygons) == count
    assert regions.pixels.sum() == mask.sum()
    assert sum(polygon.area for polygon in polygons) == pytest.approx(100 * mask.sum())
    assert all(polygon.is_valid for polygon in polygons)


def test_smooth_outlines_keep_their_area() -> None:
    regions = find_regions(ndimage.gaussian_filter(np.random.default_rng(3).random((200, 200)), 3) > 0.51, 4)
    exact = outlines(regions, TRANSFORM)
    rounded = smoothed(exact)
    assert len(exact) > 20
    for before, after in zip(exact, rounded, strict=True):
        assert after.is_valid
        assert after.area == pytest.approx(before.area, rel=0.02)
    changed = [a for b, a in zip(exact, rounded, strict=True) if a is not b]
    assert len(changed) > 0.9 * len(exact)


def test_areas_come_by_code_the_largest_first() -> None:
    codes = np.zeros((20, 20), np.uint8)
    codes[:5] = 3
    codes[10:12, 10:12] = 3
    found = areas(codes, codes > 0, TRANSFORM)
    assert [(code, polygon.area) for code, polygon in found] == [(3, 10_000), (3, 400)]
    assert areas(codes, np.zeros_like(codes, bool), TRANSFORM) == []
