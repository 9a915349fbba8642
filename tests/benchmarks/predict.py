"""Measure prediction on a whole granule, on an area of 20 x 20 km, and at the borders; and `vectorize`.

    python tests/benchmarks/predict.py --work FOLDER

Prints a Markdown table. A simulated event of 1098 px is repeated, mirrored, to a granule of 10,980 px.
The plain loop is what a researcher writes first: torch, one window at a time, whole arrays, stride 128. It would take
hours, so `--loop-rows` rows of windows are timed and scaled up.
Needs the extra `train`, 12 GB of disk and half an hour. Smaller numbers try the script out in seconds.
"""

import argparse
import os
import platform
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter, time
from typing import Any

import numpy as np
import rasterio
import typer
from affine import Affine
from measured import command, process
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from landslide_cli.card import ModelCard
from landslide_cli.config import FetchConfig
from landslide_cli.event.folder import Event
from landslide_cli.event.placing import ITEM
from landslide_cli.event.products import PREDICTED
from landslide_cli.event.records import PredictRecord
from landslide_cli.files import remove
from landslide_cli.geo.bands import BANDS, NOT_ANALYSED
from landslide_cli.geo.fill import fill_unobserved
from landslide_cli.geo.rasters import create
from landslide_cli.inference.engines import Engine, Inputs, OnnxEngine, load, open_model
from landslide_cli.inference.models import shipped_models
from landslide_cli.inference.reader import EventReader, Strip
from landslide_cli.inference.sliding import SAMPLES, busiest
from landslide_cli.inference.sliding import predict as slide
from landslide_cli.inference.tiles import starts
from landslide_cli.simulation.catalog import write_catalog
from landslide_cli.training.recipes import Recipe
from landslide_cli.workflows.doctor import windows_per_second
from landslide_cli.workflows.fetch import fetch

PLAIN_STRIDE_PX = 128
MODEL = "bbunet"
EVENT_DATE = "2021-08-14"
"""Of what `write_catalog` makes unless told otherwise."""
REGIONS_PER_SIDE = 224
"""Squared: 50,176 regions, of 0.56 ha on average."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="keeps the events")
    parser.add_argument("--piece-px", type=int, default=1098, help="side of the simulated event, more than 556")
    parser.add_argument("--repeat", type=int, default=10, help="side of the granule in pieces")
    parser.add_argument("--small-px", type=int, default=2000, help="side of the small area")
    parser.add_argument("--measure-s", type=float, default=10.0, help="how long the engine is measured, each time")
    parser.add_argument("--loop-rows", type=int, default=2, help="rows of windows of the plain loop to time")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    typer.echo(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    typer.echo("| what | figure |\n|---|---|")
    piece = simulated(options.work / "piece", options.piece_px)
    granule = repeated(piece, options.work / "granule", options.repeat, options.piece_px)
    engine = chosen(piece, options.device)
    at_borders(engine, piece)
    plain_window_s = timed_plain_loop(granule, options.loop_rows)
    whole_granule(granule, options.device, engine, samples_of(piece, engine.card), plain_window_s, options.measure_s)
    regions(granule)
    small_area(options.work, options.device, options.small_px)


def row(what: str, figure: str) -> None:
    """Print a row of the table."""
    typer.echo(f"| {what} | {figure} |")


def simulated(folder: Path, side_px: int) -> Path:
    """Return an event of simulated ground; made if it is not there."""
    made = write_catalog(folder / "catalog", seed=4, shape=(side_px, side_px)) if not folder.exists() else None
    event = folder / "event"
    if made:
        fetch(
            FetchConfig(
                out=event, aoi=str(made.aoi), event_date=made.event_date.isoformat(), catalog=str(made.items), yes=True
            )
        )
    return event


def repeated(piece: Path, folder: Path, times: int, piece_px: int) -> Path:
    """Return an event of `times` x `times` mirror images of another one; made if it is not there."""
    source = Event.open(piece)
    if (folder / ITEM).exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    for product in ("pre", "post", "terrain", "clear", "sources"):
        with rasterio.open(source.path(product)) as raster:
            data = raster.read()[:, :piece_px, :piece_px]
            origin = raster.transform
            names, nodata = tuple(name or "" for name in raster.descriptions), raster.nodata
        side = times * piece_px
        grid = GeoBox((side, side), Affine(10, 0, origin.c, 0, -10, origin.f), raster.crs.to_string())
        with create(folder / f"{product}.tif", grid, dtype=str(data.dtype), nodata=nodata, names=names) as writer:
            for number in range(times):
                strip = data[:, :: (-1) ** number]
                writer.write(
                    np.concatenate([strip[:, :, :: (-1) ** n] for n in range(times)], axis=2), number * piece_px
                )
    corners = grid.extent.to_crs("EPSG:4326").geom
    item = {**source.item, "id": folder.name, "geometry": corners.__geo_interface__, "bbox": list(corners.bounds)}
    item["properties"] = {**source.properties, "landslide:steps": {}}
    Event(folder, {**item, "assets": {k: v for k, v in source.item["assets"].items() if k not in PREDICTED}}).save()
    return folder


def samples_of(event: Path, card: ModelCard, count: int = SAMPLES) -> list[Inputs]:
    """Return windows of an event in memory."""
    with EventReader(Event.open(event), card.bands) as reader:
        return list(busiest(reader, card.tile_px, count))


def load_engine(name: str) -> Engine:
    """Load the network into one engine, untried."""
    path = shipped_models()[MODEL]
    return load(path, name, OnnxEngine(path))


def chosen(event: Path, device: str) -> Engine:
    """Return the engine that `predict` would use for an event."""
    card = OnnxEngine(shipped_models()[MODEL]).card
    return open_model(shipped_models()[MODEL], device, samples_of(event, card))


@dataclass
class Cut:
    """A part of an event that ends where it was cut."""

    reader: EventReader
    top: int
    left: int

    def __post_init__(self) -> None:
        """Work out size and place."""
        self.height, self.width = self.reader.height - self.top, self.reader.width - self.left
        self.origin = (self.reader.origin[0] + self.top, self.reader.origin[1] + self.left)

    def read(self, row: int, rows: int) -> Strip:
        """Read `rows` rows from `row` on."""
        strip = self.reader.read(self.top + row, rows)
        terrain = None if strip.terrain is None else strip.terrain[:, :, self.left :]
        return Strip(strip.pre[:, :, self.left :], strip.post[:, :, self.left :], terrain, strip.usable[:, self.left :])


def at_borders(engine: Engine, event: Path, cut_px: int = 300) -> None:
    """Compare the map of an event with that of a part of it, by the distance from where it was cut."""

    def mapped(reader: EventReader | Cut) -> NDArray[np.int16]:
        strips = slide(reader, engine, tile=256, stride=192, batch=4, progress=lambda _: None)
        return np.concatenate([percent for _, percent in strips]).astype(np.int16)

    with EventReader(Event.open(event), engine.card.bands) as reader:
        whole, part = mapped(reader), mapped(Cut(reader, cut_px, cut_px))
    whole = whole[cut_px:, cut_px:]
    rows, columns = np.indices(part.shape)
    distance = np.minimum(rows, columns)
    apart = np.where((whole == NOT_ANALYSED) | (part == NOT_ANALYSED), 0, np.abs(whole - part))
    for points in (1, 2, 10):
        far = distance[apart >= points]
        row(
            f"reach of a cut border: percent values that differ by {points} or more",
            f"up to {int(far.max(initial=-1)) + 1} px, {100 * (apart >= points)[distance < 256].mean():.2f} % "
            "of the pixels within 256 px",
        )
    row("largest difference beyond 256 px from a cut", f"{int(apart[distance >= 256].max(initial=0))}")


def plain_loop(event: Path, rows: int) -> float:
    """Return seconds per window of the plain loop: torch, eager, one at a time, from whole arrays."""
    import torch

    from landslide_cli.training.module import ChangeModule
    from landslide_cli.training.start import load_start

    path = shipped_models()[MODEL]
    card = OnnxEngine(path).card
    module = ChangeModule(replace(Recipe(), model=card.architecture, bands=card.bands))
    load_start(module, {path: card.bands})
    module.eval()
    opened = Event.open(event)
    height = 256 + (rows - 1) * PLAIN_STRIDE_PX
    began = perf_counter()
    arrays: dict[str, NDArray[Any]] = {}
    for name in ("pre", "post", "terrain"):
        with rasterio.open(opened.path(name)) as source:
            arrays[name] = source.read(window=Window(0, 0, source.width, height)).astype(np.float32)
    with rasterio.open(opened.path("clear")) as source:
        clear = source.read(1, window=Window(0, 0, source.width, height)) == 1
    total, count = np.zeros(clear.shape, np.float32), np.zeros(clear.shape, np.float32)
    windows = 0
    with torch.inference_mode():
        for top in range(0, height - 255, PLAIN_STRIDE_PX):
            for left in range(0, clear.shape[1] - 255, PLAIN_STRIDE_PX):
                at = (slice(top, top + 256), slice(left, left + 256))
                seen = {
                    "pre": clear[at],
                    "post": clear[at],
                    "terrain": np.isfinite(arrays["terrain"][:, *at]).all(axis=0),
                }
                inputs = [torch.from_numpy(fill_unobserved(arrays[name][:, *at], seen[name])[None]) for name in arrays]
                total[at] += module.probability(dict(zip(arrays, (i.numpy() for i in inputs), strict=True)))[0, 0]
                count[at] += 1
                windows += 1
    _ = total / np.maximum(count, 1)
    return (perf_counter() - began) / windows


def timed_plain_loop(event: Path, rows: int) -> float:
    """Return seconds per window of the plain loop, in a process of its own: torch and OpenVINO do not go together."""
    _, _, printed = process(
        "import sys\nsys.path.insert(0, sys.argv[1])\nfrom pathlib import Path\nimport predict\n"
        "print(predict.plain_loop(Path(sys.argv[2]), int(sys.argv[3])))",
        str(Path(__file__).parent), str(event), str(rows),
    )  # fmt: skip
    return float(printed)


def engine_memory_mib(event: Path, provider: str) -> float:
    """Peak memory of a process that loads one engine and runs one batch."""
    _, peak_mib, _ = process(
        "import sys\nsys.path.insert(0, sys.argv[1])\nfrom pathlib import Path\nimport predict\n"
        "from landslide_cli.workflows.doctor import windows_per_second\n"
        "engine = predict.load_engine(sys.argv[3])\n"
        "windows_per_second(engine, predict.samples_of(Path(sys.argv[2]), engine.card), 0)",
        str(Path(__file__).parent), str(event), provider,
    )  # fmt: skip
    return peak_mib


def whole_granule(
    event: Path, device: str, engine: Engine, samples: list[Inputs], plain_window_s: float, measure_s: float
) -> None:
    """Predict a granule; compare with what the engine does on `samples` in memory, just before and just after."""
    with rasterio.open(event / "clear.tif") as source:
        side = source.width
    began = perf_counter()
    with EventReader(Event.open(event), open_model(shipped_models()[MODEL], "cpu").card.bands) as reader:
        for top in range(0, side - 256, 192):
            reader.read(top, 256)
    reading_s = perf_counter() - began
    before = windows_per_second(engine, samples, measure_s)
    seconds, peak_mib, summary = command(["predict", str(event), "--model", MODEL, "--device", device])
    after = windows_per_second(engine, samples, measure_s)
    if summary["provider"] != engine.provider:
        raise SystemExit(f"the granule ran on {summary['provider']}, the resident windows on {engine.provider}")
    row(f"{engine.provider} on resident windows of 256 px, before and after", f"{before:.2f}, {after:.2f} windows/s")
    with EventReader(Event.open(event), BANDS) as reader:
        down, across = (len(starts(side, 256, 192, origin)) for origin in reader.origin)
    windows = down * across
    plain = ((side - 256) // PLAIN_STRIDE_PX + 1) ** 2 * plain_window_s
    row(f"`predict`, {side} px square, 12 + 12 + 4 bands, {summary['provider']}, stride 192", f"{seconds / 60:.1f} min")
    row("reading alone, in one thread", f"{reading_s:.0f} s")
    row(
        "windows per second, end to end",
        f"{windows / seconds:.2f}, {windows / seconds / (before + after) * 2:.2f} of the engine's own",
    )
    row(
        "plain loop (torch, one window at a time, stride 128), counted up",
        f"{plain / 60:.1f} min, {plain_window_s:.2f} s a window",
    )
    row("times faster than the plain loop", f"{plain / seconds:.1f}")
    alone_mib = engine_memory_mib(event, summary["provider"])
    row("peak memory of `predict` there", f"{peak_mib:.0f} MiB, {peak_mib - alone_mib:.0f} above the engine's own")


def regions(event: Path) -> None:
    """Vectorize a map of very many landslides."""
    opened = Event.open(event)
    rng = np.random.default_rng(0)
    with rasterio.open(opened.path("clear")) as source:
        grid, side = GeoBox.from_rio(source), source.width
    step = side // (per_side := min(REGIONS_PER_SIDE, side // 20))
    with create(opened.path("probability"), grid, dtype="uint8", nodata=NOT_ANALYSED, names=("percent",)) as writer:
        for number in range(per_side):
            strip = np.zeros((step, side), np.uint8)
            for column in range(per_side):
                height, width = rng.integers(3, 13, 2)
                block = rng.integers(40, 101, (height, width))
                strip[2 : 2 + height, column * step + 2 : column * step + 2 + width] = block
            writer.write(strip, number * step)
    opened.record(PredictRecord(model="benchmark", threshold=0.3), PREDICTED)
    seconds, peak_mib, summary = command(["vectorize", str(event)])
    row(f"`vectorize`, {side} px square, {summary['landslides']} regions", f"{seconds:.0f} s, {peak_mib:.0f} MiB")


def small_area(work: Path, device: str, side_px: int) -> None:
    """Map `side_px` squared pixels of 10 m from a catalog on disk."""
    folder = work / "small"
    if not folder.exists():
        write_catalog(folder, seed=5, shape=(side_px, side_px))
    event = work / "small-event"
    remove(event)
    began = time()
    seconds, _, summary = command(
        [
            "map", "--aoi", str(folder / "aoi.geojson"), "--event-date", EVENT_DATE,
            "--catalog", str(folder / "items.json"), "--device", device,
            "--overwrite", "--out", str(event),
        ]
    )  # fmt: skip
    first_s = Event.open(event).path("landslides").stat().st_mtime - began
    row(
        f"first polygon of {side_px / 100:g} x {side_px / 100:g} km, from a catalog on disk",
        f"{first_s:.0f} s, of which predict {summary['predict']['seconds']:.0f} s; "
        f"{summary['vectorize']['landslides']} landslides",
    )
    row("the same with project, report and sheet", f"{seconds:.0f} s")


if __name__ == "__main__":
    main()
