"""The command line: its commands, `--version`, and the handling of errors."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from landslide_cli.cli import console
from landslide_cli.cli.compare import compare
from landslide_cli.cli.demo import demo
from landslide_cli.cli.doctor import doctor
from landslide_cli.cli.evaluate import evaluate
from landslide_cli.cli.export import export
from landslide_cli.cli.fetch import fetch
from landslide_cli.cli.info import info
from landslide_cli.cli.inventories import inventories
from landslide_cli.cli.map import map_
from landslide_cli.cli.predict import predict
from landslide_cli.cli.prepare import prepare
from landslide_cli.cli.scenes import scenes
from landslide_cli.cli.simulate import simulate
from landslide_cli.cli.train import train
from landslide_cli.cli.vectorize import vectorize
from landslide_cli.cli.weights import weights
from landslide_cli.errors import LandslideError
from landslide_cli.version import __version__

INTERRUPTED = 130
MAP, TRAIN, LOOK = "Map", "Simulate, train and measure", "Try and look"
"""Panels of the help."""


class _Boundary(TyperGroup):
    """Shows expected failures as one message, and exits with their code. A bug keeps its traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except LandslideError as error:
            console.fail(str(error))
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            console.fail("interrupted")
            raise typer.Exit(INTERRUPTED) from error


app = typer.Typer(
    cls=_Boundary,
    name="landslide",
    help="Map landslides from Sentinel-2 images before and after an event.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"landslide {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Map landslides from Sentinel-2 images before and after an event."""


for panel, commands in {
    MAP: (
        ("map", map_, "landslide map --aoi haiti.geojson --event-date 2021-08-14 --out haiti/"),
        ("fetch", fetch, "landslide fetch --aoi=-73.8,18.3,-73.5,18.6 --event-date 2021-08-14 --out haiti/"),
        ("scenes", scenes, "landslide scenes --aoi haiti.geojson --event-date 2021-08-14 --out scenes.png"),
        ("predict", predict, "landslide predict haiti/ --model red-change"),
        ("vectorize", vectorize, "landslide vectorize haiti/ --threshold 0.5 --formats shapefile,kml"),
        ("compare", compare, "landslide compare haiti/versions/1 haiti/ --out changes.geojson"),
    ),
    TRAIN: (
        ("simulate", simulate, "landslide simulate --events 4 --out simulated/"),
        ("prepare", prepare, "landslide prepare haiti/ palu/ --inventory landslides.gpkg --halve haiti --out set/"),
        ("train", train, "landslide train set/ --config examples/paper.toml --out run/"),
        ("evaluate", evaluate, "landslide evaluate run/ set/ --out evaluation/"),
        ("export", export, "landslide export run/ --out mine.onnx"),
    ),
    LOOK: (
        ("demo", demo, "landslide demo"),
        ("info", info, "landslide info haiti/"),
        ("doctor", doctor, "landslide doctor"),
    ),
}.items():
    for name, command, example in commands:
        app.command(name, epilog=f"Example: {example}", rich_help_panel=panel)(command)
app.add_typer(inventories, rich_help_panel=TRAIN)
app.add_typer(weights, name="weights", no_args_is_help=True, rich_help_panel=TRAIN)


def main() -> None:
    """Run the command line."""
    app()
