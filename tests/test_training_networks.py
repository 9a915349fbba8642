"""All networks against the parameter names and the numbers of the published ones.

That each computes the same as an ONNX file, at any size, is tested in `test_workflows_weights.py`.
"""

import json
import re
from typing import Any, cast

import numpy as np
import pytest
import torch
from reference_models import (
    PUBLISHED,
    REFERENCE,
    Published,
    needs_reference,
    reference_inputs,
    reference_output,
)
from torch import Tensor

from landslide_cli.errors import InputError
from landslide_cli.training.networks import NETWORKS, build_network
from landslide_cli.training.networks.base import ChangeNetwork

each_name = pytest.mark.parametrize("name", NETWORKS)
WITH_ENCODER = ("bbunet", "unet-siam-diff")
UNUSED = {
    "bbunet": r"decoder\.blocks\.4\.attention1\..*",  # It weighs a skip connection, and the last block has none.
    "bit": r"encoder\.(layer4|fc)\..*",
    "seifnet": r"(encoder\.fc|classifier|ACFF\d\.conv)\..*",
}
"""Parameters that the published checkpoints hold but their networks do not use."""


@pytest.fixture(scope="module", params=PUBLISHED, ids=lambda published: published.reference)
def published(request: pytest.FixtureRequest) -> Published:
    parameter: Published = request.param
    return parameter


@pytest.fixture(scope="module")
def network(published: Published) -> ChangeNetwork:
    """Each network with the weights of the reference vectors, in eval mode."""
    return published.build()


def images(count: int, bands: int = 12, height: int = 64, width: int = 32) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(count, channels, height, width, generator=generator) for channels in (bands, bands, 4)]


@needs_reference
def test_parameters_have_the_published_names_and_shapes(published: Published, network: ChangeNetwork) -> None:
    shapes = json.loads((REFERENCE / f"{published.reference}.keys.json").read_text())
    assert {key: list(value.shape) for key, value in network.state_dict().items()} == shapes


@needs_reference
def test_logits_equal_the_published_network(published: Published, network: ChangeNetwork) -> None:
    with torch.inference_mode():
        logits = network(*reference_inputs("inputs")).numpy()
    expected = reference_output(published.reference)
    assert logits.shape == expected.shape
    assert np.abs(logits - expected).max() <= 1e-4


@each_name
def test_every_parameter_in_use_can_learn(name: str) -> None:
    network = build_network(name, bands=3).eval()
    network(*images(1, bands=3)).sum().backward()
    idle = {key for key, parameter in network.named_parameters() if parameter.grad is None}
    assert idle == {key for key, _ in network.named_parameters() if re.fullmatch(UNUSED.get(name, ""), key)}
    assert all(p.grad.isfinite().all() for p in network.parameters() if p.grad is not None)


@each_name
def test_three_bands_and_windows_that_are_no_squares(name: str) -> None:
    with torch.inference_mode():
        logits = build_network(name, bands=3).eval()(*images(2, 3, 96, 64))
    assert logits.shape == (2, 1, 96, 64)
    assert logits.isfinite().all()


def test_windows_of_a_batch_do_not_see_each_other(network: ChangeNetwork) -> None:
    batch = images(2)
    with torch.inference_mode():
        together = network(*batch)
        alone = torch.cat([network(*(values[i : i + 1] for values in batch)) for i in range(2)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-4)


def test_before_and_after_are_not_the_same(network: ChangeNetwork) -> None:
    pre, post, terrain = images(1)
    with torch.inference_mode():
        assert (network(pre, post, terrain) - network(post, pre, terrain)).abs().max() > 1e-2


def test_terrain_matters_to_those_that_say_so(network: ChangeNetwork) -> None:
    pre, post, terrain = images(1)
    with torch.inference_mode():
        same = torch.equal(network(pre, post, terrain), network(pre, post, 1 - terrain))
    assert same != network.reads_terrain


@pytest.mark.parametrize("name", ["bit", "seifnet", "tinycd"])
def test_the_sigmoid_of_the_logit_is_the_softmax_of_the_classes(name: str) -> None:
    network = build_network(name, bands=3).eval()
    pre, post, terrain = images(1, bands=3)
    with torch.inference_mode():
        classes = cast(Any, network).class_logits(pre, post)
        landslide = torch.sigmoid(network(pre, post, terrain))
    torch.testing.assert_close(landslide, torch.softmax(classes, dim=1)[:, 1:])


@pytest.mark.parametrize("name", WITH_ENCODER)
def test_the_encoder_can_be_chosen(name: str) -> None:
    network = build_network(name, bands=3, encoder="mobilenet_v2").eval()
    assert any("features.18" in key for key in network.state_dict())
    with torch.inference_mode():
        assert network(*images(1, 3)).shape == (1, 1, 64, 32)


# An unknown one, two that lack levels, one that reads three bands alone, one that timm would ask the network for.
@pytest.mark.parametrize(
    "encoder", ["resnet19", "tu-convnext_atto", "tu-vit_tiny_patch16_224", "mit_b0", "tu-hf-hub:a/b"]
)
@pytest.mark.parametrize("name", WITH_ENCODER)
def test_an_encoder_that_does_not_suit_is_refused(name: str, encoder: str) -> None:
    with pytest.raises(InputError, match=rf"^encoder '{encoder}'.*such as resnet18"):
        build_network(name, encoder=encoder)


@pytest.mark.parametrize("name", sorted(set(NETWORKS) - set(WITH_ENCODER)))
def test_networks_with_an_encoder_of_their_own_refuse_another(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} has no choice of encoder"):
        build_network(name, encoder="resnet18")


def test_bands_that_tinycd_cannot_mix_are_refused() -> None:
    with pytest.raises(InputError, match="multiple of 3"):
        build_network("tinycd", bands=4)


@pytest.mark.parametrize("name", ["bbunet", "unet-siam-diff"])
def test_together_a_change_of_the_whole_window_is_not_levelled(name: str) -> None:
    torch.manual_seed(0)
    network = cast(Any, build_network(name, bands=3, encoder="resnet18", dates_together=True))
    image = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        together = network.differences(image, image + 1)[0]
        network.dates_together = False
        apart = network.differences(image, image + 1)[0]
        network.eval()
        network.dates_together = True
        predicting = network.differences(image, image + 1)
        network.dates_together = False
        assert all(torch.equal(a, b) for a, b in zip(predicting, network.differences(image, image + 1), strict=True))
    assert together.abs().mean() > 2 * apart.abs().mean()


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match=", ".join(sorted(NETWORKS))):
        build_network("resunet")
