"""Bytes that a snapshot row takes on disk, indexes included: ours, the naive layout, a narrow one.

The naive layout is one wide table with the key (video_id, captured_at). The narrow one keeps the
counters alone and names video and crawl by number; it is no part of the product, and stands here to
show what the goal would take. Figures are bytes per row, in the columns of seconds.
"""

import datetime as dt
import tempfile
from pathlib import Path
from typing import Any

import psycopg

from aurastream.store.embedded import EmbeddedPostgres
from aurastream.store.frames import Append, FrameStore
from aurastream.store.migrate import migrate
from aurastream.store.tables import metadata
from benchmarks.store_frames import sample

_ROWS = 100_000
_GOAL_BYTES = 100.0
_TABLE = metadata.tables["collection.youtube_games"]
_NAIVE = """
    create table public.naive as
    select video_id, observed_at as captured_at, game as category,
        'a title of some length' as title,
        'UC' || video_id as channel_id, views, likes, comments, 600 as duration_s,
        'en'::text as language, observed_at as published_at, 1.5::float8 as velocity
    from collection.youtube_games order by random();
    alter table public.naive add primary key (video_id, captured_at)
"""
_NARROW = """
    create table public.narrow as
    select views, likes::integer as likes, comments::integer as comments,
        (row_number() over (order by crawl_at, video_id))::integer as video_number,
        1 as crawl_number
    from collection.youtube_games;
    alter table public.narrow add primary key (video_number, crawl_number)
"""


def run(n: int | None = None) -> list[dict[str, Any]]:
    """Measure ``n`` rows; the goal is at most 100 bytes a row."""
    count = n or _ROWS
    with tempfile.TemporaryDirectory(prefix="aurastream-bench-") as directory:
        Path(directory).chmod(0o711)
        with EmbeddedPostgres(Path(directory) / "postgres") as server:
            migrate(server.url)
            with FrameStore(server.url) as store:
                # A day in twelve crawls, as they come.
                for crawl in range(12):
                    rows = sample(count // 12, crawl).assign(
                        crawl_at=dt.datetime(2026, 11, 1, crawl, tzinfo=dt.UTC)
                    )
                    rows["observed_at"] = rows["crawl_at"] + dt.timedelta(seconds=20)
                    store.commit([Append(_TABLE, rows)])
            with psycopg.connect(server.url, autocommit=True) as connection:
                for statement in (_NAIVE, _NARROW):
                    connection.execute(statement)  # type: ignore[arg-type]
                ours = _bytes(connection, "collection.youtube_games_p20261101")
                naive = _bytes(connection, "public.naive")
                narrow = _bytes(connection, "public.narrow")
    return [
        _result("bytes per snapshot row", count, ours, naive),
        _result("bytes a row of a narrow layout, not ours", count, narrow, naive),
    ]


def _bytes(connection: psycopg.Connection, table: str) -> float:
    row = connection.execute(
        f"select pg_total_relation_size('{table}')::float8 / count(*) from {table}"  # type: ignore[arg-type] # noqa: S608
    ).fetchone()
    assert row is not None
    return float(row[0])


def _result(name: str, n: int, ours: float, naive: float) -> dict[str, Any]:
    return {
        "name": name,
        "n": n,
        "ours_s": ours,
        "baseline": "naive layout, bytes",
        "baseline_s": naive,
        "ratio": naive / ours,
        "goal": _GOAL_BYTES,
        "met": ours <= _GOAL_BYTES,
    }
