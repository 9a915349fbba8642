"""Write the files that a person opens first: a QGIS project, a report and a map sheet to print."""

from collections import Counter

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image

from landslide_cli.event.folder import Event
from landslide_cli.event.products import PRODUCTS
from landslide_cli.geo.bands import CLEAR, NODATA, TRUE_COLOUR
from landslide_cli.mapping.attributes import ellipsoidal_area_m2
from landslide_cli.mapping.compare import Changes, differences_in_words
from landslide_cli.mapping.formats import Layer
from landslide_cli.mapping.print_sheet import write_sheet
from landslide_cli.mapping.qgis import RasterLayer, VectorLayer, write_project
from landslide_cli.mapping.report import Report, write_report
from landslide_cli.version import __version__

PICTURE_PX = 1400
"""Longest side of the images in the report, in pixels."""
SWIR = ("B12", "B8A", "B04")


def present(
    event: Event, landslides: Layer, not_analysed: Layer, aoi: Layer, scenes: Layer, changes: Changes | None = None
) -> None:
    """Write `map.qgz`, `report.html` and `map.pdf` into the event folder.

    Args:
        event: an event with a map of probability.
        landslides: the layer of the landslides.
        not_analysed: the layer of the ground that was not analysed.
        aoi: the layer of the AOI.
        scenes: the layer of the image footprints.
        changes: changes since the earlier version; None if there is no earlier version.

    Raises:
        OutputError: a file cannot be written.
    """
    above = [changes.layer] if changes else []
    _write_project(event, *above, landslides, not_analysed, aoi, scenes)
    _write_report(event, landslides, not_analysed, aoi, changes)


def _write_project(event: Event, *vectors: Layer) -> None:
    """Write the QGIS project: vectors above the probability, the images and the shaded relief."""
    titles = {
        "landslides": "Landslides", "not_analysed": "Not analysed", "aoi": "Area of interest",
        "scenes": "Image footprints", "changes": "Changes since the previous version",
    }  # fmt: skip
    layers: list[RasterLayer | VectorLayer] = [
        VectorLayer(v.name, titles[v.name], PRODUCTS["geopackage"].file, tuple(v.fields), v.name != "scenes")
        for v in vectors
    ]
    layers.append(RasterLayer("probability", "Probability", PRODUCTS["probability"].file, "probability", shown=False))
    for name, bands in (("true colour", TRUE_COLOUR), ("SWIR, NIR, red", SWIR)):
        for side, when in (("post", "After"), ("pre", "Before")):
            if set(bands) <= set(event.bands):
                indexes = tuple(event.bands.index(band) + 1 for band in bands)
                _, ranges = _overview(event, side, indexes)
                shown = bands == TRUE_COLOUR
                key = f"{side}_{'true_colour' if shown else 'swir'}"
                layers.append(RasterLayer(key, f"{when}, {name}", PRODUCTS[side].file, "rgb", indexes, ranges, shown))
    if event.has("terrain"):
        layers.append(RasterLayer("hillshade", "Shaded relief", PRODUCTS["terrain"].file, "hillshade"))
    extent = next(v for v in vectors if v.name == "aoi").polygons[0]
    assert extent is not None
    title = f"Landslides of {event.event_date}"
    write_project(event.path("project"), title, vectors[0].crs, extent.bounds, layers)


def _write_report(event: Event, landslides: Layer, not_analysed: Layer, aoi: Layer, changes: Changes | None) -> None:
    step, area = event.predicted, aoi.polygons[0]
    assert step is not None
    assert area is not None
    model = {
        "model": f"{step.model} {step.model_version}".strip(),
        "threshold": f"{step.threshold:g}",
        "learned from": step.training_data or "not stated",
    }
    scores = {name.replace("_", " "): f"{score:.3g}" for name, score in step.scores.items()}
    with rasterio.open(event.path("clear")) as source:
        transform, size = source.transform, source.shape
    report = Report(
        title=f"Landslides of {event.event_date}: {event.folder.absolute().name}",
        pre=_picture(event, "pre"),
        post=_picture(event, "post"),
        landslides=landslides,
        not_analysed=not_analysed,
        aoi=area,
        transform=transform,
        shape_px=size,
        totals=totals(landslides, not_analysed, aoi),
        model=model,
        scores=scores,
        limits=step.limits or "The limits of this model are not known. Look at the images.",
        scenes=event.scenes,
        pre_date=event.dates("pre") or "date unknown",
        post_date=event.dates("post") or "date unknown",
        software=f"landslide {__version__}",
        changes=_change_totals(changes) if changes else {},
        changes_title=f"Changes since version {changes.since}" if changes else "",
    )
    write_report(report, event.path("report"))
    write_sheet(report, event.path("sheet"))


def totals(landslides: Layer, not_analysed: Layer, aoi: Layer) -> dict[str, str]:
    """Return the totals for report and sheet: landslides, and the share of the AOI that was and was not analysed."""
    sizes = [record["area_m2"] for record in landslides.records]
    (aoi_m2,) = ellipsoidal_area_m2(aoi.polygons, aoi.crs).tolist()
    hidden: Counter[str] = Counter()
    for record in not_analysed.records:
        hidden[record["reason"]] += record["area_m2"]
    return {
        "landslides": str(len(sizes)),
        "their area": f"{sum(sizes) / 1e4:,.1f} ha",
        "the largest": f"{max(sizes, default=0) / 1e4:,.2f} ha",
        "area of interest": f"{aoi_m2 / 1e6:,.1f} km²",
        "analysed": f"{aoi.records[0]['analysed_percent']:.1f} %",
        **{
            f"not analysed: {reason}": f"{100 * size / aoi_m2:.1f} %, {size / 1e6:,.2f} km²"
            for reason, size in hidden.most_common()
        },
    }


def _change_totals(changes: Changes) -> dict[str, str]:
    totals = {
        change: f"{count}, {changes.areas_m2[change] / 1e4:,.2f} ha"
        for change, count in changes.counts.items()
        if count
    }
    totals = totals or {"landslides": "none on either map"}
    return totals | ({"other options": differences_in_words(changes.differences)} if changes.differences else {})


def _picture(event: Event, side: str) -> NDArray[np.uint8]:
    """Return an image (h, w, 3) in true colour, or in grey if it lacks these bands; white is not observed."""
    bands = TRUE_COLOUR if set(TRUE_COLOUR) <= set(event.bands) else (event.bands[0],) * 3
    dn, ranges = _overview(event, side, tuple(event.bands.index(band) + 1 for band in bands))
    low, high = (np.array(ends, np.float32)[:, None, None] for ends in zip(*ranges, strict=True))
    share = np.clip((dn - low) / (high - low), 0, 1) ** 0.8
    share[:, (dn == NODATA).all(axis=0)] = 1
    picture = np.rint(255 * share).astype(np.uint8).transpose(1, 2, 0)
    image = Image.fromarray(np.ascontiguousarray(picture))
    image.thumbnail((PICTURE_PX, PICTURE_PX))
    return np.asarray(image)


def _overview(
    event: Event, side: str, indexes: tuple[int, ...]
) -> tuple[NDArray[np.uint16], tuple[tuple[float, float], ...]]:
    """Read bands of an image at a reduced size, and choose the range of values in which each band is drawn.

    The ranges hold nearly all clear ground. Clouds are left out, because they would make everything else dark. All
    ranges have the same width, so that colours are not distorted.

    Args:
        event: an event with images.
        side: `pre` or `post`.
        indexes: the B bands to read, from 1.

    Returns:
        Digital numbers (B, h, w), and the lower and upper end of each range.
    """
    with rasterio.open(event.path(side)) as source, rasterio.open(event.path("clear")) as mask:
        shrink = max(1.0, max(source.shape) / PICTURE_PX)
        size = tuple(max(round(length / shrink), 1) for length in source.shape)
        dn: NDArray[np.uint16] = source.read(list(indexes), out_shape=(len(indexes), *size))
        seen = (mask.read(1, out_shape=size) == CLEAR) & (dn > NODATA).all(axis=0)
    if not seen.any():
        return dn, ((0.0, 3000.0),) * len(indexes)
    low, high = np.percentile(dn[:, seen], (1, 98), axis=1)
    width = max(float((high - low).max()), 1.0)
    return dn, tuple((bottom, bottom + width) for bottom in low.tolist())
