from dataclasses import replace

import numpy as np
import pytest
from shapely.geometry import box

from landslide_cli.simulation.landslides import Scars, draw_areas_m2, make_scars, outline_of
from landslide_cli.simulation.nature import PLAIN
from landslide_cli.simulation.terrain import Terrain, make_terrain


@pytest.fixture(scope="module")
def terrain() -> Terrain:
    return make_terrain((330, 400), np.random.default_rng(5))


@pytest.fixture(scope="module")
def scars(terrain: Terrain) -> Scars:
    return make_scars(terrain, np.random.default_rng(6), share=0.03)


def test_areas_follow_the_law_between_their_bounds() -> None:
    smallest, largest = PLAIN.sizes_m2
    areas = draw_areas_m2(3e7, np.random.default_rng(0), PLAIN.sizes_m2)
    assert smallest <= areas.min() < areas.max() <= largest
    assert 3e7 <= areas.sum() < 3e7 + largest
    # The slope of the number of larger landslides is one less than that of their density, 2.4 in the tail.
    counts = [(areas > limit).sum() for limit in (4000, 16_000)]
    exponent = np.log(counts[0] / counts[1]) / np.log(4.0)
    assert 1.1 < exponent < 2.0


def test_arrays_and_truth(terrain: Terrain, scars: Scars) -> None:
    assert scars.cover.shape == scars.truth.shape == terrain.shape
    assert scars.cover.dtype == np.float32
    assert scars.truth.dtype == np.uint8
    assert 0 <= scars.cover.min() <= scars.cover.max() <= 1
    assert np.array_equal(scars.truth == 1, scars.cover >= 0.5)
    assert ((scars.cover > 0) & (scars.cover < 0.5)).any(), "edges are soft"
    assert 0.01 < scars.truth.mean() < 0.04


def test_landslides_start_on_steep_ground_and_end_lower(terrain: Terrain, scars: Scars) -> None:
    assert len(scars.slides) > 10
    slope = terrain.slope_deg(1.0)
    for slide in scars.slides:
        crown, toe = (tuple(point.round().astype(int)) for point in slide.path[[0, -1]])
        assert slope[crown] > PLAIN.source_deg
        assert terrain.elevation_m[crown] > terrain.elevation_m[toe]


def test_one_landslide_has_the_area_it_was_given() -> None:
    rows, _ = np.mgrid[:200, :200].astype(np.float32)
    hillside = Terrain(2000.0 - 7.0 * rows, rows, rows)
    scars = make_scars(hillside, np.random.default_rng(1), share=1e-6)
    (slide,) = scars.slides
    assert scars.truth.sum() * 100 == pytest.approx(slide.area_m2, abs=201)
    assert (np.diff(slide.path[:, 0]) > 0).all(), "straight down"


def test_none_start_where_it_is_not_allowed(terrain: Terrain) -> None:
    nowhere = np.zeros(terrain.shape, dtype=bool)
    scars = make_scars(terrain, np.random.default_rng(0), share=0.03, allowed=nowhere)
    assert not scars.slides
    assert not scars.truth.any()


def test_a_mapped_outline_is_laid_downhill() -> None:
    rows, _ = np.mgrid[:200, :200].astype(np.float32)
    hillside = Terrain(2000.0 - 7.0 * rows, rows, rows)
    # Five times as long as wide.
    outline = outline_of(box(0, 0, 500, 100).segmentize(50))
    assert outline is not None
    large = replace(PLAIN, sizes_m2=(20_000.0, 60_000.0))
    scars = make_scars(
        hillside, np.random.default_rng(3), share=1e-6, nature=large, outlines=[outline] * 3, allowed=rows < 90
    )
    (slide,) = scars.slides
    assert scars.cover.sum() * 100 == pytest.approx(slide.area_m2, rel=0.02)
    for seed in range(20):
        scars = make_scars(hillside, np.random.default_rng(seed), share=1e-6, nature=large, outlines=[outline])
        down, across = (np.ptp(axis) + 1 for axis in np.nonzero(scars.truth))
        assert down > 1.3 * across


def test_what_is_no_shape_is_none() -> None:
    assert outline_of(box(0, 0, 1000, 1).segmentize(10)) is None
    assert outline_of(box(0, 0, 10, 10)) is None


def test_they_start_on_ground_as_steep_as_it_takes(terrain: Terrain) -> None:
    slope = terrain.slope_deg(1.0)
    for source_deg in (15.0, 32.0):
        scars = make_scars(terrain, np.random.default_rng(2), share=0.01, nature=replace(PLAIN, source_deg=source_deg))
        crowns = [slope[tuple(slide.path[0].round().astype(int))] for slide in scars.slides]
        assert crowns
        assert min(crowns) > source_deg


def test_gentle_ground_fails_where_it_is_steepest(terrain: Terrain) -> None:
    hills = replace(terrain, elevation_m=terrain.elevation_m * np.float32(0.3))
    slope = hills.slope_deg(1.0)
    assert slope.max() < PLAIN.source_deg
    assert not make_scars(hills, np.random.default_rng(2), share=0.01).slides
    scars = make_scars(hills, np.random.default_rng(2), share=0.01, nature=replace(PLAIN, failing_share=0.4))
    crowns = [slope[tuple(slide.path[0].round().astype(int))] for slide in scars.slides]
    assert len(crowns) > 10
    assert min(crowns) >= np.quantile(slope, 0.6)


def test_landslides_crowd_as_closely_as_they_are_told(terrain: Terrain) -> None:
    blocks = []
    for clustering in (0.0, 2.0):
        nature = replace(PLAIN, source_deg=5.0, clustering=clustering)
        truth = make_scars(terrain, np.random.default_rng(3), share=0.03, nature=nature).truth
        height, width = (side // 50 * 50 for side in truth.shape)
        blocks.append(truth[:height, :width].reshape(height // 50, 50, width // 50, 50).mean(axis=(1, 3)).std())
    assert blocks[1] > 1.3 * blocks[0]
