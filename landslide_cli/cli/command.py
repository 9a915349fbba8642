"""Make commands from configurations: every option, its help and its bounds come from the fields of `config`."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Annotated, Any, get_args, get_origin

import typer

from landslide_cli.cli import console
from landslide_cli.config import OUTPUT, Option, choices_of, described, plain_type

Rows = Mapping[str, Any]
Run = Callable[..., tuple[Any, Rows]]
"""Takes the configurations and the progress; returns the summary of a workflow, and its table for people."""

MOST_USED = "Most used"
"""Panel of the options that most people need."""
JSON = typer.Option("--json", help="Print the summary as JSON on stdout.", rich_help_panel=OUTPUT)
VERBOSE = typer.Option("--verbose", "-v", help="Show the log.", rich_help_panel=OUTPUT)


def command(
    *configs: type, first: tuple[str, ...] = (), skip: tuple[str, ...] = (), same: Mapping[str, str] | None = None
) -> Callable[[Run], Callable[..., None]]:
    """Make a command from a function that takes configurations and the progress.

    Args:
        configs: the configurations; their fields become options. Fields with the same name become one option.
        first: names of the options that the help lists first, in their own panel.
        skip: names of fields that this command does not offer.
        same: names of fields that take the value of another option, with the name of that option.

    Returns:
        A decorator. The docstring of the function is the help of the command.
    """
    same = dict(same or {})

    def decorate(run: Run) -> Callable[..., None]:
        parameters = _parameters(configs, first, {*skip, *same})

        def callback(**options: Any) -> None:
            as_json, verbose = options.pop("as_json"), options.pop("verbose")
            options |= {field: options[other] for field, other in same.items()}
            built = [build(config, options) for config in configs]
            with console.working(verbose) as progress:
                summary, rows = run(*built, progress)
            console.show(summary, rows, as_json)

        callback.__name__, callback.__doc__, callback.__module__ = run.__name__, run.__doc__, run.__module__
        callback.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        callback.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return callback

    return decorate


def build(config: type, options: Mapping[str, Any]) -> Any:
    """Make a configuration from the options that have the names of its fields.

    Args:
        config: the class of the configuration.
        options: values by name; other names are ignored.

    Returns:
        The configuration.
    """
    given: dict[str, Any] = {}
    for name, (kind, _) in described(config).items():
        if name in options:
            value = options[name]
            if _is_list(kind):
                value = _listed(value, kind)
            given[name] = value
    return config(**given)


def _listed(value: Any, kind: Any) -> tuple[Any, ...]:
    if choices_of(kind):
        return tuple(part.strip() for part in (value or "").split(",") if part.strip())
    return tuple(value or ())


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _parameters(configs: tuple[type, ...], first: tuple[str, ...], skip: set[str]) -> list[inspect.Parameter]:
    found: dict[str, inspect.Parameter] = {}
    for config in configs:
        defaults = {field.name: field.default for field in fields(config)}
        for name, (kind, option) in described(config).items():
            if option is not None and name not in skip and name not in found:
                found[name] = _parameter(name, kind, option, defaults[name], MOST_USED if name in first else None)
    order = {name: number for number, name in enumerate(first)}
    # The help shows panels in the order of their first option. The panel of the output comes last.
    chosen = sorted(found.values(), key=lambda p: (order.get(p.name, len(order)), _panel(p) == OUTPUT))
    keyword = inspect.Parameter.KEYWORD_ONLY
    chosen.append(inspect.Parameter("as_json", keyword, default=False, annotation=Annotated[bool, JSON]))
    chosen.append(inspect.Parameter("verbose", keyword, default=False, annotation=Annotated[bool, VERBOSE]))
    return chosen


def _panel(parameter: inspect.Parameter) -> str | None:
    how = get_args(parameter.annotation)[1]
    return getattr(how, "rich_help_panel", None)


def _parameter(name: str, kind: Any, option: Option, default: Any, panel: str | None) -> inspect.Parameter:
    """Return the parameter of one option, as Typer reads it."""
    required = default is MISSING or option.required or (option.argument and default == ())
    shown: bool | str = option.shown or not (required or default is None or default is False or default in ("", ()))
    choices = choices_of(kind)
    # The choices stand in the place of the value, or, if that has a name of its own, after the help.
    text = f"{option.help} Choices: {', '.join(choices)}." if choices and option.metavar else option.help
    how: dict[str, Any] = {"help": text, "metavar": _metavar(kind, option), "show_default": shown}
    if choices:
        how["autocompletion"] = lambda incomplete: [choice for choice in choices if choice.startswith(incomplete)]
    annotation, value = _typed(kind), None if _is_list(kind) else default
    if option.argument:
        if not required:
            how["metavar"] = f"[{option.metavar}]"
        annotation = Annotated[annotation, typer.Argument(**how)]
    else:
        flag = f"--{name.replace('_', '-')}"
        names = (flag, option.short) if option.short else (flag,)
        annotation = Annotated[annotation, typer.Option(*names, rich_help_panel=panel or option.panel, **how)]
    keyword = inspect.Parameter.KEYWORD_ONLY
    if required:
        return inspect.Parameter(name, keyword, annotation=annotation)
    return inspect.Parameter(name, keyword, default=value, annotation=annotation)


def _metavar(kind: Any, option: Option) -> str | None:
    """Return what stands for the value in the help: its choices, or its name with its bounds."""
    if (choices := choices_of(kind)) and not option.metavar:
        return "|".join(choices)
    if option.least is not None and option.most is not None:
        return f"{option.metavar} [{option.least:g}..{option.most:g}]"
    return option.metavar


def _typed(kind: Any) -> Any:
    """Return the type for Typer: a list for a tuple, a text for choices, which the configuration checks."""
    if choices_of(kind):
        return str | None if _is_list(kind) or type(None) in get_args(kind) else str
    return list[plain_type(kind)] | None if _is_list(kind) else kind  # type: ignore[misc]
