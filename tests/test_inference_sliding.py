from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from conftest import CARD

from landslide_cli.imagery.bands import NOT_ANALYSED
from landslide_cli.inference.card import ModelCard
from landslide_cli.inference.reader import Strip
from landslide_cli.inference.sliding import predict


@dataclass
class ArrayReader:
    """An event in memory; counts what is read."""

    image: np.ndarray
    usable: np.ndarray
    rows_read: list[int] = field(default_factory=list)

    @property
    def height(self) -> int:
        return self.usable.shape[0]

    @property
    def width(self) -> int:
        return self.usable.shape[1]

    def read(self, row: int, rows: int) -> Strip:
        self.rows_read.append(rows)
        cut = slice(row, row + rows)
        return Strip(np.zeros_like(self.image[:, cut]), self.image[:, cut], None, self.usable[cut])


class PixelEngine:
    """Gives each pixel its own value, so that windows must land where they belong."""

    provider = "numpy"

    def __init__(self, constant: float | None = None) -> None:
        self.card: ModelCard = replace(CARD, bands=("B04",))
        self.constant = constant
        self.windows = 0

    def run(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        post = inputs["post"]
        assert post.shape[1:] == (1, 64, 64)
        self.windows += len(post)
        return np.full_like(post, self.constant) if self.constant is not None else post / 1000


def run(reader: ArrayReader, engine: PixelEngine, stride: int = 48, batch: int = 3) -> np.ndarray:
    shares: list[float] = []
    strips = list(predict(reader, engine, stride=stride, batch=batch, progress=shares.append))
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert [row for row, _ in strips] == list(np.cumsum([0, *[len(p) for _, p in strips[:-1]]]))
    return np.concatenate([percent for _, percent in strips])


SHAPES = [(64, 64), (65, 64), (64, 130), (200, 333), (20, 30), (20, 200), (500, 70)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("stride", [64, 48, 17])
def test_every_pixel_comes_back_where_it_was(shape: tuple[int, int], stride: int) -> None:
    image = np.random.default_rng(1).integers(0, 1001, (1, *shape), dtype=np.uint16)
    percent = run(ArrayReader(image, np.ones(shape, bool)), PixelEngine(), stride)
    assert percent.shape == shape
    assert np.abs(percent - image[0] / 10).max() <= 0.5 + 1e-3


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("constant", [0, 0.005001, 0.37, 0.5, 0.994, 1])
def test_a_constant_network_gives_a_constant_map(shape: tuple[int, int], constant: float) -> None:
    image = np.ones((1, *shape), np.uint16)
    percent = run(ArrayReader(image, np.ones(shape, bool)), PixelEngine(constant))
    assert np.unique(percent).tolist() == [round(100 * constant)]


def test_what_is_not_usable_is_not_analysed_and_not_run() -> None:
    usable = np.ones((64, 640), bool)
    usable[:, 200:] = False
    usable[10:20, 10:20] = False
    engine = PixelEngine()
    percent = run(ArrayReader(np.full((1, 64, 640), 300, np.uint16), usable), engine)
    assert np.array_equal(percent == NOT_ANALYSED, ~usable)
    assert (percent[usable] == 30).all()
    assert engine.windows == 5  # Windows begin every 48 px; five of them reach into the first 200.


def test_no_more_than_one_row_of_windows_is_read_at_a_time() -> None:
    reader = ArrayReader(np.ones((1, 3000, 64), np.uint16), np.ones((3000, 64), bool))
    run(reader, PixelEngine())
    assert max(reader.rows_read) == 64
