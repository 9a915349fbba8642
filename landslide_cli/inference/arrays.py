"""Run a model over arrays in memory, without an event folder."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landslide_cli.config import BATCH, Device
from landslide_cli.errors import InputError
from landslide_cli.geo.bands import BANDS, NODATA, NOT_ANALYSED, TERRAIN_BANDS
from landslide_cli.inference.models import check_suits, load_model, windows_per_call
from landslide_cli.inference.reader import Strip
from landslide_cli.inference.sliding import SAMPLES, busiest
from landslide_cli.inference.sliding import predict as slide
from landslide_cli.inference.tta import TtaEngine


def predict_arrays(
    pre: ArrayLike,
    post: ArrayLike,
    terrain: ArrayLike | None = None,
    *,
    model: str = "bbunet",
    bands: Sequence[str] | None = None,
    clear: ArrayLike | None = None,
    device: Device = "auto",
    tile: int | None = None,
    stride: int | None = None,
    tta: bool = False,
    min_slope: float = 10.0,
) -> NDArray[np.float32]:
    """Run a model over two images in memory.

    Args:
        pre: (B, H, W) digital numbers before the event, 10000 = reflectance 1, 0 = not observed; 10 m pixels.
        post: (B, H, W) digital numbers after the event, on the same grid.
        terrain: (4, H, W) elevation in metres, slope in degrees, sine and cosine of the aspect; NaN where unknown.
        model: name of a shipped model or of a detector, or path of an ONNX file.
        bands: names of the B channels, such as `["B02", "B03", "B04"]`; the bands of the model if None.
        clear: (H, W) true where the ground is seen on both dates; all pixels if None.
        device: what the model runs on.
        tile: side of a window in pixels; that of the model if None.
        stride: pixels from one window to the next; three quarters of a window if None.
        tta: whether to take the mean over eight turned and mirrored copies of each window.
        min_slope: detectors ignore ground flatter than this, in degrees.

    Returns:
        (H, W) float32 probability 0..1 in steps of 0.01; NaN where nothing was analysed.

    Raises:
        InputError: the shapes do not fit together, or a band is unknown.
        ModelError: there is no such model, or it needs other bands or terrain.
    """
    opened = load_model(model)
    card = opened.card
    reader = _ArrayReader(pre, post, terrain, clear, tuple(bands or card.bands), card.bands)
    check_suits(card, reader.known_bands, terrain=terrain is not None, where="the image")
    side = card.tile_px if tile is None else tile
    step = side * 3 // 4 if stride is None else stride
    if not 1 <= step <= side:
        raise InputError(f"stride {step} must be within 1..{side}, the window of {card.name}")
    engine = opened.engine(device, min_slope, busiest(reader, side, SAMPLES))
    probability = np.full((reader.height, reader.width), np.nan, np.float32)
    strips = slide(
        reader, TtaEngine(engine) if tta else engine, tile=side, stride=step,
        batch=windows_per_call(engine, BATCH), progress=lambda _share: None,
    )  # fmt: skip
    for row, percent in strips:
        known = percent != NOT_ANALYSED
        probability[row : row + len(percent)][known] = percent[known] / np.float32(100)
    return probability


class _ArrayReader:
    """Gives strips of arrays, as `EventReader` gives strips of an event."""

    origin = (0, 0)

    def __init__(
        self,
        pre: ArrayLike,
        post: ArrayLike,
        terrain: ArrayLike | None,
        clear: ArrayLike | None,
        bands: tuple[str, ...],
        wanted: tuple[str, ...],
    ) -> None:
        self.known_bands = bands
        unknown = [band for band in bands if band not in BANDS]
        if unknown:
            raise InputError(f"band {unknown[0]!r} is unknown; use {', '.join(BANDS)}")
        images = {"pre": np.asarray(pre), "post": np.asarray(post)}
        self.height, self.width = images["pre"].shape[-2:] if images["pre"].ndim == 3 else (0, 0)
        for name, image in images.items():
            self._check(name, image, len(bands))
        observed = np.logical_and.reduce([(image != NODATA).all(axis=0) for image in images.values()])
        self._usable: NDArray[np.bool_] = observed
        if clear is not None:
            seen = np.asarray(clear, bool)
            self._check("clear", seen[None], 1)
            self._usable = self._usable & seen
        self._terrain: NDArray[np.float32] | None = None
        if terrain is not None:
            self._terrain = np.asarray(terrain, np.float32)
            self._check("terrain", self._terrain, len(TERRAIN_BANDS))
            self._usable = self._usable & np.isfinite(self._terrain).all(axis=0)
        self._pre, self._post = (self._chosen(image, bands, wanted) for image in images.values())

    def _check(self, name: str, array: NDArray[np.generic], channels: int) -> None:
        if array.shape != (channels, self.height, self.width):
            raise InputError(
                f"{name} has the shape {array.shape}; expected ({channels}, {self.height}, {self.width}): channels, "
                "rows and columns, the same for all arrays"
            )

    def _chosen(
        self, image: NDArray[np.generic], bands: tuple[str, ...], wanted: tuple[str, ...]
    ) -> NDArray[np.uint16]:
        """Return the bands that the model reads; missing bands are 0."""
        chosen = np.zeros((len(wanted), self.height, self.width), np.uint16)
        for channel, band in enumerate(wanted):
            if band in bands:
                chosen[channel] = image[bands.index(band)]
        return chosen

    def _strip(self, rows: slice, columns: slice) -> Strip:
        terrain = None if self._terrain is None else self._terrain[:, rows, columns]
        return Strip(self._pre[:, rows, columns], self._post[:, rows, columns], terrain, self._usable[rows, columns])

    def read(self, row: int, rows: int) -> Strip:
        """Read `rows` rows from `row` on."""
        return self._strip(slice(row, row + rows), slice(None))

    def part(self, row: int, column: int, rows: int, columns: int) -> Strip:
        """Read the part that begins at `row` and `column`."""
        return self._strip(slice(row, row + rows), slice(column, column + columns))

    def thinned(self, step: int) -> Strip:
        """Read one pixel of each `step` x `step` pixels."""
        return self._strip(slice(None, None, step), slice(None, None, step))
