"""What became of a video: three outcomes, all of them after the day it was first sighted.

T1
    Its last views within 14 days. Most videos are never seen again, so that the first counter is
    the last one known: reported, never a headline.
T2
    Its largest hourly velocity between sightings up to day 7; 0 when it is never seen again.
T3
    The largest number of countries that chart it on one of the days 1–7.

A video is a hit when its outcome lies above the 90th percentile of its category, among the videos
that are judged together: the training has thresholds of its own, the test too.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["LABELS", "SERIES_DAYS", "hits", "outcomes"]

LABELS: Final = ("T1", "T2", "T3")
_LAST_VIEWS_DAYS: Final = 14
SERIES_DAYS: Final = 7
_DECILE: Final = 0.9


def outcomes(
    rows: pd.DataFrame, observations: pd.DataFrame, *, series_days: int = SERIES_DAYS
) -> pd.DataFrame:
    """Return the three outcomes of each first sighting.

    Parameters
    ----------
    rows : pandas.DataFrame
        First sightings, with ``video_id``, ``day`` and ``views``.
    observations : pandas.DataFrame
        Counters of each day, pooled over all countries.
    series_days : int
        How many days after the first sighting count for T2 and T3; fewer than seven tell how it
        stands so far.

    Returns
    -------
    pandas.DataFrame
        ``T1`` (views), ``T2`` (views per hour, never negative) and ``T3`` (countries), in the
        order of ``rows``.
    """
    keyed = observations.merge(
        rows[["video_id", "day"]].rename(columns={"day": "first_day"}), on="video_id"
    ).sort_values(["video_id", "fetched_at"])
    since = keyed["day"] - keyed["first_day"]
    later = keyed[since.between(1, _LAST_VIEWS_DAYS)]
    series = keyed[since.between(0, series_days)]
    steps = series.groupby("video_id")[["views"]].diff()["views"]
    hours = series.groupby("video_id")["fetched_at"].diff().dt.total_seconds() / 3600
    fastest = (steps / hours.where(hours > 0)).groupby(series["video_id"]).max()
    after = keyed[since.between(1, series_days)]
    spread = after.groupby("video_id")["n_countries_110"].max()
    video = rows["video_id"]
    return pd.DataFrame(
        {
            "T1": video.map(later.groupby("video_id")["views"].last()).fillna(rows["views"]),
            "T2": video.map(fastest).fillna(0.0).clip(lower=0.0),
            "T3": video.map(spread).fillna(0.0),
        }
    ).astype("float64")


def hits(outcome: pd.Series, category: pd.Series) -> npt.NDArray[np.bool_]:
    """Mark the outcomes above the 90th percentile of their category.

    Examples
    --------
    >>> hits(pd.Series(range(20)), pd.Series(["10"] * 20)).nonzero()[0].tolist()
    [18, 19]
    """
    bar = outcome.groupby(category).transform("quantile", q=_DECILE)
    return (outcome > bar).to_numpy()
