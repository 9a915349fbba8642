from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from conftest import CARD

from landslide_cli.inference.tta import SYMMETRIES, TtaEngine


class Downhill:
    """Answers by where the slope faces against where the image brightens: the same for turned ground."""

    provider = "numpy"
    calls = 1
    card = replace(CARD, bands=("B04",), terrain=True)

    def __init__(self) -> None:
        self.seen: list[Mapping[str, np.ndarray]] = []

    def run(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        self.seen.append(inputs)
        image = inputs["post"][:, 0]
        south, east = np.gradient(image, axis=(1, 2))
        across: np.ndarray = inputs["terrain"][:, 2] * east - inputs["terrain"][:, 3] * south
        return across[:, None]


def ground(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    aspect = rng.uniform(0, 2 * np.pi, (2, 32, 32))
    terrain = np.stack([rng.uniform(0, 900, aspect.shape), 0 * aspect + 30, np.sin(aspect), np.cos(aspect)], axis=1)
    inputs = {"pre": rng.uniform(0, 1, (2, 1, 32, 32)), "post": rng.uniform(0, 1, (2, 1, 32, 32)), "terrain": terrain}
    return {name: image.astype(np.float32) for name, image in inputs.items()}


def test_an_engine_that_knows_no_direction_answers_as_before() -> None:
    inputs = ground()
    engine = Downhill()
    assert TtaEngine(engine).run(inputs) == pytest.approx(Downhill().run(inputs), abs=1e-5)
    assert len(engine.seen) == len(SYMMETRIES) == 8
    seen = {tuple(np.round(call["post"].ravel()[:20], 5)) for call in engine.seen}
    assert len(seen) == 8


def test_without_terrain_images_alone_are_turned() -> None:
    class Corner(Downhill):
        card = replace(CARD, bands=("B04",))

        def run(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
            answer = np.zeros_like(inputs["post"])
            answer[:, :, 0, 0] = 1
            return answer

    inputs = {name: image for name, image in ground().items() if name != "terrain"}
    mean = TtaEngine(Corner()).run(inputs)
    assert mean[:, 0, [0, 0, -1, -1], [0, -1, 0, -1]] == pytest.approx(0.25)
    assert mean.sum() == pytest.approx(2)
