"""Checks: quiet on a real record, and every one of them loud on one that cannot be."""

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
import redis

from aurastream.operations.archive import archive_month, open_archive
from aurastream.store.frames import FrameStore
from aurastream.store.partitions import ensure_partitions
from aurastream.store.tables import PARTITIONED
from aurastream.store.tables import metadata as tables
from aurastream_assets.definitions import build_defs
from aurastream_assets.maintenance.retention import DAYS_AHEAD
from aurastream_assets.maintenance.settings import settings_of
from aurastream_assets.partitions import FOUR_HOURS, WINDOW
from tests.graph.evidence import Clock, failed_checks, move
from tests.graph.impossible import ELSEWHERE, HIDING, SPOILED, made_up

Run = Callable[..., dg.ExecuteInProcessResult]
Check = Callable[..., dg.ExecuteInProcessResult]
HALF_HOURLY = (
    *("video_velocity", "category_stats", "viral_scores", "competition", "opportunity"),
    *("clip_intel", "clip_activity", "momentum", "viewer_anomalies"),
)
FOUR_HOURLY = (
    *("clip_hours", "clip_video_lead_lag", "hour_of_week_map", "video_ideas", "topic_intel"),
    *("title_intel", "keyword_scores", "description_intel", "content_formats"),
    *("shorts_comparison", "language_mix", "regional_intel", "premiere_intel"),
    *("publishing_times", "channel_outliers"),
)
DOCUMENTS = {
    f"reporting/{name}:readable" for name in ("hot_documents", "stream_documents", "clip_documents")
}
ARCHIVE = "maintenance/archive:is_what_the_record_has"
# Tests of dbt, which their models bring along: tests/dbt_models makes them fail.
OF_DBT = {"aggregation", "marts"}


def name_of(key: dg.AssetCheckKey) -> str:
    return f"{key.asset_key.to_user_string()}:{key.name}"


def own_checks(graph: dg.Definitions) -> set[dg.AssetCheckKey]:
    """Return every check of the graph but those of dbt."""
    keys = graph.resolve_asset_graph().asset_check_keys
    return {key for key in keys if key.asset_key.path[0] not in OF_DBT}


@pytest.fixture
def check(graph: dg.Definitions, instance: dg.DagsterInstance) -> Check:
    """Return a function that looks at the newest windows with every check, or with some."""

    def look(names: Collection[str] | None = None) -> dg.ExecuteInProcessResult:
        chosen = [key for key in own_checks(graph) if names is None or name_of(key) in names]
        job = dg.define_asset_job("check", dg.AssetSelection.checks(*chosen))
        defs = dg.Definitions.merge(graph, dg.Definitions(jobs=[job]))
        return defs.resolve_job_def("check").execute_in_process(instance=instance)

    return look


# Days before today on which rows are put by hand: storing makes the partitions of others alone.
DAYS_AGO = {
    **dict.fromkeys((*HALF_HOURLY, *FOUR_HOURLY), (0, 1)),
    # A refusal is of its window's end, which may be tomorrow's.
    "quarantine": (-1, 0, 1),
    **dict.fromkeys(("viral_model", "viral_predictions", "prediction_backtest"), (0, 1)),
    **dict.fromkeys(("thumbnail_features", "thumbnail_intel", "thumbnail_designs"), (0, 1)),
    "evaluations": (0, 1),
    "category_stats": (0, 1, 2, 4, 5),
    "crawls": (0, 1, 9, 10),
}
# What takes weeks of history, or looks at pictures.
LEARNED_AND_SEEN = (
    made_up(
        "intelligence.viral_model",
        model_sha256="encode(sha256('x'), 'hex')",
        trained_to="now() - interval '9 days'",
        hit_count="1",
        video_count="9",
    ),
    made_up("intelligence.viral_predictions"),
    made_up(
        "intelligence.prediction_backtest",
        method="'model'",
        category="'all'",
        horizon_days="7",
        predicted_from="now() - interval '9 days'",
        predicted_to="now() - interval '9 days'",
        brier_skill="0.5",
    ),
    made_up("intelligence.evaluations", is_primary="true"),
    made_up(
        "intelligence.thumbnail_features",
        largest_face_share="0.5",
        face_area_share="0.5",
        first_seen_at="now() - interval '1 minute'",
    ),
    *(
        made_up(
            "intelligence.thumbnail_intel",
            window_start=f"date_trunc('day', now(), 'UTC') - interval '{hours} hours'",
            look=f"'{look}'",
            verdict="'UNKNOWN'",
            video_count="20",
            known_count="20",
            look_share="0.5",
        )
        for hours in (0, 4)
        for look in ("face", "words", "bright")
    ),
    made_up(
        "intelligence.thumbnail_designs",
        window_start="now() - interval '1 minute'",
        video_count="2",
        video_ids="array['one', 'other']",
    ),
)


@pytest.fixture
def record(run: Run, store: FrameStore, clock: Clock) -> FrameStore:
    """Score and analyse a window, and say the same of the window before it."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    last = move(clock, now.replace(hour=now.hour - now.hour % 4) - WINDOW)
    clock.offset -= timedelta(minutes=15)
    assert run("clips").success
    clock.offset += timedelta(minutes=15)
    for job in ("clips", "streams"):
        assert run(job).success
    assert run("signal", first=last).success
    assert run("games").success
    assert run("rescore", first=last).success
    assert run("analyses", first=last + WINDOW - FOUR_HOURS).success
    # What takes weeks to be known.
    store.execute("update intelligence.hour_of_week_map set viewers_expected = 100, viewers_n = 4")
    store.execute("update intelligence.momentum set momentum_score = 50, direction = 'STEADY'")
    # How many lifts one half hour knows is another number on every date of the replayed record.
    store.execute(
        """
        update intelligence.title_intel
        set verdict = 'UNCLEAR', lift = 1, ci_low = 0.5, ci_high = 2
        where verdict = 'UNKNOWN'
        """
    )
    store.execute(
        """
        update intelligence.clip_video_lead_lag
        set relation = 'LEADS', lag_h = 2, lag_low_h = 1, lag_high_h = 3, correlation = 0.6,
            band = 0.3, p_value = 0.01, common_hours = 100, clip_hours = 100, video_hours = 100
        """
    )
    store.execute(
        """
        update intelligence.shorts_comparison
        set shorts_count = 9, shorts_known_count = 9, longform_count = 9, longform_known_count = 9,
            shorts_performance_ratio = 1
        """
    )
    store.execute(
        """
        update intelligence.premiere_intel
        set announced_count = 10, delay_known_count = 10, on_time_share = 0.9, on_time_low = 0.5,
            on_time_high = 1
        """
    )
    store.execute("update intelligence.description_intel set described_share = 1")
    store.execute("update intelligence.channel_outliers set channel_n = 3, outlier_score = 1")
    store.execute("delete from intelligence.publishing_times")
    for grain, slots in (("hour", 1), ("weekday", 7), ("hour_of_week", 1)):
        for slot in range(slots):
            store.execute(
                made_up(
                    "intelligence.publishing_times",
                    window_start="(select max(window_start) from intelligence.content_formats)",
                    grain=f"'{grain}'",
                    slot=f"{slot}",
                    dow="null" if grain == "hour" else f"{slot}",
                    hour="null" if grain == "weekday" else "0",
                    sample_count=f"{70 // slots}",
                    index="1",
                    index_low="0.5",
                    index_high="2",
                )
            )
    with psycopg.connect(store.url, autocommit=True) as connection:
        for table in PARTITIONED:
            for ago in DAYS_AGO.get(table.name, ()):
                day = datetime.now(UTC) - timedelta(days=ago)
                ensure_partitions(connection, day, day, tables=[table])
    for statement in LEARNED_AND_SEEN:
        store.execute(statement)
    for names, length in ((HALF_HOURLY, WINDOW), (FOUR_HOURLY, FOUR_HOURS)):
        for name in names:
            columns = [column.name for column in tables.tables[f"intelligence.{name}"].columns]
            moved = ["window_start - %(length)s::interval", *columns[1:]]
            assert columns[0] == "window_start"
            store.execute(
                f"insert into intelligence.{name} ({', '.join(columns)}) "  # names of ours
                f"select {', '.join(moved)} from intelligence.{name}",
                {"length": length},
            )
    return store


def test_every_check_is_quiet_on_a_real_record_and_loud_on_what_cannot_be(
    check: Check, record: FrameStore, installation: dict[str, Any], redis_url: str
) -> None:
    settings = settings_of(installation["store"])
    newest = record.query("select max(window_start) as at from intelligence.viral_scores")
    month = newest["at"].iloc[0].date().replace(day=1)
    archive_month(settings, open_archive(settings), month)
    with psycopg.connect(record.url, autocommit=True) as connection:
        now = datetime.now(UTC)
        ensure_partitions(connection, now, now + timedelta(days=DAYS_AHEAD))  # as each day does

    quiet = check()

    assert failed_checks(quiet) == set()
    compared = {
        f"{e.asset_key.to_user_string()}:{e.check_name}": e.metadata["compared"].value
        for e in quiet.get_asset_check_evaluations()
        if "compared" in e.metadata
    }
    assert {name for name in SPOILED if name.endswith(":drift") and not compared.get(name)} == set()

    with redis.Redis.from_url(redis_url) as client:
        for key in client.scan_iter():
            client.set(key, b"{")
    for statement in SPOILED.values():
        record.execute(statement, {})
    spoiled = SPOILED.keys() | DOCUMENTS | {ARCHIVE}
    assert spoiled - failed_checks(check(spoiled)) == set()

    for statement in HIDING.values():
        record.execute(statement, {})
    assert HIDING.keys() - failed_checks(check(HIDING)) == set()


def test_every_check_has_a_test_that_makes_it_fail() -> None:
    known = {*SPOILED, *HIDING, *ELSEWHERE, *DOCUMENTS, ARCHIVE}
    assert known == {name_of(key) for key in own_checks(build_defs(environment="local"))}
    for name, file in ELSEWHERE.items():
        assert f'"{name.split(":")[1]}"' in Path(file).read_text(), name
