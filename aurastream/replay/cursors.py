"""Helix's opaque cursors: base64 of JSON, for streams a base64 within a base64.

A cursor of a list that is ordered by viewers says after how many viewers to go on, not at which
place, so pages asked for at different moments can repeat or miss streams, as the real ones do.
"""

import base64
from typing import Any, Final

import orjson

__all__ = [
    "DEAD",
    "START",
    "double",
    "read_offset",
    "read_stream_cursor",
    "write_offset",
    "write_stream_cursor",
]

_FARTHEST: Final = 1 << 32  # longer than any list, and its next page has a number too
START: Final = "IA"  # what the real API sent for "from the start": base64 of one blank
DEAD: Final = base64.b64encode(b'{"b":{"Cursor":""},"a":{"Cursor":""}}').decode("ascii")


def write_offset(offset: int) -> str:
    """Return a cursor to a place in a list."""
    return _encode({"b": None, "a": {"Offset": offset}})


def read_offset(cursor: str) -> int | None:
    """Return the place a cursor points to, or None if it is no cursor."""
    content = _decode(cursor)
    if content == {}:
        return 0
    try:
        offset = content["a"]["Offset"] if content is not None else None
    except (KeyError, TypeError):
        return None
    return offset if isinstance(offset, int) and 0 <= offset <= _FARTHEST else None


def write_stream_cursor(before: tuple[int, int] | None, after: tuple[int, int] | None) -> str:
    """Return a cursor to before and after two streams, each (viewers, channel)."""
    return _encode({"b": {"Cursor": _inner(before)}, "a": {"Cursor": _inner(after)}})


def read_stream_cursor(cursor: str, side: str) -> tuple[int, int] | str | None:
    """Return (viewers, channel) of a cursor's stream.

    Parameters
    ----------
    cursor : str
        As it came.
    side : str
        ``a`` to go on after the stream, ``b`` to go back before it.

    Returns
    -------
    tuple of (int, int) or str or None
        ``"start"`` for the beginning, ``"dead"`` for a cursor that leads nowhere, None if it is
        no cursor.
    """
    content = _decode(cursor)
    if content == {}:
        return "start"
    try:
        inner = content[side]["Cursor"] if content is not None else None
    except (KeyError, TypeError):
        return None
    if inner == "":
        return "dead"
    found = _decode(inner) if isinstance(inner, str) else None
    if found and isinstance(found.get("s"), int) and isinstance(found.get("i"), int):
        return found["s"], found["i"]
    return None


def double(cursor: str) -> str:
    """Return a cursor joined with itself by a blank and encoded again, as was once recorded."""
    return base64.b64encode(f"{cursor} {cursor}".encode()).decode("ascii")


def _inner(place: tuple[int, int] | None) -> str:
    if place is None:
        return ""
    return _encode({"s": place[0], "d": False, "t": True, "i": place[1]})


def _encode(content: Any) -> str:  # noqa: ANN401 # any JSON
    return base64.b64encode(orjson.dumps(content)).decode("ascii")


def _decode(cursor: str) -> dict[str, Any] | None:
    """Return a cursor's JSON; {} for the blank one, None if it is none."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), validate=True)
        if raw.strip() == b"":
            return {}
        if b" " in raw:
            raw = base64.b64decode(raw.split(b" ")[0], validate=True)
        content = orjson.loads(raw)
    except ValueError:
        return None
    return content if isinstance(content, dict) and content else None
