"""The ground on both dates: its shape, its land cover, and the causes of its changes."""

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
"""A pixel counts as changed if a larger share of it became another material."""

Mixture = Mapping[Material, float]


@dataclass(frozen=True, slots=True)
class Ground:
    """Land cover before and after the event. Functions change its arrays in place."""

    terrain: Terrain
    """The natural terrain, without pits."""
    before: Floats
    """(materials, h, w) float32 shares before the event. They add up to 1."""
    after: Floats
    """(materials, h, w) float32 shares after the event."""
    changes: Codes
    """(h, w) uint8, a `Change` where the two differ, else 0."""
    dug_m: tuple[Floats, Floats]
    """(h, w) float32, how far machines lowered the ground in metres, before and after the event."""
    compartments: Compartments | None = None
    """Compartments of the forest. None if the forest is not managed."""

    def shaped(self, after: bool) -> Terrain:
        """Return the terrain with its pits, before or after the event."""
        return replace(self.terrain, elevation_m=self.terrain.elevation_m - self.dug_m[after])

    def mark(self, kind: Change, earlier: npt.NDArray[np.floating] | float = 0.0) -> None:
        """Write `kind` where `after - before` (materials, h, w) now differs from its value `earlier`."""
        self.changes[_differ(earlier, self.after - self.before)] = kind

    def unmark_unchanged(self) -> None:
        """Write 0 where the shares before and after do not differ."""
        self.changes[~_differ(self.before, self.after)] = 0


def bare_ground(terrain: Terrain, compartments: Compartments | None = None) -> Ground:
    """Return ground without land cover: all shares are 0."""
    shares = np.zeros((len(Material), *terrain.shape), np.float32)
    dug_m = (np.zeros(terrain.shape, np.float32), np.zeros(terrain.shape, np.float32))
    return Ground(terrain, shares, shares.copy(), np.zeros(terrain.shape, np.uint8), dug_m, compartments)


def convert(
    shares: Floats, where: npt.NDArray[np.floating], into: Mixture, of: Sequence[Material] = tuple(Material)
) -> None:
    """Turn a share of some materials into a mixture.

    Args:
        shares: (materials, h, w) float32; changed in place.
        where: (h, w), share of the materials to turn, 0 to 1.
        into: the mixture.
        of: the materials to turn.
    """
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
