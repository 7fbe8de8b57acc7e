"""Readings of the record for models: one row per day, as the recorded archives have it."""

import datetime as dt

import pandas as pd

from aurastream.store.frames import FrameStore

__all__ = ["backtest_days", "chart_days", "counter_days", "games_of_videos"]


def chart_days(store: FrameStore, start: dt.datetime, end: dt.datetime) -> pd.DataFrame:
    """Return the last row of each UTC day, region and charting video in [start, end).

    The columns are those of an archive of charts (`aurastream.evaluation.archives`). Of several
    charts that show the video at the same moment the best rank counts.
    """
    return store.query(
        """
        with last_rows as (
            select distinct on ((observed_at at time zone 'UTC')::date, region, video_id)
                   (observed_at at time zone 'UTC')::date as snapshot_date,
                   region, video_id, rank, observed_at, metadata_hash, views, likes, comments
            from collection.youtube_trending
            where observed_at >= %(start)s and observed_at < %(end)s
            order by (observed_at at time zone 'UTC')::date, region, video_id,
                     observed_at desc, rank, chart
        )
        select r.snapshot_date::text as snapshot_date, r.region as country, r.rank as chart_rank,
               r.video_id, r.observed_at as fetched_at, v.published_at, v.title, v.channel_id,
               v.channel_title, v.category_id, array_to_string(v.tags, ', ') as tags,
               v.default_language, v.audio_language,
               coalesce(v.live_state, 'none') <> 'none' as is_live, v.duration_s, v.definition,
               v.has_captions as caption_available, v.is_licensed as licensed_content,
               r.views, r.likes, r.comments
        from last_rows r
        join collection.youtube_videos v using (video_id, metadata_hash)
        order by r.snapshot_date, r.region, r.video_id
        """,
        {"start": start, "end": end},
    )


def counter_days(store: FrameStore, start: dt.datetime, end: dt.datetime) -> pd.DataFrame:
    """Return the last counters of each UTC day and video in [start, end), wherever it was seen.

    Charts and tracked games are both looked at. The columns are those of an archive of
    observations; ``n_countries_110`` counts the own regions, ``best_rank`` is null off the charts.
    """
    return store.query(
        """
        with seen as (
            select (observed_at at time zone 'UTC')::date as snapshot_date, video_id, observed_at,
                   views, likes, comments, region, rank
            from collection.youtube_trending
            where observed_at >= %(start)s and observed_at < %(end)s
            union all
            select (observed_at at time zone 'UTC')::date, video_id, observed_at,
                   views, likes, comments, null, null
            from collection.youtube_games
            where observed_at >= %(start)s and observed_at < %(end)s
        ), spread as (
            select snapshot_date, video_id, count(distinct region) as n_countries_110,
                   min(rank) as best_rank
            from seen group by snapshot_date, video_id
        ), newest as (
            select distinct on (snapshot_date, video_id)
                   snapshot_date, video_id, observed_at, views, likes, comments
            from seen where views is not null
            order by snapshot_date, video_id, observed_at desc, views desc
        )
        select n.video_id, n.snapshot_date::text as snapshot_date, n.observed_at as fetched_at,
               n.views, n.likes, n.comments, s.n_countries_110, s.best_rank
        from newest n join spread s using (snapshot_date, video_id)
        order by n.snapshot_date, n.video_id
        """,
        {"start": start, "end": end},
    )


def games_of_videos(store: FrameStore, start: dt.datetime, end: dt.datetime) -> pd.DataFrame:
    """Return the tracked game each video was last assigned to in [start, end)."""
    return store.query(
        """
        select distinct on (video_id) video_id, game
        from collection.youtube_games
        where observed_at >= %(start)s and observed_at < %(end)s
        order by video_id, observed_at desc, confidence desc, game
        """,
        {"start": start, "end": end},
    )


def backtest_days(store: FrameStore, start: dt.datetime, end: dt.datetime) -> pd.DataFrame:
    """Return what was published of earlier predictions on the days in [start, end), in order."""
    return store.query(
        """
        select window_start, method, horizon_days, category, precision, recall, calibration_error
        from intelligence.prediction_backtest
        where window_start >= %(start)s and window_start < %(end)s
        order by window_start, method, horizon_days, category
        """,
        {"start": start, "end": end},
    )
