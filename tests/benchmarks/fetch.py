"""Measure fetch: `python tests/benchmarks/fetch.py [--granule]`. It prints a Markdown table.

Time and bytes are compared with a plain `odc.stac.load` of the same scenes over the same AOI from the same server.
With --granule also the peak memory of fetching a whole granule, which takes minutes and some 20 GB of disk.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
import rasterio
from affine import Affine
from measured import command

from landslide_cli.event.folder import Event
from landslide_cli.geo.bands import BANDS
from landslide_cli.simulation.catalog import write_catalog

sys.path.insert(0, str(Path(__file__).parents[1]))
from servers import BASE_URL, stac_api, storage

GRANULE_PX = 10_980

PLAIN = """
import json, sys
import odc.stac, planetary_computer, pystac
from odc.geo.geobox import GeoBox
items, wanted, geobox = json.loads(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])
odc.stac.configure_rio(cloud_defaults=True)
geobox = GeoBox(geobox["shape"], __import__("affine").Affine(*geobox["transform"]), geobox["crs"])
every = [pystac.Item.from_dict(f, migrate=False) for f in json.load(open(items))["features"]]
for side, ids in wanted.items():
    chosen = [item for item in every if item.id in ids]
    config = {"*": {"assets": {"*": {"data_type": "uint16", "nodata": 0}}, "warnings": "ignore"}}
    odc.stac.load(chosen, bands=BANDS + ["SCL"], geobox=geobox, groupby="solar_day", resampling="bilinear",
                  stac_cfg=config, patch_url=planetary_computer.sign, pool=4)
""".replace("BANDS", repr(list(BANDS)))


def compare(rows: dict[str, str], width_px: int) -> None:
    """Fetch a served event, then load its scenes plainly."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        catalog = write_catalog(folder / "catalog", seed=7, shape=(4 * width_px // 5, width_px), base_url=BASE_URL)
        with storage(folder / "catalog") as (address, traffic), stac_api(catalog.items) as api:
            environment = {**os.environ, "PC_SDK_SAS_URL": f"http://{address}/token", "GDAL_HTTP_PROXY": address}
            environment["NO_PROXY"] = "127.0.0.1"
            out = folder / "event"
            command = [
                sys.executable, "-m", "landslide_cli", "fetch", "--aoi", str(catalog.aoi), "--event-date",
                catalog.event_date.isoformat(), "--catalog", api, "--out", str(out),
            ]  # fmt: skip
            began = perf_counter()
            subprocess.run(command, env=environment, check=True, capture_output=True)
            ours_s, ours_bytes = perf_counter() - began, traffic.bytes_sent
            event = Event.open(out)
            wanted = {side: [s["id"] for s in event.scenes if s["side"] == side] for side in ("pre", "post")}
            grid = {
                "shape": event.properties["proj:shape"], "transform": event.properties["proj:transform"],
                "crs": event.properties["proj:code"],
            }  # fmt: skip
            traffic.bytes_sent = 0
            plain = [sys.executable, "-W", "ignore", "-c", PLAIN, json.dumps(str(catalog.items)), json.dumps(wanted)]
            began = perf_counter()
            subprocess.run([*plain, json.dumps(grid)], env=environment, check=True)
            plain_s, plain_bytes = perf_counter() - began, traffic.bytes_sent
    rows[f"AOI of {width_px} x {4 * width_px // 5} px, 4 scenes of 2 granules: `landslide fetch`"] = (
        f"{ours_s:.1f} s, {ours_bytes / 1e6:.1f} MB"
    )
    rows["plain `odc.stac.load` of the scenes used, nothing written"] = f"{plain_s:.1f} s, {plain_bytes / 1e6:.1f} MB"
    rows["ratio"] = f"{ours_s / plain_s:.2f} in time, {ours_bytes / plain_bytes:.2f} in bytes"


def whole_granule(rows: dict[str, str]) -> None:
    """Fetch one granule of both dates from disk and measure the peak memory."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        rng = np.random.default_rng(0)
        noise = rng.integers(300, 3000, (GRANULE_PX // 6, GRANULE_PX), dtype=np.uint16)
        collection = json.loads(write_catalog(folder / "small", seed=1, shape=(100, 120)).items.read_text())
        template = next(f for f in collection["features"] if f["collection"] == "sentinel-2-l2a")
        assets = {}
        for key in (*BANDS, "SCL"):
            gsd = {"B01": 60, "B09": 60}.get(key, 10 if key in ("B02", "B03", "B04", "B08") else 20)
            size = GRANULE_PX * 10 // gsd
            path = folder / f"{key}.tif"
            transform = Affine(gsd, 0, 499_980, 0, -gsd, 2_000_040)
            with rasterio.open(
                path, "w", driver="GTiff", width=size, height=size, count=1, tiled=True, nodata=0,
                dtype="uint8" if key == "SCL" else "uint16", crs="EPSG:32618", transform=transform,
            ) as target:  # fmt: skip
                for row in range(0, size, size // 6):
                    rows_px = size // 6
                    block = np.full((rows_px, size), 4, np.uint8) if key == "SCL" else noise[:rows_px, :size]
                    target.write(block, 1, window=rasterio.windows.Window(0, row, size, rows_px))
            assets[key] = {
                "href": str(path), "roles": ["data"], "proj:shape": [size, size],
                "proj:transform": list(transform)[:6],
            }  # fmt: skip
        west, south, east, north = rasterio.warp.transform_bounds(
            "EPSG:32618", "EPSG:4326", 499_980, 2_000_040 - 10 * GRANULE_PX, 499_980 + 10 * GRANULE_PX, 2_000_040
        )
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        features = []
        for day in ("2021-08-09", "2021-08-19"):
            properties = {
                **template["properties"], "datetime": f"{day}T15:00:00Z", "proj:epsg": 32618, "proj:code": "EPSG:32618",
                "s2:mgrs_tile": "18QWD",
            }  # fmt: skip
            geometry = {"type": "Polygon", "coordinates": [ring]}
            features.append(
                {**template, "id": day, "properties": properties, "geometry": geometry, "assets": assets}
                | {"bbox": [west, south, east, north]}
            )
        items = folder / "items.json"
        items.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
        aoi = f"{west + 0.003},{south + 0.003},{east - 0.003},{north - 0.003}"
        seconds, peak_mib, _ = command(
            [
                "fetch", "--aoi", aoi, "--event-date", "2021-08-14", "--no-dem", "--catalog", str(items),
                "--out", str(folder / "event"),
            ]
        )  # fmt: skip
        height, width = Event.open(folder / "event").properties["proj:shape"]
        rows[f"{width} x {height} px from disk"] = f"{seconds / 60:.1f} min, {peak_mib:.0f} MiB at most"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--granule", action="store_true", help="also fetch a whole granule")
    parser.add_argument("--width-px", type=int, default=1000, help="width of the AOI")
    options = parser.parse_args()
    rows: dict[str, str] = {}
    compare(rows, options.width_px)
    if options.granule:
        whole_granule(rows)
    print("| what | figure |\n|---|---|")  # noqa: T201
    for what, figure in rows.items():
        print(f"| {what} | {figure} |")  # noqa: T201


if __name__ == "__main__":
    main()
