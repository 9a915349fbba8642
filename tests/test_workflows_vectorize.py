import json
from dataclasses import replace
from pathlib import Path

import fiona
import numpy as np
import pytest
import rasterio
import shapely
from conftest import Maker
from fiona.transform import transform_geom
from shapely.geometry import shape

from landslide_cli.config import PredictConfig, VectorizeConfig
from landslide_cli.errors import InputError
from landslide_cli.event.folder import Event
from landslide_cli.mapping.attributes import LANDSLIDE_FIELDS
from landslide_cli.mapping.layers import UTM_DISTORTION
from landslide_cli.workflows.predict import predict
from landslide_cli.workflows.vectorize import vectorize


@pytest.fixture
def predicted(make_event: Maker) -> Path:
    """An event with one scar of 6 ha and a hole in its images."""
    event = make_event(hole=(slice(0, 50), slice(0, 60)))
    predict(PredictConfig(event, model="red-change"))
    return event


def test_the_scar_becomes_a_polygon_with_its_attributes(predicted: Path) -> None:
    summary = vectorize(VectorizeConfig(predicted))
    assert summary.landslides == 1
    assert summary.area_m2 == pytest.approx(60_000 / 0.9996**2, rel=1e-4)
    collection = json.loads(summary.geojson.read_text())
    (feature,) = collection["features"]
    assert list(feature["properties"]) == list(LANDSLIDE_FIELDS)
    properties = feature["properties"]
    assert properties["id"] == 1
    assert properties["area_m2"] == pytest.approx(summary.area_m2)
    # The ground falls to the south, by half a metre a metre.
    assert (properties["length_m"], properties["width_m"]) == pytest.approx((300, 200), abs=5)
    assert properties["aspect_mean_deg"] == pytest.approx(180, abs=1)
    assert 100 < properties["drop_m"] < 160
    assert properties["at_edge"] is False
    assert properties["aoi_edge_m"] == pytest.approx(1000, abs=15)
    assert 0.5 < properties["confidence"] <= properties["probability_max"] <= 1
    assert 15 < properties["slope_mean_deg"] < 25
    assert 500 < properties["elevation_mean_m"] < 2000
    assert (properties["pre_date"], properties["post_date"]) == ("2021-08-09", "2021-08-19")
    assert (properties["event_date"], properties["model"]) == ("2021-08-14", "red-change")
    with rasterio.open(predicted / "post.tif") as source, fiona.open(summary.geopackage, layer="landslides") as layer:
        assert layer.crs.to_epsg() == source.crs.to_epsg()
        (polygon,) = [shape(f.geometry) for f in layer]
        left, top = source.transform @ (150, 100)
        assert polygon.bounds == (left, top - 300, left + 200, top)


def test_what_was_not_analysed_is_a_layer_of_its_own(predicted: Path) -> None:
    summary = vectorize(VectorizeConfig(predicted))
    with fiona.open(summary.geopackage, layer="not_analysed") as layer:
        (gap,) = [shape(f.geometry) for f in layer]
    # The corners of the AOI are rounded to a centimetre.
    assert gap.area == pytest.approx(50 * 60 * 100, rel=1e-4)
    assert summary.analysed_percent == pytest.approx(100 * (1 - 3000 / (300 * 400)))
    assert len(json.loads((predicted / "not_analysed.geojson").read_text())["features"]) == 1


def test_a_higher_threshold_and_a_larger_minimum_find_less(predicted: Path) -> None:
    assert vectorize(VectorizeConfig(predicted, min_area=60_500)).landslides == 0
    assert json.loads((predicted / "landslides.geojson").read_text())["features"] == []
    found = vectorize(VectorizeConfig(predicted, threshold=0.01, min_area=0)).landslides
    assert found >= vectorize(VectorizeConfig(predicted, min_area=0)).landslides == 1


def test_nothing_is_a_landslide_outside_the_aoi(predicted: Path) -> None:
    event = Event.open(predicted)
    west, south, east, north = event.aoi.bounds
    middle = (west + east) / 2
    ring = [[middle, south], [east, south], [east, north], [middle, north], [middle, south]]
    replace(event, item={**event.item, "geometry": {"type": "Polygon", "coordinates": [ring]}}).save()
    summary = vectorize(VectorizeConfig(predicted))
    assert summary.landslides == 0
    assert summary.analysed_percent == 100


def test_a_landslide_is_followed_down_from_where_it_is_sure(predicted: Path) -> None:
    with rasterio.open(predicted / "probability.tif") as source:
        profile, percent = source.profile, source.read(1)
    percent[:] = np.where(percent == 255, 255, 0)
    percent[120:140, 100:130] = 45
    percent[125:130, 110:115] = 90
    percent[200:220, 100:130] = 45
    with rasterio.open(predicted / "probability.tif", "w", **(profile | {"driver": "GTiff"})) as target:
        target.write(percent, 1)
    assert vectorize(VectorizeConfig(predicted, threshold=0.8)).area_m2 == pytest.approx(2500, rel=1e-3)
    grown = vectorize(VectorizeConfig(predicted, threshold=0.8, grow=0.4))
    assert grown.landslides == 1
    assert grown.area_m2 == pytest.approx(60_000, rel=1e-3)


def test_what_is_excluded_is_marked_as_not_analysed(predicted: Path, tmp_path: Path) -> None:
    with rasterio.open(predicted / "post.tif") as source:
        west, north = source.transform @ (150, 100)
        crs = source.crs.to_string()
    ring = [[west, north], [west + 100, north], [west + 100, north - 300], [west, north - 300], [west, north]]
    geometry = transform_geom(crs, "EPSG:4326", {"type": "Polygon", "coordinates": [ring]})
    field = {"type": "Feature", "properties": {}, "geometry": dict(geometry)}
    (tmp_path / "fields.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [field]}))
    whole = vectorize(VectorizeConfig(predicted))
    summary = vectorize(VectorizeConfig(predicted, exclude=tmp_path / "fields.geojson"))
    assert summary.landslides == 1
    assert 0.4 < summary.area_m2 / whole.area_m2 <= 0.5
    assert summary.analysed_percent < whole.analysed_percent
    reasons = {
        f["properties"]["reason"] for f in json.loads((predicted / "not_analysed.geojson").read_text())["features"]
    }
    assert "excluded" in reasons
    assert len(reasons) == 2


def test_flat_ground_is_left_out_when_asked(predicted: Path) -> None:
    assert vectorize(VectorizeConfig(predicted, steeper_than=5)).landslides == 1
    assert vectorize(VectorizeConfig(predicted, steeper_than=60)).landslides == 0


def test_smooth_outlines_keep_area_and_count(predicted: Path) -> None:
    exact, smooth = (vectorize(VectorizeConfig(predicted, smooth=smooth)) for smooth in (False, True))
    assert smooth.landslides == exact.landslides
    assert smooth.area_m2 == pytest.approx(exact.area_m2, rel=0.02)


@pytest.mark.parametrize("change", [{}, {"smooth": True}, {"merge": 60.0, "smooth": True}, {"simplify": 25.0}])
def test_outlines_keep_to_what_was_analysed_and_to_the_least_area(predicted: Path, change: dict[str, object]) -> None:
    with rasterio.open(predicted / "probability.tif") as source:
        profile, percent = source.profile, source.read(1)
    rng = np.random.default_rng(1)
    percent[30:200, 20:330] = np.where(rng.random((170, 310)) < 0.3, 90, 0)
    percent[60:160, 200:300][rng.random((100, 100)) < 0.1] = 255
    with rasterio.open(predicted / "probability.tif", "w", **(profile | {"driver": "GTiff"})) as target:
        target.write(percent, 1)
    summary = vectorize(replace(VectorizeConfig(predicted, min_area=900), **change))  # type: ignore[arg-type]
    shapes, sizes = {}, []
    for name in ("landslides", "not_analysed", "aoi"):
        with fiona.open(summary.geopackage, layer=name) as layer:
            features = list(layer)
            shapes[name] = shapely.union_all([shape(f.geometry) for f in features])
            sizes.append([f.properties.get("area_m2") for f in features])
            aoi_km2 = features[0].properties.get("area_km2")
    assert summary.landslides >= 1
    assert min(sizes[0]) >= 900 * (1 - UTM_DISTORTION)
    assert sizes[0] == sorted(sizes[0], reverse=True)
    assert shapes["landslides"].intersection(shapes["not_analysed"]).area < 1e-3
    assert shapes["landslides"].difference(shapes["aoi"]).area < 1e-3
    assert summary.analysed_percent == pytest.approx(100 - 100 * sum(sizes[1]) / (1e6 * aoi_km2), abs=0.01)


def test_outlines_can_be_simplified(predicted: Path) -> None:
    with rasterio.open(predicted / "probability.tif") as source:
        profile, percent = source.profile, source.read(1)
    percent[160:260, 200:330] = np.where(np.random.default_rng(0).random((100, 130)) < 0.7, 90, 0)
    with rasterio.open(predicted / "probability.tif", "w", **(profile | {"driver": "GTiff"})) as target:
        target.write(percent, 1)
    exact = vectorize(VectorizeConfig(predicted))
    size = exact.geojson.stat().st_size
    simple = vectorize(VectorizeConfig(predicted, simplify=15))
    assert simple.landslides == exact.landslides
    assert simple.geojson.stat().st_size < 0.8 * size
    with fiona.open(simple.geopackage, layer="landslides") as layer:
        assert all(shape(f.geometry).is_valid for f in layer)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"threshold": 7.0}, "--threshold 7"),
        ({"min_area": -1.0}, "--min-area -1"),
        ({"simplify": float("nan")}, "--simplify nan"),
        ({"event": Path("missing")}, "not an event folder"),
        ({"grow": 0.0}, "--grow 0"),
        ({"grow": 0.9, "threshold": 0.6}, r"--grow 0\.9 is above the threshold of 0\.6"),
        ({"merge": 5000.0}, "--merge 5000 must be a number within 0..200"),
        ({"merge": -3.0}, "--merge -3"),
        ({"exclude": Path("missing.gpkg")}, "--exclude missing.gpkg is not a vector file that can be read"),
    ],
)
def test_bad_input_is_refused(predicted: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        vectorize(replace(VectorizeConfig(predicted), **change))  # type: ignore[arg-type]


def test_an_event_without_a_prediction_is_refused(make_event: Maker) -> None:
    with pytest.raises(InputError, match=r"no probability\.tif; run `landslide predict"):
        vectorize(VectorizeConfig(make_event(shape=(64, 64))))
