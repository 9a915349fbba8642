"""Prepares items in a background thread: while one step uses an item, the previous step makes the next."""

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def prefetch(source: Iterator[Item], depth: int = 1) -> Generator[Item, None, None]:
    """Yield the items of `source` in order; a thread makes them ahead of their use.

    An error of `source` is raised at the place of its item.

    Args:
        source: the items.
        depth: number of items made ahead at most.

    Yields:
        The items.
    """
    end = object()
    pool = ThreadPoolExecutor(1)
    pending: deque[Future[Item | object]] = deque(pool.submit(next, source, end) for _ in range(depth))
    try:
        while (item := pending.popleft().result()) is not end:
            pending.append(pool.submit(next, source, end))
            yield item  # type: ignore[misc]
    finally:
        pool.shutdown(cancel_futures=True)
