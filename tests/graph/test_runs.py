"""Jobs of the graph, run whole against the replay server, a real Postgres and a real Redis."""

from collections.abc import Callable
from datetime import datetime, timedelta

import dagster as dg
import pandas as pd
import pytest
import redis as redis_client

from aurastream.store.frames import FrameStore
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import WINDOW
from resources.store import Redis
from tests.graph.evidence import Clock, move, newest_window

Run = Callable[..., dg.ExecuteInProcessResult]
INTELLIGENCE = ("video_velocity", "category_stats", "viral_scores", "competition", "opportunity")


@pytest.fixture
def window(clock: Clock) -> datetime:
    """Return a window that the platforms are late in, so that no run crosses its end."""
    return move(clock, newest_window())


def _metadata(result: dg.ExecuteInProcessResult, key: dg.AssetKey) -> dict[str, object]:
    (event,) = [e for e in result.get_asset_materialization_events() if e.asset_key == key]
    return {name: value.value for name, value in event.materialization.metadata.items()}


def _failed_checks(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    return {
        f"{e.asset_key.to_user_string()}:{e.check_name}": {
            name: value.value for name, value in e.metadata.items()
        }
        for e in result.get_asset_check_evaluations()
        if not e.passed
    }


def _scores(store: FrameStore) -> dict[str, pd.DataFrame]:
    return {
        name: store.read(
            f"intelligence.{name}",
            order_by=["window_start", "category"]
            + (["video_id"] if name in {"video_velocity", "viral_scores"} else []),
        )
        for name in INTELLIGENCE
    }


def test_a_signal_run_goes_from_charts_to_hot_documents(
    run: Run, store: FrameStore, window: datetime, installation: dict[str, Redis]
) -> None:
    result = run("signal", first=window)

    assert result.success
    assert _failed_checks(result) == {}
    trending = _metadata(result, asset_key("collection", "youtube_trending"))
    assert trending["rows"] == len(store.read("collection.youtube_trending")) > 0
    assert trending["quota_used"] == 8  # four charts in two regions, one unit each
    assert trending["quota_remaining"] == 10_000 - 8
    assert len(store.read("intelligence.viral_scores")) > 0
    client = redis_client.Redis.from_url(installation["redis"].url)
    assert client.dbsize() > 0
    client.close()


def test_a_crawl_of_charts_logs_the_videos_it_described(
    run: Run, store: FrameStore, window: datetime
) -> None:
    result = run("signal", first=window)

    videos = _metadata(result, asset_key("collection", "youtube_videos"))
    assert videos["rows"] == len(store.read("collection.youtube_videos", columns=["video_id"]))
    assert videos["written_by"] == "collection/youtube_trending"


def test_scoring_a_stored_range_again_gives_what_was_scored_live(
    run: Run, store: FrameStore, window: datetime, clock: Clock
) -> None:
    starts = []
    for windows_ago in (3, 2, 1, 0):
        starts.append(move(clock, window - windows_ago * WINDOW))
        for job in ("streams", "games"):
            assert run(job).success
        assert run("signal", first=starts[-1]).success
    live = _scores(store)

    for _ in range(2):
        result = run("rescore", first=starts[0], last=starts[-1])

        assert _failed_checks(result) == {}
        for name, rows in _scores(store).items():
            pd.testing.assert_frame_equal(rows, live[name], check_exact=True)
    assert live["video_velocity"]["velocity_now_per_hour"].notna().any()
    assert sorted(live["opportunity"]["window_start"].unique()) == starts


def test_windows_without_snapshots_have_no_scores_and_no_failure(
    run: Run, store: FrameStore, window: datetime
) -> None:
    result = run("rescore", first=window - timedelta(days=1), last=window)  # over a midnight

    assert _failed_checks(result) == {}
    rows = _scores(store)
    # Tracked games are always compared, and say that nothing was seen.
    assert rows.pop("competition")["observed_at"].isna().all()
    assert all(frame.empty for frame in rows.values())


def test_pictures_are_drawn_for_the_last_window_of_a_range_alone(
    run: Run, instance: dg.DagsterInstance, window: datetime
) -> None:
    run("signal", first=window)
    result = run("rescore", first=window - 2 * WINDOW, last=window)

    pictures = {
        e.partition: "opportunity" in e.materialization.metadata
        for e in result.get_asset_materialization_events()
        if e.asset_key == asset_key("intelligence", "opportunity")
    }
    assert list(pictures.values()) == [False, False, True]
    events = instance.get_latest_materialization_event(asset_key("intelligence", "opportunity"))
    picture = events.asset_materialization.metadata["opportunity"].value
    assert picture.startswith("![Opportunity by category](data:image/svg+xml;base64,")
    assert len(picture) < 10_000


def test_streams_and_top_games_come_in_one_step(run: Run, store: FrameStore) -> None:
    result = run("streams")

    assert _failed_checks(result) == {}
    streams = _metadata(result, asset_key("collection", "twitch_streams"))
    top = _metadata(result, asset_key("collection", "twitch_top_games"))
    assert streams["rows"] == len(store.read("collection.twitch_streams")) > 0
    assert top["rows"] == len(store.read("collection.twitch_top_games")) > 50


def test_clips_are_collected_with_their_views(run: Run, store: FrameStore) -> None:
    result = run("clips")

    assert _failed_checks(result) == {}
    assert len(store.read("collection.clip_radar")) > 0


def test_games_that_are_not_due_are_left_alone(
    run: Run, store: FrameStore, window: datetime
) -> None:
    run("signal", first=window)
    first = _metadata(run("games"), asset_key("collection", "youtube_games"))
    second = _metadata(run("games"), asset_key("collection", "youtube_games"))

    assert len(str(first["games"]).split(", ")) == 8
    assert first["quota_used"] > 0
    assert second["games"] == ""
    assert second["quota_used"] == 0
    assert len(store.read("collection.youtube_games")) == first["rows"]


def test_the_daily_pass_takes_every_game_and_its_channels(
    run: Run, store: FrameStore, window: datetime
) -> None:
    run("signal", first=window)
    run("games")
    result = run("games_reconcile")

    assert _failed_checks(result) == {}
    games = _metadata(result, asset_key("collection", "youtube_games"))
    assert len(str(games["games"]).split(", ")) == 8
    assert len(store.read("collection.youtube_channels")) > 0
    channels = _metadata(result, asset_key("collection", "youtube_channels"))
    assert channels["written_by"] == "collection/youtube_games"


def test_unchanged_answers_have_the_same_data_version(
    run: Run, instance: dg.DagsterInstance, window: datetime, clock: Clock
) -> None:
    key = asset_key("collection", "youtube_trending")
    versions = []
    for start in (window - 2 * WINDOW, window):
        run("signal", first=move(clock, start))
        event = instance.get_latest_materialization_event(key)
        versions.append(event.asset_materialization.tags["dagster/data_version"])

    membership = [version.split("-")[0] for version in versions]
    assert versions[0] != versions[1]  # counters grew
    assert all(membership)


def _failure(result: dg.ExecuteInProcessResult, step: str) -> str:
    (event,) = [e for e in result.all_events if e.is_step_failure and e.step_key == step]
    data = event.step_failure_data
    return f"{data.user_failure_data.description if data.user_failure_data else data.error}"


def test_a_key_that_is_not_accepted_fails_once_and_says_what_to_do(
    run: Run, fault: Callable[..., None], window: datetime, store: FrameStore
) -> None:
    fault("invalid_key", platform="youtube")

    result = run("signal", first=window, raise_on_error=False)

    assert not result.success
    assert "YOUTUBE_API_KEY" in _failure(result, "collection__youtube_trending")
    assert not [e for e in result.all_events if e.is_step_up_for_retry]
    # The calls that were refused are on record nevertheless.
    assert set(store.read("operations.fetch_log")["outcome"]) == {"key"}


def test_a_spent_quota_is_no_failure_and_scores_go_on_from_what_is_stored(
    run: Run, fault: Callable[..., None], window: datetime, store: FrameStore, clock: Clock
) -> None:
    run("signal", first=move(clock, window - 6 * WINDOW))
    fault("quota_exceeded", platform="youtube")

    result = run("signal", first=move(clock, window))

    assert result.success
    trending = _metadata(result, asset_key("collection", "youtube_trending"))
    assert trending["rows"] == 0
    assert trending["quota_remaining"] == 0
    assert "quota" in str(trending["why_incomplete"])
    assert "collection/youtube_trending:coverage" in _failed_checks(result)
    velocity = store.read("intelligence.video_velocity")
    by_window = velocity.groupby("window_start")["confidence_pct"].max()
    assert len(by_window) == 2
    assert by_window.iloc[1] < by_window.iloc[0]


def test_an_item_that_cannot_be_read_goes_to_quarantine_and_the_rest_is_kept(
    run: Run, fault: Callable[..., None], window: datetime, store: FrameStore
) -> None:
    fault("malformed_item", platform="youtube", endpoint="videos.*", options={"path": "snippet"})

    result = run("signal", first=window)

    trending = _metadata(result, asset_key("collection", "youtube_trending"))
    assert trending["rejected"] == len(store.read("operations.quarantine")) > 0
    assert trending["rows"] > 0


def test_counters_that_fall_are_reported_and_give_no_velocity(
    run: Run, fault: Callable[..., None], window: datetime, store: FrameStore, clock: Clock
) -> None:
    run("signal", first=move(clock, window - WINDOW))
    fault("falling_views", platform="youtube")

    result = run("signal", first=move(clock, window))

    failed = _failed_checks(result)
    assert "collection/youtube_trending:monotone_views" in failed
    assert "intelligence/video_velocity:monotone_views" in failed
    velocity = store.read("intelligence.video_velocity", where={"views_fell": True})
    assert len(velocity) > 0
    assert velocity["velocity_now_per_hour"].isna().all()
    last = store.read("intelligence.video_velocity", where={"window_start": window})
    told = _metadata(result, asset_key("intelligence", "video_velocity"))
    assert told["without_velocity_now"] == last["velocity_now_per_hour"].isna().sum()
    # No change of what counts as a view is near.
    assert told["counted_anew"] == 0


def test_a_check_without_a_run_looks_at_the_newest_window(
    run: Run, graph: dg.Definitions, window: datetime, instance: dg.DagsterInstance
) -> None:
    run("signal", first=window)
    job = dg.define_asset_job(
        "only_checks",
        selection=dg.AssetSelection.checks_for_assets(asset_key("intelligence", "viral_scores")),
    )
    checked = dg.Definitions.merge(graph, dg.Definitions(jobs=[job]))

    result = checked.resolve_job_def("only_checks").execute_in_process(instance=instance)

    evaluations = result.get_asset_check_evaluations()
    names = {e.check_name for e in evaluations}
    assert names == {"range", "known_share", "drift", "accepted"}
    looked = [e.metadata["rows"].value for e in evaluations if "rows" in e.metadata]
    assert len(looked) == 2
    assert min(looked) > 0
