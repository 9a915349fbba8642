"""Ground on which nothing but conifers grows."""

import numpy as np

from landslide_cli.simulation.changes import change_ground
from landslide_cli.simulation.ground import Ground, bare_ground
from landslide_cli.simulation.nature import Nature
from landslide_cli.simulation.parcels import Compartments
from landslide_cli.simulation.spectra import Material
from landslide_cli.simulation.terrain import Terrain


def in_forest(terrain: Terrain, nature: Nature, seed: int, compartments: Compartments | None = None) -> Ground:
    """Change such ground as `nature` says."""
    ground = bare_ground(terrain, compartments)
    for shares in (ground.before, ground.after):
        shares[Material.CONIFER] = 1.0
    change_ground(ground, nature, np.random.default_rng(seed))
    return ground
