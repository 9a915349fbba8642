"""Splits: windows for training, validation and test. No pixel is in two of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from landslide_cli.errors import InputError
from landslide_cli.training.tiles_index import Windows

SPLITS: Final = ("train", "validation", "test")

PAPER_WINDOWS: Final[Mapping[str, int]] = {"train": 55_602, "validation": 1_102, "test": 1_102}
"""Sizes of the splits of the paper (section 4), for comparison. The paper draws its validation and test windows at
random from one event. These windows overlap, so most pixels are in both splits."""

REASONS: Final[Mapping[str, str]] = {
    "straddling": "lie across the line that halves their event",
    "few_landslides": "show too few landslides to evaluate on",
}
"""Reasons why a window is in no split."""


@dataclass(frozen=True, slots=True)
class SplitRule:
    """The split of each event. Events that are not named are for training."""

    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    halve: tuple[str, ...] = ()
    """Events with one half for validation and the other for testing."""
    min_evaluation_px: int = 200
    """Windows for validation and testing with fewer visible landslide pixels are left out (paper, section 4)."""


@dataclass(frozen=True, slots=True)
class Halving:
    """A straight line through an event: validation north or west of it, test south or east."""

    axis: str
    """Whether the line is a `row` or a `col`."""
    at_px: int
    """First row or column of the part for testing."""

    @property
    def words(self) -> str:
        """The position of the halves, for people."""
        sides = ("north", "south") if self.axis == "row" else ("west", "east")
        return f"validation {sides[0]} of {self.axis} {self.at_px}, test {sides[1]} of it"


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Windows with their split, and the number of windows left out."""

    windows: Windows
    halvings: Mapping[str, Halving]
    left_out: Mapping[str, int]
    """Windows that are in no split, by reason (a key of `REASONS`)."""


def assign(windows: Windows, rule: SplitRule, window_px: int) -> Split:
    """Give each window its split, and leave out windows that belong to none.

    Args:
        windows: the windows.
        rule: the split of each event.
        window_px: side of the windows.

    Returns:
        The windows with their split.

    Raises:
        InputError: an event cannot be halved, or a split that was asked for has no window.
    """
    split = np.full(len(windows), "train", dtype="U10")
    split[np.isin(windows.event, rule.validation)] = "validation"
    split[np.isin(windows.event, rule.test)] = "test"
    telling = windows.landslide_px >= rule.min_evaluation_px
    halvings = {}
    for name in rule.halve:
        mine = windows.event == name
        line = halve(windows.row[mine & telling], windows.col[mine & telling], window_px)
        if line is None:
            raise InputError(
                f"event {name} cannot be halved: no line has windows with {rule.min_evaluation_px} visible landslide "
                "pixels on both sides; lower --min-evaluation-pixels, or give --validation and --test an event each"
            )
        halvings[name] = line
        start = windows.row if line.axis == "row" else windows.col
        split[mine] = ""
        split[mine & (start + window_px <= line.at_px)] = "validation"
        split[mine & (start >= line.at_px)] = "test"
    straddling, few = split == "", np.isin(split, ("validation", "test")) & ~telling
    kept = windows.with_split(split).take(~straddling & ~few)
    for name, wanted in (("validation", rule.validation), ("test", rule.test)):
        if wanted and not (kept.split == name).any():
            raise InputError(
                f"no window is left for {name}: no window of {', '.join(wanted)} has {rule.min_evaluation_px} visible "
                f"landslide pixels; lower --min-evaluation-pixels or give another event to --{name}"
            )
    return Split(kept, halvings, dict(zip(REASONS, (int(straddling.sum()), int(few.sum())), strict=True)))


def halve(row: NDArray[np.int32], col: NDArray[np.int32], window_px: int) -> Halving | None:
    """Find the line that no window crosses and that makes the smaller half as large as possible.

    Args:
        row: (N,) first row of each window.
        col: (N,) first column of each window.
        window_px: side of the windows.

    Returns:
        The line; None if one side is always empty.
    """
    best, line = (0, 0), None
    for axis, start in (("row", row), ("col", col)):
        # A line between two starts leaves no more windows than one at the next start.
        for at_px in np.unique(start).tolist():
            sizes = int((start + window_px <= at_px).sum()), int((start >= at_px).sum())
            worth = min(sizes), -abs(sizes[0] - sizes[1])
            if worth[0] > 0 and worth > best:
                best, line = worth, Halving(axis, at_px)
    return line


def check_names(rule: SplitRule, events: Sequence[str]) -> None:
    """Refuse a rule that names an unknown event, or one event twice.

    Raises:
        InputError: the rule does so.
    """
    named = [*rule.validation, *rule.test, *rule.halve]
    unknown = [name for name in named if name not in events]
    if unknown:
        raise InputError(
            f"{unknown[0]!r} is not one of the events; --validation, --test and --halve take {', '.join(events)}"
        )
    twice = next((name for name in named if named.count(name) > 1), None)
    if twice:
        raise InputError(f"event {twice!r} is given to more than one of --validation, --test and --halve; choose one")
