"""Train all networks on four simulated events; choose the epoch on a fifth; test them and the detectors on two others.

    python tests/benchmarks/train.py --work training

Prints a Markdown table. Half an hour on two processor cores; run again, it goes on where it was cut.
"""

import argparse
import json
import os
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from landslide_cli.cli import console
from landslide_cli.config import EvaluateConfig, FetchConfig, PrepareConfig, TrainConfig
from landslide_cli.inference.detectors import DETECTORS
from landslide_cli.simulation.catalog import write_catalog
from landslide_cli.training.evaluation_report import text
from landslide_cli.training.networks import NETWORKS
from landslide_cli.workflows.evaluate import evaluate
from landslide_cli.workflows.fetch import fetch
from landslide_cli.workflows.prepare import prepare
from landslide_cli.workflows.train import train

SEEDS = range(101, 108)
WINDOW_PX = 128
RECIPE = Path(__file__).parents[2] / "examples" / "laptop.toml"


def main() -> None:
    """Simulate, train, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("training"), help="keeps events, training set and runs")
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS))
    parser.add_argument("--size-px", type=int, default=512, help="side of each event")
    parser.add_argument("--recipe", type=Path, default=RECIPE, help="a TOML file as in examples/")
    options = parser.parse_args()
    work: Path = options.work
    with console.working(verbose=False) as progress:
        events, inventories = [], []
        for seed in SEEDS:
            centre = (-174.0 + 6 * (seed % 58), 18.5)
            catalog = write_catalog(
                work / f"catalog-{seed}", seed=seed, shape=(options.size_px, options.size_px), centre=centre
            )
            event = work / f"event-{seed}"
            day = catalog.event_date.isoformat()
            fetch(
                FetchConfig(
                    out=event, event_date=day, aoi=str(catalog.aoi), catalog=str(catalog.items), all_scenes=True
                ),
                progress,
            )
            events.append(event)
            inventories.append(catalog.inventory)
        *_, validation, first, second = (event.name for event in events)
        dataset = prepare(
            PrepareConfig(
                work / "dataset", tuple(events), tuple(inventories), window=WINDOW_PX, stride=WINDOW_PX // 2,
                max_cloud=60, min_evaluation_pixels=1, validation=(validation,), test=(first, second),
            ),
            progress,
        ).dataset  # fmt: skip
        rows = []
        for name in (*options.networks, *DETECTORS):
            run, trained = work / f"run-{name}", work / f"run-{name}.json"
            if name in NETWORKS and not trained.exists():
                resume = (run / "last.ckpt").exists()
                recipe = None if resume else options.recipe
                config = TrainConfig(dataset, run, model=name, config=recipe, resume=resume, workers=1)
                trained.write_text(json.dumps(asdict(train(config, progress)), default=str))
            facts = json.loads(trained.read_text()) if name in NETWORKS else {}
            measured = evaluate(
                EvaluateConfig(
                    str(run) if name in NETWORKS else name, dataset, out=work / f"evaluation-{name}", overwrite=True
                ),
                progress,
            )
            scores, objects = measured.at_threshold, measured.objects
            cells = [text(scores[key]) for key in ("f1", "precision", "recall", "iou")]
            cells += [text(measured.average_precision), f"{objects['found']} of {objects['landslides']}"]
            if facts:
                cells += [
                    f"{facts['parameters'] / 1e6:.2f} M", f"{facts['seconds_per_epoch']:.0f} s",
                    f"{facts['windows_per_second']:.1f}", f"{facts['waiting_percent']:.1f} %",
                ]  # fmt: skip
            rows.append(f"| {name} | {' | '.join(cells)} |" + " | | | |" * (not facts))
    print(f"{platform.machine()}, {os.cpu_count()} cores, {datetime.now(UTC):%Y-%m-%d}\n")  # noqa: T201
    print("| | F1 | precision | recall | IoU | average precision | landslides found | parameters | epoch |", end="")  # noqa: T201
    print(" windows/s | waiting for data |\n" + "|---" * 11 + "|")  # noqa: T201
    print("\n".join(rows))  # noqa: T201


if __name__ == "__main__":
    main()
