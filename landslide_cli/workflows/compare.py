"""Two results, or a result and an inventory: what is new, what has grown, what is gone."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landslide_cli.config import CompareConfig
from landslide_cli.errors import InputError
from landslide_cli.mapping.compare import compare_sides, differences_in_words, read_side
from landslide_cli.mapping.formats import write_geojson
from landslide_cli.progress import Progress, silent

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CompareSummary:
    """What `compare` found."""

    before: Path
    after: Path
    counts: dict[str, int]
    """Landslides by what became of them, see `mapping.changes.CHANGES`."""
    areas_m2: dict[str, float]
    """On the second map, or on the first for those that it lacks; on the ellipsoid."""
    differences: dict[str, tuple[Any, Any]]
    """Options in which the maps differ, in words, with both values."""
    out: Path | None


def compare(config: CompareConfig, progress: Progress = silent) -> CompareSummary:
    """Compare two maps; write `config.out`, a styled GeoJSON with the landslides of both and the kind of change.

    Args:
        config: what is wanted.
        progress: called with each step and the share done.

    Returns:
        Counts and areas by kind of change.

    Raises:
        InputError: a map is neither an event folder with landslides nor a vector file of polygons, or they are of
            different places.
        OutputError: the file cannot be written.
    """
    if config.out and config.out.suffix.lower() not in (".geojson", ".json"):
        raise InputError(f"--out {config.out} must be the name of a file that ends in .geojson")
    progress("reading", 0)
    before, after = (read_side(path) for path in (config.before, config.after))
    progress("comparing", 0.3)
    found = compare_sides(before, after)
    if found.differences:
        log.warning(
            "the maps were made with different options, which can cause changes: %s",
            differences_in_words(found.differences),
        )
    if config.out:
        progress("writing", 0.8)
        write_geojson(found.layer, config.out)
    return CompareSummary(
        config.before, config.after, found.counts, found.areas_m2, found.differences, config.out
    )  # fmt: skip
