"""Ground cut up by straight lines: fields, and the compartments of a forest."""

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
"""Distance between blocks of parcels that share an orientation."""
SIDES_PX: Final = ((5.0, 14.0), (9.0, 30.0))
"""Least and most of the one and the other side of the parcels of a block."""
WHOLE: Final[Parts] = ((0.0,), (0.0,))
QUARTERS: Final[Parts] = ((-0.25, -0.25, 0.25, 0.25), (-0.25, 0.25, -0.25, 0.25))
"""Rows and columns of the middles of the quarters of a pixel: straight edges run through pixels, not around them."""
WAVER_PX: Final = 0.8
"""How far, as a deviation, the edges of forest compartments are from straight."""
TENDED_DEG: Final = 32.0
"""Steeper forest is left to itself."""
OWN: Final = 0.15
"""How much of what nature would do inside a compartment it does there: edges are not all straight."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """Blocks that are cut into rectangles, of one orientation and size each."""

    centres: npt.NDArray[np.float64]
    """(blocks, 2) rows and columns; a block is what is nearer to its centre than to others."""
    angle: npt.NDArray[np.float64]
    """(blocks,) orientation."""
    sides_px: npt.NDArray[np.float64]
    """(blocks, 2) of the rectangles."""

    def parcels(self, rows: Places, columns: Places, parts: Parts) -> tuple[int, npt.NDArray[np.intp]]:
        """Number of parcels, and the parcel of each part of each pixel.

        Args:
            rows: of the pixels, of any shape.
            columns: of the pixels.
            parts: rows and columns of their middles from that of a pixel.

        Returns:
            Parcels from 0 up, (parts, shape of `rows`).
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
        """How far (h, w) each pixel is from where the next block begins."""
        if len(self.centres) < 2:
            return np.full(shape, np.inf, np.float32)
        away, block = cKDTree(self.centres).query(np.moveaxis(np.indices(shape), 0, -1), k=2)
        near, next_ = (self.centres[block[..., k]] for k in range(2))
        # The line between two centres halves their distance.
        apart = np.linalg.norm(near - next_, axis=-1)
        return np.asarray((away[..., 1] ** 2 - away[..., 0] ** 2) / (2.0 * apart), dtype=np.float32)

    def angle_at(self, place: Sequence[float]) -> float:
        """Orientation of the parcels at a row and column."""
        return float(self.angle[np.argmin(((self.centres - place) ** 2).sum(axis=1))])


def make_blocks(shape: tuple[int, int], rng: np.random.Generator) -> Blocks:
    """Blocks on a grid of 10 m."""
    blocks = max(int(shape[0] * shape[1] * GSD_M**2 / BLOCK_M**2), 1)
    centres = rng.uniform((0, 0), shape, (blocks, 2))
    least, most = zip(*SIDES_PX, strict=True)
    return Blocks(centres, rng.uniform(0.0, np.pi, blocks), rng.uniform(least, most, (blocks, 2)))


@dataclass(frozen=True, slots=True)
class Compartments:
    """What a forest is managed by: each has its own kind and age of trees, or is a meadow, as a whole."""

    blocks: Blocks
    of: npt.NDArray[np.intp]
    """(4, h, w) the compartment of each quarter of each pixel, from 0 up."""
    tended: Flags
    """(compartments,) whether it is: steep ones are left to themselves."""

    def ramp(self, field: Floats, low: float, high: float) -> Floats:
        """A smooth step (h, w) of `field` (h, w) from 0 at `low` to 1 at `high`, that compartments take as a whole."""
        mean = _means(field, self.of)[self.of]
        whole = ramp(mean + np.float32(OWN) * (field - mean), low, high).mean(axis=0)
        tended = self.tended[self.of].mean(axis=0, dtype=np.float32)
        return np.asarray(tended * whole + (1.0 - tended) * ramp(field, low, high))


def make_compartments(slope_deg: Floats, rng: np.random.Generator) -> Compartments:
    """Compartments for all of a grid of 10 m, on ground so steep (h, w)."""
    shape = (slope_deg.shape[0], slope_deg.shape[1])
    blocks = make_blocks(shape, rng)
    # Lines of forest management follow the ground, and trees do not end at a line.
    rows, columns = (
        place + WAVER_PX * fractal(shape, rng, shortest_px=8, longest_px=30)
        for place in np.indices(shape, dtype=np.float32)
    )
    _, of = blocks.parcels(rows, columns, QUARTERS)
    return Compartments(blocks, of, _means(slope_deg, of) < TENDED_DEG)


def _means(field: Floats, of: npt.NDArray[np.intp]) -> Floats:
    """Mean of a field (h, w) over each parcel; `of` (parts, h, w) tells where they lie."""
    return np.asarray(mean_of(np.broadcast_to(field, of.shape), of, np.arange(of.max() + 1)), dtype=np.float32)
