from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from landslide_cli.geo.bands import BANDS, SCL
from landslide_cli.simulation.render import Acquisition, relative_sunlight, render, rim_shade, sun_position
from landslide_cli.simulation.spectra import Material
from landslide_cli.simulation.terrain import Terrain, make_terrain
from landslide_cli.simulation.world import World, make_world

BEFORE = Acquisition(
    when=datetime(2021, 8, 9, 15, 18),
    platform="S2A",
    baseline="03.01",
    after_event=False,
    cloud_share=0.02,
    sun_zenith_deg=30.0,
    sun_azimuth_deg=100.0,
)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(make_terrain((330, 400), np.random.default_rng(5)), np.random.default_rng(8))


def test_reflectance_and_codes(world: World) -> None:
    scene = render(world, BEFORE, np.random.default_rng(0))
    assert scene.reflectance.shape == (len(BANDS), 330, 400)
    assert scene.reflectance.dtype == np.float32
    assert scene.reflectance.min() >= 0
    assert scene.scl.dtype == np.uint8
    assert SCL.NODATA not in scene.scl
    again = render(world, BEFORE, np.random.default_rng(0))
    assert np.array_equal(scene.reflectance, again.reflectance)


def test_landslides_raise_red_and_lower_infrared_in_forest(world: World) -> None:
    before = render(world, BEFORE, np.random.default_rng(1))
    after = render(world, replace(BEFORE, after_event=True), np.random.default_rng(2))
    clear = ~np.isin([before.scl, after.scl], (SCL.CLOUD_SHADOW, SCL.CLOUD_MEDIUM, SCL.CLOUD_HIGH)).any(axis=0)
    forest = world.before[[Material.BROADLEAF, Material.CONIFER]].sum(axis=0) > 0.8
    slid = clear & forest & (world.scars.cover > 0.9)
    stayed = clear & forest & (world.scars.cover == 0)
    assert slid.sum() > 20
    change = after.reflectance - before.reflectance
    red, swir = change[BANDS.index("B04")], change[BANDS.index("B12")]
    assert np.median(red[slid]) > 0.05
    assert abs(np.median(red[stayed])) < 0.02
    assert np.median(swir[slid]) > 0.05


def test_only_images_before_the_event_are_out_of_place(world: World) -> None:
    off = replace(world, nature=replace(world.nature, misregistration_px=1.0))
    for after_event in (False, True):
        acquisition = replace(BEFORE, after_event=after_event)
        still, moved = (render(each, acquisition, np.random.default_rng(3)).reflectance for each in (world, off))
        # Noise is drawn after the shift, so that only a scene in place can be the same.
        assert np.array_equal(still, moved) == after_event


def test_an_image_out_of_place_is_as_sharp_as_one_in_place(world: World) -> None:
    off = replace(world, nature=replace(world.nature, misregistration_px=1.0))
    for seed in range(4):
        scenes = (render(each, BEFORE, np.random.default_rng(seed)).reflectance[3] for each in (world, off))
        in_place, moved = (np.hypot(np.diff(scene, axis=0)[:, 1:], np.diff(scene)[1:]).mean() for scene in scenes)
        assert moved == pytest.approx(in_place, rel=0.03)


def test_neighbours_share_some_of_the_noise_of_an_image(world: World) -> None:
    scenes = []
    for noise in (0.0, 0.004):
        nature = replace(world.nature, noise=noise)
        scenes.append(render(replace(world, nature=nature), BEFORE, np.random.default_rng(3)).reflectance)
    added = (scenes[1] - scenes[0])[:, scenes[0].min(axis=0) > 0.02]
    assert added.std() == pytest.approx(0.004, rel=0.05)
    added = (scenes[1] - scenes[0])[7]
    beside, beyond = (np.corrcoef(added[:, :-away].ravel(), added[:, away:].ravel())[0, 1] for away in (1, 3))
    assert 0.2 < beside < 0.5
    assert abs(beyond) < 0.03


def test_each_image_shows_the_ground_as_it_lay_then(world: World) -> None:
    pit_m = np.zeros_like(world.terrain.elevation_m)
    pit_m[100:120, 100:120] = 15.0
    dug = replace(world, terrain_after=replace(world.terrain, elevation_m=world.terrain.elevation_m - pit_m))
    for after_event in (False, True):
        acquisition = replace(BEFORE, after_event=after_event)
        plain, scene = (render(each, acquisition, np.random.default_rng(3)).reflectance[3] for each in (world, dug))
        rows, columns = np.nonzero(plain != scene)
        assert rows.any() == after_event
        # The faces at its edges are lit otherwise, far from it nothing is.
        assert all(90 < place < 130 for place in (*rows, *columns))


def test_the_sun_stands_where_almanacs_say() -> None:
    zenith, azimuth = sun_position(datetime(2021, 6, 21, 12, 0), 50.0, 0.0)
    assert zenith == pytest.approx(50.0 - 23.44, abs=1.0)
    assert azimuth == pytest.approx(180.0, abs=3.0)
    _, morning = sun_position(datetime(2021, 12, 21, 9, 0), 50.0, 0.0)
    assert 120 < morning < 160


def test_slopes_towards_the_sun_are_brighter() -> None:
    _, columns = np.mgrid[:20, :30].astype(np.float32)
    falls_east = Terrain(-3.0 * columns, columns, columns)
    assert (relative_sunlight(falls_east, 40.0, 90.0) > 1.1).all()
    assert (relative_sunlight(falls_east, 40.0, 270.0) < 0.9).all()
    flat = Terrain(0.0 * columns, columns, columns)
    assert relative_sunlight(flat, 40.0, 90.0) == pytest.approx(1.0)


def test_trees_shade_the_clearing_on_the_side_away_from_the_sun() -> None:
    canopy_m = np.full((60, 60), 20.0, np.float32)
    canopy_m[20:40, 20:40] = 0.0
    # At 45 degrees a tree's shadow is as long as it is high: two pixels.
    sides = {
        90.0: np.s_[20:40, 38:40],
        180.0: np.s_[38:40, 20:40],
        270.0: np.s_[20:40, 20:22],
        0.0: np.s_[20:22, 20:40],
    }
    for azimuth_deg, shaded in sides.items():
        shade = rim_shade(canopy_m, 45.0, azimuth_deg)
        assert shade[shaded] == pytest.approx(1.0, abs=0.01)
        assert shade.sum() == pytest.approx(40, abs=1)
    assert rim_shade(canopy_m, 63.43, 90.0).sum() == pytest.approx(80, abs=1)
    assert not rim_shade(np.full((20, 20), 15.0, np.float32), 60.0, 10.0).any()


def test_a_rim_of_shade_is_as_wide_on_a_finer_grid() -> None:
    shaded = []
    for finer in (1, 2):
        canopy_m = np.full((60 * finer, 60 * finer), 20.0, np.float32)
        canopy_m[20 * finer : 40 * finer, 20 * finer : 40 * finer] = 0.0
        shaded.append(rim_shade(canopy_m, 45.0, 120.0, 10.0 / finer).sum() / finer**2)
    assert shaded[0] == pytest.approx(shaded[1], rel=0.1)


def test_light_comes_through_the_trees_at_the_edge_of_a_forest(world: World) -> None:
    shares = np.zeros_like(world.before)
    shares[Material.GRASS] = 1.0
    shares[Material.GRASS, :, :200], shares[Material.CONIFER, :, :200] = 0.0, 1.0
    flat = replace(world.terrain, elevation_m=np.zeros_like(world.terrain.elevation_m))
    nature = replace(world.nature, shadows=True, canopy_m=25.0, haze=(0.0, 0.0))
    edge = replace(world, before=shares, terrain=flat, nature=nature, brightness=np.ones_like(world.brightness))
    # The sun in the west: grass in the first pixels east of the trees is shaded.
    infrared = render(
        edge, replace(BEFORE, sun_zenith_deg=45.0, sun_azimuth_deg=270.0, cloud_share=0.0), np.random.default_rng(1)
    ).reflectance[BANDS.index("B08")]
    rim, open_land = infrared[:, 200], np.median(infrared[:, 250])
    assert np.median(rim) < 0.6 * open_land
    # Nowhere is it night, and not everywhere as dark.
    assert rim.min() > 0.1 * open_land
    assert rim.std() > 0.05 * open_land


def test_what_is_left_of_the_haze_changes_blue_far_more_than_infrared(world: World) -> None:
    left = replace(world, nature=replace(world.nature, left_haze=0.0075))
    changes = []
    for seed in range(8):
        scenes = [render(each, BEFORE, np.random.default_rng(seed)).reflectance for each in (world, left)]
        forest = world.before[Material.CONIFER] > 0.8
        assert forest.sum() > 200
        changes.append(
            [np.median(np.log(np.maximum(b, 1e-4) / np.maximum(a, 1e-4))[forest]) for a, b in zip(*scenes, strict=True)]
        )
    blue, infrared = np.std(changes, axis=0)[[BANDS.index("B02"), BANDS.index("B08")]]
    assert blue > 0.05
    assert blue > 5 * infrared
