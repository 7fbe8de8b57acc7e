from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurastream.core.category_stats import category_stats
from aurastream.core.errors import InvalidInputError
from aurastream.core.opportunity import OpportunityParams, opportunity, opportunity_scores
from aurastream.core.viral import viral_scores
from tests.unit.core.families import FAMILIES, frames

Build = Callable[..., pd.DataFrame]
NOTHING = pd.DataFrame()
USUAL = {"velocity_ratio": 1.0, "ease": 50.0, "is_peak": False, "sample_count": 40}
parts = st.fixed_dictionaries(
    {
        "velocity_ratio": st.floats(0, 100) | st.just(float("nan")),
        "ease": st.floats(0, 100) | st.just(float("nan")),
        "is_peak": st.booleans(),
        "sample_count": st.integers(0, 200),
    }
)


def score(viral: int, rising: int, **facts: Any) -> float:
    return float(opportunity_scores(viral, rising, **(USUAL | facts)).score)


@given(st.integers(0, 500), st.integers(0, 500), parts)
def test_the_score_is_null_or_within_0_and_100(
    viral: int, rising: int, facts: dict[str, Any]
) -> None:
    found = opportunity_scores(viral, rising, **facts)
    assert np.isnan(found.score) == (facts["sample_count"] < 20)
    assert np.isnan(found.score) or 0 <= found.score <= 100
    for part in (found.trend, found.velocity, found.ease):
        assert 0 <= part <= 100


@given(st.integers(0, 10), st.integers(0, 10), st.floats(0, 4), st.floats(0, 100))
def test_more_of_a_good_thing_never_lowers_the_score(
    viral: int, rising: int, ratio: float, ease: float
) -> None:
    now = score(viral, rising, velocity_ratio=ratio, ease=ease)
    assert score(viral + 1, rising, velocity_ratio=ratio, ease=ease) >= now
    assert score(viral, rising + 1, velocity_ratio=ratio, ease=ease) >= now
    assert score(viral, rising, velocity_ratio=ratio + 0.1, ease=ease) >= now
    assert score(viral, rising, velocity_ratio=ratio, ease=min(100.0, ease + 1)) >= now
    assert score(viral, rising, velocity_ratio=ratio, ease=ease, is_peak=True) <= now


@pytest.mark.parametrize(
    ("viral", "rising", "facts", "expected"),
    [
        (0, 0, {}, 0.3 * 50 + 0.3 * 50),
        (5, 0, {}, 40 + 30),
        (0, 10, {}, 40 + 30),
        (2, 1, {"velocity_ratio": 0.5}, 0.4 * 50 + 0.3 * 25 + 15),
        (9, 9, {"velocity_ratio": 9.0, "ease": 100.0}, 100.0),
        (9, 9, {"velocity_ratio": 9.0, "ease": 100.0, "is_peak": True}, 85.0),
        (0, 0, {"velocity_ratio": np.nan, "ease": np.nan}, 30.0),
    ],
)
def test_the_parts_weigh_40_30_and_30(
    viral: int, rising: int, facts: dict[str, Any], expected: float
) -> None:
    assert score(viral, rising, **facts) == pytest.approx(expected)


@given(
    st.tuples(st.integers(0, 30), st.integers(0, 30)),
    st.none() | st.fractions(0, 9, max_denominator=50),
    st.none() | st.fractions(0, 100, max_denominator=50),
    st.none() | st.booleans(),
    st.none() | st.integers(0, 60),
)
def test_the_score_is_the_weighted_mean_of_exact_fractions(
    counts: tuple[int, int],
    ratio: Fraction | None,
    ease: Fraction | None,
    is_peak: bool | None,  # noqa: FBT001 # drawn
    sample: int | None,
) -> None:
    viral, rising = counts
    trend = min(Fraction(100), 20 * (viral + Fraction(rising, 2)))
    speed = Fraction(50) if ratio is None else min(Fraction(100), 50 * ratio)
    easy = Fraction(50) if ease is None else ease
    factor = Fraction(85, 100) if is_peak else Fraction(1)
    score = (4 * trend + 3 * speed + 3 * easy) / 10 * factor

    found = opportunity_scores(
        viral,
        rising,
        velocity_ratio=None if ratio is None else float(ratio),
        ease=None if ease is None else float(ease),
        is_peak=is_peak,
        sample_count=sample,
    )

    parts = [found.trend, found.velocity, found.ease, found.factor, found.score]
    expected = [trend, speed, easy, factor, score if sample and sample >= 20 else np.nan]
    assert [float(part) for part in parts] == pytest.approx(
        [float(part) for part in expected], nan_ok=True
    )


GROUPS = st.fixed_dictionaries(
    {
        "samples": st.lists(
            st.tuples(
                st.sampled_from(["VIRAL", "RISING", "STABLE", "HOT", None]),
                st.none() | st.integers(0, 100),
                st.none() | st.integers(0, 40),
            ),
            max_size=6,
        ),
        "mean": st.none() | st.integers(0, 900),
        "baseline": st.sampled_from([0.0, 0.5, 1.0, 300.0]),
        "rival": st.none()
        | st.tuples(st.none() | st.integers(0, 100), st.booleans(), st.integers(0, 100)),
    }
)


@settings(max_examples=25)
@given(
    st.dictionaries(
        st.tuples(st.integers(0, 1), st.sampled_from(["a", "b"])), GROUPS, min_size=1, max_size=3
    ),
    st.integers(0, 99),
)
def test_every_category_is_scored_by_its_own_rows_alone(
    groups: dict[tuple[int, str], dict[str, Any]], seed: int
) -> None:
    start = pd.Timestamp("2026-01-10T10:00Z").as_unit("us")

    def rows(names: list[str], told: list[tuple[Any, ...]]) -> pd.DataFrame:
        frame = pd.DataFrame(told, columns=["hour", "category", *names], dtype=object)
        at = start + pd.to_timedelta(frame.pop("hour").astype("int64"), unit="h")
        return frame.assign(window_start=at).sample(frac=1, random_state=seed)

    viral = rows(
        ["trend_class", "confidence_pct", "sample_count"],
        [(*key, *row) for key, own in groups.items() for row in own["samples"]],
    )
    stats = rows(
        ["sample_count", "velocity_mean", "baseline_velocity_per_hour"],
        [(*key, 7, own["mean"], own["baseline"]) for key, own in groups.items()],
    )
    rivals = rows(
        ["ease_score", "is_peak", "confidence_pct"],
        [(*key, *own["rival"]) for key, own in groups.items() if own["rival"]],
    )

    found = opportunity(viral, stats, rivals)

    assert len(found) == len(groups)
    for key, line in zip(sorted(groups), found.to_dict("records"), strict=True):
        own = groups[key]
        classes = [name for name, *_ in own["samples"]]
        hot, rising = classes.count("VIRAL"), classes.count("RISING")
        sure = [value for _, value, _ in own["samples"] if value is not None]
        ease, is_peak, known = own["rival"] or (None, False, 0)
        ratio = None if own["mean"] is None else own["mean"] / max(own["baseline"], 1.0)
        trend = min(100.0, 20 * hot + 10 * rising)
        speed = 50.0 if ratio is None else min(100.0, 50 * ratio)
        easy = 50.0 if ease is None else ease
        score = (0.4 * trend + 0.3 * speed + 0.3 * easy) * (0.85 if is_peak else 1)
        is_known = max((n or 0 for *_, n in own["samples"]), default=0) >= 20
        confidence = sum(sure) / len(sure) if sure else 0.0
        assert (line.pop("window_start"), line.pop("category")) == (
            start + pd.Timedelta(hours=key[0]),
            key[1],
        )
        assert line == pytest.approx(
            {
                "viral_count": hot,
                "rising_count": rising,
                "sample_count": 7,
                "velocity_ratio": np.nan if ratio is None else ratio,
                "trend_part": trend,
                "velocity_part": speed,
                "ease_part": easy,
                "peak_factor": 0.85 if is_peak else 1.0,
                "opportunity_score": score if is_known else np.nan,
                "confidence_pct": confidence * (0.7 + 0.3 * known / 100),
            },
            nan_ok=True,
        )


def competition_row(**columns: Any) -> pd.DataFrame:
    row = {
        "window_start": pd.Timestamp("2026-01-10T10:00Z"),
        "category": "gaming",
        "ease_score": 80.0,
        "is_peak": True,
        "confidence_pct": 50.0,
    } | columns
    return pd.DataFrame([row]).astype({"window_start": "datetime64[us, UTC]"})


def chain(velocity: pd.DataFrame, rivals: pd.DataFrame = NOTHING) -> pd.DataFrame:
    stats = category_stats(velocity, default_baselines={})
    return opportunity(viral_scores(velocity, stats), stats, rivals)


def test_a_row_combines_videos_and_competition(velocity_rows: Build) -> None:
    rows = velocity_rows([float(i) for i in range(1, 41)], confidence=90.0)
    found = chain(rows, competition_row()).iloc[0]
    assert (found["viral_count"], found["rising_count"], found["sample_count"]) == (4, 6, 40)
    assert found["velocity_ratio"] == pytest.approx(1.0)
    assert found["trend_part"] == 100.0
    assert (found["ease_part"], found["peak_factor"]) == (80.0, 0.85)
    expected = (40 + 0.3 * found["velocity_part"] + 24) * 0.85
    assert found["opportunity_score"] == pytest.approx(expected)
    assert found["confidence_pct"] == pytest.approx(90 * (0.7 + 0.3 * 0.5))


def test_a_chart_without_twitch_is_neutral_in_ease_and_says_so(velocity_rows: Build) -> None:
    rows = velocity_rows([float(i) for i in range(1, 41)])
    found = chain(rows, competition_row(category="fortnite")).iloc[0]
    assert (found["ease_part"], found["peak_factor"]) == (50.0, 1.0)
    assert found["confidence_pct"] == pytest.approx(70.0)


def test_a_skewed_category_beats_its_own_baseline(velocity_rows: Build) -> None:
    even = chain(velocity_rows([float(i) for i in range(100, 140)])).iloc[0]
    skewed = chain(velocity_rows([float(1.1**i) for i in range(40)])).iloc[0]
    assert even["velocity_ratio"] == pytest.approx(1.0)
    assert skewed["velocity_ratio"] > 1.2


def test_few_velocities_give_parts_and_confidence_but_no_score(velocity_rows: Build) -> None:
    found = chain(velocity_rows([*map(float, range(19)), None, None])).iloc[0]
    assert found["sample_count"] == 21
    assert np.isnan(found["opportunity_score"])
    assert found["confidence_pct"] == pytest.approx(70 * 19 / 30)


def test_a_sample_that_is_not_known_is_none(velocity_rows: Build) -> None:
    rows = velocity_rows([*map(float, range(30))])
    stats = category_stats(rows, default_baselines={})
    viral = viral_scores(rows, stats)
    assert np.isnan(
        opportunity(viral.assign(sample_count=None), stats, NOTHING)["opportunity_score"].item()
    )


def test_a_class_of_another_name_counts_as_unknown(velocity_rows: Build) -> None:
    rows = velocity_rows([float(i) for i in range(1, 41)])
    stats = category_stats(rows, default_baselines={})
    viral = viral_scores(rows, stats)
    viral["trend_class"] = viral["trend_class"].replace({"VIRAL": "HOT", "RISING": None})
    found = opportunity(viral, stats, NOTHING).iloc[0]
    assert (found["viral_count"], found["rising_count"], found["trend_part"]) == (0, 0, 0.0)


def test_categories_and_windows_do_not_mix_and_order_does_not_matter(
    velocity_rows: Build,
) -> None:
    rng = np.random.default_rng(12)
    rows = pd.concat(
        [
            velocity_rows(list(rng.lognormal(5, 1, 30)), category=c, window=w, confidence=83.7)
            for c in ("b", "a")
            for w in ("2026-01-10T10:00", "2026-01-10T10:30")
        ]
    )
    together = chain(rows)
    assert together["category"].tolist() == ["a", "b", "a", "b"]
    alone = [chain(part) for _, part in rows.groupby(["window_start", "category"], sort=True)]
    pd.testing.assert_frame_equal(together, pd.concat(alone, ignore_index=True), check_exact=True)
    stats = category_stats(rows, default_baselines={})
    viral = viral_scores(rows, stats)
    shuffled = opportunity(
        viral.sample(frac=1, random_state=1), stats.sample(frac=1, random_state=2), NOTHING
    )
    pd.testing.assert_frame_equal(shuffled, together, check_exact=True)


@pytest.mark.parametrize(
    ("videos", "part"),
    [(20, 70.0), (21, 90.0), (24, 90.0), (25, 100.0), (26, 100.0), (27, 100.0), (400, 100.0)],
)
def test_from_25_distinct_velocities_on_the_trend_is_the_same_for_every_category(
    velocity_rows: Build, videos: int, part: float
) -> None:
    speeds = np.random.default_rng(videos).lognormal(5, 2, videos)
    assert chain(velocity_rows(list(speeds))).iloc[0]["trend_part"] == part


@given(st.lists(st.integers(-20, 120), min_size=2, max_size=2), st.sampled_from([0, 0, 0, 1]))
def test_weights_are_taken_where_none_is_below_zero_and_they_are_a_whole(
    pair: list[int], more: int
) -> None:
    weights = [*pair, 100 - sum(pair) + more]
    names = ("trend_weight", "velocity_weight", "ease_weight")
    told = {name: weight / 100 for name, weight in zip(names, weights, strict=True)}
    if min(weights) < 0 or more:
        with pytest.raises(InvalidInputError, match="sum to 1"):
            OpportunityParams(**told)
    else:
        found = opportunity_scores(
            0, 10, velocity_ratio=0.5, ease=0.0, is_peak=False, sample_count=20,
            params=OpportunityParams(**told),
        )  # fmt: skip
        assert found.score == pytest.approx(weights[0] + weights[1] / 4)


def test_wrong_frames_and_weights_are_refused(velocity_rows: Build) -> None:
    rows = velocity_rows([1.0, 2.0])
    stats = category_stats(rows, default_baselines={})
    viral = viral_scores(rows, stats)
    with pytest.raises(InvalidInputError, match="competition frame has no column 'is_peak'"):
        opportunity(viral, stats, competition_row().drop(columns="is_peak"))
    with pytest.raises(InvalidInputError, match="twice in one window"):
        opportunity(viral, pd.concat([stats, stats]), NOTHING)
    with pytest.raises(InvalidInputError, match="sum to 1"):
        OpportunityParams(trend_weight=0.9)


@pytest.mark.parametrize(
    ("counts", "facts"),
    [
        ((-3, 0), {}),
        ((0, -1), {}),
        ((np.nan, 0), {}),
        ((0, np.inf), {}),
        ((3, 0), {"velocity_ratio": -2.0}),
        ((3, 0), {"velocity_ratio": np.inf}),
        ((3, 0), {"ease": -0.1}),
        ((3, 0), {"ease": 100.1}),
    ],
)
def test_what_no_category_can_have_is_refused(
    counts: tuple[float, float], facts: dict[str, float]
) -> None:
    hot, rising = counts
    with pytest.raises(InvalidInputError, match=r"was passed|holds inf"):
        opportunity_scores([1, hot], [0, rising], **(USUAL | facts))


@pytest.mark.parametrize("column", ["ease_score", "confidence_pct"])
@pytest.mark.parametrize("value", [-1.0, 101.0, np.inf])
def test_percentages_of_rivals_out_of_range_are_refused_by_name(
    velocity_rows: Build, column: str, value: float
) -> None:
    with pytest.raises(InvalidInputError, match=f"'{column}' of the competition frame holds"):
        chain(velocity_rows([float(i) for i in range(1, 41)]), competition_row(**{column: value}))


def framed(rows: list[dict[str, Any]], columns: dict[str, list[Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["window_start", "category"]).assign(**columns)
    frame["window_start"] = pd.DatetimeIndex(frame["window_start"], tz="UTC")
    return frame


def by_the_book(
    viral: pd.DataFrame, stats: pd.DataFrame, rivals: pd.DataFrame
) -> list[dict[str, Any]]:
    """The formulas of docs/metrics.md, row by row."""
    found = []
    for row in sorted(stats.to_dict("records"), key=lambda r: (r["window_start"], r["category"])):

        def same(frame: pd.DataFrame, of: dict[str, Any] = row) -> list[dict[str, Any]]:
            return [
                r
                for r in frame.to_dict("records")
                if (r["window_start"], r["category"]) == (of["window_start"], of["category"])
            ]

        videos, rival = same(viral), (same(rivals) or [None])[0]
        hot = sum(v["trend_class"] == "VIRAL" for v in videos)
        rising = sum(v["trend_class"] == "RISING" for v in videos)
        ratio = row["velocity_mean"] / max(1.0, row["baseline_velocity_per_hour"])
        trend = min(100.0, (hot + 0.5 * rising) * 20.0)
        speed = 50.0 if np.isnan(ratio) else min(100.0, ratio * 50.0)
        ease = rival["ease_score"] if rival else float("nan")
        ease = 50.0 if np.isnan(ease) else ease
        peak = 0.85 if rival and rival["is_peak"] else 1.0
        enough = max((v["sample_count"] for v in videos), default=0) >= 20
        sure = [v["confidence_pct"] for v in videos if not np.isnan(v["confidence_pct"])]
        twitch = rival["confidence_pct"] if rival else 0.0
        found.append(
            {
                "viral_count": hot,
                "rising_count": rising,
                "sample_count": row["sample_count"],
                "velocity_ratio": ratio,
                "trend_part": trend,
                "velocity_part": speed,
                "ease_part": ease,
                "peak_factor": peak,
                "opportunity_score": (0.4 * trend + 0.3 * speed + 0.3 * ease) * peak
                if enough
                else float("nan"),
                "confidence_pct": (sum(sure) / len(sure) if sure else 0.0)
                * (0.7 + 0.3 * twitch / 100),
            }
        )
    return found


@pytest.mark.parametrize("seed", range(20))
def test_every_column_is_the_formula_that_the_metrics_page_gives(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cells = [
        {"window_start": pd.Timestamp("2026-01-10T10:00Z") + pd.Timedelta(hours=h), "category": c}
        for h in range(3)
        for c in ("gaming", "music", "roblox")
    ]

    def some(share: float) -> list[dict[str, Any]]:
        return [cell for cell in cells if rng.random() < share]

    def often(values: Any) -> list[float]:
        return np.where(rng.random(len(values)) < 0.2, np.nan, values).tolist()

    keys = some(0.9)
    stats = framed(
        keys,
        {
            "sample_count": rng.integers(0, 500, len(keys)).tolist(),
            "velocity_mean": often(rng.lognormal(6, 2, len(keys))),
            "baseline_velocity_per_hour": rng.lognormal(5, 3, len(keys)).tolist(),
        },
    )
    keys = [cells[i] for i in rng.integers(0, len(cells), rng.integers(0, 60))]
    names = ["VIRAL", "RISING", "STABLE", "FALLING", "UNKNOWN"]
    viral = framed(
        keys,
        {
            "trend_class": rng.choice(names, len(keys)).tolist(),
            "confidence_pct": often(rng.uniform(0, 100, len(keys))),
            "sample_count": rng.integers(15, 25, len(keys)).tolist(),
        },
    )
    keys = some(0.6)
    rivals = framed(
        keys,
        {
            "ease_score": often(rng.uniform(0, 100, len(keys))),
            "is_peak": (rng.random(len(keys)) < 0.5).tolist(),
            "confidence_pct": rng.uniform(0, 100, len(keys)).tolist(),
        },
    )
    found = opportunity(viral, stats, rivals)
    expected = pd.DataFrame(by_the_book(viral, stats, rivals), columns=found.columns[2:])
    for column in expected:
        np.testing.assert_allclose(
            found[column].astype("float64"),
            expected[column].astype("float64"),
            rtol=1e-12,
            atol=1e-12,
            err_msg=str(column),
        )


def test_real_charts_score_what_the_formula_of_the_metrics_page_gives() -> None:
    f = frames()
    found = FAMILIES["opportunity"](f)
    rivals = framed([], {"ease_score": [], "is_peak": [], "confidence_pct": []})
    expected = by_the_book(f["viral"], f["stats"], rivals)
    for column in ("opportunity_score", "confidence_pct", "velocity_ratio", "trend_part"):
        np.testing.assert_allclose(found[column], [row[column] for row in expected], rtol=1e-12)
