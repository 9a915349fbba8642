"""Options that several commands share, and where their defaults come from."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Config = TypeVar("Config", bound="DataclassInstance")

Json = Annotated[bool, typer.Option("--json", help="Print the summary as JSON on stdout.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show the log.")]
Dataset = Annotated[Path, typer.Argument(metavar="DATASET", help="Training set made by `landslide prepare`.")]
EventFolder = Annotated[Path, typer.Argument(metavar="EVENT", help="Event folder made by `landslide fetch`.")]

Aoi = Annotated[
    str | None,
    typer.Option(metavar="FILE|BBOX", help="Area of interest: a vector file, or west,south,east,north in degrees."),
]
AoiFrom = Annotated[
    str | None,
    typer.Option(metavar="INVENTORY", help="Take the hull of these features, widened by 1 km, as area of interest."),
]
AllScenes = Annotated[
    bool, typer.Option("--all-scenes", help="Keep every usable scene as a file of its own too, for training.")
]
EventDate = Annotated[str, typer.Option(metavar="DATE", help="Day of the event, YYYY-MM-DD.")]
Out = Annotated[Path, typer.Option(metavar="EVENT", help="Event folder to write.")]
EventTime = Annotated[
    str | None,
    typer.Option(metavar="HH:MM", help="UTC time of the event; without it images of its day are not used."),
]
CatalogOption = Annotated[
    str,
    typer.Option(
        "--catalog",
        metavar="NAME|URL|FILE",
        help="STAC catalog; auto: the known ones in turn.",
    ),
]
PreScene = Annotated[
    list[str] | None, typer.Option(metavar="ID", help="Use this scene before the event; can be repeated.")
]
PostScene = Annotated[
    list[str] | None, typer.Option(metavar="ID", help="Use this scene after the event; can be repeated.")
]
Pre = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATH",
        help="Image before the event: a file, a folder of band files; can be repeated.",
        show_default=False,
    ),
]
Post = Annotated[
    list[str] | None,
    typer.Option(metavar="PATH", help="Image after the event, like --pre.", show_default=False),
]
Dem = Annotated[str | None, typer.Option(metavar="FILE", help="Elevation in metres, with --pre and --post.")]
NoDem = Annotated[bool, typer.Option("--no-dem", help="Go without elevation; some models then cannot run.")]
Bands = Annotated[
    str | None, typer.Option(metavar="NAMES", help="Bands of --pre and --post files, such as B02,B03,B04.")
]
Scale = Annotated[float, typer.Option(help="Reflectance = value x scale + offset, with --pre and --post.")]
Offset = Annotated[float, typer.Option(help="See --scale; -0.1 for products of baseline 04.00 and later.")]
PreDate = Annotated[str | None, typer.Option(metavar="DATE", help="Acquisition date of --pre.")]
PostDate = Annotated[str | None, typer.Option(metavar="DATE", help="Acquisition date of --post.")]
PreDays = Annotated[int, typer.Option(min=1, help="Days before the event to search.")]
PostDays = Annotated[int, typer.Option(min=1, help="Days after the event to search.")]
Clouds = Annotated[
    str,
    typer.Option(
        metavar="scl|csmask", help="Cloud mask: the scene classification of the catalog, or the network of ukis-csmask."
    ),
]
MaxCloud = Annotated[float, typer.Option(min=0, max=100, help="Percent of the AOI that clouds may hide on a side.")]
Workers = Annotated[int, typer.Option(min=1, max=64, help="Concurrent reads.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Start anew; kept versions go too.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Go on although the AOI is very large.")]

Model = Annotated[
    str, typer.Option(metavar="NAME|PATH", help="Shipped model, ONNX file, or detector: rdndvi, red-change.")
]
Device = Annotated[
    str,
    typer.Option(
        metavar="auto|tensorrt|cuda|openvino-bf16|openvino-mixed|openvino|cpu",
        help="What to run the model on; auto: the fastest that gives the same map. See `landslide doctor`.",
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(metavar="P", help="Probability from which a pixel is a landslide.", show_default="the model's own"),
]
OutlineThreshold = Annotated[
    float | None,
    typer.Option(
        metavar="P", help="Probability from which a pixel is a landslide.", show_default="the one predict was given"
    ),
]
Stride = Annotated[
    int | None, typer.Option(min=1, help="Pixels between windows.", show_default="three quarters of a window")
]
Tile = Annotated[
    int | None, typer.Option(min=32, help="Pixels of a window, a multiple of 32.", show_default="the model's own")
]
Tta = Annotated[
    bool,
    typer.Option(
        "--tta", help="Ask the model eight times, of the ground turned and mirrored; takes eight times as long."
    ),
]
Overviews = Annotated[
    str, typer.Option(metavar="average|nearest|mode|none", help="How overviews of the map are resampled.")
]
MinSlope = Annotated[float, typer.Option(min=0, max=90, help="Degrees; flatter ground is none to a detector.")]

MinArea = Annotated[float, typer.Option(metavar="M2", help="Smallest landslide in square metres.")]
Simplify = Annotated[
    float, typer.Option(metavar="M", help="How far outlines may be moved to simplify them, in metres.")
]
Grow = Annotated[
    float | None,
    typer.Option(metavar="P", help="Follow landslides down to this probability.", show_default="the threshold"),
]
Merge = Annotated[float, typer.Option(metavar="M", help="Join what lies closer together than this, in metres.")]
Smooth = Annotated[bool, typer.Option("--smooth", help="Round the corners of the pixels; areas stay within 2 %.")]
SteeperThan = Annotated[
    float, typer.Option(metavar="DEG", min=0, max=90, help="Leave flatter ground out of landslides, in degrees.")
]
Exclude = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Areas in which nothing is mapped, such as water or fields.", show_default=False),
]
Formats = Annotated[
    str,
    typer.Option(
        metavar="NAMES",
        help="More formats, comma-separated: flatgeobuf, geoparquet, shapefile, kml, csv.",
        show_default=False,
    ),
]
Schema = Annotated[
    str, typer.Option(metavar="landslide|cems", help="cems: also the layers of Copernicus EMS Rapid Mapping.")
]


def build(config: type[Config], options: Mapping[str, Any]) -> Config:
    """Make a configuration of the options that bear the names of its fields."""
    given = {field: options[field.name] for field in fields(config) if field.name in options}
    return config(**{f.name: tuple(value or ()) if f.default == () else value for f, value in given.items()})


def default(config: type, name: str) -> Any:
    """Return the default of a configuration's field, so that it is stated in one place only."""
    return next(field.default for field in fields(config) if field.name == name)
