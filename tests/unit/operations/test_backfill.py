"""How a backfill divides a stretch of time, and in which order the pieces may go."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurastream.operations.backfill import Step, in_pieces, ready
from aurastream.operations.graph import KeyRange, moment_of

START = datetime(2026, 10, 19, tzinfo=UTC)
STEP = timedelta(days=10)
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
def test_a_step_is_at_most_ten_days_whatever_the_grain(grain: str) -> None:
    known = _keys(grain)
    length, _ = GRAINS[grain]

    pieces = list(in_pieces(KeyRange(known[0], known[-1], len(known)), known))

    spans = [moment_of(p.end) + length - moment_of(p.start) for p in pieces]
    assert spans == [STEP] * 3 + [timedelta(days=7)]
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


def _plan(**pieces: int) -> list[Step]:
    """Divide 30 days into as many pieces as each job is said to have."""
    steps: list[Step] = []
    for job, count in pieces.items():
        length = timedelta(days=30) / count
        for n in range(count):
            start = START + n * length
            keys = KeyRange(f"{start}", f"{start}", 1)
            steps.append(Step(len(steps), job, keys, start, start + length))
    return steps


def test_what_is_scored_may_be_analysed_while_the_next_days_are_scored() -> None:
    steps = _plan(rescore=3, analyses=3, hourly_rollup=1, daily_rollup=1)

    assert [(s.job, s.place) for s in ready(steps, (), ())] == [("rescore", 0)]
    assert ready(steps, (), {0}) == []
    assert [(s.job, s.place) for s in ready(steps, {0}, ())] == [("rescore", 1), ("analyses", 3)]
    # A window may take over what the one before found, so the next analysis waits for this one.
    assert [s.place for s in ready(steps, {0, 1}, {3})] == [2]
    # All hours lie in one step, which needs all scores; days need all hours.
    assert [s.job for s in ready(steps, {0, 1, 2, 3, 4}, {5})] == ["hourly_rollup"]
    assert [s.job for s in ready(steps, {0, 1, 2, 3, 4, 5}, {6})] == []
    assert [s.job for s in ready(steps, {0, 1, 2, 3, 4, 5, 6}, ())] == ["daily_rollup"]


@given(
    st.fixed_dictionaries(
        {job: st.integers(1, 5) for job in ("rescore", "analyses", "hourly_rollup", "daily_rollup")}
    ),
    st.data(),
)
def test_whatever_ends_first_no_step_begins_before_what_it_reads(
    pieces: dict[str, int], data: st.DataObject
) -> None:
    steps = _plan(**pieces)
    reads = {"analyses": ["rescore"], "hourly_rollup": ["rescore"]}
    reads["daily_rollup"] = ["rescore", "hourly_rollup"]
    done: set[int] = set()
    under_way: set[int] = set()
    while len(done) < len(steps):
        for step in ready(steps, done, under_way)[: 2 - len(under_way)]:
            under_way.add(step.place)
            for other in steps:
                is_before = other.job == step.job and other.place < step.place
                is_read = other.job in reads.get(step.job, ()) and other.start < step.end
                assert other.place in done or not (is_before or is_read)
        assert under_way, "nothing goes on"
        ended = data.draw(st.sampled_from(sorted(under_way)))
        under_way.remove(ended)
        done.add(ended)
