"""`landslide prepare` and `landslide inventories` as processes."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import Maker
from prepared_events import write_changes
from shapely.geometry import box, mapping

from landslide_cli.event.folder import Event

HEAVY = (
    "rasterio",
    "fiona",
    "numpy",
    "torch",
    "onnxruntime",
    "odc",
    "pystac",
    "scipy",
    "shapely",
    "pyarrow",
    "requests",
)


def landslide(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "landslide_cli", *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("command", [("prepare",), ("inventories", "list"), ("inventories", "fetch")])
def test_help_imports_nothing_heavy(command: tuple[str, ...]) -> None:
    code = (
        "import sys\nfrom landslide_cli.cli.app import app\n"
        f"try:\n    app({[*command, '--help']!r})\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"print(*(m for m in {HEAVY!r} if m in sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == ""


def test_a_training_set_is_told_as_table_or_json(make_event: Maker, tmp_path: Path) -> None:
    events, inventories = [], []
    for name in ("haiti", "palu"):
        events.append(str(make_event(name, shape=(96, 160))))
        outline = box(*Event.open(Path(events[-1])).aoi.bounds).buffer(-3e-3)
        feature = {"type": "Feature", "properties": {}, "geometry": mapping(outline)}
        inventories += ["--inventory", str(tmp_path / f"{name}.geojson")]
        (tmp_path / f"{name}.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    out = tmp_path / "set"
    command = ("prepare", *events, *inventories, "--out", str(out), "--window", "32", "--stride", "16")
    table = landslide(*command)
    assert (table.returncode, table.stdout) == (0, ""), table.stderr
    for expected in ("55,602", "1,102", "1 landslides on", "all windows are for training", "haiti", "palu"):
        assert expected in table.stderr
    assert "other changes" not in table.stderr
    changes = write_changes(tmp_path / "changes.tif", Path(events[0]), np.full((4, 5), 6, np.uint8))
    told = landslide(*command, "--changes", str(changes), "--overwrite").stderr
    assert "landslides on" in told
    assert "20 px of other changes" in " ".join(told.split())
    split = landslide(*command, "--test", "palu", "--min-evaluation-pixels", "1", "--overwrite", "--json")
    assert (split.returncode, split.stderr) == (0, "")
    summary = json.loads(split.stdout)
    assert summary["dataset"] == str(out)
    assert summary["windows"]["test"] == summary["events"][1]["windows"] > 0
    assert summary["paper_windows"] == {"train": 55602, "validation": 1102, "test": 1102}
    assert "share ground" in landslide(*command, "--test", "palu", "--min-evaluation-pixels", "1").stderr
    refused = landslide(*command)
    assert refused.returncode == 2
    assert refused.stderr.startswith("error:")


def test_inventories_are_listed(tmp_path: Path) -> None:
    table = landslide("inventories", "list")
    assert (table.returncode, table.stdout) == (0, "")
    for expected in ("2021-08-14 to 2021-08-17", "14,482", "CC BY", "not stated here", "https://"):
        assert expected in table.stderr
    names = [known["name"] for known in json.loads(landslide("inventories", "list", "--json").stdout)["inventories"]]
    assert names == ["haiti", "palu", "luding", "mesetas", "iburi"]
    by_hand = landslide("inventories", "fetch", "haiti", "--out", str(tmp_path / "a.gpkg"))
    assert by_hand.returncode == 2
    assert "by hand" in by_hand.stderr
    assert list(tmp_path.iterdir()) == []
