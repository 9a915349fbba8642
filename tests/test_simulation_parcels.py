from dataclasses import replace

import numpy as np
import pytest

from landslide_cli.simulation.arrays import ramp
from landslide_cli.simulation.parcels import (
    QUARTERS,
    SIDES_PX,
    TENDED_DEG,
    WHOLE,
    Blocks,
    make_blocks,
    make_compartments,
)

SHAPE = (210, 260)
ROWS, COLUMNS = np.indices(SHAPE)


@pytest.fixture(scope="module")
def blocks() -> Blocks:
    return make_blocks(SHAPE, np.random.default_rng(3))


def test_every_part_of_every_pixel_is_in_a_parcel(blocks: Blocks) -> None:
    number, parcel = blocks.parcels(ROWS, COLUMNS, QUARTERS)
    assert parcel.shape == (4, *SHAPE)
    assert np.array_equal(np.unique(parcel), np.arange(number))


def test_parcels_are_no_longer_than_their_sides(blocks: Blocks) -> None:
    number, parcel = blocks.parcels(ROWS, COLUMNS, WHOLE)
    # However it lies, the box around a rectangle has no longer a diagonal than both sides together.
    longest_px = SIDES_PX[0][1] + SIDES_PX[1][1]
    for one in range(number):
        inside = parcel[0] == one
        assert np.hypot(np.ptp(ROWS[inside]), np.ptp(COLUMNS[inside])) <= longest_px


def test_pixels_by_name_or_by_place_are_in_the_same_parcels(blocks: Blocks) -> None:
    _, everywhere = blocks.parcels(ROWS, COLUMNS, QUARTERS)
    _, listed = blocks.parcels(ROWS.ravel(), COLUMNS.ravel(), QUARTERS)
    assert np.array_equal(everywhere.reshape(4, -1), listed)


def test_a_border_lies_half_way_between_two_blocks() -> None:
    two = Blocks(np.array([[100.0, 60.0], [100.0, 160.0]]), np.zeros(2), np.full((2, 2), 20.0))
    assert two.border_px(SHAPE)[50] == pytest.approx(np.abs(COLUMNS[50] - 110.0), abs=1e-3)
    one = replace(two, centres=two.centres[:1])
    assert np.isinf(one.border_px(SHAPE)).all()


def test_parcels_turn_by_the_angle_of_their_block() -> None:
    turned = Blocks(np.array([[100.0, 100.0]]), np.array([0.5]), np.array([[12.0, 500.0]]))
    assert turned.angle_at((3, 4)) == 0.5
    _, parcel = turned.parcels(ROWS, COLUMNS, WHOLE)
    # Along the long side nothing changes, across it each step of a side does.
    row, column = 100 + 40 * np.cos(0.5), 120 - 40 * np.sin(0.5)
    assert parcel[0, round(row), round(column)] == parcel[0, 100, 120]
    row, column = 100 + 12 * np.sin(0.5), 120 + 12 * np.cos(0.5)
    assert parcel[0, round(row), round(column)] != parcel[0, 100, 120]


def test_compartments_take_a_step_as_a_whole_where_they_are_tended() -> None:
    rng = np.random.default_rng(5)
    slope_deg = np.where(COLUMNS < 130, TENDED_DEG - 10.0, TENDED_DEG + 10.0).astype(np.float32)
    field = rng.standard_normal(SHAPE, dtype=np.float32)
    compartments = make_compartments(slope_deg, rng)
    wild, whole = ramp(field, -2.0, 2.0), compartments.ramp(field, -2.0, 2.0)
    steep, gentle = COLUMNS > 160, COLUMNS < 100
    assert np.array_equal(whole[steep], wild[steep])
    inner = gentle & (compartments.of == compartments.of[0]).all(axis=0)
    within = [whole[inner & (compartments.of[0] == one)].std() for one in np.unique(compartments.of[0][inner])]
    assert np.median(within) < 0.5 * wild[inner].std()
    constant = np.full(SHAPE, 0.05, np.float32)
    assert compartments.ramp(constant, 0.0, 0.1) == pytest.approx(0.5, abs=1e-5)
