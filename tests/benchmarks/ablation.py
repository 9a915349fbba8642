"""What each part of BBU-Net is good for: the same training without terrain, with three bands, and of UNet-Siam-Diff.

    python tests/benchmarks/ablation.py --dataset DATASET --work FOLDER

Each network learns from random weights, by the recipe of the shipped ones cut to `--epochs` and without its weights of
changes, which slow the start, and is measured on the test windows at the best threshold on the validation windows.
Prints a Markdown table. Nine minutes for each epoch of all four on two processor cores; run again, it goes on where it
was cut.
"""

import argparse
import json
import os
import platform
import shutil
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import typer

from landslide_cli.cli import console
from landslide_cli.config import EvaluateConfig, TrainConfig
from landslide_cli.event.products import PRODUCTS
from landslide_cli.progress import Progress
from landslide_cli.training.evaluation_report import text
from landslide_cli.training.tiles_index import TrainingSet, write_record
from landslide_cli.workflows.evaluate import evaluate
from landslide_cli.workflows.train import train

RECIPE = Path(__file__).parents[2] / "examples" / "weights.toml"
VARIANTS = {
    "bbunet, 12 bands, terrain": ("bbunet", None, True),
    "bbunet, 12 bands, no terrain (flat)": ("bbunet", None, False),
    "unet-siam-diff, 12 bands": ("unet-siam-diff", None, True),
    "bbunet, B02, B03 and B04, terrain": ("bbunet", "B02,B03,B04", True),
}
"""Network, bands (all where not given), and whether it is given the terrain."""


def main() -> None:
    """Train, measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", type=Path, required=True, help="what `landslide prepare --changes` made")
    parser.add_argument("--work", type=Path, required=True, help="keeps runs and the training set on flat ground")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--recipe", type=Path, default=RECIPE, help="a TOML file as in examples/")
    options = parser.parse_args()
    flat = flattened(options.dataset, options.work / "flat")
    recipe = options.work / options.recipe.name
    recipe.write_text(
        "".join(
            line
            for line in options.recipe.read_text().splitlines(keepends=True)
            if not line.startswith("change_weights")
        )
    )
    typer.echo(f"{platform.machine()}, {os.cpu_count()} cores, {datetime.now(UTC):%Y-%m-%d}, {options.epochs} epochs\n")
    typer.echo("| | F1 | precision | recall | average precision | landslides found | false alarms |")
    typer.echo("|---" * 7 + "|")
    with console.working(verbose=False) as progress:
        for number, (name, (network, bands, terrain)) in enumerate(VARIANTS.items()):
            dataset = options.dataset if terrain else flat
            run = options.work / f"run-{number}"
            measured = trained_and_measured(dataset, run, recipe, network, bands, options.epochs, progress)
            scores, objects = measured["at_threshold"], measured["objects"]
            cells = [text(scores[key]) for key in ("f1", "precision", "recall")]
            cells += [text(measured["average_precision"]), f"{objects['found']} of {objects['landslides']}"]
            typer.echo(f"| {name} | {' | '.join(cells)} | {objects['false_alarms']} of {objects['regions']} |")


def trained_and_measured(
    dataset: Path, run: Path, recipe: Path, network: str, bands: str | None, epochs: int, progress: Progress
) -> dict[str, Any]:
    """Return what `evaluate` says of a network; trained and measured unless that is on record."""
    record = run.with_suffix(".json")
    if not record.exists():
        resume = (run / "last.ckpt").exists()
        config = TrainConfig(
            dataset, run, model=network, config=None if resume else recipe, bands=None if resume else bands,
            epochs=epochs, resume=resume,
        )  # fmt: skip
        train(config, progress)
        record.write_text(json.dumps(asdict(evaluate(EvaluateConfig(str(run), dataset), progress)), default=str))
    measured: dict[str, Any] = json.loads(record.read_text())
    return measured


def flattened(dataset: Path, folder: Path) -> Path:
    """Return the same training set on ground that is level at 0 m, and known wherever it was; made if not there."""
    made = folder / "dataset"
    if (made / "dataset.json").exists():
        return made
    training_set = TrainingSet.open(dataset)
    shutil.copytree(dataset, made, dirs_exist_ok=True, ignore=shutil.ignore_patterns("dataset.json"))
    events = []
    for event in training_set.record["events"]:
        source, target = training_set.event_folder(event["name"]), folder / event["name"]
        target.mkdir(parents=True, exist_ok=True)
        terrain = PRODUCTS["terrain"].file
        for file in source.iterdir():
            if file.name != terrain and not (target / file.name).exists():
                (target / file.name).symlink_to(file.resolve())
        with rasterio.open(source / terrain) as raster:
            ground, profile, names = raster.read(), raster.profile, raster.descriptions
        level = np.where(np.isfinite(ground), np.float32(0), ground)
        with rasterio.open(target / terrain, "w", **profile) as raster:
            raster.write(level)
            raster.descriptions = names
        events.append({**event, "folder": str(target.resolve())})
    write_record(made, {**training_set.record, "events": events})
    return made


if __name__ == "__main__":
    main()
