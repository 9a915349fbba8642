"""Work in the background: while one step uses an item, the step before makes the next."""

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def prefetch(source: Iterator[Item], depth: int = 1) -> Generator[Item, None, None]:
    """Yield what `source` yields, in order, made in a thread of its own, at most `depth` items ahead of their use.

    An error of `source` is raised where its item would have come.
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
