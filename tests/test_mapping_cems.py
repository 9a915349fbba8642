import re

import fiona
import pytest
from conftest import Maker

from landslide_cli.config import PredictConfig, VectorizeConfig
from landslide_cli.errors import InputError
from landslide_cli.event.folder import Event
from landslide_cli.workflows.predict import predict
from landslide_cli.workflows.vectorize import vectorize


def test_the_layers_are_those_of_rapid_mapping(make_event: Maker) -> None:
    event = make_event(hole=(slice(0, 50), slice(0, 60)))
    predict(PredictConfig(event, model="red-change"))
    vectorize(VectorizeConfig(event, schema="cems"))
    path = event / "cems.gpkg"
    tables = {}
    for name in fiona.listlayers(path):
        with fiona.open(path, layer=name) as layer:
            tables[name] = [dict(feature.properties) for feature in layer]
            assert (name == "source") == (layer.schema["geometry"] == "None")
    assert set(tables) == {"observedEventA", "areaOfInterestA", "imageFootprintA", "notAnalysedA", "source"}
    (slide,) = tables["observedEventA"]
    assert (slide["event_type"], slide["obj_desc"]) == ("6-Mass Movement", "Landslide")
    assert slide["det_method"] == "Automatic extraction"
    assert slide["area"] == pytest.approx(6.005, abs=0.01)
    (before, after) = (tables["source"][0], tables["source"][-1])
    assert len(tables["source"]) == len(Event.open(event).scenes)
    assert (before["src_date"], before["eventphase"]) == ("09/08/2021", "Pre-event")
    assert (after["src_date"], after["eventphase"]) == ("19/08/2021", "Post-event")
    assert re.fullmatch(r"T\d\d:\d\d:\d\dZ", after["source_tm"])
    of_slide = next(row for row in tables["source"] if row["src_id"] == slide["dmg_src_id"])
    assert of_slide["eventphase"] == "Post-event"
    numbers = [row["src_id"] for row in tables["source"]]
    assert [row["src_id"] for row in tables["imageFootprintA"]] == numbers == list(range(1, len(numbers) + 1))
    assert len(tables["notAnalysedA"]) == 1
    assert Event.open(event).has("cems")
    # Without the schema the layers are gone: they would be of another map.
    vectorize(VectorizeConfig(event))
    assert not path.exists()
    assert not Event.open(event).has("cems")


def test_another_schema_or_format_is_refused(make_event: Maker) -> None:
    event = make_event(shape=(64, 64))
    predict(PredictConfig(event, model="red-change"))
    with pytest.raises(InputError, match="--schema 'emsr' is unknown; use landslide, cems"):
        vectorize(VectorizeConfig(event, schema="emsr"))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="--formats 'dxf' is unknown; use flatgeobuf"):
        vectorize(VectorizeConfig(event, formats=("kml", "dxf")))  # type: ignore[arg-type]
