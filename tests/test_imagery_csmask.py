import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from clouds import shares
from conftest import band_folder, read_raster

from landslide_cli.config import FetchConfig
from landslide_cli.errors import InputError
from landslide_cli.event.folder import Event
from landslide_cli.geo.bands import Unseen
from landslide_cli.imagery import csmask, sources
from landslide_cli.imagery.clouds import DILATION_PX
from landslide_cli.imagery.csmask import CSMASK_BANDS, unseen_by_csmask
from landslide_cli.simulation.catalog import write_catalog
from landslide_cli.workflows.fetch import fetch

VEGETATION = (300, 500, 400, 3000, 1500, 700)
SNOW = (8000, 8000, 7800, 7500, 900, 700)


class FakeNetwork:
    """Stands for CSmask: cloud where all is bright, shadow where near infrared is dark."""

    def __init__(self, img: np.ndarray, band_order: list[str], product_level: str, providers: list[str]) -> None:
        assert img.dtype == np.float32
        assert band_order == ["blue", "green", "red", "nir", "swir16", "swir22"]
        assert (product_level, providers) == ("l2a", ["CPUExecutionProvider"])
        self.csm = np.zeros((*img.shape[:2], 1), np.uint8)
        self.csm[(img > 0.5).all(axis=2)] = 1
        self.csm[img[..., 3] < 0.1] = 2


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (csmask, sources):
        monkeypatch.setattr(module, "find_network", lambda: FakeNetwork)


@pytest.fixture
def network() -> None:
    pytest.importorskip("ukis_csmask.mask", reason="the extra `clouds` is not installed")


def ground(height: int, width: int, colour: tuple[int, ...] = VEGETATION) -> np.ndarray:
    return np.broadcast_to(np.array(colour, np.uint16)[:, None, None], (6, height, width)).copy()


def everywhere(dn: np.ndarray) -> np.ndarray:
    return np.ones(dn.shape[1:], np.bool_)


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize(
    ("colour", "reason"), [((6000,) * 6, Unseen.CLOUD), ((100,) * 6, Unseen.SHADOW), (SNOW, Unseen.SNOW)]
)
def test_clouds_and_shadows_are_grown_and_snow_is_not(colour: tuple[int, ...], reason: Unseen) -> None:
    dn = ground(31, 31)
    dn[:, 12:15, 12:15] = np.array(colour)[:, None, None]
    why = unseen_by_csmask(dn, everywhere(dn))
    grown = 0 if reason == Unseen.SNOW else DILATION_PX
    assert set(np.unique(why)) == {0, reason}
    assert np.flatnonzero(why[13]).tolist() == list(range(12 - grown, 15 + grown))
    assert (unseen_by_csmask(dn, everywhere(dn), dilation_px=0) > 0).sum() == 9


@pytest.mark.usefixtures("fake")
def test_what_was_not_observed_is_outside_and_casts_no_shadow() -> None:
    dn = ground(30, 31)
    dn[:, :, :10] = 0
    why = unseen_by_csmask(dn, dn[0] > 0)
    assert (why[:, :10] == Unseen.OUTSIDE).all()
    assert not why[:, 10:].any()
    assert (unseen_by_csmask(np.zeros_like(dn), ~everywhere(dn)) == Unseen.OUTSIDE).all()


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize("shape", [(1, 1), (100, 131), (300, 301)])
def test_even_ground_is_seen_and_an_even_cloud_is_not(shape: tuple[int, int]) -> None:
    dn = ground(*shape)
    assert not unseen_by_csmask(dn, everywhere(dn)).any()
    dn[:] = 8000
    why = unseen_by_csmask(dn, everywhere(dn))
    assert why.shape == shape
    assert why.dtype == np.uint8
    assert (why == Unseen.CLOUD).all()


@pytest.mark.usefixtures("network")
def test_water_is_no_snow() -> None:
    dn = ground(90, 90, (600, 500, 300, 200, 100, 80))
    assert not (unseen_by_csmask(dn, everywhere(dn)) == Unseen.SNOW).any()


@pytest.mark.usefixtures("network")
def test_recall_on_a_real_patch(shared_data: Path) -> None:
    patch = shared_data / "csmask_patch" / "sentinel2.npz"
    if not patch.exists():
        pytest.skip(f"no patch at {patch}")
    given = {name: share for name, (_, share) in shares(patch, dilation_px=0).items()}
    assert given["cloud"]["cloud"] > 0.96
    assert given["shadow"]["shadow"] > 0.96
    assert given["land"]["seen"] > 0.83
    assert given["cloud"]["seen"] < 0.01
    assert given["shadow"]["seen"] < 0.01


@pytest.fixture
def at_hand(tmp_path: Path) -> FetchConfig:
    """Files of the six bands: even ground, with a cloud after the event."""
    sides = {"pre": ground(90, 120), "post": ground(90, 120)}
    sides["post"][:, 30:60, 30:60] = 6000
    folders = {
        side: str(band_folder(tmp_path / side, dict(zip(CSMASK_BANDS, dn, strict=True)))) for side, dn in sides.items()
    }
    return FetchConfig(
        out=tmp_path / "event", event_date="2021-08-14", pre=(folders["pre"],), post=(folders["post"],),
        no_dem=True, clouds="csmask",
    )  # fmt: skip


def read(event: Path, product: str) -> np.ndarray:
    return read_raster(event / f"{product}.tif")


@pytest.mark.usefixtures("fake")
def test_files_at_hand_are_masked(at_hand: FetchConfig, caplog: pytest.LogCaptureFixture) -> None:
    summary = fetch(at_hand)
    assert "clouds are not looked for" not in caplog.text
    pre, post = read(at_hand.out, "sources")
    assert (pre == 1).all()
    assert set(np.unique(post)) == {1, Unseen.CLOUD}
    assert (post[30:60, 30:60] == Unseen.CLOUD).all()
    assert summary.unseen_percent["cloud"] > 8
    assert Event.open(at_hand.out).fetched.parameters["clouds"] == "csmask"
    unmasked = replace(at_hand, out=at_hand.out.with_name("unmasked"), clouds="scl")
    assert fetch(unmasked).clear_percent == 100
    assert "clouds are not looked for" in caplog.text
    assert np.array_equal(read(unmasked.out, "post"), read(at_hand.out, "post"))


@pytest.mark.usefixtures("fake")
def test_missing_bands_are_named(at_hand: FetchConfig) -> None:
    for band in ("B08", "B12"):
        (Path(at_hand.post[0]) / f"{band}.tif").unlink()
    with pytest.raises(InputError, match=r"lack B08, B12;.*--clouds scl"):
        fetch(at_hand)
    assert not at_hand.out.exists()


def test_an_unknown_mask_is_refused_with_the_known_ones(at_hand: FetchConfig) -> None:
    with pytest.raises(InputError, match="--clouds 'fmask' is unknown; use scl, csmask"):
        fetch(replace(at_hand, clouds="fmask"))  # type: ignore[arg-type]


def test_without_the_package_the_user_learns_how_to_get_it(
    at_hand: FetchConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is None there cannot be imported.
    monkeypatch.setitem(sys.modules, "ukis_csmask.mask", None)
    with pytest.raises(InputError, match=r"pip install 'landslide-cli\[clouds\]'"):
        fetch(at_hand)
    assert not at_hand.out.exists()


@pytest.mark.usefixtures("network")
def test_a_simulated_event_is_masked_much_as_by_its_own_classes(tmp_path: Path) -> None:
    catalog = write_catalog(tmp_path / "catalog", seed=11, shape=(200, 260))
    seen = {}
    for clouds in ("scl", "csmask"):
        config = FetchConfig(
            out=tmp_path / clouds, event_date=catalog.event_date.isoformat(), aoi=str(catalog.aoi),
            catalog=str(catalog.items), no_dem=True, clouds=clouds,
        )  # fmt: skip
        fetch(config)
        seen[clouds] = read(config.out, "clear")[0] == 1
    # The network never saw simulated clouds, and an area smaller than its tiles shows it little around them.
    assert np.mean(seen["scl"] == seen["csmask"]) > 0.8
