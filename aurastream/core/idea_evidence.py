"""Which videos are the evidence of a topic: those whose title has all of its words."""

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core.frames import (
    Schema,
    build_frame,
    codes_of,
    empty_frame,
    group_keys,
    named,
    require_columns,
    text,
    texts,
    timestamps,
    whole_numbers,
)
from aurastream.core.topics import lemma_sets

__all__ = ["IDEA_EVIDENCE_SCHEMA", "idea_evidence"]

Integers = npt.NDArray[np.int64]

IDEA_EVIDENCE_SCHEMA: Final[Schema] = {
    "window_start": "datetime64[us, UTC]",
    "category": "str",
    "topic_rank": "int32",
    "video_id": "str",
}


def idea_evidence(topics: pd.DataFrame, videos: pd.DataFrame) -> pd.DataFrame:
    """Find the videos of each topic in its own window and category.

    Parameters
    ----------
    topics : pandas.DataFrame
        ``window_start``, ``category``, ``rank`` and ``lemmas`` as `aurastream.core.topics.topics`
        gives them; a topic without lemmas has no evidence.
    videos : pandas.DataFrame
        ``window_start``, ``category``, ``video_id`` and ``title``, a video once per window and
        category.

    Returns
    -------
    pandas.DataFrame
        ``IDEA_EVIDENCE_SCHEMA``, by window, category, topic and video id. O(words of titles) over
        an index of words; topics and videos are never compared pair by pair.

    Raises
    ------
    InvalidInputError
        When a column is missing or a row has no window or category.

    References
    ----------
    AuraStream paper 5.4.1 (#74); every idea rests on named videos (C33).

    Examples
    --------
    >>> at = pd.Timestamp("2026-03-01", tz="UTC")
    >>> topics = pd.DataFrame({"window_start": at, "category": "g", "rank": [1, 2],
    ...                        "lemmas": ["best mod", "speedrun"]})
    >>> videos = pd.DataFrame({"window_start": at, "category": "g", "video_id": ["b", "a", "c"],
    ...                        "title": ["The BEST mods!", "best mod", None]})
    >>> idea_evidence(topics, videos)[["topic_rank", "video_id"]].values.tolist()
    [[1, 'a'], [1, 'b']]
    >>> idea_evidence(pd.DataFrame(), pd.DataFrame()).empty
    True
    """
    topics = require_columns(topics, ("window_start", "category", "rank", "lemmas"), "topics")
    videos = require_columns(videos, ("window_start", "category", "video_id", "title"), "videos")
    if topics.empty or videos.empty:
        return empty_frame(IDEA_EVIDENCE_SCHEMA)
    keyed = group_keys((topics, "topics"), (videos, "videos"))
    (video_code,), video_names = codes_of(videos["video_id"])
    named(videos, "video_id", video_code, "videos")
    topic_words = [str(line).split() for line in topics["lemmas"]]
    title_code, titles = pd.factorize(texts(videos, "title", "videos"), use_na_sentinel=False)
    # The words of a category's name are in no topic, so they need not leave the titles.
    title_sets = lemma_sets(titles)

    vocabulary = {word: n for n, word in enumerate(sorted({w for ws in topic_words for w in ws}))}
    n_words = max(len(vocabulary), 1)
    title_words = [[vocabulary[w] for w in found if w in vocabulary] for found in title_sets]
    held = np.array([len(found) for found in title_words], dtype=np.int64)
    flat = np.array([w for found in title_words for w in sorted(found)], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(held)])

    # One row per video and word of a topic it has, sorted by group and word: the index.
    of_video = np.repeat(np.arange(len(videos)), held[title_code])
    offset = np.arange(of_video.size) - np.repeat(
        np.concatenate([[0], np.cumsum(held[title_code])[:-1]]), held[title_code]
    )
    word = flat[starts[title_code[of_video]] + offset] if flat.size else flat
    posting = keyed.keys[1][of_video] * n_words + word
    order = np.argsort(posting, kind="stable")
    posting, of_video = posting[order], of_video[order]

    size = np.array([len(found) for found in topic_words], dtype=np.int64)
    of_topic = np.repeat(np.arange(len(topics)), size)
    wanted = keyed.keys[0][of_topic] * n_words + np.array(
        [vocabulary[w] for found in topic_words for w in found], dtype=np.int64
    )
    first = np.searchsorted(posting, wanted, side="left")
    count = np.searchsorted(posting, wanted, side="right") - first
    pair_topic = np.repeat(of_topic, count)
    within = np.arange(pair_topic.size) - np.repeat(np.cumsum(count) - count, count)
    pair_video = of_video[np.repeat(first, count) + within]

    pair, met = np.unique(pair_topic * len(videos) + pair_video, return_counts=True)
    topic, video = pair // len(videos), pair % len(videos)
    complete = met == size[topic]
    topic, video = topic[complete], video[complete]
    ids = text(video_names, video_code)
    rank = whole_numbers(topics, "rank", "topics")[topic]
    id_order = np.argsort(np.asarray(ids.take(video), dtype=object), kind="stable")
    order = id_order[np.lexsort((rank[id_order], keyed.keys[0][topic][id_order]))]
    topic, video = topic[order], video[order]
    return build_frame(
        IDEA_EVIDENCE_SCHEMA,
        {
            "window_start": timestamps(keyed.windows[0][topic]),
            "category": text(keyed.names, keyed.categories[0][topic]),
            "topic_rank": rank[order],
            "video_id": ids.take(video),
        },
    )
