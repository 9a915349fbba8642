"""How much GDAL has downloaded, which neither rasterio nor odc-stac tells."""

import ctypes
import json
from functools import cache
from typing import Any, Final

import rasterio._env

COUNTED: Final = {"CPL_VSIL_NETWORK_STATS_ENABLED": "YES"}
"""The option under which GDAL counts; it is read once, at the first access over the network."""


def downloaded_bytes() -> int | None:
    """Return what this process has downloaded through GDAL so far; none where the library keeps it to itself."""
    library = _gdal()
    if library is None:
        return None
    address = library.VSINetworkStatsGetAsSerializedJSON(None)
    try:
        text = ctypes.string_at(address) if address else b""
    finally:
        library.VSIFree(address)
    methods = json.loads(text or "{}").get("methods", {})
    return sum(int(method.get("downloaded_bytes", 0)) for method in methods.values())


@cache
def _gdal() -> Any:
    """Find GDAL among what rasterio is linked to; the loader of Windows does not look there."""
    try:
        library = ctypes.CDLL(rasterio._env.__file__)
        library.VSINetworkStatsGetAsSerializedJSON.restype = ctypes.c_void_p
        library.VSINetworkStatsGetAsSerializedJSON.argtypes = [ctypes.c_void_p]
        library.VSIFree.restype = None
        library.VSIFree.argtypes = [ctypes.c_void_p]
    except (OSError, AttributeError):
        return None
    return library
