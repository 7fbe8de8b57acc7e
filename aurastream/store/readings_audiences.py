"""Readings for the analyses of releases and channels: few rows of many windows."""

import datetime as dt

import pandas as pd

from aurastream.store.frames import FrameStore

__all__ = ["channel_history", "first_days"]

# What half-hour windows said at the end of the four-hour window they belong to, under its start.
_START = "v.window_start - interval '210 minutes'"
_AT_THE_END = """
    v.window_start >= %(start)s and v.window_start < %(end)s
    and v.window_start + interval '30 minutes'
        = date_bin('4 hours', v.window_start + interval '30 minutes', timestamptz '2000-01-01Z')
"""


def first_days(store: FrameStore, start: dt.datetime, end: dt.datetime) -> pd.DataFrame:
    """Return the videos that were 24 to 36 hours old at the end of a four-hour window.

    Parameters
    ----------
    store : FrameStore
        The record.
    start, end : datetime
        Start of the first window, end of the last.

    Returns
    -------
    DataFrame
        ``window_start`` of the four-hour window, ``category``, ``video_id``, ``observed_at``,
        ``views`` and ``lifetime_velocity_per_hour``; up to four rows per category and video.
    """
    return store.query(
        f"""
        select {_START} as window_start, v.category, v.video_id, v.observed_at, v.views,
               v.lifetime_velocity_per_hour
        from intelligence.video_velocity v
        where {_AT_THE_END} and v.age_h >= 24 and v.age_h < 36
        """,  # noqa: S608 # fragments of this module
        {"start": start, "end": end},
    )


def channel_history(store: FrameStore, start: dt.datetime, end: dt.datetime) -> pd.DataFrame:
    """Return what is known of the channels of which more than one video was seen.

    Parameters
    ----------
    store : FrameStore
        The record.
    start, end : datetime
        Start of the first four-hour window, end of the last.

    Returns
    -------
    DataFrame
        ``window_start`` of the four-hour window, ``video_id``, ``channel_id``, ``published_at``,
        ``age_h``, ``views`` and ``lifetime_velocity_per_hour``, one row per window and video; rows
        with impossible values are left out.
    """
    return store.query(
        f"""
        with channels as (
            select v.channel_id from intelligence.video_velocity v
            where {_AT_THE_END} and v.channel_id <> ''
            group by v.channel_id having count(distinct v.video_id) > 1
        )
        select distinct on (v.window_start, v.video_id)
               {_START} as window_start, v.video_id, v.channel_id, v.published_at, v.age_h, v.views,
               v.lifetime_velocity_per_hour
        from intelligence.video_velocity v join channels using (channel_id)
        where {_AT_THE_END}
          and coalesce(least(v.views, v.age_h, v.lifetime_velocity_per_hour), 0) >= 0
        order by v.window_start, v.video_id, v.category
        """,  # noqa: S608 # fragments of this module
        {"start": start, "end": end},
    )
