"""Resampling gives the same wherever grids are cut and whatever lies far away."""

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling

from landslide_cli.geo.resample import resample

SOURCE = GeoBox((120, 140), Affine(20, 0, 600_000, 0, -20, 4_000_000), "EPSG:32633")
TARGETS = {
    "inside": GeoBox((150, 160), Affine(10, 0, 600_110, 0, -10, 3_999_880), "EPSG:32633"),
    "beyond": GeoBox((300, 320), Affine(10, 0, 599_800, 0, -10, 4_000_200), "EPSG:32633"),
    "other zone": GeoBox((300, 340), Affine(10, 0, 59_700, 0, -10, 4_010_700), "EPSG:32634"),
}
METHODS = (Resampling.bilinear, Resampling.nearest)


@pytest.fixture
def stack() -> np.ndarray:
    return np.random.default_rng(0).integers(1, 60_000, (3, *SOURCE.shape)).astype(np.uint16)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
@pytest.mark.parametrize("name", TARGETS)
def test_an_unknown_pixel_matters_only_around_itself(stack: np.ndarray, name: str, method: Resampling) -> None:
    target = TARGETS[name]
    with_hole = stack.copy()
    row, column = 60, 50
    with_hole[:, row, column] = 0
    whole, holed = resample(stack, SOURCE, target, 0, method), resample(with_hole, SOURCE, target, 0, method)
    assert whole.any()
    hole = GeoBox((1, 1), SOURCE.transform @ Affine.translation(column, row), SOURCE.crs)
    assert target.crs is not None
    around = hole.extent.to_crs(target.crs).boundingbox.buffered(50)
    (west, north), (east, south) = (~target.transform @ point for point in (
        (around.left, around.top), (around.right, around.bottom)
    ))  # fmt: skip
    differ = (whole != holed).any(axis=0)
    assert differ.any()
    differ[max(int(north), 0) : int(south) + 1, max(int(west), 0) : int(east) + 1] = False
    assert not differ.any()


def test_nothing_is_made_up_beyond_the_source(stack: np.ndarray) -> None:
    beyond = resample(stack, SOURCE, TARGETS["beyond"], 0)
    assert not beyond[:, :19].any()
    assert not beyond[:, :, :19].any()
    assert beyond[:, 21:259, 21:299].all()


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_constant_stays_one(method: Resampling) -> None:
    stack = np.full((2, *SOURCE.shape), 1234, np.uint16)
    assert np.unique(resample(stack, SOURCE, TARGETS["inside"], 0, method)).tolist() == [1234]


def test_a_part_is_cut_from_the_whole(stack: np.ndarray) -> None:
    target = TARGETS["other zone"]
    whole = resample(stack, SOURCE, target, 0)
    part = resample(stack, SOURCE, target[70:230, 50:300], 0)
    assert part.any()
    # To one digital number: of neighbours as unlike as noise the last place of a weight shows.
    assert np.abs(part.astype(int) - whole[:, 70:230, 50:300]).max() <= 1
