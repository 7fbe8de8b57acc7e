from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.special
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from aurastream.core.category_stats import category_stats
from aurastream.core.errors import InvalidInputError
from aurastream.core.formats import RegimeBreak
from aurastream.core.momentum import MomentumParams, momentum, momentum_scores
from aurastream.core.velocity import video_velocity

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "youtube_trending"
CHARTS = DATA / "charts_8c_2025-12-10_2026-04-30.parquet"
START = pd.Timestamp("2026-01-01T00:00Z")
some_z = st.floats(-4, 4) | st.just(float("nan"))


def grid(n: int) -> pd.DatetimeIndex:
    return pd.date_range(START, periods=n, freq="30min")


def stats(values: Any, category: str = "minecraft") -> pd.DataFrame:
    return pd.DataFrame(
        {"window_start": grid(len(values)), "category": category, "velocity_p50": values}
    )


def chances(values: Any, category: str = "minecraft", confidence: float = 80.0) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "window_start": grid(len(values)),
            "category": category,
            "viral_count": values,
            "opportunity_score": 50.0,
            "confidence_pct": confidence,
        }
    )


def rivals(values: Any, category: str = "minecraft") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "window_start": grid(len(values)),
            "category": category,
            "observed_at": grid(len(values)),
            "viewer_total": values,
        }
    )


def walk(seed: int, n: int = 16 * 48) -> np.ndarray:
    rng = np.random.default_rng(seed)
    daily = 2 + np.sin(np.arange(n) * np.pi / 24)
    return np.round(500 * daily * np.exp(rng.normal(0, 0.2, n)))


NOTHING = pd.DataFrame()
LAST = grid(16 * 48)[-1:] + pd.Timedelta("30min")


@given(st.tuples(some_z, some_z, some_z), st.tuples(some_z, some_z, some_z))
def test_the_score_lies_between_0_and_100_and_never_falls_when_a_signal_grows(
    one: tuple[float, ...], other: tuple[float, ...]
) -> None:
    low = [a if np.isnan(b) else min(a, b) for a, b in zip(one, other, strict=True)]
    high = [a if np.isnan(b) else max(a, b) for a, b in zip(one, other, strict=True)]
    less, more = momentum_scores(low)[0], momentum_scores(high)[0]
    if all(np.isnan(low) == np.isnan(high)) and not np.isnan(less):
        assert 0 <= less <= more <= 100
    known = momentum_scores(one)[2]
    assert known == pytest.approx(
        sum(w for w, z in zip((0.5, 0.25, 0.25), one, strict=True) if not np.isnan(z))
    )
    assert np.isnan(momentum_scores(one)[0]) == (known == 0)


@given(st.tuples(some_z, some_z, some_z))
def test_the_score_is_the_logistic_function_of_the_weighted_mean_of_what_is_known(
    z: tuple[float, ...],
) -> None:
    known = [(w, v) for w, v in zip((2, 1, 1), z, strict=True) if not np.isnan(v)]
    mean = sum(w * v for w, v in known) / sum(w for w, _ in known) if known else np.nan
    # 50 + 50 tanh(x / 2) is 100 times the logistic function.
    score, found, _ = (part.tolist() for part in momentum_scores(z))
    assert found == pytest.approx(mean, nan_ok=True)
    assert score == pytest.approx(100 * scipy.special.expit(mean), nan_ok=True)


def test_z_is_the_change_against_scipys_median_and_mad_of_the_fortnight_before() -> None:
    speed, hot, crowd = walk(1), np.random.default_rng(2).integers(0, 9, 768), walk(3)
    found = momentum(stats(speed), chances(hot), rivals(crowd), as_of=LAST).iloc[0]
    for name, values, floor in (
        ("velocity", speed, 0.05),
        ("viral", hot, 0.10),
        ("viewers", crowd, 0.05),
    ):
        level = np.log1p(values.astype(float))
        changes = level[48:] - level[:-48]
        before, now = changes[-673:-1], changes[-1]
        spread = scipy.stats.median_abs_deviation(before, scale=1 / 1.4826)
        z = np.clip((now - np.median(before)) / max(spread, floor), -4, 4)
        assert found[f"{name}_change"] == pytest.approx(now)
        assert found[f"{name}_z"] == pytest.approx(z)
    mean = 0.5 * found["velocity_z"] + 0.25 * found["viral_z"] + 0.25 * found["viewers_z"]
    assert found["momentum_score"] == pytest.approx(50 + 50 * np.tanh(mean / 2))
    assert found["confidence_pct"] == pytest.approx(80.0)


def test_the_rhythm_of_the_day_is_no_momentum() -> None:
    rhythm = np.round(1000 * (2 + np.sin(np.arange(768) * np.pi / 24)))
    ends = grid(768)[-48:] + pd.Timedelta("30min")
    found = momentum(stats(rhythm), NOTHING, NOTHING, as_of=ends)
    assert found["momentum_score"].tolist() == [50.0] * 48
    assert set(found["direction"]) == {"STEADY"}


@pytest.mark.parametrize(
    ("factor", "direction"), [(3.0, "GAINING"), (1.0, "STEADY"), (0.3, "LOSING")]
)
def test_the_direction_is_that_of_the_change(factor: float, direction: str) -> None:
    speed = np.full(768, 1000.0)
    speed[-1] *= factor
    found = momentum(stats(speed), NOTHING, NOTHING, as_of=LAST).iloc[0]
    assert found["direction"] == direction


def test_a_category_that_always_jumps_does_not_gain_by_jumping() -> None:
    rng = np.random.default_rng(5)
    wild = np.exp(rng.normal(6, 1, 768))
    calm = np.exp(rng.normal(6, 0.1, 768))
    wild[[-49, -1]], calm[[-49, -1]] = (400.0, 800.0), (400.0, 800.0)
    rows = pd.concat([stats(wild, "wild"), stats(calm, "calm")])
    found = momentum(rows, NOTHING, NOTHING, as_of=LAST).set_index("category")
    assert found.loc["wild", "velocity_change"] == found.loc["calm", "velocity_change"]
    assert found.loc["wild", "velocity_z"] < 1 < found.loc["calm", "velocity_z"]
    assert found["direction"].to_dict() == {"calm": "GAINING", "wild": "STEADY"}


def test_what_is_unknown_says_nothing_and_lowers_the_confidence() -> None:
    speed = stats(walk(1))
    chart = momentum(speed, chances(np.full(768, 4)), NOTHING, as_of=LAST).iloc[0]
    assert np.isnan(chart["viewers_z"])
    assert chart["confidence_pct"] == pytest.approx(80 * 0.75)
    few = chances(np.full(768, 4)).assign(opportunity_score=np.nan)
    assert np.isnan(momentum(speed, few, NOTHING, as_of=LAST).iloc[0]["viral_z"])
    unseen = rivals(np.full(768, 0)).assign(observed_at=pd.NaT)
    unseen["observed_at"] = unseen["observed_at"].dt.tz_localize("UTC")
    assert np.isnan(momentum(speed, NOTHING, unseen, as_of=LAST).iloc[0]["viewers_z"])


def test_other_videos_of_a_game_than_the_day_before_are_no_change_of_the_game() -> None:
    speed = np.full(768, 1000.0)
    speed[-1] = 50.0
    rows = stats(speed), chances(np.full(768, 4)), rivals(walk(5))

    def seen(share: float) -> pd.DataFrame:
        last = LAST - pd.Timedelta("30min")
        return pd.DataFrame(
            {
                "window_start": last,
                "category": ["minecraft"],
                "same_share": share,
            }
        )

    broken = momentum(*rows, seen(0.49), as_of=LAST).iloc[0]
    assert broken[["velocity_change", "velocity_z", "viral_z"]].isna().all()
    assert broken["confidence_pct"] == pytest.approx(80 * 0.25)
    for share in (seen(0.5), None):
        assert momentum(*rows, share, as_of=LAST).iloc[0]["velocity_z"] == -4.0


def test_a_change_of_source_is_none_of_the_usual_changes() -> None:
    values = np.where(np.arange(5 * 48) < 96, 100.0, 900.0)
    rows, ends = stats(values), grid(5 * 48 + 1)[1:]
    broken = pd.DatetimeIndex([START + timedelta(days=2)])

    def told(**said: pd.DatetimeIndex) -> pd.DataFrame:
        return momentum(rows, NOTHING, NOTHING, as_of=ends, **said)

    found = told(broken=broken)
    day, later = slice(96, 144), slice(144, None)
    assert told()["velocity_change"].iloc[day].gt(2).all()
    assert found["velocity_change"].iloc[day].isna().all()
    assert found["velocity_change"].iloc[later].eq(0).all()
    assert found["changes_n"].iloc[144] == 48
    # One at a time they are the same as all at once.
    alone = momentum(rows.iloc[:170], NOTHING, NOTHING, as_of=ends[169:170], broken=broken)
    pd.testing.assert_frame_equal(alone, found.iloc[169:170].reset_index(drop=True))


def test_for_a_day_after_a_change_of_what_counts_as_a_view_velocities_do_not_compare() -> None:
    change = RegimeBreak(
        at=START.to_pydatetime() + timedelta(days=15),
        name="x",
        affects="views",
        is_confirmed=True,
        note="",
    )
    at = 15 * 48
    values = np.where(np.arange(17 * 48) < at, 100.0, 900.0)
    rows, ends = stats(values), grid(17 * 48 + 1)[1:]

    def told(*breaks: RegimeBreak) -> pd.DataFrame:
        return momentum(
            rows, chances(np.full(17 * 48, 3)), NOTHING, as_of=ends,
            params=MomentumParams(breaks=breaks),
        )  # fmt: skip

    found = told(change)
    day = slice(at, at + 48)
    assert told()["direction"].iloc[day].eq("GAINING").all()
    assert found["velocity_change"].iloc[day].isna().all()
    assert found["direction"].iloc[day].eq("STEADY").all()
    # What was true of the days around it stays, and nothing of the change is in their past.
    for around in (slice(at - 48, at), slice(at + 48, None)):
        assert (found["velocity_change"].iloc[around] == 0.0).all()
        assert found["direction"].iloc[around].eq("STEADY").all()
    only_format = replace(change, affects="format")
    pd.testing.assert_frame_equal(told(only_format), told())


def test_two_days_are_needed_and_a_week_is_sure() -> None:
    for windows, score_known, share in ((96, False, 0), (97, True, 48 / 336), (385, True, 1.0)):
        end = grid(windows)[-1:] + pd.Timedelta("30min")
        rows = stats(walk(1)[:windows]), chances(np.full(windows, 4))
        found = momentum(*rows, NOTHING, as_of=end).iloc[0]
        assert np.isnan(found["momentum_score"]) != score_known
        assert (found["direction"] == "UNKNOWN") != score_known
        assert found["confidence_pct"] == pytest.approx(80 * 0.75 * share)


def test_many_windows_at_once_are_each_alone_in_any_order_of_rows() -> None:
    rows = (
        pd.concat([stats(walk(1)), stats(walk(2)[:700], "apex")]),
        pd.concat([chances(walk(3)), chances(walk(4), "apex")]),
        rivals(walk(5)),
    )
    ends = grid(768)[-90:] + pd.Timedelta("30min")
    together = momentum(*rows, as_of=ends)
    alone = [momentum(*rows, as_of=ends[[i]]) for i in range(90)]
    pd.testing.assert_frame_equal(together, pd.concat(alone, ignore_index=True), check_exact=True)
    shuffled = [part.sample(frac=1, random_state=1) for part in rows]
    pd.testing.assert_frame_equal(momentum(*shuffled, as_of=ends), together, check_exact=True)
    assert (together["category"] == "apex").sum() == 700 - (768 - 90)


def test_wrong_input_is_refused_with_the_mend() -> None:
    with pytest.raises(InvalidInputError, match="holds -1"):
        momentum(stats([-1.0] * 3), NOTHING, NOTHING, as_of=LAST)
    with pytest.raises(InvalidInputError, match="no column 'velocity_p50'"):
        momentum(stats([1.0]).drop(columns="velocity_p50"), NOTHING, NOTHING, as_of=LAST)
    with pytest.raises(InvalidInputError, match="sum to 1"):
        MomentumParams(weights=(0.5, 0.5, 0.5))
    with pytest.raises(InvalidInputError, match="whole windows"):
        MomentumParams(against=timedelta(minutes=45))


@pytest.mark.skipif(not CHARTS.is_file(), reason=f"no archive at {CHARTS}")
def test_golden_momentum_of_real_charts() -> None:
    rows = pd.read_parquet(CHARTS)
    rows = rows[rows["snapshot_date"].between("2026-02-10", "2026-03-03")]
    rows["crawl_at"] = rows.groupby("snapshot_date")["fetched_at"].transform("min")
    for column in ("views", "likes", "comments"):  # 0 means missing in this archive
        rows[column] = rows[column].astype("Int64").mask(rows[column] == 0)
    rows = rows.assign(
        observed_at=rows["fetched_at"],
        first_observed_at=rows["fetched_at"],
        region=rows["country"],
        rank=rows["chart_rank"],
        metadata_hash=rows["video_id"] + rows["title"] + rows["published_at"].astype(str),
    )
    charts = pd.concat(
        [
            rows[rows["category_id"] == "20"].assign(chart="gaming"),
            rows[rows["category_id"] == "10"].assign(chart="music"),
        ]
    )
    as_of = pd.DatetimeIndex([f"{day}T08:00Z" for day in sorted(rows["snapshot_date"].unique())])
    velocity = video_velocity(charts, NOTHING, rows, as_of=as_of)
    daily = MomentumParams(
        window=timedelta(days=1),
        against=timedelta(days=1),
        history=timedelta(days=14),
        min_changes=7,
        full_changes=14,
    )
    levels = category_stats(velocity, default_baselines={})
    # A day is named by its start here, as a half hour is elsewhere.
    levels["window_start"] += pd.Timedelta("30min") - pd.Timedelta("1D")
    found = momentum(levels, NOTHING, NOTHING, as_of=as_of, params=daily)
    assert [
        [f"{r.window_start:%m-%d}", r.category, r.direction]
        + [round(v, 6) for v in (r.velocity_change, r.velocity_z, r.momentum_score)]
        for r in found.tail(4).itertuples()
    ] == GOLDEN
    assert found["direction"].value_counts().to_dict() == GOLDEN_DIRECTIONS


GOLDEN = [
    ["03-01", "gaming", "STEADY", -0.231863, -0.866726, 29.593611],
    ["03-01", "music", "STEADY", -0.016745, -0.096828, 47.581197],
    ["03-02", "gaming", "STEADY", 0.131139, 0.540879, 63.201693],
    ["03-02", "music", "STEADY", -0.04344, -0.276819, 43.123379],
]
GOLDEN_DIRECTIONS = {"STEADY": 22, "UNKNOWN": 16, "GAINING": 5, "LOSING": 1}
