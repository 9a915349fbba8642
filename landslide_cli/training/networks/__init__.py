"""The networks by name. A network is imported when it is built, so that listing them costs nothing."""

from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING, Any, Final

from landslide_cli.errors import InputError

if TYPE_CHECKING:
    from landslide_cli.training.networks.base import ChangeNetwork

NETWORKS: Final = {
    "bbunet": "landslide_cli.training.networks.bbunet:BBUNet",
    "unet-siam-diff": "landslide_cli.training.networks.siam_diff:SiamDiff",
    "bit": "landslide_cli.training.networks.bit:BIT",
    "seifnet": "landslide_cli.training.networks.seifnet:SEIFNet",
    "tinycd": "landslide_cli.training.networks.tinycd:TinyCD",
}
"""Where the class of each network lies, as `module:class`."""


def build_network(name: str, **options: Any) -> "ChangeNetwork":
    """Build the network `name` with random weights; none are downloaded.

    Args:
        name: a key of `NETWORKS`.
        options: what the class of the network takes: `bands` all do, `encoder` those with a choice of it.

    Returns:
        A module called as `network(pre, post, terrain)` that gives logits (N, 1, H, W).

    Raises:
        InputError: no network has this name, or the network does not take an option or its value.
    """
    if name not in NETWORKS:
        raise InputError(f"no network is called {name!r}; choose one of {', '.join(sorted(NETWORKS))}")
    module, _, class_name = NETWORKS[name].partition(":")
    network_class = getattr(import_module(module), class_name)
    accepted = signature(network_class).parameters
    for option in options:
        if option not in accepted:
            raise InputError(f"network {name} has no choice of {option}; leave it out (it takes {', '.join(accepted)})")
    network: ChangeNetwork = network_class(**options)
    return network
