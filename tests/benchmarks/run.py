"""Measure start-up, engines and memory: `python tests/benchmarks/run.py`. It prints a Markdown table."""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
import rasterio
from affine import Affine
from measured import command

from landslide_cli.config import DoctorConfig, FetchConfig
from landslide_cli.geo.bands import BANDS
from landslide_cli.workflows.doctor import doctor
from landslide_cli.workflows.fetch import fetch

WIDTH_PX = 1024


def startup_s(*arguments: str) -> float:
    """Best of five starts of the command line."""
    times = []
    for _ in range(5):
        began = perf_counter()
        subprocess.run([sys.executable, "-m", "landslide_cli", *arguments], check=True, capture_output=True)
        times.append(perf_counter() - began)
    return min(times)


def write_event(folder: Path, height: int) -> Path:
    """An event of noise, `height` x `WIDTH_PX`."""
    rng = np.random.default_rng(0)
    place = {"crs": "EPSG:32618", "transform": Affine(10, 0, 500_000, 0, -10, 2_000_000), "driver": "GTiff"}
    paths = {}
    for side in ("pre", "post"):
        paths[side] = folder / f"{side}.tif"
        with rasterio.open(
            paths[side], "w", width=WIDTH_PX, height=height, count=12, dtype="uint16", nodata=0, tiled=True, **place
        ) as target:
            for band in range(1, len(BANDS) + 1):
                target.write(rng.integers(300, 3000, (height, WIDTH_PX), dtype=np.uint16), band)
    shape = (height // 3 + 60, WIDTH_PX // 3 + 60)
    with rasterio.open(
        folder / "dem.tif", "w", width=shape[1], height=shape[0], count=1, dtype="float32",
        **(place | {"transform": Affine(30, 0, 499_400, 0, -30, 2_000_600)}),
    ) as target:  # fmt: skip
        target.write(rng.uniform(500, 900, shape).astype(np.float32), 1)
    event = folder / "event"
    fetch(
        FetchConfig(
            out=event, event_date="2021-08-14", pre=(str(paths["pre"]),), post=(str(paths["post"]),),
            dem=str(folder / "dem.tif"),
        )
    )  # fmt: skip
    return event


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--heights-px", type=int, nargs=2, default=(2048, 8192), help="of the two events")
    heights_px = parser.parse_args().heights_px
    rows = {
        "`landslide --help`": f"{startup_s('--help'):.2f} s",
        "`landslide predict --help`": f"{startup_s('predict', '--help'):.2f} s",
    }
    for engine in doctor(DoctorConfig()).engines:
        rate = f"{engine.windows_per_second:.1f}" if engine.windows_per_second else f"not here: {engine.why_not}"
        rows[f"BBU-Net, windows of 256 px per second, {engine.name}"] = rate
    for model in ("bbunet", "red-change"):
        peaks = []
        for height in heights_px:
            with tempfile.TemporaryDirectory() as folder:
                event = write_event(Path(folder), height)
                peaks.append(command(["predict", str(event), "--model", model])[1])
            rows[f"peak memory of `predict --model {model}`, {WIDTH_PX} x {height} px"] = f"{peaks[-1]:.0f} MiB"
        rows[f"taller over shorter, {model}"] = f"{peaks[1] / peaks[0]:.2f}"
    with tempfile.TemporaryDirectory() as folder:
        rows["`landslide demo`"] = f"{command(['demo', '--out', folder])[0]:.0f} s"
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")  # noqa: T201
    print("| what | figure |\n|---|---|")  # noqa: T201
    for what, figure in rows.items():
        print(f"| {what} | {figure} |")  # noqa: T201


if __name__ == "__main__":
    main()
