"""TODO."""

from datetime import UTC, date, datetime

from landslide_cli import __version__
from landslide_cli.errors import InputError


def software() -> str:
    """Return the name and version of the program, as records have it."""
    return f"landslide {__version__}"


def now() -> str:
    """Return the current time in UTC, as STAC writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


FIRST_DAY = date(2015, 6, 23)
"""Launch of Sentinel-2A."""


def check_event_date(text: str) -> date:
    """Parse an event date.

    Raises:
        InputError: it is not a date, lies in the future, or before Sentinel-2.
    """
    day = parse_date(text, "--event-date")
    if day > datetime.now(UTC).date():
        raise InputError(f"event date {text} lies in the future; give the day the landslides happened")
    if day < FIRST_DAY:
        raise InputError(f"event date {text} is before Sentinel-2 ({FIRST_DAY}); there are no images of that time")
    return day


def parse_date(text: str, option: str) -> date:
    """Parse a date that `option` gave.

    Raises:
        InputError: it is not one.
    """
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{option} {text!r} is not a date; write it as YYYY-MM-DD, such as 2021-08-14") from error
