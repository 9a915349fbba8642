"""A piece of real elevation keeps its slopes and what lies on it, and rivers run where it is low."""

from pathlib import Path

import numpy as np
import pytest
from conftest import write_raster

from landslide_cli.errors import InputError
from landslide_cli.simulation.arrays import fractal
from landslide_cli.simulation.relief import FLATTEST, read_terrain, with_rivers
from landslide_cli.simulation.terrain import flow


def test_a_tilted_plane_stays_one(tmp_path: Path) -> None:
    rows, columns = np.indices((150, 160), dtype=np.float32)
    path = write_raster(tmp_path / "dem.tif", 100 + 9 * rows + 12 * columns, pixel=30)
    for seed in range(6):
        terrain = read_terrain(path, (300, 330), np.random.default_rng(seed), flattest=1.0)
        assert terrain.shape == (300, 330)
        inner = terrain.slope_deg()[10:-10, 10:-10]
        assert np.allclose(np.tan(np.radians(inner)), 0.5, atol=0.01)


def test_shrunk_mountains_keep_their_slopes_and_move_closer(tmp_path: Path) -> None:
    rows, columns = np.indices((330, 330), dtype=np.float32)
    # Ridges 1200 m apart, whose flanks rise by 0.5.
    path = write_raster(tmp_path / "dem.tif", 500 + 15 * np.abs(columns % 40 - 20) + 0 * rows, pixel=30)
    apart = []
    for seed in range(8):
        terrain = read_terrain(path, (300, 300), np.random.default_rng(seed), flattest=1.0)
        flank = np.median(np.tan(np.radians(terrain.slope_deg()[20:-20, 20:-20])))
        assert flank == pytest.approx(0.5, abs=0.05)
        apart.append(np.ptp(terrain.elevation_m) * 4)
    assert 350 < min(apart) < 700
    assert 700 < max(apart) < 1250
    assert np.ptp(read_terrain(path, (300, 300), np.random.default_rng(0), shrunk=1.0, flattest=1.0).elevation_m) > 280


def test_flattened_ground_is_gentler_by_a_factor_from_event_to_event(tmp_path: Path) -> None:
    rows, columns = np.indices((150, 160), dtype=np.float32)
    path = write_raster(tmp_path / "dem.tif", 100 + 9 * rows + 12 * columns, pixel=30)
    rises = []
    for seed in range(8):
        slope = read_terrain(path, (300, 330), np.random.default_rng(seed)).slope_deg()[10:-10, 10:-10]
        assert np.ptp(slope) < 1
        rises.append(float(np.tan(np.radians(np.median(slope)))))
    assert 0.5 * FLATTEST - 0.01 < min(rises) < 0.3
    assert 0.4 < max(rises) < 0.51


def test_what_lies_on_the_ground_is_turned_mirrored_and_shrunk_with_it(tmp_path: Path) -> None:
    hills = 1000 + 100 * fractal((220, 200), np.random.default_rng(3), exponent=3.0, shortest_px=12)
    path = write_raster(tmp_path / "dem.tif", hills, pixel=30)
    band = (hills > np.median(hills)).astype(np.uint8) * 10 + 10
    for seed in range(12):
        terrain = read_terrain(path, (200, 170), np.random.default_rng(seed), cover=band)
        assert terrain.cover is not None
        assert terrain.cover.dtype == np.uint8
        assert terrain.cover.shape == terrain.shape
        low = (terrain.cover == 10).mean()
        assert 0.05 < low < 0.95
        # The line between the classes is a contour line, wherever the piece lies and however it is turned.
        line_m = np.quantile(terrain.elevation_m, low)
        assert ((terrain.elevation_m > line_m) == (terrain.cover == 20)).mean() > 0.95
        bare = read_terrain(path, (200, 170), np.random.default_rng(seed))
        assert bare.cover is None
        assert (bare.elevation_m == terrain.elevation_m).all()
        assert terrain.crop(20, (60, 50)).cover is not None


def test_pieces_avoid_gaps(tmp_path: Path) -> None:
    elevation = np.full((200, 200), 500, np.float32)
    elevation[:, :80] = 0
    path = write_raster(tmp_path / "dem.tif", elevation, pixel=30)
    assert read_terrain(path, (240, 240), np.random.default_rng(0)).elevation_m.min() > 499
    with pytest.raises(InputError, match=r"no piece of .* without a gap"):
        read_terrain(path, (400, 400), np.random.default_rng(0))


def test_what_cannot_be_ground_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    small = write_raster(tmp_path / "small.tif", np.ones((40, 40), np.float32), pixel=30)
    with pytest.raises(InputError, match="has 40 x 40 px; the events need"):
        read_terrain(small, (300, 300), rng)
    degrees = write_raster(
        tmp_path / "degrees.tif", np.ones((40, 40), np.float32), pixel=0.001, crs="EPSG:4326", origin=(10, 50)
    )
    with pytest.raises(InputError, match="must be in metres"):
        read_terrain(degrees, (30, 30), rng)
    with pytest.raises(InputError, match="cannot be read"):
        read_terrain(tmp_path / "none.tif", (30, 30), rng)


def test_water_gathers_in_the_valley_and_none_is_lost() -> None:
    rows, columns = np.indices((240, 300), dtype=np.float32)
    valley = 2 * np.abs(columns - 150) + 0.5 * rows
    drained = flow(valley, 6)
    # All ground above drains through the lowest cell of the valley; the rim cells drain outwards.
    outlet = np.unravel_index(drained.argmax(), drained.shape)
    assert outlet[0] <= 1
    assert abs(outlet[1] * 6 + 3 - 150) < 12
    assert 0.8 * 38 * 48 * 3600 < drained.max() <= 240 * 300 * 100
    terrain = with_rivers(valley)
    assert terrain.river_m[30, 150] < 60
    assert terrain.river_m[30, 10] > 900


def test_real_ground_is_as_steep_as_it_is(shared_data: Path) -> None:
    terrain = read_terrain(shared_data / "kaghan" / "AW3D30.tif", (600, 500), np.random.default_rng(1), flattest=1.0)
    assert 15 < np.median(terrain.slope_deg(1.5)) < 40
    assert 5 < terrain.river_m.min() + 10 < 400
