from math import inf

import numpy as np

from landslide_cli.training.objects import SIZE_CLASSES_M2, ObjectCounter

SHAPE = (60, 60)


def boxes(*places: tuple[int, int, int, int]) -> np.ndarray:
    drawn = np.zeros(SHAPE, bool)
    for top, left, height, width in places:
        drawn[top : top + height, left : left + width] = True
    return drawn


def count(truth: np.ndarray, mapped: np.ndarray, known: np.ndarray | None = None) -> ObjectCounter:
    counter = ObjectCounter(overlap=0.5, iou=0.3)
    counter.add(truth, mapped, np.ones(SHAPE, bool) if known is None else known, 100.0)
    return counter


def test_landslides_are_found_by_size_and_regions_beside_them_are_alarms() -> None:
    truth = boxes((2, 2, 2, 3), (10, 10, 10, 10), (30, 30, 20, 20))  # 600 m2, 10,000 m2, 40,000 m2
    mapped = boxes((2, 2, 2, 3), (30, 30, 20, 11), (55, 5, 3, 3))
    counter = count(truth, mapped)
    assert counter.landslides == {1_000: 1, 5_000: 0, 10_000: 1, 50_000: 1, inf: 0}
    assert counter.found == {1_000: 1, 5_000: 0, 10_000: 0, 50_000: 1, inf: 0}
    assert (counter.regions, counter.false_alarms) == (3, 1)


def test_a_share_below_the_bounds_does_not_find() -> None:
    truth = boxes((10, 10, 10, 10))
    assert sum(count(truth, boxes((10, 10, 10, 2))).found.values()) == 0
    # A third of it, and little else: the IoU decides.
    assert sum(count(truth, boxes((10, 10, 10, 4))).found.values()) == 1
    # Two fifths of it within a far larger region.
    assert sum(count(truth, boxes((10, 14, 20, 40)) & ~boxes((10, 18, 10, 10))).found.values()) == 0


def test_what_is_not_known_counts_neither_as_landslide_nor_as_alarm() -> None:
    everywhere = boxes((0, 0, *SHAPE))
    nothing = count(everywhere, everywhere, np.zeros(SHAPE, bool))
    assert (sum(nothing.landslides.values()), nothing.regions) == (0, 0)


def test_maps_add_up_and_every_size_has_a_class() -> None:
    counter = ObjectCounter(0.5, 0.3)
    truth = boxes((0, 0, 60, 60))
    for _ in range(2):
        counter.add(truth, truth, np.ones(SHAPE, bool), 100.0)
    assert counter.landslides[SIZE_CLASSES_M2[-1]] == counter.found[SIZE_CLASSES_M2[-1]] == 2
    assert counter.false_alarms == 0


def test_a_landslide_mapped_in_pieces_is_found_once() -> None:
    truth = boxes((10, 10, 10, 10))
    counter = count(truth, boxes((10, 10, 10, 3), (10, 15, 10, 3)))
    assert sum(counter.found.values()) == 1
    assert (counter.regions, counter.false_alarms) == (2, 0)
