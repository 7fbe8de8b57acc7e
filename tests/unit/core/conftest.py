"""Builders of collection frames, with every column that matters and none that does not."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

Build = Callable[..., pd.DataFrame]


def _time(value: str) -> pd.Timestamp:
    return pd.Timestamp(value, tz="UTC")


def build_trending(*rows: dict[str, Any]) -> pd.DataFrame:
    """Rows of collection.youtube_trending; each needs `at`, the rest has defaults."""
    return pd.DataFrame(
        {
            "observed_at": pd.DatetimeIndex(
                [_time(r.get("observed", r["at"])) for r in rows], dtype="datetime64[us, UTC]"
            ),
            "chart": [r.get("chart", "gaming") for r in rows],
            "region": [r.get("region", "US") for r in rows],
            "video_id": [r.get("video", "v1") for r in rows],
            "rank": [r.get("rank", 1) for r in rows],
            "views": pd.array([r.get("views", 1000) for r in rows], dtype="Int64"),
            "likes": pd.array([r.get("likes", 50) for r in rows], dtype="Int64"),
            "comments": pd.array([r.get("comments", 10) for r in rows], dtype="Int64"),
            "metadata_hash": [r.get("hash", "h1") for r in rows],
            "crawl_at": pd.DatetimeIndex(
                [_time(r["at"]) for r in rows], dtype="datetime64[us, UTC]"
            ),
        }
    )


def build_games(*rows: dict[str, Any]) -> pd.DataFrame:
    """Rows of collection.youtube_games."""
    frame = build_trending(*rows).drop(columns=["chart", "region", "rank"])
    return frame.assign(game=[r.get("game", "minecraft") for r in rows])


def build_videos(*rows: dict[str, Any]) -> pd.DataFrame:
    """Rows of collection.youtube_videos."""
    return pd.DataFrame(
        {
            "video_id": [r.get("video", "v1") for r in rows],
            "metadata_hash": [r.get("hash", "h1") for r in rows],
            "first_observed_at": pd.DatetimeIndex(
                [_time(r.get("first", "2026-01-01T00:00")) for r in rows],
                dtype="datetime64[us, UTC]",
            ),
            "channel_id": [r.get("channel", "c1") for r in rows],
            "published_at": pd.DatetimeIndex(
                [
                    None
                    if r.get("published", "") is None
                    else r.get("published", "2026-01-09T00:00")
                    for r in rows
                ]
            )
            .tz_localize("UTC")
            .as_unit("us"),
            "duration_s": pd.array([r.get("duration", 60) for r in rows], dtype="Int64"),
            "default_language": [r.get("title_language") for r in rows],
            "audio_language": [r.get("audio") for r in rows],
        }
    )


def build_streams(*rows: dict[str, Any]) -> pd.DataFrame:
    """Rows of collection.twitch_streams."""
    return pd.DataFrame(
        {
            "observed_at": [_time(r.get("observed", r["at"])) for r in rows],
            "crawl_at": [_time(r["at"]) for r in rows],
            "game_id": [r.get("game", "g1") for r in rows],
            "stream_id": [r.get("stream", f"s{i}") for i, r in enumerate(rows)],
            "viewer_count": [r.get("viewers", 10) for r in rows],
        }
    )


def build_velocity(velocities: list[Any], **columns: Any) -> pd.DataFrame:
    """One category's rows of intelligence.video_velocity in one window."""
    n = len(velocities)
    return pd.DataFrame(
        {
            "window_start": pd.DatetimeIndex(
                [columns.get("window", "2026-01-10T10:00")] * n, dtype="datetime64[us]"
            ).tz_localize("UTC"),
            "category": [columns.get("category", "gaming")] * n,
            "video_id": [f"v{i:04d}" for i in range(n)],
            "lifetime_velocity_per_hour": pd.array(velocities, dtype="Float64").to_numpy(
                "float64", na_value=float("nan")
            ),
            "views": pd.array(columns.get("views", [1000] * n), dtype="Int64"),
            "engagement_rate": pd.array(
                columns.get("engagement", [0.05] * n), dtype="Float64"
            ).to_numpy("float64", na_value=float("nan")),
            "confidence_pct": [float(columns.get("confidence", 100.0))] * n,
        }
    )


@pytest.fixture(scope="session")
def trending() -> Build:
    return build_trending


@pytest.fixture(scope="session")
def games() -> Build:
    return build_games


@pytest.fixture(scope="session")
def videos() -> Build:
    return build_videos


@pytest.fixture(scope="session")
def streams() -> Build:
    return build_streams


@pytest.fixture(scope="session")
def velocity_rows() -> Build:
    return build_velocity
