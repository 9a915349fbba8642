"""A map sheet to print: A3, one page."""

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import shapely
from PIL import Image, ImageDraw, ImageFont
from rasterio.transform import Affine
from shapely.geometry.base import BaseGeometry

from landslide_cli.files import atomic
from landslide_cli.mapping.report import Report, rings
from landslide_cli.mapping.styles import CONFIDENCE_CLASSES, confidence_colour

DPI: Final = 200
SIZE_PX: Final = (3307, 2339)
"""A3, 420 x 297 mm, lying."""
MARGIN_PX: Final = 80
FRAME_PX: Final = (80, 230, 2450, 2190)
"""Left, top, right and bottom of the map."""
PANEL_LEFT_PX: Final = 2510
INK: Final = (28, 39, 51)
DISCLAIMER: Final = (
    "Made by a program from satellite images; not checked in the field. Landslides may be missing, and what is drawn "
    "may be none. Where it is hatched nothing can be said. Do not decide on lives by this sheet alone."
)


def write_sheet(report: Report, path: Path) -> None:
    """Write the sheet as PDF.

    Raises:
        OutputError: it cannot be written.
    """
    with atomic(path) as temporary:
        draw_sheet(report).save(temporary, "PDF", resolution=DPI, title=report.title, quality=88)


def draw_sheet(report: Report) -> Image.Image:
    """Return the sheet as a picture of `SIZE_PX`."""
    sheet = Image.new("RGB", SIZE_PX, "white")
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN_PX, 60), _short(report.title, 90), INK, _font(72))
    dates = f"before: {report.pre_date}    after: {report.post_date}"
    pen.text((MARGIN_PX, 155), _short(dates, 120), INK, _font(40))
    to_sheet, metres = _projection(report)
    sheet.paste(_map(report, to_sheet), FRAME_PX[:2])
    pen.rectangle(FRAME_PX, outline=INK, width=4)
    _coordinates(pen, to_sheet)
    _scale_bar(pen, metres)
    _north(pen)
    _panel(pen, report)
    return sheet


def _projection(report: Report) -> tuple[Affine, float]:
    """Return the transformation from the CRS to the sheet's pixels, and metres per pixel."""
    west, south, east, north = report.aoi.bounds
    left, top, right, bottom = FRAME_PX
    metres = 1.06 * max((east - west) / (right - left), (north - south) / (bottom - top))
    x, y = (west + east) / 2, (south + north) / 2
    place = Affine.translation((left + right) / 2, (top + bottom) / 2) @ Affine.scale(1 / metres, -1 / metres)
    return place @ Affine.translation(-x, -y), metres


def _map(report: Report, to_sheet: Affine) -> Image.Image:
    """Return the frame's content."""
    left, top, right, bottom = FRAME_PX
    size = (right - left, bottom - top)
    frame = Affine.translation(-left, -top) @ to_sheet
    height, width = report.post.shape[:2]
    to_picture = Affine.scale(width / report.shape_px[1], height / report.shape_px[0]) @ ~report.transform
    back = to_picture @ ~frame
    picture = Image.fromarray(report.post).transform(
        size, Image.Transform.AFFINE, back[:6], Image.Resampling.BILINEAR, fillcolor="white"
    )
    rows, columns = np.indices(size[::-1])
    hatch = Image.fromarray((((rows + columns) % 14 < 4) * 255).astype(np.uint8))
    hidden = _mask(report.not_analysed.polygons, frame, size)
    picture.paste((60, 60, 60), mask=Image.composite(hatch, Image.new("L", size), hidden))
    groups: dict[str, list[BaseGeometry]] = {colour: [] for _, _, colour in CONFIDENCE_CLASSES}
    for polygon, record in zip(report.landslides.polygons, report.landslides.records, strict=True):
        if polygon is not None:
            groups[confidence_colour(record["confidence"])].append(polygon)
    for colour, polygons in groups.items():
        red, green, blue = map(int, colour.split(","))
        fill = _mask(polygons, frame, size).point(lambda value: value * 150 // 255)
        picture.paste((red, green, blue), mask=fill)
        pen = ImageDraw.Draw(picture)
        for ring in rings(polygons, frame):
            pen.line([*ring, ring[0]], (red, green, blue), 4)
    pen = ImageDraw.Draw(picture)
    for ring in rings([report.aoi], frame):
        pen.line([*ring, ring[0]], (20, 20, 20), 5)
    return picture


def _mask(polygons: Sequence[BaseGeometry | None], frame: Affine, size: tuple[int, int]) -> Image.Image:
    mask = Image.new("L", size)
    pen = ImageDraw.Draw(mask)
    for polygon in polygons:
        for part in shapely.get_parts(polygon):
            if part.geom_type == "Polygon":
                outer, *holes = rings([part], frame)
                pen.polygon(outer, fill=255)
                for hole in holes:
                    pen.polygon(hole, fill=0)
    return mask


def _coordinates(pen: ImageDraw.ImageDraw, to_sheet: Affine) -> None:
    """Mark the coordinates of the CRS along the frame."""
    left, top, right, bottom = FRAME_PX
    west, north = ~to_sheet @ (left, top)
    east, south = ~to_sheet @ (right, bottom)
    step = _nice((east - west) / 6)
    for number in range(math.ceil(west / step), math.floor(east / step) + 1):
        x, _ = to_sheet @ (number * step, north)
        pen.line([(x, bottom), (x, bottom + 14)], INK, 3)
        pen.text((x, bottom + 20), f"{number * step:.0f} E", INK, _font(26), anchor="ma")
    for number in range(math.ceil(south / step), math.floor(north / step) + 1):
        _, y = to_sheet @ (west, number * step)
        pen.line([(left - 14, y), (left, y)], INK, 3)
        pen.text(
            (left + 10, y - 6),
            f"{number * step:.0f} N",
            INK,
            _font(26),
            anchor="ld",
            stroke_width=4,
            stroke_fill="white",
        )


def _scale_bar(pen: ImageDraw.ImageDraw, metres: float) -> None:
    length_m = _nice(480 * metres)
    x, y, width = FRAME_PX[0] + 40, FRAME_PX[3] - 60, length_m / metres
    pen.rectangle((x - 20, y - 60, x + width + 130, y + 40), "white", INK, 2)
    for part in range(4):
        box = (x + part * width / 4, y, x + (part + 1) * width / 4, y + 20)
        pen.rectangle(box, INK if part % 2 == 0 else "white", INK, 2)
    name = f"{length_m / 1000:g} km" if length_m >= 1000 else f"{length_m:g} m"
    pen.text((x, y - 6), "0", INK, _font(32), anchor="ls")
    pen.text((x + width, y - 6), name, INK, _font(32), anchor="ms")


def _north(pen: ImageDraw.ImageDraw) -> None:
    """Draw an arrow to grid north."""
    x, y = FRAME_PX[2] - 80, FRAME_PX[1] + 40
    pen.rectangle((x - 55, y - 20, x + 55, y + 190), "white", INK, 2)
    pen.polygon([(x, y), (x + 36, y + 110), (x, y + 85), (x - 36, y + 110)], INK)
    pen.text((x, y + 180), "N", INK, _font(60), anchor="ms")


def _panel(pen: ImageDraw.ImageDraw, report: Report) -> None:
    """Write legend, totals, sources and what to beware of."""
    x, y = PANEL_LEFT_PX, FRAME_PX[1]
    y = _heading(pen, "Landslides, by confidence", y)
    for lower, upper, colour in CONFIDENCE_CLASSES:
        red, green, blue = map(int, colour.split(","))
        pen.rectangle((x, y, x + 60, y + 34), (red, green, blue), INK, 2)
        pen.text((x + 80, y), f"{lower:g} to {upper:g}", INK, _font(32))
        y += 46
    pen.rectangle((x, y, x + 60, y + 34), "white", INK, 2)
    for shift in range(0, 60, 14):
        pen.line([(x + shift, y + 34), (min(x + shift + 34, x + 60), y)], (60, 60, 60), 4)
    pen.text((x + 80, y), "not analysed", INK, _font(32))
    pen.line([(x, y + 65), (x + 60, y + 65)], (20, 20, 20), 5)
    pen.text((x + 80, y + 46), "area of interest", INK, _font(32))
    y = _heading(pen, "Totals", y + 110)
    for name, value in report.totals.items():
        pen.text((x, y), _short(name, 28), INK, _font(30))
        # The font that comes with Pillow has no raised 2.
        pen.text((SIZE_PX[0] - MARGIN_PX, y), value.replace("²", "2"), INK, _font(30), anchor="ra")
        y += 40
    y = _heading(pen, "Images: Copernicus Sentinel-2", y + 30)
    for scene in report.scenes[:8]:
        y = _paragraph(pen, f"{scene['side']}  {(scene['datetime'] or 'date unknown')[:16]}  {scene['id']}", y, 24)
    y = _heading(pen, "Model", y + 30)
    y = _paragraph(
        pen, f"{report.model.get('model', '')}, from a probability of {report.model.get('threshold', '')}", y, 28
    )
    y = _heading(pen, "Before you rely on it", y + 30)
    y = _paragraph(pen, DISCLAIMER, y, 28)
    y = _paragraph(pen, report.limits, y + 10, 24)
    pen.text((x, SIZE_PX[1] - 110), f"Made by {report.software}. Grid: {report.landslides.crs}.", INK, _font(26))


def _heading(pen: ImageDraw.ImageDraw, text: str, y: int) -> int:
    pen.text((PANEL_LEFT_PX, y), text, INK, _font(38), stroke_width=1)
    return y + 60


def _paragraph(pen: ImageDraw.ImageDraw, text: str, y: int, size: int) -> int:
    for line in textwrap.wrap(text, int((SIZE_PX[0] - MARGIN_PX - PANEL_LEFT_PX) / (0.56 * size))):
        if y > SIZE_PX[1] - 160:
            break
        pen.text((PANEL_LEFT_PX, y), line, INK, _font(size))
        y += int(1.3 * size)
    return y


def _nice(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return next(n for n in (5, 2, 1) if n * power <= value) * power


def _short(text: str, letters: int) -> str:
    return text if len(text) <= letters else text[: letters - 1] + "…"


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
