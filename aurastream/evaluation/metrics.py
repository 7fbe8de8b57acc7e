"""Figures of a yes-or-no prediction, with intervals that respect that channels repeat."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = [
    "Score",
    "average_precision",
    "best_threshold",
    "brier_skill",
    "calibration_bins",
    "calibration_error",
    "precision_recall_f1",
    "score_by_channel",
]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

_RESAMPLES: Final = 1000
_SEED: Final = 20260121
_TAILS: Final = (2.5, 97.5)
_BINS: Final = 10


@dataclass(frozen=True, slots=True)
class Score:
    """Precision, recall and F1, each 0–1, and the 95 % interval of F1."""

    precision: float
    recall: float
    f1: float
    ci_low: float
    ci_high: float


def precision_recall_f1(truth: Bools, guess: Bools) -> tuple[float, float, float]:
    """Return precision, recall and F1; a figure whose denominator is 0 is 0.

    Examples
    --------
    >>> truth = np.array([True, True, False, False])
    >>> precision_recall_f1(truth, np.array([True, False, True, False]))
    (0.5, 0.5, 0.5)
    >>> precision_recall_f1(truth, np.zeros(4, dtype=bool))
    (0.0, 0.0, 0.0)
    """
    found = int(np.count_nonzero(truth & guess))
    said, real = int(guess.sum()), int(truth.sum())
    return found / max(said, 1), found / max(real, 1), 2 * found / max(said + real, 1)


def score_by_channel(truth: Bools, guess: Bools, channels: npt.NDArray[np.object_]) -> Score:
    """Score a prediction; the interval resamples channels, whose videos hang together.

    Complexity is 1,000 × number of channels.
    """
    codes, n_channels = _codes(channels)
    both = np.bincount(codes, weights=truth & guess, minlength=n_channels)
    sizes = np.bincount(codes, weights=truth.astype(int) + guess, minlength=n_channels)
    rng = np.random.default_rng(_SEED)
    drawn = np.empty(_RESAMPLES)
    for i in range(_RESAMPLES):
        times = np.bincount(rng.integers(0, n_channels, n_channels), minlength=n_channels)
        drawn[i] = 2 * float(times @ both) / max(float(times @ sizes), 1.0)
    low, high = np.percentile(drawn, _TAILS).tolist()
    return Score(*precision_recall_f1(truth, guess), low, high)


def best_threshold(truth: Bools, score: Floats) -> float:
    """Return the score from which on saying yes gives the largest F1.

    Examples
    --------
    >>> best_threshold(np.array([True, False, True, False]), np.array([0.9, 0.1, 0.6, 0.3]))
    0.6
    """
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    # Equal scores are told apart by no threshold: a cut lies after the last of them.
    last = np.append(ordered[1:] != ordered[:-1], True)
    found = np.cumsum(truth[order])
    f1 = 2 * found / (np.arange(1, truth.size + 1) + truth.sum())
    return float(ordered[np.where(last, f1, -1.0).argmax()])


def average_precision(truth: Bools, score: Floats) -> float:
    """Return the area under the precision-recall steps, 0–1.

    Examples
    --------
    >>> round(average_precision(np.array([True, False, True]), np.array([0.9, 0.5, 0.1])), 4)
    0.8333
    """
    order = np.argsort(-score, kind="stable")
    ordered, hit = score[order], truth[order]
    last = np.append(ordered[1:] != ordered[:-1], True)
    found = np.cumsum(hit)[last]
    precision = found / (np.flatnonzero(last) + 1)
    gained = np.diff(found, prepend=0) / max(int(truth.sum()), 1)
    return float(gained @ precision)


def brier_skill(truth: Bools, probability: Floats) -> float:
    """Return 1 − Brier score / that of always answering the share of hits; 1 is perfect.

    Examples
    --------
    >>> brier_skill(np.array([True, False]), np.array([0.5, 0.5]))
    0.0
    """
    share = float(truth.mean())
    spread = share * (1 - share)
    if spread == 0.0:
        return 0.0
    return 1 - float(np.mean((probability - truth) ** 2)) / spread


def calibration_bins(truth: Bools, probability: Floats) -> tuple[tuple[float, float, int], ...]:
    """Return promised and real share of hits, and the number, of ten bins of equal size.

    Examples
    --------
    >>> calibration_bins(np.array([True, False]), np.array([0.9, 0.2]))
    ((0.2, 0.0, 1), (0.9, 1.0, 1))
    """
    order = np.argsort(probability, kind="stable")
    return tuple(
        (float(probability[part].mean()), float(truth[part].mean()), int(part.size))
        for part in np.array_split(order, _BINS)
        if part.size
    )


def calibration_error(truth: Bools, probability: Floats) -> float:
    """Return the mean distance of promised and real share of hits, over ten equal bins, 0–1."""
    bins = calibration_bins(truth, probability)
    return sum(abs(promised - real) * size for promised, real, size in bins) / max(truth.size, 1)


def _codes(names: npt.NDArray[np.object_]) -> tuple[npt.NDArray[np.intp], int]:
    known, codes = np.unique(names.astype(str), return_inverse=True)
    return codes, known.size
