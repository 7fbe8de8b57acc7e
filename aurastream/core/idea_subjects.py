"""Which topics are subjects that a video can be made about.

What carries a category's titles is often no subject: a verb, a year, the half of a name. A topic is
doubtful on each of three counts:

- no video of its evidence carries it as a tag: creators name their subjects there, and nobody tags
  "until" or "almost";
- it has no Latin letter: the wording of ideas is English (`aurastream.core.idea_formats`);
- fewer than three videos or two channels show it.

A category keeps its least doubtful topics; where those are fewer than three, the next. Of topics
whose videos overlap by 60 % or more (Jaccard, as words of topics do) one stays: the least doubtful,
and of those the one of more words, which says more.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core import words
from aurastream.core.idea_formats import IDLE_LEMMAS
from aurastream.core.keywords import STOP_WORDS
from aurastream.core.topics import jaccard, lemma_sets

__all__ = ["subjects", "surface"]

_KEYS: Final = ["window_start", "category"]
_TOPIC: Final = [*_KEYS, "topic_rank"]
_LATIN: Final = re.compile("[a-z\\u00df-\\u00f6\\u00f8-\\u024f]", re.IGNORECASE)
_BRACKETS: Final = re.compile(r"[^\w\s'’&.:-]+")
_ENOUGH_VIDEOS, _ENOUGH_CHANNELS, _FEWEST = 3, 2, 3
_SAME: Final = 0.6
_IDLE: Final = IDLE_LEMMAS | frozenset(map(words.lemma, STOP_WORDS))


def subjects(topics: pd.DataFrame, shown: pd.DataFrame) -> pd.DataFrame:
    """Keep the topics that ideas can be about.

    Parameters
    ----------
    topics : pandas.DataFrame
        ``window_start``, ``category``, ``rank``, ``topic`` and ``lemmas``.
    shown : pandas.DataFrame
        The evidence: ``window_start``, ``category``, ``topic_rank``, ``video_id``, ``channel_id``
        and ``tags`` (a sequence of texts, or null), a row per topic and video.

    Returns
    -------
    pandas.DataFrame
        ``window_start``, ``category`` and ``topic_rank`` of those kept, in this order. A category
        of which any topic has evidence and a word that says something keeps at least one.

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
    ...     "video_id": list("abcde"), "channel_id": list("xyxyx"),
    ...     "tags": [None, None, ["Creeper"], None, None]})
    >>> subjects(topics, shown)["topic_rank"].tolist()
    [2]
    >>> subjects(topics, shown.head(0)).empty
    True
    """
    known = topics.rename(columns={"rank": "topic_rank"})[[*_TOPIC, "topic", "lemmas"]]
    known = known[[_says_something(str(line)) for line in known["lemmas"]]]
    shown = shown.merge(known, on=_TOPIC, validate="m:1")
    if shown.empty:
        return pd.DataFrame(shown[_TOPIC])
    shown["is_named"] = _named(shown["tags"], shown["lemmas"])
    about = shown.groupby([*_TOPIC, "topic", "lemmas"], as_index=False).agg(
        videos=("video_id", "size"),
        channels=("channel_id", "nunique"),
        named=("is_named", "any"),
        evidence=("video_id", frozenset),
    )
    about["doubts"] = (
        (~about["named"]).astype(int)
        + [_LATIN.search(str(topic)) is None for topic in about["topic"]]
        + ((about["videos"] < _ENOUGH_VIDEOS) | (about["channels"] < _ENOUGH_CHANNELS))
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
    kept: pd.DataFrame = about.loc[first < _FEWEST, _TOPIC]
    return kept.sort_values(_TOPIC, ignore_index=True)


def _says_something(lemmas: str) -> bool:
    return any(
        lemma not in _IDLE and not lemma.isdecimal() and len(lemma) > 1 for lemma in lemmas.split()
    )


def _named(tags: "pd.Series[Any]", lemmas: "pd.Series[str]") -> npt.NDArray[np.bool_]:
    """Return whether one of the tags of each row has just the words of its topic."""
    listed = pd.DataFrame({"row": np.arange(len(tags)), "tag": tags.to_numpy()}).explode("tag")
    listed = listed.dropna(subset="tag")
    codes, distinct = pd.factorize(listed["tag"])
    said = np.array([" ".join(sorted(found)) for found in lemma_sets(distinct)], dtype=object)
    rows = listed["row"].to_numpy(dtype=np.int64)
    is_it = said[codes] == lemmas.to_numpy(dtype=object)[rows] if rows.size else np.zeros(0, bool)
    named = np.zeros(len(tags), dtype=np.bool_)
    named[rows[is_it]] = True
    return named


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


def surface(topic: str, titles: Sequence[str]) -> str:
    """Return a topic as titles write it: the commonest spelling that does not shout.

    Parameters
    ----------
    topic : str
        Words in lower case.
    titles : sequence of str
        Of its evidence.

    Returns
    -------
    str
        The topic itself where no title has its words side by side. O(characters).

    References
    ----------
    AuraStream paper 5.4.3 words ideas (#75); how a topic is spelled in them is ours.

    Examples
    --------
    >>> surface("poppy playtime", ["POPPY PLAYTIME 5!", "Poppy Playtime", "so poppy-playtime"])
    'Poppy Playtime'
    >>> surface("gta rp", ["GTA RP is back"]), surface("chapter five", ["CHAPTER FIVE"])
    ('GTA RP', 'Chapter Five')
    >>> surface("boss", [])
    'boss'
    """
    pattern = re.compile(
        r"(?<!\w)" + r"[\W_]+".join(map(re.escape, topic.split())) + r"(?!\w)", re.IGNORECASE
    )
    found = Counter(
        " ".join(_BRACKETS.sub(" ", match).split())
        for title in titles
        for match in pattern.findall(title)
    )
    if not found:
        return topic
    quiet = {text: n for text, n in found.items() if not text.isupper()} or dict(found)
    best = min(quiet, key=lambda text: (-quiet[text], text))
    is_shouting = best.isupper() and any(len(word) > _FEWEST for word in best.split())
    return best.title() if is_shouting else best
