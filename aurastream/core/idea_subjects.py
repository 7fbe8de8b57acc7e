"""Which topics are subjects that a video can be made about.

What carries a category's titles is often no subject: a verb, a year, the half of a name. A topic is
doubtful on each of five counts, the last two of which weigh double:

- no video of its evidence carries it as a tag: creators name their subjects there, and nobody tags
  "until" or "almost";
- it has no Latin letter: the wording of ideas is English (`aurastream.core.idea_formats`);
- fewer than three videos or two channels show it;
- it is one word that tags hold in longer ones: of the channels with such a tag, fewer than half
  have the word alone. So are surnames, halves of titles and forms of verbs;
- titles write it small, in running text, more often than with a capital letter: so are no names.
  Titles that shout, or know no capitals, say nothing of that.

Words of the category's own name are no part of a topic (`aurastream.core.topics`). Where nothing
that says anything is left without them, the whole phrase is the subject: of "gta 6" in the category
of GTA not "6". Behind a name a short number or letter is an instalment, as good a subject as any;
"gta gameplay" is doubtful threefold.

A category keeps its least doubtful topics; where those are fewer than three, the next. What is
doubtful threefold or more is kept only where nothing else is. Of topics whose videos overlap by
60 % or more (Jaccard, as words of topics do) one stays: the least doubtful, and of those the one of
more words, which says more.
"""

import re
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core import words
from aurastream.core.errors import InvalidInputError
from aurastream.core.frames import require_columns
from aurastream.core.topic_spelling import IDLE_WORDS, Spelled, spelled
from aurastream.core.topics import jaccard, lemma_sets

__all__ = ["subjects", "whole_phrases"]

_KEYS: Final = ["window_start", "category"]
_TOPIC: Final = [*_KEYS, "topic_rank"]
_LATIN: Final = re.compile("[a-z\\u00df-\\u00f6\\u00f8-\\u024f]", re.IGNORECASE)
_ENOUGH_VIDEOS, _ENOUGH_CHANNELS, _FEWEST = 3, 2, 3
_HOPELESS: Final = 3
_INSTALMENT: Final = 2
_SAME: Final = 0.6


def whole_phrases(topics: pd.DataFrame) -> pd.DataFrame:
    """Give topics that say nothing without their category's name that name again.

    Parameters
    ----------
    topics : pandas.DataFrame
        ``topic``, and ``lemmas``: its words without those of the category's name.

    Returns
    -------
    pandas.DataFrame
        The same rows. ``lemmas`` are all words of the topic where those that were left are numbers,
        single letters or words that every other title has; as they were elsewhere. O(characters).

    Raises
    ------
    InvalidInputError
        When a column is missing.

    References
    ----------
    AuraStream paper 5.4 (#74): every game has ideas.

    Examples
    --------
    >>> topics = pd.DataFrame({"topic": ["gta 6", "gta heist", "2026"],
    ...                        "lemmas": ["6", "heist", "2026"]})
    >>> whole_phrases(topics)["lemmas"].tolist()
    ['6 gta', 'heist', '2026']
    >>> whole_phrases(topics.head(0)).empty
    True
    """
    topics = require_columns(topics, ("topic", "lemmas"), "topics")
    own = [str(line) for line in topics["lemmas"]]
    whole = [" ".join(sorted(found)) for found in lemma_sets(topics["topic"])]
    said = [
        line if _says_something(line) or not line else full
        for line, full in zip(own, whole, strict=True)
    ]
    return topics.assign(lemmas=pd.Series(said, index=topics.index, dtype="str"))


def subjects(topics: pd.DataFrame, shown: pd.DataFrame) -> pd.DataFrame:
    """Keep the topics that ideas can be about.

    Parameters
    ----------
    topics : pandas.DataFrame
        ``window_start``, ``category``, ``rank``, ``topic`` and ``lemmas``.
    shown : pandas.DataFrame
        The evidence of `whole_phrases`: ``window_start``, ``category``, ``topic_rank``,
        ``video_id``, ``channel_id``, ``title`` (a text, or null) and ``tags`` (a sequence of texts,
        or null), a row per topic and video.

    Returns
    -------
    pandas.DataFrame
        ``window_start``, ``category`` and ``topic_rank`` of those kept, in this order. A category
        of which any topic has evidence and a word that says something keeps at least one.

    Raises
    ------
    InvalidInputError
        When a column is missing, or two topics of a category have one rank.

    Notes
    -----
    O(tags + t² v) for the t topics of a category, at most fifty, and their v videos.

    References
    ----------
    AuraStream paper 5.4 (#74, #76); what makes a subject is ours.

    Examples
    --------
    >>> at = pd.Timestamp("2026-03-01", tz="UTC")
    >>> topics = pd.DataFrame({"window_start": at, "category": "g", "rank": [1, 2, 3],
    ...     "topic": ["until", "creeper", "2026"], "lemmas": ["until", "creeper", "2026"]})
    >>> shown = pd.DataFrame({"window_start": at, "category": "g", "topic_rank": [1, 1, 2, 2, 3],
    ...     "video_id": list("abcde"), "channel_id": list("xyxyx"), "title": None,
    ...     "tags": [None, None, ["Creeper"], None, None]})
    >>> subjects(topics, shown)["topic_rank"].tolist()
    [2]
    >>> subjects(topics, shown.head(0)).empty
    True

    Half of a name, which tags write in full:

    >>> names = ["Creeper Kid", "Creeper Queen", "Creeper"]
    >>> subjects(topics, shown.assign(topic_rank=[2, 2, 2, 3, 3], channel_id=list("uvwxy"),
    ...     tags=[[names[0]], [names[1]], [names[2]], ["2026"], None])).empty
    False
    """
    topics = require_columns(topics, (*_KEYS, "rank", "topic", "lemmas"), "topics")
    shown = require_columns(shown, (*_TOPIC, "video_id", "channel_id", "title", "tags"), "shown")
    if topics.duplicated([*_KEYS, "rank"]).any():
        raise InvalidInputError(
            "Two topics of one category have one rank.", fix="Pass each of them once."
        )
    known = whole_phrases(topics).rename(columns={"rank": "topic_rank"})
    known = known[[*_TOPIC, "topic", "lemmas"]].assign(is_idle=_is_idle(topics))
    known = known[[_says_something(str(line)) for line in known["lemmas"]]]
    shown = shown.merge(known, on=_TOPIC, validate="m:1")
    if shown.empty:
        return pd.DataFrame(shown[_TOPIC])
    is_named, is_within = _tagged(shown["tags"], shown["lemmas"])
    shown["named_by"] = shown["channel_id"].where(is_named)
    shown["within_by"] = shown["channel_id"].where(is_within)
    shown["capitals"] = _capitals(shown["topic"], shown["title"])
    about = shown.groupby([*_TOPIC, "topic", "lemmas", "is_idle"], as_index=False).agg(
        videos=("video_id", "size"),
        channels=("channel_id", "nunique"),
        named=("named_by", "nunique"),
        within=("within_by", "nunique"),
        capitals=("capitals", "sum"),
        evidence=("video_id", frozenset),
    )
    is_half = (about["within"] >= _ENOUGH_CHANNELS) & (2 * about["named"] < about["within"])
    about["doubts"] = (
        (about["named"] == 0).astype(int)
        + [_LATIN.search(str(topic)) is None for topic in about["topic"]]
        + ((about["videos"] < _ENOUGH_VIDEOS) | (about["channels"] < _ENOUGH_CHANNELS))
        + 2 * is_half
        + 2 * (about["capitals"] < 0)
        + _HOPELESS * about["is_idle"]
    )
    about["words"] = about["lemmas"].str.count(" ") + 1
    about = about.sort_values(
        [*_KEYS, "doubts", "words", "topic_rank"], ascending=[True, True, True, False, True]
    )
    about = about[_apart(about)]
    # As many groups of equal doubt as it takes to have enough.
    better = (
        about.groupby([*_KEYS, "doubts"])["topic_rank"]
        .transform("size")
        .where(~about.duplicated([*_KEYS, "doubts"]), 0)
    )
    before = better.groupby([about["window_start"], about["category"]]).cumsum() - better
    first = before.groupby([about[key] for key in (*_KEYS, "doubts")]).transform("first")
    is_enough = (first > 0) & (about["doubts"] >= _HOPELESS)
    kept: pd.DataFrame = about.loc[(first < _FEWEST) & ~is_enough, _TOPIC]
    return kept.sort_values(_TOPIC, ignore_index=True)


def _says_something(lemmas: str) -> bool:
    return any(
        lemma not in IDLE_WORDS and not lemma.isdecimal() and len(lemma) > 1
        for lemma in lemmas.split()
    )


def _is_idle(topics: pd.DataFrame) -> list[bool]:
    """Return of which topics idle words are left without their category's name."""
    return [
        not _says_something(line) and not _is_instalment(str(topic).split(), line.split())
        for topic, line in zip(topics["topic"], map(str, topics["lemmas"]), strict=True)
    ]


def _is_instalment(topic: list[str], left: list[str]) -> bool:
    return (
        len(left) == 1
        and topic[-1:] == left
        and len(left[0]) <= _INSTALMENT
        and left[0] not in IDLE_WORDS
    )


def _tagged(
    tags: "pd.Series[Any]", lemmas: "pd.Series[str]"
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return whether a tag of each row has just the words of its topic, and whether one has more.

    The latter of topics of one word alone.
    """
    listed = pd.DataFrame({"row": np.arange(len(tags)), "tag": tags.to_numpy()}).explode("tag")
    listed = listed.dropna(subset="tag")
    codes, distinct = pd.factorize(listed["tag"])
    sets = [frozenset(found) for found in lemma_sets(distinct)]
    said = np.array([" ".join(sorted(found)) for found in sets], dtype=object)
    rows = listed["row"].to_numpy(dtype=np.int64)
    wanted = lemmas.to_numpy(dtype=object)[rows]
    is_it, is_in = np.zeros((2, rows.size), dtype=np.bool_)
    if rows.size:
        is_it = said[codes] == wanted
        is_in[:] = [word in sets[code] for word, code in zip(wanted, codes, strict=True)]
    named, within = np.zeros((2, len(tags)), dtype=np.bool_)
    named[rows[is_it]] = True
    within[rows[is_in]] = True
    return named, within


def _capitals(topics: "pd.Series[str]", titles: "pd.Series[Any]") -> "pd.Series[int]":
    """Return how much more often each title writes its topic with a capital letter than without."""
    codes, distinct = pd.factorize(titles.astype("str").fillna(""))
    own = spelled(distinct)
    wanted = {topic: words.words(topic) for topic in topics.unique()}
    found = [
        _capitals_less_small(wanted[topic], own[code])
        for topic, code in zip(topics, codes.tolist(), strict=True)
    ]
    return pd.Series(found, index=topics.index, dtype="int64")


def _capitals_less_small(wanted: list[str], title: Spelled) -> int:
    if title.text.isupper() or title.text == title.text.lower():
        return 0  # here capitals tell nothing
    written = [title.written(*places) for places in title.places_of(wanted)]
    initials = [text[:1] for text in written if not text.isupper()]
    return len([c for c in initials if c != c.lower()]) - len(
        [c for c in initials if c != c.upper()]
    )


def _apart(about: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Leave out what rests on mostly the same videos as one kept before it."""
    kept: dict[tuple[Any, ...], list[frozenset[str]]] = {}
    result = np.zeros(len(about), dtype=np.bool_)
    for at, (window, category, own) in enumerate(
        zip(about["window_start"], about["category"], about["evidence"], strict=True)
    ):
        others = kept.setdefault((window, category), [])
        result[at] = all(jaccard(own, other) < _SAME for other in others)
        if result[at]:
            others.append(own)
    return result
