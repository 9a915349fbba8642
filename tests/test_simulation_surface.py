from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from landslide_cli.simulation.ground import Ground
from landslide_cli.simulation.landcover import UNKNOWN, Cover
from landslide_cli.simulation.nature import PLAIN, Nature, draw_nature
from landslide_cli.simulation.parcels import make_compartments
from landslide_cli.simulation.spectra import FRESH, Material
from landslide_cli.simulation.surface import make_surface
from landslide_cli.simulation.terrain import Terrain, make_terrain


@pytest.fixture(scope="module")
def terrain() -> Terrain:
    return make_terrain((330, 400), np.random.default_rng(5))


@pytest.fixture(scope="module")
def surface(terrain: Terrain) -> Ground:
    return make_surface(terrain, np.random.default_rng(8))


def test_shares_add_up_to_one_without_fresh_soil(surface: Ground) -> None:
    for shares in (surface.before, surface.after):
        assert shares.sum(axis=0) == pytest.approx(1.0, abs=1e-4)
        assert shares.min() >= -1e-6
        assert not shares[list(FRESH)].any()


def test_crops_grow_on_the_flat_and_forest_on_slopes(terrain: Terrain, surface: Ground) -> None:
    slope = terrain.slope_deg(1.5)
    assert surface.before[Material.CROP, slope > 15].max() == 0
    forest = surface.before[[Material.BROADLEAF, Material.CONIFER]].sum(axis=0)
    assert forest[slope > 25].mean() > forest[slope < 5].mean()


def test_hills_change_by_clear_cuts_only(terrain: Terrain, surface: Ground) -> None:
    hills = terrain.river_m > 1.2 * terrain.floor_m + 50
    changed = np.abs(surface.after - surface.before).sum(axis=0) > 1e-5
    assert 0 < (changed & hills).sum() < 0.03 * hills.sum()
    # Trees stand at the edge of a cut: what came, not what is there, tells that it is one.
    came = np.clip(surface.after - surface.before, 0.0, None)[:, changed & hills].sum(axis=1)
    came /= came.sum()
    assert came[[Material.SOIL, Material.DRY_GRASS, Material.DEAD_WOOD, Material.GRASS]].sum() > 0.99
    # What was left lying hides most of the soil.
    assert 0.02 < came[Material.SOIL] < 0.35


def test_ground_without_a_flat_has_no_fields() -> None:
    rows, _ = np.mgrid[:100, :120].astype(np.float32)
    hillside = Terrain(3000.0 - 6.0 * rows, rows + 5000.0, np.full_like(rows, 100.0))
    surface = make_surface(hillside, np.random.default_rng(0))
    assert surface.before[[Material.CROP, Material.ROOF, Material.WATER]].max() == 0


TYPICAL = {
    Cover.TREES: (Material.BROADLEAF, Material.CONIFER),
    Cover.SHRUBS: (Material.BROADLEAF, Material.CONIFER, Material.GRASS, Material.DRY_GRASS),
    Cover.GRASS: (Material.GRASS, Material.DRY_GRASS),
    Cover.CROPLAND: (Material.CROP, Material.STUBBLE, Material.SOIL, Material.GRASS, Material.BROADLEAF),
    Cover.BUILT_UP: (Material.ROOF, Material.ASPHALT),
    Cover.BARE: (Material.SOIL, Material.ROCK),
    Cover.SNOW: (Material.SNOW,),
    Cover.WATER: (Material.WATER,),
    Cover.WETLAND: (Material.WATER, Material.GRASS, Material.DRY_GRASS, Material.BROADLEAF, Material.CONIFER),
    Cover.MANGROVES: (Material.BROADLEAF, Material.CONIFER, Material.WATER),
    Cover.MOSS: (Material.DRY_GRASS, Material.GRASS, Material.SOIL, Material.ROCK),
}
"""What there is most of in each class."""


@pytest.fixture(scope="module")
def mapped(terrain: Terrain) -> Terrain:
    """All classes in square pieces, and some that is unknown."""
    rows, columns = np.indices(terrain.shape) // 50
    codes = np.array([UNKNOWN, *Cover], np.uint8)
    return replace(terrain, cover=codes[(3 * rows + columns) % codes.size])


@pytest.mark.parametrize("cover", Cover)
def test_what_the_map_says_lies_there(mapped: Terrain, cover: Cover) -> None:
    surface = make_surface(mapped, np.random.default_rng(8))
    assert surface.before.sum(axis=0) == pytest.approx(1.0, abs=1e-4)
    assert surface.before.min() >= -1e-6
    there = (mapped.cover == cover) & (mapped.slope_deg(1.5) < 20.0)
    share = surface.before[list(TYPICAL[cover])].sum(axis=0)
    # A third of a town is gardens.
    assert share[there].mean() > (0.55 if cover == Cover.BUILT_UP else 0.7)
    if cover in (Cover.TREES, Cover.GRASS, Cover.BARE):
        assert share[~there].mean() < 0.6
    if cover not in (Cover.SNOW, Cover.WATER):
        assert surface.before[:, there].std(axis=1).max() > 0.02


def test_where_the_map_says_nothing_the_ground_is_made_up(terrain: Terrain) -> None:
    nature = draw_nature(np.random.default_rng(4))
    unknown = replace(terrain, cover=np.zeros(terrain.shape, np.uint8))
    with_map, without = (make_surface(ground, np.random.default_rng(8), nature) for ground in (unknown, terrain))
    for name in ("before", "after", "changes"):
        assert (getattr(with_map, name) == getattr(without, name)).all()


def test_fields_and_towns_and_sea_stay_where_the_map_has_them(terrain: Terrain) -> None:
    nature = replace(draw_nature(np.random.default_rng(4)), changes={}, sea=0.2)
    forest = replace(terrain, cover=np.full(terrain.shape, Cover.TREES, np.uint8))
    surface = make_surface(forest, np.random.default_rng(8), nature)
    assert surface.before[[Material.CROP, Material.STUBBLE, Material.ROOF]].max() == 0
    # A river narrower than the cells of the map is there all the same.
    assert 0 < surface.before[Material.WATER].mean() < 0.05
    assert surface.before[Material.WATER, terrain.river_m > 200].max() == 0


def test_a_river_of_the_map_does_not_run_twice(terrain: Terrain) -> None:
    beside = (terrain.river_m > 80) & (terrain.river_m < 140)
    codes = np.where(beside, Cover.WATER, Cover.GRASS).astype(np.uint8)
    surface = make_surface(replace(terrain, cover=codes), np.random.default_rng(8))
    assert surface.before[Material.WATER, beside].mean() > 0.6
    assert surface.before[Material.WATER, terrain.river_m < 30].max() < 0.2


def test_managed_forest_is_of_many_ages_on_both_dates_alike(terrain: Terrain) -> None:
    wild, managed = (
        make_surface(terrain, np.random.default_rng(8), Nature(changes={}, managed=share)) for share in (0.0, 0.6)
    )
    assert np.array_equal(managed.before, managed.after)
    assert managed.before.sum(axis=0) == pytest.approx(1.0, abs=1e-3)
    trees = [Material.BROADLEAF, Material.CONIFER]
    steep = terrain.slope_deg(1.5) > 36.0
    dense = (wild.before[trees].sum(axis=0) > 0.8) & ~steep & (terrain.river_m > 2 * terrain.floor_m)
    opened = managed.before[trees].sum(axis=0)[dense] < 0.5
    assert 0.05 < opened.mean() < 0.3


def test_rides_run_straight_between_the_blocks_of_a_managed_forest(terrain: Terrain) -> None:
    surface = make_surface(terrain, np.random.default_rng(8), Nature(changes={}, managed=0.01))
    assert surface.compartments
    border_px = surface.compartments.blocks.border_px(terrain.shape)
    trees = surface.before[[Material.BROADLEAF, Material.CONIFER]].sum(axis=0)
    forest = uniform_filter(trees, 9) > 0.7
    gentle = terrain.slope_deg(1.5) < 24.0
    missing = [1.0 - trees[forest & gentle & where].mean() for where in (border_px < 0.4, np.abs(border_px - 3) < 1)]
    assert missing[0] > missing[1] + 0.05
    steep = forest & (terrain.slope_deg(1.5) > 34.0)
    assert trees[steep & (border_px < 0.4)].mean() == pytest.approx(trees[steep & (border_px > 2)].mean(), abs=0.05)


def test_managed_forest_ends_where_its_compartments_do(terrain: Terrain) -> None:
    hills = terrain.river_m > 1.2 * terrain.floor_m + 50
    inside = []
    for managed in (0.0, 0.01):
        surface = make_surface(terrain, np.random.default_rng(8), Nature(changes={}, managed=managed))
        trees = surface.before[[Material.BROADLEAF, Material.CONIFER]].sum(axis=0)
        compartments = surface.compartments or make_compartments(terrain.slope_deg(1.5), np.random.default_rng(8))
        of = compartments.of[0]
        same = of[1:] == of[:-1]
        tended = compartments.tended[of[1:]] & hills[1:]
        edge = np.diff(trees > 0.5, axis=0) & tended
        inside.append((edge & same).sum() / edge.sum())
    assert inside[1] < 0.7 * inside[0]


def test_the_forest_ends_at_a_line_where_its_edge_is_tended(terrain: Terrain) -> None:
    between, edges = [], []
    for forest_edge in (1.0, 0.2):
        surface = make_surface(terrain, np.random.default_rng(8), Nature(changes={}, forest_edge=forest_edge))
        trees = surface.before[[Material.BROADLEAF, Material.CONIFER]].sum(axis=0)
        between.append(((trees > 0.1) & (trees < 0.7)).mean())
        edges.append((np.diff(trees > 0.5, axis=0) != 0).mean())
    assert between[1] < 0.5 * between[0]
    # And has few small gaps.
    assert edges[1] < 0.8 * edges[0]


def test_leaning_makes_a_place_of_conifers(terrain: Terrain) -> None:
    share = []
    for conifers in (-2.0, 0.0, 2.0):
        before = make_surface(terrain, np.random.default_rng(8), Nature(conifers=conifers)).before
        trees = before[[Material.BROADLEAF, Material.CONIFER]]
        share.append(trees[1].sum() / trees.sum())
    assert share[0] < 0.1 < share[1] < 0.8 < share[2]


def test_trees_hang_over_roads(terrain: Terrain) -> None:
    seen: dict[bool, list[float]] = {False: [], True: []}
    for seed in range(6):
        before = make_surface(terrain, np.random.default_rng(seed), Nature(changes={})).before
        paved = before[Material.ASPHALT]
        trees = uniform_filter(before[[Material.BROADLEAF, Material.CONIFER]].sum(axis=0), 7)
        for wooded, where in ((True, trees > 0.8), (False, trees < 0.2)):
            seen[wooded].extend(paved[where & (paved > 0.01)])
    assert len(seen[True]) > 500 < len(seen[False])
    assert 0.3 < np.mean(seen[True]) / np.mean(seen[False]) < 0.9


def test_edges_of_fields_run_through_pixels_where_nature_is_not_plain(terrain: Terrain) -> None:
    level_m = np.random.default_rng(0).normal(300.0, 0.1, terrain.shape).astype(np.float32)
    far_m = np.full(terrain.shape, 9000.0, np.float32)
    cropland = np.full(terrain.shape, Cover.CROPLAND, np.uint8)
    fields = replace(terrain, elevation_m=level_m, river_m=far_m, cover=cropland)
    steps = []
    for nature in (PLAIN, Nature(changes={})):
        crops = make_surface(fields, np.random.default_rng(8), nature).before[[Material.CROP, Material.STUBBLE]]
        step = np.abs(np.diff(crops.sum(axis=0), axis=1))
        steps.append(step[step > 0.1].mean())
    assert steps[1] < 0.7 * steps[0]


def test_no_forest_ends_within_less_than_a_pixel(terrain: Terrain) -> None:
    tended = make_surface(terrain, np.random.default_rng(8), Nature(changes={}, forest_edge=0.01))
    forest = tended.before[[Material.BROADLEAF, Material.CONIFER]].sum(axis=0)
    hills = terrain.river_m > 1.2 * terrain.floor_m + 50
    # Of a hundred pixels some seven lie at an edge of it.
    assert ((forest > 0.1) & (forest < 0.8))[hills].mean() > 0.02
