"""What changes without a landslide is told by its kind, and nothing else changes."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, binary_opening, label, uniform_filter
from scipy.spatial import ConvexHull
from simulated_forest import in_forest

from landslide_cli.simulation.arrays import Flags
from landslide_cli.simulation.changes import blob, change_ground, dig, dug, lines
from landslide_cli.simulation.ground import CHANGED
from landslide_cli.simulation.nature import Change, Nature
from landslide_cli.simulation.spectra import Material
from landslide_cli.simulation.surface import make_surface
from landslide_cli.simulation.terrain import Terrain, make_terrain

SHAPE = (240, 280)


@pytest.fixture(scope="module")
def terrain() -> Terrain:
    return make_terrain(SHAPE, np.random.default_rng(4))


CASES = {kind: Nature(changes={kind: 0.8}) for kind in Change} | {
    Change.SNOW: Nature(changes={Change.SNOW: 0.8}, snow_above=(0.5, 0.9)),
    Change.SEASON: Nature(changes={Change.SEASON: 0.8}, leafless=(0.8, 0.0), dry=(0.0, 0.7)),
}


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.name)
def test_every_kind_changes_ground_and_is_named(terrain: Terrain, kind: Change) -> None:
    surface = make_surface(terrain, np.random.default_rng(8), CASES[kind])
    changed = 0.5 * np.abs(surface.after - surface.before).sum(axis=0) > CHANGED
    assert 20 < changed.sum() < 0.98 * changed.size
    assert set(np.unique(surface.changes)) == {0, kind}
    # But for fields under houses, roads and rivers, codes and shares agree.
    assert ((surface.changes == kind) == changed).mean() > 0.97
    for shares in (surface.before, surface.after):
        assert shares.min() > -1e-4
        assert np.allclose(shares.sum(axis=0), 1, atol=1e-3)


def test_most_pits_were_there_before_and_only_what_they_grew_by_is_a_change(terrain: Terrain) -> None:
    grown = 0
    for seed in range(8):
        surface = make_surface(terrain, np.random.default_rng(seed), CASES[Change.QUARRY])
        plain = make_surface(terrain, np.random.default_rng(seed), Nature(changes={}))
        old = 0.5 * np.abs(surface.before - plain.before).sum(axis=0) > 0.5
        grown += old.any()
        difference = 0.5 * np.abs(surface.after - surface.before).sum(axis=0)
        assert (difference[surface.changes == Change.QUARRY] > CHANGED).all()
        if old.any():
            assert difference[old].mean() < 0.2
    assert grown >= 4


def test_what_machines_dug_has_straight_edges_and_what_grew_or_burnt_has_not() -> None:
    def filled(patch: Flags) -> float:
        """Share of the hull that the patch fills."""
        points = np.argwhere(patch)
        return len(points) / float(ConvexHull(points + np.array([0.5, 0.5])).volume)

    rngs = [np.random.default_rng(seed) for seed in range(6)]
    assert min(filled(dug((120, 120), (60, 60), 20, rng) < 0) for rng in rngs) > 0.95
    assert np.mean([filled(blob((120, 120), (60, 60), 14, rng) > 0.5) for rng in rngs]) < 0.9


def test_pits_have_level_benches_and_leave_the_ground_around_them() -> None:
    rows, columns = np.indices((80, 90), dtype=np.float32)
    hillside = Terrain(1000 - 4 * columns, columns, columns)
    beyond_px = np.maximum(np.abs(rows - 40) - 20, np.abs(columns - 45) - 30).astype(float)
    dug_m = np.zeros((80, 90), np.float32)
    dig(dug_m, hillside.elevation_m, beyond_px, 40)
    assert not dug_m[beyond_px >= 0].any()
    assert 0 <= dug_m.min() <= dug_m.max() < 40
    slope_deg = replace(hillside, elevation_m=hillside.elevation_m - dug_m).slope_deg()
    inner = beyond_px < -6
    assert (slope_deg[inner] < 0.1).mean() > 0.6
    assert (slope_deg[inner] > 45).mean() > 0.1
    deeper = dug_m.copy()
    dig(deeper, hillside.elevation_m, beyond_px + 5, 10)
    assert np.array_equal(deeper, dug_m)


def test_benches_keep_their_height_as_a_pit_grows() -> None:
    rows, columns = np.indices((80, 90), dtype=np.float32)
    elevation_m = 1003 - 4 * columns + rows
    beyond_px = np.maximum(np.abs(rows - 40) - 20, np.abs(columns - 45) - 20).astype(float)
    dug_m, wider_m = np.zeros((2, 80, 90), np.float32)
    dig(dug_m, elevation_m, beyond_px, 15)
    dig(wider_m, elevation_m, beyond_px - 4, 15)
    inner = beyond_px < -4
    assert np.array_equal(dug_m[inner], wider_m[inner])
    assert (wider_m > dug_m).sum() > 100


def test_new_pits_change_the_ground_of_the_later_date_alone(terrain: Terrain) -> None:
    deepened = 0
    for seed in range(8):
        surface = make_surface(terrain, np.random.default_rng(seed), CASES[Change.QUARRY])
        before_m, after_m = surface.dug_m
        assert (after_m >= before_m).all()
        deepened += bool((after_m > before_m).any())
    assert deepened == 8
    assert not np.any(make_surface(terrain, np.random.default_rng(8), Nature(changes={})).dug_m)


def test_a_building_far_from_roads_has_one_of_its_own() -> None:
    terrain = Terrain(*np.full((3, 200, 200), 500, np.float32))
    alone = 0
    for seed in range(10):
        ground = in_forest(terrain, Nature(changes={Change.QUARRY: 0.15}), seed)
        roof = ground.after[Material.ROOF] > 0.2
        ways, _ = label((ground.after[Material.ASPHALT] > 0.05) & ~roof, np.ones((3, 3)))
        houses, number = label(roof)
        for house in range(1, number + 1):
            alone += 1
            near = set(ways[binary_dilation(houses == house, iterations=20)]) - {0}
            assert max(((ways == way).sum() for way in near), default=0) > 20
    assert alone > 5


def test_a_track_leads_out_of_every_pit(terrain: Terrain) -> None:
    dug_share = 1.0 - in_forest(terrain, CASES[Change.QUARRY], 3).before[Material.CONIFER]
    thin = (dug_share > 0.3) & ~binary_opening(dug_share > 0.3, iterations=2)
    parts, number = label(dug_share > 0.2, np.ones((3, 3)))
    assert number > 2
    for part in range(1, number + 1):
        assert thin[parts == part].sum() >= 10


def test_without_changes_both_dates_are_one(terrain: Terrain) -> None:
    surface = make_surface(terrain, np.random.default_rng(8), Nature(changes={}))
    assert np.array_equal(surface.before, surface.after)
    assert not surface.changes.any()


def test_a_blob_lies_around_its_centre() -> None:
    patch = blob((200, 200), (80, 120), 20, np.random.default_rng(1))
    rows, columns = np.nonzero(patch > 0.5)
    assert 0.4 * np.pi * 400 < rows.size < 1.8 * np.pi * 400
    assert abs(rows.mean() - 80) < 10
    assert abs(columns.mean() - 120) < 10


def test_roads_are_thin(terrain: Terrain) -> None:
    road = lines(terrain, 4, np.random.default_rng(2), 0.6)
    assert 0 <= road.min() <= road.max() <= 1
    assert 0.0005 < road.mean() < 0.05


def test_the_same_chance_makes_the_same_change(terrain: Terrain) -> None:
    surfaces = [make_surface(terrain, np.random.default_rng(5), CASES[Change.FIRE]) for _ in range(2)]
    assert np.array_equal(surfaces[0].after, surfaces[1].after)
    unmarked = replace(surfaces[0], changes=np.zeros(SHAPE, np.uint8))
    kept = unmarked.after.copy()
    change_ground(unmarked, Nature(changes={}), np.random.default_rng(0))
    assert not unmarked.changes.any()
    assert np.array_equal(unmarked.after, kept)


def test_a_road_is_as_wide_aslant_as_along_the_pixels() -> None:
    level = Terrain(*np.full((3, 300, 300), 500, np.float32))
    road = lines(level, 1, np.random.default_rng(1), 0.3)
    # On level ground it bends as it likes; along all of it there is as much of it in the pixels around.
    along = uniform_filter(road, 5)[road > 0.5 * road.max()]
    assert along.size > 50
    assert along.std() < 0.25 * along.mean()
