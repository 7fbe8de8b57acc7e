"""Answers that are wrong in what they say: collected, scored and published, or quarantined."""

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta

import dagster as dg
import numpy as np
import pytest

from aurastream.store.document_schemas import TrendingDocument
from aurastream.store.frames import FrameStore, Replace
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import WINDOW
from resources.store import Redis
from tests.graph.evidence import (
    Clock,
    assert_every_number_is_one,
    assert_nothing_is_counted_twice,
    documents,
    failed_checks,
    metadata_of,
    move,
    newest_window,
    scores,
)

Run = Callable[..., dg.ExecuteInProcessResult]
Fault = Callable[..., None]
LONG_AGO = "2026-11-01T00:00:00Z"


@pytest.fixture
def window(clock: Clock) -> datetime:
    """Return the window that the platforms' clock is late in."""
    return move(clock, newest_window())


@pytest.fixture
def redis_of(installation: dict[str, Redis]) -> str:
    return installation["redis"].url


def everywhere(fault: Fault, path: str, value: object = None, **options: object) -> None:
    """Change a field of every video of every chart."""
    fault(
        "malformed_item",
        platform="youtube",
        options={"index": "all", "path": path, "value": value, **options},
    )


SPOILED = [
    {"path": "snippet.publishedAt", "value": "yesterday"},
    {"path": "snippet.publishedAt", "value": "0001-01-01T00:00:00+14:00"},
    {"path": "snippet.title", "value": 7},
    {"path": "snippet.title", "value": "a\0b"},
    {"path": "snippet.channelId", "drop": True},
    {"path": "statistics.viewCount", "value": "-5"},
    {"path": "statistics.viewCount", "value": "9" * 30},
    {"path": "statistics.viewCount", "value": str(2**63 - 1)},
    {"path": "contentDetails.duration", "value": "two minutes"},
    {"path": "id", "drop": True},
    {"path": "snippet", "drop": True},
]


def test_an_item_with_a_malformed_or_missing_field_costs_itself_alone(
    run: Run, fault: Fault, store: FrameStore, window: datetime
) -> None:
    for place, spoiled in enumerate(SPOILED, start=1):  # the first item stays as it is
        fault("malformed_item", platform="youtube", options={"index": place, **spoiled})

    result = run("signal", first=window)

    assert result.success
    crawls = store.read("operations.crawls").set_index(["category", "region"])
    assert (crawls["got"] + crawls["rejected"] == crawls["expected"]).all()
    chart = crawls.loc[("trending", "US")]  # the one that always has a full page
    assert chart["rejected"] == len(SPOILED)
    # That many are more than a tenth: what is left is not taken for the whole chart.
    assert chart["reason"] == f"{len(SPOILED)} of {chart['expected']} items were rejected"
    assert not chart["is_complete"]
    quarantine = store.read("operations.quarantine")
    assert len(quarantine) == crawls["rejected"].sum() == metadata_of(result)["rejected"]
    assert quarantine["reason"].str.len().gt(0).all()
    assert all(json.loads(raw) for raw in quarantine["raw"])
    # Its siblings keep their places in the chart.
    for name, found in store.read("collection.youtube_trending").groupby(["chart", "region"]):
        whole = range(1, crawls.loc[name, "expected"] + 1)
        assert sorted(found["rank"]) == [n for n in whole if not 1 < n <= 1 + len(SPOILED)]


def test_what_a_chart_held_before_is_scored_where_many_of_its_videos_are_not_understood(
    run: Run, fault: Fault, store: FrameStore, clock: Clock
) -> None:
    newest = newest_window()
    run("signal", first=move(clock, newest - WINDOW))
    for place, spoiled in enumerate(SPOILED, start=1):
        fault("malformed_item", platform="youtube", options={"index": place, **spoiled})

    assert run("signal", first=move(clock, newest)).success

    before, after = (
        set(scores(store, window)["video_velocity"].query("category == 'trending'")["video_id"])
        for window in (newest - WINDOW, newest)
    )
    assert before <= after


def test_a_video_without_statistics_is_kept_and_has_no_velocity(
    run: Run, fault: Fault, store: FrameStore, window: datetime, redis_of: str
) -> None:
    everywhere(fault, "statistics", drop=True)

    assert run("signal", first=window).success

    assert store.read("operations.quarantine").empty
    counters = store.read("collection.youtube_trending")[["views", "likes", "comments"]]
    assert len(counters) > 0
    assert counters.isna().all(axis=None)
    found = scores(store)
    assert found["video_velocity"]["lifetime_velocity_per_hour"].isna().all()
    assert set(found["viral_scores"]["trend_class"]) == {"UNKNOWN"}
    assert found["opportunity"]["opportunity_score"].isna().all()
    assert documents(redis_of)


def test_a_video_without_a_date_of_publication_is_kept_and_has_no_age(
    run: Run, fault: Fault, store: FrameStore, window: datetime
) -> None:
    everywhere(fault, "snippet.publishedAt", drop=True)

    result = run("signal", first=window)

    assert failed_checks(result) == {"intelligence/viral_scores:known_share"}
    assert store.read("operations.quarantine").empty
    velocity = scores(store)["video_velocity"]
    assert velocity["views"].notna().any()
    assert velocity[["published_at", "age_h", "lifetime_velocity_per_hour"]].isna().all(axis=None)


def test_hidden_likes_are_null_from_the_answer_to_the_document(
    run: Run, fault: Fault, store: FrameStore, window: datetime, redis_of: str
) -> None:
    fault("hidden_counts", platform="youtube")

    result = run("signal", first=window)

    assert failed_checks(result) == set()
    collected = store.read("collection.youtube_trending")
    assert collected["views"].notna().any()
    assert collected[["likes", "comments"]].isna().all(axis=None)
    found = scores(store)
    assert found["video_velocity"][["likes", "comments", "engagement_rate"]].isna().all(axis=None)
    assert found["viral_scores"]["engagement_score"].isna().all()
    assert found["viral_scores"]["viral_score"].notna().any()
    charts = [d for d in documents(redis_of).values() if isinstance(d, TrendingDocument)]
    assert {video.likes for chart in charts for video in chart.videos} == {None}


def test_a_broadcast_under_way_has_no_length_and_is_scored(
    run: Run, fault: Fault, store: FrameStore, window: datetime
) -> None:
    everywhere(fault, "contentDetails.duration", "P0D")

    result = run("signal", first=window)

    assert failed_checks(result) == set()
    assert store.read("operations.quarantine").empty
    assert store.read("collection.youtube_videos")["duration_s"].isna().all()
    found = scores(store)
    assert found["video_velocity"]["duration_s"].isna().all()
    assert found["viral_scores"]["viral_score"].notna().any()


def test_a_video_from_the_future_has_no_age_and_no_lifetime_velocity(
    run: Run, fault: Fault, store: FrameStore, clock: Clock, redis_of: str
) -> None:
    newest = newest_window()
    fault("future_publish", platform="youtube")
    for window in (newest - WINDOW, newest):
        assert run("signal", first=move(clock, window)).success

    found = scores(store, newest)
    velocity = found["video_velocity"]
    assert (velocity["published_at"] > velocity["observed_at"]).all()
    assert velocity[["age_h", "lifetime_velocity_per_hour"]].isna().all(axis=None)
    assert velocity["velocity_now_per_hour"].notna().any()
    assert (velocity["velocity_now_per_hour"].dropna() >= 0).all()
    assert set(found["viral_scores"]["trend_class"]) == {"UNKNOWN"}
    assert_every_number_is_one(store)
    assert documents(redis_of)


def test_a_title_beyond_the_basic_plane_arrives_as_it_was_sent(
    run: Run, fault: Fault, store: FrameStore, window: datetime, redis_of: str
) -> None:
    title = (
        "🎮 𠮷野家 👩\u200d👩\u200d👧 🇩🇪 🀄 \U0010fffd "
        "e\N{COMBINING ACUTE ACCENT} \N{RIGHT-TO-LEFT OVERRIDE}x"
    )
    everywhere(fault, "snippet.title", title)

    result = run("signal", first=window)

    assert failed_checks(result) == set()
    assert set(store.read("collection.youtube_videos")["title"]) == {title}
    charts = [d for d in documents(redis_of).values() if isinstance(d, TrendingDocument)]
    assert {video.title for chart in charts for video in chart.videos} == {title}


def test_an_item_that_comes_twice_is_kept_once(
    run: Run, fault: Fault, store: FrameStore, window: datetime
) -> None:
    whole = metadata_of(run("signal", first=window))["rows"]
    fault("duplicate_items")

    for job in ("streams", "clips", "games"):
        assert failed_checks(run(job)) == set()
    result = run("signal", first=window)

    assert failed_checks(result) == set()
    assert metadata_of(result)["rows"] == whole
    assert_nothing_is_counted_twice(store)


def test_items_that_come_again_on_every_page_are_kept_once(
    run: Run, fault: Fault, store: FrameStore
) -> None:
    fault("quirk", platform="twitch", options={"id": "clips_same_items_after_1000"})
    fault("quirk", platform="twitch", options={"id": "last_page_cursor_loops"})

    for job in ("streams", "clips"):
        result = run(job)

        assert result.success
        assert not {check for check in failed_checks(result) if "duplicates" in check}

    assert len(store.read("collection.clip_radar")) > 0
    assert_nothing_is_counted_twice(store)


def test_deleted_videos_are_counted_and_leave_no_gap(
    run: Run, fault: Fault, store: FrameStore, window: datetime
) -> None:
    run("signal", first=window)
    fault("missing_items", platform="youtube", endpoint="videos.list", options={"every": 3})

    result = run("games")

    assert failed_checks(result) == set()
    games = metadata_of(result, asset_key("collection", "youtube_games"))
    assert games["is_complete"]
    assert games["rows"] > 0
    assert games["gone"] > 0
    crawls = store.read("operations.crawls", where={"dataset": "collection/youtube_games"})
    assert crawls["is_complete"].all()


def test_an_empty_answer_to_a_chart_is_incomplete_and_what_it_held_before_is_served_with_its_age(
    run: Run, fault: Fault, store: FrameStore, clock: Clock, redis_of: str
) -> None:
    newest = newest_window()
    run("signal", first=move(clock, newest - 4 * WINDOW))
    # Of the one chart that has videos in every region at any hour, and few that others show, too.
    music = {"videoCategoryId": "10"}
    fault("empty_answer", platform="youtube", where=music | {"regionCode": "US"})
    every = {"index": "all", "path": "snippet.title", "value": 7}
    where = music | {"regionCode": "GB"}
    fault("malformed_item", platform="youtube", where=where, options=every)

    result = run("signal", first=move(clock, newest))

    assert result.success
    assert not metadata_of(result)["is_complete"]
    crawls = store.read("operations.crawls", where={"category": "music"}, order_by="crawl_at")
    last = crawls.tail(2).set_index("region")
    assert last["got"].to_dict() == {"GB": 0, "US": 0}
    # The answer itself counts the videos that it does not have.
    assert last["is_complete"].to_dict() == {"GB": False, "US": False}
    assert last["reason"]["US"].startswith("The answer has no video, though it counts ")
    assert re.fullmatch(r"(\d+) of \1 items were rejected", last["reason"]["GB"])
    categories = scores(store, newest)["category_stats"]["category"]
    assert {"music", "gaming"} <= set(categories)
    charts = documents(redis_of)
    assert charts["youtube:trending:music"].freshness == "RECENT"
    assert charts["youtube:trending:gaming"].freshness == "FRESH"


def test_charts_that_are_all_empty_are_no_failure_and_bring_no_scores(
    run: Run, fault: Fault, store: FrameStore, clock: Clock
) -> None:
    newest = newest_window()
    run("signal", first=move(clock, newest - 2 * timedelta(days=1)))
    fault("empty_answer", platform="youtube")

    result = run("signal", first=move(clock, newest))

    assert result.success
    found = scores(store, newest)
    assert found["video_velocity"].empty
    assert found["viral_scores"].empty


def test_a_category_with_one_video_is_described_and_not_judged(
    run: Run,
    fault: Fault,
    store: FrameStore,
    window: datetime,
    *,
    redis_of: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AURASTREAM_REGIONS", "US")
    for _ in range(6):  # 50 videos, halved until one is left
        fault(
            "missing_items",
            platform="youtube",
            where={"videoCategoryId": "20"},
            options={"every": 2},
        )

    assert run("signal", first=window).success

    stats = scores(store)["category_stats"].set_index("category")
    assert stats.loc["gaming", "sample_count"] == 1
    assert stats.loc["gaming", "velocity_p25"] == stats.loc["gaming", "velocity_p90"]
    assert stats.loc["gaming", "baseline_source"] == "default"
    (row,) = store.read("intelligence.viral_scores", where={"category": "gaming"}).to_dict(
        "records"
    )
    assert row["trend_class"] == "UNKNOWN"
    (row,) = store.read("intelligence.opportunity", where={"category": "gaming"}).to_dict("records")
    assert np.isnan(row["opportunity_score"])
    assert_every_number_is_one(store)
    assert documents(redis_of)


def test_a_category_where_all_are_equal_scores_the_middle(
    run: Run, fault: Fault, store: FrameStore, window: datetime, redis_of: str
) -> None:
    everywhere(fault, "statistics", {"viewCount": "5000", "likeCount": "10", "commentCount": "2"})
    everywhere(fault, "snippet.publishedAt", LONG_AGO)
    # Answers of one crawl come some time apart: nothing that may rank them.
    fault("latency", platform="youtube", times=1, options={"delay_ms": 1_100})

    assert run("signal", first=window).success

    found = scores(store)
    assert found["video_velocity"]["observed_at"].nunique() > 1
    assert found["viral_scores"]["viral_score"].eq(50.0).all()
    assert found["viral_scores"]["views_score"].eq(50.0).all()
    assert found["category_stats"]["views_std"].eq(0.0).all()
    assert found["category_stats"]["outlier_count"].eq(0).all()
    assert_every_number_is_one(store)
    assert documents(redis_of)


def test_what_is_not_a_number_is_stored_as_null(
    run: Run, store: FrameStore, window: datetime
) -> None:
    run("signal", first=window)
    rows = store.read("intelligence.video_velocity")
    rows["engagement_rate"] = np.nan
    rows["velocity_now_per_hour"] = np.nan

    store.commit([Replace("intelligence.video_velocity", rows, window, window + WINDOW)])

    nulls = store.query(
        """
        SELECT count(*) AS n FROM intelligence.video_velocity
        WHERE engagement_rate IS NULL AND velocity_now_per_hour IS NULL
        """
    )
    assert nulls["n"].tolist() == [len(rows)]
    assert_every_number_is_one(store)


def test_a_counter_that_fell_gives_no_velocity_and_rises_again_without_a_leap(
    run: Run, fault: Fault, store: FrameStore, clock: Clock, replay_server: str
) -> None:
    newest = newest_window()
    run("signal", first=move(clock, newest - 2 * WINDOW))
    fault("falling_views", platform="youtube", start=(newest - WINDOW).isoformat(),
          end=newest.isoformat())  # fmt: skip
    run("signal", first=move(clock, newest - WINDOW))

    run("signal", first=move(clock, newest))

    fallen = scores(store, newest - WINDOW)["video_velocity"]
    assert fallen["views_fell"].any()
    assert fallen.loc[fallen["views_fell"], "velocity_now_per_hour"].isna().all()
    risen = scores(store, newest)["video_velocity"].merge(
        scores(store, newest - 2 * WINDOW)["video_velocity"],
        on=["category", "video_id"],
        suffixes=("", "_before"),
    )
    risen = risen[risen["velocity_now_per_hour"].notna()]
    assert len(risen) > 0
    # Measured against the counter before the fall, not against the fallen one, and from crawl to
    # crawl: when within a minute of it a video was answered is no part of its velocity.
    apart = (risen["observed_at"] - risen["observed_at_before"]) / timedelta(hours=1)
    assert ((risen["velocity_now_span_h"] - apart).abs() < 1 / 60).all()
    np.testing.assert_allclose(
        (risen["velocity_now_per_hour"] * risen["velocity_now_span_h"]).to_numpy(float),
        (risen["views"] - risen["views_before"]).to_numpy(float),
    )
