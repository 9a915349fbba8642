"""Landslide maps from Sentinel-2 images before and after an event.

The functions of the API are loaded when they are first used, so that the import itself is instant.
"""

from typing import TYPE_CHECKING, Any

from landslide_cli.version import __version__

if TYPE_CHECKING:
    from landslide_cli.api import Event, compare, fetch, map_event, predict, predict_arrays, scenes, vectorize

__all__ = ["Event", "__version__", "compare", "fetch", "map_event", "predict", "predict_arrays", "scenes", "vectorize"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from landslide_cli import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
