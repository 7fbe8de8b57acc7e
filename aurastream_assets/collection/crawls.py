"""What every collection asset shares: its decorator, its memory and its report."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import dagster as dg
import pandas as pd

from aurastream.sources.collectors.result import CrawlResult, Previous
from aurastream.store.state import (
    collection_state,
    last_complete_counts,
    newest_items,
    newest_videos,
)
from aurastream_assets.policies import RETRIES
from resources.store import Store

__all__ = [
    "collection_asset",
    "left_of_the_minute",
    "previous_crawl",
    "previous_crawl_with_counts",
    "previous_items",
    "report",
]

collection_asset: Final = partial(dg.asset, retry_policy=RETRIES, io_manager_key="frame_io")


def previous_crawl(
    store: Store, dataset: str, *, counters_since: timedelta | None = None
) -> Previous:
    """Return what the record knows of earlier crawls of a dataset.

    Parameters
    ----------
    store : Store
        The record.
    dataset : str
        For example ``collection/youtube_trending``.
    counters_since : timedelta, optional
        How long before the last crawl a video may have been seen to be compared with; without it
        no counters are read.
    """
    state = collection_state(store.frames, dataset)
    last = state["last_crawl_at"].max()
    if counters_since is None or pd.isna(last):
        return Previous(state=state)
    now = datetime.now(UTC)
    videos = newest_videos(
        store.frames,
        dataset.replace("/", "."),
        now,
        lookback=now - last.to_pydatetime() + counters_since,
    )
    return Previous(state=state, videos=videos.drop_duplicates("video_id"))


def previous_crawl_with_counts(store: Store, dataset: str, *beside: str) -> Previous:
    """Return what the record knows of earlier crawls, with what the last complete ones got.

    Parameters
    ----------
    store : Store
        The record.
    dataset : str
        The dataset whose state is read.
    *beside : str
        Datasets of the same crawl, with other categories, whose counts are wanted too.
    """
    now = datetime.now(UTC)
    counts = [last_complete_counts(store.frames, name, now) for name in (dataset, *beside)]
    return replace(
        previous_items(store, dataset), got={c: n for got in counts for c, n in got.items()}
    )


def previous_items(store: Store, dataset: str) -> Previous:
    """Return what the record knows of earlier crawls, with the streams or clips they saw."""
    previous = previous_crawl(store, dataset)
    last = previous.state["last_crawl_at"].max() if previous.state is not None else None
    if last is None or pd.isna(last):
        return previous
    end = last.to_pydatetime() + timedelta(minutes=15)  # the longest that a crawl takes
    table = dataset.replace("/", ".")
    items = newest_items(store.frames, table, end, lookback=timedelta(hours=1, minutes=15))
    return replace(previous, items=items)


def left_of_the_minute(points: int | None) -> int | str:
    """Return what Twitch's limit leaves; it is one of minutes, and no day's quota."""
    return "unknown" if points is None else points


def report(
    result: CrawlResult,
    how: Mapping[str, dg.MetadataValue],
    *,
    clock_off_s: float | None = None,
    **more: Any,  # noqa: ANN401 # whatever metadata Dagster takes
) -> dg.MaterializeResult[None]:
    """Return the version of a crawl that was kept, and what a person wants to know about it.

    Parameters
    ----------
    result : CrawlResult
        The crawl.
    how : mapping
        How it was kept, as `resources.crawl_keeping.keep` says it: nothing comes before that.
    clock_off_s : float, optional
        By how much the platform's clock, which dates the rows, was ahead of ours, where it is told.
    **more
        Metadata that the dataset adds.
    """
    crawls = result.frames["operations.crawls"]
    partial_crawls = crawls[~crawls["is_complete"].astype(bool)]
    reasons = partial_crawls["reason"].value_counts()
    return dg.MaterializeResult(
        data_version=dg.DataVersion(result.data_version),
        metadata={
            **result.metadata,
            "crawl_at": dg.MetadataValue.timestamp(result.crawl_at),
            # How old the oldest of it is once it is kept.
            "lag_s": max(0.0, round((datetime.now(UTC) - result.crawl_at).total_seconds(), 1)),
            "platform_clock_off_s": "unknown" if clock_off_s is None else round(clock_off_s),
            "is_complete": result.is_complete,
            "why_incomplete": ", ".join(f"{why}: {n}" for why, n in reasons.items()) or "-",
            **more,
            **how,
        },
    )
