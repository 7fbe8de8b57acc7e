"""Which videos a topic rests on: those whose title or tags say it.

A title says a topic when the words of one of the topic's terms stand in it side by side; a tag
says it when the whole tag is one of the terms. Words are those of `aurastream.core.words`, so that
neither case, width, punctuation nor HTML references matter.

Terms are found through their first words, so that the time grows with the words of the titles and
not with the number of topics.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core import words
from aurastream.core.frames import (
    Schema,
    build_frame,
    codes_of,
    counters,
    empty_frame,
    group_keys,
    require_columns,
    text_lists,
    texts,
)

__all__ = ["TOPIC_EVIDENCE_SCHEMA", "topic_evidence"]

Integers = npt.NDArray[np.int64]

TOPIC_EVIDENCE_SCHEMA: Final[Schema] = {
    "video_count": "int32",
    "title_count": "int32",
    "velocity_p50_per_hour": "float64",
    "evidence_video_ids": "object",
}
"""Columns of `topic_evidence`."""

_VELOCITY: Final = "lifetime_velocity_per_hour"
_CHUNK: Final = 50_000
_EVIDENCE: Final = 10
_BY_FIRST_WORD = dict[str, list[tuple[list[str], int]]]


@dataclass(frozen=True, slots=True)
class _Terms:
    """The terms of the topics of one window and category; numbers are places of topics."""

    whole: dict[str, list[int]]
    by_first: _BY_FIRST_WORD


def topic_evidence(
    topics: pd.DataFrame, videos: pd.DataFrame, *, evidence: int = _EVIDENCE
) -> pd.DataFrame:
    """Return for each topic how many videos say it, how fast they are, and the fastest of them.

    Parameters
    ----------
    topics : pandas.DataFrame
        ``window_start``, ``category``, ``topic`` and ``duplicates`` as
        `aurastream.core.topics.topics` gives them.
    videos : pandas.DataFrame
        ``window_start``, ``category``, ``video_id``, ``title``, ``tags`` and
        ``lifetime_velocity_per_hour``: the videos the topics were found in, each once per window
        and category. A missing title or list of tags says nothing.
    evidence : int
        Ids kept per topic.

    Returns
    -------
    pandas.DataFrame
        One row per topic, in their order, with the columns of `TOPIC_EVIDENCE_SCHEMA`:
        ``video_count`` of its videos, ``title_count`` of those that say it in the title,
        ``velocity_p50_per_hour`` the median of their known velocities (views per hour, 0 or more,
        higher is faster; NaN where none is known), ``evidence_video_ids`` the fastest ones, then
        those of unknown velocity; equally fast ones by their id.

    Raises
    ------
    InvalidInputError
        When a column is missing, a velocity is negative or infinite, a title is a list, tags are
        no list of texts, or a row has no category.

    Notes
    -----
    O(words + hits log hits).

    References
    ----------
    AuraStream paper 5.4.1 (#74); evidence by name is ours (C33).

    Examples
    --------
    >>> import pandas as pd
    >>> at = pd.Timestamp("2026-03-01T08:00Z")
    >>> topics = pd.DataFrame({
    ...     "window_start": at, "category": "minecraft",
    ...     "topic": ["hardcore day", "smp"], "duplicates": [["day hardcore"], []],
    ... })
    >>> videos = pd.DataFrame({
    ...     "window_start": at, "category": "minecraft", "video_id": ["a", "b", "c"],
    ...     "title": ["HARDCORE: Day 1", "Day, hardcore", "hardcore smp"],
    ...     "tags": [["SMP"], None, []],
    ...     "lifetime_velocity_per_hour": [5.0, 9.0, None],
    ... })
    >>> topic_evidence(topics, videos).values.tolist()
    [[2, 2, 7.0, ['b', 'a']], [2, 1, 5.0, ['a', 'c']]]
    >>> topic_evidence(topics, videos.iloc[:0])["video_count"].tolist()
    [0, 0]
    """
    topics = require_columns(topics, ("window_start", "category", "topic", "duplicates"), "topics")
    columns = ("window_start", "category", "video_id", "title", "tags", _VELOCITY)
    videos = require_columns(videos, columns, "videos")
    velocity = counters(videos, _VELOCITY, "videos")
    if topics.empty:
        return empty_frame(TOPIC_EVIDENCE_SCHEMA)
    (of_topic, of_video) = group_keys((topics, "topics"), (videos, "videos")).keys
    ids = videos["video_id"]
    (places,), _ = codes_of(ids)
    shown = _Texts(texts(videos, "title", "videos"), text_lists(videos, "tags", "videos"))
    terms = texts(topics, "topic", "topics").tolist()
    others = [_listed(own) for own in text_lists(topics, "duplicates", "topics")]
    hits: list[tuple[Integers, Integers, Integers]] = []
    rows_of = _members(of_video)
    for group, own in _members(of_topic).items():
        found = _terms([(int(i), [terms[i], *others[i]]) for i in own.tolist()])
        rows = rows_of.get(group, np.empty(0, dtype=np.int64))
        hits += [_hits(found, rows[at : at + _CHUNK], shown) for at in range(0, rows.size, _CHUNK)]
    topic, row, in_title = (
        np.concatenate(parts) for parts in (zip(*hits, strict=True) if hits else ([_NONE],) * 3)
    )
    speed = velocity[row]
    order = np.lexsort((places[row], -np.nan_to_num(speed, nan=-1.0), topic))
    topic, row, speed = topic[order], row[order], speed[order]
    named = ids.take(row).tolist()
    bounds = np.searchsorted(topic, np.arange(len(topics) + 1))
    return build_frame(
        TOPIC_EVIDENCE_SCHEMA,
        {
            "video_count": np.diff(bounds),
            "title_count": np.bincount(topic, in_title[order], minlength=len(topics)),
            "velocity_p50_per_hour": _medians(speed, topic, len(topics)),
            "evidence_video_ids": pd.Series(
                [named[a : min(b, a + evidence)] for a, b in pairwise(bounds.tolist())],
                dtype=object,
            ),
        },
    )


_NONE: Final = np.empty(0, dtype=np.int64)


def _members(keys: Integers) -> dict[int, Integers]:
    order = np.argsort(keys, kind="stable")
    found, starts = np.unique(keys[order], return_index=True)
    if not found.size:
        return {}
    return dict(zip(found.tolist(), np.split(order, starts[1:]), strict=True))


def _terms(topics: Sequence[tuple[int, list[str]]]) -> _Terms:
    numbered = [(topic, term) for topic, own in topics for term in own]
    lines = words.canonical_lines(term for _, term in numbered)
    whole: dict[str, list[int]] = {}
    by_first: _BY_FIRST_WORD = {}
    for (topic, _), line in zip(numbered, lines, strict=True):
        if not line or topic in whole.get(line, ()):
            continue
        whole.setdefault(line, []).append(topic)
        parts = line.split()
        by_first.setdefault(parts[0], []).append((parts, topic))
    return _Terms(whole, by_first)


class _Texts:
    """Titles as words and tags as lines, each distinct one made once; numbers say whose they are.

    Numbers in arrays, because a million dictionaries or lists would be the larger part of all.
    """

    def __init__(self, titles: "pd.Series[Any]", tags: list[Any]) -> None:
        codes, distinct = pd.factorize(titles, use_na_sentinel=False)
        self._title_of = codes.astype(np.int32)
        self._titles: list[str] = _lines(list(distinct))
        numbers: dict[str, int] = {}
        sizes = np.fromiter((len(_listed(own)) for own in tags), dtype=np.int64)
        self._starts = np.append(0, np.cumsum(sizes))
        self._tag_codes = np.fromiter(
            (numbers.setdefault(tag, len(numbers)) for own in tags for tag in _listed(own)),
            dtype=np.int32,
        )
        self._tags = _lines(list(numbers))

    def title(self, row: int) -> str:
        return self._titles[int(self._title_of[row])]

    def tags(self, row: int) -> list[str]:
        own = self._tag_codes[self._starts[row] : self._starts[row + 1]]
        return [self._tags[code] for code in own.tolist()]


def _lines(texts: list[Any]) -> list[str]:
    return [
        line
        for at in range(0, len(texts), _CHUNK)
        for line in words.canonical_lines(texts[at : at + _CHUNK])
    ]


def _hits(terms: _Terms, rows: Integers, texts: _Texts) -> tuple[Integers, Integers, Integers]:
    """Return topic, row and whether the title says it, for each pair of a topic and a video."""
    found: list[tuple[int, int, int]] = []
    for row in rows.tolist():
        spoken = texts.title(row).split()
        in_title = {
            topic
            for at, word in enumerate(spoken)
            for parts, topic in terms.by_first.get(word, ())
            if spoken[at : at + len(parts)] == parts
        }
        in_tags = {topic for tag in texts.tags(row) for topic in terms.whole.get(tag, ())}
        found += [(topic, row, 1) for topic in in_title]
        found += [(topic, row, 0) for topic in in_tags - in_title]
    table = np.array(found, dtype=np.int64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def _listed(tags: Any) -> Any:  # noqa: ANN401 # a sequence of texts or a null
    return tags if isinstance(tags, (list, tuple, np.ndarray)) else ()


def _medians(speed: npt.NDArray[np.float64], topic: Integers, n: int) -> npt.NDArray[np.float64]:
    """Return the median of the known speeds of each topic; they come by topic, fastest first."""
    known = np.bincount(topic[~np.isnan(speed)], minlength=n)
    start = np.searchsorted(topic, np.arange(n))
    result = np.full(n, np.nan)
    is_known = known > 0
    low, high = (start + (known - 1) // 2)[is_known], (start + known // 2)[is_known]
    result[is_known] = (speed[low] + speed[high]) / 2.0
    return result
