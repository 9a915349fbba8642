"""Events with simulated landslides, to prepare a training set of."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from conftest import Maker, write_raster
from numpy.typing import NDArray
from rasterio.warp import transform_geom
from shapely.geometry import box, mapping

from landslide_cli.config import PrepareConfig
from landslide_cli.event.folder import Event
from landslide_cli.geo.bands import Unseen

SHAPE = (200, 260)
WINDOW, STRIDE = 48, 24


def rewrite(path: Path, data: NDArray[Any]) -> None:
    """Write other values into a raster of an event."""
    with rasterio.open(path) as source:
        profile = {**source.profile, "driver": "GTiff"}
    with rasterio.open(path, "w", **profile) as target:
        target.write(data)


def write_inventory(
    path: Path,
    event: Path,
    boxes: Sequence[tuple[float, float, float, float]],
    properties: Mapping[str, Any] | None = None,
) -> Path:
    """Write boxes of pixels (left, top, right, bottom; fractions too) of an event's grid, as degrees."""
    with rasterio.open(event / "clear.tif") as source:
        transform, crs = source.transform, source.crs
    shapes = [box(*(transform @ (left, bottom)), *(transform @ (right, top))) for left, top, right, bottom in boxes]
    features = [
        {
            "type": "Feature",
            "properties": properties or {},
            "geometry": transform_geom(crs, "EPSG:4326", mapping(corners), precision=9),
        }
        for corners in shapes
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def write_changes(path: Path, event: Path, values: NDArray[Any], **how: Any) -> Path:
    """Write codes of changes from the upper left corner of an event's grid on."""
    with rasterio.open(event / "clear.tif") as source:
        return write_raster(path, values, origin=(source.transform.c, source.transform.f), **how)


def scattered(seed: int = 0, count: int = 40) -> list[tuple[float, float, float, float]]:
    """Return boxes all over the event."""
    rng = np.random.default_rng(seed)
    left, top = rng.uniform(0, SHAPE[1] - 12, count), rng.uniform(0, SHAPE[0] - 12, count)
    width, height = rng.uniform(1, 12, (2, count))
    return list(zip(left, top, left + width, top + height, strict=True))


def codes(seed: int) -> NDArray[np.uint8]:
    """Return an image's codes: mostly seen, with patches of everything else."""
    rng = np.random.default_rng(seed)
    unseen = np.zeros(SHAPE, np.uint8)
    for code in (Unseen.CLOUD, Unseen.CLOUD, Unseen.SHADOW, Unseen.SNOW):
        row, col = rng.integers(0, SHAPE[0] - 40), rng.integers(0, SHAPE[1] - 40)
        unseen[row : row + 40, col : col + 40] = code
    unseen[rng.integers(0, SHAPE[0]), rng.integers(0, SHAPE[1])] = Unseen.OUTSIDE
    unseen[rng.integers(0, SHAPE[0]), rng.integers(0, SHAPE[1])] = Unseen.DEFECTIVE
    return unseen


def with_scenes(event: Path, sides: Mapping[str, int]) -> dict[str, NDArray[np.uint8]]:
    """Give an event several scenes of each side, as `fetch --all-scenes` does; return the codes of each."""
    opened = Event.open(event)
    scenes: list[dict[str, Any]] = []
    unseen: dict[str, NDArray[np.uint8]] = {}
    for side, count in sides.items():
        for number in range(count):
            image = f"{side}/2021-08-0{number + 1}_R011.tif"
            (event / side).mkdir(exist_ok=True)
            (event / image).write_bytes((event / f"{side}.tif").read_bytes())
            unseen[image] = codes(len(unseen))
            with rasterio.open(event / "clear.tif") as source:
                origin = source.transform.c, source.transform.f
            raster = f"{image.removesuffix('.tif')}_unseen.tif"
            write_raster(event / raster, unseen[image], origin=origin, nodata=None)
            scenes.append({"side": side, "id": str(number), "datetime": None, "image": image, "unseen": raster})
    steps = {"fetch": {**asdict(opened.fetched), "scene_files": scenes}}
    replace(opened, item={**opened.item, "properties": {**opened.properties, "landslide:steps": steps}}).save()
    return unseen


def scattered_event(make_event: Maker, folder: Path) -> PrepareConfig:
    """Return an event with landslides all over, ready to be prepared."""
    event = make_event("haiti", shape=SHAPE)
    inventory = write_inventory(folder / "haiti.geojson", event, scattered())
    return PrepareConfig(folder / "set", (event,), (inventory,), window=WINDOW, stride=STRIDE)
