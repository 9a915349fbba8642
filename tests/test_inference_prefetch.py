import threading
from collections.abc import Iterator

import pytest

from landslide_cli.inference.prefetch import prefetch


def test_items_come_in_order_from_another_thread() -> None:
    threads = []

    def source() -> Iterator[int]:
        for number in range(100):
            threads.append(threading.get_ident())
            yield number

    assert list(prefetch(source())) == list(range(100))
    assert len(set(threads)) == 1
    assert threads[0] != threading.get_ident()


@pytest.mark.parametrize("depth", [1, 3])
def test_no_more_than_depth_items_are_made_ahead(depth: int) -> None:
    made = []

    def source() -> Iterator[int]:
        for number in range(50):
            made.append(number)
            yield number

    for used in prefetch(source(), depth):
        assert len(made) <= used + 1 + depth


def test_an_error_comes_where_its_item_would_have_come() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise RuntimeError("broken")

    items = prefetch(source(), 2)
    assert next(items) == 1
    with pytest.raises(RuntimeError, match="broken"):
        next(items)
    assert list(items) == []


def test_a_consumer_that_stops_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    items = prefetch(iter(range(10)))
    assert next(items) == 0
    items.close()
    assert threading.active_count() == before
