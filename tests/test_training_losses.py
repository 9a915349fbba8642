from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from landslide_cli.training.losses import change_loss, dice_loss
from landslide_cli.training.recipes import Recipe


@pytest.fixture
def maps() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(2, 1, 8, 8, generator=generator)
    landslide = (torch.rand(2, 1, 8, 8, generator=generator) < 0.2).float()
    return logits, landslide, (torch.rand(2, 1, 8, 8, generator=generator) < 0.7).float()


def test_the_papers_loss_is_the_mean_over_pixels_that_count(maps: tuple[torch.Tensor, ...]) -> None:
    logits, landslide, weight = maps
    chosen = weight.bool()
    each = functional.binary_cross_entropy_with_logits(logits[chosen], landslide[chosen], reduction="none")
    by_hand = (each * (1 + 4 * landslide[chosen])).mean()
    assert torch.isclose(change_loss(logits, landslide, weight, Recipe()), by_hand)


def test_two_classes_are_a_softmax_over_two_logits(maps: tuple[torch.Tensor, ...]) -> None:
    logits, landslide, weight = maps
    both = torch.cat([torch.full_like(logits, 0.7), logits + 0.7], 1)
    target = torch.where(weight > 0, landslide, -1).long()[:, 0]
    expected = functional.cross_entropy(both, target, weight=torch.tensor([1.0, 5.0]), ignore_index=-1)
    assert torch.isclose(change_loss(logits, landslide, weight, Recipe(loss="two-class")), expected)


def test_what_does_not_count_has_no_gradient(maps: tuple[torch.Tensor, ...]) -> None:
    logits, landslide, weight = maps
    logits.requires_grad_()
    change_loss(logits, landslide, weight, Recipe(dice_weight=0.25)).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert not logits.grad[weight == 0].any()
    assert logits.grad[weight == 1].all()


def test_what_counts_twice_is_as_good_as_there_twice(maps: tuple[torch.Tensor, ...]) -> None:
    logits, landslide, weight = maps
    recipe = Recipe(focal_gamma=1.0)
    more = [torch.cat([values, values[:1]]) for values in maps]
    twice = change_loss(more[0], more[1], more[2], recipe)
    heavier = weight * torch.tensor([2.0, 1.0])[:, None, None, None]
    assert torch.isclose(change_loss(logits, landslide, heavier, recipe), twice)
    # As a whole, landslides overlap as much as they do.
    dice = [change_loss(logits, landslide, w, replace(recipe, dice_weight=1.0)) for w in (weight, heavier)]
    plain = [change_loss(logits, landslide, w, recipe) for w in (weight, heavier)]
    assert torch.isclose(dice[0] - plain[0], dice[1] - plain[1])


def test_a_focal_loss_looks_at_what_is_wrong(maps: tuple[torch.Tensor, ...]) -> None:
    logits, landslide, weight = maps
    chosen = weight.bool()
    right = torch.sigmoid(torch.where(landslide > 0, logits, -logits))[chosen]
    recipe = Recipe(landslide_weight=1.0, focal_gamma=2.0)
    assert torch.isclose(change_loss(logits, landslide, weight, recipe), (-((1 - right) ** 2) * right.log()).mean())
    sure = 30 * (2 * landslide - 1)
    assert change_loss(sure, landslide, weight, recipe) < 1e-30
    # Wholly wrong, it is the cross-entropy.
    plain = Recipe(landslide_weight=1.0)
    assert torch.isclose(
        change_loss(-sure, landslide, weight, recipe), change_loss(-sure, landslide, weight, plain), rtol=1e-5
    )


def test_a_batch_under_clouds_has_no_loss(maps: tuple[torch.Tensor, ...]) -> None:
    logits, landslide, _ = maps
    for recipe in (Recipe(), Recipe(loss="two-class", dice_weight=0.25)):
        assert change_loss(logits, landslide, torch.zeros_like(logits), recipe) == 0


def test_dice_is_zero_for_the_truth_and_near_one_for_its_contrary(maps: tuple[torch.Tensor, ...]) -> None:
    _, landslide, weight = maps
    assert dice_loss(1000 * (2 * landslide - 1), landslide, weight) < 1e-6
    assert dice_loss(1000 * (1 - 2 * landslide), landslide, weight) > 0.95
