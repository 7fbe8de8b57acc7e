"""Checks of scores and analyses: quiet on a real record, loud on one that cannot be."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from aurastream.store.frames import FrameStore
from aurastream.store.tables import metadata as tables
from aurastream_assets.intelligence.checks import intelligence_checks
from aurastream_assets.intelligence.clip_checks import clip_checks, rhythm_checks
from aurastream_assets.intelligence.idea_checks import idea_checks
from aurastream_assets.intelligence.text_checks import text_checks
from aurastream_assets.partitions import FOUR_HOURS, WINDOW
from tests.graph.evidence import Clock, failed_checks, move

Run = Callable[..., dg.ExecuteInProcessResult]
Check = Callable[[], dg.ExecuteInProcessResult]
HALF_HOURLY = (
    "video_velocity",
    "category_stats",
    "viral_scores",
    "competition",
    "opportunity",
    "clip_intel",
    "clip_activity",
    "momentum",
)
FOUR_HOURLY = (
    "clip_hours",
    "clip_video_lead_lag",
    "hour_of_week_map",
    "video_ideas",
    "topic_intel",
)


@pytest.fixture
def check(installation: dict[str, object], instance: dg.DagsterInstance) -> Check:
    """Return a function that looks at the newest windows with every check of the scores."""
    steps = [intelligence_checks, clip_checks, rhythm_checks, idea_checks, text_checks]
    defs = dg.Definitions(
        asset_checks=steps,
        jobs=[dg.define_asset_job("check", dg.AssetSelection.all_asset_checks())],
        resources=installation,
    )
    return lambda: defs.resolve_job_def("check").execute_in_process(instance=instance)


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
    store.execute(
        """
        update intelligence.clip_video_lead_lag
        set relation = 'LEADS', lag_h = 2, lag_low_h = 1, lag_high_h = 3, correlation = 0.6,
            band = 0.3, p_value = 0.01, common_hours = 100, clip_hours = 100, video_hours = 100
        """
    )
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


SPOILED = {
    "video_velocity:range": "lifetime_velocity_per_hour = -1",
    "video_velocity:drift": "lifetime_velocity_per_hour = 5 * lifetime_velocity_per_hour",
    "category_stats:drift": "velocity_p50 = velocity_p50 / 5, velocity_p25 = velocity_p25 / 5",
    "viral_scores:drift": "viral_score = (viral_score::int + 50) %% 100",
    "competition:drift": "ease_score = case when ease_score > 50 then 10 else 90 end",
    "competition:coverage": "observed_at = null",
    "opportunity:drift": "opportunity_score = case when opportunity_score > 50 then 9 else 91 end",
    "momentum:drift": "momentum_score = 95, direction = 'GAINING'",
    "clip_intel:drift": "lifetime_velocity_per_hour = 9 * lifetime_velocity_per_hour",
    "clip_activity:drift": "views_gained_per_hour = 9 * views_gained_per_hour",
    "clip_hours:drift": "clip_count = clip_count + 50",
    "clip_video_lead_lag:drift": "relation = 'FOLLOWS', lag_h = -2",
    "clip_video_lead_lag:known_share": "relation = 'UNKNOWN', lag_h = null",
    "hour_of_week_map:drift": "viewers_expected = 5 * viewers_expected",
    "video_ideas:drift": "topic = 'never heard of ' || topic",
    "topic_intel:drift": "lemmas = 'never heard of ' || lemmas",
}

SPOIL_THE_SAME = {
    "video_velocity:range",
    "competition:coverage",
    "clip_video_lead_lag:known_share",
}


def test_every_check_is_quiet_on_a_real_record_and_loud_on_what_cannot_be(
    check: Check, record: FrameStore
) -> None:
    quiet = check()

    assert failed_checks(quiet) == set()
    compared = {
        f"{e.asset_key.path[-1]}:{e.check_name}": e.metadata["compared"].value
        for e in quiet.get_asset_check_evaluations()
        if e.check_name == "drift" and "compared" in e.metadata
    }
    assert all(compared[name] for name in SPOILED if name.endswith(":drift"))

    # Some spoil what others spoil as well, so that they are told of in turn.
    for names in (SPOILED.keys() - SPOIL_THE_SAME, SPOIL_THE_SAME):
        for name in names:
            table, _ = name.split(":")
            record.execute(
                f"""
                update intelligence.{table} set {SPOILED[name]}
                where window_start = (select max(window_start) from intelligence.{table})
                """,
                {},
            )

        assert {f"intelligence/{name}" for name in names} <= failed_checks(check())
