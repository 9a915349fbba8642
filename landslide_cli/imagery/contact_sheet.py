"""Draws a contact sheet: scenes side by side, to judge by eye. Pure: arrays and captions in, a picture out."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import binary_dilation, binary_erosion

from landslide_cli.geo.bands import NODATA, Unseen

Colour = tuple[int, int, int]

WHITE: Final[Colour] = (255, 255, 255)
INK: Final[Colour] = (20, 20, 20)
AOI_LINE: Final[Colour] = (255, 225, 0)
AOI_RIM: Final[Colour] = (40, 40, 40)
"""Rim beside the AOI outline, which keeps it visible on clouds."""
USED_FRAME: Final[Colour] = (0, 150, 70)
FRAME: Final[Colour] = (190, 192, 196)
TINTS: Final[dict[Unseen, Colour]] = {
    Unseen.CLOUD: (235, 0, 170),
    Unseen.SHADOW: (60, 70, 255),
    Unseen.SNOW: (0, 190, 215),
    Unseen.DEFECTIVE: (255, 80, 0),
}
"""Tint of ground hidden for each reason. Ground that was not observed is white."""
TINT_SHARE: Final = 0.4
"""Share of tint in a hidden pixel, low enough to judge the cloud below."""

PERCENTILES: Final = (1, 98)
"""Percentiles of the visible ground's digital numbers that become black and white."""
GAMMA: Final = 0.65
"""Lightens dark green, the most common colour in the images."""

COLUMNS: Final = 6
USED_FRAME_PX: Final = 5
FRAME_PX: Final = 1
MARGIN_PX: Final = 18
CAPTION_WIDTH_PX: Final = 190
"""Width reserved for a caption; narrower thumbnails are spaced apart to fit it."""
CAPTION_LINES: Final = 3
TEXT_PX: Final = 15
LINE_PX: Final = 20
TITLE_PX: Final = 19
TITLE_LINE_PX: Final = 34
SWATCH_PX: Final = 13


@dataclass(frozen=True, slots=True)
class View:
    """A scene on a coarse grid."""

    dn: NDArray[np.uint16]
    """(3, H, W) uint16 digital numbers: red, green, blue; 0 = not observed."""
    why: NDArray[np.uint8]
    """(H, W) codes of `Unseen`; 0 where the ground is seen."""

    @property
    def observed(self) -> NDArray[np.bool_]:
        """(H, W), true where the scene observed the pixel."""
        observed: NDArray[np.bool_] = (self.dn != NODATA).all(axis=0) & (self.why != Unseen.OUTSIDE)
        return observed


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A scene on the sheet."""

    view: View | None
    """None if the scene cannot be read."""
    caption: tuple[str, ...]
    """At most `CAPTION_LINES` lines."""
    used: bool


@dataclass(frozen=True, slots=True)
class Section:
    """The scenes of one side, drawn with the same stretch."""

    title: str
    thumbnails: tuple[Thumbnail, ...]


def draw_sheet(title: str, sections: Sequence[Section], inside: NDArray[np.bool_]) -> Image.Image:
    """Draw all thumbnails, one section below the other, with a legend.

    Args:
        title: title of the sheet.
        sections: the sections; their views are (H, W), like `inside`.
        inside: (H, W), true in the AOI.

    Returns:
        RGB picture; thumbnails are not rescaled.
    """
    height, width = inside.shape
    cell_width = max(width, CAPTION_WIDTH_PX) + MARGIN_PX
    cell_height = height + CAPTION_LINES * LINE_PX + 2 * MARGIN_PX
    columns = max(1, min(COLUMNS, max(len(section.thumbnails) for section in sections)))
    rows = [-(-len(section.thumbnails) // columns) for section in sections]
    size = (
        max(columns * cell_width, _legend_width(), _widest([title, *(s.title for s in sections)])) + 2 * MARGIN_PX,
        (1 + len(sections)) * TITLE_LINE_PX + LINE_PX + sum(rows) * cell_height + 3 * MARGIN_PX,
    )
    sheet = Image.new("RGB", size, WHITE)
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN_PX, MARGIN_PX), title, INK, _font(TITLE_PX))
    _draw_legend(pen, MARGIN_PX + TITLE_LINE_PX)
    top = 2 * MARGIN_PX + TITLE_LINE_PX + LINE_PX
    for section, count in zip(sections, rows, strict=True):
        pen.text((MARGIN_PX, top), section.title, INK, _font(TITLE_PX))
        top += TITLE_LINE_PX
        views = [thumbnail.view for thumbnail in section.thumbnails if thumbnail.view]
        limits = stretch_limits(views)
        for number, thumbnail in enumerate(section.thumbnails):
            row, column = divmod(number, columns)
            corner = (MARGIN_PX + column * cell_width, top + row * cell_height)
            if thumbnail.view:
                sheet.paste(Image.fromarray(paint(thumbnail.view, inside, limits)), corner)
            _draw_surroundings(pen, corner, (width, height), thumbnail)
        top += count * cell_height
    return sheet


def stretch_limits(views: Sequence[View]) -> NDArray[np.float64]:
    """Return the digital numbers that are drawn black and white.

    They come from the ground that is seen; if no view shows any, from all observed pixels.

    Args:
        views: views of one section.

    Returns:
        (2, 3) black and white limit of red, green and blue.
    """
    grounds = [view.dn[:, view.observed & (view.why == 0)] for view in views]
    if not any(ground.size for ground in grounds):
        grounds = [view.dn[:, view.observed] for view in views]
    if not any(ground.size for ground in grounds):
        return np.array([[0.0] * 3, [1.0] * 3])
    black, white = np.percentile(np.concatenate(grounds, axis=1), PERCENTILES, axis=1)
    return np.stack([black, np.maximum(white, black + 1)])


def paint(view: View, inside: NDArray[np.bool_], limits: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Paint a view in true colour, with tinted hidden ground in the AOI and the outline of the AOI.

    Args:
        view: (H, W) view of the scene.
        inside: (H, W), true in the AOI.
        limits: see `stretch_limits`.

    Returns:
        (H, W, 3) uint8 red, green, blue.
    """
    black, white = limits
    share = np.clip((np.moveaxis(view.dn, 0, -1) - black) / (white - black), 0, 1)
    picture = 255 * share**GAMMA
    for reason, tint in TINTS.items():
        hidden = inside & (view.why == reason)
        picture[hidden] = (1 - TINT_SHARE) * picture[hidden] + TINT_SHARE * np.array(tint)
    picture[~view.observed] = WHITE
    picture[inside & ~binary_erosion(inside)] = AOI_LINE
    picture[binary_dilation(inside) & ~inside] = AOI_RIM
    painted: NDArray[np.uint8] = np.rint(picture).astype(np.uint8)
    return painted


def _draw_surroundings(
    pen: ImageDraw.ImageDraw, corner: tuple[int, int], size: tuple[int, int], thumbnail: Thumbnail
) -> None:
    """Draw the frame around a thumbnail and the caption below it."""
    (left, top), (width, height) = corner, size
    frame_px, colour = (USED_FRAME_PX, USED_FRAME) if thumbnail.used else (FRAME_PX, FRAME)
    frame = (left - frame_px, top - frame_px, left + width + frame_px - 1, top + height + frame_px - 1)
    pen.rectangle(frame, outline=colour, width=frame_px)
    if thumbnail.view is None:
        pen.text((left + width / 2, top + height / 2), "cannot be read", INK, _font(TEXT_PX), anchor="mm")
    for number, line in enumerate(thumbnail.caption[:CAPTION_LINES]):
        pen.text((left, top + height + USED_FRAME_PX + 2 + number * LINE_PX), line, INK, _font(TEXT_PX))


def _draw_legend(pen: ImageDraw.ImageDraw, top: int) -> None:
    left = float(MARGIN_PX)
    for reason, tint in TINTS.items():
        pen.rectangle((left, top + 3, left + SWATCH_PX, top + 3 + SWATCH_PX), fill=tint)
        left += SWATCH_PX + 6
        pen.text((left, top), reason.label, INK, _font(TEXT_PX))
        left += _font(TEXT_PX).getlength(reason.label) + MARGIN_PX
    pen.text((left, top), _LEGEND_REST, INK, _font(TEXT_PX))


_LEGEND_REST: Final = "white: not observed     yellow: AOI     green frame: used"


def _legend_width() -> int:
    swatches = len(TINTS) * (SWATCH_PX + 6 + MARGIN_PX)
    words = [*(reason.label for reason in TINTS), _LEGEND_REST]
    return round(swatches + sum(_font(TEXT_PX).getlength(word) for word in words))


def _widest(titles: Sequence[str]) -> int:
    return round(max(_font(TITLE_PX).getlength(title) for title in titles))


@cache
def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)
