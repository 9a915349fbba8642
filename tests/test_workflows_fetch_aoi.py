"""Areas of every kind: no seam, no shift, nothing outside, nothing missing."""

import json
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
from shapely.geometry import box, mapping, shape

from landslide_cli.config import FetchConfig
from landslide_cli.event import Event
from landslide_cli.imagery import load
from landslide_cli.imagery.aoi import read_aoi
from landslide_cli.imagery.scenes import Scene
from landslide_cli.simulation.catalog import SimulatedCatalog, write_catalog
from landslide_cli.workflows.fetch import fetch


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as source:
        return source.read()


def fetched(catalog: SimulatedCatalog, out: Path, aoi: str | None = None) -> Event:
    fetch(
        FetchConfig(
            out=out, aoi=aoi or str(catalog.aoi), event_date=catalog.event_date.isoformat(), catalog=str(catalog.items)
        )
    )
    return Event.open(out)


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
        inside = load.inside(event.aoi, _grid(source))
        post = source.read()
    assert (post[:, inside] > 0).all()
    assert np.isfinite(read(event.path("terrain"))[:, inside]).all()
    # No seam where the granules of two zones meet: neighbours differ as much there as elsewhere.
    clear = (read(event.path("clear"))[0] == 1) & inside
    step = np.abs(np.diff(post[3].astype(float), axis=1))
    both = clear[:, 1:] & clear[:, :-1]
    columns = np.array(
        [np.median(step[both[:, c], c]) if both[:, c].sum() > 50 else np.nan for c in range(step.shape[1])]
    )
    assert np.nanmax(columns) < 4 * np.nanmedian(columns) + 20


def test_two_granules_of_one_scene_show_the_same_place(tmp_path: Path) -> None:
    catalog = write_catalog(tmp_path / "catalog", seed=6, shape=(200, 400))
    features = json.loads(catalog.items.read_text())["features"]
    items = [pystac.Item.from_dict(f, migrate=False) for f in features if f["collection"] == "sentinel-2-l2a"]
    for item in items:
        for asset in item.assets.values():
            asset.href = str(catalog.items.parent / asset.href)
    day = min(i.datetime for i in items if i.datetime)
    west, east = sorted((i for i in items if i.datetime == day), key=lambda i: i.properties["proj:epsg"])
    geobox = load.event_grid(read_aoi(str(catalog.aoi)))
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


def _grid(source: rasterio.DatasetReader) -> object:
    from odc.geo.geobox import GeoBox

    return GeoBox.from_rio(source)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> SimulatedCatalog:
    return write_catalog(tmp_path_factory.mktemp("catalog"), seed=8, shape=(200, 260))


def write_aoi(path: Path, geometry: object) -> str:
    feature = {"type": "Feature", "properties": {}, "geometry": mapping(geometry)}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return str(path)


def test_a_strip_a_kilometre_wide_gives_the_pixels_of_the_whole(catalog: SimulatedCatalog, tmp_path: Path) -> None:
    whole = fetched(catalog, tmp_path / "whole")
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
    equal = read(whole.path("sources"))[1][rows, columns] == read(part.path("sources"))[1]
    assert equal.mean() > 0.9
    assert np.abs(same[:, equal]).max() <= 1


def test_a_hole_in_the_aoi_is_no_gap(catalog: SimulatedCatalog, tmp_path: Path) -> None:
    bounds = shape(json.loads(catalog.aoi.read_text())["features"][0]["geometry"]).bounds
    outer = box(*bounds)
    ring = outer.difference(outer.centroid.buffer(0.004))
    event = fetched(catalog, tmp_path / "event", write_aoi(tmp_path / "ring.geojson", ring))
    with rasterio.open(event.path("clear")) as source:
        inside = load.inside(event.aoi, _grid(source))
    assert not inside[inside.shape[0] // 2, inside.shape[1] // 2]
    facts = event.step("fetch")
    assert facts["clear_percent"] + sum(facts["unseen_percent"].values()) == pytest.approx(100, abs=0.1)
    assert facts["unseen_percent"]["outside the swath"] < 1
