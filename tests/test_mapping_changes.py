import numpy as np
import pytest
from shapely.geometry import MultiPolygon, box
from shapely.geometry.base import BaseGeometry

from landslide_cli.mapping.changes import CHANGE_FIELDS, Mapped, compare

CRS = "EPSG:32618"
SQUARE = box(0, 0, 100, 100)


def mapped(outlines: list[BaseGeometry], **options: object) -> Mapped:
    return Mapped(outlines, range(1, len(outlines) + 1), **options)  # type: ignore[arg-type]


def changes(
    before: list[BaseGeometry],
    after: list[BaseGeometry],
    *,
    hidden_before: list[BaseGeometry] | None = None,
    hidden: list[BaseGeometry] | None = None,
) -> list[str]:
    sides = mapped(before, hidden=hidden_before or []), mapped(after, hidden=hidden or [])
    return [facts["change"] for _, facts in compare(*sides, CRS)]


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ([SQUARE], [SQUARE], "confirmed"),
        ([], [SQUARE], "new"),
        ([box(500, 0, 600, 100)], [], "gone"),
        ([SQUARE], [box(0, 0, 100, 130)], "grown"),
        ([SQUARE], [box(0, 0, 100, 70)], "shrunk"),
        ([SQUARE], [box(20, 0, 120, 100)], "confirmed"),
    ],
)
def test_what_became_of_a_landslide(before: list[BaseGeometry], after: list[BaseGeometry], change: str) -> None:
    assert changes(before, after) == [change]


def test_outlines_that_only_touch_are_two_landslides() -> None:
    assert sorted(changes([SQUARE], [box(100, 0, 200, 100)])) == ["gone", "new"]


def test_several_may_become_one() -> None:
    parts = [box(0, 0, 40, 100), box(60, 0, 100, 100)]
    ((outline, facts),) = compare(Mapped(parts, ["a", "b"]), Mapped([SQUARE], ["c"]), CRS)
    assert (facts["change"], facts["id_before"], facts["id_after"]) == ("confirmed", "a, b", "c")
    assert facts["overlap"] == pytest.approx(0.8)
    assert outline == SQUARE
    assert list(facts) == list(CHANGE_FIELDS)


def test_what_the_second_map_does_not_show_is_not_gone() -> None:
    assert changes([SQUARE], [], hidden=[box(0, 0, 100, 60)]) == ["not seen again"]
    assert changes([SQUARE], [], hidden=[box(0, 0, 100, 40)]) == ["gone"]


def test_every_landslide_of_both_maps_is_told_of_once() -> None:
    before = [box(200 * n, 0, 200 * n + 100, 100) for n in range(30)]
    after = [MultiPolygon([box(200 * n + 10, 0, 200 * n + 90, 100)]) for n in range(10, 40)]
    found = compare(mapped(before), mapped(after), CRS)
    assert len(found) == 40
    named = [facts["id_before"] for _, facts in found if facts["id_before"]]
    assert sorted(map(int, named)) == list(range(1, 31))


def test_what_clouds_or_the_edge_of_the_area_hid_is_not_new() -> None:
    assert changes([], [SQUARE], hidden_before=[box(0, 0, 100, 60)]) == ["not seen before"]
    area = box(60, 0, 500, 500)
    ((_, facts),) = compare(mapped([], area=area), mapped([SQUARE]), CRS)
    assert facts["change"] == "not seen before"


def test_growth_is_judged_on_ground_that_both_maps_show() -> None:
    long = box(0, 0, 100, 300)
    assert changes([SQUARE], [long], hidden_before=[box(0, 100, 100, 300)]) == ["confirmed"]
    assert changes([SQUARE], [long], hidden_before=[box(0, 200, 100, 300)]) == ["grown"]


def test_a_landslide_in_two_parts_has_not_shrunk() -> None:
    ((_, facts),) = compare(mapped([SQUARE]), mapped([box(0, 0, 100, 48), box(0, 52, 100, 100)]), CRS)
    assert (facts["change"], facts["id_after"]) == ("confirmed", "1, 2")


def test_a_shift_by_a_pixel_is_no_growth() -> None:
    assert changes([box(0, 0, 20, 20)], [box(0, 0, 30, 20)]) == ["confirmed"]


def test_what_comes_near_the_threshold_is_doubtful() -> None:
    unsure = mapped([], doubt=lambda outlines: np.ones(len(outlines), bool))
    assert [facts["change"] for _, facts in compare(unsure, mapped([SQUARE]), CRS)] == ["doubtful before"]
    assert [facts["change"] for _, facts in compare(mapped([SQUARE]), unsure, CRS)] == ["doubtful now"]


def test_areas_are_on_the_ellipsoid() -> None:
    # On the central meridian the scale of UTM is 0.9996, so that areas on the ground are larger than on the map.
    there = box(500_000, 2_000_000, 500_100, 2_000_100)
    ((_, facts),) = compare(mapped([]), mapped([there]), CRS)
    assert facts["area_after_m2"] == pytest.approx(10_000 / 0.9996**2, abs=0.2)
