"""When the outside world is asked: minutes are spread, so that no two crawls start together.

Minutes of the hour: clips 2, 7, 12, …; streams 4, 19, 34, 49; hourly rollup 5; games 14; charts 25
and 55, so that each crawl has five minutes left in the window it is scored in. At 05:01 every game
is reconciled.
"""

from datetime import datetime
from typing import Final

from aurastream.operations.schedule_policy import window_of
from aurastream.settings import Environment
from aurastream_assets import jobs
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import half_hours
from schedules.declaration import declare

__all__ = ["COLLECTION_SCHEDULES"]

_RUNNING_SYSTEMS: Final[tuple[Environment, ...]] = ("local", "production")


def _window_key(moment: datetime) -> str:
    return window_of(moment).strftime(half_hours.fmt)


COLLECTION_SCHEDULES: Final = (
    declare(
        jobs.signal,
        cron="25,55 * * * *",
        environments=_RUNNING_SYSTEMS,
        description="Charts, scores and hot documents of the current half-hour window.",
        partition_of=_window_key,
        skip_while_running=True,
        platform="youtube",
        asking=[asset_key("collection", "youtube_trending")],
    ),
    declare(
        jobs.games,
        cron="14 * * * *",
        environments=_RUNNING_SYSTEMS,
        description="Asks the planner which games are due and can be afforded.",
        skip_while_running=True,
        platform="youtube",
    ),
    declare(
        jobs.games_reconcile,
        cron="1 5 * * *",
        environments=_RUNNING_SYSTEMS,
        description="The full daily pass over every game.",
        skip_while_running=True,
        platform="youtube",
    ),
    declare(
        jobs.streams,
        cron="4,19,34,49 * * * *",
        environments=_RUNNING_SYSTEMS,
        description="Live streams of every tracked game, and the top games.",
        skip_while_running=True,
        platform="twitch",
    ),
    declare(
        jobs.clips,
        cron="2-57/5 * * * *",
        environments=_RUNNING_SYSTEMS,
        description="Newest clips of every tracked game.",
        skip_while_running=True,
        platform="twitch",
    ),
)
