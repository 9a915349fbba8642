"""Train a network on simulated events, measure it, export it as a model, and map an event with it.

It needs no download and no GPU. The steps are those for real events: `fetch`, `prepare`, `train`, `evaluate`,
`export`, `predict`, `vectorize`. The scores are those on simulated events. On real ground, measure again.

    python examples/train_on_simulation.py --events 4 --work training --out bbunet.onnx

Run it again with the same --work to continue after an interruption, or with more --epochs to train longer.
"""

import argparse
from pathlib import Path

from landslide_cli.cli import console, evaluate, export, predict, prepare, train, vectorize
from landslide_cli.config import (
    EvaluateConfig,
    ExportConfig,
    FetchConfig,
    PredictConfig,
    PrepareConfig,
    TrainConfig,
    VectorizeConfig,
)
from landslide_cli.simulation.catalog import write_catalog
from landslide_cli.workflows.evaluate import evaluate as run_evaluate
from landslide_cli.workflows.export import export as run_export
from landslide_cli.workflows.fetch import fetch
from landslide_cli.workflows.predict import predict as run_predict
from landslide_cli.workflows.prepare import prepare as run_prepare
from landslide_cli.workflows.train import train as run_train
from landslide_cli.workflows.vectorize import vectorize as run_vectorize

VALIDATION_SEED = 90_001
"""Chooses the epoch and the threshold; no training event has this seed."""
TEST_SEEDS = (90_002, 90_003)
"""Nothing is chosen by these."""
RECIPE = Path(__file__).with_name("laptop.toml")


def main() -> None:
    """Simulate, prepare, train, measure, export, map."""
    options = parse_options()
    with console.working(verbose=False) as progress:
        seeds = [*range(1, options.events + 1), VALIDATION_SEED, *TEST_SEEDS]
        events = [simulated(options.work, seed, options.size_px) for seed in seeds]
        prepared = run_prepare(
            PrepareConfig(
                out=options.work / "dataset",
                events=tuple(event for event, _ in events),
                inventory=tuple(inventory for _, inventory in events),
                window=options.window_px,
                stride=options.window_px // 2,
                max_cloud=60,
                min_evaluation_pixels=1,
                validation=(f"event-{VALIDATION_SEED}",),
                test=tuple(f"event-{seed}" for seed in TEST_SEEDS),
            ),
            progress,
        )
        console.show(prepared, prepare.rows(prepared), as_json=False)
        run = options.work / f"run-{options.model}"
        resumed = (run / "last.ckpt").exists()
        trained = run_train(
            TrainConfig(
                prepared.dataset, run, model=options.model, config=None if resumed else RECIPE,
                epochs=options.epochs, resume=resumed, workers=1,
            ),
            progress,
        )  # fmt: skip
        console.show(trained, train.rows(trained), as_json=False)
        measured = run_evaluate(
            EvaluateConfig(
                str(run), prepared.dataset, out=options.work / f"evaluation-{options.model}", overwrite=True
            ),
            progress,
        )
        console.show(measured, evaluate.rows(measured), as_json=False)
        exported = run_export(ExportConfig(run, options.out, licence="MIT", overwrite=True), progress)
        console.show(exported, export.rows(exported), as_json=False)
        unseen, _ = events[-1]
        predicted = run_predict(PredictConfig(unseen, model=str(exported.model)), progress)
        mapped = run_vectorize(VectorizeConfig(unseen), progress)
        console.show(mapped, predict.rows(predicted) | vectorize.rows(mapped), as_json=False)


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="bbunet", help="the network to train")
    parser.add_argument("--events", type=int, default=4, help="simulated events to learn from")
    parser.add_argument("--size-px", type=int, default=512, help="side of each event, pixels of 10 m")
    parser.add_argument("--window-px", type=int, default=128, help="side of the windows")
    parser.add_argument("--epochs", type=int, help="instead of those of laptop.toml")
    parser.add_argument("--work", type=Path, default=Path("training"), help="keeps events, training set and run")
    parser.add_argument("--out", type=Path, default=Path("trained.onnx"), help="the model to write")
    return parser.parse_args()


def simulated(work: Path, seed: int, size_px: int) -> tuple[Path, Path]:
    """Return the event folder of `seed` and its inventory; make them if they are not there."""
    # Each in a zone of its own: events of different splits must not share ground.
    centre = (-174.0 + 6 * (seed % 58), 18.5)
    catalog = write_catalog(work / f"catalog-{seed}", seed=seed, shape=(size_px, size_px), centre=centre)
    event = work / f"event-{seed}"
    fetch(
        FetchConfig(
            aoi=str(catalog.aoi), event_date=catalog.event_date.isoformat(), out=event, catalog=str(catalog.items)
        )
    )
    return event, catalog.inventory


if __name__ == "__main__":
    main()
