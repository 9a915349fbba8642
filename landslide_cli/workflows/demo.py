"""Map a simulated event: offline, without downloads, in a minute."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from landslide_cli.config import DemoConfig, FetchConfig, MapConfig, PredictConfig, VectorizeConfig
from landslide_cli.errors import InputError
from landslide_cli.event.folder import Event
from landslide_cli.files import writing
from landslide_cli.geo.bands import NOT_ANALYSED
from landslide_cli.progress import Progress, silent
from landslide_cli.simulation.catalog import write_catalog
from landslide_cli.workflows.map import MapSummary, map_event


@dataclass(frozen=True, slots=True)
class DemoSummary:
    """The map of the demo, and how well it matches the truth."""

    map: MapSummary
    truth: Path
    precision: float
    """Share of the mapped pixels that are landslide in truth, 0..1."""
    recall: float
    """Share of the analysed landslide pixels that were mapped, 0..1."""
    f1: float


def demo(config: DemoConfig, progress: Progress = silent) -> DemoSummary:
    """Simulate an event below `config.out`, map it, and compare the map with the truth.

    Args:
        config: the options.
        progress: called with each step and the share done.

    Returns:
        The map and its agreement with the truth.

    Raises:
        LandslideError: any step fails.
    """
    progress("simulating an event", 0)
    with writing(config.out):
        simulated = write_catalog(config.out / "catalog", seed=config.seed)
    event = config.out / "event"
    result = map_event(
        MapConfig(
            fetch=FetchConfig(
                out=event,
                event_date=simulated.event_date.isoformat(),
                aoi=str(simulated.aoi),
                catalog=str(simulated.items),
                overwrite=True,
            ),
            predict=PredictConfig(event=event, model=config.model),
            vectorize=VectorizeConfig(event=event),
        ),
        progress,
    )
    precision, recall, f1 = agreement(Event.open(event), simulated.truth)
    return DemoSummary(result, simulated.inventory, precision, recall, f1)


def agreement(event: Event, truth: Path) -> tuple[float, float, float]:
    """Compare an event's map with the truth, pixel by pixel, where the event was analysed.

    Args:
        event: an event with a map of probability.
        truth: raster, 1 = landslide, on any grid.

    Returns:
        Precision, recall and F1, each 0..1.

    Raises:
        InputError: the event was not predicted.
    """
    if (record := event.predicted) is None:
        raise InputError(f"{event.folder} has no prediction on record; run `landslide predict {event.folder}` first")
    with rasterio.open(event.path("probability")) as predicted, rasterio.open(truth) as reference:
        percent = predicted.read(1)
        with WarpedVRT(
            reference, crs=predicted.crs, transform=predicted.transform, width=predicted.width,
            height=predicted.height, resampling=Resampling.nearest,
        ) as warped:  # fmt: skip
            landslide = warped.read(1) == 1
    analysed = percent != NOT_ANALYSED
    mapped = analysed & (percent >= 100 * record.threshold)
    hits = int(np.sum(mapped & landslide))
    precision = hits / max(int(mapped.sum()), 1)
    recall = hits / max(int((landslide & analysed).sum()), 1)
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)
