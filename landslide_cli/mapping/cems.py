"""Converts the layers of this program to those of Copernicus EMS Rapid Mapping."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from shapely.geometry.base import BaseGeometry

from landslide_cli.geo.bands import GSD_M
from landslide_cli.mapping.formats import Layer

_OBSERVED: Final = {
    "event_type": "str", "obj_desc": "str", "det_method": "str", "notation": "str", "dmg_src_id": "int", "area": "float"
}  # fmt: skip
_SOURCE: Final = {
    "source_nam": "str", "src_date": "str", "source_tm": "str", "sensor_gsd": "str", "eventphase": "str",
    "src_id": "int",
}  # fmt: skip


def cems_layers(
    landslides: Layer, not_analysed: Layer, aoi: BaseGeometry, footprints: Sequence[BaseGeometry],
    scenes: Sequence[Mapping[str, Any]],
) -> list[Layer]:  # fmt: skip
    """Return `observedEventA`, `areaOfInterestA`, `imageFootprintA`, `notAnalysedA` and the table `source`.

    Args:
        landslides: the layer `landslides`.
        not_analysed: the layer `not_analysed`.
        aoi: area of interest, in the CRS of the layers.
        footprints: footprints of the scenes, in the CRS of the layers.
        scenes: records with `side`, `id`, `datetime` and `platform`; they are numbered from 1 in this order.

    Returns:
        The five layers, in the CRS of `landslides`.
    """
    crs = landslides.crs
    last = [number for number, scene in enumerate(scenes, 1) if scene["side"] == "post"]
    observed = [
        {
            "event_type": "6-Mass Movement",
            "obj_desc": "Landslide",
            "det_method": "Automatic extraction",
            "notation": f"Landslide {record['id']}, confidence {record['confidence']:.2f}",
            "dmg_src_id": _source_of(record, scenes, last),
            "area": round(record["area_m2"] / 1e4, 4),
        }
        for record in landslides.records
    ]
    hidden = [{"obj_desc": record["reason"]} for record in not_analysed.records]
    sources = [_source(number, scene) for number, scene in enumerate(scenes, 1)]
    return [
        Layer("observedEventA", crs, _OBSERVED, landslides.polygons, observed),
        Layer("areaOfInterestA", crs, {"obj_desc": "str"}, [aoi], [{"obj_desc": "Area of interest"}]),
        Layer("imageFootprintA", crs, {"src_id": "int"}, footprints, [{"src_id": s["src_id"]} for s in sources]),
        Layer("notAnalysedA", crs, {"obj_desc": "str"}, not_analysed.polygons, hidden),
        Layer("source", crs, _SOURCE, [None] * len(sources), sources),
    ]


def _source_of(record: Mapping[str, Any], scenes: Sequence[Mapping[str, Any]], post: Sequence[int]) -> int | None:
    """Return the number of the first post scene that shows the landslide."""
    time = (record["post_datetime"] or "").partition("/")[0]
    return next(
        (number for number in post if (scenes[number - 1]["datetime"] or "") == time), post[0] if post else None
    )


def _source(number: int, scene: Mapping[str, Any]) -> dict[str, Any]:
    time = scene["datetime"] or ""
    return {
        "source_nam": scene.get("platform") or scene["id"],
        "src_date": f"{time[8:10]}/{time[5:7]}/{time[:4]}" if time else None,
        "source_tm": f"T{time[11:19]}Z" if len(time) > 10 else None,
        "sensor_gsd": f"{GSD_M} m",
        "eventphase": "Pre-event" if scene["side"] == "pre" else "Post-event",
        "src_id": number,
    }
