"""Counters between daily observations: monotone, continuous, and honest about falls.

Each video has knots: publication with zero views, a concave first climb to its first sighting,
then every observation. Between knots the curve is a monotone cubic (Fritsch and Carlson; what
SciPy calls PCHIP): it never overshoots, so a counter that rose from one day to the next rises all
the way, and a counter that really fell falls all the way. After the last observation growth
decays exponentially. A counter that the platform left out at an observation is left out until the
next one.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aurastream.replay.hashing import uniform
from aurastream.replay.moments import HOUR

__all__ = ["COUNTERS", "MISSING", "Series", "build_series", "pchip_slopes"]

COUNTERS: Final = ("views", "likes", "comments")
MISSING: Final = -1
# How far into the time from publication to first sighting, and what share is reached there.
_CLIMB: Final = ((0.0, 0.0), (0.12, 0.12**0.8), (0.4, 0.4**0.8))
_TAU_H: Final = (12.0, 60.0)  # decay of growth after the last observation
_LAST_PACE: Final = 0.7  # growth at the last observation, as a share of the last interval's
_SEED: Final = 101


@dataclass(frozen=True, slots=True)
class Series:
    """The counters of many videos at any moment.

    Each knot holds the curve from itself to the next one, as a cubic in the share x of the way;
    after the last knot x is the share of the remaining growth.

    Parameters
    ----------
    keys : array of int64, shape (knots,)
        Video index and time of each knot in one sortable number.
    starts : array of int64, shape (videos + 1,)
        First knot of each video.
    times : array of int64, shape (knots,)
        Seconds since 1970 in archive time.
    scale : array of float64, shape (knots,)
        Seconds to the next knot; after the last knot the decay time of growth.
    curves : array of float64, shape (knots, 4, 3)
        Coefficients of 1, x, x² and x³ for views, likes and comments.
    hidden : array of bool, shape (knots, 3)
        Whether the counter is left out from this knot to the next.
    """

    keys: NDArray[np.int64]
    starts: NDArray[np.int64]
    times: NDArray[np.int64]
    scale: NDArray[np.float64]
    curves: NDArray[np.float64]
    hidden: NDArray[np.bool_]

    def at(self, videos: NDArray[np.int64], moment: float) -> NDArray[np.int64]:
        """Return the counters of some videos at one moment.

        Parameters
        ----------
        videos : array of int64
            Video indexes, in any order.
        moment : float
            Archive time in seconds since 1970.

        Returns
        -------
        array of int64, shape (len(videos), 3)
            Views, likes and comments, 0 or more; `MISSING` where the platform leaves them out.
            Zero before publication.
        """
        knot = np.searchsorted(self.keys, (videos << 32) + int(moment), side="right") - 1
        knot = np.maximum(knot, self.starts[videos])
        x = np.maximum(int(moment) - self.times[knot], 0) / self.scale[knot]
        final = knot == self.starts[videos + 1] - 1
        x = np.where(final, -np.expm1(-x), x)[:, None]
        curve = self.curves[knot]
        counts = curve[:, 0] + x * (curve[:, 1] + x * (curve[:, 2] + x * curve[:, 3]))
        # The epsilon keeps a knot's own value from being floored to one less.
        whole: NDArray[np.int64] = np.floor(counts + 1e-6).astype(np.int64)
        whole[self.hidden[knot]] = MISSING
        return whole


def pchip_slopes(
    times: NDArray[np.float64], values: NDArray[np.float64], starts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the slopes of a monotone cubic through many series at once.

    Parameters
    ----------
    times : array of float64, shape (knots,)
        Strictly increasing within each series.
    values : array of float64, shape (knots,)
        What to interpolate.
    starts : array of int64, shape (series + 1,)
        First knot of each series; each has at least three.

    Returns
    -------
    array of float64, shape (knots,)
        Slope at each knot, as `scipy.interpolate.PchipInterpolator` chooses it.
    """
    step = np.diff(times, append=times[-1] + 1.0)
    secant = np.diff(values, append=values[-1]) / step
    slopes = np.zeros_like(values)
    first, final = starts[:-1], starts[1:] - 1

    inner = np.ones(times.size, dtype=bool)
    inner[first] = inner[final] = False
    k = np.flatnonzero(inner)
    h0, h1, d0, d1 = step[k - 1], step[k], secant[k - 1], secant[k]
    with np.errstate(divide="ignore", invalid="ignore"):
        harmonic = 3 * (h0 + h1) / ((2 * h1 + h0) / d0 + (h1 + 2 * h0) / d1)
    slopes[k] = np.where(d0 * d1 > 0, harmonic, 0.0)

    slopes[first] = _edge(step[first], step[first + 1], secant[first], secant[first + 1])
    slopes[final] = _edge(step[final - 1], step[final - 2], secant[final - 1], secant[final - 2])
    return slopes


def _edge(
    h0: NDArray[np.float64],
    h1: NDArray[np.float64],
    d0: NDArray[np.float64],
    d1: NDArray[np.float64],
) -> NDArray[np.float64]:
    slope = ((2 * h0 + h1) * d0 - h0 * d1) / (h0 + h1)
    slope = np.where(np.sign(slope) != np.sign(d0), 0.0, slope)
    steep = (np.sign(d0) != np.sign(d1)) & (np.abs(slope) > 3 * np.abs(d0))
    limited: NDArray[np.float64] = np.where(steep, 3 * d0, slope)
    return limited


def build_series(
    published: NDArray[np.int64],
    video: NDArray[np.int64],
    at: NDArray[np.int64],
    counters: NDArray[np.float64],
) -> Series:
    """Prepare the curves of all videos.

    Parameters
    ----------
    published : array of int64, shape (videos,)
        Publication times in seconds since 1970.
    video, at : array of int64, shape (observations,)
        Which video was observed and when, sorted by video and time; every video at least once.
    counters : array of float64, shape (3, observations)
        Views, likes and comments; NaN where the platform left one out.

    Returns
    -------
    Series
        Ready for `Series.at`.
    """
    fresh = np.ones(video.size, dtype=bool)
    fresh[1:] = (video[1:] != video[:-1]) | (at[1:] > at[:-1])
    video, at, counters = video[fresh], at[fresh], counters[:, fresh]

    count = published.size
    observed = np.bincount(video, minlength=count)
    first = np.concatenate([[0], np.cumsum(observed)[:-1]])
    lead = len(_CLIMB)
    starts = np.concatenate([[0], np.cumsum(observed + lead)]).astype(np.int64)

    hidden_at = np.isnan(counters)
    known = _fill(counters, video)
    times = np.empty(starts[-1], dtype=np.int64)
    values = np.empty((3, starts[-1]))
    hidden = np.empty((3, starts[-1]), dtype=bool)
    place = np.arange(video.size) + (video + 1) * lead
    times[place], values[:, place], hidden[:, place] = at, known, hidden_at
    # A first sighting at the very second of publication would leave no room for the climb.
    room = np.maximum(at[first] - published, 60)
    for step, (fraction, share) in enumerate(_CLIMB):
        spot = starts[:-1] + step
        times[spot] = at[first] - room + (room * fraction).astype(np.int64)
        values[:, spot] = known[:, first] * share
        hidden[:, spot] = hidden_at[:, first]

    final = starts[1:] - 1
    low, high = _TAU_H
    scale = np.diff(times, append=times[-1] + 1).astype(np.float64)
    scale[final] = (low + (high - low) * uniform(_SEED, np.arange(count))) * HOUR
    seconds = times.astype(np.float64)
    curves = np.zeros((starts[-1], 4, 3))
    for counter, row in enumerate(values):
        slope = pchip_slopes(seconds, row, starts) * scale
        rise = np.diff(row, append=row[-1])
        arrival = np.append(slope[1:] / scale[1:], 0.0) * scale
        curves[:, 0, counter] = row
        curves[:, 1, counter] = slope
        curves[:, 2, counter] = 3 * rise - 2 * slope - arrival
        curves[:, 3, counter] = slope + arrival - 2 * rise
        pace = (row[final] - row[final - 1]) / (seconds[final] - seconds[final - 1])
        curves[final, 1, counter] = np.maximum(pace, 0.0) * _LAST_PACE * scale[final]
        curves[final, 2:, counter] = 0.0
    return Series(
        keys=(np.repeat(np.arange(count), observed + lead) << 32) + times,
        starts=starts,
        times=times,
        scale=scale,
        curves=curves,
        hidden=np.ascontiguousarray(hidden.T),
    )


def _fill(counters: NDArray[np.float64], video: NDArray[np.int64]) -> NDArray[np.float64]:
    """Carry known counts forward, then backward, within each video; 0 where none is known."""
    filled = counters.copy()
    size = video.size
    for row in filled:
        known = ~np.isnan(row)
        index = np.arange(size)
        forward = np.maximum.accumulate(np.where(known, index, -1))
        usable = (forward >= 0) & (video[forward] == video)
        row[:] = np.where(usable, row[forward], np.nan)
        known = ~np.isnan(row)
        backward = np.minimum.accumulate(np.where(known, index, size)[::-1])[::-1]
        source = np.minimum(backward, size - 1)
        usable = (backward < size) & (video[source] == video)
        row[:] = np.where(usable, row[source], 0.0)
    return filled
