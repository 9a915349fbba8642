from datetime import UTC, datetime

import pystac
import pytest
from shapely.geometry import box

from landslide_cli.errors import NoSceneError
from landslide_cli.imagery.scenes import Scene, clearest, overpasses

EVENT = datetime(2021, 8, 14, tzinfo=UTC)
DAYS = ("2021-05-16", "2021-08-13")


def granule(
    identifier: str, when: str, *, platform: str = "S2A", tile: str = "18QYF", processed: str = "03.01"
) -> pystac.Item:
    area = box(10, 45, 11, 46)
    properties = {"platform": platform, "s2:mgrs_tile": tile, "s2:processing_baseline": processed}
    moment = datetime.fromisoformat(when).replace(tzinfo=UTC)
    return pystac.Item(identifier, area.__geo_interface__, list(area.bounds), moment, properties)


def scene(day: int, covered: float, cloud: float) -> Scene:
    return Scene((granule(f"d{day}", f"2021-08-{day:02}T15:00:00"),), covered, cloud)


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


def test_the_clearest_scene_is_chosen_and_of_equals_the_nearest() -> None:
    scenes = [scene(1, 1.0, 0.1), scene(5, 1.0, 0.02), scene(9, 1.0, 0.021), scene(12, 0.5, 0.0)]
    assert clearest(scenes, "pre", EVENT, 40, DAYS) is scenes[2]


def test_no_scene_at_all_is_said() -> None:
    with pytest.raises(
        NoSceneError, match=r"no pre scene covers the AOI between 2021-05-16 and 2021-08-13.*--pre-days"
    ):
        clearest([scene(1, 0.0, 0.0)], "pre", EVENT, 40, DAYS)


def test_only_cloudy_scenes_say_how_cloudy_the_best_is() -> None:
    with pytest.raises(NoSceneError, match=r"under 40 % cloud .*best of 2: 63 %.*--max-cloud") as caught:
        clearest([scene(1, 1.0, 0.9), scene(2, 0.5, 0.315)], "post", EVENT, 40, DAYS)
    assert caught.value.exit_code == 3
