"""A database with the source tables, filled row by row with values a person can add up."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
from psycopg.rows import dict_row

from aurastream.store.frames import Append, FrameStore, Replace, Upsert
from aurastream.store.tables import metadata
from aurastream_assets.aggregation.project import load_manifest
from aurastream_assets.aggregation.runner import DbtRunner, NodeResult

__all__ = ["COLLECTION_HOURS", "DAYS", "HOURS", "SOURCES", "Warehouse", "at"]

HOURS = "intel_hourly_metrics"
COLLECTION_HOURS = "intel_collection_hours"
DAYS = (
    "intel_daily_metrics",
    "intel_duration_performance",
    "intel_regional_performance",
    "intel_premiere_performance",
    "intel_channel_days",
    "intel_posting_hours",
    "intel_stream_hours",
    "intel_competition_days",
    "intel_insight_days",
)

SOURCES = (
    "intelligence.video_velocity",
    "intelligence.viral_scores",
    "intelligence.competition",
    "intelligence.opportunity",
    "intelligence.title_intel",
    "intelligence.clip_video_lead_lag",
    "intelligence.viewer_anomalies",
    "collection.youtube_videos",
    "collection.youtube_channels",
    "collection.twitch_streams",
    "operations.categories",
    "operations.crawls",
    "operations.quota_ledger",
    "operations.quota_exhaustion",
    "operations.source_starts",
)
_DEFAULTS: dict[str, dict[str, Any]] = {
    "intelligence.video_velocity": {
        "category": "music",
        "channel_id": "channel",
        "region_count": 1,
        "audio_language": "en",
        "velocity_now_n": 2,
        "views_fell": False,
        "freshness": "FRESH",
        "confidence_pct": 100.0,
    },
    "intelligence.viral_scores": {
        "category": "music",
        "confidence_pct": 100.0,
        "sample_count": 50,
    },
    "intelligence.opportunity": {
        "category": "music",
        "viral_count": 0,
        "rising_count": 0,
        "sample_count": 50,
        "trend_part": 0.0,
        "velocity_part": 0.0,
        "ease_part": 50.0,
        "peak_factor": 1.0,
        "confidence_pct": 100.0,
    },
    "operations.categories": {
        "kind": "chart",
        "priority": 1,
        "interval_minutes": 30,
        "max_videos": 50,
        "baseline_velocity_per_hour": 1000.0,
        "audience_timezone": "UTC",
        "rules": {},
        "is_enabled": True,
    },
    "operations.crawls": {
        "region": "",
        "got": 1,
        "rejected": 0,
        "is_complete": True,
        "reason": "",
        "membership_hash": "m",
        "stats_hash": "s",
    },
    "operations.source_starts": {
        "dataset": "collection/youtube_trending",
        "lists": 32,
        "lists_kept": 0,
    },
    "collection.twitch_streams": {
        "rank": 1,
        "user_id": "user",
        "user_login": "user",
        "user_name": "User",
        "title": "A stream",
        "language": "en",
        "tags": [],
        "fetch_id": "00000000-0000-0000-0000-000000000000",
    },
    "intelligence.title_intel": {
        "pattern": "question",
        "title_count": 50,
        "pattern_count": 10,
        "pattern_share": 0.2,
        "with_count": 10,
        "without_count": 40,
        "cohort_count": 3,
        "cluster_count": 9,
        "lift": 1.5,
        "ci_low": 1.1,
        "ci_high": 2.0,
        "p_value": 0.01,
        "q_value": 0.02,
        "verdict": "FASTER",
    },
    "intelligence.clip_video_lead_lag": {
        "relation": "LEADS",
        "lag_h": 3,
        "lag_low_h": 2,
        "lag_high_h": 4,
        "correlation": 0.5,
        "band": 0.3,
        "p_value": 0.01,
        "common_hours": 168,
        "clip_hours": 200,
        "video_hours": 180,
        "resolution_h": 1.0,
    },
    "intelligence.viewer_anomalies": {
        "user_id": "user",
        "direction": "UNKNOWN",
        "sample_count": 0,
        "known_count": 0,
        "anomaly_count": 0,
    },
    "intelligence.competition": {
        "baseline_n": 4,
        "saturation_score": 50.0,
        "concentration_score": 50.0,
        "ease_score": 50.0,
        "is_peak": False,
        "peak_source": "fixed",
        "confidence_pct": 100.0,
    },
    "collection.youtube_channels": {
        "title": "A channel",
        "fetch_id": "00000000-0000-0000-0000-000000000000",
    },
    "collection.youtube_videos": {
        "metadata_hash": "h",
        "description": "",
        "tags": [],
        "channel_id": "channel",
        "channel_title": "A channel",
        "topic_categories": [],
    },
}


def at(text: str) -> datetime:
    """Return a UTC moment: `at("2026-11-20 10:25")`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class Warehouse:
    """The record as the rollups see it.

    What is inserted is written in one transaction as soon as anybody asks for the record: a row at
    a time, a test of some hundred rows is some hundred transactions.
    """

    def __init__(self, url: str, work_dir: Path) -> None:
        self._url = url
        self._store = FrameStore(url)
        self._runner = DbtRunner(url, work_dir)
        self._kinds: dict[str, str] = {}
        self._waiting: dict[str, list[dict[str, Any]]] = {}

    @property
    def url(self) -> str:
        self._write()
        return self._url

    @property
    def store(self) -> FrameStore:
        self._write()
        return self._store

    @property
    def runner(self) -> DbtRunner:
        self._write()
        return self._runner

    def insert(self, table: str, *rows: dict[str, Any]) -> None:
        """Insert rows; what a row does not say has an unremarkable default, or is null."""
        filled = [{**_DEFAULTS.get(table, {}), **row} for row in rows]
        if table == "operations.categories":
            self._kinds |= {row["category"]: row["kind"] for row in filled}
        self._waiting.setdefault(table, []).extend(filled)

    def _write(self) -> None:
        waiting, self._waiting = self._waiting, {}
        writes: list[Append | Upsert] = []
        for name, rows in waiting.items():
            table = metadata.tables[name]
            frame = pd.DataFrame(rows, dtype=object)
            frame = frame.reindex(columns=[column.name for column in table.columns])
            key = [column.name for column in table.primary_key if column.name in frame]
            if "partition_by" in table.info:
                writes.append(Append(name, frame.drop_duplicates(key, keep="first")))
            else:
                writes.append(Upsert(name, frame.drop_duplicates(key, keep="last")))
        if writes:
            self._store.commit(writes)

    def categories(self, *names: str, **values: Any) -> None:
        self.insert(
            "operations.categories",
            *({"category": name, "title": name.title(), **values} for name in names),
        )

    def video(self, window: str, video_id: str = "a", **values: Any) -> None:
        """Put a video into a half-hour window, seen five minutes before the window's end."""
        start = at(window)
        trend_class = values.pop("trend_class", "STABLE")
        row = {
            "window_start": start,
            "video_id": video_id,
            "observed_at": start + timedelta(minutes=25),
            **values,
        }
        self.insert("intelligence.video_velocity", row)
        score = {k: row[k] for k in ("window_start", "video_id", "category") if k in row}
        self.insert("intelligence.viral_scores", {**score, "trend_class": trend_class})
        self._crawl(row.get("category", "music"), row["observed_at"])

    def _crawl(self, category: str, moment: datetime) -> None:
        """Note that the category's own chart or game was asked for and had nothing new."""
        kind = self._kinds.get(category)
        if kind is None:
            return
        own = "youtube_trending" if kind == "chart" else "youtube_games"
        self.insert(
            "operations.crawls",
            {
                "crawl_at": moment,
                "observed_at": moment,
                "dataset": f"collection/{own}",
                "category": category,
                "got": 0,
            },
        )

    def replace_window(self, window: str) -> None:
        """Score a window again, to nothing."""
        start = at(window)
        for table in ("intelligence.video_velocity", "intelligence.viral_scores"):
            columns = [column.name for column in metadata.tables[table].columns]
            empty = pd.DataFrame(columns=columns, dtype=object)
            self.store.commit([Replace(table, empty, start, start + timedelta(minutes=30))])

    def roll_hours(self, start: str, end: str) -> list[NodeResult]:
        return self.runner.build(["intel_hourly_metrics"], start=at(start), end=at(end))

    def roll_days(self, start: str, end: str) -> list[NodeResult]:
        """Roll the hours of some days up, then the days."""
        self.roll_hours(start, end)
        return self.runner.build(["intel_daily_metrics"], start=at(start), end=at(end))

    def roll_all(self, start: str, end: str) -> list[NodeResult]:
        """Roll hours and every table of days up, with their tests."""
        self.roll_hours(start, end)
        return self.runner.build([*DAYS, *self.tests_of(*DAYS)], start=at(start), end=at(end))

    def tests_of(self, *models: str) -> list[str]:
        """Return the names of the data tests of some models."""
        nodes = load_manifest()["nodes"].values()
        ids = {f"model.aurastream.{name}" for name in models}
        return [n["name"] for n in nodes if n.get("attached_node") in ids]

    def publish(self, *marts: str) -> None:
        """Define views, and the tables they read, where they are missing."""
        for level in ((HOURS, COLLECTION_HOURS), DAYS, marts):
            missing = [
                name
                for name in level
                if not (self.has(f"aggregation.{name}") or self.has(f"marts.{name}"))
            ]
            if missing:
                self.runner.build(missing)

    def has(self, relation: str) -> bool:
        """Return whether there is such a table or view."""
        return bool(self.rows(f"select to_regclass('{relation}') is not null as there")[0]["there"])

    def rows(self, query: str) -> list[dict[str, Any]]:
        with psycopg.connect(self.url, row_factory=dict_row) as connection:
            return connection.execute(query).fetchall()

    def hours(self, category: str = "music") -> list[dict[str, Any]]:
        return self.rows(
            "select * from aggregation.intel_hourly_metrics "
            f"where category_key = '{category}' order by hour_start"
        )

    def days(self, category: str = "music") -> list[dict[str, Any]]:
        return self.rows(
            "select * from aggregation.intel_daily_metrics "
            f"where category_key = '{category}' order by date"
        )

    def checksum(self, table: str) -> str:
        """Return a digest of every column of every row."""
        found = self.rows(
            f"select md5(string_agg(t::text, '|' order by t::text)) as digest from {table} as t"
        )
        return str(found[0]["digest"])
