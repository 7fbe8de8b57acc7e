"""Clips, the week and momentum as runs: from crawls to rows, documents and pictures."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from aurastream.store.frames import Append, FrameStore
from aurastream.store.readings import stream_totals
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import FOUR_HOURS, WINDOW
from resources.store import Redis
from tests.graph.evidence import (
    Clock,
    documents,
    failed_checks,
    metadata_of,
    move,
    newest_window,
)

Run = Callable[..., dg.ExecuteInProcessResult]
STREAM_KEYS = ("twitch:streams:", "twitch:top_games", "intel:competition:")


def last_four_hours() -> datetime:
    """Return the start of the last four-hour window that is over."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return now.replace(hour=now.hour - now.hour % 4) - FOUR_HOURS


@pytest.fixture
def window(run: Run, clock: Clock) -> datetime:
    """Collect clips twice and streams once late in the last half hour of a four-hour window."""
    last = move(clock, last_four_hours() + FOUR_HOURS - WINDOW)
    clock.offset -= timedelta(minutes=15)
    assert run("clips").success
    clock.offset += timedelta(minutes=15)
    for job in ("clips", "streams"):
        assert run(job).success
    return last


def test_without_keys_of_youtube_a_signal_run_scores_and_publishes_what_twitch_brought(
    run: Run,
    store: FrameStore,
    installation: dict[str, Redis],
    graph: dg.Definitions,
    *,
    window: datetime,
) -> None:
    charts = asset_key("collection", "youtube_trending")
    others = graph.resolve_job_def("signal").asset_layer.selected_asset_keys - {charts}

    result = run(
        "signal", first=window, asset_selection=sorted(others, key=lambda k: k.to_user_string())
    )

    assert result.success
    assert failed_checks(result) == set()
    assert store.read("collection.youtube_trending").empty
    assert len(store.read("intelligence.clip_intel")) > 0
    competition = store.read("intelligence.competition", where={"window_start": window})
    assert competition["viewer_total"].sum() > 0
    assert competition_of(documents(installation["redis"].url)).keys() == set(
        competition["category"]
    )


def test_a_signal_run_measures_the_clips_and_publishes_the_viral_ones(
    run: Run, store: FrameStore, installation: dict[str, Redis], *, window: datetime
) -> None:
    result = run("signal", first=window)

    assert result.success
    assert failed_checks(result) == set()
    clips = store.read("intelligence.clip_intel")
    seen = store.read("collection.clip_radar", columns=["clip_id"])
    assert set(clips["clip_id"]) == set(seen["clip_id"])
    assert set(clips["velocity_basis"].dropna()) == {"creation", "crawls"}
    viral = clips[clips["trend_class"] == "VIRAL"]
    assert len(viral) > 0
    activity = store.read("intelligence.clip_activity")
    assert activity["viral_count"].sum() == len(viral)
    said = metadata_of(result, asset_key("intelligence", "clip_intel"))
    assert said["viral_clips"] == len(viral)
    assert "data:image/svg+xml" in str(said["velocity"])

    games = store.read("operations.categories", where={"kind": "game"}).set_index("category")
    published = documents(installation["redis"].url)
    for game, rows in viral.groupby("category"):
        document = published[f"clip_radar:{games.loc[game, 'twitch_game_id']}:viral"]
        ordered = rows.sort_values(["velocity_per_hour", "clip_id"], ascending=[False, True])
        assert [clip.clip_id for clip in document.clips] == ordered["clip_id"].tolist()
        assert all(clip.title and clip.view_count >= 0 for clip in document.clips)
        assert document.as_of == window + WINDOW


def test_a_crawl_says_what_is_new_what_changed_what_it_cost_and_how_old_it_is(
    run: Run, clock: Clock
) -> None:
    for job, name in (("clips", "clip_radar"), ("streams", "twitch_streams")):
        key = asset_key("collection", name)
        clock.offset = timedelta()
        first = metadata_of(run(job), key)
        clock.offset = timedelta(minutes=5)
        second = metadata_of(run(job), key)
        assert first["new"] == first["rows"] > 0
        assert 0 <= second["new"] < second["rows"]
        assert {"changed", "quota_used", "coverage"} <= second.keys()
        assert 0 < int(str(second["quota_remaining"])) <= 800
        assert 0 < float(str(first["lag_s"])) < 600
        assert first["coverage"] == "unknown"


@pytest.mark.parametrize(("gap_h", "reach_h"), [(None, 6), (8, 8), (30, 24)])
def test_after_a_gap_clips_are_asked_for_from_the_last_complete_crawl_on_a_day_back_at_most(
    run: Run, store: FrameStore, clock: Clock, *, gap_h: int | None, reach_h: int
) -> None:
    if gap_h is not None:
        clock.offset = -timedelta(hours=gap_h)
        assert run("clips").success
        clock.offset = timedelta()

    assert run("clips").success

    crawls = store.read("operations.crawls", where={"dataset": "collection/clip_radar"})
    crawl_at = crawls["crawl_at"].max()
    assert crawls["is_complete"].all()
    clips = store.read("collection.clip_radar", where={"crawl_at": crawl_at})
    reached = crawl_at - clips["created_at"].min()
    assert timedelta(hours=reach_h - 0.5) < reached < timedelta(hours=reach_h, minutes=6)


@pytest.mark.parametrize(
    ("job", "prefixes"),
    [("clips", ("clip_radar:",)), ("streams", STREAM_KEYS)],
)
def test_what_is_good_for_minutes_is_published_by_the_run_that_collected_it(
    run: Run, installation: dict[str, Redis], *, job: str, prefixes: tuple[str, ...]
) -> None:
    began = datetime.now(UTC)
    assert run(job).success
    published = documents(installation["redis"].url)
    assert published
    assert all(key.startswith(prefixes) for key in published)
    ended = datetime.now(UTC)
    for document in published.values():
        assert began - timedelta(seconds=1) <= document.observed_at
        assert document.fresh_until > ended
        assert document.as_of <= ended


def test_competition_is_published_after_every_crawl_as_its_window_will_say(
    run: Run, store: FrameStore, clock: Clock, installation: dict[str, Redis]
) -> None:
    newest, url = newest_window(), installation["redis"].url
    move(clock, newest - WINDOW)
    assert run("streams").success
    before = competition_of(documents(url))
    clock.offset += timedelta(minutes=15)  # in a window that nobody has scored

    assert run("streams").success

    after = competition_of(documents(url))
    crawl = store.read("collection.twitch_streams", start=newest)
    assert after.keys() == before.keys() != set()
    for game, document in after.items():
        assert document.as_of > before[game].as_of
        assert document.window_start == newest
        assert document.fresh_until - document.observed_at == timedelta(minutes=15)
        assert document.observed_at >= crawl["crawl_at"].min() > before[game].observed_at
    totals = store.read("operations.crawls", where={"dataset": "collection/twitch_streams"})
    last = totals[totals["crawl_at"] == crawl["crawl_at"].max()].set_index("category")
    assert {game: d.viewer_total for game, d in after.items()} == last["viewer_total"].to_dict()

    assert run("rescore", first=newest).success
    stored = store.read("intelligence.competition", start=newest).set_index("category")
    for game, document in after.items():
        row = stored.loc[game]
        for name in ("observed_at", "live_count", "ease_score", "confidence_pct", "is_peak"):
            assert getattr(document, name) == row[name], (game, name)


def competition_of(published: dict[str, Any]) -> dict[str, Any]:
    found = [d for key, d in published.items() if key.startswith("intel:competition:")]
    return {document.category: document for document in found}


def test_crawls_add_their_viewers_up_for_the_time_after_the_streams(
    store: FrameStore, window: datetime
) -> None:
    totals = stream_totals(store, window, window + WINDOW).set_index("game_id")
    streams = store.read("collection.twitch_streams", columns=["game_id", "viewer_count"])

    assert totals["viewer_total"].to_dict() == (
        streams.groupby("game_id")["viewer_count"].sum().to_dict()
    )


def test_the_week_is_learned_from_crawls_and_competition_agrees_with_it(
    run: Run, store: FrameStore, window: datetime
) -> None:
    day = timedelta(days=1)
    times = pd.date_range(window - 20 * day, window, freq="1h", tz="UTC")
    local = times.tz_convert("America/New_York").hour
    crawls = pd.DataFrame(
        {
            "crawl_at": times,
            "dataset": "collection/twitch_streams",
            "category": "minecraft",
            "region": "",
            "observed_at": times,
            "expected": pd.array([None] * len(times), dtype="Int64"),
            "got": 60,
            "rejected": 0,
            "is_complete": True,
            "reason": "",
            "membership_hash": "",
            "stats_hash": "",
            "viewer_total": [9000 if 3 <= hour < 9 else 1000 for hour in local],
        }
    )
    store.commit([Append("operations.crawls", crawls)])

    first = last_four_hours()
    assert run("signal", first=window).success
    result = run("analyses", first=first)

    assert result.success
    assert not {name for name in failed_checks(result) if "hour_of_week" in name}
    week = store.read("intelligence.hour_of_week_map", where={"category": "minecraft"})
    assert len(week) == 168
    assert set(week["peak_source"]) == {"learned"}
    assert set(week.loc[week["is_peak"], "hour_of_week"] % 24) == set(range(3, 9))
    rival = store.read("intelligence.competition", where={"category": "minecraft"}).iloc[0]
    hour = pd.Timestamp(window).tz_convert("America/New_York").hour
    assert (rival["peak_source"], rival["is_peak"]) == ("learned", 3 <= hour < 9)
    assert rival["baseline_live_count"] == pytest.approx(60)
    others = store.read("intelligence.competition")
    assert set(others.loc[others["category"] != "minecraft", "peak_source"]) == {"fixed"}


def test_clips_per_hour_are_counted_where_crawls_reach_and_little_history_is_unknown(
    run: Run, store: FrameStore, window: datetime
) -> None:
    assert run("signal", first=window).success
    result = run("analyses", first=last_four_hours())

    assert result.success
    hours = store.read("intelligence.clip_hours")
    clips = store.read("collection.clip_radar", columns=["game_id", "clip_id", "created_at"])
    once = clips.drop_duplicates(["game_id", "clip_id"])
    full = once["created_at"].dt.floor("h").isin(hours["hour_start"])
    assert hours["clip_count"].sum() == full.sum() > 0
    relations = store.read("intelligence.clip_video_lead_lag")
    assert set(relations["relation"]) == {"UNKNOWN"}
    assert relations["lag_h"].isna().all()
