"""What is measured is what a count by hand gives, and what is written can be opened."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
from conftest import CARD, TRAINED_BANDS, read_raster, write_model
from prepared_events import write_changes, write_inventory

from landslide_cli.card import ModelCard
from landslide_cli.config import EvaluateConfig, ExportConfig, PrepareConfig, TrainConfig
from landslide_cli.errors import InputError, ModelError
from landslide_cli.inference.engines import OnnxEngine
from landslide_cli.inference.parity import PARITY
from landslide_cli.training.evaluation_report import PAPER
from landslide_cli.training.plots import ALARM, HIT, MISS, NAMES
from landslide_cli.training.runs import read_metrics
from landslide_cli.training.tiles_index import TrainingSet
from landslide_cli.workflows.evaluate import evaluate
from landslide_cli.workflows.export import export
from landslide_cli.workflows.prepare import prepare
from landslide_cli.workflows.train import train


def test_a_detector_that_sees_the_scar_is_perfect(dataset: Path, tmp_path: Path) -> None:
    summary = evaluate(EvaluateConfig("red-change", dataset, out=tmp_path / "out"))
    assert summary.at_threshold["f1"] == pytest.approx(1)
    assert summary.average_precision == pytest.approx(1, abs=0.01)
    assert summary.threshold_from == "best F1 on the validation windows"
    assert (summary.objects["found"], summary.objects["landslides"], summary.objects["false_alarms"]) == (1, 1, 0)
    assert list(summary.by_event) == ["three"]
    assert 0 < summary.objects["mapped_share"] < 0.1
    facts = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert facts["at_threshold"] == summary.at_threshold
    report = (tmp_path / "out" / "report.md").read_text()
    assert all(f"| {f1:.3f} | {precision:.3f} | {recall:.3f} |" in report for f1, precision, recall in PAPER.values())
    assert {p.name for p in (tmp_path / "out").glob("*.png")} == {
        "calibration.png", "precision_recall.png", "windows.png",
    }  # fmt: skip


def test_the_map_shows_hits_misses_and_alarms_in_their_place(dataset: Path, tmp_path: Path) -> None:
    evaluate(EvaluateConfig("red-change", dataset, out=tmp_path / "out", threshold=0.3))
    (path,) = (tmp_path / "out" / "maps").glob("*.tif")
    entries = ElementTree.parse(path.with_suffix(".qml")).findall(".//paletteEntry")
    assert {int(e.attrib["value"]): e.attrib["label"] for e in entries} == {0: "none", **NAMES}
    assert [e.attrib["alpha"] for e in entries] == ["0", "255", "255", "255"]
    opened = TrainingSet.open(dataset)
    with rasterio.open(path) as source, rasterio.open(opened.mask("three")) as truth:
        codes = source.read(1)
        window = truth.window(*source.bounds).round_offsets().round_lengths()
        mask = truth.read(1, window=window)
        assert source.colormap(1)[HIT] != source.colormap(1)[MISS]
    assert set(np.unique(codes)) <= {0, HIT, MISS, ALARM, 255}
    assert np.array_equal(np.isin(codes, (HIT, MISS)), (mask == 1) & (codes != 255))
    assert (codes == 255).any()


def test_what_changed_and_is_no_landslide_is_counted_by_its_code(dataset: Path, tmp_path: Path) -> None:
    events = tuple(dataset.parent / name for name in ("one", "two", "three"))
    given = np.random.default_rng(0).choice(
        np.array((0, 2, 6), np.uint8), read_raster(events[2] / "clear.tif").shape[1:]
    )
    half = write_inventory(tmp_path / "half.geojson", events[2], [(150, 100, 160, 130)])
    config = PrepareConfig(
        tmp_path / "set", events, (half,), window=64, stride=16, min_evaluation_pixels=1,
        validation=("two",), test=("three",), changes=(write_changes(tmp_path / "changes.tif", events[2], given),),
    )  # fmt: skip
    prepare(config)
    summary = evaluate(EvaluateConfig("red-change", config.out, out=tmp_path / "out", threshold=0.3))
    assert [change["code"] for change in summary.changes] == [2, 6]
    (path,) = (tmp_path / "out" / "maps").glob("*.tif")
    with rasterio.open(path) as source, rasterio.open(TrainingSet.open(config.out).mask("three")) as mask:
        told, codes = source.read(1), mask.read(2, window=mask.window(*source.bounds).round_offsets().round_lengths())
    for change in summary.changes:
        counted = (codes == change["code"]) & (told != 255)
        assert change["pixels"] == counted.sum()
        assert change["mapped"] == (counted & (told == ALARM)).sum() > 0
        assert change["share"] == pytest.approx(change["mapped"] / change["pixels"], abs=1e-4)
        row = f"| {change['code']} | {change['mapped']} | {change['pixels']} px | {100 * change['share']:.2f} % |"
        assert row in (tmp_path / "out" / "report.md").read_text()
    assert not evaluate(EvaluateConfig("red-change", dataset)).changes


def test_a_model_that_always_says_the_same_is_as_good_as_chance(dataset: Path, tmp_path: Path) -> None:
    card = ModelCard(**{**{f: getattr(CARD, f) for f in CARD.__slots__}, "bands": ("B04", "B03"), "terrain": False})
    path = str(write_model(tmp_path / "same.onnx", card, kind="constant"))
    low, high = (evaluate(EvaluateConfig(path, dataset, threshold=threshold)) for threshold in (0.3, 0.4))
    (only,) = [b for b in low.calibration["bins"] if b["pixels"]]
    assert only["predicted"] == pytest.approx(0.37, abs=1e-3)
    assert low.at_threshold["precision"] == only["observed"]
    assert (low.at_threshold["recall"], high.at_threshold["recall"], high.at_threshold["precision"]) == (1, 0, None)
    assert low.average_precision == pytest.approx(only["observed"], abs=1e-4)
    assert low.objects["found"] == 1
    assert high.objects["found"] == high.objects["regions"] == 0
    assert low.windows == len(TrainingSet.open(dataset).of_split("test"))


def test_a_run_is_measured_with_its_best_weights(dataset: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(f"bands = {list(TRAINED_BANDS)}\nepochs = 1\nbatch = 4\nwindows_per_epoch = 8")
    train(TrainConfig(dataset, tmp_path / "run", model="tinycd", config=recipe, workers=0, device="cpu"))
    validation = read_metrics(tmp_path / "run")[0]
    summary = evaluate(EvaluateConfig(str(tmp_path / "run"), dataset, split="validation", threshold=0.5, device="cpu"))
    assert summary.at_threshold["recall"] == pytest.approx(validation["recall"], abs=2e-3)
    assert summary.average_precision == pytest.approx(validation["average_precision"], abs=2e-3)
    exported = export(ExportConfig(tmp_path / "run", tmp_path / "trained.onnx"))
    assert exported.difference <= PARITY
    # The events of this training set lie in the same place.
    shared = tuple(f"{pair} share ground across splits" for pair in ("one and two", "two and three"))
    assert summary.beware == shared
    learned = evaluate(EvaluateConfig(str(tmp_path / "run"), dataset, split="train", device="cpu", out=tmp_path / "o"))
    assert learned.beware[0] == "run has learned from events with these names: one"
    assert "Beware" in (tmp_path / "o" / "report.md").read_text()
    card = OnnxEngine(exported.model).card
    assert (card.architecture, card.bands, card.terrain, card.tile_px) == ("tinycd", TRAINED_BANDS, False, 64)
    again = evaluate(EvaluateConfig(str(exported.model), dataset, split="validation", threshold=0.5))
    # The file's weights are rounded to half precision.
    assert again.average_precision == pytest.approx(summary.average_precision, abs=0.02)
    with pytest.raises(InputError, match="--overwrite"):
        export(ExportConfig(tmp_path / "run", tmp_path / "trained.onnx"))


def test_a_split_without_windows_and_other_mistakes_are_told(dataset: Path, tmp_path: Path) -> None:
    base = EvaluateConfig("red-change", dataset, out=tmp_path / "out")
    with pytest.raises(InputError, match=r"--split 'other' is unknown; use train, validation, test"):
        evaluate(replace(base, split="other"))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"--threshold 1\.5 must be a number above 0 and at most 1"):
        evaluate(replace(base, threshold=1.5))
    with pytest.raises(ModelError, match="reads B08, which event one"):
        evaluate(replace(base, model="rdndvi"))
    with pytest.raises(InputError, match="not a run folder"):
        evaluate(replace(base, model=str(tmp_path)))
    with pytest.raises((InputError, ModelError)):
        evaluate(replace(base, model="nothing-of-the-kind"))
    assert not (tmp_path / "out").exists()
    evaluate(base)
    with pytest.raises(InputError, match="--overwrite"):
        evaluate(base)


def test_events_without_terrain_can_be_measured_by_what_does_not_read_it(dataset: Path, tmp_path: Path) -> None:
    flat = dataset.with_name(f"{dataset.name}-flat")
    shutil.copytree(dataset, flat)
    record = json.loads((flat / "dataset.json").read_text())
    record["events"] = [{**event, "terrain": False} for event in record["events"]]
    (flat / "dataset.json").write_text(json.dumps(record))
    assert evaluate(EvaluateConfig("red-change", flat, out=tmp_path / "out")).at_threshold["f1"] == pytest.approx(1)
    card = ModelCard(**{**{f: getattr(CARD, f) for f in CARD.__slots__}, "bands": ("B04", "B03"), "terrain": True})
    path = str(write_model(tmp_path / "steep.onnx", card))
    with pytest.raises(ModelError, match="reads terrain, and event one"):
        evaluate(EvaluateConfig(path, flat))
