"""Reads the land cover of real ground from a raster of classes."""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from pathlib import Path
from typing import Final

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.warp import Resampling

from landslide_cli.errors import InputError
from landslide_cli.simulation.arrays import Codes


class Cover(IntEnum):
    """Classes of land cover. Values are the codes of ESA WorldCover."""

    TREES = 10
    SHRUBS = 20
    GRASS = 30
    CROPLAND = 40
    BUILT_UP = 50
    BARE = 60
    SNOW = 70
    WATER = 80
    WETLAND = 90
    MANGROVES = 95
    MOSS = 100


UNKNOWN: Final = 0
"""Code for unknown land cover in arrays of `Cover` codes."""

WORLDCOVER: Final[Mapping[int, Cover]] = {int(cover): cover for cover in Cover}


def name_of(cover: Cover) -> str:
    """Return the name of a class for users, such as `built-up`."""
    return cover.name.lower().replace("_", "-")


def parse_classes(pairs: Iterable[str]) -> Mapping[int, Cover]:
    """Read the meaning of the codes of a product.

    Args:
        pairs: CODE=CLASS, such as `4=trees`.

    Returns:
        The class of each code. Without pairs these are the codes of ESA WorldCover.

    Raises:
        InputError: a pair does not have the form CODE=CLASS, or its class is unknown.
    """
    names = {name_of(cover): cover for cover in Cover}
    classes: dict[int, Cover] = {}
    for pair in pairs:
        code, _, name = pair.partition("=")
        try:
            classes[int(code)] = names[name]
        except (ValueError, KeyError) as error:
            raise InputError(
                f"--landcover-class {pair} must have the form CODE=CLASS, where CLASS is one of {', '.join(names)}"
            ) from error
    return classes or WORLDCOVER


def read_cover(path: Path, dem: Path, classes: Mapping[int, Cover] = WORLDCOVER) -> Codes | None:
    """Put a raster of land cover on the grid of an elevation model.

    Args:
        path: raster with codes in its first band, in any CRS.
        dem: an elevation model.
        classes: the class of each code. Other codes become UNKNOWN.

    Returns:
        (h, w) uint8 codes of `Cover`, UNKNOWN where the class is not known. None if the two do not overlap.

    Raises:
        InputError: a file cannot be read or has no CRS, or no code in the overlap is known.
    """
    try:
        with rasterio.open(dem) as grid, rasterio.open(path) as source:
            if source.crs is None or grid.crs is None:
                without = path if source.crs is None else dem
                raise InputError(f"--landcover {path} cannot be put on the grid of --dem {dem}: {without} has no CRS")
            # The alpha band separates pixels outside from pixels with code 0, even without a nodata value.
            with WarpedVRT(
                source, crs=grid.crs, transform=grid.transform, width=grid.width, height=grid.height,
                resampling=Resampling.nearest, add_alpha=True,
            ) as laid:  # fmt: skip
                codes, seen = laid.read(1), laid.read(laid.count) > 0
    except RasterioError as error:
        raise InputError(f"--landcover {path} cannot be put on the grid of --dem {dem} ({error})") from error
    if not seen.any():
        return None
    cover = np.full(codes.shape, UNKNOWN, np.uint8)
    for code, meant in classes.items():
        cover[seen & (codes == code)] = meant
    if not cover.any():
        found = ", ".join(str(code) for code in np.unique(codes[seen])[:12])
        raise InputError(
            f"--landcover {path} has the codes {found}, but the known codes are {', '.join(map(str, classes))}; "
            "give their meaning with --landcover-class CODE=CLASS"
        )
    return cover
