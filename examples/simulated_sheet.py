"""Draw simulated events: before, after, and after with landslides in red and other changes in blue.

    landslide simulate --events 4 --out simulated/
    landslide fetch ... --out events/event-1          (`simulate` prints the command for each event)
    python examples/simulated_sheet.py simulated/ events/ sheet.jpg

Changes of the season are everywhere, so they are not drawn.
"""

import argparse
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from picture import GAP_PX, Picture, true_colour, write
from rasterio.warp import Resampling, reproject
from scipy.ndimage import binary_erosion, uniform_filter

from landslide_cli.simulation.nature import Change

SIDE_PX = 200
EVENTS_PER_ROW = 2
LANDSLIDE, OTHER = (255, 60, 30), (60, 160, 255)


def main() -> None:
    """Cut the piece with the most landslides out of each event, and put all together."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("simulated", type=Path, help="what `landslide simulate` wrote")
    parser.add_argument("events", type=Path, help="the events fetched from it, in folders of the same names")
    parser.add_argument("out", type=Path, help="picture to write: .jpg or .png")
    options = parser.parse_args()
    names = sorted(path.name for path in options.events.iterdir() if (options.simulated / path.name).is_dir())
    pieces = [panels(options.events / name, options.simulated / name) for name in names]
    pieces = pieces[: len(pieces) // EVENTS_PER_ROW * EVENTS_PER_ROW]
    rows = [
        np.concatenate(pieces[start : start + EVENTS_PER_ROW], axis=2)
        for start in range(0, len(pieces), EVENTS_PER_ROW)
    ]
    write(np.concatenate(rows, axis=1), options.out)


def panels(event: Path, simulated: Path) -> Picture:
    """Three panels of an event beside each other, with a rim; (3, SIDE_PX + rim, 3 * (SIDE_PX + rim)) uint8."""
    before, after = (true_colour(event / name) for name in ("pre.tif", "post.tif"))
    truth, changes = (on_grid(simulated / name, event / "post.tif") for name in ("truth.tif", "changes.tif"))
    with rasterio.open(event / "clear.tif") as source:
        clear = source.read(1) == 1
    half = SIDE_PX // 2
    # The middle of a piece must be half a piece away from the edges.
    wanted = uniform_filter(((truth == 1) & clear).astype(np.float32), SIDE_PX)[half:-half, half:-half]
    row, column = np.unravel_index(int(wanted.argmax()), wanted.shape)
    box = (slice(None), slice(int(row), int(row) + SIDE_PX), slice(int(column), int(column) + SIDE_PX))
    marked = after.copy()
    # The season is everywhere: its outlines would hide the rest.
    other = (changes > 0) & (changes != Change.SEASON)
    for mask, colour in ((other, OTHER), (truth == 1, LANDSLIDE)):
        marked[:, mask & ~binary_erosion(mask)] = np.array(colour, np.uint8)[:, None]
    rim = ((0, 0), (0, GAP_PX // 2), (0, GAP_PX // 2))
    return np.concatenate([np.pad(image[box], rim, constant_values=255) for image in (before, after, marked)], axis=2)


def on_grid(path: Path, like: Path) -> NDArray[np.uint8]:
    """Read codes onto the grid of another raster."""
    with rasterio.open(like) as grid, rasterio.open(path) as source:
        codes = np.zeros(grid.shape, np.uint8)
        reproject(
            rasterio.band(source, 1), codes, dst_transform=grid.transform, dst_crs=grid.crs,
            resampling=Resampling.nearest,
        )  # fmt: skip
    return codes


if __name__ == "__main__":
    main()
