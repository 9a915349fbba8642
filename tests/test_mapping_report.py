import json
import re
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from rasterio.transform import from_origin
from shapely.geometry import box
from test_mapping_text import HOSTILE

from landslide_cli.mapping.attributes import LANDSLIDE_FIELDS, NOT_ANALYSED_FIELDS
from landslide_cli.mapping.formats import Layer
from landslide_cli.mapping.report import Report, write_report
from landslide_cli.mapping.text import plain

EVIL = "</script><img src=x onerror=alert(1)>{{data}}"
TRANSFORM = from_origin(500_000, 2_000_000, 10, 10)


def report(count: int = 3) -> Report:
    polygons = [box(500_100 + 200 * n, 1_999_000, 500_200 + 200 * n, 1_999_150) for n in range(count)]
    record = dict.fromkeys(LANDSLIDE_FIELDS, 1.0) | {"confidence": 0.75, "slope_mean_deg": 25.0, "model": EVIL}
    records = [record | {"id": n + 1, "area_m2": 15_000.0, "at_edge": False} for n in range(count)]
    gap = {"id": 1, "area_m2": 90_000.0, "reason": EVIL}
    hidden = Layer(
        "not_analysed", "EPSG:32618", NOT_ANALYSED_FIELDS, [box(500_000, 1_998_000, 500_300, 1_998_300)], [gap]
    )
    image = np.full((150, 200, 3), 120, np.uint8)
    return Report(
        title=f"Landslides {EVIL}",
        pre=image,
        post=image + 50,
        landslides=Layer("landslides", "EPSG:32618", LANDSLIDE_FIELDS, polygons, records),
        not_analysed=hidden,
        aoi=box(500_000, 1_998_000, 502_000, 2_000_000),
        transform=TRANSFORM,
        shape_px=(300, 400),
        totals={"landslides": str(count), "x": EVIL},
        model={"model": EVIL},
        scores={EVIL: "0.5"},
        limits=EVIL,
        scenes=[{"side": "pre", "datetime": None, "id": EVIL}, {"side": "pre", "datetime": None, "id": "granule 2"}],
        pre_date=EVIL,
        post_date="2021-08-19",
        software="landslide 1",
    )


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture
def page(tmp_path: Path) -> str:
    write_report(report(), tmp_path / "report.html")
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def test_nothing_from_outside_becomes_markup(page: str) -> None:
    tags = Tags()
    tags.feed(page)
    assert not [attrs for tag, attrs in tags.found if tag == "img" or "onerror" in attrs]
    assert [tag for tag, _ in tags.found].count("script") == 2
    assert "&lt;/script&gt;" in page
    assert page.count("{{data}}") > 3, "what is put in is not filled in again"


def test_nothing_is_asked_of_a_network(page: str) -> None:
    addresses = re.findall(r'(?:href|src)="([^"]*)"', page)
    assert len(addresses) == 2
    assert all(address.startswith("data:image/jpeg;base64,") for address in addresses)
    assert "http" not in re.sub(r'data:image[^"]*', "", page).replace("http-equiv", "")
    assert "default-src 'none'" in page


def test_landslides_lie_where_they_are_with_their_records(page: str) -> None:
    found = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    data = json.loads(found[1])
    assert (data["width"], data["height"], data["gsd_m"]) == (400, 300, 10)
    assert len(data["records"]) == 3
    assert ["Highest probability", "1.0"] in data["records"][0]
    assert page.count('class="slide"') == 3
    first = re.search(r'class="slide" data-n="0" d="M([^"]*)Z"', page)
    assert first
    assert sorted(first[1].split("L")) == ["10 100", "10 85", "20 100", "20 85"]
    assert page.count('class="hidden"') == 1


def test_granules_of_one_time_are_all_named(page: str) -> None:
    assert page.count("pre date unknown") == 2
    assert "granule 2" in page


@pytest.mark.parametrize("name", HOSTILE)
def test_names_of_any_letters_have_a_report(tmp_path: Path, name: str) -> None:
    scenes = [{"side": "pre", "datetime": None, "id": HOSTILE[name]}]
    write_report(replace(report(), title=HOSTILE[name], scenes=scenes), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count(escape(plain(HOSTILE[name]))) >= 3


def test_an_event_without_landslides_has_a_report(tmp_path: Path) -> None:
    write_report(report(0), tmp_path / "report.html")
    assert "nothing to show" in (tmp_path / "report.html").read_text(encoding="utf-8")
