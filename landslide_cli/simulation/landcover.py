"""Land cover of real ground: what a raster of classes says lies where."""

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
    """What lies on the ground; values are the codes of ESA WorldCover."""

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
"""Stands for no class where codes of `Cover` are stored."""

WORLDCOVER: Final[Mapping[int, Cover]] = {int(cover): cover for cover in Cover}


def name_of(cover: Cover) -> str:
    """What a user calls a class, such as `built-up`."""
    return cover.name.lower().replace("_", "-")


def parse_classes(pairs: Iterable[str]) -> Mapping[int, Cover]:
    """Read what the codes of a product mean from pairs such as `4=trees`; those of ESA WorldCover without any.

    Raises:
        InputError: a pair is none, or names no class.
    """
    names = {name_of(cover): cover for cover in Cover}
    classes: dict[int, Cover] = {}
    for pair in pairs:
        code, _, name = pair.partition("=")
        try:
            classes[int(code)] = names[name]
        except (ValueError, KeyError) as error:
            raise InputError(
                f"--landcover-class {pair} is not of the form CODE=CLASS with a class of {', '.join(names)}"
            ) from error
    return classes or WORLDCOVER


def read_cover(path: Path, dem: Path, classes: Mapping[int, Cover] = WORLDCOVER) -> Codes | None:
    """Lay the land cover `path` onto the grid of the elevation model `dem`; none where they do not overlap.

    Returns:
        (h, w) uint8 of `Cover`, UNKNOWN where nothing is known.

    Args:
        path: codes in the first band, in any reference system.
        dem: an elevation model.
        classes: what a code means; codes that it lacks are UNKNOWN.

    Raises:
        InputError: one of the files cannot be read or lies nowhere, or no code there is known.
    """
    try:
        with rasterio.open(dem) as grid, rasterio.open(path) as source:
            if source.crs is None or grid.crs is None:
                without = path if source.crs is None else dem
                raise InputError(f"--landcover {path} cannot be laid on --dem {dem}: {without} has no reference system")
            # The band of opacity tells apart what is outside from what has code 0, also without a nodata value.
            with WarpedVRT(
                source, crs=grid.crs, transform=grid.transform, width=grid.width, height=grid.height,
                resampling=Resampling.nearest, add_alpha=True,
            ) as laid:  # fmt: skip
                codes, seen = laid.read(1), laid.read(laid.count) > 0
    except RasterioError as error:
        raise InputError(f"--landcover {path} cannot be laid on --dem {dem} ({error})") from error
    if not seen.any():
        return None
    cover = np.full(codes.shape, UNKNOWN, np.uint8)
    for code, meant in classes.items():
        cover[seen & (codes == code)] = meant
    if not cover.any():
        found = ", ".join(str(code) for code in np.unique(codes[seen])[:12])
        raise InputError(
            f"--landcover {path} has the codes {found}, none of which is known ({', '.join(map(str, classes))}); "
            "say what they mean with --landcover-class CODE=CLASS"
        )
    return cover
