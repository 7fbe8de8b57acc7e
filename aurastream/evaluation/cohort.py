"""Who is judged, and on which days: videos at their first sighting in the user's own countries.

A video counts when it is 0–48 hours old at its first sighting, is not live, has a duration, and
was first sighted at least 2 days after the collection began (before, nobody knows whether the
sighting is the first) and at least 14 days before it ends (after, the outcome is not known).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core.errors import InvalidInputError
from aurastream.evaluation.archives import Archive

__all__ = [
    "OUTCOME_DAYS",
    "WARM_UP_DAYS",
    "SplitDays",
    "cohort_mask",
    "first_sightings",
    "split_days",
]

MAX_AGE_H: Final = 48.0
WARM_UP_DAYS: Final = 2
OUTCOME_DAYS: Final = 14
_TEST_SHARE: Final = 23 / 126
"""Share of the cohort's days that is judged: 2026-03-25..04-16 of 2025-12-12..2026-04-16."""


@dataclass(frozen=True, slots=True)
class SplitDays:
    """Last day of training and first day of the test, as days since 1970."""

    train_end: int
    test_start: int


def first_sightings(archive: Archive) -> pd.DataFrame:
    """Return one row per video, its best-placed row on the first day it was seen.

    Adds ``age_h`` (hours since publication), ``own_countries`` (how many of the user's countries
    chart it that day), ``mean_rank``, and one ``rank_XX`` per country (NaN where it is absent).
    Rows are ordered by day and video; ages outside 0–48 h, live videos and those without a
    duration are left out.
    """
    charts = archive.charts
    first = charts.groupby("video_id")["day"].transform("min")
    opening = charts[charts["day"] == first].sort_values(["video_id", "chart_rank", "country"])
    groups = opening.groupby("video_id")["chart_rank"]
    ranks = opening.pivot_table(
        index="video_id", columns="country", values="chart_rank", aggfunc="min"
    ).add_prefix("rank_")
    rows = opening.drop_duplicates("video_id").set_index("video_id")
    age = (rows["fetched_at"] - rows["published_at"]).dt.total_seconds() / 3600
    rows = rows.assign(
        age_h=age,
        own_countries=groups.size(),
        mean_rank=groups.mean(),
        **{str(name): rank for name, rank in ranks.items()},
    )
    wanted = age.between(0, MAX_AGE_H) & ~rows["is_live"].astype(bool) & (rows["duration_s"] > 0)
    return rows[wanted].reset_index().sort_values(["day", "video_id"], ignore_index=True)


def cohort_mask(
    rows: pd.DataFrame, archive: Archive, *, outcome_days: int = OUTCOME_DAYS
) -> npt.NDArray[np.bool_]:
    """Mark the rows whose first sighting is certain and whose outcome is known."""
    return (
        rows["day"]
        .between(archive.first_day + WARM_UP_DAYS, archive.last_day - outcome_days)
        .to_numpy()
    )


def split_days(archive: Archive, *, outcome_days: int = OUTCOME_DAYS) -> SplitDays:
    """Return the split of an archive that is both trained on and judged.

    The last part of the cohort's days is judged, in the proportion of the protocol; training
    ends a day more than ``outcome_days`` before, so that no label of the training reaches into the
    judged days.

    Raises
    ------
    InvalidInputError
        When the archive spans too few days for that.
    """
    opening, closing = archive.first_day + WARM_UP_DAYS, archive.last_day - outcome_days
    test_days = max(1, round((closing - opening + 1) * _TEST_SHARE))
    test_start = closing - test_days + 1
    train_end = test_start - outcome_days - 1
    if train_end <= opening:
        raise InvalidInputError(
            f"The archive spans {archive.last_day - archive.first_day + 1} days, too few to "
            "train and to judge.",
            fix="Give a longer one, or another archive with --test.",
        )
    return SplitDays(train_end, test_start)
