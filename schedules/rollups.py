"""When what has ended is rolled up: no tick is ever skipped, each owns its partition."""

from datetime import datetime
from typing import Final

from aurastream.operations.schedule_policy import day_before, hour_before
from aurastream.settings import Environment
from aurastream_assets import jobs
from aurastream_assets.partitions import FOUR_HOURS, days, four_hours, hours
from schedules.declaration import declare

__all__ = ["ROLLUP_SCHEDULES"]

_RUNNING_SYSTEMS: Final[tuple[Environment, ...]] = ("local", "production")


def _hour_key(moment: datetime) -> str:
    return hour_before(moment).strftime(hours.fmt)


def _day_key(moment: datetime) -> str:
    return day_before(moment).strftime(days.fmt)


def _four_hours_key(moment: datetime) -> str:
    ended = moment.replace(hour=moment.hour - moment.hour % 4, minute=0, second=0, microsecond=0)
    return (ended - FOUR_HOURS).strftime(four_hours.fmt)


ROLLUP_SCHEDULES: Final = (
    declare(
        jobs.analyses,
        cron="11 */4 * * *",
        environments=_RUNNING_SYSTEMS,
        description="The four hours that ended eleven minutes ago.",
        partition_of=_four_hours_key,
        skip_while_running=False,
    ),
    declare(
        jobs.thumbnails,
        cron="16 */4 * * *",
        environments=_RUNNING_SYSTEMS,
        description="New thumbnails, and the four hours that ended sixteen minutes ago.",
        partition_of=_four_hours_key,
        skip_while_running=False,
    ),
    declare(
        jobs.hourly_rollup,
        cron="5 * * * *",
        environments=_RUNNING_SYSTEMS,
        description="The hour that ended five minutes ago.",
        partition_of=_hour_key,
        skip_while_running=False,
    ),
    declare(
        jobs.daily_rollup,
        cron="15 0 * * *",
        environments=_RUNNING_SYSTEMS,
        description="The UTC day that ended fifteen minutes ago.",
        partition_of=_day_key,
        skip_while_running=False,
    ),
    declare(
        jobs.learning,
        cron="10 2 * * *",
        environments=_RUNNING_SYSTEMS,
        description="Models, predictions and what became of them, for the day that ended.",
        partition_of=_day_key,
        skip_while_running=False,
    ),
)
