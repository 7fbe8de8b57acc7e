"""One category's bad data never stops the others: it is left out, and quarantined with reasons."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import pandas as pd

from aurastream.core.errors import InvalidInputError

__all__ = ["each_for_itself", "quarantined", "without"]

_KEYS: Final = ["window_start", "category"]


def each_for_itself(
    frame: pd.DataFrame, compute: Callable[[pd.DataFrame], pd.DataFrame]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compute everything at once, or window by window and category by category if that is refused.

    Parameters
    ----------
    frame : DataFrame
        With ``window_start`` and ``category``.
    compute : callable
        From such rows to results; raises `InvalidInputError` for what it cannot work on.

    Returns
    -------
    tuple of DataFrame
        The results of all that was not refused; ``window_start``, ``category`` and ``reason`` of
        what was.
    """
    refused: list[tuple[object, ...]] = []
    try:
        computed = compute(frame)
    except InvalidInputError:
        parts = [compute(frame.iloc[:0])]
        for key, rows in frame.groupby(_KEYS, sort=True, observed=True):
            try:
                parts.append(compute(rows.reset_index(drop=True)))
            except InvalidInputError as error:
                refused.append((*key, str(error)))
        filled = [part for part in parts if len(part)]
        computed = pd.concat(filled, ignore_index=True) if filled else parts[0]
    return computed, pd.DataFrame(refused, columns=[*_KEYS, "reason"])


def without(sources: pd.DataFrame, refused: pd.DataFrame) -> pd.DataFrame:
    """Leave out the categories of refused windows, and of those that would take from them."""
    if refused.empty:
        return sources
    gone = pd.MultiIndex.from_frame(refused[_KEYS])
    return sources[~pd.MultiIndex.from_frame(sources[["source_window", "category"]]).isin(gone)]


def quarantined(refused: pd.DataFrame, dataset: str, length: timedelta) -> pd.DataFrame:
    """Return rows of operations.quarantine; the same refusal always has the same id."""
    if refused.empty:
        return refused
    ids = [
        str(uuid.uuid5(uuid.NAMESPACE_URL, f"{dataset} {row.category} {row.window_start}"))
        for row in refused.itertuples()
    ]
    rows = pd.DataFrame(
        {
            "occurred_at": refused["window_start"].to_numpy() + length,
            "quarantine_id": ids,
            "source": dataset,
            "item_id": refused["category"].to_numpy(),
            "reason": refused["reason"].to_numpy(),
            "raw": "",
            "fetch_id": None,
        }
    )
    return rows.drop_duplicates("quarantine_id")
