import numpy as np
import pytest

from landslide_cli.geo.bands import Unseen
from landslide_cli.imagery.contact_sheet import (
    AOI_LINE,
    CAPTION_WIDTH_PX,
    COLUMNS,
    FRAME,
    FRAME_PX,
    MARGIN_PX,
    TINT_SHARE,
    TINTS,
    USED_FRAME,
    USED_FRAME_PX,
    Section,
    Thumbnail,
    View,
    draw_sheet,
    paint,
    stretch_limits,
)

SHAPE = (60, 200)
LIMITS = np.array([[500.0] * 3, [1500.0] * 3])


def view(value: int = 1000) -> View:
    return View(np.full((3, *SHAPE), value, np.uint16), np.zeros(SHAPE, np.uint8))


def area() -> np.ndarray:
    inside = np.zeros(SHAPE, bool)
    inside[5:-5, 5:-5] = True
    return inside


def thumbnails(count: int, used: int = 0) -> tuple[Thumbnail, ...]:
    return tuple(Thumbnail(view(), (f"{n}: 2021-08-07",), n < used) for n in range(count))


def sheet(*counts: int, used: int = 0) -> np.ndarray:
    sections = [Section("A side", thumbnails(count, used)) for count in counts]
    return np.asarray(draw_sheet("An event", sections, area()))


def test_the_sheet_grows_by_whole_cells() -> None:
    cell_width = SHAPE[1] + MARGIN_PX
    assert sheet(5, 1).shape[1] - sheet(4, 2).shape[1] == cell_width
    assert sheet(COLUMNS, 1).shape == sheet(1, COLUMNS).shape == sheet(COLUMNS, COLUMNS).shape
    more = sheet(COLUMNS + 1, 1)
    assert more.shape[1] == sheet(COLUMNS, 1).shape[1]
    assert more.shape[0] - sheet(COLUMNS, 1).shape[0] > SHAPE[0]


def test_titles_and_captions_of_narrow_thumbnails_have_room() -> None:
    inside = np.ones((60, 10), bool)
    small = View(np.full((3, 60, 10), 1000, np.uint16), np.zeros((60, 10), np.uint8))
    section = Section("A side", (Thumbnail(small, ("1",), False),) * COLUMNS)
    assert draw_sheet("An event", [section], inside).width == COLUMNS * (CAPTION_WIDTH_PX + MARGIN_PX) + 2 * MARGIN_PX
    assert draw_sheet("A very long title " * 50, [section], inside).width > 2000


def count(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((picture == colour).all(axis=-1).sum())


def ring(frame_px: int) -> int:
    height, width = SHAPE
    return (height + 2 * frame_px) * (width + 2 * frame_px) - height * width


def test_used_scenes_and_no_others_are_framed() -> None:
    picture = sheet(3, 2, used=1)
    assert count(picture, USED_FRAME) == 2 * ring(USED_FRAME_PX)
    assert count(picture, FRAME) == 3 * ring(FRAME_PX)
    assert count(sheet(3, 2), USED_FRAME) == 0


def test_a_thumbnail_is_on_the_sheet_pixel_by_pixel() -> None:
    picture = sheet(1, used=1)
    rows, columns = np.nonzero((picture == USED_FRAME).all(axis=-1))
    top, left = rows.min() + USED_FRAME_PX, columns.min() + USED_FRAME_PX
    expected = paint(view(), area(), stretch_limits([view()]))
    assert np.array_equal(picture[top : top + SHAPE[0], left : left + SHAPE[1]], expected)


def test_a_scene_that_cannot_be_read_has_an_empty_frame_with_words() -> None:
    sections = [Section("A side", (Thumbnail(None, ("1",), False),))]
    picture = np.asarray(draw_sheet("An event", sections, area()))
    assert count(picture, FRAME) == ring(FRAME_PX)
    assert count(picture, AOI_LINE) == 0
    rows, columns = np.nonzero((picture == FRAME).all(axis=-1))
    within = picture[rows.min() + 1 : rows.max(), columns.min() + 1 : columns.max()]
    assert 0 < (within < 128).sum() < 0.2 * within.size


@pytest.mark.parametrize("reason", TINTS)
def test_what_is_hidden_in_the_aoi_is_tinted_and_nothing_else(reason: Unseen) -> None:
    clear, hiding = view(), view()
    hiding.why[:20, :20] = reason
    before, after = (paint(v, area(), LIMITS) for v in (clear, hiding))
    changed = (before != after).any(axis=-1)
    # The outline lies over the tint.
    expected = np.zeros(SHAPE, bool)
    expected[6:20, 6:20] = True
    assert np.array_equal(changed, expected)
    mixed = (1 - TINT_SHARE) * before[10, 10] + TINT_SHARE * np.array(TINTS[reason])
    assert after[10, 10] == pytest.approx(mixed, abs=1)


def test_what_was_not_observed_is_white() -> None:
    gap = view()
    gap.dn[2, 20:30, 20:30] = 0
    gap.why[40:50, 20:30] = Unseen.OUTSIDE
    white = (paint(gap, area(), LIMITS) == 255).all(axis=-1)
    assert white.sum() == 200
    assert white[20:30, 20:30].all()
    assert white[40:50, 20:30].all()


def test_brighter_ground_is_brighter_within_the_limits() -> None:
    black, grey, white = (paint(view(value), area(), LIMITS)[30, 30, 0] for value in (400, 1000, 3000))
    assert (black, white) == (0, 255)
    assert black < grey < white


def test_clouds_and_gaps_do_not_dim_the_ground() -> None:
    rng = np.random.default_rng(0)
    ground = View(rng.integers(300, 900, (3, *SHAPE)).astype(np.uint16), np.zeros(SHAPE, np.uint8))
    clouded = View(ground.dn.copy(), ground.why.copy())
    clouded.dn[:, :30], clouded.why[:30] = 9000, Unseen.CLOUD
    clouded.dn[:, 50:] = 0
    assert stretch_limits([ground, clouded]) == pytest.approx(stretch_limits([ground]), abs=10)


def test_limits_are_usable_whatever_is_seen() -> None:
    clouds = View(np.full((3, *SHAPE), 9000, np.uint16), np.full(SHAPE, Unseen.CLOUD, np.uint8))
    nothing = View(np.zeros((3, *SHAPE), np.uint16), np.full(SHAPE, Unseen.OUTSIDE, np.uint8))
    for views in ([], [nothing], [clouds], [view(), clouds]):
        black, white = stretch_limits(views)
        assert (white > black).all()
    assert stretch_limits([clouds])[0] == pytest.approx(9000)
