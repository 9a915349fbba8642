"""Real servers on loopback: storage with range requests and signed URLs, its token service, a STAC API."""

import json
import random
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlparse
from urllib.request import Request, urlopen

ACCOUNT, CONTAINER = "sentinel2l2a01", "sentinel2-l2"
BASE_URL = f"http://{ACCOUNT}.blob.core.windows.net/{CONTAINER}"
"""Storage as Planetary Computer names it; reached through the proxy below, never by name."""


@dataclass
class Traffic:
    """What a server was asked."""

    paths: list[str] = field(default_factory=list)
    bytes_sent: int = 0
    refused: int = 0
    tokens: int = 0
    throttled: int = 0
    cut: int = 0


@dataclass
class Faults:
    """What goes wrong at a server."""

    throttled_share: float = 0.0
    """Share of the requests that are answered 429 or 503."""
    cut_share: float = 0.0
    """Share of the requests whose answer ends in the middle."""
    token_life_s: float = 1e9
    """How long a token is good for."""

    def __post_init__(self) -> None:
        # One series each: how many answers are cut then depends on their number alone, not on the order of requests.
        self._throttling, self._cutting = random.Random(0), random.Random(0)
        self._lock = threading.Lock()

    def throttle(self) -> int:
        """Return 429 or 503 where the next request is throttled, else 0."""
        with self._lock:
            chance = self._throttling.random()
        return 0 if chance >= self.throttled_share else 429 if chance < self.throttled_share / 2 else 503

    def cut(self) -> bool:
        """Return whether the next answer ends in the middle."""
        with self._lock:
            return self._cutting.random() < self.cut_share


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder: Path
    traffic: Traffic
    faults: Faults

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        url = urlparse(self.path)
        if status := self.faults.throttle():
            self.traffic.throttled += 1
            self._send(status, b"later", body)
            return
        if url.path.startswith(f"/token/{ACCOUNT}/"):
            self.traffic.tokens += 1
            expiry = time.time() + self.faults.token_life_s
            stated = datetime.fromtimestamp(min(expiry, 2e9), UTC).isoformat()
            token = f"st=0&se=0&sp=rl&sig=loopback&until={expiry:.3f}"
            self._send(200, json.dumps({"msft:expiry": stated, "token": token}).encode(), body)
            return
        query = parse_qs(url.query)
        if query.get("sig") != ["loopback"] or float(query["until"][0]) < time.time():
            self.traffic.refused += 1
            self._send(403, b"no valid signature", body)
            return
        cut = body and self.faults.cut()
        self.traffic.cut += cut
        path = self.folder / url.path.lstrip("/")
        if not path.is_file():
            self._send(404, b"no such blob", body)
            return
        self.traffic.paths.append(url.path)
        data = path.read_bytes()
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked:
            start = int(asked[1])
            end = min(int(asked[2] or len(data) - 1), len(data) - 1)
            self._send(206, data[start : end + 1], body, {"Content-Range": f"bytes {start}-{end}/{len(data)}"}, cut)
        else:
            self._send(200, data, body, cut=cut)

    def _send(
        self, status: int, data: bytes, body: bool, headers: dict[str, str] | None = None, cut: bool = False
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), "Accept-Ranges": "bytes", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(data[: len(data) // 2] if cut else data)
            self.traffic.bytes_sent += len(data)
        if cut:
            self.close_connection = True


@contextmanager
def storage(folder: Path, faults: Faults | None = None) -> Iterator[tuple[str, Traffic]]:
    """Serve `folder` as signed storage, as an HTTP proxy for its host name; yield its address and traffic."""
    traffic = Traffic()
    handler = type("Handler", (_Handler,), {"folder": folder, "traffic": traffic, "faults": faults or Faults()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}", traffic
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def failing_api(api: str, fails: Callable[[int, str], str | None]) -> Iterator[tuple[str, list[str]]]:
    """Stand before a STAC API; yield an address and what was asked there.

    `fails` is given the number of the request, from 0, and its path; it says `503`, `cut` or `close`, or None
    to let it pass.
    """
    asked: list[str] = []
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self._forward(None)

        def do_POST(self) -> None:
            self._forward(self.rfile.read(int(self.headers["Content-Length"])))

        def _forward(self, body: bytes | None) -> None:
            with lock:
                number = len(asked)
                asked.append(self.path)
            how = fails(number, self.path)
            if how == "close":
                self.close_connection = True
                return
            request = Request(f"{api}{self.path}", body, {"Content-Type": "application/json"})
            with urlopen(request) as answer:
                here = f"http://127.0.0.1:{server.server_port}"
                data, kind = answer.read().replace(api.encode(), here.encode()), answer.headers["Content-Type"]
            self.send_response(503 if how == "503" else 200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if how == "cut" else data)
            self.close_connection = how == "cut"

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def stac_api(items: Path) -> Iterator[str]:
    """Serve an item collection with `rustac serve`; yield the API's address."""
    rustac = shutil.which("rustac") or str(Path(sys.executable).with_name("rustac"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    process = subprocess.Popen(
        [rustac, "serve", "--addr", address, "--create-collections", str(items)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(100):
            try:
                urlopen(f"http://{address}/").close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait()
