"""Whether the charts of two crawls are from one world."""

from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from aurastream.core.frames import codes_of, require_columns

__all__ = ["Overlap", "chart_overlap"]

_KEY: Final = ("chart", "region", "video_id")


class Overlap(NamedTuple):
    """How many lists there are now and before, with an item in common, and before at all.

    Examples
    --------
    >>> Overlap(lists=32, kept=31, known=32).starts_over
    False
    >>> Overlap(lists=32, kept=15, known=32).starts_over
    True

    Few of the lists, or none, do not speak for all:

    >>> Overlap(lists=7, kept=0, known=32).starts_over, Overlap(0, 0, 0).starts_over
    (False, False)
    """

    lists: int
    kept: int
    known: int

    @property
    def starts_over(self) -> bool:
        """Return whether another source answers: most lists have nothing in common.

        A list may replace all of its items within a day, and a fast one does. So at least a quarter
        of the lists that are known from before is asked for.
        """
        return 2 * self.kept < self.lists and 4 * self.lists >= self.known


def chart_overlap(now: pd.DataFrame, before: pd.DataFrame) -> Overlap:
    """Count the lists that two crawls of the charts both have, and those that go on.

    Parameters
    ----------
    now, before : pandas.DataFrame
        ``chart``, ``region`` and ``video_id``, a row per video of a list, in any order; before, as
        each list was seen last. A list without a row was not answered, or is empty, and is not
        compared.

    Returns
    -------
    Overlap
        O(rows).

    Raises
    ------
    InvalidInputError
        When a column is missing.

    References
    ----------
    Ours, measured on the replay's archive, whose charts really start over.

    Examples
    --------
    >>> before = pd.DataFrame({"chart": ["music", "music", "gaming"], "region": "US",
    ...                        "video_id": ["a", "b", "c"]})
    >>> chart_overlap(before.assign(video_id=["b", "x", "y"]), before)
    Overlap(lists=2, kept=1, known=2)
    >>> chart_overlap(before.iloc[:1], before)
    Overlap(lists=1, kept=1, known=2)
    >>> chart_overlap(before.iloc[:0], before)
    Overlap(lists=0, kept=0, known=2)

    The same video on another list is no sign of going on:

    >>> chart_overlap(before.assign(region="JP"), before)
    Overlap(lists=0, kept=0, known=2)
    """
    rows = require_columns(now, _KEY, "now")
    rows_before = require_columns(before, _KEY, "before")
    lists, lists_before = np.zeros(len(rows), np.int64), np.zeros(len(rows_before), np.int64)
    for column in _KEY[:-1]:
        (codes, codes_before), names = codes_of(rows[column], rows_before[column])
        lists = lists * len(names) + codes
        lists_before = lists_before * len(names) + codes_before
    (codes, codes_before), names = codes_of(rows["video_id"], rows_before["video_id"])
    kept = np.isin(lists * len(names) + codes, lists_before * len(names) + codes_before)
    known = np.unique(lists_before)
    return Overlap(len(np.intersect1d(lists, known)), len(np.unique(lists[kept])), len(known))
