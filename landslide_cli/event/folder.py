"""The event folder: the files of an event and `event.json`, a STAC Item that lists them and records their origin."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from shapely import box, set_precision
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from landslide_cli.errors import InputError, needs_extra
from landslide_cli.event.dates import now
from landslide_cli.event.placing import ITEM, VERSIONS, asset_files, current_file, current_record, put_in_place
from landslide_cli.event.products import FETCHED, PREDICTED, PRODUCTS, VECTORIZED, Product
from landslide_cli.event.records import (
    STEPS,
    FetchRecord,
    PredictRecord,
    SceneRecord,
    VectorizeRecord,
    check_item,
    read_step,
)
from landslide_cli.event.stac import STAC_VERSION, WGS84, described, raster_fields
from landslide_cli.files import atomic
from landslide_cli.geo.bands import GSD_M
from landslide_cli.version import __version__

if TYPE_CHECKING:
    import geopandas
    import xarray

_VERSION_EXTENSION = "https://stac-extensions.github.io/version/v1.2.0/schema.json"
_GEOGRAPHIC = ("application/geo+json", "application/flatgeobuf", "application/vnd.google-earth.kml+xml", "text/csv")
"""Formats that are written in WGS 84."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event folder that `fetch` has completed."""

    folder: Path
    item: Mapping[str, Any]
    """The STAC Item of `event.json`."""

    @classmethod
    def open(cls, folder: str | PathLike[str]) -> "Event":
        """Read the event in `folder`; nothing is written.

        If a kill interrupted an update at its last step, the result is the new version, read from both of its places.

        Args:
            folder: the event folder.

        Returns:
            The event.

        Raises:
            InputError: the folder does not hold a complete event, or its record is damaged.
        """
        folder = Path(folder)
        path = current_record(folder)
        if not folder.is_dir():
            raise InputError(f"{folder} is not an event folder: no such folder; make one with `landslide fetch`")
        if not path.exists():
            raise InputError(
                f"{folder} holds no {ITEM}: it is not an event folder, or its fetch did not end; "
                "run `landslide fetch` with this folder as --out"
            )
        try:
            item = json.loads(path.read_text(encoding="utf-8"))
            check_item(item)
            event = cls(folder, item)
            bands, aoi = event.bands, event.aoi
            for kind in (FetchRecord, PredictRecord, VectorizeRecord):
                read_step(item, kind)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path} is not the record of an event ({error}); fetch the event again") from error
        needed = [key for key in FETCHED if key != "terrain" or key in item["assets"]]
        missing = [path for key in needed if not (path := event.path(key)).exists()]
        if missing or not bands or aoi.is_empty:
            raise InputError(f"{folder} lacks {', '.join(p.name for p in missing)}; fetch the event again")
        return event

    def path(self, product: str) -> Path:
        """Return the path of `product` (a key of `PRODUCTS`), even if the file does not exist yet."""
        return current_file(self.folder, PRODUCTS[product].file)

    def has(self, product: str) -> bool:
        """Return whether the record lists `product` and the file exists."""
        return product in self.item["assets"] and self.path(product).exists()

    @property
    def properties(self) -> Mapping[str, Any]:
        """The properties of the STAC Item."""
        properties: Mapping[str, Any] = self.item["properties"]
        return properties

    @property
    def aoi(self) -> BaseGeometry:
        """The area of interest, EPSG:4326."""
        return shape(self.item["geometry"])

    @property
    def bands(self) -> tuple[str, ...]:
        """The channels of `pre.tif` and `post.tif`."""
        return tuple(self.properties["landslide:bands"])

    @property
    def crs(self) -> str:
        """Authority code of the grid's CRS, such as `EPSG:32618`."""
        return str(self.properties["proj:code"])

    @property
    def shape_px(self) -> tuple[int, int]:
        """Height and width of the grid."""
        height, width = self.properties["proj:shape"]
        return int(height), int(width)

    @property
    def event_date(self) -> str:
        """ISO date of the event."""
        return str(self.properties["landslide:event_date"])

    @property
    def scenes(self) -> list[SceneRecord]:
        """The images used: side, id, datetime and more."""
        return list(self.properties["landslide:scenes"])

    @property
    def version(self) -> int:
        """The number of this version of the map, from 1."""
        return int(self.properties.get("version", 1))

    @property
    def predecessor(self) -> Path | None:
        """The folder of the previous version; None if there is none, or if it is no longer kept."""
        links = [link["href"] for link in self.item["links"] if link["rel"] == "predecessor-version"]
        folder = (self.folder / links[0]).parent if links else None
        return folder if folder and (folder / ITEM).exists() else None

    def raster(self, product: str) -> "xarray.DataArray":
        """Read a raster of the event into memory.

        Args:
            product: `pre`, `post`, `terrain`, `clear`, `sources` or `probability`.

        Returns:
            (band, y, x) array; `band` holds the names, `y` and `x` are in the CRS of the event, which the accessor
            `.odc` knows. Values are those of the file.

        Raises:
            InputError: the event does not have this raster.
        """
        import rasterio
        import xarray
        from odc.geo.geobox import GeoBox
        from odc.geo.xr import xr_coords

        if product not in PRODUCTS or PRODUCTS[product].raster is None or not self.has(product):
            rasters = ", ".join(key for key, known in PRODUCTS.items() if known.raster and self.has(key))
            raise InputError(f"{self.folder} has no raster {product!r}; it has {rasters}")
        with rasterio.open(self.path(product)) as source:
            names = [name or str(number) for number, name in enumerate(source.descriptions, 1)]
            coordinates = {"band": names, **xr_coords(GeoBox.from_rio(source))}
            attributes = {} if source.nodata is None else {"nodata": source.nodata}
            return xarray.DataArray(
                source.read(), coords=coordinates, dims=("band", "y", "x"), name=product, attrs=attributes
            )

    def layer(self, name: str = "landslides") -> "geopandas.GeoDataFrame":
        """Read a layer of the event's map.

        Args:
            name: `landslides`, `not_analysed`, `aoi`, `scenes` or, if there is an earlier version, `changes`.

        Returns:
            The features, in the CRS of the event.

        Raises:
            InputError: the event has no map or no such layer, or geopandas is not installed.
        """
        try:
            import geopandas
            import pyogrio
        except ModuleNotFoundError as error:
            raise InputError(needs_extra("a layer as GeoDataFrame", str(error.name), "notebook")) from error
        if not self.has("geopackage"):
            raise InputError(f"{self.folder} has no landslides; run `landslide vectorize {self.folder}` first")
        layers = [known for known, kind in pyogrio.list_layers(self.path("geopackage")).tolist() if kind]
        if name not in layers:
            raise InputError(f"{self.folder} has no layer {name!r}; it has {', '.join(layers)}")
        return geopandas.read_file(self.path("geopackage"), layer=name)

    def files(self) -> list[Path]:
        """Return the files that the record lists and that exist, relative to the folder."""
        return asset_files(self.folder, self.item)

    def after(self, version: int) -> "Event":
        """Return the event as the version after `version` (0: the first version); nothing is written."""
        links = [link for link in self.item["links"] if link["rel"] != "predecessor-version"]
        if version:
            links.append(_link("predecessor-version", f"./{VERSIONS}/{version}/{ITEM}", version))
        return Event(self.folder, {**self.item, **_numbered(self.item, version + 1), "links": links})

    def kept(self, folder: Path) -> "Event":
        """Return the event as an earlier version that is kept in `folder`; nothing is written."""
        links = [link for link in self.item["links"] if link["rel"] != "predecessor-version"]
        links.append({"rel": "latest-version", "href": f"../../{ITEM}", "type": "application/geo+json"})
        if self.version > 1:
            links.append(_link("predecessor-version", f"../{self.version - 1}/{ITEM}", self.version - 1))
        identifier = f"{self.item['id']}-v{self.version}"
        return Event(folder, {**self.item, **_numbered(self.item, self.version), "id": identifier, "links": links})

    def dates(self, side: str) -> str | None:
        """Return the acquisition date (ISO) of the `pre` or `post` side; `first/last` if there are several dates."""
        days = sorted({s["datetime"][:10] for s in self.scenes if s["side"] == side and s["datetime"]})
        return "/".join(dict.fromkeys((days[0], days[-1]))) if days else None

    @property
    def fetched(self) -> FetchRecord:
        """The record of `fetch`.

        Raises:
            InputError: there is no record of `fetch`.
        """
        if (record := read_step(self.item, FetchRecord)) is None:
            raise InputError(f"{self.folder / ITEM} does not record how the event was fetched; fetch the event again")
        return record

    @property
    def predicted(self) -> PredictRecord | None:
        """The record of `predict`; None if it did not run."""
        return read_step(self.item, PredictRecord)

    @property
    def vectorized(self) -> VectorizeRecord | None:
        """The record of `vectorize`; None if it did not run."""
        return read_step(self.item, VectorizeRecord)

    @property
    def mapped(self) -> tuple[PredictRecord, VectorizeRecord]:
        """The records of `predict` and `vectorize` of an event with a map.

        Raises:
            InputError: one of them did not run.
        """
        predicted, vectorized = self.predicted, self.vectorized
        if predicted is None or vectorized is None or not self.has("landslides"):
            raise InputError(f"{self.folder} has no landslides; run `landslide vectorize {self.folder}` first")
        return predicted, vectorized

    def record(
        self,
        step: FetchRecord | PredictRecord | VectorizeRecord,
        products: tuple[str, ...],
        others: Mapping[str, Product] = MappingProxyType({}),
    ) -> "Event":
        """Write into `event.json` what a step made.

        Products that are out of date are removed from the record and from the disk. These are the products of later
        steps, and the products of this step that it has not made again.

        Args:
            step: the record of the step.
            products: keys of `PRODUCTS` that the step made.
            others: files that only some events have, by the key of their asset.

        Returns:
            The event with the new record.
        """
        name = step.STEP
        order = {"fetch": FETCHED, "predict": PREDICTED, "vectorize": VECTORIZED}
        later = list(order)[list(order).index(name) + 1 :]
        stale = {product for step in later for product in order[step]} | (set(order[name]) - set(products))
        steps = {k: v for k, v in self.properties.get(STEPS, {}).items() if k not in later}
        steps[name] = asdict(step)
        assets = {k: v for k, v in self.item["assets"].items() if k not in stale}
        made = {product: PRODUCTS[product] for product in products if self.path(product).exists()}
        assets |= {key: _asset(product, self.bands) for key, product in (made | dict(others)).items()}
        lineage = "; ".join(f"{step} by {done['software']} at {done['datetime']}" for step, done in steps.items())
        properties = {
            **self.properties,
            "updated": now(),
            "processing:software": {"landslide": __version__},
            "processing:lineage": lineage,
            STEPS: steps,
        }
        event = Event(self.folder, described({**self.item, "properties": properties, "assets": assets}))
        event.save()
        for product in stale:
            event.path(product).unlink(missing_ok=True)
        return event

    def add(self, key: str, product: Product) -> "Event":
        """Add a product that no workflow needs to `event.json`. A new fetch removes it."""
        assets = {**self.item["assets"], key: _asset(product, self.bands)}
        event = Event(self.folder, described({**self.item, "assets": assets}))
        event.save()
        return event

    def save(self) -> None:
        """Write `event.json`."""
        with atomic(self.folder / ITEM) as temporary:
            temporary.write_text(json.dumps(self.item, indent=2) + "\n", encoding="utf-8")


def open_to_write(folder: Path) -> Event:
    """Open the event in `folder` to write into it. An interrupted update is completed first.

    Args:
        folder: the event folder.

    Returns:
        The event.

    Raises:
        InputError: the folder does not hold a complete event.
        OutputError: the folder cannot be written.
    """
    put_in_place(folder)
    return Event.open(folder)


def new_event(
    folder: Path,
    *,
    aoi: BaseGeometry,
    event_date: str,
    bands: tuple[str, ...],
    scenes: Sequence[SceneRecord],
    crs: str,
    shape_px: tuple[int, int],
    transform: tuple[float, ...],
) -> Event:
    """Describe an event as a STAC Item; nothing is written.

    Args:
        folder: the event folder.
        aoi: area of interest, EPSG:4326.
        event_date: ISO date.
        bands: channels of the images.
        scenes: one dictionary per image, with `side`, `id`, `datetime` and, for catalogs, `href`.
        crs: authority code of the grid, such as `EPSG:32618`.
        shape_px: height and width of the grid.
        transform: the six numbers of the grid's affine transformation, row by row.

    Returns:
        The event, without assets.
    """
    times = sorted(s["datetime"] for s in scenes if s["datetime"])
    day = (f"{event_date}T00:00:00Z", f"{event_date}T23:59:59Z")
    geometry = set_precision(aoi, 1e-7)
    properties = {
        "title": f"Landslides of {event_date}",
        "datetime": None,
        "start_datetime": min([day[0], *times]),
        "end_datetime": max([day[1], *times]),
        "created": now(),
        "gsd": GSD_M,
        "proj:code": crs,
        "proj:shape": list(shape_px),
        "proj:transform": list(transform),
        "landslide:event_date": event_date,
        "landslide:bands": list(bands),
        "landslide:scenes": list(scenes),
    }
    item = {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        # `described` adds the extensions that are used.
        "stac_extensions": [],
        "id": folder.absolute().name,
        "geometry": mapping(geometry),
        "bbox": list(box(*geometry.bounds).bounds),
        "properties": properties,
        "links": [{"rel": "derived_from", "href": s["href"], "title": s["id"]} for s in scenes if s.get("href")],
        "assets": {},
    }
    return Event(folder, item)


def _numbered(item: Mapping[str, Any], version: int) -> dict[str, Any]:
    extensions = [*dict.fromkeys([*item["stac_extensions"], _VERSION_EXTENSION])]
    return {"stac_extensions": extensions, "properties": {**item["properties"], "version": str(version)}}


def _link(rel: str, href: str, version: int) -> dict[str, str]:
    return {"rel": rel, "href": href, "type": "application/geo+json", "title": f"Version {version}"}


def _asset(product: Product, image_bands: tuple[str, ...]) -> dict[str, Any]:
    asset: dict[str, Any] = {
        "href": f"./{product.file}", "title": product.title, "type": product.media_type, "roles": list(product.roles)
    }  # fmt: skip
    if product.raster:
        asset |= raster_fields(product.raster, image_bands)
    elif product.media_type in _GEOGRAPHIC:
        # An asset without a code of its own is in the CRS of the event.
        asset["proj:code"] = WGS84
    return asset
