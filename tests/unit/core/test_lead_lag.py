import math
import statistics
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.signal
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from aurastream.core.errors import InvalidInputError
from aurastream.core.formats import REGIME_BREAKS, RegimeBreak
from aurastream.core.lead_lag import (
    LeadLagParams,
    clip_changes,
    clip_video_lead_lag,
    cross_correlation,
    deseasonalised,
    lead_lag,
    video_changes,
)

SERIES = (
    Path(__file__).resolve().parents[4]
    / "shared/data/twitch_series/italian_twitch_5min_2022-05_part1.csv.gz"
)
HOURS = np.arange(336)
QUICK = LeadLagParams(max_lag_h=6)
gappy = arrays.arrays(
    np.float64, 60, elements=st.floats(-5, 5) | st.just(float("nan")), fill=st.floats(-5, 5)
)


def shifted(lag: int, seed: int, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Two series of which the second does `lag` hours later what the first did."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=HOURS.size)
    return x, np.roll(x, lag) + noise * rng.normal(size=HOURS.size)


@given(gappy, gappy)
def test_every_correlation_is_that_of_scipy_over_the_known_pairs(
    x: np.ndarray, y: np.ndarray
) -> None:
    r, n = cross_correlation(x, y, 4)
    for lag in range(-4, 5):
        pairs = [
            (x[t], y[t + lag])
            for t in range(60)
            if 0 <= t + lag < 60 and not np.isnan(x[t]) and not np.isnan(y[t + lag])
        ]
        assert n[lag + 4] == len(pairs)
        found = r[lag + 4]
        assert np.isnan(found) or -1 <= found <= 1
        if len(pairs) > 1 and min(np.std(side) for side in zip(*pairs, strict=True)) > 1e-3:
            expected = scipy.stats.pearsonr(*zip(*pairs, strict=True))[0]
            assert found == pytest.approx(expected, abs=1e-9)


def test_the_lag_is_the_one_that_scipy_and_numpy_find() -> None:
    for lag in (-9, -2, 0, 1, 7, 12):
        x, y = shifted(lag, seed=lag + 50)
        found = lead_lag(x, y, HOURS)
        a, b = deseasonalised(x, HOURS), deseasonalised(y, HOURS)
        lags = scipy.signal.correlation_lags(b.size, a.size)
        near = np.abs(lags) <= 12
        by_scipy = lags[near][np.abs(scipy.signal.correlate(b, a)[near]).argmax()]
        by_numpy = lags[near][np.abs(np.correlate(b, a, mode="full")[near]).argmax()]
        assert found.lag_h == by_scipy == by_numpy == lag
        assert found.relation == ("LEADS" if lag > 0 else "FOLLOWS" if lag < 0 else "TOGETHER")
        assert abs(found.correlation) > found.band
        assert found.p_value < 0.05


@given(st.lists(st.tuples(st.integers(-99, 99), st.none() | st.integers(-99, 99)), max_size=30))
def test_what_an_hour_of_the_day_usually_does_is_taken_from_every_value(
    rows: list[tuple[int, int | None]],
) -> None:
    means = {}
    for hour in range(24):
        known = [v for at, v in rows if at % 24 == hour and v is not None]
        means[hour] = statistics.fmean(known) if known else math.nan
    hours = [at for at, _ in rows]

    freed = deseasonalised([value for _, value in rows], hours)

    assert freed.tolist() == pytest.approx(
        [math.nan if v is None else v - means[at % 24] for at, v in rows], nan_ok=True, abs=1e-9
    )
    # What has no rhythm keeps none, and a rhythm on top of it changes nothing.
    np.testing.assert_allclose(deseasonalised(freed, hours), freed, atol=1e-9)
    rhythm = freed + [7.0 * (at % 24) for at in hours]
    np.testing.assert_allclose(deseasonalised(rhythm, hours), freed, atol=1e-9)


def test_what_runs_ahead_one_way_runs_behind_the_other() -> None:
    x, y = shifted(4, seed=1)
    there, back = lead_lag(x, y, HOURS), lead_lag(y, x, HOURS)
    assert (there.lag_h, back.lag_h) == (4, -4)
    assert there.correlation == pytest.approx(back.correlation)


def test_an_opposite_answer_is_a_link_too() -> None:
    x, y = shifted(3, seed=2)
    found = lead_lag(x, -y, HOURS)
    assert (found.relation, found.lag_h) == ("LEADS", 3)
    assert found.correlation < 0


def test_series_that_are_not_linked_pass_the_band_one_time_in_twenty() -> None:
    rng = np.random.default_rng(9)

    def wandering() -> np.ndarray:
        # Remembers the hours before, as speeds do.
        return np.asarray(scipy.signal.lfilter([1.0], [1.0, -0.6], rng.normal(size=336)))

    linked = [
        lead_lag(wandering(), wandering(), HOURS, params=QUICK).relation != "NONE"
        for _ in range(150)
    ]
    assert 0.005 < np.mean(linked) < 0.10


def test_a_common_rhythm_of_the_day_is_no_link() -> None:
    rng = np.random.default_rng(10)
    rhythm = 3 * np.sin(HOURS * np.pi / 12)
    x, y = (rhythm + rng.normal(size=336) for _ in range(2))
    assert abs(scipy.stats.pearsonr(x, y)[0]) > 0.7
    assert lead_lag(x, y, HOURS).relation == "NONE"


def test_gaps_are_left_out_and_do_not_hide_a_lead() -> None:
    x, y = shifted(5, seed=3)
    rng = np.random.default_rng(3)
    x[rng.random(336) < 0.3] = np.nan
    y[rng.random(336) < 0.3] = np.nan
    found = lead_lag(x, y, HOURS)
    assert (found.relation, found.lag_h) == ("LEADS", 5)
    assert found.common == int((~np.isnan(x) & ~np.isnan(y)).sum()) < 200


def test_a_link_that_hangs_on_one_day_shows_in_the_lags_without_it() -> None:
    rng = np.random.default_rng(12)
    x, y = rng.normal(size=336), rng.normal(size=336)
    x[100], y[106] = 40.0, 40.0
    found = lead_lag(x, y, HOURS)
    assert found.lag_h == 6
    assert (found.lag_low_h, found.lag_high_h) != (6, 6)
    steady = lead_lag(*shifted(6, seed=12), HOURS)
    assert (steady.lag_low_h, steady.lag_high_h) == (6, 6)


@given(st.integers(0, 83))
@settings(max_examples=10)
def test_too_few_common_hours_are_unknown(known: int) -> None:
    x, y = shifted(2, seed=4)
    x[known:] = np.nan
    found = lead_lag(x, y, HOURS)
    assert (found.relation, found.lag_h, found.common) == ("UNKNOWN", None, known)
    assert np.isnan(found.correlation)


def test_the_changes_are_those_of_the_same_videos() -> None:
    hour = 3_600_000_000
    # Three videos run at 10 an hour throughout; a fast fourth one is seen from hour 3 on.
    rows = [(v, h, 10.0 * h) for v in range(3) for h in range(6)]
    rows += [(3, h, 5000.0 * h) for h in range(3, 6)]
    video, at, views = (np.array(part) for part in zip(*rows, strict=True))
    found, resolution = video_changes(video, at * hour, views, first_hour=0, n_hours=6)
    assert found[1:5].tolist() == pytest.approx([0.0] * 4)
    assert np.isnan(found[[0, 5]]).all()
    assert resolution == 1.0


def test_gaps_too_long_fallen_counters_and_hidden_views_are_unknown() -> None:
    hour = 3_600_000_000
    views = np.array([0.0, 10, 20, 15, 25, np.nan, 45, 145])
    at = np.array([0, 1, 2, 3, 4, 5, 6, 11]) * hour
    many = np.repeat(np.arange(3), 8)
    found, _ = video_changes(many, np.tile(at, 3), np.tile(views, 3), first_hour=0, n_hours=11)
    # 0 to 2 is known, then it fell, then 3 to 4 and, over the hidden one, 4 to 6; 6 to 11 is long.
    assert np.flatnonzero(~np.isnan(found)).tolist() == [1, 4, 5]
    assert found[[1, 4, 5]].tolist() == pytest.approx([0.0, 0.0, 0.0])


@pytest.mark.parametrize(("minute", "unknown"), [(0, [5, 6, 7]), (30, [6, 7, 8])])
def test_nothing_is_said_across_a_change_of_what_counts_as_a_view(
    minute: int, unknown: list[int]
) -> None:
    hour = 3_600_000_000
    changed = RegimeBreak(
        at=datetime.fromtimestamp(6 * 3600 + 60 * minute, UTC),
        name="doubled",
        affects="views",
        is_confirmed=True,
        note="Every view counts twice.",
    )
    # Crawls at ten minutes past every hour; from the change on everything counts twice.
    at = np.arange(12) * hour + hour // 6
    views = np.where(at >= round(changed.at.timestamp()) * 1_000_000, 20.0, 10.0) * np.arange(12.0)
    video, at, views = np.repeat(np.arange(3), 12), np.tile(at, 3), np.tile(views, 3)

    def found(*breaks: RegimeBreak) -> np.ndarray:
        params = LeadLagParams(breaks=breaks)
        return video_changes(video, at, views, first_hour=0, n_hours=12, params=params)[0]

    blind, seeing = found(), found(changed)
    assert np.abs(blind[unknown]).max() > 1.0
    assert np.flatnonzero(np.isnan(seeing) & ~np.isnan(blind)).tolist() == unknown
    assert np.abs(seeing[~np.isnan(seeing)]).max() < 1e-9
    # What changes formats changes no views.
    np.testing.assert_array_equal(found(replace(changed, affects="format")), blind)


def test_snapshots_on_the_hour_cost_one_hour_more_than_the_change_itself() -> None:
    hour = 3_600_000_000
    rows = [(v, h, 10.0 * h) for v in range(3) for h in range(12)]
    video, at, views = (np.array(part) for part in zip(*rows, strict=True))
    changed = replace(REGIME_BREAKS[-1], at=datetime.fromtimestamp(6 * 3600, UTC))
    params = LeadLagParams(breaks=(changed,))
    found, _ = video_changes(video, at * hour, views, first_hour=0, n_hours=11, params=params)
    # The hour before is not known to its end, nor is a change from or to it.
    assert np.flatnonzero(np.isnan(found)).tolist() == [0, 5, 6]


def frames(lag: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DatetimeIndex]:
    """Clips per hour of a game, and three videos whose speed follows them `lag` hours later."""
    rng = np.random.default_rng(seed)
    start = pd.Timestamp("2026-01-01T00:00Z")
    n = 15 * 24
    level = np.exp(rng.normal(3, 0.7, n))
    clips = pd.DataFrame(
        {
            "window_start": start + pd.to_timedelta(np.arange(n) // 4 * 4, unit="h"),
            "category": "minecraft",
            "hour_start": start + pd.to_timedelta(np.arange(n), unit="h"),
            "clip_count": np.floor(level).astype(int),
        }
    )
    videos = pd.concat(
        [
            pd.DataFrame(
                {
                    "category": "minecraft",
                    "video_id": f"v{number}",
                    "observed_at": start + pd.to_timedelta(np.arange(n + 1), unit="h"),
                    "views": np.append([0], np.cumsum(np.roll(100 * level, lag))).astype(int),
                }
            )
            for number in range(3)
        ]
    )
    return clips, videos, pd.DatetimeIndex([start + pd.Timedelta(days=15)])


def test_a_lead_of_clips_is_found_in_the_tables() -> None:
    clips, videos, as_of = frames(2, seed=6)
    found = clip_video_lead_lag(clips, videos, as_of=as_of).iloc[0]
    assert (found["relation"], found["lag_h"]) == ("LEADS", 2)
    assert (found["common_hours"], found["video_hours"], found["clip_hours"]) == (334, 334, 335)
    assert found["resolution_h"] == 1.0
    assert found["correlation"] > 0.9


def test_many_windows_at_once_are_each_alone_in_any_order_of_rows() -> None:
    clips, videos, as_of = frames(2, seed=7)
    as_of = pd.DatetimeIndex([as_of[0] - pd.Timedelta("4h"), as_of[0]])
    together = clip_video_lead_lag(clips, videos, as_of=as_of)
    alone = [
        clip_video_lead_lag(
            clips.sample(frac=1, random_state=1), videos.sample(frac=1, random_state=2), as_of=one
        )
        for one in (as_of[[0]], as_of[[1]])
    ]
    pd.testing.assert_frame_equal(together, pd.concat(alone, ignore_index=True), check_exact=True)


def test_of_two_windows_that_tell_of_an_hour_the_later_one_is_believed_once_it_is_over() -> None:
    clips, videos, as_of = frames(2, seed=8)
    wrong = clips.assign(
        window_start=clips["window_start"] - pd.Timedelta("4h"),
        clip_count=np.random.default_rng(1).integers(0, 99, len(clips)),
    )
    later = wrong.assign(window_start=as_of[0])
    expected = clip_video_lead_lag(clips, videos, as_of=as_of)
    found = clip_video_lead_lag(pd.concat([wrong, later, clips]), videos, as_of=as_of)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_a_game_that_one_side_does_not_know_is_unknown() -> None:
    clips, videos, as_of = frames(2, seed=6)
    found = clip_video_lead_lag(clips, videos.assign(category="apex"), as_of=as_of)
    assert found["category"].tolist() == ["apex", "minecraft"]
    assert found["relation"].tolist() == ["UNKNOWN", "UNKNOWN"]
    assert found["lag_h"].isna().all()


def test_wrong_input_is_refused_with_the_mend() -> None:
    clips, videos, as_of = frames(2, seed=6)
    with pytest.raises(InvalidInputError, match="no column 'hour_start'"):
        clip_video_lead_lag(clips.drop(columns="hour_start"), videos, as_of=as_of)
    with pytest.raises(InvalidInputError, match="holds -1"):
        clip_video_lead_lag(clips.assign(clip_count=-1), videos, as_of=as_of)
    with pytest.raises(InvalidInputError, match="do not fit together"):
        cross_correlation([1.0, 2.0], [1.0], 1)


@pytest.mark.skipif(not SERIES.is_file(), reason=f"no series at {SERIES}")
def test_golden_streams_and_spectators_of_a_real_audience() -> None:
    series = pd.read_csv(SERIES, parse_dates=["ts"]).set_index("ts")
    hourly = series.resample("1h").mean().apply(np.log1p).diff().iloc[1:]
    hours = np.asarray(hourly.index.as_unit("us").asi8) // 3_600_000_000
    found = lead_lag(hourly["streams_online"], hourly["spectators_online"], hours)
    assert (
        found.relation,
        found.lag_h,
        (found.lag_low_h, found.lag_high_h),
        round(found.correlation, 6),
        round(found.band, 6),
        round(found.p_value, 6),
        found.common,
    ) == GOLDEN


GOLDEN = ("TOGETHER", 0, (0, 0), 0.400612, 0.279753, 0.005988, 210)


@given(st.lists(st.none() | st.integers(0, 500), max_size=30))
def test_changes_of_clips_are_ratios_hour_by_hour(counts: list[int | None]) -> None:
    found = clip_changes(np.array([np.nan if n is None else n for n in counts], dtype=float))
    assert len(found) == len(counts)
    for hour, (before, now) in enumerate(pairwise(counts), start=1):
        if before is None or now is None:
            assert np.isnan(found[hour])
        else:
            assert np.exp(found[hour]) == pytest.approx((1 + now) / (1 + before), rel=1e-12)
    assert np.isnan(found[:1]).all()


def _hour_by_hour(
    shots: list[dict[int, float | None]], n_hours: int, longest_h: float, fewest: int
) -> list[float | None]:
    """Reckon the changes of an hour in a loop over its videos and their snapshots."""
    speeds: list[list[float | None]] = []
    for shot in shots:
        known = sorted((at / 2, views) for at, views in shot.items() if views is not None)
        steps = list(pairwise(known))
        own: list[float | None] = []
        for hour in range(n_hours):
            gained = covered = 0.0
            for (start, low), (end, high) in steps:
                overlap = min(end, hour + 1) - max(start, hour)
                if overlap > 0 and end - start <= longest_h and high >= low:
                    gained += (high - low) / (end - start) * overlap
                    covered += overlap
            own.append(gained if covered == 1.0 else None)
        speeds.append(own)
    found: list[float | None] = [None]
    for hour in range(1, n_hours):
        changes = [
            math.log1p(now) - math.log1p(before)
            for own in speeds
            if (now := own[hour]) is not None and (before := own[hour - 1]) is not None
        ]
        found.append(statistics.median(changes) if len(changes) >= fewest else None)
    return found


@given(
    st.lists(
        st.dictionaries(st.integers(0, 16), st.none() | st.integers(0, 900), max_size=12),
        min_size=1,
        max_size=6,
    ),
    st.integers(0, 5),
)
def test_the_changes_of_videos_are_those_of_an_hour_by_hour_reckoning(
    shots: list[dict[int, float | None]], seed: int
) -> None:
    rows = [(v, at, views) for v, shot in enumerate(shots) for at, views in shot.items()]
    order = np.random.default_rng(seed).permutation(len(rows))
    video = np.array([row[0] for row in rows], dtype=np.int64)
    at = np.array([row[1] for row in rows], dtype=np.int64) * 1_800_000_000
    views = np.array([np.nan if row[2] is None else row[2] for row in rows], dtype=np.float64)

    found, resolution = video_changes(
        video[order], at[order], views[order], first_hour=0, n_hours=8
    )

    expected = _hour_by_hour(shots, 8, longest_h=3.0, fewest=3)
    assert found.tolist() == pytest.approx(
        [math.nan if change is None else change for change in expected], nan_ok=True, abs=1e-9
    )
    assert math.isnan(resolution) or 0.5 <= resolution <= 3.0
