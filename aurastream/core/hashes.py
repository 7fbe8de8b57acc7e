"""Content hashes tell whether anything but a counter changed, and whether the counters did.

Two hashes, because view counts nearly always move: the membership hash says which items with
which metadata were seen and drives skipping and slowing down; the statistics hash says what
their counters were. Both ignore the order of rows and how a value is stored (``20``, ``20.0`` and
``Int64(20)`` are one number), so that the same content gives the same bytes everywhere.

A hash is the first 16 hexadecimal digits of a SHA-256: 64 bits, so that two of a million
different versions share one with a chance of about 3e-8.
"""

import hashlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from aurastream.core.errors import InvalidInputError

__all__ = [
    "EMPTY_HASH",
    "STATISTICS",
    "VIDEO_METADATA",
    "Kinds",
    "content_hash",
    "group_hashes",
    "metadata_hashes",
]

Kind = Literal["text", "texts", "integer", "boolean", "time"]
Kinds = Mapping[str, Kind]

VIDEO_METADATA: Final[Kinds] = MappingProxyType(
    {
        "title": "text",
        "description": "text",
        "tags": "texts",
        "channel_id": "text",
        "channel_title": "text",
        "category_id": "integer",
        "published_at": "time",
        "duration_s": "integer",
        "definition": "text",
        "has_captions": "boolean",
        "is_licensed": "boolean",
        "default_language": "text",
        "audio_language": "text",
        "live_state": "text",
        "scheduled_start_at": "time",
        "actual_start_at": "time",
        "thumbnail_url": "text",
        "is_made_for_kids": "boolean",
        "topic_categories": "texts",
    }
)
STATISTICS: Final[Kinds] = MappingProxyType(
    {
        "video_id": "text",
        "views": "integer",
        "likes": "integer",
        "comments": "integer",
        "concurrent_viewers": "integer",
    }
)
_DIGITS: Final = 16


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_DIGITS]


EMPTY_HASH: Final = _digest(b"")


def metadata_hashes(videos: pd.DataFrame) -> "pd.Series[str]":
    """Return the metadata version of each video.

    Parameters
    ----------
    videos : pandas.DataFrame
        The columns of `VIDEO_METADATA`; their order does not matter, that of the tags does.

    Returns
    -------
    pandas.Series
        Sixteen hexadecimal digits per row, with the index of ``videos``.

    Raises
    ------
    InvalidInputError
        When a column is missing.

    Notes
    -----
    O(characters).

    References
    ----------
    Creator Intel V2 (#53), without the counters, which made every hash new (C21).

    Examples
    --------
    >>> import pandas as pd
    >>> row = dict.fromkeys(VIDEO_METADATA) | {"title": "A", "tags": ["x"], "category_id": 20}
    >>> same = row | {"category_id": 20.0}
    >>> other = row | {"tags": ["x", "y"]}
    >>> a, b, c = metadata_hashes(pd.DataFrame([row, same, other]))
    >>> a == b, a == c, len(a)
    (True, False, 16)

    >>> metadata_hashes(pd.DataFrame([row]).iloc[:0]).empty
    True
    """
    rows = _encoded(videos, VIDEO_METADATA)
    return pd.Series([_digest(row) for row in rows], index=videos.index, dtype="str")


def content_hash(frame: pd.DataFrame, columns: Kinds) -> str:
    """Return one hash of the distinct rows of a frame, whatever their order.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows; none give `EMPTY_HASH`.
    columns : mapping of str to kind
        Columns that count, with their kinds.

    Returns
    -------
    str
        Hexadecimal.

    Notes
    -----
    O(n log n) in the rows.

    References
    ----------
    Creator Intel V2 (#53, C21).

    Examples
    --------
    >>> import pandas as pd
    >>> a = pd.DataFrame({"id": ["x", "y"], "n": [1, None]})
    >>> kinds = {"id": "text", "n": "integer"}
    >>> content_hash(a, kinds) == content_hash(a.iloc[::-1], kinds)
    True
    >>> content_hash(a.iloc[:0], kinds) == EMPTY_HASH
    True
    """
    return _digest(b"".join(sorted(set(_encoded(frame, columns)))))


def group_hashes(
    frame: pd.DataFrame, by: Sequence[str], columns: Mapping[str, Kind]
) -> "pd.Series[str]":
    """Return the `content_hash` of each group of rows, indexed by the group's keys.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows.
    by : sequence of str
        Columns of the groups' keys.
    columns : mapping of str to kind
        Columns that count, with their kinds.

    Returns
    -------
    pandas.Series
        One hash per group, by its keys in ascending order.

    Notes
    -----
    O(n log n) in the rows.

    References
    ----------
    Creator Intel V2 (#53, C21).

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"chart": ["a", "b", "b"], "id": ["x", "y", "z"]})
    >>> hashes = group_hashes(rows, ["chart"], {"id": "text"})
    >>> hashes["b"] == content_hash(rows[1:], {"id": "text"})
    True

    >>> group_hashes(rows.iloc[:0], ["chart"], {"id": "text"}).empty
    True
    """
    encoded = pd.Series(_encoded(frame, columns), index=frame.index, dtype=object)
    keys = [frame[name] for name in by]
    hashes = encoded.groupby(keys, sort=True).agg(lambda rows: _digest(b"".join(sorted(set(rows)))))
    return hashes.astype("str")


def _encoded(frame: pd.DataFrame, columns: Kinds) -> list[bytes]:
    """Return each row as bytes that no other content shares (lengths go before the texts)."""
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise InvalidInputError(f"Rows to hash lack columns: {', '.join(missing)}.")
    if frame.empty:
        return []
    # Sorted, so that the hash does not depend on how the columns are listed either.
    parts = [_field(frame[name], columns[name]) for name in sorted(columns)]
    joined = pc.binary_join_element_wise(*parts, pa.scalar(b"", pa.binary()))
    return list(joined.to_pylist())


def _field(values: "pd.Series[Any]", kind: Kind) -> pa.Array:
    if kind == "texts":
        lists = pa.array(
            values.to_numpy(dtype=object), type=pa.list_(pa.string()), from_pandas=True
        )
        return _prefixed(_joined(lists))
    return _prefixed(_texts(values, kind))


def _texts(values: "pd.Series[Any]", kind: Kind) -> pa.Array:
    if kind == "text":
        plain = pa.array(values.to_numpy(dtype=object), type=pa.string(), from_pandas=True)
        return plain.cast(pa.binary())
    if kind == "time":
        # Microseconds since the epoch: one number, whatever unit and zone the column has.
        times = pd.Series(pd.to_datetime(values, utc=True)).dt.as_unit("us")
        numbers = pa.array(times).cast(pa.int64())
    elif kind == "boolean":
        numbers = pa.array(values.astype("boolean").astype("Int64"))
    else:
        numbers = pa.array(pd.to_numeric(values).astype("Int64"))
    return _one_chunk(numbers).cast(pa.string()).cast(pa.binary())


def _joined(lists: pa.Array) -> pa.Array:
    """Return each list as one text; an absent list and an empty one are the same."""
    items = _prefixed(lists.flatten().cast(pa.binary()))
    return pc.fill_null(
        pc.binary_join(pa.ListArray.from_arrays(_offsets(lists), items), b""),
        b"",
    )


def _offsets(lists: pa.Array) -> pa.Array:
    lengths = pc.fill_null(pc.list_value_length(lists), 0)
    return pa.concat_arrays(
        [pa.array([0], pa.int32()), pc.cumulative_sum(lengths).cast(pa.int32())]
    )


def _prefixed(texts: pa.Array) -> pa.Array:
    """Put each text's length before it, and ``~`` for null, so that no two rows look alike."""
    lengths = pc.binary_length(texts).cast(pa.string()).cast(pa.binary())
    marked = pc.binary_join_element_wise(lengths, texts, pa.scalar(b":", pa.binary()))
    return pc.fill_null(marked, b"~")


def _one_chunk(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
