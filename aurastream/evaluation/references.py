"""Where a first sighting stands among the first sightings of the last four weeks."""

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["REFERENCE_DAYS", "trailing_percentiles"]

REFERENCE_DAYS: Final = 28


def trailing_percentiles(
    days: npt.NDArray[np.int64], groups: npt.NDArray[np.int64], values: pd.DataFrame
) -> pd.DataFrame:
    """Return the mid-rank share of the trailing reference below each value, 0–1.

    The reference of a row are the rows of its group from 27 days before it to its own day; no
    later day counts. A value that is missing has no percentile, and counts for nobody.

    Examples
    --------
    >>> days, group = np.array([1, 1, 2]), np.zeros(3, dtype=int)
    >>> trailing_percentiles(days, group, pd.DataFrame({"v": [1.0, 3.0, 2.0]}))["v"].tolist()
    [0.25, 0.75, 0.5]
    """
    out = {name: np.full(days.size, np.nan) for name in values}
    order = np.lexsort((days, groups))
    bounds = np.flatnonzero(np.diff(groups[order])) + 1
    for rows in np.split(order, bounds) if days.size else []:
        present = days[rows]
        each_day = np.unique(present)
        opens = np.searchsorted(present, each_day - REFERENCE_DAYS + 1)
        starts = np.searchsorted(present, each_day)
        ends = np.searchsorted(present, each_day, side="right")
        for name, column in out.items():
            value = values[name].to_numpy(dtype="float64")[rows]
            for opening, start, end in zip(opens, starts, ends, strict=True):
                column[rows[start:end]] = _mid_rank(value[opening:end], value[start:end])
    return pd.DataFrame(out, index=values.index)


def _mid_rank(
    reference: npt.NDArray[np.float64], value: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    known = np.sort(reference[~np.isnan(reference)])
    if not known.size:
        return np.full(value.size, np.nan)
    below = np.searchsorted(known, value) + np.searchsorted(known, value, side="right")
    return np.where(np.isnan(value), np.nan, below / (2 * known.size))
