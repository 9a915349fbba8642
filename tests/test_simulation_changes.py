"""What changes without a landslide is told by its kind, and nothing else changes."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import (
    binary_dilation,
    binary_opening,
    distance_transform_edt,
    gaussian_filter,
    label,
    uniform_filter,
)
from scipy.spatial import ConvexHull

from landslide_cli.simulation.arrays import Flags
from landslide_cli.simulation.changes import blob, change_ground, dig, dug, lines
from landslide_cli.simulation.ground import CHANGED, Ground, bare_ground
from landslide_cli.simulation.nature import Change, Nature
from landslide_cli.simulation.parcels import Blocks, Compartments
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


def in_forest(terrain: Terrain, nature: Nature, seed: int, compartments: Compartments | None = None) -> Ground:
    """What changes where nothing but conifers grows."""
    ground = bare_ground(terrain, compartments)
    for shares in (ground.before, ground.after):
        shares[Material.CONIFER] = 1.0
    change_ground(ground, nature, np.random.default_rng(seed))
    return ground


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


def test_clear_cuts_lie_along_the_compartments_of_a_managed_forest(terrain: Terrain) -> None:
    blocks = Blocks(np.array([[0.0, 0.0]]), np.array([0.6]), np.array([[10.0, 20.0]]))
    of, tended = np.zeros((4, *SHAPE), np.intp), np.ones(1, bool)
    nature = Nature(changes={Change.CLEAR_CUT: 1.0})
    off = []
    for compartments in (None, Compartments(blocks, of, tended)):
        angles = []
        for seed in range(16):
            ground = in_forest(terrain, nature, seed, compartments)
            bare = gaussian_filter(ground.before[Material.CONIFER] - ground.after[Material.CONIFER], 1.0)
            down, right = np.gradient(bare)
            # Four times the angle: the sides of a rectangle, at right angles, all count alike.
            angles.append(np.angle(((right + 1j * down) ** 4).sum() * np.exp(-4j * 0.6)) / 4)
        off.append(np.abs(angles).mean())
    assert off[1] < 0.15 < off[0]


def test_ragged_clear_cuts_have_longer_edges(terrain: Terrain) -> None:
    edges: dict[float, list[float]] = {0.0: [], 0.4: []}
    for ragged, lengths in edges.items():
        nature = Nature(changes={Change.CLEAR_CUT: 1.0}, ragged=ragged)
        for seed in range(16):
            cut = make_surface(terrain, np.random.default_rng(seed), nature).changes == Change.CLEAR_CUT
            lengths.append((np.diff(cut, axis=0).sum() + np.diff(cut, axis=1).sum()) / np.sqrt(cut.sum()))
    assert np.mean(edges[0.4]) > 1.1 * np.mean(edges[0.0])


def test_clear_cuts_that_grow_lie_beside_older_ones_that_do_not_change(terrain: Terrain) -> None:
    bared, changed = [], []
    for growing in (0.0, 1.0):
        nature = Nature(changes={Change.CLEAR_CUT: 1.0}, growing=growing)
        surface = make_surface(terrain, np.random.default_rng(8), nature)
        bared.append(surface.before[Material.DEAD_WOOD].sum())
        changed.append((surface.changes == Change.CLEAR_CUT).sum())
        difference = 0.5 * np.abs(surface.after - surface.before).sum(axis=0)
        assert (difference[surface.changes == Change.CLEAR_CUT] > CHANGED).all()
        old = (surface.before[Material.DEAD_WOOD] > 0.2) & (surface.changes == 0)
        assert difference[old].max(initial=0.0) <= CHANGED
    assert bared[0] == 0.0 < bared[1]
    assert all(changed)


def test_strips_lie_side_by_side() -> None:
    level = Terrain(*np.full((3, 200, 200), 500, np.float32))
    cuts = []
    for strips in (0.0, 1.0):
        ground = in_forest(level, Nature(changes={Change.CLEAR_CUT: 1.0}, strips=strips), 5)
        cut = ground.changes == Change.CLEAR_CUT
        cuts.append((label(cut)[1], distance_transform_edt(cut).max()))
    (blocks, widest_block), (strips_seen, widest_strip) = cuts
    assert strips_seen > blocks
    assert widest_strip < widest_block


def test_smaller_cuts_lie_around_a_clear_cut_and_are_thinned_or_bare() -> None:
    level = Terrain(*np.full((3, 200, 200), 500, np.float32))
    felled = []
    for more_cuts in (0.0, 6.0):
        ground = in_forest(level, Nature(changes={Change.CLEAR_CUT: 1.0}, more_cuts=more_cuts), 5)
        felled.append(1.0 - ground.after[Material.CONIFER])
    alone, among = felled
    assert label(among > CHANGED)[1] > label(alone > CHANGED)[1]
    # Inside of an edge a clear-cut has one share.
    inside = [distance_transform_edt(share > CHANGED) > 2 for share in felled]
    assert np.ptp(alone[inside[0]]) < 0.1
    assert np.ptp(among[inside[1]]) > 0.4


def test_there_is_as_much_slash_on_felled_ground_as_nature_says(terrain: Terrain) -> None:
    dead = []
    for slash in ((0.0, 0.1), (0.8, 0.9)):
        ground = in_forest(terrain, Nature(changes={Change.CLEAR_CUT: 1.0}, slash=slash), 5)
        dead.append((ground.after[Material.DEAD_WOOD] / (1.0 - ground.after[Material.CONIFER] + 1e-6)).max())
    assert dead[0] < 0.1
    assert dead[1] > 0.4


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
        deepened += (after_m > before_m).any()
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


def test_earlier_clear_cuts_green_up() -> None:
    level = Terrain(*np.full((3, 200, 200), 500, np.float32))
    nature = Nature(changes={Change.CLEAR_CUT: 1.0}, growing=1.0, ragged=0.25)
    grass_before, grass_after = 0.0, 0.0
    for seed in range(4):
        ground = in_forest(level, nature, seed)
        old = ground.before[Material.CONIFER] < 0.3
        assert old.any()
        assert (ground.after[Material.GRASS] - ground.before[Material.GRASS])[old].mean() > 0.0
        grass_before += ground.before[Material.GRASS, old].mean()
        grass_after += ground.after[Material.GRASS, old].mean()
    assert grass_after > grass_before + 0.2


def test_a_road_is_as_wide_aslant_as_along_the_pixels() -> None:
    level = Terrain(*np.full((3, 300, 300), 500, np.float32))
    road = lines(level, 1, np.random.default_rng(1), 0.3)
    # On level ground it bends as it likes; along all of it there is as much of it in the pixels around.
    along = uniform_filter(road, 5)[road > 0.5 * road.max()]
    assert along.size > 50
    assert along.std() < 0.25 * along.mean()
