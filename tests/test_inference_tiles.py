import numpy as np
import pytest

from landslide_cli.inference.tiles import ramps, starts


@pytest.mark.parametrize("size", [1, 63, 64, 65, 100, 192, 256, 257, 1000, 10_980])
@pytest.mark.parametrize(("tile", "stride"), [(64, 64), (64, 48), (64, 1), (256, 192), (256, 128)])
def test_every_pixel_is_covered_and_weights_sum_to_one(size: int, tile: int, stride: int) -> None:
    begins = starts(size, tile, stride)
    assert begins[0] == 0
    assert begins == sorted(set(begins))
    assert begins[-1] + tile >= size
    assert len(begins) == 1 or begins[-1] + tile == size
    total = np.zeros(begins[-1] + tile)
    for begin, weights in zip(begins, ramps(begins, tile), strict=True):
        assert (weights > 0).all()
        total[begin : begin + tile] += weights
    assert total == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("stride", [0, -1, 65])
def test_a_stride_that_leaves_gaps_is_refused(stride: int) -> None:
    with pytest.raises(ValueError, match="stride"):
        starts(500, 64, stride)


def test_neighbouring_windows_meet_without_a_step() -> None:
    weights = ramps([0, 48, 96], 64)
    assert np.abs(np.diff(weights[1])).max() < 0.1
