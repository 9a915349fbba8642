import numpy as np
import pytest

from landslide_cli.geo.bands import SCL
from landslide_cli.simulation.clouds import Clouds, classify, make_clouds


@pytest.mark.parametrize("share", [0.03, 0.6])
def test_share_of_clouds(share: float) -> None:
    clouds = make_clouds((200, 240), np.random.default_rng(1), share=share, sun_zenith_deg=30.0, sun_azimuth_deg=90.0)
    assert clouds.opacity.dtype == np.float32
    assert 0 <= clouds.opacity.min() <= clouds.opacity.max() <= 1
    assert (clouds.opacity > 0.4).mean() == pytest.approx(share, abs=0.02 + 0.1 * share)
    assert ((clouds.opacity > 0.02) & (clouds.opacity < 0.4)).any(), "rims are thin"


def test_shadows_fall_away_from_the_sun() -> None:
    clouds = make_clouds((200, 240), np.random.default_rng(1), share=0.05, sun_zenith_deg=40.0, sun_azimuth_deg=90.0)
    shifts = [np.abs(np.roll(clouds.opacity, -shift, axis=1) - clouds.shadow).max() for shift in range(240)]
    assert 60 < np.argmin(shifts) <= 200, "to the west, by the height of the clouds"
    assert min(shifts) == 0


def test_no_clouds_at_all() -> None:
    clouds = make_clouds((100, 100), np.random.default_rng(1), share=0.0, sun_zenith_deg=30.0, sun_azimuth_deg=90.0)
    assert (clouds.opacity > 0.4).mean() < 0.01


def test_classes() -> None:
    shape = (60, 60)
    opacity, shadow = np.zeros((2, *shape), dtype=np.float32)
    opacity[:10], shadow[10:20] = 1.0, 1.0
    reflectance = np.full((12, *shape), 0.15, dtype=np.float32)
    reflectance[7, 20:30], reflectance[3, 20:30] = 0.35, 0.03  # plants
    reflectance[[7, 10], 40:50] = 0.02  # dark
    water = np.zeros(shape, dtype=np.float32)
    water[50:] = 1.0
    codes = classify(Clouds(opacity, shadow), reflectance, water, np.random.default_rng(0))
    assert codes.dtype == np.uint8
    assert np.isin(codes[:10], (SCL.CLOUD_HIGH, SCL.CLOUD_MEDIUM)).all()
    expected = {15: SCL.CLOUD_SHADOW, 25: SCL.VEGETATION, 35: SCL.NOT_VEGETATED, 45: SCL.DARK, 55: SCL.WATER}
    for row, code in expected.items():
        assert (codes[row] == code).all(), SCL(code).name
