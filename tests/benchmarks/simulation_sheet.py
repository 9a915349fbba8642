"""Draw simulated beside real windows: `python tests/benchmarks/simulation_sheet.py EVENTS SHEET.png [--real FOLDER]`.

Each row has a simulated window on the left and a real one on the right: before and after in true colour (B04, B03,
B02), before and after with infrared (B12, B08, B04). All are stretched alike, between dark and bright of the real ones.
A table says in figures what the eye sees.

EVENTS is a folder of events fetched from what `landslide simulate` made. FOLDER has images of twelve bands in `pre/`
and `post/` under the same names; without it those of ../shared/data beside the checkout, forest in Czechia.
"""

import argparse
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio
import typer
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning
from rasterio.vrt import WarpedVRT
from rasterio.warp import Resampling, aligned_target, calculate_default_transform, transform_bounds
from simulation import DATA

from landslide_cli.imagery.aoi import utm_at
from landslide_cli.imagery.bands import BANDS, CLEAR, GSD_M

SIDE_PX = 32
"""Of a window, pixels of 10 m."""
ROWS = 8
LARGER = 5
GAP_PX = 6
COMPOSITES = (("B04", "B03", "B02"), ("B12", "B08", "B04"))

Pair = NDArray[np.float32]
"""A window before and after; (2, 12, SIDE_PX, SIDE_PX) digital numbers."""


def main() -> None:
    """Cut windows, draw some, measure all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("events", type=Path)
    parser.add_argument("sheet", type=Path)
    parser.add_argument("--real", type=Path, default=DATA / "vegetation_loss_pairs")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    real = [pair for images in real_images(options.real) for pair in windows(*images)]
    simulated = [pair for images in simulated_images(options.events) for pair in windows(*images)]
    if not real:
        sys.exit(f"no pair of at least {SIDE_PX} x {SIDE_PX} px in {options.real}; give --real")
    # Like with like: the real places are green.
    green = np.percentile([greenness(pair) for pair in real], [5, 95])
    simulated = [pair for pair in simulated if green[0] <= greenness(pair) <= green[1]]
    if not simulated:
        sys.exit(f"no clear window in {options.events} is as green as the real ones")
    rng.shuffle(simulated)
    rng.shuffle(real)
    typer.echo(f"{len(simulated)} simulated and {len(real)} real windows of {SIDE_PX} x {SIDE_PX} px")
    draw(simulated[:ROWS], real[:ROWS], real, options.sheet)
    measure(simulated, real)


def simulated_images(folder: Path) -> Iterator[tuple[Pair, NDArray[np.bool_]]]:
    """Both images (2, 12, h, w) of each event, and where (h, w) they are clear."""
    for event in sorted(path for path in folder.iterdir() if (path / "event.json").exists()):
        with rasterio.open(event / "clear.tif") as source:
            clear = source.read(1) == CLEAR
        yield np.stack([on_ground(event / f"{side}.tif") for side in ("pre", "post")]), clear


def real_images(folder: Path) -> Iterator[tuple[Pair, NDArray[np.bool_]]]:
    """Both images (2, 12, h, w) of each pair, and where (h, w) they have data."""
    for path in sorted((folder / "pre").glob("*.tif")):
        images = np.stack([on_ground(side / path.name) for side in (folder / "pre", folder / "post")])
        yield images, (images > 0).all(axis=(0, 1))


def on_ground(path: Path) -> Pair:
    """Read (12, h, w) on the grid of Sentinel-2; pixels that another grid repeats are there once."""
    with rasterio.open(path) as source:
        if source.crs.is_projected and source.crs.to_epsg() != 3857:
            return source.read().astype(np.float32)
        west, south, east, north = transform_bounds(source.crs, "EPSG:4326", *source.bounds)
        utm = utm_at((west + east) / 2, (south + north) / 2)
        grid = calculate_default_transform(
            source.crs, utm, source.width, source.height, *source.bounds, resolution=GSD_M
        )
        transform, width, height = aligned_target(*grid, GSD_M)
        with WarpedVRT(
            source, crs=utm, transform=transform, width=width, height=height, resampling=Resampling.nearest
        ) as warped:
            return warped.read().astype(np.float32)


def windows(images: Pair, seen: NDArray[np.bool_]) -> Iterator[Pair]:
    """All windows side by side that are seen in full."""
    for row in range(0, seen.shape[0] - SIDE_PX + 1, SIDE_PX):
        for column in range(0, seen.shape[1] - SIDE_PX + 1, SIDE_PX):
            box = (slice(row, row + SIDE_PX), slice(column, column + SIDE_PX))
            if seen[box].all():
                yield images[:, :, *box].copy()


def greenness(pair: Pair) -> float:
    """Mean NDVI before."""
    red, infrared = (pair[0, BANDS.index(band)] for band in ("B04", "B08"))
    return float(((infrared - red) / (infrared + red)).mean())


def draw(simulated: list[Pair], real: list[Pair], like: list[Pair], path: Path) -> None:
    """Write the sheet, stretched as `like` wants it."""
    limits = np.percentile(np.stack(like), [1, 99], axis=(0, 1, 3, 4))
    rows = []
    for left, right in zip(simulated, real, strict=False):
        cells = [
            np.pad(picture(pair[date], bands, limits), ((0, 0), (0, GAP_PX), (0, GAP_PX)), constant_values=255)
            for pair in (left, right)
            for bands in COMPOSITES
            for date in (0, 1)
        ]
        middle = np.zeros((3, cells[0].shape[1], 2 * GAP_PX), np.uint8)
        rows.append(np.concatenate([*cells[:4], middle, *cells[4:]], axis=2))
    sheet = np.concatenate(rows, axis=1)
    with warnings.catch_warnings():
        # A picture lies nowhere on the map, of which rasterio warns.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", driver="PNG", count=3, height=sheet.shape[1], width=sheet.shape[2], dtype="uint8"
        ) as target:
            target.write(sheet)


def picture(image: Pair, bands: tuple[str, ...], limits: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Three bands of (12, h, w) as (3, LARGER * h, LARGER * w) uint8."""
    chosen = [BANDS.index(band) for band in bands]
    low, high = limits[:, chosen, None, None]
    shown = (255 * np.clip((image[chosen] - low) / (high - low), 0, 1) ** 0.8).astype(np.uint8)
    return shown.repeat(LARGER, axis=1).repeat(LARGER, axis=2)


def measure(simulated: list[Pair], real: list[Pair]) -> None:
    """Print a table of brightness, contrast, grain and change, medians over the windows; simulated / real."""
    columns = [figures(np.stack(pairs)) for pairs in (simulated, real)]
    typer.echo("\nMedians over the windows, simulated / real:\n\n| band | " + " | ".join(columns[0]) + " |")
    typer.echo("|---" * (len(columns[0]) + 1) + "|")
    for number, band in enumerate(BANDS):
        cells = [f"{columns[0][name][number]:.3g} / {columns[1][name][number]:.3g}" for name in columns[0]]
        typer.echo(f"| {band} | {' | '.join(cells)} |")


def figures(pairs: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Figures of each band, (12,) each, of windows (n, 2, 12, h, w)."""
    before, after = np.log(np.maximum(pairs[:, 0], 1.0)), np.log(np.maximum(pairs[:, 1], 1.0))
    change = after - before
    within = change - change.mean(axis=(2, 3), keepdims=True)
    # Two pixels apart: bands of 20 m repeat their pixels.
    apart = before[..., 2:] - before[..., :-2]
    measured = {
        "brightness, x 10000": pairs[:, 0].mean(axis=(2, 3)),
        "contrast (deviation of the logarithm)": before.std(axis=(2, 3)),
        "grain (the same, 20 m apart)": apart.std(axis=(2, 3)) / np.sqrt(2.0),
        "change of the whole window": np.abs(change.mean(axis=(2, 3))),
        "change within it": within.std(axis=(2, 3)),
        "its grain": (within[..., 2:] - within[..., :-2]).std(axis=(2, 3)) / np.sqrt(2.0),
    }
    return {name: np.median(values, axis=0) for name, values in measured.items()}


if __name__ == "__main__":
    main()
