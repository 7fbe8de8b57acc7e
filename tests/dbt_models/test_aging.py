"""What `taking_off_now` rests on: by nature, a video's pace falls as 1 / age."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

_DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "youtube_trending"
_OBSERVED = _DATA / "observations_8c_2025-12-10_2026-04-30.parquet"
_CHARTS = _DATA / "charts_8c_2025-12-10_2026-04-30.parquet"
_AGES_H = [12, 24, 36, 48, 72, 96, 144, 192, 384, np.inf]
_GAMING = "20"

pytestmark = pytest.mark.skipif(not _OBSERVED.is_file(), reason=f"no archive at {_OBSERVED}")


@pytest.fixture(scope="module")
def pairs() -> pd.DataFrame:
    """Return how the pace of each video changed from a day to the next, with its age."""
    known = pd.read_parquet(_CHARTS).groupby("video_id")[["published_at", "category_id"]].first()
    seen = pd.read_parquet(_OBSERVED).join(known, on="video_id", how="inner")
    seen = seen[seen["views"] > 0].sort_values(["video_id", "fetched_at"])
    videos = seen.groupby("video_id")
    published = pd.to_datetime(seen["published_at"], utc=True)
    hours = pd.DataFrame(
        {
            "age": (seen["fetched_at"] - published).dt.total_seconds() / 3600,
            "day": (seen["fetched_at"] - videos["fetched_at"].shift(1)).dt.total_seconds() / 3600,
            "days": (seen["fetched_at"] - videos["fetched_at"].shift(2)).dt.total_seconds() / 3600,
        }
    )
    age_now = hours["age"] - hours["day"] / 2
    age_then = hours["age"] - (hours["days"] + hours["day"]) / 2
    now = (seen["views"] - videos["views"].shift(1)) / hours["day"]
    then = (videos["views"].shift(1) - videos["views"].shift(2)) / (hours["days"] - hours["day"])
    whole = hours["day"].between(20, 28) & hours["days"].between(44, 52)
    usable = whole & (now >= 0) & (then >= 0) & (age_then > 12)
    slowed = np.log((1 + now[usable]) / (1 + then[usable]))
    return pd.DataFrame(
        {
            "is_gaming": seen["category_id"] == _GAMING,
            "age": pd.cut(age_then, _AGES_H),
            "slowed": slowed,
            "change": slowed + np.log(age_now[usable] / age_then[usable]),
        }
    )[usable]


def test_pace_times_age_stays_from_a_day_to_the_next_at_every_age(pairs: pd.DataFrame) -> None:
    assert len(pairs) > 45_000
    medians = pairs.groupby("age", observed=True)[["slowed", "change"]].median()
    assert len(medians) == len(_AGES_H) - 1
    # The plain ratio would call every young video falling: by more than half on its second day.
    assert medians["slowed"].max() < 0
    assert medians["slowed"].iloc[0] < np.log(0.5)
    assert medians["change"].abs().max() < 0.1
    gaming = pairs[pairs["is_gaming"]].groupby("age", observed=True)["change"].median()
    # A little faster while they are young: a take-off is rather missed than claimed.
    assert gaming.max() < 0.01
    assert gaming.min() > -0.2
    assert gaming.iloc[2:].abs().max() < 0.1
