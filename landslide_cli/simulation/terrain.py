"""Simulates hills, valleys and a river: uplift raises the ground and running water erodes it."""

from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, zoom

from landslide_cli.geo.bands import GSD_M
from landslide_cli.simulation.arrays import Codes, Flags, Floats, fractal, line_noise, ramp

# Side of a cell in pixels, and steps of erosion. Long rivers form on the coarse grid, where a step costs little.
LEVELS = ((12, 40), (6, 12), (3, 3))
UPLIFT_M = 30.0
"""Height that the ground gains in one step."""
STEEPNESS = 30.0
"""Uplift divided by erodibility: slope of a channel times (area in m2) ** CONCAVITY."""
CONCAVITY = 0.45


@dataclass(frozen=True, slots=True)
class Terrain:
    """Elevation, rivers and land cover. Arrays are (h, w) float32 on a north-up grid of 10 m."""

    elevation_m: Floats
    river_m: Floats
    """Distance from the middle of the river."""
    floor_m: Floats
    """Half the width of the valley floor at the nearest point of the river."""
    cover: Codes | None = None
    """uint8, a landcover.Cover from a map, 0 where the class is unknown. None without a map."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.elevation_m.shape
        return height, width

    def gradient(self, smoothing_px: float = 0.0) -> tuple[Floats, Floats]:
        """Return the rise of the ground towards the east and towards the north, each (h, w) float32 in m/m."""
        elevation = self.elevation_m
        if smoothing_px:
            elevation = gaussian_filter(elevation, smoothing_px, mode="nearest")
        south, east = np.gradient(elevation, GSD_M)
        return np.asarray(east, dtype=np.float32), np.asarray(-south, dtype=np.float32)

    def slope_deg(self, smoothing_px: float = 0.0) -> Floats:
        """Return the slope in degrees, (h, w) float32, 0 to 90."""
        return np.degrees(np.arctan(np.hypot(*self.gradient(smoothing_px)))).astype(np.float32)

    def crop(self, margin_px: int, shape: tuple[int, int]) -> Self:
        """Return the part with height and width `shape` that begins `margin_px` from the top left corner."""
        window = (slice(margin_px, margin_px + shape[0]), slice(margin_px, margin_px + shape[1]))
        cover = None if self.cover is None else self.cover[window]
        return type(self)(self.elevation_m[window], self.river_m[window], self.floor_m[window], cover)


def make_terrain(shape: tuple[int, int], rng: np.random.Generator) -> Terrain:
    """Make terrain with one valley floor across it; `shape` is its height and width in pixels of 10 m."""
    coarsest = LEVELS[0][0]
    height, width = (-(-size // coarsest) * coarsest for size in shape)
    river_m, floor_m, fall_m = _river(height, width, rng)
    base_m = 120.0 + fall_m + 0.006 * river_m

    hardness = 0.7 + 0.6 * ramp(fractal((height, width), rng, exponent=3.0), -1.5, 1.5)
    limit = np.tan(np.radians(35.0 + 5.0 * fractal((height, width), rng, exponent=2.5, shortest_px=20)))
    start_m = 60.0 * fractal((height, width), rng, exponent=2.6, shortest_px=24)
    elevation = _cells(base_m + 60.0 + 0.03 * river_m + start_m, coarsest)
    roughness = fractal((height, width), rng, exponent=2.2, longest_px=60)
    for (cell_px, steps), (finer_px, _) in pairwise((*LEVELS, (1, 0))):
        floor = _cells(river_m, cell_px) < _cells(floor_m, cell_px)
        elevation = elevation + 0.12 * cell_px * _cells(roughness, cell_px)
        elevation = np.where(floor, _cells(base_m, cell_px), elevation)
        if cell_px > LEVELS[-1][0]:
            elevation = _drain(elevation, floor)
        elevation = _erode(
            elevation,
            floor,
            hardness=_cells(hardness, cell_px),
            limit=np.clip(_cells(limit, cell_px), 0.4, 1.1),
            steps=steps,
            cell_m=float(cell_px * GSD_M),
        )
        factor = cell_px // finer_px
        elevation = zoom(elevation, factor, order=1, mode="nearest", grid_mode=True)
        # Without the filter, bilinear facets would show as creases in the shading.
        elevation = gaussian_filter(elevation, 0.5 * factor, mode="nearest")

    # Add gullies and bumps that are too small for the 30 m grid, where the ground is steep enough for them.
    bumps = fractal((height, width), rng, exponent=2.4, longest_px=25)
    steep = ramp(np.hypot(*np.gradient(elevation, GSD_M)), 0.05, 0.5)
    elevation = elevation + 1.6 * steep * bumps
    window = (slice(shape[0]), slice(shape[1]))
    return Terrain(elevation[window].astype(np.float32), river_m[window], floor_m[window])


def _cells(field: npt.NDArray[np.floating], cell_px: int) -> npt.NDArray[np.float64]:
    """Means over square cells."""
    height, width = (size // cell_px for size in field.shape)
    blocks = field[: height * cell_px, : width * cell_px].reshape(height, cell_px, width, cell_px)
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float64)


def _river(height: int, width: int, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Distance to a river across the grid, half-width of its floor, and its height above its lowest end, in metres."""
    upright = bool(rng.integers(2))
    along, across = (height, width) if upright else (width, height)
    bends = 0.10 * across * line_noise(along, rng, 500) + 14.0 * line_noise(along, rng, 90)
    middle = across * rng.uniform(0.35, 0.65) + bends
    length_px = np.hypot(1.0, np.gradient(middle))
    distance = np.abs(np.arange(across)[None, :] - middle[:, None]) / length_px[:, None] * GSD_M
    floor = np.clip(260.0 + 130.0 * line_noise(along, rng, 250), 60.0, 700.0)
    fall = 0.006 * np.cumsum(length_px) * GSD_M
    if rng.integers(2):
        fall = fall[-1] - fall
    lines = (np.broadcast_to(line[:, None], distance.shape) for line in (floor, fall))
    distance_m, floor_m, fall_m = (
        np.ascontiguousarray(field if upright else field.T, dtype=np.float32) for field in (distance, *lines)
    )
    return distance_m, floor_m, fall_m


def _drain(elevation: npt.NDArray[np.float64], outlets: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Cut through the rims of hollows until every cell has a way down to an outlet."""
    # Filled hollows would be plains, and erosion takes long to reach them.
    height, width = elevation.shape
    wide = width + 2
    z = np.pad(elevation, 1, constant_values=np.inf).ravel()
    done = np.pad(np.zeros_like(outlets), 1, constant_values=True).ravel().tolist()
    padded = np.pad(outlets, 1).ravel()
    first = np.flatnonzero(padded if padded.any() else z == z.min()).tolist()
    heights = z.tolist()
    queue = [(heights[cell], cell) for cell in first]
    heapify(queue)
    for cell in first:
        done[cell] = True
    # A flood from the outlets reaches each cell on its lowest way out, from the neighbour on that way.
    reached: list[tuple[int, int]] = []
    around = (-wide - 1, -wide, -wide + 1, -1, 1, wide - 1, wide, wide + 1)
    while queue:
        level, cell = heappop(queue)
        for step in around:
            near = cell + step
            if not done[near]:
                done[near] = True
                reached.append((near, cell))
                heappush(queue, (max(heights[near], level), near))
    for cell, towards in reversed(reached):
        heights[towards] = min(heights[towards], heights[cell])
    for cell in first:
        heights[cell] = float(z[cell])
    for cell, towards in reached:
        heights[cell] = max(heights[cell], heights[towards] + 0.05)
    return np.asarray(heights).reshape(height + 2, wide)[1:-1, 1:-1]


def _receivers(elevation: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Index of the neighbour that each cell drains to (itself in a pit), and the distance to that one in cells."""
    height, width = elevation.shape
    padded = np.pad(elevation, 1, constant_values=np.inf)
    steepest = np.zeros(elevation.shape)
    offset = np.zeros(elevation.shape, dtype=np.intp)
    distance = np.ones(elevation.shape)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            if dy == dx == 0:
                continue
            run = float(np.hypot(dy, dx))
            drop = (elevation - padded[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]) / run
            better = drop > steepest
            steepest = np.where(better, drop, steepest)
            offset = np.where(better, dy * width + dx, offset)
            distance = np.where(better, run, distance)
    return np.arange(elevation.size) + offset.ravel(), distance.ravel()


def flow(elevation_m: Floats, cell_px: int) -> npt.NDArray[np.float64]:
    """Compute the area that drains through each cell. Water leaves at the edges, and hollows are cut open.

    Args:
        elevation_m: (h, w) float32 in metres, on a grid of 10 m.
        cell_px: side of a cell in pixels.

    Returns:
        (h / cell_px, w / cell_px) float64, area in m2.
    """
    cells = _cells(elevation_m, cell_px)
    edge = np.ones(cells.shape, dtype=np.bool_)
    edge[1:-1, 1:-1] = False
    cells = _drain(cells, edge)
    receiver, _ = _receivers(cells)
    area = [float((cell_px * GSD_M) ** 2)] * cells.size
    to = receiver.tolist()
    for cell in np.argsort(cells, axis=None, kind="stable")[::-1].tolist():
        if to[cell] != cell:
            area[to[cell]] += area[cell]
    return np.asarray(area).reshape(cells.shape)


def _erode(
    elevation: npt.NDArray[np.float64],
    fixed: Flags | npt.NDArray[np.bool_],
    *,
    hardness: npt.NDArray[np.float64],
    limit: npt.NDArray[np.float64],
    steps: int,
    cell_m: float,
) -> npt.NDArray[np.float64]:
    """Raise the ground and erode it by streams. Slopes stay below `limit` in m/m; `fixed` cells do not change."""
    # Water leaves the grid at fixed cells. Stream erosion is implicit, so any step is stable.
    held = fixed.copy()
    flat_limit = limit.ravel()
    # Uplift is the same everywhere. If it differed between neighbours, it would dam the streams.
    erodibility = UPLIFT_M / STEEPNESS / hardness.ravel()
    for _ in range(steps):
        raised = np.where(held, elevation, elevation + UPLIFT_M)
        receiver, distance = _receivers(raised)
        order = np.argsort(raised, axis=None, kind="stable")
        area = [cell_m * cell_m] * raised.size
        to = receiver.tolist()
        # Each cell needs the one above it. Plain lists are the fastest for that in Python.
        for cell in order[::-1].tolist():
            target = to[cell]
            if target != cell:
                area[target] += area[cell]
        erosion = erodibility * np.asarray(area) ** CONCAVITY / (distance * cell_m)
        rise = (flat_limit * distance * cell_m).tolist()
        speed = np.where(held.ravel(), 0.0, erosion).tolist()
        z = raised.ravel().tolist()
        for cell in order.tolist():
            target = to[cell]
            if target != cell and speed[cell] > 0.0:
                below = z[target]
                k = speed[cell]
                z[cell] = min((z[cell] + k * below) / (1.0 + k), below + rise[cell])
        elevation = np.asarray(z).reshape(raised.shape)
    return np.where(held, elevation, gaussian_filter(elevation, 0.5, mode="nearest"))
