"""The Lightning module of a network: the training step, the validation and the checkpoint."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from numpy.typing import NDArray
from torch import Tensor, nn

from landslide_cli.errors import ModelError
from landslide_cli.geo.bands import TERRAIN_BANDS
from landslide_cli.training.augment import augment
from landslide_cli.training.dataset import Sample
from landslide_cli.training.losses import change_loss
from landslide_cli.training.metrics import STEPS, PixelCounter
from landslide_cli.training.networks import build_network
from landslide_cli.training.normalisation import NORMALISATIONS
from landslide_cli.training.recipes import Recipe


class ChangeModule(LightningModule):
    """A network with its normalisation and its recipe."""

    def __init__(self, recipe: Recipe) -> None:
        """Build the network with random weights.

        Raises:
            InputError: the network is unknown or cannot be built so.
        """
        super().__init__()
        self.recipe = recipe
        options: dict[str, Any] = {"encoder": recipe.encoder} if recipe.encoder else {}
        if recipe.dates_together:
            options["dates_together"] = True
        self.network = build_network(recipe.model, bands=len(recipe.bands), **options)
        for layer in self.network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = recipe.norm_momentum
        # A third faster on processors, and the layout that tensor cores need.
        self.network.to(memory_format=torch.channels_last)
        self.normalisation = NORMALISATIONS[recipe.normalisation]()
        self.train_loss = float("nan")
        self.validation_loss = float("nan")
        self.counter = PixelCounter()
        self._sums: list[Tensor] = []

    def forward(self, batch: Sample) -> Tensor:
        """Return the logits (N, 1, H, W) of a batch of digital numbers."""
        # Always in float32: half precision is too coarse for digital numbers.
        with torch.autocast(self.device.type, enabled=False):
            inputs = self.normalisation(batch["pre"], batch["post"], batch["terrain"])
        logits: Tensor = self.network(*inputs)
        return logits.float()

    def on_train_epoch_start(self) -> None:
        """Set the learning rate of the epoch."""
        for optimizer in self.trainer.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.recipe.learning_rate * self.recipe.decay**self.current_epoch
        self._sums = []

    def training_step(self, batch: Sample, batch_index: int) -> Tensor:
        """Return the loss of an augmented batch.

        Raises:
            ModelError: the loss is not finite.
        """
        # The seed depends only on the step of the training, so a resumed run sees the same batches.
        torch.manual_seed(hash((self.recipe.seed, self.current_epoch, batch_index, self.global_rank)) % 2**31)
        batch = augment(batch, self.recipe)
        loss = change_loss(self(batch), batch["landslide"], batch["weight"], self.recipe)
        if not torch.isfinite(loss):
            raise ModelError(
                f"the loss is {loss.item()} in epoch {self.current_epoch}, batch {batch_index}; lower learning_rate in "
                "the recipe (now "
                f"{self.recipe.learning_rate:g}) or set gradient_clip = 1, then train again"
            )
        self._sums.append(loss.detach())
        return loss

    def on_train_epoch_end(self) -> None:
        """Average the loss of the epoch."""
        self.train_loss = float(torch.stack(self._sums).mean()) if self._sums else float("nan")

    def on_validation_epoch_start(self) -> None:
        """Reset the counts."""
        self._counts = torch.zeros(2, STEPS + 1, dtype=torch.int64)
        self._loss_and_pixels = torch.zeros(2, dtype=torch.float64)

    def validation_step(self, batch: Sample, _: int) -> None:
        """Count a batch."""
        logits = self(batch)
        pixels = float(batch["weight"].sum())
        loss = change_loss(logits, batch["landslide"], batch["weight"], self.recipe)
        self._loss_and_pixels += torch.tensor([float(loss) * pixels, pixels], dtype=torch.float64)
        counter = PixelCounter()
        counter.add(*(x.cpu().numpy() for x in (torch.sigmoid(logits), batch["landslide"], batch["weight"])))
        self._counts += torch.from_numpy(counter.counts)

    def on_validation_epoch_end(self) -> None:
        """Add the counts of all devices."""
        strategy = self.trainer.strategy
        loss, pixels = strategy.reduce(self._loss_and_pixels.to(self.device), reduce_op="sum").tolist()
        self.validation_loss = loss / pixels if pixels else float("nan")
        counts = strategy.reduce(self._counts.to(self.device), reduce_op="sum")
        self.counter = PixelCounter(counts.cpu().numpy())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return AdamW (paper, section 4)."""
        return torch.optim.AdamW(
            self.network.parameters(), lr=self.recipe.learning_rate, weight_decay=self.recipe.weight_decay
        )

    @torch.inference_mode()
    def probability(self, inputs: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return probabilities (N, 1, H, W) of `pre`, `post` and `terrain`, each (N, C, H, W) float32.

        `terrain` can be left out for a network that does not read it.
        """
        self.eval()
        if not self.network.reads_terrain:
            count, _, height, width = inputs["pre"].shape
            inputs = {"terrain": np.zeros((count, len(TERRAIN_BANDS), height, width), np.float32), **inputs}
        batch = {
            name: torch.from_numpy(np.ascontiguousarray(values)).to(self.device) for name, values in inputs.items()
        }
        result: NDArray[np.float32] = torch.sigmoid(self(batch)).cpu().numpy()
        return result

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the recipe and the counts of the validation windows with the weights."""
        checkpoint["validation_counts"] = torch.from_numpy(self.counter.counts)
        checkpoint["recipe"] = {**asdict(self.recipe), "bands": list(self.recipe.bands)}
