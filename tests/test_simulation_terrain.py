import numpy as np
import pytest

from landslide_cli.simulation.terrain import Terrain, make_terrain


@pytest.fixture(scope="module")
def terrain() -> Terrain:
    return make_terrain((330, 400), np.random.default_rng(5))


def test_shape_type_and_repeatability(terrain: Terrain) -> None:
    assert terrain.shape == terrain.river_m.shape == terrain.floor_m.shape == (330, 400)
    assert terrain.elevation_m.dtype == np.float32
    again = make_terrain((330, 400), np.random.default_rng(5))
    assert np.array_equal(terrain.elevation_m, again.elevation_m)


def test_hills_are_steep_and_the_valley_is_flat(terrain: Terrain) -> None:
    slope = terrain.slope_deg(1.0)
    hills = terrain.river_m > terrain.floor_m + 200
    floor = terrain.river_m < 0.7 * terrain.floor_m
    assert 10 < np.median(slope[hills]) < 40
    assert np.percentile(slope, 99.9) < 60
    assert np.median(slope[floor]) < 3
    assert 150 < np.ptp(terrain.elevation_m) < 2000


def test_gradient_points_uphill_to_the_east_and_north() -> None:
    rows, columns = np.mgrid[:20, :30].astype(np.float32)
    plane = Terrain(2.0 * columns - 3.0 * rows, rows, rows)  # +2 m per pixel eastward, +3 m northward
    east, north = plane.gradient()
    assert east == pytest.approx(0.2, abs=1e-5)
    assert north == pytest.approx(0.3, abs=1e-5)
    assert plane.slope_deg() == pytest.approx(np.degrees(np.arctan(np.hypot(0.2, 0.3))), abs=1e-3)


def test_few_cells_are_without_a_way_down(terrain: Terrain) -> None:
    z = terrain.elevation_m[::3, ::3]
    inner = z[1:-1, 1:-1]
    around = np.stack(
        [z[1 + y : z.shape[0] - 1 + y, 1 + x : z.shape[1] - 1 + x]
         for y in (-1, 0, 1) for x in (-1, 0, 1) if x or y]
    )  # fmt: skip
    hills = (terrain.river_m > terrain.floor_m)[::3, ::3][1:-1, 1:-1]
    assert ((around.min(axis=0) >= inner) & hills).sum() < 0.02 * hills.sum()


def test_crop_keeps_the_arrays_together(terrain: Terrain) -> None:
    part = terrain.crop(50, (100, 120))
    assert part.shape == (100, 120)
    assert np.array_equal(part.river_m, terrain.river_m[50:150, 50:170])
