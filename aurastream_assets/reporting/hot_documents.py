"""The hot documents: what clients read in a millisecond, rebuilt from the record.

All of them are published with the scores, every half hour. Streams and clips are collected more
often than that and are good for minutes, so that what was collected, and the competition that
follows from it, is published right after as well.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg

from aurastream.operations.policy import limits_of
from aurastream.operations.retention import withheld_documents
from aurastream.operations.schedule_policy import window_of
from aurastream.settings import Settings
from aurastream.store import readings
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import WINDOW, newest_of
from aurastream_assets.policies import RETRIES, freshness_within
from resources.store import Redis, Store

__all__ = [
    "PUBLISHED_AFTER_CRAWLS",
    "clip_documents",
    "clips_readable",
    "hot_documents",
    "readable",
    "stream_documents",
    "streams_readable",
]

_KINDS: Final = {"python", "redis"}
_STREAMS: Final = frozenset({"streams", "top_games", "last_fetch", "competition"})
_CLIPS: Final = frozenset({"clips"})

PUBLISHED_AFTER_CRAWLS: Final[Mapping[str, frozenset[str]]] = {
    "reporting/stream_documents": _STREAMS,
    "reporting/clip_documents": _CLIPS,
}
"""The kinds of documents that an asset publishes besides `hot_documents`, which has them all."""


@dg.asset(
    key=asset_key("reporting", "hot_documents"),
    code_version="2",
    deps=[
        asset_key("collection", "youtube_trending"),
        asset_key("collection", "youtube_games"),
        asset_key("collection", "twitch_streams"),
        asset_key("collection", "twitch_top_games"),
        asset_key("collection", "clip_radar"),
        newest_of(asset_key("intelligence", "category_stats")),
        newest_of(asset_key("intelligence", "viral_scores")),
        newest_of(asset_key("intelligence", "competition")),
        newest_of(asset_key("intelligence", "opportunity")),
        newest_of(asset_key("intelligence", "title_intel")),
        newest_of(asset_key("intelligence", "keyword_scores")),
        newest_of(asset_key("intelligence", "topic_intel")),
        newest_of(asset_key("intelligence", "video_ideas")),
        newest_of(asset_key("intelligence", "clip_activity")),
        newest_of(asset_key("intelligence", "content_formats")),
        newest_of(asset_key("intelligence", "shorts_comparison")),
    ],
    retry_policy=RETRIES,
    kinds=_KINDS,
)
def hot_documents(store: Store, redis: Redis) -> dg.MaterializeResult[None]:
    """Publish every hot document in one pipeline, as of the newest scored window, or of now.

    Each document carries `fresh_until` and a hard TTL. A lost Redis costs one run of this asset.
    """
    withheld = withheld_documents(limits_of(Settings.from_env()))
    if withheld:  # then nothing is scored, and what was collected is all there is
        crawled = readings.newest(store.frames, "operations.crawls", "crawl_at")
        newest = None if crawled is None else window_of(crawled)
    else:
        # Without keys of YouTube there is no opportunity, and competition is what is scored.
        newest = readings.newest(
            store.frames, "intelligence.opportunity", "window_start"
        ) or readings.newest(store.frames, "intelligence.competition", "window_start")
    if newest is None:
        raise dg.Failure(
            "Nothing has been scored yet, so there is nothing to publish. "
            "Materialize the intelligence group first.",
            allow_retries=False,
        )
    return _publish(store, redis, newest + WINDOW, without=withheld)


@dg.asset(
    key=asset_key("reporting", "stream_documents"),
    code_version="2",
    deps=[
        asset_key("collection", "twitch_streams"),
        asset_key("collection", "twitch_top_games"),
        newest_of(asset_key("intelligence", "competition")),
    ],
    tags={"worker": "twitch_streams_worker"},
    freshness_policy=freshness_within(timedelta(minutes=20), timedelta(minutes=40)),
    retry_policy=RETRIES,
    kinds=_KINDS,
)
def stream_documents(store: Store, redis: Redis) -> dg.MaterializeResult[None]:
    """Publish the streams, the top games and the competition that follows, after each crawl."""
    return _publish_collected(store, redis, _STREAMS)


@dg.asset(
    key=asset_key("reporting", "clip_documents"),
    code_version="1",
    deps=[asset_key("collection", "clip_radar")],
    tags={"worker": "clip_radar_worker"},
    freshness_policy=freshness_within(timedelta(minutes=8), timedelta(minutes=15)),
    retry_policy=RETRIES,
    kinds=_KINDS,
)
def clip_documents(store: Store, redis: Redis) -> dg.MaterializeResult[None]:
    """Publish the clips right after each crawl: their documents are good for five minutes."""
    return _publish_collected(store, redis, _CLIPS)


def _publish_collected(
    store: Store, redis: Redis, kinds: Collection[str]
) -> dg.MaterializeResult[None]:
    """Publish what was collected, as of the newest crawl's window."""
    crawled = readings.newest(store.frames, "operations.crawls", "crawl_at")
    if crawled is None:
        raise dg.Failure(
            "Nothing has been collected yet, so there is nothing to publish.", allow_retries=False
        )
    withheld = withheld_documents(limits_of(Settings.from_env()))
    return _publish(store, redis, window_of(crawled) + WINDOW, without=withheld, only=kinds)


def _publish(
    store: Store,
    redis: Redis,
    window_end: datetime,
    *,
    without: Collection[str],
    only: Collection[str] | None = None,
) -> dg.MaterializeResult[None]:
    from aurastream.store.documents import rebuild_documents  # noqa: PLC0415 # redis is not needed to load the graph

    now = datetime.now(UTC)
    published = rebuild_documents(
        store.frames,
        redis.resolved_url(),
        window_end,
        without=without,
        only=only,
        written_at=now,
    )
    return dg.MaterializeResult(
        metadata={
            "as_of": min(window_end, now).isoformat(),
            "documents": len(published),
            "withheld_by_policy": ", ".join(sorted(without)) or "-",
        }
    )


@dg.asset_check(
    asset=hot_documents,
    description=(
        "Every document in Redis reads as its schema says and will expire. How many are stale is "
        "counted: they are served with their age."
    ),
)
def readable(redis: Redis) -> dg.AssetCheckResult:
    """Read every hot document back."""
    return _read_back(redis, None)


@dg.asset_check(
    asset=stream_documents,
    name="readable",
    description="Every document of streams reads as its schema says and will expire.",
)
def streams_readable(redis: Redis) -> dg.AssetCheckResult:
    """Read the documents of streams back."""
    return _read_back(redis, _STREAMS)


@dg.asset_check(
    asset=clip_documents,
    name="readable",
    description="Every document of clips reads as its schema says and will expire.",
)
def clips_readable(redis: Redis) -> dg.AssetCheckResult:
    """Read the documents of clips back."""
    return _read_back(redis, _CLIPS)


def _read_back(redis: Redis, only: Collection[str] | None) -> dg.AssetCheckResult:
    from aurastream.store.audit import hot_documents as audit  # noqa: PLC0415 # loading the graph needs none

    counts = audit(redis.resolved_url(), datetime.now(UTC), only=only)
    # A quiet hour may have no clip at all.
    return dg.AssetCheckResult(
        passed=(counts["documents"] > 0 or only is not None)
        and not counts["unreadable"]
        and not counts["immortal"],
        metadata=dict(counts),
    )
