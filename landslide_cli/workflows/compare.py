"""Two results, or a result and an inventory: what is new, what has grown, what is gone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import fiona
from fiona.errors import FionaError
from fiona.transform import transform_geom
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from landslide_cli.config import CompareConfig, Progress, silent
from landslide_cli.errors import InputError
from landslide_cli.event import Event
from landslide_cli.imagery.aoi import utm_at
from landslide_cli.mapping.changes import CHANGE_FIELDS, CHANGES, compare
from landslide_cli.mapping.formats import Layer, write_geojson


@dataclass(frozen=True, slots=True)
class CompareSummary:
    """What `compare` found."""

    before: Path
    after: Path
    counts: dict[str, int]
    """Landslides by what became of them, see `mapping.changes.CHANGES`."""
    areas_m2: dict[str, float]
    out: Path | None


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the two maps, in WGS 84."""

    polygons: list[BaseGeometry]
    ids: list[str]
    hidden: list[BaseGeometry]


def compare_maps(config: CompareConfig, progress: Progress = silent) -> CompareSummary:
    """Compare two maps; write `config.out`, a GeoJSON of both maps' landslides with what became of each, if given.

    Raises:
        InputError: a map is neither an event folder with landslides nor a vector file of polygons.
        OutputError: the file cannot be written.
    """
    progress("reading", 0)
    sides = (_read(config.before), _read(config.after))
    everything = [*sides[0].polygons, *sides[1].polygons]
    crs = _metric(everything)
    before, after, hidden = (_moved(of, crs) for of in (sides[0].polygons, sides[1].polygons, sides[1].hidden))
    progress("comparing", 0.3)
    found = compare(before, after, hidden, (sides[0].ids, sides[1].ids))
    counts, areas = dict.fromkeys(CHANGES, 0), dict.fromkeys(CHANGES, 0.0)
    for outline, facts in found:
        counts[facts["change"]] += 1
        areas[facts["change"]] += outline.area
    if config.out:
        progress("writing", 0.8)
        layer = Layer("changes", crs, CHANGE_FIELDS, [outline for outline, _ in found], [facts for _, facts in found])
        write_geojson(layer, config.out, styled=False)
    return CompareSummary(config.before, config.after, counts, areas, config.out)


def _read(path: Path) -> _Side:
    """Read an event folder's landslides and what it did not analyse, or the polygons of a vector file."""
    if not path.is_dir():
        return _Side(*_polygons(path), [])
    event = Event.open(path)
    if not event.has("landslides"):
        raise InputError(f"{path} has no landslides; run `landslide vectorize {path}` first")
    return _Side(*_polygons(event.path("landslides")), _polygons(event.path("not_analysed"))[0])


def _polygons(path: Path) -> tuple[list[BaseGeometry], list[str]]:
    polygons, ids = [], []
    try:
        with fiona.open(path) as source:
            if not source.crs:
                raise InputError(f"{path} does not say its reference system; set one")
            for number, feature in enumerate(source, 1):
                if feature.geometry is None or not feature.geometry.type.endswith("Polygon"):
                    continue
                polygons.append(shape(transform_geom(source.crs, "EPSG:4326", feature.geometry)))
                ids.append(str(feature.properties.get("id", number)))
    except (FionaError, OSError) as error:
        raise InputError(
            f"{path} cannot be read ({error}); give an event folder or a vector file of polygons"
        ) from error
    return polygons, ids


def _metric(polygons: Sequence[BaseGeometry]) -> str:
    """Return the UTM zone in which the first of the polygons lies: they are of one event."""
    if not polygons:
        return "EPSG:32631"
    centre = polygons[0].centroid
    return utm_at(centre.x, centre.y)


def _moved(polygons: Sequence[BaseGeometry], crs: str) -> list[BaseGeometry]:
    if not polygons:
        return []
    return [shape(g) for g in transform_geom("EPSG:4326", crs, [p.__geo_interface__ for p in polygons])]
