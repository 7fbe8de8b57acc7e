"""Readings behind the clips and the videos they are compared with."""

import datetime as dt

import pandas as pd

from aurastream.store.frames import FrameStore

__all__ = ["clip_crawls", "clips_made", "continuity", "game_video_views"]

# A crawl's rows are observed after its start; the slack lets the planner skip other days.
_SLACK = dt.timedelta(hours=1)


def clips_made(store: FrameStore, start: dt.datetime, end: dt.datetime) -> pd.DataFrame:
    """Return the clips that crawls in [start, end) saw, each once per game.

    Returns
    -------
    DataFrame
        ``category``, ``clip_id``, ``created_at`` and ``first_crawl_at``, by game and clip.
    """
    return store.query(
        """
        select g.category, c.clip_id, min(c.created_at) as created_at,
               min(c.crawl_at) as first_crawl_at
        from collection.clip_radar c
        join operations.categories g on g.twitch_game_id = c.game_id
        where c.observed_at >= %(start)s and c.observed_at < %(until)s
          and c.crawl_at >= %(start)s and c.crawl_at < %(end)s
        group by 1, 2
        order by 1, 2
        """,
        {"start": start, "end": end, "until": end + _SLACK},
    )


def clip_crawls(store: FrameStore, start: dt.datetime, end: dt.datetime) -> pd.DataFrame:
    """Return the complete crawls of clips that began in [start, end), whether they saw any or not.

    Returns
    -------
    DataFrame
        ``category`` and ``crawl_at``.
    """
    return store.query(
        """
        select category, crawl_at from operations.crawls
        where dataset = 'collection/clip_radar' and is_complete
          and crawl_at >= %(start)s and crawl_at < %(end)s
        order by 1, 2
        """,
        {"start": start, "end": end},
    )


def game_video_views(store: FrameStore, start: dt.datetime, end: dt.datetime) -> pd.DataFrame:
    """Return the snapshots of the tracked games' videos that windows in [start, end) show.

    Returns
    -------
    DataFrame
        ``category``, ``video_id``, ``observed_at`` and ``views``, each snapshot once.
    """
    return store.query(
        """
        select category, video_id, observed_at, max(views) as views
        from intelligence.video_velocity
        where window_start >= %(start)s and window_start < %(end)s
          and category in (select category from operations.categories where kind = 'game')
        group by 1, 2, 3
        order by 1, 2, 3
        """,
        {"start": start, "end": end},
    )


def continuity(store: FrameStore, start: dt.datetime, end: dt.datetime) -> pd.DataFrame:
    """Return how many videos of windows in [start, end) were there a day before.

    Returns
    -------
    DataFrame
        ``window_start``, ``category``, ``is_chosen`` and ``same_share``. The videos of a game were
        chosen by us, and their share is the game's own. Those of a chart were not: its share is
        that of all charts, of what their newest crawl listed. What has no window a day before is
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
        with seen as (
            select window_start, category, observed_at, kind is distinct from 'chart' as is_chosen,
                case when kind = 'chart' then '' else category end as world, count(*) over (
                    partition by category, video_id order by window_start
                    range between interval '24 hours' preceding and interval '24 hours' preceding
                ) as times_before
            from intelligence.video_velocity
            left join operations.categories using (category)
            where window_start >= %(start)s::timestamptz - interval '24 hours'
              and window_start < %(end)s
              -- What lies in neither the windows nor those of a day before them is not compared.
              and (window_start >= %(start)s
                or window_start < %(end)s::timestamptz - interval '24 hours')
        ), dated as (
            select *, is_chosen or observed_at > max(observed_at) over (
                    partition by window_start, world
                ) - interval '30 minutes' as is_of_newest
            from seen
        ), counted as (
            select window_start, category, world, is_chosen,
                count(*) filter (where is_of_newest and times_before > 0) as same_count,
                count(*) filter (where is_of_newest) as video_count,
                count(*) over (
                    partition by category order by window_start
                    range between interval '24 hours' preceding and interval '24 hours' preceding
                ) as windows_before
            from dated
            group by 1, 2, 3, 4
        ), shares as (
            select *,
                sum(same_count) over worlds / nullif(sum(video_count) over worlds, 0) as same_share
            from counted
            window worlds as (partition by window_start, world)
        )
        select window_start, category, is_chosen, same_share::float8
        from shares
        where windows_before > 0 and window_start >= %(start)s
        order by 1, 2
        """,
        {"start": start, "end": end},
    )
