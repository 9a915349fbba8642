"""Compare simulated events with real images: `python tests/benchmarks/simulation.py EVENTS`. Prints Markdown tables.

EVENTS is a folder of events fetched from what `landslide simulate` made. Real figures are looked for in
../shared/data beside the checkout: those of Sen12Landslides (patches of many countries, clouds included), and pairs of
forest in Czechia.
"""

import json
import sys
from pathlib import Path

import numpy as np
import rasterio
import typer
from numpy.typing import NDArray

from landslide_cli.geo.bands import BANDS, CLEAR

DATA = Path(__file__).parents[3] / "shared" / "data"
SAMPLE = 4000
"""Pixels taken of each image."""


def main() -> None:
    """Print mean and deviation of each band, and how bands and dates go together."""
    simulated = {side: events_of(Path(sys.argv[1]), side) for side in ("pre", "post")}
    forest = {side: pairs_of(side) for side in ("pre", "post")}
    norm = json.loads((DATA / "sen12landslides_stats" / "norm.json").read_text())["s2"]
    typer.echo("| reflectance x 10000 | simulated | Czech forest, real | Sen12Landslides, real, with clouds |")
    typer.echo("|---|---|---|---|")
    for number, band in enumerate(BANDS):
        ours, theirs = (np.concatenate([sides["pre"][number], sides["post"][number]]) for sides in (simulated, forest))
        told = f"{norm['mean'][band]:.0f} +- {norm['std'][band]:.0f}" if band in norm["mean"] else "-"
        typer.echo(
            f"| {band} | {ours.mean():.0f} +- {ours.std():.0f} | {theirs.mean():.0f} +- {theirs.std():.0f} | {told} |"
        )
    typer.echo("\n| | simulated | Czech forest, real |\n|---|---|---|")
    for name, measure in (
        ("correlation of B04 and B08", lambda s: np.corrcoef(s["pre"])[BANDS.index("B04"), BANDS.index("B08")]),
        ("correlation of B02 and B04", lambda s: np.corrcoef(s["pre"])[BANDS.index("B02"), BANDS.index("B04")]),
        ("correlation of B08 and B11", lambda s: np.corrcoef(s["pre"])[BANDS.index("B08"), BANDS.index("B11")]),
        ("correlation of B11 and B12", lambda s: np.corrcoef(s["pre"])[BANDS.index("B11"), BANDS.index("B12")]),
        ("correlation of the dates, B04", lambda s: between_dates(s, "B04")),
        ("correlation of the dates, B08", lambda s: between_dates(s, "B08")),
    ):
        typer.echo(f"| {name} | {measure(simulated):.2f} | {measure(forest):.2f} |")
    distance = np.abs(np.corrcoef(simulated["pre"]) - np.corrcoef(forest["pre"])).mean()
    typer.echo(f"\nMean distance of the correlations between bands: {distance:.2f}")


def between_dates(sides: dict[str, NDArray[np.float64]], band: str) -> float:
    """Correlation of a band before and after."""
    number = BANDS.index(band)
    return float(np.corrcoef(sides["pre"][number], sides["post"][number])[0, 1])


def events_of(folder: Path, side: str) -> NDArray[np.float64]:
    """Sample what is clear on both dates; (12, n) digital numbers, the same pixels for both sides."""
    parts = []
    for event in sorted(path for path in folder.iterdir() if (path / "event.json").exists()):
        with rasterio.open(event / f"{side}.tif") as source, rasterio.open(event / "clear.tif") as clear:
            parts.append(source.read()[:, clear.read(1) == CLEAR])
    return sample(parts)


def pairs_of(side: str) -> NDArray[np.float64]:
    """Sample the real pairs; (12, n), the same pixels for both sides."""
    folder = DATA / "vegetation_loss_pairs"
    parts = []
    for path in sorted((folder / "pre").glob("*.tif")):
        with rasterio.open(path) as pre, rasterio.open(folder / "post" / path.name) as post:
            images = {"pre": pre.read(), "post": post.read()}
        seen = (images["pre"] > 0).all(axis=0) & (images["post"] > 0).all(axis=0)
        parts.append(images[side][:, seen])
    return sample(parts)


def sample(parts: list[NDArray[np.uint16]]) -> NDArray[np.float64]:
    """Take up to SAMPLE pixels of each part; seeded by their count, so that two sides match."""
    taken = []
    for part in parts:
        chosen = np.random.default_rng(part.shape[1]).permutation(part.shape[1])[:SAMPLE]
        taken.append(part[:, chosen])
    return np.concatenate(taken, axis=1).astype(np.float64)


if __name__ == "__main__":
    main()
