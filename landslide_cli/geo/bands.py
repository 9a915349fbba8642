"""Definitions that all images, models and files of this project share: bands, codes, nodata."""

import re
from enum import IntEnum
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from landslide_cli.errors import InputError

BANDS: Final = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
"""Channel order of Sentinel-2 L2A images."""

TRUE_COLOUR: Final = ("B04", "B03", "B02")
"""The bands of red, green and blue light."""

BAND_GSD_M: Final = dict(zip(BANDS, (60, 10, 10, 10, 20, 20, 20, 10, 20, 60, 20, 20), strict=True))
"""Native ground sampling distance of each band in metres."""

COMMON_NAMES: Final = {
    "B01": "coastal", "B02": "blue", "B03": "green", "B04": "red", "B05": "rededge071", "B06": "rededge075",
    "B07": "rededge078", "B08": "nir", "B8A": "nir08", "B09": "nir09", "B11": "swir16", "B12": "swir22",
}  # fmt: skip
"""Name of each band in the electro-optical extension of STAC, the same for all sensors."""

TERRAIN_BANDS: Final = ("elevation", "slope", "aspect_sin", "aspect_cos")
"""Channel order of terrain: metres, degrees, sine and cosine of the aspect (clockwise from north, downslope)."""

GSD_M: Final = 10
"""Ground sampling distance (GSD) of an event's grid in metres."""

NODATA: Final = 0
"""Digital number of a pixel that was not observed."""

REFLECTANCE_ONE: Final = 10_000
"""Digital number of reflectance 1."""

BASELINE_OFFSET: Final = 1000
"""Number that products of processing baseline 04.00 and later add to every digital number."""

NOT_OBSERVED: Final = 0
"""Value in `clear.tif`: cloud, shadow, snow or nodata before or after the event."""

CLEAR: Final = 1
"""Value in `clear.tif`: the ground is seen on both dates."""

NOT_ANALYSED: Final = 255
"""Value in `probability.tif` of pixels that were not analysed. Other values are percent, 0 to 100."""


class SCL(IntEnum):
    """Codes of the Sentinel-2 L2A scene classification."""

    NODATA = 0
    SATURATED = 1
    DARK = 2
    CLOUD_SHADOW = 3
    VEGETATION = 4
    NOT_VEGETATED = 5
    WATER = 6
    UNCLASSIFIED = 7
    CLOUD_MEDIUM = 8
    CLOUD_HIGH = 9
    THIN_CIRRUS = 10
    SNOW = 11


class Unseen(IntEnum):
    """Reasons why no scene shows the ground of a pixel. Other codes in `sources.tif` are scene numbers, from 1."""

    OUTSIDE = 201
    CLOUD = 202
    SHADOW = 203
    SNOW = 204
    DEFECTIVE = 205

    @property
    def label(self) -> str:
        """The reason in words, as in the layer `not_analysed`."""
        return _REASONS[self]


_REASONS: Final = {
    Unseen.OUTSIDE: "outside the swath",
    Unseen.CLOUD: "cloud",
    Unseen.SHADOW: "shadow",
    Unseen.SNOW: "snow",
    Unseen.DEFECTIVE: "defective",
}

EXCLUDED: Final = "excluded"
"""Reason for pixels that the user excluded."""

NO_TERRAIN: Final = "no elevation"
"""Reason for pixels that are seen on both dates but have no elevation."""


Side = Literal["pre", "post"]
SIDES: Final[tuple[Side, Side]] = get_args(Side)
"""Before and after the event."""


_BAND: Final = re.compile(r"(?<![A-Za-z0-9])B(0?[1-9]|1[0-2]|8A)(?![A-Za-z0-9])", re.IGNORECASE)


def band_name(text: str, source: str) -> str:
    """Return the name of a band as in `BANDS`: `b4` is `B04`.

    Args:
        text: the name as the user or a file gives it.
        source: where the name comes from, for messages.

    Returns:
        The name.

    Raises:
        InputError: there is no such band in Sentinel-2 L2A.
    """
    match = _BAND.fullmatch(text.strip())
    name = f"B{match[1].upper().zfill(2)}" if match else ""
    if name not in BANDS:
        raise InputError(f"{source} {text.strip()!r} is not a band of Sentinel-2 L2A; known: {', '.join(BANDS)}")
    return name


def why_unseen(pre: NDArray[np.uint8], post: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the code of `Unseen` for pixels that are not seen on both dates, else 0.

    Args:
        pre: (H, W) codes of the first channel of `sources.tif`.
        post: (H, W) codes of the second channel.

    Returns:
        (H, W) uint8; if both dates have a reason, that of `pre`.
    """
    return unseen_codes(np.where(pre >= min(Unseen), pre, post))


def unseen_codes(origin: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the codes of `Unseen` as they are, and 0 for scene numbers."""
    return np.where(origin >= min(Unseen), origin, 0).astype(np.uint8)
