"""Event folders are read as they are, and the loop learns from them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from numpy.typing import NDArray
from torch import Tensor, nn

from landslide_cli.errors import InputError
from landslide_cli.training.dataset import EventTiles, EventWindows, read_labelled_event
from landslide_cli.training.fit import FitConfig, FitProgress, fit, learning_rate_at, validate, weighted_loss
from landslide_cli.training.normalisation import PaperNormalisation

SHAPE = (96, 112)
TRUTH_MARGIN = 7
"""Pixels by which the truth begins outside the event."""


def write(path: Path, values: NDArray[Any], margin: int = 0) -> None:
    transform = Affine(10, 0, 500_000 - 10 * margin, 0, -10, 4_000_000 + 10 * margin)
    count, height, width = values.shape
    with rasterio.open(
        path, "w", driver="GTiff", count=count, height=height, width=width, dtype=values.dtype,
        crs="EPSG:32633", transform=transform,
    ) as target:  # fmt: skip
        target.write(values)


def make_event(folder: Path, seed: int) -> tuple[Path, Path]:
    """Write an event whose landslides turn brighter, with a cloud, and no terrain in a corner."""
    folder.mkdir()
    generator = np.random.default_rng(seed)
    pre = generator.integers(600, 1500, (12, *SHAPE)).astype(np.uint16)
    truth = np.zeros(SHAPE, np.uint8)
    for row, column in generator.integers(16, 80, (6, 2)):
        truth[row : row + 9, column : column + 7] = 1
    post = (generator.integers(600, 1500, (12, *SHAPE)) + 2500 * truth.astype(int)).astype(np.uint16)
    clear = np.ones((1, *SHAPE), np.uint8)
    clear[0, :8, :20] = 0
    post[:, :8, :20] = 9000
    terrain = generator.uniform(0, 1, (4, *SHAPE)).astype(np.float32)
    terrain[:, -4:, -4:] = np.nan
    write(folder / "pre.tif", pre)
    write(folder / "post.tif", post)
    write(folder / "terrain.tif", terrain)
    write(folder / "clear.tif", clear)
    # Another extent than the event: more to the north and west, a column less in the east.
    wider = np.pad(truth, ((TRUTH_MARGIN, 0), (TRUTH_MARGIN, 0)))[None, :, :-1]
    write(folder / "truth.tif", wider, margin=TRUTH_MARGIN)
    return folder, folder / "truth.tif"


class TinyNetwork(nn.Module):
    """The least that can see a change of brightness."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(12, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 1))

    def forward(self, pre: Tensor, post: Tensor, terrain: Tensor) -> Tensor:
        logits: Tensor = self.layers(post - pre) + 0 * terrain[:, :1]
        return logits


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, Path]]:
    folder = tmp_path_factory.mktemp("events")
    return [make_event(folder / f"event{seed}", seed) for seed in range(3)]


def test_what_is_not_known_has_no_weight(events: list[tuple[Path, Path]]) -> None:
    event = read_labelled_event(*events[0])
    assert not event.known[:8, :20].any()
    assert not event.known[-4:, -4:].any()
    assert not event.known[:, -1].any(), "truth ends a column before the event"
    assert event.known[8:-4, :-4].all()
    with rasterio.open(events[0][1]) as source:
        truth = source.read(1)[TRUTH_MARGIN:, TRUTH_MARGIN:]
    np.testing.assert_array_equal(event.landslide[:, :-1], truth == 1)


def test_windows_are_filled_and_finite(events: list[tuple[Path, Path]]) -> None:
    event = read_labelled_event(*events[0])
    cloudy = event.window(0, 0, 32)
    assert float(cloudy["post"][:, :8, :20].max()) < 4500
    assert all(values.dtype == torch.float32 for values in cloudy.values())
    assert all(torch.isfinite(values).all() for values in event.window(64, 80, 32).values())


def test_at_least_half_of_the_windows_hold_landslides_and_all_can_be_made_again(
    events: list[tuple[Path, Path]],
) -> None:
    windows = EventWindows(events, tile_px=16, length=60, seed=1)
    again = EventWindows(events, tile_px=16, length=60, seed=1)
    other = EventWindows(events, tile_px=16, length=60, seed=2)
    assert sum(bool((windows[i]["landslide"] * windows[i]["weight"]).any()) for i in range(60)) >= 30
    assert all(torch.equal(windows[7][name], again[7][name]) for name in windows[7])
    assert not torch.equal(windows[7]["pre"], other[7]["pre"])
    with pytest.raises(IndexError):
        windows[60]


def test_tiles_count_every_known_pixel_once(events: list[tuple[Path, Path]]) -> None:
    tiles = EventTiles(events, tile_px=64)
    known = sum(int(event.known.sum()) for event in tiles.events)
    assert sum(int(tiles[i]["weight"].sum()) for i in range(len(tiles))) == known


def test_errors_name_the_event(events: list[tuple[Path, Path]], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="smaller than a window of 128 px"):
        EventWindows(events, tile_px=128)
    with pytest.raises(InputError, match="no-such-event"):
        EventTiles([(tmp_path / "no-such-event", events[0][1])])
    with pytest.raises(InputError, match="no event"):
        EventTiles([])


def test_ignored_pixels_and_the_weight_of_landslides() -> None:
    logits = torch.tensor([0.0, 0.0, 40.0]).view(1, 1, 1, 3)
    landslide = torch.tensor([1.0, 0.0, 0.0]).view(1, 1, 1, 3)
    weight = torch.tensor([1.0, 1.0, 0.0]).view(1, 1, 1, 3)
    expected = (5 + 1) * np.log(2) / 2
    assert float(weighted_loss(logits, landslide, weight, 5.0)) == pytest.approx(expected)
    assert float(weighted_loss(logits, landslide, torch.zeros_like(weight), 5.0)) == 0


def test_learning_rate_rises_then_falls_to_nothing() -> None:
    rates = [learning_rate_at(share, 1e-3, 0.1) for share in (0, 0.05, 0.1, 0.55, 1)]
    assert rates == pytest.approx([1e-5, 5e-4, 1e-3, 5e-4, 0])


@pytest.mark.parametrize("bfloat16", [False, True])
def test_the_loop_learns(events: list[tuple[Path, Path]], tmp_path: Path, bfloat16: bool) -> None:
    torch.manual_seed(0)
    network, reports = TinyNetwork(), list[FitProgress]()
    config = FitConfig(steps=60, learning_rate=0.05, validate_every=20, bfloat16=bfloat16)
    tiles = EventTiles(events[2:], tile_px=48)
    result = fit(
        network,
        PaperNormalisation(),
        EventWindows(events[:2], tile_px=32),
        tiles,
        config=config,
        checkpoint=tmp_path / "checkpoint.pt",
        progress=reports.append,
    )
    losses = [report.loss for report in reports]
    assert np.mean(losses[-5:]) < 0.3 * np.mean(losses[:5])
    assert result.best.best.f1 > 0.9
    assert [entry.step for entry in result.history] == [20, 40, 60]
    assert reports[-1].share == 1
    # The network holds the weights that were measured best.
    assert validate(network, PaperNormalisation(), tiles, config).best == result.best.best


def test_a_cut_training_goes_on_where_it_was(events: list[tuple[Path, Path]], tmp_path: Path) -> None:
    class CutError(Exception):
        pass

    def cut_at_nine(report: FitProgress) -> None:
        if report.step == 9:
            raise CutError

    windows, tiles = EventWindows(events[:2], tile_px=32), EventTiles(events[2:], tile_px=48)
    config = FitConfig(steps=12, batch=4, learning_rate=0.02, validate_every=4)

    def run(checkpoint: Path, progress: Any) -> tuple[TinyNetwork, Any]:
        torch.manual_seed(0)
        network = TinyNetwork()
        normalisation = PaperNormalisation()
        result = fit(network, normalisation, windows, tiles, config=config, checkpoint=checkpoint, progress=progress)
        return network, result

    whole, expected = run(tmp_path / "whole.pt", lambda _: None)
    steps: list[int] = []
    with pytest.raises(CutError):
        run(tmp_path / "cut.pt", cut_at_nine)
    resumed, result = run(tmp_path / "cut.pt", lambda report: steps.append(report.step))
    assert steps == [9, 10, 11, 12]
    assert result.history == expected.history
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))

    with pytest.raises(InputError, match="landslide_weight"):
        config = replace(config, landslide_weight=1.0)
        run(tmp_path / "cut.pt", lambda _: None)


def test_minutes_end_a_training(events: list[tuple[Path, Path]], tmp_path: Path) -> None:
    windows, tiles = EventWindows(events[:2], tile_px=32), EventTiles(events[2:], tile_px=48)
    config, checkpoint = FitConfig(minutes=0.005, batch=2), tmp_path / "checkpoint.pt"
    result = fit(TinyNetwork(), PaperNormalisation(), windows, tiles, config=config, checkpoint=checkpoint)
    assert 0.3 <= result.seconds < 3
    with pytest.raises(InputError, match="minutes or steps"):
        fit(TinyNetwork(), PaperNormalisation(), windows, tiles, config=FitConfig(), checkpoint=checkpoint)
