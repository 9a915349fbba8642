"""Everything that is printed: messages, progress and tables on stderr, JSON on stdout."""

import json
import logging
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console
from rich.markup import escape

from landslide_cli.errors import is_interrupt

console = Console(stderr=True, highlight=False, soft_wrap=True)


def fail(message: str) -> None:
    """Show an error."""
    console.print(f"[bold red]error:[/] {escape(message)}")


def say(message: str) -> None:
    """Show a line that the user should read."""
    console.print(escape(message))


@contextmanager
def working(verbose: bool) -> Iterator[Callable[[str, float], None]]:
    """Show the log and a progress bar while the block runs.

    Args:
        verbose: show the log of this program, too, not only warnings.

    Yields:
        The function to call with the progress.
    """
    from rich.logging import RichHandler
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(message)s",
        handlers=[RichHandler(console=console, show_time=verbose, show_path=False)],
        force=True,
    )
    # Libraries log every request. Users only need the log of this program.
    for name in ("rasterio", "fiona", "odc", "urllib3", "pystac_client", "botocore"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with (
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar,
        _interrupts_kept() as check,
    ):
        task = bar.add_task("", total=1.0)

        def progress(step: str, share: float) -> None:
            check()
            bar.update(task, description=escape(step), completed=share)

        yield progress


@contextmanager
def _interrupts_kept() -> Iterator[Callable[[], None]]:
    """Keep interrupts (Ctrl-C) from getting lost: compiled code ignores an interrupt during a call back to Python.

    An error that comes after an interrupt, or was caused by one, is raised as an interrupt.

    Yields:
        A function that raises an interrupt which came earlier.

    Raises:
        KeyboardInterrupt: an interrupt came.
    """
    came = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal came
        came = True
        signal.default_int_handler(number, frame)

    def check() -> None:
        if came:
            raise KeyboardInterrupt

    # If interrupts are ignored, as in a background job of a shell, this stays so.
    heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heard:
        signal.signal(signal.SIGINT, note)
    try:
        yield check
    except Exception as error:
        if came or is_interrupt(error):
            raise KeyboardInterrupt from error
        raise
    finally:
        if heard:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def show(summary: Any, rows: Mapping[str, Any], as_json: bool) -> None:
    """Show a workflow's summary.

    Args:
        summary: the dataclass that the workflow returned; JSON has all its fields.
        rows: the table for people.
        as_json: print JSON on stdout instead of the table on stderr.
    """
    if as_json:
        print(json.dumps(asdict(summary), default=_plain, indent=2))  # noqa: T201
        return
    width = max(map(len, rows)) + 2
    for name, value in rows.items():
        # Lines are not folded, so that paths can be copied from a terminal of any width.
        for number, line in enumerate(str(value).splitlines() or [""]):
            label = name if number == 0 else ""
            console.print(f"[dim]{escape(label):<{width}}[/]{escape(line)}")


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value)} has no JSON form")
