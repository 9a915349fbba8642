import json
import shutil
import sys
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import pytest
from conftest import Maker
from shapely.geometry import box, mapping

from landslide_cli.config import PrepareConfig
from landslide_cli.errors import InputError
from landslide_cli.event.folder import Event
from landslide_cli.training.tiles_index import (
    INDEX,
    RECORD,
    TrainingSet,
    Windows,
    read_index,
    require_pyarrow,
    write_index,
)
from landslide_cli.workflows.prepare import prepare


def windows(count: int = 50, seed: int = 0) -> Windows:
    rng = np.random.default_rng(seed)
    return Windows(
        event=rng.choice(["haiti", "palu"], count),
        pre=rng.choice(["pre/1.tif", "pre/10.tif"], count),
        post=rng.choice(["post/1.tif", "post/2.tif"], count),
        row=rng.integers(0, 9000, count, dtype=np.int32),
        col=rng.integers(0, 9000, count, dtype=np.int32),
        landslide_px=rng.integers(1, 9000, count, dtype=np.int32),
        cloud_share=rng.random(count, dtype=np.float32),
        split=rng.choice(["train", "validation", "test"], count),
    )


@pytest.fixture
def training_set(make_event: Maker, tmp_path: Path) -> Path:
    """A training set of one event, beside it."""
    event = make_event("event", shape=(96, 128))
    inventory = tmp_path / "inventory.geojson"
    feature = {
        "type": "Feature",
        "properties": {},
        "geometry": mapping(box(*Event.open(event).aoi.bounds).buffer(-3e-3)),
    }
    inventory.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    prepare(PrepareConfig(tmp_path / "set", (event,), (inventory,), window=32, stride=16))
    return tmp_path / "set"


@pytest.mark.parametrize("count", [0, 1, 50])
def test_windows_come_back_as_they_were_written(tmp_path: Path, count: int) -> None:
    before = windows(count)
    write_index(before, tmp_path / INDEX)
    after = read_index(tmp_path / INDEX)
    for column in fields(Windows):
        one, other = getattr(before, column.name), getattr(after, column.name)
        assert np.array_equal(one, other)
        assert one.dtype.kind == other.dtype.kind


def test_windows_in_any_order_give_the_same_bytes(tmp_path: Path) -> None:
    whole = windows(200)
    files = []
    for seed in range(3):
        shuffled = whole.take(np.random.default_rng(seed).permutation(200))
        parts = [shuffled.take(shuffled.event == name) for name in ("palu", "haiti")]
        write_index(Windows.join(parts), tmp_path / f"{seed}.parquet")
        files.append((tmp_path / f"{seed}.parquet").read_bytes())
    assert files[0] == files[1] == files[2]
    joined = read_index(tmp_path / "0.parquet")
    keys = list(zip(joined.event, joined.pre, joined.post, joined.row, joined.col, strict=True))
    assert keys == sorted(keys)


def test_a_training_set_tells_where_everything_is(training_set: Path, tmp_path: Path) -> None:
    found = TrainingSet.open(training_set)
    assert found.events == ("event",)
    assert found.window_px == 32
    assert found.event_folder("event").resolve() == tmp_path / "event"
    assert found.mask("event") == training_set / "masks" / "event.tif"
    for channel, side in enumerate(("pre", "post"), 1):
        raster, number = found.unseen("event", f"{side}.tif")
        assert (raster.resolve(), number) == (tmp_path / "event" / "sources.tif", channel)
    assert len(found.of_split("train")) == len(found.windows) > 0
    assert len(found.of_split("test")) == 0


def test_events_and_training_set_can_move_together_but_not_apart(training_set: Path, tmp_path: Path) -> None:
    together = tmp_path / "elsewhere"
    together.mkdir()
    for name in ("set", "event"):
        shutil.copytree(tmp_path / name, together / name)
    assert TrainingSet.open(together / "set").event_folder("event").resolve() == together / "event"
    (tmp_path / "event").rename(tmp_path / "moved")
    with pytest.raises(InputError, match=r"event event of .*set is no longer in .*event; move it back"):
        TrainingSet.open(training_set)


def test_an_event_that_was_fetched_anew_is_refused(training_set: Path, tmp_path: Path) -> None:
    event = Event.open(tmp_path / "event")
    steps = {"fetch": {**asdict(event.fetched), "datetime": "2030-01-01T00:00:00Z"}}
    item = {**event.item, "properties": {**event.properties, "landslide:steps": steps}}
    Event(event.folder, item).save()
    with pytest.raises(InputError, match=r"event event in .* was fetched again"):
        TrainingSet.open(training_set)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (f"set/{RECORD}", "is not a training set"),
        (f"set/{INDEX}", "index.parquet cannot be read"),
        ("set/masks/event.tif", "event.tif of event event is missing"),
        ("event/post.tif", "lacks post.tif"),
        ("event/event.json", "holds no event.json"),
    ],
)
def test_what_is_missing_is_named(training_set: Path, tmp_path: Path, missing: str, message: str) -> None:
    (tmp_path / missing).unlink()
    with pytest.raises(InputError, match=message):
        TrainingSet.open(training_set)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 99}, "has version 99"),
        ({"counts": {"train": 1}}, "does not belong to"),
        ({"events": [{"name": "event"}]}, "is not the record of a training set"),
        ({"events": None}, "is not the record of a training set"),
    ],
)
def test_a_record_of_something_else_is_refused(training_set: Path, change: dict[str, object], message: str) -> None:
    record = training_set / RECORD
    record.write_text(json.dumps({**json.loads(record.read_text()), **change}))
    with pytest.raises(InputError, match=message):
        TrainingSet.open(training_set)


@pytest.mark.parametrize(("name", "content"), [(RECORD, "no json"), (RECORD, "[]"), (INDEX, "no parquet")])
def test_damaged_files_are_refused(training_set: Path, name: str, content: str) -> None:
    (training_set / name).write_text(content)
    with pytest.raises(InputError, match=name):
        TrainingSet.open(training_set)


def test_without_pyarrow_the_user_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match="pip install"):
        require_pyarrow()
