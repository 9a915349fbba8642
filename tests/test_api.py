"""The Python API as a notebook uses it: natural types in, summaries, arrays and tables out."""

import subprocess
import sys
from dataclasses import replace
from datetime import date, datetime, time
from pathlib import Path

import numpy as np
import pytest
from conftest import CARD, Maker, write_model
from shapely.geometry import box

import landslide_cli
from landslide_cli import Event, api, predict, predict_arrays, scenes, vectorize
from landslide_cli.config import FetchConfig, PredictConfig, VectorizeConfig
from landslide_cli.errors import InputError, ModelError
from landslide_cli.geo.aoi import read_aoi
from landslide_cli.geo.bands import NOT_ANALYSED
from landslide_cli.simulation.catalog import write_catalog

HOLE = (slice(60, 90), slice(120, 150))


def test_the_import_loads_nothing_until_it_is_used() -> None:
    heavy = ("numpy", "rasterio", "shapely", "pydantic", "torch", "typer", "odc")
    code = (
        "import sys, landslide_cli\n"
        f"loaded = [m for m in {heavy!r} if m in sys.modules]\n"
        "assert not loaded, loaded\n"
        "from landslide_cli import Event\n"
        "assert 'rasterio' in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert set(landslide_cli.__all__) <= set(dir(landslide_cli))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = landslide_cli.nonsense


def test_natural_types_become_what_the_command_line_gives(tmp_path: Path) -> None:
    made = api._made(
        FetchConfig,
        {
            "out": str(tmp_path), "event_date": datetime(2021, 8, 14, 12), "event_time": time(12, 29),
            "aoi": (7, 46, 8, 47), "pre": [tmp_path / "a.tif", "b.tif"], "post": "c.tif", "bands": ["B02", "B04"],
            "pre_date": date(2021, 8, 1), "dem": tmp_path / "dem.tif",
        },
    )  # fmt: skip
    assert made == FetchConfig(
        out=tmp_path, event_date="2021-08-14", event_time="12:29:00", aoi="7.0,46.0,8.0,47.0",
        pre=(str(tmp_path / "a.tif"), "b.tif"), post=("c.tif",), bands="B02,B04", pre_date="2021-08-01",
        dem=str(tmp_path / "dem.tif"),
    )  # fmt: skip
    assert api._made(VectorizeConfig, {"event": tmp_path, "formats": ["kml", "csv"]}).formats == ("kml", "csv")
    assert api._made(PredictConfig, {"event": "x", "tile": None}) == PredictConfig(Path("x"))


def test_an_area_is_the_same_as_geometry_box_or_file(tmp_path: Path) -> None:
    area = box(7, 46, 8, 47)
    (tmp_path / "a.geojson").write_text(f'{{"type": "Feature", "properties": {{}}, "geometry": {api._area(area)}}}')
    for given in (area, (7, 46, 8, 47), tmp_path / "a.geojson"):
        assert read_aoi(api._area(given)).geometry.equals(area)
    with pytest.raises(InputError, match="has 3 numbers"):
        api._area((7, 46, 8))
    with pytest.raises(InputError, match="without an area"):
        read_aoi('{"type": "Point", "coordinates": [7, 46]}')


def test_wrong_values_and_unknown_options_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--device 'gpu' is unknown; use auto"):
        predict(tmp_path, device="gpu")
    with pytest.raises(InputError, match=r"--max-cloud 120 must be a number within 0\.\.100"):
        api.fetch(tmp_path / "e", "2021-08-14", aoi=(7, 46, 8, 47), max_cloud=120)
    with pytest.raises(TypeError, match="'sride'"):
        api.map_event(tmp_path / "e", "2021-08-14", aoi=(7, 46, 8, 47), sride=3)


def test_scenes_are_listed_without_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = write_catalog(tmp_path / "catalog", seed=11, shape=(100, 120))
    monkeypatch.chdir(tmp_path)
    found = scenes(read_aoi(str(catalog.aoi)).geometry, catalog.event_date, catalog=catalog.items)
    assert {scene.side for scene in found.scenes} == {"pre", "post"}
    assert found.sheet is None
    assert [path.name for path in tmp_path.iterdir()] == ["catalog"]


def test_an_event_gives_rasters_and_layers(make_event: Maker) -> None:
    folder = make_event(hole=HOLE)
    summary = predict(folder, model="red-change")
    event = Event.open(str(folder))
    vectorize(event, min_area=1000)
    post = event.raster("post")
    assert post.dims == ("band", "y", "x")
    assert post.band.values.tolist() == list(event.bands)
    assert post.odc.geobox.crs.to_epsg() == 32618
    assert post.attrs["nodata"] == 0
    percent = event.raster("probability").values[0]
    assert 100 * (percent != NOT_ANALYSED).mean() == pytest.approx(summary.analysed_percent)
    event = Event.open(folder)
    table = event.layer()
    assert len(table) == 1
    assert table.crs == event.crs
    assert table.area_m2.iloc[0] == pytest.approx(table.area.iloc[0], rel=0.01)
    assert event.layer("not_analysed").reason.tolist() == ["outside the swath"]
    with pytest.raises(InputError, match="has no layer 'roads'; it has landslides, not_analysed, aoi, scenes"):
        event.layer("roads")
    with pytest.raises(InputError, match=r"no raster 'landslides'; it has pre, post, terrain, clear, sources, prob"):
        event.raster("landslides")


def test_arrays_in_memory_give_the_map_of_the_event(make_event: Maker, tmp_path: Path) -> None:
    folder = make_event(hole=HOLE)
    model = str(write_model(tmp_path / "m.onnx", replace(CARD, terrain=True)))
    predict(folder, model=model, device="cpu")
    event = Event.open(folder)
    arrays = [event.raster(name).values for name in ("pre", "post", "terrain")]
    # Windows lie on absolute multiples of the stride: an event is not at the origin, its blending differs at the edges.
    probability = predict_arrays(*arrays, model=model, bands=event.bands, clear=event.raster("clear").values[0])
    percent = event.raster("probability").values[0]
    assert probability.shape == percent.shape
    assert probability.dtype == np.float32
    analysed = percent != NOT_ANALYSED
    assert np.array_equal(~np.isnan(probability), analysed)
    assert np.abs(100 * probability[analysed] - percent[analysed]).max() <= 1.01


def test_arrays_that_do_not_fit_are_refused() -> None:
    image = np.ones((1, 40, 50), np.uint16)
    with pytest.raises(InputError, match=r"post has the shape \(1, 40, 49\); expected \(1, 40, 50\)"):
        predict_arrays(image, image[:, :, :49], model="red-change")
    with pytest.raises(InputError, match="band 'B13' is unknown"):
        predict_arrays(image, image, model="red-change", bands=["B13"])
    with pytest.raises(ModelError, match="model red-change reads B04, which the image does not have"):
        predict_arrays(image, image, model="red-change", bands=["B02"])
    with pytest.raises(ModelError, match="reads terrain"):
        predict_arrays(np.ones((12, 40, 50)), np.ones((12, 40, 50)))
    assert np.isnan(predict_arrays(0 * image, image, model="red-change")).all()
