"""Moments: seconds since 1970 in UTC, and how the two APIs write them."""

import datetime as dt
from email.utils import formatdate
from typing import Final
from zoneinfo import ZoneInfo

__all__ = ["DAY", "HOUR", "http_date", "pacific_date", "parse_rfc3339", "rfc3339"]

HOUR: Final = 3600
DAY: Final = 86_400
_PACIFIC: Final = ZoneInfo("America/Los_Angeles")


def rfc3339(moment: float) -> str:
    """Write a moment as both APIs do, in whole seconds.

    Examples
    --------
    >>> rfc3339(0)
    '1970-01-01T00:00:00Z'
    """
    return dt.datetime.fromtimestamp(int(moment), dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_rfc3339(text: str) -> float:
    """Read a moment; without an offset it is UTC.

    Raises
    ------
    ValueError
        If the text is no date and time, or not one of the years 1 to 9999 in UTC.
    """
    moment = dt.datetime.fromisoformat(text.strip().replace(" ", "+"))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    try:
        return moment.astimezone(dt.UTC).timestamp()
    except OverflowError as error:
        raise ValueError(text) from error


def http_date(moment: float) -> str:
    """Write a moment as an HTTP ``Date`` header."""
    return formatdate(int(moment), usegmt=True)


def pacific_date(moment: float) -> dt.date:
    """Return the date in Los Angeles, by which YouTube counts quota."""
    return dt.datetime.fromtimestamp(moment, _PACIFIC).date()
