"""Fresh clips of Twitch, every five minutes."""

from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg

from aurastream.sources.collectors import collect_clips
from aurastream.store import readings
from aurastream.store.state import last_complete_starts
from aurastream_assets.collection.crawls import (
    collection_asset,
    left_of_the_minute,
    previous_items,
    report,
)
from aurastream_assets.keys import asset_key
from resources.crawl_keeping import keep
from resources.failures import failing_fast
from resources.platforms import Platforms
from resources.store import Redis, Store

__all__ = ["clip_radar"]

_DATASET: Final = "collection/clip_radar"

# A clip that takes off does so in its first hours; asking again and again gives its velocity.
_REACH: Final = timedelta(hours=6)
# After a longer gap it is closed as far as Twitch's terms let anything of it be kept.
_FARTHEST: Final = timedelta(hours=24)
# A clip is listed a moment after it is made, and a crawl is dated by its first answer.
_LISTED_LATE: Final = timedelta(minutes=5)


@collection_asset(
    key=asset_key("collection", "clip_radar"),
    code_version="1",
    pool="twitch",
    kinds={"twitch", "python", "postgres"},
)
def clip_radar(
    context: dg.AssetExecutionContext, store: Store, redis: Redis, platforms: Platforms
) -> dg.MaterializeResult[None]:
    """Collect the clips made within six hours in each tracked game, with their views.

    Append-only: one row per crawl and clip. Twitch's paging repeats and omits clips, so the time
    is asked in narrow windows that overlap, and clips are told apart by id. A game without a
    complete crawl in that time is asked about from its last one on, up to 24 hours back.
    """
    now = datetime.now(UTC)
    games = readings.tracked_categories(store.frames, "game")
    complete_at = last_complete_starts(store.frames, _DATASET, now)
    with (
        failing_fast(),
        platforms.session(store) as session,
        platforms.twitch(session, redis, purpose=_DATASET, run_id=context.run.run_id) as twitch,
    ):
        result = collect_clips(
            twitch,
            games=games,
            since=now - _REACH,
            until=now,
            since_of={
                game: max(now - _FARTHEST, at - _LISTED_LATE) for game, at in complete_at.items()
            },
            window=_REACH,
            previous=previous_items(store, _DATASET),
            run_id=context.run.run_id,
            max_parallel=session.settings.max_parallel_requests,
        )
        left, clock_off_s = twitch.rate_remaining, twitch.clock_off_s
    how = keep(context, store, result)
    return report(result, how, clock_off_s=clock_off_s, quota_remaining=left_of_the_minute(left))
