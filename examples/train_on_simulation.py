"""Train BBU-Net from nothing on made-up events, and write it as a model that `landslide predict` runs.

No download and no GPU are needed: half an hour on two processor cores gives first weights. What they are worth
on a real event is unknown until they are measured on one.

    python examples/train_on_simulation.py --events 8 --minutes 30 --work /tmp/training --out weights/bbunet.onnx

Run again with the same --work, it goes on where it was cut; with more --minutes, it trains on.
"""

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from landslide_cli.config import FetchConfig
from landslide_cli.imagery.bands import BANDS
from landslide_cli.inference.card import ModelCard
from landslide_cli.simulation.catalog import write_catalog
from landslide_cli.workflows.export import export_model
from landslide_cli.workflows.fetch import fetch

if TYPE_CHECKING:
    from landslide_cli.training.fit import FitProgress

log = logging.getLogger("train_on_simulation")

VALIDATION_SEED = 90_001
"""Chooses the weights and the threshold; no training event has this seed."""
TEST_SEED = 90_002
"""Gives the scores of the card; nothing is chosen by it."""


def main() -> None:
    """Simulate, train, measure, export."""
    options = parse_options()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")

    # torch is imported only now: --help is to be instant.
    import torch

    from landslide_cli.training.dataset import EventTiles, EventWindows
    from landslide_cli.training.fit import FitConfig, fit, validate
    from landslide_cli.training.networks import build_network
    from landslide_cli.training.normalisation import PaperNormalisation

    seeds = [*range(1, options.events + 1), VALIDATION_SEED, TEST_SEED]
    *training, validation, test = (simulated(options.work, seed, options.size_px) for seed in seeds)

    torch.manual_seed(options.seed)
    config = FitConfig(minutes=options.minutes, steps=options.steps, bfloat16=options.bfloat16, seed=options.seed)
    network, normalisation = build_network("bbunet"), PaperNormalisation()
    result = fit(
        network,
        normalisation,
        EventWindows(training, tile_px=options.tile_px, seed=options.seed),
        EventTiles([validation], tile_px=256),
        config=config,
        checkpoint=options.work / "checkpoint.pt",
        progress=report,
    )

    threshold = result.best.best.threshold
    measured = validate(network, normalisation, EventTiles([test], tile_px=256), config, threshold=threshold)
    scores = measured.at_threshold
    log.info("unseen simulated event: %s", scores)
    card = ModelCard(
        name="bbunet",
        version="0.1.0",
        architecture="bbunet",
        bands=BANDS,
        terrain=True,
        threshold=threshold,
        tile_px=256,
        training_data=(
            f"{options.events} simulated events of {options.size_px} x {options.size_px} px, "
            f"in windows of {options.tile_px} px; no real image. "
            f"{result.best.step} steps, {result.seconds / 60:.0f} minutes on a processor, from random weights."
        ),
        scores={
            "simulated_f1": scores.f1,
            "simulated_precision": scores.precision,
            "simulated_recall": scores.recall,
        },
        limits=(
            "First weights. The scores are of one simulated event that the training did not see. Never measured "
            "on a real event: do not rely on the map without looking at the images."
        ),
        licence="MIT",
    )
    log.info("%s", export_model(network, card, options.out))


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--events", type=int, default=8, help="simulated events to learn from")
    parser.add_argument("--size-px", type=int, default=768, help="side of each event, pixels of 10 m")
    parser.add_argument("--tile-px", type=int, default=128, help="side of the windows to learn on")
    parser.add_argument("--minutes", type=float, default=30.0, help="time to train")
    parser.add_argument("--steps", type=int, help="end earlier, after this many batches")
    parser.add_argument("--seed", type=int, default=0, help="of the first weights and of the windows")
    parser.add_argument(
        "--bfloat16",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="a third faster on processors with AVX-512 BF16 or AMX, much slower on others",
    )
    parser.add_argument("--work", type=Path, default=Path("training"), help="keeps events and checkpoint")
    parser.add_argument("--out", type=Path, default=Path("weights/bbunet.onnx"), help="the model to write")
    return parser.parse_args()


def simulated(work: Path, seed: int, size_px: int) -> tuple[Path, Path]:
    """Return the event folder of `seed` and the raster of its truth; make them if they are not there."""
    catalog = write_catalog(work / f"catalog-{seed}", seed=seed, shape=(size_px, size_px))
    event = work / f"event-{seed}"
    fetch(
        FetchConfig(
            aoi=str(catalog.aoi), event_date=catalog.event_date.isoformat(), out=event, catalog=str(catalog.items)
        )
    )
    return event, catalog.truth


def report(progress: "FitProgress") -> None:
    """Log each validation, and the loss now and then."""
    if progress.validation:
        entry = progress.validation
        log.info("step %d: validation loss %.4f, %s", entry.step, entry.loss, entry.best)
    elif progress.step % 50 == 0:
        log.info("step %d, %.0f %%: loss %.4f", progress.step, 100 * progress.share, progress.loss)


if __name__ == "__main__":
    main()
