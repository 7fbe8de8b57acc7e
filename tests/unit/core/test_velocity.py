from collections.abc import Callable
from datetime import datetime
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurastream.core.crawls import carry_forward, latest_crawls
from aurastream.core.errors import InvalidInputError
from aurastream.core.formats import REGIME_BREAKS, RegimeBreak
from aurastream.core.velocity import (
    VELOCITY_SCHEMA,
    counted_since,
    lifetime_velocity,
    video_velocity,
)
from tests.unit.core.families import DAILY, FAMILIES, frames

Build = Callable[..., pd.DataFrame]
NOTHING = pd.DataFrame()
AS_OF = pd.DatetimeIndex(["2026-01-10T10:30Z"])


def one(frame: pd.DataFrame) -> Any:
    assert len(frame) == 1
    return frame.iloc[0]


@given(st.floats(0, 1e12), st.floats(0, 1e5), st.floats(0, 1e5))
def test_lifetime_velocity_falls_with_age_and_is_never_negative(
    views: float, age: float, other: float
) -> None:
    young, old = lifetime_velocity(views, sorted((age, other)))
    assert 0 <= old <= young <= views / 0.5


@given(st.floats(0, 1e12), st.floats(0, 1e12), st.floats(0, 1e5))
def test_lifetime_velocity_grows_with_views(views: float, other: float, age: float) -> None:
    less, more = lifetime_velocity(sorted((views, other)), age)
    assert less <= more


@given(
    st.lists(st.tuples(st.none() | st.integers(0, 10**12), st.none() | st.floats(-9, 1e5))),
    st.floats(0.01, 9),
)
def test_lifetime_velocity_is_the_exact_quotient_from_the_smallest_age_on(
    rows: list[tuple[int | None, float | None]], least: float
) -> None:
    expected = [
        np.nan
        if views is None or age is None or age < 0
        else float(views / Fraction(max(age, least)))
        for views, age in rows
    ]
    views, ages = ([row[at] for row in rows] for at in (0, 1))
    found = lifetime_velocity(views, ages, min_age_h=least)
    assert found.tolist() == pytest.approx(expected, rel=1e-12, nan_ok=True)


@given(
    st.lists(
        st.tuples(
            st.integers(-2, 8),  # hours after a break
            st.sampled_from(REGIME_BREAKS),
            st.sampled_from([None, 30, 61, 180, 181]),
            st.sampled_from([None, *(found.at for found in REGIME_BREAKS)]),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_views_count_anew_for_six_hours_after_a_break_that_concerns_the_video(
    rows: list[tuple[int, RegimeBreak, int | None, datetime | None]],
) -> None:
    expected: list[datetime | None] = []
    for hours, found, length, published in rows:
        ruled = published is None or published >= REGIME_BREAKS[0].at
        is_short = length is None or length <= 60 or (length <= 180 and ruled)
        concerns = found.affects == "views" and (found.concerns == "all" or is_short)
        expected.append(found.at if concerns and 0 <= hours <= 6 else None)
    frame = pd.DataFrame(
        {
            "observed_at": [pd.Timestamp(b.at) + pd.Timedelta(hours=h) for h, b, *_ in rows],
            "published_at": pd.DatetimeIndex([row[3] for row in rows], tz="UTC"),
            "duration_s": pd.array([row[2] for row in rows], dtype="Int32"),
        }
    )

    found_at = counted_since(frame)

    assert [None if pd.isna(at) else at.to_pydatetime() for at in found_at] == expected


def test_a_row_says_what_was_known_at_the_end_of_the_window(trending: Build, videos: Build) -> None:
    found = one(
        video_velocity(
            trending({"at": "2026-01-10T10:25", "views": 34_500, "likes": 2000, "comments": 70}),
            NOTHING,
            videos({"published": "2026-01-09T00:00", "audio": "de", "duration": 90}),
            as_of=AS_OF,
        )
    )
    assert found["window_start"] == pd.Timestamp("2026-01-10T10:00Z")
    assert found["observed_at"] == pd.Timestamp("2026-01-10T10:25Z")
    assert found["age_h"] == pytest.approx(34 + 25 / 60)
    assert found["lifetime_velocity_per_hour"] == pytest.approx(34_500 / (34 + 25 / 60))
    assert found["engagement_rate"] == pytest.approx(0.06)
    assert (found["audio_language"], found["duration_s"], found["channel_id"]) == ("de", 90, "c1")
    assert (found["freshness"], found["confidence_pct"]) == ("FRESH", 100.0)
    assert np.isnan(found["velocity_now_per_hour"])
    assert found["velocity_now_n"] == 1


@given(answered_s=st.lists(st.floats(0, 59.999), min_size=12, max_size=12))
def test_equal_counters_of_one_crawl_are_equal_velocities_whichever_answer_came_first(
    trending: Build, videos: Build, answered_s: list[float]
) -> None:
    crawls = [
        ("2026-01-10T09:55", 1000, answered_s[:6]),
        ("2026-01-10T10:25", 5000, answered_s[6:]),
    ]
    rows = [
        {"video": f"v{i}", "at": at, "observed": f"{at}:{late:09.6f}", "views": views}
        for at, views, late_s in crawls
        for i, late in enumerate(late_s)
    ]
    described = videos(*({"video": f"v{i}"} for i in range(6)))
    found = video_velocity(trending(*rows), NOTHING, described, as_of=AS_OF)
    assert len(found) == 6
    assert len(found["lifetime_velocity_per_hour"].unique()) == 1
    assert found["velocity_now_per_hour"].unique().tolist() == [8000.0]


def test_minutes_that_a_slow_crawl_took_count(trending: Build, videos: Build) -> None:
    slow = trending({"at": "2026-01-10T10:05", "observed": "2026-01-10T10:12:30"})
    found = one(
        video_velocity(slow, NOTHING, videos({"published": "2026-01-10T08:12"}), as_of=AS_OF)
    )
    assert found["age_h"] == 2.0
    assert found["observed_at"] == pd.Timestamp("2026-01-10T10:12:30Z")


def test_a_video_published_during_its_crawl_is_new_and_not_from_the_future(
    trending: Build, videos: Build
) -> None:
    crawl = trending({"at": "2026-01-10T10:05", "observed": "2026-01-10T10:05:40", "views": 50})
    found = one(
        video_velocity(crawl, NOTHING, videos({"published": "2026-01-10T10:05:20"}), as_of=AS_OF)
    )
    assert (found["age_h"], found["lifetime_velocity_per_hour"]) == (0.0, 100.0)


def test_velocity_now_spans_the_trailing_three_hours(trending: Build, videos: Build) -> None:
    snapshots = trending(
        {"at": "2026-01-10T06:55", "views": 0},
        {"at": "2026-01-10T07:55", "views": 1000},
        {"at": "2026-01-10T09:25", "views": 1500},
        {"at": "2026-01-10T10:25", "views": 6000},
    )
    found = one(video_velocity(snapshots, NOTHING, videos({}), as_of=AS_OF))
    assert found["velocity_now_per_hour"] == pytest.approx(5000 / 2.5)
    assert found["velocity_now_span_h"] == pytest.approx(2.5)
    assert found["velocity_now_n"] == 3


def test_two_snapshots_of_one_moment_give_no_velocity_now(trending: Build, videos: Build) -> None:
    snapshots = trending(
        {"at": "2026-01-10T10:10", "views": 1000}, {"at": "2026-01-10T10:29", "views": 2000}
    )
    found = one(video_velocity(snapshots, NOTHING, videos({}), as_of=AS_OF))
    assert np.isnan(found["velocity_now_per_hour"])
    assert np.isnan(found["velocity_now_span_h"])
    assert found["velocity_now_n"] == 2


def test_a_game_polled_every_four_hours_is_compared_with_the_poll_before(
    games: Build, videos: Build
) -> None:
    snapshots = games(
        {"at": "2026-01-10T06:00", "views": 1000}, {"at": "2026-01-10T10:00", "views": 9000}
    )
    found = one(video_velocity(NOTHING, snapshots, videos({}), as_of=AS_OF))
    assert found["velocity_now_per_hour"] == pytest.approx(2000.0)
    assert (found["velocity_now_span_h"], found["velocity_now_n"]) == (4.0, 1)


def test_a_last_snapshot_outside_the_trailing_window_says_nothing_about_now(
    trending: Build, videos: Build
) -> None:
    snapshots = trending(
        {"at": "2026-01-10T05:25", "views": 1000}, {"at": "2026-01-10T06:25", "views": 9000}
    )
    found = one(video_velocity(snapshots, NOTHING, videos({}), as_of=AS_OF))
    assert np.isnan(found["velocity_now_per_hour"])
    assert found["velocity_now_n"] == 0
    assert found["freshness"] == "STALE"


@pytest.mark.parametrize("views", [[5000, 4000], [1000, 900, 5000]])
def test_a_counter_that_fell_gives_no_velocity_now(
    trending: Build, videos: Build, views: list[int]
) -> None:
    snapshots = trending(
        *({"at": f"2026-01-10T{8 + i:02d}:25", "views": v} for i, v in enumerate(views))
    )
    as_of = pd.DatetimeIndex([f"2026-01-10T{7 + len(views):02d}:30Z"])
    found = one(video_velocity(snapshots, NOTHING, videos({}), as_of=as_of))
    assert found["views_fell"]
    assert np.isnan(found["velocity_now_per_hour"])
    assert found["views"] == views[-1]


@pytest.mark.parametrize(
    ("views", "fell", "velocity"),
    [
        ([1000, None, 500, 1100], True, None),
        ([1000, None, None, 500], True, None),
        ([1000, None, 1000, 1300], False, 120.0),
        ([None, 1000, 500, 1100], True, None),
        ([None, 500, 1000, 1100], False, None),
        ([500, 1000, 1100, None], False, None),
        ([None, None, None, None], False, None),
    ],
)
def test_hidden_views_neither_hide_a_fall_nor_are_one(
    trending: Build,
    videos: Build,
    views: list[int | None],
    fell: bool,  # noqa: FBT001 # a case of the table
    velocity: float | None,
) -> None:
    minutes = (7 * 60 + 55, 8 * 60 + 25, 9 * 60 + 25, 10 * 60 + 25)
    snapshots = trending(
        # The video before it in the order of ids has more views; they are not its own.
        {"at": "2026-01-10T10:25", "video": "u", "hash": "u", "views": 9_000_000},
        *(
            {"at": f"2026-01-10T{at // 60:02d}:{at % 60:02d}", "views": v}
            for at, v in zip(minutes, views, strict=True)
        ),
    )
    found = video_velocity(snapshots, NOTHING, videos({}), as_of=AS_OF)
    mine = found[found["video_id"] == "v1"].iloc[0]
    assert mine["views_fell"] == fell
    if velocity is None:
        assert np.isnan(mine["velocity_now_per_hour"])
    else:
        assert mine["velocity_now_per_hour"] == pytest.approx(velocity)


def test_a_fall_before_the_reference_is_not_between_the_two_snapshots(
    trending: Build, videos: Build
) -> None:
    rows = trending(
        {"at": "2026-01-10T06:25", "views": 9000},
        {"at": "2026-01-10T07:55", "views": None},
        {"at": "2026-01-10T09:25", "views": 500},
        {"at": "2026-01-10T10:25", "views": 900},
    )
    found = one(video_velocity(rows, NOTHING, videos({}), as_of=AS_OF))
    assert not found["views_fell"]
    assert np.isnan(found["velocity_now_per_hour"])


def _at_the_break(trending: Build, videos: Build, views: list[int], **about: Any) -> Any:
    day = about.pop("day", "2025-03-31")
    midnight = pd.Timestamp(day)
    hours = np.arange(len(views)) - 0.5
    at = [(midnight + pd.Timedelta(hours=hour)).isoformat() for hour in hours]
    rows = trending(*({"at": moment, "views": v} for moment, v in zip(at, views, strict=True)))
    known = videos({"published": f"{midnight - pd.Timedelta('1D')}", "duration": 30, **about})
    end = pd.DatetimeIndex([pd.Timestamp(at[-1], tz="UTC") + pd.Timedelta("5min")])
    return one(video_velocity(rows, NOTHING, known, as_of=end))


@pytest.mark.parametrize(
    ("day", "about", "compares"),
    [
        ("2025-03-31", (30, "2025-03-30T00:00"), False),
        ("2025-03-31", (180, "2025-03-30T00:00"), False),
        ("2025-03-31", (180, "2024-10-14T00:00"), True),
        ("2025-03-31", (181, "2025-03-30T00:00"), True),
        ("2025-03-31", (None, "2025-03-30T00:00"), False),
        ("2025-04-01", (30, "2025-03-30T00:00"), True),
        ("2024-10-15", (30, "2024-10-14T00:00"), True),
        ("2026-08-24", (600, "2026-08-23T00:00"), False),
    ],
)
def test_views_do_not_compare_across_a_change_of_how_they_are_counted(
    trending: Build,
    videos: Build,
    day: str,
    about: tuple[int | None, str],
    compares: bool,  # noqa: FBT001 # a case of the table
) -> None:
    duration, published = about
    found = _at_the_break(
        trending, videos, [1000, 501_000], day=day, duration=duration, published=published
    )
    assert not found["views_fell"]
    assert counted_since(found.to_frame().T).notna().tolist() == [not compares]
    assert found["lifetime_velocity_per_hour"] == pytest.approx(501_000 / found["age_h"])
    if compares:
        assert found["velocity_now_per_hour"] == pytest.approx(500_000.0)
        assert found["velocity_now_n"] == 2
    else:
        assert np.isnan(found["velocity_now_per_hour"])
        assert np.isnan(found["velocity_now_span_h"])
        assert found["velocity_now_n"] == 1


def test_after_the_change_the_snapshots_since_then_are_compared(
    trending: Build, videos: Build
) -> None:
    found = _at_the_break(trending, videos, [900_000, 1000, 1600, 3000])
    assert found["velocity_now_per_hour"] == pytest.approx(1000.0)
    assert (found["velocity_now_span_h"], found["velocity_now_n"]) == (2.0, 3)
    # That the count of before was larger is no fall.
    assert not found["views_fell"]


def test_a_poll_before_the_change_is_no_reference_for_a_game(games: Build, videos: Build) -> None:
    rows = games(
        {"at": "2025-03-30T22:00", "views": 1000}, {"at": "2025-03-31T02:00", "views": 9000}
    )
    as_of = pd.DatetimeIndex(["2025-03-31T02:30Z"])
    for duration, expected in ((30, None), (600, 2000.0)):
        known = videos({"published": "2025-03-30T00:00", "duration": duration})
        now = one(video_velocity(NOTHING, rows, known, as_of=as_of))["velocity_now_per_hour"]
        assert np.isnan(now) if expected is None else now == expected


def test_a_publication_in_the_future_has_no_age_and_no_lifetime_velocity(
    trending: Build, videos: Build
) -> None:
    found = one(
        video_velocity(
            trending({"at": "2026-01-10T10:25"}),
            NOTHING,
            videos({"published": "2026-01-10T12:00"}),
            as_of=AS_OF,
        )
    )
    assert np.isnan(found["age_h"])
    assert np.isnan(found["lifetime_velocity_per_hour"])
    assert found["published_at"] == pd.Timestamp("2026-01-10T12:00Z")


@pytest.mark.parametrize(
    "row",
    [
        {"likes": None},
        {"comments": None},
        {"views": None},
        {"views": 0, "likes": 0, "comments": 0},
        {"views": 10, "likes": 9, "comments": 2},
    ],
)
def test_an_engagement_rate_that_cannot_be_known_is_null(
    trending: Build, videos: Build, row: dict[str, Any]
) -> None:
    rows = trending({"at": "2026-01-10T10:25", **row})
    found = one(video_velocity(rows, NOTHING, videos({}), as_of=AS_OF))
    assert np.isnan(found["engagement_rate"])
    for column in ("likes", "comments", "views"):
        assert pd.isna(found[column]) == (row.get(column, 1) is None)


def test_a_video_counts_once_per_chart_and_once_per_game(
    trending: Build, games: Build, videos: Build
) -> None:
    found = video_velocity(
        trending(
            {"at": "2026-01-10T10:25", "chart": "gaming", "region": "US", "rank": 7},
            {"at": "2026-01-10T10:25", "chart": "gaming", "region": "DE", "rank": 3},
            {"at": "2026-01-10T10:25", "chart": "trending", "region": "DE", "rank": 1},
            {"at": "2026-01-10T10:25", "chart": "trending", "region": "JP", "rank": 9},
        ),
        games(
            {"at": "2026-01-10T09:00", "game": "minecraft"},
            {"at": "2026-01-10T09:00", "game": "roblox", "video": "v2", "hash": "h2"},
        ),
        videos({}, {"video": "v2", "hash": "h2"}),
        as_of=AS_OF,
    )
    assert found["category"].tolist() == ["gaming", "minecraft", "roblox", "trending"]
    assert found["region_count"].tolist() == [2, 3, 0, 2]
    assert found["best_rank"].tolist()[:2] + found["best_rank"].tolist()[3:] == [3, 1, 1]
    assert pd.isna(found["best_rank"].iloc[2])


def test_regions_beyond_one_machine_word_are_counted(trending: Build, videos: Build) -> None:
    rows = trending(*({"at": "2026-01-10T10:25", "region": f"R{i:03d}"} for i in range(110)))
    found = one(video_velocity(rows, NOTHING, videos({}), as_of=AS_OF))
    assert found["region_count"] == 110


def test_a_chart_row_takes_the_newer_counters_of_a_game_crawl(
    trending: Build, games: Build, videos: Build
) -> None:
    found = video_velocity(
        trending({"at": "2026-01-10T09:25", "views": 1000}),
        games({"at": "2026-01-10T10:20", "views": 5000}),
        videos({}),
        as_of=AS_OF,
    )
    assert found["views"].tolist() == [5000, 5000]
    assert found["velocity_now_n"].tolist() == [2, 2]


def test_a_missed_poll_carries_the_last_crawl_forward_for_a_day(
    trending: Build, videos: Build
) -> None:
    rows = trending({"at": "2026-01-10T10:25"})
    as_of = pd.DatetimeIndex(
        ["2026-01-10T10:00Z", "2026-01-10T10:30Z", "2026-01-11T10:00Z", "2026-01-11T10:30Z"]
    )
    found = video_velocity(rows, NOTHING, videos({}), as_of=as_of)
    assert (found["window_start"] + pd.Timedelta("30min")).tolist() == as_of[1:3].tolist()
    assert found["freshness"].tolist() == ["FRESH", "OLD"]


def test_each_chart_and_region_carries_its_own_latest_crawl(trending: Build, videos: Build) -> None:
    rows = trending(
        {"at": "2026-01-10T09:55", "region": "US", "video": "v1"},
        {"at": "2026-01-10T09:55", "region": "DE", "video": "v2"},
        {"at": "2026-01-10T10:25", "region": "US", "video": "v3"},
    )
    found = video_velocity(rows, NOTHING, videos({}), as_of=AS_OF)
    assert found["video_id"].tolist() == ["v2", "v3"]


def _partial(*crawls: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "category": [category for category, _, _ in crawls],
            "region": [region for _, region, _ in crawls],
            "crawl_at": pd.DatetimeIndex(
                [pd.Timestamp(at, tz="UTC") for _, _, at in crawls], dtype="datetime64[us, UTC]"
            ),
        }
    )


def test_what_a_partial_crawl_was_not_answered_about_is_carried_forward(
    games: Build, videos: Build
) -> None:
    rows = games(
        {"at": "2026-01-10T05:00", "video": "gone"},
        {"at": "2026-01-10T06:00", "video": "v1", "views": 100},
        {"at": "2026-01-10T06:00", "video": "v2", "views": 200},
        {"at": "2026-01-10T06:00", "video": "v3", "views": 300},
        {"at": "2026-01-10T08:00", "video": "v2", "views": 250},
        {"at": "2026-01-10T10:00", "video": "v1", "views": 500},
        {"at": "2026-01-10T10:00", "video": "v4", "views": 400},
        {"at": "2026-01-10T10:00", "video": "w1", "game": "apex"},
    )
    partial = _partial(("minecraft", "", "2026-01-10T08:00"), ("minecraft", "", "2026-01-10T10:00"))
    found = video_velocity(NOTHING, rows, videos({}), as_of=AS_OF, partial_crawls=partial)
    found = found[found["category"] == "minecraft"]
    assert dict(zip(found["video_id"], found["views"], strict=True)) == {
        "v1": 500,
        "v2": 250,
        "v3": 300,
        "v4": 400,
    }
    assert found["observed_at"].dt.hour.tolist() == [10, 8, 6, 10]
    assert found["confidence_pct"].iloc[2] < found["confidence_pct"].iloc[0]


def test_a_complete_crawl_ends_what_is_carried_forward_and_so_does_a_day(
    games: Build, videos: Build
) -> None:
    rows = games(
        {"at": "2026-01-09T10:15", "video": "old"},
        {"at": "2026-01-09T11:00", "video": "v1"},
        {"at": "2026-01-10T10:00", "video": "v2"},
        {"at": "2026-01-10T10:40", "video": "v3"},
    )
    partial = _partial(
        ("minecraft", "", "2026-01-09T11:00"),
        ("minecraft", "", "2026-01-10T10:00"),
        ("apex", "", "2026-01-10T10:40"),
    )
    as_of = pd.DatetimeIndex(["2026-01-10T10:30Z", "2026-01-10T11:00Z"])
    found = video_velocity(NOTHING, rows, videos({}), as_of=as_of, partial_crawls=partial)
    by_window = found.groupby("window_start")["video_id"].agg(list).tolist()
    assert by_window == [["v1", "v2"], ["v3"]]


def test_a_partial_chart_is_filled_up_for_its_region_alone(trending: Build, videos: Build) -> None:
    rows = trending(
        {"at": "2026-01-10T09:55", "region": "US", "video": "v1", "rank": 3},
        {"at": "2026-01-10T09:55", "region": "DE", "video": "v2"},
        {"at": "2026-01-10T10:25", "region": "US", "video": "v3", "rank": 1},
        {"at": "2026-01-10T10:25", "region": "DE", "video": "v4"},
    )
    partial = _partial(("gaming", "US", "2026-01-10T10:25"))
    found = video_velocity(rows, NOTHING, videos({}), as_of=AS_OF, partial_crawls=partial)
    assert found["video_id"].tolist() == ["v1", "v3", "v4"]


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2)), min_size=1),
    st.sets(st.tuples(st.integers(0, 9), st.integers(0, 2))),
    st.randoms(use_true_random=False),
)
def test_a_whole_crawl_is_chosen_while_it_is_young_and_then_the_last_one(
    seen: list[tuple[int, int]], partial: set[tuple[int, int]], random: Any
) -> None:
    random.shuffle(seen)
    ends = [25, 60, 85, 200]

    states = latest_crawls(
        np.array([game for _, game in seen]),
        np.array([10 * at for at, _ in seen]),
        3,
        np.array(ends),
        50,
        is_partial=np.array([each in partial for each in seen]),
        whole_for=30,
    )

    for game in range(3):
        for window, end in enumerate(ends):
            known = {10 * at for at, g in seen if g == game and end - 50 <= 10 * at < end}
            whole = {at for at in known if at >= end - 30 and (at // 10, game) not in partial}
            chosen = states.chosen[game, window]
            found = states.crawl_times[chosen] if chosen >= 0 else None
            assert found == max(whole or known, default=None)


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(0, 3)), min_size=1, unique=True
    ),
    st.sets(st.tuples(st.integers(0, 5), st.integers(0, 2))),
    st.randoms(use_true_random=False),
)
def test_the_state_of_partial_crawls_is_what_a_walk_through_time_finds(
    seen: list[tuple[int, int, int]], partial: set[tuple[int, int]], random: Any
) -> None:
    slot = np.array([game for _, game, _ in seen])
    crawl_at = np.array([10 * at for at, _, _ in seen])
    item = np.array([video for _, _, video in seen])
    flags = np.array([(at, game) in partial for at, game, _ in seen])
    order = list(range(len(seen)))
    random.shuffle(order)
    states = latest_crawls(slot[order], crawl_at[order], 3, np.array([35, 100]), 1_000)
    expanded = carry_forward(states, item[order], flags[order]).expand()

    expected = set()
    for window, end in enumerate((35, 100)):
        for game in range(3):
            state: dict[int, int] = {}
            for at in sorted({a for a, g, _ in seen if g == game and 10 * a < end}):
                if (at, game) not in partial:
                    state = {}
                state |= {v: at for a, g, v in seen if (a, g) == (at, game)}
            expected |= {(window, game, video, at) for video, at in state.items()}
    found = [
        (int(window), *(seen[order[row]][i] for i in (1, 2, 0)))
        for row, window in zip(expanded.row, expanded.window, strict=True)
    ]
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_a_crawl_that_starts_at_the_windows_end_belongs_to_the_next_window(
    trending: Build, videos: Build
) -> None:
    rows = trending({"at": "2026-01-10T10:30"})
    assert video_velocity(rows, NOTHING, videos({}), as_of=AS_OF).empty


def test_metadata_is_the_version_of_the_snapshot_else_the_last_known_else_nothing(
    trending: Build, videos: Build
) -> None:
    rows = trending(
        {"at": "2026-01-10T10:25", "video": "v1", "hash": "old"},
        {"at": "2026-01-10T10:25", "video": "v2", "hash": "lost"},
        {"at": "2026-01-10T10:25", "video": "v3", "hash": "h3"},
    )
    known = videos(
        {"video": "v1", "hash": "old", "channel": "then", "title_language": "fr"},
        {"video": "v1", "hash": "new", "channel": "now", "first": "2026-01-05T00:00"},
        {"video": "v2", "hash": "a", "channel": "first", "first": "2026-01-02T00:00"},
        {"video": "v2", "hash": "b", "channel": "last", "first": "2026-01-03T00:00", "audio": ""},
        {"video": "v2", "hash": "c", "channel": "later", "first": "2026-01-20T00:00"},
    )
    found = video_velocity(rows, NOTHING, known, as_of=AS_OF)
    assert found["channel_id"].tolist() == ["then", "last", ""]
    assert found["audio_language"].tolist() == ["fr", "und", "und"]
    assert found["lifetime_velocity_per_hour"].isna().tolist() == [False, False, True]
    nothing_known = video_velocity(rows, NOTHING, NOTHING, as_of=AS_OF)
    assert nothing_known["channel_id"].tolist() == ["", "", ""]
    assert nothing_known["published_at"].isna().all()


def test_many_windows_at_once_give_what_each_gives_alone(
    trending: Build, games: Build, videos: Build
) -> None:
    rng = np.random.default_rng(5)
    rows, played, known = scene(rng, trending, games, videos)
    as_of = pd.date_range("2026-01-10T00:00Z", periods=40, freq="30min")
    together = video_velocity(rows, played, known, as_of=as_of)
    alone = pd.concat(
        [video_velocity(rows, played, known, as_of=as_of[[i]]) for i in range(40)],
        ignore_index=True,
    )
    pd.testing.assert_frame_equal(together, alone, check_exact=True)
    assert together["velocity_now_per_hour"].notna().any()


def test_the_order_of_the_rows_does_not_matter(
    trending: Build, games: Build, videos: Build
) -> None:
    rng = np.random.default_rng(6)
    rows, played, known = scene(rng, trending, games, videos)
    as_of = pd.date_range("2026-01-10T00:00Z", periods=20, freq="30min")
    expected = video_velocity(rows, played, known, as_of=as_of)
    shuffled = (frame.sample(frac=1, random_state=1) for frame in (rows, played, known))
    pd.testing.assert_frame_equal(
        video_velocity(*shuffled, as_of=as_of[::-1]), expected, check_exact=True
    )
    twice = pd.concat([rows, rows.iloc[::3]], ignore_index=True)
    pd.testing.assert_frame_equal(
        video_velocity(twice, played, known, as_of=as_of), expected, check_exact=True
    )


def scene(
    rng: np.random.Generator, trending: Build, games: Build, videos: Build
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Twenty hours of two charts in three regions and one game; several answers tie in time."""
    ids = [f"v{i}" for i in range(30)]
    versions = [{"video": v, "hash": f"{v}-{k}"} for v in ids for k in range(2)]
    times = pd.date_range("2026-01-10T00:25", periods=20, freq="60min")

    def row(at: pd.Timestamp, **more: Any) -> dict[str, Any]:
        video = str(rng.choice(ids))
        return {
            "at": str(at),
            "observed": str(at + pd.Timedelta(seconds=int(rng.integers(0, 3)))),
            "video": video,
            "hash": f"{video}-{int(rng.integers(0, 2))}",
            "views": int(rng.integers(0, 10**6)),
            "rank": int(rng.integers(1, 51)),
            **more,
        }

    charting = [
        row(at, chart=chart, region=region)
        for at in times
        for chart in ("gaming", "music")
        for region in ("US", "DE", "JP")
        for _ in range(8)
    ]
    playing = [row(at + pd.Timedelta("7min"), game="minecraft") for at in times for _ in range(10)]
    return trending(*charting), games(*playing), videos(*versions)


def test_text_columns_of_any_kind_and_unused_columns_are_accepted(
    trending: Build, videos: Build
) -> None:
    rows = trending({"at": "2026-01-10T10:25"}).astype({"video_id": object, "chart": "category"})
    known = videos({}).astype({"video_id": object}).assign(title="\U0001f680 non-BMP")
    assert len(video_velocity(rows, NOTHING, known, as_of=AS_OF)) == 1


@pytest.mark.parametrize("column", ["views", "likes", "comments", "rank"])
def test_a_negative_counter_is_refused(trending: Build, videos: Build, column: str) -> None:
    rows = trending({"at": "2026-01-10T10:25", column: -1})
    with pytest.raises(
        InvalidInputError, match=f"'{column}' of the youtube_trending frame holds -1"
    ):
        video_velocity(rows, NOTHING, videos({}), as_of=AS_OF)


def test_negative_views_alone_are_refused_too() -> None:
    with pytest.raises(InvalidInputError, match="negative"):
        lifetime_velocity([-1.0], [1.0])


@pytest.mark.parametrize("column", ["views", "crawl_at", "chart"])
def test_a_missing_column_is_named_with_its_mend(
    trending: Build, videos: Build, column: str
) -> None:
    rows = trending({"at": "2026-01-10T10:25"}).drop(columns=column)
    with pytest.raises(InvalidInputError, match=rf"no column '{column}'.*Pass it with '{column}'"):
        video_velocity(rows, NOTHING, videos({}), as_of=AS_OF)


def test_a_time_without_a_zone_or_a_null_key_is_refused(trending: Build, videos: Build) -> None:
    rows = trending({"at": "2026-01-10T10:25"})
    naive = rows.assign(observed_at=rows["observed_at"].dt.tz_localize(None))
    with pytest.raises(InvalidInputError, match=r"'observed_at'.*no time zone"):
        video_velocity(naive, NOTHING, videos({}), as_of=AS_OF)
    with pytest.raises(InvalidInputError, match="as_of has no time zone"):
        video_velocity(rows, NOTHING, videos({}), as_of=AS_OF.tz_localize(None))
    with pytest.raises(InvalidInputError, match="as_of has a missing value"):
        video_velocity(rows, NOTHING, videos({}), as_of=AS_OF.append(pd.DatetimeIndex([pd.NaT])))
    with pytest.raises(InvalidInputError, match=r"'observed_at'.*missing values"):
        video_velocity(
            rows.assign(observed_at=pd.Series([pd.NaT], dtype="datetime64[us, UTC]")),
            NOTHING,
            videos({}),
            as_of=AS_OF,
        )
    with pytest.raises(InvalidInputError, match=r"'video_id'.*has missing values"):
        video_velocity(rows.assign(video_id=None), NOTHING, videos({}), as_of=AS_OF)


def test_no_window_gives_no_rows(trending: Build, videos: Build) -> None:
    found = video_velocity(
        trending({"at": "2026-01-10T10:25"}), NOTHING, videos({}), as_of=AS_OF[:0]
    )
    assert found.empty
    assert list(found.columns) == list(VELOCITY_SCHEMA)


counts = st.none() | st.integers(0, 8) | st.integers(0, 2_000)


@given(counts, counts, counts)
def test_an_engagement_rate_is_null_or_the_share_of_views_that_reacted(
    trending: Build, videos: Build, views: int | None, likes: int | None, comments: int | None
) -> None:
    def rate(likes: int | None) -> float:
        row = {"at": "2026-01-10T10:25", "views": views, "likes": likes, "comments": comments}
        found = one(video_velocity(trending(row), NOTHING, videos({}), as_of=AS_OF))
        return float(found["engagement_rate"])

    found = rate(likes)
    is_known = not (likes is None or comments is None)
    if not views or not is_known or likes + comments > views:
        assert np.isnan(found)
        return
    assert found == (likes + comments) / views
    assert 0 <= found <= 1
    if likes:
        assert rate(likes - 1) < found


def test_engagement_of_real_videos_is_what_pandas_divides() -> None:
    found = FAMILIES["video_velocity"](frames())
    views = found["views"].astype("float64")
    reactions = (found["likes"] + found["comments"]).astype("Float64").to_numpy("float64", np.nan)
    expected = (reactions / views).where((views > 0) & (reactions <= views))
    assert found["engagement_rate"].notna().sum() > 1000
    np.testing.assert_array_equal(found["engagement_rate"], expected)


def test_velocity_now_of_real_videos_is_that_of_a_video_by_video_reckoning() -> None:
    f = frames()
    hour = pd.Timedelta(hours=1)
    seen = pd.concat([f["trending"], f["games"]]).drop_duplicates(["video_id", "crawl_at"])
    minutes = (seen["observed_at"] - seen["crawl_at"]) // pd.Timedelta(minutes=1)
    seen = seen.assign(moment=seen["crawl_at"] + pd.to_timedelta(minutes, unit="min"))
    seen = seen.sort_values("crawl_at")
    shots = {
        video: list(zip(rows["crawl_at"], rows["moment"], rows["views"], strict=True))
        for video, rows in seen.groupby("video_id")
    }
    found = FAMILIES["velocity_now"](f)
    for row in found.itertuples():
        end = row.window_start + DAILY.window
        known = [shot for shot in shots[row.video_id] if shot[0] < end]
        recent = [shot for shot in known if shot[1] >= end - DAILY.trailing]
        (_, last, views), (_, first, before) = known[-1], recent[0]
        if last - first < DAILY.min_span and len(known) > len(recent):
            reach = known[-len(recent) - 1]
            if last - reach[1] <= DAILY.max_span:
                (_, first, before) = reach
        assert row.velocity_now_n == len(recent)
        if last - first < DAILY.min_span:
            assert np.isnan(row.velocity_now_per_hour)
            continue
        assert row.velocity_now_span_h == pytest.approx((last - first) / hour, rel=1e-12)
        if views < before:
            assert row.views_fell
            assert np.isnan(row.velocity_now_per_hour)
        else:
            gained = (views - before) / ((last - first) / hour)
            assert row.velocity_now_per_hour == pytest.approx(gained, rel=1e-12)
    assert found["velocity_now_per_hour"].notna().sum() > 400


def test_a_game_s_video_is_described_by_the_version_that_its_own_snapshot_showed() -> None:
    at = pd.Timestamp("2026-01-10T10:00Z")
    games = pd.DataFrame(
        {
            "game": "gta", "video_id": ["v", "w"], "metadata_hash": ["older", "own"],
            "observed_at": at, "crawl_at": at, "views": [700, 10], "likes": 1, "comments": 1,
        }
    )  # fmt: skip
    videos = pd.DataFrame(
        {
            "video_id": ["v", "v", "w"], "metadata_hash": ["older", "newer", "own"],
            "channel_id": ["c", "d", "e"], "duration_s": [60, 90, 30],
            "first_observed_at": [at - pd.Timedelta(hours=n) for n in (3, 2, 3)],
            "published_at": at - pd.Timedelta(hours=10), "default_language": "en",
            "audio_language": None,
        }
    )  # fmt: skip
    ends = pd.DatetimeIndex(["2026-01-10T10:30Z"])

    for rows in (games, games.iloc[::-1]):
        found = video_velocity(pd.DataFrame(), rows, videos, as_of=ends)
        assert found[["video_id", "channel_id"]].to_numpy().tolist() == [["v", "c"], ["w", "e"]]
