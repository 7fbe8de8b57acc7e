"""Bytes that a snapshot row takes on disk, indexes and dimensions included, and the naive layout.

The same rows are written through the product and into the naive layout, one wide table with the key
(video_id, captured_at). They are a day of half-hour crawls of the same videos, of which a few come
and go and change their metadata from crawl to crawl; what a row shares with others is divided among
the rows of that day. Figures are bytes per row, in the columns of seconds.
"""

import datetime as dt
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psycopg

from aurastream.store.embedded import EmbeddedPostgres
from aurastream.store.frames import Append, FrameStore
from aurastream.store.migrate import migrate
from aurastream.store.tables import metadata
from aurastream.store.tables.narrow import stored_of
from benchmarks.store_frames import sample

_ROWS = 192_000
_CRAWLS = 48
_PAGE = 50  # items of one answer
_LIVE_SHARE, _CHANGED_SHARE = 0.05, 0.002  # of the videos: live ones, changes from crawl to crawl
_GOAL_BYTES = 100.0
_TABLES = ("collection.youtube_games", "collection.youtube_trending")
_NAIVE = """
    create table public.naive_{name} as
    select video_id, observed_at as captured_at, {category} as category,
        'a title of some length' as title,
        'UC' || video_id as channel_id, views, likes, comments, 600 as duration_s,
        'en'::text as language, observed_at as published_at, 1.5::float8 as velocity
    from collection.{name} order by random();
    alter table public.naive_{name} add primary key (video_id, captured_at)
"""


def day_of(count: int, day: dt.datetime) -> list[pd.DataFrame]:
    """Return a day's crawls of tracked games, ``count`` rows in all."""
    random = np.random.default_rng(1)
    size = count // _CRAWLS
    pool = sample(size * 2, 0)
    pool["concurrent_viewers"] = pd.array(
        np.where(random.random(len(pool)) < _LIVE_SHARE, 1200.0, np.nan), dtype="Int64"
    )
    there = np.arange(size)
    crawls = []
    for number in range(_CRAWLS):
        few = random.random(size) < _CHANGED_SHARE
        there = np.where(few & (there < size), there + size, there)
        changed = pool.index[random.random(len(pool)) < _CHANGED_SHARE]
        pool.loc[changed, "metadata_hash"] = [f"{number:04x}{n:012x}" for n in changed]
        rows = pool.iloc[there].reset_index(drop=True)
        grown = (rows["views"] * (1 + 0.01 * number)).round().astype("Int64")
        at = pd.Timestamp(day + dt.timedelta(minutes=30 * number))
        page = np.arange(size) // _PAGE
        crawls.append(
            rows.assign(
                views=grown,
                crawl_at=at,
                observed_at=at + pd.to_timedelta(5 + page // 10, unit="s"),
                fetch_id=[f"0b9c2b3e-5df3-4a83-9c0a-{number:04d}{n:08d}" for n in page],
            )
        )
    return crawls


def as_chart(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a crawl of games as one of charts."""
    names = [column.name for column in metadata.tables[_TABLES[1]].columns]
    rank = np.arange(len(rows)) % 200 + 1
    return rows.assign(chart=rows["game"], region="US", rank=rank)[names]


def bytes_per_row(connection: psycopg.Connection, name: str) -> dict[str, float]:
    """Return the bytes per row of each part of a narrow table, and of all of it."""
    parts = {
        f"{part.name.rpartition('_')[2]} {what}": (
            f"coalesce(sum(pg_{function}(relid)), pg_{function}('{part.fullname}'))"
            f" from pg_partition_tree('{part.fullname}')"
        )
        for part in stored_of(metadata.tables[name]).tables
        for what, function in (("heap", "table_size"), ("index", "indexes_size"))
    }
    rows = _one(connection, f"count(*) from {name}")
    found = {part: _one(connection, query) / rows for part, query in parts.items()}
    return {**found, "all": sum(found.values())}


def run(n: int | None = None) -> list[dict[str, Any]]:
    """Measure ``n`` rows of either table; the goal is at most 100 bytes a row."""
    count = n or _ROWS
    with tempfile.TemporaryDirectory(prefix="aurastream-bench-") as directory:
        Path(directory).chmod(0o711)
        with EmbeddedPostgres(Path(directory) / "postgres") as server:
            migrate(server.url)
            with FrameStore(server.url) as store:
                for rows in day_of(count, dt.datetime(2026, 11, 1, tzinfo=dt.UTC)):
                    store.commit([Append(_TABLES[0], rows), Append(_TABLES[1], as_chart(rows))])
            with psycopg.connect(server.url, autocommit=True) as connection:
                results = []
                for name, category in zip(_TABLES, ("game", "chart"), strict=True):
                    plain = name.partition(".")[2]
                    for statement in _NAIVE.format(name=plain, category=category).split(";"):
                        connection.execute(statement)
                    size = f"pg_total_relation_size('public.naive_{plain}')"
                    naive = _one(connection, f"{size}::float8 / count(*) from {name}")
                    ours = bytes_per_row(connection, name)
                    results.append(_result(plain, count, ours["all"], naive))
    return results


def _one(connection: psycopg.Connection, what: str) -> float:
    row = connection.execute(f"select {what}").fetchone()
    return float(row[0]) if row else 0.0


def _result(name: str, n: int, ours: float, naive: float) -> dict[str, Any]:
    return {
        "name": f"bytes per row of {name}",
        "n": n,
        "ours_s": ours,
        "baseline": "naive layout, bytes",
        "baseline_s": naive,
        "ratio": naive / ours,
        "goal": _GOAL_BYTES,
        "met": ours <= _GOAL_BYTES,
    }
