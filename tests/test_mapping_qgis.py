import json
import subprocess
import zipfile
from pathlib import Path
from xml.etree.ElementTree import fromstring

import numpy as np
import pytest
from conftest import Maker
from PIL import Image
from test_mapping_text import HOSTILE

from landslide_cli.config import PredictConfig, VectorizeConfig
from landslide_cli.mapping.attributes import ALIASES, LANDSLIDE_FIELDS
from landslide_cli.mapping.qgis import RasterLayer, VectorLayer, write_project
from landslide_cli.mapping.styles import CONFIDENCE_CLASSES, style
from landslide_cli.mapping.text import plain
from landslide_cli.workflows.predict import predict
from landslide_cli.workflows.vectorize import vectorize

QGIS_PYTHON = "/usr/bin/python3"


@pytest.mark.parametrize("name", HOSTILE)
def test_a_project_names_its_layers_with_relative_paths(tmp_path: Path, name: str) -> None:
    layers: list[RasterLayer | VectorLayer] = [
        VectorLayer("landslides", "Slides <&>", "a.gpkg", ("id",)),
        RasterLayer("post", "After", "post.tif", "rgb", (3, 2, 1), ((1, 2), (3, 4), (5, 6))),
    ]
    write_project(tmp_path / "map.qgz", HOSTILE[name], "EPSG:32618", (1, 2, 3, 4), layers)
    with zipfile.ZipFile(tmp_path / "map.qgz") as archive:
        assert archive.namelist() == ["map.qgs"]
        root = fromstring(archive.read("map.qgs"))
    assert [e.text for e in root.iter("datasource")] == ["./a.gpkg|layername=landslides", "./post.tif"]
    assert root.findtext("title") == root.get("projectname") == plain(HOSTILE[name])
    assert [e.get("name") for e in root.iter("layer-tree-layer")] == ["Slides <&>", "After"]


@pytest.mark.parametrize("layer", ["landslides", "not_analysed", "aoi", "scenes"])
def test_styles_are_documents_with_a_renderer(layer: str) -> None:
    root = fromstring(style(layer, ["id", "area_m2"]))
    assert root.find("renderer-v2") is not None
    assert [alias.get("name") for alias in root.iter("alias")] == [ALIASES["id"], ALIASES["area_m2"]]


def test_qgis_opens_it_styled_and_draws_it(make_event: Maker, tmp_path: Path) -> None:
    if subprocess.run([QGIS_PYTHON, "-c", "import qgis.core"], capture_output=True, check=False).returncode:
        pytest.skip("QGIS is not here; on Debian: apt-get install python3-qgis")
    event = make_event(hole=(slice(0, 50), slice(0, 60)), bands=("B02", "B03", "B04", "B08", "B8A", "B12"))
    predict(PredictConfig(event, model="red-change"))
    summary = vectorize(VectorizeConfig(event))
    picture = tmp_path / "map.png"
    files = [str(path) for path in (summary.project, summary.geopackage, summary.geojson, picture)]
    script = Path(__file__).with_name("qgis_check.py")
    done = subprocess.run([QGIS_PYTHON, str(script), *files], capture_output=True, text=True, timeout=180, check=False)
    assert "REPORT" in done.stdout, done.stderr
    report = json.loads(done.stdout.partition("REPORT")[2].splitlines()[0])
    assert report["read"]
    assert report["crs"] == "EPSG:32618"
    layers = report["layers"]
    assert list(layers) == [
        "landslides", "not_analysed", "aoi", "scenes", "probability", "post_true_colour", "pre_true_colour",
        "post_swir", "pre_swir", "hillshade",
    ]  # fmt: skip
    assert all(layer["valid"] and layer["crs"] == "EPSG:32618" for layer in layers.values()), layers
    hidden = [name for name, layer in layers.items() if not layer["shown"]]
    assert hidden == ["scenes", "probability", "post_swir", "pre_swir"]
    renderers = [layers[name]["renderer"] for name in ("landslides", "probability", "post_true_colour", "hillshade")]
    assert renderers == ["graduatedSymbol", "singlebandpseudocolor", "multibandcolor", "hillshade"]
    assert layers["landslides"]["classes"] == len(CONFIDENCE_CLASSES)
    assert layers["landslides"]["features"] == 1
    assert set(layers["landslides"]["aliases"]) >= {ALIASES[name] for name in LANDSLIDE_FIELDS}
    # Opened alone, layers find their styles by themselves.
    assert report["gpkg"] == report["geojson"] == {"valid": True, "renderer": "graduatedSymbol"}
    assert report["gaps"]["valid"]
    assert report["drawn"]
    drawn = np.asarray(Image.open(picture).convert("RGB")).astype(int)
    coloured = (drawn[..., 0] > drawn[..., 2] + 60).mean()
    assert 0.005 < coloured < 0.5, "the landslide is drawn in the colours of its confidence"
