"""An interrupted update is read whole from both of its places; the next command that writes completes it."""

import json
import shutil
from pathlib import Path

import pytest
from conftest import Maker

from landslide_cli.config import InfoConfig
from landslide_cli.event.folder import Event, open_to_write
from landslide_cli.event.placing import ITEM, READY, put_in_place
from landslide_cli.event.products import FETCHED
from landslide_cli.workflows.info import info


class Killed(BaseException):
    """What no part of the program catches, as a kill."""


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def products(event: Event) -> dict[str, bytes]:
    return {product: event.path(product).read_bytes() for product in FETCHED}


@pytest.fixture
def ready(make_event: Maker) -> tuple[Path, dict[str, bytes]]:
    """An event with a complete new version in `READY`, and the products of that version."""
    folder, other = make_event("event", shape=(64, 64)), make_event("other", shape=(64, 64), seed=1)
    record = json.loads((other / ITEM).read_text())
    record["properties"]["title"] = "the new version"
    (other / ITEM).write_text(json.dumps(record))
    expected = products(Event.open(other))
    shutil.move(other, folder / READY)
    return folder, expected


@pytest.mark.parametrize("moved", range(7))
def test_reading_sees_the_new_version_wherever_the_kill_came_and_writes_nothing(
    ready: tuple[Path, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch, moved: int
) -> None:
    folder, expected = ready
    replace, count = Path.replace, 0

    def killed(source: Path, target: Path) -> Path:
        nonlocal count
        if count == moved:
            raise Killed
        count += 1
        return replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        if moved < len(FETCHED) + 1:
            with pytest.raises(Killed):
                put_in_place(folder)
        else:
            put_in_place(folder)
    before = contents(folder)
    event = Event.open(folder)
    assert event.properties["title"] == "the new version"
    assert products(event) == expected
    assert info(InfoConfig(folder)).event == folder
    assert contents(folder) == before
    assert products(open_to_write(folder)) == expected
    assert not (folder / READY).exists()
    assert {Path(name).name for name in contents(folder)} == {*(f"{p}.tif" for p in FETCHED), ITEM}
