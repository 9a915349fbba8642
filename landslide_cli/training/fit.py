"""The training loop, to be read from top to bottom (paper, section 4)."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from landslide_cli.errors import InputError, ModelError
from landslide_cli.files import atomic
from landslide_cli.training.augment import Sample
from landslide_cli.training.dataset import EventTiles, EventWindows
from landslide_cli.training.metrics import PixelCounter, Scores


@dataclass(frozen=True, slots=True)
class FitConfig:
    """How a network is trained. Where the paper's value differs, it is for training in minutes, not days."""

    minutes: float | None = None
    """Stop after this time, validation left out; at least one of `minutes` and `steps` is needed."""
    steps: int | None = None
    """Stop after this many batches."""
    batch: int = 8
    """Windows per step; the paper's 64 leaves too few steps for a CPU."""
    learning_rate: float = 1e-3
    """The highest; the paper's 0.01 diverges now and then with so small a batch."""
    warm_up: float = 0.05
    """Share of the training in which the learning rate rises, while Adam learns the scale of gradients."""
    weight_decay: float = 1e-4
    landslide_weight: float = 5.0
    """How much more a landslide pixel counts in the loss, against its rarity."""
    validate_every: int = 250
    """Steps between validations, after each of which a checkpoint is written."""
    bfloat16: bool = False
    """Compute in bfloat16 where that is safe: faster on processors that know it, slower on others."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Validation:
    """How good the network was after a number of steps."""

    step: int
    loss: float
    at_threshold: Scores
    """At a threshold chosen before: 0.5, as the paper has it, if no other was asked for."""
    best: Scores
    """At the threshold of the highest F1."""


@dataclass(frozen=True, slots=True)
class FitProgress:
    """What the callback is told after each step."""

    step: int
    share: float
    """How much of the training is done, 0..1."""
    loss: float
    validation: Validation | None
    """Given after the steps that end with a validation."""


@dataclass(frozen=True, slots=True)
class FitResult:
    """What came of a training. The network holds the weights of `best`."""

    steps: int
    seconds: float
    """Time spent on steps, over all runs of a resumed training."""
    best: Validation
    """The validation with the highest F1; its weights and threshold are the ones to use."""
    history: tuple[Validation, ...]


def weighted_loss(logits: Tensor, landslide: Tensor, weight: Tensor, landslide_weight: float) -> Tensor:
    """Return the binary cross-entropy, averaged over the pixels that count (paper, section 4).

    Args:
        logits: (N, 1, H, W).
        landslide: (N, 1, H, W), 0 or 1.
        weight: (N, 1, H, W), 0 where a pixel is ignored.
        landslide_weight: factor of the loss of landslide pixels.
    """
    factor = torch.tensor(landslide_weight, device=logits.device)
    loss = functional.binary_cross_entropy_with_logits(
        logits.float(), landslide, weight=weight, pos_weight=factor, reduction="sum"
    )
    return loss / weight.sum().clamp(min=1)


def learning_rate_at(share: float, highest: float, warm_up: float) -> float:
    """Return the learning rate at `share` of the training: a short rise, then half a cosine down to 0."""
    if share < warm_up:
        return highest * max(share / warm_up, 0.01)
    return highest * 0.5 * (1 + math.cos(math.pi * min(1.0, (share - warm_up) / (1 - warm_up))))


def fit(
    network: nn.Module,
    normalisation: nn.Module,
    training: EventWindows,
    validation: EventTiles,
    *,
    config: FitConfig,
    checkpoint: Path,
    progress: Callable[[FitProgress], None] = lambda _: None,
) -> FitResult:
    """Train `network` in place, going on from `checkpoint` if it is there.

    Args:
        network: called as `network(pre, post, terrain)`, gives logits (N, 1, H, W).
        normalisation: what the network reads from what the files hold.
        training: windows; step s learns from windows s * batch to (s + 1) * batch. Training stops at its end.
        validation: windows of events that `training` does not hold.
        config: when to stop, and all else.
        checkpoint: where the state is kept, whole at any time; a run that was cut goes on from it.
        progress: called after each step.

    Raises:
        InputError: the configuration says neither `minutes` nor `steps`, or the checkpoint is of another
            configuration, or there is less than a batch of windows.
        ModelError: the loss is no longer a number.
        OutputError: the checkpoint cannot be written.
    """
    if config.minutes is None and config.steps is None:
        raise InputError("a training needs an end; give minutes or steps")
    torch.manual_seed(config.seed)
    device = next(network.parameters()).device
    normalisation.to(device)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    step, seconds = 0, 0.0
    history: list[Validation] = []
    best_weights: dict[str, Tensor] = {}

    if checkpoint.exists():
        state = _load(checkpoint, config, device)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        step, seconds, best_weights = state["step"], state["seconds"], state["best_weights"]
        history = [_validation_from(entry) for entry in state["history"]]

    last_step = len(training) // config.batch
    share = _share(step, seconds, config)
    remaining = range(step * config.batch, last_step * config.batch) if share < 1 else range(0)
    network.train()
    for batch in DataLoader(training, config.batch, sampler=remaining):
        started = time.monotonic()
        for group in optimizer.param_groups:
            group["lr"] = learning_rate_at(share, config.learning_rate, config.warm_up)

        logits = _logits(network, normalisation, batch, config, device)
        landslide, weight = batch["landslide"].to(device), batch["weight"].to(device)
        loss = weighted_loss(logits, landslide, weight, config.landslide_weight)
        if not torch.isfinite(loss):
            raise ModelError(f"the loss is {loss.item()} at step {step}; start anew with a lower learning rate")
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

        step += 1
        seconds += time.monotonic() - started
        share = _share(step, seconds, config)
        ends = share >= 1 or step == last_step
        result = None
        if ends or step % config.validate_every == 0:
            result = validate(network, normalisation, validation, config, step=step)
            if not history or result.best.f1 >= max(entry.best.f1 for entry in history):
                best_weights = {key: value.detach().clone() for key, value in network.state_dict().items()}
            history.append(result)
            state = {
                "config": asdict(config), "step": step, "seconds": seconds,
                "network": network.state_dict(), "optimizer": optimizer.state_dict(),
                "best_weights": best_weights, "history": [asdict(entry) for entry in history],
            }  # fmt: skip
            _save(checkpoint, state)
        progress(FitProgress(step, min(1.0, share), loss.item(), result))
        if ends:
            break

    if not history:
        raise InputError(f"{len(training)} windows are less than a batch of {config.batch}")
    network.load_state_dict(best_weights)
    network.eval()
    best = max(reversed(history), key=lambda entry: entry.best.f1)
    return FitResult(step, seconds, best, tuple(history))


def validate(
    network: nn.Module,
    normalisation: nn.Module,
    tiles: EventTiles,
    config: FitConfig,
    *,
    step: int = 0,
    threshold: float = 0.5,
) -> Validation:
    """Measure `network` on all pixels of `tiles`; it is left in the mode it was in.

    Args:
        network: called as `network(pre, post, terrain)`, gives logits (N, 1, H, W).
        normalisation: what the network reads from what the files hold.
        tiles: events that the network did not learn from.
        config: the size of batches and the weights of the loss.
        step: recorded in the result.
        threshold: of `at_threshold`, rounded to whole percent.
    """
    device = next(network.parameters()).device
    was_training = network.training
    network.eval()
    counter = PixelCounter()
    loss_sum = pixels = 0.0
    with torch.inference_mode():
        for batch in DataLoader(tiles, config.batch):
            logits = _logits(network, normalisation, batch, config, device).cpu()
            landslide, weight = batch["landslide"], batch["weight"]
            counted = float(weight.sum())
            loss_sum += float(weighted_loss(logits, landslide, weight, config.landslide_weight)) * counted
            pixels += counted
            counter.add(torch.sigmoid(logits).numpy(), landslide.numpy(), weight.numpy())
    network.train(was_training)
    return Validation(step, loss_sum / max(pixels, 1.0), counter.at(threshold), counter.best())


def _logits(
    network: nn.Module, normalisation: nn.Module, batch: Sample, config: FitConfig, device: torch.device
) -> Tensor:
    """Run a batch; the digital numbers are normalised in float32, which bfloat16 could not tell apart."""
    inputs = normalisation(*(batch[name].to(device) for name in ("pre", "post", "terrain")))
    with torch.autocast(device.type, torch.bfloat16, enabled=config.bfloat16):
        logits: Tensor = network(*inputs)
    return logits.float()


def _share(step: int, seconds: float, config: FitConfig) -> float:
    """Return how much of the training is done: the nearer of its two ends decides."""
    by_steps = step / config.steps if config.steps else 0.0
    by_time = seconds / (60 * config.minutes) if config.minutes else 0.0
    return max(by_steps, by_time)


def _save(checkpoint: Path, state: dict[str, Any]) -> None:
    """Replace the checkpoint when the new one is whole."""
    with atomic(checkpoint) as temporary:
        torch.save(state, temporary)


def _load(checkpoint: Path, config: FitConfig, device: torch.device) -> dict[str, Any]:
    """Read a checkpoint and make sure that it goes on with the same training; only its end may be moved."""
    try:
        state: dict[str, Any] = torch.load(checkpoint, map_location=device, weights_only=True)
        recorded = dict(state["config"])
    except (OSError, RuntimeError, ValueError, KeyError, EOFError, UnpicklingError) as error:
        raise InputError(f"{checkpoint} is no checkpoint of a training ({error}); remove it") from error
    wanted = asdict(config)
    changed = [key for key in wanted if key not in ("minutes", "steps") and recorded.get(key) != wanted[key]]
    if changed:
        raise InputError(f"{checkpoint} was trained with another {', '.join(changed)}; remove it to start anew")
    return state


def _validation_from(entry: dict[str, Any]) -> Validation:
    """Restore what `asdict` took apart."""
    return Validation(**{**entry, "at_threshold": Scores(**entry["at_threshold"]), "best": Scores(**entry["best"])})
