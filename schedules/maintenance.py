"""When the installation looks after itself: at night, away from the minutes of the crawls."""

from datetime import UTC, datetime, timedelta
from typing import Final

from aurastream.settings import Environment
from aurastream_assets import jobs
from aurastream_assets.partitions import months
from schedules.declaration import declare

__all__ = ["MAINTENANCE_SCHEDULES"]

_RUNNING_SYSTEMS: Final[tuple[Environment, ...]] = ("local", "production")


def _month_key(moment: datetime) -> str:
    last_month = moment.astimezone(UTC).replace(day=1) - timedelta(days=1)
    return last_month.replace(day=1).strftime(months.fmt)


MAINTENANCE_SCHEDULES: Final = (
    declare(
        jobs.retention,
        cron="3 3 * * *",
        environments=_RUNNING_SYSTEMS,
        description="Partitions of the coming days are made, what is over age goes.",
        skip_while_running=True,
    ),
    declare(
        jobs.expire,
        cron="36 * * * *",
        environments=_RUNNING_SYSTEMS,
        description="What the terms let us keep for a day only goes in time.",
        skip_while_running=True,
    ),
    declare(
        jobs.archive,
        cron="0 1 1 * *",
        environments=_RUNNING_SYSTEMS,
        description="The month before, as Parquet.",
        partition_of=_month_key,
        skip_while_running=False,
    ),
)
