"""Writes the report of an event: one HTML file that needs no network and no other file."""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from PIL import Image
from rasterio.transform import Affine
from shapely.geometry.base import BaseGeometry

from landslide_cli.files import atomic
from landslide_cli.mapping.attributes import ALIASES
from landslide_cli.mapping.formats import Layer
from landslide_cli.mapping.styles import CONFIDENCE_CLASSES, confidence_colour
from landslide_cli.mapping.text import plain

DRAWN_MAX: Final = 5000
"""At most this many landslides are drawn, the largest first, so that the browser stays fast; the report states the
total number."""
SIZE_CLASSES_M2: Final = (0, 1e3, 3e3, 1e4, 3e4, 1e5, float("inf"))
SLOPE_CLASSES_DEG: Final = (0, 10, 20, 30, 40, 50, 90)


@dataclass(frozen=True, slots=True)
class Report:
    """Content of a report."""

    title: str
    pre: NDArray[np.uint8]
    """(h, w, 3) pre image of the whole grid."""
    post: NDArray[np.uint8]
    landslides: Layer
    not_analysed: Layer
    aoi: BaseGeometry
    """In the CRS of the layers."""
    transform: Affine
    """Transform of the event grid."""
    shape_px: tuple[int, int]
    totals: Mapping[str, str]
    model: Mapping[str, str]
    scores: Mapping[str, str]
    """Measured scores of the model; the page folds them."""
    limits: str
    scenes: Sequence[Mapping[str, Any]]
    pre_date: str
    post_date: str
    software: str
    changes: Mapping[str, str] = field(default_factory=dict)
    """What became of the landslides of an earlier map; empty without an earlier map."""
    changes_title: str = ""


def write_report(report: Report, path: Path) -> None:
    """Write the report; names and identifiers from outside are escaped.

    Args:
        report: content of the report.
        path: the file.

    Raises:
        OutputError: the file cannot be written.
    """
    to_pixels = ~report.transform
    height, width = report.shape_px
    drawn = report.landslides.polygons[:DRAWN_MAX]
    records = [
        [[ALIASES[name], _in_words(value)] for name, value in record.items() if value is not None]
        for record in report.landslides.records[:DRAWN_MAX]
    ]
    data = {"width": width, "height": height, "gsd_m": abs(report.transform.a), "records": records}
    count = len(report.landslides.polygons)
    more = f" The {DRAWN_MAX} largest of {count} landslides are drawn." if count > DRAWN_MAX else ""
    parts = {
        "title": escape(report.title),
        "lead": escape(f"Mapped from Sentinel-2 by {report.software}.{more}"),
        "width": str(width),
        "height": str(height),
        "pre": _embedded(report.pre),
        "post": _embedded(report.post),
        "pre_date": escape(report.pre_date),
        "post_date": escape(report.post_date),
        "landslides": "".join(
            f'<path class="slide" data-n="{number}" d="{_path(polygon, to_pixels)}" {_colour(record["confidence"])}/>'
            for number, (polygon, record) in enumerate(zip(drawn, report.landslides.records, strict=False))
            if polygon is not None
        ),
        "not_analysed": "".join(
            f'<path class="hidden" d="{_path(polygon, to_pixels)}"><title>{escape(record["reason"])}</title></path>'
            for polygon, record in zip(report.not_analysed.polygons, report.not_analysed.records, strict=True)
            if polygon is not None
        ),
        "aoi": f'<path class="aoi" d="{_path(report.aoi, to_pixels)}"/>',
        "legend": "".join(
            f'<div><span class="swatch" style="background:rgb({colour})"></span>{lower:g} to {upper:g}</div>'
            for lower, upper, colour in CONFIDENCE_CLASSES
        ),
        "totals": _table(report.totals),
        "changes": f'<div class="box"><h2>{escape(report.changes_title)}</h2>{_table(report.changes)}</div>'
        if report.changes
        else "",
        "model": _table(report.model),
        "scores": f"<details><summary>{len(report.scores)} measured scores</summary>{_table(report.scores)}</details>"
        if report.scores
        else "",
        "limits": f"<p>{escape(report.limits)}</p>",
        "scenes": _rows((f"{s['side']} {(s['datetime'] or 'date unknown')[:16]}", s["id"]) for s in report.scenes),
        "cite": escape(
            f"{report.title}. Map made with {report.software} and {report.model.get('model', 'a detector')} from "
            "Copernicus Sentinel-2 data. Method of BBU-Net: Monopoli, Montello and Rossi, IGARSS 2024."
        ),
        "sizes": _histogram(report, "area_m2", SIZE_CLASSES_M2, lambda edge: f"{edge / 1e4:g} ha"),
        "slopes": _histogram(report, "slope_mean_deg", SLOPE_CLASSES_DEG, lambda edge: f"{edge:g}°"),
        # Data inside a script element must not contain "</script>".
        "data": json.dumps(data).replace("<", "\\u003c"),
    }
    page = (files("landslide_cli.mapping") / "report.html").read_text(encoding="utf-8")
    # In one pass, so that filled-in text is not searched for placeholders again.
    filled = re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], page)
    with atomic(path) as temporary:
        temporary.write_text(plain(filled), encoding="utf-8")


def _embedded(image: NDArray[np.uint8]) -> str:
    buffer = BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def rings(polygons: Sequence[BaseGeometry], to_pixels: Affine) -> Iterator[list[tuple[float, float]]]:
    """Yield every ring of the polygons in picture pixels, exterior before holes, without the repeated end point."""
    matrix = np.array([[to_pixels.a, to_pixels.b, to_pixels.c], [to_pixels.d, to_pixels.e, to_pixels.f]])
    for polygon in polygons:
        for part in shapely.get_parts(polygon):
            if part.geom_type == "Polygon":
                for ring in (part.exterior, *part.interiors):
                    points = shapely.get_coordinates(ring)[:-1] @ matrix[:, :2].T + matrix[:, 2]
                    yield [(x, y) for x, y in points.tolist()]


def _path(geometry: BaseGeometry, to_pixels: Affine) -> str:
    """Return a polygon as an SVG path, in grid pixels."""
    return "".join("M" + "L".join(f"{x:.5g} {y:.5g}" for x, y in ring) + "Z" for ring in rings([geometry], to_pixels))


def _colour(confidence: float) -> str:
    colour = confidence_colour(confidence)
    return f'fill="rgb({colour})" stroke="rgb({colour})" fill-rule="evenodd"'


def _in_words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _table(rows: Mapping[str, Any]) -> str:
    return _rows(rows.items())


def _rows(rows: Iterable[tuple[str, Any]]) -> str:
    cells = (f"<tr><th>{escape(name)}</th><td>{escape(_in_words(value))}</td></tr>" for name, value in rows)
    return f"<table>{''.join(cells)}</table>"


def _histogram(report: Report, field: str, edges: Sequence[float], label: Any) -> str:
    """Return a bar chart (SVG) of the number of landslides per class of `field`."""
    values = [record[field] for record in report.landslides.records if record[field] is not None]
    if not values:
        return "<p>nothing to show</p>"
    counts = np.histogram(values, edges)[0].tolist()
    top, bars = max(*counts, 1), []
    for number, count in enumerate(counts):
        x, height = 12 + number * 50, 100 * count / top
        last = edges[number + 1] == float("inf")
        name = f"over {label(edges[number])}" if last else f"to {label(edges[number + 1])}"
        bars.append(
            f'<rect x="{x}" y="{120 - height:.1f}" width="42" height="{height:.1f}" fill="#c0392b"/>'
            f'<text x="{x + 21}" y="{115 - height:.1f}" text-anchor="middle" font-size="11">{count}</text>'
            f'<text x="{x + 21}" y="134" text-anchor="middle" font-size="9">{name}</text>'
        )
    return f'<svg viewBox="0 0 {20 + 50 * len(counts)} 140" role="img" aria-label="{field}">{"".join(bars)}</svg>'
