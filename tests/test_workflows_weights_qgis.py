"""A model for Deepness gives, run as the plugin runs it, the map that `predict` gives."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import rasterio
import torch
from conftest import CARD, Maker, write_event, write_model
from numpy.typing import NDArray
from scipy import ndimage
from test_workflows_export import TERRAIN_CARD, Small

from landslide_cli.card import ModelCard
from landslide_cli.config import ExportConfig, PredictConfig, QgisModelConfig, TrainConfig
from landslide_cli.errors import InputError, ModelError
from landslide_cli.event.folder import Event
from landslide_cli.geo.bands import NOT_ANALYSED, TERRAIN_BANDS
from landslide_cli.inference.deepness import write_single_input
from landslide_cli.inference.engines import OnnxEngine
from landslide_cli.training.export import SelfContained
from landslide_cli.training.normalisation import PaperNormalisation
from landslide_cli.workflows.export import export, export_model
from landslide_cli.workflows.predict import predict
from landslide_cli.workflows.train import train
from landslide_cli.workflows.weights import QgisModelSummary, write_qgis_model

QGIS_PYTHON = "/usr/bin/python3"
HOLE = (slice(60, 90), slice(120, 150))
ROUNDING = 0.006
"""`probability.tif` holds whole percent: half of one, and a little for the order of sums."""


class Plugin:
    """What Deepness 0.6.5 does with a model and an entire layer, from its settings on as the model's metadata has them.

    All in pixels of the layer, whose resolution is the model's.
    """

    def __init__(self, model: Path) -> None:
        self.session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
        (self.input,) = self.session.get_inputs()
        (output,) = self.session.get_outputs()
        assert output.shape[2] == output.shape[3]
        self.metadata = {k: json.loads(v) for k, v in self.session.get_modelmeta().custom_metadata_map.items()}
        self.tile = int(self.input.shape[-1])
        overlap = int(self.tile * self.metadata["tiles_overlap"] / 100 * 2) // 2
        self.stride = self.tile - overlap

    def run(self, raster: Path) -> NDArray[np.float32]:
        """Return the probability (H, W) before the plugin cuts it at `seg_thresh`."""
        with rasterio.open(raster) as source:
            height, width = source.shape
            # Bands have their own types: the plugin reads each as it is, and numpy joins them.
            layer = np.concatenate([source.read([band]) for band in source.indexes])
            nodata = np.array(source.nodatavals, np.float32)
        # The area grows to the east and to the north until it is a whole number of windows.
        down, right = (self._missing(size) for size in (height, width))
        grown = np.broadcast_to(nodata[:, None, None], (len(layer), height + down, width + right)).copy()
        grown[:, down:, :width] = layer
        result = np.full(grown.shape[1:], np.nan, np.float32)
        rows, columns = ((size - self.tile) // self.stride + 1 for size in grown.shape[1:])
        crop = (self.tile - self.stride) // 2
        for row in range(rows):
            for column in range(columns):
                top, left = row * self.stride, column * self.stride
                window = grown[:, top : top + self.tile, left : left + self.tile]
                # Neighbours overlap by twice `crop`; what lies at the rim of the area has none.
                inner = tuple(
                    slice(0 if number == 0 else crop, self.tile if number == count - 1 else self.tile - crop)
                    for number, count in ((row, rows), (column, columns))
                )
                whole = result[top : top + self.tile, left : left + self.tile]
                whole[inner] = self._process(window)[inner]
        assert not np.isnan(result).any()
        return result[down:, :width]

    def _missing(self, size: int) -> int:
        if size <= self.tile:
            return self.tile - size
        return -(size - self.tile) % self.stride

    def _process(self, window: NDArray[np.generic]) -> NDArray[np.float32]:
        batch: NDArray[Any] = np.moveaxis(window, 0, -1)[None, :, :, : self.input.shape[-3]]
        scaled = np.float32(batch * 1.0 / 255.0)
        mean, std = (np.array(self.metadata[f"standardization_{name}"], np.float32) for name in ("mean", "std"))
        fed = np.transpose((scaled - mean) / std, (0, 3, 1, 2))
        probability: NDArray[np.float32] = self.session.run(None, {self.input.name: fed})[0][0, 0]
        return probability


def both_maps(
    event: Path, model: Path, tmp_path: Path, **options: Any
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Return the plugin's probability, that of `predict`, and where `predict` gives any."""
    made = write_qgis_model(QgisModelConfig(str(model), tmp_path / "qgis.onnx", event))
    assert made.stack is not None
    predict(PredictConfig(event, model=str(model), device="cpu", **options))
    with rasterio.open(event / "probability.tif") as source:
        percent = source.read(1)
    return Plugin(made.model).run(made.stack), percent.astype(np.float32) / 100, percent != NOT_ANALYSED


@pytest.fixture
def event(make_event: Maker) -> Path:
    """An event with a hole in the image before and, elsewhere, in the terrain."""
    folder = make_event(hole=HOLE)
    with rasterio.open(folder / "terrain.tif") as source:
        terrain, profile = source.read(), source.profile
    terrain[:, 200:220, 30:60] = np.nan
    with rasterio.open(folder / "terrain.tif", "w", **{**profile, "driver": "GTiff"}) as target:
        target.write(terrain)
    return folder


def test_the_file_says_what_the_plugin_asks(event: Path, tmp_path: Path) -> None:
    card = replace(TERRAIN_CARD, threshold=0.27)
    made = exported(tmp_path, card, event)
    plugin = Plugin(made.model)
    assert plugin.input.shape == ["batch", 8, 64, 64]
    assert {
        "model_type": "Segmentor", "class_names": {"0": "background", "1": "landslide"}, "resolution": 1000,
        "tile_size": 64, "tiles_size": 64, "tiles_overlap": 25, "seg_thresh": 0.27, "seg_small_segment": 0,
        "standardization_mean": [0] * 8, "standardization_std": [1] * 8,
    }.items() <= plugin.metadata.items()  # fmt: skip
    assert plugin.metadata["landslide_deepness"]["card"]["name"] == card.name
    assert made.channels == ("pre B02", "pre B04", "post B02", "post B04", *TERRAIN_BANDS)
    with rasterio.open(made.stack) as stack:
        assert stack.descriptions == made.channels
        assert stack.dtypes == ("uint16",) * 4 + ("float32",) * 4


def exported(tmp_path: Path, card: ModelCard, event: Path | None = None) -> QgisModelSummary:
    model = write_model(tmp_path / "model.onnx", card)
    return write_qgis_model(QgisModelConfig(str(model), tmp_path / "qgis.onnx", event))


def stack_of(made: QgisModelSummary) -> Path:
    assert made.stack is not None
    return made.stack


@pytest.mark.parametrize("terrain", [True, False])
def test_a_model_of_single_pixels_gives_the_map_of_predict_everywhere(
    event: Path, tmp_path: Path, terrain: bool
) -> None:
    model = write_model(tmp_path / "model.onnx", replace(CARD, terrain=terrain))
    plugin, predicted, analysed = both_maps(event, model, tmp_path)
    assert not analysed[HOLE].any()
    assert not analysed[200:220, 30:60].any()
    assert np.abs(plugin - predicted)[analysed].max() <= ROUNDING
    assert (predicted[analysed] > 0.4).any()
    # Where nothing is known the plugin has no way to say so; at least it maps no landslide there. A model without
    # terrain does not hear of what the terrain lacks.
    assert plugin[HOLE].max() == 0
    assert terrain is False or plugin[~analysed].max() == 0


def test_a_network_with_context_gives_it_away_from_the_borders_of_windows(event: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = Small().eval()
    with torch.no_grad():
        # Untrained it hardly tells one pixel from another.
        network.head.weight.mul_(60)
    model = tmp_path / "model.onnx"
    export_model(SelfContained(PaperNormalisation(), network), TERRAIN_CARD, model)
    plugin, predicted, analysed = both_maps(event, model, tmp_path, stride=64)
    assert predicted[analysed].std() > 0.02
    # The network sees one pixel around: what differs is next to a border, where the plugin feeds nothing and
    # `predict` a mirror image, or next to a hole, which is filled with the mean of two different windows.
    top, left = np.indices(plugin.shape)
    with rasterio.open(event / "clear.tif") as source:
        rows, columns = round(source.transform.f / -10), round(source.transform.c / 10)
    inner = ((top - rows) % 64 % 63 > 0) & ((left + columns) % 64 % 63 > 0)
    inner[[0, -1]] = inner[:, [0, -1]] = False
    away = inner & ndimage.binary_erosion(analysed, np.ones((3, 3), bool))
    assert away.mean() > 0.8
    assert np.abs(plugin - predicted)[away].max() <= ROUNDING


def test_the_folder_can_be_moved_and_a_new_fetch_drops_the_raster(event: Path, tmp_path: Path) -> None:
    made = exported(tmp_path, TERRAIN_CARD, event)
    assert made.stack == event / "deepness" / "qgis.vrt"
    with rasterio.open(made.stack) as stack:
        before = [stack.read(band) for band in stack.indexes]
    moved = event.rename(tmp_path / "moved & <renamed>")
    with rasterio.open(moved / "deepness" / "qgis.vrt") as stack, rasterio.open(moved / "post.tif") as post:
        after = [stack.read(band) for band in stack.indexes]
        assert stack.transform == post.transform
        assert stack.crs == post.crs
        shown = after[3] != 0
        np.testing.assert_array_equal(after[3][shown], post.read(3)[shown])
    for band, same in zip(before, after, strict=True):
        np.testing.assert_array_equal(band, same)
    asset = Event.open(moved).item["assets"]["deepness_qgis"]
    assert (moved / asset["href"]).is_file()
    write_event(tmp_path, moved.name, hole=None, shape=(64, 96), overwrite=True)
    assert not (moved / "deepness").exists()
    assert "deepness_qgis" not in Event.open(moved).item["assets"]


def test_a_band_the_model_can_do_without_is_blank(make_event: Maker, tmp_path: Path) -> None:
    event = make_event(bands=("B02", "B04"))
    card = replace(CARD, bands=("B02", "B04", "B11"), spare_bands=("B11",))
    made = exported(tmp_path, card, event)
    with rasterio.open(made.stack) as stack:
        assert stack.descriptions[5] == "post B11"
        assert stack.read(6).max() == 0
        assert stack.read(4).min() > 0
    predict(PredictConfig(event, model=str(tmp_path / "model.onnx"), device="cpu"))
    with rasterio.open(event / "probability.tif") as source:
        assert np.abs(Plugin(made.model).run(stack_of(made)) - source.read(1) / 100).max() <= ROUNDING


def test_a_run_becomes_a_model_for_the_plugin_once_exported(dataset: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(TrainConfig(dataset, run, model="tinycd", bands="B02,B03,B04", epochs=1, batch=4, device="cpu", workers=0))
    with pytest.raises(ModelError, match=f"landslide export {run}"):
        write_qgis_model(QgisModelConfig(str(run), tmp_path / "qgis.onnx"))
    export(ExportConfig(run, tmp_path / "run.onnx"))
    made = write_qgis_model(QgisModelConfig(str(tmp_path / "run.onnx"), tmp_path / "qgis.onnx"))
    assert made.stack is None
    assert Plugin(made.model).metadata["landslide_deepness"]["card"]["architecture"] == "tinycd"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["qgis.onnx", "run", "run.json", "run.onnx"]


def test_what_cannot_be_exported_is_refused_and_nothing_written(
    make_event: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, out = write_model(tmp_path / "model.onnx", TERRAIN_CARD), tmp_path / "qgis.onnx"
    config = QgisModelConfig(str(model), out)
    with pytest.raises(ModelError, match="reads terrain"):
        write_qgis_model(replace(config, event=make_event("flat", dem=False)))
    with pytest.raises(InputError, match="not an event folder"):
        write_qgis_model(replace(config, event=tmp_path / "none"))
    with pytest.raises(InputError, match="is not a network"):
        write_qgis_model(replace(config, model="rdndvi"))
    with pytest.raises(InputError, match="the model itself"):
        write_qgis_model(replace(config, out=model, overwrite=True))
    with pytest.raises(InputError, match=r"must .* end.* in \.onnx"):
        write_qgis_model(replace(config, out=tmp_path / "qgis.vrt"))
    with pytest.raises(ModelError, match="neither a known name"):
        write_qgis_model(replace(config, model=str(tmp_path / "none.onnx")))
    with pytest.raises(InputError, match=r"is a model already.*weights card.*weights qgis"):
        export(ExportConfig(model, out))
    old = onnx.load(model)
    old.opset_import[0].version = 12
    onnx.save(old, tmp_path / "old.onnx")
    with pytest.raises(ModelError, match="opset 12"):
        write_single_input(tmp_path / "old.onnx", TERRAIN_CARD, out)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=r"landslide-cli\[deepness\]"):
        write_qgis_model(config)
    assert not out.exists()
    assert not (tmp_path / "flat" / "deepness").exists()


def test_the_file_is_not_taken_for_one_of_this_program(tmp_path: Path) -> None:
    made = exported(tmp_path, TERRAIN_CARD)
    with pytest.raises(ModelError, match="written for the QGIS plugin Deepness"):
        OnnxEngine(made.model)
    with pytest.raises(InputError, match="exists"):
        exported(tmp_path, TERRAIN_CARD)


def test_no_torch_is_loaded_for_a_model_at_hand(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model.onnx", TERRAIN_CARD)
    code = (
        "import sys; from pathlib import Path; from landslide_cli.config import QgisModelConfig; "
        "from landslide_cli.workflows.weights import write_qgis_model; "
        "write_qgis_model(QgisModelConfig(sys.argv[1], Path(sys.argv[2]))); "
        "assert not {'torch', 'onnxscript', 'lightning'} & set(sys.modules), 'torch was loaded'"
    )
    subprocess.run([sys.executable, "-c", code, model, tmp_path / "qgis.onnx"], check=True)


def test_qgis_reads_the_raster_as_this_test_does(event: Path, tmp_path: Path) -> None:
    if subprocess.run([QGIS_PYTHON, "-c", "import qgis.core"], capture_output=True, check=False).returncode:
        pytest.skip(f"{QGIS_PYTHON} has no QGIS (Debian: python3-qgis)")
    made = exported(tmp_path, TERRAIN_CARD, event)
    with rasterio.open(made.stack) as stack:
        data, nodata = [stack.read(band) for band in stack.indexes], stack.nodatavals
        west, north = stack.transform.c, stack.transform.f
        width = stack.width
    # Windows of 64 px: over both holes, and beyond the corner in the north-east, where the plugin's area grows to.
    windows = {"hole": (40, 100), "terrain": (190, 10), "beyond": (-20, width - 40)}
    extents = {
        name: (west + 10 * left, north - 10 * (top + 64), west + 10 * (left + 64), north - 10 * top, 64)
        for name, (top, left) in windows.items()
    }
    report = subprocess.run(
        [QGIS_PYTHON, Path(__file__).with_name("qgis_deepness.py"), stack_of(made), json.dumps(extents),
         tmp_path / "windows.npz", tmp_path / "drawn.png"], capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    told = json.loads(report.stdout.partition("REPORT")[2])
    assert told["valid"]
    assert told["drawn"]
    assert told["crs"] == "EPSG:32618"
    assert [band.partition(": ")[2] for band in told["bands"]] == list(made.channels)
    with np.load(tmp_path / "windows.npz") as read:
        for name, (top, left) in windows.items():
            for number, (band, empty) in enumerate(zip(data, nodata, strict=True)):
                expected = np.full((64, 64), empty, np.float32)
                rows, columns = slice(max(top, 0), top + 64), slice(left, min(left + 64, width))
                inside = band[rows, columns]
                expected[rows.start - top :, : inside.shape[1]] = inside
                np.testing.assert_array_equal(read[name][number], expected, err_msg=f"{name}, band {number}")
        assert np.isnan(read["terrain"][4:]).any()
        assert (read["hole"][:4] == 0).any()
