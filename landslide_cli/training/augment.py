"""Augmentation of batches: turns, light, misregistration and pairs without landslides (paper, section 3.3).

The aspect turns with the window: a slope that faces north faces east afterwards. All random numbers come from torch's
generator. The same seed gives the same batch.
"""

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from landslide_cli.geo.bands import NODATA
from landslide_cli.training.dataset import Sample
from landslide_cli.training.recipes import Recipe

ELEVATION: Final = 0
SLOPE: Final = 1
ASPECT_SIN: Final = 2
ASPECT_COS: Final = 3
"""Channels of the terrain. The aspect has two: its parts towards east and north."""

IMAGES: Final = ("pre", "post")
MASKS: Final = ("landslide", "weight")


def augment(batch: Sample, recipe: Recipe) -> Sample:
    """Change a batch of square windows at random; `batch` itself stays as it is.

    Args:
        batch: maps (N, C, H, W) on any device, see `dataset.Sample`; H equals W.
        recipe: which changes are made, and how large they are.

    Returns:
        The changed batch, with the same shapes and dtypes.
    """
    count, device = len(batch["pre"]), batch["pre"].device
    if recipe.flips:
        batch = _choose(torch.rand(count, device=device) < 0.5, flip_east_west(batch), batch)
        batch = _choose(torch.rand(count, device=device) < 0.5, flip_north_south(batch), batch)
    if recipe.quarter_turns:
        batch = _choose(torch.rand(count, device=device) < 0.5, quarter_turn(batch), batch)
    if recipe.rotation_deg:
        batch = rotate(batch, recipe.rotation_deg * (2 * torch.rand(count, device=device) - 1))
    if recipe.negatives:
        batch = draw_negatives(batch, recipe.negatives)
    if recipe.flattest < 1:
        batch = {**batch, "terrain": flatten(batch["terrain"], recipe.flattest)}
    if recipe.elevation_shift_m:
        batch = {**batch, "terrain": shift_elevation(batch["terrain"], recipe.elevation_shift_m)}
    images = {name: batch[name] for name in IMAGES}
    for name, image in images.items():
        matched = image
        chosen = torch.rand(count, device=device) < recipe.histogram_matching
        other = torch.randperm(count, device=device)
        if chosen.any():
            matched = image.clone()
            matched[chosen] = match_histograms(image[chosen], image[other[chosen]])
        lit = jitter(matched, recipe.brightness, recipe.contrast)
        images[name] = shift(lit, recipe.misregistration_px)
    if recipe.band_dropout:
        images = drop_bands(images, recipe.band_dropout)
    return {**batch, **images}


def flip_east_west(batch: Sample) -> Sample:
    """Mirror the columns of all maps: slopes that faced east face west."""
    return _with_aspect({name: maps.flip(-1) for name, maps in batch.items()}, ((-1, 0), (0, 1)))


def flip_north_south(batch: Sample) -> Sample:
    """Mirror the rows of all maps: slopes that faced north face south."""
    return _with_aspect({name: maps.flip(-2) for name, maps in batch.items()}, ((1, 0), (0, -1)))


def quarter_turn(batch: Sample) -> Sample:
    """Turn all maps by 90 degrees counter-clockwise: slopes that faced east face north."""
    return _with_aspect({name: torch.rot90(maps, 1, (-2, -1)) for name, maps in batch.items()}, ((0, -1), (1, 0)))


def rotate(batch: Sample, degrees: Tensor) -> Sample:
    """Turn all maps counter-clockwise about the centre of each window.

    Args:
        batch: square windows.
        degrees: (N,) angle of each.

    Returns:
        The turned batch. Images and terrain are interpolated bilinearly, masks by the nearest pixel. Pixels from
        outside the window are mirrored and have weight 0.
    """
    angle = torch.deg2rad(degrees)
    cos, sin, zero = torch.cos(angle), torch.sin(angle), torch.zeros_like(angle)
    # Where each pixel comes from: the inverse turn, in coordinates whose second axis runs southwards.
    source = torch.stack([torch.stack([cos, -sin, zero], -1), torch.stack([sin, cos, zero], -1)], 1)
    grid = functional.affine_grid(source, list(batch["pre"].shape), align_corners=False)
    turned = {}
    for name, maps in batch.items():
        mode = "nearest" if name in MASKS else "bilinear"
        padding = "zeros" if name in MASKS else "reflection"
        turned[name] = functional.grid_sample(maps, grid, mode=mode, padding_mode=padding, align_corners=False)
    return _with_aspect(turned, ((_per_map(cos), _per_map(-sin)), (_per_map(sin), _per_map(cos))))


def _with_aspect(batch: Sample, turn: tuple[tuple[float | Tensor, float | Tensor], ...]) -> Sample:
    """Turn the aspect of maps that are turned already, by the matrix that turns (east, north)."""
    terrain = batch["terrain"].clone()
    east, north = batch["terrain"][:, ASPECT_SIN], batch["terrain"][:, ASPECT_COS]
    terrain[:, ASPECT_SIN] = turn[0][0] * east + turn[0][1] * north
    terrain[:, ASPECT_COS] = turn[1][0] * east + turn[1][1] * north
    return {**batch, "terrain": terrain}


def draw_negatives(batch: Sample, share: float) -> Sample:
    """Make pairs without landslides: `share` of the windows each become pre-pre, post-post and post-pre."""
    chance = torch.rand(len(batch["pre"]), device=batch["pre"].device)
    before, after, backwards = (_per_window((chance >= k * share) & (chance < (k + 1) * share)) for k in range(3))
    return {
        **batch,
        "pre": torch.where(after | backwards, batch["post"], batch["pre"]),
        "post": torch.where(before | backwards, batch["pre"], batch["post"]),
        "landslide": torch.where(before | after | backwards, torch.zeros_like(batch["landslide"]), batch["landslide"]),
    }


def match_histograms(image: Tensor, other: Tensor) -> Tensor:
    """Give each band of each window the histogram of the same band of another window.

    The order of the pixels by brightness stays the same.

    Args:
        image: (N, B, H, W) windows to change.
        other: (N, B, H, W) windows with the histograms.

    Returns:
        (N, B, H, W) changed windows.
    """
    flat, reference = image.flatten(2), other.flatten(2).sort(dim=-1).values
    return torch.empty_like(flat).scatter_(-1, flat.argsort(dim=-1, stable=True), reference).view_as(image)


def jitter(image: Tensor, brightness: float, contrast: float) -> Tensor:
    """Change brightness and contrast of each window, all bands alike.

    Args:
        image: (N, B, H, W). Values above 0 stay above 0; a band that is missing (0) stays 0.
        brightness: largest relative change of brightness.
        contrast: largest relative change of contrast.

    Returns:
        (N, B, H, W) changed windows.
    """
    count = len(image)
    gain = 1 + brightness * (2 * torch.rand(count, 1, 1, 1, device=image.device) - 1)
    stretch = 1 + contrast * (2 * torch.rand(count, 1, 1, 1, device=image.device) - 1)
    mean = image.mean(dim=(-2, -1), keepdim=True)
    return torch.where(image > 0, ((image * stretch + mean * (1 - stretch)) * gain).clamp(min=NODATA + 1), 0.0)


def shift_elevation(terrain: Tensor, most_m: float) -> Tensor:
    """Raise or lower the elevation of each window of terrain (N, 4, H, W) by up to `most_m`."""
    shifted = terrain.clone()
    shifted[:, ELEVATION] += most_m * (2 * torch.rand(len(terrain), 1, 1, device=terrain.device) - 1)
    return shifted


def flatten(terrain: Tensor, flattest: float) -> Tensor:
    """Multiply the rise of the ground of each window of terrain (N, 4, H, W) by a factor from `flattest` to 1."""
    factor = flattest ** torch.rand(len(terrain), 1, 1, device=terrain.device)
    flattened = terrain.clone()
    lowest = terrain[:, ELEVATION].amin(dim=(-2, -1), keepdim=True)
    flattened[:, ELEVATION] = lowest + factor * (terrain[:, ELEVATION] - lowest)
    flattened[:, SLOPE] = torch.rad2deg(torch.atan(factor * torch.tan(torch.deg2rad(terrain[:, SLOPE]))))
    return flattened


def drop_bands(images: Sample, share: float) -> Sample:
    """Set some bands of some windows to 0, the same bands on both dates. At least one band of a window is left.

    Args:
        images: (N, B, H, W) windows by date.
        share: share of the windows with blank bands. Their number differs from window to window.

    Returns:
        The images with blank bands, same shapes.
    """
    count, bands = next(iter(images.values())).shape[:2]
    device = next(iter(images.values())).device
    kept_share = torch.rand(count, 1, device=device)
    chance = torch.rand(count, bands, device=device)
    kept = (chance < kept_share) | (chance == chance.amin(dim=1, keepdim=True))
    kept |= torch.rand(count, 1, device=device) >= share
    return {name: image * kept[:, :, None, None] for name, image in images.items()}


def shift(image: Tensor, most_px: int) -> Tensor:
    """Move each window (N, B, H, W) at random by up to `most_px` rows and columns; edge pixels are repeated."""
    if not most_px:
        return image
    height, width = image.shape[-2:]
    padded = functional.pad(image, [most_px] * 4, mode="replicate")
    offsets = torch.randint(0, 2 * most_px + 1, (len(image), 2)).tolist()
    return torch.stack([w[:, r : r + height, c : c + width] for w, (r, c) in zip(padded, offsets, strict=True)])


def _choose(chosen: Tensor, one: Sample, other: Sample) -> Sample:
    return {name: torch.where(_per_window(chosen), one[name], other[name]) for name in other}


def _per_window(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)


def _per_map(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1)
