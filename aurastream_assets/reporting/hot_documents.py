"""The hot documents: what clients read in a millisecond, rebuilt from the record."""

from datetime import UTC, datetime

import dagster as dg

from aurastream.operations.policy import limits_of
from aurastream.operations.retention import withheld_documents
from aurastream.operations.schedule_policy import window_of
from aurastream.settings import Settings
from aurastream.store import readings
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import WINDOW
from aurastream_assets.policies import RETRIES
from resources.store import Redis, Store

__all__ = ["hot_documents", "readable"]


@dg.asset(
    key=asset_key("reporting", "hot_documents"),
    code_version="1",
    deps=[
        asset_key("collection", "youtube_trending"),
        asset_key("collection", "youtube_games"),
        asset_key("collection", "twitch_streams"),
        asset_key("collection", "twitch_top_games"),
        asset_key("collection", "clip_radar"),
        asset_key("intelligence", "category_stats"),
        asset_key("intelligence", "viral_scores"),
        asset_key("intelligence", "competition"),
        asset_key("intelligence", "opportunity"),
        asset_key("intelligence", "title_intel"),
        asset_key("intelligence", "keyword_scores"),
        asset_key("intelligence", "topic_intel"),
        asset_key("intelligence", "video_ideas"),
        asset_key("intelligence", "clip_activity"),
        asset_key("intelligence", "content_formats"),
        asset_key("intelligence", "shorts_comparison"),
    ],
    retry_policy=RETRIES,
    kinds={"python", "redis"},
)
def hot_documents(store: Store, redis: Redis) -> dg.MaterializeResult[None]:
    """Publish every hot document in one pipeline, as of the newest scored window.

    Each document carries `fresh_until` and a hard TTL. A lost Redis costs one run of this asset.
    """
    from aurastream.store.documents import rebuild_documents  # noqa: PLC0415 # redis is not needed to load the graph

    withheld = withheld_documents(limits_of(Settings.from_env()))
    if withheld:  # then nothing is scored, and what was collected is all there is
        crawled = readings.newest(store.frames, "operations.crawls", "crawl_at")
        newest = None if crawled is None else window_of(crawled)
    else:
        newest = readings.newest(store.frames, "intelligence.opportunity", "window_start")
    if newest is None:
        raise dg.Failure(
            "Nothing has been scored yet, so there is nothing to publish. "
            "Materialize the intelligence group first.",
            allow_retries=False,
        )
    as_of = newest + WINDOW
    published = rebuild_documents(store.frames, redis.resolved_url(), as_of, without=withheld)
    return dg.MaterializeResult(
        metadata={
            "as_of": as_of.isoformat(),
            "documents": len(published),
            "withheld_by_policy": ", ".join(sorted(withheld)) or "-",
        }
    )


@dg.asset_check(
    asset=hot_documents,
    description="Every document in Redis reads as its schema says, is fresh and will expire.",
)
def readable(redis: Redis) -> dg.AssetCheckResult:
    """Read every hot document back."""
    from aurastream.store.audit import hot_documents as audit  # noqa: PLC0415 # as above

    counts = audit(redis.resolved_url(), datetime.now(UTC))
    return dg.AssetCheckResult(
        passed=counts["documents"] > 0 and not counts["unreadable"] and not counts["immortal"],
        metadata=dict(counts),
    )
