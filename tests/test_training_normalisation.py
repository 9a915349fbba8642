"""What networks read of what the files of an event hold."""

from typing import get_args

import numpy as np
import pytest
import torch
from reference_models import Published, each_published, needs_reference, reference_inputs, reference_output
from torch import Tensor

from landslide_cli.training.export import SelfContained
from landslide_cli.training.normalisation import NORMALISATIONS, PaperNormalisation, ReleasedNormalisation
from landslide_cli.training.recipes import Normalisation


def terrain(elevation_m: float, slope_deg: float, aspect_deg: float, length: float = 1.0) -> Tensor:
    aspect = np.radians(aspect_deg)
    values = [elevation_m, slope_deg, length * np.sin(aspect), length * np.cos(aspect)]
    return torch.tensor(values, dtype=torch.float32).view(1, 4, 1, 1)


@needs_reference
@each_published
def test_released_gives_the_published_probability_from_raw_inputs(published: Published) -> None:
    model = SelfContained(ReleasedNormalisation(), published.build()).eval()
    with torch.inference_mode():
        probability = model(*reference_inputs("raw_inputs")).numpy()
    assert np.abs(probability - reference_output(f"{published.reference}.raw")).max() <= 1e-4


@pytest.mark.parametrize("normalisation", [PaperNormalisation, ReleasedNormalisation])
def test_images_become_reflectance_within_0_and_1(normalisation: type[PaperNormalisation]) -> None:
    image = torch.tensor([0.0, 1, 5000, 10_000, 20_000]).view(1, 5, 1, 1)
    pre, post, _ = normalisation()(image, 2 * image, terrain(0, 0, 0))
    torch.testing.assert_close(pre.flatten(), torch.tensor([0, 1e-4, 0.5, 1, 1]))
    torch.testing.assert_close(post.flatten(), torch.tensor([0, 2e-4, 1, 1, 1]))


def test_in_logarithms_half_the_light_is_the_same_everywhere_and_a_missing_band_is_nothing() -> None:
    image = torch.tensor([0.0, 900, 1900, 5900, 9900]).view(1, 5, 1, 1)
    # Faint reflectance is added: 0.01 and half of it are told apart less.
    shaded = torch.where(image > 0, (image + 100) / 2 - 100, 0.0)
    sunny, dark, ground = NORMALISATIONS["logarithm"]()(image, shaded, terrain(1000, 45, 90))
    assert sunny.flatten()[:2].tolist() == [0, 0]
    assert dark.flatten()[0] == 0
    torch.testing.assert_close((sunny - dark).flatten()[1:], torch.full((4,), float(np.log(2))))
    torch.testing.assert_close(ground.flatten(), torch.tensor([0.2, 0.5, 1, 0]))
    assert set(NORMALISATIONS) == set(get_args(Normalisation))


# Resampled sines and cosines are shorter than 1; only their direction counts.
@pytest.mark.parametrize("length", [1.0, 0.4])
@pytest.mark.parametrize("aspect_deg", [0.0, 0.01, 45, 90, 135, 179.99, 180, 180.01, 225, 270, 315, 359.99])
def test_released_halves_the_aspect(aspect_deg: float, length: float) -> None:
    image = torch.zeros(1, 1, 1, 1)
    *_, normalised = ReleasedNormalisation()(image, image, terrain(1500, 45, aspect_deg, length))
    half = np.radians(aspect_deg / 2)
    expected = torch.tensor([0.5, 0.5, (np.sin(half) + 1) / 2, (np.cos(half) + 1) / 2], dtype=torch.float32)
    torch.testing.assert_close(normalised.flatten(), expected, rtol=0, atol=1e-6)


def test_flat_ground_counts_as_facing_north() -> None:
    image = torch.zeros(1, 1, 1, 1)
    *_, flat = ReleasedNormalisation()(image, image, terrain(300, 0, 123, length=0))
    *_, north = ReleasedNormalisation()(image, image, terrain(300, 0, 0))
    assert torch.equal(flat, north)
    *_, flat = PaperNormalisation()(image, image, terrain(300, 0, 123, length=0))
    assert torch.equal(flat.flatten(), torch.tensor([0.06, 0, 0, 0]))
