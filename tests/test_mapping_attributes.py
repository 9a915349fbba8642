import numpy as np
import pytest
from rasterio.transform import from_origin

from landslide_cli.mapping.attributes import LANDSLIDE_FIELDS, landslide_attributes, region_mean
from landslide_cli.mapping.polygons import find_regions, outlines

TRANSFORM = from_origin(0, 0, 10, 10)


def test_each_region_gets_the_values_of_its_own_pixels() -> None:
    rng = np.random.default_rng(0)
    mask = rng.random((60, 80)) < 0.4
    percent = rng.integers(0, 101, mask.shape).astype(np.uint8)
    terrain = rng.normal(1000, 200, (2, 60, 80)).astype(np.float32)
    terrain[:, rng.random(mask.shape) < 0.2] = np.nan
    regions = find_regions(mask)
    records = landslide_attributes(regions, outlines(regions, TRANSFORM), percent, terrain, {"model": "m"})
    assert [r["id"] for r in records] == list(range(1, regions.count + 1))
    for record in records[:20]:
        inside = regions.labels == record["id"]
        assert record["area_m2"] == 100 * inside.sum()
        assert record["confidence"] == pytest.approx(percent[inside].mean() / 100, abs=5e-4)
        assert record["probability_max"] == percent[inside].max() / 100
        assert record["elevation_mean_m"] == pytest.approx(np.nanmean(terrain[0][inside]), abs=0.051)
        assert record["slope_mean_deg"] == pytest.approx(np.nanmean(terrain[1][inside]), abs=0.051)
        assert record["model"] == "m"


def test_without_terrain_nothing_is_said_of_it() -> None:
    regions = find_regions(np.ones((3, 3), bool))
    facts = {"pre_date": None, "post_date": None, "event_date": "2021-08-14", "model": "m"}
    (record,) = landslide_attributes(regions, outlines(regions, TRANSFORM), np.full((3, 3), 70, np.uint8), None, facts)
    assert record["slope_mean_deg"] is None
    assert record["elevation_mean_m"] is None
    assert list(record) == list(LANDSLIDE_FIELDS)


def test_the_mean_of_a_region_that_is_all_unknown_is_unknown() -> None:
    regions = find_regions(np.ones((2, 2), bool))
    assert np.isnan(region_mean(regions, np.full((2, 2), np.nan))).all()
