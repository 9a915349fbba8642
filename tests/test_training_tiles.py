import numpy as np
import pytest

from landslide_cli.training.tiles import REASONS, choose, corners, window_counts


@pytest.mark.parametrize(("window", "stride"), [(16, 8), (16, 16), (7, 3), (5, 11), (40, 1)])
@pytest.mark.parametrize("strip", [1, 9, 64])
def test_counts_are_those_of_each_window_however_the_rows_come(window: int, stride: int, strip: int) -> None:
    masks = np.random.default_rng(window).random((2, 50, 61)) < 0.4
    strips = (masks[:, row : row + strip] for row in range(0, 50, strip))
    counts = window_counts(strips, window, stride)
    rows, columns = range(0, 50 - window + 1, stride), range(0, 61 - window + 1, stride)
    expected = [[masks[:, r : r + window, c : c + window].sum(axis=(1, 2)) for c in columns] for r in rows]
    assert np.array_equal(counts, np.moveaxis(np.array(expected), 2, 0))


def test_windows_lie_within_and_less_than_a_stride_is_left_over() -> None:
    for length in range(10, 60):
        start = corners(length, 10, 4)
        assert (np.diff(start) == 4).all()
        assert start[0] == 0
        assert 0 <= length - (start[-1] + 10) < 4


def test_every_window_is_kept_or_left_out_for_one_reason() -> None:
    rng = np.random.default_rng(0)
    mapped = rng.integers(0, 4, (30, 40))
    visible = rng.integers(0, mapped + 1)
    cloud, nodata = rng.integers(0, 9, (30, 40)), rng.integers(0, 2, (30, 40))
    kept, left_out = choose(
        mapped=mapped, visible=visible, cloud=cloud, nodata=nodata, min_visible_px=2, max_cloud_px=5
    )
    assert np.array_equal(kept, (visible >= 2) & (cloud <= 5) & (nodata == 0))
    assert tuple(left_out) == tuple(REASONS)
    assert all(left_out.values())
    assert kept.sum() + sum(left_out.values()) == kept.size
    assert left_out["no_landslide"] == (mapped == 0).sum()


def test_windows_without_landslides_are_kept_where_none_is_asked_for() -> None:
    nothing = np.zeros((3, 4), np.int64)
    kept, left_out = choose(
        mapped=nothing, visible=nothing, cloud=nothing, nodata=nothing, min_visible_px=0, max_cloud_px=0
    )
    assert kept.all()
    assert not any(left_out.values())
