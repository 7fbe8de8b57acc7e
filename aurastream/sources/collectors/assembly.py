"""Shape answers into the frames of a result: rows, crawls, fetch log, quarantine, state."""

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from aurastream.core.hashes import EMPTY_HASH, STATISTICS, VIDEO_METADATA, metadata_hashes
from aurastream.sources.collectors.calls import Answer
from aurastream.sources.collectors.result import Metadata, Previous
from aurastream.sources.errors import QuotaExhaustedError, SourceError
from aurastream.sources.ports import Columns, Crawl, FetchRecord, Rejected
from aurastream.sources.wire.frames import to_frame

__all__ = [
    "VIDEOS",
    "all_fetches",
    "compare",
    "compare_items",
    "coverage",
    "crawl_start",
    "crawls_frame",
    "enabled",
    "fetch_log",
    "merge",
    "nothing_came",
    "quarantine",
    "quarantine_frame",
    "quarantine_row",
    "state_frame",
    "summary",
    "video_versions",
    "with_hashes",
]

# Quarantine ids are derived, so that storing a result twice stores its rows once.
_NAMESPACE: Final = uuid.UUID("5b1a8f0e-8f6d-5c1e-9d53-0d6c3a1f7a44")
_CRAWLS: Final = (
    "crawl_at",
    "dataset",
    "category",
    "region",
    "observed_at",
    "expected",
    "got",
    "rejected",
    "is_complete",
    "reason",
    "membership_hash",
    "stats_hash",
    "viewer_total",
)
_STATE: Final = (
    "dataset",
    "category",
    "last_crawl_at",
    "membership_hash",
    "unchanged_count",
    "failure_count",
)
_FETCH_LOG: Final = tuple(FetchRecord.__slots__)
_QUARANTINE: Final = (
    "occurred_at",
    "quarantine_id",
    "source",
    "item_id",
    "reason",
    "raw",
    "fetch_id",
)
_VIDEO_COLUMNS: Final = (
    *STATISTICS,
    "rank",
    "observed_at",
    "fetch_id",
    "metadata_hash",
    *VIDEO_METADATA,
)
VIDEOS: Final = ("video_id", "metadata_hash", "first_observed_at", *VIDEO_METADATA)


def enabled(categories: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Return the enabled rows of one kind, when the frame says kind and state at all."""
    keep = np.ones(len(categories), dtype=bool)
    if "kind" in categories:
        keep &= (categories["kind"] == kind).to_numpy(dtype=bool)
    if "is_enabled" in categories:
        keep &= categories["is_enabled"].to_numpy(dtype=bool)
    return categories[keep]


def merge(kind: str, answers: Sequence[Answer]) -> pd.DataFrame:
    """Return the rows of all answers with the ``category`` and ``region`` of their call."""
    found = [a for a in answers if a.crawl is not None and len(a.crawl)]
    columns: Columns = {}
    for answer in found:
        crawl: Crawl = answer.crawl  # type: ignore[assignment] # filtered above
        for name, values in crawl.columns.items():
            columns.setdefault(name, []).extend(values)
    sizes = [len(a.crawl) for a in found if a.crawl is not None]
    frame = to_frame(kind, columns)
    return frame.assign(
        category=np.repeat(np.array([a.category for a in found], dtype=object), sizes),
        region=np.repeat(np.array([a.region for a in found], dtype=object), sizes),
    )


def all_fetches(answers: Iterable[Answer]) -> list[FetchRecord]:
    """Return every call that was made, in the order of the questions."""
    return [fetch for answer in answers for fetch in answer.fetches]


def crawl_start(fetches: Sequence[FetchRecord], fallback: dt.datetime | None) -> dt.datetime:
    """Return when the first answer came.

    Raises
    ------
    ValueError
        When nothing was asked and no fallback was given.
    """
    if fetches:
        return min(fetch.observed_at for fetch in fetches)
    if fallback is None:
        raise ValueError("nothing was asked, so the start of the crawl must be given")
    return fallback


def with_hashes(videos: pd.DataFrame) -> pd.DataFrame:
    """Return videos with their ``metadata_hash``."""
    if videos.empty:
        return videos.reindex(columns=[*videos.columns, *_VIDEO_COLUMNS])
    return videos.assign(metadata_hash=metadata_hashes(videos))


def video_versions(videos: pd.DataFrame) -> pd.DataFrame:
    """Return one row per metadata version that was seen, with the time it was first seen."""
    ordered = videos.sort_values(["observed_at", "video_id"], kind="stable")
    versions = ordered.drop_duplicates(["video_id", "metadata_hash"])
    versions = versions.assign(first_observed_at=versions["observed_at"])
    versions = versions.sort_values(["video_id", "metadata_hash"], kind="stable")
    return versions.reindex(columns=list(VIDEOS)).reset_index(drop=True)


def fetch_log(fetches: Sequence[FetchRecord], run_id: str | None) -> pd.DataFrame:
    """Return the rows of ``operations.fetch_log``."""
    rows = [fetch.as_row() for fetch in fetches]
    for row in rows:
        row["run_id"] = run_id if run_id is not None else row["run_id"]
    return pd.DataFrame(rows, columns=list(_FETCH_LOG))


def quarantine(
    source: str, answers: Iterable[Answer], crawl_at: dt.datetime
) -> list[dict[str, Any]]:
    """Return the rows of ``operations.quarantine`` for what the answers held and was refused."""
    rows = []
    for answer in answers:
        times = {fetch.fetch_id: fetch.observed_at for fetch in answer.fetches}
        for number, item in enumerate(answer.rejected):
            rows.append(
                quarantine_row(
                    source,
                    item,
                    occurred_at=times.get(item.fetch_id or "", crawl_at),
                    identity=(answer.category, answer.region, str(number)),
                )
            )
    return rows


def quarantine_row(
    source: str, item: Rejected, *, occurred_at: dt.datetime, identity: Sequence[str]
) -> dict[str, Any]:
    """Return one row of ``operations.quarantine``."""
    key = "\x1f".join([source, *identity, item.fetch_id or "", item.item_id or "", item.reason])
    return {
        "occurred_at": occurred_at,
        "quarantine_id": str(uuid.uuid5(_NAMESPACE, key)),
        "source": source,
        "item_id": item.item_id,
        "reason": item.reason,
        "raw": item.raw,
        "fetch_id": item.fetch_id,
    }


def quarantine_frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return quarantine rows as a frame."""
    return pd.DataFrame(rows, columns=list(_QUARANTINE))


def crawls_frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the rows of ``operations.crawls``."""
    counts = {"expected": "Int64", "viewer_total": "Int64"}
    return pd.DataFrame(rows, columns=list(_CRAWLS)).astype(counts)


def state_frame(
    dataset: str,
    crawl_at: dt.datetime,
    crawls: pd.DataFrame,
    hashes: Mapping[str, str],
    previous: Previous,
    *,
    partial_counts: bool = True,
) -> pd.DataFrame:
    """Return the new rows of ``operations.collection_state``, one per category of the crawl.

    A complete crawl moves the hash and the count of unchanged crawls; a partial one says nothing
    about membership and moves only the time; a failed one only the count of failures. Where a
    partial crawl does not count, it is as good as failed: its category stays due.
    """
    known: dict[str, dict[Any, Any]] = {}
    if previous.state is not None:
        known = {str(row["category"]): dict(row) for row in previous.state.to_dict("records")}
    rows = []
    for category, part in crawls.groupby("category", sort=True):
        name = str(category)
        old = known.get(name, {})
        last: Any = old.get("last_crawl_at")
        old_hash: Any = old.get("membership_hash")
        unchanged = int(old.get("unchanged_count", 0) or 0)
        failures = int(old.get("failure_count", 0) or 0)
        if part["is_complete"].all():
            new_hash = hashes.get(name, EMPTY_HASH)
            unchanged = unchanged + 1 if new_hash == old_hash else 0
            row: tuple[Any, Any, int, int] = (crawl_at, new_hash, unchanged, 0)
        elif partial_counts and (part["is_complete"] | (part["got"] > 0)).any():
            row = (crawl_at, old_hash, unchanged, 0)
        else:
            row = (last, old_hash, unchanged, failures + 1)
        rows.append((dataset, name, *row))
    state = pd.DataFrame(rows, columns=list(_STATE))
    # Until the first success every time is missing, and then pandas would guess a type.
    return state.assign(last_crawl_at=pd.to_datetime(state["last_crawl_at"], utc=True))


def compare(videos: pd.DataFrame, previous: Previous) -> Metadata:
    """Return how many videos are new or have other metadata, and how many counters fell."""
    now = videos.sort_values("observed_at", kind="stable").drop_duplicates("video_id", keep="last")
    if previous.videos is None or previous.videos.empty:
        return {"new": len(now), "changed": 0, "views_fell": 0}
    both = now[["video_id", "views", "metadata_hash"]].merge(
        previous.videos, on="video_id", how="left", suffixes=("", "_before"), indicator="seen"
    )
    is_new = both["seen"] == "left_only"
    changed = ~is_new & (both["metadata_hash"] != both["metadata_hash_before"])
    fell = (both["views"] < both["views_before"]).fillna(False)  # noqa: FBT003 # the value that fills
    return {
        "new": int(is_new.sum()),
        "changed": int(changed.sum()),
        "views_fell": int(fell.sum()),
    }


def compare_items(rows: pd.DataFrame, previous: Previous, item: str, counter: str) -> Metadata:
    """Return how many items are new, and how many of the known ones have another counter."""
    now = rows.drop_duplicates(item)[[item, counter]]
    before = previous.items
    if before is None or before.empty:
        return {"new": len(now), "changed": 0}
    both = now.merge(before[[item, counter]], on=item, how="left", suffixes=("", "_before"))
    is_new = both[f"{counter}_before"].isna()
    changed = ~is_new & (both[counter] != both[f"{counter}_before"])
    return {"new": int(is_new.sum()), "changed": int(changed.fillna(value=False).sum())}


def coverage(crawls: pd.DataFrame) -> float | None:
    """Return got / expected over the crawls whose expectation is known, 0–1; None when none is."""
    known = crawls[crawls["expected"].notna()]
    if len(crawls) and known.empty:
        return None
    expected = int(known["expected"].sum())
    return 1.0 if expected == 0 else min(1.0, int(known["got"].sum()) / expected)


def summary(
    rows: pd.DataFrame, crawls: pd.DataFrame, fetches: Sequence[FetchRecord], rejected: int
) -> Metadata:
    """Return the metadata that all datasets share."""
    times = [fetch.observed_at for fetch in fetches]
    span = (max(times) - min(times)).total_seconds() if times else 0.0
    covered = coverage(crawls)
    return {
        "rows": len(rows),
        "rejected": rejected,
        "fetches": len(fetches),
        "quota_used": sum(fetch.units for fetch in fetches),
        "incomplete": int((~crawls["is_complete"].astype(bool)).sum()),
        "coverage": "unknown" if covered is None else covered,
        "span_s": span,
    }


def nothing_came(answers: Sequence[Answer]) -> SourceError | None:
    """Return the first error when no call was answered at all, unless the quota is spent."""
    if any(answer.crawl is not None for answer in answers):
        return None
    errors = [answer.error for answer in answers if answer.error is not None]
    return next((e for e in errors if not isinstance(e, QuotaExhaustedError)), None)
