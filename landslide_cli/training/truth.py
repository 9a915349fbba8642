"""Read the landslides of an inventory in the CRS of an event."""

import hashlib
import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import shapely
from fiona.transform import transform_geom
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from landslide_cli.errors import InputError
from landslide_cli.geo.vectors import read_layers

log = logging.getLogger(__name__)

_DATE = re.compile(r"(\d{4})([-/]?)(\d{2})\2(\d{2})(?!\d)")
_SHAPEFILE = (".shp", ".shx", ".dbf", ".prj", ".cpg")
"""Suffixes of the files of one Shapefile."""


@dataclass(frozen=True, slots=True)
class Landslides:
    """The landslides of one event, and counts of the other features of the inventory."""

    polygons: tuple[BaseGeometry, ...]
    """One polygon or multipolygon for each landslide, in the CRS that was asked for."""
    other_date: int
    """Landslides of another day."""
    undated: int
    """Landslides without a date in an inventory with dates; they count as landslides of the event."""
    not_polygons: int
    """Points, lines and features without a geometry."""
    mended: int
    """Polygons that were invalid, such as those that cross themselves."""


def read_landslides(
    path: Path,
    crs: str,
    event_date: str,
    *,
    layer: str | None = None,
    date_attributes: Sequence[str] = (),
    stated_date: str | None = None,
) -> Landslides:
    """Read the landslides of one day from a vector file.

    Without `stated_date`, the attributes of a landslide give its date. If two attributes hold dates, such as the first
    and the last possible day, the landslide is from the days between them. In an inventory without dates, all
    landslides belong to the event, as the paper assumes (section 3.1).

    Args:
        path: any vector file that GDAL reads, also a zipped one.
        crs: the CRS wanted, projected.
        event_date: ISO date of the landslides wanted.
        layer: the layer to read; None reads all layers.
        date_attributes: attributes that hold the date; empty: guess them.
        stated_date: ISO date of all landslides of the file; the attributes are then not read.

    Returns:
        The landslides.

    Raises:
        InputError: the file cannot be read, has no polygon, no CRS, or no landslide of that day; an attribute is
            missing or it is unclear which one holds the date.
    """
    polygons: list[BaseGeometry] = []
    counts: Counter[str] = Counter()
    seen_dates: set[str] = set()
    for source_crs, features, attributes in _layers(path, layer, () if stated_date else date_attributes, stated_date):
        wanted = []
        for feature in features:
            geometry = feature.geometry
            if geometry is None or geometry.type not in ("Polygon", "MultiPolygon"):
                counts["not_polygons"] += 1
                continue
            dates = [stated_date] if stated_date else _dates(feature.properties, attributes)
            if dates and not dates[0] <= event_date <= dates[-1]:
                counts["other_date"] += 1
                seen_dates.update(dates)
                continue
            counts["undated"] += bool(attributes) and not dates
            wanted.append(geometry)
        for geometry in transform_geom(source_crs, crs, wanted) if wanted else ():
            polygon = shapely.force_2d(shape(geometry))
            if not polygon.is_valid:
                counts["mended"] += 1
                polygon = _polygonal(shapely.make_valid(polygon, method="structure", keep_collapsed=False))
            if polygon.is_empty:
                counts["not_polygons"] += 1
            else:
                polygons.append(polygon)
    if not polygons and counts["other_date"]:
        days = sorted(seen_dates)
        raise InputError(
            f"none of the {counts['other_date']} landslides of {path} is dated {event_date}, the event date: they "
            f"are dated {' to '.join(dict.fromkeys((days[0], days[-1])))}; give the inventory of this event, "
            f"or --event-date {event_date} if these are its landslides"
        )
    if not polygons:
        raise InputError(
            f"{path} holds no polygon ({counts['not_polygons']} points, lines or empty features); "
            "a mask needs the outlines of the landslides"
        )
    return Landslides(
        tuple(polygons), counts["other_date"], counts["undated"], counts["not_polygons"], counts["mended"]
    )


def checksum(path: Path) -> str:
    """Return the SHA-256 of a vector file; for a Shapefile or a folder, that of all its files."""
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
    elif path.suffix.lower() == ".shp":
        files = [file for suffix in _SHAPEFILE if (file := path.with_suffix(suffix)).is_file()]
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while chunk := stream.read(2**20):
                digest.update(chunk)
    return digest.hexdigest()


def _layers(
    path: Path, layer: str | None, chosen: Sequence[str], stated_date: str | None
) -> Iterator[tuple[Any, Sequence[Any], tuple[str, ...]]]:
    """Yield the CRS, the features and the attributes with dates of each layer."""
    if not path.exists():
        raise InputError(f"inventory {path} does not exist; check the path")
    wanted = "use a GeoPackage, Shapefile or GeoJSON, or unpack the archive first"
    for found in read_layers(path, f"inventory {path}", wanted, layer):
        if not found.features:
            continue
        if not found.crs:
            raise InputError(
                f"{path} has no coordinate reference system in layer {found.name}; a Shapefile needs its .prj file"
            )
        attributes = () if stated_date else _date_attributes(path, found.features, found.schema, chosen)
        yield found.crs, found.features, attributes


def _date_attributes(
    path: Path, features: Sequence[Any], schema: Mapping[str, str], chosen: Sequence[str]
) -> tuple[str, ...]:
    """Return the attributes with the date of a landslide, by their names, or because no other attribute has dates."""
    missing = [name for name in chosen if name not in schema]
    if missing:
        raise InputError(f"{path} has no attribute {missing[0]!r} for --date-attribute; it has {', '.join(schema)}")
    candidates = chosen or [name for name, kind in schema.items() if "date" in name.lower() or kind.startswith("date")]
    dated = []
    for name in candidates:
        values = [value for feature in features if (value := feature.properties[name]) not in (None, "")]
        unreadable = next((value for value in values if _date(value) is None), None)
        if unreadable is None:
            dated += [name] if values else []
        elif chosen:
            raise InputError(f"attribute {name} of {path} holds {unreadable!r}, which is not a date; write YYYY-MM-DD")
        else:
            log.warning("attribute %s of %s is not used as the date, because it holds %r", name, path, unreadable)
    if chosen:
        return tuple(dated)
    of_event = [name for name in dated if "event" in name.lower()] or dated
    if len(of_event) > 1 and of_event is dated:
        raise InputError(
            f"{path} has more than one attribute with dates ({', '.join(dated)}); name the one with the date "
            "of the landslide with --date-attribute, or give the date of all with --event-date"
        )
    return tuple(of_event)


def _dates(properties: Mapping[str, Any], attributes: Sequence[str]) -> list[str]:
    """Return the dates of a feature, the earliest first."""
    return sorted(found for name in attributes if (found := _date(properties[name])))


def _date(value: Any) -> str | None:
    """Return the ISO date at the start of a value."""
    found = _DATE.match(str(value).strip())
    try:
        return date(int(found[1]), int(found[3]), int(found[4])).isoformat() if found else None
    except ValueError:
        return None


def _polygonal(geometry: BaseGeometry) -> BaseGeometry:
    parts = [part for part in shapely.get_parts(geometry).tolist() if part.geom_type == "Polygon"]
    return shapely.multipolygons(parts)
