"""A platform that is down, or whose clock is not ours."""

import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import dagster as dg
import httpx
import pytest
import redis

from aurastream.store.document_schemas import GameVideosDocument
from aurastream.store.frames import FrameStore
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import WINDOW, half_hours
from resources.store import Redis, Store
from sensors.missed_windows import unscored_windows
from tests.graph.evidence import (
    Clock,
    assert_every_number_is_one,
    assert_nothing_is_counted_twice,
    documents,
    failed_checks,
    failure_of,
    metadata_of,
    move,
    newest_window,
    retries_of,
    scores,
)

Run = Callable[..., dg.ExecuteInProcessResult]
Fault = Callable[..., None]
GAMES = asset_key("collection", "youtube_games")
SKEW = timedelta(hours=3)
# A failing host is left alone for one, to the second.
MINUTE = timedelta(seconds=61)


@pytest.fixture
def minute_later(installation: dict[str, Redis], clock: Clock) -> Callable[[], None]:
    """Return a function that lets a minute pass, for the platforms and the circuit breakers."""

    def pass_a_minute() -> None:
        clock.offset += MINUTE
        with closing(redis.Redis.from_url(installation["redis"].url)) as client:
            for key in client.scan_iter("aurastream:breaker:*:opened_at"):
                client.set(key, int(client.get(key)) - int(MINUTE.total_seconds()))

    return pass_a_minute


@pytest.fixture(autouse=True)
def waiting(minute_later: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the pauses between a step's tries pass at once; a minute goes by in each."""
    passed = 0.0

    def sleep(seconds: float) -> None:
        nonlocal passed
        passed += seconds
        minute_later()

    clock = SimpleNamespace(time=lambda: time.time() + passed, sleep=sleep)
    monkeypatch.setattr("dagster._core.execution.plan.active.time", clock)


def end_of_faults(replay_server: str) -> None:
    httpx.delete(f"{replay_server}/_replay/faults").raise_for_status()


# -- outages ---------------------------------------------------------------------------------------


def test_an_outage_shorter_than_the_patience_of_a_run_costs_nothing(
    run: Run, fault: Fault, store: FrameStore, clock: Clock
) -> None:
    window = move(clock, newest_window())
    until = clock.now() + 1.5 * MINUTE
    fault("outage", platform="youtube", end=until.isoformat())

    result = run("signal", first=window)

    assert result.success
    assert retries_of(result) == 2
    assert metadata_of(result)["is_complete"]
    assert metadata_of(result)["rows"] == len(store.read("collection.youtube_trending")) > 0
    assert len(scores(store)["viral_scores"]) > 0
    assert_nothing_is_counted_twice(store)


def test_after_a_long_outage_the_next_run_is_complete_and_the_gap_can_be_filled(
    run: Run,
    fault: Fault,
    store: FrameStore,
    clock: Clock,
    *,
    replay_server: str,
    minute_later: Callable[[], None],
    installation: dict[str, Redis],
    instance: dg.DagsterInstance,
) -> None:
    newest = newest_window()
    gap = newest - 2 * WINDOW
    run("signal", first=move(clock, newest - 5 * WINDOW))
    stored = store.read("collection.youtube_trending")
    published = documents(installation["redis"].url)
    fault("outage", platform="youtube")

    down = run("signal", first=move(clock, gap), raise_on_error=False)

    assert not down.success
    assert retries_of(down) == 3
    assert "127.0.0.1" in failure_of(down, "collection__youtube_trending")
    assert len(store.read("collection.youtube_trending")) == len(stored)
    assert scores(store, gap)["video_velocity"].empty
    assert documents(installation["redis"].url) == published  # served on, with their age
    missed = store.read("operations.crawls", where={"is_complete": False})
    assert set(missed["reason"]) <= {"transient", "circuit_open"}
    assert len(missed) > 0

    end_of_faults(replay_server)
    minute_later()
    up = run("signal", first=move(clock, newest))

    assert metadata_of(up)["why_incomplete"] == "-"
    assert metadata_of(up)["rows"] > 0
    velocity = scores(store, newest)["video_velocity"]
    assert velocity["velocity_now_per_hour"].notna().any()
    assert (velocity["confidence_pct"] == 100).any()
    # The windows around it that nobody ran are asked for with it.
    with dg.build_sensor_context(
        instance=instance, resources={"store": Store(postgres_url=store.url)}
    ) as context:
        [asked] = unscored_windows.evaluate_tick(context).run_requests or []
    bounds = [asked.tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end")]
    assert bounds == [(gap + n * WINDOW).strftime(half_hours.fmt) for n in (-2, 1)]
    assert run("rescore", first=gap - 2 * WINDOW, last=gap + WINDOW).success
    filled = scores(store, gap)["video_velocity"]
    assert len(filled) > 0
    assert 0 < filled["confidence_pct"].max() < 100
    assert_nothing_is_counted_twice(store)


def _samples(store: FrameStore, window: datetime) -> dict[str, int]:
    rows = scores(store, window)["category_stats"]
    return dict(zip(rows["category"], rows["sample_count"], strict=True))


def _last_crawls(store: FrameStore) -> dict[str, datetime]:
    where = {"dataset": "collection/youtube_games"}
    rows = store.read("operations.collection_state", where=where)
    return dict(zip(rows["category"], rows["last_crawl_at"], strict=True))


def _games_documents(url: str) -> dict[str, int]:
    found = documents(url).items()
    return {key: len(d.videos) for key, d in found if isinstance(d, GameVideosDocument)}


def test_a_game_of_which_a_part_was_answered_keeps_its_other_videos_and_stays_due(
    run: Run,
    fault: Fault,
    store: FrameStore,
    clock: Clock,
    installation: dict[str, Redis],
) -> None:
    newest = newest_window()
    run("signal", first=move(clock, newest - 2 * WINDOW))
    run("games_reconcile")
    run("signal", first=newest - 2 * WINDOW)
    whole = _samples(store, newest - 2 * WINDOW)
    due = _last_crawls(store)
    known = _games_documents(installation["redis"].url)
    move(clock, newest)
    fault("html_body", platform="youtube", endpoint="videos.list", skip=1)

    result = run("games_reconcile")

    assert not metadata_of(result, GAMES)["is_complete"]
    crawls = store.query(
        "select category, got, expected, is_complete from operations.crawls "
        "where dataset = 'collection/youtube_games' "
        "and crawl_at = (select max(crawl_at) from operations.crawls "
        "where dataset = 'collection/youtube_games')"
    )
    partial = crawls.loc[~crawls["is_complete"].astype(bool)]
    assert partial["got"].sum() < partial["expected"].sum()
    after = _last_crawls(store)
    assert all(after[game] == due[game] for game in partial["category"])

    run("rescore", first=newest)
    run("publish")

    scored = _samples(store, newest)
    assert known
    assert all(scored[game] >= whole[game] for game in partial["category"])
    still = _games_documents(installation["redis"].url)
    assert all(still[key] >= count for key, count in known.items())
    assert_nothing_is_counted_twice(store)


def test_an_outage_of_one_country_leaves_the_others_and_marks_the_crawl_incomplete(
    run: Run, fault: Fault, store: FrameStore, clock: Clock
) -> None:
    fault("html_body", platform="youtube", where={"regionCode": "GB"})

    result = run("signal", first=move(clock, newest_window()))

    assert result.success
    assert not metadata_of(result)["is_complete"]
    assert "collection/youtube_trending:coverage" in failed_checks(result)
    crawls = store.read("operations.crawls").set_index("region")
    assert not crawls.loc["GB", "is_complete"].any()
    assert crawls.loc["US", "is_complete"].all()
    assert set(store.read("collection.youtube_trending")["region"]) == {"US"}
    assert len(store.read("operations.quarantine")) == 4  # each page that was no answer, whole


def test_an_outage_of_twitch_leaves_the_videos_scored_and_the_competition_unsure(
    run: Run, fault: Fault, store: FrameStore, clock: Clock
) -> None:
    newest = newest_window()
    move(clock, newest - 8 * WINDOW)
    run("streams")
    fault("server_error", platform="twitch")
    move(clock, newest)

    down = run("streams", raise_on_error=False)
    result = run("signal", first=newest)

    assert not down.success
    assert result.success
    competition = scores(store, newest)["competition"]
    assert competition["observed_at"].notna().any()
    assert competition["confidence_pct"].max() < 100
    opportunity = scores(store, newest)["opportunity"]
    assert opportunity["opportunity_score"].notna().any()


@pytest.mark.parametrize("kind", ["truncated_body", "malformed_json", "rate_limited"])
def test_answers_cut_garbled_or_refused_for_a_moment_cost_nothing(
    run: Run, fault: Fault, store: FrameStore, clock: Clock, kind: str
) -> None:
    fault(kind, platform="youtube", times=1)

    result = run("signal", first=move(clock, newest_window()))

    assert failed_checks(result) == set()
    assert retries_of(result) == 0
    assert metadata_of(result)["rows"] == len(store.read("collection.youtube_trending")) > 0
    assert store.read("operations.quarantine").empty
    assert_nothing_is_counted_twice(store)


# -- clocks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("skew", [SKEW, -SKEW], ids=["ahead", "behind"])
def test_what_is_observed_is_dated_by_the_platform_and_counted_once(
    run: Run,
    fault: Fault,
    store: FrameStore,
    clock: Clock,
    *,
    skew: timedelta,
    installation: dict[str, Redis],
) -> None:
    newest = newest_window()
    run("signal", first=move(clock, newest - WINDOW))
    fault("clock_skew", options={"seconds": int(skew.total_seconds())})
    moved = move(clock, newest) + timedelta(minutes=25) + skew

    crawls = [run(job) for job in ("streams", "games", "clips")]
    result = run("signal", first=newest)

    for crawl in (*crawls, result):
        assert crawl.success
        (off,) = [
            event.materialization.metadata["platform_clock_off_s"].value
            for event in crawl.get_asset_materialization_events()
            if "platform_clock_off_s" in event.materialization.metadata
        ]
        assert off == pytest.approx((skew + clock.offset).total_seconds(), abs=30)
    skewed = store.read("operations.fetch_log", start=moved, end=moved + timedelta(minutes=15))
    assert {"videos.list", "streams", "clips"} <= set(skewed["endpoint"])
    for table in ("youtube_trending", "youtube_games", "twitch_streams", "clip_radar"):
        rows = store.read(f"collection.{table}", start=moved, end=moved + timedelta(minutes=15))
        assert len(rows) > 0, table
        assert (rows["crawl_at"] >= moved.replace(microsecond=0)).all()
    # The window is scored from what was observed before its end, and nothing is in it twice.
    velocity = scores(store, newest)["video_velocity"]
    assert len(velocity) > 0
    assert (velocity["observed_at"] < newest + WINDOW).all()
    assert velocity["confidence_pct"].between(0, 100).all()
    assert_nothing_is_counted_twice(store)
    assert_every_number_is_one(store)
    assert all(d.observed_at <= d.as_of for d in documents(installation["redis"].url).values())


def test_once_the_clocks_agree_again_no_counter_seems_to_fall(
    run: Run, fault: Fault, store: FrameStore, clock: Clock, replay_server: str
) -> None:
    newest = newest_window()
    fault("clock_skew", options={"seconds": -int(SKEW.total_seconds())})
    run("signal", first=move(clock, newest - WINDOW))
    end_of_faults(replay_server)

    result = run("signal", first=move(clock, newest))

    assert failed_checks(result) == set()
    velocity = scores(store, newest)["video_velocity"]
    assert not velocity["views_fell"].any()
    assert (velocity["velocity_now_per_hour"].dropna() >= 0).all()
    assert_nothing_is_counted_twice(store)
    later = store.query("SELECT max(observed_at) AS at FROM collection.youtube_trending")
    assert later["at"].iloc[0] <= datetime.now(UTC)
