import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurastream.core.errors import InvalidInputError
from aurastream.core.releases import (
    RELEASES_SCHEMA,
    ReleaseParams,
    delay_minutes,
    release_kinds,
    releases,
)

WINDOW = pd.Timestamp("2026-01-15T08:00Z")
MONDAY = pd.Timestamp("2026-01-05T00:00Z")


def seen(velocities, **columns) -> pd.DataFrame:
    n = len(velocities)
    return pd.DataFrame(
        {
            "window_start": pd.DatetimeIndex([columns.get("window", WINDOW)] * n),
            "category": [columns.get("category", "gta")] * n,
            "video_id": [f"v{i:04d}" for i in range(n)],
            "observed_at": pd.DatetimeIndex([columns.get("observed", WINDOW)] * n),
            "views": pd.array(columns.get("views", [100] * n), dtype="Int64"),
            "lifetime_velocity_per_hour": pd.array(velocities, dtype="Float64"),
        }
    )


def described(n: int, *, published=MONDAY, scheduled=None, started=None, state="none"):
    def moments(value):
        values = list(value) if isinstance(value, (list, pd.DatetimeIndex)) else [value] * n
        return pd.DatetimeIndex(pd.to_datetime(pd.Series(values, dtype=object), utc=True))

    return pd.DataFrame(
        {
            "video_id": [f"v{i:04d}" for i in range(n)],
            "metadata_hash": ["h"] * n,
            "first_observed_at": pd.DatetimeIndex([WINDOW] * n),
            "live_state": state if isinstance(state, list) else [state] * n,
            "published_at": moments(published),
            "scheduled_start_at": moments(scheduled),
            "actual_start_at": moments(started),
        }
    )


def test_a_schedule_without_a_start_has_not_begun_and_a_running_broadcast_is_live() -> None:
    videos = described(
        4,
        scheduled=[MONDAY, MONDAY, None, MONDAY],
        started=[None, MONDAY, MONDAY, MONDAY],
        state=["none", "live", "none", "none"],
    )
    assert release_kinds(videos).tolist() == ["upcoming", "live", "live", "announced"]


@given(st.integers(-(10**6), 10**6))
def test_delay_is_antisymmetric(minutes: int) -> None:
    later = pd.DatetimeIndex([MONDAY + pd.Timedelta(minutes=minutes)])
    planned = pd.DatetimeIndex([MONDAY])
    assert delay_minutes(planned, later).tolist() == [minutes]
    assert delay_minutes(later, planned).tolist() == [-minutes]


def plain_kind(state: str | None, scheduled: int | None, started: int | None) -> str:
    """Say how a video came out, as the metrics page tells it."""
    if state == "upcoming":
        return "upcoming"
    if state == "live":
        return "live"
    if scheduled is None:
        return "instant" if started is None else "live"
    return "upcoming" if started is None else "announced"


MINUTES = st.none() | st.integers(-3000, 3000)
STATES = st.sampled_from(["none", "live", "upcoming", None, ""])


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(STATES, MINUTES, MINUTES, st.integers(0, 3000), st.none() | st.integers(0, 9)),
        min_size=1,
        max_size=12,
    )
)
def test_videos_come_out_as_reading_their_versions_one_by_one_says(
    rows: list[tuple[str | None, int | None, int | None, int, int | None]],
) -> None:
    def at(minutes: int | None) -> pd.Timestamp | None:
        return None if minutes is None else WINDOW + pd.Timedelta(minutes=minutes)

    videos = described(
        len(rows),
        state=[state for state, *_ in rows],
        scheduled=[at(row[1]) for row in rows],
        started=[at(row[2]) for row in rows],
        published=[WINDOW - pd.Timedelta(minutes=row[3]) for row in rows],
    )
    views = [row[4] for row in rows]
    found = releases(seen([7.0] * len(rows), views=views), videos)

    assert release_kinds(videos).tolist() == [plain_kind(*row[:3]) for row in rows]
    for line, (state, scheduled, started, age, count) in zip(found.itertuples(), rows, strict=True):
        kind = plain_kind(state, scheduled, started)
        # Four hours after its start the window ends; a day after its time nobody waits any more.
        if kind == "upcoming" and scheduled is not None and scheduled < 240 - 24 * 60:
            kind = "overdue"
        assert line.release_kind == kind
        released, delay, speed = None, np.nan, 7.0
        if kind in {"instant", "live"}:
            released = -age
        elif kind == "announced":
            assert started is not None
            assert scheduled is not None
            released, delay = started, started - scheduled
            is_out = started <= 0 and count is not None
            speed = (count or 0) / max(0.5, -started / 60) if is_out else np.nan
        assert line.delay_min == pytest.approx(delay, nan_ok=True)
        assert line.velocity_per_hour == pytest.approx(speed, nan_ok=True)
        assert (None if pd.isna(line.released_at) else line.released_at) == at(released)


def test_the_age_of_an_announced_video_counts_from_its_start() -> None:
    start = WINDOW - pd.Timedelta(hours=48)
    videos = described(2, scheduled=[start, None], started=[start, None])
    found = releases(seen([1.0, 1.0], views=[4800, 4800]), videos)
    assert found["velocity_per_hour"].tolist() == [100.0, 1.0]
    assert found["released_at"].tolist() == [start, MONDAY]


def test_a_window_knows_the_last_version_before_its_end_and_none_after_it() -> None:
    planned = described(1, scheduled=MONDAY, state="upcoming")
    begun = described(1, scheduled=MONDAY, started=MONDAY).assign(metadata_hash="i")
    begun["first_observed_at"] += pd.Timedelta(hours=6)
    velocity = pd.concat([seen([1.0]), seen([1.0], window=WINDOW + pd.Timedelta(hours=4))])
    found = releases(velocity, pd.concat([begun, planned]), params=ReleaseParams())
    assert found["release_kind"].tolist() == ["overdue", "announced"]
    assert releases(seen([1.0]), begun)["release_kind"].isna().all()
    # A crawl that began in the window may be answered after its end.
    answered = begun.assign(first_observed_at=WINDOW + pd.Timedelta("4h10min"))
    assert releases(seen([1.0]), answered)["release_kind"].tolist() == ["announced"]


@pytest.mark.parametrize(
    ("planned_h", "kind"), [(23, "upcoming"), (24, "upcoming"), (25, "overdue")]
)
def test_what_has_not_begun_a_day_after_its_time_is_overdue(planned_h: int, kind: str) -> None:
    end = WINDOW + pd.Timedelta(hours=4)
    videos = described(1, scheduled=end - pd.Timedelta(hours=planned_h), state="upcoming")
    found = releases(seen([1.0]), videos).iloc[0]
    assert found["release_kind"] == kind
    assert pd.isna(found["released_at"])
    assert pd.isna(found["delay_min"])


def test_a_start_in_the_future_has_no_velocity() -> None:
    later = WINDOW + pd.Timedelta(hours=1)
    found = releases(seen([9.0]), described(1, scheduled=later, started=later)).iloc[0]
    assert np.isnan(found["velocity_per_hour"])


def test_a_video_without_metadata_has_no_kind() -> None:
    for videos in (described(1), pd.DataFrame()):
        found = releases(seen([1.0, 2.0]), videos).iloc[-1]
        assert pd.isna(found["release_kind"])
        assert pd.isna(found["released_at"])
        assert found["velocity_per_hour"] == 2.0


@given(
    st.randoms(),
    st.lists(
        st.tuples(
            st.sampled_from(["none", "live", "upcoming"]),
            st.one_of(st.none(), st.integers(-2000, 2000)),
            st.one_of(st.none(), st.integers(-2000, 2000)),
        ),
        min_size=1,
        max_size=20,
    ),
)
def test_the_order_of_rows_and_versions_counts_for_nothing(random, rows) -> None:
    def at(minutes):
        return None if minutes is None else WINDOW + pd.Timedelta(minutes=minutes)

    videos = described(
        len(rows),
        state=[state for state, _, _ in rows],
        scheduled=[at(m) for _, m, _ in rows],
        started=[at(m) for _, _, m in rows],
    )
    velocity = seen([1.0 + n for n in range(len(rows))])
    found = releases(velocity, videos)
    order = list(range(len(rows)))
    random.shuffle(order)
    again = releases(velocity.iloc[order], videos.iloc[order[::-1]])
    pd.testing.assert_frame_equal(
        again.sort_values("video_id", ignore_index=True), found, check_exact=True
    )
    assert (found["velocity_per_hour"].dropna() >= 0).all()
    assert found.loc[found["release_kind"] != "announced", "delay_min"].isna().all()


def test_nothing_in_gives_nothing_out_in_the_right_shape() -> None:
    nothing = pd.DataFrame()
    for found in (
        releases(nothing, nothing),
        releases(seen([1.0]), nothing),
        releases(seen([None]), described(1)),
    ):
        assert {c: str(t) for c, t in found.dtypes.items()} == dict(RELEASES_SCHEMA)


def test_bad_input_is_refused_with_its_reason() -> None:
    with pytest.raises(InvalidInputError, match="lifetime_velocity_per_hour"):
        releases(seen([-1.0]), described(1))
    with pytest.raises(InvalidInputError, match="views"):
        releases(seen([1.0], views=[-1]), described(1))
    with pytest.raises(InvalidInputError, match="scheduled_start_at"):
        releases(seen([1.0]), described(1).drop(columns="scheduled_start_at"))
    naive = described(1).assign(published_at=MONDAY.tz_localize(None))
    with pytest.raises(InvalidInputError, match="time zone"):
        releases(seen([1.0]), naive)
    with pytest.raises(InvalidInputError, match="overdue_after"):
        ReleaseParams(overdue_after=pd.Timedelta(hours=-1))
    with pytest.raises(InvalidInputError, match="min_age_h"):
        ReleaseParams(min_age_h=0)
