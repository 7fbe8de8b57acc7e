"""The mostPopular chart of a region at any moment of the day.

The archive has one snapshot per day and region. Between two snapshots every video of either one
has a position that moves from its first rank to its second; a video that is only in the earlier
one slides out below the chart, one that is only in the later one climbs in from below, each at a
pace of its own, and none before it was published. The chart is the top of that order. At the
moment of a snapshot it is exactly that snapshot.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aurastream.replay.hashing import uniform

__all__ = ["Charts", "build_charts"]

_BELOW: Final = 51.0  # the first position under a full chart
_DEPTH: Final = 25.0  # how far below the chart leaving videos fall
_SEED: Final = 211
_CACHED: Final = 256


@dataclass(frozen=True, slots=True)
class _Snapshot:
    at: int
    videos: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Change:
    """The candidates between two snapshots and how they move."""

    videos: NDArray[np.int64]
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    bend: NDArray[np.float64]


@dataclass(slots=True)
class Charts:
    """All regions' charts; `Charts.at` answers for any moment."""

    snapshots: dict[str, list[_Snapshot]]
    published: NDArray[np.int64]
    _changes: dict[tuple[str, int], _Change] = field(default_factory=dict)
    _recent: dict[tuple[str, int], NDArray[np.int64]] = field(default_factory=dict)

    @property
    def regions(self) -> tuple[str, ...]:
        """Return the regions that have charts, sorted."""
        return tuple(sorted(self.snapshots))

    def at(self, region: str, moment: float) -> NDArray[np.int64]:
        """Return the videos of a region's chart, the top first.

        Parameters
        ----------
        region : str
            One of `regions`.
        moment : float
            Archive time in seconds since 1970; before the first snapshot and after the last one
            the chart stands still.

        Returns
        -------
        array of int64
            48 to 50 video indexes, all published by then.
        """
        key = (region, int(moment))
        chart = self._recent.get(key)
        if chart is None:
            if len(self._recent) >= _CACHED:
                self._recent.clear()
            chart = self._recent[key] = self._compute(region, int(moment))
        return chart

    def _compute(self, region: str, moment: int) -> NDArray[np.int64]:
        days = self.snapshots[region]
        later = next((n for n, day in enumerate(days) if day.at > moment), len(days))
        if later in {0, len(days)}:
            chart = days[0 if later == 0 else -1].videos
            return chart[self.published[chart] <= moment]
        before, after = days[later - 1], days[later]
        change = self._change(region, later)
        progress = (moment - before.at) / (after.at - before.at)
        position = change.start + (change.end - change.start) * progress**change.bend
        position[self.published[change.videos] > moment] = np.inf
        size = round(before.videos.size + (after.videos.size - before.videos.size) * progress)
        order = np.argsort(position, kind="stable")[:size]
        return change.videos[order[np.isfinite(position[order])]]

    def _change(self, region: str, later: int) -> _Change:
        change = self._changes.get((region, later))
        if change is None:
            days = self.snapshots[region]
            before, after = days[later - 1].videos, days[later].videos
            videos = np.unique(np.concatenate([before, after]))
            depth = _BELOW + _DEPTH * uniform(_SEED, videos, later)
            change = _Change(
                videos=videos,
                start=_ranks(before, videos, depth),
                end=_ranks(after, videos, depth),
                # A bend of 1 is a steady move, below it an early one, above it a late one.
                bend=4.0 ** (uniform(_SEED + 1, videos, later) - 0.5),
            )
            self._changes[region, later] = change
        return change


def _ranks(
    chart: NDArray[np.int64], videos: NDArray[np.int64], otherwise: NDArray[np.float64]
) -> NDArray[np.float64]:
    ranks = otherwise.copy()
    ranks[np.searchsorted(videos, chart)] = np.arange(1, chart.size + 1)
    return ranks


def build_charts(
    regions: list[str],
    days: NDArray[np.int64],
    fetched_at: NDArray[np.int64],
    videos: NDArray[np.int64],
    published: NDArray[np.int64],
) -> Charts:
    """Cut sorted chart rows (region, day, rank) into snapshots.

    Parameters
    ----------
    regions, days, fetched_at, videos
        One entry per chart row, sorted by region, day and rank.
    published : array of int64
        Publication time of every video of the archive.
    """
    names, codes = np.unique(np.array(regions), return_inverse=True)
    starts = np.flatnonzero(np.diff(codes * 1000 + days, prepend=-1))
    snapshots: dict[str, list[_Snapshot]] = {str(name): [] for name in names}
    for start, end in zip(starts, [*starts[1:], days.size], strict=True):
        snapshots[str(names[codes[start]])].append(
            _Snapshot(int(fetched_at[start]), videos[start:end])
        )
    return Charts(snapshots, published)
