from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurastream.core.errors import InvalidInputError
from aurastream.core.premieres import (
    PREMIERE_SCHEMA,
    PUBLISHING_TIMES_SCHEMA,
    PremiereParams,
    PublishingParams,
    delay_minutes,
    on_time_share,
    premiere_performance,
    publishing_times,
    release_kinds,
    wilson_interval,
)

CHARTS = (
    Path(__file__).resolve().parents[4]
    / "shared/data/youtube_trending/charts_8c_2025-12-10_2026-04-30.parquet"
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


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.floats(0, 1e6))
def test_a_wider_tolerance_is_never_less_punctual(delays: list[float], tolerance: float) -> None:
    narrow = on_time_share(delays, tolerance_min=tolerance / 2)
    assert 0 <= narrow <= on_time_share(delays, tolerance_min=tolerance) <= 1


@given(st.integers(-(10**6), 10**6))
def test_delay_is_antisymmetric(minutes: int) -> None:
    later = pd.DatetimeIndex([MONDAY + pd.Timedelta(minutes=minutes)])
    planned = pd.DatetimeIndex([MONDAY])
    assert delay_minutes(planned, later).tolist() == [minutes]
    assert delay_minutes(later, planned).tolist() == [-minutes]


@given(st.integers(0, 200), st.integers(1, 200), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_interval_of_a_share_is_scipys(hits: int, more: int, confidence: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    trials = hits + more - 1 or 1
    expected = stats.binomtest(min(hits, trials), trials).proportion_ci(confidence, "wilson")
    low, high = wilson_interval(min(hits, trials), trials, confidence=confidence)
    assert (low.item(), high.item()) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_announced_against_instant_is_a_ratio_of_medians() -> None:
    velocity = seen([1.0] * 5 + [10.0, 20.0, 30.0, 40.0, 1e9], views=[4800] * 5 + [50] * 5)
    start = WINDOW - pd.Timedelta(hours=48)
    videos = described(10, scheduled=[start] * 5 + [None] * 5, started=[start] * 5 + [None] * 5)
    one = premiere_performance(velocity, videos).iloc[0]
    assert one["announced_median_velocity"] == 100.0  # 4,800 views in the 48 h since the start
    assert one["instant_median_velocity"] == 30.0
    assert one["performance_ratio"] == pytest.approx(100 / 30)
    assert (one["announced_avg_views"], one["instant_avg_views"]) == (4800.0, 50.0)
    few = premiere_performance(velocity.iloc[1:], videos).iloc[0]
    assert np.isnan(few["performance_ratio"])
    assert few["announced_count"] == 4


def test_punctuality_counts_starts_within_the_tolerance() -> None:
    late = [0, 5, -5, 6, 60]
    start = [MONDAY + pd.Timedelta(minutes=m) for m in late]
    one = premiere_performance(seen([1.0] * 5), described(5, scheduled=MONDAY, started=start))
    found = one.iloc[0]
    assert found["on_time_share"] == 0.6
    assert found["on_time_low"] < 0.6 < found["on_time_high"]
    assert (found["delay_median_min"], found["delay_worst_min"]) == (5.0, 60.0)
    strict = premiere_performance(
        seen([1.0] * 5),
        described(5, scheduled=MONDAY, started=start),
        params=PremiereParams(tolerance_min=0),
    )
    assert strict["on_time_share"].item() == 0.2


def test_the_last_version_of_a_video_counts_and_one_without_metadata_does_not() -> None:
    old = described(1, scheduled=MONDAY, state="upcoming")
    new = described(1, scheduled=MONDAY, started=MONDAY)
    new["first_observed_at"] += pd.Timedelta(hours=1)
    found = premiere_performance(seen([1.0, 1.0]), pd.concat([new, old])).iloc[0]
    assert found["announced_count"] == 1
    assert found["instant_count"] + found["live_count"] + found["upcoming_count"] == 0
    nothing_known = premiere_performance(seen([1.0]), pd.DataFrame()).iloc[0]
    assert nothing_known["announced_count"] + nothing_known["instant_count"] == 0
    assert np.isnan(nothing_known["on_time_share"])


def slots(*hours: tuple[int, int]) -> list[pd.Timestamp]:
    return [MONDAY + pd.Timedelta(hours=hour) for hour, count in hours for _ in range(count)]


def test_publishing_times_are_a_pooled_analysis_of_logarithms() -> None:
    random = np.random.default_rng(5)
    hours = random.integers(0, 168, 400)
    speeds = np.exp(random.normal(8, 1.5, 400)) + 1
    published = [MONDAY + pd.Timedelta(hours=int(h)) for h in hours]
    found = publishing_times(seen(speeds), described(400, published=published))
    log = pd.Series(np.log(speeds))
    groups = log.groupby(hours)
    index = np.exp(groups.mean() - log.mean())
    assert found["index"].tolist() == pytest.approx(index.tolist(), rel=1e-9)
    assert (found["dow"] * 24 + found["hour"]).tolist() == index.index.tolist()
    inside = ((log - groups.transform("mean")) ** 2).sum() / (400 - len(index))
    n = groups.size()
    reach = 1.959963984540054 * np.sqrt(inside * (1 / n - 1 / 400))
    enough = (n >= 5).to_numpy()
    expected = (index * np.exp(-reach))[enough]
    assert found["index_low"][enough].tolist() == pytest.approx(expected.tolist(), rel=1e-9)
    assert found["index_low"][~enough].isna().all()


def test_a_lucky_hour_of_few_videos_is_not_the_best() -> None:
    published = slots((1, 10), (2, 10), (3, 1))
    speeds = [100.0 + i for i in range(10)] + [10.0 + i / 10 for i in range(10)] + [1e6]
    found = publishing_times(seen(speeds), described(21, published=published)).set_index("hour")
    assert found["index"].idxmax() == 3
    assert found.index[found["is_best"]].tolist() in ([], [1])
    assert found.index[found["is_worst"]].tolist() == [2]


def test_pure_chance_has_seldom_a_distinct_hour() -> None:
    random = np.random.default_rng(11)
    distinct = 0
    for _ in range(40):
        hours = random.integers(0, 20, 300)
        published = [MONDAY + pd.Timedelta(hours=int(h)) for h in hours]
        speeds = np.exp(random.normal(8, 1, 300)) + 1
        found = publishing_times(seen(speeds), described(300, published=published))
        distinct += bool(found["is_distinct"].any())
    assert distinct <= 6  # 5 % are expected


def test_hours_are_those_of_the_audience_with_daylight_saving() -> None:
    published = ["2026-01-05T02:00Z", "2026-07-06T02:00Z"]
    summer = seen([5.0, 5.0], window=pd.Timestamp("2026-08-01T00:00Z"))
    found = publishing_times(
        summer, described(2, published=published), timezones={"gta": "America/New_York"}
    )
    assert found[["dow", "hour"]].to_numpy().tolist() == [[6, 21], [6, 22]]
    assert set(found["timezone"]) == {"America/New_York"}
    with pytest.raises(InvalidInputError, match="no time zone"):
        publishing_times(summer, described(2, published=published), timezones={"gta": "Mars/X"})


@given(st.randoms(), st.lists(st.integers(0, 167), min_size=2, max_size=40))
def test_at_most_one_best_and_one_worst_whatever_the_order(random, hours: list[int]) -> None:
    published = [MONDAY + pd.Timedelta(hours=h) for h in hours]
    velocity = seen([float(1 + h % 7 * 100) for h in hours])
    videos = described(len(hours), published=published)
    params = PublishingParams(min_sample=1)
    found = publishing_times(velocity, videos, params=params)
    assert found["is_best"].sum() <= 1
    assert found["is_worst"].sum() <= 1
    assert not (found["is_best"] & found["is_worst"]).any()
    assert (found["index_low"].dropna() <= found["index"][found["index_low"].notna()]).all()
    order = list(range(len(hours)))
    random.shuffle(order)
    again = publishing_times(velocity.iloc[order], videos.iloc[order], params=params)
    pd.testing.assert_frame_equal(again, found)


def test_nothing_in_gives_nothing_out_in_the_right_shape() -> None:
    nothing = pd.DataFrame()
    for found, schema in (
        (premiere_performance(nothing, nothing), PREMIERE_SCHEMA),
        (premiere_performance(seen([1.0]), described(1)), PREMIERE_SCHEMA),
        (publishing_times(nothing, nothing), PUBLISHING_TIMES_SCHEMA),
        (publishing_times(seen([None]), described(1)), PUBLISHING_TIMES_SCHEMA),
        (publishing_times(seen([1.0]), nothing), PUBLISHING_TIMES_SCHEMA),
        (publishing_times(seen([1.0]), described(1)), PUBLISHING_TIMES_SCHEMA),
    ):
        assert {c: str(t) for c, t in found.dtypes.items()} == dict(schema)


def test_bad_input_is_refused_with_its_reason() -> None:
    for function in (premiere_performance, publishing_times):
        with pytest.raises(InvalidInputError, match="lifetime_velocity_per_hour"):
            function(seen([-1.0]), described(1))
        with pytest.raises(InvalidInputError, match="views"):
            function(seen([1.0], views=[-1]), described(1))
        with pytest.raises(InvalidInputError, match="scheduled_start_at"):
            function(seen([1.0]), described(1).drop(columns="scheduled_start_at"))
        naive = described(1).assign(published_at=MONDAY.tz_localize(None))
        with pytest.raises(InvalidInputError, match="time zone"):
            function(seen([1.0]), naive)
    with pytest.raises(InvalidInputError, match="Hits"):
        wilson_interval(2, 1)
    with pytest.raises(InvalidInputError, match="tolerance"):
        PremiereParams(tolerance_min=-1)
    with pytest.raises(InvalidInputError, match="min_sample"):
        PublishingParams(min_sample=0)
    with pytest.raises(InvalidInputError, match="confidence"):
        PremiereParams(confidence=95)


@pytest.mark.skipif(not CHARTS.is_file(), reason=f"no archive at {CHARTS}")
def test_golden_hours_of_real_charts() -> None:
    rows = pd.read_parquet(CHARTS)
    rows = rows[rows["category_name"].isin(["Music", "Gaming"]) & (rows["views"] > 0)]
    rows = rows.sort_values(["fetched_at", "country"]).drop_duplicates("video_id")
    age = (rows["fetched_at"] - rows["published_at"]) / pd.Timedelta(hours=1)
    frame = rows.assign(
        window_start=WINDOW,
        category=rows["category_name"],
        observed_at=rows["fetched_at"],
        lifetime_velocity_per_hour=rows["views"] / age.clip(lower=0.5),
    )
    videos = rows.assign(
        first_observed_at=rows["fetched_at"],
        live_state="none",
        scheduled_start_at=pd.NaT,
        actual_start_at=pd.NaT,
    )
    found = publishing_times(frame, videos)
    assert found["sample_count"].sum() == len(frame)
    named = found[found["is_best"] | found["is_worst"]]
    assert [
        [r.category, int(r.dow), int(r.hour), int(r.sample_count), round(r.value, 4), r.is_best]
        for r in named.rename(columns={"index": "value"}).itertuples()
    ] == GOLDEN_HOURS


GOLDEN_HOURS = [
    ["Gaming", 0, 11, 93, 0.4692, False],
    ["Gaming", 2, 0, 79, 6.969, True],
    ["Music", 0, 5, 28, 4.7399, True],
    ["Music", 3, 10, 313, 0.274, False],
]
