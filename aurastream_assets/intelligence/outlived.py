"""What is on record of windows whose streams and clips had to go since.

The terms end what Twitch answered after a day. A window that is computed again later would be
computed from less than it was, or from nothing, so what was found of it stays.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg
import pandas as pd

from aurastream.operations.policy import limits_of
from aurastream.operations.retention_rules import twitch_ended_before
from aurastream.settings import Settings
from aurastream.store.tables import metadata as tables
from aurastream_assets.intelligence.windows import window_ends, window_length
from resources.frame_io import table_name
from resources.store import Store

__all__ = ["as_on_record", "raw_since"]

_KEY: Final = ("window_start", "category")


def raw_since() -> datetime | None:
    """Return since when Twitch's own answers are still complete; None where they never end."""
    return twitch_ended_before(limits_of(Settings.from_env()), datetime.now(UTC))


def as_on_record(
    context: dg.AssetExecutionContext,
    store: Store,
    rows: pd.DataFrame,
    *,
    reach: timedelta,
    only: Mapping[str, str] | None = None,
    about: Sequence[str] = _KEY,
) -> pd.DataFrame:
    """Return what was found, and what is on record where it could not be found again.

    Parameters
    ----------
    context : AssetExecutionContext
        Of a windowed asset.
    store : Store
        Where its table lies.
    rows : DataFrame
        What was found, with ``window_start`` and ``category``.
    reach : timedelta
        How far before its start a window looks.
    only : Mapping, optional
        Columns and values of the rows that are made of Twitch; all of them by default.
    about : sequence of str
        Columns that name what is judged at one time: where a row of it is on record, those on
        record are all of it; of anything else, what was found is added.
    """
    since = raw_since()
    starts = window_ends(context) - window_length(context)
    gone = starts[:0] if since is None else starts[starts - reach < pd.Timestamp(since)]
    if gone.empty:
        return rows
    name = table_name(context.asset_key)
    end = gone[-1] + window_length(context)
    before = store.frames.read(
        name, start=gone[0].to_pydatetime(), end=end.to_pydatetime(), where=dict(only or {})
    )
    if before.empty:
        return rows
    known = pd.MultiIndex.from_frame(before[list(about)])
    is_known = pd.MultiIndex.from_frame(rows[list(about)]).isin(known)
    for column, value in (only or {}).items():
        is_known &= (rows[column] == value).to_numpy(dtype=bool)
    kept = before[list(rows.columns)].astype(dict(rows.dtypes))
    key = [column.name for column in tables.tables[name].primary_key]
    return pd.concat([rows[~is_known], kept]).sort_values(key, ignore_index=True)
