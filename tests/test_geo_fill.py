import numpy as np
import pytest

from landslide_cli.geo.fill import fill_unobserved


def test_the_unobserved_takes_the_mean_of_the_observed_band_by_band() -> None:
    image = np.arange(2 * 4 * 5, dtype=np.uint16).reshape(2, 4, 5)
    clear = np.ones((4, 5), bool)
    clear[1:3, 2:] = False
    filled = fill_unobserved(image, clear)
    assert filled.dtype == np.float32
    assert np.array_equal(filled[:, clear], image[:, clear])
    for band in range(2):
        assert filled[band][~clear] == pytest.approx(image[band][clear].mean())


def test_nothing_observed_gives_zeros_and_all_observed_the_image() -> None:
    image = np.full((3, 4, 4), 700, np.uint16)
    assert not fill_unobserved(image, np.zeros((4, 4), bool)).any()
    assert np.array_equal(fill_unobserved(image, np.ones((4, 4), bool)), image)
