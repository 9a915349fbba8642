"""Two maps of landslides, one against the other."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import shapely
from shapely import STRtree
from shapely.geometry.base import BaseGeometry

CHANGES: Final = ("new", "grown", "shrunk", "confirmed", "gone", "not seen again")
"""What may have become of a landslide; `not seen again`: the second map does not show that ground."""

CHANGE_FIELDS: Final = {
    "change": "str", "id_before": "str", "id_after": "str", "area_before_m2": "float", "area_after_m2": "float",
    "overlap": "float",
}  # fmt: skip

GROWN: Final = 1.25
"""A landslide has grown if its area is so many times what it was, and shrunk by the same measure."""
HIDDEN_SHARE: Final = 0.5
"""A landslide that is missing was not seen again if so much of it could not be analysed."""


def compare(
    before: Sequence[BaseGeometry],
    after: Sequence[BaseGeometry],
    hidden: Sequence[BaseGeometry],
    ids: tuple[Sequence[Any], Sequence[Any]] | None = None,
) -> list[tuple[BaseGeometry, Mapping[str, Any]]]:
    """Tell of each landslide of either map what became of it.

    Landslides are the same if they overlap; one may stand for several of the other map.

    Args:
        before: landslides of the first map, in a metric CRS.
        after: those of the second one, in the same.
        hidden: what the second map could not analyse.
        ids: identifiers of both; their places from 1 on where not given.

    Returns:
        The outline (of the second map where it is there, else of the first) and the values of `CHANGE_FIELDS`.
        `overlap` is the share of the union of both outlines that both hold (IoU).
    """
    names = ids or (range(1, len(before) + 1), range(1, len(after) + 1))
    first, second = (np.array([shapely.make_valid(p) for p in of], dtype=object) for of in (before, after))
    pairs = _pairs(first, second)
    found: list[tuple[BaseGeometry, Mapping[str, Any]]] = []
    for number, outline in enumerate(second.tolist()):
        matched = pairs[0][pairs[1] == number].tolist()
        old = shapely.union_all(first[matched]) if matched else shapely.Polygon()
        found.append((outline, _facts(_what(old, outline), matched, [number], names, old, outline)))
    unseen = shapely.union_all([shapely.make_valid(p) for p in hidden]) if len(hidden) else shapely.Polygon()
    shapely.prepare(unseen)
    for number in sorted(set(range(len(first))) - set(pairs[0].tolist())):
        outline = first[number]
        covered = shapely.intersection(outline, unseen).area >= HIDDEN_SHARE * outline.area
        change = "not seen again" if covered else "gone"
        found.append((outline, _facts(change, [number], [], names, outline, shapely.Polygon())))
    return found


def _pairs(first: Any, second: Any) -> tuple[Any, Any]:
    """Return the numbers of the outlines of `first` and of `second` that share ground, pair by pair."""
    if not len(first) or not len(second):
        return np.zeros(0, int), np.zeros(0, int)
    right, left = STRtree(first).query(second, predicate="intersects")
    shares = shapely.area(shapely.intersection(first[left], second[right])) > 0
    return left[shares], right[shares]


def _what(old: BaseGeometry, new: BaseGeometry) -> str:
    if old.is_empty:
        return "new"
    if new.area > GROWN * old.area:
        return "grown"
    return "shrunk" if old.area > GROWN * new.area else "confirmed"


def _facts(
    change: str, left: Sequence[int], right: Sequence[int], names: tuple[Sequence[Any], Sequence[Any]],
    old: BaseGeometry, new: BaseGeometry,
) -> Mapping[str, Any]:  # fmt: skip
    union = shapely.union(old, new).area
    return {
        "change": change,
        "id_before": ", ".join(str(names[0][n]) for n in left) or None,
        "id_after": ", ".join(str(names[1][n]) for n in right) or None,
        "area_before_m2": round(old.area, 1),
        "area_after_m2": round(new.area, 1),
        "overlap": round(shapely.intersection(old, new).area / union, 3) if union else 0.0,
    }
