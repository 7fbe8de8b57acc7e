"""A small made-up archive in which the truth is known, and the recorded one where it is at hand."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ARCHIVE = Path(__file__).resolve().parents[4] / "shared" / "data" / "youtube_trending"

FIRST = pd.Timestamp("2026-01-01T03:00Z")


@pytest.fixture(scope="session")
def recorded() -> Path:
    if not list(ARCHIVE.glob("charts_*.parquet")):
        pytest.skip(f"no archive at {ARCHIVE}")
    return ARCHIVE


@pytest.fixture
def chart_row() -> Callable[..., dict[str, object]]:
    def build(video: str, day: int, **changes: object) -> dict[str, object]:
        fetched = FIRST + pd.Timedelta(days=day)
        return {
            "snapshot_date": f"{fetched:%Y-%m-%d}",
            "country": "US",
            "chart_rank": 10,
            "video_id": video,
            "fetched_at": fetched,
            "published_at": fetched - pd.Timedelta(hours=10),
            "title": f"Title of {video}",
            "channel_id": f"channel of {video}",
            "channel_title": f"Channel of {video}",
            "category_id": "20",
            "tags": "one, two",
            "default_language": "en",
            "audio_language": "en-US",
            "is_live": False,
            "duration_s": 300,
            "definition": "hd",
            "caption_available": False,
            "licensed_content": True,
            "views": 1000,
            "likes": 50,
            "comments": 5,
        } | changes

    return build


@pytest.fixture
def observation() -> Callable[..., dict[str, object]]:
    def build(video: str, day: int, views: int, **changes: object) -> dict[str, object]:
        fetched = FIRST + pd.Timedelta(days=day)
        return {
            "video_id": video,
            "snapshot_date": f"{fetched:%Y-%m-%d}",
            "fetched_at": fetched,
            "views": views,
            "likes": 50,
            "comments": 5,
            "n_countries_110": 1,
            "best_rank": 10,
        } | changes

    return build


@pytest.fixture
def archive_at(
    tmp_path: Path,
) -> Callable[[list[dict[str, object]], list[dict[str, object]]], Path]:
    def write(charts: list[dict[str, object]], seen: list[dict[str, object]]) -> Path:
        pd.DataFrame(charts).to_parquet(tmp_path / "charts_test.parquet")
        pd.DataFrame(seen).to_parquet(tmp_path / "observations_test.parquet")
        return tmp_path

    return write


@pytest.fixture
def crowd(
    chart_row: Callable[..., dict[str, object]],
    observation: Callable[..., dict[str, object]],
    archive_at: Callable[[list[dict[str, object]], list[dict[str, object]]], Path],
) -> Path:
    """Sixty days, twelve videos a day; those with many comments are the ones that grow."""
    rng = np.random.default_rng(5)
    charts, seen = [], []
    for day in range(60):
        for i in range(12):
            video = f"v{day:02d}-{i:02d}"
            views, comments = int(rng.lognormal(8, 1)), int(rng.lognormal(3, 1)) + 1
            charts.append(
                chart_row(
                    video,
                    day,
                    views=views,
                    comments=comments,
                    channel_id=f"c{rng.integers(80)}",
                    chart_rank=i + 1,
                    country=("US", "US", "US", "GB")[i % 4],
                )
            )
            seen.append(observation(video, day, views))
            if comments > 40:
                seen.append(
                    observation(
                        video,
                        day + 1,
                        views + comments * 1000,
                        n_countries_110=int(comments),
                    )
                )
    return archive_at(charts, seen)
