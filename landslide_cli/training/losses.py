"""Losses."""

import torch
from torch import Tensor
from torch.nn import functional

from landslide_cli.training.recipes import Recipe


def change_loss(logits: Tensor, landslide: Tensor, weight: Tensor, recipe: Recipe) -> Tensor:
    """Return the loss of a batch over the pixels that count.

    `binary` is the weighted cross-entropy of the paper (section 4), averaged over pixels. `two-class` is the loss of
    the released BIT, SEIFNet and TinyCD. The softmax of two logits is the sigmoid of their difference, so only the
    average differs: it is taken over the weights of the pixels' classes. A focal gamma multiplies each pixel by the
    probability of its wrong class to that power (Lin et al. 2017, section 3.2).

    Args:
        logits: (N, 1, H, W).
        landslide: (N, 1, H, W), 0 or 1.
        weight: (N, 1, H, W), weight of each pixel; 0 if it is ignored.
        recipe: kind and weights of the loss.

    Returns:
        A scalar; 0 if no pixel counts.
    """
    logits = logits.float()
    factor = torch.tensor(recipe.landslide_weight, device=logits.device)
    each = functional.binary_cross_entropy_with_logits(logits, landslide, pos_weight=factor, reduction="none")
    if recipe.focal_gamma:
        wrong = torch.sigmoid(torch.where(landslide > 0, -logits, logits))
        each = each * wrong**recipe.focal_gamma
    total = (each * weight).sum()
    counted = weight * (1 + (factor - 1) * landslide) if recipe.loss == "two-class" else weight
    loss = total / counted.sum().clamp(min=1)
    if recipe.dice_weight:
        loss = loss + recipe.dice_weight * dice_loss(logits, landslide, (weight > 0).float())
    return loss


def dice_loss(logits: Tensor, landslide: Tensor, counted: Tensor) -> Tensor:
    """Return 1 minus the Dice coefficient over the pixels with `counted` 1; 0 if there are none."""
    probability = torch.sigmoid(logits) * counted
    truth = landslide * counted
    overlap, sizes = (probability * truth).sum(), probability.sum() + truth.sum()
    return 1 - (2 * overlap + 1) / (sizes + 1)
