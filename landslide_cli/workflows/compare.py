"""Compare two maps, or a map and an inventory: which landslides are new, grown or gone."""

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
    """The result of `compare`."""

    before: Path
    after: Path
    counts: dict[str, int]
    """Number of landslides by kind of change, see `mapping.changes.CHANGES`."""
    areas_m2: dict[str, float]
    """Area by kind of change, on the ellipsoid: from the second map, or from the first if only that has it."""
    differences: dict[str, tuple[Any, Any]]
    """Options that differ between the maps, by name, with both values."""
    out: Path | None


def compare(config: CompareConfig, progress: Progress = silent) -> CompareSummary:
    """Compare two maps. Write the landslides of both with their kind of change to `config.out`, a styled GeoJSON.

    Args:
        config: the options.
        progress: called with each step and the share done.

    Returns:
        Counts and areas by kind of change.

    Raises:
        InputError: a map is neither an event folder with landslides nor a vector file of polygons, or the maps show
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
            "the maps were made with different options; some changes can come from these: %s",
            differences_in_words(found.differences),
        )
    if config.out:
        progress("writing", 0.8)
        write_geojson(found.layer, config.out)
    return CompareSummary(
        config.before, config.after, found.counts, found.areas_m2, found.differences, config.out
    )  # fmt: skip
