"""Peak memory of the analyses of texts at a million videos in one window.

The figures are GiB instead of seconds: the most that a process of its own ever held, interpreter,
libraries and the window's videos included, against the limit of 1.5 GiB. Titles differ from each
other, which is the worst case: what windows or categories share is kept once. Garbage is looked for
as seldom as in a run of the graph.
"""

import contextlib
import importlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from aurastream.store.columns import to_pandas
from benchmarks._peak import peak_kib

_LIMIT_GIB = 1.5
_KIB_PER_GIB = 1 << 20
_NAMES = ("title_intel", "keyword_scores", "tag_scores", "topic_evidence", "description_intel")
_ROOT = Path(__file__).resolve().parent.parent


def sample(n: int) -> pd.DataFrame:
    """Return a window of videos of twenty categories with titles, tags and metadata versions."""
    from benchmarks.core_keywords import sample as titles  # noqa: PLC0415 # not where it is measured

    rng = np.random.default_rng(20_261_121)
    frame = titles(n)
    pool = [f"tag {i}" for i in range(20_000)]
    starts = rng.integers(0, len(pool) - 12, n).tolist()
    sizes = rng.integers(0, 12, n).tolist()
    return frame.assign(
        video_id=[f"v{i:07d}" for i in range(n)],
        channel_id=[f"c{i}" for i in rng.integers(0, max(n // 5, 1), n).tolist()],
        age_h=rng.uniform(1, 400, n),
        best_rank=rng.integers(1, 51, n),
        tags=pd.Series([pool[a : a + k] for a, k in zip(starts, sizes, strict=True)], dtype=object),
    )


_KEYS = ["window_start", "category"]
_SPEED = "lifetime_velocity_per_hour"
# As the assets read them, and nothing else.
_COLUMNS = {
    "title_intel": [*_KEYS, "channel_id", "age_h", "best_rank", _SPEED, "title"],
    "keyword_scores": [*_KEYS, "title", _SPEED],
    "tag_scores": [*_KEYS, "tags", _SPEED],
    "topic_evidence": [*_KEYS, "video_id", "title", "tags", _SPEED],
    "description_intel": [*_KEYS, "video_id", "metadata_hash"],
}


def _compute(name: str, videos: pd.DataFrame, folder: str) -> pd.DataFrame:
    if name == "title_intel":
        from aurastream.core.title_intel import title_intel  # noqa: PLC0415 # one alone is measured

        return title_intel(videos)
    if name in ("keyword_scores", "tag_scores"):
        from aurastream.core import keywords  # noqa: PLC0415 # the same

        found: pd.DataFrame = getattr(keywords, name)(videos)
        return found
    if name == "topic_evidence":
        from aurastream.core.topic_evidence import topic_evidence  # noqa: PLC0415 # the same

        return topic_evidence(to_pandas(pq.read_table(Path(folder, "topics.parquet"))), videos)
    return _describe(videos, folder)


def _describe(members: pd.DataFrame, folder: str) -> pd.DataFrame:
    """Read what descriptions hold some categories at a time, as the asset does."""
    from aurastream.core.description_shares import description_intel  # noqa: PLC0415 # the same
    from aurastream_assets.intelligence.description_intel import in_batches  # noqa: PLC0415 # the same

    parts = []
    for some in in_batches(members):
        theirs = pc.field("category").isin(some["category"].unique().tolist())
        stored = pq.read_table(Path(folder, "described.parquet"), filters=theirs)
        features = to_pandas(stored.drop_columns(["window_start", "category"]))
        del stored
        parts.append(description_intel(some, features))
    return pd.concat(parts, ignore_index=True)


def _described(videos: pd.DataFrame) -> pd.DataFrame:
    """Return versions with what three kinds of descriptions hold."""
    from aurastream.core.descriptions import mine_descriptions  # noqa: PLC0415 # not when measured

    texts = ["", "#a #b https://youtu.be/x subscribe", "0:00 A\n1:00 B\n2:00 C\nuse code X"]
    few = pd.DataFrame(
        {"video_id": "", "metadata_hash": "h", "description": texts, "duration_s": 600}
    )
    kinds = mine_descriptions(few).drop(columns="video_id")
    rows = kinds.take(np.arange(len(videos)) % len(texts)).reset_index(drop=True)
    return pd.concat(
        [videos[["window_start", "category", "video_id", "tags"]], rows], axis=1
    ).assign(
        definition="hd",
        has_captions=True,
        is_licensed=None,
        is_made_for_kids=False,
        default_language="en",
        topic_categories=pd.Series([[] for _ in range(len(videos))], dtype=object),
    )


def run(n: int | None = None) -> list[dict[str, Any]]:
    """Measure each analysis in a process of its own."""
    from aurastream.core.keywords import keyword_scores  # noqa: PLC0415 # not when measured
    from aurastream.core.topics import topics  # noqa: PLC0415 # the same

    size = n or 1_000_000
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        videos = sample(size)
        videos.to_parquet(Path(folder, "videos.parquet"))
        _described(videos).to_parquet(Path(folder, "described.parquet"))
        topics(keyword_scores(videos)).to_parquet(Path(folder, "topics.parquet"))
        for name in _NAMES:
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.core_texts", name, folder],
                cwd=_ROOT,
                check=True,
                capture_output=True,
                text=True,
            )
            peak = float(done.stdout)
            rows.append(
                {
                    "name": f"core_texts, peak GiB of {name}",
                    "n": size,
                    "ours_s": peak,
                    "baseline": "limit",
                    "baseline_s": _LIMIT_GIB,
                    "ratio": _LIMIT_GIB / peak,
                    "goal": 1.0,
                    "met": peak < _LIMIT_GIB,
                }
            )
    return rows


def _measure(name: str, folder: str) -> None:
    importlib.import_module("aurastream_assets")  # which sets the thresholds of the collector
    source = "described" if name == "description_intel" else "videos"
    stored = pq.read_table(Path(folder, f"{source}.parquet"), columns=_COLUMNS[name])
    videos = to_pandas(stored)  # as the record gives it: lists are lists
    del stored
    pa.default_memory_pool().release_unused()
    _forget_the_peak()
    rows = _compute(name, videos, folder)
    if rows.empty:
        raise SystemExit(f"{name} found nothing")
    print(peak_kib() / _KIB_PER_GIB)


def _forget_the_peak() -> None:
    """Leave out what reading the file took for a moment; elsewhere than on Linux it counts."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


if __name__ == "__main__":
    _measure(*sys.argv[1:])
