import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from conftest import CARD, Maker, write_model
from rio_cogeo.cogeo import cog_validate

from landslide_cli.config import PredictConfig
from landslide_cli.errors import InputError, ModelError
from landslide_cli.event import ITEM, Event
from landslide_cli.imagery.bands import NOT_ANALYSED
from landslide_cli.workflows.predict import predict, shipped_models


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as source:
        return source.read(1)


def test_a_model_maps_the_change_where_it_is(make_event: Maker, tmp_path: Path) -> None:
    event = make_event(hole=(slice(0, 80), slice(0, 90)))
    model = write_model(tmp_path / "m.onnx", replace(CARD, bands=("B04", "B02")))
    summary = predict(PredictConfig(event, model=str(model), stride=48))
    percent = read(event / "probability.tif")
    assert cog_validate(event / "probability.tif", quiet=True, strict=True)[0]
    with rasterio.open(event / "pre.tif") as pre, rasterio.open(event / "post.tif") as post:
        change = (post.read([1, 3]).astype(float) - pre.read([1, 3])).mean(axis=0)
    analysed = percent != NOT_ANALYSED
    assert np.array_equal(analysed, read(event / "clear.tif") == 1)
    assert np.abs(percent - 100 * np.clip(change / 2000, 0, 1))[analysed].max() <= 0.51
    assert summary.provider == "cpu"
    assert summary.analysed_percent == pytest.approx(100 * analysed.mean())
    step = Event.open(event).step("predict")
    assert (step["model"], step["threshold"], step["provider"]) == ("test", 0.5, "cpu")


def test_batches_and_strides_give_the_same_map(make_event: Maker, tmp_path: Path) -> None:
    event = make_event()
    model = str(write_model(tmp_path / "m.onnx"))
    maps = []
    for stride, batch in ((64, 1), (48, 5), (20, 4)):
        predict(PredictConfig(event, model=model, stride=stride, batch=batch))
        maps.append(read(event / "probability.tif").astype(int))
    assert np.abs(maps[0] - maps[1]).max() <= 1
    assert np.abs(maps[0] - maps[2]).max() <= 1


def test_pixels_without_terrain_are_not_analysed(make_event: Maker, tmp_path: Path) -> None:
    event = make_event()
    with rasterio.open(event / "terrain.tif") as source:
        profile, terrain = source.profile, source.read()
    terrain[0, 200:220, 300:330] = np.nan
    profile |= {"driver": "GTiff"}
    with rasterio.open(event / "terrain.tif", "w", **profile) as target:
        target.write(terrain)
    unknown = np.isnan(terrain).any(axis=0)
    model = write_model(tmp_path / "m.onnx", replace(CARD, terrain=True))
    predict(PredictConfig(event, model=str(model)))
    assert np.array_equal(read(event / "probability.tif") == NOT_ANALYSED, unknown)
    # A detector masks by slope, so it cannot tell there either.
    predict(PredictConfig(event, model="red-change"))
    assert np.array_equal(read(event / "probability.tif") == NOT_ANALYSED, unknown)


@pytest.mark.parametrize("detector", ["rdndvi", "red-change"])
def test_the_detectors_find_the_scar_on_the_slope(make_event: Maker, detector: str) -> None:
    event = make_event()
    predict(PredictConfig(event, model=detector))
    mapped = read(event / "probability.tif") >= 50
    assert mapped[100:130, 150:170].all()
    assert mapped.sum() == 30 * 20
    predict(PredictConfig(event, model=detector, min_slope=80))
    assert not (read(event / "probability.tif") >= 50).any()


def test_red_change_needs_neither_infrared_nor_terrain(make_event: Maker) -> None:
    event = make_event(bands=("B02", "B03", "B04"), dem=False)
    summary = predict(PredictConfig(event, model="red-change"))
    assert summary.provider == "numpy"
    assert (read(event / "probability.tif")[100:130, 150:170] >= 50).all()


def test_missing_bands_are_named_with_a_model_that_would_run(make_event: Maker) -> None:
    event = make_event(bands=("B02", "B03", "B04"))
    with pytest.raises(ModelError, match=r"rdndvi reads B08.*use --model bbunet-rgb") as caught:
        predict(PredictConfig(event, model="rdndvi"))
    assert caught.value.exit_code == 5


def test_a_spare_band_may_be_missing_and_is_blank(
    make_event: Maker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    event = make_event()
    card = replace(CARD, bands=("B02", "B11", "B04"))
    path = str(write_model(tmp_path / "strict.onnx", card))
    with pytest.raises(ModelError, match="reads B11, which"):
        predict(PredictConfig(event, model=path))
    path = str(write_model(tmp_path / "spare.onnx", replace(card, spare_bands=("B11",))))
    predict(PredictConfig(event, model=path))
    assert "lack B11" in caplog.text
    assert Event.open(event).step("predict")["blank_bands"] == ["B11"]
    with rasterio.open(event / "probability.tif") as source:
        blank = source.read(1)
    predict(PredictConfig(event, model=str(write_model(tmp_path / "two.onnx"))))
    with rasterio.open(event / "probability.tif") as source:
        both = source.read(1)
    seen = both != 255
    assert np.array_equal(seen, blank != 255)
    # Two of three bands changed.
    assert np.abs(blank[seen] - both[seen] * (2 / 3)).max() <= 1.01


def test_a_model_that_reads_terrain_is_refused_without(make_event: Maker, tmp_path: Path) -> None:
    event = make_event(dem=False)
    model = write_model(tmp_path / "m.onnx", replace(CARD, terrain=True))
    with pytest.raises(ModelError, match=r"reads terrain.*--model rdndvi"):
        predict(PredictConfig(event, model=str(model)))


def test_the_shipped_network_runs_when_an_event_has_what_it_reads(make_event: Maker) -> None:
    assert "bbunet" in shipped_models()
    event = make_event(bands=("B02", "B03", "B04"), shape=(64, 64))
    with pytest.raises(ModelError, match=r"bbunet reads B08.*use --model bbunet-rgb"):
        predict(PredictConfig(event))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"model": "no-such-model"}, ModelError, "known: bbunet-rgb, bbunet, rdndvi, red-change"),
        ({"device": "gpu"}, InputError, "auto, cuda, cpu"),
        ({"threshold": 0.0}, InputError, "--threshold 0"),
        ({"threshold": 1.5}, InputError, "--threshold 1.5"),
        ({"stride": 300}, InputError, "--stride 300"),
        ({"event": Path("missing")}, InputError, "not an event folder"),
        ({"model": str(Path(__file__).parent)}, ModelError, "landslide export"),
    ],
)
def test_bad_input_is_refused(
    make_event: Maker, change: dict[str, object], error: type[Exception], message: str
) -> None:
    config = PredictConfig(make_event(shape=(64, 64)), model="red-change")
    with pytest.raises(error, match=message):
        predict(replace(config, **change))  # type: ignore[arg-type]
    assert not (config.event / "probability.tif").exists()


def test_a_killed_prediction_leaves_the_old_map_and_a_rerun_succeeds(make_event: Maker) -> None:
    event = make_event(shape=(1200, 900))
    predict(PredictConfig(event, model="red-change"))
    old = (event / "probability.tif").read_bytes()
    command = [sys.executable, "-m", "landslide_cli", "predict", str(event), "--model", "rdndvi", "--stride", "16"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not (event / ".blocks-probability.tif").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.3)
    assert process.poll() is None, "it ended before it could be killed"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert (event / "probability.tif").read_bytes() == old
    assert Event.open(event).step("predict")["model"] == "red-change"
    predict(PredictConfig(event, model="rdndvi"))
    assert Event.open(event).step("predict")["model"] == "rdndvi"
    assert sorted(p.name for p in event.iterdir()) == sorted(
        [ITEM, "pre.tif", "post.tif", "terrain.tif", "clear.tif", "sources.tif", "probability.tif"]
    )
