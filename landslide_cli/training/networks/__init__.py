"""The networks by name. A network is imported when it is built, so that listing them costs nothing."""

from importlib import import_module
from typing import Any, Final

from torch import nn

from landslide_cli.errors import InputError

NETWORKS: Final = {
    "bbunet": "landslide_cli.training.networks.bbunet:BBUNet",
}
"""Where the class of each network lies, as `module:class`."""


def build_network(name: str, **options: Any) -> nn.Module:
    """Build the network `name` with random weights.

    Args:
        name: a key of `NETWORKS`.
        options: what the class of the network takes, such as `bands`.

    Returns:
        A module called as `network(pre, post, terrain)` that gives logits (N, 1, H, W).

    Raises:
        InputError: no network has this name.
    """
    if name not in NETWORKS:
        raise InputError(f"no network is called {name!r}; choose one of {', '.join(sorted(NETWORKS))}")
    module, _, class_name = NETWORKS[name].partition(":")
    network: nn.Module = getattr(import_module(module), class_name)(**options)
    return network
