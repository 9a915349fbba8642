"""Divides ground by straight lines into fields and forest compartments."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.ndimage import mean as mean_of
from scipy.spatial import cKDTree

from landslide_cli.geo.bands import GSD_M
from landslide_cli.simulation.arrays import Flags, Floats, fractal, ramp

Places = npt.NDArray[np.intp] | Floats
Parts = tuple[Sequence[float], Sequence[float]]

BLOCK_M: Final = 650.0
"""Distance between blocks. All parcels of a block have the same orientation."""
SIDES_PX: Final = ((5.0, 14.0), (9.0, 30.0))
"""Least and greatest length of the first and of the second side of parcels."""
WHOLE: Final[Parts] = ((0.0,), (0.0,))
QUARTERS: Final[Parts] = ((-0.25, -0.25, 0.25, 0.25), (-0.25, 0.25, -0.25, 0.25))
"""Rows and columns of the middles of the quarters of a pixel. Straight edges run through pixels, not around them."""
WAVER_PX: Final = 0.8
"""Standard deviation of the edges of forest compartments from a straight line."""
TENDED_DEG: Final = 32.0
"""Steeper forest is not managed."""
OWN: Final = 0.15
"""Share of the natural differences that remain inside a compartment: not all edges are straight."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """Blocks of rectangles. All rectangles of a block have the same orientation and size."""

    centres: npt.NDArray[np.float64]
    """(blocks, 2) rows and columns. A pixel belongs to the block with the nearest centre."""
    angle: npt.NDArray[np.float64]
    """(blocks,) orientation in radians."""
    sides_px: npt.NDArray[np.float64]
    """(blocks, 2) sides of the rectangles."""

    def parcels(self, rows: Places, columns: Places, parts: Parts) -> tuple[int, npt.NDArray[np.intp]]:
        """Find the parcel of each part of each pixel.

        Args:
            rows: rows of the pixels, with any shape.
            columns: columns of the pixels, with the same shape.
            parts: offsets in rows and columns from the middle of a pixel to the middle of each part.

        Returns:
            The number of parcels, and the parcel of each part, from 0 up: (parts, shape of `rows`).
        """
        step = (-1, *(1,) * rows.ndim)
        rows, columns = (
            place + np.array(part).reshape(step) for place, part in zip((rows, columns), parts, strict=True)
        )
        _, block = cKDTree(self.centres).query(np.stack([rows, columns], axis=-1))
        angle, sides = self.angle[block], self.sides_px[block]
        across = np.floor((columns * np.cos(angle) + rows * np.sin(angle)) / sides[..., 0]).astype(np.int64)
        along = np.floor((rows * np.cos(angle) - columns * np.sin(angle)) / sides[..., 1]).astype(np.int64)
        key = (block * 4096 + across + 2048) * 4096 + along + 2048
        names, parcel = np.unique(key, return_inverse=True)
        return names.size, parcel.reshape(key.shape)

    def border_px(self, shape: tuple[int, int]) -> Floats:
        """Return the distance (h, w) float32 in pixels from each pixel to the next block."""
        if len(self.centres) < 2:
            return np.full(shape, np.inf, np.float32)
        away, block = cKDTree(self.centres).query(np.moveaxis(np.indices(shape), 0, -1), k=2)
        near, next_ = (self.centres[block[..., k]] for k in range(2))
        # Each border lies halfway between two centres.
        apart = np.linalg.norm(near - next_, axis=-1)
        return np.asarray((away[..., 1] ** 2 - away[..., 0] ** 2) / (2.0 * apart), dtype=np.float32)

    def angle_at(self, place: Sequence[float]) -> float:
        """Return the orientation of the parcels in radians at a row and column."""
        return float(self.angle[np.argmin(((self.centres - place) ** 2).sum(axis=1))])


def make_blocks(shape: tuple[int, int], rng: np.random.Generator) -> Blocks:
    """Make blocks on a grid of 10 m; `shape` in pixels."""
    blocks = max(int(shape[0] * shape[1] * GSD_M**2 / BLOCK_M**2), 1)
    centres = rng.uniform((0, 0), shape, (blocks, 2))
    least, most = zip(*SIDES_PX, strict=True)
    return Blocks(centres, rng.uniform(0.0, np.pi, blocks), rng.uniform(least, most, (blocks, 2)))


@dataclass(frozen=True, slots=True)
class Compartments:
    """Units in which a forest is managed. A whole compartment has one kind and age of trees, or is a meadow."""

    blocks: Blocks
    of: npt.NDArray[np.intp]
    """(4, h, w) compartment of each quarter of each pixel, from 0 up."""
    tended: Flags
    """(compartments,) bool, whether it is managed. Steep ones are not."""

    def ramp(self, field: Floats, low: float, high: float) -> Floats:
        """Make a smooth step from 0 at `low` to 1 at `high`, mostly the same for a whole compartment.

        Args:
            field: (h, w) float32.
            low: value of the field where the step begins.
            high: value of the field where the step ends.

        Returns:
            (h, w) float32, 0 to 1.
        """
        mean = _means(field, self.of)[self.of]
        whole = ramp(mean + np.float32(OWN) * (field - mean), low, high).mean(axis=0)
        tended = self.tended[self.of].mean(axis=0, dtype=np.float32)
        return np.asarray(tended * whole + (1.0 - tended) * ramp(field, low, high))


def make_compartments(slope_deg: Floats, rng: np.random.Generator) -> Compartments:
    """Make compartments for a whole grid of 10 m with the slope `slope_deg` (h, w)."""
    shape = (slope_deg.shape[0], slope_deg.shape[1])
    blocks = make_blocks(shape, rng)
    # Borders of compartments follow the ground, and trees do not end at a line.
    rows, columns = (
        place + WAVER_PX * fractal(shape, rng, shortest_px=8, longest_px=30)
        for place in np.indices(shape, dtype=np.float32)
    )
    _, of = blocks.parcels(rows, columns, QUARTERS)
    return Compartments(blocks, of, _means(slope_deg, of) < TENDED_DEG)


def _means(field: Floats, of: npt.NDArray[np.intp]) -> Floats:
    """Mean of a field (h, w) over each parcel; `of` (parts, h, w) has the parcel of each part of a pixel."""
    return np.asarray(mean_of(np.broadcast_to(field, of.shape), of, np.arange(of.max() + 1)), dtype=np.float32)
