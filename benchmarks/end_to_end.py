"""One poll from the bytes of the API to Postgres and Redis, against the sources' design.

Both sides decode the same pages, compute category statistics, scores and keywords, write every row
and publish one document per category. The sources' side is what its parts are in the other
benchmarks: ``json.loads`` and a dict per video, plain loops, Counters, ``executemany`` with an
upsert, ``SETEX`` one by one. Agreement of the parts is asserted there; here the counts are.

The record has seen these videos before, as it has nearly all of a poll; what a first sight costs is
measured by `store_frames`.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import psycopg
import redis

from aurastream.core import kernels
from aurastream.core.keywords import keyword_scores
from aurastream.sources.wire.youtube_videos import video_pages
from aurastream.store.documents import BuiltDocument, publish
from aurastream.store.embedded.redis import EmbeddedRedis
from aurastream.store.frames import Append, FrameStore
from benchmarks import core_category_stats, core_keywords, core_scoring, source_decode
from benchmarks.core_category_stats import interleaved, row
from benchmarks.store_documents import AS_OF, KIND
from benchmarks.store_frames import TABLE, clear, sample, server, tuples_of, upsert

_CATEGORIES = 8
_LARGE, _SMALL = 100_000, 400


class _Poll:
    """The bytes of a poll, and what both sides are given beside them."""

    def __init__(self, count: int) -> None:
        random = np.random.default_rng(count)
        self.pages = source_decode.make_pages(count, count)
        self.codes = random.integers(0, _CATEGORIES, count).astype(np.int64)
        self.age_h = random.exponential(30, count) + 0.5
        self.names = np.array([f"game{n}" for n in range(_CATEGORIES)])
        self.rows = sample(count, 0)
        self.case = core_scoring.Case(count, _CATEGORIES)


def _metrics(poll: _Poll, views: list[Any], likes: list[Any]) -> tuple[Any, ...]:
    seen = np.array(views, dtype=np.float64)
    engagement = np.array([np.nan if v is None else v for v in likes], dtype=np.float64) / seen
    return seen / poll.age_h, seen, engagement


def _ours(poll: _Poll, store: FrameStore, client: "redis.Redis") -> int:
    columns = source_decode.decode_ours(poll.pages, video_pages())
    metrics = _metrics(poll, columns["views"], columns["likes"])
    kernels.group_statistics(poll.codes, _CATEGORIES, metrics)
    core_scoring.ours(poll.case)
    words = keyword_scores(
        pd.DataFrame(
            {
                "window_start": pd.Timestamp(AS_OF),
                "category": poll.names[poll.codes],
                "title": columns["title"],
                "lifetime_velocity_per_hour": metrics[0],
            }
        ),
        params=core_keywords.PARAMS,
    )
    rows = poll.rows.assign(views=pd.array(columns["views"], dtype="Int64"))
    store.commit([Append(TABLE, rows)])
    documents = (
        BuiltDocument(KIND.key(str(name)), KIND, AS_OF, orjson.dumps({"as_of": AS_OF, "t": t}))
        for name, t in words.groupby("category")["term"].agg(list).items()
    )
    return len(publish(client, documents))


def _seed(poll: _Poll, connection: psycopg.Connection, client: "redis.Redis") -> int:
    rows = source_decode.decode_plain(poll.pages)
    views = [r["views"] for r in rows]
    metrics = _metrics(poll, views, [r["likes"] for r in rows])
    core_category_stats.loops(poll.codes, metrics)
    core_scoring.loops(poll.case)
    categories = [f"game{code}" for code in poll.codes.tolist()]
    words = core_keywords.loops(categories, [r["title"] for r in rows], metrics[0].tolist())
    at = list(poll.rows.columns).index("views")
    tuples = [
        (*found[:at], seen, *found[at + 1 :])
        for found, seen in zip(tuples_of(poll.rows), views, strict=True)
    ]
    with connection.cursor() as cursor:
        cursor.executemany(upsert(), tuples)
    connection.commit()
    for name, found in words.items():
        client.setex(KIND.key(name), 60, json.dumps({"t": [t for t, _, _ in found]}))
    return len(words)


def run(n: int | None = None) -> list[dict[str, Any]]:
    """Compare one poll of 100,000 videos and one of 400, or of n; goals: 4 times, and no slower."""
    results = []
    sizes = [(n, 4.0, 2)] if n else [(_SMALL, 1.0, 15), (_LARGE, 4.0, 2)]
    with tempfile.TemporaryDirectory(prefix="aurastream-bench-") as directory:
        Path(directory).chmod(0o711)
        with (
            server() as url,
            FrameStore(url) as store,
            psycopg.connect(url) as connection,
            EmbeddedRedis(Path(directory) / "redis", durable=False) as memory,
            redis.Redis.from_url(memory.url) as client,
        ):
            for count, goal, rounds in sizes:
                poll = _Poll(count)
                store.commit([Append(TABLE, poll.rows.head(1))])  # the partition exists for both

                def ours(poll: _Poll = poll) -> None:
                    clear(store, known=True)
                    assert _ours(poll, store, client) == _CATEGORIES

                def seed(poll: _Poll = poll) -> None:
                    clear(store, known=True)
                    assert _seed(poll, connection, client) == _CATEGORIES

                ours()  # loads the compiled kernels
                client.flushall()
                medians = interleaved(
                    {"ours": (ours, rounds), "the sources' design": (seed, rounds)}
                )
                results.append(row("end_to_end", count, "the sources' design", medians, goal))
    return results
