"""When the installation looks after itself: at night, away from the minutes of the crawls."""

from typing import Final

from aurastream.settings import Environment
from aurastream_assets import jobs
from schedules.declaration import declare

__all__ = ["MAINTENANCE_SCHEDULES"]

_RUNNING_SYSTEMS: Final[tuple[Environment, ...]] = ("local", "production")

MAINTENANCE_SCHEDULES: Final = (
    declare(
        jobs.retention,
        cron="3 3 * * *",
        environments=_RUNNING_SYSTEMS,
        description="Partitions of the coming days are made, those over age are dropped.",
        skip_while_running=True,
    ),
)
