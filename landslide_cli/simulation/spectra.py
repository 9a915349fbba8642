"""Surface reflectance of pure materials in the 12 bands, and the variation of each material."""

from enum import IntEnum
from typing import Final

import numpy as np

from landslide_cli.geo.bands import BANDS
from landslide_cli.simulation.arrays import Floats


class Material(IntEnum):
    """Pure materials. A pixel is a mixture of them."""

    BROADLEAF = 0
    CONIFER = 1
    GRASS = 2
    DRY_GRASS = 3
    CROP = 4
    STUBBLE = 5
    SOIL = 6
    ROCK = 7
    ROOF = 8
    WATER = 9
    FRESH_BROWN = 10
    FRESH_OCHRE = 11
    FRESH_GREY = 12
    FRESH_RED = 13
    FRESH_DARK = 14
    LEAFLESS = 15
    DEAD_WOOD = 16
    CHAR = 17
    GRAVEL = 18
    ASPHALT = 19
    MUDDY_WATER = 20
    SNOW = 21


FRESH: Final = (
    Material.FRESH_BROWN, Material.FRESH_OCHRE, Material.FRESH_GREY, Material.FRESH_RED, Material.FRESH_DARK,
)  # fmt: skip
"""Soils that landslides expose."""

PLANTS: Final = (
    Material.BROADLEAF, Material.CONIFER, Material.GRASS, Material.DRY_GRASS, Material.CROP, Material.STUBBLE,
    Material.LEAFLESS, Material.DEAD_WOOD,
)  # fmt: skip
"""Plants that can burn, be cleared or be buried."""

TREES: Final = (Material.BROADLEAF, Material.CONIFER)
"""Trees of a forest, which can be felled and planted."""

GREEN: Final = (Material.BROADLEAF, Material.CONIFER, Material.GRASS, Material.CROP)
"""Living plants. Their reflectance follows the season."""

# Reflectance x 10000 in the order of BANDS, typical of L2A scenes without clouds.
#              B01   B02   B03   B04   B05   B06   B07   B08   B8A   B09   B11   B12
_TABLE: Final = {
    Material.BROADLEAF: (210, 260, 480, 290, 860, 2450, 3050, 3200, 3350, 3400, 1680, 760),
    Material.CONIFER: (170, 200, 340, 220, 580, 1480, 1820, 1930, 2060, 2150, 1010, 450),
    Material.GRASS: (320, 420, 780, 610, 1260, 2500, 2950, 3120, 3280, 3350, 2350, 1250),
    Material.DRY_GRASS: (520, 660, 1010, 1240, 1680, 2080, 2300, 2480, 2640, 2750, 3150, 2100),
    Material.CROP: (290, 360, 760, 420, 1130, 3250, 4100, 4250, 4400, 4350, 2050, 1020),
    Material.STUBBLE: (760, 950, 1350, 1750, 2080, 2350, 2560, 2750, 2880, 2950, 3600, 2700),
    Material.SOIL: (620, 780, 1090, 1480, 1760, 1950, 2130, 2300, 2440, 2550, 3050, 2500),
    Material.ROCK: (1020, 1220, 1480, 1720, 1880, 1990, 2080, 2170, 2250, 2300, 2520, 2260),
    Material.ROOF: (1120, 1300, 1550, 1780, 1950, 2060, 2170, 2300, 2350, 2380, 2480, 2230),
    Material.WATER: (460, 520, 620, 440, 400, 260, 230, 200, 170, 150, 90, 60),
    Material.FRESH_BROWN: (700, 900, 1300, 1880, 2200, 2360, 2510, 2680, 2800, 2880, 3380, 2820),
    Material.FRESH_OCHRE: (820, 1080, 1690, 2470, 2830, 2980, 3090, 3240, 3340, 3380, 3960, 3350),
    Material.FRESH_GREY: (1200, 1430, 1760, 2050, 2230, 2330, 2420, 2510, 2590, 2640, 2850, 2560),
    Material.FRESH_RED: (480, 600, 1010, 1980, 2420, 2580, 2720, 2880, 3000, 3050, 3500, 2750),
    Material.FRESH_DARK: (560, 680, 880, 1090, 1230, 1330, 1420, 1510, 1580, 1610, 1900, 1650),
    Material.LEAFLESS: (380, 470, 690, 830, 1130, 1560, 1720, 1850, 1980, 2040, 2350, 1560),
    Material.DEAD_WOOD: (320, 400, 580, 720, 960, 1340, 1500, 1620, 1750, 1800, 1950, 1250),
    Material.CHAR: (330, 380, 440, 500, 570, 680, 760, 840, 910, 940, 1500, 1450),
    Material.GRAVEL: (1450, 1680, 2020, 2310, 2470, 2560, 2640, 2740, 2790, 2800, 2900, 2580),
    Material.ASPHALT: (760, 860, 980, 1080, 1160, 1220, 1270, 1330, 1360, 1380, 1500, 1380),
    Material.MUDDY_WATER: (820, 960, 1280, 1480, 1380, 820, 720, 620, 480, 420, 160, 110),
    Material.SNOW: (8300, 8500, 8400, 8300, 8200, 8100, 8000, 7900, 7700, 7300, 1300, 1100),
}

SPECTRA: Final[Floats] = np.array([_TABLE[material] for material in Material], dtype=np.float32) / np.float32(10_000)
"""(materials, 12) reflectance."""

# Forest canopies and towns are rough at 10 m. Water and fields are not.
ROUGHNESS: Final[Floats] = np.array(
    [
        0.11, 0.15, 0.09, 0.08, 0.05, 0.05, 0.08, 0.14, 0.22, 0.03, 0.10, 0.10, 0.12,
        0.10, 0.12, 0.13, 0.15, 0.12, 0.10, 0.06, 0.04, 0.05,
    ],
    dtype=np.float32,
)  # fmt: skip
"""(materials,) relative standard deviation of brightness from pixel to pixel."""

CLOUD: Final[Floats] = np.array(
    (7900, 7700, 7500, 7500, 7500, 7500, 7500, 7500, 7400, 7000, 4600, 3700), dtype=np.float32
) / np.float32(10_000)
"""(12,) reflectance of a thick cloud."""

HAZE: Final[Floats] = np.array(
    (3600, 3100, 2500, 2100, 1900, 1700, 1600, 1500, 1400, 1300, 700, 500), dtype=np.float32
) / np.float32(10_000)
"""(12,) reflectance of dense haze."""

DIFFUSE: Final[Floats] = np.array(
    (0.38, 0.31, 0.24, 0.19, 0.17, 0.15, 0.14, 0.13, 0.12, 0.12, 0.09, 0.08), dtype=np.float32
)
"""(12,) share of the light that comes from the sky and the slopes nearby, not from the sun."""

RAYLEIGH: Final[Floats] = np.array(
    (1150, 820, 460, 260, 200, 160, 130, 100, 90, 70, 20, 10), dtype=np.float32
) / np.float32(10_000)
"""(12,) reflectance of clear air. Top-of-atmosphere images have it in addition to that of the ground."""

AXES: Final[Floats] = np.array(
    (
        (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
        (-0.6, -0.7, -0.3, -1.0, -0.4, 0.5, 0.7, 0.8, 0.8, 0.8, 0.0, -0.3),
        (-0.2, -0.2, -0.2, -0.2, -0.2, -0.1, -0.1, -0.1, -0.1, -0.1, -0.8, -1.0),
        (-1.0, -0.8, -0.3, 0.5, 0.4, 0.2, 0.1, 0.1, 0.1, 0.1, 0.2, 0.2),
    ),
    dtype=np.float32,
)
"""(4, 12) change of the logarithm of reflectance with brightness, greenness, wetness and redness."""


def tinted(spectra: Floats, tint: Floats) -> Floats:
    """Change spectra (..., 12) along `AXES` by `tint` (..., 4); float32."""
    return np.asarray(spectra * np.exp(tint @ AXES), dtype=np.float32)


assert SPECTRA.shape == (len(Material), len(BANDS))
