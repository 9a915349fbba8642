"""Cuts look as foresters, wind and beetles leave them."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt, gaussian_filter, label
from simulated_forest import in_forest

from landslide_cli.simulation.ground import CHANGED
from landslide_cli.simulation.nature import Change, Nature
from landslide_cli.simulation.parcels import Blocks, Compartments
from landslide_cli.simulation.spectra import Material
from landslide_cli.simulation.surface import make_surface
from landslide_cli.simulation.terrain import Terrain, make_terrain

SHAPE = (240, 280)


@pytest.fixture(scope="module")
def terrain() -> Terrain:
    return make_terrain(SHAPE, np.random.default_rng(4))


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
