"""Readings behind the clips and the videos they are compared with."""

import datetime as dt

import pandas as pd

from aurastream.store.frames import FrameStore

__all__ = ["clip_crawls", "clips_made", "game_video_views"]

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
