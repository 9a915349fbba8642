"""Windows stay true when they are flipped and turned: slope and aspect still fit the elevation."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from landslide_cli.training import augment as a
from landslide_cli.training.recipes import Recipe

SIZE = 48
QUIET = Recipe(
    flips=False, quarter_turns=False, rotation_deg=0, brightness=0, contrast=0, histogram_matching=0,
    misregistration_px=0, negatives=0,
)  # fmt: skip


def aspect_of(elevation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sine and cosine of the direction downslope, clockwise from north; rows run southwards."""
    towards_south, towards_east = np.gradient(elevation)
    downslope = np.stack([-towards_east, towards_south])
    aspect: NDArray[np.float64] = downslope / np.hypot(*downslope)
    return aspect


@pytest.fixture
def batch() -> dict[str, Tensor]:
    rows, columns = np.mgrid[0:SIZE, 0:SIZE].astype(float)
    terrain = []
    for number in range(4):
        waves = 30 * np.sin(columns / 11) + 25 * np.cos(rows / 9 + columns / 13 + number)
        elevation = 800 + 9 * rows - 4 * columns + waves
        terrain.append(np.stack([elevation, np.full_like(elevation, 30), *aspect_of(elevation)]))
    generator = torch.Generator().manual_seed(0)
    image = 200 + 3800 * torch.rand(4, 3, SIZE, SIZE, generator=generator)
    return {
        "pre": image,
        "post": image + 1000 * torch.rand(4, 3, SIZE, SIZE, generator=generator),
        "terrain": torch.from_numpy(np.stack(terrain)).float(),
        "landslide": (image[:, :1] > 3000).float(),
        "weight": (image[:, :1] > 1000).float(),
    }


def assert_aspect_fits(batch: dict[str, Tensor], edge: int = 0, tolerance: float = 2e-4) -> None:
    inner = slice(edge, SIZE - edge)
    for elevation, _, *aspect in batch["terrain"].double().numpy():
        box = (slice(None), inner, inner)
        np.testing.assert_allclose(np.stack(aspect)[box], aspect_of(elevation)[box], atol=tolerance)


def test_aspect_turns_with_the_elevation(batch: dict[str, Tensor]) -> None:
    assert_aspect_fits(batch)
    assert_aspect_fits(a.flip_east_west(batch))
    assert_aspect_fits(a.flip_north_south(batch))
    assert_aspect_fits(a.quarter_turn(batch))
    assert_aspect_fits(a.quarter_turn(a.flip_north_south(a.quarter_turn(batch))))


@pytest.mark.parametrize("degrees", [-33.0, -5.0, 12.0, 40.0])
def test_aspect_turns_by_any_angle(batch: dict[str, Tensor], degrees: float) -> None:
    turned = a.rotate(batch, torch.full((4,), degrees))
    assert_aspect_fits(turned, edge=14, tolerance=0.03)
    wrong = {**turned, "terrain": a.rotate(batch, torch.full((4,), degrees))["terrain"].clone()}
    wrong["terrain"][:, [a.ASPECT_SIN, a.ASPECT_COS]] = a.rotate(
        {**batch, "terrain": batch["terrain"]}, torch.full((4,), -degrees)
    )["terrain"][:, [a.ASPECT_SIN, a.ASPECT_COS]]
    with pytest.raises(AssertionError):
        assert_aspect_fits(wrong, edge=14, tolerance=0.03)


def test_a_turn_by_a_right_angle_is_the_quarter_turn(batch: dict[str, Tensor]) -> None:
    turned, quarter = a.rotate(batch, torch.full((4,), 90.0)), a.quarter_turn(batch)
    for name in batch:
        assert torch.allclose(turned[name], quarter[name], rtol=1e-3, atol=2e-2), name


def test_what_comes_from_outside_does_not_count(batch: dict[str, Tensor]) -> None:
    turned = a.rotate({**batch, "weight": torch.ones_like(batch["weight"])}, torch.full((4,), 30.0))
    assert not turned["weight"][:, 0, 0, 0].any()
    assert turned["weight"][:, 0, SIZE // 2, SIZE // 2].all()
    assert set(turned["landslide"].flatten().tolist()) <= {0.0, 1.0}
    assert torch.isfinite(turned["pre"]).all()
    assert (turned["pre"] > 0).all()


def test_four_quarter_turns_are_none(batch: dict[str, Tensor]) -> None:
    turned = batch
    for _ in range(4):
        turned = a.quarter_turn(turned)
    assert all(torch.equal(turned[name], values) for name, values in batch.items())


def test_all_maps_move_alike(batch: dict[str, Tensor]) -> None:
    maps = {**batch, "pre": batch["landslide"], "post": batch["weight"]}
    for turn in (a.flip_east_west, a.flip_north_south, a.quarter_turn):
        turned = turn(maps)
        assert torch.equal(turned["pre"], turned["landslide"])
        assert torch.equal(turned["post"], turned["weight"])


def test_same_chance_gives_the_same_batch_and_leaves_the_old_one(batch: dict[str, Tensor]) -> None:
    before = {name: values.clone() for name, values in batch.items()}
    results = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        results.append(a.augment(batch, Recipe()))
    assert all(torch.equal(results[0][name], results[1][name]) for name in batch)
    assert not torch.equal(results[0]["pre"], results[2]["pre"])
    assert all(torch.equal(before[name], batch[name]) for name in batch)
    assert all(results[0][name].shape == batch[name].shape for name in batch)


def test_a_recipe_without_augmentation_changes_nothing(batch: dict[str, Tensor]) -> None:
    same = a.augment(batch, QUIET)
    assert all(torch.equal(same[name], batch[name]) for name in batch)


def test_all_eight_orientations_occur(batch: dict[str, Tensor]) -> None:
    seen = set()
    for seed in range(60):
        torch.manual_seed(seed)
        turned = a.augment(batch, replace(QUIET, flips=True, quarter_turns=True))
        seen |= {window.numpy().tobytes() for window in turned["weight"][:1]}
    assert len(seen) == 8


def test_negatives_show_no_change_and_no_landslide(batch: dict[str, Tensor]) -> None:
    many = {name: values.repeat(250, 1, 1, 1)[:, :, :4, :4] for name, values in batch.items()}
    torch.manual_seed(0)
    drawn = a.draw_negatives(many, 0.05)
    same_pre, same_post = ((drawn[x] == many[x]).flatten(1).all(1) for x in ("pre", "post"))
    kinds = {
        "pre-pre": same_pre & ~same_post & (drawn["post"] == many["pre"]).flatten(1).all(1),
        "post-post": same_post & ~same_pre & (drawn["pre"] == many["post"]).flatten(1).all(1),
        "post-pre": ~same_pre & ~same_post & (drawn["pre"] == many["post"]).flatten(1).all(1),
    }
    for name, chosen in kinds.items():
        assert 0.03 < chosen.float().mean() < 0.07, name
        assert not drawn["landslide"][chosen].any()
    left = same_pre & same_post
    assert torch.equal(drawn["landslide"][left], many["landslide"][left])
    assert (left.float().mean() + sum(k.float().mean() for k in kinds.values())).item() == pytest.approx(1)


def test_a_matched_image_has_the_histogram_of_the_other_and_its_own_order(batch: dict[str, Tensor]) -> None:
    image, other = batch["pre"], batch["post"]
    matched = a.match_histograms(image, other)
    assert torch.equal(matched.flatten(2).sort(-1).values, other.flatten(2).sort(-1).values)
    order = image.flatten(2).argsort(dim=-1, stable=True)
    assert (matched.flatten(2).gather(-1, order).diff() >= 0).all()
    assert torch.equal(a.match_histograms(image, image), image)


def test_jitter_is_small_and_keeps_the_order_of_pixels(batch: dict[str, Tensor]) -> None:
    image = batch["pre"]
    changed = a.jitter(image, 0.1, 0.1)
    assert not torch.equal(changed, image)
    assert ((changed.mean((-2, -1)) / image.mean((-2, -1)) - 1).abs() <= 0.1001).all()
    assert torch.equal(changed[0, 0].flatten().argsort(), image[0, 0].flatten().argsort())


def test_jitter_leaves_what_was_seen_above_0_and_missing_bands_missing() -> None:
    image = torch.cat([torch.zeros(8, 1, 6, 6), torch.full((8, 1, 6, 6), 4000.0)], dim=1)
    image[:, 1, 0, 0] = 1
    changed = a.jitter(image, 0.9, 0.9)
    assert not changed[:, 0].any()
    assert (changed[:, 1] >= 1).all()


def test_elevation_moves_as_a_whole_and_nothing_else(batch: dict[str, Tensor]) -> None:
    moved = a.augment(batch, replace(QUIET, elevation_shift_m=500))
    steps = (moved["terrain"] - batch["terrain"])[:, 0]
    torch.testing.assert_close(steps, steps.mean((-2, -1), keepdim=True).expand_as(steps), rtol=0, atol=1e-3)
    assert (steps.abs() <= 500).all()
    assert len(set(steps[:, 0, 0].tolist())) == 4
    assert torch.equal(moved["terrain"][:, 1:], batch["terrain"][:, 1:])
    assert torch.equal(moved["pre"], batch["pre"])


def test_flattened_ground_keeps_its_lowest_point_its_aspect_and_the_tie_of_slope_and_rise(
    batch: dict[str, Tensor],
) -> None:
    flat = a.augment(batch, replace(QUIET, flattest=0.3))["terrain"]
    old = batch["terrain"]
    lowest = old[:, 0].amin((-2, -1), keepdim=True)
    torch.testing.assert_close(flat[:, 0].amin((-2, -1), keepdim=True), lowest)
    rise = (flat[:, 0] - lowest).sum((-2, -1)) / (old[:, 0] - lowest).sum((-2, -1))
    assert (rise > 0.29).all()
    assert (rise < 1.001).all()
    assert len(set(rise.tolist())) == 4
    tangent = torch.tan(torch.deg2rad(flat[:, 1])).sum((-2, -1)) / torch.tan(torch.deg2rad(old[:, 1])).sum((-2, -1))
    torch.testing.assert_close(tangent, rise, rtol=1e-3, atol=0)
    assert torch.equal(flat[:, 2:], old[:, 2:])


def test_a_date_is_moved_by_a_pixel_at_most(batch: dict[str, Tensor]) -> None:
    moved = a.shift(batch["pre"], 1)
    for before, after in zip(batch["pre"], moved, strict=True):
        offsets = [
            (r, c) for r in (-1, 0, 1) for c in (-1, 0, 1)
            if torch.equal(after[:, 2:-2, 2:-2], before.roll((r, c), (-2, -1))[:, 2:-2, 2:-2])
        ]  # fmt: skip
        assert len(offsets) == 1


def test_dropped_bands_are_blank_on_both_dates_and_one_is_left() -> None:
    torch.manual_seed(0)
    images = {name: 1 + torch.rand(400, 5, 4, 4) for name in ("pre", "post")}
    dropped = a.drop_bands(images, 0.6)
    blank = {name: (image == 0).flatten(2).all(dim=2) for name, image in dropped.items()}
    assert torch.equal(blank["pre"], blank["post"])
    assert not blank["pre"].all(dim=1).any()
    windows = blank["pre"].any(dim=1).float().mean().item()
    assert 0.35 < windows < 0.6
    kept = ~blank["pre"]
    assert all(torch.equal(dropped[name][kept], images[name][kept]) for name in images)
