"""Single values of the platforms' JSON: durations, instants, texts.

Every parser raises ValueError with a reason a person can read; the page decoders turn that into
a rejected item.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import numpy as np

__all__ = [
    "MAX_COUNTER",
    "is_believable",
    "iso_duration_s",
    "may_hold_nul",
    "parse_instant",
    "refuse_nul",
    "refuse_wild_instants",
    "twitch_duration_s",
]

_ISO_DURATION = re.compile(
    r"P(?=.)(?:(\d+)W)?(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?)?",
    re.ASCII,
)
_TWITCH_DURATION = re.compile(r"(?=.)(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
_BACKSLASH, _LETTER_U = b"\\u"
_MEMO_LIMIT = 200_000
_INT_MAX = 2**31 - 1

MAX_COUNTER = 2**53 - 1
"""The largest counter that is believed: the analyses count in floats, which are exact up to here.

No counter is near it: the most viewed video has 2**34 views.
"""


# Neither platform is older than YouTube's first year. Premieres and broadcasts lie ahead, for years
# even; but beyond some centuries a moment does not fit the frames, and would cost its siblings.
_EARLIEST = datetime(2005, 1, 1, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)


class _IsoDurations(dict[str, int | None]):
    """Durations seen so far: a chart repeats a few thousand strings for ever."""

    def __missing__(self, text: str) -> int | None:
        match = _ISO_DURATION.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not an ISO 8601 duration")
        weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        total = ((weeks * 7 + days) * 24 + hours) * 3600 + minutes * 60 + seconds
        if total > _INT_MAX:
            raise ValueError(f"{text!r} is longer than any video can be")
        if len(self) >= _MEMO_LIMIT:
            self.clear()
        # P0D and PT0S stand for "not known yet": broadcasts that run or lie ahead.
        self[text] = value = total or None
        return value


_iso_durations = _IsoDurations()


def iso_duration_s(texts: Iterable[str | None]) -> list[int | None]:
    """Return ISO 8601 durations in seconds, memoised.

    Parameters
    ----------
    texts : iterable of str or None
        Durations such as ``PT4M13S``; None where there is none.

    Returns
    -------
    list of int or None
        Whole seconds; None for a missing duration and for one of length zero (``P0D``), which
        stands for a broadcast that has not ended.

    Raises
    ------
    ValueError
        When a text is not a duration.

    Examples
    --------
    >>> iso_duration_s(["PT4M13S", "P1DT2H", "P1W2D", "P0D", None])
    [253, 93600, 777600, None, None]
    """
    memo = _iso_durations
    return [None if text is None else memo[text] for text in texts]


def twitch_duration_s(text: str | None) -> int | None:
    """Return a Helix duration in seconds.

    Examples
    --------
    >>> twitch_duration_s("6h46m38s"), twitch_duration_s("55s"), twitch_duration_s("")
    (24398, 55, None)
    """
    if not text:
        return None
    match = _TWITCH_DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration like 3h25m6s")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    total = hours * 3600 + minutes * 60 + seconds
    if total > _INT_MAX:
        raise ValueError(f"{text!r} is longer than any video can be")
    return total


def parse_instant(text: str | None) -> datetime | None:
    """Return an RFC 3339 instant in UTC; None for a missing or empty one.

    Raises
    ------
    ValueError
        When the text is no instant, names no offset or lies outside 2005 to 2099.

    Examples
    --------
    >>> parse_instant("2024-09-01T11:32:54.5+02:00")
    datetime.datetime(2024, 9, 1, 9, 32, 54, 500000, tzinfo=datetime.timezone.utc)
    """
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} names no offset from UTC")
    refuse_wild_instants([moment])
    return moment.astimezone(UTC)


def is_believable(moment: datetime) -> bool:
    """Return whether an aware moment can be that of an upload, a stream or an answer."""
    return _EARLIEST <= moment < _LATEST


def refuse_wild_instants(moments: Iterable[datetime | None]) -> None:
    """Raise ValueError when a moment lies outside 2005 to 2099.

    Parameters
    ----------
    moments : iterable of datetime or None
        Aware moments, in any offset; None where there is none.

    Examples
    --------
    >>> refuse_wild_instants([None, datetime(9999, 12, 31, tzinfo=UTC)])
    Traceback (most recent call last):
        ...
    ValueError: 9999-12-31T00:00:00+00:00 is no date of these platforms, outside 2005 to 2099
    """
    known = [moment for moment in moments if moment is not None]
    if not known:
        return
    for moment in (min(known), max(known)):
        if not is_believable(moment):
            raise ValueError(
                f"{moment.isoformat()} is no date of these platforms, outside "
                f"{_EARLIEST.year} to {_LATEST.year - 1}"
            )


def may_hold_nul(body: bytes) -> bool:
    r"""Return whether JSON may hold the character U+0000, which must be written as an escape.

    Looking for ``\u`` with numpy first is seven times faster than searching the whole escape;
    hardly any answer has one.
    """
    codes = np.frombuffer(body, dtype=np.uint8)
    has_escape = bool(((codes[:-1] == _BACKSLASH) & (codes[1:] == _LETTER_U)).any())
    return has_escape and b"\\u0000" in body


def refuse_nul(columns: Iterable[Sequence[object]]) -> None:
    """Raise ValueError when a text holds U+0000, which Postgres cannot store.

    Parameters
    ----------
    columns : iterable of sequences
        Values of any kind; texts, and lists of texts, are looked at.
    """
    for values in columns:
        try:
            texts = "".join(values)  # type: ignore[arg-type] # columns of texts alone are common
        except TypeError:
            nested = [value for value in values if isinstance(value, list)]
            texts = "".join([value for value in values if isinstance(value, str)])
            refuse_nul(nested)
        if "\0" in texts:
            raise ValueError("a text holds the character U+0000, which Postgres cannot store")
