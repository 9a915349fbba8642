"""Compares two landslide maps and classifies what became of each landslide."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from shapely import STRtree
from shapely.geometry.base import BaseGeometry

from landslide_cli.mapping.attributes import ellipsoidal_area_m2
from landslide_cli.mapping.polygons import clipped

CHANGES: Final = (
    "new", "grown", "confirmed", "shrunk", "gone", "doubtful before", "doubtful now", "not seen before",
    "not seen again",
)  # fmt: skip
"""What can have become of a landslide. `doubtful`: the map that lacks it still gives it a fair probability.
`not seen`: the map that lacks it does not show this ground."""

CHANGE_FIELDS: Final = {
    "change": "str", "id_before": "str", "id_after": "str", "area_before_m2": "float", "area_after_m2": "float",
    "overlap": "float",
}  # fmt: skip

GROWN: Final = 1.25
"""A landslide has grown if its area is more than 1.25 times the earlier area. It has shrunk in the opposite case..."""
RIM_M: Final = 10.0
"""...but only if the larger outline also reaches more than 10 m beyond the smaller one: images of two dates can be
misaligned by one pixel."""
SAME_SHARE: Final = 0.1
"""Two outlines belong to one landslide if they share at least this part of the smaller outline."""
HIDDEN_SHARE: Final = 0.5
"""A landslide missing on one map counts as not seen if that map did not analyse at least this part of its ground."""

_Members = list[NDArray[np.int64]]
Doubt = Callable[[Sequence[BaseGeometry]], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class Mapped:
    """One of two maps, in a metric CRS."""

    outlines: Sequence[BaseGeometry]
    ids: Sequence[Any]
    area: BaseGeometry | None = None
    """The mapped area; None means everywhere."""
    hidden: Sequence[BaseGeometry] = ()
    """Parts of the area that were not analysed; they do not overlap."""
    doubt: Doubt | None = None
    """Returns, for outlines that are not on this map, whether this map nearly shows a landslide there."""


def compare(before: Mapped, after: Mapped, crs: str) -> list[tuple[BaseGeometry, Mapping[str, Any]]]:
    """Classify what became of each landslide of either map.

    Overlapping outlines are one landslide, even if one of the maps shows it in parts. Growth is judged only on ground
    that both maps analysed.

    Args:
        before: the first map.
        after: the second map.
        crs: authority code of the CRS of both maps.

    Returns:
        One outline and the values of `CHANGE_FIELDS` per landslide, largest first. The outline is from the second map
        if the landslide is on it, else from the first. Areas are on the ellipsoid. `overlap` is the IoU of both
        outlines.
    """
    before, after = (replace(side, hidden=_valid(side.hidden).tolist()) for side in (before, after))
    sides = tuple(_valid(side.outlines) for side in (before, after))
    members = _groups(*sides)
    old, new = ([_joined(outlines[of]) for of in groups] for outlines, groups in zip(sides, members, strict=True))
    count = len(old)
    facts: list[str] = [""] * count
    missing = {
        "before": (before, new, [n for n in range(count) if old[n].is_empty]),
        "after": (after, old, [n for n in range(count) if new[n].is_empty]),
    }
    for side, (lacking, outlines, numbers) in missing.items():
        for number, change in zip(numbers, _missing(lacking, [outlines[n] for n in numbers], side), strict=True):
            facts[number] = change
    both = [n for n in range(count) if not facts[n]]
    seen = [[_seen(side, [outlines[n] for n in both]) for side in (before, after)] for outlines in (old, new)]
    for place, number in enumerate(both):
        first, second = (shapely.intersection(*(parts[place] for parts in of)) for of in seen)
        facts[number] = _growth(first, second)
    shown = [old[n] if new[n].is_empty else new[n] for n in range(count)]
    areas = [_areas(of, crs) for of in (old, new)]
    shared = shapely.area(shapely.intersection(_array(old), _array(new)))
    union = shapely.area(_array(old)) + shapely.area(_array(new)) - shared
    found = [
        (
            shown[n],
            {
                "change": facts[n],
                "id_before": _names(before.ids, members[0][n]),
                "id_after": _names(after.ids, members[1][n]),
                "area_before_m2": areas[0][n],
                "area_after_m2": areas[1][n],
                "overlap": round(float(shared[n] / union[n]), 3) if union[n] else 0.0,
            },
        )
        for n in range(count)
    ]
    return sorted(found, key=lambda item: -max(item[1]["area_before_m2"], item[1]["area_after_m2"]))


def _valid(outlines: Sequence[BaseGeometry]) -> NDArray[np.object_]:
    return np.asarray(shapely.make_valid(shapely.force_2d(_array(outlines))), dtype=object)


def _array(outlines: Sequence[BaseGeometry]) -> NDArray[np.object_]:
    array = np.empty(len(outlines), dtype=object)
    array[:] = outlines
    return array


def _groups(first: NDArray[np.object_], second: NDArray[np.object_]) -> tuple[_Members, _Members]:
    """Return for each landslide the numbers of its outlines in the first map and in the second map."""
    total = len(first) + len(second)
    if not total:
        return [], []
    right, left = STRtree(first).query(second, predicate="intersects")
    shared = shapely.area(shapely.intersection(first[left], second[right]))
    same = shared >= SAME_SHARE * np.minimum(shapely.area(first[left]), shapely.area(second[right]))
    same &= shared > 0
    links = coo_array((np.ones(int(same.sum())), (left[same], len(first) + right[same])), shape=(total, total))
    count, labels = connected_components(links, directed=False)
    return _members(labels[: len(first)], count), _members(labels[len(first) :], count)


def _members(groups: NDArray[np.int32], count: int) -> _Members:
    """Return for each number below `count` the positions where `groups` holds it."""
    order = np.argsort(groups, kind="stable")
    return np.split(order, np.searchsorted(groups[order], np.arange(1, count)))


def _joined(parts: NDArray[np.object_]) -> BaseGeometry:
    return parts.item() if len(parts) == 1 else shapely.union_all(parts)


def _missing(lacking: Mapped, outlines: Sequence[BaseGeometry], side: str) -> list[str]:
    """Return why the map of `side` lacks these landslides."""
    unseen, doubtful, real = (
        ("not seen before", "doubtful before", "new")
        if side == "before"
        else ("not seen again", "doubtful now", "gone")
    )
    whole = shapely.area(_array(outlines))
    hidden = whole - shapely.area(_array(_seen(lacking, outlines))) >= HIDDEN_SHARE * whole
    doubt = lacking.doubt(outlines) if lacking.doubt and outlines else np.zeros(len(outlines), bool)
    return [
        unseen if h else doubtful if d else real for h, d in zip(hidden.tolist(), doubt.tolist(), strict=True)
    ]  # fmt: skip


def _seen(side: Mapped, outlines: Sequence[BaseGeometry]) -> list[BaseGeometry]:
    """Return the part of each outline that the map of `side` analysed."""
    return clipped(outlines, side.area, side.hidden)


def _growth(old: BaseGeometry, new: BaseGeometry) -> str:
    for change, less, more in (("grown", old, new), ("shrunk", new, old)):
        if more.area > GROWN * less.area and not shapely.difference(more, less.buffer(RIM_M)).is_empty:
            return change
    return "confirmed"


def _areas(outlines: Sequence[BaseGeometry], crs: str) -> list[float]:
    areas = np.zeros(len(outlines))
    there = np.array([not outline.is_empty for outline in outlines], bool)
    areas[there] = ellipsoidal_area_m2([outline for outline in outlines if not outline.is_empty], crs)
    return [round(area, 1) for area in areas.tolist()]


def _names(ids: Sequence[Any], members: NDArray[np.int64]) -> str | None:
    return ", ".join(str(ids[n]) for n in members.tolist()) or None
