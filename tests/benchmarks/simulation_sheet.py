"""Draw simulated beside real windows: `python tests/benchmarks/simulation_sheet.py SHEET.png`.

Each row has a simulated window and a real one, which is left and which right by chance; the key is printed. Of each:
before and after in true colour (B04, B03, B02), before and after with infrared (B12, B08, B04), stretched between its
own dark and bright. A table says in figures what the eye sees.

Like with like: the real pairs show forest in Czechia that was felled between a September and the next. So events are
simulated there, on low hills with conifers, under the sun of that month, with the drift of a year, and of their windows
each real one gets one that is as green, as moist and as free of haze, with as much of the forest lost. They stay in
`--work`.
`--real FOLDER` has images of twelve bands in `pre/` and `post/` under the same names; without it those of
../shared/data beside the checkout.
"""

import argparse
import json
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pystac
import rasterio
import typer
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning
from rasterio.vrt import WarpedVRT
from rasterio.warp import Resampling, aligned_target, calculate_default_transform, transform_bounds
from scipy.ndimage import binary_dilation
from simulation import DATA

from landslide_cli.cli import console
from landslide_cli.config import FetchConfig
from landslide_cli.event.folder import Event
from landslide_cli.geo.aoi import utm_at
from landslide_cli.geo.bands import BAND_GSD_M, BANDS, GSD_M
from landslide_cli.imagery.catalogs import dn_offset
from landslide_cli.simulation.arrays import fractal
from landslide_cli.simulation.catalog import terrain_shape, write_catalog
from landslide_cli.simulation.landcover import Cover
from landslide_cli.simulation.nature import DRIFT, Change, Nature, draw_nature
from landslide_cli.simulation.spectra import Material, tinted
from landslide_cli.simulation.terrain import make_terrain
from landslide_cli.workflows.fetch import fetch
from weights import landslides_of, with_truth

SIDE_PX = 32
"""Of a window, pixels of 10 m."""
ROWS = 8
LARGER = 5
GAP_PX = 6
ALIKE = 0.5
"""Two windows are alike if each trait differs by less than this many standard deviations of the real windows."""
LOST = 1.5
"""Rise of B11 with which forest is lost, wholly or in part."""
PLACE = (12.0, 49.5)
"""Longitude and latitude."""
DAY = date(2020, 9, 10)
LOWERED = 0.25
"""Factor on the relief of simulated mountains."""
OLD_SPRUCE = np.array((-0.06, 0.0, 0.3, 0.0), np.float32)
"""What it is along spectra.AXES to the conifers of anywhere."""
WOODED_FROM = -1.2
"""Of a field of deviation 1: nine tenths of the ground are forest, the rest is farmed."""
HAZY = (550, 1100)
"""B02 x 10000: a window has haze, or remains of clouds, if its mean or its brightest pixel on one date is above."""
COMPOSITES = (("B04", "B03", "B02"), ("B12", "B08", "B04"))

Pair = NDArray[np.float32]
"""A window before and after; (2, 12, SIDE_PX, SIDE_PX) digital numbers."""


def main() -> None:
    """Cut windows, draw some, measure all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sheet", type=Path)
    parser.add_argument("--work", type=Path, default=Path("sheet"), help="keeps the simulated events")
    parser.add_argument("--events", type=int, default=12)
    parser.add_argument("--size-px", type=int, default=512, help="side of each simulated event")
    parser.add_argument("--real", type=Path, default=DATA / "vegetation_loss_pairs")
    parser.add_argument("--seed", type=int, default=0, help="which windows, and on which side")
    parser.add_argument("--alike", type=float, default=ALIKE, help="largest difference of windows that are alike")
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    real = [pair for images in real_images(options.real) for pair in windows(*images) if not hazy(pair)]
    if not real:
        sys.exit(f"no pair of at least {SIDE_PX} x {SIDE_PX} px without haze in {options.real}; give --real")
    made = [pair for pair in simulated_windows(options.work, options.events, options.size_px) if not hazy(pair)]
    matches = matched(
        np.array([traits(pair) for pair in real]), np.array([traits(pair) for pair in made]), options.alike
    )
    if not matches:
        sys.exit("no simulated window is like the real ones; give more --events, or a larger --alike")
    real, simulated = [real[one] for one, _ in matches], [made[other] for _, other in matches]
    typer.echo(
        f"{len(matches)} real windows of {SIDE_PX} x {SIDE_PX} px, and of {len(made)} simulated ones those like them"
    )
    chosen = rng.permutation(len(matches))[:ROWS]
    pairs = [(simulated[number], real[number]) for number in chosen]
    swapped = rng.random(len(pairs)) < 0.5
    draw([pair[::-1] if swap else pair for pair, swap in zip(pairs, swapped, strict=True)], options.sheet)
    typer.echo(f"simulated, by row: {', '.join('right' if swap else 'left' for swap in swapped)}")
    measure(simulated, real)


def simulated_windows(work: Path, events: int, size_px: int) -> Iterator[Pair]:
    """Windows without a landslide of the events in `work`; the first so many are simulated if they are not there."""
    made, fetched = work / "simulated", work / "events"
    with console.working(verbose=False) as progress:
        for seed in range(events):
            name = f"event-{seed}"
            if (fetched / name).exists():
                continue
            rng = np.random.default_rng((seed, 50))
            terrain = make_terrain(terrain_shape(PLACE, (size_px, size_px)), rng)
            wooded = fractal(terrain.shape, rng, exponent=3.0) > WOODED_FROM
            terrain = replace(
                terrain,
                elevation_m=terrain.elevation_m * np.float32(LOWERED),
                cover=np.where(wooded, Cover.TREES, Cover.CROPLAND).astype(np.uint8),
            )
            catalog = write_catalog(
                made / name, seed=seed, shape=(size_px, size_px), event_date=DAY, centre=PLACE,
                cloudy_scenes=0, nature=felled_nature(rng), terrain=terrain,
            )  # fmt: skip
            day = DAY.isoformat()
            fetch(
                FetchConfig(out=fetched / name, event_date=day, aoi=str(catalog.aoi), catalog=str(catalog.items)),
                progress,
            )
    for event, folder, clear in with_truth(made, fetched):
        landslides = binary_dilation(landslides_of(event, folder), iterations=2)
        yield from windows(with_pixels_repeated(event, folder / "items.json"), clear & ~landslides)


def with_pixels_repeated(event: Event, items: Path) -> Pair:
    """Both images (2, 12, H, W) of an event, those of 20 and 60 m not interpolated: so the real pairs have them."""
    images = np.stack([on_ground(event.path(side)) for side in ("pre", "post")])
    coarse = [band for band in BANDS if BAND_GSD_M[band] > GSD_M]
    images[:, [BANDS.index(band) for band in coarse]] = 0.0
    with rasterio.open(event.path("pre")) as source:
        grid = {"crs": source.crs, "transform": source.transform, "width": source.width, "height": source.height}
    for item in map(pystac.Item.from_dict, json.loads(items.read_text())["features"]):
        if item.datetime is None or item.collection_id != "sentinel-2-l2a":
            continue
        image = images[int(item.datetime.date() > DAY)]
        for band in coarse:
            with (
                rasterio.open(items.parent / item.assets[band].href) as source,
                WarpedVRT(source, resampling=Resampling.nearest, **grid) as warped,
            ):
                seen = warped.read(1).astype(np.float32)
            its = image[BANDS.index(band)]
            # Two granules overlap at the border of their zones.
            np.copyto(its, seen - dn_offset(item), where=(its == 0) & (seen > 0))
    return images


def felled_nature(rng: np.random.Generator) -> Nature:
    """An event with the weather and woods of the real pairs; all else is drawn as for any other."""
    nature = draw_nature(rng)
    spectra = nature.spectra.copy()
    spectra[Material.CONIFER] = tinted(spectra[Material.CONIFER], OLD_SPRUCE)
    return replace(
        nature,
        spectra=spectra,
        changes={
            Change.CLEAR_CUT: rng.uniform(3.0, 25.0),
            Change.DIEBACK: rng.uniform(0.05, 0.2),
            Change.FIELD: rng.uniform(0.05, 0.6),
        },
        conifers=rng.uniform(1.5, 2.5), canopy_m=rng.uniform(18.0, 34.0), managed=rng.uniform(0.1, 0.6),
        forest_edge=rng.uniform(0.15, 0.4), drift=rng.uniform(0.15, 0.4) * DRIFT[1], misregistration_px=0.5,
        leafless=(0.0, 0.0), dry=(0.0, 0.0), snow_above=(1.0, 1.0), haze=(0.4, 0.4), air=0.0, sea=0.0,
        fresh_share=0.004, failing_share=0.0,
    )  # fmt: skip


def real_images(folder: Path) -> Iterator[tuple[Pair, NDArray[np.bool_]]]:
    """Both images (2, 12, h, w) of each pair, and where (h, w) they have data."""
    for path in sorted((folder / "pre").glob("*.tif")):
        images = np.stack([on_ground(side / path.name) for side in (folder / "pre", folder / "post")])
        yield images, np.asarray((images > 0).all(axis=(0, 1)))


def on_ground(path: Path) -> Pair:
    """Read (12, h, w) on the grid of Sentinel-2; pixels that another grid repeats are there once."""
    with rasterio.open(path) as source:
        if source.crs.is_projected and source.crs.to_epsg() != 3857:
            return np.asarray(source.read(), np.float32)
        west, south, east, north = transform_bounds(source.crs, "EPSG:4326", *source.bounds)
        utm = utm_at((west + east) / 2, (south + north) / 2)
        grid = calculate_default_transform(
            source.crs, utm, source.width, source.height, *source.bounds, resolution=GSD_M
        )
        transform, width, height = aligned_target(*grid, GSD_M)
        with WarpedVRT(
            source, crs=utm, transform=transform, width=width, height=height, resampling=Resampling.nearest
        ) as warped:
            return np.asarray(warped.read(), np.float32)


def windows(images: Pair, seen: NDArray[np.bool_]) -> Iterator[Pair]:
    """All windows side by side that are seen in full."""
    for row in range(0, seen.shape[0] - SIDE_PX + 1, SIDE_PX):
        for column in range(0, seen.shape[1] - SIDE_PX + 1, SIDE_PX):
            box = (slice(row, row + SIDE_PX), slice(column, column + SIDE_PX))
            if seen[box].all():
                yield images[:, :, *box].copy()


def traits(pair: Pair) -> NDArray[np.float32]:
    """How much grows there before, how moist it is, leaves or needles, and how much of it is lost; (4,).

    Mean NDVI, NDMI and B08 before, and the share of pixels whose B11 has risen by `LOST`.
    """
    red, infrared, shortwave = (pair[0, BANDS.index(band)] for band in ("B04", "B08", "B11"))
    indices = [((infrared - other) / (infrared + other)).mean() for other in (red, shortwave)]
    return np.array([*indices, infrared.mean(), (pair[1, BANDS.index("B11")] > LOST * shortwave).mean()])


def matched(real: NDArray[np.float32], simulated: NDArray[np.float32], alike: float) -> list[tuple[int, int]]:
    """Numbers of windows that are alike by their traits (n, 4), the most alike first; each is taken once."""
    apart = np.abs(real[:, None] - simulated[None]) / real.std(axis=0)
    farthest = apart.max(axis=2, initial=0.0)
    pairs = []
    while farthest.size and farthest.min() < alike:
        one, other = np.unravel_index(farthest.argmin(), farthest.shape)
        pairs.append((int(one), int(other)))
        farthest[one], farthest[:, other] = np.inf, np.inf
    return pairs


def hazy(pair: Pair) -> bool:
    """Whether there is haze, or what is left of a cloud, on one of the dates."""
    blue = pair[:, BANDS.index("B02")]
    return bool(blue.mean(axis=(1, 2)).max() > HAZY[0] or blue.max() > HAZY[1])


def draw(pairs: list[tuple[Pair, Pair]], path: Path) -> None:
    """Write the sheet, the first of each of `pairs` on the left; each window is stretched by itself."""
    middle = np.zeros((3, SIDE_PX * LARGER + GAP_PX, 2 * GAP_PX), np.uint8)
    rows = [np.concatenate([*cells(left), middle, *cells(right)], axis=2) for left, right in pairs]
    sheet = np.concatenate(rows, axis=1)
    with warnings.catch_warnings():
        # A picture lies nowhere on the map, of which rasterio warns.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", driver="PNG", count=3, height=sheet.shape[1], width=sheet.shape[2], dtype="uint8"
        ) as target:
            target.write(sheet)


def cells(window: Pair) -> list[NDArray[np.uint8]]:
    """The pictures of a window with a rim: each composite before and after."""
    limits = np.percentile(window, [1, 99], axis=(0, 2, 3))
    rim = ((0, 0), (0, GAP_PX), (0, GAP_PX))
    return [
        np.pad(picture(window[date], bands, limits), rim, constant_values=255)
        for bands in COMPOSITES
        for date in (0, 1)
    ]


def picture(image: Pair, bands: tuple[str, ...], limits: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Three bands of (12, h, w) as (3, LARGER * h, LARGER * w) uint8."""
    chosen = [BANDS.index(band) for band in bands]
    low, high = limits[:, chosen, None, None]
    shown: NDArray[np.uint8] = (255 * np.clip((image[chosen] - low) / (high - low), 0, 1) ** 0.8).astype(np.uint8)
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
