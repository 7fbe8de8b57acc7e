"""Detectors of unusual audiences: a score per point, and alerts with a rest after each.

Every memory is a length of time, so that the number of points follows the sampling interval. A
score at a point knows that point and earlier ones only, and the usual it is compared with ends at
the point before. Spreads have a floor, a tenth of the usual and at least one viewer, so that a
quiet night does not turn three viewers into an event.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core.errors import InvalidInputError

__all__ = ["STRATEGIES", "WARM_UP", "Baseline", "Setting", "alerts", "scores"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

WARM_UP: Final = timedelta(days=2.6)
"""A stream younger than this has no usual of its own."""

_FLOOR_SHARE: Final = 0.1
_FLOOR: Final = 1.0
_QUANTILE: Final = 0.99


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is usual for a channel: mean and standard deviation of its viewers."""

    mean: float
    std: float


@dataclass(frozen=True, slots=True)
class Setting:
    """Parameters of a detector: recent and usual memory, the bar, the rest after an alert."""

    strategy: str
    recent: timedelta
    usual: timedelta
    bar: float
    rest: timedelta

    def __str__(self) -> str:
        return (
            f"{self.strategy}: {_hours(self.recent):g} h against {_hours(self.usual):g} h, "
            f"bar {self.bar:g}, rest {_hours(self.rest):g} h"
        )


def scores(
    values: npt.ArrayLike,
    strategy: str,
    *,
    interval: timedelta,
    recent: timedelta,
    usual: timedelta,
    baseline: Baseline | None = None,
) -> Floats:
    """Return how unusual each point is; higher is more, 0 is as usual.

    Parameters
    ----------
    values : array_like
        Viewers (or any count) at equal steps, without gaps.
    strategy : str
        One of `STRATEGIES`.
    interval, recent, usual : datetime.timedelta
        Step of the series, memory of the present, memory of the usual.
    baseline : Baseline, optional
        The channel's, for the points before a stream has a usual of its own; without one those
        points score NaN.

    Raises
    ------
    InvalidInputError
        When the strategy is unknown or the interval is not positive.

    Examples
    --------
    >>> day = timedelta(days=1)
    >>> quiet = np.full(400, 100.0)
    >>> found = scores([*quiet, 900.0], "two-speed EWMA", interval=day / 144, recent=day / 144,
    ...                usual=day)
    >>> found[-2:].round(1).tolist(), bool(np.isnan(found[0]))
    ([0.0, 80.0], True)
    >>> early = scores([100.0, 900.0], "two-speed EWMA", interval=day / 144, recent=day / 144,
    ...                usual=day, baseline=Baseline(100.0, 50.0))
    >>> early.tolist()
    [0.0, 16.0]
    """
    if strategy not in STRATEGIES:
        raise InvalidInputError(
            f"There is no strategy {strategy!r}.", fix=f"Choose among {', '.join(STRATEGIES)}."
        )
    if interval <= timedelta(0):
        raise InvalidInputError("The interval must be above 0.", fix="Pass the sampling step.")
    series = pd.Series(np.asarray(values, dtype=np.float64))
    warm = round(WARM_UP / interval)
    found = STRATEGIES[strategy](
        series, max(1, round(recent / interval)), max(2, round(usual / interval))
    )
    young = np.arange(series.size) < warm
    if baseline is None:
        return np.where(young, np.nan, found)
    now = _smooth(series, max(1, round(recent / interval)))
    return np.where(young, (now - baseline.mean) / _floored(baseline.std, baseline.mean), found)


def alerts(score: Floats, *, bar: float, rest: int) -> Bools:
    """Return where a detector alerts: at or above the bar, and not within the rest of an alert.

    Examples
    --------
    >>> alerts(np.array([5.0, 5.0, 0.0, 5.0]), bar=3.0, rest=3).tolist()
    [True, False, False, True]
    """
    out = np.zeros(score.size, dtype=bool)
    free = 0
    with np.errstate(invalid="ignore"):
        candidates = np.flatnonzero(score >= bar).tolist()
    for place in candidates:
        if place >= free:
            out[place] = True
            free = place + max(rest, 1)
    return out


def _two_speeds(series: pd.Series, recent: int, usual: int) -> Floats:
    now = pd.Series(_smooth(series, recent))
    mean = _smooth(now, usual)
    spread = np.sqrt(np.maximum(_smooth(now * now, usual) - mean * mean, 0.0))
    before = _earlier(mean)
    return (now.to_numpy() - before) / _floored(_earlier(spread), before)


def _z_score(series: pd.Series, recent: int, usual: int) -> Floats:
    now = series.rolling(recent, min_periods=1).mean().to_numpy()
    window = series.shift(1).rolling(usual, min_periods=2)
    mean = window.mean().to_numpy()
    return _floats((now - mean) / _floored(window.std(ddof=0).to_numpy(), mean))


def _quantile(series: pd.Series, recent: int, usual: int) -> Floats:
    now = series.rolling(recent, min_periods=1).mean()
    high = now.shift(1).rolling(usual, min_periods=2).quantile(_QUANTILE).to_numpy()
    return _floats(now.to_numpy() / np.maximum(high, _FLOOR))


def _percent_change(series: pd.Series, recent: int, usual: int) -> Floats:
    now = series.rolling(recent, min_periods=1).mean().to_numpy()
    before = series.shift(recent).rolling(usual, min_periods=2).mean().to_numpy()
    return _floats((now - before) / np.maximum(before, _FLOOR))


def _moving_average(series: pd.Series, recent: int, usual: int) -> Floats:
    now = series.rolling(recent, min_periods=1).mean()
    mean = now.shift(1).rolling(usual, min_periods=2).mean()
    usual_distance = (now - mean).abs().shift(1).rolling(usual, min_periods=1).mean().to_numpy()
    return (now - mean).to_numpy() / _floored(usual_distance, mean.to_numpy())


STRATEGIES: Final[dict[str, Callable[[pd.Series, int, int], Floats]]] = {
    "two-speed EWMA": _two_speeds,
    "z-score": _z_score,
    "quantile": _quantile,
    "percent change": _percent_change,
    "moving average": _moving_average,
}
"""The declared detector first, then the four named ones that stand beside it.

``two-speed EWMA``: a fast exponential mean against a slow one, in standard deviations of the fast.
``z-score``: the recent mean against the mean and deviation of the raw usual. ``quantile``: the
recent mean over the 99th percentile of the usual. ``percent change``: its relative growth.
``moving average``: its distance from the moving average, in usual distances.
"""


def _smooth(series: pd.Series, points: int) -> Floats:
    found: Floats = series.ewm(span=points, adjust=True).mean().to_numpy()
    return found


def _floats(values: npt.ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _earlier(values: Floats) -> Floats:
    return np.concatenate([values[:1], values[:-1]])


def _floored(spread: npt.ArrayLike, usual: npt.ArrayLike) -> Floats:
    found: Floats = np.maximum(
        np.asarray(spread, dtype=np.float64),
        np.maximum(_FLOOR_SHARE * np.abs(np.asarray(usual, dtype=np.float64)), _FLOOR),
    )
    return found


def _hours(span: timedelta) -> float:
    return span / timedelta(hours=1)
