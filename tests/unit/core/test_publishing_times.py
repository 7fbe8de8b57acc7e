from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurastream.core.errors import InvalidInputError
from aurastream.core.formats import RegimeBreak
from aurastream.core.publishing_times import (
    PUBLISHING_GRAINS,
    PUBLISHING_TIMES_SCHEMA,
    PublishingParams,
    early_releases,
    publishing_times,
    trailing,
)

CHARTS = (
    Path(__file__).resolve().parents[4]
    / "shared/data/youtube_trending/charts_8c_2025-12-10_2026-04-30.parquet"
)
WINDOW = pd.Timestamp("2026-01-15T08:00Z")
MONDAY = pd.Timestamp("2026-01-05T00:00Z")


def released(velocities, published, **columns) -> pd.DataFrame:
    n = len(velocities)
    return pd.DataFrame(
        {
            "window_start": pd.DatetimeIndex([columns.get("window", WINDOW)] * n),
            "category": columns.get("category", ["gta"] * n),
            "released_at": pd.to_datetime(pd.Series(list(published), dtype=object), utc=True),
            "velocity_per_hour": pd.array(velocities, dtype="Float64"),
        }
    )


def of_week(found: pd.DataFrame) -> pd.DataFrame:
    return found[found["grain"] == "hour_of_week"].reset_index(drop=True)


def slots(*hours: tuple[int, int]) -> list[pd.Timestamp]:
    return [MONDAY + pd.Timedelta(hours=hour) for hour, count in hours for _ in range(count)]


GRAINS = {
    "hour_of_week": lambda h: h,
    "hour": lambda h: h % 24,
    "weekday": lambda h: h // 24,
}


@pytest.mark.parametrize("grain", PUBLISHING_GRAINS)
def test_publishing_times_are_a_pooled_analysis_of_logarithms(grain: str) -> None:
    random = np.random.default_rng(5)
    hours = random.integers(0, 168, 400)
    speeds = np.exp(random.normal(8, 1.5, 400)) + 1
    published = [MONDAY + pd.Timedelta(hours=int(h)) for h in hours]
    found = publishing_times(released(speeds, published))
    found = found[found["grain"] == grain].reset_index(drop=True)
    log = pd.Series(np.log(speeds))
    groups = log.groupby(GRAINS[grain](hours))
    index = np.exp(groups.mean() - log.mean())
    assert found["index"].tolist() == pytest.approx(index.tolist(), rel=1e-9)
    assert found["slot"].tolist() == index.index.tolist()
    inside = ((log - groups.transform("mean")) ** 2).sum() / (400 - len(index))
    n = groups.size()
    reach = 1.959963984540054 * np.sqrt(inside * (1 / n - 1 / 400))
    enough = (n >= 5).to_numpy()
    expected = (index * np.exp(-reach))[enough]
    assert found["index_low"][enough].tolist() == pytest.approx(expected.tolist(), rel=1e-9)
    assert found["index_low"][~enough].isna().all()


def test_a_slot_says_its_day_and_its_hour() -> None:
    found = publishing_times(released([1.0], [MONDAY + pd.Timedelta(hours=50)]))
    said = found.set_index("grain")[["slot", "dow", "hour"]].astype(object)
    assert said.loc["hour_of_week"].tolist() == [50, 2, 2]
    assert said.loc["hour", ["slot", "hour"]].tolist() == [2, 2]
    assert said.loc["weekday", ["slot", "dow"]].tolist() == [2, 2]
    assert pd.isna(said.loc["hour", "dow"])
    assert pd.isna(said.loc["weekday", "hour"])


def test_a_lucky_hour_of_few_videos_is_not_the_best() -> None:
    published = slots((1, 10), (2, 10), (3, 1))
    speeds = [100.0 + i for i in range(10)] + [10.0 + i / 10 for i in range(10)] + [1e6]
    found = of_week(publishing_times(released(speeds, published))).set_index("hour")
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
        found = of_week(publishing_times(released(speeds, published)))
        distinct += bool(found["is_distinct"].any())
    assert distinct <= 6  # 5 % are expected


def test_hours_are_those_of_the_audience_with_daylight_saving() -> None:
    rows = released([5.0, 5.0], ["2026-01-05T02:00Z", "2026-07-06T02:00Z"])
    found = of_week(publishing_times(rows, timezones={"gta": "America/New_York"}))
    assert found[["dow", "hour"]].to_numpy().tolist() == [[6, 21], [6, 22]]
    assert set(found["timezone"]) == {"America/New_York"}
    with pytest.raises(InvalidInputError, match="no time zone"):
        publishing_times(rows, timezones={"gta": "Mars/X"})


@given(st.randoms(), st.lists(st.integers(0, 167), min_size=2, max_size=40))
def test_at_most_one_best_and_one_worst_whatever_the_order(random, hours: list[int]) -> None:
    rows = released(
        [float(1 + h % 7 * 100) for h in hours], [MONDAY + pd.Timedelta(hours=h) for h in hours]
    )
    params = PublishingParams(min_sample=1)
    found = publishing_times(rows, params=params)
    assert found.groupby("grain")[["is_best", "is_worst"]].sum().max(axis=None) <= 1
    assert not (found["is_best"] & found["is_worst"]).any()
    assert (found["index_low"].dropna() <= found["index"][found["index_low"].notna()]).all()
    order = list(range(len(hours)))
    random.shuffle(order)
    again = publishing_times(rows.iloc[order], params=params)
    exact = ["grain", "slot", "sample_count"]
    pd.testing.assert_frame_equal(again[exact], found[exact], check_exact=True)
    pd.testing.assert_frame_equal(again, found)


def test_a_row_without_a_time_or_a_velocity_does_not_count() -> None:
    found = publishing_times(released([1.0, None, 3.0], [MONDAY, MONDAY, None]))
    assert found["sample_count"].tolist() == [1, 1, 1]


def test_nothing_in_gives_nothing_out_in_the_right_shape() -> None:
    for found in (
        publishing_times(pd.DataFrame()),
        publishing_times(released([None], [MONDAY])),
        publishing_times(released([1.0], [MONDAY])),
    ):
        assert {c: str(t) for c, t in found.dtypes.items()} == dict(PUBLISHING_TIMES_SCHEMA)


def test_bad_input_is_refused_with_its_reason() -> None:
    with pytest.raises(InvalidInputError, match="velocity_per_hour"):
        publishing_times(released([-1.0], [MONDAY]))
    naive = released([1.0], [MONDAY])
    naive["released_at"] = naive["released_at"].dt.tz_localize(None)
    with pytest.raises(InvalidInputError, match="time zone"):
        publishing_times(naive)
    with pytest.raises(InvalidInputError, match="min_sample"):
        PublishingParams(min_sample=0)


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=12),
    st.lists(st.integers(0, 30), min_size=1, max_size=8, unique=True),
    st.integers(1, 12),
)
def test_a_row_counts_in_its_own_window_and_for_the_span_after_it(
    own: list[int], asked: list[int], span: int
) -> None:
    four = pd.Timedelta(hours=4)
    rows = pd.DataFrame({"window_start": [MONDAY + n * four for n in own], "video_id": own})
    ends = pd.DatetimeIndex([MONDAY + (n + 1) * four for n in asked])
    found = trailing(rows, as_of=ends, span=span * four)
    said = sorted(
        (int((w - MONDAY) / four), v)
        for w, v in zip(found["window_start"], found["video_id"], strict=True)
    )
    assert said == sorted((w, n) for w in asked for n in own if 0 <= w - n < span)


def test_a_video_stands_once_by_its_first_row_and_announced_ones_are_left_out() -> None:
    rows = pd.DataFrame(
        {
            "window_start": [WINDOW + pd.Timedelta(hours=h) for h in (4, 0, 0, 0, 0)],
            "category": ["gta", "gta", "gta", "gta", "music"],
            "video_id": ["a", "a", "b", "c", "a"],
            "release_kind": pd.array(
                ["instant", "instant", "announced", None, "instant"], dtype="str"
            ),
            "velocity_per_hour": [9.0, 8.0, 7.0, 6.0, 5.0],
        }
    )
    found = early_releases(rows)
    assert found[["category", "video_id", "velocity_per_hour"]].to_numpy().tolist() == [
        ["gta", "a", 8.0],
        ["music", "a", 5.0],
    ]
    assert early_releases(rows.iloc[::-1]).equals(found)
    assert early_releases(pd.DataFrame()).empty


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.sampled_from(["gta", "music"]),
            st.sampled_from("abc"),
            st.sampled_from(["instant", "announced", None]),
            st.none() | st.integers(0, 9),
        ),
        max_size=15,
        unique_by=lambda row: row[:3],
    )
)
def test_the_first_usable_row_of_a_video_is_the_one_that_a_walk_through_time_meets(
    rows: list[tuple[int, str, str, str | None, int | None]],
) -> None:
    met: dict[tuple[str, str], tuple[int, int]] = {}
    for hour, category, video, kind, speed in sorted(rows, key=lambda row: row[0]):
        if kind == "instant" and speed is not None:
            met.setdefault((category, video), (hour, speed))
    frame = pd.DataFrame(
        {
            "window_start": pd.DatetimeIndex(
                [WINDOW + pd.Timedelta(hours=r[0]) for r in rows], dtype="datetime64[us, UTC]"
            ),
            "category": [row[1] for row in rows],
            "video_id": [row[2] for row in rows],
            "release_kind": pd.array([row[3] for row in rows], dtype="str"),
            "velocity_per_hour": pd.array([row[4] for row in rows], dtype="Float64"),
        }
    )

    found = early_releases(frame)

    shown = {
        (row.category, row.video_id): (
            (row.window_start - WINDOW) / pd.Timedelta("1h"),
            row.velocity_per_hour,
        )
        for row in found.itertuples()
    }
    assert shown == met
    assert len(found) == len(met)


def test_what_was_counted_otherwise_does_not_count_in_windows_that_begin_after() -> None:
    ends = pd.date_range("2026-01-01T04:00Z", periods=6, freq="4h")
    rows = pd.DataFrame({"window_start": ends - pd.Timedelta("4h"), "video_id": list("abcdef")})
    change = RegimeBreak(
        at=datetime(2026, 1, 1, 10, tzinfo=UTC),
        name="x",
        affects="views",
        is_confirmed=True,
        note="",
    )

    def told(*breaks: RegimeBreak) -> list[str]:
        found = trailing(rows, as_of=ends, breaks=breaks)
        return (
            found.groupby("window_start")["video_id"].agg(lambda ids: "".join(sorted(ids))).tolist()
        )

    assert told() == told(replace(change, affects="format"))
    assert told() == ["a", "ab", "abc", "abcd", "abcde", "abcdef"]
    assert told(change) == ["a", "ab", "abc", "d", "de", "def"]


@pytest.mark.skipif(not CHARTS.is_file(), reason=f"no archive at {CHARTS}")
def test_golden_hours_of_real_charts() -> None:
    rows = pd.read_parquet(CHARTS)
    rows = rows[rows["category_name"].isin(["Music", "Gaming"]) & (rows["views"] > 0)]
    age = (rows["fetched_at"] - rows["published_at"]) / pd.Timedelta(hours=1)
    rows = rows.assign(age_h=age)[(age >= 24) & (age < 36)]
    rows = rows.sort_values(["fetched_at", "country"], ignore_index=True)
    frame = pd.DataFrame(
        {
            "window_start": rows["fetched_at"],
            "category": rows["category_name"],
            "video_id": rows["video_id"],
            "release_kind": "instant",
            "released_at": rows["published_at"],
            "velocity_per_hour": rows["views"] / rows["age_h"],
        }
    )
    early = early_releases(frame)
    assert len(early) == len(frame.drop_duplicates(["category", "video_id"]))
    found = publishing_times(early.assign(window_start=WINDOW))
    assert found.groupby("grain")["sample_count"].sum().tolist() == [len(early)] * 3
    named = found[found["is_best"] | found["is_worst"]]
    assert [
        [r.category, r.grain, int(r.slot), int(r.sample_count), round(r.value, 4), r.is_best]
        for r in named.rename(columns={"index": "value"}).itertuples()
    ] == GOLDEN


GOLDEN = [
    ["Gaming", "hour", 16, 142, 0.6617, False],
    ["Gaming", "hour", 19, 99, 1.3106, True],
    ["Gaming", "hour_of_week", 22, 14, 2.1689, True],
    ["Gaming", "hour_of_week", 64, 21, 0.3518, False],
    ["Gaming", "weekday", 4, 189, 0.8412, False],
    ["Gaming", "weekday", 5, 217, 1.3053, True],
    ["Music", "hour", 1, 210, 2.2584, True],
    ["Music", "hour", 19, 208, 0.5987, False],
    ["Music", "hour_of_week", 95, 149, 0.5478, False],
    ["Music", "hour_of_week", 98, 18, 3.6645, True],
    ["Music", "weekday", 1, 336, 0.8356, False],
    ["Music", "weekday", 4, 630, 1.2498, True],
]
