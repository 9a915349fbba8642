from pathlib import Path

import numpy as np
import pytest
import rasterio
from conftest import Maker, write_raster

from landslide_cli.config import DemoConfig, PredictConfig
from landslide_cli.event.folder import Event
from landslide_cli.workflows.demo import agreement, demo
from landslide_cli.workflows.predict import predict


def test_the_demo_maps_the_simulated_landslides(tmp_path: Path) -> None:
    summary = demo(DemoConfig(out=tmp_path / "demo"))
    assert summary.map.predict.model == "bbunet"
    assert summary.map.vectorize.landslides > 50
    assert summary.truth.exists()
    assert summary.f1 > 0.65
    # The demo's plain event suits a detector; what it takes for landslides elsewhere is in the README.
    assert demo(DemoConfig(out=tmp_path / "demo", model="rdndvi")).f1 > 0.65


def test_agreement_counts_analysed_pixels_alone(make_event: Maker, tmp_path: Path) -> None:
    event = make_event(hole=(slice(0, 40), slice(0, 50)))
    predict(PredictConfig(event, model="red-change"))
    with rasterio.open(event / "probability.tif") as source:
        mapped = source.read(1) == 100
        assert mapped.sum() == 600
    truth = np.zeros(mapped.shape, np.uint8)
    truth[100:130, 155:170] = 1  # Three quarters of what was mapped.
    truth[0:40, 0:50] = 1  # Not analysed: no miss.
    truth[200:210, 200:215] = 1  # Missed.
    path = write_raster(tmp_path / "truth.tif", truth, nodata=None)
    precision, recall, f1 = agreement(Event.open(event), path)
    assert precision == pytest.approx(450 / 600)
    assert recall == pytest.approx(450 / 600)
    assert f1 == pytest.approx(0.75)
