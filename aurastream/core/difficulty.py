"""How hard it is to be seen with a video on a topic: 0–100, higher is harder.

difficulty = .35 · crowding + .35 · concentration + .30 · competition, each part 0–100:

- ``crowding_part``  min(1, share of the category's videos that are on the topic / 20 %) · 100;
- ``concentration_part``  Herfindahl-Hirschman index of the topic's views over channels · 100: one
  channel that has all the views leaves none for a newcomer;
- ``competition_part``  100 − ease of competing on Twitch in the game; 50 where it is unknown.

The sources name a difficulty and leave it undefined (#74, C33); weights and the 20 % are ours. EASY
is below 34, HARD from 67 on, MODERATE between.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core.arrays import floats, together
from aurastream.core.errors import InvalidInputError
from aurastream.core.frames import (
    Schema,
    build_frame,
    codes_of,
    counters,
    each_once,
    empty_frame,
    group_keys,
    lookup,
    percentages,
    require_columns,
    text,
    timestamps,
    whole_numbers,
)

__all__ = ["DIFFICULTY_SCHEMA", "difficulty", "difficulty_bands", "difficulty_scores"]

Floats = npt.NDArray[np.float64]

DIFFICULTY_SCHEMA: Final[Schema] = {
    "window_start": "datetime64[us, UTC]",
    "category": "str",
    "topic_rank": "int32",
    "evidence_count": "int32",
    "channel_count": "int32",
    "crowding_part": "float64",
    "concentration_part": "float64",
    "competition_part": "float64",
    "difficulty_score": "float64",
    "difficulty_band": "str",
}

_CROWDED_SHARE: Final = 0.2
_WEIGHTS: Final = (0.35, 0.35, 0.3)
_BANDS: Final = (34.0, 67.0)
_BAND_NAMES: Final = ("EASY", "MODERATE", "HARD")
_UNKNOWN_PART: Final = 50.0
_MOST: Final = 100.0


def difficulty_scores(
    crowding: npt.ArrayLike, concentration: npt.ArrayLike, competition: npt.ArrayLike
) -> Floats:
    """Return the weighted mean of three parts of 0–100 each; higher is harder.

    Parameters
    ----------
    crowding, concentration, competition : array_like
        The parts, 0–100; higher is harder.

    Returns
    -------
    numpy.ndarray
        0–100; higher is harder.

    Raises
    ------
    InvalidInputError
        When a part is no number or outside 0–100, or the parts do not fit together.

    Notes
    -----
    O(n).

    References
    ----------
    AuraStream paper 5.4.1 names a difficulty (#74) and leaves it undefined (C33); the weights are
    ours.

    Examples
    --------
    >>> difficulty_scores([0, 100, 20], [0, 100, 40], [0, 100, 50]).tolist()
    [0.0, 100.0, 36.0]
    >>> difficulty_scores([], [], []).tolist()
    []
    """
    parts = together(crowding=crowding, concentration=concentration, competition=competition)
    if not all(((p >= 0) & (p <= _MOST)).all() for p in parts):
        raise InvalidInputError(
            "A part of the difficulty is not between 0 and 100.", fix="Pass 50 where it is unknown."
        )
    one, two, three = (weight * part for weight, part in zip(_WEIGHTS, parts, strict=True))
    return np.clip(one + two + three, 0.0, _MOST)


def difficulty_bands(scores: npt.ArrayLike) -> npt.NDArray[np.object_]:
    """Return EASY below 34, HARD from 67 on, MODERATE between.

    Parameters
    ----------
    scores : array_like
        Difficulty, 0–100.

    Returns
    -------
    numpy.ndarray
        Bands as text.

    Raises
    ------
    InvalidInputError
        When a score is no number or outside 0–100.

    Notes
    -----
    O(n).

    References
    ----------
    AuraStream paper 5.4.1 (#74); the thirds are ours (C33).

    Examples
    --------
    >>> difficulty_bands([0, 33.9, 34, 67]).tolist()
    ['EASY', 'EASY', 'MODERATE', 'HARD']

    >>> difficulty_bands([]).tolist()
    []
    """
    score = floats(scores, "scores")
    if not ((score >= 0) & (score <= _MOST)).all():
        raise InvalidInputError(
            "A difficulty is not between 0 and 100.", fix="Leave out what is unknown."
        )
    at = np.searchsorted(_BANDS, score, side="right")
    return np.array(_BAND_NAMES, dtype=object)[at]


def difficulty(
    evidence: pd.DataFrame, videos: pd.DataFrame, competition: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Assess every topic that has evidence.

    Parameters
    ----------
    evidence : pandas.DataFrame
        As `aurastream.core.idea_evidence.idea_evidence` gives it.
    videos : pandas.DataFrame
        ``window_start``, ``category``, ``video_id``, ``channel_id`` and ``views`` of all videos of
        the category; a video once per window and category. Unknown views count as 0.
    competition : pandas.DataFrame, optional
        ``window_start``, ``category`` and ``ease_score`` (0–100) of the games.

    Returns
    -------
    pandas.DataFrame
        ``DIFFICULTY_SCHEMA``, by window, category and topic. Where no views are known each video
        counts alike in the concentration. O(n log n).

    Raises
    ------
    InvalidInputError
        When a column is missing, a value out of range, or a row doubled.

    References
    ----------
    AuraStream paper 5.4.1 (#74), settled in C33; the concentration is that of #71.

    Examples
    --------
    >>> at = pd.Timestamp("2026-03-01", tz="UTC")
    >>> videos = pd.DataFrame({"window_start": at, "category": "g", "video_id": list("abcdefghij"),
    ...                        "channel_id": list("xxyyzzuuvv"), "views": 100})
    >>> evidence = pd.DataFrame({"window_start": at, "category": "g", "topic_rank": [1, 1],
    ...                          "video_id": ["a", "c"]})
    >>> found = difficulty(evidence, videos)
    >>> found.columns[3:].tolist() == list(DIFFICULTY_SCHEMA)[3:]
    True
    >>> found.iloc[:, 3:].values.tolist()
    [[2, 2, 100.0, 50.0, 50.0, 67.5, 'HARD']]
    >>> difficulty(pd.DataFrame(), pd.DataFrame()).empty
    True

    Views that are not known count alike, whoever has them:

    >>> difficulty(evidence, videos.assign(views=None))["concentration_part"].tolist()
    [50.0]
    """
    keys = ("window_start", "category")
    evidence = require_columns(evidence, (*keys, "topic_rank", "video_id"), "evidence")
    videos = require_columns(videos, (*keys, "video_id", "channel_id", "views"), "videos")
    twitch = pd.DataFrame() if competition is None else competition
    twitch = require_columns(twitch, (*keys, "ease_score"), "competition")
    if evidence.empty:
        return empty_frame(DIFFICULTY_SCHEMA)
    keyed = group_keys((evidence, "evidence"), (videos, "videos"), (twitch, "competition"))
    (of_evidence, of_video), ids = codes_of(evidence["video_id"], videos["video_id"])
    (channel,), _ = codes_of(videos["channel_id"])
    video_key = keyed.keys[1] * len(ids) + of_video
    each_once(video_key, videos.index, "videos", "video")
    each_once(keyed.keys[2], twitch.index, "competition")
    order = np.argsort(video_key, kind="stable")
    at = lookup(video_key[order], keyed.keys[0] * len(ids) + of_evidence)
    if (at < 0).any():
        raise InvalidInputError(
            "The evidence names videos that are not among the videos.",
            fix="Pass the videos the evidence was found in.",
        )
    row = order[at]

    rank = whole_numbers(evidence, "topic_rank", "evidence")
    topic_key = keyed.keys[0] * (rank.max() + 1) + rank
    _, first, topic = np.unique(topic_key, return_index=True, return_inverse=True)
    n = first.size
    views = np.nan_to_num(counters(videos, "views", "videos"))[row]
    known = np.bincount(topic, weights=views, minlength=n)
    weight = np.where(known[topic] > 0, views, 1.0)
    pair, pair_of = np.unique(topic * (channel.max() + 2) + channel[row] + 1, return_inverse=True)
    pair_topic = pair // (channel.max() + 2)
    held = np.bincount(pair_of, weights=weight, minlength=pair.size)
    total = np.bincount(topic, weights=weight, minlength=n)
    hhi = np.bincount(pair_topic, weights=(held / total[pair_topic]) ** 2, minlength=n)

    evidence_count = np.bincount(topic, minlength=n)
    group = keyed.keys[0][first]
    groups, sizes = np.unique(keyed.keys[1], return_counts=True)
    share = evidence_count / sizes[lookup(groups, group)]
    ease = np.full(n, np.nan)
    if len(twitch):
        twitch_order = np.argsort(keyed.keys[2], kind="stable")
        found = lookup(keyed.keys[2][twitch_order], group)
        ease_of = percentages(twitch, "ease_score", "competition")[twitch_order]
        ease = np.where(found >= 0, ease_of[np.maximum(found, 0)], np.nan)
    crowding = _MOST * np.minimum(1.0, share / _CROWDED_SHARE)
    concentration = np.clip(_MOST * hhi, 0.0, _MOST)
    competing = np.where(np.isnan(ease), _UNKNOWN_PART, _MOST - ease)
    score = difficulty_scores(crowding, concentration, competing)
    return build_frame(
        DIFFICULTY_SCHEMA,
        {
            "window_start": timestamps(keyed.windows[0][first]),
            "category": text(keyed.names, keyed.categories[0][first]),
            "topic_rank": rank[first],
            "evidence_count": evidence_count,
            "channel_count": np.bincount(pair_topic, minlength=n),
            "crowding_part": crowding,
            "concentration_part": concentration,
            "competition_part": competing,
            "difficulty_score": score,
            "difficulty_band": pd.array(difficulty_bands(score).tolist(), dtype="str"),
        },
    )
