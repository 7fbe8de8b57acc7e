"""Which job a worker's name stands for, and which partition "now" means to it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from aurastream.core.errors import AuraStreamError
from aurastream.operations.schedule_policy import (
    day_before,
    four_hours_before,
    hour_before,
    window_of,
)

__all__ = ["WORKER_JOBS", "WorkerJob", "job_of_worker"]

_KEY: Final = "%Y-%m-%d-%H:%M"
_DAY: Final = "%Y-%m-%d"


@dataclass(frozen=True, slots=True)
class WorkerJob:
    """The job of a worker, and the kind of its partitions."""

    job: str
    partitions: Literal["none", "window", "four_hours", "hour", "day"] = "none"

    def partition_at(self, now: datetime) -> str | None:
        """Return the partition that a run at ``now`` is for: the newest that makes sense."""
        match self.partitions:
            case "window":
                return window_of(now).strftime(_KEY)
            case "four_hours":
                return four_hours_before(now).strftime(_KEY)
            case "hour":
                return hour_before(now).strftime(_KEY)
            case "day":
                return day_before(now).strftime(_DAY)
            case _:
                return None


WORKER_JOBS: Final = {
    "youtube_worker_trending": WorkerJob("signal", "window"),
    "youtube_worker_games": WorkerJob("games"),
    "twitch_streams_worker": WorkerJob("streams"),
    "clip_radar_worker": WorkerJob("clips"),
    "creator_intel_worker": WorkerJob("rescore", "window"),
    "thumbnail_intel_worker": WorkerJob("thumbnails", "four_hours"),
    "intel_aggregation_hourly": WorkerJob("hourly_rollup", "hour"),
    "intel_aggregation_daily": WorkerJob("daily_rollup", "day"),
}


def job_of_worker(worker: str) -> WorkerJob:
    """Return the job of a worker.

    Raises
    ------
    AuraStreamError
        When there is no such worker; the message lists those there are.
    """
    try:
        return WORKER_JOBS[worker]
    except KeyError:
        raise AuraStreamError(
            f"There is no worker {worker!r}.", fix=f"Choose one of {', '.join(WORKER_JOBS)}."
        ) from None
