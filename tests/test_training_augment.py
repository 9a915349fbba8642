"""Windows stay true when they are flipped and turned: slope and aspect still fit the elevation."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from landslide_cli.training.augment import augment, flip_east_west, jitter, quarter_turn


def aspect_of(elevation: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return sine and cosine of the direction downslope, clockwise from north; rows run southwards."""
    towards_south, towards_east = np.gradient(elevation)
    downslope_east, downslope_north = -towards_east, towards_south
    length = np.hypot(downslope_east, downslope_north)
    return downslope_east / length, downslope_north / length


@pytest.fixture
def sample() -> dict[str, Tensor]:
    rows, columns = np.mgrid[0:24, 0:24].astype(float)
    elevation = 800 + 9 * rows - 4 * columns + 30 * np.sin(columns / 7) + 25 * np.cos(rows / 5 + columns / 9)
    sine, cosine = aspect_of(elevation)
    terrain = torch.from_numpy(np.stack([elevation, np.full_like(elevation, 30), sine, cosine])).float()
    image = torch.from_numpy(np.random.default_rng(0).uniform(200, 4000, (3, 24, 24))).float()
    return {
        "pre": image,
        "post": image + 10,
        "terrain": terrain,
        "landslide": (image[:1] > 3000).float(),
        "weight": (image[:1] > 1000).float(),
    }


def assert_aspect_fits(sample: dict[str, Tensor]) -> None:
    elevation, _, sine, cosine = sample["terrain"].double().numpy()
    expected_sine, expected_cosine = aspect_of(elevation)
    np.testing.assert_allclose(sine, expected_sine, atol=2e-4)
    np.testing.assert_allclose(cosine, expected_cosine, atol=2e-4)


def test_aspect_turns_with_the_elevation(sample: dict[str, Tensor]) -> None:
    assert_aspect_fits(sample)
    assert_aspect_fits(flip_east_west(sample))
    for _ in range(3):
        sample = quarter_turn(sample)
        assert_aspect_fits(sample)
        assert_aspect_fits(flip_east_west(sample))


def test_four_quarter_turns_are_none(sample: dict[str, Tensor]) -> None:
    turned = sample
    for _ in range(4):
        turned = quarter_turn(turned)
    for name, values in sample.items():
        assert torch.equal(turned[name], values)


def test_all_maps_move_alike(sample: dict[str, Tensor]) -> None:
    maps = {**sample, "pre": sample["landslide"], "post": sample["weight"]}
    for turned in (flip_east_west(maps), quarter_turn(maps)):
        assert torch.equal(turned["pre"], turned["landslide"])
        assert torch.equal(turned["post"], turned["weight"])


def test_same_chance_gives_the_same_window(sample: dict[str, Tensor]) -> None:
    first = augment(sample, np.random.default_rng(5))
    second = augment(sample, np.random.default_rng(5))
    assert all(torch.equal(first[name], second[name]) for name in sample)


def test_all_eight_orientations_occur(sample: dict[str, Tensor]) -> None:
    seen = {augment(sample, np.random.default_rng(seed))["weight"].numpy().tobytes() for seed in range(80)}
    assert len(seen) == 8


def test_jitter_is_small_and_keeps_the_order_of_pixels(sample: dict[str, Tensor]) -> None:
    image = sample["pre"]
    changed = jitter(image, np.random.default_rng(1))
    assert not torch.equal(changed, image)
    assert float((changed.mean() / image.mean() - 1).abs()) <= 0.1
    assert torch.equal(changed[0].flatten().argsort(), image[0].flatten().argsort())
