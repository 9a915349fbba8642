import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import rasterio
from conftest import CRS, ORIGIN_M, read_raster, write_raster
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from shapely.geometry import Polygon, box, mapping

from landslide_cli.config import FetchConfig
from landslide_cli.errors import CatalogError, InputError
from landslide_cli.event.folder import Event
from landslide_cli.geo import grids
from landslide_cli.geo.aoi import AOI
from landslide_cli.geo.bands import BANDS
from landslide_cli.imagery import load
from landslide_cli.imagery.scenes import Scene
from landslide_cli.workflows.fetch import fetch

SIZE = 120
"""Side of a granule in pixels of 10 m."""


def write_item(
    identifier: str, assets: dict[str, Path], *, collection: str = "sentinel-2-l2a", **properties: Any
) -> dict[str, Any]:
    """Describe rasters as a STAC item, as Planetary Computer does."""
    with rasterio.open(next(iter(assets.values()))) as source:
        bounds, crs = source.bounds, source.crs
    to_degrees = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    area = Polygon([to_degrees.transform(x, y) for x, y in box(*bounds).exterior.coords])
    item = pystac.Item(
        identifier, mapping(area), list(area.bounds), properties.pop("when", datetime(2021, 8, 9, 15, tzinfo=UTC)),
        {"proj:epsg": crs.to_epsg(), "platform": "Sentinel-2A", "s2:mgrs_tile": identifier, **properties},
        collection=collection,
        stac_extensions=["https://stac-extensions.github.io/projection/v1.1.0/schema.json"],
    )  # fmt: skip
    for key, path in assets.items():
        with rasterio.open(path) as source:
            extra = {"proj:shape": source.shape, "proj:transform": list(source.transform)[:6]}
        item.add_asset(key, pystac.Asset(str(path), media_type="image/tiff", roles=["data"], extra_fields=extra))
    return item.to_dict(transform_hrefs=False)


def granule(
    folder: Path, name: str, value: int, *, origin: tuple[float, float] = ORIGIN_M, baseline: str = "03.01", **more: Any
) -> pystac.Item:
    """Write a granule that is `value` in its left half and nodata in its right one, with a ramp in B02."""
    assets = {}
    for band in BANDS:
        image = np.full((SIZE, SIZE), value, np.uint16)
        if band == "B02":
            image += np.arange(SIZE, dtype=np.uint16)[:, None]
        image[:, more.get("keep", SIZE) :] = 0
        assets[band] = write_raster(folder / f"{name}_{band}.tif", image, origin=origin)
    scl = np.where(image > 0, 4, 0).astype(np.uint8)
    assets["SCL"] = write_raster(folder / f"{name}_SCL.tif", scl, origin=origin)
    more = {key: item for key, item in more.items() if key != "keep"}
    return pystac.Item.from_dict(write_item(name, assets, **{"s2:processing_baseline": baseline}, **more))


def grid(columns: int = SIZE, rows: int = SIZE) -> GeoBox:
    left, top = ORIGIN_M
    return GeoBox.from_bbox((left, top - 10 * rows, left + 10 * columns, top), crs=CRS, resolution=10)


def test_the_event_grid_is_utm_on_the_lattice_of_the_granules() -> None:
    geobox = grids.event_grid(AOI(box(-73.8, 18.3, -73.5, 18.6)))
    assert str(geobox.crs) == "EPSG:32618"
    assert geobox.resolution.xy == (10, -10)
    assert (geobox.transform.c % 10, geobox.transform.f % 10) == (0, 0)
    assert grids.inside(box(-73.7, 18.4, -73.6, 18.5), geobox).mean() == pytest.approx(1 / 9, rel=0.03)
    assert grids.inside(box(-73.8, 18.3, -73.5, 18.6), geobox).mean() > 0.98


def test_blocks_cover_the_grid_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grids, "BLOCK_PX", 50)
    seen = np.zeros((SIZE, 133), int)
    for window, block in grids.blocks(grid(133)):
        rows, columns = window.toslices()
        seen[rows, columns] += 1
        assert block.shape == (window.height, window.width)
        assert block.transform.c == ORIGIN_M[0] + 10 * window.col_off
    assert (seen == 1).all()


def test_the_offset_is_subtracted_without_making_nodata() -> None:
    dn = np.array([[0, 1, 1000, 1001, 9000, 65535]], np.uint16)
    assert load.remove_offset(dn, 1000).tolist() == [[0, 1, 1, 1, 8000, 64535]]
    assert load.remove_offset(dn, 0) is dn


def test_a_granule_on_the_grid_comes_through_unchanged(tmp_path: Path) -> None:
    scene = Scene((granule(tmp_path, "a", 700),))
    images = load.load_images(scene, BANDS, grid(), workers=2)
    assert images.shape == (12, SIZE, SIZE)
    assert (images[0] == 700).all()
    assert (images[1] == 700 + np.arange(SIZE)[:, None]).all()


def test_granules_of_two_baselines_are_merged_without_a_step(tmp_path: Path) -> None:
    half = SIZE // 2
    left = granule(tmp_path, "left", 700, keep=half + 10)
    right = granule(tmp_path, "right", 1700, baseline="05.09", origin=(ORIGIN_M[0] + 10 * half, ORIGIN_M[1]))
    images = load.load_images(Scene((right, left)), ("B04", "B11"), grid(), workers=2)
    assert np.unique(images).tolist() == [700]


def test_nodata_of_all_granules_stays_nodata(tmp_path: Path) -> None:
    scene = Scene((granule(tmp_path, "a", 700, keep=50),))
    images = load.load_images(scene, BANDS, grid(), workers=1)
    assert np.array_equal(images == 0, np.broadcast_to(np.arange(SIZE) >= 50, images.shape))
    assert np.array_equal(load.load_classes(scene, grid(), 1) == 0, images[0] == 0)


def test_a_missing_asset_and_an_unreadable_one_are_catalog_errors(tmp_path: Path) -> None:
    scene = Scene((granule(tmp_path, "a", 700),))
    path = tmp_path / "a_B11.tif"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(CatalogError, match="reading a failed"):
        load.load_images(scene, BANDS, grid(), workers=2)
    del scene.granules[0].assets["B11"]
    with pytest.raises(CatalogError, match="no asset for B11"):
        load.load_images(scene, BANDS, grid(), workers=2)


def elevation(folder: Path, name: str, collection: str, value: int, void: slice | None = None) -> dict[str, Any]:
    tile = np.full((200, 200), value, np.int16)
    if void:
        tile[:, void] = -9999
    origin = (-75.0 - 0.02, 18.09 + 0.02)
    path = write_raster(folder / f"{name}.tif", tile, crs="EPSG:4326", origin=origin, pixel=1 / 3600, nodata=-9999)
    return write_item(name, {"data": path}, collection=collection)


def event_config(folder: Path, *elevations: dict[str, Any]) -> FetchConfig:
    """Write a catalog with one scene per side and the given elevation tiles."""
    scenes = [
        granule(folder, "before", 700).to_dict(transform_hrefs=False),
        granule(folder, "after", 900, when=datetime(2021, 8, 19, 15, tzinfo=UTC)).to_dict(transform_hrefs=False),
    ]
    features = [*scenes, *elevations]
    (folder / "items.json").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    to_degrees = Transformer.from_crs(CRS, "EPSG:4326", always_xy=True)
    corners = [(ORIGIN_M[0] + 100, ORIGIN_M[1] - 1000), (ORIGIN_M[0] + 1000, ORIGIN_M[1] - 100)]
    (west, south), (east, north) = (to_degrees.transform(*corner) for corner in corners)
    return FetchConfig(
        out=folder / "event", aoi=f"{west},{south},{east},{north}", event_date="2021-08-14",
        catalog=str(folder / "items.json"),
    )  # fmt: skip


def test_copernicus_stands_in_where_there_is_no_alos(tmp_path: Path) -> None:
    config = event_config(tmp_path, elevation(tmp_path, "c", "cop-dem-glo-30", 300))
    assert fetch(config).elevation == "cop-dem-glo-30"
    assert (read_raster(config.out / "terrain.tif")[0] == 300).all()


def test_copernicus_fills_the_voids_of_alos(tmp_path: Path) -> None:
    alos = elevation(tmp_path, "a", "alos-dem", 250, void=slice(90, 110))
    config = event_config(tmp_path, alos, elevation(tmp_path, "c", "cop-dem-glo-30", 300))
    assert fetch(config).elevation == "alos-dem"
    heights = read_raster(config.out / "terrain.tif")[0]
    assert not np.isnan(heights).any()
    assert {heights.min(), heights.max()} == {250, 300}


def test_no_elevation_is_refused_unless_it_is_not_wanted(tmp_path: Path) -> None:
    config = event_config(tmp_path)
    with pytest.raises(InputError, match=r"no elevation.*--no-dem"):
        fetch(config)
    fetch(replace(config, no_dem=True))
    assert not Event.open(config.out).has("terrain")


def test_the_event_does_not_depend_on_its_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from landslide_cli.simulation.catalog import write_catalog

    made = write_catalog(tmp_path / "catalog", seed=5, shape=(230, 310))
    for name, size in (("whole", 2048), ("cut", 100)):
        monkeypatch.setattr(grids, "BLOCK_PX", size)
        fetch(
            FetchConfig(
                out=tmp_path / name, aoi=str(made.aoi), event_date=made.event_date.isoformat(), catalog=str(made.items)
            )
        )
    for product, tolerance in {"pre": 1, "post": 1, "clear": 0, "terrain": 1e-4}.items():
        whole, cut = (read_raster(tmp_path / name / f"{product}.tif").astype(float) for name in ("whole", "cut"))
        # At most the last digit: the transformation between zones is computed from another origin.
        assert whole == pytest.approx(cut, abs=tolerance, nan_ok=True), product
