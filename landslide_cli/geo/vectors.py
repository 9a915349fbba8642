"""Read vector files: as layers, or as polygons in WGS 84."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import fiona
import numpy as np
import shapely
from fiona.crs import CRS
from fiona.errors import FionaError
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from landslide_cli.errors import InputError


@dataclass(frozen=True, slots=True)
class VectorLayer:
    """A layer of a vector file."""

    name: str
    crs: CRS | None
    """None if the file does not state one."""
    features: Sequence[fiona.Feature]
    schema: Mapping[str, str]
    """Type of each attribute, as Fiona names it."""

    @property
    def has_polygons(self) -> bool:
        """Whether any feature is a polygon or multipolygon."""
        return any(is_polygon(feature) for feature in self.features)


def is_polygon(feature: fiona.Feature) -> bool:
    """Return whether a feature is a polygon or multipolygon."""
    return feature.geometry is not None and feature.geometry.type.endswith("Polygon")


@contextmanager
def reading_vectors(said: str, wanted: str) -> Iterator[None]:
    """Turn any error that Fiona raises for a broken file into an `InputError`.

    Args:
        said: name of the file in the message: the option and the path.
        wanted: what the message asks the user to do.

    Yields:
        Nothing.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        yield
    # Fiona raises the last two for some broken files.
    except (FionaError, OSError, ValueError, AttributeError) as error:
        raise InputError(f"{said} is not a vector file that can be read ({error}); {wanted}") from error


def read_layers(path: Path, said: str, wanted: str, layer: str | None = None) -> list[VectorLayer]:
    """Read the layers of a vector file, which can be zipped.

    Args:
        path: any vector file that GDAL reads.
        said: name of the file in messages: the option and the path.
        wanted: what a message asks the user to do.
        layer: the layer to read; all of them if None.

    Returns:
        The layers, in the order of the file.

    Raises:
        InputError: the file cannot be read, or has no such layer.
    """
    source = f"zip://{path}" if path.suffix.lower() == ".zip" else str(path)
    layers = []
    with reading_vectors(said, wanted):
        # Fiona calls KML unsupported, but reads it.
        names = fiona.listlayers(source)
        if not names:
            raise InputError(f"{said} has no layer; {wanted}")
        if layer is not None and layer not in names:
            raise InputError(f"{said} has no layer {layer!r}; it has {', '.join(names)}")
        for name in names if layer is None else [layer]:
            with fiona.open(source, layer=name, allow_unsupported_drivers=True) as opened:
                layers.append(VectorLayer(name, opened.crs or None, list(opened), dict(opened.schema["properties"])))
    return layers


def read_polygons(path: Path, said: str, wanted: str) -> tuple[NDArray[np.object_], list[str]]:
    """Read the polygons of a vector file, and their identifiers.

    Args:
        path: the file.
        said: name of the file in messages: the option and the path.
        wanted: what a message asks the user to do.

    Returns:
        (N,) polygons and multipolygons in WGS 84, without height, and N identifiers: the attribute `id`, or the
        number of the feature in the file, from 1.

    Raises:
        InputError: the file cannot be read, does not state its CRS, or has polygons in several layers.
    """
    layer = the_layer(read_layers(path, said, wanted), said, polygons=True)
    if layer.crs is None:
        raise InputError(f"{said} does not state its coordinate reference system; set one")
    found: list[BaseGeometry] = []
    ids: list[str] = []
    with reading_vectors(said, wanted):
        to_degrees = Transformer.from_crs(layer.crs.to_wkt(), "EPSG:4326", always_xy=True).transform
        for number, feature in enumerate(layer.features, 1):
            if is_polygon(feature):
                found.append(shape(feature.geometry))
                ids.append(str(feature.properties.get("id", number)))
    polygons = np.empty(len(found), dtype=object)
    polygons[:] = found
    return shapely.transform(shapely.force_2d(polygons), to_degrees, interleaved=False), ids


def the_layer(layers: Sequence[VectorLayer], said: str, *, polygons: bool) -> VectorLayer:
    """Return the one layer that holds what is wanted.

    Args:
        layers: the layers of a file, at least one.
        said: name of the file in messages: the option and the path.
        polygons: True if only layers with polygons count, False if all layers with features count.

    Returns:
        The only layer that counts; the first layer if no layer counts.

    Raises:
        InputError: several layers count, so it is not clear which one is meant.
    """
    count = [layer for layer in layers if (layer.has_polygons if polygons else layer.features)]
    if len(count) > 1:
        names = ", ".join(layer.name for layer in count)
        raise InputError(f"{said} has several layers that could be meant ({names}); give a file with one of them")
    return count[0] if count else layers[0]
