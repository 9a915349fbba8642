import numpy as np
import pytest

from landslide_cli.inference.tiles import PARTS, ramps, starts

AXES = pytest.mark.parametrize(("tile", "stride"), [(64, 64), (64, 48), (64, 1), (256, 192), (256, 128), (96, 61)])


@pytest.mark.parametrize("size", [1, 63, 64, 65, 100, 192, 256, 257, 1000, 10_980])
@pytest.mark.parametrize("origin", [0, 1, 47, -5, 123_457, -200_011])
@AXES
def test_every_pixel_is_covered_and_weights_sum_to_exactly_one(size: int, origin: int, tile: int, stride: int) -> None:
    begins = starts(size, tile, stride, origin)
    assert all((begin + origin) % stride == 0 for begin in begins)
    assert np.diff(begins).tolist() == [stride] * (len(begins) - 1)
    assert -stride < begins[0] <= 0
    assert begins[-1] < size <= begins[-1] + tile
    total = np.zeros(begins[-1] - begins[0] + tile)
    for begin, weights in zip(begins, ramps(begins, tile), strict=True):
        assert (weights > 0).all()
        assert (weights * PARTS == np.rint(weights * PARTS)).all()
        total[begin - begins[0] : begin - begins[0] + tile] += weights
    assert (total == 1).all()


@AXES
def test_a_pixel_has_the_same_weights_however_the_axis_was_cut(tile: int, stride: int) -> None:
    long, short = starts(900, tile, stride, 5000), starts(500, tile, stride, 5150)
    weights = {begin + 5000: weight for begin, weight in zip(long, ramps(long, tile), strict=True)}
    inner = [(b + 5150, w) for b, w in zip(short, ramps(short, tile), strict=True)]
    # Where a window's neighbours are all there, its weights are its own.
    reach = -(-tile // stride)
    for begin, weight in inner[reach:-reach]:
        assert np.array_equal(weight, weights[begin])


@pytest.mark.parametrize("stride", [0, -1, 65])
def test_a_stride_that_leaves_gaps_is_refused(stride: int) -> None:
    with pytest.raises(ValueError, match="stride"):
        starts(500, 64, stride)


def test_neighbouring_windows_meet_without_a_step() -> None:
    weights = ramps([0, 48, 96], 64)
    assert np.abs(np.diff(weights[1])).max() < 0.1
