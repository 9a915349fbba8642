"""A run leaves all that a person wants to see, and a killed one goes on to the same numbers."""

import csv
import errno
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TRAINED_BANDS
from PIL import Image
from torch.utils.data import DataLoader

from landslide_cli.config import TrainConfig
from landslide_cli.errors import InputError, ModelError, OutputError
from landslide_cli.training.dataset import PairWindows
from landslide_cli.training.metrics import PixelCounter
from landslide_cli.training.module import ChangeModule
from landslide_cli.training.recipes import Recipe
from landslide_cli.training.runs import BEST, LAST, METRICS, RECORD, best_row, open_run, read_metrics
from landslide_cli.training.tiles_index import INDEX, TrainingSet, read_index, write_index
from landslide_cli.workflows.train import read_recipe, train

RECIPE = f"""
bands = {list(TRAINED_BANDS)}
epochs = 3
batch = 4
windows_per_epoch = 8
window_shift_px = 3
learning_rate = 0.002
ema = 0.7

[models.tinycd]
decay = 0.9
"""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums in another order are other numbers."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def recipe_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "recipe.toml"
    path.write_text(RECIPE)
    return path


def config(dataset: Path, recipe: Path | None, out: Path, **options: object) -> TrainConfig:
    return TrainConfig(dataset, out, model="tinycd", config=recipe, workers=0, device="cpu", **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def run(dataset: Path, recipe_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was never cut."""
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("run") / "run"
    summary = train(config(dataset, recipe_file, out))
    assert summary.epochs == 3
    assert summary.model == "tinycd"
    assert 0 <= summary.waiting_percent <= 100
    return out


def numbers(run: Path) -> list[dict[str, float]]:
    speed = ("train_seconds", "windows_per_second", "waiting_share")
    return [{key: value for key, value in row.items() if key not in speed} for row in read_metrics(run)]


def test_a_run_leaves_checkpoints_numbers_and_pictures(run: Path) -> None:
    assert {p.name for p in run.iterdir()} == {
        RECORD, LAST, BEST, METRICS, "loss.png", "precision_recall.png", "windows", "tensorboard",
    }  # fmt: skip
    assert sorted(p.name for p in (run / "windows").iterdir()) == [f"epoch-00{n}.png" for n in range(3)]
    for picture in (run / "loss.png", run / "windows" / "epoch-002.png"):
        with Image.open(picture) as image:
            assert np.asarray(image.convert("L")).std() > 10
    with (run / METRICS).open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    rates = [float(row["learning_rate"]) for row in rows]
    assert rates == pytest.approx([0.002, 0.0018, 0.00162])
    assert list((run / "tensorboard").glob("events*"))


def test_the_weights_of_the_best_epoch_are_kept(run: Path) -> None:
    module, record = open_run(run)
    assert record["recipe"]["decay"] == 0.9
    best = torch.load(run / BEST, weights_only=True)
    assert best["epoch"] == best_row(read_metrics(run))["epoch"]
    assert all(torch.equal(module.state_dict()[key], value) for key, value in best["state_dict"].items())
    assert not module.training


def test_the_average_of_the_weights_is_validated_and_kept(dataset: Path, run: Path) -> None:
    module, record = open_run(run)
    best = torch.load(run / BEST, weights_only=True)
    training_set = TrainingSet.open(dataset)
    windows = PairWindows(training_set, training_set.of_split("validation"), tuple(record["recipe"]["bands"]))

    def counts() -> np.ndarray:
        counter = PixelCounter()
        for batch in DataLoader(windows, record["recipe"]["batch"]):
            arrays = {name: batch[name].numpy() for name in ("pre", "post", "terrain", "landslide", "weight")}
            counter.add(module.probability(arrays), arrays["landslide"], arrays["weight"])
        return counter.counts

    validated = best["validation_counts"].numpy()
    assert np.array_equal(counts(), validated)
    module.load_state_dict(best["current_model_state"])
    assert not np.array_equal(counts(), validated)


def test_an_interrupted_run_goes_on_to_the_same_numbers(
    dataset: Path, recipe_file: Path, run: Path, tmp_path: Path
) -> None:
    def interrupt(step: str, _: float) -> None:
        if step.startswith("epoch 2 of 3, batch 2"):
            raise KeyboardInterrupt

    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(config(dataset, recipe_file, out), interrupt)
    assert len(numbers(out)) == 1
    train(TrainConfig(dataset, out, resume=True, workers=0, device="cpu"))
    assert numbers(out) == numbers(run)
    ours, theirs = (torch.load(folder / LAST, weights_only=True)["state_dict"] for folder in (out, run))
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_resuming_does_not_depend_on_the_processes_that_read(
    dataset: Path, recipe_file: Path, run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    train(replace(config(dataset, recipe_file, out, epochs=1), workers=1))
    train(TrainConfig(dataset, out, resume=True, epochs=3, workers=1, device="cpu"))
    assert numbers(out) == numbers(run)


def test_a_run_that_ended_in_its_first_epoch_is_begun_anew(
    dataset: Path, recipe_file: Path, run: Path, tmp_path: Path
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(config(dataset, recipe_file, out), interrupt)
    assert (out / RECORD).exists()
    with pytest.raises(InputError, match="without --resume"):
        train(TrainConfig(dataset, out, resume=True))
    assert train(config(dataset, recipe_file, out, epochs=1)).epochs == 1
    assert numbers(out) == numbers(run)[:1]


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="the processor is not described in /proc/cpuinfo")
def test_bfloat16_is_used_on_processors_that_have_it_and_else_said_not_to_be(
    dataset: Path, recipe_file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    flags = set(Path("/proc/cpuinfo").read_text().split())
    has = not flags.isdisjoint({"avx512_bf16", "amx_bf16"}) or "flags" not in flags
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('precision = "bf16-mixed"\n' + recipe_file.read_text())
    summary = train(config(dataset, recipe, tmp_path / "run", epochs=1))
    assert summary.epochs == 1
    assert ("training in float32" in caplog.text) != has


def test_a_device_that_is_not_there_leaves_nothing(dataset: Path, recipe_file: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--device 'tpu' is unknown"):
        train(replace(config(dataset, recipe_file, tmp_path / "run"), device="tpu"))  # type: ignore[arg-type]
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="finds no GPU"):
            train(replace(config(dataset, recipe_file, tmp_path / "run"), device="cuda"))
    assert not (tmp_path / "run").exists()


def test_a_finished_run_is_kept_and_can_be_trained_on(
    dataset: Path, recipe_file: Path, run: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="already holds a run"):
        train(config(dataset, recipe_file, run))
    with pytest.raises(InputError, match="has trained its 3 epochs"):
        train(TrainConfig(dataset, run, resume=True))
    with pytest.raises(InputError, match="another batch"):
        train(TrainConfig(dataset, run, resume=True, batch=7))
    out = tmp_path / "run"
    shutil.copytree(run, out)
    other = altered(dataset, tmp_path / "c", "train", landslide_px=np.int32(5))
    with pytest.raises(InputError, match="holds other windows"):
        train(TrainConfig(other, out, resume=True, epochs=4))
    # The command it began with, once more.
    assert train(config(dataset, recipe_file, out, resume=True, epochs=4)).epochs == 4
    with pytest.raises(InputError, match="not a run folder"):
        train(TrainConfig(dataset, tmp_path / "none", resume=True))


def altered(dataset: Path, folder: Path, chosen_split: str, **columns: np.generic | str) -> Path:
    """Copy a training set beside itself with other values in one of its splits."""
    copy = dataset.with_name(folder.name)
    shutil.copytree(dataset, copy)
    windows = read_index(copy / INDEX)
    chosen = windows.split == chosen_split
    values = {name: np.where(chosen, value, getattr(windows, name)) for name, value in columns.items()}
    write_index(replace(windows, **values), copy / INDEX)
    return copy


def test_a_training_set_without_landslides_or_windows_is_refused(
    dataset: Path, recipe_file: Path, tmp_path: Path
) -> None:
    none = altered(dataset, tmp_path / "a", "train", landslide_px=np.int32(0))
    with pytest.raises(InputError, match="show no landslide at all"):
        train(config(none, recipe_file, tmp_path / "run"))
    unvalidated = altered(dataset, tmp_path / "b", "validation", split="train")
    with pytest.raises(InputError, match="no window to validate on"):
        train(config(unvalidated, recipe_file, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_no_number_says_what_to_change(
    dataset: Path, recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = ChangeModule.forward
    monkeypatch.setattr(ChangeModule, "forward", lambda self, batch: forward(self, batch) * float("nan"))
    with pytest.raises(ModelError, match=r"loss is nan.*lower learning_rate"):
        train(config(dataset, recipe_file, tmp_path / "run"))
    assert not (tmp_path / "run" / BEST).exists()


def test_too_little_memory_and_a_full_disk_say_what_to_change(
    dataset: Path, recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    with monkeypatch.context() as patch, pytest.raises(ModelError, match="smaller --batch"):
        patch.setattr(ChangeModule, "forward", exhausted)
        train(config(dataset, recipe_file, tmp_path / "run"))

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OutputError, match="no space left"):
        patch.setattr("lightning.pytorch.Trainer.save_checkpoint", full)
        train(config(dataset, recipe_file, tmp_path / "other"))
    assert not [p for p in (tmp_path / "other").rglob("*") if p.name.startswith(".part") or p.suffix == ".ckpt"]


def test_a_recipe_is_read_for_one_network(recipe_file: Path, tmp_path: Path) -> None:
    base = TrainConfig(tmp_path, tmp_path / "run", config=recipe_file)
    assert read_recipe(base).decay == Recipe().decay
    assert read_recipe(replace(base, model="tinycd", epochs=7)) == Recipe(
        model="tinycd",
        bands=TRAINED_BANDS,
        epochs=7,
        batch=4,
        windows_per_epoch=8,
        window_shift_px=3,
        learning_rate=0.002,
        ema=0.7,
        decay=0.9,
    )


def test_options_replace_what_the_recipe_says(recipe_file: Path, tmp_path: Path) -> None:
    base = TrainConfig(tmp_path, tmp_path / "run", config=recipe_file, bands="B04, B08", encoder="resnet34", seed=5)
    recipe = read_recipe(base)
    assert (recipe.bands, recipe.encoder, recipe.seed, recipe.batch) == (("B04", "B08"), "resnet34", 5, 4)
    module = ChangeModule(recipe)
    assert module.network.state_dict()["encoder.conv1.weight"].shape[1] == 2
    with pytest.raises(InputError, match="bands 'B04;B08' is unknown; use B01"):
        read_recipe(replace(base, bands="B04;B08"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch = 3", "epoch is not part of a recipe"),
        ("epochs = 0", "epochs 0 must be a whole number, 1 or more"),
        ("batch = 1", "batch 1 must be a whole number, 2 or more"),
        ("ema = 1.0", "ema 1 must be a number within"),
        ("window_shift_px = 1.5", "window_shift_px 1.5 must be a whole number"),
        ("batch = 2.5", "batch 2.5 must be a whole number, 2 or more"),
        ('learning_rate = "fast"', "learning_rate 'fast' must be a number above 0 and at most 10"),
        ('bands = ["B04", "B10"]', "bands 'B10' is unknown; use B01"),
        ("negatives = 0.5", "negatives 0.5 must be a number within"),
        ('loss = "focal"', "loss 'focal' is unknown; use binary, two-class"),
        ("change_weights = 6", "codes of 1 to 254 with weights"),
        ("change_weights = {255 = 1}", "codes of 1 to 254 with weights"),
        ("change_weights = {6 = -1}", "codes of 1 to 254 with weights"),
        ("change_weights = {6 = 20}", "does not know what changed"),
        ("epochs = ", "cannot be read as TOML"),
        ('model = "unet"', "no network is called 'unet'"),
        ('model = "bit"\nencoder = "resnet50"', "no choice of encoder"),
    ],
)
def test_a_recipe_that_cannot_be_is_one_clear_error(text: str, message: str, dataset: Path, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        train(TrainConfig(dataset, tmp_path / "run", config=path))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["paper", "released", "laptop"])
@pytest.mark.parametrize("model", ["bbunet", "unet-siam-diff", "bit", "seifnet", "tinycd"])
def test_the_recipes_that_come_with_the_program_are_valid(name: str, model: str, tmp_path: Path) -> None:
    path = Path(__file__).parents[1] / "examples" / f"{name}.toml"
    recipe = read_recipe(TrainConfig(tmp_path, tmp_path, model=model, config=path))
    if name == "paper":
        assert (recipe.epochs, recipe.batch, recipe.learning_rate, recipe.negatives) == (50, 64, 0.01, 0)
