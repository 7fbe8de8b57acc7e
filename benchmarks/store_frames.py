"""Frames in and out of Postgres against executemany upserts and ``pandas.read_sql``.

Both sides write the same rows, on a server that flushes to disk: ours starts from the frame and
writes the product's narrow table, the baseline starts from tuples that are ready and writes a wide,
partitioned table with the same columns and key. A crawl sees again what the crawls of the day saw,
which is how nearly all rows come; the first crawl of all, where every video of every row is new, is
measured beside it.
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
from aurastream.store.tables.narrow import stored_of
from aurastream.store.urls import sqlalchemy_url

TABLE = metadata.tables["collection.youtube_games"]
_FACTS = stored_of(TABLE).facts.fullname
_WIDE = "public.youtube_games"
_STORED = ", ".join(table.fullname for table in stored_of(TABLE).tables)
_COLUMNS = [column.name for column in TABLE.columns]
_ROWS = 100_000
_ROUNDS = 5
_CRAWLS = 12
_DAY = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
_WRITE_GOAL = 3.0
_FIRST_GOAL = 1.0
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


def seen_again(count: int) -> pd.DataFrame:
    """Return a day of twelve crawls of the same videos."""
    rows = sample(count, 0)
    crawl, video = np.divmod(np.arange(count), -(-count // _CRAWLS))
    for name in ("game", "video_id", "confidence", "metadata_hash"):
        rows[name] = rows[name].to_numpy()[video]
    rows["crawl_at"] = rows["crawl_at"] + pd.to_timedelta(2 * crawl, unit="h")
    return rows.assign(observed_at=rows["crawl_at"] + pd.to_timedelta(20, unit="s"))


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
    return f"INSERT INTO {_WIDE} ({names}) VALUES ({marks}) {clause}"  # noqa: S608 # our own names


@contextmanager
def server() -> Iterator[str]:
    """Run a migrated server of its own."""
    with tempfile.TemporaryDirectory(prefix="aurastream-bench-") as directory:
        Path(directory).chmod(0o711)
        with EmbeddedPostgres(Path(directory) / "postgres") as started:
            migrate(started.url)
            with psycopg.connect(started.url, autocommit=True) as connection:
                for statement in _CREATE_WIDE:
                    connection.execute(statement)
            yield started.url


_CREATE_WIDE = (
    f"CREATE TABLE {_WIDE} (LIKE {TABLE.fullname}) PARTITION BY RANGE (observed_at)",
    f"ALTER TABLE {_WIDE} ADD PRIMARY KEY (observed_at, game, video_id)",
    f"CREATE TABLE {_WIDE}_all PARTITION OF {_WIDE} FOR VALUES FROM (MINVALUE) TO (MAXVALUE)",
)


def clear(store: FrameStore, *, known: bool = False) -> None:
    """Empty both sides' tables; with ``known``, ours goes on knowing the videos."""
    store.execute(f"TRUNCATE {_WIDE}")
    store.execute(f"TRUNCATE {_FACTS if known else _STORED}")


def run(n: int | None = None) -> list[dict[str, Any]]:
    """Measure writing and reading ``n`` rows; goals: 3 and 5 times the baseline."""
    count = n or _ROWS
    with server() as url, FrameStore(url) as store:
        return [
            _write(store, url, count, known=True),
            _write(store, url, count, known=False),
            _read(store, url, count),
        ]


def _write(store: FrameStore, url: str, count: int, *, known: bool) -> dict[str, Any]:
    statement = upsert()
    ours: list[float] = []
    theirs: list[float] = []
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        for round_ in range(_ROUNDS + 1):  # the first one warms up
            frame = sample(count, round_)
            tuples = tuples_of(frame)
            # The partition exists for both, as it does when collection runs ahead of time.
            store.commit([Append(TABLE, frame if known else frame.head(1))])
            clear(store, known=known)
            started = time.perf_counter()
            cursor.executemany(statement, tuples)
            connection.commit()
            theirs.append(time.perf_counter() - started)
            names = ", ".join(_COLUMNS)
            expected = store.query(
                f"SELECT {names} FROM {_WIDE} ORDER BY observed_at, game, video_id"  # noqa: S608 # our own
            )
            started = time.perf_counter()
            store.commit([Append(TABLE, frame)])
            ours.append(time.perf_counter() - started)
            found = store.read(TABLE, order_by=["observed_at", "game", "video_id"])
            pd.testing.assert_frame_equal(found, expected, check_dtype=False)
            clear(store, known=known)
    return _result(
        "frame write of known videos" if known else "frame write, every video new",
        n=count,
        ours=ours[1:],
        baseline="executemany upsert",
        theirs=theirs[1:],
        goal=_WRITE_GOAL if known else _FIRST_GOAL,
    )


def _read(store: FrameStore, url: str, count: int) -> dict[str, Any]:
    clear(store)
    store.commit([Append(TABLE, seen_again(count))])
    engine = sa.create_engine(sqlalchemy_url(url))
    # The baseline reads the columns as they are; ours parses the same text ids.
    statement = sa.text(f"SELECT {', '.join(_COLUMNS)} FROM {TABLE.fullname}")  # noqa: S608 # our own
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
