"""Topics of a category: the best terms, each idea once.

Two topics are one idea when the sets of their lemmas are equal, or their Jaccard similarity is 0.6
or more: the words both have / all words they have, 0–1, higher is more alike. The better topic
stays: candidates are taken by score, highest first, equal scores in the order of the texts, and
each is compared with the topics kept so far. The order of the words and their number (mod, mods)
do not matter, parts of words do ("art" is not in "party"). A topic without any word is dropped.
Words of the category's own name say nothing inside it: "minecraft mods" is "mods" there, and
"minecraft" is no topic.

A term that hardly ever stands apart from a longer one is a part of it: where four of five videos
that have "poppy" have "poppy playtime", the longer names the topic, and "poppy" is its duplicate.

Topics are found through an index, not pairwise. Sets that overlap by a share t have at least
⌈t · size⌉ words in common; of any two words in common, the two rarest are among the first
size − ⌈t · size⌉ + 2 when each set is ordered by rarity. So it is enough to look up the pairs of
those few words (for sets of one word the word, for very long ones single words).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import ceil
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core import words
from aurastream.core.errors import InvalidInputError
from aurastream.core.frames import (
    Schema,
    build_frame,
    counters,
    empty_frame,
    group_keys,
    numbers,
    refusal,
    require_columns,
    text,
    texts,
    timestamps,
)

__all__ = ["TOPICS_SCHEMA", "TopicParams", "duplicate_of", "jaccard", "lemma_sets", "topics"]

Integers = npt.NDArray[np.int64]

TOPICS_SCHEMA: Final[Schema] = {
    "window_start": "datetime64[us, UTC]",
    "category": "str",
    "rank": "int32",
    "topic": "str",
    "lemmas": "str",
    "score": "float64",
    "duplicate_count": "int32",
    "duplicates": "object",
}

DROPPED: Final = -1
# Sets up to the first size are found by pairs of words, beyond the second by single words; where
# one set is larger than the first, the other is larger than the second.
_PAIRED: Final = 20
_LEAST: Final = 0.5
_NESTED: Final = 0.8
_SLACK: Final = 1e-9  # 0.7 * 10 is above 7 in floating point


@dataclass(frozen=True, slots=True)
class TopicParams:
    """How alike two topics are to be one, and how many topics a category keeps.

    ``similarity`` is above 0.5 and at most 1; 0.6 makes one of two sets that differ by one word in
    three, or by two in five. Fifty topics are ours.
    """

    similarity: float = 0.6
    top: int = 50


DEFAULT: Final = TopicParams()


def lemma_sets(texts: Iterable[Any], *, without: Iterable[str] = ()) -> list[frozenset[str]]:
    """Return the set of lemmas of each text, less those of the words in ``without``.

    O(characters). A text without a word gives an empty set; one that only has words in
    ``without`` does too.

    Parameters
    ----------
    texts : iterable of str
        Titles, tags or terms.
    without : iterable of str
        Names whose words do not count.

    Returns
    -------
    list of frozenset of str
        One per text.

    References
    ----------
    AuraStream paper 5.4.4 compared substrings (#76); sets of normalised words are settled in C34.

    Examples
    --------
    >>> [sorted(s) for s in lemma_sets(["Best MODS &amp; maps!", None, "mod"])]
    [['best', 'map', 'mod'], [], ['mod']]
    >>> [sorted(s) for s in lemma_sets(["Minecraft mods", "minecraft"], without=["Minecraft"])]
    [['mod'], []]
    """
    known: dict[str, str] = {}

    def lemmas(line: str) -> set[str]:
        found = set()
        for word in line.split():
            own = known.get(word)
            if own is None:
                known[word] = own = words.lemma(word)
            found.add(own)
        return found

    idle = {lemma for line in words.canonical_lines(without) for lemma in lemmas(line)}
    return [frozenset(lemmas(line) - idle) for line in words.canonical_lines(texts)]


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the share of all words of two sets that both have: 0–1, higher is more alike.

    NaN for two empty sets, which have nothing to compare.

    Parameters
    ----------
    one, other : frozenset of str
        Sets of lemmas.

    Returns
    -------
    float
        0–1, or NaN.

    Notes
    -----
    O(words).

    References
    ----------
    Settled in C34. Jaccard, P. (1912). The distribution of the flora in the alpine zone. New
    Phytologist 11(2).

    Examples
    --------
    >>> jaccard(frozenset({"grow", "garden"}), frozenset({"grow", "garden", "pet"})).__round__(3)
    0.667
    >>> jaccard(frozenset(), frozenset({"x"})), jaccard(frozenset(), frozenset())
    (0.0, nan)
    """
    common = len(one & other)
    union = len(one) + len(other) - common
    return common / union if union else float("nan")


def duplicate_of(
    sets: Sequence[frozenset[str]], *, similarity: float = DEFAULT.similarity
) -> Integers:
    """Return for each set, best first, the place of the kept set whose duplicate it is.

    Parameters
    ----------
    sets : sequence of frozenset of str
        Sets of lemmas, the best topic first.
    similarity : float
        Jaccard similarity from which two sets are duplicates, above 0.5 and at most 1.

    Returns
    -------
    numpy.ndarray of int64
        The set's own place when it is kept, the place of the first kept set that is similar
        enough otherwise, -1 for an empty set.

    Raises
    ------
    InvalidInputError
        When the similarity is out of range.

    Notes
    -----
    O(n) look-ups for sets of bounded size, where the pairwise comparison is O(n²). A set of s
    words is entered under at most (s − ⌈t·s⌉ + 2)² / 2 pairs; one of more than 20 under each of
    its rarest words.

    References
    ----------
    AuraStream paper 5.4.4 (#76) as settled in C34. Xiao, C. et al. (2011). Efficient similarity
    joins for near-duplicate detection. ACM TODS 36(3).

    Examples
    --------
    >>> sets = lemma_sets(["grow a garden", "Garden grow a!", "", "grow a garden pets", "party"])
    >>> duplicate_of(sets).tolist()
    [0, 0, -1, 0, 4]

    A duplicate is compared with what is kept alone, so that chains do not draw topics together:

    >>> chain = lemma_sets(["a b c d", "a b c d e f", "c d e f"])
    >>> duplicate_of(chain).tolist()
    [0, 0, 2]
    >>> duplicate_of([]).tolist()
    []
    """
    if not _LEAST < similarity <= 1.0:
        raise InvalidInputError(
            f"The similarity {similarity:g} is out of range.",
            fix="It must be above 0.5 and at most 1.",
        )
    frequency = Counter(word for own in sets for word in own)
    # Any one order finds the same: words that are equally rare need no second key.
    rarity = {word: i for i, word in enumerate(sorted(frequency, key=frequency.__getitem__))}
    index = _Index(sets, similarity)
    result = np.empty(len(sets), dtype=np.int64)
    for place, own in enumerate(sets):
        if not own:
            result[place] = DROPPED
            continue
        keys = _keys([rarity[word] for word in own], similarity)
        result[place] = found = index.find(place, keys)
        if found == place:
            index.enter(place, keys)
    return result


def topics(
    candidates: pd.DataFrame,
    *,
    names: Mapping[str, Sequence[str]] | None = None,
    params: TopicParams = DEFAULT,
) -> pd.DataFrame:
    """Extract the topics of every window and category from scored terms.

    Parameters
    ----------
    candidates : pandas.DataFrame
        ``window_start``, ``category``, ``term`` and ``score`` (higher is better), such as the
        output of `aurastream.core.keywords.keyword_scores` and ``tag_scores``, together or alone.
        A score must be finite; a term without a word is dropped. With ``video_count``, the videos
        that have the term, parts of longer terms are told from topics.
    names : mapping of str to sequence of str, optional
        The names of each category, whose words are no part of its topics.
    params : TopicParams
        Similarity, and length of the lists.

    Returns
    -------
    pandas.DataFrame
        With the columns of `TOPICS_SCHEMA`, by window, category and rank. ``topic`` is the best
        term as given, or the longer one it is a part of, ``score`` that of the best, ``lemmas``
        what it was compared by, in order of the alphabet; ``duplicates`` are the other terms that
        are the same topic, best first.

    Raises
    ------
    InvalidInputError
        When a column is missing, a score is not finite, a term is a list, or a row has no category.

    Notes
    -----
    O(characters + n log n), and the index of `duplicate_of`.

    References
    ----------
    AuraStream paper 5.4.1 and 5.4.4 (#74, #76), in a total order (C33), duplicates by sets of words
    (C34). Nested terms: Frantzi, K., Ananiadou, S. and Mima, H. (2000). Automatic recognition of
    multi-word terms: the C-value/NC-value method. International Journal on Digital Libraries 3(2).

    Examples
    --------
    >>> import pandas as pd
    >>> terms = pd.DataFrame({
    ...     "window_start": pd.Timestamp("2026-03-01T10:00Z"),
    ...     "category": "minecraft",
    ...     "term": ["minecraft", "best mods", "mod", "Minecraft best mods", "speedrun"],
    ...     "score": [9.0, 5.0, 4.0, 3.0, 2.0],
    ... })
    >>> found = topics(terms, names={"minecraft": ["Minecraft"]})
    >>> found[["rank", "topic", "lemmas", "duplicates"]].values.tolist()
    [[1, 'best mods', 'best mod', ['Minecraft best mods']], [2, 'mod', 'mod', []],
     [3, 'speedrun', 'speedrun', []]]
    >>> topics(terms.assign(video_count=[9, 4, 5, 2, 2]), names={"minecraft": ["Minecraft"]})[
    ...     ["topic", "duplicates"]].values.tolist()
    [['best mods', ['mod', 'Minecraft best mods']], ['speedrun', []]]
    >>> topics(pd.DataFrame()).shape
    (0, 8)

    A term of nothing that can be read is dropped; equal scores go by the alphabet:

    >>> ties = terms.assign(term=["b", "a", None, "🔥", ""], score=1.0)
    >>> topics(ties)["topic"].tolist()
    ['a', 'b']
    """
    candidates = require_columns(
        candidates, ("window_start", "category", "term", "score"), "topic candidates"
    )
    if candidates.empty:
        return empty_frame(TOPICS_SCHEMA)
    score = numbers(candidates, "score")
    if not np.isfinite(score).all():
        raise refusal(
            candidates.index,
            ~np.isfinite(score),
            lambda _: "Column 'score' of the topic candidates holds a value that is not finite.",
            fix="Drop the candidates without a score.",
        )
    keyed = group_keys((candidates, "topic candidates"))
    terms = texts(candidates, "term", "topic candidates").tolist()
    alphabet = {term: i for i, term in enumerate(sorted({t for t in terms if isinstance(t, str)}))}
    place = np.array([alphabet.get(term, -1) for term in terms], dtype=np.int64)
    order = np.lexsort((place, -score, keyed.keys[0]))
    videos = (
        counters(candidates, "video_count", "topic candidates")
        if "video_count" in candidates
        else np.full(len(candidates), np.nan)
    )
    cuts = np.flatnonzero(np.diff(keyed.keys[0][order])) + 1
    category_names = text(keyed.names, keyed.categories[0])
    rows: list[int] = []
    bests: list[int] = []
    ranks: list[int] = []
    lemmas: list[str] = []
    duplicates: list[list[str]] = []
    for group in np.split(order, cuts):
        own = [terms[i] for i in group.tolist()]
        sets = lemma_sets(own, without=(names or {}).get(category_names[group[0]], ()))
        kept_of = duplicate_of(sets, similarity=params.similarity)
        merged = _merged(own, _without_nested(sets, kept_of, videos[group]).tolist())
        for rank, (best, (kept, others)) in enumerate(list(merged.items())[: params.top], start=1):
            rows.append(int(group[kept]))
            bests.append(int(group[best]))
            ranks.append(rank)
            lemmas.append(" ".join(sorted(sets[kept])))
            duplicates.append(others)
    if not rows:
        return empty_frame(TOPICS_SCHEMA)
    at = np.array(rows, dtype=np.int64)
    return build_frame(
        TOPICS_SCHEMA,
        {
            "window_start": timestamps(keyed.windows[0][at]),
            "category": text(keyed.names, keyed.categories[0][at]),
            "rank": np.array(ranks),
            "topic": pd.array([terms[i] for i in rows], dtype="str"),
            "lemmas": pd.array(lemmas, dtype="str"),
            "score": score[np.array(bests, dtype=np.int64)],
            "duplicate_count": np.array([len(own) for own in duplicates], dtype=np.int64),
            "duplicates": pd.Series(duplicates, dtype=object),
        },
    )


def _without_nested(
    sets: Sequence[frozenset[str]], kept_of: Integers, videos: npt.NDArray[np.float64]
) -> Integers:
    """Make what hardly ever stands apart from a longer kept set a duplicate of that."""
    if np.isnan(videos).all():
        return kept_of
    kept = np.flatnonzero(kept_of == np.arange(len(sets))).tolist()
    having: dict[str, list[int]] = {}
    for place in kept:
        for word in sets[place]:
            having.setdefault(word, []).append(place)
    whole = np.arange(len(sets))
    # The longest first, so that a part of a part goes to the whole.
    for place in sorted(kept, key=lambda at: (-len(sets[at]), at)):
        rarest = min((having[word] for word in sets[place]), key=len)
        longer = (
            whole[at]
            for at in rarest
            if sets[place] < sets[at] and videos[at] >= _NESTED * videos[place]
        )
        whole[place] = min(longer, default=place)
    return np.where(kept_of == DROPPED, DROPPED, whole[kept_of])


def _merged(terms: list[Any], kept_of: list[int]) -> dict[int, tuple[int, list[str]]]:
    """Return by its best term, best first, what names each topic, and its other terms."""
    best: dict[int, int] = {}
    others: dict[int, list[str]] = {}
    for i, kept in enumerate(kept_of):
        if kept == DROPPED:
            continue
        best.setdefault(kept, i)
        found = others.setdefault(kept, [])
        if terms[i] != terms[kept] and terms[i] not in found:
            found.append(terms[i])
    return {first: (kept, others[kept]) for kept, first in best.items()}


class _Index:
    """The kept sets by their keys.

    Most keys have one set: integers alone keep the garbage collector out of large tables.
    """

    def __init__(self, sets: Sequence[frozenset[str]], similarity: float) -> None:
        self._sets = sets
        self._similarity = similarity
        self._first: dict[int, int] = {}
        self._more: dict[int, list[int]] = {}

    def enter(self, place: int, keys: list[int]) -> None:
        """Enter a set that is kept; places grow from call to call."""
        for key in keys:
            if self._first.setdefault(key, place) != place:
                self._more.setdefault(key, []).append(place)

    def find(self, place: int, keys: list[int]) -> int:
        """Return the first kept set that is similar to the one at the place, or the place."""
        own = self._sets[place]
        found = place
        for key in keys:
            first = self._first.get(key)
            if first is None:
                continue
            if first < found and _is_similar(own, self._sets[first], self._similarity):
                found = first
                continue
            for candidate in self._more.get(key, ()):
                if candidate >= found:
                    break
                if _is_similar(own, self._sets[candidate], self._similarity):
                    found = candidate
                    break
        return found


def _is_similar(one: frozenset[str], other: frozenset[str], similarity: float) -> bool:
    common = len(one & other)
    return common + _SLACK >= similarity * (len(one) + len(other) - common)


def _keys(numbered: list[int], similarity: float) -> list[int]:
    """Return what a set is entered and looked up under: two similar sets share a key.

    Words are numbered by rarity; a key is a pair of them, or the complement of one.
    """
    size = len(numbered)
    if size == 1:
        return [~numbered[0]]
    common = ceil(similarity * size - _SLACK)
    numbered.sort()
    keys: list[int] = []
    if size <= _PAIRED:
        keys = [a << 32 | b for a, b in combinations(numbered[: size - common + 2], 2)]
    if size > similarity * _PAIRED:
        keys += [~word for word in numbered[: size - common + 1]]
    return keys
