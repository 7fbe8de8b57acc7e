import datetime as dt
from collections.abc import Callable
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurastream.core.competition import (
    CompetitionParams,
    as_known_before,
    competition,
    concentration,
    concentration_scores,
    peak_hours,
    saturation_scores,
)
from aurastream.core.errors import InvalidInputError
from aurastream.core.freshness import confidence
from aurastream.core.hour_of_week import HourOfWeekParams
from tests.unit.core.archive_slice import audience
from tests.unit.core.families import FAMILIES, GAMES, frames

Build = Callable[..., pd.DataFrame]
NOTHING = pd.DataFrame()
AS_OF = pd.DatetimeIndex(["2026-01-10T10:30Z"])
viewers = st.lists(st.integers(0, 200_000), min_size=1, max_size=120)


def games(*rows: tuple[str, str | None, str]) -> pd.DataFrame:
    return pd.DataFrame(
        rows or [("minecraft", "g1", "UTC")],
        columns=["category", "twitch_game_id", "audience_timezone"],
    )


def crawls(
    times: pd.DatetimeIndex, live: Any, game: str = "g1", viewers: Any = None
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "crawl_at": times,
            "game_id": game,
            "live_count": live,
            "viewer_total": pd.array([None] * len(times) if viewers is None else viewers, "Int64"),
        }
    )


def one(frame: pd.DataFrame) -> Any:
    assert len(frame) == 1
    return frame.iloc[0]


def measure(counts: list[int]) -> tuple[float, float, float]:
    found = concentration(np.zeros(len(counts), dtype=np.int64), np.array(counts, dtype=float), 1)
    return found.hhi[0], found.lower[0], found.upper[0]


@given(viewers.filter(any))
def test_the_index_is_the_exact_sum_of_squared_shares(counts: list[int]) -> None:
    total = sum(counts)
    exact = sum(Fraction(c, total) ** 2 for c in counts)
    hhi, lower, upper = measure(counts)
    assert hhi == pytest.approx(float(exact), rel=1e-14)
    assert 0 < lower <= hhi == upper <= 1
    assert hhi >= 1 / len(counts) - 1e-15


@given(
    st.lists(st.integers(1, 10**5), min_size=100, max_size=100),
    st.lists(st.integers(1, 10**5), max_size=400),
)
def test_the_bounds_hold_for_every_tail_below_the_smallest_observed(
    counts: list[int], tail: list[int]
) -> None:
    smallest = min(counts)
    whole = [*counts, *(1 + t % smallest for t in tail)]
    total = sum(whole)
    exact = float(sum(Fraction(c, total) ** 2 for c in whole))
    _, lower, upper = measure(counts)
    assert lower * (1 - 1e-12) <= exact <= upper * (1 + 1e-12)


@given(viewers, st.randoms())
def test_the_order_of_the_streams_does_not_matter(
    counts: list[int], random: "np.random.Generator"
) -> None:
    shuffled = list(counts)
    random.shuffle(shuffled)
    np.testing.assert_array_equal(measure(shuffled), measure(counts))


def test_nobody_watching_has_no_index_and_scores_50() -> None:
    assert np.isnan(measure([0, 0])).all()
    assert concentration_scores(np.nan) == 50.0


@pytest.mark.parametrize(("hhi", "score"), [(0.25, 50.0), (0.30, 40.0), (0.5, 0.0), (1.0, 0.0)])
def test_concentration_scores_are_the_formulas(hhi: float, score: float) -> None:
    assert concentration_scores(hhi) == pytest.approx(score)


@given(st.floats(0, 1), st.floats(0, 1))
def test_more_concentrated_never_scores_higher(one_hhi: float, other: float) -> None:
    spread, tight = concentration_scores(sorted((one_hhi, other)))
    assert 0 <= tight <= spread <= 100


@given(st.integers(0, 1000), st.integers(0, 1000), st.floats(0, 500))
def test_more_streams_never_score_higher(live: int, other: int, usual: float) -> None:
    free, crowded = saturation_scores(sorted((live, other)), usual)
    assert 0 <= crowded <= free <= 100


def test_peak_hours_follow_the_audiences_clock_through_daylight_saving() -> None:
    # Berlin puts its clocks forward on 2026-03-29 at 01:00 UTC, back on 2026-10-25.
    moments = pd.DatetimeIndex(
        [
            "2026-03-28T12:30Z",  # 13:30, winter
            "2026-03-28T13:00Z",  # 14:00
            "2026-03-29T12:00Z",  # 14:00, summer
            "2026-03-29T16:30Z",  # 18:30: between the peaks
            "2026-03-29T17:00Z",  # 19:00
            "2026-10-25T22:30Z",  # 23:30, winter again
            "2026-10-25T23:00Z",  # midnight
        ]
    )
    expected = [False, True, True, False, True, True, False]
    assert peak_hours(moments, "Europe/Berlin").tolist() == expected
    # A zone of half hours: 08:30 UTC is 14:00 in Kolkata.
    assert peak_hours(
        pd.DatetimeIndex(["2026-01-10T08:00Z", "2026-01-10T08:30Z"]), "Asia/Kolkata"
    ).tolist() == [False, True]


@given(
    st.lists(st.integers(0, 2**31)),
    st.sampled_from(["UTC", "Asia/Kolkata", "America/New_York", "Australia/Lord_Howe"]),
    st.sets(st.integers(0, 23)),
)
def test_a_peak_is_an_hour_of_the_list_on_the_clock_of_the_standard_library(
    seconds: list[int], zone: str, hours: set[int]
) -> None:
    moments = [dt.datetime.fromtimestamp(second, ZoneInfo(zone)) for second in seconds]
    starts = pd.DatetimeIndex([at.astimezone(dt.UTC) for at in moments], tz="UTC")
    params = CompetitionParams(week=HourOfWeekParams(fixed_peak_hours=frozenset(hours)))

    assert peak_hours(starts, zone, params=params).tolist() == [at.hour in hours for at in moments]


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", None])
def test_an_unknown_zone_is_named(zone: str) -> None:
    with pytest.raises(InvalidInputError, match=f"'{zone}' is no time zone"):
        peak_hours(AS_OF, zone)


def test_a_row_measures_the_latest_crawl(streams: Build) -> None:
    rows = streams(
        {"at": "2026-01-10T10:00", "viewers": 999},
        {"at": "2026-01-10T10:15", "stream": "a", "viewers": 30},
        {"at": "2026-01-10T10:15", "stream": "b", "viewers": 10},
        {"at": "2026-01-10T10:15", "stream": "b", "viewers": 8},
        {"at": "2026-01-10T10:30", "viewers": 999},
    )
    found = one(competition(rows, NOTHING, as_of=AS_OF, games=games()))
    assert found["window_start"] == pd.Timestamp("2026-01-10T10:00Z")
    assert found["observed_at"] == pd.Timestamp("2026-01-10T10:15Z")
    assert (found["live_count"], found["viewer_total"]) == (2, 40)
    assert found["hhi"] == found["hhi_lower"] == found["hhi_upper"] == 0.625
    assert (found["concentration_band"], found["concentration_score"]) == ("HIGH", 0.0)
    assert (found["saturation_score"], found["ease_score"]) == (50.0, 25.0)
    assert np.isnan(found["baseline_live_count"])
    assert found["confidence_pct"] == 50.0  # fresh, but nothing to compare the count with


@pytest.mark.parametrize(
    ("counts", "band"),
    [([1] * 7, "LOW"), ([1] * 5, "MODERATE"), ([1] * 4, "MODERATE"), ([1] * 3, "HIGH")],
)
def test_the_bands_are_those_of_the_index(streams: Build, counts: list[int], band: str) -> None:
    rows = streams(*({"at": "2026-01-10T10:15", "viewers": c} for c in counts))
    assert one(competition(rows, NOTHING, as_of=AS_OF, games=games()))["concentration_band"] == band


def test_a_full_page_has_a_tail_and_a_shorter_one_has_none(streams: Build) -> None:
    rows = streams(*({"at": "2026-01-10T10:15", "viewers": 50} for _ in range(100)))
    found = one(competition(rows, NOTHING, as_of=AS_OF, games=games()))
    assert found["hhi_lower"] == pytest.approx(1 / 20_100)
    assert found["hhi_upper"] == pytest.approx(0.01)


def test_the_baseline_is_what_the_hours_before_the_window_say_is_usual(streams: Build) -> None:
    rows = streams(*({"at": "2026-01-10T10:15"} for _ in range(30)))
    now = pd.Timestamp("2026-01-10T10:00Z")
    weekly = crawls(
        pd.DatetimeIndex([now - pd.Timedelta(weeks=w) for w in (1, 2, 4)]), [24, 24, 24]
    )
    # Another hour, older than four weeks, or the window's own time: none of these counts.
    noise = crawls(
        pd.DatetimeIndex([now - pd.Timedelta(hours=1), now - pd.Timedelta(weeks=5), now]), 9999
    )
    found = one(competition(rows, pd.concat([weekly, noise]), as_of=AS_OF, games=games()))
    assert found["baseline_live_count"] == pytest.approx(24.0)
    assert (found["baseline_low"], found["baseline_high"]) == pytest.approx((24.0, 24.0))
    assert found["baseline_n"] == 3
    assert found["saturation_score"] == pytest.approx(100 * (1 - 30 / 24 / 2))
    assert found["confidence_pct"] == pytest.approx(100 * (0.5 + 0.5 * 3 / 12))


def test_crawls_of_one_hour_are_one_value(streams: Build) -> None:
    rows = streams(*({"at": "2026-01-10T10:15"} for _ in range(30)))
    often = [pd.Timestamp("2026-01-03T10:00Z") + k * pd.Timedelta("15min") for k in range(4)]
    rarely = [pd.Timestamp("2026-01-04T10:07Z"), pd.Timestamp("2026-01-05T10:07Z")]
    past = crawls(pd.DatetimeIndex([*often, *rarely]), [0, 0, 0, 0, 63, 63])
    found = one(competition(rows, past, as_of=AS_OF, games=games()))
    # In logarithms the mean of 1, 64 and 64 is 16.
    assert found["baseline_live_count"] == pytest.approx(15.0)
    assert found["baseline_n"] == 3


def test_two_full_pages_compare_nothing_and_the_confidence_says_so(streams: Build) -> None:
    rows = streams(*({"at": "2026-01-10T10:15"} for _ in range(100)))
    daily = crawls(pd.date_range("2026-01-06T10:10Z", periods=4, freq="D"), [100] * 4)
    full = one(competition(rows, daily, as_of=AS_OF, games=games()))
    assert (full["saturation_score"], full["confidence_pct"]) == (50.0, 50.0)
    shorter = one(competition(rows.head(99), daily, as_of=AS_OF, games=games()))
    assert shorter["confidence_pct"] > full["confidence_pct"]


def test_the_hour_of_the_day_stands_in_while_weeks_are_missing(streams: Build) -> None:
    rows = streams(*({"at": "2026-01-10T10:15"} for _ in range(30)))
    daily = crawls(pd.date_range("2026-01-06T10:10Z", periods=4, freq="D"), [3, 15, 15, 63])
    found = one(competition(rows, daily, as_of=AS_OF, games=games()))
    assert found["baseline_live_count"] == pytest.approx(15.0)
    assert found["baseline_low"] < 15 < found["baseline_high"]
    assert found["baseline_n"] == 4
    assert found["confidence_pct"] == pytest.approx(100 * (0.5 + 0.5 * 4 / 12))
    too_few = one(competition(rows, daily.head(2), as_of=AS_OF, games=games()))
    assert np.isnan(too_few["baseline_live_count"])
    assert (too_few["baseline_n"], too_few["saturation_score"]) == (0, 50.0)


def test_peak_hours_are_learned_from_viewers_once_two_weeks_are_known(streams: Build) -> None:
    times = pd.date_range("2025-12-20T00:07Z", "2026-01-10T10:00Z", freq="h")
    # Of the fixed peak hours 20:00 is one and 10:00 is none; this audience comes in the morning.
    busy = (times.hour >= 8) & (times.hour < 13)
    past = crawls(times, 40, viewers=np.where(busy, 9000, 1000))
    as_of = pd.DatetimeIndex(["2026-01-10T10:30Z", "2026-01-10T20:30Z"])
    rows = streams({"at": "2026-01-10T10:15"}, {"at": "2026-01-10T20:15"})

    learned = competition(rows, past, as_of=as_of, games=games())
    assert learned["is_peak"].tolist() == [True, False]
    assert learned["peak_source"].tolist() == ["learned", "learned"]

    recent = past[past["crawl_at"] >= "2026-01-03"]
    fixed = competition(rows, recent, as_of=as_of, games=games())
    assert fixed["is_peak"].tolist() == [False, True]
    assert fixed["peak_source"].tolist() == ["fixed", "fixed"]


def test_the_usual_hour_is_the_audiences_when_the_clocks_change(streams: Build) -> None:
    # 19:00 in New York is 00:00 UTC in winter and 23:00 UTC in summer (from 2026-03-08 on).
    as_of = pd.DatetimeIndex(["2026-03-12T23:30Z"])
    rows = streams(*({"at": "2026-03-12T23:15"} for _ in range(5)))
    winter = crawls(
        pd.DatetimeIndex(["2026-02-20T00:05Z", "2026-02-27T00:05Z", "2026-03-06T00:05Z"]), 10
    )
    found = one(
        competition(rows, winter, as_of=as_of, games=games(("minecraft", "g1", "America/New_York")))
    )
    assert found["baseline_live_count"] == pytest.approx(10.0)
    assert found["baseline_n"] == 3
    assert (found["is_peak"], found["peak_source"]) == (True, "fixed")


def test_a_crawl_that_found_nobody_is_known_from_history(streams: Build) -> None:
    rows = streams({"at": "2026-01-10T09:00", "viewers": 5})
    past = crawls(
        pd.DatetimeIndex(
            ["2026-01-03T10:00Z", "2026-01-04T10:15Z", "2026-01-05T10:30Z", "2026-01-10T10:15Z"]
        ),
        [4, 4, 4, 0],
    )
    found = one(competition(rows, past, as_of=AS_OF, games=games()))
    assert found["observed_at"] == pd.Timestamp("2026-01-10T10:15Z")
    assert (found["live_count"], found["viewer_total"]) == (0, 0)
    assert found["saturation_score"] == 100.0
    assert found["concentration_score"] == 50.0
    assert pd.isna(found["concentration_band"])


def partial(*starts: str) -> pd.DataFrame:
    return pd.DataFrame({"category": "minecraft", "crawl_at": pd.to_datetime(list(starts))})


def test_a_part_that_comes_after_the_whole_changes_nothing(streams: Build) -> None:
    whole = [{"at": "2026-01-10T10:15", "viewers": 10} for _ in range(4)]
    part = [{"at": "2026-01-10T10:18", "viewers": 10} for _ in range(2)]
    weeks = crawls(pd.date_range("2025-12-20T10:10Z", periods=3, freq="7D"), [4] * 3)
    other = pd.concat([partial("2026-01-10T10:18Z"), partial("2026-01-10T10:15Z")])
    other["category"] = ["minecraft", "roblox"]

    found = competition(
        streams(*whole, *part), weeks, as_of=AS_OF, games=games(), partial_crawls=other
    )

    expected = competition(streams(*whole), weeks, as_of=AS_OF, games=games())
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    row = one(found)
    assert (row["live_count"], row["hhi"]) == (4, 0.25)
    # As many as usual, and evenly spread over four: 50 and 50.
    assert (row["saturation_score"], row["ease_score"]) == pytest.approx((50.0, 50.0))
    assert row["confidence_pct"] == pytest.approx(100 * (0.5 + 0.5 * 3 / 12))


def test_the_whole_counts_for_an_hour_and_then_a_part_that_came_later(
    streams: Build,
) -> None:
    rows = streams(
        *({"at": "2026-01-10T09:35", "viewers": 10} for _ in range(4)),
        *({"at": "2026-01-10T10:18", "viewers": 10} for _ in range(2)),
    )
    weeks = crawls(pd.date_range("2025-12-20T10:10Z", periods=3, freq="7D"), [4] * 3)
    ends = pd.DatetimeIndex(["2026-01-10T10:30Z", "2026-01-10T11:00Z"])

    whole, part = competition(
        rows, weeks, as_of=ends, games=games(), partial_crawls=partial("2026-01-10T10:18Z")
    ).to_dict("records")

    assert whole["live_count"] == 4
    # Three of twelve hours are known.
    assert whole["confidence_pct"] == pytest.approx(confidence(55 / 60) * (0.5 + 0.5 * 3 / 12))
    assert (part["live_count"], part["hhi"], part["concentration_score"]) == (2, 0.5, 0.0)
    # Two or more of the usual four: that compares nothing, and there may be a long tail.
    assert (part["saturation_score"], part["ease_score"]) == (50.0, 25.0)
    assert part["hhi_lower"] == pytest.approx(1 / 20_002)
    assert part["confidence_pct"] == pytest.approx(confidence(42 / 60) * 0.5)


def test_the_age_of_what_came_last_lowers_the_confidence(streams: Build) -> None:
    rows = streams(*({"at": "2026-01-09T10:45", "viewers": 10} for _ in range(4)))
    weeks = crawls(pd.date_range("2025-12-20T10:10Z", periods=3, freq="7D"), [4] * 3)
    found = one(competition(rows, weeks, as_of=AS_OF, games=games()))
    # 50 at 12 hours, 30 at 24: 30.42 at 23.75; three of twelve hours are known.
    assert found["confidence_pct"] == pytest.approx((30 + 20 * 0.25 / 12) * (0.5 + 0.5 * 3 / 12))


def test_a_game_without_a_crawl_is_neutral_and_worth_nothing(streams: Build) -> None:
    rows = streams({"at": "2026-01-09T10:00"}, {"at": "2026-01-10T10:15", "game": "untracked"})
    found = competition(
        rows,
        NOTHING,
        as_of=AS_OF,
        games=games(("minecraft", "g1", "UTC"), ("gta", None, "UTC")),
    )
    assert found["category"].tolist() == ["gta", "minecraft"]
    assert found["observed_at"].isna().all()
    assert found["ease_score"].tolist() == [50.0, 50.0]
    assert found["confidence_pct"].tolist() == [0.0, 0.0]


def test_many_windows_at_once_give_what_each_gives_alone(streams: Build) -> None:
    rng = np.random.default_rng(11)
    times = pd.date_range("2026-01-09T00:00", periods=96, freq="15min")
    rows = streams(
        *(
            {"at": str(at), "game": game, "stream": f"s{i}", "viewers": int(rng.integers(0, 500))}
            for at in times
            for game in ("g1", "g2")
            for i in range(int(rng.integers(1, 6)))
        )
    )
    past = pd.concat(
        [
            crawls(
                pd.date_range("2025-12-20T00:00Z", "2026-01-10T00:00Z", freq="3h"),
                rng.integers(0, 50, 169),
                game,
            )
            for game in ("g1", "g2")
        ]
    )
    tracked = games(("b", "g1", "Asia/Tokyo"), ("a", "g2", "America/New_York"))
    as_of = pd.date_range("2026-01-09T01:00Z", periods=30, freq="30min")
    together = competition(rows, past, as_of=as_of, games=tracked)
    alone = [competition(rows, past, as_of=as_of[[i]], games=tracked) for i in range(30)]
    pd.testing.assert_frame_equal(together, pd.concat(alone, ignore_index=True), check_exact=True)
    shuffled = competition(
        rows.sample(frac=1, random_state=1),
        past.sample(frac=1, random_state=2),
        as_of=as_of[::-1],
        games=tracked[::-1],
    )
    pd.testing.assert_frame_equal(shuffled, together, check_exact=True)
    for column in ("saturation_score", "concentration_score", "ease_score", "confidence_pct"):
        assert together[column].between(0, 100).all()


def test_wrong_frames_are_refused_with_the_mend(streams: Build) -> None:
    rows = streams({"at": "2026-01-10T10:15"})
    with pytest.raises(InvalidInputError, match=r"no column 'viewer_count'"):
        competition(rows.drop(columns="viewer_count"), NOTHING, as_of=AS_OF, games=games())
    with pytest.raises(InvalidInputError, match="holds -3"):
        competition(rows.assign(viewer_count=-3), NOTHING, as_of=AS_OF, games=games())
    with pytest.raises(InvalidInputError, match=r"'viewer_count'.*missing"):
        competition(rows.assign(viewer_count=np.nan), NOTHING, as_of=AS_OF, games=games())
    with pytest.raises(InvalidInputError, match="twice"):
        competition(
            rows,
            NOTHING,
            as_of=AS_OF,
            games=games(("a", "g1", "UTC"), ("a", "g2", "UTC")),
        )


def test_parameters_are_values() -> None:
    assert CompetitionParams() == CompetitionParams()
    assert hash(CompetitionParams()) == hash(CompetitionParams())


def by_the_book(
    streams: pd.DataFrame, row: Any, game: str, *, end: pd.Timestamp
) -> dict[str, Any] | None:
    """The formulas of docs/metrics.md for one game, given what is usual; None without a crawl."""
    mine = streams[(streams["game_id"] == game) & (streams["crawl_at"] < end)]
    mine = mine[mine["crawl_at"] >= end - pd.Timedelta(hours=24)]
    if mine.empty:
        return None
    last = mine[mine["crawl_at"] == mine["crawl_at"].max()]
    counts = last.groupby("stream_id")["viewer_count"].max().astype(int).tolist()
    total, live = sum(counts), len(counts)
    usual = row.baseline_live_count
    hhi = Fraction(sum(v * v for v in counts), total * total) if total else None
    least = hhi
    if total and live >= 100:
        smallest = min(counts)
        least = min(
            Fraction(sum(v * v for v in counts) + n * smallest**2, (total + n * smallest) ** 2)
            for n in (0, 1, 10, 100, 1000, 10_000, 20_000)
        )
    saturation = 100 * (1 - min(live / usual, 2) / 2) if usual > 0 else 50.0
    concentration = max(0.0, 100 * (1 - 2 * float(hhi))) if total else 50.0
    learned = min(1.0, row.baseline_n / 12) * (live < 100 or not usual >= 100)
    age = (end - last["observed_at"].max()) / pd.Timedelta(hours=1)
    fresh = float(np.interp(age, [1, 4, 12, 24, 48], [100, 80, 50, 30, 10]))
    return {
        "live_count": live,
        "viewer_total": total,
        "hhi": float(hhi) if total else np.nan,
        "hhi_lower": float(least) if total else np.nan,
        "hhi_upper": float(hhi) if total else np.nan,
        "saturation_score": saturation,
        "concentration_score": concentration,
        "ease_score": 0.5 * saturation + 0.5 * concentration,
        "confidence_pct": fresh * (0.5 * bool(total) + 0.5 * learned),
    }


def assert_agrees(streams: pd.DataFrame, found: pd.DataFrame, of: dict[str, str], end: Any) -> None:
    for row in found.itertuples():
        expected = by_the_book(streams, row, of[row.category], end=end)
        if expected is None:
            assert (row.live_count, row.ease_score, row.confidence_pct) == (0, 50.0, 0.0)
            continue
        shown = {name: float(getattr(row, name)) for name in expected}
        assert shown == pytest.approx(expected, rel=1e-9, nan_ok=True)
        band = "LOW" if row.hhi < 0.15 else "MODERATE" if row.hhi <= 0.25 else "HIGH"
        assert pd.isna(row.concentration_band) or row.concentration_band == band


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["g1", "g2"]),
            st.integers(0, 1600),  # minutes before the window's end
            st.integers(0, 120),  # streams
            st.sampled_from([0, 1, 7, 300]),  # viewers of the smallest
        ),
        max_size=6,
        unique_by=lambda crawl: crawl[:2],
    ),
    st.lists(st.integers(0, 160), max_size=60),
)
def test_every_score_is_the_formula_that_the_metrics_page_gives(
    answers: list[tuple[str, int, int, int]], past: list[int]
) -> None:
    end = AS_OF[0]
    streams = pd.DataFrame(
        [
            {
                "crawl_at": end - pd.Timedelta(minutes=before),
                "observed_at": end - pd.Timedelta(minutes=before) + pd.Timedelta(seconds=number),
                "game_id": game,
                "stream_id": f"s{number % 110}",  # pages overlap
                "viewer_count": smallest * (1 + number % 13),
            }
            for game, before, size, smallest in answers
            for number in range(size)
        ],
        columns=["crawl_at", "observed_at", "game_id", "stream_id", "viewer_count"],
    )
    for column in ("crawl_at", "observed_at"):
        streams[column] = pd.DatetimeIndex(streams[column], tz="UTC")
    hours = pd.date_range(end - pd.Timedelta(days=20), periods=len(past), freq="8h")
    found = competition(
        streams,
        crawls(hours, np.maximum(past, 1)),
        as_of=AS_OF,
        games=games(("apex", "g2", "UTC"), ("minecraft", "g1", "UTC")),
    )
    assert_agrees(streams, found, {"apex": "g2", "minecraft": "g1"}, end)


def test_the_scores_of_a_real_audience_are_those_of_the_formulas() -> None:
    f = frames()
    found = FAMILIES["competition"](f)
    end = found["window_start"].iloc[0] + pd.Timedelta(minutes=30)
    assert_agrees(f["streams"], found, dict(GAMES[["category", "twitch_game_id"]].to_numpy()), end)
    counts = [int(v) for v in audience(100)]
    index = Fraction(sum(v * v for v in counts), sum(counts) ** 2)
    assert found["hhi"].iloc[0] == float(index)
    # What is usual at that hour lies between what the four weeks before had then.
    at = f["history"]["crawl_at"]
    same = (at.dt.hour == 23) & (at.dt.day_of_week == 6) & (at < f["history"]["crawl_at"].max())
    weeks = f["history"][same & (f["history"]["game_id"] == "g1")]["live_count"]
    assert weeks.min() < found["baseline_live_count"].iloc[0] < weeks.max()


@given(st.randoms(use_true_random=False))
def test_a_window_keeps_what_a_newer_crawl_said_of_it(random: Any) -> None:
    both = games(("minecraft", "g1", "UTC"), ("roblox", "g2", "UTC"))
    times = pd.DatetimeIndex(["2026-01-10T10:04Z", "2026-01-10T10:19Z"])
    past = pd.concat([crawls(times, 0), crawls(times[:1], 0, "g2")])
    known = competition(NOTHING, past, as_of=AS_OF, games=both)
    # Of minecraft the newest crawl is gone, and of roblox there is a newer one.
    left = pd.concat([crawls(times[:1], 0), crawls(times, 0, "g2")])
    found = competition(NOTHING, left, as_of=AS_OF, games=both)
    shuffled = known.iloc[random.sample(range(2), 2)]

    kept = as_known_before(found, shuffled)

    assert kept["observed_at"].tolist() == [times[1], times[1]]
    pd.testing.assert_frame_equal(kept.iloc[[0]], known.iloc[[0]])
    pd.testing.assert_frame_equal(kept.iloc[[1]], found.iloc[[1]])
    assert as_known_before(found, known.iloc[:0]) is found


def test_a_window_keeps_what_a_whole_crawl_said_of_it_though_a_part_is_newer() -> None:
    both = games(("minecraft", "g1", "UTC"), ("roblox", "g2", "UTC"))
    early, late = pd.DatetimeIndex(["2026-01-10T10:04Z", "2026-01-10T10:19Z"])
    known = pd.DataFrame(
        [
            ("minecraft", early, True),
            ("minecraft", late, False),
            ("roblox", early, False),
            ("roblox", late, True),
        ],
        columns=["category", "crawl_at", "is_complete"],
    )
    at = {
        moment: competition(
            NOTHING,
            pd.concat([crawls(pd.DatetimeIndex([moment]), 0, game) for game in ("g1", "g2")]),
            as_of=AS_OF,
            games=both,
        )
        for moment in (early, late)
    }
    nothing = competition(NOTHING, NOTHING, as_of=AS_OF, games=both)

    for found, before, kept in (
        (at[early], at[late], [early, late]),
        (at[late], at[early], [early, late]),
        (at[early], nothing, [early, early]),
        (nothing, at[late], [late, late]),
    ):
        assert as_known_before(found, before, known)["observed_at"].tolist() == kept
    # Where nobody says which were whole, the newer one is kept.
    assert as_known_before(at[early], at[late]).equals(at[late])


def test_a_window_does_not_keep_what_a_whole_crawl_said_an_hour_before_a_part() -> None:
    moments = pd.DatetimeIndex(["2026-01-10T09:29:58Z", "2026-01-10T10:20Z"])
    known = pd.DataFrame(
        {"category": "minecraft", "crawl_at": moments, "is_complete": [True, False]}
    )
    whole, part = (
        competition(NOTHING, crawls(moments[[place]], 0), as_of=AS_OF, games=games())
        for place in (0, 1)
    )
    # It was answered after its start.
    whole["observed_at"] += pd.Timedelta("6s")
    assert as_known_before(whole, part, known).equals(part)
    assert as_known_before(part, whole, known).equals(part)
