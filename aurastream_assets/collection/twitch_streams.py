"""Live streams and top games of Twitch, every quarter of an hour, in one step."""

from collections.abc import Iterator

import dagster as dg

from aurastream.sources.collectors import collect_streams
from aurastream.store import readings
from aurastream_assets.collection.crawls import (
    left_of_the_minute,
    previous_crawl_with_counts,
    report,
)
from aurastream_assets.keys import asset_key
from aurastream_assets.policies import RETRIES
from resources.crawl_keeping import keep
from resources.failures import failing_fast
from resources.platforms import Platforms
from resources.store import Redis, Store

__all__ = ["twitch_streams"]

_DATASET = "collection/twitch_streams"
_TOP_DATASET = "collection/twitch_top_games"
_STREAMS = asset_key("collection", "twitch_streams")
_TOP_GAMES = asset_key("collection", "twitch_top_games")
_KINDS = {"twitch", "python", "postgres"}


@dg.multi_asset(
    name="twitch_streams",
    outs={
        "streams": dg.AssetOut(
            key=_STREAMS,
            io_manager_key="frame_io",
            code_version="1",
            kinds=_KINDS,
            description=(
                "The 100 most watched live streams of each tracked game. Append-only: one row per "
                "crawl, game and stream; viewer counts are raw, as Twitch gave them."
            ),
        ),
        "top_games": dg.AssetOut(
            key=_TOP_GAMES,
            dagster_type=dg.Nothing,
            code_version="1",
            kinds=_KINDS,
            description="The most watched games, collected and stored together with the streams.",
        ),
    },
    pool="twitch",
    retry_policy=RETRIES,
)
def twitch_streams(
    context: dg.AssetExecutionContext, store: Store, redis: Redis, platforms: Platforms
) -> Iterator[dg.MaterializeResult[None]]:
    """Collect the top streams of every tracked game, and the top games."""
    games = readings.tracked_categories(store.frames, "game")
    with (
        failing_fast(),
        platforms.session(store) as session,
        platforms.twitch(session, redis, purpose=_DATASET, run_id=context.run.run_id) as twitch,
    ):
        result = collect_streams(
            twitch,
            games=games,
            previous=previous_crawl_with_counts(store, _DATASET, _TOP_DATASET),
            run_id=context.run.run_id,
            max_parallel=session.settings.max_parallel_requests,
            # Crawls outlive their streams, so that they keep of them only what Twitch allowed.
            adds_viewers=session.settings.policy_mode is None
            or session.settings.keep_twitch_aggregates,
        )
        left, clock_off_s = left_of_the_minute(twitch.rate_remaining), twitch.clock_off_s
    how = keep(context, store, result)
    yield report(result, how, clock_off_s=clock_off_s, quota_remaining=left)._replace(
        asset_key=_STREAMS
    )
    top = result.frames["collection.twitch_top_games"]
    crawls = result.frames["operations.crawls"]
    (crawl,) = crawls[crawls["dataset"] == _TOP_DATASET].to_dict("records")
    yield dg.MaterializeResult(
        asset_key=_TOP_GAMES,
        data_version=dg.DataVersion(f"{crawl['membership_hash']}-{crawl['stats_hash']}"),
        metadata={
            "rows": len(top),
            "crawl_at": dg.MetadataValue.timestamp(result.crawl_at),
            "is_complete": bool(crawl["is_complete"]),
            "why_incomplete": str(crawl["reason"] or "-"),
            "quota_remaining": left,
        },
    )
