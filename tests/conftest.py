"""Shared by all tests: small rasters, events and models, made by the real code."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import rasterio
from numpy.typing import NDArray
from onnx import TensorProto, helper
from rasterio.transform import from_origin
from rasterio.warp import transform_geom
from shapely.geometry import box, mapping

from landslide_cli.card import ModelCard
from landslide_cli.config import FetchConfig, PrepareConfig
from landslide_cli.event.records import PredictRecord, SceneRecord, VectorizeRecord
from landslide_cli.workflows.fetch import fetch
from landslide_cli.workflows.prepare import prepare

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"

ORIGIN_M = (500_000.0, 2_000_000.0)
CRS = "EPSG:32618"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data that is not part of the project."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"real data is not at {SHARED_DATA}")
    return SHARED_DATA


def write_raster(
    path: Path,
    data: NDArray[np.generic],
    *,
    crs: str | None = CRS,
    origin: tuple[float, float] = ORIGIN_M,
    pixel: float = 10.0,
    nodata: float | None = 0,
    names: tuple[str, ...] = (),
) -> Path:
    """Write (C, H, W) or (H, W) data, north up, as a GeoTIFF."""
    data = data if data.ndim == 3 else data[None]
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", driver="GTiff", dtype=data.dtype, count=data.shape[0], height=data.shape[1], width=data.shape[2],
        crs=crs, transform=from_origin(*origin, pixel, pixel), nodata=nodata,
    ) as target:  # fmt: skip
        target.write(data)
        if names:
            target.descriptions = names
    return path


def read_raster(path: Path) -> NDArray[Any]:
    """Read all bands of a raster."""
    with rasterio.open(path) as source:
        values: NDArray[Any] = source.read()
    return values


def day_of(scene: SceneRecord) -> str:
    """Return the date (ISO) of a scene of an event."""
    assert scene["datetime"]
    return scene["datetime"][:10]


def band_folder(folder: Path, images: Mapping[str, NDArray[np.generic]], **options: object) -> Path:
    """Write one file per band."""
    for band, data in images.items():
        write_raster(folder / f"{band}.tif", data, **options)  # type: ignore[arg-type]
    return folder


Maker = Callable[..., Path]


def write_event(
    folder: Path,
    name: str = "event",
    *,
    shape: tuple[int, int] = (300, 400),
    bands: tuple[str, ...] = ("B02", "B03", "B04", "B08"),
    hole: tuple[slice, slice] | None = None,
    dem: bool = True,
    seed: int = 0,
    overwrite: bool = False,
) -> Path:
    """Fetch an event from files into `folder`: a hillside with one bright scar after the event."""
    rng = np.random.default_rng(seed)
    pre = {band: rng.integers(300, 500, shape).astype(np.uint16) for band in bands}
    post = {band: image.copy() for band, image in pre.items()}
    if "B08" in bands:
        pre["B08"] += 2500
        post["B08"] += 2500
    for band, image in post.items():
        image[100:130, 150:170] = 1500 if band != "B08" else 1600
    if hole:
        for image in pre.values():
            image[hole] = 0
    work = folder / f"{name}-files"
    elevation = np.linspace(2000, 500, shape[0] // 3 + 40, dtype=np.float32)[:, None]
    elevation = np.repeat(elevation, shape[1] // 3 + 40, axis=1)
    write_raster(work / "dem.tif", elevation, pixel=30, origin=(ORIGIN_M[0] - 600, ORIGIN_M[1] + 600), nodata=-9999)
    fetch(
        FetchConfig(
            out=folder / name,
            event_date="2021-08-14",
            pre=(str(band_folder(work / "pre", pre)),),
            post=(str(band_folder(work / "post", post)),),
            dem=str(work / "dem.tif") if dem else None,
            no_dem=not dem,
            pre_date="2021-08-09",
            post_date="2021-08-19",
            overwrite=overwrite,
        )
    )
    return folder / name


@pytest.fixture
def make_event(tmp_path: Path) -> Maker:
    """Return `write_event` for the folder of the test."""
    return partial(write_event, tmp_path)


TRAINED_BANDS = ("B02", "B03", "B04")
"""The bands of the events of `dataset`."""


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training set of three events, with a hole in the images of each: to learn from, validate and test on."""
    folder = tmp_path_factory.mktemp("dataset")
    hole = (slice(60, 90), slice(120, 150))
    names = ("one", "two", "three")
    events = [
        write_event(folder, name, shape=(200, 260), bands=TRAINED_BANDS, hole=hole, seed=seed)
        for seed, name in enumerate(names)
    ]
    east, north = ORIGIN_M
    corners = box(east + 1500, north - 1300, east + 1700, north - 1000)
    scar = {"type": "Feature", "properties": {}, "geometry": transform_geom(CRS, "EPSG:4326", mapping(corners))}
    (folder / "scars.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [scar]}))
    prepare(
        PrepareConfig(
            folder / "set", tuple(events), (folder / "scars.geojson",), window=64, stride=16,
            validation=("two",), test=("three",), min_evaluation_pixels=1,
        )
    )  # fmt: skip
    return folder / "set"


PREDICTED = PredictRecord(model="m", threshold=0.5)
VECTORIZED = VectorizeRecord(
    threshold=0.5, min_area_m2=400.0, simplify_m=0.0, grow=None, merge_m=0.0, smooth=False, steeper_than_deg=0.0,
    exclude=None, exclude_sha256=None, landslides=0, area_m2=0.0, largest_m2=0.0, analysed_percent=100.0, changes=None,
)  # fmt: skip
"""Records of steps that did not run, for tests of the record itself."""

CARD = ModelCard(
    name="test", version="1", architecture="test", bands=("B02", "B04"), terrain=False, threshold=0.5, tile_px=64
)


def write_model(path: Path, card: ModelCard | None = CARD, kind: str = "change") -> Path:
    """Write a small ONNX model.

    Args:
        path: the file.
        card: its card; none where None.
        kind: `constant` gives 0.37 everywhere; `change` the mean change over 2000, clipped to 0..1.
    """
    bands = len(card.bands) if card else 2
    axes = ["n", "c", "h", "w"]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", bands, "h", "w"]) for name in ("pre", "post")
    ]
    scale = 0.0 if kind == "constant" else 1 / 2000
    shift = 0.37 if kind == "constant" else 0.0
    nodes = [
        helper.make_node("Sub", ["post", "pre"], ["difference"]),
        helper.make_node("ReduceMean", ["difference", "channel_axis"], ["mean"], keepdims=1),
        helper.make_node("Mul", ["mean", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "shift"], ["shifted"]),
        helper.make_node("Clip", ["shifted", "low", "high"], ["probability"]),
    ]
    constants = {"scale": scale, "shift": shift, "low": 0.0, "high": 1.0}
    initializers = [onnx.numpy_helper.from_array(np.array(v, np.float32), k) for k, v in constants.items()]
    initializers.append(onnx.numpy_helper.from_array(np.array([1], np.int64), "channel_axis"))
    if card and card.terrain:
        inputs.append(helper.make_tensor_value_info("terrain", TensorProto.FLOAT, ["n", 4, "h", "w"]))
        nodes[-1] = helper.make_node("Clip", ["shifted", "low", "high"], ["clipped"])
        nodes += [
            helper.make_node("ReduceMin", ["terrain", "channel_axis"], ["least"], keepdims=1),
            helper.make_node("Mul", ["least", "zero"], ["nothing"]),
            helper.make_node("Add", ["clipped", "nothing"], ["probability"]),
        ]
        initializers.append(onnx.numpy_helper.from_array(np.array(0, np.float32), "zero"))
    output = helper.make_tensor_value_info("probability", TensorProto.FLOAT, axes)
    graph = helper.make_graph(nodes, "test", inputs, [output], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    if card:
        helper.set_model_props(model, card.to_metadata())
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path
