"""What is in a folder is told, and what is no event is sent to where it is told."""

from pathlib import Path

import pytest
from conftest import Maker, write_model

from landslide_cli.config import InfoConfig
from landslide_cli.errors import InputError
from landslide_cli.event.folder import Event
from landslide_cli.event.products import Product
from landslide_cli.workflows.info import info


def test_an_event_is_described(make_event: Maker) -> None:
    told = info(InfoConfig(make_event(shape=(120, 90))))
    assert (told.height_px, told.width_px) == (120, 90)
    assert told.bands == ("B02", "B03", "B04", "B08")
    assert told.area_km2 == pytest.approx(1.08, rel=0.01)
    assert {"pre.tif", "post.tif", "terrain.tif"} <= set(told.products)
    assert all(size > 0 for size in told.products.values())
    event = Event.open(told.event)
    (told.event / "deepness").mkdir()
    (told.event / "deepness" / "one.vrt").write_text("<VRTDataset/>")
    event.add("deepness_one", Product("deepness/one.vrt", "One", "application/xml", ("data",)))
    assert info(InfoConfig(told.event)).products["deepness/one.vrt"] == len("<VRTDataset/>")


def test_a_model_is_no_event(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="weights show"):
        info(InfoConfig(write_model(tmp_path / "model.onnx")))
    with pytest.raises(InputError, match="not an event folder"):
        info(InfoConfig(tmp_path))
