"""`landslide map`."""

from landslide_cli.cli import console, fetch, predict, vectorize
from landslide_cli.cli import options as o
from landslide_cli.config import FetchConfig, MapConfig, PredictConfig, VectorizeConfig


def map_(
    event_date: o.EventDate,
    out: o.Out,
    aoi: o.Aoi = None,
    aoi_from: o.AoiFrom = None,
    event_time: o.EventTime = None,
    catalog: o.CatalogOption = o.default(FetchConfig, "catalog"),
    pre_scene: o.PreScene = None,
    post_scene: o.PostScene = None,
    pre: o.Pre = None,
    post: o.Post = None,
    dem: o.Dem = None,
    no_dem: o.NoDem = False,
    bands: o.Bands = None,
    scale: o.Scale = o.default(FetchConfig, "scale"),
    offset: o.Offset = o.default(FetchConfig, "offset"),
    pre_date: o.PreDate = None,
    post_date: o.PostDate = None,
    pre_days: o.PreDays = o.default(FetchConfig, "pre_days"),
    post_days: o.PostDays = o.default(FetchConfig, "post_days"),
    clouds: o.Clouds = o.default(FetchConfig, "clouds"),
    max_cloud: o.MaxCloud = o.default(FetchConfig, "max_cloud"),
    workers: o.Workers = o.default(FetchConfig, "workers"),
    overwrite: o.Overwrite = False,
    yes: o.Yes = False,
    model: o.Model = o.default(PredictConfig, "model"),
    device: o.Device = o.default(PredictConfig, "device"),
    threshold: o.Threshold = None,
    tile: o.Tile = None,
    stride: o.Stride = None,
    tta: o.Tta = False,
    overviews: o.Overviews = o.default(PredictConfig, "overviews"),
    min_slope: o.MinSlope = o.default(PredictConfig, "min_slope"),
    min_area: o.MinArea = o.default(VectorizeConfig, "min_area"),
    simplify: o.Simplify = o.default(VectorizeConfig, "simplify"),
    grow: o.Grow = None,
    merge: o.Merge = o.default(VectorizeConfig, "merge"),
    smooth: o.Smooth = False,
    steeper_than: o.SteeperThan = o.default(VectorizeConfig, "steeper_than"),
    exclude: o.Exclude = None,
    formats: o.Formats = o.default(VectorizeConfig, "formats"),
    schema: o.Schema = o.default(VectorizeConfig, "schema"),
    as_json: o.Json = False,
    verbose: o.Verbose = False,
) -> None:
    """Map the landslides of an event: fetch, predict and vectorize in one.

    Run again on the same folder, it looks for better images: a new version of the map is made if there are any, or if
    options differ, and the earlier one is kept.
    """
    # The threshold is recorded by predict; vectorize takes it from there.
    options = {**locals(), "event": out}
    from landslide_cli.workflows.map import map_event

    config = MapConfig(
        fetch=o.build(FetchConfig, options),
        predict=o.build(PredictConfig, options),
        vectorize=o.build(VectorizeConfig, options),
    )
    with console.working(verbose) as progress:
        summary = map_event(config, progress)
    kept = f"; version {summary.version - 1} is kept in {summary.previous}" if summary.previous else ""
    version = {"version": f"{summary.version}{f', unchanged: {summary.unchanged}' if summary.unchanged else ''}{kept}"}
    rows = version | fetch.rows(summary.fetch) | predict.rows(summary.predict) | vectorize.rows(summary.vectorize)
    console.show(summary, rows, as_json)
