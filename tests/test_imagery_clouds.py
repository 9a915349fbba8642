import numpy as np
import pytest

from landslide_cli.geo.bands import SCL, Unseen
from landslide_cli.imagery.clouds import DILATION_PX, unseen


@pytest.mark.parametrize("code", [SCL.VEGETATION, SCL.NOT_VEGETATED, SCL.WATER, SCL.DARK, SCL.UNCLASSIFIED])
def test_ground_is_seen(code: SCL) -> None:
    assert not unseen(np.full((9, 9), code, np.uint8)).any()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (SCL.CLOUD_SHADOW, Unseen.SHADOW),
        (SCL.CLOUD_MEDIUM, Unseen.CLOUD),
        (SCL.CLOUD_HIGH, Unseen.CLOUD),
        (SCL.THIN_CIRRUS, Unseen.CLOUD),
    ],
)
def test_clouds_and_shadows_are_grown(code: SCL, reason: Unseen) -> None:
    scl = np.full((21, 21), SCL.VEGETATION, np.uint8)
    scl[10, 10] = code
    why = unseen(scl)
    assert (why[10, 10 - DILATION_PX : 10 + DILATION_PX + 1] == reason).all()
    assert why[10, 10 - DILATION_PX - 1] == why[10, 10 + DILATION_PX + 1] == 0
    assert (unseen(scl, dilation_px=0) > 0).sum() == 1


@pytest.mark.parametrize(
    ("code", "reason"),
    [(SCL.NODATA, Unseen.OUTSIDE), (SCL.SATURATED, Unseen.DEFECTIVE), (SCL.SNOW, Unseen.SNOW)],
)
def test_what_has_sharp_edges_is_not_grown(code: SCL, reason: Unseen) -> None:
    scl = np.full((9, 9), SCL.VEGETATION, np.uint8)
    scl[4, 4] = code
    why = unseen(scl)
    assert why[4, 4] == reason
    assert (why > 0).sum() == 1


def test_a_cloud_beside_the_edge_of_the_swath_does_not_reach_beyond_it() -> None:
    scl = np.full((9, 9), SCL.CLOUD_HIGH, np.uint8)
    scl[:, 5:] = SCL.NODATA
    assert (unseen(scl)[:, 5:] == Unseen.OUTSIDE).all()


def test_every_reason_has_its_words() -> None:
    assert len({reason.label for reason in Unseen}) == len(Unseen)
