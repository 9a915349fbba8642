"""A map of probabilities into polygons."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from landslide_cli.config import SCHEMAS, VectorizeConfig
from landslide_cli.errors import InputError
from landslide_cli.event.folder import Event
from landslide_cli.files import sha256_of
from landslide_cli.inference.models import check_threshold
from landslide_cli.mapping import masks
from landslide_cli.mapping.cems import cems_layers
from landslide_cli.mapping.compare import Changes, changes_since
from landslide_cli.mapping.formats import named_formats, write_as, write_geojson, write_geopackage
from landslide_cli.mapping.layers import event_layers, scene_layer
from landslide_cli.mapping.present import present
from landslide_cli.progress import Progress, silent

ALWAYS: Final = (
    "landslides", "not_analysed", "geopackage", "landslides_style", "not_analysed_style", "project", "report",
    "sheet",
)  # fmt: skip
"""Products that are made whatever the options."""
MERGE_MAX_M: Final = 200
"""Parts farther from each other are no single landslide; it also bounds the time that looking for them takes."""


@dataclass(frozen=True, slots=True)
class VectorizeSummary:
    """What `vectorize` found."""

    event: Path
    landslides: int
    area_m2: float
    largest_m2: float
    analysed_percent: float
    """Percent of the AOI that was analysed."""
    geojson: Path
    geopackage: Path
    project: Path
    report: Path
    sheet: Path
    changes: Mapping[str, Any] | None
    """Against the earlier version, if there is one: its number as `since`, `counts` and `areas_m2` of landslides by
    what became of them, and `differences` of the options that both maps were made with."""


def vectorize(
    config: VectorizeConfig, progress: Progress = silent, *, previous: Event | None = None
) -> VectorizeSummary:
    """Write the landslides of an event, and what was not analysed, as GeoJSON, GeoPackage, QGIS project and report.

    Of an event that has an earlier version it is written what became of that one's landslides.

    Args:
        config: what is wanted.
        progress: told what is being done.
        previous: the earlier version, where it does not lie yet where the event's record says.

    Raises:
        InputError: there is no such event, it was not predicted, or an option is out of range.
        OutputError: the folder cannot be written.
    """
    event = Event.open(config.event)
    if not event.has("probability"):
        raise InputError(f"{event.folder} has no probability.tif; run `landslide predict {event.folder}` first")
    prediction = event.step("predict")
    if not {"model", "threshold"} <= set(prediction):
        raise InputError(
            f"event.json does not tell which model made probability.tif; run `landslide predict {event.folder}` again"
        )
    threshold = prediction["threshold"] if config.threshold is None else config.threshold
    excluded = check_options(config, threshold, terrain=event.has("terrain"))
    landslides, not_analysed, aoi = event_layers(event, config, threshold, excluded, progress)
    scenes = scene_layer(event, aoi.crs)
    write_geojson(landslides, event.path("landslides"))
    write_geojson(not_analysed, event.path("not_analysed"))
    changes = _changes(event, previous, outline_options(config, threshold))
    layers = [landslides, not_analysed, aoi, scenes, *([changes.layer] if changes else [])]
    write_geopackage(layers, event.path("geopackage"))
    for name in (formats := named_formats(config.formats)):
        write_as(name, landslides, event.path(name))
    if config.schema == "cems":
        cems = cems_layers(landslides, not_analysed, aoi.polygons[0], scenes.polygons, event.scenes)
        write_geopackage(cems, event.path("cems"), styled=False)
    present(event, landslides, not_analysed, aoi, scenes, changes)
    made = [*ALWAYS, *formats, *(["cems"] if config.schema == "cems" else [])]
    if changes:
        write_geojson(changes.layer, event.path("changes"))
        made += ["changes", "changes_style"]
    sizes = np.array([record["area_m2"] for record in landslides.records])
    facts = {
        **outline_options(config, threshold),
        "landslides": len(sizes),
        "area_m2": float(sizes.sum()),
        "largest_m2": float(sizes.max(initial=0)),
        "analysed_percent": aoi.records[0]["analysed_percent"],
        "changes": changes and changes.record(),
    }
    return recorded(event.record("vectorize", tuple(made), facts))


def outline_options(config: VectorizeConfig, threshold: float) -> dict[str, object]:
    """Return what the outlines depend on beside the map of probability, as it is recorded."""
    return {
        "threshold": threshold,
        "min_area_m2": config.min_area,
        "simplify_m": config.simplify,
        "grow": config.grow,
        "merge_m": config.merge,
        "smooth": config.smooth,
        "steeper_than_deg": config.steeper_than,
        "exclude": config.exclude and config.exclude.name,
        "exclude_sha256": sha256_of(config.exclude) if config.exclude and config.exclude.is_file() else None,
    }


def recorded(event: Event) -> VectorizeSummary:
    """Return the summary of an event that was vectorized."""
    done = event.step("vectorize")
    return VectorizeSummary(
        event=event.folder,
        landslides=done["landslides"],
        area_m2=done["area_m2"],
        largest_m2=done["largest_m2"],
        analysed_percent=done["analysed_percent"],
        geojson=event.path("landslides"),
        geopackage=event.path("geopackage"),
        project=event.path("project"),
        report=event.path("report"),
        sheet=event.path("sheet"),
        changes=done["changes"],
    )


def _changes(event: Event, previous: Event | None, outlined: Mapping[str, Any]) -> Changes | None:
    """Compare the event with its earlier version, if it has one."""
    if previous is None and event.predecessor:
        previous = Event.open(event.predecessor)
    if previous is None or not previous.has("landslides"):
        return None
    return changes_since(previous, event, outlined)


def check_options(config: VectorizeConfig, threshold: float, *, terrain: bool) -> NDArray[np.object_] | None:
    """Refuse options that cannot be met, before any image is read.

    Args:
        config: the options.
        threshold: what a landslide starts from, by the options or the model.
        terrain: whether the event has elevation or will have it.

    Returns:
        (N,) the areas to leave out, WGS 84, where the options name some.

    Raises:
        InputError: an option is out of range, or needs what is not there.
    """
    check_threshold(config.threshold)
    for option, value in (
        ("--min-area", config.min_area), ("--simplify", config.simplify), ("--merge", config.merge),
        ("--steeper-than", config.steeper_than),
    ):  # fmt: skip
        if not 0 <= value < float("inf"):
            raise InputError(f"{option} {value:g} must be a number from 0 up")
    if config.merge > MERGE_MAX_M:
        raise InputError(
            f"--merge {config.merge:g} is over {MERGE_MAX_M} m, too far apart for one landslide; give less"
        )
    if config.steeper_than and not terrain:
        raise InputError(
            f"--steeper-than {config.steeper_than:g} needs elevation, and there is none; "
            "leave it out, or fetch the event without --no-dem"
        )
    named_formats(config.formats)
    if config.schema not in SCHEMAS:
        raise InputError(f"--schema {config.schema} is unknown; use {', '.join(SCHEMAS)}")
    check_threshold(config.grow, "--grow")
    if config.grow is not None and config.grow > threshold:
        raise InputError(f"--grow {config.grow:g} is above the threshold of {threshold:g}; give a lower probability")
    return masks.read_excluded(config.exclude) if config.exclude else None
