import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import rasterio
from conftest import CARD, ORIGIN_M, Maker, band_folder, read_raster, write_model, write_raster
from rio_cogeo.cogeo import cog_validate

from landslide_cli.config import FetchConfig, PredictConfig
from landslide_cli.errors import InputError, ModelError
from landslide_cli.event.folder import Event
from landslide_cli.event.placing import ITEM
from landslide_cli.event.records import PredictRecord
from landslide_cli.geo.bands import NOT_ANALYSED
from landslide_cli.inference.models import shipped_models
from landslide_cli.workflows.fetch import fetch
from landslide_cli.workflows.predict import predict, resolve

SIDES = ("pre", "post")


def predicted(event: Path) -> PredictRecord:
    record = Event.open(event).predicted
    assert record is not None
    return record


def read(path: Path) -> np.ndarray:
    band: np.ndarray = read_raster(path)[0]
    return band


def test_a_model_maps_the_change_where_it_is(make_event: Maker, tmp_path: Path) -> None:
    event = make_event(hole=(slice(0, 80), slice(0, 90)))
    model = write_model(tmp_path / "m.onnx", replace(CARD, bands=("B04", "B02")))
    summary = predict(PredictConfig(event, model=str(model), stride=48, device="cpu"))
    percent = read(event / "probability.tif")
    assert cog_validate(event / "probability.tif", quiet=True, strict=True)[0]
    with rasterio.open(event / "pre.tif") as pre, rasterio.open(event / "post.tif") as post:
        change = (post.read([1, 3]).astype(float) - pre.read([1, 3])).mean(axis=0)
    analysed = percent != NOT_ANALYSED
    assert np.array_equal(analysed, read(event / "clear.tif") == 1)
    assert np.abs(percent - 100 * np.clip(change / 2000, 0, 1))[analysed].max() <= 0.51
    assert summary.provider == "cpu"
    assert summary.analysed_percent == pytest.approx(100 * analysed.mean())
    record = predicted(event)
    assert (record.model, record.threshold, record.provider) == ("test", 0.5, "cpu")


def test_batches_and_strides_give_the_same_map(make_event: Maker, tmp_path: Path) -> None:
    event = make_event()
    model = str(write_model(tmp_path / "m.onnx"))
    maps = []
    for stride, batch in ((64, 1), (48, 5), (20, 4)):
        predict(PredictConfig(event, model=model, stride=stride, batch=batch))
        maps.append(read(event / "probability.tif").astype(int))
    assert np.abs(maps[0] - maps[1]).max() <= 1
    assert np.abs(maps[0] - maps[2]).max() <= 1


def test_a_real_network_maps_two_overlapping_areas_alike(tmp_path: Path) -> None:
    bands = ("B02", "B03", "B04")
    shape = (400, 420)
    rng = np.random.default_rng(5)
    images = {side: {band: rng.integers(300, 900, shape).astype(np.uint16) for band in bands} for side in SIDES}
    for image in images["post"].values():
        image[120:300, 150:290] += 1500
    east, north = ORIGIN_M
    dem = write_raster(
        tmp_path / "dem.tif", np.linspace(2000, 500, 200 * 200, dtype=np.float32).reshape(200, 200), pixel=30,
        origin=(east - 600, north + 600), nodata=-9999,
    )  # fmt: skip
    maps = []
    for name, rows, columns in (("west", slice(0, 390), slice(0, 400)), ("east", slice(7, 400), slice(11, 420))):
        folders = [
            band_folder(
                tmp_path / name / side, {band: image[rows, columns] for band, image in images[side].items()},
                origin=(east + 10 * columns.start, north - 10 * rows.start),
            )
            for side in SIDES
        ]  # fmt: skip
        config = FetchConfig(
            out=tmp_path / f"event-{name}",
            event_date="2021-08-14",
            pre=(str(folders[0]),),
            post=(str(folders[1]),),
            dem=str(dem),
        )
        fetch(config)
        predict(PredictConfig(config.out, model="bbunet-rgb", device="cpu", tile=64, stride=64))
        with rasterio.open(config.out / "probability.tif") as source:
            maps.append((source.transform, source.read(1)))
    (west, first), (other, second) = maps
    down, right = round((west.f - other.f) / 10), round((other.c - west.c) / 10)
    shared = first[down:, right:], second[: first.shape[0] - down, : first.shape[1] - right]
    # Beside the cuts the elevation beyond differs, and windows are not full.
    inner = [map_[70:-70, 70:-70] for map_ in shared]
    assert inner[0].shape == inner[1].shape
    assert inner[0].size > 200 * 200
    assert len(np.unique(inner[0])) > 5
    assert np.array_equal(*inner)


def test_turning_the_ground_asks_eight_times_and_is_recorded(make_event: Maker, tmp_path: Path) -> None:
    event = make_event(shape=(200, 260))
    model = str(write_model(tmp_path / "m.onnx"))
    maps = []
    for tta in (False, True):
        predict(PredictConfig(event, model=model, tta=tta, tile=96, overviews="none"))
        maps.append(read(event / "probability.tif").astype(int))
    assert np.abs(maps[0] - maps[1]).max() <= 1
    record = predicted(event)
    assert (record.symmetries, record.tile_px, record.stride_px) == (8, 96, 72)


@pytest.mark.parametrize("overviews", ["average", "nearest", "none"])
def test_overviews_are_made_as_asked(
    make_event: Maker, tmp_path: Path, overviews: Literal["average", "nearest", "none"]
) -> None:
    event = make_event(shape=(600, 1100))
    predict(PredictConfig(event, model=str(write_model(tmp_path / "m.onnx")), overviews=overviews))
    with rasterio.open(event / "probability.tif") as source:
        levels = source.overviews(1)
        scar = source.read(1)[100:130, 150:170].mean()
    assert levels == ([] if overviews == "none" else [2, 4])
    if overviews == "none":
        return
    with rasterio.open(event / "probability.tif", overview_level=0) as source:
        small = source.read(1)
    assert small.shape == (300, 550)
    if overviews == "average":
        assert abs(small[50:65, 75:85].mean() - scar) < 1


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
    assert predicted(event).blank_bands == ("B11",)
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
        ({"device": "gpu"}, InputError, "auto, tensorrt, cuda, openvino-bf16, openvino-mixed, openvino, cpu"),
        ({"tile": 100}, InputError, "--tile 100 must be a multiple of 32"),
        ({"overviews": "cubic"}, InputError, "average, nearest, mode, none"),
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


def test_a_window_that_a_card_states_is_checked_as_well(tmp_path: Path) -> None:
    model = write_model(tmp_path / "m.onnx", replace(CARD, tile_px=100))
    with pytest.raises(InputError, match="100 px, must be a multiple of 32"):
        resolve(PredictConfig(Path("event"), model=str(model)))


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
    assert predicted(event).model == "red-change"
    predict(PredictConfig(event, model="rdndvi"))
    assert predicted(event).model == "rdndvi"
    assert sorted(p.name for p in event.iterdir()) == sorted(
        [ITEM, "pre.tif", "post.tif", "terrain.tif", "clear.tif", "sources.tif", "probability.tif"]
    )
