"""What no algorithm can work on is refused by name, never by an accident of numpy or pandas."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from aurastream.core.competition import concentration_scores, saturation_scores
from aurastream.core.descriptions import mine_description
from aurastream.core.difficulty import difficulty_bands
from aurastream.core.errors import InvalidInputError
from aurastream.core.ideas import video_ideas
from aurastream.core.keywords import keyword_scores
from aurastream.core.languages import primary_languages, title_languages
from aurastream.core.lead_lag import cross_correlation
from aurastream.core.momentum import momentum_scores
from aurastream.core.percentile import percentile_score
from aurastream.core.premieres import on_time_share
from aurastream.core.thumbnails_similarity import hash_distance
from aurastream.core.title_lift import adjusted_p_values
from aurastream.core.velocity import lifetime_velocity

AT = pd.Timestamp("2026-03-01T10:00Z")
TOPIC = pd.DataFrame(
    {"window_start": [AT], "category": "g", "rank": 1, "topic": "boss", "lemmas": "boss"}
)
VIDEO = pd.DataFrame(
    {
        "window_start": [AT],
        "category": "g",
        "video_id": "a",
        "channel_id": "c",
        "title": "boss",
        "tags": None,
        "views": 1,
        "lifetime_velocity_per_hour": 1.0,
        "viral_score": 1.0,
        "confidence_pct": 1.0,
    }
)

REFUSED: dict[str, Callable[[], Any]] = {
    "a video twice": lambda: video_ideas(TOPIC, pd.concat([VIDEO, VIDEO])),
    "a video without an id": lambda: video_ideas(TOPIC, VIDEO.assign(video_id=None)),
    "a hash of other letters": lambda: hash_distance("0" * 16, "zz"),
    "a negative lag": lambda: cross_correlation([1, 2], [1, 2], -2),
    "too few z-scores": lambda: momentum_scores([0.0]),
    "percentiles of another shape": lambda: percentile_score([1, 2], [1, 2, 3], 4, 5, 6),
    "a velocity that is a word": lambda: keyword_scores(
        VIDEO.assign(lifetime_velocity_per_hour="fast")
    ),
    "a negative index": lambda: concentration_scores([-1]),
    "an index above 1": lambda: concentration_scores([1.5]),
    "fewer streams than none": lambda: saturation_scores([-1], [1]),
    "a p-value of 2": lambda: adjusted_p_values([-1, 2]),
    "an unknown difficulty": lambda: difficulty_bands([np.nan]),
    "a tolerance below 0": lambda: on_time_share([1.0], tolerance_min=-1.0),
    "no tolerance": lambda: on_time_share([1.0], tolerance_min=np.nan),
    "views without end": lambda: lifetime_velocity([np.inf], [1.0]),
}


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused_with_advice(what: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        REFUSED[what]()
    assert caught.value.fix


@pytest.mark.parametrize("nothing", [None, np.nan, pd.NA, ""])
def test_a_missing_description_says_nothing(nothing: Any) -> None:
    assert mine_description(nothing) == mine_description("")


def test_half_a_surrogate_pair_is_in_no_language() -> None:
    texts = ["\ud800", "an ordinary title about cooking"]
    assert title_languages(texts)["title_language"].tolist()[0] == "und"
    assert title_languages(texts).iloc[1].equals(title_languages(texts[1:]).iloc[0])
    assert primary_languages(["\ud800", "en-GB"]).tolist() == ["?", "en"]
