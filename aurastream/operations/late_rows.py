"""Rows that came after their day was archived: what the archive's file then has to say.

While a day was never purged, the record has all of it, and the file says what the record says.
Once rows of it were dropped, the record has only what came later: that is added to what the file
has, and takes the place of rows with the same key (of snapshots) or of the same window (of scores,
which are replaced window by window).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

__all__ = ["replaced_by", "with_late_rows", "without_strangers"]

_APPEND_ONLY: Final = frozenset({"collection", "operations"})
_PLACE: Final = "__place"


def replaced_by(table: str, key: Sequence[str], time_column: str) -> tuple[str, ...]:
    """Return the columns by which a later row takes the place of an archived one.

    Examples
    --------
    >>> replaced_by("collection.youtube_trending", ["observed_at", "video_id"], "observed_at")
    ('observed_at', 'video_id')
    >>> replaced_by("intelligence.viral_scores", ["window_start", "video_id"], "window_start")
    ('window_start',)
    """
    if table.partition(".")[0] in _APPEND_ONLY and key:
        return tuple(key)
    return (time_column,)


def with_late_rows(
    archived: pa.Table, found: pa.Table, *, by: Sequence[str], order: Sequence[str]
) -> pa.Table:
    """Return the archived rows that nothing took the place of, and the found ones, in order.

    Parameters
    ----------
    archived, found : pyarrow.Table
        What the file has; what the record has now.
    by : sequence of str
        Columns that say which archived rows a found one replaces (`replaced_by`).
    order : sequence of str
        Columns of the key, by which the file is ordered.

    Examples
    --------
    >>> kept = pa.table({"at": [1, 1, 2], "id": ["a", "b", "a"], "n": [1, 2, 3]})
    >>> late = pa.table({"at": [1], "id": ["c"], "n": [9]})
    >>> with_late_rows(kept, late, by=["at", "id"], order=["at", "id"])["n"].to_pylist()
    [1, 2, 9, 3]
    >>> with_late_rows(kept, late, by=["at"], order=["at", "id"])["n"].to_pylist()
    [9, 3]
    """
    keys = archived.select(list(by)).append_column(_PLACE, pa.array(np.arange(archived.num_rows)))
    left = keys.join(
        found.select(list(by)).cast(pa.schema([keys.schema.field(name) for name in by])),
        keys=list(by),
        join_type="left anti",
    )
    kept = archived.take(left[_PLACE])
    # Columns that came or went since: the table's present ones, null where a file lacks them.
    columns = [
        kept[name].cast(kind.type)
        if name in kept.column_names
        else pa.nulls(kept.num_rows, kind.type)
        for name, kind in zip(found.column_names, found.schema, strict=True)
    ]
    both = pa.concat_tables([pa.table(columns, schema=found.schema), found]).combine_chunks()
    return both.sort_by([(name, "ascending") for name in order]) if order else both


def without_strangers(archived: pa.Table, found: pa.Table, *, by: Sequence[str]) -> pa.Table:
    """Return those of the found rows that the archive has too, in their order.

    Parameters
    ----------
    archived, found : pyarrow.Table
        What the file has; what the record has now.
    by : sequence of str
        Columns that say which row is which.

    Examples
    --------
    >>> kept = pa.table({"at": [1, 2], "id": ["a", "a"], "n": [1, 2]})
    >>> now = pa.table({"at": [1, 1, 2], "id": ["a", "b", "a"], "n": [7, 8, 9]})
    >>> without_strangers(kept, now, by=["at", "id"])["n"].to_pylist()
    [7, 9]
    """
    theirs = archived.select(list(by))
    places = pa.array(np.arange(found.num_rows))
    keys = found.select(list(by)).cast(theirs.schema).append_column(_PLACE, places)
    known = keys.join(theirs, keys=list(by), join_type="left semi")
    return found.take(known[_PLACE].combine_chunks().sort())
