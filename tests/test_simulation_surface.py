import numpy as np
import pytest

from landslide_cli.simulation.spectra import FRESH, Material
from landslide_cli.simulation.surface import Surface, make_surface
from landslide_cli.simulation.terrain import Terrain, make_terrain


@pytest.fixture(scope="module")
def terrain() -> Terrain:
    return make_terrain((330, 400), np.random.default_rng(5))


@pytest.fixture(scope="module")
def surface(terrain: Terrain) -> Surface:
    return make_surface(terrain, np.random.default_rng(8))


def test_shares_add_up_to_one_without_fresh_soil(surface: Surface) -> None:
    for shares in (surface.before, surface.after):
        assert shares.sum(axis=0) == pytest.approx(1.0, abs=1e-4)
        assert shares.min() >= -1e-6
        assert not shares[list(FRESH)].any()


def test_crops_grow_on_the_flat_and_forest_on_slopes(terrain: Terrain, surface: Surface) -> None:
    slope = terrain.slope_deg(1.5)
    assert surface.before[Material.CROP, slope > 15].max() == 0
    forest = surface.before[[Material.BROADLEAF, Material.CONIFER]].sum(axis=0)
    assert forest[slope > 25].mean() > forest[slope < 5].mean()


def test_hills_change_by_clear_cuts_only(terrain: Terrain, surface: Surface) -> None:
    hills = terrain.river_m > 1.2 * terrain.floor_m + 50
    changed = np.abs(surface.after - surface.before).sum(axis=0) > 1e-5
    assert 0 < (changed & hills).sum() < 0.03 * hills.sum()
    gained = surface.after[[Material.SOIL, Material.DRY_GRASS]].sum(axis=0)
    assert gained[changed & hills].mean() > 0.7


def test_ground_without_a_flat_has_no_fields() -> None:
    rows, _ = np.mgrid[:100, :120].astype(np.float32)
    hillside = Terrain(3000.0 - 6.0 * rows, rows + 5000.0, np.full_like(rows, 100.0))
    surface = make_surface(hillside, np.random.default_rng(0))
    assert surface.before[[Material.CROP, Material.ROOF, Material.WATER]].max() == 0
