"""The Numenta Anomaly Benchmark's own scoring, standard profile.

Each labelled window pays once, for the earliest alert in it: nearly 1 at its left edge, falling to
almost 0 at the right one; a window without an alert costs 1. Every alert outside costs up to 0.11,
less shortly after a window. The first 15 % of a series (of at most 5,000 points) is probation and
counts nowhere. The score of a set of series is 100 for a perfect detector and 0 for one that never
alerts; it has no floor.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["NabCounts", "NabSeries", "nab_counts", "nab_f1", "nab_score", "probation"]

Bools = npt.NDArray[np.bool_]

_FALSE_ALERT: Final = 0.11
_PROBATION_SHARE: Final = 0.15
_PROBATION_POINTS: Final = 5000
_STEEPNESS: Final = 5.0
_FAR: Final = 3.0


@dataclass(frozen=True, slots=True)
class NabSeries:
    """A labelled series: its length, and the first and last point of each window."""

    points: int
    windows: Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class NabCounts:
    """What a detector got on one series: windows judged, windows found, alerts outside.

    ``gained`` is the sum of what windows and alerts pay, before it is brought to 0–100.
    """

    gained: float
    windows: int
    found: int
    false_alerts: int


def probation(points: int) -> int:
    """Return how many first points are never scored.

    Examples
    --------
    >>> probation(1000), probation(15902)
    (150, 750)
    """
    return math.floor(
        min(math.floor(_PROBATION_SHARE * points), _PROBATION_SHARE * _PROBATION_POINTS)
    )


def nab_counts(series: NabSeries, alerts: Bools) -> NabCounts:
    """Score the alerts of one series.

    A window that lies in probation altogether is not judged; of one that begins there, only
    alerts after it count, at the worth of their place in the whole window.
    """
    start = probation(series.points)
    inside = np.zeros(series.points, dtype=bool)
    gained, judged, found = 0.0, 0, 0
    best = _scaled_sigmoid(-1.0)
    for first, last in series.windows:
        inside[first : last + 1] = True
        if last < start:
            continue
        judged += 1
        hits = np.flatnonzero(alerts[max(first, start) : last + 1])
        if hits.size:
            place = max(first, start) + int(hits[0])
            found += 1
            gained += _scaled_sigmoid(-(last - place + 1) / (last - first + 1)) / best
        else:
            gained -= 1.0
    outside = np.flatnonzero(alerts & ~inside)
    outside = outside[outside >= start]
    for place in outside.tolist():
        gained += _FALSE_ALERT * _scaled_sigmoid(_distance(series.windows, place))
    return NabCounts(gained, judged, found, int(outside.size))


def nab_score(counts: Iterable[NabCounts]) -> float:
    """Return the normalised score of several series; 0 when there is no window to find.

    Examples
    --------
    >>> quiet = NabCounts(gained=-2.0, windows=2, found=0, false_alerts=0)
    >>> perfect = NabCounts(gained=2.0, windows=2, found=2, false_alerts=0)
    >>> nab_score([quiet]), nab_score([perfect]), nab_score([quiet, perfect])
    (0.0, 100.0, 50.0)
    """
    each = list(counts)
    windows = sum(count.windows for count in each)
    gained = sum(count.gained for count in each)
    return 100 * (gained + windows) / (2 * windows) if windows else 0.0


def nab_f1(counts: Iterable[NabCounts]) -> tuple[float, float, float]:
    """Return precision, recall and F1, 0–1: windows found against alerts outside of them.

    Examples
    --------
    >>> nab_f1([NabCounts(gained=0.0, windows=4, found=2, false_alerts=2)])
    (0.5, 0.5, 0.5)
    """
    each = list(counts)
    found = sum(count.found for count in each)
    false_alerts = sum(count.false_alerts for count in each)
    windows = sum(count.windows for count in each)
    return (
        found / max(found + false_alerts, 1),
        found / max(windows, 1),
        2 * found / max(found + false_alerts + windows, 1),
    )


def _distance(windows: Sequence[tuple[int, int]], place: int) -> float:
    """Return how far behind the last window a point lies, in widths of it."""
    behind = [(first, last) for first, last in windows if last < place]
    if not behind:
        return _FAR
    first, last = max(behind, key=lambda window: window[1])
    return (place - last) / max(last - first, 1)


def _scaled_sigmoid(position: float) -> float:
    if position >= _FAR:
        return -1.0
    return 2 / (1 + math.exp(_STEEPNESS * position)) - 1
