"""Areas of every kind: no seam, no shift, nothing outside, nothing missing."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
import rasterio.shutil
from conftest import read_raster
from odc.geo.geobox import GeoBox
from shapely.geometry import box, mapping, shape

from landslide_cli.config import FetchConfig
from landslide_cli.event.folder import Event
from landslide_cli.event.products import FETCHED
from landslide_cli.geo import grids
from landslide_cli.geo.aoi import read_aoi
from landslide_cli.geo.bands import BAND_GSD_M, BANDS
from landslide_cli.imagery import load
from landslide_cli.imagery.catalogs import dn_offset
from landslide_cli.imagery.scenes import Scene
from landslide_cli.simulation.catalog import SimulatedCatalog, write_catalog
from landslide_cli.workflows.fetch import fetch


def fetched(catalog: SimulatedCatalog, out: Path, aoi: str | None = None) -> Event:
    fetch(
        FetchConfig(
            out=out, aoi=aoi or str(catalog.aoi), event_date=catalog.event_date.isoformat(), catalog=str(catalog.items)
        )
    )
    return Event.open(out)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> SimulatedCatalog:
    return write_catalog(tmp_path_factory.mktemp("catalog"), seed=8, shape=(200, 260))


@pytest.fixture(scope="module")
def whole(catalog: SimulatedCatalog, tmp_path_factory: pytest.TempPathFactory) -> Event:
    """The event of the whole area."""
    return fetched(catalog, tmp_path_factory.mktemp("whole") / "event")


@pytest.mark.parametrize(
    ("centre", "crs"),
    [((-72.0, 18.5), "EPSG:32618"), ((174.0, -41.5), "EPSG:32760"), ((18.0, 70.0), "EPSG:32633")],
)
def test_every_place_is_covered_and_on_the_lattice(tmp_path: Path, centre: tuple[float, float], crs: str) -> None:
    catalog = write_catalog(tmp_path / "catalog", seed=2, shape=(150, 180), centre=centre)
    event = fetched(catalog, tmp_path / "event")
    zone = int(crs[-2:])
    assert event.properties["proj:code"] in (crs, f"{crs[:-2]}{zone + 1:02}", f"{crs[:-2]}{zone - 1:02}")
    with rasterio.open(event.path("post")) as source:
        assert (source.transform.c % 10, source.transform.f % 10) == (0, 0)
        inside = grids.inside(event.aoi, GeoBox.from_rio(source))
        post = source.read()
    assert (post[:, inside] > 0).all()
    assert np.isfinite(read_raster(event.path("terrain"))[:, inside]).all()
    # No seam where the granules of two zones meet: neighbours differ as much there as elsewhere.
    clear = (read_raster(event.path("clear"))[0] == 1) & inside
    step = np.abs(np.diff(post[3].astype(float), axis=1))
    both = clear[:, 1:] & clear[:, :-1]
    columns = np.array(
        [np.median(step[both[:, c], c]) if both[:, c].sum() > 50 else np.nan for c in range(step.shape[1])]
    )
    assert np.nanmax(columns) < 4 * np.nanmedian(columns) + 20


def cut_into_four(catalog: SimulatedCatalog, folder: Path) -> Path:
    """Cut both granules of each pass into a northern and a southern one, which share 120 m."""
    collection = json.loads(catalog.items.read_text())
    features = []
    for feature in collection["features"]:
        parts = ("N", "S") if feature["collection"] == "sentinel-2-l2a" else ("",)
        for part in parts:
            one = json.loads(json.dumps(feature))
            one["id"] += part
            if part:
                # What shares its tile and its time is one granule, processed twice.
                one["properties"]["s2:mgrs_tile"] = f"18Q{part}{one['properties']['proj:epsg'] % 10}"
            for asset in one["assets"].values():
                path = catalog.items.parent / asset["href"]
                asset["href"] = str(path)
                if part:
                    asset["href"] = str(folder / f"{one['id']}-{path.name}")
                    asset["proj:transform"], asset["proj:shape"] = _halve(path, Path(asset["href"]), part == "N")
            features.append(one)
    items = folder / "items.json"
    items.write_text(json.dumps({**collection, "features": features}))
    return items


def _halve(path: Path, target: Path, north: bool) -> tuple[list[float], list[int]]:
    with rasterio.open(path) as source:
        # The cut lies on a 60 m pixel, which all bands have.
        height_m = source.height * source.res[0]
        middle_m = height_m // 2 // 60 * 60
        first, last = (0, middle_m + 60) if north else (middle_m - 60, height_m)
        rows = slice(int(first // source.res[0]), int(last // source.res[0]))
        data = source.read()[:, rows]
        transform = source.transform @ rasterio.Affine.translation(0, rows.start)
        profile = source.profile | {"driver": "GTiff", "height": data.shape[1], "transform": transform}
    with rasterio.open(target, "w", **profile) as written:
        written.write(data)
    return list(transform)[:6], list(data.shape[1:])


def test_four_granules_that_meet_in_the_aoi_are_as_good_as_two(
    catalog: SimulatedCatalog, whole: Event, tmp_path: Path
) -> None:
    four = fetched(replace(catalog, items=cut_into_four(catalog, tmp_path)), tmp_path / "four")
    assert len({scene["id"] for scene in four.scenes}) == 2 * len({scene["id"] for scene in whole.scenes}) >= 8
    for product in FETCHED:
        assert np.array_equal(read_raster(whole.path(product)), read_raster(four.path(product)), equal_nan=True), (
            product
        )


def in_the_layout_of_copernicus(catalog: SimulatedCatalog, folder: Path) -> Path:
    """Rewrite the items as the Copernicus Data Space lists them: JP2, keys with the GSD, offsets declared."""
    collection = json.loads(catalog.items.read_text())
    for feature in collection["features"]:
        offset = dn_offset(pystac.Item.from_dict(feature, migrate=False))
        assets = {
            key: {**asset, "href": str(catalog.items.parent / asset["href"])}
            for key, asset in feature["assets"].items()
        }
        if feature["collection"] == "sentinel-2-l2a":
            feature["properties"].pop("s2:processing_baseline")
            for key in (*BANDS, "SCL"):
                asset = assets.pop(key)
                target = folder / f"{feature['id']}-{key}.jp2"
                rasterio.shutil.copy(asset["href"], target, driver="JP2OpenJPEG", quality=100, reversible="yes")
                asset["href"] = str(target)
                if key != "SCL":
                    asset |= {"raster:scale": 0.0001, "raster:offset": -offset / 10000}
                assets[f"{key}_{BAND_GSD_M.get(key, 20)}m"] = asset
        feature["assets"] = assets
    items = folder / "items.json"
    items.write_text(json.dumps(collection))
    return items


def test_jp2_with_declared_offsets_give_the_event_that_cogs_give(
    catalog: SimulatedCatalog, whole: Event, tmp_path: Path
) -> None:
    jp2 = fetched(replace(catalog, items=in_the_layout_of_copernicus(catalog, tmp_path)), tmp_path / "jp2")
    assert {scene["offset_removed"] for scene in jp2.scenes} == {0, 1000}
    for product in FETCHED:
        assert np.array_equal(read_raster(whole.path(product)), read_raster(jp2.path(product)), equal_nan=True), product


def test_two_granules_of_one_scene_show_the_same_place(tmp_path: Path) -> None:
    catalog = write_catalog(tmp_path / "catalog", seed=6, shape=(200, 400))
    features = json.loads(catalog.items.read_text())["features"]
    items = [pystac.Item.from_dict(f, migrate=False) for f in features if f["collection"] == "sentinel-2-l2a"]
    for item in items:
        for asset in item.assets.values():
            asset.href = str(catalog.items.parent / asset.href)
    day = min(i.datetime for i in items if i.datetime)
    west, east = sorted((i for i in items if i.datetime == day), key=lambda i: i.properties["proj:epsg"])
    geobox = grids.event_grid(read_aoi(str(catalog.aoi)))
    for band in ("B04", "B11"):
        here, there = (load.load_images(Scene((g,)), (band,), geobox, 2)[0].astype(float) for g in (west, east))
        both = (here > 0) & (there > 0) & (here < 2500)
        assert both.sum() > 5000
        shift = _shift_px(here, there, both)
        assert np.hypot(*shift) <= 0.1, (band, shift)


def _shift_px(one: np.ndarray, other: np.ndarray, mask: np.ndarray) -> tuple[float, float]:
    """Estimate the shift between two images from their gradients, by least squares."""
    down, right = np.gradient((one + other) / 2)
    inner = np.zeros_like(mask)
    inner[2:-2, 2:-2] = True
    kernel = mask & inner
    for axis in (0, 1):
        kernel &= np.roll(mask, 2, axis) & np.roll(mask, -2, axis)
    design = np.stack([down[kernel], right[kernel]], axis=1)
    solution = np.linalg.lstsq(design, (one - other)[kernel], rcond=None)[0]
    return float(solution[0]), float(solution[1])


def write_aoi(path: Path, geometry: object) -> str:
    feature = {"type": "Feature", "properties": {}, "geometry": mapping(geometry)}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return str(path)


def test_a_strip_a_kilometre_wide_gives_the_pixels_of_the_whole(
    catalog: SimulatedCatalog, whole: Event, tmp_path: Path
) -> None:
    west, south, east, north = whole.aoi.bounds
    middle = (west + east) / 2
    strip = box(middle - 0.0047, south + 0.002, middle + 0.0047, north - 0.002)
    part = fetched(catalog, tmp_path / "part", write_aoi(tmp_path / "strip.geojson", strip))
    with rasterio.open(whole.path("post")) as one, rasterio.open(part.path("post")) as other:
        assert 95 <= other.width <= 110
        if one.crs != other.crs:
            pytest.skip("the middle of the strip lies in the other zone")
        window = one.window(*other.bounds).round_offsets().round_lengths()
        same = one.read(window=window).astype(int) - other.read()
    rows, columns = window.toslices()
    equal = read_raster(whole.path("sources"))[1][rows, columns] == read_raster(part.path("sources"))[1]
    assert equal.mean() > 0.9
    assert np.abs(same[:, equal]).max() <= 1


def test_a_hole_in_the_aoi_is_no_gap(catalog: SimulatedCatalog, tmp_path: Path) -> None:
    bounds = shape(json.loads(catalog.aoi.read_text())["features"][0]["geometry"]).bounds
    outer = box(*bounds)
    ring = outer.difference(outer.centroid.buffer(0.004))
    event = fetched(catalog, tmp_path / "event", write_aoi(tmp_path / "ring.geojson", ring))
    with rasterio.open(event.path("clear")) as source:
        inside = grids.inside(event.aoi, GeoBox.from_rio(source))
    assert not inside[inside.shape[0] // 2, inside.shape[1] // 2]
    facts = event.fetched
    assert facts.clear_percent + sum(facts.unseen_percent.values()) == pytest.approx(100, abs=0.1)
    assert facts.unseen_percent["outside the swath"] < 1
