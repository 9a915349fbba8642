from datetime import UTC, date, datetime

import numpy as np
import pystac
import pytest
from shapely.geometry import box

from landslide_cli.errors import InputError, NoSceneError
from landslide_cli.geo.bands import SCL, Unseen
from landslide_cli.imagery.scenes import (
    Scene,
    best_pair,
    compose,
    composite_clear,
    named_scenes,
    overpasses,
    rank,
    rate,
    require_usable,
)

EVENT = datetime(2021, 8, 14, tzinfo=UTC)
DAYS = (date(2021, 5, 16), date(2021, 8, 13))


def granule(
    identifier: str, when: str, *, platform: str = "S2A", tile: str = "18QYF", processed: str = "03.01"
) -> pystac.Item:
    area = box(10, 45, 11, 46)
    properties = {"platform": platform, "s2:mgrs_tile": tile, "s2:processing_baseline": processed}
    moment = datetime.fromisoformat(when).replace(tzinfo=UTC)
    return pystac.Item(identifier, area.__geo_interface__, list(area.bounds), moment, properties)


def scene(day: int, covered: float = 1.0, cloud: float = 0.0, *, start: float = 0.0, **properties: object) -> Scene:
    """A scene of August 2021 that covers the left of the AOI and has its clouds from `start` on."""
    scl = np.full((10, 100), SCL.VEGETATION, np.uint8)
    scl[:, round(100 * start) : round(100 * (start + cloud))] = SCL.CLOUD_HIGH
    scl[:, round(100 * covered) :] = SCL.NODATA
    item = granule(f"d{day}", f"2021-08-{day:02}T15:00:00")
    item.properties |= properties
    return Scene((item,)).rated(rate(scl, np.ones(scl.shape, bool)))


def test_a_rating_counts_the_aoi_alone() -> None:
    scl = np.full((10, 10), SCL.VEGETATION, np.uint8)
    scl[:, :4] = SCL.NODATA
    scl[:5, 4:] = SCL.CLOUD_HIGH
    inside = np.zeros((10, 10), bool)
    inside[:, 2:6] = True
    rating = rate(scl, inside)
    assert rating.covered == pytest.approx(0.5)
    assert rating.hidden[Unseen.CLOUD] == pytest.approx(0.25)
    assert rating.clear_share == pytest.approx(0.25)


def test_granules_of_one_overpass_are_one_scene() -> None:
    scenes = overpasses(
        [
            granule("b", "2021-08-09T15:17:25", tile="18QYF"),
            granule("a", "2021-08-09T15:17:11", tile="19QBA"),
            granule("other satellite", "2021-08-09T15:20:00", platform="S2B"),
            granule("other day", "2021-08-04T15:17:11"),
        ]
    )
    assert [[g.id for g in s.granules] for s in scenes] == [["other day"], ["a", "b"], ["other satellite"]]
    assert scenes[1].datetime == datetime(2021, 8, 9, 15, 17, 11, tzinfo=UTC)


def test_of_a_granule_processed_twice_the_newer_stays() -> None:
    (only,) = overpasses(
        [
            granule("new", "2021-08-09T15:17:11", processed="05.00"),
            granule("old", "2021-08-09T15:17:11", processed="03.01"),
        ]
    )
    assert [g.id for g in only.granules] == ["new"]


def test_every_lost_point_is_accounted_for() -> None:
    partner = scene(19, **{"sat:relative_orbit": 125, "s2:mean_solar_zenith": 30, "s2:mean_solar_azimuth": 100})
    other = scene(4, 0.9, 0.2, **{"sat:relative_orbit": 25, "s2:mean_solar_zenith": 40, "s2:mean_solar_azimuth": 100})
    (ranked,) = rank([other], EVENT, partner)
    assert ranked.lost["outside the swath"] == pytest.approx(10)
    assert ranked.lost["cloud"] == pytest.approx(20)
    assert ranked.lost["days"] == pytest.approx(0.1 * 9.375)
    assert ranked.lost["orbit"] == 5
    assert ranked.lost["sun"] == pytest.approx(0.2 * 10)
    assert ranked.points == pytest.approx(sum(ranked.lost.values()))


def test_the_clearest_is_first_and_of_equals_the_nearest() -> None:
    scenes = [scene(1, 1.0, 0.1), scene(5), scene(9), scene(12, 0.5)]
    assert [r.scene.id for r in rank(scenes, EVENT)] == ["d9", "d5", "d1", "d12"]


def test_a_scene_that_does_not_cover_the_aoi_is_not_ranked() -> None:
    assert rank([scene(1, 0.0)], EVENT) == []


def test_a_pair_of_one_orbit_is_preferred_to_a_pair_a_little_nearer() -> None:
    pre = [scene(12, **{"sat:relative_orbit": 25}), scene(7, **{"sat:relative_orbit": 125})]
    post = [scene(17, **{"sat:relative_orbit": 125})]
    assert [s.id for s in best_pair(pre, post, EVENT)] == ["d7", "d17"]
    clouded = [scene(12, **{"sat:relative_orbit": 25}), scene(7, cloud=0.3, **{"sat:relative_orbit": 125})]
    assert [s.id for s in best_pair(clouded, post, EVENT)] == ["d12", "d17"]


def test_a_composite_takes_what_shows_something_new_and_nothing_else() -> None:
    first = scene(9, cloud=0.3)
    same_clouds = scene(8, cloud=0.32)
    complement = scene(1, cloud=0.5, start=0.4)
    ranked = rank([first, same_clouds, complement], EVENT)
    assert [s.id for s in compose(ranked)] == ["d9", "d1"]
    assert composite_clear(compose(ranked)) == 1
    assert [s.id for s in compose(rank([scene(9), scene(8)], EVENT))] == ["d9"]


def test_no_scene_at_all_is_said() -> None:
    with pytest.raises(
        NoSceneError, match=r"no pre scene covers the AOI between 2021-05-16 and 2021-08-13.*--pre-days"
    ):
        require_usable([], "pre", 40, DAYS)


def test_only_cloudy_scenes_say_how_cloudy_the_best_is() -> None:
    ranked = rank([scene(1, cloud=0.9), scene(2, cloud=0.63)], EVENT)
    with pytest.raises(
        NoSceneError, match=r"under 40 % cloud .*best of 2: 63 %, all together: 63 %.*--max-cloud"
    ) as caught:
        require_usable(ranked, "post", 40, DAYS)
    assert caught.value.exit_code == 3
    require_usable(ranked, "post", 63, DAYS)


def test_cloudy_scenes_that_complete_each_other_are_usable() -> None:
    require_usable(rank([scene(1, cloud=0.6), scene(2, cloud=0.5, start=0.5)], EVENT), "pre", 20, DAYS)


def test_scenes_are_named_by_any_of_their_granules() -> None:
    scenes = overpasses([granule("a", "2021-08-09T15:17:11", tile="19Q"), granule("b", "2021-08-09T15:17:25")])
    assert named_scenes(scenes, ["b", "a"], "pre") == scenes
    with pytest.raises(InputError, match=r"--pre-scene 'c' is not a pre scene.*available: "):
        named_scenes(scenes, ["c"], "pre")
