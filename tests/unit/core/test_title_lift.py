"""Lift of title patterns, against a regression with one dummy per cohort."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from aurastream.core.errors import InvalidInputError
from aurastream.core.title_features import PATTERNS, title_features, title_patterns
from aurastream.core.title_lift import (
    TITLE_LIFT_SCHEMA,
    TitleLiftParams,
    adjusted_p_values,
    title_lift,
)

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "youtube_trending"
CHARTS = DATA / "charts_8c_2025-12-10_2026-04-30.parquet"
NOW = "2026-03-01T10:00Z"
P = ["emoji"]


def videos(n: int, seed: int = 1, effect: float = 0.0, channels: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.choice([3.0, 12.0, 30.0, 100.0], n)
    rank = rng.integers(1, 60, n)
    emoji = rng.random(n) < 1 / (1 + age / 20)  # young videos have more of them
    channel = rng.integers(0, channels, n)
    level = 9 - 0.5 * np.log(age) - 0.02 * rank + 0.4 * rng.standard_normal(channels)[channel]
    return pd.DataFrame(
        {
            "window_start": pd.Timestamp(NOW),
            "category": rng.choice(["a", "b"], n),
            "channel_id": [f"c{c}" for c in channel],
            "age_h": age,
            "best_rank": rank,
            "lifetime_velocity_per_hour": np.exp(
                level + effect * emoji + 0.6 * rng.standard_normal(n)
            ),
            "emoji": emoji,
        }
    )


def regression(frame: pd.DataFrame, params: TitleLiftParams) -> dict[str, float]:
    """Ordinary least squares with dummies, errors by leaving out a channel at a time."""
    age = np.digitize(frame["age_h"], params.age_bands_h)
    cohort = pd.Series(age * 10 + np.digitize(frame["best_rank"], params.rank_bands)).to_numpy()
    x = frame["emoji"].to_numpy(float)
    mixed = pd.Series(x).groupby(cohort).transform("nunique").to_numpy() == 2
    x, cohort, frame = x[mixed], cohort[mixed], frame[mixed]
    y = np.log(frame["lifetime_velocity_per_hour"].to_numpy())
    design = np.column_stack([x, *(cohort == c for c in np.unique(cohort))]).astype(float)
    beta = np.linalg.lstsq(design, y, rcond=None)[0]
    channels = frame["channel_id"].to_numpy()
    g = len(set(channels))
    without = [
        np.linalg.lstsq(design[channels != channel], y[channels != channel], rcond=None)[0][0]
        for channel in sorted(set(channels))
    ]
    se = float(np.sqrt((g - 1) / g * np.sum((np.array(without) - beta[0]) ** 2)))
    t = scipy.stats.t(g - 1)
    return {
        "lift": float(np.exp(beta[0])),
        "ci_low": float(np.exp(beta[0] - t.ppf(0.975) * se)),
        "ci_high": float(np.exp(beta[0] + t.ppf(0.975) * se)),
        "p_value": float(2 * t.sf(abs(beta[0]) / se)),
        "with_count": float(x.sum()),
        "cohort_count": float(len(np.unique(cohort))),
        "cluster_count": float(g),
    }


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_regression_with_dummies_gives_the_same(seed: int) -> None:
    frame = videos(700, seed, effect=0.2)
    found = title_lift(frame, patterns=P).set_index("category")
    for category, own in frame.groupby("category"):
        expected = regression(own.reset_index(drop=True), TitleLiftParams())
        got = found.loc[str(category)]
        assert got["lift"] == pytest.approx(expected.pop("lift"), rel=1e-9)
        for name, value in expected.items():
            assert got[name] == pytest.approx(value, rel=2e-3, abs=1e-6)


def test_age_does_not_pass_for_an_effect_of_the_pattern() -> None:
    frame = videos(6000, effect=0.0, channels=3000).assign(category="a")
    row = title_lift(frame, patterns=P).iloc[0]
    logs = np.log(frame["lifetime_velocity_per_hour"]).groupby(frame["emoji"]).mean()
    assert np.exp(logs[True] - logs[False]) > 1.25  # what a plain comparison would claim
    assert 0.93 < row["lift"] < 1.07
    assert row["ci_low"] < row["lift"] < row["ci_high"]


def test_a_real_effect_is_found() -> None:
    row = title_lift(videos(3000, effect=0.5).assign(category="a"), patterns=P).iloc[0]
    assert row["ci_low"] < np.exp(0.5) < row["ci_high"]
    assert row["verdict"] == "FASTER"


def test_chance_is_rarely_called_a_find() -> None:
    rng = np.random.default_rng(7)
    frame = videos(1500, channels=200).assign(category="a")
    names = [f"p{i}" for i in range(60)]
    noise = pd.DataFrame(rng.random((len(frame), 60)) < 0.3, columns=names)
    found = title_lift(pd.concat([frame, noise], axis=1), patterns=names)
    assert (found["p_value"] <= 0.05).sum() <= 9
    assert (found["verdict"] == "UNCLEAR").sum() >= 58


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b"]),
            st.none() | st.floats(0, 1e9),
            st.none() | st.sampled_from([1.0, 30.0]),
            st.booleans(),
            st.none() | st.sampled_from(["x", "y", "z", "w"]),
        ),
        max_size=30,
    )
)
def test_any_rows_give_intervals_around_the_lift(rows: list[tuple[Any, ...]]) -> None:
    frame = pd.DataFrame(
        {
            "window_start": pd.DatetimeIndex([NOW] * len(rows)).as_unit("us"),
            "category": [r[0] for r in rows],
            "lifetime_velocity_per_hour": pd.array([r[1] for r in rows], dtype="Float64"),
            "age_h": pd.array([r[2] for r in rows], dtype="Float64"),
            "emoji": [r[3] for r in rows],
            "channel_id": [r[4] for r in rows],
        }
    )
    params = TitleLiftParams(min_each=2)
    found = title_lift(frame, patterns=P, params=params)
    assert {c: str(t) for c, t in found.dtypes.items()} == dict(TITLE_LIFT_SCHEMA)
    known = found.dropna(subset=["lift"])
    assert (known["ci_low"] <= known["lift"]).all()
    assert (known["lift"] <= known["ci_high"]).all()
    assert known["p_value"].between(0, 1).all()
    assert (known["q_value"] >= known["p_value"]).all()
    assert (known["with_count"] >= 2).all()
    assert (found["verdict"].eq("UNKNOWN") == found["lift"].isna()).all()
    swapped = title_lift(
        frame.assign(emoji=~frame["emoji"].astype(bool)), patterns=P, params=params
    )
    np.testing.assert_allclose(swapped["lift"], 1 / found["lift"], rtol=1e-9)
    shuffled = title_lift(frame.iloc[::-1], patterns=P, params=params)
    np.testing.assert_allclose(shuffled["lift"], found["lift"], rtol=1e-9)


@given(st.randoms(use_true_random=False), st.integers(0, 9))
def test_equal_speeds_and_unknown_channels_in_any_order_give_the_same_bits(random, seed) -> None:
    frame = videos(120, seed, channels=12).assign(
        caps=lambda f: f["best_rank"] % 3 == 0,
        channel_id=lambda f: f["channel_id"].where(f["channel_id"] > "c3"),
        lifetime_velocity_per_hour=lambda f: f["lifetime_velocity_per_hour"].round(-1) + 0.1,
    )
    order = list(range(len(frame)))
    random.shuffle(order)
    names = ["emoji", "caps"]
    pd.testing.assert_frame_equal(
        title_lift(frame.iloc[order], patterns=names),
        title_lift(frame, patterns=names),
        check_exact=True,
    )


@pytest.mark.parametrize("kind", [True, False])
def test_what_one_channel_alone_does_is_no_pattern_of_the_category(kind: bool) -> None:  # noqa: FBT001 # a case of the table
    frame = videos(200, effect=1.0)
    alone = frame.assign(channel_id=frame["channel_id"].where(frame["emoji"] != kind, "one"))
    found = title_lift(alone, patterns=P)
    assert (found[["with_count", "without_count"]] >= 10).all(axis=None)
    assert (found["cluster_count"] > 3).all()
    assert found["lift"].isna().all()
    assert set(found["verdict"]) == {"UNKNOWN"}


def test_groups_do_not_change_each_other() -> None:
    frame = videos(500)
    both = title_lift(frame, patterns=P)
    alone = title_lift(frame[frame["category"] == "b"], patterns=P)
    pd.testing.assert_frame_equal(
        both[both["category"] == "b"].reset_index(drop=True), alone, check_exact=True
    )


@pytest.mark.parametrize("n", [0, 1, 2, 19])
def test_too_few_videos_have_no_lift(n: int) -> None:
    found = title_lift(videos(19).head(n).assign(category="a"), patterns=P)
    assert set(found["verdict"]) <= {"UNKNOWN"}
    assert found["lift"].isna().all()


def test_all_same_titles_and_one_channel_have_no_lift() -> None:
    frame = videos(200).assign(category="a")
    same = title_patterns(title_features(["TOP 10 wins!"] * 200))
    found = title_lift(pd.concat([frame.drop(columns="emoji"), same], axis=1))
    assert found["pattern"].tolist() == list(PATTERNS)
    assert set(found["verdict"]) == {"UNKNOWN"}
    assert title_lift(frame.assign(channel_id="c"), patterns=P)["lift"].isna().all()


def test_subscribers_make_the_cohorts_where_they_are_known() -> None:
    frame = videos(800, effect=0.3).assign(category="a")
    sized = frame.assign(subscribers=np.where(frame.index < 400, 5e3, 5e6))
    assert title_lift(sized, patterns=P)["lift"][0] != title_lift(frame, patterns=P)["lift"][0]
    assert title_lift(sized, patterns=P)["cohort_count"][0] == 8


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_q_values_are_those_of_scipy(p: list[float]) -> None:
    expected = scipy.stats.false_discovery_control(p)
    np.testing.assert_allclose(adjusted_p_values(p), expected, rtol=1e-12)


def test_wrong_frames_are_refused_with_the_mend() -> None:
    frame = videos(5)
    with pytest.raises(InvalidInputError, match="no column 'emoji'"):
        title_lift(frame.drop(columns="emoji"), patterns=P)
    with pytest.raises(InvalidInputError, match="Column 'emoji' of the videos frame has missing"):
        title_lift(frame.assign(emoji=pd.array([True] * 4 + [None], dtype="boolean")), patterns=P)
    with pytest.raises(InvalidInputError, match="holds -3"):
        title_lift(frame.assign(age_h=-3.0), patterns=P)


@pytest.mark.skipif(not CHARTS.is_file(), reason=f"no archive at {CHARTS}")
def test_real_titles_give_a_lift_for_the_usual_patterns() -> None:
    rows = pd.read_parquet(CHARTS).drop_duplicates("video_id").head(6000)
    rows = rows[rows["views"] > 0].reset_index(drop=True)
    age = (rows["fetched_at"] - rows["published_at"]).dt.total_seconds() / 3600
    frame = rows.assign(
        window_start=pd.Timestamp(NOW),
        category="trending",
        age_h=age.clip(lower=0.5),
        best_rank=rows["chart_rank"],
    )
    frame["lifetime_velocity_per_hour"] = rows["views"] / frame["age_h"]
    shown = title_patterns(title_features(rows["title"]))
    found = title_lift(pd.concat([frame, shown], axis=1)).set_index("pattern")
    assert found["lift"].notna().sum() >= 20
    assert found["lift"].dropna().between(0.3, 3).all()
    assert found.loc["hook_official", "verdict"] in {"FASTER", "SLOWER", "UNCLEAR"}
