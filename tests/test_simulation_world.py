import numpy as np
import pytest
from scipy.ndimage import label, mean

from landslide_cli.simulation.nature import DRIFT, RESTLESS, Nature
from landslide_cli.simulation.spectra import FRESH, ROUGHNESS, Material
from landslide_cli.simulation.surface import make_surface
from landslide_cli.simulation.terrain import make_terrain
from landslide_cli.simulation.world import CROWNS, World, make_world


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(make_terrain((330, 400), np.random.default_rng(5)), np.random.default_rng(8))


@pytest.fixture(scope="module")
def varied(world: World) -> World:
    """The same ground, not as plain."""
    return make_world(world.terrain, np.random.default_rng(9), Nature(changes={}))


def test_shares_add_up_to_one(world: World) -> None:
    for shares in (world.before, world.after):
        assert shares.shape == (len(Material), 330, 400)
        assert shares.dtype == np.float32
        assert shares.min() >= -1e-6
        assert shares.sum(axis=0) == pytest.approx(1.0, abs=1e-4)


def test_fresh_soil_comes_with_the_event_only_in_the_scars(world: World) -> None:
    gained = (world.after - world.before)[list(FRESH)].sum(axis=0)
    assert gained[world.truth == 1].mean() > 0.4
    assert gained[world.scars.cover == 0].max() < 1e-5


def test_old_scars_are_no_truth() -> None:
    on_old = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        world = make_world(make_terrain((300, 340), rng), rng)
        on_old.append(world.truth[world.before[list(FRESH)].sum(axis=0) > 0.3])
        assert on_old[-1].size
    # Over several worlds: a new landslide may run over an old one.
    assert np.concatenate(on_old).mean() < 0.05


def test_the_river_is_water_and_the_hills_are_not(world: World) -> None:
    water = world.before[Material.WATER]
    assert water[world.terrain.river_m < 5].mean() > 0.8
    assert water[world.terrain.river_m > 200].max() < 0.01


def test_houses_and_trees_stand_above_the_ground(world: World) -> None:
    height_m = world.standing_m(world.before)
    roof, trees = world.before[Material.ROOF], world.before[[Material.BROADLEAF, Material.CONIFER]].sum(axis=0)
    assert (height_m[roof > 0.5] > 3).all()
    assert height_m[trees > 0.95].min() > 0.9 * world.nature.canopy_m
    assert not height_m[(roof == 0) & (trees == 0)].any()


def test_some_ground_changes_without_a_landslide(world: World) -> None:
    changed = np.abs(world.after - world.before).sum(axis=0) > 0.5
    innocent = changed & (world.scars.cover == 0)
    assert 0.001 < innocent.mean() < 0.1


def test_the_ground_is_smooth_in_one_place_and_coarse_in_another(world: World) -> None:
    assert (world.coarseness == 1).all()
    uneven = make_world(world.terrain, np.random.default_rng(8), Nature(unevenness=0.5))
    grain = np.log(uneven.brightness)[:, 1:] - np.log(uneven.brightness)[:, :-1]
    smooth = uneven.coarseness[:, 1:] < 0.5
    coarse = uneven.coarseness[:, 1:] > 1.2
    assert min(smooth.mean(), coarse.mean()) > 0.1
    assert grain[coarse].std() > 2 * grain[smooth].std()
    # On the whole there is as much as on even ground.
    assert np.mean(uneven.coarseness**2) == pytest.approx(1, abs=0.25)


def test_what_is_new_on_the_ground_has_a_grain_of_its_own(varied: World) -> None:
    fresh = 1.0 + varied.scars.cover * (varied.scars.brightness - 1.0)
    before, after = np.log(varied.brightness), np.log(varied.brightness_after / fresh)
    new = 0.5 * np.abs(varied.after - varied.before).sum(axis=0)
    scars = new > 0.95
    assert scars.sum() > 200
    assert np.array_equal(before[new == 0], after[new == 0])
    assert abs(np.corrcoef(before[scars], after[scars])[0, 1]) < 0.2
    # There is as much of it as the new material has, not as forest has.
    assert after[scars].std() == pytest.approx(0.955 * ROUGHNESS[list(FRESH)].mean(), rel=0.35)


def test_a_thinner_forest_is_as_high_and_ground_with_few_trees_is_not(varied: World) -> None:
    height_m = {}
    for share in (0.05, 0.7, 1.0):
        shares = np.zeros_like(varied.before)
        shares[Material.CONIFER], shares[Material.GRASS] = share, 1.0 - share
        height_m[share] = varied.standing_m(shares)
    assert np.array_equal(height_m[0.7], height_m[1.0])
    assert height_m[1.0].min() > 0
    assert not height_m[0.05].any()


def test_each_date_has_a_part_of_the_grain_for_itself(world: World, varied: World) -> None:
    restless = make_world(world.terrain, np.random.default_rng(9), Nature(changes={}, drift=0.4 * DRIFT[1] / RESTLESS))
    assert np.log(restless.brightness).var() == pytest.approx(0.6 * np.log(varied.brightness).var(), rel=0.01)
    dates = [
        np.log(restless.brightness * restless.passing_brightness(restless.before, np.random.default_rng(seed)))
        for seed in (1, 2)
    ]
    forest = restless.before[[Material.BROADLEAF, Material.CONIFER]].sum(axis=0) > 0.95
    assert forest.sum() > 1000
    assert np.corrcoef(dates[0][forest], dates[1][forest])[0, 1] == pytest.approx(0.6, abs=0.1)
    # All in all there is as much of it as where all lasts.
    assert dates[0][forest].std() == pytest.approx(np.log(varied.brightness)[forest].std(), rel=0.1)


def test_a_stand_hangs_together(varied: World) -> None:
    stands = np.unique(varied.stands)
    pieces = sum(label(varied.stands == stand)[1] for stand in stands)
    assert pieces < 4 * len(stands)


def test_stands_are_the_compartments_where_these_are_tended() -> None:
    terrain = make_terrain((200, 240), np.random.default_rng(4))
    nature = Nature(changes={}, managed=0.3)
    surface = make_surface(terrain, np.random.default_rng(4), nature)
    stands = make_world(terrain, np.random.default_rng(4), nature).stands
    assert surface.compartments
    of, tended = surface.compartments.of[0], surface.compartments.tended
    assert 0 < tended.sum() < tended.size
    for compartment in np.unique(of[tended[of]])[::20]:
        inside = of == compartment
        assert len(np.unique(stands[inside])) == 1
        assert not (stands[~inside] == stands[inside][0]).any()


def test_trees_of_a_stand_are_of_one_age(world: World, varied: World) -> None:
    assert (world.growth == 1).all()
    stands, stand = np.unique(varied.stands, return_inverse=True)
    ages = mean(varied.growth, varied.stands, stands)
    assert ages.std() > 0.1
    assert np.ptp(ages) < 1.0
    within = varied.growth - ages[stand.reshape(varied.stands.shape)]
    assert within.std() < 0.5 * ages.std()
    assert within.std() == pytest.approx(CROWNS, rel=0.2)


def test_trees_end_at_a_line_and_not_at_the_border_of_a_pixel(world: World) -> None:
    rows, columns = np.indices(world.terrain.shape)
    # An edge that runs aslant: part of the pixels on it is forest.
    share = np.clip(0.5 + (columns - 200 - 0.3 * (rows - 165)) / 1.4, 0.0, 1.0).astype(np.float32)
    shares = np.zeros_like(world.before)
    shares[Material.CONIFER], shares[Material.GRASS] = share, 1.0 - share
    coarse, fine = world.standing_m(shares), world.standing_m(shares, 2)
    assert fine.shape == (660, 800)
    off = []
    for height_m, finer in ((coarse, 1), (fine, 2)):
        # Where it starts to be high, row by row, in pixels of 10 m, against a straight line.
        starts = (height_m > 0.5 * world.nature.canopy_m).argmax(axis=1) / finer
        line = np.polyfit(np.arange(starts.size), starts, 1)
        off.append((starts - np.polyval(line, np.arange(starts.size))).std())
    assert off[1] < 0.6 * off[0]


def test_the_grain_is_as_strong_as_nature_says(world: World, varied: World) -> None:
    rough = make_world(world.terrain, np.random.default_rng(9), Nature(changes={}, grain=1.5))
    assert np.log(rough.brightness) == pytest.approx(1.5 * np.log(varied.brightness), abs=1e-3)
