"""The errors that a user can see. Each message says what happened, the value, and what to do."""

DISTRIBUTION = "landslide-cli"
"""Name of this program on the Python package index. `landslide` is another program there."""


class LandslideError(Exception):
    """An expected failure: shown as one message, without a traceback."""

    exit_code = 1


class InputError(LandslideError):
    """An option or a file given by the user cannot be used."""

    exit_code = 2


class NoSceneError(LandslideError):
    """The catalog answered, but no scene suits the event."""

    exit_code = 3


class CatalogError(LandslideError):
    """A catalog, or an image that it lists, cannot be reached or read."""

    exit_code = 4


class ModelError(LandslideError):
    """A model cannot be loaded, or cannot run on the event."""

    exit_code = 5


class OutputError(LandslideError):
    """A result cannot be written: disk full, no permission."""

    exit_code = 6


def needs_extra(what: str, package: str, extra: str) -> str:
    """Return the message for something that needs a package of an extra.

    Args:
        what: what the user asked for.
        package: the package that is not installed.
        extra: the extra of this program that installs it.

    Returns:
        What happened and what to do.
    """
    return f"{what} needs {package}, which is not installed; run: pip install '{DISTRIBUTION}[{extra}]'"


def is_interrupt(error: BaseException | None) -> bool:
    """Find out whether an error is an interrupt or was caused by one.

    Interrupted compiled code can raise its own error, and closing its files can fail, too.

    Args:
        error: the error.

    Returns:
        True if the error or any of its causes is an interrupt.
    """
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None
