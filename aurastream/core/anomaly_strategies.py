"""Four ways to say how unusual a number of viewers is, behind one strategy each.

A strategy compares a number with the samples before it and says what would be usual
(``baseline``) and how far from it the number lies (``z``): unbounded, 0 is as usual, above 0 more
viewers, below 0 fewer, and never smaller for more viewers. What z is differs:

``zscore``
    Standard deviations from the mean.
``percent_change``
    Growth over the mean, in hundreds of percent: +200 % is 2. A fall is as far as the way back is
    long: to a third is −2, since from there it takes +200 %.
``moving_average``
    Distance from the moving average in usual distances: of each earlier sample from the average of
    those before it, times √(π/2), which makes it a standard deviation where errors are normal. A
    stream that always grows is no anomaly for growing.
``quantile``
    Distance from the median over that of the 95th percentile (of the 5th, below the median), times
    1.645: 1.645 is the edge of the usual band, as it would be for normal viewers.

A spread is at least a tenth of the baseline and at least ten viewers, and percent changes treat
fewer than ten viewers as ten, so that neither a flat stream nor three friends make an event.

``score`` = 100 / (1 + e^−(|z| − threshold)): 0–100, higher is more unusual, 50 at the
threshold, from which on it is an anomaly. Thresholds are in the unit of z, those of
``percent_change`` in percent.

The thresholds and lookbacks of ``zscore`` and ``percent_change`` are the sources' own. Held against
labelled series they find nearly everything and much else besides
([figures](../../docs/evaluation.md)): an alert should ask that several strategies agree.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from aurastream.core.arrays import floats
from aurastream.core.errors import InvalidInputError

__all__ = [
    "DEFAULT_STRATEGIES",
    "LONGEST_LOOKBACK",
    "STRATEGIES",
    "AnomalyStrategy",
    "Measure",
    "StrategySetting",
    "anomaly_score",
    "merge_strategies",
]

Floats = npt.NDArray[np.float64]

LONGEST_LOOKBACK: Final = timedelta(hours=24)
"""Twitch lets its content be kept for a day: nothing may need an older sample."""

_FLOOR_SHARE: Final = 0.1
_FLOOR_VIEWERS: Final = 10.0
_BAND: Final = 0.05
_BAND_Z: Final = 1.6448536269514722  # of the normal distribution
_MEAN_DISTANCE_TO_SD: Final = float(np.sqrt(np.pi / 2.0))
_PERCENT: Final = 100.0
_LARGEST_EXPONENT: Final = 700.0


class Measure(NamedTuple):
    """What a strategy says of each number.

    Parameters
    ----------
    baseline : numpy.ndarray
        What would be usual, in viewers.
    z : numpy.ndarray
        How far from it the number lies; 0 is as usual.
    """

    baseline: Floats
    z: Floats


class AnomalyStrategy(ABC):
    """One way to compare numbers with the samples before them.

    ``name`` is what settings call it, ``unit`` how much of a setting's threshold one z is,
    ``min_samples`` how many samples it needs.
    """

    name: ClassVar[str]
    unit: ClassVar[float] = 1.0
    min_samples: ClassVar[int]

    @abstractmethod
    def measure(self, now: Floats, past: Floats) -> Measure:
        """Compare each number with its own past.

        Parameters
        ----------
        now : numpy.ndarray
            (numbers,): viewers, finite and 0 or more.
        past : numpy.ndarray
            (samples, numbers): earlier viewers, oldest first, then NaN; at least `min_samples`
            of each are known.

        Returns
        -------
        Measure
            One baseline and one z for each number.
        """


class ZScore(AnomalyStrategy):
    """Standard deviations from the mean."""

    name = "zscore"
    min_samples = 3

    def measure(self, now: Floats, past: Floats) -> Measure:
        """Compare each number with mean and standard deviation (ddof 0) of its past."""
        mean = _mean(past)
        distance = past - mean
        return Measure(mean, (now - mean) / _floored(np.sqrt(_mean(distance * distance)), mean))


class PercentChange(AnomalyStrategy):
    """Growth over the mean; a fall is as far as the way back is long."""

    name = "percent_change"
    unit = _PERCENT
    min_samples = 1

    def measure(self, now: Floats, past: Floats) -> Measure:
        """Compare each number with the mean of its past."""
        mean = _mean(past)
        ratio = np.maximum(now, _FLOOR_VIEWERS) / np.maximum(mean, _FLOOR_VIEWERS)
        return Measure(mean, np.where(ratio >= 1.0, ratio - 1.0, 1.0 - 1.0 / ratio))


class MovingAverage(AnomalyStrategy):
    """Distance from the moving average, in usual distances."""

    name = "moving_average"
    min_samples = 4

    def measure(self, now: Floats, past: Floats) -> Measure:
        """Compare each number with the average before it, as those before it compare with theirs.

        The average of the first sample alone would be itself: distances begin with the second.
        """
        known = np.arange(1, past.shape[0] + 1)[:, None]
        averages = np.cumsum(np.nan_to_num(past), axis=0) / known
        usual = _mean(np.abs(past[1:] - averages[:-1])) * _MEAN_DISTANCE_TO_SD
        mean = _mean(past)
        return Measure(mean, (now - mean) / _floored(usual, mean))


class Quantile(AnomalyStrategy):
    """Distance from the median, against the band that holds nine tenths of the past."""

    name = "quantile"
    min_samples = 8

    def measure(self, now: Floats, past: Floats) -> Measure:
        """Compare each number with median, 5th and 95th percentile (linear) of its past."""
        ordered = np.sort(past, axis=0)  # NaN come last
        count = (~np.isnan(past)).sum(axis=0)
        low, median, high = (_percentile(ordered, count, q) for q in (_BAND, 0.5, 1.0 - _BAND))
        side = np.where(now >= median, high - median, median - low)
        return Measure(median, (now - median) / _floored(side / _BAND_Z, median))


STRATEGIES: Final[Mapping[str, AnomalyStrategy]] = {
    strategy.name: strategy for strategy in (ZScore(), PercentChange(), MovingAverage(), Quantile())
}
"""Every strategy by its name; where two find the same, the first one is named."""


def _require_known(name: str) -> None:
    if name not in STRATEGIES:
        raise InvalidInputError(
            f"There is no anomaly strategy {name!r}.", fix=f"Choose among {', '.join(STRATEGIES)}."
        )


@dataclass(frozen=True, slots=True)
class StrategySetting:
    """Whether a strategy is asked, from which deviation on it calls, and how far back it looks.

    Parameters
    ----------
    name : str
        One of `STRATEGIES`.
    threshold : float
        Above 0, in the unit of its z; percent for ``percent_change``.
    lookback : datetime.timedelta
        Above 0, at most `LONGEST_LOOKBACK`.
    enabled : bool
        Whether it is asked at all.

    Raises
    ------
    InvalidInputError
        When the strategy is unknown, or a value is out of its range.
    """

    name: str
    threshold: float
    lookback: timedelta
    enabled: bool = True

    def __post_init__(self) -> None:
        _require_known(self.name)
        if not 0.0 < self.threshold < np.inf:
            raise InvalidInputError(
                f"The threshold of {self.name} is {self.threshold}.",
                fix="Set a finite number above 0.",
            )
        if not timedelta(0) < self.lookback <= LONGEST_LOOKBACK:
            raise InvalidInputError(
                f"The lookback of {self.name} is {self.lookback}.",
                fix=f"Set more than 0 and at most {LONGEST_LOOKBACK / timedelta(minutes=1):g} min.",
            )

    @property
    def threshold_z(self) -> float:
        """The threshold in units of z."""
        return self.threshold / STRATEGIES[self.name].unit


# Those of zscore and percent_change are the sources'; the others are ours: what is called three
# spreads off, over a span that holds the samples they need at a crawl every 15 minutes.
DEFAULT_STRATEGIES: Final = (
    StrategySetting("zscore", 2.5, timedelta(minutes=60)),
    StrategySetting("percent_change", 200.0, timedelta(minutes=30)),
    StrategySetting("moving_average", 3.0, timedelta(hours=2)),
    StrategySetting("quantile", 3.0, timedelta(hours=4)),
)
"""What is asked unless somebody says otherwise."""

_FIELDS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "name": str,
    "enabled": bool,
    "threshold": (int, float),
    "lookback_minutes": (int, float),
}


def anomaly_score(z: npt.ArrayLike, threshold: float) -> Floats:
    """Map deviations to 0–100 by the logistic function; higher is more unusual.

    Parameters
    ----------
    z : array_like
        Deviations of either sign, infinite ones too; NaN is unknown.
    threshold : float
        The deviation that scores 50, above 0, in the unit of z.

    Returns
    -------
    numpy.ndarray
        100 / (1 + e^−(|z| − threshold)). The same for a spike and a drop of the same size; never
        falls as |z| grows; NaN stays NaN.

    Raises
    ------
    InvalidInputError
        When z is no array of numbers, or the threshold not above 0 or without end.

    Notes
    -----
    O(n).

    References
    ----------
    StreamRank 2.1 (#91); its constants are absent there and settled in C39.

    Examples
    --------
    >>> anomaly_score([0.0, 2.5, -2.5, 4.0, np.inf, np.nan], 2.5).round(2).tolist()
    [7.59, 50.0, 50.0, 81.76, 100.0, nan]
    >>> anomaly_score([], 2.5).tolist()
    []
    """
    if not 0 < threshold < np.inf:
        raise InvalidInputError(f"The threshold is {threshold:g}.", fix="It must be above 0.")
    excess = np.abs(floats(z, "z", most=np.inf)) - threshold
    score: Floats = 100.0 / (1.0 + np.exp(-np.clip(excess, -_LARGEST_EXPONENT, _LARGEST_EXPONENT)))
    return score


def merge_strategies(
    current: Sequence[StrategySetting], changes: Iterable[Mapping[str, Any]]
) -> tuple[StrategySetting, ...]:
    """Return the settings with changes laid over them by name; what a change omits stays.

    Parameters
    ----------
    current : sequence of StrategySetting
        What holds now.
    changes : iterable of mapping
        Each with ``name`` and any of ``enabled``, ``threshold`` and ``lookback_minutes``. A
        strategy that is not in force yet starts from its default.

    Returns
    -------
    tuple of StrategySetting
        In the order of `STRATEGIES`, each name once.

    Raises
    ------
    InvalidInputError
        When a change names no strategy or the same twice, has a field that there is not, or a
        value out of range. Nothing is changed then.

    Notes
    -----
    O(settings + changes). Merging the same changes again changes nothing.

    References
    ----------
    StreamRank 4.2 (#92, #123): whether a PUT without a lookback keeps it is open there; it does
    (C39).

    Examples
    --------
    >>> found = merge_strategies(DEFAULT_STRATEGIES, [{"name": "zscore", "threshold": 3.0}])
    >>> found[0].threshold, found[0].lookback, found[1:] == DEFAULT_STRATEGIES[1:]
    (3.0, datetime.timedelta(seconds=3600), True)
    >>> merge_strategies(DEFAULT_STRATEGIES, []) == DEFAULT_STRATEGIES
    True
    >>> merge_strategies(DEFAULT_STRATEGIES, [{"name": "zscore", "treshold": 3.0}])
    Traceback (most recent call last):
        ...
    aurastream.core.errors.InvalidInputError: An anomaly strategy has no 'treshold'. Choose among \
name, enabled, threshold, lookback_minutes.
    """
    defaults = {setting.name: setting for setting in DEFAULT_STRATEGIES}
    merged = {setting.name: setting for setting in current}
    if len(merged) < len(current):
        raise InvalidInputError("A strategy is set twice.", fix="Set each once.")
    changed: set[str] = set()
    for change in changes:
        name = _checked(change)
        if name in changed:
            raise InvalidInputError(f"The strategy {name!r} is changed twice.", fix="Keep one.")
        changed.add(name)
        values: dict[str, Any] = {
            field: change[field] for field in ("enabled", "threshold") if field in change
        }
        if "lookback_minutes" in change:
            values["lookback"] = _minutes(name, change["lookback_minutes"])
        merged[name] = replace(merged.get(name) or defaults[name], **values)
    return tuple(merged[name] for name in STRATEGIES if name in merged)


def _checked(change: Mapping[str, Any]) -> str:
    """Return the strategy that a change names, if its fields are such as there are."""
    for field, value in change.items():
        if field not in _FIELDS:
            raise InvalidInputError(
                f"An anomaly strategy has no {field!r}.", fix=f"Choose among {', '.join(_FIELDS)}."
            )
        # True would pass for the number 1.
        is_flag = isinstance(value, bool)
        if not isinstance(value, _FIELDS[field]) or is_flag != (field == "enabled"):
            raise InvalidInputError(
                f"The {field!r} of an anomaly strategy is {value!r}.",
                fix="Name and enabled are a text and a truth value, the others numbers.",
            )
    if "name" not in change:
        raise InvalidInputError("A change names no strategy.", fix="Add its 'name'.")
    name: str = change["name"]
    _require_known(name)
    return name


def _minutes(name: str, value: float) -> timedelta:
    try:
        return timedelta(minutes=value)
    except (OverflowError, ValueError) as error:
        raise InvalidInputError(
            f"The lookback of {name} is {value} minutes.", fix="Set a number above 0."
        ) from error


# Samples lie along the first axis, so that numpy adds them one after another: the result of a
# number is then the same to the bit whatever else is measured along with it.


def _mean(past: Floats) -> Floats:
    count = (~np.isnan(past)).sum(axis=0)
    # Accumulated, since a sum of one column alone would be taken in another order.
    mean: Floats = np.cumsum(np.nan_to_num(past), axis=0)[-1] / count
    return mean


def _percentile(ordered: Floats, count: npt.NDArray[np.int64], q: float) -> Floats:
    rank = q * (count - 1)
    low = np.floor(rank).astype(np.int64)
    number = np.arange(ordered.shape[1])
    below = ordered[low, number]
    above = ordered[np.minimum(low + 1, count - 1), number]
    found: Floats = below + (above - below) * (rank - low)
    return found


def _floored(spread: Floats, baseline: Floats) -> Floats:
    found: Floats = np.maximum(spread, np.maximum(_FLOOR_SHARE * baseline, _FLOOR_VIEWERS))
    return found
