"""Pages that are made from the program itself: the commands, and the fields of a training recipe."""

import inspect
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, fields
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from landslide_cli.cli.app import app
from landslide_cli.config import Option, choices_of, described
from landslide_cli.training.recipes import Recipe


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made here to those of the folder."""
    for path, lines in (("reference/commands.md", _commands()), ("reference/recipe.md", _recipe())):
        files.append(File.generated(config, path, content="\n".join(lines) + "\n"))
    return files


def _commands() -> Iterator[str]:
    yield from ("# Commands", "", "`landslide COMMAND --help` says the same as this page.", "")
    root: Any = typer.main.get_command(app)
    for name, command in root.commands.items():
        for below, one in getattr(command, "commands", {"": command}).items():
            yield from _command(f"landslide {name} {below}".strip(), one)


def _command(name: str, command: Any) -> Iterator[str]:
    usage = [name, *(p.metavar for p in command.params if p.param_type_name == "argument"), "[OPTIONS]"]
    yield from (f"## {name}", "", inspect.cleandoc(command.help), "", "```", " ".join(usage), "```", "")
    if command.epilog:
        yield from ("Example:", "", "```", command.epilog.removeprefix("Example: "), "```", "")
    # The configurations that `cli.command` made this command from.
    configs = inspect.getclosurevars(inspect.unwrap(command.callback)).nonlocals["configs"]
    known = {field: (k, o) for config in reversed(configs) for field, (k, o) in described(config).items() if o}
    panels: dict[str, list[str]] = {}
    for parameter in command.params:
        kind, option = known.get(parameter.name, (bool, Option(help="")))
        argument, value = parameter.param_type_name == "argument", f" {option.metavar or ''}".rstrip()
        names = [parameter.metavar] if argument else [name + value for name in parameter.opts]
        default = parameter.show_default if isinstance(parameter.show_default, str) else _default(parameter.default)
        meaning = parameter.help.partition(" Choices: ")[0] + _values(kind, option)
        panel = getattr(parameter, "rich_help_panel", None) or ("Arguments" if argument else "Options")
        panels.setdefault(panel, []).append(_row(names, meaning, "required" if parameter.required else default))
    for panel, rows in panels.items():
        yield from (f"**{panel}**", "", "| option | meaning | default |", "|---|---|---|", *rows, "")


def _recipe() -> Iterator[str]:
    yield from ("# Recipe", "", "`landslide train --config RECIPE.toml` reads a recipe. `examples/*.toml` are to copy.")
    yield from ("A table `[models.NAME]` is for the network NAME alone. Defaults are the paper's if it gives one.", "")
    yield from ("| field | meaning | default |", "|---|---|---|")
    defaults = {field.name: field.default for field in fields(Recipe)} | {"bands": "all"}
    for name, (kind, option) in described(Recipe).items():
        if option:
            yield _row([name], option.help + _values(kind, option), _default(defaults[name]))


def _default(value: Any) -> str:
    return "" if value is False or value in (MISSING, None, "", ()) else _codes([f"{value}".lower().removesuffix(".0")])


def _values(kind: Any, option: Option) -> str:
    bounds = {"above": option.above, "from": option.least, "to": option.most, "in steps of": option.step}
    words = (f"{word} {bound:.7g}" for word, bound in bounds.items() if bound is not None)
    text = f"one of {_codes(choices)}" if (choices := choices_of(kind)) else " ".join(words)
    return f" {text[0].upper()}{text[1:]}." if text else ""


def _codes(texts: Iterable[str]) -> str:
    return ", ".join(f"`{text}`" for text in texts)


def _row(names: Iterable[str], meaning: str, default: str) -> str:
    return f"| {_codes(names)} | {meaning} | {default} |"
