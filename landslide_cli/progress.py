"""How functions report their progress."""

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Called with the current step in words, and the share done, 0..1."""


def silent(_step: str, _share: float) -> None:
    """Ignore the progress."""
