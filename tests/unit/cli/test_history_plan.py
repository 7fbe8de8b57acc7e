from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurastream.operations.history_plan import CADENCES, plan_history

MOMENTS = st.datetimes(
    min_value=datetime(2024, 1, 1),  # noqa: DTZ001 # made aware below
    max_value=datetime(2030, 1, 1),  # noqa: DTZ001 # made aware below
).map(lambda moment: moment.replace(tzinfo=UTC))


@given(now=MOMENTS, days=st.integers(1, 14))
def test_every_step_lies_in_the_asked_past_and_in_order(now, days):
    steps = plan_history(now, days=days, stored={})
    assert all(now - timedelta(days=days) <= step.at < now for step in steps)
    assert steps == sorted(steps)
    assert {step.dataset for step in steps} == set(CADENCES)


@given(now=MOMENTS, later=st.timedeltas(timedelta(0), timedelta(minutes=4)))
def test_a_second_start_plans_only_what_has_become_past_since(now, later):
    first = plan_history(now, days=2, stored={})
    stored = {name: [s.at for s in first if s.dataset == name] for name in CADENCES}
    second = plan_history(now + later, days=2, stored=stored)
    assert all(now <= step.at < now + later for step in second)


def test_a_gap_is_filled_at_the_dataset_s_own_pace():
    now = datetime(2026, 5, 1, 12, tzinfo=UTC)
    everything = [
        s.at for s in plan_history(now, days=2, stored={}) if s.dataset == "twitch_streams"
    ]
    gap = [at for at in everything if not now - timedelta(hours=3) < at < now - timedelta(hours=1)]
    planned = plan_history(now, days=2, stored={"twitch_streams": gap})
    missing = [s.at for s in planned if s.dataset == "twitch_streams"]
    assert missing == sorted(set(everything) - set(gap))
    assert len(missing) == 8


@pytest.mark.parametrize("dataset", sorted(CADENCES))
def test_recent_history_is_as_dense_as_live_collection(dataset):
    now = datetime(2026, 5, 1, 12, tzinfo=UTC)
    cadence = CADENCES[dataset]
    recent = [
        s.at
        for s in plan_history(now, days=3, stored={})
        if s.dataset == dataset and s.at >= now - cadence.recent_span
    ]
    assert len(recent) == cadence.recent_span / cadence.recent
