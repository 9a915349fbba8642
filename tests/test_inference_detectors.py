import numpy as np
import pytest

from landslide_cli.inference.detectors import DETECTORS, RedChange, VegetationLoss, ndvi, relative_ndvi_change


def image(**bands: float) -> np.ndarray:
    return np.stack([np.full((1, 4, 4), value, np.float32) for value in bands.values()], axis=1)


def test_rdndvi_is_hazmappers() -> None:
    pre, post = np.array([0.8], np.float32), np.array([0.2], np.float32)
    assert relative_ndvi_change(pre, post) == pytest.approx(-60.0)
    assert relative_ndvi_change(post, pre) == pytest.approx(60.0)
    assert relative_ndvi_change(np.array([0.3], np.float32), np.array([-0.3], np.float32)) == 0


def test_ndvi_of_nothing_is_zero() -> None:
    assert ndvi(np.array([0, 1000], np.float32), np.array([0, 3000], np.float32)).tolist() == [0, 0.5]


def test_the_published_threshold_is_one_half() -> None:
    pre, post = image(B04=500), image(B04=500 + 1e4 * RedChange.THRESHOLD_REFLECTANCE)
    assert RedChange(10).run({"pre": pre, "post": post}) == pytest.approx(0.5, abs=1e-6)
    at = VegetationLoss(10)
    nir_pre, nir_post = (3000.0, 1000.0), (1500.0, 1000.0)
    inputs = {side: image(B04=red, B08=nir) for side, (nir, red) in {"pre": nir_pre, "post": nir_post}.items()}
    change = relative_ndvi_change(np.array([0.5], np.float32), np.array([0.2], np.float32))[0]
    assert at.run(inputs) == pytest.approx(-0.5 * change / at.THRESHOLD_PERCENT, abs=1e-6)


@pytest.mark.parametrize("name", DETECTORS)
def test_no_change_is_no_landslide_and_flat_ground_neither(name: str) -> None:
    detector = DETECTORS[name](10)
    bands = len(detector.card.bands)
    rng = np.random.default_rng(0)
    pre = rng.uniform(100, 4000, (2, bands, 8, 8)).astype(np.float32)
    assert not detector.run({"pre": pre, "post": pre}).any()
    post = rng.uniform(100, 9000, pre.shape).astype(np.float32)
    assert detector.run({"pre": pre, "post": post}).any()
    flat = np.zeros((2, 4, 8, 8), np.float32)
    assert not detector.run({"pre": pre, "post": post, "terrain": flat}).any()
    probability = detector.run({"pre": pre, "post": post})
    assert probability.shape == (2, 1, 8, 8)
    assert 0 <= probability.min() <= probability.max() <= 1
