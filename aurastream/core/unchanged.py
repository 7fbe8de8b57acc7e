"""Which groups of a frame are the same as a window before, so that nothing is computed twice.

An analysis is a pure function of its input. When what it reads of a game is the same, row for row,
as in the window before, so is what it finds; the proof is the fingerprint of that input.
"""

from typing import Final

import numpy as np
import pandas as pd

from aurastream.core.frames import Schema, build_frame, empty_frame, require_columns
from aurastream.core.value_hashes import row_hashes

__all__ = ["FINGERPRINTS_SCHEMA", "carried", "fingerprints", "with_sources"]

FINGERPRINTS_SCHEMA: Final[Schema] = {
    "window_start": "datetime64[us, UTC]",
    "category": "object",
    "input_hash": "object",
    "input_rows": "int64",
}
"""Columns of `fingerprints`."""


def fingerprints(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one fingerprint per window and category over all other columns.

    Parameters
    ----------
    frame : DataFrame
        ``window_start``, ``category`` and any columns, lists included; their order counts for
        nothing, nor does that of the rows.

    Returns
    -------
    DataFrame
        ``FINGERPRINTS_SCHEMA``, by window and category. ``input_hash`` is 16 hexadecimal digits:
        the sum, modulo 2**64, of the rows' hashes, so that a row that comes twice counts twice.
        ``input_rows`` is 1 or more. Values are equal when their kinds are, too: a null is not the
        text "None", 1 is neither true nor 1.0, and nulls of one kind are equal
        (see `aurastream.core.value_hashes`).

    Raises
    ------
    InvalidInputError
        When ``window_start`` or ``category`` is missing.

    Notes
    -----
    O(rows · columns), and a sort of the groups. Two inputs that differ have one fingerprint about
    as seldom as two draws of 64 bits are equal.

    References
    ----------
    C21 asks to tell what is unchanged. The sum is that of Clarke, D., Devadas, S., van Dijk, M.,
    Gassend, B. and Suh, G. E. (2003). Incremental multiset hash functions and their application to
    memory integrity checking. ASIACRYPT, without their key.

    Examples
    --------
    >>> day = pd.to_datetime(["2026-11-21"] * 3, utc=True)
    >>> rows = pd.DataFrame({"window_start": day, "category": list("aab"), "views": [1, 2, 3]})
    >>> found = fingerprints(rows)
    >>> found["input_rows"].tolist()
    [2, 1]
    >>> fingerprints(rows.iloc[::-1])["input_hash"].tolist() == found["input_hash"].tolist()
    True
    >>> fingerprints(rows.assign(views=[1, 2, 4]))["input_hash"].eq(found["input_hash"]).tolist()
    [True, False]

    A row that comes twice is another input; unknown values are as equal as known ones:

    >>> twice = fingerprints(pd.concat([rows, rows]))
    >>> twice["input_rows"].tolist(), twice["input_hash"].eq(found["input_hash"]).any().item()
    ([4, 2], False)
    >>> unknown = rows.assign(views=np.nan)
    >>> fingerprints(unknown).equals(fingerprints(unknown.iloc[::-1]))
    True
    >>> fingerprints(rows.iloc[:0]).empty
    True
    """
    frame = require_columns(frame, ("window_start", "category"), "frame")
    if frame.empty:
        return empty_frame(FINGERPRINTS_SCHEMA)
    content = frame[sorted(set(frame.columns) - {"window_start", "category"})]
    keys = frame[["window_start", "category"]].reset_index(drop=True)
    sums = (
        keys.assign(mixed=row_hashes(content), one=1)
        .groupby(["window_start", "category"], sort=True, observed=True)
        .agg(mixed=("mixed", "sum"), input_rows=("one", "sum"))
        .reset_index()
    )
    return build_frame(
        FINGERPRINTS_SCHEMA,
        {
            "window_start": sums["window_start"],
            "category": sums["category"],
            "input_hash": [f"{value:016x}" for value in sums["mixed"].to_numpy(dtype=np.uint64)],
            "input_rows": sums["input_rows"],
        },
    )


def with_sources(found: pd.DataFrame, before: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the fingerprints with the window each one's result can be taken from.

    Parameters
    ----------
    found : DataFrame
        As `fingerprints` returns them, of windows in a row.
    before : DataFrame, optional
        ``window_start``, ``category`` and ``input_hash`` of the window just before the first; none
        when it was not analysed, or by another formula.

    Returns
    -------
    DataFrame
        The rows of `found` with ``source_window``: the first window, or the one before them all,
        of the unbroken series of equal inputs it belongs to; its own start where the input is new.
        A category that was absent for a window is new. A window without any category at all is not
        among the fingerprints and ends no series.

    Raises
    ------
    InvalidInputError
        When a column is missing.

    Notes
    -----
    O(n log n).

    References
    ----------
    Ours, so that what is unchanged is skipped as C21 asks.

    Examples
    --------
    >>> days = pd.to_datetime(["2026-11-20", "2026-11-21"], utc=True)
    >>> rows = pd.DataFrame({"window_start": days, "category": "a", "views": [1, 1]})
    >>> with_sources(fingerprints(rows))["source_window"].dt.day.tolist()
    [20, 20]
    >>> with_sources(fingerprints(rows.assign(views=[1, 2])))["source_window"].dt.day.tolist()
    [20, 21]

    The window before them all counts where it is known:

    >>> before, last = fingerprints(rows.head(1)), fingerprints(rows.tail(1))
    >>> with_sources(last, before)["source_window"].dt.day.tolist()
    [20]
    >>> with_sources(last, before.head(0))["source_window"].dt.day.tolist()
    [21]
    >>> with_sources(fingerprints(rows.head(0)))["source_window"].tolist()
    []
    """
    found = require_columns(found, ("window_start", "category", "input_hash"), "found")
    if before is not None:
        before = require_columns(before, ("window_start", "category", "input_hash"), "before")
    windows = sorted(found["window_start"].unique())
    position = found["window_start"].map({window: n for n, window in enumerate(windows)})
    ordered = found.assign(position=position).sort_values(["category", "window_start"])
    last = ordered.groupby("category", observed=True)[["input_hash", "position"]].shift()
    same = ordered["input_hash"].eq(last["input_hash"]) & ordered["position"].sub(1).eq(
        last["position"]
    )
    source = ordered["window_start"].where(~same)
    if before is not None and not before.empty:
        known = before.set_index("category")
        first = ordered["position"].eq(0) & ordered["input_hash"].eq(
            ordered["category"].map(known["input_hash"])
        )
        source = source.where(~first, ordered["category"].map(known["window_start"]))
    source = source.groupby(ordered["category"], observed=True).ffill()
    return found.assign(source_window=source)


def carried(computed: pd.DataFrame, sources: pd.DataFrame) -> pd.DataFrame:
    """Return the results of every window, those of unchanged inputs taken from their source.

    Parameters
    ----------
    computed : DataFrame
        ``window_start``, ``category`` and results, at least for every source window.
    sources : DataFrame
        As `with_sources` returns them.

    Returns
    -------
    DataFrame
        With the columns of `computed`, by window and category; within them in the order of
        `computed`. What is of no source window is left out, and a window whose source has no
        results has none.

    Raises
    ------
    InvalidInputError
        When a column is missing.

    Notes
    -----
    O(n log n) for the rows that are returned.

    References
    ----------
    Ours, so that what is unchanged is skipped as C21 asks.

    Examples
    --------
    The second day is as the first, the third is not:

    >>> days = pd.to_datetime(["2026-11-20", "2026-11-21", "2026-11-22"], utc=True)
    >>> rows = pd.DataFrame({"window_start": days, "category": "a", "views": [1, 1, 2]})
    >>> sources = with_sources(fingerprints(rows))
    >>> computed = pd.DataFrame({
    ...     "window_start": days[[0, 0, 2]], "category": "a", "score": [7.0, np.nan, 8.0],
    ... })
    >>> found = carried(computed, sources)
    >>> found["window_start"].dt.day.tolist(), found["score"].tolist()
    ([20, 20, 21, 21, 22], [7.0, nan, 7.0, nan, 8.0])
    >>> carried(computed.tail(1), sources)["window_start"].dt.day.tolist()
    [22]
    >>> carried(computed.head(0), sources).shape, carried(computed, sources.head(0)).shape
    ((0, 3), (0, 3))
    """
    if computed.empty or sources.empty:
        return computed.iloc[:0]
    computed = require_columns(computed, ("window_start", "category"), "computed")
    sources = require_columns(sources, ("window_start", "category", "source_window"), "sources")
    wanted = sources[["window_start", "category", "source_window"]]
    rows = computed.rename(columns={"window_start": "source_window"})
    merged = wanted.merge(rows, on=["source_window", "category"], how="inner", sort=False)
    merged = merged.sort_values(["window_start", "category"], kind="stable")
    return merged.reindex(columns=list(computed.columns)).reset_index(drop=True)
