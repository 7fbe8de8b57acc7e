"""What the record remembers between crawls, and the categories that are tracked."""

import datetime as dt

import pandas as pd

from aurastream.store.frames import FrameStore
from aurastream.store.writes import Append, Upsert, WriteResult

__all__ = [
    "LISTS_LAST",
    "charts_crawled",
    "collection_state",
    "last_complete_counts",
    "last_complete_starts",
    "last_lists",
    "newest_items",
    "newest_videos",
    "sync_categories",
]

# After a longer pause nobody can tell another source from charts that have moved on: in ten weeks
# of six countries, at most one of a country's four lists replaced all of its items within six
# hours, two within twelve, and most within two days.
LISTS_LAST = dt.timedelta(hours=8)

# Newest first per video; the time bound keeps old partitions out of it.
_NEWEST = {
    "collection.youtube_trending": """
        SELECT DISTINCT ON (video_id) video_id, views, metadata_hash
        FROM collection.youtube_trending
        WHERE observed_at >= %(start)s AND observed_at < %(end)s
        ORDER BY video_id, observed_at DESC
    """,
    "collection.youtube_games": """
        SELECT DISTINCT ON (game, video_id) game, video_id, views, metadata_hash
        FROM collection.youtube_games
        WHERE observed_at >= %(start)s AND observed_at < %(end)s
        ORDER BY game, video_id, observed_at DESC
    """,
}
_ITEMS = {
    "collection.twitch_streams": ("stream_id", "viewer_count"),
    "collection.clip_radar": ("clip_id", "view_count"),
}


def collection_state(store: FrameStore, dataset: str) -> pd.DataFrame:
    """Return what the planner remembers of a dataset's categories.

    Parameters
    ----------
    store : FrameStore
        The record.
    dataset : str
        For example ``collection/youtube_games``.
    """
    return store.read(
        "operations.collection_state", where={"dataset": dataset}, order_by="category"
    )


def newest_videos(
    store: FrameStore,
    table: str,
    at: dt.datetime,
    *,
    lookback: dt.timedelta = dt.timedelta(hours=24),
) -> pd.DataFrame:
    """Return the newest ``views`` and ``metadata_hash`` of each video before ``at``.

    Parameters
    ----------
    store : FrameStore
        The record.
    table : str
        ``collection.youtube_trending`` or ``collection.youtube_games`` (then with ``game``).
    at : datetime
        Aware; rows observed from then on are ignored.
    lookback : timedelta
        How far back to look.
    """
    return store.query(_NEWEST[table], {"start": at - lookback, "end": at})


def charts_crawled(store: FrameStore) -> pd.DatetimeIndex:
    """Return the starts of the crawls of the charts that got any, ascending."""
    found = store.query(
        """
        SELECT DISTINCT crawl_at FROM operations.crawls
        WHERE dataset = 'collection/youtube_trending' AND got > 0
        ORDER BY crawl_at
        """
    )
    return pd.DatetimeIndex(found["crawl_at"], tz="UTC", name=None)


def last_lists(store: FrameStore, at: dt.datetime) -> pd.DataFrame:
    """Return what each chart of each region listed when it was last seen within `LISTS_LAST`.

    Parameters
    ----------
    store : FrameStore
        The record.
    at : datetime
        Aware; crawls from then on are ignored.

    Returns
    -------
    DataFrame
        ``crawl_at``, ``chart``, ``region`` and ``video_id``.
    """
    last = store.query(
        """
        SELECT category AS chart, region, max(crawl_at) AS crawl_at FROM operations.crawls
        WHERE dataset = 'collection/youtube_trending' AND got > 0
          AND crawl_at >= %(start)s AND crawl_at < %(at)s
        GROUP BY category, region
        """,
        {"start": at - LISTS_LAST, "at": at},
    )
    # As a rule all of them are of the last half hour, and not one row before it is read.
    seen = store.query(
        """
        SELECT crawl_at, chart, region, video_id FROM collection.youtube_trending
        WHERE observed_at >= %(start)s AND observed_at < %(at)s::timestamptz + interval '1 hour'
        """,
        {"start": last["crawl_at"].min() if len(last) else at, "at": at},
    )
    return seen.merge(last, on=["chart", "region", "crawl_at"])


def newest_items(
    store: FrameStore,
    table: str,
    at: dt.datetime,
    *,
    lookback: dt.timedelta = dt.timedelta(hours=1),
) -> pd.DataFrame:
    """Return the newest counter of each stream or clip that was seen shortly before ``at``.

    Parameters
    ----------
    store : FrameStore
        The record.
    table : str
        ``collection.twitch_streams`` (``stream_id``, ``viewer_count``) or
        ``collection.clip_radar`` (``clip_id``, ``view_count``).
    at : datetime
        Aware; rows observed from then on are ignored.
    lookback : timedelta
        How far back to look.
    """
    item, counter = _ITEMS[table]
    return store.query(
        f"""
        SELECT DISTINCT ON ({item}) {item}, {counter} FROM {table}
        WHERE observed_at >= %(start)s AND observed_at < %(end)s
        ORDER BY {item}, observed_at DESC
        """,  # noqa: S608 # names of our own
        {"start": at - lookback, "end": at},
    )


def last_complete_counts(
    store: FrameStore,
    dataset: str,
    at: dt.datetime,
    *,
    lookback: dt.timedelta = dt.timedelta(hours=24),
) -> dict[str, int]:
    """Return how many items the last complete crawl of each category before ``at`` got.

    Parameters
    ----------
    store : FrameStore
        The record.
    dataset : str
        For example ``collection/twitch_streams``; one that is not divided by region.
    at : datetime
        Aware; crawls from then on are ignored.
    lookback : timedelta
        How far back to look: an older crawl says nothing about now.
    """
    found = store.query(
        """
        SELECT DISTINCT ON (category) category, got FROM operations.crawls
        WHERE dataset = %(dataset)s AND is_complete
          AND crawl_at >= %(start)s AND crawl_at < %(end)s
        ORDER BY category, crawl_at DESC
        """,
        {"dataset": dataset, "start": at - lookback, "end": at},
    )
    return {str(c): int(n) for c, n in zip(found["category"], found["got"], strict=True)}


def last_complete_starts(
    store: FrameStore,
    dataset: str,
    at: dt.datetime,
    *,
    lookback: dt.timedelta = dt.timedelta(days=14),
) -> dict[str, dt.datetime]:
    """Return when the last complete crawl of each category before ``at`` began.

    Parameters
    ----------
    store : FrameStore
        The record.
    dataset : str
        For example ``collection/youtube_games``; one that is not divided by region.
    at : datetime
        Aware; crawls from then on are ignored.
    lookback : timedelta
        How far back to look.
    """
    found = store.query(
        """
        SELECT category, max(crawl_at) AS crawl_at FROM operations.crawls
        WHERE dataset = %(dataset)s AND is_complete
          AND crawl_at >= %(start)s AND crawl_at < %(end)s
        GROUP BY category
        """,
        {"dataset": dataset, "start": at - lookback, "end": at},
    )
    starts = pd.DatetimeIndex(found["crawl_at"])
    return dict(zip(found["category"], starts.to_pydatetime(), strict=True))


def sync_categories(
    store: FrameStore, catalog: pd.DataFrame, *, reset: bool = False
) -> WriteResult:
    """Seed ``operations.categories`` from a catalogue.

    The table is the truth: what an operator changed or added there stays. A start brings in the
    categories that the table does not know.

    Parameters
    ----------
    store : FrameStore
        The record.
    catalog : DataFrame
        Columns of ``operations.categories``.
    reset : bool
        Write every category of the catalogue as the catalogue has it, over what is there.
    """
    write = Upsert if reset else Append
    return store.commit([write("operations.categories", catalog)])[0]
