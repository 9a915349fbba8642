import pytest
from shapely.geometry import MultiPolygon, box

from landslide_cli.mapping.changes import CHANGE_FIELDS, compare

SQUARE = box(0, 0, 100, 100)


def changes(before: list, after: list, hidden: list | None = None) -> list[str]:
    return [facts["change"] for _, facts in compare(before, after, hidden or [])]


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
def test_what_became_of_a_landslide(before: list, after: list, change: str) -> None:
    assert changes(before, after) == [change]


def test_outlines_that_only_touch_are_two_landslides() -> None:
    assert changes([SQUARE], [box(100, 0, 200, 100)]) == ["new", "gone"]


def test_several_may_become_one() -> None:
    parts = [box(0, 0, 40, 100), box(60, 0, 100, 100)]
    ((outline, facts),) = compare(parts, [SQUARE], [], (["a", "b"], ["c"]))
    assert (facts["change"], facts["id_before"], facts["id_after"]) == ("confirmed", "a, b", "c")
    assert facts["overlap"] == pytest.approx(0.8)
    assert outline == SQUARE
    assert list(facts) == list(CHANGE_FIELDS)


def test_what_the_second_map_does_not_show_is_not_gone() -> None:
    assert changes([SQUARE], [], [box(0, 0, 100, 60)]) == ["not seen again"]
    assert changes([SQUARE], [], [box(0, 0, 100, 40)]) == ["gone"]


def test_every_landslide_of_both_maps_is_told_of_once() -> None:
    before = [box(200 * n, 0, 200 * n + 100, 100) for n in range(30)]
    after = [MultiPolygon([box(200 * n + 10, 0, 200 * n + 90, 100)]) for n in range(10, 40)]
    found = compare(before, after, [])
    assert len(found) == 40
    named = [facts["id_before"] for _, facts in found if facts["id_before"]]
    assert sorted(map(int, named)) == list(range(1, 31))
