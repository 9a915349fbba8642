"""What an event's record says to other programs: the fields of STAC 1.1 and of its extensions. Nothing is read."""

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
    """What is in a raster of an event."""

    dtype: str
    nodata: float | str | None = None
    """A number, or `nan`."""
    bands: tuple[str, ...] = ()
    """None where they are those of the event's images."""
    units: tuple[str, ...] = ()
    """One for each band; none where the values are codes, or have no unit."""


def raster_fields(raster: Raster, image_bands: Sequence[str]) -> dict[str, Any]:
    """Return the fields of the asset of a raster, on the event's grid.

    Args:
        raster: what is in it.
        image_bands: of the event.
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
    """Return an event's item with the extensions that it uses, and with what they ask of it as a whole.

    Whoever adds an extension of another kind keeps it.
    """
    assets = item["assets"]
    extensions = [PROJECTION, PROCESSING]
    if any("raster:sampling" in asset for asset in assets.values()):
        extensions += [RASTER, EO]
    properties = {key: value for key, value in item["properties"].items() if not key.startswith("label:")}
    # What the versions of the projection extension before 2.0 called it.
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
    """Return what the label extension asks for: the landslides are labels of the images."""
    model = properties["landslide:steps"].get("predict", {}).get("model", "a model")
    return {
        "label:type": "vector",
        "label:tasks": ["segmentation"],
        "label:methods": ["automated"],
        "label:properties": ["confidence"],
        "label:classes": [{"name": "landslide", "classes": ["landslide"]}],
        "label:description": f"Outlines of landslides, mapped by {model}; not checked by a person. Each feature is a "
        "landslide; its confidence is the mean calibrated probability. Of the ground in the asset not_analysed nothing "
        "is known.",
    }
