"""Scoring against plain loops and vectorised pandas, the category statistics given.

All three compute the same for every video: percentile scores of velocity, views and engagement,
trend class, z-score, confidence and decayed score; and for every category the opportunity score.
The loops are the sources' design: one function per score, called for one video after the other.
pandas joins the statistics and works on whole columns alone. Both start from arrays with category
numbers, as ours does.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core import kernels
from aurastream.core.kernels_numpy import RISING, VIRAL, GroupStatistics
from aurastream.core.opportunity import opportunity_scores
from benchmarks.core_category_stats import METRICS, interleaved, row, sample

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

FLOORS = (1.0, 1.0, 0.01)
MIN_SAMPLE = 20
FULL_SAMPLE = 30
STEPS = (0.0, 25.0, 50.0, 75.0, 90.0)


class Case:
    """A sample with its statistics, made once and handed to all three."""

    def __init__(self, n: int, n_groups: int) -> None:
        self.codes, self.metrics = sample(n, n_groups)
        self.n_groups = n_groups
        self.freshness = np.random.default_rng(7).choice([100.0, 93.3, 80.0, 41.5], n)
        self.stats: GroupStatistics = kernels.group_statistics(self.codes, n_groups, self.metrics)
        self.ease = np.random.default_rng(8).uniform(0, 100, n_groups)
        self.is_peak = np.random.default_rng(9).random(n_groups) < 0.4


def ours(case: Case) -> Any:  # noqa: ANN401 # values of the core
    """Score with the functions that the assets call."""
    stats = case.stats
    anchors = np.zeros((case.n_groups, len(METRICS), 5))
    anchors[:, :, 1:] = stats.percentiles.transpose(2, 1, 0)
    samples = stats.count[0]
    scored = kernels.score_rows(
        case.codes,
        case.metrics,
        anchors=anchors,
        floors=np.array(FLOORS),
        mean=stats.mean[0],
        std=stats.std[0],
        known=samples >= MIN_SAMPLE,
        sureness=np.minimum(1.0, samples / FULL_SAMPLE),
        freshness=case.freshness,
    )
    counts = kernels.class_counts(case.codes, scored.trend, case.n_groups)
    parts = opportunity_scores(
        counts[:, VIRAL],
        counts[:, RISING],
        velocity_ratio=stats.mean[0] / np.maximum(stats.baseline, 1.0),
        ease=case.ease,
        is_peak=case.is_peak,
        sample_count=samples,
    )
    return scored, parts.score


def _score(value: float, p: tuple[float, ...], floor: float) -> float:
    if math.isnan(value) or math.isnan(p[0]):
        return math.nan
    if value > p[3]:
        return 90.0 + min(10.0, 10.0 * (1 - math.exp(-(value - p[3]) / max(p[3], floor))))
    if p[0] == value == p[3]:
        return 50.0
    anchors = (0.0, *p)
    tied = [step for anchor, step in zip(anchors, STEPS, strict=True) if anchor == value]
    if tied:
        return (tied[0] + tied[-1]) / 2
    for i in range(4):
        if value < anchors[i + 1]:
            share = (value - anchors[i]) / (anchors[i + 1] - anchors[i])
            return STEPS[i] + share * (STEPS[i + 1] - STEPS[i])
    return math.nan


def _classify(value: float, p: tuple[float, ...], n: int) -> str:
    if n < MIN_SAMPLE or math.isnan(value):
        return "UNKNOWN"
    if p[0] == value == p[3]:
        return "STABLE"
    if value >= p[3]:
        return "VIRAL"
    if value >= p[2]:
        return "RISING"
    return "STABLE" if value >= p[0] else "FALLING"


def _z(value: float, mean: float, std: float) -> float:
    return 0.0 if std <= 0 else (value - mean) / std


def loops(case: Case) -> tuple[list[tuple[Any, ...]], list[float]]:
    """Score one video after the other, then one category after the other."""
    stats = case.stats
    table = [
        {
            "thresholds": [tuple(stats.percentiles[:, m, g].tolist()) for m in range(3)],
            "mean": float(stats.mean[0, g]),
            "std": float(stats.std[0, g]),
            "n": int(stats.count[0, g]),
            "baseline": float(stats.baseline[g]),
        }
        for g in range(case.n_groups)
    ]
    rows = []
    hot = [0] * case.n_groups
    warm = [0] * case.n_groups
    columns = (case.codes, *case.metrics, case.freshness)
    for code, velocity, views, engagement, freshness in zip(
        *(c.tolist() for c in columns), strict=True
    ):
        entry: dict[str, Any] = table[code]
        thresholds = entry["thresholds"]
        score = _score(velocity, thresholds[0], FLOORS[0])
        trend = _classify(velocity, thresholds[0], entry["n"])
        confidence = freshness * min(1.0, entry["n"] / FULL_SAMPLE)
        hot[code] += trend == "VIRAL"
        warm[code] += trend == "RISING"
        rows.append(
            (
                score,
                _score(views, thresholds[1], FLOORS[1]),
                _score(engagement, thresholds[2], FLOORS[2]),
                trend,
                _z(velocity, entry["mean"], entry["std"]),
                confidence,
                max(0.0, score * confidence / 100),
            )
        )
    chances = []
    for g, entry in enumerate(table):
        trend_part = min(100.0, (hot[g] + warm[g] * 0.5) * 20)
        speed = min(100.0, entry["mean"] / max(entry["baseline"], 1.0) * 50)
        chance = 0.4 * trend_part + 0.3 * speed + 0.3 * float(case.ease[g])
        chance *= 0.85 if case.is_peak[g] else 1.0
        chances.append(chance if entry["n"] >= MIN_SAMPLE else math.nan)
    return rows, chances


def _score_column(value: "pd.Series[float]", own: pd.DataFrame, floor: float) -> Any:  # noqa: ANN401 # an array
    p25, p50, p75, p90 = (own[p] for p in ("p25", "p50", "p75", "p90"))
    with np.errstate(all="ignore"):
        above = 90 + 10 * (1 - np.exp(-(value - p90) / p90.clip(lower=floor)))
        score = np.select(
            [value <= 0, value <= p25, value <= p50, value <= p75, value <= p90],
            [
                0.0,
                value / p25 * 25,
                25 + (value - p25) / (p50 - p25) * 25,
                50 + (value - p50) / (p75 - p50) * 25,
                75 + (value - p75) / (p90 - p75) * 15,
            ],
            above,
        )
    # Ties are rare: only those rows take the longer way.
    anchors = np.column_stack([np.zeros(len(value)), p25, p50, p75, p90])
    equal = anchors == value.to_numpy()[:, None]
    several = equal.sum(axis=1) > 1
    steps = np.array(STEPS)
    first = steps[equal[several].argmax(axis=1)]
    last = steps[4 - equal[several][:, ::-1].argmax(axis=1)]
    score[several] = (first + last) / 2
    score[(p25 == value) & (p90 == value)] = 50
    return np.where(value.isna() | p25.isna(), np.nan, score)


def with_pandas(case: Case) -> tuple[pd.DataFrame, "pd.Series[float]"]:
    """Score with whole-column operations."""
    stats = case.stats
    result = pd.DataFrame({"code": case.codes})
    for m, metric in enumerate(METRICS):
        table = pd.DataFrame(stats.percentiles[:, m].T, columns=["p25", "p50", "p75", "p90"])
        own = table.take(case.codes).reset_index(drop=True)
        value = pd.Series(case.metrics[m])
        result[metric] = _score_column(value, own, FLOORS[m])
        if m == 0:
            velocity, limits = value, own
    groups = pd.DataFrame(
        {
            "mean": stats.mean[0],
            "std": stats.std[0],
            "n": stats.count[0],
            "baseline": stats.baseline,
            "ease": case.ease,
            "factor": np.where(case.is_peak, 0.85, 1.0),
        }
    )
    own = groups[["mean", "std", "n"]].take(case.codes).reset_index(drop=True)
    result["trend"] = np.select(
        [
            (own["n"] < MIN_SAMPLE) | velocity.isna(),
            (velocity == limits["p25"]) & (velocity == limits["p90"]),
            velocity >= limits["p90"],
            velocity >= limits["p75"],
            velocity >= limits["p25"],
        ],
        [0, 2, 4, 3, 2],
        1,
    )
    result["z"] = ((velocity - own["mean"]) / own["std"]).where(own["std"] > 0, 0.0)
    result["confidence"] = case.freshness * (own["n"] / FULL_SAMPLE).clip(upper=1.0)
    result["decayed"] = result["velocity"] * result["confidence"] / 100
    counts = result.groupby(["code", "trend"]).size().unstack(fill_value=0)  # noqa: PD010 # counts
    counts = counts.reindex(index=groups.index, columns=range(5), fill_value=0)
    trend_part = ((counts[4] + 0.5 * counts[3]) * 20).clip(upper=100)
    speed = (groups["mean"] / groups["baseline"].clip(lower=1.0) * 50).clip(upper=100)
    chance = (0.4 * trend_part + 0.3 * speed + 0.3 * groups["ease"]) * groups["factor"]
    return result, chance.where(groups["n"] >= MIN_SAMPLE)


def check(case: Case) -> None:
    """Assert equal classes and agreement of all scores to 1e-9."""
    scored, chance = ours(case)
    frame, by_pandas = with_pandas(case)
    rows, by_loop = loops(case)
    names = ("UNKNOWN", "FALLING", "STABLE", "RISING", "VIRAL")
    assert (scored.trend == frame["trend"].to_numpy()).all()
    assert [names[t] for t in scored.trend.tolist()] == [r[3] for r in rows]
    numbers = np.array([[*r[:3], *r[4:]] for r in rows])
    mine = np.column_stack([*scored.scores, scored.z, scored.confidence, scored.decayed])
    columns = [*METRICS, "z", "confidence", "decayed"]
    np.testing.assert_allclose(mine, numbers, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(mine, frame[columns].to_numpy(), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(chance, by_loop, rtol=1e-9)
    np.testing.assert_allclose(chance, by_pandas, rtol=1e-9)


def run(n: int | None = None) -> list[dict[str, Any]]:
    """Compare at the size of the product (400 videos) and at a million rows, or at n."""
    check(Case(100_000, 1000))
    results = []
    if n is None:
        small = Case(400, 8)
        check(small)
        medians = interleaved(
            {"ours": (lambda: ours(small), 101), "plain loops": (lambda: loops(small), 101)}
        )
        results.append(row("core_scoring, product size", 400, "plain loops", medians, 1.0))
    size = n or 1_000_000
    large = Case(size, 1000)
    ours(large)  # loads the compiled kernels
    medians = interleaved(
        {
            "ours": (lambda: ours(large), 11),
            "vectorised pandas": (lambda: with_pandas(large), 5),
            "plain loops": (lambda: loops(large), 2),
        }
    )
    results.append(row("core_scoring", size, "vectorised pandas", medians, 20.0))
    results.append(row("core_scoring", size, "plain loops", medians, 200.0))
    return results
