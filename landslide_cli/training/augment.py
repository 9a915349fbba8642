"""Windows seen otherwise: flipped, turned, in other light (paper, section 3.3).

A slope that faces north faces east once the window is turned, so the aspect turns along.
"""

from typing import Final

import numpy as np
import torch
from torch import Tensor

Sample = dict[str, Tensor]
"""One window: `pre` and `post` (B, H, W) digital numbers, `terrain` (4, H, W) as in `terrain.tif`,
`landslide` (1, H, W) 0 or 1, `weight` (1, H, W) 0 where nothing is known, 1 elsewhere; all float32."""

ASPECT_SIN: Final = 2
ASPECT_COS: Final = 3
"""Channels of the terrain: the parts of the aspect towards east and towards north."""

JITTER: Final = 0.1
"""Largest relative change of brightness and of contrast: what haze and the season do within months."""


def flip_east_west(sample: Sample) -> Sample:
    """Mirror the columns of all maps of a window: what faced east faces west."""
    flipped = {name: values.flip(-1) for name, values in sample.items()}
    terrain = flipped["terrain"].clone()
    terrain[ASPECT_SIN] = -terrain[ASPECT_SIN]
    return {**flipped, "terrain": terrain}


def quarter_turn(sample: Sample) -> Sample:
    """Turn all maps of a window by 90 degrees counter-clockwise: what faced east faces north."""
    turned = {name: torch.rot90(values, 1, (-2, -1)) for name, values in sample.items()}
    terrain = turned["terrain"].clone()
    east, north = turned["terrain"][ASPECT_SIN], turned["terrain"][ASPECT_COS]
    terrain[ASPECT_SIN], terrain[ASPECT_COS] = -north, east
    return {**turned, "terrain": terrain}


def jitter(image: Tensor, generator: np.random.Generator) -> Tensor:
    """Change brightness and contrast of an image (B, H, W), all bands alike, by up to `JITTER`."""
    brightness, contrast = 1 + generator.uniform(-JITTER, JITTER, 2)
    mean = image.mean(dim=(-2, -1), keepdim=True)
    jittered: Tensor = (mean + (image - mean) * float(contrast)) * float(brightness)
    return jittered


def augment(sample: Sample, generator: np.random.Generator) -> Sample:
    """Return a window in one of the eight orientations, each date in a light of its own.

    Args:
        sample: `pre`, `post` (B, H, W), `terrain` (4, H, W) with the aspect clockwise from north in channels
            2 (sine) and 3 (cosine), and any other maps (C, H, W); H equals W.
        generator: where chance comes from; the same state gives the same window.

    Returns:
        New tensors; `sample` is left as it is.
    """
    if generator.integers(2):
        sample = flip_east_west(sample)
    for _ in range(int(generator.integers(4))):
        sample = quarter_turn(sample)
    return {**sample, "pre": jitter(sample["pre"], generator), "post": jitter(sample["post"], generator)}
