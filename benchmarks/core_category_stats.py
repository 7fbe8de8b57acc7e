"""Category statistics against plain loops and vectorised pandas.

All three compute the same: per category and metric (velocity, views, engagement) linear p25, p50,
p75 and p90, mean and population standard deviation inside the 1.5 IQR fence, the count of
outliers, and the velocity baseline (median of the p25-p75 slice). Missing engagement is NaN.

The loops are the sources' design: Python lists, one helper per statistic, each of which sorts what
it is given. pandas is written with whole-column operations alone: grouped quantiles, no apply.
Both start from arrays with category numbers, as ours does.
"""

import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core import kernels

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

METRICS = ("velocity", "views", "engagement")
QUANTILES = (0.25, 0.5, 0.75, 0.9)
COLUMNS = ("count", "outliers", "mean", "std", "p25", "p50", "p75", "p90")


def sample(n: int, n_groups: int, seed: int = 20_261_121) -> tuple[Integers, tuple[Floats, ...]]:
    """Return categories of Zipf-like sizes and heavy-tailed metrics, as real charts have them."""
    rng = np.random.default_rng(seed)
    weight = 1 / np.arange(1, n_groups + 1) ** 0.7
    codes = rng.choice(n_groups, n, p=weight / weight.sum()).astype(np.int64)
    views = np.floor(rng.lognormal(11, 2, n))
    velocity = views / np.maximum(0.5, rng.exponential(30, n))
    engagement = rng.beta(2, 40, n)
    engagement[rng.random(n) < 0.06] = np.nan
    return codes, (velocity, views, engagement)


def _percentile(values: list[float], quantile: float) -> float:
    ordered = sorted(values)
    position = quantile * (len(ordered) - 1)
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


def _inside_fence(values: list[float]) -> list[float]:
    if len(values) < 4:
        return values
    q1, q3 = _percentile(values, 0.25), _percentile(values, 0.75)
    reach = 1.5 * (q3 - q1)
    return [v for v in values if q1 - reach <= v <= q3 + reach]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _std(values: list[float]) -> float:
    mean = _mean(values)
    return float((sum((v - mean) ** 2 for v in values) / len(values)) ** 0.5)


def _baseline(values: list[float]) -> float:
    low, high = _percentile(values, 0.25), _percentile(values, 0.75)
    return statistics.median([v for v in values if low <= v <= high] or values)


def loops(codes: Integers, metrics: tuple[Floats, ...]) -> dict[int, dict[str, Any]]:
    """Compute everything category by category with lists."""
    grouped: dict[int, list[list[float]]] = defaultdict(lambda: [[] for _ in METRICS])
    rows = zip(codes.tolist(), *(m.tolist() for m in metrics), strict=True)
    for code, *values in rows:
        for held, value in zip(grouped[code], values, strict=True):
            if value == value:  # noqa: PLR0124 # false for NaN alone
                held.append(value)
    result: dict[int, dict[str, Any]] = {}
    for code, by_metric in grouped.items():
        entry: dict[str, Any] = {"baseline": _baseline(by_metric[0])}
        for metric, values in zip(METRICS, by_metric, strict=True):
            if not values:
                continue
            clean = _inside_fence(values)
            entry[metric] = (
                len(values),
                len(values) - len(clean),
                _mean(clean),
                _std(clean),
                *(_percentile(values, q) for q in QUANTILES),
            )
        result[code] = entry
    return result


def with_pandas(codes: Integers, metrics: tuple[Floats, ...]) -> dict[str, pd.DataFrame]:
    """Compute everything with whole-column operations."""
    result: dict[str, pd.DataFrame] = {}
    for metric, values in zip(METRICS, metrics, strict=True):
        frame = pd.DataFrame({"code": codes, "value": values}).dropna()
        groups = frame.groupby("code", sort=True)["value"]
        table = groups.quantile(list(QUANTILES)).unstack()  # noqa: PD010 # one value per cell
        table.columns = pd.Index(["p25", "p50", "p75", "p90"])
        table["count"] = groups.size()
        table["reach"] = np.where(table["count"] < 4, np.inf, 1.5 * (table["p75"] - table["p25"]))
        own = table.loc[:, ["p25", "p75", "reach"]].reindex(frame["code"]).to_numpy()
        value = frame["value"].to_numpy()
        kept = (value >= own[:, 0] - own[:, 2]) & (value <= own[:, 1] + own[:, 2])
        clean = frame[kept].groupby("code", sort=True)["value"]
        table["outliers"] = table["count"] - clean.size()
        table["mean"] = clean.mean()
        table["std"] = clean.std(ddof=0)
        if metric == METRICS[0]:
            middle = (value >= own[:, 0]) & (value <= own[:, 1])
            table["baseline"] = frame[middle].groupby("code", sort=True)["value"].median()
            table["baseline"] = table["baseline"].fillna(table["p50"])
        result[metric] = table
    return result


def ours(codes: Integers, n_groups: int, metrics: tuple[Floats, ...]) -> Any:  # noqa: ANN401 # a value of the core
    """Compute everything with the function that the asset calls."""
    return kernels.group_statistics(codes, n_groups, metrics)


def check(codes: Integers, n_groups: int, metrics: tuple[Floats, ...]) -> None:
    """Assert that all three agree to 1e-9, relative to the value."""
    mine = ours(codes, n_groups, metrics)
    frames = with_pandas(codes, metrics)
    slow = loops(codes, metrics)
    for m, metric in enumerate(METRICS):
        table = frames[metric]
        at = table.index.to_numpy()
        got = np.column_stack(
            [
                mine.count[m],
                mine.outlier_count[m],
                mine.mean[m],
                mine.std[m],
                *mine.percentiles[:, m],
            ]
        )[at]
        np.testing.assert_allclose(got, table[list(COLUMNS)].to_numpy(), rtol=1e-9, atol=1e-9)
        lists = np.array([slow[code][metric] for code in at.tolist()])
        np.testing.assert_allclose(got, lists, rtol=1e-9, atol=1e-9)
    at = frames[METRICS[0]].index.to_numpy()
    np.testing.assert_allclose(mine.baseline[at], frames[METRICS[0]]["baseline"], rtol=1e-9)
    by_loop = [slow[code]["baseline"] for code in at.tolist()]
    np.testing.assert_allclose(mine.baseline[at], by_loop, rtol=1e-9)


def interleaved(
    runs: dict[str, tuple[Callable[[], Any], int]],
) -> dict[str, float]:
    """Time the functions in turn, each as often as it says, and return the medians.

    Those that run more often keep running while the slow ones have had their turn.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(max(times for _, times in runs.values())):
        for name, (function, times) in runs.items():
            if turn < times:
                start = time.perf_counter()
                function()
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def row(name: str, n: int, baseline: str, medians: dict[str, float], goal: float) -> dict[str, Any]:
    """Return one result in the shape that the runner prints."""
    ratio = medians[baseline] / medians["ours"]
    return {
        "name": name,
        "n": n,
        "ours_s": medians["ours"],
        "baseline": baseline,
        "baseline_s": medians[baseline],
        "ratio": ratio,
        "goal": goal,
        "met": ratio >= goal,
    }


def run(n: int | None = None) -> list[dict[str, Any]]:
    """Compare at the size of the product (400 videos) and at a million rows, or at n."""
    codes, metrics = sample(100_000, 1000)
    check(codes, 1000, metrics)
    results = []
    if n is None:
        codes, metrics = sample(400, 8)
        check(codes, 8, metrics)
        small = interleaved(
            {
                "ours": (lambda: ours(codes, 8, metrics), 101),
                "plain loops": (lambda: loops(codes, metrics), 101),
            }
        )
        results.append(row("core_category_stats, product size", 400, "plain loops", small, 1.0))
    size = n or 1_000_000
    codes, metrics = sample(size, 1000)
    ours(codes, 1000, metrics)  # loads the compiled kernels
    large = interleaved(
        {
            "ours": (lambda: ours(codes, 1000, metrics), 11),
            "vectorised pandas": (lambda: with_pandas(codes, metrics), 5),
            "plain loops": (lambda: loops(codes, metrics), 2),
        }
    )
    results.append(row("core_category_stats", size, "vectorised pandas", large, 20.0))
    results.append(row("core_category_stats", size, "plain loops", large, 100.0))
    return results
