import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Maker
from prepared_events import (
    SHAPE,
    STRIDE,
    WINDOW,
    rewrite,
    scattered,
    scattered_event,
    with_scenes,
    write_inventory,
)

from landslide_cli.config import PrepareConfig
from landslide_cli.errors import InputError
from landslide_cli.geo.bands import Unseen
from landslide_cli.training.tiles_index import INDEX, RECORD, TrainingSet
from landslide_cli.workflows.prepare import STAGING, prepare


@pytest.fixture
def config(make_event: Maker, tmp_path: Path) -> PrepareConfig:
    return scattered_event(make_event, tmp_path)


def test_no_pixel_of_an_event_is_in_two_splits(make_event: Maker, tmp_path: Path) -> None:
    events = []
    for name in ("haiti", "palu", "luding"):
        events.append(make_event(name, shape=SHAPE))
        with_scenes(events[-1], {"pre": 2, "post": 2})
    inventories = [write_inventory(tmp_path / f"{e.name}.geojson", e, scattered(n)) for n, e in enumerate(events)]
    config = PrepareConfig(
        tmp_path / "set", tuple(events), tuple(inventories), window=WINDOW, stride=STRIDE, halve=("haiti",),
        test=("palu",), min_evaluation_pixels=20,
    )  # fmt: skip
    summary = prepare(config)
    windows = TrainingSet.open(config.out).windows
    assert summary.windows == {name: (windows.split == name).sum() for name in ("train", "validation", "test")}
    for event in ("haiti", "palu", "luding"):
        seen = np.zeros((3, *SHAPE), bool)
        for number, split in enumerate(summary.windows):
            mine = windows.take((windows.event == event) & (windows.split == split))
            for row, col in zip(mine.row, mine.col, strict=True):
                seen[number, row : row + WINDOW, col : col + WINDOW] = True
        assert seen.sum(axis=0).max() == 1
        used = [split for split, pixels in zip(summary.windows, seen, strict=True) if pixels.any()]
        assert used == {"haiti": ["validation", "test"], "palu": ["test"], "luding": ["train"]}[event]
    assert windows.landslide_px[windows.split != "train"].min() >= 20
    assert list(summary.halved) == ["haiti"]
    # All three were put in the same place, which only the user can mend.
    assert summary.overlapping == (("haiti", "palu"), ("haiti", "luding"), ("palu", "luding"))


def test_the_same_again_is_kept_and_anything_else_needs_overwrite(config: PrepareConfig, make_event: Maker) -> None:
    first = prepare(config)
    before = {path: path.stat().st_mtime_ns for path in config.out.rglob("*")}
    again = prepare(config)
    assert again.reused
    assert replace(again, seconds=0, reused=False) == replace(first, seconds=0)
    assert before == {path: path.stat().st_mtime_ns for path in config.out.rglob("*")}
    for change in ({"max_cloud": 10.0}, {"stride": 12}, {"min_pixels": 2}):
        with pytest.raises(InputError, match="--overwrite"):
            prepare(replace(config, **change))
    index = (config.out / INDEX).read_bytes()
    write_inventory(config.inventory[0], config.events[0], scattered(1))
    with pytest.raises(InputError, match="other options, events or inventories"):
        prepare(config)
    assert (config.out / INDEX).read_bytes() == index
    assert not prepare(replace(config, overwrite=True)).reused
    assert (config.out / INDEX).read_bytes() != index
    other = make_event("palu", shape=SHAPE)
    with pytest.raises(InputError, match="--overwrite"):
        prepare(replace(config, events=(other,)))
    prepare(replace(config, events=(other,), overwrite=True))
    assert [path.name for path in (config.out / "masks").iterdir()] == ["palu.tif"]


def test_the_same_inputs_give_the_same_index(config: PrepareConfig, tmp_path: Path) -> None:
    prepare(config)
    prepare(replace(config, out=tmp_path / "other"))
    assert (config.out / INDEX).read_bytes() == (tmp_path / "other" / INDEX).read_bytes()


def test_files_that_are_no_training_set_are_not_replaced(config: PrepareConfig) -> None:
    mine = config.out / "masks" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("precious")
    with pytest.raises(InputError, match="holds masks but no training set"):
        prepare(config)
    assert mine.read_text() == "precious"


def test_a_run_that_stops_leaves_what_was_there(config: PrepareConfig) -> None:
    def stop(step: str, _: float) -> None:
        if step.startswith("looking"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(config, stop)
    assert not config.out.exists()
    prepare(config)
    before = {path: path.read_bytes() for path in config.out.rglob("*") if path.is_file()}
    with pytest.raises(KeyboardInterrupt):
        prepare(replace(config, stride=12, overwrite=True), stop)
    assert before == {path: path.read_bytes() for path in config.out.rglob("*") if path.is_file()}


def test_a_killed_run_leaves_no_training_set_and_a_rerun_makes_it(config: PrepareConfig) -> None:
    code = (
        "import os, signal\nfrom pathlib import Path\nfrom landslide_cli.config import PrepareConfig\n"
        "from landslide_cli.workflows.prepare import prepare\n"
        "def kill(step, share):\n    if step.startswith('looking'): os.kill(os.getpid(), signal.SIGKILL)\n"
        f"prepare(PrepareConfig(Path({str(config.out)!r}), (Path({str(config.events[0])!r}),), "
        f"(Path({str(config.inventory[0])!r}),), window={WINDOW}, stride={STRIDE}), kill)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (config.out / STAGING).exists()
    with pytest.raises(InputError, match="is not a training set"):
        TrainingSet.open(config.out)
    prepare(config)
    TrainingSet.open(config.out)
    assert sorted(path.name for path in config.out.iterdir()) == [RECORD, INDEX, "masks"]


def test_torch_is_not_needed(config: PrepareConfig) -> None:
    out, event, inventory = str(config.out), str(config.events[0]), str(config.inventory[0])
    code = (
        "import sys\nfrom pathlib import Path\nsys.modules['torch'] = None\n"
        "from landslide_cli.config import PrepareConfig\nfrom landslide_cli.workflows.prepare import prepare\n"
        "from landslide_cli.training.tiles_index import TrainingSet\n"
        f"prepare(PrepareConfig(Path({out!r}), (Path({event!r}),), (Path({inventory!r}),), window={WINDOW}))\n"
        f"TrainingSet.open(Path({out!r}))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window": 0}, "--window 0"),
        ({"stride": 0}, "--stride 0"),
        ({"stride": WINDOW + 1}, "leaves gaps between windows"),
        ({"max_cloud": 101.0}, "--max-cloud 101"),
        ({"max_cloud": float("nan")}, "--max-cloud nan"),
        ({"min_evaluation_pixels": -1}, "--min-evaluation-pixels -1"),
        ({"events": ()}, "no event is given"),
        ({"events": (Path("missing"),)}, "missing is not an event folder"),
        ({"inventory": ()}, "--inventory is given 0 times for 1 events"),
        ({"inventory": (Path("a"), Path("b"))}, "--inventory is given 2 times for 1 events"),
        ({"inventory": (Path("missing.gpkg"),)}, "missing.gpkg does not exist"),
        ({"changes": (Path("missing.tif"),)}, "--changes missing.tif does not exist"),
        ({"changes": (Path(__file__),)}, r"--changes .*\.py cannot be read: it is not a raster"),
        ({"changes": (Path("a.tif"), Path("b.tif"))}, "--changes is given 2 times for 1 events"),
        ({"event_date": ("14.8.2021",)}, "--event-date '14.8.2021' is not a date"),
        ({"event_date": ("2021-08-15",)}, "none of the 40 landslides"),
        ({"layer": "north"}, "no layer 'north'"),
        ({"date_attribute": ("when",)}, "no attribute 'when'"),
        ({"test": ("palu",)}, "'palu' is not one of the events"),
        ({"window": 201}, "haiti is 200 x 260 px, smaller than a window of 201 px"),
        ({"min_pixels": 2000}, "none of the 63 windows can be used: 8 hold no landslide, 55 show too little"),
    ],
)
def test_bad_input_is_refused_and_leaves_nothing(config: PrepareConfig, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        prepare(replace(config, **change))
    assert not config.out.exists()


def test_one_event_twice_is_refused(config: PrepareConfig) -> None:
    with pytest.raises(InputError, match="two event folders are named 'haiti'"):
        prepare(replace(config, events=config.events * 2))


def test_an_output_that_is_a_file_is_refused(config: PrepareConfig) -> None:
    config.out.write_text("")
    with pytest.raises(InputError, match="is a file"):
        prepare(config)


def test_nothing_visible_is_one_error_with_its_reasons(config: PrepareConfig) -> None:
    sources = np.full((2, *SHAPE), 1, np.uint8)
    sources[0, :, :150] = Unseen.CLOUD
    sources[1, :, 150:] = Unseen.OUTSIDE
    rewrite(config.events[0] / "sources.tif", sources)
    with pytest.raises(InputError, match=r"none of the 63 windows .* pixels without data, \d+ have too much cloud"):
        prepare(config)
    assert not config.out.exists()
