"""Shares are converted, changes marked, and the terrain of each date is as machines left it."""

import numpy as np

from landslide_cli.simulation.ground import bare_ground, convert
from landslide_cli.simulation.nature import Change
from landslide_cli.simulation.spectra import Material
from landslide_cli.simulation.terrain import Terrain

ELEVATION, RELIEF, RIVER = (np.full((6, 8), value, np.float32) for value in (500.0, 1000.0, 100.0))
FLAT = Terrain(ELEVATION, RELIEF, RIVER)


def test_converting_keeps_the_sum_and_takes_only_what_it_may() -> None:
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(len(Material)), (9, 7)).transpose(2, 0, 1).astype(np.float32)
    before = shares.copy()
    convert(shares, np.full((9, 7), 0.5, np.float32), {Material.CHAR: 0.6, Material.SOIL: 0.4}, (Material.GRASS,))
    assert np.allclose(shares.sum(axis=0), 1, atol=1e-5)
    assert np.allclose(shares[Material.GRASS], before[Material.GRASS] / 2)
    untouched = [m for m in Material if m not in (Material.GRASS, Material.CHAR, Material.SOIL)]
    assert np.array_equal(shares[untouched], before[untouched])


def test_what_changed_is_marked_and_unmarked_where_it_no_longer_differs() -> None:
    ground = bare_ground(FLAT)
    for shares in (ground.before, ground.after):
        shares[Material.GRASS] = 1
    ground.after[Material.GRASS, 1], ground.after[Material.SOIL, 1] = 0.5, 0.5
    ground.mark(Change.FIELD)
    earlier = ground.after - ground.before
    ground.after[Material.GRASS, 2], ground.after[Material.SOIL, 2] = 0.9, 0.1
    ground.after[Material.GRASS, 3], ground.after[Material.CHAR, 3] = 0.0, 1.0
    ground.mark(Change.FIRE, earlier)
    assert ground.changes[:, 0].tolist() == [0, Change.FIELD, 0, Change.FIRE, 0, 0]
    ground.before[:, 3] = ground.after[:, 3]
    ground.unmark_unchanged()
    assert ground.changes[:, 0].tolist() == [0, Change.FIELD, 0, 0, 0, 0]


def test_the_terrain_of_a_date_is_lower_by_what_was_dug() -> None:
    ground = bare_ground(FLAT)
    ground.dug_m[0][2, 3], ground.dug_m[1][2, 3] = 5, 12
    assert [float(ground.shaped(after=date).elevation_m[2, 3]) for date in (False, True)] == [495, 488]
    assert ground.terrain.elevation_m.min() == 500
