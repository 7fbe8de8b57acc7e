"""A points table: a rule that a person can read, check by hand and argue with.

Each line has at most two conditions on what is known on the first day, and points for a video
that meets them; a video whose points reach the bar is called. Lines are chosen one after another,
each the one that explains most of what the earlier ones got wrong; their points are the weights
of a ridge-penalised logistic fit, rounded to whole numbers between −10 and 10; the bar is the one
with the best F1. All of it happens on the training videos alone.

The shape (16 lines of two conditions) was chosen on the training part of the recorded archive
alone, as the mean F1 over two forward splits and three splits by channel: against one to three
conditions, 3 to 16 lines, and against plain clauses of up to three conditions each.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core.errors import InvalidInputError
from aurastream.evaluation.metrics import best_threshold

__all__ = ["Condition", "Line", "PointsTable", "learn_points"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

LINES: Final = 16
CONDITIONS: Final = 2
_POINTS: Final = 10
_BEAM: Final = 12
_PENALTY: Final = 1.0
_SUPPORT: Final = 10.0
_LONGER_MUST_GAIN: Final = 1.02
_NEWTON_STEPS: Final = 12
_QUANTILES: Final = np.concatenate(
    [np.linspace(0.02, 0.5, 10), np.linspace(0.55, 0.95, 17), np.linspace(0.96, 0.995, 8)]
)

FEATURES: Final = (
    "views_in_category_and_age", "likes_in_category_and_age", "comments_in_category_and_age",
    "velocity_in_category_and_age", "views_in_category", "likes_in_category",
    "comments_in_category", "velocity_in_category", "comments_per_hour_in_category",
    "own_countries", "best_rank", "mean_rank", "age_h", "channel_videos",
    "channel_rows_per_video", "channel_countries_mean", "channel_first_views", "comments",
    "likes", "views", "comments_per_hour", "likes_per_hour", "velocity", "channel_views_max",
    "licensed", "channel_speed_mean", "channel_speed_max", "channel_speed_last",
    "channel_returned", "channel_last_returned",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison; a missing value never meets it."""

    feature: str
    at_least: bool
    bound: float

    def holds(self, features: pd.DataFrame) -> Bools:
        """Return for each video whether the condition holds."""
        value = features[self.feature].to_numpy(dtype="float64")
        with np.errstate(invalid="ignore"):
            return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        return f"{self.feature} {'≥' if self.at_least else '≤'} {self.bound:.4g}"


@dataclass(frozen=True, slots=True)
class Line:
    """Points for a video that meets all conditions."""

    conditions: tuple[Condition, ...]
    points: int

    def __str__(self) -> str:
        return f"{self.points:+d} when {' and '.join(map(str, self.conditions))}"


@dataclass(frozen=True, slots=True)
class PointsTable:
    """The learned rule: call a video when its points reach the bar."""

    lines: tuple[Line, ...]
    bar: float

    def points(self, features: pd.DataFrame) -> Floats:
        """Return the points of each video."""
        total = np.zeros(len(features))
        for line in self.lines:
            met = np.ones(len(features), dtype=bool)
            for condition in line.conditions:
                met &= condition.holds(features)
            total += line.points * met
        return total

    def calls(self, features: pd.DataFrame) -> Bools:
        """Return for each video whether the rule calls it."""
        return self.points(features) >= self.bar

    def __str__(self) -> str:
        return "; ".join(map(str, self.lines)) + f"; called from {self.bar:g} points"


def learn_points(features: pd.DataFrame, truth: Bools, *, lines: int = LINES) -> PointsTable:
    """Learn a points table from training videos.

    Raises
    ------
    InvalidInputError
        When the training holds no hit, or nothing but hits.
    """
    if truth.all() or not truth.any():
        raise InvalidInputError(
            "The training holds no hits, or nothing else.", fix="Give a longer archive."
        )
    conditions = _candidates(features)
    met = np.array([condition.holds(features) for condition in conditions], dtype=np.float32)
    target = truth.astype("float64")
    chosen: list[tuple[int, ...]] = []
    columns: list[Floats] = []
    weights = np.array([np.log(target.mean() / (1 - target.mean()))])
    for _ in range(lines):
        fitted = _probability(columns, weights, target.size)
        found = _best_line(met, target - fitted, fitted * (1 - fitted))
        if found in chosen:
            break
        chosen.append(found)
        columns.append(met[list(found)].prod(axis=0).astype("float64"))
        weights = _fit(columns, target)
    scale = _POINTS / np.abs(weights[:-1]).max()
    points = np.round(weights[:-1] * scale).astype(int).tolist()
    table = [
        Line(tuple(conditions[i] for i in sorted(found)), value)
        for found, value in zip(chosen, points, strict=True)
        if value
    ]
    total = np.array(columns).T @ np.array(points, dtype="float64")
    return PointsTable(tuple(table), best_threshold(truth, total))


def _candidates(features: pd.DataFrame) -> list[Condition]:
    found = []
    for name in FEATURES:
        value = features[name].to_numpy(dtype="float64")
        value = value[~np.isnan(value)]
        if value.size:
            for bound in np.unique(np.quantile(value, _QUANTILES)).tolist():
                found += [Condition(name, at_least, bound) for at_least in (True, False)]
    return found


def _best_line(met: npt.NDArray[np.float32], rest: Floats, spread: Floats) -> tuple[int, ...]:
    """Return the conditions of the line with the largest gain of a Newton step."""
    error, weight = rest.astype(np.float32), spread.astype(np.float32)
    error_sum, weight_sum = float(error.sum()), float(weight.sum())
    beams: list[tuple[npt.NDArray[np.float32], tuple[int, ...]]] = [(np.ones_like(error), ())]
    best: tuple[float, tuple[int, ...]] = (0.0, ())
    for _ in range(CONDITIONS):
        # One product for all beams reads the large matrix once.
        first = met @ np.stack([error * inside for inside, _ in beams], axis=1)
        second = met @ np.stack([weight * inside for inside, _ in beams], axis=1)
        gains = (first - second / weight_sum * error_sum) ** 2 / (
            second * (1 - second / weight_sum) + _SUPPORT
        )
        ranked = [
            (float(gains[i, b]), b, int(i))
            for b in range(len(beams))
            for i in np.argsort(-gains[:, b], kind="stable")[:_BEAM]
        ]
        ranked.sort(key=lambda item: (-item[0], item[1], item[2]))
        longer: list[tuple[npt.NDArray[np.float32], tuple[int, ...]]] = []
        seen: set[bytes] = set()
        for gained, b, i in ranked:
            inside = beams[b][0] * met[i]
            key = np.packbits(inside > 0).tobytes()
            if key in seen:
                continue
            seen.add(key)
            longer.append((inside, (*beams[b][1], i)))
            if gained > best[0] * _LONGER_MUST_GAIN:
                best = (gained, longer[-1][1])
            if len(longer) == _BEAM:
                break
        beams = longer
    return best[1]


def _probability(columns: list[Floats], weights: Floats, size: int) -> Floats:
    linear = np.full(size, weights[-1])
    for column, weight in zip(columns, weights[:-1], strict=True):
        linear += column * weight
    out: Floats = 1 / (1 + np.exp(-linear))
    return out


def _fit(columns: list[Floats], target: Floats) -> Floats:
    """Fit a ridge-penalised logistic regression by Newton's method; the last weight is free."""
    design = np.column_stack([*columns, np.ones(target.size)])
    ridge = np.diag([*[_PENALTY] * len(columns), 1e-6])
    weights = np.zeros(design.shape[1])
    for _ in range(_NEWTON_STEPS):
        fitted = 1 / (1 + np.exp(-design @ weights))
        spread = fitted * (1 - fitted) + 1e-6
        slope = design.T @ (target - fitted) - ridge @ weights
        weights = weights + np.linalg.solve((design * spread[:, None]).T @ design + ridge, slope)
    return weights
