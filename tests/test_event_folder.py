import json
from dataclasses import replace
from pathlib import Path

import pystac
import pytest
from conftest import PREDICTED, VECTORIZED, Maker

from landslide_cli.errors import InputError
from landslide_cli.event.folder import Event
from landslide_cli.event.placing import ITEM
from landslide_cli.event.products import PRODUCTS


def test_the_record_is_a_valid_stac_item(make_event: Maker) -> None:
    folder = make_event()
    item = pystac.Item.from_file(str(folder / ITEM))
    # The core schemas come with pystac; those of extensions would be asked from the network.
    item.stac_extensions = []
    item.validate()
    for asset in item.assets.values():
        assert (folder / asset.href).is_file()
        assert asset.roles
    assert item.properties["start_datetime"] == "2021-08-09T00:00:00Z"
    assert item.properties["end_datetime"] == "2021-08-19T00:00:00Z"
    assert "fetch by landslide" in item.properties["processing:lineage"]
    steps = item.properties["landslide:steps"]
    assert steps["fetch"]["parameters"]["event_date"] == "2021-08-14"


def test_an_event_tells_what_it_holds(make_event: Maker) -> None:
    event = Event.open(make_event())
    assert event.bands == ("B02", "B03", "B04", "B08")
    assert event.dates("pre") == "2021-08-09"
    assert event.event_date == "2021-08-14"
    assert event.has("terrain")
    assert not event.has("probability")


def test_a_new_step_takes_later_products_off(make_event: Maker) -> None:
    event = Event.open(make_event())
    event.path("probability").write_text("x")
    event = event.record(replace(PREDICTED, model="a"), ("probability",))
    event.path("landslides").write_text("x")
    event = event.record(VECTORIZED, ("landslides",))
    assert Event.open(event.folder).has("landslides")
    event = event.record(replace(PREDICTED, model="b"), ("probability",))
    assert not event.path("landslides").exists()
    assert event.path("probability").exists()
    assert set(Event.open(event.folder).properties["landslide:steps"]) == {"fetch", "predict"}


def test_no_folder_no_record_and_no_event_are_each_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        Event.open(tmp_path / "missing")
    with pytest.raises(InputError, match=r"holds no event\.json"):
        Event.open(tmp_path)
    for text in ("{", "[]", "{}", '{"properties": {"landslide:bands": 3}}', json.dumps({"properties": None})):
        (tmp_path / ITEM).write_text(text)
        with pytest.raises(InputError, match="not the record of an event"):
            Event.open(tmp_path)


@pytest.mark.parametrize("product", ["pre", "clear", "sources", "terrain"])
def test_an_event_that_lacks_a_raster_is_refused(make_event: Maker, product: str) -> None:
    folder = make_event()
    (folder / PRODUCTS[product].file).unlink()
    with pytest.raises(InputError, match=f"lacks {PRODUCTS[product].file}"):
        Event.open(folder)
