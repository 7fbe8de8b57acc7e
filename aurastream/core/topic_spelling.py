"""How titles write a topic: found by its words, shown as its creators spell it.

Topics are words in one form (`aurastream.core.words`); titles write them with apostrophes,
references, styled letters and marks apart. Both are compared in that one form, and what is shown is
the stretch of the title: "dont starve" is found as "Don't Starve".
"""

# ruff: noqa: RUF001 # apostrophes of every kind are meant

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from aurastream.core import words
from aurastream.core.idea_formats import IDLE_LEMMAS
from aurastream.core.keywords import STOP_WORDS

__all__ = ["IDLE_WORDS", "Spelled", "spelled", "surface"]

IDLE_WORDS: Final = IDLE_LEMMAS | frozenset(map(words.lemma, STOP_WORDS))
"""Lemmas that say nothing of a subject."""

_INNER: Final = words.WORD | words.MARK | words.DROPPED
_APOSTROPHES: Final = "'’ʼ`´"
_BETWEEN: Final = "&.:-"
_PART: Final = re.compile(r"[^\W_](?:[^\W_]|['’ʼ`´]|(?<=\d)[.](?=\d))*")
_VOWEL: Final = re.compile("[aeiouy]", re.IGNORECASE)
_SHORT, _ACRONYM = 3, 4


@dataclass(frozen=True, slots=True)
class Spelled:
    """A title as it is read, with its words and where each stands in it."""

    text: str
    words: list[str]
    places: list[tuple[int, int]]

    def places_of(self, wanted: Sequence[str]) -> list[tuple[int, int]]:
        """Return the first and the last place of each stretch of these words; O(words)."""
        size = len(wanted)
        if not size or wanted[0] not in self.words:
            return []
        return [
            (at, at + size - 1)
            for at in range(len(self.words) - size + 1)
            if self.words[at : at + size] == wanted
        ]

    def written(self, first: int, last: int) -> str:
        """Return what is written from one word to another, without what parts words oddly."""
        stretch = self.text[self.places[first][0] : self.places[last][1]].strip(_APOSTROPHES)
        flags = words.flags_of(words.to_code_points(stretch))
        is_kept = (flags & _INNER) != 0
        kept = (
            c if keeps or c in _BETWEEN else " " for c, keeps in zip(stretch, is_kept, strict=True)
        )
        return " ".join("".join(kept).split())


def spelled(titles: Iterable[Any]) -> list[Spelled]:
    """Find the words of titles and where each of them stands; O(characters).

    Parameters
    ----------
    titles : iterable of str
        A missing one has no words.

    Returns
    -------
    list of Spelled
        One per title.

    References
    ----------
    Ours, for the wording of ideas (#75).

    Examples
    --------
    >>> (title,) = spelled(["Tom &amp; Jerry: DON'T look"])
    >>> title.words
    ['tom', 'jerry', 'dont', 'look']
    >>> title.written(0, 1), title.places_of(["dont"])
    ('Tom & Jerry', [(2, 2)])
    >>> spelled([None])[0].words, spelled([])
    ([], [])
    """
    codes = words.to_code_points(unicodedata.normalize("NFKC", words.joined(titles)))
    flags = words.flags_of(codes)
    is_seen = ((flags & words.INVISIBLE) == 0) | (codes == words.NEWLINE)
    codes, flags = codes[is_seen], flags[is_seen]
    text = codes.astype("<u4").tobytes().decode("utf-32-le")
    steps = np.diff(((flags & _INNER) != 0).astype(np.int8), prepend=0, append=0)
    starts, ends = np.flatnonzero(steps > 0), np.flatnonzero(steps < 0)
    line_ends = np.flatnonzero(codes == words.NEWLINE)
    rows = np.searchsorted(line_ends, starts).tolist()
    begins = [0, *(line_ends + 1).tolist()]
    found = [Spelled(line, [], []) for line in text.split("\n")[:-1]]
    runs = list(zip(starts.tolist(), ends.tolist(), strict=True))
    lines = words.canonical_lines([text[start:end] for start, end in runs])
    for row, (start, end), line in zip(rows, runs, lines, strict=True):
        title, parts = found[row], line.split()
        title.words.extend(parts)
        title.places.extend(
            (first - begins[row], last - begins[row])
            for first, last in _places(text[start:end].lower(), parts, start, end)
        )
    return found


def _places(run: str, parts: list[str], start: int, end: int) -> list[tuple[int, int]]:
    """Return where each word of a run stands: more than one where scripts write no spaces."""
    if len(parts) == 1:
        return [(start, end)]
    result, at = [], 0
    for part in parts:
        place = run.find(part, at) if len(run) == end - start else -1
        if place < 0:
            result.append((start, end))
            continue
        at = place + len(part)
        result.append((start + place, start + at))
    return result


def surface(topic: str, titles: Sequence[str | None]) -> str:
    """Return a topic as titles write it: the commonest spelling that does not shout.

    Capitals are no shouting where they are how a name is written: in words of up to three letters,
    in words of up to four in a title that is not in capitals itself, and in one word with a number
    ("IPHONE 17", unless a title writes "iPhone 17"). What only shouts is written word by word as
    other titles write those words, else with a capital letter each.

    Parameters
    ----------
    topic : str
        Words in lower case.
    titles : sequence of str
        Of its evidence; a missing one writes nothing.

    Returns
    -------
    str
        The same words as the topic, and the topic itself where no title has them side by side. Of
        spellings equally common the first in the order of their characters. O(characters).

    References
    ----------
    AuraStream paper 5.4.3 words ideas (#75); how a topic is spelled in them is ours.

    Examples
    --------
    >>> surface("poppy playtime", ["POPPY PLAYTIME 5!", "Poppy Playtime", "so poppy-playtime"])
    'Poppy Playtime'
    >>> surface("gta rp", ["GTA RP is back"]), surface("chapter five", ["CHAPTER FIVE"])
    ('GTA RP', 'Chapter Five')
    >>> surface("dont starve", ["Don't Starve is great"]), surface("iphone 17", ["IPHONE 17"])
    ("Don't Starve", 'IPHONE 17')
    >>> surface("boss", []), surface("boss", [None])
    ('boss', 'boss')
    """
    wanted = words.words(topic)
    seen = spelled(titles)
    quiet, found = _spellings(wanted, seen)
    if not found:
        return topic
    loud = not quiet
    best = _commonest(quiet or found)
    if loud and not _is_model(best):
        best = _PART.sub(lambda part: _calmed(part[0], seen), best)
    return best if words.words(best) == wanted else topic


def _commonest(found: Counter[str]) -> str:
    return min(found, key=lambda text: (-found[text], text))


def _spellings(wanted: list[str], titles: list[Spelled]) -> tuple[Counter[str], Counter[str]]:
    """Return the spellings that do not shout, and all of them, by how often they occur."""
    quiet: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for title in titles:
        for first, last in title.places_of(wanted):
            text = title.written(first, last)
            found[text] += 1
            if not text.isupper() or _is_short(text) or _is_name_there(text, title, first, last):
                quiet[text] += 1
    return quiet, found


def _is_short(text: str) -> bool:
    parts = _PART.findall(text)
    return all(
        part.isdecimal() or (len(part) <= _SHORT and part.lower() not in IDLE_WORDS)
        for part in parts
    )


def _is_name_there(text: str, title: Spelled, first: int, last: int) -> bool:
    """Whether capitals of short words stand out in a title that is not all capitals."""
    if any(len(part) > _ACRONYM and part.isalpha() for part in _PART.findall(text)):
        return False
    written = [
        title.text[start:end]
        for at, (start, end) in enumerate(title.places)
        if not first <= at <= last and end - start > 1
    ]
    cased = [word for word in written if word.lower() != word.upper()]
    return 2 * len([word for word in cased if word.isupper()]) < len(cased)


def _is_model(text: str) -> bool:
    """Whether this is one word and numbers, as products are called."""
    parts = _PART.findall(text)
    numbers = [part for part in parts if any(c.isdecimal() for c in part)]
    return len(numbers) > 0 and len(parts) - len(numbers) <= 1


def _calmed(part: str, titles: list[Spelled]) -> str:
    """Return a word of a phrase that shouts, as titles write it elsewhere."""
    wanted = words.words(part)
    names: Counter[str] = Counter()
    for title in titles:
        for first, last in title.places_of(wanted):
            text = title.written(first, last)
            is_loud = text.isupper() and not _is_name_there(text, title, first, last)
            names[text] += not is_loud and text != text.lower()
    names = +names
    if part.lower() not in IDLE_WORDS and names:
        return _commonest(names)
    if any(c.isdecimal() for c in part) or (part.isascii() and not _VOWEL.search(part)):
        return part
    return part[:1].upper() + part[1:].lower()
