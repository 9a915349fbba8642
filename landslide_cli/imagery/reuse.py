"""Compare an event folder with a source, so that files that are the same are not read again."""

import json

import rasterio
from odc.geo.geobox import GeoBox
from rasterio.windows import from_bounds
from shapely import set_precision

from landslide_cli.event.dates import software
from landslide_cli.event.folder import Event
from landslide_cli.geo.bands import GSD_M, SIDES, Side
from landslide_cli.imagery.clouds import DILATION_PX
from landslide_cli.imagery.sources import Block, Source


def has_new_scene(source: Source, event: Event) -> bool:
    """Return whether a source would use a scene that the event does not have."""
    used = {(scene["side"], scene["id"]) for scene in event.scenes}
    return any((side, scene["id"]) not in used for side in SIDES for scene in source.scenes(side))


def same_images(source: Source, event: Event) -> bool:
    """Return whether a source would give exactly the files that the event has."""
    aoi = set_precision(source.aoi.geometry, 1e-7)
    return (
        all(same_side(source, event, side) for side in SIDES)
        and same_terrain(source, event)
        and source.config.all_scenes == event.fetched.parameters["all_scenes"]
        and bool(aoi.equals(event.aoi))
    )


def _same_grid(source: Source, event: Event) -> bool:
    """Return whether an event has the grid of a source, and was read from a catalog by this version of the program."""
    grid, there = source.geobox, event.properties
    return (
        source.resumable
        and event.fetched.software == software()
        and (str(grid.crs), list(grid.shape)) == (there["proj:code"], there["proj:shape"])
        and list(tuple(grid.transform)[:6]) == there["proj:transform"]
    )


def same_side(source: Source, event: Event, side: Side) -> bool:
    """Return whether one side of an event has exactly the pixels that a source would read."""
    fetched = event.fetched
    return (
        _same_grid(source, event)
        and source.bands == event.bands
        and source.config.clouds == fetched.parameters["clouds"]
        and fetched.cloud_dilation_m == DILATION_PX * GSD_M
        and json.loads(json.dumps(source.scenes(side))) == [s for s in event.scenes if s["side"] == side]
    )


def same_terrain(source: Source, event: Event) -> bool:
    """Return whether an event has the terrain that a source would read."""
    return _same_grid(source, event) and source.elevation == event.fetched.elevation


def read_again(event: Event, side: Side, block: GeoBox) -> Block:
    """Read a block from the files of an event instead of from the source."""
    with rasterio.open(event.path(side)) as image, rasterio.open(event.path("sources")) as sources:
        window = from_bounds(*block.boundingbox, transform=image.transform).round_offsets().round_lengths()
        return image.read(window=window), sources.read(1 + SIDES.index(side), window=window)
