"""The videos of the tracked games, as often as each game needs and the quota allows."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg

from aurastream.core.allowance import allowance
from aurastream.core.planner import plan_games
from aurastream.sources.catalog import classifier_from_categories
from aurastream.sources.collectors import collect_games
from aurastream.store import readings
from aurastream.store.state import collection_state, last_complete_starts
from aurastream_assets.collection.crawls import collection_asset, previous_crawl, report
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import WINDOW
from resources.crawl_keeping import keep
from resources.failures import failing_fast
from resources.platforms import Platforms
from resources.store import Redis, Store

__all__ = ["GamesConfig", "youtube_games"]

_DATASET = "collection/youtube_games"


class GamesConfig(dg.Config):
    """How far a run goes."""

    reconcile: bool = False
    """Take every game, due or not; search for new videos and collect their channels as well."""


@collection_asset(
    key=asset_key("collection", "youtube_games"),
    code_version="1",
    pool="youtube",
    deps=[asset_key("collection", "youtube_trending")],
    kinds={"youtube", "python", "postgres"},
)
def youtube_games(
    context: dg.AssetExecutionContext,
    config: GamesConfig,
    store: Store,
    redis: Redis,
    platforms: Platforms,
) -> dg.MaterializeResult[None]:
    """Collect the counters of the videos of those games that are due.

    A game's interval grows while its videos stay the same, and for all games when the day's quota
    would not last. Which game a video is about is decided by versioned rules; what the rules cannot
    decide goes to quarantine.
    """
    now = datetime.now(UTC)
    frames = store.frames
    games = readings.tracked_categories(frames, "game")
    charts = readings.tracked_categories(frames, "chart")
    before = replace(
        previous_crawl(store, _DATASET, counters_since=timedelta(hours=26)),
        complete_at=last_complete_starts(frames, _DATASET, now),
    )
    with failing_fast(), platforms.session(store) as session:
        share = allowance(
            session.status("youtube.default", now),
            now,
            fixed_units=len(charts) * len(session.settings.regions),
            fixed_every=WINDOW,
        )
        plan = plan_games(
            games,
            collection_state(frames, _DATASET),
            as_of=now,
            available_units=share.units,
            stretch=share.stretch,
            reconcile=config.reconcile,
        )
        with platforms.youtube(
            session,
            redis,
            purpose=_DATASET,
            run_id=context.run.run_id,
            planned={"videos.list": plan.estimated_units} if plan.estimated_units else None,
        ) as youtube:
            result = collect_games(
                youtube,
                plan=plan,
                candidates=readings.game_candidates(frames, as_of=now),
                classifier=classifier_from_categories(games),
                reconcile=config.reconcile,
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
            allowance=share.units,
            stretch=round(share.stretch, 2),
        )
