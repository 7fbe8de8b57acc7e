"""Readings that say whether the videos of two windows can be compared.

A chart may replace all of its videos within a day, and a fast one does. All charts together never
do: in the 70 days of charts that are replayed, one video in twenty or more was there the day
before, with one region alone. Where not one is left, another source answers (the replay started
over), and a difference between the two is no growth.
"""

import datetime as dt

import pandas as pd

from aurastream.store.frames import FrameStore

__all__ = ["chart_breaks", "continuity"]


def chart_breaks(
    store: FrameStore, windows: pd.DatetimeIndex, step: dt.timedelta
) -> pd.DatetimeIndex:
    """Return the windows whose charts have no video in common with the window a step before.

    Parameters
    ----------
    store : FrameStore
        The record.
    windows : DatetimeIndex
        Starts of half hours. Those a step before them are looked at if they are among them.
    step : timedelta
        From a window to the one that it is compared with.

    Returns
    -------
    DatetimeIndex
        Ascending. A window without a chart, or a step after one without, is none of them. Of a
        window those videos count that its newest crawl listed; where they are less than half, no
        crawl of the charts listed them, and the window is none either. So an incomplete crawl in a
        window that is looked at can hide where a source begins.
    """
    found = store.query(
        """
        with listed as (
            select window_start, video_id,
                max(observed_at) > max(max(observed_at)) over (partition by window_start)
                - interval '30 minutes' as is_of_newest
            from intelligence.video_velocity
            join operations.categories using (category)
            where kind = 'chart' and window_start = any(%(windows)s)
            group by window_start, video_id
        ), compared as (
            select window_start,
                count(*) filter (where is_of_newest and is_same) as same_count,
                count(*) filter (where is_of_newest) as newest_count,
                count(*) as video_count
            from (
                select *, count(*) over (
                    partition by video_id order by window_start
                    range between %(step)s preceding and %(step)s preceding
                ) > 0 as is_same
                from listed
            ) as videos
            group by window_start
        )
        select window_start
        from compared
        where same_count = 0 and 2 * newest_count >= video_count
          and window_start - %(step)s in (select window_start from listed)
        order by 1
        """,
        {"windows": list(windows.to_pydatetime()), "step": step},
    )
    return pd.DatetimeIndex(found["window_start"], tz="UTC", name=None)


def continuity(store: FrameStore, start: dt.datetime, end: dt.datetime) -> pd.DataFrame:
    """Return how many videos of windows in [start, end) were there a day before.

    Returns
    -------
    DataFrame
        ``window_start``, ``category``, ``is_chosen`` and ``same_share``. The videos of a game were
        chosen by us, and their share is that of the window that has more. Those of a chart were
        not: its share is that of all charts, of what their newest crawl listed. Where the charts
        have none, the games have none either, even if a broadcast goes on. Null where less than
        half of the charts' videos are of their newest crawl. What has no window a day before is
        left out.

    Notes
    -----
    Each row finds its own of a day before by sorting, not by a join: right after a load of weeks
    Postgres knows nothing of the rows' number yet, and took such a join for a small one.

    A chart's row of a video that an incomplete crawl was not answered about is older than the
    others; whether the platform lists it still is not known.
    """
    return store.query(
        """
        with rows as (
            select window_start, category, video_id, observed_at,
                kind is distinct from 'chart' as is_chosen,
                case when kind = 'chart' then '' else category end as world
            from intelligence.video_velocity
            left join operations.categories using (category)
            where window_start >= %(start)s::timestamptz - interval '24 hours'
              and window_start < %(end)s
              -- What lies in neither the windows nor those of a day before them is not compared.
              and (window_start >= %(start)s
                or window_start < %(end)s::timestamptz - interval '24 hours')
        ), seen as (
            select *, count(*) over (
                    partition by world, video_id order by window_start
                    range between interval '24 hours' preceding and interval '24 hours' preceding
                ) as times_before,
                is_chosen or observed_at > max(observed_at) over (
                    partition by window_start, world
                ) - interval '30 minutes' as is_of_newest
            from rows
        ), counted as (
            select window_start, category, world, is_chosen,
                count(*) filter (where is_of_newest and times_before > 0) as same_count,
                count(*) filter (where is_of_newest) as newest_count, count(*) as video_count,
                max(count(*)) over (
                    partition by category order by window_start
                    range between interval '24 hours' preceding and interval '24 hours' preceding
                ) as count_before
            from seen
            group by 1, 2, 3, 4
        ), shares as (
            select *,
                case
                    when is_chosen then same_count::float8 / greatest(video_count, count_before)
                    -- Fewer than half were not listed by a crawl of the charts, but seen otherwise.
                    when 2 * sum(newest_count) over worlds >= sum(video_count) over worlds
                        then sum(same_count) over worlds / sum(newest_count) over worlds
                end as same_share
            from counted
            window worlds as (partition by window_start, world)
        )
        select window_start, category, is_chosen,
            case
                when min(same_share) filter (where not is_chosen)
                    over (partition by window_start) = 0 then 0
                else same_share
            end::float8 as same_share
        from shares
        where count_before > 0 and window_start >= %(start)s
        order by 1, 2
        """,
        {"start": start, "end": end},
    )
