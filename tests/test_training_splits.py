import numpy as np
import pytest

from landslide_cli.errors import InputError
from landslide_cli.training.splits import PAPER_WINDOWS, SplitRule, assign, check_names, halve
from landslide_cli.training.tiles_index import Windows

WINDOW = 256


def some_windows(seed: int, events: tuple[str, ...] = ("a", "b", "haiti"), count: int = 900) -> Windows:
    """Windows on a stride of 128, as they come from several pairs of images of each event."""
    rng = np.random.default_rng(seed)
    return Windows.join(
        [
            Windows(
                event=rng.choice(events, count),
                pre=rng.choice(["pre/1.tif", "pre/2.tif"], count),
                post=rng.choice(["post/1.tif", "post/2.tif"], count),
                row=(128 * rng.integers(0, 12, count)).astype(np.int32),
                col=(128 * rng.integers(0, 9, count)).astype(np.int32),
                landslide_px=rng.integers(1, 1000, count).astype(np.int32),
                cloud_share=rng.random(count).astype(np.float32),
                split=np.full(count, "train"),
            )
        ]
    )


def ground(windows: Windows, event: str, split: str) -> np.ndarray:
    """Return where an event is seen by the windows of a split, of whatever images."""
    seen = np.zeros((2000, 2000), bool)
    mine = windows.take((windows.event == event) & (windows.split == split))
    for row, col in zip(mine.row, mine.col, strict=True):
        seen[row : row + WINDOW, col : col + WINDOW] = True
    return seen


@pytest.mark.parametrize("seed", range(6))
def test_no_pixel_is_in_two_splits_whatever_the_images(seed: int) -> None:
    split = assign(some_windows(seed), SplitRule(test=("a",), halve=("haiti",)), WINDOW)
    for event in ("a", "b", "haiti"):
        seen = [ground(split.windows, event, name) for name in PAPER_WINDOWS]
        assert np.add.reduce(seen, dtype=int).max() == 1, event
    assert ground(split.windows, "haiti", "validation").any()
    assert ground(split.windows, "haiti", "test").any()
    assert not ground(split.windows, "haiti", "train").any()


@pytest.mark.parametrize("seed", range(6))
def test_the_smaller_half_is_as_large_as_a_straight_line_can_make_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    row, col = 128 * rng.integers(0, (3 + seed, 20 - seed), (300, 2)).T.astype(np.int32)
    line = halve(row, col, WINDOW)
    assert line is not None
    smaller = [
        min(int((start + WINDOW <= at).sum()), int((start >= at).sum()))
        for start in (row, col)
        for at in range(0, 128 * 25, 32)
    ]
    start = row if line.axis == "row" else col
    assert min((start + WINDOW <= line.at_px).sum(), (start >= line.at_px).sum()) == max(smaller) > 0
    assert str(line.at_px) in line.words


def test_windows_are_for_training_unless_their_event_is_named() -> None:
    windows = some_windows(1)
    assert (assign(windows, SplitRule(), WINDOW).windows.split == "train").all()
    split = assign(windows, SplitRule(validation=("a",), test=("b",), min_evaluation_px=0), WINDOW)
    assert len(split.windows) == len(windows)
    for event, name in (("a", "validation"), ("b", "test"), ("haiti", "train")):
        assert set(split.windows.split[split.windows.event == event]) == {name}


def test_few_landslide_pixels_will_do_for_training_only() -> None:
    windows = some_windows(2)
    split = assign(windows, SplitRule(test=("a",), halve=("haiti",), min_evaluation_px=200), WINDOW)
    evaluated = split.windows.split != "train"
    assert split.windows.landslide_px[evaluated].min() >= 200
    assert split.windows.landslide_px[~evaluated].min() < 200
    assert len(split.windows) + sum(split.left_out.values()) == len(windows)
    assert all(split.left_out.values())


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (SplitRule(test=("c",)), "'c' is not one of the events.*a, b, haiti"),
        (SplitRule(test=("a",), halve=("a",)), "'a' is given to more than one"),
        (SplitRule(validation=("a", "a")), "'a' is given to more than one"),
    ],
)
def test_names_that_cannot_be_meant_are_refused(rule: SplitRule, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_names(rule, ["a", "b", "haiti"])


def test_an_event_that_no_line_halves_is_refused() -> None:
    windows = some_windows(3)
    near = windows.take((windows.row < WINDOW) & (windows.col < WINDOW))
    with pytest.raises(InputError, match="haiti cannot be halved"):
        assign(near, SplitRule(halve=("haiti",)), WINDOW)
    with pytest.raises(InputError, match="5000 visible landslide pixels on both"):
        assign(windows, SplitRule(halve=("haiti",), min_evaluation_px=5000), WINDOW)


def test_a_split_that_was_asked_for_is_not_left_empty() -> None:
    with pytest.raises(
        InputError, match=r"no window is left for test: no window of a has 5000.*--min-evaluation-pixels"
    ):
        assign(some_windows(4), SplitRule(test=("a",), min_evaluation_px=5000), WINDOW)
