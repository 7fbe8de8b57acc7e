"""Where the replay's archive starts over: other videos, and no score calls that growth."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from aurastream.operations.history import HistoryLoader
from aurastream.operations.history_plan import Step
from aurastream.replay import cycles
from aurastream.replay.server import background
from aurastream.replay.youtube_world import load_youtube_world
from aurastream.settings import Settings
from aurastream.store.frames import FrameStore
from aurastream_assets.aggregation.runner import DbtRunner
from aurastream_assets.partitions import WINDOW

DAY, HOUR, WEEK = timedelta(days=1), timedelta(hours=1), timedelta(weeks=1)
CHARTS = ["trending", "gaming", "music"]
TRENDS = ["views_trend", "viral_trend", "engagement_trend"]
LATE_IN_A_WINDOW = timedelta(minutes=25)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, datetime]]:
    """A replay that started over on the last Sunday two days ago or more, and when that was."""
    epoch = datetime.fromtimestamp(cycles.EPOCH, UTC)
    seam = epoch + (datetime.now(UTC) - 2 * DAY - epoch) // WEEK * WEEK
    load_youtube_world.cache_clear()
    monkeypatch.setattr(cycles, "EPOCH", int(seam.timestamp()))
    with background() as url:
        yield url, seam
    load_youtube_world.cache_clear()


@pytest.fixture
def seam(
    monkeypatch: pytest.MonkeyPatch,
    installation: dict[str, object],
    store: FrameStore,
    run: Callable[..., dg.ExecuteInProcessResult],
    *,
    world: tuple[str, datetime],
) -> datetime:
    """Crawl the charts of three days before a seam and of one after it; score every window."""
    assert installation
    monkeypatch.setenv("AURASTREAM_POSTGRES_URL", store.url)
    url, seam = world
    first, end = seam - 3 * DAY, seam + 26 * HOUR
    crawls = pd.date_range(first + LATE_IN_A_WINDOW, end, freq="6h").to_pydatetime()
    with closing(HistoryLoader(Settings.from_env(), store, url)) as loader:
        loader.load([Step(at, "youtube_trending") for at in crawls])
    assert run("rescore", first=first, last=end - WINDOW).success
    return seam


def test_no_score_takes_the_seam_for_growth(
    store: FrameStore, tmp_path: Path, *, seam: datetime
) -> None:
    moved = store.read("intelligence.momentum", where={"category": CHARTS})
    moved["hours"] = (moved["window_start"] - seam) / HOUR
    assert set(moved["category"]) == set(CHARTS)
    day_after = moved["hours"].between(0, 24, inclusive="left")
    assert moved.loc[day_after, ["velocity_change", "viral_change"]].isna().all(axis=None)
    assert set(moved.loc[day_after, "direction"]) == {"UNKNOWN"}
    for around in (moved["hours"].between(-24, 0, inclusive="left"), moved["hours"] >= 24):
        assert moved.loc[around, "velocity_change"].notna().mean() > 0.9

    runner = DbtRunner(store.url, tmp_path / "dbt")
    runner.build(["intel_hourly_metrics"], start=seam - 2 * DAY, end=seam + DAY)
    runner.build(["intel_daily_metrics"], start=seam - 2 * DAY, end=seam + DAY)
    days = store.query(
        "select category_key, date, views_trend, viral_trend, engagement_trend, momentum_index,"
        " avg_viral_count from aggregation.intel_daily_metrics"
        " where category_key = any(%(charts)s)",
        {"charts": CHARTS},
    ).set_index(["date", "category_key"])
    after, before = days.loc[seam.date()], days.loc[(seam - DAY).date()]
    assert after["avg_viral_count"].notna().all()
    assert after[TRENDS].isna().all(axis=None)
    assert (after["momentum_index"] == 10 * after["avg_viral_count"]).all()
    assert before["views_trend"].notna().all()
