"""The charts of YouTube, every half hour."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg

from aurastream.sources.collectors import collect_trending
from aurastream.store import readings, state
from aurastream_assets.collection.crawls import collection_asset, previous_crawl, report
from aurastream_assets.keys import asset_key
from resources.crawl_keeping import keep
from resources.failures import failing_fast
from resources.platforms import Platforms
from resources.store import Redis, Store

__all__ = ["youtube_trending"]

_DATASET = "collection/youtube_trending"


@collection_asset(
    key=asset_key("collection", "youtube_trending"),
    code_version="1",
    pool="youtube",
    kinds={"youtube", "python", "postgres"},
)
def youtube_trending(
    context: dg.AssetExecutionContext, store: Store, redis: Redis, platforms: Platforms
) -> dg.MaterializeResult[None]:
    """Collect the `mostPopular` chart of every tracked category in every region.

    Append-only: one row per crawl, chart, region and video, with the counters as the platform gave
    them (hidden is null, never 0). Costs one quota unit per chart and region.
    """
    charts = readings.tracked_categories(store.frames, "chart")
    before = replace(
        previous_crawl(store, _DATASET, counters_since=timedelta(0)),
        lists=state.last_lists(store.frames, datetime.now(UTC)),
    )
    with failing_fast(), platforms.session(store) as session:
        regions = session.settings.regions
        with platforms.youtube(
            session,
            redis,
            purpose=_DATASET,
            run_id=context.run.run_id,
            planned={"videos.list": len(charts) * len(regions)},
        ) as youtube:
            result = collect_trending(
                youtube,
                charts=charts,
                regions=regions,
                previous=before,
                run_id=context.run.run_id,
                max_parallel=session.settings.max_parallel_requests,
            )
        how = keep(context, store, result)
        return report(
            result,
            how,
            clock_off_s=youtube.clock_off_s,
            quota_remaining=session.remaining(),
        )
