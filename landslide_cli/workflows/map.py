"""From an AOI and a date to polygons: fetch, predict and vectorize in one."""

from dataclasses import dataclass

from landslide_cli.config import MapConfig, Progress, silent
from landslide_cli.inference.engines import check_device
from landslide_cli.workflows.fetch import FetchSummary, fetch
from landslide_cli.workflows.predict import PredictSummary, check_suits, check_threshold, predict, read_card
from landslide_cli.workflows.vectorize import VectorizeSummary, vectorize


@dataclass(frozen=True, slots=True)
class MapSummary:
    """What each of the three steps did."""

    fetch: FetchSummary
    predict: PredictSummary
    vectorize: VectorizeSummary


def map_event(config: MapConfig, progress: Progress = silent) -> MapSummary:
    """Fetch, predict and vectorize; a folder already fetched with the same options is kept.

    Raises:
        LandslideError: what any of the three steps raises.
    """
    check_threshold(config.predict.threshold)
    # A model that cannot be used should be known before an hour of downloads.
    check_device(config.predict.device)
    card = read_card(config.predict.model)
    fetched = fetch(
        config.fetch,
        progress,
        lambda bands, terrain: check_suits(card, bands, terrain=terrain, where=config.fetch.out),
    )
    predicted = predict(config.predict, progress)
    return MapSummary(fetched, predicted, vectorize(config.vectorize, progress))
