"""Frames in and out of Postgres against executemany upserts and ``pandas.read_sql``.

Both sides write the same rows into the same partitioned table with its primary key, on a server
that flushes to disk; ours starts from the frame, the baseline from tuples that are ready.
"""

import datetime as dt
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import sqlalchemy as sa

from aurastream.store.embedded import EmbeddedPostgres
from aurastream.store.frames import Append, FrameStore
from aurastream.store.migrate import migrate
from aurastream.store.tables import metadata
from aurastream.store.urls import sqlalchemy_url

TABLE = metadata.tables["collection.youtube_games"]
_COLUMNS = [column.name for column in TABLE.columns]
_ROWS = 100_000
_ROUNDS = 5
_DAY = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
_WRITE_GOAL = 3.0
_READ_GOAL = 5.0


def sample(count: int, day: int) -> pd.DataFrame:
    """Return snapshots of one day like those of the tracked games."""
    random = np.random.default_rng(day)
    at = pd.Timestamp(_DAY + dt.timedelta(days=day))
    letters = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"))
    ids = ["".join(row) for row in letters[random.integers(0, 64, (count, 11))]]
    views = pd.array(random.integers(0, 10**7, count), dtype="Int64")
    return pd.DataFrame(
        {
            "observed_at": at + pd.to_timedelta(random.integers(0, 86_400, count), unit="s"),
            "game": np.array(["fortnite", "valorant", "minecraft", "gta"])[
                random.integers(0, 4, count)
            ],
            "video_id": ids,
            "views": views,
            "likes": views // 20,
            "comments": views // 300,
            "concurrent_viewers": pd.array([None] * count, dtype="Int64"),
            "confidence": random.random(count).astype("float32"),
            "rule": "title",
            "classifier_version": "1",
            "discovered_by": "chart",
            "metadata_hash": [f"{n:016x}" for n in random.integers(0, 2**48, count)],
            "crawl_at": at,
            "fetch_id": [f"0b9c2b3e-5df3-4a83-9c0a-{n // 50:012d}" for n in range(count)],
        }
    )


def tuples_of(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    """Return the rows as the driver of the plain way wants them."""
    plain = frame.astype(object).where(frame.notna(), None)
    return [
        tuple(v.to_pydatetime() if isinstance(v, pd.Timestamp) else v for v in row)
        for row in plain.itertuples(index=False)
    ]


def upsert() -> str:
    """Return the plain way to write a row that may be there."""
    names, marks = ", ".join(_COLUMNS), ", ".join(["%s"] * len(_COLUMNS))
    key = [column.name for column in TABLE.primary_key]
    values = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS if name not in key)
    clause = f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {values}"
    return f"INSERT INTO {TABLE.fullname} ({names}) VALUES ({marks}) {clause}"  # noqa: S608 # our own names


@contextmanager
def server() -> Iterator[str]:
    """Run a migrated server of its own."""
    with tempfile.TemporaryDirectory(prefix="aurastream-bench-") as directory:
        Path(directory).chmod(0o711)
        with EmbeddedPostgres(Path(directory) / "postgres") as started:
            migrate(started.url)
            yield started.url


def run(n: int | None = None) -> list[dict[str, Any]]:
    """Measure writing and reading ``n`` rows; goals: 3 and 5 times the baseline."""
    count = n or _ROWS
    with server() as url, FrameStore(url) as store:
        return [_write(store, url, count), _read(store, url, count)]


def _write(store: FrameStore, url: str, count: int) -> dict[str, Any]:
    statement = upsert()
    ours: list[float] = []
    theirs: list[float] = []
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        for round_ in range(_ROUNDS + 1):  # the first one warms up
            frame = sample(count, round_)
            tuples = tuples_of(frame)
            # The partition exists for both, as it does when collection runs ahead of time.
            store.commit([Append(TABLE, frame.head(1))])
            store.execute(f"TRUNCATE {TABLE.fullname}")
            started = time.perf_counter()
            cursor.executemany(statement, tuples)
            connection.commit()
            theirs.append(time.perf_counter() - started)
            expected = store.read(TABLE, order_by=["observed_at", "game", "video_id"])
            store.execute(f"TRUNCATE {TABLE.fullname}")
            started = time.perf_counter()
            store.commit([Append(TABLE, frame)])
            ours.append(time.perf_counter() - started)
            found = store.read(TABLE, order_by=["observed_at", "game", "video_id"])
            pd.testing.assert_frame_equal(found, expected)
    return _result(
        "frame write, direct",
        n=count,
        ours=ours[1:],
        baseline="executemany upsert",
        theirs=theirs[1:],
        goal=_WRITE_GOAL,
    )


def _read(store: FrameStore, url: str, count: int) -> dict[str, Any]:
    store.execute(f"TRUNCATE {TABLE.fullname}")
    store.commit([Append(TABLE, sample(count, 0))])
    engine = sa.create_engine(sqlalchemy_url(url))
    # The baseline reads the columns as they are; ours parses the same text ids.
    statement = sa.text(f"SELECT {', '.join(_COLUMNS)} FROM {TABLE.fullname}")  # noqa: S608
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(_ROUNDS + 1):
        started = time.perf_counter()
        with engine.connect() as connection:
            expected = pd.read_sql(statement, connection)
        theirs.append(time.perf_counter() - started)
        started = time.perf_counter()
        found = store.read(TABLE)
        ours.append(time.perf_counter() - started)
        assert len(found) == len(expected) == count
        assert int(found["views"].sum()) == int(expected["views"].sum())
    engine.dispose()
    return _result(
        "frame read",
        n=count,
        ours=ours[1:],
        baseline="pandas.read_sql",
        theirs=theirs[1:],
        goal=_READ_GOAL,
    )


def _result(
    name: str, *, n: int, ours: list[float], baseline: str, theirs: list[float], goal: float
) -> dict[str, Any]:
    ours_s, baseline_s = statistics.median(ours), statistics.median(theirs)
    ratio = baseline_s / ours_s
    return {
        "name": name,
        "n": n,
        "ours_s": ours_s,
        "baseline": baseline,
        "baseline_s": baseline_s,
        "ratio": ratio,
        "goal": goal,
        "met": ratio >= goal,
    }
