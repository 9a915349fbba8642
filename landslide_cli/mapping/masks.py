"""Masks of ground where no landslide is mapped: not seen, excluded by the user, or too flat."""

from pathlib import Path
from typing import Final

import numpy as np
import rasterio
import rasterio.features
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.transform import Affine
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from landslide_cli.errors import InputError
from landslide_cli.event.folder import Event
from landslide_cli.geo.bands import EXCLUDED, NO_TERRAIN, Unseen, why_unseen
from landslide_cli.geo.rasters import BLOCK_PX
from landslide_cli.geo.vectors import read_polygons
from landslide_cli.mapping.attributes import NOT_ANALYSED_FIELDS, ellipsoidal_area_m2
from landslide_cli.mapping.formats import Layer
from landslide_cli.mapping.polygons import areas, clipped

NEAR_DEG: Final = 0.05
"""Excluded areas farther than this from the AOI do not affect the map."""
_BY_USER: Final = 1
"""Code of excluded ground, used next to the codes of `Unseen`."""


def read_excluded(path: Path) -> NDArray[np.object_]:
    """Read the areas to exclude.

    Args:
        path: a vector file of polygons.

    Returns:
        (N,) polygons in WGS 84.

    Raises:
        InputError: the file cannot be read, does not state its reference system, or holds no polygon.
    """
    polygons, _ = read_polygons(path, f"--exclude {path}", "give a vector file of polygons")
    if not len(polygons):
        raise InputError(f"--exclude {path} holds no polygon; give the areas to leave out, or leave --exclude out")
    return polygons


def burned(polygons: NDArray[np.object_], aoi: BaseGeometry, grid: GeoBox) -> NDArray[np.bool_]:
    """Burn areas onto a grid; areas far from the AOI are ignored.

    Args:
        polygons: (N,) the areas, WGS 84.
        aoi: area of interest, WGS 84.
        grid: the grid, (H, W).

    Returns:
        (H, W) bool, true in every pixel that an area touches.
    """
    # UTM also projects the far side of the Earth, possibly onto the coordinates of the AOI.
    west, south, east, north = aoi.buffer(NEAR_DEG).bounds
    mended = shapely.make_valid(polygons, method="structure", keep_collapsed=False)
    near = shapely.clip_by_rect(mended, west, south, east, north)
    near = near[~shapely.is_empty(near)]
    if not len(near):
        return np.zeros(grid.shape, bool)
    to_grid = Transformer.from_crs("EPSG:4326", str(grid.crs), always_xy=True).transform
    mask: NDArray[np.bool_] = rasterio.features.geometry_mask(
        shapely.transform(near, to_grid, interleaved=False),
        out_shape=grid.shape, transform=grid.transform, all_touched=True, invert=True,
    )  # fmt: skip
    return mask


def steep(event: Event, least_deg: float) -> NDArray[np.bool_]:
    """Return (H, W) bool, false where the ground is flatter than `least_deg`; the event must have terrain."""
    with rasterio.open(event.path("terrain")) as source:
        mask = np.empty(source.shape, bool)
        for top in range(0, source.height, BLOCK_PX):
            rows = min(BLOCK_PX, source.height - top)
            mask[top : top + rows] = ~(source.read(2, window=Window(0, top, source.width, rows)) < least_deg)
    return mask


def not_analysed(
    event: Event,
    mask: NDArray[np.bool_],
    excluded: NDArray[np.bool_] | None,
    transform: Affine,
    crs: str,
    area: BaseGeometry,
) -> Layer:
    """Return the layer of ground that was not analysed, with separate areas for each reason.

    Args:
        event: an event with `sources.tif`.
        mask: (H, W), true where nothing was analysed.
        excluded: (H, W), true where the user wants nothing mapped; None if nothing is excluded.
        transform: transform of the grid.
        crs: authority code of the CRS of the grid.
        area: area of interest, in `crs`.

    Returns:
        The layer `not_analysed`, in `crs`.
    """
    with rasterio.open(event.path("sources")) as source:
        why = why_unseen(*source.read())
    if excluded is not None:
        why[excluded & (why == 0)] = _BY_USER
    traced = areas(why, mask, transform)
    parts = clipped([polygon for _, polygon in traced], area, [])
    found = [(code, part) for (code, _), part in zip(traced, parts, strict=True) if part.area > 0]
    reasons = {0: NO_TERRAIN, _BY_USER: EXCLUDED}
    sizes = ellipsoidal_area_m2([polygon for _, polygon in found], crs)
    records = [
        {"id": number, "area_m2": round(size, 1), "reason": reasons.get(code) or Unseen(code).label}
        for number, ((code, _), size) in enumerate(zip(found, sizes.tolist(), strict=True), 1)
    ]
    return Layer("not_analysed", crs, NOT_ANALYSED_FIELDS, [polygon for _, polygon in found], records)
