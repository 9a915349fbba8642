import numpy as np
import pytest

from landslide_cli.imagery.bands import SCL
from landslide_cli.imagery.clouds import DILATION_PX, clear_ground, shares


@pytest.mark.parametrize("code", [SCL.VEGETATION, SCL.NOT_VEGETATED, SCL.WATER, SCL.DARK, SCL.UNCLASSIFIED])
def test_ground_is_clear(code: SCL) -> None:
    assert clear_ground(np.full((9, 9), code, np.uint8)).all()


@pytest.mark.parametrize("code", [SCL.CLOUD_SHADOW, SCL.CLOUD_MEDIUM, SCL.CLOUD_HIGH, SCL.THIN_CIRRUS])
def test_clouds_and_shadows_are_grown(code: SCL) -> None:
    scl = np.full((21, 21), SCL.VEGETATION, np.uint8)
    scl[10, 10] = code
    clear = clear_ground(scl)
    assert not clear[10, 10 - DILATION_PX : 10 + DILATION_PX + 1].any()
    assert clear[10, 10 - DILATION_PX - 1]
    assert clear[10, 10 + DILATION_PX + 1]


@pytest.mark.parametrize("code", [SCL.NODATA, SCL.SATURATED, SCL.SNOW])
def test_what_is_not_seen_is_not_grown(code: SCL) -> None:
    scl = np.full((9, 9), SCL.VEGETATION, np.uint8)
    scl[4, 4] = code
    assert np.argwhere(~clear_ground(scl)).tolist() == [[4, 4]]


def test_shares_count_the_aoi_alone() -> None:
    scl = np.full((10, 10), SCL.VEGETATION, np.uint8)
    scl[:, :4] = SCL.NODATA
    scl[:5, 4:] = SCL.CLOUD_HIGH
    inside = np.zeros((10, 10), bool)
    inside[:, 2:6] = True
    covered, hidden = shares(scl, inside)
    assert covered == pytest.approx(0.5)
    assert hidden == pytest.approx(0.25)
