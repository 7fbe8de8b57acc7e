from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurastream.core.errors import InvalidInputError
from aurastream.core.formats import (
    DURATION_BUCKETS,
    FORMAT_BUCKETS_SCHEMA,
    FORMAT_COMPARISON_SCHEMA,
    REGIME_BREAKS,
    SHORTS_RULE_VERSION,
    FormatParams,
    RegimeBreak,
    duration_buckets,
    format_buckets,
    format_comparison,
    performance_index,
    regimes,
    short_likelihood,
)

CHARTS = (
    Path(__file__).resolve().parents[4]
    / "shared/data/youtube_trending/charts_8c_2025-12-10_2026-04-30.parquet"
)
FIRST_DAY = pd.Timestamp("2023-01-01T00:00Z")
WINDOW = pd.Timestamp("2026-03-01T08:00Z")
DAY = timedelta(days=1)
moments = st.integers(0, 1_400).map(lambda days: FIRST_DAY + pd.Timedelta(days=days))
lengths = st.lists(st.one_of(st.floats(0, 10_000), st.just(float("nan"))), max_size=40)


def rows(durations, views, **columns):
    n = len(durations)
    return pd.DataFrame(
        {
            "window_start": pd.DatetimeIndex([columns.get("window", WINDOW)] * n),
            "category": [columns.get("category", "gaming")] * n,
            "observed_at": pd.DatetimeIndex([columns.get("observed", WINDOW)] * n),
            "published_at": pd.DatetimeIndex([columns.get("published", WINDOW)] * n),
            "duration_s": pd.array(durations, dtype="Int32"),
            "views": pd.array(views, dtype="Int64"),
        }
    )


@given(lengths)
def test_every_length_has_one_bucket_and_longer_is_never_a_shorter_one(values: list[float]) -> None:
    known = sorted(v for v in values if not np.isnan(v))
    found = [DURATION_BUCKETS.index(name) for name in duration_buckets(known)]
    assert found == sorted(found)
    assert [name is None for name in duration_buckets(values)] == np.isnan(values).tolist()


@given(lengths)
def test_a_longer_video_is_never_likelier_a_short(values: list[float]) -> None:
    known = sorted(v for v in values if not np.isnan(v))
    found = short_likelihood(known).tolist()
    assert found == sorted(found, reverse=True)
    assert all(0 <= value <= 1 for value in found)


@given(lengths)
def test_the_bucket_of_a_length_is_the_one_that_its_name_says(values: list[float]) -> None:
    def says(name: str, minutes: float) -> bool:
        low, high = {"<1 min": (0, 1), ">30 min": (30, np.inf)}.get(name) or [
            int(part) for part in name.removesuffix(" min").split("-")
        ]
        return low <= minutes < high

    edges = [60.0 * minutes for minutes in (0, 1, 3, 8, 15, 30)]
    near = [value for edge in edges for value in (edge, np.nextafter(edge, 0))]
    for value, name in zip(known := [*values, *near], duration_buckets(known), strict=True):
        assert [b for b in DURATION_BUCKETS if says(b, value / 60)] == [name] * (name is not None)
        assert (name is None) == np.isnan(value)


@given(st.lists(st.tuples(st.none() | st.sampled_from([0, 59, 60, 61, 180, 181]), moments)))
def test_a_short_is_what_the_rule_of_its_day_takes_for_one(
    videos: list[tuple[int | None, pd.Timestamp]],
) -> None:
    longest = pd.Timestamp("2024-10-15T00:00Z")
    expected = [
        np.nan
        if length is None
        else 0.9
        if length <= 60
        else 0.6
        if length <= 180 and day >= longest
        else 0.0
        for length, day in videos
    ]
    seconds = [np.nan if length is None else length for length, _ in videos]

    found = short_likelihood(seconds, pd.DatetimeIndex([day for _, day in videos], tz="UTC"))

    np.testing.assert_array_equal(found, expected)


@given(st.lists(st.none() | moments))
def test_a_moment_lies_in_the_regime_of_the_last_break_it_has_passed(
    told: list[pd.Timestamp | None],
) -> None:
    breaks = [found.at for found in REGIME_BREAKS]
    told += map(pd.Timestamp, (*breaks, *(at - pd.Timedelta("1us") for at in breaks)))
    expected: list[str | None] = []
    for moment in told:
        name = "original"
        for found in REGIME_BREAKS:
            if moment is not None and found.at <= moment:
                name = found.name
        expected.append(None if moment is None else name)

    assert regimes(told).tolist() == expected


_MEANS = st.just(0.0) | st.floats(1e-9, 1e9)


@given(_MEANS, _MEANS, st.integers(1, 9))
def test_an_index_is_the_quotient_of_fractions_whatever_the_unit(
    mean: float, whole: float, unit: int
) -> None:
    found = performance_index(mean, whole)
    if not whole:
        assert np.isnan(found)
        return
    assert found == pytest.approx(float(Fraction(mean) / Fraction(whole)))
    assert performance_index(unit * mean, unit * whole) == pytest.approx(found)
    assert performance_index(None, whole).tolist() == pytest.approx(np.nan, nan_ok=True)


COMPARED = st.lists(
    st.tuples(
        st.sampled_from(["gta", "music"]),
        st.sampled_from([30, 61, 180, 181, None]),
        st.none() | st.integers(0, 9),
        st.sampled_from([None, *(day for b in REGIME_BREAKS for day in (b.at, b.at - DAY))]),
        st.sampled_from([b.at + DAY for b in REGIME_BREAKS]),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=40)
@given(COMPARED, st.integers(1, 2))
def test_shorts_and_long_videos_are_compared_as_a_person_would_sort_them(
    told: list[tuple[Any, ...]], least: int
) -> None:
    frame = rows([r[1] for r in told], [r[2] for r in told]).assign(
        category=[r[0] for r in told],
        published_at=pd.DatetimeIndex([r[3] for r in told], tz="UTC"),
        observed_at=pd.DatetimeIndex([r[4] for r in told], tz="UTC"),
    )

    def regime(moment: datetime | None) -> int | None:
        return None if moment is None else sum(b.at <= moment for b in REGIME_BREAKS)

    def is_short(length: int, published: datetime) -> bool:
        return length <= 60 or (length <= 180 and published >= REGIME_BREAKS[0].at)

    expected = []
    for category, seen in sorted({(row[0], regime(row[4])) for row in told}):
        own = [row for row in told if (row[0], regime(row[4])) == (category, seen)]
        inside = [row for row in own if regime(row[3]) == seen]
        line: list[Any] = [category, ("original", *(b.name for b in REGIME_BREAKS))[seen or 0]]
        means = []
        for wanted in (True, False):
            side = [r[2] for r in inside if r[1] is not None and is_short(r[1], r[3]) == wanted]
            views = [count for count in side if count is not None]
            mean = sum(views) / len(views) if views else np.nan
            means.append((mean, len(views)))
            line += [len(side), len(views), mean]
        (short, n), (long, m) = means
        line.append(short / long if min(n, m) >= least and long > 0 else np.nan)
        line += [len(own) - len(inside), sum(row[1] is None for row in inside)]
        expected.append(line)

    found = format_comparison(frame, params=FormatParams(min_sample=least))

    shown = found[list(FORMAT_COMPARISON_SCHEMA)[1:-1]].to_numpy().tolist()
    for row, line in zip(shown, expected, strict=True):
        assert row[:2] == line[:2]
        assert row[2:] == pytest.approx(line[2:], nan_ok=True)


def test_the_breaks_are_dated_and_ascend_and_the_rule_is_named_after_its_date() -> None:
    days = [found.at for found in REGIME_BREAKS]
    assert days == sorted(days)
    assert [day.date().isoformat() for day in days] == ["2024-10-15", "2025-03-31", "2026-08-24"]
    assert [found.is_confirmed for found in REGIME_BREAKS] == [True, True, False]
    assert SHORTS_RULE_VERSION.endswith(days[0].date().isoformat())


def test_buckets_are_pandas_cut_and_group_means() -> None:
    random = np.random.default_rng(7)
    frame = rows(random.integers(0, 4_000, 500).tolist(), random.integers(0, 10**6, 500).tolist())
    frame["category"] = random.choice(["a", "b", "c"], 500)
    frame.loc[frame.index % 17 == 0, "views"] = pd.NA
    frame.loc[frame.index % 23 == 0, "duration_s"] = pd.NA
    cut = pd.cut(
        frame["duration_s"].astype("float64"),
        [0, 60, 180, 480, 900, 1800, np.inf],
        right=False,
        labels=list(DURATION_BUCKETS),
    )
    views = frame["views"].astype("float64")
    means = views.groupby([frame["category"], cut], observed=True).mean()
    whole = views.groupby(frame["category"]).mean()
    found = format_buckets(frame).set_index(["category", "duration_bucket"])
    for (category, bucket), mean in means.items():
        row = found.loc[(category, bucket)]
        assert row["avg_views"] == pytest.approx(mean, rel=1e-12)
        assert row["performance_index"] == pytest.approx(mean / whole[category], rel=1e-12)
    best = means.groupby("category").idxmax()
    assert found.index[found["is_optimal"]].tolist() == best.tolist()


def test_the_optimal_bucket_needs_its_sample_and_a_tie_goes_to_the_shorter() -> None:
    lucky = rows([30] * 5 + [700] * 5 + [3_000], [10] * 10 + [10**9])
    found = format_buckets(lucky)
    assert found.loc[found["is_optimal"], "duration_bucket"].tolist() == ["<1 min"]
    assert not format_buckets(rows([30] * 4, [10] * 4))["is_optimal"].any()


def test_a_bucket_without_known_views_has_no_mean_and_is_never_optimal() -> None:
    found = format_buckets(rows([30] * 6, [None] * 6), params=FormatParams(min_sample=1)).iloc[0]
    assert (found["video_count"], found["views_known_count"]) == (6, 0)
    assert np.isnan(found["performance_index"])
    assert not found["is_optimal"]


@given(st.randoms())
def test_the_order_of_rows_does_not_matter(random) -> None:
    frame = rows([30, 90, 200, 500, 1000, 2000] * 3, list(range(18)))
    order = list(range(18))
    random.shuffle(order)
    pd.testing.assert_frame_equal(format_buckets(frame), format_buckets(frame.iloc[order]))
    pd.testing.assert_frame_equal(format_comparison(frame), format_comparison(frame.iloc[order]))


@given(
    st.lists(
        st.tuples(moments, st.integers(0, 900)),
        min_size=1,
        max_size=30,
    ),
    moments,
)
def test_no_comparison_crosses_a_break(videos, observed) -> None:
    published = pd.DatetimeIndex([day for day, _ in videos])
    frame = rows([s for _, s in videos], [10] * len(videos), window=observed, observed=observed)
    frame["published_at"] = published
    (one,) = format_comparison(frame).to_dict("records")
    (regime,) = regimes([observed])
    same = [name == regime for name in regimes(published)]
    assert one["regime"] == regime
    assert one["shorts_count"] + one["longform_count"] == sum(same)
    assert one["crossing_count"] == len(same) - sum(same)


def test_a_window_across_a_break_gives_one_row_per_regime() -> None:
    at = pd.DatetimeIndex([REGIME_BREAKS[1].at] * 2) + pd.to_timedelta([-1, 1], unit="h")
    frame = rows([30, 30], [10, 1_000]).assign(observed_at=at, published_at=at)
    found = format_comparison(frame)
    assert found["regime"].tolist() == ["shorts-180s", "shorts-starts"]
    assert found["shorts_avg_views"].tolist() == [10.0, 1_000.0]


def test_a_caller_may_trust_announced_breaks_alone() -> None:
    late = rows(
        [30] * 5 + [700] * 5,
        [50] * 5 + [100] * 5,
        observed=pd.Timestamp("2026-11-01T00:00Z"),
        published=pd.Timestamp("2026-08-01T00:00Z"),
    )
    assert np.isnan(format_comparison(late)["shorts_performance_ratio"].item())
    announced = FormatParams(breaks=tuple(b for b in REGIME_BREAKS if b.is_confirmed))
    assert format_comparison(late, params=announced)["shorts_performance_ratio"].item() == 0.5


def test_the_ratio_needs_both_sides() -> None:
    assert np.isnan(format_comparison(rows([30] * 9, [5] * 9))["shorts_performance_ratio"].item())
    zero = rows([30] * 5 + [700] * 5, [5] * 5 + [0] * 5)
    assert np.isnan(format_comparison(zero)["shorts_performance_ratio"].item())
    one = format_comparison(rows([None, 30], [5, 5])).iloc[0]
    assert (one["unknown_count"], one["shorts_count"]) == (1, 1)


@pytest.mark.parametrize("function", [format_buckets, format_comparison])
def test_bad_input_is_refused_with_its_reason(function) -> None:
    with pytest.raises(InvalidInputError, match="views"):
        function(rows([30], [-1]))
    with pytest.raises(InvalidInputError, match="duration_s"):
        function(rows([-30], [1]))
    with pytest.raises(InvalidInputError, match="category"):
        function(rows([30], [1]).drop(columns="category"))
    with pytest.raises(InvalidInputError, match="category"):
        function(rows([30], [1], category=None))
    naive = rows([30], [1]).assign(window_start=WINDOW.tz_localize(None))
    with pytest.raises(InvalidInputError, match="time zone"):
        function(naive)


def test_impossible_lengths_means_and_parameters_are_refused() -> None:
    for bad in (-1.0, np.inf):
        with pytest.raises(InvalidInputError, match=r"-1 seconds|'duration_s' holds inf"):
            short_likelihood([bad])
        with pytest.raises(InvalidInputError, match=r"-1 seconds|'duration_s' holds inf"):
            duration_buckets([bad])
    with pytest.raises(InvalidInputError, match="negative"):
        performance_index(-1.0, 2.0)
    with pytest.raises(InvalidInputError, match="min_sample"):
        FormatParams(min_sample=0)
    naive = RegimeBreak(datetime(2024, 1, 1), "x", "views", is_confirmed=True, note="")  # noqa: DTZ001 # the fault
    for breaks in ((naive,), tuple(reversed(REGIME_BREAKS))):
        with pytest.raises(InvalidInputError, match="Regime breaks"):
            FormatParams(breaks=breaks)


def test_nothing_in_gives_nothing_out_in_the_right_shape() -> None:
    for function, schema in (
        (format_buckets, FORMAT_BUCKETS_SCHEMA),
        (format_comparison, FORMAT_COMPARISON_SCHEMA),
    ):
        for frame in (function(pd.DataFrame()), function(rows([30], [1]))):
            assert {c: str(t) for c, t in frame.dtypes.items()} == dict(schema)


@pytest.mark.skipif(not CHARTS.is_file(), reason=f"no archive at {CHARTS}")
def test_golden_rows_of_a_real_day() -> None:
    charts = pd.read_parquet(CHARTS)
    charts = charts[charts["snapshot_date"] == "2026-03-02"].drop_duplicates("video_id")
    frame = charts.assign(
        window_start=WINDOW,
        category=charts["category_name"],
        observed_at=charts["fetched_at"],
        duration_s=charts["duration_s"].astype("Int32").mask(charts["duration_s"] == 0),
        views=charts["views"].astype("Int64").mask(charts["views"] == 0),
    )
    buckets = format_buckets(frame)
    assert buckets["video_count"].sum() == frame["duration_s"].notna().sum()
    best = buckets[buckets["is_optimal"]].set_index("category")
    assert {
        category: [row.duration_bucket, int(row.views_known_count), round(row.performance_index, 6)]
        for category, row in best.iterrows()
    } == GOLDEN_BEST
    one = format_comparison(frame).set_index("category").loc["Music"]
    assert [
        one["regime"],
        int(one["shorts_count"]),
        int(one["longform_count"]),
        int(one["crossing_count"]),
        round(one["shorts_performance_ratio"], 6),
    ] == GOLDEN_MUSIC


GOLDEN_BEST = {
    "Entertainment": ["1-3 min", 10, 2.064751],
    "Film & Animation": ["1-3 min", 5, 1.358509],
    "Gaming": ["8-15 min", 14, 2.428754],
    "Music": ["3-8 min", 66, 1.318295],
    "People & Blogs": ["15-30 min", 5, 1.893148],
}
GOLDEN_MUSIC = ["shorts-starts", 29, 75, 0, np.float64(0.331665)]
