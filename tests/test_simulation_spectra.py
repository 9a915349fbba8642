import numpy as np

from landslide_cli.geo.bands import BANDS
from landslide_cli.simulation.spectra import FRESH, GREEN, SPECTRA, Material

RED, NIR = BANDS.index("B04"), BANDS.index("B08")


def test_reflectance_is_physical() -> None:
    assert SPECTRA.shape == (len(Material), len(BANDS))
    assert SPECTRA.dtype == np.float32
    assert (SPECTRA > 0).all()
    assert (np.delete(SPECTRA, Material.SNOW, axis=0) < 0.6).all()


def test_plants_and_soil_are_told_apart_by_ndvi() -> None:
    ndvi = (SPECTRA[:, NIR] - SPECTRA[:, RED]) / (SPECTRA[:, NIR] + SPECTRA[:, RED])
    assert ndvi[list(GREEN)].min() > 0.6
    assert ndvi[list(FRESH)].max() < 0.25
    assert ndvi[Material.WATER] < 0
    assert SPECTRA[list(FRESH), RED].min() > 3 * SPECTRA[[Material.BROADLEAF, Material.CONIFER], RED].max()
