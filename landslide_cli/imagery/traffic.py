"""Reports how many bytes GDAL has downloaded, which neither rasterio nor odc-stac report."""

import ctypes
import json
from functools import cache
from typing import Any, Final

import rasterio._env

COUNTED: Final = {"CPL_VSIL_NETWORK_STATS_ENABLED": "YES"}
"""Option that makes GDAL count; GDAL reads it once, at its first network access."""


def downloaded_bytes() -> int | None:
    """Return the bytes that this process has downloaded through GDAL; None if the library does not report them."""
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
    """Find GDAL among the libraries that rasterio links; None on Windows, whose loader does not look there."""
    try:
        library = ctypes.CDLL(rasterio._env.__file__)
        library.VSINetworkStatsGetAsSerializedJSON.restype = ctypes.c_void_p
        library.VSINetworkStatsGetAsSerializedJSON.argtypes = [ctypes.c_void_p]
        library.VSIFree.restype = None
        library.VSIFree.argtypes = [ctypes.c_void_p]
    except (OSError, AttributeError):
        return None
    return library
