"""Turn a map of probability into polygons."""

from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from landslide_cli.config import VectorizeConfig
from landslide_cli.errors import InputError, needs_extra
from landslide_cli.event.folder import Event, open_to_write
from landslide_cli.event.records import ChangesRecord, OutlineOptions, VectorizeRecord
from landslide_cli.files import sha256_of
from landslide_cli.mapping import masks
from landslide_cli.mapping.cems import cems_layers
from landslide_cli.mapping.compare import Changes, changes_since
from landslide_cli.mapping.formats import write_as, write_geojson, write_geopackage
from landslide_cli.mapping.layers import event_layers, scene_layer
from landslide_cli.mapping.present import present
from landslide_cli.progress import Progress, silent

ALWAYS: Final = (
    "landslides", "not_analysed", "geopackage", "landslides_style", "not_analysed_style", "project", "report",
    "sheet",
)  # fmt: skip
"""Products that are made with any options."""


@dataclass(frozen=True, slots=True)
class VectorizeSummary:
    """The result of `vectorize`."""

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
    changes: ChangesRecord | None
    """Changes since the earlier version; None if there is no earlier version."""


@dataclass(frozen=True, slots=True)
class Outlining:
    """A checked configuration with the excluded areas, read once."""

    config: VectorizeConfig
    options: OutlineOptions
    """The options that the outlines depend on, as they are recorded."""
    excluded: NDArray[np.object_] | None
    """(N,) areas in which nothing is mapped, WGS 84."""


def resolve(config: VectorizeConfig, threshold: float, *, terrain: bool) -> Outlining:
    """Read the excluded areas, and refuse options that cannot be used, before any image is read.

    Args:
        config: the options.
        threshold: the threshold of the prediction, used if `config` has none.
        terrain: whether the event has elevation or will have it.

    Returns:
        The options with the excluded areas.

    Raises:
        InputError: an option needs what is not there, or the excluded areas cannot be read.
    """
    threshold = threshold if config.threshold is None else config.threshold
    if config.steeper_than and not terrain:
        raise InputError(
            f"--steeper-than {config.steeper_than:g} needs elevation, and the event has no elevation; "
            "leave it out, or fetch the event without --no-dem"
        )
    if config.grow is not None and config.grow > threshold:
        raise InputError(f"--grow {config.grow:g} is above the threshold of {threshold:g}; give a lower probability")
    if "geoparquet" in config.formats and find_spec("pyarrow") is None:
        raise InputError(needs_extra("--formats geoparquet", "pyarrow", "parquet"))
    excluded = masks.read_excluded(config.exclude) if config.exclude else None
    options = OutlineOptions(
        threshold=threshold,
        min_area_m2=config.min_area,
        simplify_m=config.simplify,
        grow=config.grow,
        merge_m=config.merge,
        smooth=config.smooth,
        steeper_than_deg=config.steeper_than,
        exclude=config.exclude.name if config.exclude else None,
        exclude_sha256=sha256_of(config.exclude) if config.exclude and config.exclude.is_file() else None,
    )
    return Outlining(config, options, excluded)


def vectorize(
    config: VectorizeConfig,
    progress: Progress = silent,
    *,
    outlining: Outlining | None = None,
    previous: Event | None = None,
) -> VectorizeSummary:
    """Write the landslides of an event and the ground that was not analysed, with a QGIS project and a report.

    If the event has an earlier version, the changes since that version are written, too.

    Args:
        config: the options.
        progress: called with each step and the share done.
        outlining: the result of `resolve` for the same options, if it was called before.
        previous: the earlier version, if it is not yet in the place that the event's record names.

    Returns:
        The landslides found and the files written.

    Raises:
        InputError: there is no such event, it was not predicted, or an option is out of range.
        OutputError: the folder cannot be written.
    """
    event = open_to_write(config.event)
    if not event.has("probability"):
        raise InputError(f"{event.folder} has no probability.tif; run `landslide predict {event.folder}` first")
    if (predicted := event.predicted) is None:
        raise InputError(
            f"event.json does not say which model made probability.tif; run `landslide predict {event.folder}` again"
        )
    outlining = outlining or resolve(config, predicted.threshold, terrain=event.has("terrain"))
    options = outlining.options
    landslides, not_analysed, aoi = event_layers(event, config, options.threshold, outlining.excluded, progress)
    scenes = scene_layer(event, aoi.crs)
    write_geojson(landslides, event.path("landslides"))
    write_geojson(not_analysed, event.path("not_analysed"))
    changes = _changes(event, previous, options)
    layers = [landslides, not_analysed, aoi, scenes, *([changes.layer] if changes else [])]
    write_geopackage(layers, event.path("geopackage"))
    for name in config.formats:
        write_as(name, landslides, event.path(name))
    if config.schema == "cems":
        cems = cems_layers(landslides, not_analysed, aoi.polygons[0], scenes.polygons, event.scenes)
        write_geopackage(cems, event.path("cems"), styled=False)
    present(event, landslides, not_analysed, aoi, scenes, changes)
    made = [*ALWAYS, *config.formats, *(["cems"] if config.schema == "cems" else [])]
    if changes:
        write_geojson(changes.layer, event.path("changes"))
        made += ["changes", "changes_style"]
    sizes = np.array([record["area_m2"] for record in landslides.records])
    record = VectorizeRecord(
        **asdict(options),
        landslides=len(sizes),
        area_m2=float(sizes.sum()),
        largest_m2=float(sizes.max(initial=0)),
        analysed_percent=aoi.records[0]["analysed_percent"],
        changes=changes.record() if changes else None,
    )
    event.record(record, tuple(made))
    return summarise(event, record)


def summarise(event: Event, record: VectorizeRecord) -> VectorizeSummary:
    """Return the summary of recorded outlines."""
    return VectorizeSummary(
        event=event.folder,
        landslides=record.landslides,
        area_m2=record.area_m2,
        largest_m2=record.largest_m2,
        analysed_percent=record.analysed_percent,
        geojson=event.path("landslides"),
        geopackage=event.path("geopackage"),
        project=event.path("project"),
        report=event.path("report"),
        sheet=event.path("sheet"),
        changes=record.changes,
    )


def _changes(event: Event, previous: Event | None, options: OutlineOptions) -> Changes | None:
    """Compare the event with its earlier version, if it has one."""
    if previous is None and event.predecessor:
        previous = Event.open(event.predecessor)
    if previous is None or not previous.has("landslides"):
        return None
    return changes_since(previous, event, options)
