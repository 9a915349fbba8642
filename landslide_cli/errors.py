"""The errors a user can meet. Each message says what happened, the value, and what to do."""


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
    """A catalog or an image it lists cannot be reached or read."""

    exit_code = 4


class ModelError(LandslideError):
    """A model cannot be loaded, or cannot run on the event."""

    exit_code = 5


class OutputError(LandslideError):
    """A result cannot be written: disk full, no permission."""

    exit_code = 6
