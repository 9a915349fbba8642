import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import rasterio
from conftest import CRS, write_raster
from odc.geo.geobox import GeoBox

from landslide_cli.geo.resample import resample
from landslide_cli.imagery.terrain import dem_grid, slope_aspect, terrain_stack


@pytest.mark.parametrize("aspect_deg", [0, 45, 90, 135, 180, 225, 270, 315])
@pytest.mark.parametrize("slope_deg", [5, 30, 60])
def test_a_plane_has_its_slope_and_faces_downslope(aspect_deg: float, slope_deg: float) -> None:
    rows, columns = np.mgrid[0:20, 0:30]
    east, north = 30.0 * columns, -30.0 * rows
    towards = np.radians(aspect_deg)
    drop = np.tan(np.radians(slope_deg)) * (east * np.sin(towards) + north * np.cos(towards))
    slope, sine, cosine = slope_aspect((3000 - drop).astype(np.float32), 30.0)
    assert slope == pytest.approx(slope_deg, abs=0.01)
    assert sine == pytest.approx(np.sin(towards), abs=1e-3)
    assert cosine == pytest.approx(np.cos(towards), abs=1e-3)


def test_flat_ground_has_no_aspect() -> None:
    for values in slope_aspect(np.full((5, 5), 700, np.float32), 30.0):
        assert not values.any()


def test_the_unknown_stays_unknown() -> None:
    elevation = np.add.outer(np.arange(20.0), np.arange(20.0)).astype(np.float32)
    elevation[10, 10] = np.nan
    stack = terrain_stack(elevation, 30.0)
    unknown = np.asarray(np.isnan(stack).any(axis=0))
    assert unknown[9:12, 9:12].all()
    assert unknown.sum() == 9


@pytest.mark.skipif(shutil.which("gdaldem") is None, reason="gdaldem (Debian: gdal-bin) is not installed")
def test_slope_and_aspect_are_those_of_gdaldem(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    elevation = (1000 + np.cumsum(np.cumsum(rng.normal(0, 0.7, (120, 150)), 0), 1) / 4).astype(np.float32)
    dem = write_raster(tmp_path / "dem.tif", elevation, pixel=30, nodata=-9999)
    derived = {}
    for what in ("slope", "aspect"):
        out = tmp_path / f"{what}.tif"
        extra = ["-zero_for_flat"] if what == "aspect" else []
        subprocess.run(["gdaldem", what, "-q", "-compute_edges", *extra, str(dem), str(out)], check=True)
        with rasterio.open(out) as source:
            derived[what] = source.read(1)
    slope, sine, cosine = slope_aspect(elevation, 30.0)
    inner = np.s_[1:-1, 1:-1]  # Along the border gdaldem extends in its own way.
    assert slope[inner] == pytest.approx(derived["slope"][inner], abs=1e-3)
    steep = derived["slope"][inner] > 0.5
    angle = np.radians(derived["aspect"][inner][steep])
    assert sine[inner][steep] == pytest.approx(np.sin(angle), abs=1e-3)
    assert cosine[inner][steep] == pytest.approx(np.cos(angle), abs=1e-3)


def test_the_dem_grid_reaches_beyond_the_event_and_resampling_is_exact_on_a_plane() -> None:
    event = GeoBox.from_bbox((500_005, 2_000_005, 503_005, 2_002_005), crs=CRS, resolution=10)
    grid = dem_grid(event)
    inner, outer = event.boundingbox, grid.boundingbox
    assert outer.left <= inner.left - 90
    assert outer.top >= inner.top + 90
    x, y = (np.asarray(grid.coords[name].values) for name in ("x", "y"))
    plane = (0.2 * x[None] - 0.1 * y[:, None]).astype(np.float32)[None]
    resampled = resample(plane - plane.min(), grid, event, np.nan)[0]
    xe, ye = (np.asarray(event.coords[name].values) for name in ("x", "y"))
    expected = 0.2 * xe[None] - 0.1 * ye[:, None] - float(plane.min())
    assert resampled == pytest.approx(expected, abs=0.05)
