"""The naming law as constants: stages, asset keys, worker tags, pools and timeouts.

Folder = group = first key part = Postgres schema. The worker names are the fourteen rows of the
benchmark table; expected durations are that table's, timeouts are the worker configuration's.
"""

from dataclasses import dataclass
from typing import Final, Literal

import dagster as dg

from aurastream.sources.ports import Platform

__all__ = ["OWNER", "STAGES", "WORKERS", "Pool", "Stage", "Worker", "asset_key"]

Stage = Literal[
    "collection", "intelligence", "aggregation", "reporting", "generation", "maintenance"
]
STAGES: Final[tuple[Stage, ...]] = (
    "collection",
    "intelligence",
    "aggregation",
    "reporting",
    "generation",
    "maintenance",
)
Pool = Literal["youtube", "twitch", "dbt", "generation"]
OWNER: Final = "team:aurastream"


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker of the hierarchy: what its runs may take and how urgent they are."""

    name: str
    expected_duration_s: int
    timeout_s: int
    priority: int  # dagster/priority: higher is dequeued first
    platform: Platform | None = None  # that its crawls ask, or whose crawls it follows

    def tags(self) -> dict[str, str]:
        """Return the tags that every asset and run of this worker carries."""
        return {
            "worker": self.name,
            "priority": str(self.priority),
            "expected_duration_s": str(self.expected_duration_s),
            "timeout_s": str(self.timeout_s),
        }


WORKERS: Final = {
    w.name: w
    for w in (
        Worker("youtube_worker_trending", 30, 600, 10, "youtube"),
        Worker("youtube_worker_games", 120, 600, 10, "youtube"),
        Worker("twitch_streams_worker", 60, 300, 10, "twitch"),
        Worker("clip_radar_worker", 30, 240, 5, "twitch"),
        Worker("creator_intel_worker", 600, 1800, 10),
        Worker("thumbnail_intel_worker", 900, 1800, 0),
        Worker("intel_aggregation_hourly", 60, 300, 5),
        Worker("intel_aggregation_daily", 120, 600, 0),
        Worker("playbook_worker", 180, 600, 5),
        Worker("analytics_flush_worker", 60, 600, 5),
        Worker("coach_cleanup_worker", 30, 300, 0),
        Worker("clip_radar_recap_worker", 300, 3600, 0),
        Worker("generation_worker", 30, 300, 20),
        Worker("twitch_worker", 60, 600, 20),
    )
}


def asset_key(stage: Stage, name: str) -> dg.AssetKey:
    """Return the key of a dataset: stage first, so that it is also its table's address."""
    return dg.AssetKey([stage, name])
