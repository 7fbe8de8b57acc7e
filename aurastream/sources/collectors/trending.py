"""The ``mostPopular`` charts of all regions."""

import datetime as dt
from collections.abc import Sequence
from functools import partial
from typing import Final

import pandas as pd

from aurastream.core.continuity import chart_overlap
from aurastream.core.hashes import EMPTY_HASH, STATISTICS, Kinds, content_hash, group_hashes
from aurastream.sources.collectors import assembly
from aurastream.sources.collectors.calls import Answer, Call, ask_all
from aurastream.sources.collectors.result import CrawlResult, Previous
from aurastream.sources.errors import GoneError
from aurastream.sources.ports import YouTubeSource

__all__ = ["TRENDING", "collect_trending"]

_DATASET: Final = "collection/youtube_trending"
TRENDING: Final = (
    "observed_at",
    "chart",
    "region",
    "video_id",
    "rank",
    "views",
    "likes",
    "comments",
    "concurrent_viewers",
    "metadata_hash",
    "crawl_at",
    "fetch_id",
)
_STARTS: Final = ("dataset", "started_at", "previous_crawl_at", "lists", "lists_kept")
_MEMBERSHIP: Final[Kinds] = {"video_id": "text", "metadata_hash": "text"}
# The hash of many charts is taken over the charts' hashes: the rows are read once.
_CHARTS: Final[Kinds] = {"category": "text", "region": "text", "membership_hash": "text"}
_CHART_STATISTICS: Final[Kinds] = {"category": "text", "region": "text", "stats_hash": "text"}


def collect_trending(
    youtube: YouTubeSource,
    *,
    charts: pd.DataFrame,
    regions: Sequence[str],
    previous: Previous | None = None,
    run_id: str | None = None,
    max_parallel: int = 4,
    started_at: dt.datetime | None = None,
) -> CrawlResult:
    """Collect every chart of every region, one page each.

    Videos keep their place in the chart whether or not they are about a tracked game.

    Parameters
    ----------
    youtube : YouTubeSource
        The client.
    charts : pandas.DataFrame
        Rows of ``operations.categories``: ``category``, ``youtube_category_id`` (null is the
        chart of all categories) and ``max_videos``; rows that are no enabled chart are ignored.
    regions : sequence of str
        ISO 3166-1 alpha-2 codes.
    previous : Previous, optional
        State, newest videos and lists of earlier crawls.
    run_id : str, optional
        Written into the fetch log.
    max_parallel : int, optional
        Calls under way at a time.
    started_at : datetime.datetime, optional
        Start of the crawl for the case that no call was made at all.

    Returns
    -------
    CrawlResult
        With ``collection.youtube_trending`` and ``collection.youtube_videos``. A chart that a
        region does not have is complete, with nothing expected, unless no region has it.
        ``operations.source_starts`` has a row if most lists have nothing in common with what they
        were before.
    """
    previous = previous or Previous()
    wanted = assembly.enabled(charts, "chart")
    sizes = {str(c): int(n) for c, n in zip(wanted["category"], wanted["max_videos"], strict=True)}
    ids = [None if pd.isna(i) else int(i) for i in wanted["youtube_category_id"]]
    calls = [
        Call(chart, region, partial(youtube.videos_chart, region, category_id))
        for chart, category_id in zip(sizes, ids, strict=True)
        for region in regions
    ]
    answers = ask_all(calls, max_parallel=max_parallel)
    fetches = assembly.all_fetches(answers)
    crawl_at = assembly.crawl_start(fetches, started_at)

    videos = assembly.with_hashes(assembly.merge("videos", answers))
    rows = videos.assign(chart=videos["category"], crawl_at=crawl_at)
    rows = rows.reindex(columns=list(TRENDING))
    membership = group_hashes(rows, ["chart", "region"], _MEMBERSHIP)
    statistics = group_hashes(rows, ["chart", "region"], STATISTICS)
    offered = {a.category for a in answers if not _is_absent(a)}
    crawls = assembly.crawls_frame(
        [
            _crawl(a, crawl_at, sizes[a.category], is_offered=a.category in offered)
            | {
                "membership_hash": membership.get((a.category, a.region), EMPTY_HASH),
                "stats_hash": statistics.get((a.category, a.region), EMPTY_HASH),
            }
            for a in answers
        ]
    )
    starts = _source_starts(rows, previous.lists, crawl_at)
    charts_hashes = {str(k): v for k, v in group_hashes(crawls, ["category"], _CHARTS).items()}
    quarantined = assembly.quarantine(_DATASET, answers, crawl_at)
    return CrawlResult(
        dataset=_DATASET,
        frames={
            "collection.youtube_trending": rows,
            "collection.youtube_videos": assembly.video_versions(videos),
            "operations.crawls": crawls,
            "operations.source_starts": starts,
            "operations.fetch_log": assembly.fetch_log(fetches, run_id),
            "operations.quarantine": assembly.quarantine_frame(quarantined),
            "operations.collection_state": assembly.state_frame(
                _DATASET, crawl_at, crawls, charts_hashes, previous
            ),
        },
        metadata=assembly.summary(rows, crawls, fetches, len(quarantined))
        | assembly.compare(videos, previous)
        | {"videos": int(rows["video_id"].nunique()), "starts_over": bool(len(starts))},
        membership_hash=content_hash(crawls, _CHARTS),
        stats_hash=content_hash(crawls, _CHART_STATISTICS),
        is_complete=bool(crawls["is_complete"].all()),
        crawl_at=crawl_at,
        error=assembly.nothing_came(answers),
    )


def _source_starts(
    rows: pd.DataFrame, before: pd.DataFrame | None, crawl_at: dt.datetime
) -> pd.DataFrame:
    """Return a row if another source answered than to the crawl before, and none otherwise."""
    found = []
    if before is not None and len(before) and len(rows):
        overlap = chart_overlap(rows, before)
        if overlap.starts_over:
            found = [
                (_DATASET, crawl_at, before["crawl_at"].max(), overlap.lists, overlap.kept),
            ]
    return pd.DataFrame(found, columns=list(_STARTS))


def _is_absent(answer: Answer) -> bool:
    return isinstance(answer.error, GoneError) and answer.crawl is None


def _crawl(
    answer: Answer, crawl_at: dt.datetime, size: int, *, is_offered: bool
) -> dict[str, object]:
    crawl = answer.crawl
    # Not every region has every chart: that is an answer, not a failure. One that no region has
    # was taken away, and its videos are missing.
    is_absent = _is_absent(answer) and is_offered
    expected = crawl.expected if crawl is not None else (0 if is_absent else size)
    # Pages without an item end a chart as its last page does; their own count tells them apart.
    is_hollow = crawl is not None and not len(crawl) and not crawl.rejected and bool(crawl.expected)
    hollow = f"The answer has no video, though it counts {expected}." if is_hollow else ""
    return {
        "crawl_at": crawl_at,
        "dataset": _DATASET,
        "category": answer.category,
        "region": answer.region,
        "observed_at": answer.fetches[-1].observed_at if answer.fetches else None,
        "expected": expected,
        "got": len(crawl) if crawl is not None else 0,
        "rejected": len(answer.rejected),
        "is_complete": (answer.is_complete and not is_hollow) or is_absent,
        "reason": "" if is_absent else answer.reason or hollow,
    }
