"""Readings of the record that are more than columns and a span of time.

Asset bodies hold no SQL; what they need beyond `FrameStore.read` is asked for here, by name.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Literal

import pandas as pd

from aurastream.store.frames import FrameStore
from aurastream.store.tables.narrow import narrow_of, stored_of
from aurastream.store.writes import find_table

__all__ = [
    "competition_before",
    "existing_marts",
    "first_crawl",
    "game_candidates",
    "incomplete_crawls",
    "newest",
    "stream_crawls",
    "stream_totals",
    "titles",
    "tracked_categories",
]


def newest(store: FrameStore, table: str, column: str) -> dt.datetime | None:
    """Return the newest value of a time column; None when the table is empty."""
    found = find_table(table)
    name = found.columns[column].name  # a KeyError here is a typing error of ours
    if narrow_of(found) is not None and name in stored_of(found).facts.columns:
        found = stored_of(found).facts  # its index knows; a view has none
    value = store.query(f'select max("{name}") as newest from {found.fullname}')["newest"].iloc[0]  # noqa: S608 # names from tables.py
    return None if pd.isna(value) else pd.Timestamp(value).to_pydatetime()


def first_crawl(store: FrameStore) -> dt.datetime | None:
    """Return when the first crawl of the record was made, None before there is one."""
    found = store.query("select min(crawl_at) as at from operations.crawls")["at"].iloc[0]
    return None if pd.isna(found) else found.to_pydatetime()


def existing_marts(store: FrameStore) -> set[str]:
    """Return the names of the marts, and of the rollups that are views, in the record."""
    found = store.query(
        "select table_name::text as name from information_schema.views "
        "where table_schema in ('marts', 'aggregation')"
    )
    return set(found["name"])


def tracked_categories(
    store: FrameStore, kind: Literal["chart", "game"] | None = None
) -> pd.DataFrame:
    """Return the enabled charts and games as the operator keeps them, by kind and slug."""
    where: dict[str, object] = {"is_enabled": True}
    if kind is not None:
        where["kind"] = kind
    return store.read("operations.categories", where=where, order_by=["kind", "category"])


def incomplete_crawls(
    store: FrameStore, datasets: Sequence[str], start: dt.datetime, end: dt.datetime
) -> pd.DataFrame:
    """Return the crawls within [start, end) that got only a part of their category.

    Returns
    -------
    DataFrame
        ``category``, ``region`` ('' where there is none) and ``crawl_at``, in the order of time.
    """
    return store.query(
        """
        select category, region, crawl_at
        from operations.crawls
        where dataset = any(%(datasets)s) and not is_complete
          and crawl_at >= %(start)s and crawl_at < %(end)s
        order by crawl_at, dataset, category, region
        """,
        {"datasets": list(datasets), "start": start, "end": end},
    )


def titles(store: FrameStore, video_ids: Sequence[str]) -> dict[str, str]:
    """Return the newest known title of each video; unknown ones are missing."""
    rows = store.read(
        "collection.youtube_videos",
        columns=["video_id", "title", "first_observed_at"],
        where={"video_id": list(video_ids)},
        order_by="first_observed_at",
    )
    return dict(zip(rows["video_id"], rows["title"], strict=True))


def stream_totals(store: FrameStore, start: dt.datetime, end: dt.datetime) -> pd.DataFrame:
    """Return how many live streams and viewers each complete crawl in [start, end) found per game.

    The crawls say so themselves, so that the history neither reads millions of streams nor ends
    where the streams have to be deleted.

    Returns
    -------
    DataFrame
        ``crawl_at``, ``game_id``, ``live_count`` and ``viewer_total`` (null where an older crawl
        did not add it up), in the order of time.
    """
    return store.query(
        """
        select c.crawl_at, g.twitch_game_id as game_id, c.got as live_count, c.viewer_total
        from operations.crawls c
        join operations.categories g using (category)
        where c.dataset = 'collection/twitch_streams' and c.is_complete
          and g.twitch_game_id is not null
          and c.crawl_at >= %(start)s and c.crawl_at < %(end)s
        order by c.crawl_at, game_id
        """,
        {"start": start, "end": end},
    )


def stream_crawls(store: FrameStore, start: dt.datetime, end: dt.datetime) -> pd.DataFrame:
    """Return the crawls of streams in [start, end) that something can rest on.

    Returns
    -------
    DataFrame
        ``category``, ``crawl_at`` and ``is_complete``, in the order of time; without those that
        were answered nothing.
    """
    return store.query(
        """
        select category, crawl_at, is_complete
        from operations.crawls
        where dataset = 'collection/twitch_streams' and (got > 0 or is_complete)
          and crawl_at >= %(start)s and crawl_at < %(end)s
        order by crawl_at, category
        """,
        {"start": start, "end": end},
    )


def competition_before(store: FrameStore, start: dt.datetime, end: dt.datetime) -> pd.DataFrame:
    """Return what is on record of the games' competition in the windows of [start, end)."""
    return store.read("intelligence.competition", start=start, end=end)


def game_candidates(store: FrameStore, *, as_of: dt.datetime) -> pd.DataFrame:
    """Return the videos that may belong to a tracked game, each with its newest metadata.

    Those are the gaming videos that charted within two days, and those that were assigned to a
    game within two weeks.

    Returns
    -------
    DataFrame
        ``video_id``, ``title``, ``tags``, ``channel_id``, ``category_id``, ``published_at``,
        ``first_observed_at``, ``views``, ``observed_at`` and ``discovered_by``.
    """
    return store.query(
        """
        with seen as (
            select distinct on (video_id)
                   video_id, metadata_hash, views, observed_at, discovered_by
            from (
                select video_id, metadata_hash, views, observed_at, 'chart' as discovered_by
                from collection.youtube_trending
                where observed_at >= %(as_of)s - interval '2 days' and observed_at <= %(as_of)s
                union all
                select video_id, metadata_hash, views, observed_at, 'refresh' as discovered_by
                from collection.youtube_games
                where observed_at >= %(as_of)s - interval '14 days' and observed_at <= %(as_of)s
            ) snapshots
            order by video_id, observed_at desc, discovered_by desc
        )
        select s.video_id, v.title, v.tags, v.channel_id, v.category_id, v.published_at,
               v.first_observed_at, s.views, s.observed_at, s.discovered_by
        from seen s
        join collection.youtube_videos v using (video_id, metadata_hash)
        where v.category_id = 20 or s.discovered_by = 'refresh'
        order by s.video_id
        """,
        {"as_of": as_of},
    )
