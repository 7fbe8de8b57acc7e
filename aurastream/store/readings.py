"""Readings of the record that are more than columns and a span of time.

Asset bodies hold no SQL; what they need beyond `FrameStore.read` is asked for here, by name.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Literal

import pandas as pd

from aurastream.store.frames import FrameStore
from aurastream.store.writes import find_table

__all__ = ["newest", "newest_counters", "stream_totals", "tracked_categories"]


def newest(store: FrameStore, table: str, column: str) -> dt.datetime | None:
    """Return the newest value of a time column; None when the table is empty."""
    found = find_table(table)
    name = found.columns[column].name  # a KeyError here is a typing error of ours
    value = store.query(f'select max("{name}") as newest from {found.fullname}')["newest"].iloc[0]  # noqa: S608 # names from tables.py
    return None if pd.isna(value) else pd.Timestamp(value).to_pydatetime()


def tracked_categories(
    store: FrameStore, kind: Literal["chart", "game"] | None = None
) -> pd.DataFrame:
    """Return the enabled charts and games as the operator keeps them, by kind and slug."""
    where: dict[str, object] = {"is_enabled": True}
    if kind is not None:
        where["kind"] = kind
    return store.read("operations.categories", where=where, order_by=["kind", "category"])


def newest_counters(
    store: FrameStore, table: str, *, since: dt.datetime, columns: Sequence[str] = ()
) -> pd.DataFrame:
    """Return the newest snapshot of each video since a moment.

    Parameters
    ----------
    store : FrameStore
        The record.
    table : str
        ``collection.youtube_trending`` or ``collection.youtube_games``.
    since : datetime
        Older snapshots are not looked at.
    columns : sequence of str, optional
        Columns beside ``video_id``, ``views`` and ``metadata_hash``.
    """
    wanted = list(dict.fromkeys(["video_id", "views", "metadata_hash", *columns, "observed_at"]))
    rows = store.read(table, columns=wanted, start=since)
    rows = rows.sort_values("observed_at", kind="stable")
    return rows.drop_duplicates("video_id", keep="last").reset_index(drop=True)


def stream_totals(store: FrameStore, start: dt.datetime, end: dt.datetime) -> pd.DataFrame:
    """Return live streams and their viewers per crawl and game in [start, end).

    Returns
    -------
    DataFrame
        ``crawl_at``, ``game_id``, ``live_count`` and ``viewer_total``, in the order of time.
    """
    return store.query(
        """
        select crawl_at, game_id,
               count(*) as live_count, sum(viewer_count)::bigint as viewer_total
        from collection.twitch_streams
        where observed_at >= %(start)s and observed_at < %(end)s
        group by crawl_at, game_id
        order by crawl_at, game_id
        """,
        {"start": start, "end": end},
    )
