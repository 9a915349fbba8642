import re
import shutil
import subprocess
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_mapping_report import EVIL, report
from test_mapping_text import HOSTILE

from landslide_cli.mapping.print_sheet import FRAME_MM, SIZE_MM, _Fonts, draw_sheet, write_sheet
from landslide_cli.mapping.report import Report
from landslide_cli.mapping.styles import CONFIDENCE_CLASSES


def painted(what: Report) -> np.ndarray:
    """Return what is within the frame, as pixels."""
    buffer = BytesIO()
    draw_sheet(what).savefig(buffer, format="png", dpi=100)
    picture = np.asarray(Image.open(buffer).convert("RGB"))
    left, top, right, bottom = (round(length * picture.shape[1] / SIZE_MM[0]) for length in FRAME_MM)
    return picture[top:bottom, left:right]


def near(picture: np.ndarray, colour: tuple[int, ...], tolerance: int = 50) -> np.ndarray:
    found: np.ndarray = np.abs(picture.astype(int) - colour).max(axis=-1) <= tolerance
    return found


def test_the_page_is_one_a3_sheet(tmp_path: Path) -> None:
    write_sheet(report(), tmp_path / "map.pdf")
    content = (tmp_path / "map.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert len(re.findall(rb"/Type /Page\b", content)) == 1
    box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", content)
    assert box
    millimetres = [float(value) / 72 * 25.4 for value in box.groups()]
    assert np.allclose(millimetres, (420, 297), atol=0.5)


def test_letters_are_letters(tmp_path: Path) -> None:
    if shutil.which("pdftotext") is None:
        pytest.skip("no pdftotext here; on Debian: apt-get install poppler-utils")
    write_sheet(replace(report(), title="Гора $x^2$ <b>"), tmp_path / "map.pdf")
    done = subprocess.run(["pdftotext", tmp_path / "map.pdf", "-"], capture_output=True, check=True)
    text = done.stdout.decode()
    for said in (
        "Гора $x^2$ <b>",
        "Landslides, by confidence",
        "not analysed",
        "Do not decide",
        "EPSG:32618",
        "granule 2",
    ):
        assert said in text
    assert EVIL[:20] in text


def test_halves_of_letters_have_no_place_on_the_sheet(tmp_path: Path) -> None:
    write_sheet(replace(report(), title=HOSTILE["half a letter"]), tmp_path / "map.pdf")
    assert (tmp_path / "map.pdf").read_bytes().startswith(b"%PDF")


def test_letters_that_no_font_has_are_told_of() -> None:
    fonts = _Fonts()
    fonts._files = {"DejaVu Sans": fonts._files["DejaVu Sans"]}
    assert fonts.legible("Гора 北\n海") == "Гора ? ?"
    assert fonts.missing == {"北", "海"}
    assert fonts.families == ["DejaVu Sans"]


def test_landslides_and_gaps_are_drawn_where_they_are() -> None:
    frame = painted(report())
    height, width = frame.shape[:2]
    red, green, blue = map(int, CONFIDENCE_CLASSES[2][2].split(","))
    rows, columns = np.nonzero(near(frame, (red, green, blue)))
    assert 0.3 < rows.min() / height < rows.max() / height < 0.7
    assert len(np.unique(columns // 20)) >= 3
    bare = painted(replace(report(), not_analysed=replace(report().not_analysed, polygons=[], records=[])))
    rows, columns = np.nonzero(np.abs(frame.astype(int) - bare).max(axis=-1) > 20)
    assert rows.min() > 0.6 * height
    assert columns.max() < width / 2
    hatched = frame[rows.min() + 3 : rows.max() - 3, columns.min() + 3 : columns.max() - 3]
    assert hatched.std() > 10, "hatched, not filled"


def test_an_area_within_a_gap_of_another_reason_stays_hatched() -> None:
    from shapely.geometry import box

    plain = report(0)
    inner = box(500_800, 1_998_800, 501_000, 1_999_000)
    ring = box(500_500, 1_998_500, 501_300, 1_999_300) - inner
    gaps = replace(plain.not_analysed, polygons=[inner, ring], records=[{"reason": "shadow"}, {"reason": "cloud"}])
    nothing = painted(replace(plain, not_analysed=replace(gaps, polygons=[ring], records=gaps.records[1:])))
    both = painted(replace(plain, not_analysed=gaps))
    assert (both != nothing).any()


def test_without_landslides_there_is_a_sheet_too(tmp_path: Path) -> None:
    write_sheet(report(0), tmp_path / "map.pdf")
    assert (tmp_path / "map.pdf").exists()
