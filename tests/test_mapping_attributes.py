from dataclasses import replace

import numpy as np
import pytest
from rasterio.transform import from_origin
from shapely.geometry import box

from landslide_cli.mapping.attributes import (
    ALIASES,
    AOI_FIELDS,
    LANDSLIDE_FIELDS,
    NOT_ANALYSED_FIELDS,
    SCENE_FIELDS,
    Pixels,
    ellipsoidal_area_m2,
    landslide_attributes,
    mean,
)
from landslide_cli.mapping.changes import CHANGE_FIELDS
from landslide_cli.mapping.polygons import Regions, find_regions, outlines

TRANSFORM = from_origin(500_000, 2_000_000, 10, 10)
CRS = "EPSG:32618"
AOI = box(499_000, 1_990_000, 510_000, 2_001_000)
TIMES = ({1: "2021-08-01T15:00:00Z", 2: "2021-08-06T15:00:00Z"}, {1: "2021-08-19T15:10:00Z"})


def of(regions: Regions, percent: np.ndarray, terrain: np.ndarray | None, scenes: np.ndarray | None = None) -> Pixels:
    rows, columns, region = regions.members()
    return Pixels(
        region, rows, columns, percent[rows, columns], None if terrain is None else terrain[:, rows, columns],
        (np.ones((2, *percent.shape), np.uint8) if scenes is None else scenes)[:, rows, columns],
        np.zeros(len(rows), bool),
    )  # fmt: skip


def test_each_region_gets_the_values_of_its_own_pixels() -> None:
    rng = np.random.default_rng(0)
    mask = rng.random((60, 80)) < 0.4
    percent = rng.integers(0, 101, mask.shape).astype(np.uint8)
    terrain = rng.normal(1000, 200, (4, 60, 80)).astype(np.float32)
    terrain[:, rng.random(mask.shape) < 0.2] = np.nan
    regions = find_regions(mask)
    pixels = of(regions, percent, terrain)
    records = landslide_attributes(pixels, outlines(regions, TRANSFORM), CRS, AOI, TIMES, {"model": "m"})
    assert [r["id"] for r in records] == list(range(1, regions.count + 1))
    for record in records[:20]:
        inside = regions.labels == record["id"]
        assert record["area_m2"] == pytest.approx(100 * inside.sum() / 0.9996**2, abs=0.06)
        assert record["confidence"] == pytest.approx(percent[inside].mean() / 100, abs=5e-4)
        assert record["confidence_spread"] == pytest.approx(percent[inside].std() / 100, abs=1e-3)
        assert record["probability_max"] == percent[inside].max() / 100
        assert record["elevation_mean_m"] == pytest.approx(np.nanmean(terrain[0][inside]), abs=0.051)
        assert record["slope_mean_deg"] == pytest.approx(np.nanmean(terrain[1][inside]), abs=0.051)
        assert record["drop_m"] == pytest.approx(np.ptp(terrain[0][inside][np.isfinite(terrain[0][inside])]), abs=0.051)
        assert record["model"] == "m"


@pytest.mark.parametrize(
    ("aspect_deg", "length_m", "width_m"), [(180, 300, 50), (0, 300, 50), (90, 50, 300), (270, 50, 300)]
)
def test_length_is_along_the_slope_and_width_across(aspect_deg: float, length_m: float, width_m: float) -> None:
    mask = np.zeros((50, 50), bool)
    mask[5:35, 10:15] = True
    aspect = np.radians(aspect_deg)
    terrain = np.stack([np.full(mask.shape, value) for value in (900, 30, np.sin(aspect), np.cos(aspect))])
    terrain[0] -= 4 * np.arange(50)[:, None]
    regions = find_regions(mask)
    pixels = of(regions, np.full(mask.shape, 80, np.uint8), terrain.astype(np.float32))
    (record,) = landslide_attributes(pixels, outlines(regions, TRANSFORM), CRS, AOI, TIMES, {})
    assert (record["length_m"], record["width_m"]) == pytest.approx((length_m, width_m), abs=0.1)
    assert record["drop_m"] == 4 * 29
    assert record["aspect_mean_deg"] == pytest.approx(aspect_deg, abs=0.1)
    assert record["aoi_edge_m"] == 1050


def test_the_times_are_those_of_the_scenes_of_its_pixels() -> None:
    mask = np.zeros((10, 30), bool)
    mask[2:4, 2:20] = mask[6:8, 2:6] = True
    scenes = np.ones((2, 10, 30), np.uint8)
    scenes[0, :, 10:] = 2
    regions = find_regions(mask)
    pixels = of(regions, np.full(mask.shape, 80, np.uint8), None, scenes)
    pixels = replace(pixels, at_edge=pixels.region == 1)
    both, one = landslide_attributes(pixels, outlines(regions, TRANSFORM), CRS, AOI, TIMES, {})
    assert both["pre_datetime"] == "2021-08-01T15:00:00Z/2021-08-06T15:00:00Z"
    assert both["pre_date"] == "2021-08-01/2021-08-06"
    assert (one["pre_datetime"], one["post_date"]) == ("2021-08-01T15:00:00Z", "2021-08-19")
    assert (both["at_edge"], one["at_edge"]) == (False, True)


def test_without_terrain_and_times_nothing_is_said_of_them() -> None:
    regions = find_regions(np.ones((3, 3), bool))
    pixels = of(regions, np.full((3, 3), 70, np.uint8), None)
    facts = {"event_date": "2021-08-14", "model": "m"}
    (record,) = landslide_attributes(pixels, outlines(regions, TRANSFORM), CRS, AOI, ({1: None}, {}), facts)
    for name in ("slope_mean_deg", "elevation_mean_m", "length_m", "drop_m", "pre_date", "post_datetime"):
        assert record[name] is None
    assert list(record) == list(LANDSLIDE_FIELDS)
    fields = (LANDSLIDE_FIELDS, NOT_ANALYSED_FIELDS, AOI_FIELDS, SCENE_FIELDS, CHANGE_FIELDS)
    assert {name for layer in fields for name in layer} == set(ALIASES)


def test_the_mean_of_a_region_that_is_all_unknown_is_unknown() -> None:
    regions = find_regions(np.ones((2, 2), bool))
    pixels = of(regions, np.full((2, 2), 70, np.uint8), None)
    assert np.isnan(mean(pixels, np.full(4, np.nan), 1)).all()


def test_no_region_has_no_record() -> None:
    regions = find_regions(np.zeros((5, 5), bool))
    empty = of(regions, np.zeros((5, 5), np.uint8), np.zeros((4, 5, 5), np.float32))
    assert landslide_attributes(empty, [], CRS, AOI, TIMES, {}) == []


def test_areas_are_those_of_the_ellipsoid() -> None:
    from pyproj import Geod, Transformer
    from shapely.ops import transform

    square = box(700_000, 4_000_000, 701_000, 4_001_000)
    geographic = transform(Transformer.from_crs(CRS, "EPSG:4326", always_xy=True).transform, square.segmentize(10))
    true_m2 = abs(Geod(ellps="WGS84").geometry_area_perimeter(geographic)[0])
    assert abs(true_m2 - 1e6) > 100
    assert ellipsoidal_area_m2([square], CRS) == pytest.approx(true_m2, rel=1e-6)
