"""Keys that do not open and a quota that is spent: said once, and served from what is stored."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
import httpx
import pandas as pd
import pytest

from aurastream.sources.ports import SystemClock
from aurastream.store.documents import rebuild_documents
from aurastream.store.frames import FrameStore
from aurastream_assets.definitions import build_defs
from aurastream_assets.partitions import WINDOW, half_hours
from resources.platforms import Platforms
from resources.store import Redis
from tests.graph.evidence import (
    TRENDING,
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
# As the scores of a category say them, best first.
LEVELS = ["FRESH", "RECENT", "STALE", "OLD", "EXPIRED"]


def requests_at(replay_server: str) -> int:
    """Return how often the platforms were asked anything."""
    return sum(httpx.get(f"{replay_server}/_replay/status").json()["requests"].values())


# -- keys ------------------------------------------------------------------------------------------


@pytest.fixture
def run_live(
    installation: dict[str, object],
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    replay_server: str,
) -> Run:
    """Return a function that runs a job with the settings of an operator who has keys."""
    for platform in ("YOUTUBE_BASE", "TWITCH_BASE", "TWITCH_AUTH"):
        monkeypatch.setenv(f"AURASTREAM_{platform}_URL", replay_server)
    monkeypatch.setenv("AURASTREAM_POLICY_MODE", "amended")
    graph = build_defs(
        environment="local", resource_overrides={**installation, "platforms": Platforms()}
    )

    def run_job(name: str, window: datetime | None = None) -> dg.ExecuteInProcessResult:
        return graph.resolve_job_def(name).execute_in_process(
            instance=instance,
            partition_key=window.strftime(half_hours.fmt) if window else None,
            raise_on_error=False,
        )

    return run_job


def test_a_missing_key_fails_once_and_names_the_setting(
    run_live: Run, monkeypatch: pytest.MonkeyPatch, replay_server: str
) -> None:
    monkeypatch.setenv("TWITCH_CLIENT_ID", "client")
    monkeypatch.setenv("TWITCH_CLIENT_SECRET", "secret")
    before = requests_at(replay_server)

    result = run_live("signal", newest_window())

    assert not result.success
    assert "Set YOUTUBE_API_KEY" in failure_of(result, "collection__youtube_trending")
    assert retries_of(result) == 0
    assert requests_at(replay_server) == before


def test_missing_credentials_of_twitch_do_not_keep_youtube_from_being_collected(
    run_live: Run, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setenv("YOUTUBE_API_KEY", "key")

    streams = run_live("streams")
    signal = run_live("signal", move(clock, newest_window()))

    assert "TWITCH_CLIENT_ID and TWITCH_CLIENT_SECRET" in failure_of(streams, "twitch_streams")
    assert retries_of(streams) == 0
    assert signal.success


def test_a_wrong_key_is_refused_once_and_shown_nowhere(
    run_live: Run, monkeypatch: pytest.MonkeyPatch, fault: Fault, store: FrameStore
) -> None:
    key = "AIzaSy-a-key-that-nobody-may-see"
    monkeypatch.setenv("YOUTUBE_API_KEY", key)
    fault("invalid_key", platform="youtube", key=key)

    result = run_live("signal", newest_window())

    assert "YOUTUBE_API_KEY" in failure_of(result, "collection__youtube_trending")
    assert retries_of(result) == 0
    said = "".join(str(event) for event in result.all_events)
    logged = store.read("operations.fetch_log")
    assert key not in said + logged.to_csv()


def test_wrong_credentials_of_twitch_are_refused_once(
    run: Run, fault: Fault, store: FrameStore
) -> None:
    fault("invalid_key", platform="twitch")

    result = run("streams", raise_on_error=False)

    assert not result.success
    assert "TWITCH_CLIENT_SECRET" in failure_of(result, "twitch_streams")
    assert retries_of(result) == 0
    assert store.read("collection.twitch_streams").empty


def test_a_key_revoked_in_service_loses_nothing_and_a_new_one_goes_on(
    run: Run, fault: Fault, store: FrameStore, clock: Clock, replay_server: str
) -> None:
    newest = newest_window()
    run("signal", first=move(clock, newest - 4 * WINDOW))
    stored = store.read("collection.youtube_trending")
    fault("invalid_key", platform="youtube")

    refused = run("signal", first=move(clock, newest - WINDOW), raise_on_error=False)

    assert "YOUTUBE_API_KEY" in failure_of(refused, "collection__youtube_trending")
    assert len(store.read("collection.youtube_trending")) == len(stored)
    httpx.delete(f"{replay_server}/_replay/faults")
    again = run("signal", first=move(clock, newest))
    assert failed_checks(again) == set()
    # The window without a crawl can be scored from the one before it.
    assert run("rescore", first=newest - WINDOW).success
    carried = scores(store, newest - WINDOW)["video_velocity"]["confidence_pct"]
    assert 0 < carried.max() < 100
    assert_nothing_is_counted_twice(store)


def test_a_token_revoked_between_two_crawls_is_replaced(
    run: Run, fault: Fault, store: FrameStore
) -> None:
    run("streams")
    fault("token_revoked", platform="twitch")

    result = run("streams")

    assert failed_checks(result) == set()
    assert retries_of(result) == 0
    assert store.read("collection.twitch_streams")["crawl_at"].nunique() == 2


def test_tokens_that_are_all_refused_fail_once_and_say_so(run: Run, fault: Fault) -> None:
    fault("token_rejected", platform="twitch")

    result = run("clips", raise_on_error=False)

    assert "TWITCH_CLIENT_ID" in failure_of(result, "collection__clip_radar")
    assert retries_of(result) == 0


# -- quota -----------------------------------------------------------------------------------------


@pytest.fixture
def exhausted(run: Run, fault: Fault, clock: Clock) -> list[datetime]:
    """Collect one window, let the quota be spent after it, and return six hours of windows."""
    newest = newest_window()
    windows = [newest - age * WINDOW for age in reversed(range(13))]
    assert run("signal", first=move(clock, windows[0])).success
    fault("quota_exceeded", platform="youtube")
    return windows


def test_while_the_quota_is_spent_every_window_is_scored_and_says_how_old_it_is(
    run: Run, store: FrameStore, clock: Clock, exhausted: list[datetime]
) -> None:
    for window in exhausted[1::3]:
        result = run("signal", first=move(clock, window))
        assert result.success
        assert retries_of(result) == 0
        assert metadata_of(result)["quota_remaining"] == 0
        assert "quota" in str(metadata_of(result)["why_incomplete"])

    velocity = store.read("intelligence.video_velocity")
    by_window = velocity.groupby("window_start")
    assert list(by_window.groups) == [exhausted[0], *exhausted[1::3]]
    assert len(set(by_window["video_id"].nunique())) == 1  # everything is carried forward
    confidence = by_window["confidence_pct"].max()
    assert confidence.is_monotonic_decreasing
    assert confidence.iloc[0] == 100 > confidence.iloc[-1] >= 50
    levels = by_window["freshness"].first().map(LEVELS.index)
    assert levels.is_monotonic_increasing
    assert levels.iloc[-1] == LEVELS.index("STALE")
    scored = store.read("intelligence.viral_scores").groupby("window_start")
    assert len(set(scored["viral_score"].max())) == 1  # the same snapshots, the same scores
    assert scored["decayed_score"].max().is_monotonic_decreasing
    opportunity = store.read("intelligence.opportunity").groupby("window_start")
    assert opportunity["confidence_pct"].max().is_monotonic_decreasing
    assert_nothing_is_counted_twice(store)
    assert_every_number_is_one(store)


def test_a_spent_quota_is_asked_about_once_and_not_at_every_tick(
    run: Run,
    store: FrameStore,
    clock: Clock,
    exhausted: list[datetime],
    replay_server: str,
) -> None:
    run("signal", first=move(clock, exhausted[1]))
    asked = requests_at(replay_server)

    for job in ("games", "games_reconcile"):
        assert run(job).success
    for window in exhausted[2:5]:
        assert run("signal", first=move(clock, window)).success

    assert requests_at(replay_server) == asked
    spent = store.query("SELECT sum(units_settled) AS units FROM operations.quota_ledger")
    logged = store.read("operations.fetch_log")
    assert spent["units"].tolist() == [logged["units"].sum()]


def test_documents_are_served_on_with_a_label_that_decays(
    run: Run,
    clock: Clock,
    exhausted: list[datetime],
    installation: dict[str, Redis],
) -> None:
    url = installation["redis"].url
    fresh = documents(url)

    run("signal", first=move(clock, exhausted[-1]))

    served = documents(url)
    assert served.keys() == fresh.keys()
    about_youtube = [key for key in fresh if not key.startswith("intel:competition")]
    assert about_youtube
    for key in about_youtube:
        assert fresh[key].freshness == "FRESH", key
        assert served[key].freshness == "STALE", key
        assert served[key].observed_at <= fresh[key].as_of
        assert served[key].as_of == exhausted[-1] + WINDOW


@pytest.fixture
def crawl_at(
    installation: dict[str, object], instance: dg.DagsterInstance, clock: Clock, replay_server: str
) -> Iterator[Callable[[datetime], dict[str, object]]]:
    """Return a function that collects the charts at a moment, by everybody's clock."""

    class ThenClock(SystemClock):
        def now(self) -> datetime:
            return clock.now()

    class PlatformsThen(Platforms):
        def clock(self) -> SystemClock:
            return ThenClock()

    platforms = PlatformsThen(replay_url=replay_server)
    graph = build_defs(
        environment="local", resource_overrides={**installation, "platforms": platforms}
    )
    job = graph.resolve_job_def("signal")

    def crawl(moment: datetime) -> dict[str, object]:
        clock.offset = moment - datetime.now(UTC)
        result = job.execute_in_process(instance=instance, asset_selection=[TRENDING])
        assert retries_of(result) == 0
        return metadata_of(result)

    yield crawl
    set_limit(replay_server, 10_000)


def set_limit(replay_server: str, units: int) -> None:
    url = f"{replay_server}/_replay/limits"
    httpx.put(url, json={"default": units}).raise_for_status()


def midnights_of_last_day_with(hours: int) -> tuple[datetime, datetime]:
    """Return both ends (UTC) of the last day of so many hours by the clocks of Los Angeles.

    Not of the last two, which other tests ask the same replay server about.
    """
    pacific = ZoneInfo("America/Los_Angeles")
    today = datetime.now(pacific).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    for age in range(3, 400):
        # Wall-clock arithmetic: the midnights, however many hours are between them.
        ends = [(today - timedelta(days=days)).astimezone(UTC) for days in (age, age - 1)]
        if ends[1] - ends[0] == timedelta(hours=hours):
            return ends[0], ends[1]
    raise AssertionError(f"no day of {hours} hours within a year")


@pytest.mark.parametrize("hours", [24, 23, 25])
def test_a_spent_quota_is_served_from_the_record_until_midnight_in_los_angeles(
    crawl_at: Callable[[datetime], dict[str, object]],
    store: FrameStore,
    installation: dict[str, Redis],
    replay_server: str,
    hours: int,
) -> None:
    day, midnight = midnights_of_last_day_with(hours)
    minute, url = timedelta(minutes=1), installation["redis"].url

    def served(moment: datetime) -> set[str]:
        rebuild_documents(store, url, moment, only=["trending"])
        found = documents(url)
        # The chart of films may be empty, which no document says.
        charts = [found[f"youtube:trending:{name}"] for name in ("trending", "gaming", "music")]
        assert all(chart.as_of == moment for chart in charts)
        return {chart.freshness for chart in charts}

    whole = crawl_at(midnight - 7 * timedelta(hours=1))
    assert whole["why_incomplete"] == "-"
    assert served(midnight - 7 * timedelta(hours=1) + minute) == {"FRESH"}
    status = httpx.get(f"{replay_server}/_replay/status").json()
    set_limit(replay_server, status["quota_used"]["replay-key default"])

    refused = crawl_at(midnight - timedelta(minutes=90))
    asked = requests_at(replay_server)
    waited = crawl_at(midnight - minute)

    for said in (refused, waited):
        assert (said["rows"], said["quota_remaining"]) == (0, 0)
        assert "quota" in str(said["why_incomplete"])
    assert requests_at(replay_server) == asked
    assert served(midnight - minute) == {"STALE"}

    again = crawl_at(midnight + minute)

    assert again["why_incomplete"] == "-"
    assert again["rows"] > 0
    assert again["quota_remaining"] == whole["quota_remaining"] == 10_000 - again["quota_used"]
    assert served(midnight + 2 * minute) == {"FRESH"}
    units = store.query(
        "SELECT quota_date, sum(units_settled) AS units FROM operations.quota_ledger GROUP BY 1"
    )
    assert len(units) == 2
    logged = store.read("operations.fetch_log")
    assert units["units"].sum() == logged["units"].sum()
    assert logged.loc[logged["outcome"] == "quota", "observed_at"].between(day, midnight).all()
    assert day < logged["observed_at"].min() < midnight < logged["observed_at"].max()
    assert_nothing_is_counted_twice(store)


def test_after_pacific_midnight_scores_take_up_what_changed_meanwhile(
    run: Run, store: FrameStore, clock: Clock, exhausted: list[datetime], replay_server: str
) -> None:
    run("signal", first=move(clock, exhausted[-2]))
    httpx.delete(f"{replay_server}/_replay/faults")
    still = run("signal", first=move(clock, exhausted[-2]))
    assert metadata_of(still)["rows"] == 0  # the platform has not said that there is more

    # Midnight passes: what was spent and refused belongs to yesterday.
    store.execute("UPDATE operations.quota_exhaustion SET quota_date = quota_date - 1")
    store.execute("UPDATE operations.quota_ledger SET quota_date = quota_date - 1")
    result = run("signal", first=move(clock, exhausted[-1]))

    assert metadata_of(result)["why_incomplete"] == "-", metadata_of(result)
    assert metadata_of(result)["rows"] > 0
    velocity = scores(store, exhausted[-1])["video_velocity"]
    assert (velocity["confidence_pct"] == 100).any()
    # What was gained since before the gap is known, and told with the hours it spans.
    gained = velocity[velocity["velocity_now_per_hour"].notna()]
    assert (gained["velocity_now_span_h"] <= timedelta(hours=6) / timedelta(hours=1)).all()
    assert_nothing_is_counted_twice(store)


def test_an_installation_that_starts_with_a_spent_quota_says_that_it_has_nothing_yet(
    run: Run, fault: Fault, store: FrameStore, clock: Clock
) -> None:
    fault("quota_exceeded", platform="youtube")

    result = run("signal", first=move(clock, newest_window()), raise_on_error=False)

    assert metadata_of(result)["rows"] == 0
    assert retries_of(result) == 0
    assert {name: len(rows) for name, rows in scores(store).items()}["viral_scores"] == 0


def test_a_quota_that_ends_in_mid_crawl_keeps_what_came(
    run: Run, fault: Fault, store: FrameStore, clock: Clock
) -> None:
    fault("quota_exceeded", platform="youtube", skip=3)

    result = run("signal", first=move(clock, newest_window()))

    assert result.success
    crawls = store.read("operations.crawls")
    assert 0 < crawls["is_complete"].sum() < len(crawls)
    assert set(crawls.loc[~crawls["is_complete"], "reason"]) == {"quota"}
    assert metadata_of(result)["rows"] == crawls["got"].sum() > 0
    assert "collection/youtube_trending:coverage" in failed_checks(result)
    assert len(scores(store)["viral_scores"]) > 0


def test_refusals_are_recorded_with_the_call_that_met_them(
    run: Run, store: FrameStore, clock: Clock, exhausted: list[datetime]
) -> None:
    run("signal", first=move(clock, exhausted[1]))

    refused = store.read("operations.fetch_log", where={"outcome": "quota"})
    assert len(refused) > 0
    exhaustion = store.read("operations.quota_exhaustion")
    assert exhaustion["bucket"].tolist() == ["youtube.default"]
    assert exhaustion["reported_at"].iloc[0] <= pd.Timestamp(datetime.now(UTC))


def test_a_live_crawl_into_a_replayed_record_is_refused_before_it_asks_anybody(
    run: Run, store: FrameStore, clock: Clock, installation: dict[str, object]
) -> None:
    del installation
    window = move(clock, newest_window())
    store.execute(
        "insert into operations.installation (singleton, origin, created_at)"
        " values (true, 'live', now())"
    )

    result = run("signal", first=window, raise_on_error=False)

    assert not result.success
    refusal = failure_of(result, "collection__youtube_trending")
    assert "holds live data, and this start would add replayed data" in refusal
    assert store.read("operations.fetch_log").empty
