"""Polygons that others have drawn, in any file that GDAL reads."""

from pathlib import Path

import fiona
import numpy as np
import shapely
from fiona.errors import FionaError
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from landslide_cli.errors import InputError


def read_polygons(path: Path, said: str, wanted: str) -> tuple[NDArray[np.object_], list[str]]:
    """Read the polygons of a vector file, and their identifiers.

    Args:
        path: the file.
        said: how a message names it: by the option that it was given with, and its path.
        wanted: what a message asks for.

    Returns:
        (N,) polygons and multipolygons in WGS 84, flat, and N identifiers: of the attribute `id`, or their numbers in
        the file from 1.

    Raises:
        InputError: the file cannot be read, or does not say its reference system.
    """
    found: list[BaseGeometry] = []
    ids: list[str] = []
    try:
        # Which is what Fiona calls KML.
        with fiona.open(path, allow_unsupported_drivers=True) as source:
            if not source.crs:
                raise InputError(f"{said} does not say its reference system; set one")
            to_degrees = Transformer.from_crs(source.crs.to_wkt(), "EPSG:4326", always_xy=True).transform
            for number, feature in enumerate(source, 1):
                if feature.geometry is not None and feature.geometry.type.endswith("Polygon"):
                    found.append(shape(feature.geometry))
                    ids.append(str(feature.properties.get("id", number)))
    # The last two are what Fiona makes of some broken files.
    except (FionaError, OSError, ValueError, AttributeError) as error:
        raise InputError(f"{said} cannot be read ({error}); {wanted}") from error
    polygons = np.empty(len(found), dtype=object)
    polygons[:] = found
    return shapely.transform(shapely.force_2d(polygons), to_degrees, interleaved=False), ids
