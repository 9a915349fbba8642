"""The record of an event is an item that other programs understand, with the extensions it names and no others."""

import json
import warnings
from pathlib import Path
from typing import Any, get_args

import numpy as np
import odc.stac
import pystac
import pytest
import rasterio
from conftest import CARD, PREDICTED, VECTORIZED, Maker, write_event, write_model
from pystac.extensions.projection import ProjectionExtension

from landslide_cli.config import Format, PredictConfig, QgisModelConfig, VectorizeConfig
from landslide_cli.event.folder import Event
from landslide_cli.event.placing import ITEM
from landslide_cli.event.stac import EO, LABEL, PROCESSING, PROJECTION, RASTER, described
from landslide_cli.workflows.predict import predict
from landslide_cli.workflows.vectorize import vectorize
from landslide_cli.workflows.weights import write_qgis_model

PREFIXES = {"proj": PROJECTION, "raster": RASTER, "eo": EO, "processing": PROCESSING, "label": LABEL}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An event with all that the program makes."""
    work = tmp_path_factory.mktemp("stac")
    event = write_event(work, hole=(slice(10, 30), slice(10, 30)))
    model = write_model(work / "model.onnx", CARD)
    predict(PredictConfig(event, model=str(model), device="cpu"))
    vectorize(VectorizeConfig(event, formats=get_args(Format), schema="cems"))
    write_qgis_model(QgisModelConfig(str(model), work / "qgis.onnx", event))
    return event


@pytest.fixture(scope="module")
def item(folder: Path) -> pystac.Item:
    return pystac.Item.from_file(str(folder / ITEM))


def test_the_item_is_valid_and_every_file_is_an_asset(folder: Path, item: pystac.Item) -> None:
    assert item.to_dict()["stac_version"] == "1.1.0"
    core = item.clone()
    # The core schemas come with pystac; those of extensions would be asked from the network, and are checked below.
    core.stac_extensions = []
    core.validate()
    assets = {asset.href.removeprefix("./") for asset in item.assets.values()}
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files - {ITEM} == assets
    assert {"pre", "probability", "landslides", "cems", "sheet", "deepness_qgis"} <= set(item.assets)
    for asset in item.assets.values():
        assert asset.roles
        assert asset.media_type
        assert asset.title


def test_each_extension_is_named_if_its_fields_are_used_and_only_then(folder: Path) -> None:
    record = json.loads((folder / ITEM).read_text())
    used = {key.partition(":")[0] for key in _keys(record) if ":" in key}
    assert used == {"proj", "raster", "eo", "processing", "label", "landslide"}
    # Extensions whose fields bear no prefix have no say here.
    named = set(record["stac_extensions"])
    assert named & set(PREFIXES.values()) == {PREFIXES[prefix] for prefix in used - {"landslide"}}
    assert len(named) == len(record["stac_extensions"])


def _keys(value: Any) -> set[str]:
    """Return the keys of all objects of the item, without what the workflows recorded in fields of their own."""
    if isinstance(value, list):
        return {key for member in value for key in _keys(member)}
    if isinstance(value, dict):
        inside = [member for key, member in value.items() if not key.startswith("landslide:")]
        return {*value, *_keys(inside)}
    return set()


def test_the_grid_is_that_of_the_rasters(folder: Path, item: pystac.Item) -> None:
    grid = ProjectionExtension.ext(item)
    assert "proj:epsg" not in item.properties
    for key, asset in item.assets.items():
        if "raster:sampling" not in asset.extra_fields:
            continue
        with rasterio.open(folder / asset.href) as source:
            assert grid.code == source.crs.to_string()
            assert grid.shape == list(source.shape)
            assert grid.transform == list(source.transform)[:6]
            bands = asset.extra_fields["bands"]
            assert [band["name"] for band in bands] == list(source.descriptions), key
            assert {asset.extra_fields["data_type"]} == set(source.dtypes)
            told = asset.extra_fields.get("nodata")
            assert str(told) == str(source.nodata if told is None or told == "nan" else int(source.nodata)), key
    rasters = {key for key, asset in item.assets.items() if "raster:sampling" in asset.extra_fields}
    assert rasters == {"pre", "post", "terrain", "clear", "sources", "probability"}
    for key in ("landslides", "not_analysed", "flatgeobuf", "kml", "csv"):
        assert item.assets[key].extra_fields["proj:code"] == "EPSG:4326"


def test_bands_have_their_common_names(item: pystac.Item) -> None:
    assert EO in item.stac_extensions
    bands = item.assets["post"].extra_fields["bands"]
    assert [band["eo:common_name"] for band in bands] == ["blue", "green", "red", "nir"]
    assert item.assets["post"].extra_fields["raster:scale"] == 0.0001
    assert [band["unit"] for band in item.assets["terrain"].extra_fields["bands"]] == ["m", "deg", "1", "1"]


def test_landslides_are_labels(folder: Path, item: pystac.Item) -> None:
    with warnings.catch_warnings():
        # pystac finds the extension in need of a keeper.
        warnings.simplefilter("ignore", DeprecationWarning)
        from pystac.extensions.label import LabelExtension, LabelType
    label = LabelExtension.ext(item)
    assert label.label_type == LabelType.VECTOR
    assert label.label_tasks == ["segmentation"]
    assert label.label_methods == ["automated"]
    assert [(each.name, list(each.classes)) for each in label.label_classes or ()] == [("landslide", ["landslide"])]
    assert "mapped by test" in label.label_description
    (feature, *_) = json.loads((folder / "landslides.geojson").read_text())["features"]
    assert set(label.label_properties or ()) <= set(feature["properties"])
    assert "labels" in (item.assets["landslides"].roles or ())


def test_labels_are_gone_with_the_landslides(make_event: Maker) -> None:
    event = Event.open(make_event(shape=(96, 96)))
    assert LABEL not in event.item["stac_extensions"]
    event.path("probability").write_text("x")
    predicted = event.record(PREDICTED, ("probability",))
    event.path("landslides").write_text("x")
    labelled = predicted.record(VECTORIZED, ("landslides",))
    assert LABEL in labelled.item["stac_extensions"]
    again = labelled.record(PREDICTED, ("probability",))
    assert LABEL not in again.item["stac_extensions"]
    assert not [key for key in again.properties if key.startswith("label:")]


def test_a_record_of_an_older_version_is_brought_up_to_date_and_other_extensions_stay() -> None:
    foreign = "https://stac-extensions.github.io/version/v1.2.0/schema.json"
    old: dict[str, Any] = {
        "stac_version": "1.0.0",
        "stac_extensions": ["https://stac-extensions.github.io/projection/v1.1.0/schema.json", foreign],
        "properties": {"proj:code": "EPSG:32618", "proj:epsg": 32618},
        "assets": {},
    }
    new = described(old)
    assert new["stac_version"] == "1.1.0"
    assert new["stac_extensions"] == [PROJECTION, PROCESSING, foreign]
    assert new["properties"] == {"proj:code": "EPSG:32618"}
    assert old["properties"]["proj:epsg"] == 32618


def test_odc_stac_loads_the_rasters_by_the_record_alone(folder: Path, item: pystac.Item) -> None:
    with rasterio.open(folder / "post.tif") as source:
        expected, nodata = source.read(4), source.nodata
    loaded = odc.stac.load([item], bands=["post.4", "probability"])
    image = loaded["post.4"]
    assert image.dtype == np.uint16
    assert image.attrs["nodata"] == nodata
    np.testing.assert_array_equal(image.values[0], expected)
    assert loaded["probability"].attrs["nodata"] == 255
