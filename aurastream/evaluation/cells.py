"""Weekly cells of the charts: country × category × ISO week, and how open they were to newcomers.

A video is a newcomer's when its channel had no chart row in that country in the 21 days before the
day on which the video first charted in that week. "Never charted since the file began" would fall
as the file grows, and the week's number alone would predict it.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core.frames import distinct

__all__ = ["CELL", "FEWEST_VIDEOS", "LOOK_BACK_DAYS", "consecutive", "weekly_cells"]

CELL: Final = ["country", "category_id"]
FEWEST_VIDEOS: Final = 10
LOOK_BACK_DAYS: Final = 21
_WEEK_DAYS: Final = 7
_EPOCH_WEEKDAY: Final = 3
"""1970-01-01 was a Thursday: its ISO week had begun three days before."""
_FEWEST_DAYS: Final = 6
_FEWEST_LOOK_BACK_DAYS: Final = 18
_DAY_BITS: Final = 1 << 20

Ints = npt.NDArray[np.int64]


def weekly_cells(charts: pd.DataFrame) -> pd.DataFrame:
    """Describe each cell of at least ten videos whose week and look-back are on record.

    A week counts with snapshots of six of its days, a look-back with 18 of its 21; that leaves out
    the first three weeks of a collection and one that ends in the middle.

    Parameters
    ----------
    charts : pandas.DataFrame
        Chart rows with ``day``, of one collection.

    Returns
    -------
    pandas.DataFrame
        ``country``, ``category_id``, ``week`` (ISO weeks since 1969-12-29), ``videos``,
        ``newcomer_share`` (of videos, 0–1), ``log_velocity`` (of the median views per hour since
        publication, at each video's first row of the week), ``hhi`` (of videos over channels,
        0–1) and ``newcomer_log_velocity`` (the same of the newcomers' first videos, null when
        there are none); in the order of country, category and week.
    """
    rows = charts.assign(week=(charts["day"] + _EPOCH_WEEKDAY) // _WEEK_DAYS)
    rows = rows.sort_values(["day", "chart_rank", "video_id"])
    rows = rows.drop_duplicates(["country", "category_id", "week", "video_id"])
    day = rows["day"].to_numpy(dtype="int64")
    new = _count_between(charts, rows, day - LOOK_BACK_DAYS, day) == 0
    hours = ((rows["fetched_at"] - rows["published_at"]).dt.total_seconds() / 3600).clip(lower=1)
    velocity = rows["views"].clip(lower=1) / hours
    rows = rows.assign(new=new, velocity=velocity)
    keys = [*CELL, "week"]
    groups = rows.groupby(keys)
    channels = rows.groupby([*keys, "channel_id"]).size()
    shares = channels / channels.groupby(level=keys).transform("sum")
    first = rows[rows["new"]].drop_duplicates([*keys, "channel_id"])
    cells = pd.DataFrame(
        {
            "videos": groups.size(),
            "newcomer_share": groups["new"].mean(),
            "log_velocity": np.log(groups["velocity"].median()),
            "hhi": (shares**2).groupby(level=keys).sum(),
            "newcomer_log_velocity": np.log(first.groupby(keys)["velocity"].median()),
        }
    ).reset_index()
    known = _on_record(charts, cells)
    return cells[known & (cells["videos"] >= FEWEST_VIDEOS)].reset_index(drop=True)


def consecutive(cells: pd.DataFrame) -> pd.DataFrame:
    """Join each cell to the same cell a week later: ``next_share`` and ``next_log_velocity``.

    ``week`` stays that of the earlier one, from which alone a prediction may be made.
    """
    later = cells[[*CELL, "week", "newcomer_share", "newcomer_log_velocity"]].rename(
        columns={"newcomer_share": "next_share", "newcomer_log_velocity": "next_log_velocity"}
    )
    return cells.merge(later.assign(week=later["week"] - 1), on=[*CELL, "week"])


def first_day_of(week: int) -> int:
    """Return the Monday of a week, as days since 1970.

    Examples
    --------
    >>> first_day_of(0)
    -3
    """
    return week * _WEEK_DAYS - _EPOCH_WEEKDAY


def _count_between(charts: pd.DataFrame, rows: pd.DataFrame, low: Ints, high: Ints) -> Ints:
    """Count the days in [low, high) on which a row's channel charted in the row's country."""
    codes, _ = pd.factorize(_channel_of(charts))
    code_of = dict(zip(_channel_of(charts), codes.tolist(), strict=True))
    keys = distinct(codes.astype("int64") * _DAY_BITS + charts["day"].to_numpy(dtype="int64"))
    base = _channel_of(rows).map(code_of).to_numpy(dtype="int64") * _DAY_BITS
    found: Ints = np.searchsorted(keys, base + high) - np.searchsorted(keys, base + low)
    return found


def _channel_of(rows: pd.DataFrame) -> pd.Series:
    return rows["country"].astype(str) + "\0" + rows["channel_id"].astype(str)


def _on_record(charts: pd.DataFrame, cells: pd.DataFrame) -> npt.NDArray[np.bool_]:
    days = charts[["country", "day"]].drop_duplicates()
    known = np.zeros(len(cells), dtype=bool)
    for country, places in cells.groupby("country").indices.items():
        own = np.sort(days.loc[days["country"] == country, "day"].to_numpy(dtype="int64"))
        monday = cells["week"].to_numpy(dtype="int64")[places] * _WEEK_DAYS - _EPOCH_WEEKDAY
        edges = np.searchsorted(
            own, np.stack([monday - LOOK_BACK_DAYS, monday, monday + _WEEK_DAYS])
        )
        look_back, inside = np.diff(edges, axis=0)
        known[places] = (look_back >= _FEWEST_LOOK_BACK_DAYS) & (inside >= _FEWEST_DAYS)
    return known
