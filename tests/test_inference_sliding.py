import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from conftest import CARD

from landslide_cli.card import ModelCard
from landslide_cli.geo.bands import NOT_ANALYSED
from landslide_cli.inference.reader import Strip
from landslide_cli.inference.sliding import busiest, predict


@dataclass
class ArrayReader:
    """An event in memory; counts what is read."""

    image: np.ndarray
    usable: np.ndarray
    origin: tuple[int, int] = (0, 0)
    rows_read: list[int] = field(default_factory=list)

    @property
    def height(self) -> int:
        return int(self.usable.shape[0])

    @property
    def width(self) -> int:
        return int(self.usable.shape[1])

    def read(self, row: int, rows: int) -> Strip:
        self.rows_read.append(rows)
        cut = slice(row, row + rows)
        return Strip(np.zeros_like(self.image[:, cut]), self.image[:, cut], None, self.usable[cut])

    def part(self, row: int, column: int, rows: int, columns: int) -> Strip:
        cut = (slice(row, row + rows), slice(column, column + columns))
        return Strip(np.zeros_like(self.image[:, *cut]), self.image[:, *cut], None, self.usable[cut])

    def thinned(self, step: int) -> Strip:
        image = self.image[:, ::step, ::step]
        return Strip(np.zeros_like(image), image, None, self.usable[::step, ::step])


class PixelEngine:
    """Gives each pixel its own value, so that windows must land where they belong."""

    provider = "numpy"
    calls = 1

    def __init__(self, constant: float | None = None) -> None:
        self.card: ModelCard = replace(CARD, bands=("B04",))
        self.constant = constant
        self.windows = 0

    def run(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        post = inputs["post"]
        assert post.shape[1:] == (1, 64, 64)
        self.windows += len(post)
        return np.full_like(post, self.constant) if self.constant is not None else post / 1000


class WindowEngine(PixelEngine):
    """Gives each pixel what depends on the whole window, and on where the pixel lies in it."""

    def run(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        post = inputs["post"]
        place = np.arange(post[0].size, dtype=np.float32).reshape(post.shape[1:]) / post[0].size
        wave = np.sin(post / 300 + place + post.mean(axis=(1, 2, 3), keepdims=True))
        return np.asarray(np.abs(wave), np.float32)


def run(reader: ArrayReader, engine: PixelEngine, stride: int = 48, batch: int = 3) -> np.ndarray:
    shares: list[float] = []
    strips = list(predict(reader, engine, tile=64, stride=stride, batch=batch, progress=shares.append))
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


@pytest.mark.parametrize("stride", [64, 48, 17])
@pytest.mark.parametrize("batch", [1, 4])
def test_the_map_does_not_depend_on_how_it_was_cut(stride: int, batch: int) -> None:
    rng = np.random.default_rng(3)
    image = rng.integers(0, 1001, (1, 400, 500), dtype=np.uint16)
    usable = rng.random((400, 500)) > 0.02
    origin = (-190_007, 50_011)
    whole = run(ArrayReader(image, usable, origin), WindowEngine(), stride, 3)
    cut = (slice(90, 370), slice(61, 471))
    part = ArrayReader(image[:, *cut], usable[cut], (origin[0] + 90, origin[1] + 61))
    answer = run(part, WindowEngine(), stride, batch)
    inner = (slice(64, -64), slice(64, -64))
    assert np.array_equal(answer[inner], whole[cut][inner])
    # The test can fail: windows that lie elsewhere give another map.
    moved = ArrayReader(image[:, *cut], usable[cut], (origin[0] + 91, origin[1] + 61))
    assert not np.array_equal(run(moved, WindowEngine(), stride, batch)[inner], whole[cut][inner])


def test_beyond_the_border_the_network_sees_a_mirror_image() -> None:
    seen = []

    class Recorder(PixelEngine):
        def run(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
            seen.append(inputs["post"].copy())
            return super().run(inputs)

    image = np.random.default_rng(1).integers(1, 1001, (1, 50, 70), dtype=np.uint16)
    run(ArrayReader(image, np.ones((50, 70), bool), (48 * 9 + 10, 48 * 3 + 20)), Recorder(), batch=1)
    window = seen[0][0, 0]
    assert window[10:60, 20:].tolist() == image[0, :, :44].tolist()
    assert window[9, 20:].tolist() == image[0, 0, :44].tolist()
    assert window[10:60, 19].tolist() == image[0, :, 0].tolist()
    assert window[60:, 20:].tolist() == image[0, :45:-1, :44].tolist()
    assert all(batch.min() > 0 for batch in seen)


def test_the_busiest_windows_are_those_that_changed_most() -> None:
    image = np.ones((1, 640, 500), np.uint16)
    image[:, 330:370, 200:240] = 900
    usable = np.ones((640, 500), bool)
    usable[:256] = False
    samples = list(busiest(ArrayReader(image, usable), 64, 3))
    assert len(samples) == 2
    assert samples[0]["post"].shape == (1, 1, 64, 64)
    assert (samples[0]["post"] == 900).sum() == 40 * 40
    assert list(busiest(ArrayReader(image, np.zeros_like(usable)), 64, 3)) == []


@pytest.mark.parametrize("shape", SHAPES)
def test_windows_to_try_engines_on_are_whole_however_small_the_event(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(1, 1001, (1, *shape), dtype=np.uint16)
    samples = list(busiest(ArrayReader(image, np.ones(shape, bool)), 64, 3))
    assert 1 <= len(samples) <= 3
    for sample in samples:
        assert sample["post"].shape == (1, 1, 64, 64)
        assert np.isin(sample["post"], image).all()


def test_answers_that_come_late_land_where_they_belong() -> None:
    class Unsteady(PixelEngine):
        calls = 2

        def run(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
            time.sleep(0.004 if self.windows % 2 else 0)
            return super().run(inputs)

    image = np.random.default_rng(1).integers(0, 1001, (1, 200, 333), dtype=np.uint16)
    readers = [ArrayReader(image, np.ones((200, 333), bool)) for _ in range(2)]
    assert np.array_equal(run(readers[0], Unsteady(), batch=1), run(readers[1], PixelEngine(), batch=1))


def test_an_error_of_the_engine_is_raised() -> None:
    class Broken(PixelEngine):
        calls = 2

        def run(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
            raise RuntimeError(f"no answer for {len(inputs)} images")

    with pytest.raises(RuntimeError, match="no answer"):
        run(ArrayReader(np.ones((1, 200, 333), np.uint16), np.ones((200, 333), bool)), Broken())


def test_no_more_than_one_row_of_windows_is_read_at_a_time() -> None:
    reader = ArrayReader(np.ones((1, 3000, 64), np.uint16), np.ones((3000, 64), bool))
    run(reader, PixelEngine())
    assert max(reader.rows_read) == 64
