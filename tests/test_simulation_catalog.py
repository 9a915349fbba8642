import json
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import pystac
import pytest
import rasterio
from odc.geo.geobox import GeoBox
from odc.stac import load
from rasterio.features import rasterize
from rasterio.warp import transform_geom
from rio_cogeo.cogeo import cog_validate
from shapely.geometry import shape

from landslide_cli.geo.bands import BAND_GSD_M, BANDS, BASELINE_OFFSET
from landslide_cli.simulation.catalog import SimulatedCatalog, tile_name, write_catalog

SHAPE = (120, 150)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> SimulatedCatalog:
    return write_catalog(tmp_path_factory.mktemp("catalog"), seed=2, shape=SHAPE, cloudy_scenes=0)


def items_of(catalog: SimulatedCatalog, collection: str = "sentinel-2-l2a") -> list[dict[str, Any]]:
    features = json.loads(catalog.items.read_text())["features"]
    return [item for item in features if item["collection"] == collection]


def read(catalog: SimulatedCatalog, item: dict[str, Any], key: str) -> npt.NDArray[Any]:
    with rasterio.open(catalog.items.parent / item["assets"][key]["href"]) as file:
        values: npt.NDArray[Any] = file.read(1)
    return values


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    folders = tmp_path / "a", tmp_path / "b"
    for folder in folders:
        write_catalog(folder, shape=(60, 60), cloudy_scenes=0)
    first, second = (sorted(p.relative_to(f) for f in [folder] for p in f.rglob("*.*") if p.is_file())
                     for folder in folders)  # fmt: skip
    assert first == second
    assert len(first) > 4 * 13
    for path in first:
        assert (folders[0] / path).read_bytes() == (folders[1] / path).read_bytes(), path


def test_every_file_is_a_valid_cog_of_its_resolution(catalog: SimulatedCatalog) -> None:
    for item in items_of(catalog):
        assert set(item["assets"]) == {*BANDS, "SCL"}
        for key, asset in item["assets"].items():
            path = catalog.items.parent / asset["href"]
            with rasterio.open(path) as file:
                assert file.dtypes == (("uint8",) if key == "SCL" else ("uint16",))
                assert file.nodata == 0
                assert file.res == (BAND_GSD_M.get(key, 20),) * 2
                assert file.crs.to_epsg() == item["properties"]["proj:epsg"]
                assert list(file.shape) == asset["proj:shape"]
                assert list(file.transform)[:6] == asset["proj:transform"]
                assert list(file.bounds) == asset["proj:bbox"]
    for path in catalog.items.parent.rglob("*.tif"):
        valid, errors, _ = cog_validate(path, strict=True, quiet=True)
        assert valid, (path, errors)


def test_scenes_on_both_sides_and_both_zones(catalog: SimulatedCatalog) -> None:
    items = items_of(catalog)
    found = [(item["properties"]["datetime"][:10] > "2021-08-14", item["properties"]["proj:epsg"]) for item in items]
    assert sorted(found) == [(False, 32618), (False, 32619), (True, 32618), (True, 32619)]
    assert len({item["id"] for item in items}) == 4
    baselines = {
        later: item["properties"]["s2:processing_baseline"] for (later, _), item in zip(found, items, strict=True)
    }
    assert baselines == {False: "03.01", True: "05.09"}
    for item in items:
        assert item["properties"]["s2:nodata_pixel_percentage"] > 1
        assert item["properties"]["eo:cloud_cover"] < 15


def test_offset_only_after_and_nodata_stays_zero(catalog: SimulatedCatalog) -> None:
    for item in items_of(catalog):
        later = item["properties"]["s2:processing_baseline"] == "05.09"
        nodata = read(catalog, item, "SCL") == 0
        assert 0.01 < nodata.mean() < 0.99
        for key in BANDS:
            image = read(catalog, item, key)
            gsd = BAND_GSD_M[key]
            here = nodata.repeat(2, 0).repeat(2, 1) if gsd == 10 else nodata[:: gsd // 20, :: gsd // 20]
            assert np.array_equal(image == 0, here), key
            assert image[image > 0].min() > (BASELINE_OFFSET if later else 0)
        assert (np.percentile(read(catalog, item, "B04")[~nodata.repeat(2, 0).repeat(2, 1)], 5) > 1000) == later


def test_pystac_reads_the_items(catalog: SimulatedCatalog) -> None:
    collection = pystac.ItemCollection.from_file(str(catalog.items))
    assert len(collection) == 6
    for item in collection:
        assert shape(item.geometry).is_valid


def test_odc_stac_loads_the_area_without_a_gap(catalog: SimulatedCatalog) -> None:
    collection = pystac.ItemCollection.from_file(str(catalog.items))
    folder = catalog.items.parent
    items = [
        item
        for item in collection
        if item.collection_id == "sentinel-2-l2a" and item.properties["datetime"][8:10] < "14"
    ]
    for item in items:
        for asset in item.assets.values():
            asset.href = str(folder / asset.href)
    aoi = json.loads(catalog.aoi.read_text())["features"][0]["geometry"]
    with rasterio.open(catalog.truth) as truth:
        grid = GeoBox(truth.shape, truth.transform, truth.crs.to_string())
        outline = transform_geom("EPSG:4326", truth.crs, aoi)
    loaded = load(items, bands=["B04", "B11"], geobox=grid, groupby="solar_day")
    inside = rasterize([outline], grid.shape, transform=grid.transform).astype(bool)
    assert abs(inside.sum() - SHAPE[0] * SHAPE[1]) < 0.02 * inside.sum()
    assert loaded.sizes["time"] == 1
    for band in ("B04", "B11"):
        assert (loaded[band].values[0][inside] > 0).all()


def test_truth_and_inventory_agree(catalog: SimulatedCatalog) -> None:
    with rasterio.open(catalog.truth) as file:
        truth, crs, transform = file.read(1), file.crs, file.transform
    assert truth.dtype == np.uint8
    assert set(np.unique(truth)) == {0, 1}
    assert transform.a == 10
    assert transform.c % 10 == transform.f % 10 == 0
    features = json.loads(catalog.inventory.read_text())["features"]
    polygons = [transform_geom("EPSG:4326", crs, feature["geometry"]) for feature in features]
    assert np.array_equal(rasterize(polygons, truth.shape, transform=transform), truth)


def test_elevation_tiles_meet_at_the_degree(catalog: SimulatedCatalog) -> None:
    west, east = sorted(items_of(catalog, "alos-dem"), key=lambda item: item["bbox"][0])
    assert (west["id"], east["id"]) == ("N018W073", "N018W072")
    assert west["bbox"][2] == east["bbox"][0] == -72.0
    left, right = read(catalog, west, "data"), read(catalog, east, "data")
    assert left.dtype == right.dtype == np.int16
    assert left.min() > -9999
    assert right.min() > -9999
    across = np.abs(left[:, -1].astype(int) - right[:, 0])
    beside = np.abs(left[:, -2].astype(int) - left[:, -1])
    assert across.mean() < 2 * beside.mean() + 1
    box = shape(json.loads(catalog.aoi.read_text())["features"][0]["geometry"]).bounds
    assert west["bbox"][0] < box[0] - 0.015
    assert east["bbox"][2] > box[2] + 0.015


def test_links_of_a_server_lead_to_the_files(tmp_path: Path) -> None:
    prefix = "http://sentinel2l2a01.blob.core.windows.net/sentinel2-l2"
    catalog = write_catalog(
        tmp_path, shape=(60, 60), cloudy_scenes=0, base_url=prefix, event_date=date(2019, 1, 2), seed=3
    )
    for item in items_of(catalog) + items_of(catalog, "alos-dem"):
        for asset in item["assets"].values():
            assert (tmp_path / urlsplit(asset["href"]).path.lstrip("/")).is_file()
            if item["collection"] == "sentinel-2-l2a":
                assert asset["href"].startswith(f"{prefix}/{item['properties']['s2:mgrs_tile'][:2]}/")


def test_tile_names() -> None:
    assert tile_name(-73, 18) == "N018W073"
    assert tile_name(36, -15) == "S015E036"
