import re
from pathlib import Path

import numpy as np
from PIL import Image
from test_mapping_report import report

from landslide_cli.mapping.sheet import FRAME_PX, SIZE_PX, draw_sheet, write_sheet
from landslide_cli.mapping.styles import CONFIDENCE_CLASSES


def near(picture: np.ndarray, colour: tuple[int, ...], tolerance: int = 60) -> np.ndarray:
    found: np.ndarray = np.abs(picture.astype(int) - colour).max(axis=-1) <= tolerance
    return found


def test_the_page_is_one_a3_sheet(tmp_path: Path) -> None:
    write_sheet(report(), tmp_path / "map.pdf")
    content = (tmp_path / "map.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert content.count(b"/Type /Page\n") + content.count(b"/Type /Page ") == 1
    box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", content)
    assert box
    millimetres = [float(value) / 72 * 25.4 for value in box.groups()]
    assert np.allclose(millimetres, (420, 297), atol=0.5)


def test_landslides_and_gaps_are_drawn_where_they_are() -> None:
    sheet = draw_sheet(report())
    assert sheet.size == SIZE_PX
    frame = np.asarray(sheet.crop(FRAME_PX))
    colour = tuple(map(int, CONFIDENCE_CLASSES[2][2].split(",")))
    rows, columns = np.nonzero(near(frame, colour))
    # The AOI of 2 km fills the frame's height; the landslides lie in its middle, side by side.
    height, width = frame.shape[:2]
    assert 0.4 < rows.min() / height < rows.max() / height < 0.62
    assert len(np.unique(columns // 20)) >= 5
    hatched = near(frame, (60, 60, 60), 12)
    assert hatched[int(0.8 * height) :, : width // 2].sum() > 10 * hatched[: height // 3, width // 2 :].sum()


def test_without_landslides_there_is_a_sheet_too() -> None:
    assert isinstance(draw_sheet(report(0)), Image.Image)
