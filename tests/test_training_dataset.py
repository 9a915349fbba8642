"""What a network sees are the pixels of the event folders, and nothing that was not observed."""

import os
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from conftest import TRAINED_BANDS, read_raster
from rasterio.windows import Window

from landslide_cli.errors import InputError
from landslide_cli.training.dataset import EpochSampler, PairWindows
from landslide_cli.training.tiles_index import STABLE, TrainingSet


@pytest.fixture
def windows(dataset: Path) -> PairWindows:
    opened = TrainingSet.open(dataset)
    return PairWindows(opened, opened.of_split("train"), ("B04", "B02"))


def test_a_window_holds_what_the_files_hold(windows: PairWindows) -> None:
    folder = windows.training_set.event_folder("one")
    holes = 0
    for index in range(len(windows)):
        sample = windows[index]
        box = Window(int(windows.windows.col[index]), int(windows.windows.row[index]), 64, 64)
        with rasterio.open(folder / "post.tif") as source:
            post = source.read([TRAINED_BANDS.index(band) + 1 for band in windows.bands], window=box)
        with rasterio.open(folder / "clear.tif") as source:
            clear = source.read(1, window=box) == 1
        with rasterio.open(windows.training_set.mask("one")) as source:
            mask = source.read(1, window=box)
        assert np.array_equal(sample["post"][:, clear].numpy(), post[:, clear])
        assert np.array_equal(sample["weight"][0].numpy(), clear & (mask != 255))
        assert np.array_equal(sample["landslide"][0].numpy() == 1, mask == 1)
        assert float((sample["landslide"] * sample["weight"]).sum()) == windows.windows.landslide_px[index]
        if not clear.all():
            holes += 1
            # Where one date is not observed, neither date shows a change.
            hidden = sample["post"][:, ~clear]
            assert np.allclose(hidden, post[:, clear].mean(axis=1)[:, None], rtol=1e-5)
    assert holes == 0 or holes < len(windows)


def test_open_files_stay_behind_when_windows_go_to_another_process(windows: PairWindows) -> None:
    first = windows[0]
    sent = pickle.loads(pickle.dumps(windows))
    assert not sent._open
    assert all(np.array_equal(first[name], values) for name, values in sent[0].items())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_process_opens_files_of_its_own(windows: PairWindows) -> None:
    first = windows[0]
    inherited = list(windows._open.values())
    child = os.fork()
    if not child:
        wrong = True
        try:
            again = windows[0]
            wrong = any(source in inherited for source in windows._open.values())
            wrong |= any(not np.array_equal(first[name], values) for name, values in again.items())
        finally:
            os._exit(wrong)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert list(windows._open.values()) == inherited


def test_what_changed_and_is_no_landslide_counts_as_the_recipe_says(dataset: Path, tmp_path: Path) -> None:
    shutil.copytree(dataset.parent, tmp_path / "copy")
    opened = TrainingSet.open(tmp_path / "copy" / "set")
    train = opened.of_split("train")
    weights = {"6": 20.0, "7": 0.0}
    mask = read_raster(opened.mask("one"))
    codes = np.random.default_rng(1).choice(np.array((0, 6, 7, 8), np.uint8), mask.shape) * (mask == STABLE)
    with rasterio.open(opened.mask("one")) as source:
        profile = {**source.profile, "driver": "GTiff", "count": 2}
    with rasterio.open(opened.mask("one"), "w", **profile) as target:
        target.write(np.concatenate([mask, codes]))
    record = {**opened.record, "events": [{**event, "changes": {}} for event in opened.record["events"]]}
    record["events"][0]["changes"] = {"file": "changes.tif"}
    known = replace(opened, record=record)
    plain, weighed = PairWindows(known, train, ("B04",)), PairWindows(known, train, ("B04",), change_weights=weights)
    for index in range(len(train)):
        here = (slice(train.row[index], train.row[index] + 64), slice(train.col[index], train.col[index] + 64))
        factor = np.array([1, 1, 1, 1, 1, 1, 20, 0, 1])[codes[0][here]]
        assert np.array_equal(weighed[index]["weight"].numpy(), plain[index]["weight"].numpy() * factor)
        assert np.array_equal(weighed[index]["landslide"], plain[index]["landslide"])


def test_missing_bands_and_terrain_are_refused(dataset: Path) -> None:
    opened = TrainingSet.open(dataset)
    with pytest.raises(InputError, match="lacks B08"):
        PairWindows(opened, opened.of_split("train"), ("B04", "B08"))
    spare = PairWindows(opened, opened.of_split("train"), ("B08", "B04"), spare=("B08",))[0]["pre"]
    assert not spare[0].any()
    assert np.array_equal(spare[1], PairWindows(opened, opened.of_split("train"), ("B04",))[0]["pre"][0])
    record = {**opened.record, "events": [{**event, "terrain": False} for event in opened.record["events"]]}
    flat = replace(opened, record=record)
    with pytest.raises(InputError, match="event one has no terrain, which the network reads"):
        PairWindows(flat, flat.of_split("train"), ("B04",))
    ours, theirs = (PairWindows(s, s.of_split("train"), ("B04",), terrain=False)[0] for s in (flat, opened))
    assert not ours["terrain"].any()
    assert np.array_equal(ours["pre"], theirs["pre"])
    assert np.array_equal(ours["weight"], theirs["weight"])


def test_a_mask_that_cannot_be_read_is_told(dataset: Path, tmp_path: Path) -> None:
    shutil.copytree(dataset.parent, tmp_path / "copy")
    opened = TrainingSet.open(tmp_path / "copy" / "set")
    windows = PairWindows(opened, opened.of_split("train"), ("B04",))
    opened.mask("one").write_text("no raster")
    with pytest.raises(InputError, match=r"masks/one\.tif cannot be read .* fetch the event again"):
        windows[0]


def test_an_epoch_shows_each_window_once_in_an_order_of_its_own() -> None:
    sampler = EpochSampler(50, None, seed=3)
    orders = []
    for epoch in (0, 1, 0):
        sampler.set_epoch(epoch)
        orders.append(list(sampler))
        assert sorted(orders[-1]) == list(range(50))
    assert orders[0] == orders[2] != orders[1]
    assert len(list(EpochSampler(50, 20, 3))) == len(EpochSampler(50, 20, 3)) == 20
    assert len(EpochSampler(5, 20, 3)) == 5


def test_shifted_windows_hold_what_lies_there_and_stay_within_the_event(windows: PairWindows) -> None:
    mask = windows.training_set.mask("one")
    with rasterio.open(mask) as source:
        whole = source.read(1)
    height, width = whole.shape
    row, col = int(windows.windows.row[1]), int(windows.windows.col[1])
    assert all(np.array_equal(windows[1][name], values) for name, values in windows[1, 0, 0].items())
    for down, right in ((-3, 5), (-height, width), (height, -width)):
        top, left = min(max(row + down, 0), height - 64), min(max(col + right, 0), width - 64)
        sample = windows[1, down, right]
        assert np.array_equal(sample["landslide"][0], whole[top : top + 64, left : left + 64] == 1)
        assert sample["pre"].shape == (2, 64, 64)


def test_each_epoch_shifts_windows_anew() -> None:
    sampler = EpochSampler(2000, None, seed=3, shift_px=2)
    epochs = []
    for epoch in (0, 1, 0):
        sampler.set_epoch(epoch)
        epochs.append(list(sampler))
        order, down, right = zip(*epochs[-1], strict=True)
        assert sorted(order) == list(range(2000))
        assert set(down) == set(right) == {-2, -1, 0, 1, 2}
        assert down != right
    assert epochs[0] == epochs[2] != epochs[1]
