"""Publishing hot documents against ``json.dumps`` and SETEX one by one.

Both sides start from the same plain objects and leave the same keys with the same time to live;
ours also looks whether a newer document is there already. Nothing is written to disk, so that the
figures are those of the publishing and not of the append-only file.
"""

import datetime as dt
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import orjson
import redis

from aurastream.store.document_schemas import KINDS
from aurastream.store.documents import BuiltDocument, publish
from aurastream.store.embedded import EmbeddedRedis

_DOCUMENTS = 10_000
_ROUNDS = 5
_GOAL = 5.0
AS_OF = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
KIND = KINDS["games"]


def _objects(count: int) -> list[dict[str, Any]]:
    """Return documents of about 5 KB, as plain values."""
    moment = AS_OF.isoformat()
    return [
        {
            "as_of": moment,
            "observed_at": moment,
            "fresh_until": moment,
            "version": 1,
            "label": "replay",
            "freshness": "FRESH",
            "game": f"game{number}",
            "videos": [
                {
                    "video_id": f"v{number:06d}{place:04d}",
                    "title": f"I played the new season for {place} hours \U0001f525",
                    "channel_id": f"UC{place:022d}",
                    "channel_title": f"Channel {place}",
                    "published_at": moment,
                    "duration_s": 600 + place,
                    "thumbnail_url": f"https://i.ytimg.com/vi/v{place}/maxresdefault.jpg",
                    "views": 1_000_003 * place,
                    "likes": None if place % 9 == 0 else place * 31,
                    "comments": place * 7,
                    "concurrent_viewers": None,
                    "confidence": 1.0 / (place + 1),
                }
                for place in range(14)
            ],
        }
        for number in range(count)
    ]


def run(n: int | None = None) -> list[dict[str, Any]]:
    """Measure publishing ``n`` documents; goal: 5 times the baseline."""
    objects = _objects(n or _DOCUMENTS)
    seconds = int(KIND.ttl.total_seconds())
    ours: list[float] = []
    theirs: list[float] = []
    with tempfile.TemporaryDirectory(prefix="aurastream-bench-") as directory:
        Path(directory).chmod(0o711)
        with (
            EmbeddedRedis(Path(directory) / "redis", durable=False) as server,
            redis.Redis.from_url(server.url) as client,
        ):
            for _ in range(_ROUNDS + 1):  # the first one warms up
                client.flushall()
                started = time.perf_counter()
                for item in objects:
                    client.setex(f"youtube:games:{item['game']}", seconds, json.dumps(item))
                theirs.append(time.perf_counter() - started)
                expected = json.loads(client.get("youtube:games:game7") or b"null")
                client.flushall()
                started = time.perf_counter()
                written = publish(
                    client,
                    (
                        BuiltDocument(KIND.key(o["game"]), KIND, AS_OF, orjson.dumps(o))
                        for o in objects
                    ),
                )
                ours.append(time.perf_counter() - started)
                assert len(written) == len(objects)
                assert json.loads(client.get("youtube:games:game7") or b"null") == expected
    ours_s, baseline_s = statistics.median(ours[1:]), statistics.median(theirs[1:])
    ratio = baseline_s / ours_s
    return [
        {
            "name": "redis publish, 5 KB documents",
            "n": len(objects),
            "ours_s": ours_s,
            "baseline": "json.dumps + SETEX",
            "baseline_s": baseline_s,
            "ratio": ratio,
            "goal": _GOAL,
            "met": ratio >= _GOAL,
        }
    ]
