"""What every collection asset shares: its decorator, its memory and its report."""

from datetime import timedelta
from functools import partial
from typing import Any, Final

import dagster as dg
import pandas as pd

from aurastream.sources.collectors.result import CrawlResult, Previous
from aurastream.store import readings
from aurastream_assets.policies import RETRIES
from resources.store import Store

__all__ = ["collection_asset", "previous_crawl", "report"]

collection_asset: Final = partial(dg.asset, retry_policy=RETRIES, io_manager_key="frame_io")


def previous_crawl(
    store: Store, dataset: str, *, counters_within: timedelta | None = None
) -> Previous:
    """Return what the record knows of earlier crawls of a dataset.

    Parameters
    ----------
    store : Store
        The record.
    dataset : str
        For example ``collection/youtube_trending``.
    counters_within : timedelta, optional
        How long before the last crawl a video may have been seen to be compared with; without it
        no counters are read.
    """
    state = readings.crawl_state(store.frames, dataset)
    last = state["last_crawl_at"].max()
    videos = None
    if counters_within is not None and not pd.isna(last):
        videos = readings.newest_counters(
            store.frames, dataset.replace("/", "."), since=last - counters_within
        )
    return Previous(state=state, videos=videos)


def report(
    result: CrawlResult,
    **more: Any,  # noqa: ANN401 # whatever metadata Dagster takes
) -> dg.MaterializeResult[CrawlResult]:
    """Return a crawl with its version and what a person wants to know about it."""
    crawls = result.frames["operations.crawls"]
    partial_crawls = crawls[~crawls["is_complete"].astype(bool)]
    reasons = partial_crawls["reason"].value_counts()
    return dg.MaterializeResult(
        value=result,
        data_version=dg.DataVersion(result.data_version),
        metadata={
            **result.metadata,
            "crawl_at": dg.MetadataValue.timestamp(result.crawl_at),
            "is_complete": result.is_complete,
            "why_incomplete": ", ".join(f"{why}: {n}" for why, n in reasons.items()) or "-",
            **more,
        },
    )
