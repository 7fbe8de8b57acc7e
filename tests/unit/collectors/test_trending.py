"""Charts of all regions: complete, partial, refused, repeated."""

import datetime as dt
import threading
from typing import Any

import pandas as pd
import pytest

from aurastream.core.hashes import EMPTY_HASH
from aurastream.sources.catalog import load_catalog
from aurastream.sources.collectors import CrawlResult, Previous, collect_trending
from aurastream.sources.errors import KeyInvalidError, TransientError
from aurastream.sources.transport import RetryPolicy
from aurastream.sources.youtube import YouTubeClient
from aurastream.store.tables import metadata as tables

NOW = dt.datetime(2026, 11, 21, 12, 25, tzinfo=dt.UTC)
REGIONS = ("US", "GB", "DE", "JP")
CHARTS = load_catalog().categories_frame()
GAMING = CHARTS[CHARTS["category"] == "gaming"]
VIDEOS = "/youtube/v3/videos"


@pytest.fixture
def platform(platform: Any) -> Any:
    for number in range(6):
        platform.videos[f"v{number}"] = platform.video(f"v{number}", views=1000 * (number + 1))
    for region in REGIONS:
        platform.charts[region, "20"] = ["v0", "v1", "v2"]
        platform.charts[region, None] = ["v3", "v0"]
    platform.charts["JP", "20"] = ["v5", "v4"]
    return platform


def _collect(youtube: YouTubeClient, charts: pd.DataFrame = GAMING, **more: Any) -> CrawlResult:
    return collect_trending(youtube, charts=charts, regions=REGIONS, **more)


def test_every_chart_of_every_region_is_asked_once(platform: Any, youtube: YouTubeClient) -> None:
    result = _collect(youtube, CHARTS)
    asked = sorted((q["regionCode"], q.get("videoCategoryId", "")) for q in platform.asked(VIDEOS))
    assert asked == sorted((r, c) for r in REGIONS for c in ("", "1", "10", "20"))
    assert result.is_complete
    assert result.error is None
    assert result.metadata["rows"] == 4 * 2 + 3 * 3 + 2
    assert result.metadata["coverage"] == 1.0
    assert set(result.rows["chart"]) == {"trending", "gaming"}


def test_ranks_start_at_one_in_every_chart(platform: Any, youtube: YouTubeClient) -> None:
    rows = _collect(youtube).rows
    us = rows[rows["region"] == "US"]
    assert us["video_id"].tolist() == ["v0", "v1", "v2"]
    assert us["rank"].tolist() == [1, 2, 3]


def test_an_empty_chart_is_complete(platform: Any, youtube: YouTubeClient) -> None:
    platform.charts.clear()
    result = _collect(youtube)
    assert result.is_complete
    assert len(result.rows) == 0
    crawls = result.frames["operations.crawls"]
    assert crawls["got"].tolist() == [0, 0, 0, 0]
    assert set(crawls["membership_hash"]) == {EMPTY_HASH}


def test_the_order_of_rows_does_not_depend_on_which_answer_comes_first(
    platform: Any, youtube: YouTubeClient
) -> None:
    first = _collect(youtube)
    last_answered = threading.Event()

    def hold(path: str, query: dict[str, str]) -> None:
        if query["regionCode"] == "JP":
            last_answered.set()
        else:
            assert last_answered.wait(60)

    platform.intercept = hold
    again = _collect(youtube)
    keys = ["chart", "region", "video_id", "rank", "views", "metadata_hash"]
    pd.testing.assert_frame_equal(first.rows[keys], again.rows[keys])
    assert first.data_version == again.data_version
    crawls = again.frames["operations.crawls"]
    assert crawls["region"].tolist() == list(REGIONS)


def test_one_failing_region_does_not_stop_the_others(platform: Any, youtube: YouTubeClient) -> None:
    platform.intercept = lambda _, q: (
        platform.google_error(503, "backendError") if q["regionCode"] == "DE" else None
    )
    result = _collect(youtube)
    crawls = result.frames["operations.crawls"].set_index("region")
    assert set(result.rows["region"]) == {"US", "GB", "JP"}
    assert crawls["is_complete"].to_dict() == {"US": True, "GB": True, "DE": False, "JP": True}
    assert crawls.loc["DE", ["expected", "got", "reason"]].tolist() == [50, 0, "transient"]
    assert not result.is_complete
    assert result.metadata["incomplete"] == 1
    assert result.metadata["coverage"] < 1
    result.raise_if_nothing_came()


def test_a_region_without_the_chart_is_complete_with_nothing_expected(
    platform: Any, youtube: YouTubeClient
) -> None:
    platform.intercept = lambda _, q: (
        platform.google_error(404, "videoChartNotFound") if q["regionCode"] == "JP" else None
    )
    result = _collect(youtube)
    japan = result.frames["operations.crawls"].set_index("region").loc["JP"]
    assert (japan["expected"], japan["got"], japan["reason"]) == (0, 0, "")
    assert result.is_complete
    assert result.metadata["coverage"] == 1.0


def test_a_chart_that_no_region_has_was_taken_away(platform: Any, youtube: YouTubeClient) -> None:
    platform.intercept = lambda _, q: (
        platform.google_error(404, "videoChartNotFound") if "videoCategoryId" in q else None
    )
    result = _collect(youtube, CHARTS[CHARTS["category"].isin(["gaming", "trending"])])
    crawls = result.frames["operations.crawls"].set_index(["category", "region"])
    assert dict(crawls["is_complete"].groupby("category").unique().map(list)) == {
        "gaming": [False],
        "trending": [True],
    }
    missing = crawls.loc["gaming", ["expected", "got", "reason"]]
    assert missing.to_numpy().tolist() == [[50, 0, "gone"]] * len(REGIONS)
    assert not result.is_complete


def test_a_404_of_somebody_else_is_no_region_without_the_chart(
    platform: Any, youtube: YouTubeClient
) -> None:
    platform.intercept = lambda _, q: (
        (404, {"detail": "no such page"}) if q["regionCode"] == "JP" else None
    )
    result = _collect(youtube)
    japan = result.frames["operations.crawls"].set_index("region").loc["JP"]
    assert (japan["expected"], japan["got"], japan["reason"]) == (50, 0, "config")
    assert not result.is_complete


def test_a_quota_that_runs_out_keeps_what_came_and_asks_no_more(
    platform: Any, youtube: YouTubeClient
) -> None:
    platform.intercept = lambda _, q: (
        platform.google_error(403, "quotaExceeded") if q["regionCode"] == "DE" else None
    )
    result = _collect(youtube, max_parallel=1)
    crawls = result.frames["operations.crawls"].set_index("region")
    assert set(result.rows["region"]) == {"US", "GB"}
    assert crawls["reason"].to_dict() == {"US": "", "GB": "", "DE": "quota", "JP": "quota"}
    assert len(platform.asked(VIDEOS)) == 3
    assert result.frames["operations.fetch_log"]["outcome"].tolist() == ["ok", "ok", "quota"]
    result.raise_if_nothing_came()


def test_a_quota_that_was_spent_before_is_no_error(platform: Any, youtube: YouTubeClient) -> None:
    platform.intercept = lambda _path, _query: platform.google_error(403, "quotaExceeded")
    result = _collect(youtube, max_parallel=1)
    assert result.error is None
    assert not result.is_complete
    assert set(result.frames["operations.crawls"]["reason"]) == {"quota"}
    assert result.frames["operations.collection_state"]["failure_count"].tolist() == [1]


def test_a_refused_key_is_recorded_and_then_raised(platform: Any, youtube: YouTubeClient) -> None:
    platform.intercept = lambda _path, _query: platform.google_error(400, "keyInvalid")
    result = _collect(youtube, max_parallel=1)
    assert len(platform.asked(VIDEOS)) == 1
    assert set(result.frames["operations.crawls"]["reason"]) == {"key"}
    assert result.frames["operations.fetch_log"]["outcome"].tolist() == ["key"]
    with pytest.raises(KeyInvalidError, match="YOUTUBE_API_KEY"):
        result.raise_if_nothing_came()


def test_a_platform_that_is_down_everywhere_is_raised_as_retryable(
    platform: Any, youtube: YouTubeClient
) -> None:
    platform.intercept = lambda _path, _query: platform.google_error(500, "backendError")
    result = _collect(youtube)
    with pytest.raises(TransientError):
        result.raise_if_nothing_came()


def test_an_item_that_is_not_understood_goes_to_quarantine_and_its_siblings_stay(
    platform: Any, youtube: YouTubeClient
) -> None:
    platform.videos["v1"]["statistics"]["viewCount"] = "many"
    result = _collect(youtube)
    quarantine = result.frames["operations.quarantine"]
    assert quarantine["item_id"].tolist() == ["v1", "v1", "v1"]
    assert quarantine["source"].unique().tolist() == ["collection/youtube_trending"]
    assert quarantine["fetch_id"].notna().all()
    assert set(result.rows["video_id"]) == {"v0", "v2", "v4", "v5"}
    assert result.metadata["rejected"] == 3
    assert result.frames["operations.crawls"]["rejected"].tolist() == [1, 1, 1, 0]
    assert result.is_complete

    for video in platform.videos.values():
        video["statistics"]["viewCount"] = "many"
    crawls = _collect(youtube).frames["operations.crawls"]
    assert crawls["got"].sum() == 0
    assert not crawls["is_complete"].any()
    assert crawls["reason"].str.endswith("items were rejected").all()


def test_a_chart_about_which_the_host_says_nothing_is_incomplete_and_its_siblings_are_not(
    platform: Any,
) -> None:
    over = threading.Event()

    def say_nothing(_: str, query: dict[str, str]) -> None:
        if query["regionCode"] == "DE":
            over.wait()

    platform.intercept = say_nothing
    retry = RetryPolicy(max_attempts=2, base_s=0.0)
    with YouTubeClient(platform.url, "key", timeout_s=0.5, retry=retry) as client:
        result = _collect(client)
    over.set()
    assert not result.is_complete
    crawls = result.frames["operations.crawls"].set_index("region")
    assert crawls.index[~crawls["is_complete"]].tolist() == ["DE"]
    assert crawls.loc["DE", "reason"] == "transient"
    assert [query["regionCode"] for query in platform.asked(VIDEOS)].count("DE") == 2


def test_a_body_that_is_no_answer_goes_to_quarantine_whole(
    platform: Any, youtube: YouTubeClient
) -> None:
    platform.intercept = lambda _, q: b'{"items": [' if q["regionCode"] == "US" else None
    result = _collect(youtube)
    quarantine = result.frames["operations.quarantine"]
    assert quarantine["raw"].tolist() == ['{"items": [']
    crawls = result.frames["operations.crawls"].set_index("region")
    assert crawls.loc["US", "reason"] == "malformed"
    assert set(result.rows["region"]) == {"GB", "DE", "JP"}


def test_each_metadata_version_is_listed_once(platform: Any, youtube: YouTubeClient) -> None:
    result = _collect(youtube)
    versions = result.frames["collection.youtube_videos"]
    assert versions["video_id"].tolist() == ["v0", "v1", "v2", "v4", "v5"]
    assert (versions["first_observed_at"] == NOW).all()
    known = set(zip(versions["video_id"], versions["metadata_hash"], strict=True))
    assert set(zip(result.rows["video_id"], result.rows["metadata_hash"], strict=True)) == known


def test_hidden_counters_are_null(platform: Any, youtube: YouTubeClient) -> None:
    platform.videos["v0"] = platform.video("v0", views=None)
    rows = _collect(youtube).rows
    assert rows.loc[rows["video_id"] == "v0", ["views", "likes", "comments"]].isna().all(axis=None)


def _previous(result: CrawlResult) -> Previous:
    videos = result.rows.drop_duplicates("video_id")[["video_id", "views", "metadata_hash"]]
    return Previous(state=result.frames["operations.collection_state"], videos=videos)


def test_moving_counters_leave_the_membership_as_it_was(
    platform: Any, youtube: YouTubeClient
) -> None:
    first = _collect(youtube)
    platform.videos["v0"]["statistics"]["viewCount"] = "5000"
    second = _collect(youtube, previous=_previous(first))
    assert second.membership_hash == first.membership_hash
    assert second.stats_hash != first.stats_hash
    state = second.frames["operations.collection_state"].iloc[0]
    assert (state["category"], state["unchanged_count"], state["failure_count"]) == ("gaming", 1, 0)
    assert (second.metadata["new"], second.metadata["changed"]) == (0, 0)


def test_a_new_title_changes_the_membership_and_ends_the_quiet(
    platform: Any, youtube: YouTubeClient
) -> None:
    first = _collect(youtube)
    second = _collect(youtube, previous=_previous(first))
    platform.videos["v0"] = platform.video("v0", "Another title", views=1000)
    third = _collect(youtube, previous=_previous(second))
    assert third.membership_hash != second.membership_hash
    assert third.metadata["changed"] == 1
    assert second.frames["operations.collection_state"]["unchanged_count"].tolist() == [1]
    assert third.frames["operations.collection_state"]["unchanged_count"].tolist() == [0]


def test_a_partial_crawl_says_nothing_about_membership(
    platform: Any, youtube: YouTubeClient
) -> None:
    first = _collect(youtube)
    platform.intercept = lambda _, q: (
        platform.google_error(503, "backendError") if q["regionCode"] == "DE" else None
    )
    second = _collect(youtube, previous=_previous(first))
    before, after = (r.frames["operations.collection_state"].iloc[0] for r in (first, second))
    assert after["membership_hash"] == before["membership_hash"]
    assert (after["unchanged_count"], after["failure_count"]) == (0, 0)


def test_a_crawl_that_brought_nothing_can_be_compared_with_an_earlier_one(
    platform: Any, youtube: YouTubeClient
) -> None:
    first = _collect(youtube)
    platform.intercept = lambda _path, _query: platform.google_error(503, "backendError")
    second = _collect(youtube, previous=_previous(first))
    assert (second.metadata["rows"], second.metadata["new"]) == (0, 0)
    state = second.frames["operations.collection_state"].iloc[0]
    assert state["last_crawl_at"] == NOW
    assert state["failure_count"] == 1


def test_a_crawl_to_which_another_source_answers_says_so_once(
    platform: Any, youtube: YouTubeClient
) -> None:
    def starts_after(before: CrawlResult) -> tuple[CrawlResult, list[dict[str, object]]]:
        lists = before.rows[["crawl_at", "chart", "region", "video_id"]]
        platform.now += dt.timedelta(minutes=30)
        result = _collect(youtube, previous=Previous(lists=lists))
        found = result.frames["operations.source_starts"].to_dict("records")
        assert result.metadata["starts_over"] == bool(found)
        return result, found

    first = _collect(youtube)
    assert first.frames["operations.source_starts"].empty
    assert first.metadata["starts_over"] is False
    # One region of four has the other source's videos already, as within a slow crawl.
    platform.charts["US", "20"] = ["w0", "w1"]
    platform.videos |= {f"w{n}": platform.video(f"w{n}") for n in range(6)}
    second, found = starts_after(first)
    assert found == []
    for number, region in enumerate(("GB", "DE", "JP")):
        platform.charts[region, "20"] = [f"w{number}", f"w{number + 3}"]
    platform.intercept = lambda _, q: (
        platform.google_error(503, "backendError") if q["regionCode"] == "DE" else None
    )
    third, found = starts_after(second)
    assert found == [
        {
            "dataset": "collection/youtube_trending",
            "started_at": third.crawl_at,
            "previous_crawl_at": second.crawl_at,
            "lists": 3,
            "lists_kept": 1,
        }
    ]
    assert starts_after(third)[1] == []


def test_falling_views_are_counted_and_kept(platform: Any, youtube: YouTubeClient) -> None:
    first = _collect(youtube)
    platform.videos["v0"]["statistics"]["viewCount"] = "999"
    second = _collect(youtube, previous=_previous(first))
    assert second.metadata["views_fell"] == 1
    assert set(second.rows.loc[second.rows["video_id"] == "v0", "views"]) == {999}


def test_times_are_the_platforms(platform: Any, youtube: YouTubeClient) -> None:
    platform.now = NOW - dt.timedelta(days=3)
    result = _collect(youtube, run_id="loader")
    assert result.crawl_at == platform.now
    assert (result.rows["observed_at"] == platform.now).all()
    assert result.frames["operations.fetch_log"]["run_id"].unique().tolist() == ["loader"]


def test_without_charts_there_is_nothing_to_ask(youtube: YouTubeClient) -> None:
    result = _collect(youtube, GAMING.iloc[:0], started_at=NOW)
    assert result.is_complete
    assert result.crawl_at == NOW
    with pytest.raises(ValueError, match="start of the crawl"):
        _collect(youtube, GAMING.iloc[:0])


def test_disabled_charts_are_left_out(platform: Any, youtube: YouTubeClient) -> None:
    charts = CHARTS.assign(is_enabled=CHARTS["category"] == "gaming")
    assert set(_collect(youtube, charts).frames["operations.crawls"]["category"]) == {"gaming"}


def test_every_frame_has_the_columns_of_its_table(platform: Any, youtube: YouTubeClient) -> None:
    for name, frame in _collect(youtube).frames.items():
        assert list(frame.columns) == [c.name for c in tables.tables[name].columns], name
