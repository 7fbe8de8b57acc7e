"""What the user's own charts knew about a channel before the day of a first sighting."""

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["HISTORY_DAYS", "channel_history"]

HISTORY_DAYS: Final = 90
_DAY_BITS: Final = 1 << 20
"""More than any day number since 1970, so that channel and day make one sortable key."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def channel_history(rows: pd.DataFrame, charts: pd.DataFrame) -> pd.DataFrame:
    """Describe each channel by its chart rows of the 90 days before a first sighting.

    Parameters
    ----------
    rows : pandas.DataFrame
        First sightings: ``channel_id``, ``day`` and ``views``.
    charts : pandas.DataFrame
        Chart rows; those of the day itself and later are not looked at, except for
        ``channel_today``, the number of the channel's videos in the charts of that very day.

    Returns
    -------
    pandas.DataFrame
        ``channel_videos`` (new ones), ``channel_rows``, ``channel_days`` (0 for an unknown
        channel), and, null for an unknown channel, ``channel_rows_per_video``,
        ``channel_best_rank``, ``channel_views_max``, ``channel_days_since``,
        ``channel_countries_mean`` and ``_max``, ``channel_growth_mean`` and ``_max`` (log of views
        over first views), ``channel_first_views`` (mean log), ``views_over_channel_max`` and
        ``views_over_channel_mean`` (log ratios), ``channel_speed_mean``, ``_max`` and ``_last``
        (log of the hourly velocity between a video's chart rows of different days),
        ``channel_returned`` (share of its videos that charted on another day too) and
        ``channel_last_returned`` (whether its latest did, 0 or 1; both without those first seen
        the day before, which had no day to return on); in the order of ``rows``.
    """
    past = _video_days(charts)
    channels = past["channel_id"].to_numpy(dtype=object).astype(str)
    names, codes = np.unique(channels, return_inverse=True)
    keys = codes.astype("int64") * _DAY_BITS + past["day"].to_numpy()
    order = np.argsort(keys, kind="stable")
    past, keys = past.iloc[order], keys[order]
    wanted = rows["channel_id"].to_numpy(dtype=object).astype(str)
    code = np.searchsorted(names, wanted).clip(max=max(names.size - 1, 0))
    base = code.astype("int64") * _DAY_BITS + rows["day"].to_numpy()
    low, high = np.searchsorted(keys, base - HISTORY_DAYS), np.searchsorted(keys, base)
    today = np.searchsorted(keys, base + 1) - high
    known = high > low
    window = _Window(low, high, known)
    count = (high - low).astype("float64")
    per_row = np.where(known, count, np.nan)
    new = window.total(past["is_first"])
    chart_rows = window.total(past["countries"])
    log_views = np.log(rows["views"].clip(lower=1).to_numpy(dtype="float64"))
    views_max = window.reduced(past["views"], np.maximum)
    first_views = window.total(past["first_log"]) / per_row
    last_seen = keys[np.maximum(high - 1, 0)] if keys.size else base
    speeds = _Dated(keys, past["speed"].notna().to_numpy(), past)
    fast = speeds.window(base - HISTORY_DAYS, base)
    firsts = _Dated(keys, past["is_first"].to_numpy(), past)
    ripe = firsts.window(base - HISTORY_DAYS, base - 1)
    seconds = _Dated(keys, past["is_second"].to_numpy(), past).window(base - HISTORY_DAYS, base)
    latest = firsts.last(ripe, "next_day")
    return pd.DataFrame(
        {
            "channel_videos": new,
            "channel_rows": chart_rows,
            "channel_days": window.total(pd.Series(np.diff(keys, prepend=-1) != 0)),
            "channel_today": today.astype("float64"),
            "channel_rows_per_video": chart_rows / np.where(known, np.maximum(new, 1), np.nan),
            "channel_best_rank": window.reduced(past["rank"], np.minimum),
            "channel_views_max": views_max,
            "channel_days_since": np.where(known, base - last_seen, np.nan),
            "channel_countries_mean": chart_rows / per_row,
            "channel_countries_max": window.reduced(past["countries"], np.maximum),
            "channel_growth_mean": window.total(past["growth"]) / per_row,
            "channel_growth_max": window.reduced(past["growth"], np.maximum),
            "channel_first_views": first_views,
            "views_over_channel_max": log_views - np.log(np.maximum(views_max, 1)),
            "views_over_channel_mean": log_views - first_views,
            "channel_speed_mean": fast.total(speeds.rows["speed"]) / fast.count(),
            "channel_speed_max": fast.reduced(speeds.rows["speed"], np.maximum),
            "channel_speed_last": speeds.last(fast, "speed"),
            # A video first seen before the window may return within it.
            "channel_returned": np.minimum(np.nan_to_num(seconds.count()) / ripe.count(), 1.0),
            "channel_last_returned": np.where(
                ripe.count() > 0, (latest < rows["day"].to_numpy()).astype("float64"), np.nan
            ),
        },
        index=rows.index,
    )


class _Window:
    """Sums, minima and maxima of consecutive rows ``low[i]:high[i]``."""

    def __init__(self, low: Ints, high: Ints, known: npt.NDArray[np.bool_]) -> None:
        self._low, self._high, self._known = low, high, known
        ordered = np.flatnonzero(known)
        # Ascending, so that the stretches between windows, thrown away below, are short.
        self._ordered = ordered[np.argsort(low[ordered], kind="stable")]

    def count(self) -> Floats:
        return np.where(self._known, self._high - self._low, np.nan)

    def last(self, values: Floats) -> Floats:
        padded = np.append(values, np.nan)
        return np.where(self._known, padded[np.maximum(self._high - 1, 0)], np.nan)

    def total(self, values: pd.Series) -> Floats:
        # Window by window: running sums would round differently when later rows change.
        return np.nan_to_num(self.reduced(values, np.add))

    def reduced(self, values: pd.Series, of: np.ufunc) -> Floats:
        out = np.full(self._low.size, np.nan)
        at = self._ordered
        if at.size:
            # A pair of borders per window; the stretches between windows are thrown away.
            borders = np.stack([self._low[at], self._high[at]], axis=1).ravel()
            padded = np.append(values.to_numpy(dtype="float64"), 0.0)
            out[at] = of.reduceat(padded, borders)[::2]
        return out


class _Dated:
    """Those video-days of all channels that a mask picks, in the order of channel and day."""

    def __init__(self, keys: Ints, picked: npt.NDArray[np.bool_], past: pd.DataFrame) -> None:
        self._keys, self.rows = keys[picked], past[picked]

    def window(self, low: Ints, high: Ints) -> _Window:
        first, end = np.searchsorted(self._keys, low), np.searchsorted(self._keys, high)
        return _Window(first, end, end > first)

    def last(self, window: _Window, name: str) -> Floats:
        return window.last(self.rows[name].to_numpy(dtype="float64"))


def _video_days(charts: pd.DataFrame) -> pd.DataFrame:
    grouped = charts.groupby(["video_id", "day"], sort=True)
    days = grouped.agg(
        channel_id=("channel_id", "first"),
        countries=("country", "nunique"),
        views=("views", "max"),
        rank=("chart_rank", "min"),
        fetched_at=("fetched_at", "max"),
    ).reset_index()
    videos = days.groupby("video_id")
    first = videos["views"].transform("first").clip(lower=1)
    hours = videos["fetched_at"].diff().dt.total_seconds() / 3600
    per_hour = videos["views"].diff() / hours.where(hours > 0)
    return days.assign(
        is_first=~days.duplicated("video_id"),
        is_second=videos.cumcount() == 1,
        next_day=videos["day"].shift(-1),
        speed=np.log1p(per_hour.clip(lower=0)),
        first_log=np.log(first.astype("float64")),
        growth=np.log(days["views"].clip(lower=1) / first),
    )
