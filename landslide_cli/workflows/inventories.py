"""List the published landslide inventories, and download one."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import urlsplit

import requests

from landslide_cli.errors import CatalogError, InputError
from landslide_cli.files import atomic
from landslide_cli.geo.vectors import is_polygon, read_layers
from landslide_cli.progress import Progress, silent
from landslide_cli.training.inventories import INVENTORIES, Inventory

MAX_BYTES: Final = 512 * 2**20
"""Every inventory is smaller. A larger file is something else."""

TIMEOUT_S: Final = 60
CHUNK_BYTES: Final = 2**18


@dataclass(frozen=True, slots=True)
class InventoryList:
    """The inventories of the paper."""

    inventories: tuple[Inventory, ...]


@dataclass(frozen=True, slots=True)
class FetchedInventory:
    """A file that was downloaded."""

    inventory: Inventory
    file: Path
    polygons: int
    """Polygons in the file; the paper's number is in `inventory`."""
    sha256: str
    verified: bool
    """Whether the checksum was known before and matches."""


def list_inventories() -> InventoryList:
    """Return the inventories that the paper's networks learned from."""
    return InventoryList(INVENTORIES)


def fetch_inventory(name: str, out: Path | None = None, progress: Progress = silent) -> FetchedInventory:
    """Download the inventory `name`.

    Args:
        name: name of the inventory.
        out: file to write; named after the inventory if None.
        progress: called with each step and the share done.

    Returns:
        The file and its checksum.

    Raises:
        InputError: no inventory has that name, it must be downloaded by hand, or the file exists.
        CatalogError: the file cannot be reached, is cut short, is too large, is not a vector file, or differs from
            the published one.
        OutputError: the file cannot be written.
    """
    inventory = next((known for known in INVENTORIES if known.name == name), None)
    if inventory is None:
        known = ", ".join(known.name for known in INVENTORIES)
        raise InputError(f"no inventory is named {name!r}; known: {known}")
    return download(inventory, out, progress)


def download(inventory: Inventory, out: Path | None = None, progress: Progress = silent) -> FetchedInventory:
    """Download an inventory; see `fetch_inventory`."""
    if inventory.download is None:
        raise InputError(
            f"no direct link to the inventory {inventory.name} is known; download it by hand, starting from "
            f"{inventory.source} and {inventory.citation[0]}, and give the file to `landslide prepare --inventory`"
        )
    out = out or Path(inventory.name + PurePosixPath(urlsplit(inventory.download).path).suffix)
    if out.exists():
        raise InputError(f"{out} exists already; use it as it is, remove it, or give another --out")
    with atomic(out) as temporary:
        sha256 = _stream(inventory.download, temporary, lambda done: progress(f"downloading {inventory.name}", done))
        if inventory.sha256 not in (None, sha256):
            raise CatalogError(
                f"{inventory.download} is not the published file: its SHA-256 is {sha256}, expected "
                f"{inventory.sha256}; look at {inventory.source}"
            )
        polygons = _count_polygons(temporary, inventory)
    return FetchedInventory(inventory, out, polygons, sha256, verified=inventory.sha256 is not None)


def _reason(error: requests.RequestException) -> str:
    """Return what went wrong, without class names of the library."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answers {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return f"no answer within {TIMEOUT_S} s"
    if isinstance(error, requests.ConnectionError):
        return "no connection to the server"
    return str(error)


def _stream(url: str, path: Path, progress: Callable[[float], None]) -> str:
    """Download `url` to `path` and return its SHA-256."""
    digest, received = hashlib.sha256(), 0
    try:
        # requests follows redirects to http and https only. A compressed answer would hide the length of the file.
        with requests.get(url, stream=True, timeout=TIMEOUT_S, headers={"Accept-Encoding": "identity"}) as answer:
            answer.raise_for_status()
            expected = int(answer.headers.get("Content-Length", 0))
            _check_size(url, expected)
            with path.open("wb") as file:
                for chunk in answer.iter_content(CHUNK_BYTES):
                    received += len(chunk)
                    _check_size(url, received)
                    digest.update(chunk)
                    file.write(chunk)
                    progress(received / expected if expected else 0)
    except requests.RequestException as error:
        raise CatalogError(f"{url} cannot be downloaded ({_reason(error)}); check the network and run again") from error
    # urllib3 before version 2 does not notice that an answer was cut short.
    if received < expected:
        raise CatalogError(f"{url} ended after {received} of {expected} bytes; run again")
    return digest.hexdigest()


def _check_size(url: str, size_bytes: int) -> None:
    if size_bytes > MAX_BYTES:
        raise CatalogError(f"{url} is larger than {MAX_BYTES >> 20} MiB, which no inventory is; download it by hand")


def _count_polygons(path: Path, inventory: Inventory) -> int:
    """Count the polygons of a downloaded file, to make sure that it is an inventory."""
    try:
        layers = read_layers(path, f"the file from {inventory.download}", f"look at {inventory.source} in a browser")
    except InputError as error:
        raise CatalogError(str(error)) from error
    return sum(is_polygon(feature) for layer in layers for feature in layer.features)
