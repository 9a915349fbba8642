import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from shapely.geometry import Point, box, mapping

from landslide_cli.errors import CatalogError, InputError
from landslide_cli.training.inventories import INVENTORIES, Inventory
from landslide_cli.workflows import inventories
from landslide_cli.workflows.inventories import download, fetch_inventory, list_inventories

SHAPES = [box(0, 0, 1, 1), box(2, 2, 3, 3), Point(5, 5)]
FEATURES = [{"type": "Feature", "properties": {}, "geometry": mapping(shape)} for shape in SHAPES]
FILE = json.dumps({"type": "FeatureCollection", "features": FEATURES}).encode()


class _Handler(BaseHTTPRequestHandler):
    """Answers with the inventory, or with what goes wrong under the name of the path."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        path = self.path.partition("/to/")
        if path[1]:
            self._send(302, b"", {"Location": path[2]})
        elif self.path == "/page.geojson":
            self._send(200, b"<html>log in first</html>")
        elif self.path == "/cut.geojson":
            self._send(200, FILE[: len(FILE) // 2], {"Content-Length": str(len(FILE))})
        elif self.path == "/endless.geojson":
            self._send(200, None, {"Transfer-Encoding": "chunked"})
        elif self.path.partition("?")[0] == "/inventory.geojson":
            self._send(200, FILE)
        else:
            self._send(404, b"no such file")

    def _send(self, status: int, data: bytes | None, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**({} if data is None else {"Content-Length": str(len(data))}), **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        if data is not None:
            self.wfile.write(data)
            return
        try:
            while True:
                self.wfile.write(b"1000\r\n" + bytes(0x1000) + b"\r\n")
        except OSError:
            return


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A real server on loopback."""
    running = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    running.server_close()
    thread.join()


def at(url: str) -> Inventory:
    """An inventory that lies at `url`."""
    return replace(INVENTORIES[0], download=url)


def test_an_inventory_is_downloaded_and_counted(server: str, tmp_path: Path) -> None:
    shares: list[float] = []
    found = download(at(f"{server}/inventory.geojson"), tmp_path / "a.geojson", lambda _, share: shares.append(share))
    assert (tmp_path / "a.geojson").read_bytes() == FILE
    assert (found.polygons, found.verified) == (2, False)
    assert found.sha256 == hashlib.sha256(FILE).hexdigest()
    assert shares[-1] == 1


def test_a_redirect_is_followed(server: str, tmp_path: Path) -> None:
    download(at(f"{server}/to/{server}/inventory.geojson"), tmp_path / "a.geojson")
    assert (tmp_path / "a.geojson").read_bytes() == FILE


def test_the_file_is_named_after_the_inventory(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert download(at(f"{server}/inventory.geojson?token=1.zip")).file == Path("haiti.geojson")
    assert (tmp_path / "haiti.geojson").exists()


def test_the_checksum_is_compared_where_it_is_known(server: str, tmp_path: Path) -> None:
    known = replace(at(f"{server}/inventory.geojson"), sha256=hashlib.sha256(FILE).hexdigest())
    assert download(known, tmp_path / "a.geojson").verified
    with pytest.raises(CatalogError, match=f"expected {'0' * 64}"):
        download(replace(known, sha256="0" * 64), tmp_path / "b.geojson")
    assert [path.name for path in tmp_path.iterdir()] == ["a.geojson"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("missing.geojson", "404"),
        ("cut.geojson", "cannot be downloaded|ended after"),
        ("page.geojson", "not a vector file"),
        ("to/file:///etc/hostname", "cannot be downloaded"),
        ("to/ftp://127.0.0.1/inventory.geojson", "cannot be downloaded"),
    ],
)
def test_what_fails_is_one_error_and_leaves_nothing(server: str, tmp_path: Path, path: str, message: str) -> None:
    with pytest.raises(CatalogError, match=message):
        download(at(f"{server}/{path}"), tmp_path / "a.geojson")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["inventory.geojson", "endless.geojson"])
def test_what_is_too_large_is_given_up(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setattr(inventories, "MAX_BYTES", len(FILE) - 1)
    with pytest.raises(CatalogError, match="is larger than"):
        download(at(f"{server}/{path}"), tmp_path / "a.geojson")
    assert list(tmp_path.iterdir()) == []


def test_without_a_network_there_is_one_error(tmp_path: Path) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        with pytest.raises(CatalogError, match="check the network"):
            download(at(f"http://127.0.0.1:{unheard.getsockname()[1]}/a.geojson"), tmp_path / "a.geojson")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_exists_is_left_alone(server: str, tmp_path: Path) -> None:
    (tmp_path / "a.geojson").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        download(at(f"{server}/inventory.geojson"), tmp_path / "a.geojson")
    assert (tmp_path / "a.geojson").read_text() == "mine"


def test_what_must_be_fetched_by_hand_says_from_where(tmp_path: Path) -> None:
    by_hand = [known for known in list_inventories().inventories if known.download is None]
    assert by_hand
    for known in by_hand:
        with pytest.raises(InputError, match="by hand") as caught:
            fetch_inventory(known.name, tmp_path / "a.gpkg")
        assert known.source in str(caught.value)
    with pytest.raises(InputError, match="no inventory is named 'wenchuan'; known: haiti, palu"):
        fetch_inventory("wenchuan")
