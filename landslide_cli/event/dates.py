"""Parse and check dates, and give the time and the software version for records."""

from datetime import UTC, date, datetime
from typing import Final

from landslide_cli.errors import InputError
from landslide_cli.version import __version__

FIRST_DAY: Final = date(2015, 6, 23)
"""Launch of Sentinel-2A."""


def software() -> str:
    """Return the name and version of the program for records."""
    return f"landslide {__version__}"


def now() -> str:
    """Return the current time in UTC, in the format of STAC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_date(text: str, option: str) -> date:
    """Parse an ISO date.

    Args:
        text: the date, YYYY-MM-DD.
        option: the option that gave it, for messages.

    Returns:
        The date.

    Raises:
        InputError: the text is not a date.
    """
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{option} {text!r} is not a date; write it as YYYY-MM-DD, such as 2021-08-14") from error


def check_event_date(text: str) -> date:
    """Parse the date of an event.

    Args:
        text: the date, YYYY-MM-DD.

    Returns:
        The date.

    Raises:
        InputError: the text is not a date, or the date lies in the future or before Sentinel-2.
    """
    day = parse_date(text, "--event-date")
    if day > datetime.now(UTC).date():
        raise InputError(f"event date {text} lies in the future; give the day the landslides happened")
    if day < FIRST_DAY:
        raise InputError(f"event date {text} is before Sentinel-2 ({FIRST_DAY}); there are no images of that time")
    return day
