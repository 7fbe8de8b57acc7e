"""What schedules and sensors ask for, evaluated tick by tick on an instance of their own."""

import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from types import ModuleType

import dagster as dg
import pandas as pd
import pytest

from aurastream.operations.first_runs import PLANNED
from aurastream.operations.schedule_policy import window_of
from aurastream.settings import REPO_ROOT
from aurastream.store.deliveries import DELIVERIES
from aurastream.store.embedded import EmbeddedPostgres
from aurastream.store.frames import Append, FrameStore
from aurastream.store.start_note import noted_start
from aurastream.store.urls import dagster_url
from aurastream_assets import jobs
from aurastream_assets.definitions import build_defs
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import WINDOW, days, four_hours, half_hours, hours
from resources.store import Store
from schedules.collection import COLLECTION_SCHEDULES
from schedules.declaration import schedules_for
from schedules.rollups import ROLLUP_SCHEDULES
from sensors import late_data, missed_windows
from sensors.late_data import INPUTS, late_analyses, late_crawls, late_days, late_hours
from tests.conftest import fresh_database

SCHEDULES = {
    d.definition.job_name: d.definition for d in (*COLLECTION_SCHEDULES, *ROLLUP_SCHEDULES)
}
COLLECTORS = ["signal", "games", "games_reconcile", "streams", "clips"]
# The sets of partitions roll with the calendar, so no date that is written down stays in them.
MIDNIGHT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=3)
THEN = MIDNIGHT.replace(hour=13, minute=15)
NEXT_MONTH = (MIDNIGHT.replace(day=1) + timedelta(days=32)).replace(day=1)


def _before(midnight: datetime) -> datetime:
    """Return the start of the day that a midnight ends."""
    return midnight - timedelta(days=1)


REPOSITORY = build_defs(environment="local").get_repository_def()


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("AURASTREAM_DATA_DIR", str(tmp_path))  # whatever runs in this checkout
    # On disk: a schedule's context opens the instance by reference, which an ephemeral one lacks.
    with dg.DagsterInstance.local_temp(str(tmp_path)) as local:
        yield local


def _tick(
    instance: dg.DagsterInstance, job: str, at: datetime
) -> list[dg.RunRequest] | dg.SkipReason:
    context = dg.build_schedule_context(
        instance=instance, scheduled_execution_time=at, repository_def=REPOSITORY
    )
    data = SCHEDULES[job].evaluate_tick(context)
    return list(data.run_requests or []) or dg.SkipReason(data.skip_message)


def _start(instance: dg.DagsterInstance, job: str, tags: Mapping[str, str] | None = None) -> None:
    instance.add_run(
        dg.DagsterRun(job_name=job, status=dg.DagsterRunStatus.STARTED, tags=dict(tags or {}))
    )


@pytest.mark.parametrize(
    ("job", "at", "partition"),
    [
        ("signal", MIDNIGHT.replace(hour=13, minute=25), f"{MIDNIGHT:%Y-%m-%d}-13:00"),
        ("signal", MIDNIGHT.replace(hour=13, minute=55), f"{MIDNIGHT:%Y-%m-%d}-13:30"),
        ("hourly_rollup", MIDNIGHT.replace(minute=5), f"{_before(MIDNIGHT):%Y-%m-%d}-23:00"),
        ("daily_rollup", NEXT_MONTH.replace(minute=15), f"{_before(NEXT_MONTH):%Y-%m-%d}"),
        ("games", MIDNIGHT.replace(hour=13, minute=14), None),
        ("streams", MIDNIGHT.replace(hour=13, minute=19), None),
        ("clips", MIDNIGHT.replace(hour=13, minute=2), None),
    ],
)
def test_a_tick_asks_for_the_partition_of_its_own_time(
    instance: dg.DagsterInstance, job: str, at: datetime, partition: str | None
) -> None:
    (request,) = _tick(instance, job, at)

    assert request.partition_key == partition
    assert request.run_key == f"{job}:{at.isoformat(timespec='minutes')}"


def test_without_keys_of_youtube_the_scores_of_a_window_are_asked_for_without_its_charts(
    instance: dg.DagsterInstance,
) -> None:
    of_twitch = schedules_for(COLLECTION_SCHEDULES, "production", {"twitch"})
    assert {s.job_name for s in of_twitch} == {"signal", "streams", "clips"}
    context = dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=MIDNIGHT.replace(hour=13, minute=25),
        repository_def=REPOSITORY,
    )
    [signal] = [s for s in of_twitch if s.job_name == "signal"]
    [request] = signal.evaluate_tick(context).run_requests or []
    everything = REPOSITORY.get_job("signal").asset_layer.selected_asset_keys
    assert request.partition_key == f"{MIDNIGHT:%Y-%m-%d}-13:00"
    assert set(request.asset_selection or ()) == everything - {
        asset_key("collection", "youtube_trending")
    }


@pytest.mark.parametrize("job", COLLECTORS)
def test_a_collector_is_not_launched_beside_itself(instance: dg.DagsterInstance, job: str) -> None:
    _start(instance, job)

    skipped = _tick(instance, job, datetime.now(UTC))

    assert isinstance(skipped, dg.SkipReason)
    assert "is still in progress" in str(skipped.skip_message)


@pytest.mark.parametrize("job", COLLECTORS)
def test_a_stuck_run_does_not_silence_a_collector_for_ever(
    instance: dg.DagsterInstance, job: str
) -> None:
    _start(instance, job)

    assert len(_tick(instance, job, datetime.now(UTC) + timedelta(hours=1))) == 1


@pytest.mark.parametrize("job", ["hourly_rollup", "daily_rollup"])
def test_a_rollup_is_never_skipped(instance: dg.DagsterInstance, job: str) -> None:
    _start(instance, job)

    assert len(_tick(instance, job, datetime.now(UTC))) == 1


def test_another_job_in_progress_is_no_reason_to_wait(instance: dg.DagsterInstance) -> None:
    _start(instance, "streams")

    assert len(_tick(instance, "clips", datetime.now(UTC))) == 1


# --- late data ----------------------------------------------------------------------------------

VELOCITY = asset_key("intelligence", "video_velocity")
SCORES = asset_key("intelligence", "viral_scores")
HOURLY = asset_key("aggregation", "intel_hourly_metrics")
DAILY = asset_key("aggregation", "intel_daily_metrics")
OPPORTUNITY = asset_key("intelligence", "opportunity")
COMPETITION = asset_key("intelligence", "competition")


def _report(
    instance: dg.DagsterInstance,
    key: dg.AssetKey,
    partitions: dg.TimeWindowPartitionsDefinition,
    *starts: datetime,
) -> None:
    for start in starts:
        instance.report_runless_asset_event(
            dg.AssetMaterialization(key, partition=start.strftime(partitions.fmt))
        )


def _set_clock(
    monkeypatch: pytest.MonkeyPatch, sensor: ModuleType, moment: Callable[[], datetime]
) -> None:
    class Then(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return moment().astimezone(tz)

    monkeypatch.setattr(sensor, "datetime", Then)


def _sense(
    instance: dg.DagsterInstance, sensor: dg.SensorDefinition
) -> list[tuple[str, str]] | str:
    data = sensor.evaluate_tick(dg.build_sensor_context(instance=instance))
    requests = [
        (
            r.tags["dagster/asset_partition_range_start"],
            r.tags["dagster/asset_partition_range_end"],
        )
        for r in data.run_requests or []
    ]
    return requests or str(data.skip_message)


def test_an_hour_follows_a_window_that_was_scored_again(instance: dg.DagsterInstance) -> None:
    _report(instance, SCORES, half_hours, MIDNIGHT, MIDNIGHT + WINDOW)
    _report(instance, HOURLY, hours, MIDNIGHT)
    assert _sense(instance, late_hours) == "every rollup is newer than its parts"

    _report(instance, VELOCITY, half_hours, MIDNIGHT + WINDOW)

    key = MIDNIGHT.strftime(hours.fmt)
    assert _sense(instance, late_hours) == [(key, key)]


def test_a_backfill_of_windows_becomes_one_run_of_hours(instance: dg.DagsterInstance) -> None:
    _report(instance, SCORES, half_hours, *(MIDNIGHT + WINDOW * n for n in range(12)))

    assert _sense(instance, late_hours) == [
        (MIDNIGHT.strftime(hours.fmt), (MIDNIGHT + timedelta(hours=5)).strftime(hours.fmt))
    ]


def test_what_is_late_is_asked_for_once_in_each_of_its_periods(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    _report(instance, SCORES, half_hours, MIDNIGHT)
    then = THEN
    _set_clock(monkeypatch, late_data, lambda: then)

    def ask() -> str | None:
        [asked] = late_hours.evaluate_tick(dg.build_sensor_context(instance=instance)).run_requests
        return asked.run_key

    first = ask()
    then = THEN.replace(minute=59)
    assert ask() == first
    # Its run failed, and so did all that replaced it.
    then += timedelta(minutes=1)
    assert ask() != first


def test_a_window_of_the_running_hour_waits_for_the_schedule(instance: dg.DagsterInstance) -> None:
    # In the last minutes of an hour the next one, so that it is not over when the sensor looks.
    soon = datetime.now(UTC) + timedelta(minutes=5)
    this_hour = soon.replace(minute=0, second=0, microsecond=0)
    _report(instance, SCORES, half_hours, this_hour)

    assert _sense(instance, late_hours) == "every rollup is newer than its parts"


def test_a_sensor_waits_for_the_rollup_in_progress(instance: dg.DagsterInstance) -> None:
    _report(instance, SCORES, half_hours, MIDNIGHT)
    _start(instance, jobs.hourly_rollup.name)

    assert "in progress" in _sense(instance, late_hours)


def test_a_sensor_leaves_to_a_start_what_follows_from_its_runs(
    instance: dg.DagsterInstance,
) -> None:
    _report(instance, SCORES, half_hours, MIDNIGHT)
    _start(instance, jobs.rescore.name, PLANNED)

    assert "of a start or a backfill" in _sense(instance, late_hours)


def test_a_day_follows_an_hour_that_was_rolled_up_again(instance: dg.DagsterInstance) -> None:
    _report(instance, HOURLY, hours, MIDNIGHT + timedelta(hours=7))
    _report(instance, DAILY, days, MIDNIGHT)
    _report(instance, HOURLY, hours, MIDNIGHT + timedelta(hours=7))

    key = MIDNIGHT.strftime(days.fmt)
    assert _sense(instance, late_days) == [(key, key)]


@pytest.mark.parametrize("made_of", [VELOCITY, COMPETITION])
def test_a_day_follows_each_of_its_inputs(
    instance: dg.DagsterInstance, made_of: dg.AssetKey
) -> None:
    _report(instance, made_of, half_hours, MIDNIGHT + WINDOW)
    for rollup in INPUTS["daily_rollup"]:
        _report(instance, rollup, days, MIDNIGHT)
    assert _sense(instance, late_days) == "every rollup is newer than its parts"

    _report(instance, made_of, half_hours, MIDNIGHT + WINDOW)

    key = MIDNIGHT.strftime(days.fmt)
    assert _sense(instance, late_days) == [(key, key)]


def test_a_rollup_that_the_terms_forbid_is_not_waited_for(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    _report(instance, COMPETITION, half_hours, MIDNIGHT + WINDOW)
    for name in ("intel_stream_hours", "intel_competition_days"):
        _report(instance, asset_key("aggregation", name), days, MIDNIGHT)
    assert _sense(instance, late_days) == [(MIDNIGHT.strftime(days.fmt),) * 2]

    monkeypatch.setenv("AURASTREAM_POLICY_MODE", "strict")

    assert _sense(instance, late_days) == "every rollup is newer than its parts"


def test_four_hours_follow_a_window_that_was_scored_again(instance: dg.DagsterInstance) -> None:
    _report(instance, VELOCITY, half_hours, MIDNIGHT + WINDOW)
    for analysis in INPUTS["analyses"]:
        _report(instance, analysis, four_hours, MIDNIGHT)
    assert _sense(instance, late_analyses) == "every rollup is newer than its parts"

    _report(instance, VELOCITY, half_hours, MIDNIGHT + WINDOW)

    key = MIDNIGHT.strftime(four_hours.fmt)
    assert _sense(instance, late_analyses) == [(key, key)]


@pytest.mark.parametrize(
    "sensor", [late_hours, late_analyses, late_days], ids=lambda sensor: sensor.name
)
def test_what_is_made_up_for_leaves_the_clock_its_slots(
    instance: dg.DagsterInstance, sensor: dg.SensorDefinition
) -> None:
    _report(instance, VELOCITY, half_hours, MIDNIGHT)
    _report(instance, HOURLY, hours, MIDNIGHT)
    _report(instance, VELOCITY, half_hours, MIDNIGHT + WINDOW)

    asked = sensor.evaluate_tick(dg.build_sensor_context(instance=instance)).run_requests

    assert asked
    for request in asked:
        assert request.tags["aura/class"] == "batch"
        assert int(request.tags["dagster/priority"]) < 0


def test_each_rollup_is_compared_with_all_that_it_is_made_of() -> None:
    graph = REPOSITORY.asset_graph
    days_of = REPOSITORY.get_job("daily_rollup").asset_layer.selected_asset_keys

    assert INPUTS["daily_rollup"].keys() == days_of
    for rollups in INPUTS.values():
        for rollup, inputs in rollups.items():
            parents = {k for k in graph.get(rollup).parent_keys if graph.get(k).is_partitioned}
            assert parents - rollups.keys() <= {key for key, _ in inputs}, rollup


STREAMS_TABLE = "collection.twitch_streams"


@pytest.fixture
def deliver(store: FrameStore) -> Callable[[datetime, datetime], None]:
    """Return a function that says rows of a moment were delivered at another."""

    def write(first: datetime, delivered: datetime) -> None:
        frame = pd.DataFrame(
            [
                {
                    "delivered_at": pd.Timestamp(delivered),
                    "delivery_id": str(uuid.uuid4()),
                    "table_name": STREAMS_TABLE,
                    "first_at": pd.Timestamp(first),
                    "last_at": pd.Timestamp(first),
                }
            ]
        )
        store.commit([Append(DELIVERIES, frame)])

    return write


def _late(
    instance: dg.DagsterInstance, store: FrameStore, cursor: str | None = None
) -> tuple[list[tuple[str, str]], str | None]:
    with dg.build_sensor_context(
        instance=instance, cursor=cursor, resources={"store": Store(postgres_url=store.url)}
    ) as context:
        data = late_crawls.evaluate_tick(context)
    start, end = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
    return [(r.tags[start], r.tags[end]) for r in data.run_requests or []], data.cursor


def test_windows_that_were_scored_before_a_crawl_came_are_scored_again_once(
    instance: dg.DagsterInstance,
    store: FrameStore,
    deliver: Callable[[datetime, datetime], None],
) -> None:
    came = datetime.now(UTC) - timedelta(hours=3)
    deliver(came - timedelta(hours=2), came)
    deliver(came - timedelta(hours=1), came)

    asked, cursor = _late(instance, store)

    first, last = (window_of(at).strftime(half_hours.fmt) for at in (came - 4 * WINDOW, came))
    assert asked == [(first, last)]
    _rescored(instance, asked[0], dg.DagsterRunStatus.SUCCESS)
    assert _late(instance, store, cursor) == ([], cursor)


def _rescored(
    instance: dg.DagsterInstance,
    windows: tuple[str, str],
    status: dg.DagsterRunStatus,
    ago: timedelta = timedelta(),
) -> None:
    """Say that a run of these windows, requested some time ago, ended so."""
    start, end = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
    run = dg.DagsterRun(
        job_name=jobs.rescore.name,
        status=status,
        tags={start: windows[0], end: windows[1]},
    )
    instance.run_storage.add_historical_run(run, datetime.now(UTC) - ago)


def test_windows_are_asked_for_until_they_are_scored_ever_less_often_and_not_for_ever(
    instance: dg.DagsterInstance,
    store: FrameStore,
    deliver: Callable[[datetime, datetime], None],
) -> None:
    came = datetime.now(UTC) - timedelta(hours=30)
    deliver(came - timedelta(hours=2), came)
    asked, cursor = _late(instance, store)
    assert len(asked) == 1

    # No run was ever made of the request.
    assert _late(instance, store, cursor)[0] == asked

    for ago, follows in (
        (timedelta(hours=29), True),
        (timedelta(minutes=30), False),  # the second in vain: an hour's pause
    ):
        _rescored(instance, asked[0], dg.DagsterRunStatus.FAILURE, ago)
        assert _late(instance, store, cursor)[0] == (asked if follows else [])
    # The third and the fourth; nobody waits for a fifth.
    _rescored(instance, asked[0], dg.DagsterRunStatus.CANCELED, timedelta(hours=20))
    _rescored(instance, asked[0], dg.DagsterRunStatus.FAILURE, timedelta(hours=10))
    assert _late(instance, store, cursor)[0] == []


def test_another_try_is_not_taken_for_the_run_that_failed(
    instance: dg.DagsterInstance,
    store: FrameStore,
    deliver: Callable[[datetime, datetime], None],
) -> None:
    came = datetime.now(UTC) - timedelta(hours=30)
    deliver(came - timedelta(hours=2), came)

    def requests() -> list[dg.RunRequest]:
        with dg.build_sensor_context(
            instance=instance, resources={"store": Store(postgres_url=store.url)}
        ) as context:
            return list(late_crawls.evaluate_tick(context).run_requests or [])

    [first], [same] = requests(), requests()
    assert same.run_key == first.run_key
    keys = (first.tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end"))
    _rescored(instance, (next(keys), next(keys)), dg.DagsterRunStatus.FAILURE, timedelta(hours=2))

    [again] = requests()

    assert again.run_key != first.run_key
    assert again.tags == first.tags


def test_a_run_before_the_delivery_or_of_fewer_windows_has_not_scored_it(
    instance: dg.DagsterInstance,
    store: FrameStore,
    deliver: Callable[[datetime, datetime], None],
) -> None:
    came = datetime.now(UTC) - timedelta(hours=3)
    deliver(came - timedelta(hours=2), came)
    [asked], cursor = _late(instance, store)

    _rescored(instance, asked, dg.DagsterRunStatus.SUCCESS, timedelta(hours=3, seconds=1))
    _rescored(instance, (asked[0], asked[0]), dg.DagsterRunStatus.SUCCESS)
    assert _late(instance, store, cursor)[0] == [asked]

    # Somebody scored a week for another reason.
    week_ago = (came - timedelta(days=7)).strftime(half_hours.fmt)
    _rescored(instance, (max(week_ago, half_hours.start.strftime(half_hours.fmt)), asked[1]),
              dg.DagsterRunStatus.SUCCESS)  # fmt: skip
    assert _late(instance, store, cursor)[0] == []


def test_a_crawl_that_has_just_come_waits_for_the_end_of_the_window(
    instance: dg.DagsterInstance,
    store: FrameStore,
    deliver: Callable[[datetime, datetime], None],
) -> None:
    # A little ahead, so that its window is open still when the sensor looks.
    came = datetime.now(UTC) + timedelta(minutes=1)
    deliver(came - timedelta(hours=2), came)

    assert _late(instance, store) == ([], None)


def test_what_came_late_waits_for_a_start(
    instance: dg.DagsterInstance,
    store: FrameStore,
    deliver: Callable[[datetime, datetime], None],
) -> None:
    came = datetime.now(UTC) - timedelta(hours=3)
    deliver(came - timedelta(hours=2), came)

    with noted_start(store.url):
        assert _late(instance, store) == ([], None)
    assert len(_late(instance, store)[0]) == 1


# --- windows that nobody scored -----------------------------------------------------------------


Look = Callable[[], list[tuple[str, ...]] | str]


@pytest.fixture
def look(instance: dg.DagsterInstance, store: FrameStore, monkeypatch: pytest.MonkeyPatch) -> Look:
    """Return a function that says what the sensor asks for a quarter past a full hour."""

    _set_clock(monkeypatch, missed_windows, lambda: THEN)

    def ask() -> list[tuple[str, ...]] | str:
        with dg.build_sensor_context(
            instance=instance, resources={"store": Store(postgres_url=store.url)}
        ) as context:
            data = missed_windows.unscored_windows.evaluate_tick(context)
        spans = [
            tuple(asked.tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end"))
            for asked in data.run_requests or []
        ]
        return spans or str(data.skip_message)

    return ask


def test_windows_that_nobody_scored_are_asked_for(
    instance: dg.DagsterInstance, look: Look, store: FrameStore
) -> None:
    newest = THEN.replace(minute=0) - WINDOW
    for key in (VELOCITY, OPPORTUNITY, COMPETITION):
        _report(instance, key, half_hours, *(newest - WINDOW * n for n in (0, 3, 5)))
    # Half of a window's scores is not enough.
    _report(instance, VELOCITY, half_hours, newest - WINDOW)

    assert look() == [
        tuple((newest - WINDOW * n).strftime(half_hours.fmt) for n in span)
        for span in ((4, 4), (2, 1))
    ]

    with noted_start(store.url):
        assert "a start loads" in look()
    assert len(look()) == 2
    _start(instance, "signal")
    assert "in progress" in look()


def test_what_lies_before_the_first_scored_window_was_not_missed(look: Look) -> None:
    assert look() == "every window of the last day is scored"


def test_what_the_terms_forbid_was_not_missed(
    instance: dg.DagsterInstance, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AURASTREAM_POLICY_MODE", "strict")
    newest = THEN.replace(minute=0) - WINDOW
    _report(instance, COMPETITION, half_hours, newest, newest - 2 * WINDOW)
    missed = (newest - WINDOW).strftime(half_hours.fmt)
    assert look() == [(missed, missed)]

    _report(instance, COMPETITION, half_hours, newest - WINDOW)
    assert look() == "every window of the last day is scored"


# --- beside the product -------------------------------------------------------------------------


def _instance_in(url: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> dg.DagsterInstance:
    home.mkdir()
    shutil.copy(REPO_ROOT / "deploy" / "dagster.yaml", home)
    monkeypatch.setenv("DAGSTER_PG_URL", dagster_url(url))
    return dg.DagsterInstance.from_config(str(home))


def test_only_the_instance_in_the_record_ticks(
    instance: dg.DagsterInstance,
    database_url: str,
    postgres_server: EmbeddedPostgres,
    *,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AURASTREAM_POSTGRES_URL", database_url)
    noon = MIDNIGHT.replace(hour=12, minute=25)

    # As `dagster dev` has it, in a checkout whose product runs.
    skipped = _tick(instance, "signal", noon)
    assert isinstance(skipped, dg.SkipReason)
    assert "not the one in AuraStream's Postgres" in str(skipped.skip_message)
    assert "not the one in AuraStream's Postgres" in str(_sense(instance, late_hours))

    with fresh_database(postgres_server) as other:
        monkeypatch.setenv("AURASTREAM_POSTGRES_URL", other)
        with _instance_in(database_url, tmp_path / "beside", monkeypatch) as stranger:
            assert isinstance(_tick(stranger, "signal", noon), dg.SkipReason)

    monkeypatch.setenv("AURASTREAM_POSTGRES_URL", database_url)
    with _instance_in(database_url, tmp_path / "home", monkeypatch) as own:
        assert len(_tick(own, "signal", noon)) == 1
        assert _sense(own, late_hours) == "every rollup is newer than its parts"

        # The same server by another name, as behind a proxy.
        monkeypatch.setenv(
            "AURASTREAM_POSTGRES_URL", database_url.replace("127.0.0.1", "localhost")
        )
        assert len(_tick(own, "signal", noon)) == 1
