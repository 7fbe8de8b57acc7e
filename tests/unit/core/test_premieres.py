import statistics
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from aurastream.core.errors import InvalidInputError
from aurastream.core.premieres import (
    PREMIERE_SCHEMA,
    PremiereParams,
    on_time_share,
    premiere_performance,
)
from aurastream.core.releases import releases
from tests.unit.core.families import FAMILIES, frames

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


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.floats(0, 1e6))
def test_a_wider_tolerance_is_never_less_punctual(delays: list[float], tolerance: float) -> None:
    narrow = on_time_share(delays, tolerance_min=tolerance / 2)
    assert 0 <= narrow <= on_time_share(delays, tolerance_min=tolerance) <= 1


@given(st.lists(st.none() | st.integers(-9, 9), max_size=12), st.integers(0, 9))
def test_punctual_is_the_fraction_of_known_starts_within_the_tolerance(
    delays: list[int | None], tolerance: int
) -> None:
    known = [late for late in delays if late is not None]
    hits = sum(-tolerance <= late <= tolerance for late in known)
    expected = float(Fraction(hits, len(known))) if known else np.nan

    found = on_time_share(delays, tolerance_min=tolerance)

    assert found == pytest.approx(expected, nan_ok=True)


def test_announced_against_instant_is_a_ratio_of_medians() -> None:
    velocity = seen([1.0] * 5 + [10.0, 20.0, 30.0, 40.0, 1e9], views=[4800] * 5 + [50] * 5)
    start = WINDOW - pd.Timedelta(hours=48)
    videos = described(10, scheduled=[start] * 5 + [None] * 5, started=[start] * 5 + [None] * 5)
    one = premiere_performance(releases(velocity, videos)).iloc[0]
    assert one["announced_median_velocity"] == 100.0  # 4,800 views in the 48 h since the start
    assert one["instant_median_velocity"] == 30.0
    assert one["performance_ratio"] == pytest.approx(100 / 30)
    assert (one["announced_avg_views"], one["instant_avg_views"]) == (4800.0, 50.0)
    few = premiere_performance(releases(velocity.iloc[1:], videos)).iloc[0]
    assert np.isnan(few["performance_ratio"])
    assert few["announced_count"] == 4


def test_punctuality_counts_starts_within_the_tolerance() -> None:
    late = [0, 5, -5, 6, 60]
    start = [MONDAY + pd.Timedelta(minutes=m) for m in late]
    one = premiere_performance(
        releases(seen([1.0] * 5), described(5, scheduled=MONDAY, started=start))
    )
    found = one.iloc[0]
    assert found["on_time_share"] == 0.6
    assert found["on_time_low"] < 0.6 < found["on_time_high"]
    assert (found["delay_median_min"], found["delay_worst_min"]) == (5.0, 60.0)
    strict = premiere_performance(
        releases(seen([1.0] * 5), described(5, scheduled=MONDAY, started=start)),
        params=PremiereParams(tolerance_min=0),
    )
    assert strict["on_time_share"].item() == 0.2


def test_every_video_is_in_one_count() -> None:
    start = MONDAY + pd.Timedelta(days=11)
    videos = described(
        5,
        state=["none", "none", "live", "upcoming", "upcoming"],
        scheduled=[MONDAY, None, None, start, MONDAY],
        started=[MONDAY, None, None, None, None],
    )
    one = premiere_performance(releases(seen([1.0] * 6), videos)).iloc[0]
    kinds = ("announced", "instant", "live", "upcoming", "overdue", "unknown")
    assert [one[f"{kind}_count"] for kind in kinds] == [1, 1, 1, 1, 1, 1]
    assert one["delay_known_count"] == 1


@given(
    st.randoms(),
    st.lists(
        st.tuples(
            st.sampled_from(["announced", "instant", "live", "upcoming", "overdue", None]),
            st.one_of(st.none(), st.floats(0, 1e6)),
            st.floats(-1e4, 1e4),
        ),
        min_size=1,
        max_size=40,
    ),
)
def test_shares_lie_in_their_intervals_whatever_the_order(random, rows) -> None:
    frame = pd.DataFrame(
        {
            "window_start": WINDOW,
            "category": [("a", "b")[n % 2] for n in range(len(rows))],
            "release_kind": pd.array([kind for kind, _, _ in rows], dtype="str"),
            "delay_min": [late if kind == "announced" else None for kind, _, late in rows],
            "views": 5.0,
            "velocity_per_hour": pd.array([v for _, v, _ in rows], dtype="Float64"),
        }
    )
    found = premiere_performance(frame)
    known = found.dropna(subset=["on_time_share"])
    assert (known["on_time_low"] <= known["on_time_share"] + 1e-12).all()
    assert (known["on_time_share"] <= known["on_time_high"] + 1e-12).all()
    assert (found["performance_ratio"].dropna() >= 0).all()
    order = list(range(len(rows)))
    random.shuffle(order)
    again = premiere_performance(frame.iloc[order])
    pd.testing.assert_frame_equal(again, found, check_exact=True)


@pytest.mark.parametrize("kind", [None, "", "rerun"])
def test_a_kind_that_is_not_known_is_counted_as_none(kind: str | None) -> None:
    rows = pd.DataFrame(
        {
            "window_start": [WINDOW] * 2,
            "category": "gta",
            "release_kind": ["instant", kind],
            "delay_min": None,
            "views": 100,
            "velocity_per_hour": 5.0,
        }
    )
    one = premiere_performance(rows).iloc[0]
    assert (one.instant_count, one.unknown_count, one.announced_count) == (1, 1, 0)


def test_nothing_in_gives_nothing_out_in_the_right_shape() -> None:
    nothing = pd.DataFrame()
    for found in (
        premiere_performance(nothing),
        premiere_performance(releases(seen([1.0]), described(1))),
        premiere_performance(releases(seen([1.0]), nothing)),
    ):
        assert {c: str(t) for c, t in found.dtypes.items()} == dict(PREMIERE_SCHEMA)


def test_bad_input_is_refused_with_its_reason() -> None:
    rows = releases(seen([1.0]), described(1))
    for column in ("views", "velocity_per_hour"):
        with pytest.raises(InvalidInputError, match=column):
            premiere_performance(rows.assign(**{column: -1.0}))
    with pytest.raises(InvalidInputError, match="tolerance"):
        PremiereParams(tolerance_min=-1)
    with pytest.raises(InvalidInputError, match="min_sample"):
        PremiereParams(min_sample=0)
    with pytest.raises(InvalidInputError, match="confidence"):
        PremiereParams(confidence=95)


def by_the_book(rows: pd.DataFrame) -> dict[str, Any]:
    """One window and category, with the statistics module and scipy."""
    sides = {}
    for kind in ("announced", "instant"):
        side = rows[rows["release_kind"] == kind]
        speed = side["velocity_per_hour"].dropna().tolist()
        views = side["views"].dropna().tolist()
        sides[kind] = statistics.median(speed) if speed else np.nan, len(speed)
        sides[f"{kind} views"] = statistics.fmean(views) if views else np.nan, len(views)
    (fast, n_fast), (slow, n_slow) = sides["announced"], sides["instant"]
    late = rows["delay_min"].dropna().tolist()
    hits = sum(abs(minutes) <= 5 for minutes in late)
    known = {"share": np.nan, "low": np.nan, "high": np.nan}
    if late:
        test = scipy.stats.binomtest(hits, len(late)).proportion_ci(0.95, "wilson")
        known = {"share": hits / len(late), "low": test.low, "high": test.high}
    return {
        "announced_count": (rows["release_kind"] == "announced").sum(),
        "instant_count": (rows["release_kind"] == "instant").sum(),
        "announced_known_count": n_fast,
        "instant_known_count": n_slow,
        "announced_median_velocity": fast,
        "instant_median_velocity": slow,
        "announced_avg_views": sides["announced views"][0],
        "instant_avg_views": sides["instant views"][0],
        "performance_ratio": fast / slow if min(n_fast, n_slow) >= 5 and slow > 0 else np.nan,
        "delay_known_count": len(late),
        "delay_median_min": statistics.median(late) if late else np.nan,
        "delay_worst_min": max(late, default=np.nan),
        "on_time_share": known["share"],
        "on_time_low": known["low"],
        "on_time_high": known["high"],
    }


def assert_agrees(rows: pd.DataFrame) -> None:
    found = premiere_performance(rows).set_index(["window_start", "category"])
    groups = rows.groupby(["window_start", "category"])
    assert len(found) == groups.ngroups
    for key, group in groups:
        expected = by_the_book(group)
        shown = {name: float(found.loc[key, name]) for name in expected}
        assert shown == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["announced", "instant", "live", None]),
            st.none() | st.integers(0, 10**9),
            st.none() | st.floats(0, 1e6),
            st.none() | st.integers(-60, 600),
            st.sampled_from(["gta", "music"]),
        ),
        min_size=1,
        max_size=60,
    )
)
def test_performance_and_punctuality_are_those_of_statistics_and_scipy(
    rows: list[tuple[Any, ...]],
) -> None:
    assert_agrees(
        pd.DataFrame(
            {
                "window_start": WINDOW,
                "category": [category for *_, category in rows],
                "release_kind": pd.array([kind for kind, *_ in rows], dtype="str"),
                "views": pd.array([views for _, views, *_ in rows], dtype="Int64"),
                "velocity_per_hour": pd.array([v for _, _, v, *_ in rows], dtype="Float64"),
                "delay_min": [
                    late if kind == "announced" and late is not None else np.nan
                    for kind, _, _, late, _ in rows
                ],
            }
        )
    )


def test_real_velocities_are_compared_as_statistics_and_scipy_do() -> None:
    f = frames()
    assert_agrees(f["releases"])
    assert FAMILIES["premiere_performance"](f)["performance_ratio"].notna().sum() >= 8
