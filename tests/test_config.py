"""Fields of configurations: their checks, and the command line that is made of them."""

import inspect
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import pytest
import typer

from landslide_cli import config as configurations
from landslide_cli.cli.app import app
from landslide_cli.config import Checked, Option, VectorizeConfig, choices_of, described, plain_type
from landslide_cli.errors import InputError
from landslide_cli.training.recipes import Recipe

CONFIGS = [
    *(c for c in vars(configurations).values() if isinstance(c, type) and issubclass(c, Checked) and c is not Checked),
    Recipe,
]


def made(config: type, **values: Any) -> Any:
    """Make a configuration; fields without a default get a path or a text."""
    needed = {
        field.name: Path("x") if plain_type(described(config)[field.name][0]) is Path else "2021-08-14"
        for field in fields(config)
        if field.default is MISSING and field.default_factory is MISSING
    }
    return config(**{**needed, **values})


def bounded() -> list[tuple[type, str, Any, str]]:
    """Values just outside of the bounds of every field that has some."""
    wrong = []
    for config in CONFIGS:
        for name, (kind, option) in described(config).items():
            if option is None or plain_type(kind) not in (int, float):
                continue
            step = 1 if plain_type(kind) is int else 1e-6
            for bound, value in (
                ("least", option.least and option.least - step if option.least else -step),
                ("most", option.most and option.most + step),
                ("above", option.above),
            ):
                if getattr(option, bound) is not None:
                    wrong.append((config, name, plain_type(kind)(value), bound))
    return wrong


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.__name__)
def test_defaults_are_within_their_own_bounds_and_every_help_is_a_sentence(config: type) -> None:
    made(config)
    for name, (_, option) in described(config).items():
        if option is not None:
            assert option.help.rstrip(")")[-1] == ".", (name, option.help)


@pytest.mark.parametrize(("config", "name", "value", "bound"), bounded())
def test_what_is_out_of_bounds_is_refused_with_the_option_and_the_value(
    config: type, name: str, value: Any, bound: str
) -> None:
    with pytest.raises(InputError, match="must be") as caught:
        made(config, **{name: value})
    assert name in str(caught.value).replace("-", "_")
    assert f"{value:g}" in str(caught.value)
    assert bound


def test_choices_are_checked_one_by_one() -> None:
    for config in CONFIGS:
        for name, (kind, option) in described(config).items():
            if option is not None and (choices := choices_of(kind)):
                value = ("nonsense",) if get_origin(kind) is tuple else "nonsense"
                with pytest.raises(InputError, match=f"'nonsense' is unknown; use {choices[0]}"):
                    made(config, **{name: value})
    with pytest.raises(InputError, match="--formats 'dxf' is unknown"):
        VectorizeConfig(Path("x"), formats=("kml", "dxf"))  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "5", True])
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match=r"--min-area .* must be a number, 0 or more"):
        VectorizeConfig(Path("x"), min_area=value)


def test_every_option_of_the_command_line_has_a_field_and_every_field_an_option() -> None:
    shown: set[str] = set()
    groups = [app, *(group.typer_instance for group in app.registered_groups if group.typer_instance)]
    for command in (command for group in groups for command in group.registered_commands):
        assert command.callback is not None
        for name, parameter in inspect.signature(command.callback).parameters.items():
            assert get_origin(parameter.annotation) is Annotated
            assert isinstance(get_args(parameter.annotation)[1], typer.models.ParameterInfo)
            shown.add(name)
    known = {
        name
        for config in CONFIGS
        if config is not Recipe
        for name, (_, option) in described(config).items()
        if isinstance(option, Option)
    }
    assert shown == known | {"as_json", "verbose"}
