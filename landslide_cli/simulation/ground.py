"""The ground on both dates: its shape, what covers every pixel of it, and why that changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from landslide_cli.simulation.arrays import Codes, Flags, Floats
from landslide_cli.simulation.nature import Change
from landslide_cli.simulation.parcels import Compartments
from landslide_cli.simulation.spectra import Material
from landslide_cli.simulation.terrain import Terrain

CHANGED: Final = 0.2
"""A pixel counts as changed if so much of it is of another material."""

Mixture = Mapping[Material, float]


@dataclass(frozen=True, slots=True)
class Ground:
    """Land cover before and after; its arrays are changed in place."""

    terrain: Terrain
    """As nature made it."""
    before: Floats
    """(materials, h, w) shares that add up to 1."""
    after: Floats
    """The same after the event."""
    changes: Codes
    """(h, w) uint8, a `Change` where the two differ, else 0."""
    dug_m: tuple[Floats, Floats]
    """By how much (h, w) machines lowered the ground, before and after."""
    compartments: Compartments | None = None
    """Those of the forest, where it is managed."""

    def shaped(self, after: bool) -> Terrain:
        """The terrain as it lies on one of the dates."""
        return replace(self.terrain, elevation_m=self.terrain.elevation_m - self.dug_m[after])

    def mark(self, kind: Change, earlier: npt.NDArray[np.floating] | float = 0.0) -> None:
        """Write `kind` where the difference of shares (materials, h, w) is no longer what it was `earlier`."""
        self.changes[_differ(earlier, self.after - self.before)] = kind

    def unmark_unchanged(self) -> None:
        """Write 0 where the shares do not differ."""
        self.changes[~_differ(self.before, self.after)] = 0


def bare_ground(terrain: Terrain, compartments: Compartments | None = None) -> Ground:
    """The ground with nothing on it yet: shares of 0."""
    shares = np.zeros((len(Material), *terrain.shape), np.float32)
    dug_m = (np.zeros(terrain.shape, np.float32), np.zeros(terrain.shape, np.float32))
    return Ground(terrain, shares, shares.copy(), np.zeros(terrain.shape, np.uint8), dug_m, compartments)


def convert(
    shares: Floats, where: npt.NDArray[np.floating], into: Mixture, of: Sequence[Material] = tuple(Material)
) -> None:
    """Turn the share `where` (h, w) of the materials `of` into the mixture `into`, in place."""
    taken = np.zeros(where.shape, np.float32)
    share = where.astype(np.float32)
    for material in of:
        part = shares[material] * share
        shares[material] -= part
        taken += part
    for material, weight in into.items():
        shares[material] += np.float32(weight) * taken


def _differ(before: npt.NDArray[np.floating] | float, after: Floats) -> Flags:
    return np.asarray(0.5 * np.abs(after - before).sum(axis=0) > CHANGED)
