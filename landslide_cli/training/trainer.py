"""The training. Lightning runs the loop; this module keeps weights, numbers and pictures after each epoch."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import Callback, Checkpoint, WeightAveraging
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from landslide_cli.errors import InputError, ModelError, OutputError
from landslide_cli.files import atomic, writing
from landslide_cli.training import plots
from landslide_cli.training.dataset import EpochSampler, PairWindows, Sample
from landslide_cli.training.module import ChangeModule
from landslide_cli.training.runs import BEST, LAST, best_row, read_state, write_metrics

log = logging.getLogger(__name__)

Progress = Callable[[str, float], None]
PICTURED = 8
"""Number of validation windows that are drawn after each epoch, always the same ones."""

Tensors = tuple[Tensor, ...] | list[Tensor]


def sow(seed: int) -> None:
    """Set the seed of all random numbers: weights, windows and augmentation."""
    seed_everything(seed, verbose=False)


def fit(
    module: ChangeModule,
    training: PairWindows,
    validation: PairWindows,
    run: Path,
    *,
    device: str = "auto",
    workers: int = 2,
    resume: bool = False,
    progress: Progress = lambda _step, _share: None,
) -> list[dict[str, Any]]:
    """Train `module` in place and fill the run folder.

    Args:
        module: the network and its recipe.
        training: windows to learn from.
        validation: windows to choose the best epoch by.
        run: folder for checkpoints, `metrics.csv`, curves and pictures.
        device: `auto`, `cpu`, `cuda`; all GPUs of the machine are used.
        workers: processes that read windows.
        resume: whether to continue after the last finished epoch.
        progress: called with the epoch, the batch, the loss and the speed.

    Returns:
        The rows of `metrics.csv`.

    Raises:
        InputError: there are fewer than two windows.
        ModelError: the loss is not finite, or the GPU has too little memory.
        OutputError: the run folder cannot be written.
    """
    recipe = module.recipe
    if len(training) < 2:
        raise InputError(f"{len(training)} windows are too few to learn from; prepare a larger training set")
    batch = min(recipe.batch, len(training))
    sampler = EpochSampler(len(training), recipe.windows_per_epoch, recipe.seed, recipe.window_shift_px)
    if resume:
        # Worker processes draw the first windows before Lightning sets the epoch of the sampler.
        sampler.set_epoch(read_state(run / LAST)["epoch"] + 1)
    on_gpu = _on_gpu(device)
    options: dict[str, Any] = {"num_workers": workers, "persistent_workers": workers > 0, "pin_memory": on_gpu}
    shown = plots.spread_out(validation.windows, PICTURED, validation.training_set.window_px)
    titles = plots.window_titles(validation.windows.take(shown))
    callbacks: list[Callback] = []
    if recipe.ema:
        # Without a device it would average on the processor, where the network is until Lightning moves it to the GPU.
        where = "cuda" if on_gpu else None
        callbacks = [WeightAveraging(device=where, multi_avg_fn=_moving_average(recipe.ema))]
    keeper = _Keeper(run, next(iter(DataLoader(Subset(validation, shown.tolist()), len(shown)))), titles, progress)
    with _quiet(), _clear_errors(batch):
        trainer = Trainer(
            accelerator={"cuda": "gpu"}.get(device, device),
            precision=_precision(recipe.precision, device),  # type: ignore[arg-type]
            max_epochs=recipe.epochs,
            gradient_clip_val=recipe.gradient_clip,
            logger=TensorBoardLogger(run, name="", version="tensorboard"),
            callbacks=[*callbacks, keeper],
            default_root_dir=run,
            num_sanity_val_steps=0,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        loader = DataLoader(training, batch, sampler=sampler, drop_last=len(sampler) >= batch, **options)
        with writing(run):
            trainer.fit(
                module,
                loader,
                DataLoader(validation, batch, **options),
                ckpt_path=run / LAST if resume else None,
                weights_only=True,
            )
    return keeper.history


def _moving_average(decay: float) -> Callable[[Tensors, Tensors, Tensor | int], None]:
    """Return the function that adds the weights of a step to the average. The decay is lower in the first steps."""

    def average(averages: Tensors, currents: Tensors, steps: Tensor | int) -> None:
        kept = min(decay, (1 + int(steps)) / (10 + int(steps)))
        if averages[0].is_floating_point():
            # One call for all tensors: on a GPU, calls cost more time than the sum itself.
            torch._foreach_lerp_(averages, currents, 1 - kept)
        else:
            for counted, current in zip(averages, currents, strict=True):
                counted.copy_(current)

    return average


def _precision(wanted: str, device: str) -> str:
    """Return the precision by its name in Lightning; `auto` is bfloat16 on a GPU, else float32."""
    if wanted == "auto":
        return "bf16-mixed" if _on_gpu(device) else "32-true"
    if wanted.startswith("bf16") and not _on_gpu(device) and not _has_bfloat16():
        log.warning("this processor has no instructions for bfloat16, so %s would be slow; training in float32", wanted)
        return "32-true"
    return wanted


def _on_gpu(device: str) -> bool:
    return device != "cpu" and torch.cuda.is_available()


def _has_bfloat16() -> bool:
    # The oldest supported torch lacks this function. Nothing is known then, and the precision asked for is used.
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    known = [capabilities[name] for name in ("avx512_bf16", "amx_bf16") if name in capabilities]
    return not known or any(known)


class _Keeper(Checkpoint):
    """Keeps the state, the best weights, the numbers and the pictures after each epoch."""

    def __init__(self, run: Path, pictured: Sample, titles: list[str], progress: Progress) -> None:
        self.run, self.pictured, self.titles, self.progress = run, pictured, titles, progress
        self.history: list[dict[str, Any]] = []
        self._began = self._last_end = perf_counter()
        self._waited_s = 0.0
        self._windows = 0

    def state_dict(self) -> dict[str, Any]:
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history = state_dict["history"]

    def on_train_epoch_start(self, *_: Any) -> None:
        self._began = self._last_end = perf_counter()
        self._waited_s, self._windows = 0.0, 0

    def on_train_batch_start(self, *_: Any) -> None:
        self._waited_s += perf_counter() - self._last_end

    def on_train_batch_end(
        self, trainer: Trainer, _module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._windows += len(batch["pre"]) * trainer.world_size
        self._last_end = perf_counter()
        batches, epochs = int(trainer.num_training_batches), int(trainer.max_epochs or 1)
        speed = self._windows / (self._last_end - self._began)
        self.progress(
            f"epoch {trainer.current_epoch + 1} of {epochs}, batch {batch_idx + 1} of {batches}, "
            f"loss {float(outputs['loss']):.3f}, {speed:.1f} windows/s",
            (trainer.current_epoch + (batch_idx + 1) / batches) / epochs,
        )

    def on_validation_start(self, *_: Any) -> None:
        self._trained_s = perf_counter() - self._began

    def on_validation_epoch_start(self, _trainer: Trainer, module: LightningModule) -> None:
        # Here the module has the weights that are kept, which may be an average.
        assert isinstance(module, ChangeModule)
        inputs = {name: self.pictured[name].numpy() for name in ("pre", "post", "terrain")}
        self._probability = module.probability(inputs)

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        assert isinstance(module, ChangeModule)
        paper, best = module.counter.at(0.5), module.counter.best()
        row = {
            "epoch": trainer.current_epoch,
            "train_loss": module.train_loss,
            "validation_loss": module.validation_loss,
            "precision": paper.precision, "recall": paper.recall, "f1": paper.f1, "iou": paper.iou,
            "average_precision": module.counter.average_precision(),
            "best_threshold": best.threshold, "best_f1": best.f1,
            "learning_rate": module.recipe.learning_rate * module.recipe.decay**trainer.current_epoch,
        }  # fmt: skip
        speed = {
            "train_seconds": round(self._trained_s, 2),
            "windows_per_second": round(self._windows / self._trained_s, 2),
            "waiting_share": round(self._waited_s / self._trained_s, 4),
        }
        self.history.append({**row, **speed})
        for name, value in row.items():
            module.log(name, float(value), rank_zero_only=True)
        is_best = best_row(self.history)["epoch"] == trainer.current_epoch
        # The state comes last: a run that is killed in between repeats the epoch.
        for name in (*([BEST] if is_best else []), LAST):
            # All devices take part, one writes.
            place = atomic(self.run / name) if trainer.is_global_zero else nullcontext(self.run / name)
            with place as path:
                trainer.save_checkpoint(path)
        if not trainer.is_global_zero:
            return
        write_metrics(self.run, self.history)
        plots.draw_losses(self.run / "loss.png", self.history)
        plots.draw_precision_recall(self.run / "precision_recall.png", {"validation": module.counter})
        names = list(module.recipe.bands)
        picture = self.run / "windows" / f"epoch-{trainer.current_epoch:03}.png"
        plots.draw_windows(picture, self.pictured, self._probability, names, self.titles)


@contextmanager
def _clear_errors(batch: int) -> Iterator[None]:
    """Say what to change where the GPU is too small; let an interrupt be one."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ModelError(
            f"the GPU has too little memory for batches of {batch} windows ({str(error).split('.')[0]}); "
            "give a smaller --batch"
        ) from error
    except (RuntimeError, SystemExit) as error:
        # Lightning ends the process on an interrupt.
        if isinstance(error, SystemExit):
            raise KeyboardInterrupt from error
        if "DataLoader worker" in str(error) and isinstance(error.__cause__, InputError | OutputError):
            raise error.__cause__ from None
        raise


@contextmanager
def _quiet() -> Iterator[None]:
    """Stop Lightning from printing; `progress` shows what the user needs."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric", "pytorch_lightning")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for text in (
                r".*does not have many workers", r".*log_every_n_steps", r".*exists and is not empty",
                r".*GPU available but not used", r".*Found .* module\(s\) in eval mode", r".*is not supported by",
                r".*treespec",
            ):  # fmt: skip
                warnings.filterwarnings("ignore", text)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
