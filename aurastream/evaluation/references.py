"""Where a first sighting stands among the first sightings of the last four weeks."""

from collections.abc import Iterator
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
    columns = {name: values[name].to_numpy(dtype="float64") for name in values}
    order = np.lexsort((days, groups))
    bounds = np.flatnonzero(np.diff(groups[order])) + 1
    for rows in np.split(order, bounds) if days.size else []:
        present = days[rows]
        for opening, start, end in _spans(present):
            each_day, of_day = np.unique(present[start:end], return_inverse=True)
            reference = rows[opening:end]
            since = each_day[:, None] - present[opening:end]
            inside = (since >= 0) & (since < REFERENCE_DAYS)
            for name, column in out.items():
                found = _mid_ranks(columns[name][reference], inside, of_day)
                column[rows[start:end]] = found
    return pd.DataFrame(out, index=values.index)


def _spans(present: npt.NDArray[np.int64]) -> Iterator[tuple[int, int, int]]:
    """Cut ascending days into pieces of four weeks, each with the days that it looks back on."""
    start = 0
    while start < present.size:
        end = int(np.searchsorted(present, present[start] + REFERENCE_DAYS))
        opening = int(np.searchsorted(present, present[start] - REFERENCE_DAYS + 1))
        yield opening, start, end
        start = end


def _mid_ranks(
    values: npt.NDArray[np.float64],
    inside: npt.NDArray[np.bool_],
    of_day: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """Return the mid-ranks of the last values, each among those inside its day's four weeks."""
    asked = values[values.size - of_day.size :]
    known = np.flatnonzero(~np.isnan(values))
    ascending = known[np.argsort(values[known], kind="stable")]
    ordered = values[ascending]
    # Of the k smallest values, how many lie within the four weeks of each day.
    counts = np.zeros((inside.shape[0], ascending.size + 1), dtype=np.int32)
    np.cumsum(inside[:, ascending], axis=1, dtype=np.int32, out=counts[:, 1:])
    below = counts[of_day, np.searchsorted(ordered, asked)]
    upto = counts[of_day, np.searchsorted(ordered, asked, side="right")]
    total = np.maximum(counts[of_day, -1], 1)
    return np.where(np.isnan(asked), np.nan, (below + upto) / (2 * total))
