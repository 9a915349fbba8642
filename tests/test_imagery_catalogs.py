import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pystac
import pytest
from servers import failing_api, stac_api
from shapely.geometry import box

from landslide_cli.errors import CatalogError, InputError
from landslide_cli.geo.bands import BANDS
from landslide_cli.imagery import catalogs
from landslide_cli.imagery.catalogs import (
    CATALOGS,
    asset_key,
    baseline,
    dn_offset,
    find_catalog,
    find_catalogs,
    relative_orbit,
    search,
    sun_position,
)

EVERYWHERE = box(-180, -90, 180, 90)


def items_of(shared_data: Path, name: str) -> list[pystac.Item]:
    raw = json.loads((shared_data / "stac" / name).read_text())
    return [pystac.Item.from_dict(feature, migrate=False) for feature in raw.get("features", [raw])]


@pytest.mark.parametrize(
    "name", ["pc_sentinel-2-l2a.json", "pc_sentinel-2-l2a_2019.json", "earth-search_sentinel-2-c1-l2a.json"]
)
def test_real_items_list_every_band(shared_data: Path, name: str) -> None:
    for item in items_of(shared_data, name):
        assert all(asset_key(item, band) for band in (*BANDS, "SCL"))


@pytest.mark.parametrize(
    ("name", "offset", "processed"),
    [
        ("pc_sentinel-2-l2a.json", 0, (2, 12)),
        ("earth-search_sentinel-2-c1-l2a.json", 1000, (5, 11)),
        ("earth-search_sentinel-2-l2a.json", 0, (5, 11)),
    ],
)
def test_the_offset_of_real_items(shared_data: Path, name: str, offset: int, processed: tuple[int, int]) -> None:
    for item in items_of(shared_data, name):
        assert dn_offset(item) == offset
        assert baseline(item) == processed


def item(identifier: str, when: str, processed: str | None, west: float = 10) -> pystac.Item:
    area = box(west, 45, west + 1, 46)
    made = pystac.Item(
        identifier, area.__geo_interface__, list(area.bounds), datetime.fromisoformat(when).replace(tzinfo=UTC),
        {"s2:processing_baseline": processed} if processed else {}, collection="sentinel-2-l2a",
    )  # fmt: skip
    made.add_asset("B04", pystac.Asset("B04.tif"))
    return made


@pytest.mark.parametrize(
    ("processed", "offset"), [("02.12", 0), ("03.01", 0), ("04.00", 1000), ("05.11", 1000), ("10.00", 1000), (None, 0)]
)
def test_the_offset_follows_the_baseline_and_never_the_date(processed: str | None, offset: int) -> None:
    assert dn_offset(item("old", "2016-01-01", processed)) == offset
    assert dn_offset(item("new", "2025-01-01", processed)) == offset


def test_an_api_that_fails_between_its_pages_gives_the_same_items(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogs, "PAGE_ITEMS", 2)
    monkeypatch.setattr(catalogs, "PATIENCE", catalogs.PATIENCE.new(backoff_factor=0.01, backoff_jitter=0))
    items = [item(f"S{day}", f"2021-06-{day:02}", "02.12") for day in range(1, 6)]
    write_collection(tmp_path / "items.json", *items)

    def ask(api: str, fails: Callable[[int, str], str | None]) -> tuple[list[str], int]:
        with failing_api(api, fails) as (address, asked):
            found = search(find_catalog(address), ["sentinel-2-l2a"], EVERYWHERE)
            return [i.id for i in found], len(asked)

    with stac_api(tmp_path / "items.json") as api:
        calm, requests = ask(api, lambda *_: None)
        assert calm == [i.id for i in items]
        assert requests >= 4  # the landing page and three pages
        for number, how in enumerate(("503", "cut", "close", "cut")):

            def fails(n: int, _: str, how: str = how, number: int = number) -> str | None:
                return how if n == number else None

            found, more = ask(api, fails)
            assert found == calm, (how, number)
            assert more > requests
        with pytest.raises(CatalogError, match="did not answer"):
            ask(api, lambda n, _: "close" if n >= requests - 1 else None)


@pytest.mark.parametrize("href", ["/etc/passwd", "file:///etc/passwd", "../x.tif", "/vsicurl/http://x/y", "vsimem:a"])
def test_an_api_cannot_make_this_machine_open_its_own_files(href: str) -> None:
    made = item("S1", "2021-06-01", "02.12")
    made.add_asset("B08", pystac.Asset("https://example.org/B08.tif"))
    made.add_asset("B04", pystac.Asset(href))
    assert set(catalogs._without_local_links(made).assets) == {"B08"}


def write_collection(path: Path, *items: pystac.Item) -> str:
    collection = {"type": "FeatureCollection", "features": [i.to_dict(transform_hrefs=False) for i in items]}
    path.write_text(json.dumps(collection))
    return str(path)


def test_a_collection_on_disk_is_filtered_by_place_time_and_collection(tmp_path: Path) -> None:
    path = write_collection(
        tmp_path / "items.json",
        item("before", "2021-05-31T23:59:59", "02.12"),
        item("last", "2021-06-30T23:59:59", "02.12"),
        item("first", "2021-06-01T00:00:00", "02.12"),
        item("elsewhere", "2021-06-10", "02.12", west=30),
    )
    catalog = find_catalog(path)
    found = search(catalog, catalog.images, box(10.2, 45.2, 10.3, 45.3), (date(2021, 6, 1), date(2021, 6, 30)))
    assert [i.id for i in found] == ["first", "last"]
    assert found[0].assets["B04"].href == str(tmp_path / "B04.tif")
    assert search(catalog, ["alos-dem"], EVERYWHERE) == []


def test_known_names_and_addresses_are_catalogs() -> None:
    assert find_catalog("planetary-computer") is CATALOGS["planetary-computer"]
    assert find_catalog("https://example.org/stac").is_api
    with pytest.raises(InputError, match="planetary-computer"):
        find_catalog("planetary")


def test_a_file_that_is_no_collection_is_a_catalog_error(tmp_path: Path) -> None:
    (tmp_path / "items.json").write_text('{"type": "Feature"}')
    with pytest.raises(CatalogError, match="not a STAC item collection") as caught:
        search(find_catalog(str(tmp_path / "items.json")), ["sentinel-2-l2a"], EVERYWHERE)
    assert caught.value.exit_code == 4


def test_auto_asks_the_known_catalogs_in_turn() -> None:
    assert [c.name for c in find_catalogs("auto")] == ["planetary-computer", "earth-search", "copernicus"]
    assert find_catalogs("earth-search") == [CATALOGS["earth-search"]]


def test_bands_are_found_under_the_keys_of_the_copernicus_data_space() -> None:
    made = item("a", "2021-06-01", None)
    made.assets.clear()
    for key in ("B01_60m", "B02_10m", "B8A_20m", "B11_20m", "SCL_20m"):
        made.add_asset(key, pystac.Asset(f"s3://eodata/{key}.jp2", extra_fields={"raster:offset": -0.1}))
    found = {band: asset_key(made, band) for band in ("B01", "B02", "B8A", "B11", "SCL", "B04")}
    assert found == {
        "B01": "B01_60m", "B02": "B02_10m", "B8A": "B8A_20m", "B11": "B11_20m", "SCL": "SCL_20m", "B04": None,
    }  # fmt: skip
    made.add_asset("B04_10m", pystac.Asset("s3://eodata/B04.jp2", extra_fields={"raster:offset": -0.1}))
    assert dn_offset(made) == 1000


@pytest.mark.parametrize(
    ("name", "orbit", "sun"),
    [
        ("pc_sentinel-2-l2a.json", 116, (8.669, 174.189)),
        ("earth-search_sentinel-2-c1-l2a.json", 95, (4.164, 39.491)),
    ],
)
def test_orbit_and_sun_of_real_items(shared_data: Path, name: str, orbit: int, sun: tuple[float, float]) -> None:
    first = items_of(shared_data, name)[0]
    assert relative_orbit(first) == orbit
    assert sun_position(first) == pytest.approx(sun, abs=0.001)
