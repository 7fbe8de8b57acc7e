"""Strict and amended terms, end to end: what is computed, served, kept, and said about it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pandas as pd
import psycopg
import pytest
import redis
from pydantic import SecretStr
from typer.testing import CliRunner

from aurastream.cli import app
from aurastream.operations.doctor import Finding, examine
from aurastream.operations.found import read_found
from aurastream.operations.policy import declared_facts
from aurastream.operations.query import QueryError
from aurastream.operations.schedule_policy import window_of
from aurastream.operations.terms import apply_terms, note_terms
from aurastream.settings import Settings
from aurastream.sources.fields import SOURCE_FIELDS, USES
from aurastream.store.frames import FrameStore
from aurastream.store.tables import metadata as tables
from aurastream.store.urls import reader_url
from aurastream.store.writes import Append
from aurastream_assets.definitions import build_defs
from aurastream_assets.partitions import four_hours, half_hours, hours
from aurastream_assets.terms import NOTE
from tests.filled_rows import filled_rows

FORBIDDEN = {"category_stats", "opportunity", "video_velocity", "viral_scores"}
STREAMS = "collection.twitch_streams"
ANOMALIES = "intelligence.viewer_anomalies"
_STOPPED = dg.DefaultSensorStatus.STOPPED


@pytest.fixture
def mode(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda name: monkeypatch.setenv("AURASTREAM_POLICY_MODE", name)


@pytest.fixture
def rebuilt(
    installation: dict[str, object], mode: Callable[[str], None]
) -> Callable[[str], dg.Definitions]:
    """Return a function that builds the graph of a mode."""

    def build(name: str) -> dg.Definitions:
        mode(name)
        return build_defs(environment="local", resource_overrides=installation)

    return build


@pytest.fixture
def reading(store: FrameStore) -> Iterator[Callable[[str], Any]]:
    with psycopg.connect(store.url, autocommit=True) as connection:
        yield lambda query: connection.execute(query).fetchone()[0]


def _run(
    graph: dg.Definitions, instance: dg.DagsterInstance, job: str, **options: Any
) -> dg.ExecuteInProcessResult:
    return graph.resolve_job_def(job).execute_in_process(instance=instance, **options)


def _window() -> str:
    return window_of(datetime.now(UTC)).strftime(half_hours.fmt)


def _failed(result: dg.ExecuteInProcessResult) -> set[str]:
    return {e.check_name for e in result.get_asset_check_evaluations() if not e.passed}


def _settings(store: FrameStore, redis_url: str) -> Settings:
    servers = {"postgres_url": SecretStr(store.url), "redis_url": SecretStr(redis_url)}
    return Settings.from_env(use_running=False).model_copy(update=servers)


def _terms_at_the_doctor(settings: Settings) -> list[Finding]:
    return [f for f in examine(lambda: settings) if f.name == "terms"]


def _keys(redis_url: str) -> set[str]:
    with redis.Redis.from_url(redis_url) as client:
        return {key.decode() for key in client.scan_iter()}


def _metadata(result: dg.ExecuteInProcessResult, node: str) -> dict[str, Any]:
    (event,) = result.asset_materializations_for_node(node)
    return {name: value.value for name, value in event.metadata.items()}


def test_no_table_is_classified_without_a_platform_that_its_data_come_from(
    graph: dg.Definitions,
) -> None:
    found = graph.get_repository_def().asset_graph
    raw = {
        column.rpartition(".")[0]: field.endpoint.partition(".")[0]
        for field in SOURCE_FIELDS
        for column in field.columns
    }

    # Below the crawls that keep them, and made of nothing that a platform said.
    books = {"aggregation.intel_collection_hours", "aggregation.intel_quota_log"}

    def beneath(key: dg.AssetKey) -> set[str]:
        name = ".".join(key.path)
        if name in books:
            return set()
        if name in raw:
            return {raw[name]}
        read = {column.rpartition(".")[0] for column in USES.get("/".join(key.path), ())}
        parents = found.get(key).parent_keys
        return {raw[table] for table in read}.union(*map(beneath, parents))

    computed = {
        name: beneath(dg.AssetKey(name.split(".")))
        for name in declared_facts()
        if name.startswith(("collection.", "intelligence.", "aggregation."))
    }

    assert {name: set(declared_facts()[name].platforms) for name in computed} == computed
    assert computed["aggregation.intel_regional_performance"] == {"youtube", "twitch"}


def test_strict_collects_and_publishes_without_a_single_score(
    rebuilt: Callable[[str], dg.Definitions],
    instance: dg.DagsterInstance,
    reading: Callable[[str], Any],
    redis_url: str,
) -> None:
    graph = rebuilt("strict")

    result = _run(graph, instance, "signal", partition_key=_window())

    assert result.success
    assert reading("select count(*) from collection.youtube_trending") > 0
    for table in FORBIDDEN:
        assert reading(f"select count(*) from intelligence.{table}") == 0
    keys = _keys(redis_url)
    assert any(key.startswith("youtube:trending:") for key in keys)
    assert not any(key.startswith(("intel:viral", "intel:category", "viral:")) for key in keys)
    published = _metadata(result, "reporting__hot_documents")
    withheld = set(published["withheld_by_policy"].split(", "))
    assert {"baseline", "category_stats", "viral"} <= withheld
    assert not {"trending", "games", "streams", "clips"} & withheld
    # There never was a run of a score to take away.
    assert _run(graph, instance, "retention").success


def test_strict_says_in_the_graph_what_it_does_not_compute(
    rebuilt: Callable[[str], dg.Definitions], instance: dg.DagsterInstance
) -> None:
    graph = rebuilt("strict")
    repository = graph.get_repository_def()
    nodes = repository.asset_graph
    off = {
        schedule.job_name
        for schedule in repository.schedule_defs
        if schedule.default_status is dg.DefaultScheduleStatus.STOPPED
    }

    for name in FORBIDDEN:
        node = nodes.get(dg.AssetKey(["intelligence", name]))
        assert not node.is_materializable
        assert NOTE in (node.description or "")
    begins = {
        key.path[-1]: (nodes.get(key).description or "").partition(NOTE)[0].strip("* ")
        for key in nodes.materializable_asset_keys
        if key.path[0] == "marts" and NOTE in (nodes.get(key).description or "")
    }
    assert begins.pop("taking_off_now") == "Without what is made of YouTube's counters."
    assert begins.pop("series_coverage") == begins.pop("quota_cost_per_insight")
    assert begins.keys() == {
        *("clip_lead", "format_performance", "posting_times", "rising_channels"),
        *("title_patterns", "top_viral_videos", "trending_categories"),
    }
    assert set(begins.values()) == {"Empty."}
    assert {"learning", "thumbnails"} == off
    assert not [s.name for s in repository.sensor_defs if s.default_status is _STOPPED]
    refused = _run(graph, instance, "learning", raise_on_error=False)
    assert not refused.success
    failure = refused.failure_data_for_node("learning_is_forbidden")
    assert failure is not None
    assert NOTE in str(failure.user_failure_data)


def test_strict_rolls_up_what_is_not_made_of_youtube(  # noqa: PLR0917 # fixtures
    rebuilt: Callable[[str], dg.Definitions],
    instance: dg.DagsterInstance,
    store: FrameStore,
    reading: Callable[[str], Any],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AURASTREAM_KEEP_TWITCH_AGGREGATES", "true")
    graph = rebuilt("strict")
    # Where the tests of the models have parsed the project already.
    monkeypatch.setenv("AURASTREAM_DATA_DIR", str(tmp_path_factory.getbasetemp()))
    daily = graph.resolve_job_def("daily_rollup").asset_layer.selected_asset_keys
    assert {key.path[-1] for key in daily} == {"intel_stream_hours", "intel_competition_days"}
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    # Nobody streamed.
    store.commit([Append("operations.crawls", _crawl_row(hour).assign(got=0))])

    result = _run(graph, instance, "hourly_rollup", partition_key=hour.strftime(hours.fmt))

    assert result.success
    made = [event.asset_key.path[-1] for event in result.get_asset_materialization_events()]
    assert made == ["intel_collection_hours"]
    assert reading("select sum(crawl_count) from aggregation.intel_collection_hours") == 1
    seen = "select received_samples from aggregation.intel_stream_hours where category_key = "
    assert reading(f"{seen}'fortnite'") == 1


def test_changing_to_strict_takes_the_scores_of_before_away_and_writes_the_proof(  # noqa: PLR0917 # fixtures
    graph: dg.Definitions,
    rebuilt: Callable[[str], dg.Definitions],
    instance: dg.DagsterInstance,
    reading: Callable[[str], Any],
    store: FrameStore,
    redis_url: str,
) -> None:
    before = _settings(store, redis_url)
    assert not apply_terms(store, before, datetime.now(UTC))
    scored = _run(graph, instance, "signal", partition_key=_window())
    assert reading("select count(*) from intelligence.viral_scores") > 0
    assert "viral:baseline:gaming" in _keys(redis_url)
    strict_graph = rebuilt("strict")
    strict = _settings(store, redis_url)
    assert [f.level for f in _terms_at_the_doctor(strict)] == ["warning"]

    # What a start does before anything is served.
    assert apply_terms(store, strict, datetime.now(UTC))

    for table in FORBIDDEN:
        assert reading(f"select count(*) from intelligence.{table}") == 0
    assert not any(
        k.startswith(("intel:viral", "intel:category", "viral:")) for k in _keys(redis_url)
    )
    rules = "select array_agg(table_name) from maintenance.retention_rules where not is_computed"
    assert {f"intelligence.{table}" for table in FORBIDDEN} <= set(reading(rules))
    proved = reading(
        "select count(*) from maintenance.purges where action = 'empty' and mode = 'strict'"
        " and before_count = items and after_count = 0 and items > 0"
    )
    assert proved >= len(FORBIDDEN)
    assert apply_terms(store, strict, datetime.now(UTC)), "a start that was killed does it again"

    # And what it does once Dagster runs.
    result = _run(strict_graph, instance, "retention")
    note_terms(store, strict)

    assert result.success
    assert instance.get_run_by_id(scored.run_id) is None  # its metadata carried the scores
    assert _failed(result) == set()
    rule = "select reason from maintenance.retention_rules where table_name = "
    assert "not permitted" in reading(f"{rule}'intelligence.viral_scores'")
    assert not apply_terms(store, strict, datetime.now(UTC))
    assert [(f.level, f.detail) for f in _terms_at_the_doctor(strict)] == [
        ("ok", "policy_mode strict")
    ]
    with pytest.raises(QueryError, match=r"marts\.quota_status"):  # the one mart that is asked
        read_found(reader_url(store.url), mode="strict")


def test_documents_that_the_mode_forbids_go_when_the_others_are_rebuilt(
    store: FrameStore,
    redis_url: str,
    mode: Callable[[str], None],
    reading: Callable[[str], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AURASTREAM_POSTGRES_URL", store.url)
    monkeypatch.setenv("AURASTREAM_REDIS_URL", redis_url)
    mode("strict")
    with redis.Redis.from_url(redis_url) as client:
        client.set("viral:baseline:gaming", b"{}")

    done = CliRunner().invoke(app, ["documents"])

    assert done.exit_code == 0, done.output
    assert "Took 1 away that policy_mode strict forbids." in done.output
    assert _keys(redis_url) == set()
    assert reading("select count(*) from maintenance.purges where store = 'redis'") == 1


@pytest.mark.parametrize("name", ["strict", "amended"])
def test_content_of_twitch_is_gone_within_a_day(
    name: str,
    rebuilt: Callable[[str], dg.Definitions],
    instance: dg.DagsterInstance,
    store: FrameStore,
    reading: Callable[[str], Any],
) -> None:
    graph = rebuilt(name)
    assert _run(graph, instance, "streams").success
    fresh = reading(f"select count(*) from {STREAMS}")
    crawl = store.read(STREAMS)
    for age in (22, 23, 40, 72):
        _append_older(store, crawl, timedelta(hours=age))
    totals = "select count(*) from operations.crawls where viewer_total is not null"
    yesterday = datetime.now(UTC) - timedelta(hours=25)
    store.commit([Append("operations.crawls", _crawl_row(yesterday).assign(viewer_total=7))])
    total_before = reading(totals)

    result = _run(graph, instance, "expire")

    assert result.success
    # Which the daily purge makes.
    assert _failed(result) == {"days_are_made"}
    assert reading(f"select count(*) from {STREAMS}") == 2 * fresh
    assert reading(totals) == total_before - 1
    oldest = reading(f"select now() - min(observed_at) from {STREAMS}")
    assert oldest < timedelta(hours=23)


def test_amended_scores_and_keeps_them(  # noqa: PLR0917 # fixtures
    rebuilt: Callable[[str], dg.Definitions],
    instance: dg.DagsterInstance,
    reading: Callable[[str], Any],
    store: FrameStore,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AURASTREAM_KEEP_TWITCH_AGGREGATES", "true")
    # Where the tests of the models have parsed the project already.
    monkeypatch.setenv("AURASTREAM_DATA_DIR", str(tmp_path_factory.getbasetemp()))
    graph = rebuilt("amended")
    window = _window()

    assert _run(graph, instance, "streams").success
    _append_older(store, store.read(STREAMS), timedelta(hours=2))
    # Two hours ago is another day after midnight, and no day is made before the first crawl's.
    two_hours_ago = datetime.now(UTC) - timedelta(hours=2)
    store.commit([Append("operations.crawls", _crawl_row(two_hours_ago))])
    assert _run(graph, instance, "signal", partition_key=window).success
    scored = reading("select count(*) from intelligence.viral_scores")
    assert scored > 0
    assert _run(graph, instance, "retention").success
    assert reading("select count(*) from intelligence.viral_scores") == scored

    # An hour's streams are in its day when the hour is over.
    hour = two_hours_ago.strftime(hours.fmt[:-2] + "00")
    assert _run(graph, instance, "hourly_rollup", partition_key=hour).success
    crawls = "select sum(received_samples) from aggregation.intel_stream_hours"
    assert reading(crawls) > 0
    by_hour = (
        "select string_agg(s::text, '|' order by s::text) from aggregation.intel_stream_hours s"
    )
    hours_before = reading(by_hour)

    # A day later the streams are gone, and the window is scored again.
    seen = "select string_agg(c::text, '|' order by category) from intelligence.competition as c"
    before = reading(seen)
    gone = f"with gone as (delete from {STREAMS} returning 1) select count(*) from gone"
    assert reading(gone) > 0
    competition = [dg.AssetKey(["intelligence", "competition"])]
    again = _run(graph, instance, "rescore", partition_key=window, asset_selection=competition)
    assert again.success
    assert reading(seen) == before
    assert _run(graph, instance, "hourly_rollup", partition_key=hour).success
    assert reading(by_hour) == hours_before


def test_what_was_made_of_clips_and_streams_that_had_to_go_stays_when_it_is_computed_again(
    rebuilt: Callable[[str], dg.Definitions],
    instance: dg.DagsterInstance,
    store: FrameStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AURASTREAM_KEEP_TWITCH_AGGREGATES", "true")
    graph = rebuilt("amended")
    now = datetime.now(UTC)
    four = (now - timedelta(hours=36)).replace(minute=0, second=0, microsecond=0)
    four = four.replace(hour=four.hour - four.hour % 4)
    hour, clips = four + timedelta(hours=1), four + timedelta(hours=3)
    made = {
        "clip_activity": {"window_start": four, "clip_count": 9, "sample_count": 8},
        "clip_hours": {"window_start": four, "hour_start": hour, "clip_count": 5},
        "language_mix": {"window_start": four, "platform": "twitch", "item_count": 7},
    }
    for table, row in made.items():
        rows = filled_rows(f"intelligence.{table}", [{"category": "fortnite", **row}], at=four)
        store.commit([Append(f"intelligence.{table}", rows)])
    # Crawls outlive what they saw.
    crawl = _crawl_row(clips).assign(dataset="collection/clip_radar", observed_at=clips)
    store.commit([Append("operations.crawls", crawl)])
    before = {table: store.read(f"intelligence.{table}") for table in made}

    for job, partitions, tables_of in (
        ("rescore", half_hours, ("clip_intel", "clip_activity")),
        ("analyses", four_hours, ("clip_hours", "language_mix", "regional_intel")),
    ):
        again = _run(
            graph,
            instance,
            job,
            partition_key=four.strftime(partitions.fmt),
            asset_selection=[dg.AssetKey(["intelligence", table]) for table in tables_of],
        )
        assert again.success

    for table, rows in before.items():
        pd.testing.assert_frame_equal(store.read(f"intelligence.{table}"), rows)
    # Made of what stayed.
    [regions] = store.read("intelligence.regional_intel").to_dict("records")
    assert (regions["platform"], regions["item_count"]) == ("twitch", 7)


def test_a_day_that_the_terms_have_ended_is_not_rolled_up_from_what_is_left(  # noqa: PLR0917 # fixtures
    rebuilt: Callable[[str], dg.Definitions],
    instance: dg.DagsterInstance,
    store: FrameStore,
    reading: Callable[[str], Any],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Where the tests of the models have parsed the project already.
    monkeypatch.setenv("AURASTREAM_DATA_DIR", str(tmp_path_factory.getbasetemp()))
    graph = rebuilt("amended")
    day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=2)
    # Crawls outlive the streams that they saw.
    store.commit([Append("operations.crawls", _crawl_row(day).assign(got=9))])
    of_twitch = ("regional_performance", "stream_hours", "competition_days", "insight_days")
    of_youtube = ("daily_metrics", "duration_performance", "channel_days")
    count = "select count(*) from aggregation.intel_"

    def rolled_up() -> dict[str, dict[str, Any]]:
        result = _run(graph, instance, "daily_rollup", partition_key=day.strftime("%Y-%m-%d"))
        assert result.success
        made = result.get_asset_materialization_events()
        return {
            event.asset_key.path[-1].removeprefix("intel_"): dict(event.materialization.metadata)
            for event in made
        }

    first = rolled_up()

    for table in of_twitch:
        assert reading(f"{count}{table}") == 0, table
        assert "terms have ended them" in first[table]["past_their_time"].value
    assert reading(f"{count}daily_metrics") > 0
    assert not any("past_their_time" in first[table] for table in of_youtube)

    # What the purge has not reached yet is the purge's, with its proof.
    monkeypatch.setenv("AURASTREAM_KEEP_TWITCH_AGGREGATES", "true")
    assert not any("past_their_time" in metadata for metadata in rolled_up().values())
    rows = {table: reading(f"{count}{table}") for table in of_twitch}
    assert rows["regional_performance"] > 0
    assert rows["stream_hours"] > 0
    monkeypatch.setenv("AURASTREAM_KEEP_TWITCH_AGGREGATES", "false")
    rolled_up()
    assert {table: reading(f"{count}{table}") for table in of_twitch} == rows
    assert reading("select count(*) from maintenance.score_history") == 0
    assert _run(graph, instance, "expire").success
    assert {table: reading(f"{count}{table}") for table in of_twitch} == dict.fromkeys(of_twitch, 0)


def test_checks_miss_nothing_of_windows_that_the_terms_have_ended(
    rebuilt: Callable[[str], dg.Definitions], instance: dg.DagsterInstance, store: FrameStore
) -> None:
    graph = rebuilt("amended")
    now = datetime.now(UTC)
    # Found two days ago, and gone since; crawls stay.
    for dataset in ("collection/twitch_streams", "collection/clip_radar"):
        at = window_of(now) - timedelta(hours=48)
        store.commit([Append("operations.crawls", _crawl_row(at).assign(dataset=dataset, got=1))])

    result = _run(graph, instance, "rescore", partition_key=at.strftime(half_hours.fmt))

    checks = {(e.asset_key.path[-1], e.check_name): e for e in result.get_asset_check_evaluations()}
    assert [name for name, check in checks.items() if not check.passed] == []
    for table in ("competition", "clip_intel", "viewer_anomalies", "opportunity"):
        said = checks[table, "coverage"].metadata["windows"].value
        assert said == "none: all are past their time by the terms"
    assert " to " in str(checks["viral_scores", "accepted"].metadata["windows"].value)


@pytest.mark.parametrize("policy_mode", ["amended", None])
def test_a_stream_is_judged_once_where_the_day_before_is_complete_no_longer(
    rebuilt: Callable[[str], dg.Definitions],
    graph: dg.Definitions,
    instance: dg.DagsterInstance,
    store: FrameStore,
    policy_mode: str | None,
) -> None:
    defs = rebuilt(policy_mode) if policy_mode else graph
    start = window_of(datetime.now(UTC)) - timedelta(hours=2)
    first, late = start + timedelta(minutes=4), start + timedelta(minutes=19)
    game = store.read("operations.categories").query("twitch_game_id.notna()").iloc[0]
    stream = {"game_id": game["twitch_game_id"], "stream_id": "s1", "user_id": "u1"}

    def append(*samples: tuple[datetime, int]) -> None:
        for at, viewers in samples:
            rows = filled_rows(STREAMS, [{**stream, "viewer_count": viewers}], at=at)
            store.commit([Append(STREAMS, rows)])

    def judged(*strategies: dict[str, object]) -> list[dict[Any, Any]]:
        config = {"strategies": list(strategies)}
        again = _run(
            defs,
            instance,
            "rescore",
            partition_key=start.strftime(half_hours.fmt),
            asset_selection=[dg.AssetKey(["intelligence", "viewer_anomalies"])],
            run_config={"ops": {"intelligence__viewer_anomalies": {"config": config}}},
        )
        assert again.success
        return store.read(ANOMALIES).sort_values("crawl_at").to_dict("records")

    append(*((first - timedelta(hours=hours), 100) for hours in range(1, 24)), (first, 900))
    [before] = judged()
    assert before["direction"] == "SPIKE"

    # The terms take what lies before; a crawl that waited in a spool comes.
    with psycopg.connect(store.url) as connection:
        connection.execute(f"delete from {STREAMS} where crawl_at < %s", (first,))
    append((late, 950))
    of_first, of_late = judged()

    assert (of_late["crawl_at"], of_late["viewers"]) == (late, 950)
    if policy_mode:
        assert of_first == before
    else:
        assert of_first["direction"] == "UNKNOWN"
    # Who asks otherwise is answered from what is left.
    assert judged({"name": "quantile", "enabled": False})[0]["direction"] == "UNKNOWN"


def test_a_replay_without_a_mode_is_exempt_and_says_so(
    graph: dg.Definitions,
    instance: dg.DagsterInstance,
    store: FrameStore,
    reading: Callable[[str], Any],
) -> None:
    assert _run(graph, instance, "streams").success
    crawl = store.read(STREAMS)
    _append_older(store, crawl, timedelta(days=5))

    assert _run(graph, instance, "expire").success

    assert reading(f"select count(*) from {STREAMS}") == 2 * len(crawl)
    rules = "select string_agg(distinct mode || ' ' || label, ',') from maintenance.retention_rules"
    assert reading(rules) == "exempt replay"


def test_an_unclassified_column_and_an_over_age_row_fail_their_checks(
    graph: dg.Definitions,
    instance: dg.DagsterInstance,
    store: FrameStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with psycopg.connect(store.url, autocommit=True) as connection:
        connection.execute("alter table collection.youtube_videos add column secret text")
    monkeypatch.setenv("AURASTREAM_MAX_DATABASE_GB", "0.000001")
    # What the purge cannot reach: a day that somebody reads all the time.
    monkeypatch.setattr("aurastream.store.purge.drop_days", lambda *_, **__: _nothing())
    old = datetime.now(UTC) - timedelta(days=40)
    store.commit([Append("operations.crawls", _crawl_row(old))])

    result = _run(graph, instance, "retention", raise_on_error=False)

    failed = {
        e.check_name: e.metadata for e in result.get_asset_check_evaluations() if not e.passed
    }
    assert set(failed) == {"columns_are_classified", "nothing_is_over_age", "database_size"}
    assert "collection.youtube_videos.secret" in str(failed["columns_are_classified"])
    assert "operations.crawls" in str(failed["nothing_is_over_age"])


def test_a_daily_purge_that_stands_still_is_seen_beside_an_hourly_one_that_goes(
    graph: dg.Definitions, instance: dg.DagsterInstance, store: FrameStore
) -> None:
    def said(job: str) -> dict[str, object]:
        result = _run(graph, instance, job)
        [made] = [
            e for e in result.get_asset_check_evaluations() if e.check_name == "days_are_made"
        ]
        return {"passed": made.passed, "lacking": made.metadata["lacking"].value}

    assert said("retention") == {"passed": True, "lacking": "-"}

    ahead = f"{datetime.now(UTC) + timedelta(days=1):p%Y%m%d}"
    with psycopg.connect(store.url, autocommit=True) as connection:
        connection.execute(f"drop table collection.twitch_streams_{ahead}")
    assert said("expire") == {"passed": False, "lacking": "collection.twitch_streams"}


def _nothing() -> Any:
    from aurastream.store.purge import Doomed  # noqa: PLC0415 # only here

    return Doomed()


def _append_older(store: FrameStore, crawl: pd.DataFrame, by: timedelta) -> None:
    times = {name: crawl[name] - by for name in ("observed_at", "crawl_at")}
    store.commit([Append(STREAMS, crawl.assign(**times))])


def _crawl_row(at: datetime) -> pd.DataFrame:
    texts = dict.fromkeys(("region", "reason", "membership_hash", "stats_hash"), "")
    columns = [column.name for column in tables.tables["operations.crawls"].columns]
    return pd.DataFrame(
        [
            {
                "crawl_at": at,
                "dataset": "collection/twitch_streams",
                "category": "fortnite",
                "observed_at": at,
                "expected": 1,
                "got": 1,
                "rejected": 0,
                "is_complete": True,
                **texts,
            }
        ],
        columns=columns,
    )
