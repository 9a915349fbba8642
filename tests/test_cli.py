"""The command line as a process: start-up, help, output, exit codes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import Maker

from landslide_cli.version import __version__

HEAVY = ("rasterio", "fiona", "numpy", "torch", "onnxruntime", "odc", "pystac", "scipy", "shapely")
COMMANDS = (
    "map", "fetch", "scenes", "predict", "vectorize", "prepare", "train", "evaluate", "export", "demo", "info",
    "inventories", "weights",
)  # fmt: skip


def landslide(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "landslide_cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), *((command, "--help") for command in COMMANDS)])
def test_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    code = (
        "import sys\nfrom landslide_cli.cli.app import app\n"
        f"try:\n    app({list(arguments)!r})\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"print(*(m for m in {HEAVY!r} if m in sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == ""
    assert done.stdout


def test_help_lists_every_command_and_the_version_is_told() -> None:
    text = landslide("--help").stdout
    assert all(command in text for command in COMMANDS)
    assert landslide("--version").stdout == f"landslide {__version__}\n"


def test_defaults_in_the_help_are_those_of_the_configuration() -> None:
    text = landslide("fetch", "--help", env={**os.environ, "COLUMNS": "200"}).stdout
    assert "default: auto" in text
    assert "default: 90" in text


def test_predict_never_loads_torch(make_event: Maker) -> None:
    event = make_event(shape=(64, 64))
    code = (
        "import sys\nfrom pathlib import Path\nfrom landslide_cli.config import PredictConfig\n"
        "from landslide_cli.workflows.predict import predict\n"
        f"predict(PredictConfig(Path({str(event)!r}), model='red-change'))\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_summary_is_a_table_on_stderr_or_json_on_stdout(make_event: Maker) -> None:
    event = str(make_event())
    for command in (("predict", event, "--model", "red-change"), ("vectorize", event), ("info", event)):
        table = landslide(*command)
        assert (table.returncode, table.stdout) == (0, ""), table.stderr
        assert len(table.stderr.splitlines()) >= 3
        script = landslide(*command, "--json")
        assert script.returncode == 0
        assert json.loads(script.stdout)["event"] == event
        assert script.stderr == ""


def test_info_tells_what_is_there(make_event: Maker) -> None:
    event = make_event()
    text = landslide("info", str(event)).stderr
    for expected in ("2021-08-09", "B02 B03 B04 B08", "100.0 % clear", "400 x 300", "EPSG:32618", "pre.tif", "dem.tif"):
        assert expected in text


def test_names_from_outside_are_shown_as_they_are(make_event: Maker) -> None:
    event = make_event("[bold red]event[/]")
    assert "[bold red]event[/]" in landslide("info", str(event)).stderr


def test_verbose_shows_the_log(make_event: Maker) -> None:
    event = str(make_event(shape=(64, 64)))
    assert "runs on numpy" in landslide("predict", event, "--model", "red-change", "-v").stderr
    assert "runs on numpy" not in landslide("predict", event, "--model", "red-change").stderr


def test_an_option_that_is_unknown_or_missing_is_exit_2() -> None:
    assert landslide("fetch", "--nonsense").returncode == 2
    assert landslide("fetch").returncode == 2
    assert landslide("nonsense").returncode == 2


def test_a_bug_keeps_its_traceback_and_is_exit_1() -> None:
    code = (
        "import landslide_cli.workflows.info as workflow\nfrom landslide_cli.cli.app import app\n"
        "def broken(*_): raise KeyError('a bug')\nworkflow.info = broken\napp(['info', 'x'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "a bug" in done.stderr


def test_what_a_library_makes_of_an_interrupt_is_exit_130() -> None:
    code = (
        "import landslide_cli.workflows.info as workflow\nfrom landslide_cli.cli.app import app\n"
        "def broken(*_):\n"
        "    try:\n        raise KeyboardInterrupt\n"
        "    except KeyboardInterrupt as error:\n        raise SystemError('an exception set') from error\n"
        "workflow.info = broken\napp(['info', 'x'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stderr.strip() == "error: interrupted"


@pytest.mark.parametrize("then", ["progress('the next block', 0.5)", "raise ValueError('half an array')"])
def test_an_interrupt_that_a_library_swallows_is_exit_130(then: str) -> None:
    code = (
        "import os, signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import landslide_cli.workflows.predict as workflow\nfrom landslide_cli.cli.app import app\n"
        "def swallowing(_, progress):\n    progress('a block', 0.1)\n"
        "    try:\n        os.kill(os.getpid(), signal.SIGINT)\n    except KeyboardInterrupt:\n        pass\n"
        f"    {then}\n"
        "workflow.predict = swallowing\napp(['predict', 'x'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 130, done.stderr
    assert done.stderr.strip() == "error: interrupted"


def test_an_interrupt_is_exit_130_and_leaves_nothing(make_event: Maker) -> None:
    event = make_event(shape=(1200, 900))
    before = sorted(p.name for p in event.iterdir())
    # Under a shell's job in the background, interrupts come ignored.
    code = (
        "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from landslide_cli.cli.app import app\n"
        f"app(['predict', {str(event)!r}, '--model', 'red-change', '--stride', '8'])"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while not (event / ".blocks-probability.tif").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in stderr
    assert "Traceback" not in stderr
    assert sorted(p.name for p in event.iterdir()) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_one_clear_error(make_event: Maker, tmp_path: Path) -> None:
    event = make_event("source", shape=(900, 900))
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this machine does not let tests mount a small disk")
    try:
        files = tmp_path / "source-files"
        done = landslide(
            "fetch", "--event-date", "2021-08-14", "--pre", str(files / "pre"), "--post", str(files / "post"),
            "--dem", str(files / "dem.tif"), "--out", str(small / "event"),
        )  # fmt: skip
        assert done.returncode == 6, done.stderr
        assert "make room" in done.stderr
        assert "Traceback" not in done.stderr
        assert list((small / "event").iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)
    assert (event / "event.json").exists()
