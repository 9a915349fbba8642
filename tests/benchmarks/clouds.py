"""Measure the cloud mask csmask on a real patch: `python tests/benchmarks/clouds.py`. Prints Markdown tables."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from landslide_cli.geo.bands import GSD_M, REFLECTANCE_ONE, Unseen
from landslide_cli.imagery.clouds import DILATION_PX
from landslide_cli.imagery.csmask import unseen_by_csmask

PATCH = Path(__file__).parents[3] / "shared" / "data" / "csmask_patch" / "sentinel2.npz"

TRUTH = {"shadow": 0, "snow": 1, "water": 2, "land": 3, "cloud": 4}
"""Classes of the patch, drawn by hand."""
CODES = {"seen": 0, **{reason.label: int(reason) for reason in (Unseen.CLOUD, Unseen.SHADOW, Unseen.SNOW)}}

PATCH_PX = 3
"""The patch has pixels of 30 m: its square-mile sections are 54 of them wide."""


def shares(patch: Path, dilation_px: int) -> dict[str, tuple[int, dict[str, float]]]:
    """Return per class of the truth its pixels, and the share of them, 0..1, that is given each code."""
    with np.load(patch) as data:
        image, truth = data["img"], data["msk"][..., 0]
    # 0 is nodata; every pixel of the patch was observed.
    dn = np.moveaxis(np.rint(image * REFLECTANCE_ONE).clip(1), -1, 0).astype(np.uint16)
    dn = dn.repeat(PATCH_PX, axis=1).repeat(PATCH_PX, axis=2)
    why = unseen_by_csmask(dn, np.ones(dn.shape[1:], np.bool_), dilation_px)
    centre = slice(PATCH_PX // 2, None, PATCH_PX)
    return {
        name: (int(inside.sum()), _shares(why[centre, centre][inside]))
        for name, inside in ((name, truth == code) for name, code in TRUTH.items())
        if inside.any()
    }


def _shares(codes: NDArray[np.uint8]) -> dict[str, float]:
    return {name: float(np.mean(codes == code)) for name, code in CODES.items()}


def main() -> None:
    """Print the shares as the network gives them, and grown as `fetch` uses them."""
    for dilation_px in (0, DILATION_PX):
        print(f"\n| truth, grown by {GSD_M * dilation_px} m | pixels | {' | '.join(CODES)} |")  # noqa: T201
        print("|---|---|" + "---|" * len(CODES))  # noqa: T201
        for name, (pixels, given) in shares(PATCH, dilation_px).items():
            figures = " | ".join(f"{100 * share:.1f} %" for share in given.values())
            print(f"| {name} | {pixels} | {figures} |")  # noqa: T201
    # Nor can snow be judged: what is called so in the patch reflects less than 0.12 in every band.
    print("\nThe patch comes without the scene classification of its product: no figures for scl.")  # noqa: T201


if __name__ == "__main__":
    main()
