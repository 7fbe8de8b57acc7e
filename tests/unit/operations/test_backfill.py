"""How a backfill divides a stretch of time."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurastream.operations.backfill import in_pieces
from aurastream.operations.graph import KeyRange, moment_of

START = datetime(2026, 10, 19, tzinfo=UTC)
WEEK = timedelta(days=7)
GRAINS = {
    "half hours": (timedelta(minutes=30), "%Y-%m-%d-%H:%M"),
    "hours": (timedelta(hours=1), "%Y-%m-%d-%H:%M"),
    "four hours": (timedelta(hours=4), "%Y-%m-%d-%H:%M"),
    "days": (timedelta(days=1), "%Y-%m-%d"),
}


def _keys(grain: str, days: int = 37) -> list[str]:
    length, form = GRAINS[grain]
    count = timedelta(days=days) // length
    return [f"{START + place * length:{form}}" for place in range(count)]


@pytest.mark.parametrize("grain", GRAINS)
def test_a_step_is_at_most_seven_days_whatever_the_grain(grain: str) -> None:
    known = _keys(grain)
    length, _ = GRAINS[grain]

    pieces = list(in_pieces(KeyRange(known[0], known[-1], len(known)), known))

    spans = [moment_of(p.end) + length - moment_of(p.start) for p in pieces]
    assert spans == [WEEK] * 5 + [timedelta(days=2)]
    assert [p.count * length for p in pieces] == spans


@given(st.sampled_from(sorted(GRAINS)), st.data())
def test_every_key_of_the_range_is_in_one_step(grain: str, data: st.DataObject) -> None:
    known = _keys(grain, days=20)
    first = data.draw(st.integers(0, len(known) - 1))
    last = data.draw(st.integers(first, len(known) - 1))

    pieces = list(in_pieces(KeyRange(known[first], known[last], last - first + 1), known))

    computed = [key for p in pieces for key in known if p.start <= key <= p.end]
    assert computed == known[first : last + 1]
    assert [p.count for p in pieces] == [
        sum(p.start <= key <= p.end for key in known) for p in pieces
    ]
