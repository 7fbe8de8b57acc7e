"""What a stored crawl can be asked: did all come, is anything there twice, did counters fall.

Answers are counts, taken from the record after the crawl was stored.
"""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import redis

from aurastream.store.document_schemas import KINDS, kind_of
from aurastream.store.documents import Miss, read
from aurastream.store.frames import FrameStore
from aurastream.store.tables.narrow import narrow_of
from aurastream.store.writes import find_table

if TYPE_CHECKING:
    import sqlalchemy as sa

__all__ = [
    "AUDITED",
    "Audited",
    "coverage",
    "duplicates",
    "falling_counters",
    "hot_documents",
    "last_crawl",
    "schema_drift",
    "undescribed",
]


@dataclass(frozen=True, slots=True)
class Audited:
    """How the rows of a dataset are told apart.

    Parameters
    ----------
    table : str
        ``schema.table``.
    item : tuple of str
        Columns that name an item within one crawl.
    subject : str
        Column that names the thing the counter belongs to.
    counter : str or None
        A counter that only grows; None where there is none.
    memory : datetime.timedelta
        How far back an earlier value of the counter is looked for.
    """

    table: str
    item: tuple[str, ...]
    subject: str
    counter: str | None
    memory: dt.timedelta

    @property
    def dataset(self) -> str:
        """Return the dataset's name in ``operations.crawls``."""
        return self.table.replace(".", "/")


AUDITED: Final = {
    a.dataset: a
    for a in (
        Audited(
            "collection.youtube_trending",
            ("chart", "region", "video_id"),
            "video_id",
            "views",
            dt.timedelta(hours=3),
        ),
        Audited(
            "collection.youtube_games",
            ("game", "video_id"),
            "video_id",
            "views",
            dt.timedelta(hours=26),
        ),
        Audited(
            "collection.twitch_streams",
            ("game_id", "stream_id"),
            "stream_id",
            None,
            dt.timedelta(hours=1),
        ),
        Audited(
            "collection.twitch_top_games", ("game_id",), "game_id", None, dt.timedelta(hours=1)
        ),
        Audited(
            "collection.clip_radar",
            ("game_id", "clip_id"),
            "clip_id",
            "view_count",
            dt.timedelta(hours=1),
        ),
    )
}


def last_crawl(store: FrameStore, dataset: str) -> dt.datetime | None:
    """Return the start of a dataset's newest crawl; None when there was none."""
    found = store.query(
        "select max(crawl_at) as crawl_at from operations.crawls where dataset = %(dataset)s",
        {"dataset": dataset},
    )["crawl_at"].dropna()
    return None if found.empty else found.iloc[0].to_pydatetime()


def coverage(store: FrameStore, dataset: str, crawl_at: dt.datetime) -> dict[str, int]:
    """Return what a crawl expected, got, rejected and could not complete.

    Returns
    -------
    dict
        ``parts`` (categories, or charts × regions), ``incomplete`` and ``unknown`` ones (nobody
        could say how many items they have); ``expected`` and ``covered`` items of the parts that
        are known, a surplus of one part making up for no other; ``got`` and ``rejected`` items of
        all parts.
    """
    return _counts(
        store,
        """
        select count(*) as parts,
               count(*) filter (where not is_complete) as incomplete,
               count(*) filter (where expected is null) as unknown,
               coalesce(sum(expected), 0) as expected,
               coalesce(sum(case when expected is not null then least(got, expected) end), 0)
                   as covered,
               coalesce(sum(got), 0) as got,
               coalesce(sum(rejected), 0) as rejected
        from operations.crawls
        where dataset = %(dataset)s and crawl_at = %(crawl_at)s
        """,
        {"dataset": dataset, "crawl_at": crawl_at},
    )


def duplicates(store: FrameStore, audited: Audited, crawl_at: dt.datetime) -> dict[str, int]:
    """Return a crawl's rows and how many of them repeat an item."""
    items = ", ".join(f'"{name}"' for name in audited.item)
    return _counts(
        store,
        f"""
        select count(*) as rows, count(*) - count(distinct ({items})) as repeated
        from {audited.table}
        where crawl_at = %(crawl_at)s and observed_at >= %(crawl_at)s
        """,  # noqa: S608 # names of our own
        {"crawl_at": crawl_at},
    )


def falling_counters(store: FrameStore, audited: Audited, crawl_at: dt.datetime) -> dict[str, int]:
    """Return how many things a crawl saw again, and how many of their counters were lower."""
    return _counts(
        store,
        f"""
        with now as (
            select "{audited.subject}" as subject, max("{audited.counter}") as counter
            from {audited.table}
            where crawl_at = %(crawl_at)s and observed_at >= %(crawl_at)s
            group by 1
        ), before as (
            select distinct on ("{audited.subject}")
                   "{audited.subject}" as subject, "{audited.counter}" as counter
            from {audited.table}
            where observed_at >= %(since)s and crawl_at < %(crawl_at)s
              and observed_at < %(crawl_at)s and "{audited.counter}" is not null
            order by "{audited.subject}", observed_at desc
        )
        select count(*) as seen_again,
               count(*) filter (where now.counter < before.counter) as fell
        from now join before using (subject)
        """,  # noqa: S608 # names of our own
        {"crawl_at": crawl_at, "since": crawl_at - audited.memory},
    )


def undescribed(store: FrameStore, audited: Audited, crawl_at: dt.datetime) -> dict[str, int]:
    """Return how many videos a crawl saw, and how many have no row of metadata."""
    return _counts(
        store,
        f"""
        with seen as (
            select distinct video_id, metadata_hash
            from {audited.table}
            where crawl_at = %(crawl_at)s and observed_at >= %(crawl_at)s
        )
        select count(*) as videos, count(*) filter (where v.video_id is null) as undescribed
        from seen left join collection.youtube_videos v using (video_id, metadata_hash)
        """,  # noqa: S608 # names of our own
        {"crawl_at": crawl_at},
    )


def schema_drift(store: FrameStore, table: str) -> list[str]:
    """Return how a table differs from its declaration; empty when it does not."""
    declared = find_table(table)
    actual = store.query(
        """
        select column_name, is_nullable from information_schema.columns
        where table_schema = %(schema)s and table_name = %(name)s
        """,
        {"schema": declared.schema, "name": declared.name},
    )
    nullable = dict(zip(actual["column_name"], actual["is_nullable"] == "YES", strict=True))
    wanted = {column.name: _is_nullable(column) for column in declared.columns}
    return [
        *(f"{name} is missing" for name in wanted if name not in nullable),
        *(f"{name} is unknown" for name in nullable if name not in wanted),
        *(
            f"{name} {'takes' if nullable[name] else 'refuses'} nulls"
            for name in wanted
            # Of a view, Postgres says that every column may be null.
            if name in nullable and nullable[name] != wanted[name] and narrow_of(declared) is None
        ),
    ]


def _is_nullable(column: "sa.Column[object]") -> bool:
    return bool(column.nullable) and not column.primary_key


def _counts(store: FrameStore, statement: str, params: dict[str, object]) -> dict[str, int]:
    row = store.query(statement, params).iloc[0]
    return {str(name): int(value) for name, value in row.items()}


def hot_documents(
    redis_url: str, at: dt.datetime, *, only: Collection[str] | None = None
) -> dict[str, int]:
    """Return how many hot documents there are and how many of them cannot be trusted.

    Parameters
    ----------
    redis_url : str
        Where they are published.
    at : datetime
        Aware; documents that were fresh until before it are counted as stale.
    only : collection of str, optional
        The kinds to look at; by default all.

    Returns
    -------
    dict
        ``documents``, ``unreadable`` (not what their schema says), ``stale`` and ``immortal``
        (without a TTL: they would outlive what they describe).
    """
    wanted = [KINDS[name] for name in KINDS if only is None or name in only]
    counts = {"documents": 0, "unreadable": 0, "stale": 0, "immortal": 0}
    with redis.Redis.from_url(redis_url, socket_timeout=10, decode_responses=False) as client:
        for raw in client.scan_iter(count=1000):
            key = raw.decode()
            if kind_of(key) not in wanted:
                continue
            document = read(client, key)
            if isinstance(document, Miss):
                counts["unreadable"] += document.reason != "absent"  # expired while we looked
                continue
            counts["documents"] += 1
            counts["stale"] += document.fresh_until < at
            counts["immortal"] += client.ttl(key) == -1
    return counts
