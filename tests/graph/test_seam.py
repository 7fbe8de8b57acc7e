"""Where the replay's archive starts over: other videos, and no score calls that growth."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import httpx
import pandas as pd
import pytest

from aurastream.operations.history import HistoryLoader
from aurastream.operations.history_plan import Step
from aurastream.replay import cycles
from aurastream.replay.server import background
from aurastream.replay.youtube_world import load_youtube_world
from aurastream.settings import Settings
from aurastream.store.frames import Append, FrameStore
from aurastream.store.state import last_lists
from aurastream_assets.aggregation.runner import DbtRunner
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import FOUR_HOURS, WINDOW

DAY, HOUR, WEEK = timedelta(days=1), timedelta(hours=1), timedelta(weeks=1)
CHARTS = ["trending", "gaming", "music"]
TRENDS = ["views_trend", "viral_trend", "engagement_trend"]


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
    """Crawl three days before a seam and one after it; score every window.

    The first crawl after the seam gets the charts of one region of two.
    """
    assert installation
    monkeypatch.setenv("AURASTREAM_POSTGRES_URL", store.url)
    url, seam = world
    first, end = seam - 3 * DAY, seam + 28 * HOUR
    charts, games = (
        [Step(at, dataset) for at in pd.date_range(first + late, end, freq="6h").to_pydatetime()]
        for dataset, late in (
            ("youtube_trending", timedelta(minutes=25)),
            ("youtube_games", timedelta(minutes=40)),
        )
    )
    half = {
        "kind": "empty_answer",
        "platform": "youtube",
        "where": {"chart": "mostPopular", "regionCode": "US"},
        "start": seam.isoformat(),
        "end": (seam + HOUR).isoformat(),
    }
    httpx.post(f"{url}/_replay/faults", json=half).raise_for_status()
    steps = sorted(charts + games)
    for part in ([s for s in steps if s.at < seam], [s for s in steps if s.at >= seam]):
        with closing(HistoryLoader(Settings.from_env(), store, url)) as loader:
            loader.load(part)
    assert run("rescore", first=first, last=end - WINDOW).success
    return seam


def test_a_crawl_notes_that_another_source_answers_unless_the_last_was_long_ago(
    installation: dict[str, object],
    store: FrameStore,
    run: Callable[..., dg.ExecuteInProcessResult],
) -> None:
    assert installation
    trending = asset_key("collection", "youtube_trending")

    def crawl() -> datetime:
        assert run("signal", asset_selection=[trending]).success
        return pd.Timestamp(store.read("operations.crawls")["crawl_at"].max()).to_pydatetime()

    def stored(of: datetime, at: datetime, prefix: str) -> None:
        """Store a crawl as that of another source, or of another moment."""
        rows = store.read("collection.youtube_trending")
        lists = store.read("operations.crawls")
        of_it = [f[f["crawl_at"] == of].assign(crawl_at=at, observed_at=at) for f in (rows, lists)]
        of_it[0] = of_it[0].assign(video_id=prefix + of_it[0]["video_id"])
        names = ("collection.youtube_trending", "operations.crawls")
        store.commit([Append(n, f) for n, f in zip(names, of_it, strict=True)])

    def starts() -> list[tuple[object, ...]]:
        found = store.read("operations.source_starts", order_by="started_at")
        columns = ["started_at", "previous_crawl_at", "lists_kept"]
        return list(found[columns].itertuples(index=False, name=None))

    first = crawl()
    stored(first, first - timedelta(hours=13), "long ago ")
    assert last_lists(store, first).empty
    assert not last_lists(store, first - 12 * HOUR).empty
    second = crawl()
    assert starts() == []
    before = second + timedelta(milliseconds=1)
    stored(second, before, "other ")
    third = crawl()
    assert starts() == [(third, before, 0)]
    crawl()
    assert len(starts()) == 1


def test_no_score_takes_the_seam_for_growth(
    store: FrameStore,
    run: Callable[..., dg.ExecuteInProcessResult],
    tmp_path: Path,
    *,
    seam: datetime,
) -> None:
    crawls = store.read("operations.crawls", where={"dataset": "collection/youtube_trending"})
    partial = crawls[~crawls["is_complete"]]
    assert set(partial["region"]) == {"US"}
    [start] = store.read("operations.source_starts").itertuples()
    assert start.started_at == partial["crawl_at"].unique().item()
    assert (start.lists_kept, start.lists) == (0, 4)

    moved = store.read("intelligence.momentum")
    moved["hours"] = (moved["window_start"] - seam) / HOUR
    is_chart = moved["category"].isin(CHARTS)
    assert is_chart.sum() == len(CHARTS) * moved["window_start"].nunique()
    assert moved.loc[~is_chart & (moved["hours"] == 20), "category"].nunique() > 3
    day_after = moved["hours"].between(0, 24, inclusive="left")
    assert moved.loc[day_after, ["velocity_change", "viral_change"]].isna().all(axis=None)
    assert set(moved.loc[day_after & is_chart, "direction"]) == {"UNKNOWN"}
    day_before, later = moved["hours"].between(-24, 0, inclusive="left"), moved["hours"] >= 24
    for around in (day_before, later):
        assert moved.loc[around & is_chart, "velocity_change"].notna().mean() > 0.9
    # Nor is what was no change part of the usual ones.
    usual = moved.loc[day_before & is_chart, "changes_n"].max()
    assert (moved.loc[moved["hours"].eq(24) & is_chart, "changes_n"] <= usual + 1).all()

    trends = {}
    for window in (seam - FOUR_HOURS, seam):
        keywords = [asset_key("intelligence", "keyword_scores")]
        assert run("analyses", first=window, asset_selection=keywords).success
        found = store.read("intelligence.keyword_scores", where={"window_start": window})
        trends[window] = set(found["trend"])
    assert trends[seam] == {"UNKNOWN"} < trends[seam - FOUR_HOURS]

    runner = DbtRunner(store.url, tmp_path / "dbt")
    runner.build(["intel_hourly_metrics"], start=seam - 2 * DAY, end=seam + DAY)
    runner.build(["intel_daily_metrics"], start=seam - 2 * DAY, end=seam + DAY)
    days = store.query(
        "select category_key, date, views_trend, viral_trend, engagement_trend, momentum_index,"
        " avg_viral_count from aggregation.intel_daily_metrics where received_samples > 0"
    ).set_index(["date", "category_key"])
    after, before = days.loc[seam.date()], days.loc[(seam - DAY).date()]
    assert set(CHARTS) < set(after.index)
    assert after[TRENDS].isna().all(axis=None)
    assert (after["momentum_index"] == 10 * after["avg_viral_count"]).all()
    assert before.loc[CHARTS, "views_trend"].notna().all()
