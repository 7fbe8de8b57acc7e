"""Readings that say whether the videos of two windows can be compared."""

import datetime as dt

import pandas as pd

from aurastream.store.frames import FrameStore

__all__ = ["games_continuity", "source_starts"]


def source_starts(store: FrameStore, start: dt.datetime, end: dt.datetime) -> pd.DatetimeIndex:
    """Return from when on another source answers to the crawls of the charts, as the crawls saw it.

    Parameters
    ----------
    store : FrameStore
        The record.
    start, end : datetime
        Aware; starts in [start, end).

    Returns
    -------
    DatetimeIndex
        Ascending. Videos seen from such a moment on and those seen before it are others, also those
        of games, whose broadcasts may go on.
    """
    found = store.query(
        """
        select started_at from operations.source_starts
        where dataset = 'collection/youtube_trending'
          and started_at >= %(start)s and started_at < %(end)s
        order by started_at
        """,
        {"start": start, "end": end},
    )
    return pd.DatetimeIndex(found["started_at"], tz="UTC", name=None)


def games_continuity(store: FrameStore, start: dt.datetime, end: dt.datetime) -> pd.DataFrame:
    """Return how many videos of games in windows in [start, end) were there a day before.

    Returns
    -------
    DataFrame
        ``window_start``, ``category`` and ``same_share``: the videos in both windows among those of
        the larger one. What has no window a day before is left out.

    Notes
    -----
    Each row finds its own of a day before by sorting, not by a join: right after a load of weeks
    Postgres knows nothing of the rows' number yet, and took such a join for a small one.
    """
    return store.query(
        """
        with rows as (
            select window_start, category, video_id
            from intelligence.video_velocity
            left join operations.categories using (category)
            where kind is distinct from 'chart'
              and window_start >= %(start)s::timestamptz - interval '24 hours'
              and window_start < %(end)s
              -- What lies in neither the windows nor those of a day before them is not compared.
              and (window_start >= %(start)s
                or window_start < %(end)s::timestamptz - interval '24 hours')
        ), seen as (
            select *, count(*) over (
                    partition by category, video_id order by window_start
                    range between interval '24 hours' preceding and interval '24 hours' preceding
                ) as times_before
            from rows
        ), counted as (
            select window_start, category,
                count(*) filter (where times_before > 0) as same_count, count(*) as video_count,
                max(count(*)) over (
                    partition by category order by window_start
                    range between interval '24 hours' preceding and interval '24 hours' preceding
                ) as count_before
            from seen
            group by 1, 2
        )
        select window_start, category,
            same_count::float8 / greatest(video_count, count_before) as same_share
        from counted
        where count_before > 0 and window_start >= %(start)s
        order by 1, 2
        """,
        {"start": start, "end": end},
    )
