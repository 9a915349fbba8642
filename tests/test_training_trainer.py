"""The average of the weights, which is what a training keeps."""

from typing import cast

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from landslide_cli.training.trainer import _moving_average


def test_the_average_follows_the_weights_and_forgets_the_first_soon() -> None:
    network = nn.BatchNorm1d(3)
    averaged = AveragedModel(network, multi_avg_fn=_moving_average(0.5), use_buffers=True)
    expected = torch.ones(3)
    for step in range(40):
        with torch.no_grad():
            network.weight.fill_(step)
            assert network.num_batches_tracked is not None
            network.num_batches_tracked.fill_(step)
        averaged.update_parameters(network)
        # The first weights are taken as they are; of the average a tenth is kept at first, at most half.
        kept = min(0.5, (1 + step) / (10 + step)) if step else 0
        expected = kept * expected + (1 - kept) * step
        assert torch.allclose(cast(nn.BatchNorm1d, averaged.module).weight, expected)
        assert averaged.module.num_batches_tracked == step


def test_the_average_of_weights_that_stay_is_these_weights() -> None:
    network = nn.Linear(2, 2)
    before = network.weight.detach().clone()
    averaged = AveragedModel(network, multi_avg_fn=_moving_average(0.995), use_buffers=True)
    for _ in range(5):
        averaged.update_parameters(network)
    assert torch.allclose(cast(nn.Linear, averaged.module).weight, before)
