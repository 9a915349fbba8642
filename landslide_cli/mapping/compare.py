"""Compare two maps, or a map and an inventory. Each of the two is read as a side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio.features
import shapely
from numpy.typing import NDArray
from odc.geo.geom import Geometry
from pyproj import Transformer
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from landslide_cli.errors import InputError
from landslide_cli.event.folder import Event
from landslide_cli.event.records import ChangesRecord, OutlineOptions
from landslide_cli.geo.aoi import utm_at
from landslide_cli.geo.bands import NOT_ANALYSED
from landslide_cli.geo.rasters import BLOCK_PX
from landslide_cli.geo.vectors import read_polygons
from landslide_cli.mapping.changes import CHANGE_FIELDS, CHANGES, Mapped, compare
from landslide_cli.mapping.formats import Layer

DOUBT: Final = 0.5
"""A landslide that a map lacks is doubtful if the mean probability there is at least this share of the threshold."""
OPTIONS: Final = {
    "fetch": {"clouds": "cloud mask"},
    "predict": {
        "model": "model", "model_version": "model version", "model_sha256": "model file", "tile_px": "window (px)",
        "stride_px": "stride (px)", "symmetries": "symmetries", "min_slope_deg": "least slope (°)",
    },
    "vectorize": {
        "threshold": "threshold", "grow": "grow", "min_area_m2": "least area (m²)", "merge_m": "merge (m)",
        "simplify_m": "simplify (m)", "smooth": "smooth", "steeper_than_deg": "steeper than (°)", "exclude": "exclude",
        "exclude_sha256": "excluded areas",
    },
}  # fmt: skip
"""Options that must be the same on two maps, with their names in words. Only then do differences show the ground."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two maps, or an inventory."""

    name: Path
    polygons: NDArray[np.object_]
    hidden: NDArray[np.object_]
    """Ground that was not analysed. Like `polygons`, (N,) in WGS 84."""
    ids: Sequence[str]
    event: Event | None = None
    options: Mapping[str, Any] | None = None
    """None for an inventory."""


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes from one map to another."""

    layer: Layer
    counts: dict[str, int]
    areas_m2: dict[str, float]
    differences: dict[str, tuple[Any, Any]]
    since: int = 0
    """The number of the earlier version."""

    def record(self) -> ChangesRecord:
        """Return the changes as the event's record keeps them."""
        areas = {change: round(area, 1) for change, area in self.areas_m2.items()}
        return {"since": self.since, "counts": self.counts, "areas_m2": areas, "differences": self.differences}


def changes_since(before: Event, after: Event, outlined: OutlineOptions) -> Changes:
    """Compare a new map with an earlier one of the same event.

    Args:
        before: the earlier version, with a map.
        after: the event with the new outlines, which are not recorded yet.
        outlined: the options of the new outlines.

    Returns:
        The changes.

    Raises:
        InputError: one of the maps cannot be read.
    """
    found = compare_sides(_of_event(before, before.mapped[1]), _of_event(after, outlined))
    return replace(found, since=before.version)


def differences_in_words(differences: Mapping[str, tuple[Any, Any]]) -> str:
    """Return the options that differ between the maps, as one line."""
    return "; ".join(f"{name} {_in_words(a)}, then {_in_words(b)}" for name, (a, b) in differences.items())


def _in_words(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else "none" if value is None else str(value)[:40]


def compare_sides(before: Side, after: Side) -> Changes:
    """Compare the outlines and the options of two maps."""
    crs = _metric(before, after)
    first, second = (_mapped(side, crs) for side in (before, after))
    _check_place(before, after, (first, second))
    found = compare(first, second, crs)
    counts, areas = dict.fromkeys(CHANGES, 0), dict.fromkeys(CHANGES, 0.0)
    for _, facts in found:
        counts[facts["change"]] += 1
        areas[facts["change"]] += facts["area_after_m2"] or facts["area_before_m2"]
    layer = Layer("changes", crs, CHANGE_FIELDS, [outline for outline, _ in found], [facts for _, facts in found])
    return Changes(layer, counts, areas, _differences(before, after))


def _differences(before: Side, after: Side) -> dict[str, tuple[Any, Any]]:
    if before.options is None or after.options is None:
        return {}
    pairs = {name: (before.options.get(name), after.options.get(name)) for name in after.options}
    unlike = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    # If the models differ, their versions and files differ anyway.
    spare = ("model version", "model file") if "model" in unlike else ()
    return {name: pair for name, pair in unlike.items() if name not in spare}


def read_side(path: Path) -> Side:
    """Read the landslides of an event folder and its ground that was not analysed, or the polygons of a vector file."""
    if not path.is_dir():
        polygons, ids = _polygons(path)
        return Side(path, polygons, np.empty(0, dtype=object), ids)
    event = Event.open(path)
    return _of_event(event, event.mapped[1])


def _of_event(event: Event, outlined: OutlineOptions) -> Side:
    predicted = event.predicted
    options: dict[str, Any] = {"event date": event.event_date}
    options |= {word: event.fetched.parameters.get(key) for key, word in OPTIONS["fetch"].items()}
    for step, names in ((predicted, OPTIONS["predict"]), (outlined, OPTIONS["vectorize"])):
        options |= {word: getattr(step, key, None) for key, word in names.items()}
    polygons, ids = _polygons(event.path("landslides"))
    return Side(event.folder, polygons, _polygons(event.path("not_analysed"))[0], ids, event, options)


def _polygons(path: Path) -> tuple[NDArray[np.object_], list[str]]:
    return read_polygons(path, str(path), "give an event folder or a vector file of polygons")


def _metric(before: Side, after: Side) -> str:
    """Return the CRS of the second event, else of the first, else the UTM zone of the first polygon."""
    for event in (after.event, before.event):
        if event is not None:
            return event.crs
    first = next((polygon for side in (before, after) for polygon in side.polygons), None)
    return "EPSG:32631" if first is None else utm_at(first.centroid.x, first.centroid.y)


def _mapped(side: Side, crs: str) -> Mapped:
    to_metres = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform
    polygons, hidden = (shapely.transform(of, to_metres, interleaved=False) for of in (side.polygons, side.hidden))
    event = side.event
    if event is None:
        return Mapped(polygons, side.ids)
    area = Geometry(event.aoi, "EPSG:4326").to_crs(crs, resolution=0.01).geom
    least = DOUBT * (side.options or {})["threshold"]

    def doubt(outlines: Sequence[BaseGeometry]) -> NDArray[np.bool_]:
        near: NDArray[np.bool_] = _mean_percent(event.path("probability"), outlines, crs) >= 100 * least
        return near

    return Mapped(polygons, side.ids, area, hidden, doubt)


def _check_place(before: Side, after: Side, sides: Sequence[Mapped]) -> None:
    """Refuse maps that do not overlap."""
    places = [
        shapely.box(*side.area.bounds) if side.area is not None else shapely.box(*shapely.total_bounds(side.outlines))
        for side in sides
        if side.area is not None or len(side.outlines)
    ]
    if len(places) == 2 and not places[0].intersects(places[1]):
        raise InputError(f"{before.name} and {after.name} show different places; give two maps of the same place")


def _mean_percent(path: Path, outlines: Sequence[BaseGeometry], crs: str) -> NDArray[np.float64]:
    """Return the mean probability (N,) over each outline, in percent, of analysed pixels; 0 if there are none."""
    sums, counts = np.zeros(len(outlines) + 1), np.zeros(len(outlines) + 1)
    with rasterio.open(path) as source:
        moved = np.array(outlines, dtype=object)
        if (its := source.crs.to_string()) != crs:
            to_its = Transformer.from_crs(crs, its, always_xy=True).transform
            moved = shapely.transform(moved, to_its, interleaved=False)
        tree = shapely.STRtree(moved)
        for top in range(0, source.height, BLOCK_PX):
            window = Window(0, top, source.width, min(BLOCK_PX, source.height - top))
            here = tree.query(shapely.box(*source.window_bounds(window)))
            if not len(here):
                continue
            transform, percent = source.window_transform(window), source.read(1, window=window)
            labels = rasterio.features.rasterize(
                zip(moved[here], (here + 1).tolist(), strict=True), out_shape=percent.shape, transform=transform,
                dtype="int32",
            )  # fmt: skip
            known = (labels > 0) & (percent != NOT_ANALYSED)
            sums += np.bincount(labels[known], weights=percent[known], minlength=len(sums))
            counts += np.bincount(labels[known], minlength=len(counts))
    return np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)[1:]
