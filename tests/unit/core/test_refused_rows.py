"""Of rows that cannot be each is named, so that whoever goes on leaves out those alone."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from aurastream.core.anomalies import viewer_anomalies
from aurastream.core.category_stats import category_stats
from aurastream.core.clip_velocity import clip_velocity
from aurastream.core.competition import competition
from aurastream.core.errors import InvalidInputError
from aurastream.core.keywords import keyword_scores
from aurastream.core.premieres import premiere_performance
from aurastream.core.publishing_times import early_releases, publishing_times
from aurastream.core.title_intel import title_intel
from aurastream.core.velocity import video_velocity

AT = pd.Timestamp("2026-03-01T10:00Z")
ENDS = pd.DatetimeIndex([AT + pd.Timedelta("30min")])
GAMES = pd.DataFrame({"category": ["g"], "twitch_game_id": "1", "audience_timezone": "Europe/Rome"})
NOTHING = pd.DataFrame()
NAMES = ["a", "b", "c", "d"]
BEYOND = [np.inf, -np.inf, 1e101, Decimal("sNaN"), "fast"]
BELOW = [*BEYOND, -1.0]

VIDEOS = pd.DataFrame(
    {
        "window_start": AT,
        "category": "g",
        "video_id": NAMES,
        "channel_id": NAMES,
        "title": "boss",
        "tags": None,
        "age_h": 1.0,
        "views": 10.0,
        "likes": 1.0,
        "comments": 1.0,
        "engagement_rate": 0.1,
        "lifetime_velocity_per_hour": 1.0,
        "best_rank": [1.0, 2.0, 3.0, np.nan],
        "subscribers": [10.0, 1e6, np.nan, 0.0],
    }
)
RANKED = VIDEOS.drop(columns="subscribers")
RELEASES = VIDEOS[["window_start", "category", "video_id", "views"]].assign(
    release_kind=["announced", "instant", "instant", "instant"],
    released_at=AT,
    delay_min=[-3.0, np.nan, np.nan, np.nan],
    velocity_per_hour=1.0,
)
STREAMS = pd.DataFrame(
    {
        "crawl_at": AT,
        "observed_at": AT,
        "game_id": "1",
        "stream_id": NAMES,
        "user_id": NAMES,
        "started_at": AT,
        "viewer_count": 10.0,
    }
)
CLIPS = STREAMS.assign(clip_id=NAMES, view_count=1.0, created_at=AT)
SEEN = VIDEOS[["video_id", "views", "likes", "comments"]].assign(
    game="g", observed_at=AT, crawl_at=AT, metadata_hash="1"
)
VERSIONS = pd.DataFrame(
    {
        "video_id": NAMES,
        "metadata_hash": "1",
        "first_observed_at": AT,
        "channel_id": NAMES,
        "published_at": AT,
        "duration_s": 60.0,
        "default_language": None,
        "audio_language": None,
    }
)
Run = Callable[[pd.DataFrame], Any]
CASES: list[tuple[Run, pd.DataFrame, str, list[Any]]] = [
    (title_intel, RANKED, "best_rank", BELOW),
    (title_intel, VIDEOS, "subscribers", BELOW),
    (keyword_scores, VIDEOS, "lifetime_velocity_per_hour", BELOW),
    (lambda rows: category_stats(rows, default_baselines={}), VIDEOS, "views", BELOW),
    (premiere_performance, RELEASES, "delay_min", BEYOND),
    (premiere_performance, RELEASES, "views", BELOW),
    (premiere_performance, RELEASES, "velocity_per_hour", BELOW),
    (early_releases, RELEASES, "delay_min", BEYOND),
    (early_releases, RELEASES, "views", BELOW),
    (early_releases, RELEASES, "velocity_per_hour", BELOW),
    (publishing_times, RELEASES, "velocity_per_hour", BELOW),
    (
        lambda rows: competition(rows, NOTHING, as_of=ENDS, games=GAMES),
        STREAMS,
        "viewer_count",
        [*BELOW, 2.0**53],
    ),
    (
        lambda rows: viewer_anomalies(rows, as_of=ENDS, games=GAMES),
        STREAMS,
        "viewer_count",
        [*BELOW, 2.0**53],
    ),
    (
        lambda rows: clip_velocity(rows, as_of=ENDS, games=GAMES),
        CLIPS,
        "view_count",
        [*BELOW, 2.0**53],
    ),
    (
        lambda rows: video_velocity(NOTHING, rows, VERSIONS, as_of=ENDS),
        SEEN,
        "likes",
        [*BELOW, 2.0**53],
    ),
]


@pytest.mark.parametrize(
    ("compute", "rows", "column", "impossible"), CASES, ids=lambda part: getattr(part, "name", None)
)
def test_an_impossible_value_is_refused_by_its_row_and_the_others_are_worked_on(
    compute: Run, rows: pd.DataFrame, column: str, impossible: list[Any]
) -> None:
    rows = rows.set_axis([f"row {name}" for name in NAMES])
    compute(rows)
    for value in impossible:
        bad = rows.astype({column: object})
        bad.loc["row b", column] = value

        with pytest.raises(InvalidInputError) as refused:
            compute(bad)
        assert set(refused.value.rows) == {"row b"}, value
        compute(bad.drop(index="row b").astype({column: np.float64}))


def test_a_signalling_nan_is_found_in_columns_of_no_numbers_too() -> None:
    bad = VIDEOS.astype({"title": object})
    bad.loc[2, "title"] = Decimal("sNaN")

    with pytest.raises(InvalidInputError, match="'title' of the videos frame") as refused:
        title_intel(bad)
    assert set(refused.value.rows) == {2}
