"""The fields of STAC 1.1 and its extensions in the record of an event, for other programs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from landslide_cli.geo.bands import BAND_GSD_M, COMMON_NAMES, GSD_M, REFLECTANCE_ONE

STAC_VERSION: Final = "1.1.0"
_SCHEMA: Final = "https://stac-extensions.github.io/{}/schema.json"
PROJECTION, RASTER, EO, PROCESSING, LABEL = (
    _SCHEMA.format(name)
    for name in ("projection/v2.0.0", "raster/v2.0.0", "eo/v2.0.0", "processing/v1.2.0", "label/v1.0.1")
)
WGS84: Final = "EPSG:4326"
LABELS: Final = "landslides"
"""Key of the asset that holds the labels."""


@dataclass(frozen=True, slots=True)
class Raster:
    """The content of a raster of an event."""

    dtype: str
    nodata: float | str | None = None
    """A number, or `nan`."""
    bands: tuple[str, ...] = ()
    """Names of the bands; empty if they are the bands of the event's images."""
    units: tuple[str, ...] = ()
    """Unit of each band; empty if the values are codes or have no unit."""


def raster_fields(raster: Raster, image_bands: Sequence[str]) -> dict[str, Any]:
    """Describe a raster on the event's grid.

    Args:
        raster: the content of the raster.
        image_bands: the bands of the event's images.

    Returns:
        The fields of its asset.
    """
    fields: dict[str, Any] = {
        "data_type": raster.dtype,
        "raster:sampling": "area",
        "raster:spatial_resolution": GSD_M,
        "bands": [{"name": band} for band in raster.bands or image_bands],
    }
    if raster.nodata is not None:
        fields["nodata"] = raster.nodata
    for band, unit in zip(fields["bands"], raster.units, strict=False):
        band["unit"] = unit
    if not raster.bands:
        fields["raster:scale"] = 1 / REFLECTANCE_ONE
        for band in fields["bands"]:
            band |= {"eo:common_name": COMMON_NAMES[band["name"]], "gsd": BAND_GSD_M[band["name"]]}
    return fields


def described(item: Mapping[str, Any]) -> dict[str, Any]:
    """Add the extensions that an event's item uses, and the properties that they ask for.

    Args:
        item: the STAC Item of an event.

    Returns:
        The new item. Extensions that other programs added are kept.
    """
    assets = item["assets"]
    extensions = [PROJECTION, PROCESSING]
    if any("raster:sampling" in asset for asset in assets.values()):
        extensions += [RASTER, EO]
    properties = {key: value for key, value in item["properties"].items() if not key.startswith("label:")}
    # The name of `proj:code` before version 2.0 of the projection extension.
    properties.pop("proj:epsg", None)
    if LABELS in assets:
        extensions.append(LABEL)
        properties |= _label(properties)
    ours = tuple(schema.partition("/v")[0] for schema in (PROJECTION, RASTER, EO, PROCESSING, LABEL))
    others = [extension for extension in item["stac_extensions"] if not extension.startswith(ours)]
    return {
        **item, "stac_version": STAC_VERSION, "stac_extensions": [*extensions, *others], "properties": properties
    }  # fmt: skip


def _label(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties that the label extension asks for: the landslides are labels of the images."""
    model = properties["landslide:steps"].get("predict", {}).get("model", "a model")
    return {
        "label:type": "vector",
        "label:tasks": ["segmentation"],
        "label:methods": ["automated"],
        "label:properties": ["confidence"],
        "label:classes": [{"name": "landslide", "classes": ["landslide"]}],
        "label:description": f"Outlines of landslides, mapped by {model}; not checked by a person. Each feature is a "
        "landslide; its confidence is the mean calibrated probability. Nothing is known "
        "about the ground in the asset not_analysed.",
    }
