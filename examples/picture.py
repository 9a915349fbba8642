"""Draw an event: before, after, and after with the landslides outlined and what was not analysed hatched.

    landslide demo --out demo/
    python examples/picture.py demo/event demo/picture.jpg

It shows how to read the files of an event with rasterio and fiona alone.
"""

import argparse
import warnings
from pathlib import Path

import fiona
import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning
from rasterio.features import rasterize
from rasterio.transform import Affine
from shapely.geometry import shape

TRUE_COLOUR = ("B04", "B03", "B02")
OUTLINE = (255, 60, 30)
GAP_PX = 12

Picture = NDArray[np.uint8]


def main() -> None:
    """Read the event, draw three panels, write them as one picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("event", type=Path, help="folder on which fetch, predict and vectorize ran")
    parser.add_argument("out", type=Path, help="picture to write: .jpg or .png")
    options = parser.parse_args()
    event: Path = options.event

    before, after = (true_colour(event / name) for name in ("pre.tif", "post.tif"))
    mapped = after.copy()
    with rasterio.open(event / "post.tif") as source:
        transform, size = source.transform, source.shape
    rows, columns = np.indices(size)
    hatch = ((rows + columns) % 8 < 2) & burn(event, "not_analysed", transform, size, outline=False)
    mapped[:, hatch] = 190
    mapped[:, burn(event, "landslides", transform, size, outline=True)] = np.array(OUTLINE, np.uint8)[:, None]
    gap = np.full((3, size[0], GAP_PX), 255, np.uint8)
    write(np.concatenate([before, gap, after, gap, mapped], axis=2), options.out)


def true_colour(path: Path) -> Picture:
    """Read an image of an event as (3, H, W) uint8, stretched between its darkest and its brightest clear ground."""
    with rasterio.open(path) as source:
        dn = source.read([source.descriptions.index(band) + 1 for band in TRUE_COLOUR]).astype(np.float32)
    seen = (dn > 0).all(axis=0)
    with rasterio.open(path.with_name("clear.tif")) as source:
        clear = seen & (source.read(1) == 1)
    low, high = np.percentile(dn[:, clear if clear.any() else seen], [1, 99], axis=1)
    stretched = (dn - low[:, None, None]) / (high - low)[:, None, None]
    return (255 * np.clip(np.where(seen, stretched, 1), 0, 1) ** 0.8).astype(np.uint8)


def burn(event: Path, layer: str, transform: Affine, size: tuple[int, int], *, outline: bool) -> NDArray[np.bool_]:
    """Return (H, W), true on the polygons of a layer or on their outlines."""
    with fiona.open(event / "landslides.gpkg", layer=layer) as source:
        polygons = [shape(feature.geometry) for feature in source]
    shapes = [polygon.boundary if outline else polygon for polygon in polygons]
    burned: NDArray[np.bool_] = (
        rasterize(shapes, out_shape=size, transform=transform).astype(bool) if shapes else np.zeros(size, bool)
    )
    return burned


def write(picture: Picture, path: Path) -> None:
    """Write (3, H, W) as JPEG or PNG."""
    driver = "JPEG" if path.suffix.lower() in (".jpg", ".jpeg") else "PNG"
    quality = {"quality": 80} if driver == "JPEG" else {}
    height, width = picture.shape[1:]
    with warnings.catch_warnings():
        # A picture lies nowhere on the map, of which rasterio warns.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", driver=driver, count=3, height=height, width=width, dtype="uint8", **quality
        ) as target:
            target.write(picture)


if __name__ == "__main__":
    main()
