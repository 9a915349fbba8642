"""What a catalog's scenes become: composites, reasons, overrides, every scene as a file."""

import json
from dataclasses import replace
from pathlib import Path

import fiona
import numpy as np
import pytest
import rasterio
from conftest import day_of, read_raster
from rio_cogeo.cogeo import cog_validate

from landslide_cli.config import FetchConfig, PredictConfig, VectorizeConfig
from landslide_cli.errors import InputError
from landslide_cli.event.folder import Event
from landslide_cli.geo.bands import BANDS, Unseen
from landslide_cli.imagery.staging import STAGING
from landslide_cli.simulation.catalog import SimulatedCatalog, write_catalog
from landslide_cli.workflows.fetch import fetch
from landslide_cli.workflows.predict import predict
from landslide_cli.workflows.vectorize import vectorize


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> SimulatedCatalog:
    """One cloudy and two clear scenes a side."""
    return write_catalog(tmp_path_factory.mktemp("catalog"), seed=4, shape=(200, 260), clear_scenes=2)


@pytest.fixture
def config(catalog: SimulatedCatalog, tmp_path: Path) -> FetchConfig:
    return FetchConfig(
        out=tmp_path / "event", aoi=str(catalog.aoi), event_date=catalog.event_date.isoformat(),
        catalog=str(catalog.items),
    )  # fmt: skip


def scene_ids(event: Path, side: str) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for scene in Event.open(event).scenes:
        if scene["side"] == side:
            found.setdefault(scene["source"], []).append(scene["id"])
    return found


def test_clouds_are_filled_and_every_pixel_tells_its_scene(config: FetchConfig) -> None:
    summary = fetch(config)
    sources = read_raster(config.out / "sources.tif")
    for channel, side in enumerate(("pre", "post")):
        numbers = scene_ids(config.out, side)
        codes = set(np.unique(sources[channel]).tolist())
        assert codes <= {*numbers, *(int(reason) for reason in Unseen)}
        assert 2 in codes
    clear = read_raster(config.out / "clear.tif")[0]
    assert np.array_equal(clear == 1, (sources < min(Unseen)).all(axis=0))
    assert (read_raster(config.out / "pre.tif")[:, clear == 1] > 0).all()
    assert summary.clear_percent + sum(summary.unseen_percent.values()) == pytest.approx(100, abs=0.1)


def test_a_composite_shows_more_than_its_best_scene_alone(config: FetchConfig) -> None:
    summary = fetch(config)
    best = {side: scene_ids(config.out, side)[1][0] for side in ("pre", "post")}
    alone = fetch(
        replace(config, out=config.out.parent / "alone", pre_scene=(best["pre"],), post_scene=(best["post"],))
    )
    assert summary.clear_percent > alone.clear_percent + 2
    single, joined = (read_raster(out / "post.tif") for out in (config.out.parent / "alone", config.out))
    origin = read_raster(config.out / "sources.tif")[1]
    assert np.array_equal(single[:, origin == 1], joined[:, origin == 1])


def test_what_stays_unseen_is_split_by_reason(config: FetchConfig) -> None:
    fetch(replace(config, pre_days=4, post_days=4, max_cloud=100))
    predict(PredictConfig(config.out, model="rdndvi"))
    summary = vectorize(VectorizeConfig(config.out))
    with fiona.open(config.out / "landslides.gpkg", layer="not_analysed") as layer:
        area: dict[str, float] = {}
        for feature in layer:
            reason = feature.properties["reason"]
            area[reason] = area.get(reason, 0) + feature.properties["area_m2"]
    assert {"cloud", "shadow"} <= set(area) <= {reason.label for reason in Unseen}
    assert area["cloud"] > area["shadow"]
    unseen = Event.open(config.out).fetched.unseen_percent
    for reason, share in unseen.items():
        assert area.get(reason, 0) == pytest.approx(share / 100 * 200 * 260 * 100, rel=0.05, abs=5000)
    assert summary.analysed_percent == pytest.approx(100 - sum(unseen.values()), abs=0.2)


def test_the_user_chooses_the_scenes(config: FetchConfig, catalog: SimulatedCatalog) -> None:
    items = json.loads(catalog.items.read_text())["features"]
    by_time = {f["properties"]["datetime"]: f["id"] for f in items if f["properties"].get("datetime")}
    posts = [by_time[moment] for moment in sorted(by_time) if moment[:10] > config.event_date]
    fetch(replace(config, post_scene=(posts[-1], posts[0])))
    used = scene_ids(config.out, "post")
    assert posts[-1] in used[1]
    assert posts[0] in used.get(2, [posts[0]])
    with pytest.raises(InputError, match="--post-scene 'S2X'"):
        fetch(replace(config, out=config.out.parent / "other", post_scene=("S2X",)))


def test_the_day_of_the_event_counts_by_its_hour(config: FetchConfig, catalog: SimulatedCatalog) -> None:
    first_after = min(s["datetime"] or "" for s in _described(config, "post"))
    day, clock = first_after[:10], first_after[11:16]
    base = replace(config, event_date=day, max_cloud=100, overwrite=True)
    fetch(base)
    assert first_after[:10] not in {day_of(s) for s in Event.open(config.out).scenes}
    hour = int(clock[:2])
    fetch(replace(base, event_time=f"{hour - 1:02}:00", post_days=1))
    assert {day_of(s) for s in Event.open(config.out).scenes if s["side"] == "post"} == {day}
    fetch(replace(base, event_time=f"{hour + 1:02}:00", pre_days=1))
    assert {day_of(s) for s in Event.open(config.out).scenes if s["side"] == "pre"} == {day}
    with pytest.raises(InputError, match="--event-time 'noon'"):
        fetch(replace(base, event_time="noon"))
    assert catalog.event_date.isoformat() < day


def _described(config: FetchConfig, side: str) -> list[dict[str, str]]:
    items = json.loads(Path(config.catalog).read_text())["features"]
    after = side == "post"
    return [
        {"datetime": f["properties"]["datetime"]}
        for f in items
        if f["collection"] == "sentinel-2-l2a" and (f["properties"]["datetime"][:10] > config.event_date) == after
    ]


def test_every_usable_scene_is_kept_for_training(config: FetchConfig) -> None:
    fetch(replace(config, all_scenes=True))
    event = Event.open(config.out)
    files = event.fetched.scene_files
    assert event.item["assets"].keys() >= {f"{f.side}_{Path(f.image).stem}" for f in files}
    assert [f.side for f in files] == ["pre", "pre", "post", "post"]
    assert sorted(str(p.relative_to(config.out)) for p in config.out.glob("p*/*")) == sorted(
        name for f in files for name in (f.image, f.unseen)
    )
    sources = read_raster(config.out / "sources.tif")
    for channel, side in enumerate(("pre", "post")):
        first = scene_ids(config.out, side)[1][0]
        kept = next(f for f in files if f.id == first)
        assert kept.image.startswith(f"{side}/2021-08-")
        assert "_R125" in kept.image
        assert cog_validate(config.out / kept.image, quiet=True, strict=True)[0]
        with rasterio.open(config.out / kept.image) as source:
            assert source.descriptions == BANDS
        mine = sources[channel] == 1
        image, unseen = read_raster(config.out / kept.image), read_raster(config.out / kept.unseen)[0]
        assert np.array_equal(image[:, mine], read_raster(config.out / f"{side}.tif")[:, mine])
        assert (unseen[mine] == 0).all()
        assert set(np.unique(unseen)) <= {0, *Unseen}
    fetch(replace(config, overwrite=True))
    assert not (config.out / "pre").exists()


@pytest.mark.parametrize("library", [None, SystemError("returned with an exception set")])
def test_every_scene_goes_on_where_it_was_interrupted(config: FetchConfig, library: Exception | None) -> None:
    wanted = replace(config, all_scenes=True)

    def interrupt(step: str, _: float) -> None:
        if step.startswith("keeping every post scene, 2 of 2"):
            if library:
                raise library from KeyboardInterrupt()
            raise KeyboardInterrupt

    def blocks() -> dict[str, int]:
        return {p.name: p.stat().st_mtime_ns for p in (config.out / STAGING).glob("*-*-0-0.tif")}

    with pytest.raises((KeyboardInterrupt, SystemError)):
        fetch(wanted, interrupt)
    kept, after = blocks(), {}
    assert len(kept) == 3
    fetch(wanted, lambda step, _: after.update(blocks()) if step.startswith("reading elevation") else None)
    assert len(after) == 4
    assert after.items() >= kept.items()
    assert not (config.out / STAGING).exists()


def test_an_inventory_says_where_to_look(config: FetchConfig, catalog: SimulatedCatalog) -> None:
    summary = fetch(replace(config, aoi=None, aoi_from=str(catalog.aoi)))
    # The area itself, 2 x 2.6 km, widened by 1 km.
    assert summary.area_km2 == pytest.approx(2 * 2.6 + 2 * (2 + 2.6) * 1 + np.pi, rel=0.02)
    with pytest.raises(InputError, match="give one"):
        fetch(replace(config, out=config.out.parent / "other", aoi_from=str(catalog.aoi)))
