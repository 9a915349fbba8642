"""Reads real ground for simulated events: a piece of an elevation model, and the rivers on it."""

from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.errors import RasterioError
from rasterio.windows import Window
from scipy.ndimage import distance_transform_edt, gaussian_filter, zoom

from landslide_cli.errors import InputError
from landslide_cli.geo.bands import GSD_M
from landslide_cli.simulation.arrays import Codes
from landslide_cli.simulation.terrain import Terrain, flow

RIVER_KM2: Final = 3.0
"""Area that must drain to a stream before the stream shows as a river at 10 m."""
FLOOR_M: Final = 700.0
"""Half the width of a valley floor. The slope decides how much of it is flat."""
TRIES: Final = 400
SHRUNK_MOST: Final = 3.0
"""Largest shrink factor: a model of 30 m becomes one of 10 m and has no finer detail."""
FLATTEST: Final = 0.4
"""Smallest factor on heights. Mountain sides of 33 degrees become hillsides of 15, as those that failed in Iburi in
2018."""


def read_terrain(
    path: Path,
    shape: tuple[int, int],
    rng: np.random.Generator,
    shrunk: float = SHRUNK_MOST,
    flattest: float = FLATTEST,
    cover: Codes | None = None,
) -> Terrain:
    """Cut a random piece from an elevation model. Turn, mirror, shrink and flatten it at random, on a grid of 10 m.

    Mountains that shrink in all three directions become hills with steep slopes and close ravines. In such hills an
    earthquake leaves thousands of small scars.

    Args:
        path: elevation in metres, on a grid in metres with pixels of 5 to 60 m.
        shape: height and width of the terrain in pixels of 10 m.
        rng: chooses the piece.
        shrunk: largest shrink factor. It is less if the model is too small for it.
        flattest: smallest factor on heights above the lowest point. 1 leaves slopes as they are.
        cover: (h, w) uint8 codes of landcover.Cover on the grid of the model. The terrain gets the same piece of it.

    Returns:
        The terrain, with rivers.

    Raises:
        InputError: the file cannot be read, is not in metres, or has no piece of this size without a gap.
    """
    try:
        with rasterio.open(path) as source:
            gsd_m = abs(source.transform.a)
            if source.crs is None or not source.crs.is_projected or not 5.0 <= gsd_m <= 60.0:
                raise InputError(
                    f"--dem {path} must be in metres with pixels of 5 to 60 m (CRS {source.crs}, pixel {gsd_m:g}); "
                    "warp it to UTM first"
                )
            elevation = source.read(1).astype(np.float32)
            # Models in integers mark gaps by 0 as often as by their nodata value.
            known = (elevation != 0) & (source.read_masks(1) > 0) & np.isfinite(elevation)
    except RasterioError as error:
        raise InputError(f"--dem {path} cannot be read ({error})") from error
    turned = int(rng.integers(4))
    if turned % 2:
        shape = shape[::-1]
    room = min((side - 4) * gsd_m / (needed * GSD_M) for side, needed in zip(elevation.shape, shape, strict=True))
    for attempt in range(TRIES):
        # Try smaller pieces if no large piece is without a gap.
        most = max(min(shrunk ** (1.0 - attempt / TRIES), room), 1.0)
        factor = float(np.exp(rng.uniform(0.0, np.log(most))))
        height, width = (ceil(side * factor * GSD_M / gsd_m) + 4 for side in shape)
        if height > elevation.shape[0] or width > elevation.shape[1]:
            raise InputError(
                f"--dem {path} has {elevation.shape[0]} x {elevation.shape[1]} px; the events need {height} x {width}. "
                "Give a larger one, or a smaller --size-px"
            )
        row = int(rng.integers(elevation.shape[0] - height + 1))
        column = int(rng.integers(elevation.shape[1] - width + 1))
        window = Window(column, row, width, height).toslices()
        if known[window].all():
            break
    else:
        raise InputError(f"--dem {path} has no piece of {height} x {width} px without a gap; give a smaller --size-px")
    piece = elevation[window]
    piece = piece.min() + (piece - piece.min()) * np.float32(rng.uniform(flattest, 1.0) / factor)
    # The filter is needed because whole metres would show as terraces.
    larger = gsd_m / factor / GSD_M
    fine = zoom(gaussian_filter(piece, 0.6), larger, order=3, mode="nearest", grid_mode=True)
    mirrored = bool(rng.integers(2))

    def laid(field: npt.NDArray[Any]) -> npt.NDArray[Any]:
        field = np.rot90(field[: shape[0], : shape[1]], turned)
        return np.ascontiguousarray(field[:, ::-1] if mirrored else field)

    terrain = with_rivers(laid(fine).astype(np.float32))
    if cover is None:
        return terrain
    return replace(terrain, cover=laid(zoom(cover[window], larger, order=0, mode="nearest", grid_mode=True)))


def with_rivers(elevation_m: npt.NDArray[np.float32], cell_px: int = 6) -> Terrain:
    """Make terrain from elevation, with rivers where water from much ground gathers.

    Args:
        elevation_m: (h, w) float32 in metres, on a grid of 10 m.
        cell_px: side in pixels of the cells in which the water runs.

    Returns:
        The terrain.
    """
    height, width = elevation_m.shape
    padded = np.pad(elevation_m, ((0, -height % cell_px), (0, -width % cell_px)), mode="edge")
    drained_m2 = flow(padded, cell_px)
    rivers = drained_m2 > min(RIVER_KM2 * 1e6, float(drained_m2.max()) / 2)
    distance = distance_transform_edt(~rivers).astype(np.float32) * np.float32(cell_px * GSD_M)
    smooth = gaussian_filter(zoom(distance, cell_px, order=1, mode="nearest", grid_mode=True), 4.0)
    river_m = np.ascontiguousarray(smooth[:height, :width], dtype=np.float32)
    return Terrain(elevation_m, river_m, np.full((height, width), FLOOR_M, np.float32))
