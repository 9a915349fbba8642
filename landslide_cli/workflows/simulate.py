"""Simulate events with known truth, for training and for tests."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np
import shapely
from rasterio.warp import transform_geom
from shapely.geometry import mapping, shape

from landslide_cli.config import SimulateConfig
from landslide_cli.errors import InputError
from landslide_cli.files import remove, writing
from landslide_cli.geo.aoi import utm_at
from landslide_cli.geo.vectors import read_layers, read_polygons
from landslide_cli.progress import Progress, silent
from landslide_cli.simulation.arrays import Codes
from landslide_cli.simulation.catalog import terrain_shape, write_catalog
from landslide_cli.simulation.landcover import UNKNOWN, parse_classes, read_cover
from landslide_cli.simulation.landslides import Outline, outline_of
from landslide_cli.simulation.nature import Change, draw_nature, parse_more_changes
from landslide_cli.simulation.relief import read_terrain
from landslide_cli.version import __version__

RECORD: Final = "simulation.json"
"""File with the options that the event was made with."""
ZONES = 58
LATITUDES_DEG = (-42.0, 48.0)
OUTLINES_MAX = 3000
"""Largest number of shapes read from a file. More shapes add nothing."""


@dataclass(frozen=True, slots=True)
class SimulatedEvent:
    """One simulated event."""

    name: str
    items: Path
    """The catalog to fetch from."""
    aoi: Path
    event_date: str
    inventory: Path
    mapped: Path
    """The same landslides with the errors of an inventory drawn by hand."""
    changes: tuple[str, ...]
    """Kinds of other changes in the event."""
    landslides: int
    relief: str
    """Source of the elevation."""
    cover: str
    """Source of the land cover."""


@dataclass(frozen=True, slots=True)
class SimulateSummary:
    """The result of `simulate`."""

    out: Path
    events: tuple[SimulatedEvent, ...]
    kept: int
    """Number of events that existed before and were kept."""
    seconds: float


def simulate(config: SimulateConfig, progress: Progress = silent) -> SimulateSummary:
    """Make events in folders `event-<seed>` of `config.out`: each has a catalog that `fetch` reads, and its truth.

    A folder that exists is kept, because the same seed and options give the same event.

    Args:
        config: the options.
        progress: called with each step and the share done.

    Returns:
        The events.

    Raises:
        InputError: an option, the elevation, the land cover or an inventory cannot be used.
        OutputError: the folder cannot be written.
    """
    began = perf_counter()
    if config.out.exists() and not config.out.is_dir():
        raise InputError(f"--out {config.out} is a file; give a folder")
    outlines = [outline for path in config.inventory for outline in read_outlines(path)]
    covers = read_covers(config.landcover, config.dem, config.landcover_class)
    more_changes = parse_more_changes(config.more_changes)
    events, kept = [], 0
    for number in range(config.events):
        seed = config.seed + number
        progress(f"making event {number + 1} of {config.events}", number / config.events)
        folder = config.out / f"event-{seed}"
        kept += folder.exists()
        events.append(_make(config, seed, folder, outlines, covers, more_changes))
    return SimulateSummary(config.out, tuple(events), kept, perf_counter() - began)


def _make(
    config: SimulateConfig,
    seed: int,
    folder: Path,
    outlines: Sequence[Outline],
    covers: Mapping[Path, Codes],
    more_changes: Mapping[Change, float],
) -> SimulatedEvent:
    rng = np.random.default_rng((seed, 1))
    # Each event is in another UTM zone, because events of different splits must not share ground.
    centre = (-174.0 + 6 * (seed % ZONES), round(float(rng.uniform(*LATITUDES_DEG)), 3))
    event_date = date(2021, 1, 1) + timedelta(days=int(rng.integers(0, 365)))
    nature = draw_nature(rng, more_changes)
    # Files with real ground offer few places, so one event in three has simulated ground.
    dem = config.dem[int(rng.integers(len(config.dem)))] if config.dem and rng.random() < 2 / 3 else None
    size = (config.size_px, config.size_px)
    terrain = read_terrain(dem, terrain_shape(centre, size), rng, cover=covers.get(dem)) if dem else None
    facts: dict[str, Any] = {
        "software": f"landslide {__version__}",
        "seed": seed,
        "size_px": config.size_px,
        "event_date": event_date.isoformat(),
        "relief": dem.name if dem else "simulated",
        "inventories": [path.name for path in config.inventory],
        "changes": {kind.name.lower().replace("_", " "): round(amount, 3) for kind, amount in nature.changes.items()},
    }
    if terrain is not None and terrain.cover is not None and terrain.cover.any():
        # Left out if there is no land cover, so that the records of older events still match.
        facts["landcover"] = [path.name for path in config.landcover]
        facts["landcover_classes"] = list(config.landcover_class) or "ESA WorldCover"
    if folder.exists():
        _check_same(folder, facts)
    else:
        staging = folder.with_name(f".part-{folder.name}")
        try:
            with writing(folder):
                remove(staging)
                staging.mkdir(parents=True)
                write_catalog(
                    staging, seed=seed, shape=size, event_date=event_date, centre=centre, nature=nature,
                    terrain=terrain, outlines=outlines, clear_scenes=config.clear_scenes,
                    cloudy_scenes=config.cloudy_scenes,
                )  # fmt: skip
                (staging / RECORD).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
                staging.replace(folder)
        finally:
            remove(staging)
    inventory = folder / "landslides.geojson"
    (drawn,) = read_layers(inventory, str(inventory), "simulate the event again")
    return SimulatedEvent(
        name=folder.name,
        items=folder / "items.json",
        aoi=folder / "aoi.geojson",
        event_date=facts["event_date"],
        inventory=inventory,
        mapped=folder / "landslides_mapped.geojson",
        changes=tuple(facts["changes"]),
        landslides=len(drawn.features),
        relief=facts["relief"],
        cover=", ".join(facts.get("landcover", ["simulated"])),
    )


def _check_same(folder: Path, facts: dict[str, Any]) -> None:
    """Refuse a folder with an event that was made with other options."""
    try:
        there = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} exists and holds no simulated event ({error}); give another --out") from error
    if {**there, "software": ""} != {**facts, "software": ""}:
        raise InputError(f"{folder} holds an event made with other options; give another --out or --seed")


def read_covers(paths: Sequence[Path], dems: Sequence[Path], pairs: Sequence[str]) -> dict[Path, Codes]:
    """Read the land cover on the grid of each elevation model.

    Args:
        paths: rasters of land cover; the first one that knows a pixel counts.
        dems: elevation models.
        pairs: texts `CODE=CLASS` with the meaning of codes; codes of ESA WorldCover if empty.

    Returns:
        Codes (H, W) on the grid of each elevation model that a land cover overlaps, by its path.

    Raises:
        InputError: an option lacks the other, a pair is not a code and a class, or a land cover overlaps no elevation
            model.
    """
    if paths and not dems:
        raise InputError(f"--landcover {paths[0]} needs the elevation of the same place; give its elevation with --dem")
    if pairs and not paths:
        raise InputError(f"--landcover-class {pairs[0]} explains a code of --landcover; give that too")
    classes = parse_classes(pairs)
    covers: dict[Path, Codes] = {}
    for path in paths:
        laid = {dem: cover for dem in dems if (cover := read_cover(path, dem, classes)) is not None}
        if not laid:
            raise InputError(
                f"--landcover {path} does not overlap --dem {', '.join(map(str, dems))}; give the land cover of the "
                "same place"
            )
        for dem, cover in laid.items():
            there = covers.setdefault(dem, cover)
            covers[dem] = np.where(there == UNKNOWN, cover, there)
    return covers


def read_outlines(path: Path) -> list[Outline]:
    """Read the shapes of mapped landslides.

    Args:
        path: vector file.

    Returns:
        At most `OUTLINES_MAX` shapes.

    Raises:
        InputError: the file cannot be read, or holds no polygon.
    """
    polygons, _ = read_polygons(path, f"--inventory {path}", "give a vector file of mapped landslides")
    outlines: list[Outline] = []
    for polygon in shapely.get_parts(polygons):
        if len(outlines) == OUTLINES_MAX:
            break
        # Shapes need metres. The UTM zone of the first vertex is exact enough.
        metric = transform_geom("EPSG:4326", utm_at(*polygon.exterior.coords[0]), mapping(polygon))
        if (outline := outline_of(shape(metric))) is not None:
            outlines.append(outline)
    if not outlines:
        raise InputError(f"--inventory {path} holds no polygon; give mapped landslides")
    return outlines
