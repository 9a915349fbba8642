"""Draws a printable map sheet: one A3 page (PDF) with vector outlines and text."""

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from landslide_cli.files import atomic
from landslide_cli.mapping.report import Report
from landslide_cli.mapping.styles import CONFIDENCE_CLASSES, confidence_colour
from landslide_cli.mapping.text import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.path import Path as Outline

log = logging.getLogger(__name__)

SIZE_MM: Final = (420, 297)
"""A3, landscape. All lengths are in millimetres on paper, from the upper left corner."""
FRAME_MM: Final = (20, 30, 306, 278)
"""Left, top, right and bottom of the map."""
PANEL_MM: Final = (314, 408)
"""Left and right of the column beside the map."""
BOTTOM_MM: Final = 276
"""Bottom of that column; the line below it names the software."""
SCALES: Final = (1, 1.25, 1.5, 1.75, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9)
"""Allowed map scales, each times a power of ten."""
SCENES_MAX: Final = 20
"""Number of images listed at most."""
POINT_MM: Final = 25.4 / 72
INK: Final = "#1c2733"
GREY: Final = "#5b6875"
DISCLAIMER: Final = (
    "Made automatically from satellite images; not checked in the field. Landslides can be missing, and some outlines "
    "can be false alarms. Hatched ground was not analysed. Do not decide on lives by this sheet alone."
)


def write_sheet(report: Report, path: Path) -> None:
    """Write the sheet as PDF. Its text can be searched and copied, and its outlines stay sharp at any size.

    Args:
        report: content of the sheet.
        path: the file.

    Raises:
        OutputError: the file cannot be written.
    """
    from matplotlib import rc_context

    fonts = _Fonts()
    # 42 embeds fonts unchanged (TrueType), so that the text stays text.
    with rc_context({"pdf.fonttype": 42, "hatch.linewidth": 0.5, "font.family": fonts.families}):
        figure = draw_sheet(report, fonts)
        with atomic(path) as temporary:
            about = {"Title": plain(report.title), "Creator": report.software}
            figure.savefig(temporary, format="pdf", metadata=about)
    if fonts.missing:
        log.warning(
            "no font on this machine has the letters %s; %s shows ? instead; install a font such as Noto Sans CJK",
            "".join(sorted(fonts.missing)), path.name,
        )  # fmt: skip


class _Fonts:
    """Fonts of this machine: DejaVu Sans, which matplotlib brings, and others for the letters that it lacks."""

    def __init__(self) -> None:
        from matplotlib.font_manager import fontManager

        # Regular faces, each family once. The "Last Resort" font is skipped: it draws a box for every letter.
        self._files = {
            font.name: font.fname
            for font in fontManager.ttflist
            if font.style == "normal" and font.weight in (400, "normal") and "Last Resort" not in font.name
        }
        self._letters: dict[str, set[int]] = {}
        self.families = ["DejaVu Sans"]
        """Families for the text: each letter uses the first family that has it."""
        self.missing: set[str] = set()
        """Letters that no font has."""

    def legible(self, text: str) -> str:
        """Add the families that `text` needs; join its words by single blanks and put ? for letters without a font."""
        text = " ".join(text.split())
        return "".join(letter if self._has(letter) else "?" for letter in text if letter.isprintable())

    def _has(self, letter: str) -> bool:
        if any(ord(letter) in self._of(family) for family in self.families):
            return True
        for family in self._files:
            if ord(letter) in self._of(family):
                self.families.append(family)
                return True
        self.missing.add(letter)
        return False

    def _of(self, family: str) -> set[int]:
        from matplotlib.font_manager import get_font

        if family not in self._letters:
            self._letters[family] = set(get_font(self._files[family]).get_charmap())
        return self._letters[family]


class _Pen:
    """Writes on the page, at positions in millimetres."""

    def __init__(self, page: "Axes", fonts: _Fonts) -> None:
        self.page, self._fonts = page, fonts

    def text(self, x: float, y: float, text: str, size: float, **how: Any) -> float:
        """Write one line with its upper left corner at x, y; return the y of the next line."""
        legible = self._fonts.legible(text)
        # Bold text is our own and DejaVu Sans has its letters; most other fonts have no bold face.
        families = self._fonts.families[:1] if "weight" in how else self._fonts.families
        how = {"color": INK, "va": "top", "family": list(families)} | how
        # Text from outside must not be parsed as a formula.
        self.page.text(x, y, legible, size=size, parse_math=False, **how)
        return y + 1.35 * size * POINT_MM

    def paragraph(self, x: float, y: float, text: str, size: float, right: float = PANEL_MM[1], **how: Any) -> float:
        """Wrap text between x and `right`; return the y of the next line. Lines without room are not written."""
        line = ""
        for word in self._fonts.legible(text).split():
            longer = f"{line} {word}".strip()
            if line and self._width(longer, size) > right - x:
                y, line = self._line(x, y, line, size, **how), word
            else:
                line = longer
        return self._line(x, y, line, size, **how)

    def shortened(self, text: str, size: float, width: float) -> str:
        """Shorten a text until it fits into `width`."""
        text = self._fonts.legible(text)
        if self._width(text, size) <= width:
            return text
        while text and self._width(text + "…", size) > width:
            text = text[:-1]
        return text + "…"

    def _line(self, x: float, y: float, line: str, size: float, **how: Any) -> float:
        return self.text(x, y, line, size, **how) if y + size * POINT_MM < BOTTOM_MM else y

    def _width(self, text: str, size: float) -> float:
        from matplotlib.font_manager import FontProperties
        from matplotlib.textpath import text_to_path

        how = FontProperties(family=list(self._fonts.families), size=size)
        return float(text_to_path.get_text_width_height_descent(text, how, ismath=False)[0]) * POINT_MM


def draw_sheet(report: Report, fonts: _Fonts | None = None) -> "Figure":
    """Return the sheet as a matplotlib figure."""
    from matplotlib.figure import Figure

    width, height = SIZE_MM
    figure = Figure(figsize=(width / 25.4, height / 25.4))
    left, top, right, bottom = FRAME_MM
    frame = figure.add_axes(
        (left / width, 1 - bottom / height, (right - left) / width, (bottom - top) / height), facecolor="white"
    )
    page = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    page.axis("off")
    pen = _Pen(page, fonts or _Fonts())
    scale = _map(frame, report)
    pen.text(left, 9, pen.shortened(report.title, 22, PANEL_MM[1] - left), 22)
    dates = f"Before the event: {report.pre_date}.   After it: {report.post_date}, shown here."
    pen.text(left, 20, pen.shortened(dates, 12, right - left), 12, color=GREY)
    _scale_bar(pen, scale)
    _north(pen)
    _panel(pen, report, scale)
    return figure


def _map(frame: "Axes", report: Report) -> float:
    """Draw the map; return its scale denominator (metres on the ground per metre on paper)."""
    from matplotlib.patches import PathPatch

    left, top, right, bottom = FRAME_MM
    west, south, east, north = report.aoi.bounds
    scale = _round_up(1.02 * 1000 * max((east - west) / (right - left), (north - south) / (bottom - top)))
    half = scale * (right - left) / 2000, scale * (bottom - top) / 2000
    x, y = (west + east) / 2, (south + north) / 2
    frame.set(xlim=(x - half[0], x + half[0]), ylim=(y - half[1], y + half[1]))
    height, width = report.shape_px
    (grid_west, grid_north), (grid_east, grid_south) = report.transform @ (0, 0), report.transform @ (width, height)
    # Not resampled here: the right resolution depends on the printer.
    frame.imshow(
        report.post, extent=(grid_west, grid_east, grid_south, grid_north), interpolation="none", aspect="auto"
    )
    tolerance_m = scale * 0.05 / 1000
    hidden = _outline(report.not_analysed.polygons, tolerance_m)
    # add_artist, not add_patch: the latter computes the extent, which takes seconds and is already known.
    frame.add_artist(PathPatch(hidden, facecolor=(1, 1, 1, 0.35), edgecolor="#333333", linewidth=0.4, hatch="/////"))
    groups: dict[str, list[BaseGeometry]] = {colour: [] for _, _, colour in CONFIDENCE_CLASSES}
    for polygon, record in zip(report.landslides.polygons, report.landslides.records, strict=True):
        if polygon is not None:
            groups[confidence_colour(record["confidence"])].append(polygon)
    for colour, polygons in groups.items():
        ink = _rgb(colour)
        frame.add_artist(
            PathPatch(_outline(polygons, tolerance_m), facecolor=(*ink, 0.55), edgecolor=ink, linewidth=0.7)
        )
    frame.add_artist(PathPatch(_outline([report.aoi], 0), fill=False, edgecolor="black", linewidth=1.2, linestyle="--"))
    _coordinates(frame, scale)
    return scale


def _outline(polygons: Sequence[BaseGeometry | None], tolerance_m: float) -> "Outline":
    """Return one path of all polygons; holes run against the outlines, so that they stay empty."""
    from matplotlib.path import Path as Outline

    simple = shapely.simplify([p for p in polygons if p is not None], tolerance_m)
    parts = [part for part in shapely.get_parts(simple) if part.geom_type == "Polygon"]
    points: list[NDArray[np.float64]] = [np.zeros((0, 2))]
    codes: list[NDArray[np.uint8]] = [np.zeros(0, np.uint8)]
    for part in shapely.orient_polygons(np.array(parts, dtype=object)):
        for ring in (part.exterior, *part.interiors):
            points.append(shapely.get_coordinates(ring))
            codes.append(np.full(len(points[-1]), Outline.LINETO, np.uint8))
            codes[-1][[0, -1]] = Outline.MOVETO, Outline.CLOSEPOLY
    return Outline(np.concatenate(points), np.concatenate(codes))


def _coordinates(frame: "Axes", scale: float) -> None:
    """Draw a coordinate grid of the map's CRS, labelled on all sides."""
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    step = _round_up(scale * 45 / 1000, (1, 2, 5))
    for axis in (frame.xaxis, frame.yaxis):
        axis.set_major_locator(MultipleLocator(step))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}".replace(",", "\u2009")))
    frame.tick_params(top=True, right=True, labeltop=True, labelsize=6.5, length=2.5, pad=1.5, colors=INK)
    for label in frame.get_yticklabels():
        label.set(rotation=90, va="center")
    frame.grid(color="white", linewidth=0.35, alpha=0.6)


def _scale_bar(pen: _Pen, scale: float) -> None:
    from matplotlib.patches import Rectangle

    length_m = _round_down(60 * scale / 1000, (1, 2, 5))
    width = 1000 * length_m / scale
    x, y = FRAME_MM[0] + 7, FRAME_MM[3] - 7
    pen.page.add_patch(Rectangle((x - 4, y - 8), width + 13, 12, facecolor="white", edgecolor=INK, linewidth=0.6))
    for part in range(4):
        colour = INK if part % 2 == 0 else "white"
        place = (x + part * width / 4, y - 1)
        pen.page.add_patch(Rectangle(place, width / 4, 2, facecolor=colour, edgecolor=INK, linewidth=0.6))
    for share in (0, 0.5, 1):
        metres = share * length_m
        name = f"{metres / 1000:g}" if length_m >= 1000 else f"{metres:g}"
        unit = "" if share < 1 else " km" if length_m >= 1000 else " m"
        pen.text(x + share * width, y - 6, name + unit, 8, ha="center")


def _north(pen: _Pen) -> None:
    """Draw an arrow to grid north."""
    from matplotlib.patches import Polygon, Rectangle

    x, y = FRAME_MM[2] - 11, FRAME_MM[1] + 5
    pen.page.add_patch(Rectangle((x - 6, y - 1.5), 12, 20, facecolor="white", edgecolor=INK, linewidth=0.6))
    pen.page.add_patch(Polygon([(x, y), (x + 3.8, y + 11.5), (x, y + 9), (x - 3.8, y + 11.5)], color=INK, linewidth=0))
    pen.text(x, y + 12.3, "N", 13, ha="center", weight="bold")


def _panel(pen: _Pen, report: Report, scale: float) -> None:
    """Write legend, totals, images, model, warnings and scale."""
    x, right = PANEL_MM
    y = _legend(pen, FRAME_MM[1])
    y = _heading(pen, "Totals", y + 3)
    for name, value in report.totals.items():
        pen.text(right, y, value, 8.5, ha="right")
        y = pen.text(x, y, pen.shortened(name, 8.5, 52), 8.5)
    y = _heading(pen, "Images: Copernicus Sentinel-2", y + 3)
    for scene in report.scenes[:SCENES_MAX]:
        time = (scene["datetime"] or "date unknown")[:16].replace("T", " ")
        pen.text(x, y, scene["side"], 5.4)
        pen.text(x + 6, y, time, 5.4)
        y = pen.text(x + 25, y, pen.shortened(scene["id"], 5.4, right - x - 25), 5.4)
    if len(report.scenes) > SCENES_MAX:
        y = pen.text(x, y, f"and {len(report.scenes) - SCENES_MAX} more, listed in the report", 5.4)
    y = _heading(pen, "Model", y + 3)
    model = f"{report.model.get('model', '')}, probability threshold {report.model.get('threshold', '')}."
    y = pen.paragraph(x, y, model, 8)
    y = _heading(pen, "Before you rely on it", y + 3)
    y = pen.paragraph(x, y, DISCLAIMER, 8)
    y = pen.paragraph(x, y + 1, report.limits, 7, color=GREY)
    y = _heading(pen, "Map", y + 3)
    crs = report.landslides.crs
    y = pen.paragraph(x, y, f"Scale 1 : {scale:,.0f} on A3. {pyproj.CRS(crs).name} ({crs}), metres; grid north.", 8)
    pen.text(x, BOTTOM_MM, pen.shortened(f"Made by {report.software}.", 6.5, right - x), 6.5, color=GREY)


def _legend(pen: _Pen, y: float) -> float:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    x = PANEL_MM[0]
    y = _heading(pen, "Landslides, by confidence", y)
    for lower, upper, colour in CONFIDENCE_CLASSES:
        ink = _rgb(colour)
        pen.page.add_patch(Rectangle((x, y), 8, 3.6, facecolor=ink, edgecolor=INK, linewidth=0.4))
        y = 1.2 + pen.text(x + 11, y, f"{lower:g} to {upper:g}", 9)
    pen.page.add_patch(
        Rectangle((x, y), 8, 3.6, facecolor="#e6e6e6", edgecolor="#333333", linewidth=0.4, hatch="/////")
    )
    y = 1.2 + pen.text(x + 11, y, "not analysed: landslides unknown", 9)
    pen.page.add_line(Line2D([x, x + 8], [y + 1.8, y + 1.8], color="black", linewidth=1.2, linestyle="--"))
    return pen.text(x + 11, y, "area of interest", 9)


def _heading(pen: _Pen, text: str, y: float) -> float:
    return 0.6 + pen.paragraph(PANEL_MM[0], y, text, 10.5, weight="bold")


def _rgb(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(value) / 255 for value in colour.split(","))
    return red, green, blue


def _round_up(value: float, steps: Sequence[float] = SCALES) -> float:
    """Return the smallest of `steps`, times a power of ten, that is at least `value`."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (*steps, 10) if step * power >= value)


def _round_down(value: float, steps: Sequence[float]) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in reversed(steps) if step * power <= value)
