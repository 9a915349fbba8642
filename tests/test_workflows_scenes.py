"""Listing the scenes of a simulated event, beside what fetch does with the same options."""

import json
import logging
import subprocess
import sys
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import find_objects, label

from landslide_cli.cli import console
from landslide_cli.cli.scenes import rows
from landslide_cli.config import FetchConfig, ScenesConfig, SearchConfig
from landslide_cli.errors import InputError, NoSceneError
from landslide_cli.event.folder import Event
from landslide_cli.geo.bands import SIDES
from landslide_cli.imagery.contact_sheet import FRAME, USED_FRAME
from landslide_cli.simulation.catalog import SimulatedCatalog, write_catalog
from landslide_cli.workflows.fetch import fetch
from landslide_cli.workflows.scenes import SHOWN, THUMBNAIL_PX, ScenesSummary, scenes

SCENES = 3


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> SimulatedCatalog:
    """Three scenes on each side, of which the nearest to the event is under clouds."""
    folder = tmp_path_factory.mktemp("catalog")
    return write_catalog(folder, seed=11, shape=(200, 260), cloudy_scenes=1, clear_scenes=SCENES - 1)


@pytest.fixture(scope="module")
def config(catalog: SimulatedCatalog, tmp_path_factory: pytest.TempPathFactory) -> FetchConfig:
    return FetchConfig(
        out=tmp_path_factory.mktemp("fetched") / "event",
        aoi=str(catalog.aoi),
        event_date=catalog.event_date.isoformat(),
        catalog=str(catalog.items),
    )


@pytest.fixture(scope="module")
def sheet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sheet") / "folder" / "scenes.png"


@pytest.fixture(scope="module")
def summary(config: FetchConfig, sheet: Path) -> ScenesSummary:
    return scenes(asked(config, sheet))


def asked(config: FetchConfig, sheet: Path | None) -> ScenesConfig:
    """Return what `scenes` is asked for where `fetch` is asked for `config`."""
    shared = {field.name: getattr(config, field.name) for field in fields(SearchConfig)}
    return ScenesConfig(**shared, out=sheet)


def frames(path: Path, colour: tuple[int, int, int]) -> int:
    """Count the frames of thumbnails; letters and pixels of the same colour are smaller."""
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        found, _ = label((np.asarray(picture) == colour).all(axis=-1), np.ones((3, 3)))
    return sum(columns.stop - columns.start > THUMBNAIL_PX for _, columns in find_objects(found))


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_each_side_is_ranked_from_best_to_worst(summary: ScenesSummary) -> None:
    for side in SIDES:
        scenes = [scene for scene in summary.scenes if scene.side == side]
        assert [scene.rank for scene in scenes] == list(range(1, SCENES + 1))
        assert [scene.points for scene in scenes] == sorted(scene.points for scene in scenes)
        # The nearest is the cloudy one.
        days = [scene.datetime for scene in scenes]
        assert scenes[-1].datetime == (max(days) if side == "pre" else min(days))
        assert scenes[-1].clear_percent < 50 < scenes[0].clear_percent


def test_points_are_the_sum_of_their_reasons(summary: ScenesSummary) -> None:
    for scene in summary.scenes:
        assert scene.points == pytest.approx(sum(scene.lost.values()))
        not_clear = {reason: points for reason, points in scene.lost.items() if reason not in ("days", "orbit", "sun")}
        assert sum(not_clear.values()) == pytest.approx(100 - scene.clear_percent, abs=0.06)


def test_the_scenes_used_are_those_that_fetch_uses(summary: ScenesSummary, config: FetchConfig) -> None:
    fetch(config)
    used = {(s["side"], s["source"], s["id"], s["clear_percent"]) for s in Event.open(config.out).scenes}
    listed = {
        (scene.side, scene.used, granule, scene.clear_percent)
        for scene in summary.scenes
        for granule in scene.granules
        if scene.used
    }
    assert listed == used
    assert summary.refused == {}


def test_the_sheet_shows_every_scene_and_frames_the_used(summary: ScenesSummary, sheet: Path) -> None:
    used = sum(scene.used is not None for scene in summary.scenes)
    assert summary.sheet == sheet
    assert 0 < used < 2 * SCENES <= 2 * SHOWN
    assert frames(sheet, USED_FRAME) == used
    assert frames(sheet, FRAME) == 2 * SCENES - used


def test_nothing_is_written_without_a_sheet(config: FetchConfig, catalog: SimulatedCatalog, tmp_path: Path) -> None:
    before = files(catalog.items.parent)
    scenes(asked(replace(config, out=tmp_path / "event"), None))
    assert files(tmp_path) == set()
    assert files(catalog.items.parent) == before


def test_the_user_s_own_scenes_are_the_used_ones(summary: ScenesSummary, config: FetchConfig) -> None:
    worst = next(scene for scene in summary.scenes if (scene.side, scene.rank) == ("pre", SCENES))
    listed = scenes(asked(replace(config, pre_scene=(worst.id,)), None))
    assert [scene.id for scene in listed.scenes if scene.side == "pre" and scene.used] == [worst.id]
    assert listed.refused == {}


def test_clouds_refuse_a_side_but_not_the_list(summary: ScenesSummary, config: FetchConfig, tmp_path: Path) -> None:
    cloudless = replace(config, max_cloud=0.01, out=tmp_path / "event")
    listed = scenes(asked(cloudless, None))
    assert [scene.id for scene in listed.scenes] == [scene.id for scene in summary.scenes]
    with pytest.raises(NoSceneError) as refused:
        fetch(cloudless)
    assert str(refused.value) in listed.refused.values()
    assert all(scene.used is None for scene in listed.scenes if scene.side in listed.refused)


def test_where_no_scene_covers_the_aoi_there_is_nothing_to_list(config: FetchConfig, sheet: Path) -> None:
    with pytest.raises(NoSceneError, match="no pre scene covers the AOI"):
        scenes(asked(replace(config, event_date="2019-08-14"), sheet))


def test_a_sheet_is_a_png(config: FetchConfig, tmp_path: Path) -> None:
    for path in (tmp_path / "scenes.jpg", tmp_path):
        with pytest.raises(InputError, match=r"ends in \.png"):
            scenes(asked(config, path))


@pytest.mark.parametrize("band", ["B04", "SCL"])
def test_a_scene_that_cannot_be_read_is_said(
    catalog: SimulatedCatalog, config: FetchConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture, band: str
) -> None:
    items = json.loads(catalog.items.read_text())
    image = next(item for item in items["features"] if "SCL" in item["assets"])
    for item in items["features"]:
        for asset in item["assets"].values():
            asset["href"] = str(catalog.items.parent / asset["href"])
        if item["properties"]["datetime"] == image["properties"]["datetime"]:
            item["assets"].pop(band)
    without = tmp_path / "items.json"
    without.write_text(json.dumps(items))
    with caplog.at_level(logging.WARNING, "landslide_cli"):
        summary = scenes(asked(replace(config, catalog=str(without)), tmp_path / "scenes.png"))
    (message,) = (record.getMessage() for record in caplog.records)
    assert f"no asset for {band}" in message
    # Without its classification a scene cannot even be ranked.
    shown = 2 * SCENES - (band == "SCL")
    assert len(summary.scenes) == shown
    assert frames(tmp_path / "scenes.png", USED_FRAME) + frames(tmp_path / "scenes.png", FRAME) == shown


def test_the_table_fits_120_columns_and_gives_the_reasons(
    summary: ScenesSummary, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = replace(summary, refused={"pre": "no pre scene under 1 % cloud"})
    console.show(refused, rows(refused), as_json=False)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    for scene in summary.scenes:
        (number,) = (number for number, line in enumerate(lines) if scene.id in line)
        assert f"{scene.points:.1f}" in lines[number].split()
        assert f"cloud {scene.lost['cloud']:.1f}" in lines[number + 1]
        assert "defective" not in lines[number + 1]
        assert max(len(lines[number]), len(lines[number + 1])) <= 120
    assert "no pre scene under 1 % cloud" in err


def test_names_from_a_catalog_are_shown_as_they_are(summary: ScenesSummary, capsys: pytest.CaptureFixture[str]) -> None:
    named = replace(summary, scenes=(replace(summary.scenes[0], id="[bold]scene[/]"),))
    console.show(named, rows(named), as_json=False)
    assert "[bold]scene[/]" in capsys.readouterr().err


def test_the_command_prints_json_and_writes_its_sheet_where_it_runs(
    summary: ScenesSummary, config: FetchConfig, tmp_path: Path
) -> None:
    options = ("--aoi", str(config.aoi), "--event-date", config.event_date, "--catalog", config.catalog, "--json")
    command = [sys.executable, "-m", "landslide_cli", "scenes", *options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told == json.loads(json.dumps(asdict(replace(summary, sheet=None)))) | {"sheet": "scenes.png"}
    assert files(tmp_path) == {"scenes.png"}
