from dataclasses import replace
from pathlib import Path

import pytest
from conftest import CARD, Maker, write_model

from landslide_cli.config import DoctorConfig
from landslide_cli.errors import ModelError
from landslide_cli.inference.engines import ENGINES
from landslide_cli.workflows import doctor as module
from landslide_cli.workflows.doctor import doctor


@pytest.fixture(autouse=True)
def _briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MEASURE_S", 0.05)


@pytest.mark.parametrize("terrain", [True, False])
def test_every_engine_is_measured_or_says_why_not(tmp_path: Path, terrain: bool) -> None:
    model = write_model(tmp_path / "m.onnx", replace(CARD, terrain=terrain))
    summary = doctor(DoctorConfig(model=str(model)))
    assert [engine.name for engine in summary.engines] == list(ENGINES)
    for engine in summary.engines:
        assert (engine.why_not is None) == (engine.windows_per_second is not None)
        if engine.windows_per_second is not None:
            assert engine.windows_per_second > 0
            assert engine.difference_points is not None
    assert sum(engine.used for engine in summary.engines) == 1
    assert summary.engines[-1].difference_points == 0
    assert summary.processors >= 1
    assert "GDAL" in summary.versions


def test_an_event_gives_the_windows(make_event: Maker, tmp_path: Path) -> None:
    event = make_event()
    summary = doctor(DoctorConfig(event, str(write_model(tmp_path / "m.onnx"))))
    assert summary.tried_on == f"3 windows of {event}"


def test_a_network_that_does_not_suit_the_event_is_refused(make_event: Maker, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="reads B12"):
        doctor(DoctorConfig(make_event(), str(write_model(tmp_path / "m.onnx", replace(CARD, bands=("B12",))))))
