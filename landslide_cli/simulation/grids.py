"""Makes the grids of a simulated event: one for the world, one for each granule, one for the elevation."""

from dataclasses import dataclass
from math import ceil, floor

import numpy as np
import numpy.typing as npt
from affine import Affine
from odc.geo import CRS
from odc.geo.geobox import GeoBox
from rasterio.warp import Resampling, reproject, transform, transform_bounds

from landslide_cli.errors import InputError
from landslide_cli.geo.aoi import utm_zone
from landslide_cli.geo.bands import GSD_M
from landslide_cli.simulation.arrays import Flags, Floats

COARSEST_M = 60
"""GSD of the coarsest bands. Every grid is aligned to it."""
IMAGE_MARGIN_PX = 96
"""How far the world extends beyond the AOI: enough for a granule that is rotated against it."""
TERRAIN_MARGIN_PX = 120
"""How far the terrain extends beyond the world. Elevation then continues about 2 km outside the AOI."""
ORBIT_EDGE_DEG = 12.0
"""Angle between the edge of the orbit and north."""


@dataclass(frozen=True, slots=True)
class Granule:
    """One granule of a pass: its 10 m grid and where it has data."""

    tile: str
    """MGRS tile, such as `18QYF`."""
    grid: GeoBox
    valid: Flags
    """(h / 6, w / 6) bool, one value for each pixel of 60 m. Bands of all GSDs have the same edge."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The grids of an event."""

    centre: tuple[float, float]
    """Longitude and latitude in degrees."""
    aoi: GeoBox
    world: GeoBox
    terrain: GeoBox
    granules: tuple[Granule, Granule]


def make_layout(centre: tuple[float, float], shape: tuple[int, int]) -> Layout:
    """Make the grids of an event.

    Args:
        centre: longitude and latitude of the AOI in degrees, on the meridian between two UTM zones.
        shape: height and width of the AOI in pixels of 10 m.

    Returns:
        The grids.

    Raises:
        InputError: the centre is not on such a meridian, or the AOI is too small.
    """
    longitude, latitude = centre
    if longitude % 6.0 != 0.0 or not -174.0 <= longitude <= 174.0 or not -72.0 <= latitude <= 72.0:
        raise InputError(
            f"The centre {longitude}, {latitude} is not on the meridian between two UTM zones. "
            "Give a longitude that is a multiple of 6 (-174 to 174) and a latitude from -72 to 72."
        )
    if min(shape) < 60:
        raise InputError(f"The area of {shape[0]} x {shape[1]} pixels is too small. Give at least 60 x 60.")
    zone = round((longitude + 180.0) / 6.0)
    west, east = (CRS(utm_zone(number, north=latitude >= 0.0)) for number in (zone, zone + 1))
    xs, ys = transform("EPSG:4326", west, [longitude], [latitude])
    left = _snap(xs[0] - shape[1] * GSD_M / 2)
    top = _snap(ys[0] + shape[0] * GSD_M / 2)
    aoi = GeoBox(shape, Affine(GSD_M, 0.0, left, 0.0, -GSD_M, top), west)
    six = COARSEST_M // GSD_M
    inner = (six * ceil(shape[0] / six), six * ceil(shape[1] / six))
    world = GeoBox(inner, aoi.transform, west).pad(IMAGE_MARGIN_PX)
    terrain = world.pad(TERRAIN_MARGIN_PX)
    granules = (_granule(aoi, world, west, 0), _granule(aoi, world, east, 1))
    return Layout(centre, aoi, world, terrain, granules)


def _snap(metres: float) -> float:
    return float(COARSEST_M * floor(metres / COARSEST_M))


def _granule(aoi: GeoBox, world: GeoBox, crs: CRS, side: int) -> Granule:
    """Make the western (side 0) or the eastern (side 1) granule. Each covers two thirds of the area."""
    if crs == world.crs:
        # Cut from the world without resampling.
        width = COARSEST_M // GSD_M * round(0.68 * world.shape[1] / (COARSEST_M // GSD_M))
        keep = IMAGE_MARGIN_PX // 2
        grid = world[keep : world.shape[0] - keep, keep:width]
    else:
        around = aoi.pad(6).boundingbox
        west, south, east, north = transform_bounds(
            world.crs, crs, around.left, around.bottom, around.right, around.top
        )
        left, top = _snap(west + 0.32 * (east - west)), _snap(north) + COARSEST_M
        size = (
            6 * ceil((top - south) / COARSEST_M),
            6 * ceil((east - left) / COARSEST_M),
        )
        grid = GeoBox(size, Affine(GSD_M, 0.0, left, 0.0, -GSD_M, top), crs)
    return Granule(mgrs_tile(grid), grid, _valid(grid, world, aoi, side))


def _valid(grid: GeoBox, world: GeoBox, aoi: GeoBox, side: int) -> Flags:
    """Where a granule has data: on its side of a slanted edge, and inside the world; (h / 6, w / 6) bool."""
    coarse = grid.zoom_out(COARSEST_M // GSD_M)
    columns, rows = np.meshgrid(np.arange(coarse.shape[1]) + 0.5, np.arange(coarse.shape[0]) + 0.5)
    a, _, left, _, e, top, *_ = coarse.transform
    xs, ys = left + a * columns.ravel(), top + e * rows.ravel()
    if grid.crs != world.crs:
        xs, ys = (np.asarray(v) for v in transform(grid.crs, world.crs, xs, ys))
    columns, rows = (v.reshape(coarse.shape) for v in ~world.transform * (xs, ys))
    # The edges of the two granules are parallel. Both granules cover the strip between them.
    height, width = aoi.shape
    tilt = min(np.tan(np.radians(ORBIT_EDGE_DEG)), 0.2 * width / height)
    across = columns - world.shape[1] / 2 + tilt * (rows - world.shape[0] / 2)
    strip = 0.06 * width
    kept = across < strip if side == 0 else across > -strip
    near = 8.0  # more than half a pixel of 60 m plus the reach of the resampling
    inside = (columns > near) & (columns < world.shape[1] - near) & (rows > near)
    return np.asarray(kept & inside & (rows < world.shape[0] - near))


def mgrs_tile(grid: GeoBox) -> str:
    """Return the MGRS tile of the centre of a grid, such as `18QYF`. It is correct south of 72 degrees north."""
    zone = epsg_of(grid) % 100
    x, y = _middle(grid)
    _, latitudes = transform(grid.crs, "EPSG:4326", [x], [y])
    band = "CDEFGHJKLMNPQRSTUVWX"[min(int((latitudes[0] + 80.0) // 8.0), 19)]
    column = ("STUVWXYZ", "ABCDEFGH", "JKLMNPQR")[zone % 3][min(max(int(x // 100_000) - 1, 0), 7)]
    row = "ABCDEFGHJKLMNPQRSTUV"[(int(y // 100_000) + (0 if zone % 2 else 5)) % 20]
    return f"{zone}{band}{column}{row}"


def epsg_of(grid: GeoBox) -> int:
    """Return the EPSG code of a grid. The grid must have a CRS."""
    assert grid.crs is not None
    return int(grid.crs.to_epsg() or 0)


def _middle(grid: GeoBox) -> tuple[float, float]:
    box = grid.boundingbox
    return (box.left + box.right) / 2, (box.bottom + box.top) / 2


def block_mean(bands: Floats, factor: int) -> Floats:
    """Average square blocks of pixels.

    Args:
        bands: (..., h, w) float32.
        factor: side of a block in pixels. It must divide h and w.

    Returns:
        (..., h / factor, w / factor) float32.
    """
    if factor == 1:
        return bands
    height, width = bands.shape[-2] // factor, bands.shape[-1] // factor
    blocks = bands.reshape(*bands.shape[:-2], height, factor, width, factor)
    return np.asarray(blocks.mean(axis=(-3, -1)), dtype=np.float32)


def to_grid(
    array: npt.NDArray[np.generic], source: GeoBox, target: GeoBox, resampling: Resampling
) -> npt.NDArray[np.generic]:
    """Put an array on another grid: cut it out if both grids have the same CRS, else resample it.

    Args:
        array: (..., h, w).
        source: grid of `array`.
        target: grid of the result. In the same CRS it must have the same pixels as `source`.
        resampling: method for another CRS.

    Returns:
        (..., h, w) with the dtype of `array`. Resampled arrays are 0 outside.
    """
    if source.crs == target.crs:
        column, row = ~source.transform * (target.transform.c, target.transform.f)
        top, left = round(row), round(column)
        return array[..., top : top + target.shape[0], left : left + target.shape[1]]
    out = np.zeros((*array.shape[:-2], *target.shape), dtype=array.dtype)
    reproject(
        np.ascontiguousarray(array),
        out,
        src_transform=source.transform,
        src_crs=source.crs,
        dst_transform=target.transform,
        dst_crs=target.crs,
        resampling=resampling,
    )
    return out


def upsample(valid: Flags, factor: int) -> Flags:
    """Repeat each value `factor` times along both axes."""
    return np.repeat(np.repeat(valid, factor, axis=0), factor, axis=1)
