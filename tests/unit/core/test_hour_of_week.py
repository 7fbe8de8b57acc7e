import datetime as dt
import math
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from aurastream.core.errors import InvalidInputError
from aurastream.core.hour_of_week import (
    HourOfWeekParams,
    hour_of_week_map,
    learned_peaks,
    local_hours,
    local_times,
    shrunken_week,
    week_samples,
)

SERIES = (
    Path(__file__).resolve().parents[4]
    / "shared/data/twitch_series/italian_twitch_5min_2022-05_part1.csv.gz"
)
weeks = arrays.arrays(
    np.float64,
    (1, 4, 168),
    elements=st.floats(0, 14) | st.just(float("nan")),
    fill=st.floats(0, 14),
)


def crawls(times: pd.DatetimeIndex, viewers: object, live: object = 50) -> pd.DataFrame:
    return pd.DataFrame(
        {"crawl_at": times, "game_id": "g", "live_count": live, "viewer_total": viewers}
    )


def game(zone: str = "UTC") -> pd.DataFrame:
    return pd.DataFrame(
        {"category": ["minecraft"], "twitch_game_id": ["g"], "audience_timezone": [zone]}
    )


def by_loops(samples: np.ndarray) -> dict[int, tuple[float, float, float]]:
    """Estimate, variance and effective n of each hour of one week, as a textbook does it."""
    groups = {c: [v for v in samples[:, c] if not np.isnan(v)] for c in range(168)}
    days = {d: [v for c in range(d, 168, 24) for v in groups[c]] for d in range(24)}
    mu = {d: np.mean(values) for d, values in days.items() if values}
    filled = {c: values for c, values in groups.items() if values}
    total = sum(map(len, filled.values()))
    within = sum(sum((v - np.mean(g)) ** 2 for v in g) for g in filled.values())
    between = sum(len(g) * (np.mean(g) - mu[c % 24]) ** 2 for c, g in filled.items())
    repeats = total - len(filled)
    free = len(filled) - len(mu)
    if repeats:
        noise = within / repeats
        weight = total - sum(
            sum(len(groups[c]) ** 2 for c in range(d, 168, 24)) / len(days[d]) for d in mu
        )
        spread = max(0.0, between - free * noise) / weight if weight > 0 else 0.0
    else:
        noise, spread = between / max(free, 1), 0.0
    found = {}
    for c in range(168):
        d = c % 24
        if len(days[d]) < 3:
            continue
        n = len(groups[c])
        own = n * spread / (n * spread + noise) if n * spread + noise > 0 else 0.0
        mean = mu[d] + own * ((np.mean(groups[c]) if n else 0.0) - mu[d])
        share = sum(len(groups[k]) ** 2 for k in range(d, 168, 24)) / len(days[d]) ** 2
        shared = noise / len(days[d]) + spread * share
        variance = spread * (1 - own) + (1 - own) ** 2 * shared
        effective = noise / variance if variance > 0 else len(days[d])
        found[c] = (mean, variance, min(effective, len(days[d])))
    return found


@given(weeks)
def test_the_estimate_is_that_of_one_way_random_effects(samples: np.ndarray) -> None:
    found = shrunken_week(samples)
    expected = by_loops(samples[0])
    assert set(np.flatnonzero(~np.isnan(found.mean[0]))) == set(expected)
    for cell, (mean, variance, effective) in expected.items():
        assert found.mean[0, cell] == pytest.approx(mean, rel=1e-9, abs=1e-9)
        assert found.sd[0, cell] ** 2 == pytest.approx(variance, rel=1e-6, abs=1e-9)
        # Where all values are equal up to rounding, so is what rounding leaves of the spread.
        if variance > 1e-12:
            assert found.effective_n[0, cell] == pytest.approx(effective, rel=1e-6, abs=1e-6)


@given(weeks)
def test_the_estimate_lies_between_the_week_and_the_day(samples: np.ndarray) -> None:
    found = shrunken_week(samples)
    with np.errstate(all="ignore"):
        known = ~np.isnan(samples[0])
        n = known.sum(axis=0)
        week = np.where(known, samples[0], 0).sum(axis=0) / np.where(n > 0, n, np.nan)
        of_day = np.where(known, samples[0], 0).sum(axis=0).reshape(7, 24).sum(axis=0)
        day = np.tile(of_day / np.maximum(n.reshape(7, 24).sum(axis=0), 1), 7)
    low, high = np.fmin(week, day), np.fmax(week, day)
    estimated = ~np.isnan(found.mean[0])
    assert (found.mean[0] >= low - 1e-9)[estimated].all()
    assert (found.mean[0] <= high + 1e-9)[estimated].all()
    assert (found.effective_n >= 0).all()
    assert (found.effective_n <= 28).all()
    assert (found.expected(-1.645)[0] <= found.expected()[0])[estimated].all()


def test_drawing_towards_the_day_is_nearer_to_the_truth_than_either_mean() -> None:
    rng = np.random.default_rng(20)
    errors = []
    for spread, noise in ((0.1, 0.3), (0.3, 0.3), (0.3, 0.6)):
        day = np.tile(rng.normal(8, 1, 24), 7)
        truth = day + rng.normal(0, spread, (40, 168))
        samples = truth[:, None, :] + rng.normal(0, noise, (40, 4, 168))
        samples[rng.random(samples.shape) < 0.2] = np.nan
        estimate = shrunken_week(samples).mean
        week = np.nanmean(np.where(np.isnan(samples).all(axis=1)[:, None], day, samples), axis=1)
        hours = np.tile(np.nanmean(samples.reshape(40, 28, 24), axis=1), (1, 7))
        errors.append([np.square(m - truth).mean() for m in (estimate, week, hours)])
    for ours, of_week, of_day in errors:
        assert ours < 0.97 * min(of_week, of_day)


def test_the_interval_holds_the_truth_about_nine_times_in_ten() -> None:
    rng = np.random.default_rng(21)
    truth = np.tile(rng.normal(8, 1, 24), 7) + rng.normal(0, 0.3, (60, 168))
    found = shrunken_week(truth[:, None, :] + rng.normal(0, 0.4, (60, 4, 168)))
    inside = np.abs(found.mean - truth) <= 1.645 * found.sd
    assert 0.86 < inside.mean() < 0.94


@given(st.lists(st.tuples(st.integers(-800, 10), st.integers(0, 10**6)), max_size=60), st.randoms())
def test_the_order_of_the_crawls_does_not_matter(
    rows: list[tuple[int, int]], random: "np.random.Generator"
) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)

    def laid_out(pairs: list[tuple[int, int]]) -> np.ndarray:
        hours = np.array([h for h, _ in pairs], dtype=np.int64)
        counts = np.array([c for _, c in pairs], dtype=np.float64)
        return week_samples(hours, counts, np.array([0, 5]))

    np.testing.assert_array_equal(laid_out(shuffled), laid_out(rows))


def test_only_hours_that_are_over_are_looked_at_and_none_older_than_four_weeks() -> None:
    hours = np.array([-673, -672, -505, -1, 0, 1])
    samples = week_samples(hours, np.arange(1.0, 7.0), np.array([0]))
    assert np.expm1(samples[~np.isnan(samples)]).round(9).tolist() == [2.0, 3.0, 4.0]
    assert np.argwhere(~np.isnan(samples[0])).tolist() == [[0, 0], [0, 167], [3, 167]]


def test_the_map_of_many_moments_is_that_of_each_alone() -> None:
    rng = np.random.default_rng(4)
    times = pd.date_range("2026-02-20T00:07Z", "2026-04-02T00:00Z", freq="45min")
    rows = crawls(times, rng.integers(0, 9000, len(times)), rng.integers(0, 100, len(times)))
    as_of = pd.date_range("2026-03-27T00:00Z", periods=20, freq="4h")
    together = hour_of_week_map(rows, as_of=as_of, games=game("Europe/Berlin"))
    alone = [
        hour_of_week_map(rows, as_of=as_of[[i]], games=game("Europe/Berlin")) for i in range(20)
    ]
    pd.testing.assert_frame_equal(together, pd.concat(alone, ignore_index=True), check_exact=True)
    shuffled = hour_of_week_map(
        rows.sample(frac=1, random_state=1), as_of=as_of[::-1], games=game("Europe/Berlin")
    )
    pd.testing.assert_frame_equal(shuffled, together, check_exact=True)


@pytest.mark.parametrize(
    ("as_of", "hour", "expected"),
    [
        # Berlin skips 02:00 to 03:00 on Sunday 2026-03-29, and has it twice on 2026-10-25.
        ("2026-03-28T12:00Z", 6 * 24 + 2, "2026-03-29T01:00Z"),
        ("2026-03-28T12:00Z", 6 * 24 + 20, "2026-03-29T18:00Z"),
        ("2026-10-24T12:00Z", 6 * 24 + 2, "2026-10-25T00:00Z"),
        ("2026-10-24T12:00Z", 6 * 24 + 20, "2026-10-25T19:00Z"),
        ("2026-03-30T10:00Z", 12, "2026-03-30T10:00Z"),  # that hour begins just now
        ("2026-03-30T10:30Z", 12, "2026-04-06T10:00Z"),  # and here it is running already
    ],
)
def test_an_hour_of_the_week_begins_when_the_clocks_say(
    as_of: str, hour: int, expected: str
) -> None:
    end = pd.Timestamp(as_of)
    rows = crawls(pd.date_range(end - pd.Timedelta(days=7), end, freq="h"), 100)
    week = hour_of_week_map(rows, as_of=pd.DatetimeIndex([end]), games=game("Europe/Berlin"))
    begins = week.set_index("hour_of_week")["next_start_at"]
    assert begins[hour] == pd.Timestamp(expected)
    assert ((begins >= end) & (begins <= end + pd.Timedelta(days=7, hours=1))).all()


def test_an_evening_stays_an_evening_when_the_clocks_change() -> None:
    # Viewers come at 20:00 New York time, which is 01:00 UTC in winter and 00:00 UTC in summer.
    times = pd.date_range("2026-02-16T00:10Z", "2026-03-16T00:00Z", freq="h")
    local = times.tz_convert("America/New_York").hour
    rows = crawls(times, np.where(local == 20, 5000, 500))
    week = hour_of_week_map(
        rows, as_of=pd.DatetimeIndex(["2026-03-16T04:00Z"]), games=game("America/New_York")
    )
    peaks = week[week["is_peak"]]
    assert set(peaks["hour_of_week"]) == set(range(20, 168, 24))
    assert peaks["viewers_expected"].to_numpy() == pytest.approx(5000)
    assert set(peaks["peak_source"]) == {"learned"}


def test_noise_makes_fewer_peaks_than_its_bound_lets_through() -> None:
    rng = np.random.default_rng(8)
    peaks, is_learned = learned_peaks(shrunken_week(rng.normal(7, 0.5, (50, 4, 168))))
    assert is_learned.all()
    assert peaks.mean() < 0.05


@given(weeks)
def test_never_more_hours_are_peaks_than_the_fixed_ones_unless_they_tie(
    samples: np.ndarray,
) -> None:
    estimate = shrunken_week(samples)
    peaks, is_learned = learned_peaks(estimate)
    if is_learned[0]:
        least = np.sort(estimate.mean[0])[-63]
        assert (estimate.mean[0][peaks[0]] >= least).all()
    else:
        assert peaks[0].sum() == 63


def test_unknown_viewers_leave_the_fixed_hours_and_known_streams_alone() -> None:
    times = pd.date_range("2026-01-05T00:10Z", "2026-02-01T00:00Z", freq="h")
    week = hour_of_week_map(
        crawls(times, pd.array([None] * len(times), dtype="Int64"), live=40),
        as_of=pd.DatetimeIndex(["2026-02-02T00:00Z"]),
        games=game(),
    )
    assert week["viewers_expected"].isna().all()
    assert set(week["peak_source"]) == {"fixed"}
    assert week["live_expected"].tolist() == [40.0] * 168


def test_wrong_input_is_refused_with_the_mend() -> None:
    times = pd.date_range("2026-01-05", periods=3, freq="h", tz="UTC")
    as_of = pd.DatetimeIndex(["2026-02-02T00:00Z"])
    with pytest.raises(InvalidInputError, match="'Mars/Olympus' is no time zone"):
        hour_of_week_map(crawls(times, 1), as_of=as_of, games=game("Mars/Olympus"))
    with pytest.raises(InvalidInputError, match="holds -1"):
        hour_of_week_map(crawls(times, -1), as_of=as_of, games=game())
    with pytest.raises(InvalidInputError, match="no column 'viewer_total'"):
        hour_of_week_map(crawls(times, 1).drop(columns="viewer_total"), as_of=as_of, games=game())


def test_hours_are_numbered_by_a_zone_of_half_hours() -> None:
    # 18:29 and 18:30 UTC on Sunday are 23:59 on Sunday and 00:00 on Monday in Kolkata.
    moments = pd.DatetimeIndex(["2026-01-11T18:29Z", "2026-01-11T18:30Z"]).as_unit("us").asi8
    assert (local_hours(moments, "Asia/Kolkata") % 168).tolist() == [167, 0]


@pytest.mark.skipif(not SERIES.is_file(), reason=f"no series at {SERIES}")
def test_golden_week_of_a_real_audience() -> None:
    series = pd.read_csv(SERIES, parse_dates=["ts"])
    rows = crawls(
        pd.DatetimeIndex(series["ts"]).tz_localize("Europe/Rome").tz_convert("UTC"),
        series["spectators_online"].to_numpy(),
        series["streams_online"].to_numpy(),
    )
    as_of = pd.DatetimeIndex(["2022-05-14T00:00Z"])
    params = HourOfWeekParams(min_days=7)
    week = hour_of_week_map(rows, as_of=as_of, games=game("Europe/Rome"), params=params)
    hour = week.set_index("hour_of_week")
    columns = ["viewers_expected", "viewers_low", "viewers_high", "viewers_n", "is_peak"]
    assert {
        h: [round(float(v), 3) for v in hour.loc[h, columns]] for h in GOLDEN_WEEK
    } == GOLDEN_WEEK
    local = week.loc[week["is_peak"], "hour_of_week"] % 24
    assert sorted(set(local)) == GOLDEN_PEAK_HOURS


GOLDEN_WEEK = {
    5: [8167.715, 6934.036, 9620.854, 1.0, 0.0],
    22: [110962.813, 96043.531, 128199.614, 1.0, 1.0],
    76: [13353.193, 11336.378, 15728.781, 0.0, 0.0],
    94: [110962.813, 96043.531, 128199.614, 2.0, 1.0],
}
GOLDEN_PEAK_HOURS = [0, 1, 17, 18, 19, 20, 21, 22, 23]


@given(
    st.lists(st.integers(1_167_609_600, 2_145_916_800), max_size=20),  # 2007 to 2037
    st.sampled_from(["UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_local_times_are_those_of_the_standard_library(moments: list[int], zone: str) -> None:
    aware = [dt.datetime.fromtimestamp(moment, dt.UTC) for moment in moments]
    found = local_times(pd.DatetimeIndex(aware, tz="UTC"), zone)
    clocks = [moment.astimezone(ZoneInfo(zone)) for moment in aware]
    assert [t.to_pydatetime() for t in found] == clocks
    assert [t.utcoffset() for t in found] == [t.utcoffset() for t in clocks]
    assert found.hour.tolist() == [t.hour for t in clocks]


ZONES = ["UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe"]
A_MONDAY = dt.date(1970, 1, 5)


def hour_of_clock(moment: dt.datetime, zone: str) -> int:
    """Number the hour that a clock shows, from that of a Monday on."""
    clock = moment.astimezone(ZoneInfo(zone))
    return (clock.date() - A_MONDAY).days * 24 + clock.hour


@given(
    st.lists(st.integers(1_167_609_600, 2_145_916_800), max_size=20),  # 2007 to 2037
    st.sampled_from(ZONES),
)
def test_local_hours_are_those_of_the_standard_library(moments: list[int], zone: str) -> None:
    aware = [dt.datetime.fromtimestamp(moment, dt.UTC) for moment in moments]
    found = local_hours(np.array(moments, dtype=np.int64) * 1_000_000, zone)
    assert found.tolist() == [hour_of_clock(moment, zone) for moment in aware]
    clocks = [moment.astimezone(ZoneInfo(zone)) for moment in aware]
    assert (found % 168).tolist() == [clock.weekday() * 24 + clock.hour for clock in clocks]


@given(
    st.lists(st.tuples(st.integers(-800, 70), st.none() | st.integers(0, 10**6)), max_size=60),
    st.lists(st.integers(-60, 60), min_size=1, max_size=3),
    st.integers(1, 4),
)
def test_samples_are_those_of_a_loop_over_hours(
    rows: list[tuple[int, int | None]], moments: list[int], weeks: int
) -> None:
    logs: dict[int, list[float]] = {}
    for hour, count in rows:
        if count is not None:
            logs.setdefault(hour, []).append(math.log(1 + count))
    expected = np.full((len(moments), weeks, 168), np.nan)
    for moment, at in enumerate(moments):
        for back in range(1, weeks * 168 + 1):
            if at - back in logs:
                own = logs[at - back]
                week = weeks - 1 - (back - 1) // 168
                expected[moment, week, (at - back) % 168] = sum(own) / len(own)
    found = week_samples(
        np.array([hour for hour, _ in rows], dtype=np.int64),
        np.array([np.nan if count is None else count for _, count in rows], dtype=np.float64),
        np.array(moments),
        params=HourOfWeekParams(weeks=weeks),
    )
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@settings(max_examples=50)
@given(weeks, st.sampled_from([9 / 24, 0.25, 0.001]), st.integers(1, 28))
def test_peaks_are_those_of_sorting_the_week(
    samples: np.ndarray, share: float, min_days: int
) -> None:
    params = HourOfWeekParams(peak_share=share, min_days=min_days)
    estimate = shrunken_week(samples)
    peaks, is_learned = learned_peaks(estimate, params=params)
    known = [
        (week, hour // 24)
        for week in range(4)
        for hour in range(168)
        if not math.isnan(samples[0, week, hour])
    ]
    mean, sd = estimate.mean[0].tolist(), estimate.sd[0].tolist()
    learned = len(set(known)) >= min_days and not any(map(math.isnan, mean))
    assert is_learned.tolist() == [learned]
    if not learned:
        fixed = {14, 15, 16, 17, 19, 20, 21, 22, 23}
        assert peaks[0].tolist() == [hour % 24 in fixed for hour in range(168)]
        return
    # Among this many of the highest, or as high as the last of them.
    place = max(1, round(share * 168))
    usual = math.fsum(mean) / 168
    for hour in range(168):
        above = mean[hour] - 1.645 * sd[hour] - usual
        if abs(above) > 1e-8:  # nearer than that, rounding decides
            higher = sum(other > mean[hour] for other in mean)
            assert peaks[0, hour] == (higher < place and above > 0)


@pytest.mark.parametrize("zone", ZONES)
def test_the_map_is_what_a_loop_over_the_clock_draws(zone: str) -> None:
    rng = np.random.default_rng(len(zone))
    times = pd.date_range("2026-02-25T00:20Z", "2026-04-03T00:00Z", freq="50min")
    times = times[rng.random(len(times)) < 0.6]
    viewers = np.where(rng.random(len(times)) < 0.1, np.nan, rng.integers(0, 9000, len(times)))
    rows = crawls(times, viewers, rng.integers(0, 100, len(times)))
    end = dt.datetime(2026, 4, 2, 0, 30, tzinfo=dt.UTC)
    others = rows.assign(game_id="another", viewer_total=7)

    week = hour_of_week_map(
        pd.concat([rows, others]), as_of=pd.DatetimeIndex([end]), games=game(zone)
    )

    assert week["hour_of_week"].tolist() == list(range(168))
    at = hour_of_clock(end, zone)
    for name, column in (("viewers", "viewer_total"), ("live", "live_count")):
        logs: dict[tuple[int, int], list[float]] = {}
        for moment, count in zip(rows["crawl_at"], rows[column], strict=True):
            hour = hour_of_clock(moment.to_pydatetime(), zone)
            if at - 672 <= hour < at and not math.isnan(count):
                logs.setdefault(((hour - at + 672) // 168, hour % 168), []).append(
                    math.log(1 + count)
                )
        samples = np.full((4, 168), np.nan)
        for place, own in logs.items():
            samples[place] = sum(own) / len(own)
        estimates = by_loops(samples)
        assert set(estimates) == set(range(168))
        for hour, row in zip(range(168), week.to_dict("records"), strict=True):
            mean, variance, effective = estimates[hour]
            assert row[f"{name}_n"] == sum(place[1] == hour for place in logs)
            assert row[f"{name}_effective_n"] == pytest.approx(effective, rel=1e-6)
            for bound, z in (("low", -1.645), ("expected", 0.0), ("high", 1.645)):
                count = max(0.0, math.exp(mean + z * math.sqrt(variance)) - 1)
                assert row[f"{name}_{bound}"] == pytest.approx(count, rel=1e-6, abs=1e-6)
        if name == "live":
            days = {(number, hour // 24) for number, hour in logs}
            assert set(week["days_known"]) == {len(days)}

    begins: dict[int, dt.datetime] = {}
    for quarter in range(8 * 96):
        moment = end + quarter * dt.timedelta(minutes=15)
        hour = hour_of_clock(moment, zone)
        if hour != hour_of_clock(moment - dt.timedelta(microseconds=1), zone):
            begins.setdefault(hour % 168, moment)
    assert [t.to_pydatetime() for t in week["next_start_at"]] == [begins[h] for h in range(168)]


@settings(max_examples=20)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 40 * 96), st.none() | st.integers(0, 10**7), st.integers(0, 10**4)
        ),
        min_size=1,
        max_size=80,
    ),
    st.sampled_from(ZONES),
)
def test_any_crawls_draw_whole_weeks_whose_bounds_hold_what_is_expected(
    rows: list[tuple[int, int | None, int]], zone: str
) -> None:
    start = pd.Timestamp("2026-02-22T00:00Z")
    times = pd.DatetimeIndex([start + row[0] * pd.Timedelta(minutes=15) for row in rows])
    viewers = pd.array([row[1] for row in rows], dtype="Int64")
    as_of = pd.DatetimeIndex(["2026-03-20T00:00Z", "2026-03-20T04:00Z"])

    week = hour_of_week_map(
        crawls(times, viewers, [row[2] for row in rows]), as_of=as_of, games=game(zone)
    )

    assert week["hour_of_week"].tolist() == list(range(168)) * (len(week) // 168)
    for name in ("viewers", "live"):
        known = week[week[f"{name}_expected"].notna()]
        assert (known[f"{name}_low"] >= 0).all()
        assert (known[f"{name}_low"] <= known[f"{name}_expected"]).all()
        assert (known[f"{name}_expected"] <= known[f"{name}_high"]).all()
        assert known[f"{name}_n"].between(0, 4).all()
        assert known[f"{name}_effective_n"].between(0, 28).all()
    ends = week["window_start"] + pd.Timedelta(hours=4)
    ahead = week["next_start_at"] - ends
    assert ahead.between(pd.Timedelta(0), pd.Timedelta(days=7, hours=1)).all()
