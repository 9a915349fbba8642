"""Searches STAC catalogs and interprets their items: band names, offsets, orbits and sun angles."""

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlparse

import planetary_computer
import pystac
import pystac_client
import requests
from planetary_computer.sas import get_token
from pystac_client.exceptions import APIError
from pystac_client.stac_api_io import StacApiIO
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry
from urllib3.util import Retry

from landslide_cli.errors import CatalogError, InputError
from landslide_cli.geo.bands import BAND_GSD_M, BANDS, BASELINE_OFFSET, COMMON_NAMES, REFLECTANCE_ONE

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Catalog:
    """A STAC API, or an item collection on disk."""

    name: str
    href: str
    """URL of the API, or path of the item collection."""
    images: tuple[str, ...] = ("sentinel-2-l2a", "sentinel-2-c1-l2a")
    """Collections of Sentinel-2 L2A scenes; those that the catalog lacks give no items."""
    elevation: tuple[str, ...] = ("alos-dem", "cop-dem-glo-30")
    """Collections of elevation tiles, the preferred one first."""

    @property
    def is_api(self) -> bool:
        """True if the catalog is searched over HTTP."""
        return urlparse(self.href).scheme in ("http", "https")


CATALOGS: Final[Mapping[str, Catalog]] = {
    catalog.name: catalog
    for catalog in (
        Catalog(
            "planetary-computer",
            "https://planetarycomputer.microsoft.com/api/stac/v1",
            images=("sentinel-2-l2a",),
        ),
        # The older collection of Earth Search declares offsets that its files do not have.
        Catalog(
            "earth-search",
            "https://earth-search.aws.element84.com/v1",
            images=("sentinel-2-c1-l2a",),
            elevation=("cop-dem-glo-30",),
        ),
        # Images are read over S3. They need the keys of a free account in AWS_ACCESS_KEY_ID and
        # AWS_SECRET_ACCESS_KEY; AWS_S3_ENDPOINT is eodata.dataspace.copernicus.eu.
        Catalog(
            "copernicus",
            "https://stac.dataspace.copernicus.eu/v1",
            images=("sentinel-2-l2a",),
            elevation=("cop-dem-glo-30-dged-cog",),
        ),
    )
}

_EARTH_SEARCH_NAMES: Final = {"B05": "rededge1", "B06": "rededge2", "B07": "rededge3"}
"""Asset keys of Earth Search that differ from the common names of the bands."""
ASSET_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    **{
        band: (band, _EARTH_SEARCH_NAMES.get(band, COMMON_NAMES[band]), f"{band}_{BAND_GSD_M[band]}m") for band in BANDS
    },
    "SCL": ("SCL", "scl", "SCL_20m"),
}
"""Asset keys under which catalogs list each band."""

ELEVATION_KEYS: Final = ("data", "elevation")

PAGE_ITEMS: Final = 100
"""Items per page of an answer."""

PATIENCE: Final = Retry(
    total=6,
    connect=2,
    backoff_factor=0.5,
    backoff_jitter=0.5,
    status_forcelist=(429, 500, 502, 503, 504),
    # Retry POST too: a search is a POST that changes nothing.
    allowed_methods=None,
)
"""Retries of each page when a catalog throttles or fails: about half a minute in all."""

SEARCHES: Final = 3
"""A search is started at most this many times if the answer of a page is cut off."""

_ORBIT: Final = re.compile(r"_R(\d{3})_")
_TIMEOUT_S: Final = 60
_STORAGE: Final = ".blob.core.windows.net"
_TOKEN_RETRIES: Final = 4
"""Retries of the token service: about ten seconds in all. Its client's own ten retries take twelve minutes."""


def find_catalogs(text: str) -> list[Catalog]:
    """Return the catalogs to search, in this order.

    Args:
        text: `auto` for all of `CATALOGS`, else see `find_catalog`.

    Returns:
        The catalogs.

    Raises:
        InputError: `text` is not a known name, a URL or a file.
    """
    return list(CATALOGS.values()) if text == "auto" else [find_catalog(text)]


def find_catalog(text: str) -> Catalog:
    """Return the catalog that `text` names.

    Args:
        text: a key of `CATALOGS`, the URL of a STAC API, or the path of a STAC item collection.

    Returns:
        The catalog.

    Raises:
        InputError: `text` is not a known name, a URL or a file.
    """
    if text in CATALOGS:
        return CATALOGS[text]
    if urlparse(text).scheme in ("http", "https"):
        return Catalog(text, text)
    if Path(text).is_file():
        return Catalog(text, str(Path(text).absolute()))
    raise InputError(
        f"catalog {text!r} is not a known name, a URL or a file; use auto, {', '.join(CATALOGS)}, the URL of a STAC "
        "API, or the path of a STAC item collection"
    )


def search(
    catalog: Catalog, collections: Sequence[str], area: BaseGeometry, days: tuple[date, date] | None = None
) -> list[pystac.Item]:
    """Search a catalog; its answer is filtered again here, because not every server applies all filters.

    Args:
        catalog: the catalog.
        collections: names of collections.
        area: items must intersect it (EPSG:4326).
        days: first and last day, both included; None for any time.

    Returns:
        The items, sorted by time.

    Raises:
        CatalogError: the catalog cannot be reached, or does not answer as a STAC API.
    """
    items = _ask(catalog, collections, area, days) if catalog.is_api else _read_file(catalog)
    start, end = _span(days) if days else (None, None)

    def wanted(item: pystac.Item) -> bool:
        if item.collection_id not in collections or item.geometry is None:
            return False
        if start and end and not (item.datetime and start <= _utc(item.datetime) <= end):
            return False
        return bool(shape(item.geometry).intersects(area))

    found = {item.id: item for item in items if wanted(item)}
    return sorted(found.values(), key=lambda item: (_utc(item.datetime or datetime.min), item.id))


def _ask(
    catalog: Catalog, collections: Sequence[str], area: BaseGeometry, days: tuple[date, date] | None
) -> list[pystac.Item]:
    for attempt in range(1, SEARCHES + 1):
        try:
            client = pystac_client.Client.open(
                catalog.href, stac_io=StacApiIO(max_retries=PATIENCE, timeout=_TIMEOUT_S)
            )
            answer = client.search(
                collections=list(collections),
                intersects=mapping(area),
                datetime=_span(days) if days else None,
                limit=PAGE_ITEMS,
            )
            return [_without_local_links(_item(feature)) for feature in answer.items_as_dicts()]
        except (APIError, requests.RequestException, pystac.STACError, ValueError, KeyError, OSError) as error:
            log.info("catalog %s failed (%s)", catalog.name, _first_line(error))
            answered = getattr(error, "status_code", None) is not None
            if answered or attempt == SEARCHES:
                raise CatalogError(
                    f"catalog {catalog.href} did not answer ({_first_line(error)}); check the network and the "
                    "address, try again later, or give another --catalog"
                ) from error
    raise AssertionError("the last attempt returns or raises")


def _read_file(catalog: Catalog) -> list[pystac.Item]:
    path = Path(catalog.href)
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        items = [_item(feature) for feature in raw["features"]]
    except (ValueError, KeyError, TypeError, OSError, pystac.STACError) as error:
        raise CatalogError(
            f"{path} is not a STAC item collection ({_first_line(error)}); "
            "expected a GeoJSON FeatureCollection of STAC items"
        ) from error
    for item in items:
        item.set_self_href(str(path.with_name(f"{path.name}#{item.id}")))
        for asset in item.assets.values():
            asset.href = asset.get_absolute_href() or asset.href
    return items


def sign(href: str) -> str:
    """Add a token to an href on the storage of Planetary Computer; return other hrefs unchanged."""
    url = urlparse(href)
    if url.hostname and url.hostname.endswith(_STORAGE):
        get_token(url.hostname.removesuffix(_STORAGE), url.path.split("/")[1], retry_total=_TOKEN_RETRIES)
    signed: str = planetary_computer.sign_url(href)
    return signed


def _item(feature: dict[str, Any]) -> pystac.Item:
    # Not migrated: migration to a newer STAC version warns about assets that it does not recognise.
    return pystac.Item.from_dict(feature, migrate=False)


def _without_local_links(item: pystac.Item) -> pystac.Item:
    """Drop assets that are not on the network: a catalog must not make this machine open its own files."""
    for key, asset in list(item.assets.items()):
        if urlparse(asset.href).scheme not in ("http", "https", "s3"):
            log.warning("item %s: asset %s is skipped, its link %r is not on the network", item.id, key, asset.href)
            del item.assets[key]
    return item


def asset_key(item: pystac.Item, band: str) -> str | None:
    """Return the asset key of `band` (or `SCL`) in `item`; None if the item lacks it."""
    return next((key for key in ASSET_KEYS[band] if key in item.assets), None)


def dn_offset(item: pystac.Item) -> int:
    """Return the offset to subtract from the digital numbers of an item, so that 10000 is reflectance 1.

    The offset that the item declares is used first, then its processing baseline. The date is never used: reprocessed
    old scenes have the offset too.

    Args:
        item: a Sentinel-2 L2A item.

    Returns:
        The offset in digital numbers.
    """
    if item.properties.get("earthsearch:boa_offset_applied"):
        return 0
    key = asset_key(item, "B04")
    declared = _declared_offset(item.assets[key].extra_fields) if key else None
    if declared is not None:
        return round(-declared * REFLECTANCE_ONE)
    return BASELINE_OFFSET if baseline(item) >= (4, 0) else 0


def _declared_offset(fields: Mapping[str, Any]) -> float | None:
    for source in (fields, *fields.get("raster:bands", ()), *fields.get("bands", ())):
        for key in ("raster:offset", "offset"):
            if key in source:
                return float(source[key])
    return None


def baseline(item: pystac.Item) -> tuple[int, int]:
    """Return the processing baseline, such as (5, 11); (0, 0) if the item does not state it."""
    text = str(item.properties.get("s2:processing_baseline") or item.properties.get("processing:version") or "")
    major, _, minor = text.partition(".")
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else (0, 0)


def relative_orbit(item: pystac.Item) -> int | None:
    """Return the relative orbit from the properties or the product name of the item; None if neither states it."""
    orbit = item.properties.get("sat:relative_orbit")
    match = _ORBIT.search(f"{item.id} {item.properties.get('s2:product_uri', '')}")
    return int(orbit) if orbit is not None else int(match[1]) if match else None


def sun_position(item: pystac.Item) -> tuple[float, float] | None:
    """Return elevation and azimuth of the sun in degrees; None if the item does not state them."""
    properties = item.properties
    azimuth = properties.get("view:sun_azimuth", properties.get("s2:mean_solar_azimuth"))
    elevation = properties.get("view:sun_elevation")
    if elevation is None and "s2:mean_solar_zenith" in properties:
        elevation = 90 - float(properties["s2:mean_solar_zenith"])
    return None if elevation is None or azimuth is None else (float(elevation), float(azimuth))


def _span(days: tuple[date, date]) -> tuple[datetime, datetime]:
    return datetime.combine(days[0], time.min, UTC), datetime.combine(days[1], time.max, UTC)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
