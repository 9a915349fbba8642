"""Measure models on real pairs without landslides and on the bright scars of Iburi; on simulated landslides and each
kind of other simulated change, by threshold; and on images without some bands.

    python tests/benchmarks/weights.py --models bbunet rdndvi red-change --simulated simulated --events events

Prints Markdown tables. `--simulated` holds what `landslide simulate` made, `--events` the events fetched from it, by
the same names. Real pairs are looked for in ../shared/data beside the checkout.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import fiona
import numpy as np
import rasterio
import typer
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.warp import Resampling, reproject, transform_geom
from scipy.ndimage import distance_transform_edt

from landslide_cli.config import FetchConfig
from landslide_cli.event.folder import Event
from landslide_cli.geo.bands import BAND_GSD_M, BANDS, CLEAR, GSD_M
from landslide_cli.geo.fill import fill_unobserved
from landslide_cli.inference.engines import Engine
from landslide_cli.inference.models import load_model
from landslide_cli.simulation.nature import Change
from landslide_cli.workflows.fetch import fetch

DATA = Path(__file__).parents[3] / "shared" / "data"
SIDE_PX = 64
"""Most real pairs are about 53 px square."""

HILLSIDE_DEG = 20.0
"""Flat ground alone tells a network that nothing slid: the pairs are shown to it on a hillside, too."""

SCAR_DN, SCAR_SLOPE_DEG, SCAR_BRIGHTENING = 1450, 7.0, 1.22
"""Of a plain scar of Iburi: B04 at the top of the atmosphere x 10000, the slope, and B04 after over before; from these
on. Chosen by eye, without looking at what a model says."""

BESIDE_PX = 3
"""So far from a true landslide a flagged pixel is no matter of where its edge is drawn."""

LACKING = {
    "without those of 60 m": tuple(band for band in BANDS if BAND_GSD_M[band] == 60),
    "without those of 20 and 60 m": tuple(band for band in BANDS if BAND_GSD_M[band] > 10),
}


@dataclass(slots=True)
class Flagged:
    """What is called landslide from a threshold on, in pixels of all events."""

    hits: int = 0
    flagged: int = 0
    landslides: int = 0
    changed: NDArray[np.int64] = field(default_factory=lambda: np.zeros((len(Change) + 1, 2, 2), np.int64))
    """Flagged and all pixels, of all and of those off any landslide, by the code of what changed there."""

    @property
    def scores(self) -> tuple[float, float, float]:
        """F1, precision and recall."""
        return (
            2 * self.hits / max(self.flagged + self.landslides, 1),
            self.hits / max(self.flagged, 1),
            self.hits / max(self.landslides, 1),
        )

    def shares(self, kind: Change) -> str:
        """What share of the changed pixels is flagged, of all and of those off any landslide, in percent."""
        return "; ".join(f"{100 * flagged / count:.2f}" for flagged, count in self.changed[kind] if count) or "-"


def main() -> None:
    """Print what share of the pixels each model calls landslide."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["bbunet", "rdndvi", "red-change"])
    parser.add_argument("--simulated", type=Path)
    parser.add_argument("--events", type=Path)
    parser.add_argument("--thresholds", type=float, nargs="+", default=[], help="beside that of each card")
    options = parser.parse_args()
    names = [
        "real pairs without landslides", "damaged forest in them", "a real image against itself", "real, swapped",
        f"the pairs as if on a slope of {HILLSIDE_DEG:g} degrees", "damaged forest there",
    ]  # fmt: skip
    typer.echo("| flagged, % | " + " | ".join(names) + " |")
    typer.echo("|---" * (len(names) + 1) + "|")
    for name in options.models:
        engine = load_model(name).engine("cpu", 10.0)
        typer.echo(f"| {name} | " + " | ".join(f"{100 * share:.3f}" for share in on_real_pairs(engine)) + " |")
    on_iburi(options.models)
    if options.simulated and options.events:
        kinds = [kind.name.lower().replace("_", " ") for kind in Change]
        which = f"simulated events; flagged of the changed pixels; of those {BESIDE_PX} px off any landslide, %"
        head = [which, "threshold", "F1", "precision", "recall", *kinds]
        typer.echo("\n| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|")
        whole = {}
        for name in options.models:
            engine = load_model(name).engine("cpu", 10.0)
            thresholds = sorted({engine.card.threshold, *options.thresholds})
            by_threshold = on_events(engine, options.simulated, options.events, thresholds)
            whole[name] = by_threshold[engine.card.threshold].scores[0]
            for threshold, found in by_threshold.items():
                cells = [f"{score:.3f}" for score in found.scores] + [found.shares(kind) for kind in Change]
                typer.echo(f"| {name} | {threshold:g} | " + " | ".join(cells) + " |")
        typer.echo("\n| F1 at the card's threshold | all bands | " + " | ".join(LACKING) + " |")
        typer.echo("|---" * (len(LACKING) + 2) + "|")
        for name in options.models:
            engine = load_model(name).engine("cpu", 10.0)
            lacking = (without_bands(engine, options.simulated, options.events, lacks) for lacks in LACKING.values())
            cells = ["-" if score is None else f"{score:.3f}" for score in (whole[name], *lacking)]
            typer.echo(f"| {name} | " + " | ".join(cells) + " |")


def real_pairs() -> Iterator[tuple[NDArray[np.uint16], NDArray[np.uint16], NDArray[np.bool_], NDArray[np.bool_]]]:
    """Yield pre and post (12, H, W), where both are observed, and where the forest was damaged, mirrored to SIDE_PX."""
    folder = DATA / "vegetation_loss_pairs"
    for path in sorted((folder / "pre").glob("*.tif")):
        images = []
        for side in ("pre", "post"):
            with rasterio.open(folder / side / path.name) as source:
                images.append(source.read())
        with rasterio.open(folder / "mask" / path.name) as source:
            damaged = source.read(1) == 1
        height, width = damaged.shape
        rows, columns = max(SIDE_PX, -(-height // 32) * 32), max(SIDE_PX, -(-width // 32) * 32)
        around = ((0, rows - height), (0, columns - width))
        observed = (images[0] > 0).all(axis=0) & (images[1] > 0).all(axis=0)
        pre, post = (np.pad(image, ((0, 0), *around), mode="symmetric") for image in images)
        yield pre, post, np.pad(observed, around), np.pad(damaged, around)


def on_real_pairs(engine: Engine) -> list[float]:
    """Share of pixels flagged: in all pairs, where forest was damaged, with the pre image twice, dates swapped; and the
    first two on a hillside."""
    flagged, counted = np.zeros(6), np.zeros(6)
    for pre, post, observed, damaged in real_pairs():
        found, steep = flag(engine, pre, post, observed), flag(engine, pre, post, observed, HILLSIDE_DEG)
        masks = (observed, observed & damaged, observed, observed, observed, observed & damaged)
        same, swapped = flag(engine, pre, pre, observed), flag(engine, post, pre, observed)
        answers = (found, found, same, swapped, steep, steep)
        for number, (answer, mask) in enumerate(zip(answers, masks, strict=True)):
            flagged[number] += (answer & mask).sum()
            counted[number] += mask.sum()
    shares: list[float] = (flagged / counted).tolist()
    return shares


def flag(
    engine: Engine,
    pre: NDArray[np.uint16],
    post: NDArray[np.uint16],
    observed: NDArray[np.bool_],
    slope_deg: float = 0.0,
) -> NDArray[np.bool_]:
    """Where a model calls a pair (12, H, W) landslide, on even ground that falls south from 500 m."""
    channels = [BANDS.index(band) for band in engine.card.bands]
    terrain = np.zeros((1, 4, *observed.shape), np.float32)
    terrain[:, 0] = 500 - np.tan(np.radians(slope_deg)) * GSD_M * np.arange(observed.shape[0])[:, None]
    if slope_deg:
        terrain[:, 1], terrain[:, 3] = slope_deg, -1
    inputs = {
        "pre": fill_unobserved(pre[channels].astype(np.float32), observed)[None],
        "post": fill_unobserved(post[channels].astype(np.float32), observed)[None],
    }
    # To a detector flat ground is never a landslide: it is measured without.
    if engine.provider != "numpy":
        inputs["terrain"] = terrain
    return np.asarray(engine.run(inputs)[0, 0] >= engine.card.threshold)


def on_iburi(models: Sequence[str]) -> None:
    """Print what the models that can read three bands flag of a real event, of which no outlines are at hand.

    Its scars are told from the images alone: hillsides that became bright and red. That is no truth, as it lacks scars
    in the shade and has some fields, but a model that finds much less of it than another does is no better on earth.
    """
    folder = DATA / "iburi2018"
    with TemporaryDirectory() as work:
        out = Path(work) / "iburi"
        fetch(
            FetchConfig(
                out=out,
                event_date="2018-09-06",
                pre=(str(folder / "pre"),),
                post=(str(folder / "post"),),
                dem=str(folder / "dem.tif"),
            )
        )
        event = Event.open(out)
        images = {}
        for name in ("pre", "post", "terrain", "clear"):
            with rasterio.open(event.path(name)) as source:
                images[name] = source.read()
        clear = images["clear"][0] == CLEAR
        before, (blue, _, red) = images["pre"][2].astype(float), images["post"].astype(float)
        scars = clear & (images["terrain"][1] > SCAR_SLOPE_DEG) & (red > SCAR_DN) & (red > 1.02 * blue)
        scars &= red > SCAR_BRIGHTENING * before
        typer.echo("\n| Iburi 2018, % | of its plain scars flagged | of all ground flagged |\n|---|---|---|")
        for name in models:
            engine = load_model(name).engine("cpu", 10.0)
            if set(engine.card.bands) - set(engine.card.spare_bands) <= set(event.bands):
                found = (probability_of(engine, event, clear) >= engine.card.threshold) & clear
                cells = (found[scars].mean(), found[clear].mean())
                typer.echo(f"| {name} | " + " | ".join(f"{100 * share:.1f}" for share in cells) + " |")


def on_events(
    engine: Engine, simulated: Path, events: Path, thresholds: Sequence[float], lacks: Sequence[str] = ()
) -> dict[float, Flagged]:
    """What is called landslide in all events, by threshold; the images are blank in the bands `lacks`."""
    found = {threshold: Flagged() for threshold in thresholds}
    for event, made, clear in with_truth(simulated, events):
        codes = changes_of(event, made)
        landslides = landslides_of(event, made)
        off = distance_transform_edt(~landslides) > BESIDE_PX
        probability = probability_of(engine, event, clear, lacks)
        for threshold, counts in found.items():
            flagged = clear & (probability >= threshold)
            counts.hits += int((flagged & landslides).sum())
            counts.flagged += int(flagged.sum())
            counts.landslides += int((clear & landslides).sum())
            for column, where in enumerate((clear, clear & off)):
                for row, pixels in enumerate((flagged & where, where)):
                    counts.changed[:, column, row] += np.bincount(codes[pixels], minlength=len(Change) + 1)
    return found


def without_bands(engine: Engine, simulated: Path, events: Path, lacks: Sequence[str]) -> float | None:
    """F1 over the pixels of all events whose images are blank in the bands `lacks`; none if no model can do so."""
    if not {band for band in engine.card.bands if band in lacks} <= set(engine.card.spare_bands):
        return None
    threshold = engine.card.threshold
    return on_events(engine, simulated, events, [threshold], lacks)[threshold].scores[0]


def with_truth(simulated: Path, events: Path) -> Iterator[tuple[Event, Path, NDArray[np.bool_]]]:
    """Yield each event, the folder of what it was simulated from, and (H, W) where the ground is seen."""
    for folder in sorted(path for path in events.iterdir() if (simulated / path.name / "changes.tif").exists()):
        event = Event.open(folder)
        with rasterio.open(event.path("clear")) as source:
            clear = source.read(1) == CLEAR
        yield event, simulated / folder.name, clear


def changes_of(event: Event, made: Path) -> NDArray[np.uint8]:
    """Code of the change (H, W) at each pixel of an event, 0 where there is none."""
    with rasterio.open(event.path("clear")) as grid, rasterio.open(made / "changes.tif") as source:
        codes = np.zeros(grid.shape, np.uint8)
        reproject(
            rasterio.band(source, 1), codes, dst_transform=grid.transform, dst_crs=grid.crs,
            resampling=Resampling.nearest,
        )  # fmt: skip
    return codes


def landslides_of(event: Event, made: Path) -> NDArray[np.bool_]:
    """Where (H, W) the landslides are that an event was simulated with."""
    with rasterio.open(event.path("clear")) as grid, fiona.open(made / "landslides.geojson") as source:
        outlines = [transform_geom(source.crs, str(grid.crs), feature.geometry) for feature in source]
        return np.asarray(rasterize(outlines, grid.shape, transform=grid.transform).astype(bool))


def probability_of(
    engine: Engine, event: Event, clear: NDArray[np.bool_], lacks: Sequence[str] = ()
) -> NDArray[np.float32]:
    """What a model says (H, W) of the ground of an event; bands that are lacking are 0."""
    blank = [number for number, band in enumerate(engine.card.bands) if band in lacks]
    inputs = {}
    for name in ("pre", "post", "terrain"):
        with rasterio.open(event.path(name)) as source:
            indexes = [event.bands.index(band) + 1 for band in engine.card.bands] if name != "terrain" else None
            image = source.read(indexes).astype(np.float32)
        known = clear if name != "terrain" else np.isfinite(image).all(axis=0)
        filled = fill_unobserved(image, known)
        if name != "terrain":
            filled[blank] = 0
        rows, columns = (-filled.shape[1] % 32, -filled.shape[2] % 32)
        inputs[name] = np.pad(filled, ((0, 0), (0, rows), (0, columns)), mode="edge")[None]
    probability = engine.run(inputs)[0, 0]
    return np.asarray(probability[: clear.shape[0], : clear.shape[1]])


if __name__ == "__main__":
    main()
