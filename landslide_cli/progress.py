"""TODO."""

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Called with what is being done and the share done, 0..1."""


def silent(_step: str, _share: float) -> None:
    """Take progress and show nothing."""
