"""Titles and tags as words: one definition of a word for everything that counts words.

A text becomes words in this order: HTML references are resolved once (``&amp;`` is ``&``); width,
style and case are folded (NFKC, Unicode case folding, NFKC), so that ``ＭＩＮＥ`` and ``𝗠𝗶𝗻𝗲`` are
``mine``; what cannot be seen (zero-width and direction marks, control bytes, variation selectors)
and apostrophes vanish without parting a word (``don't`` is ``dont``); runs of letters, numbers and
the marks on them are words; all else parts words. Japanese and Chinese write no spaces: a word
also ends where hiragana, katakana, Han or another script begins. Other scripts without spaces
(Thai, Khmer, Lao) stay whole runs.

Texts are joined and treated as one array of code points, so that a hundred thousand titles take a
fraction of a second. The result of one text never depends on its neighbours.
"""

# ruff: noqa: RUF001, RUF002 # full-width and styled letters are what this module is about

import html
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = [
    "CodePoints",
    "canonical",
    "canonical_lines",
    "flags_of",
    "folded",
    "joined",
    "lemma",
    "to_code_points",
    "words",
]

CodePoints = npt.NDArray[np.uint32]
Flags = npt.NDArray[np.uint16]

WORD: Final = 1
MARK: Final = 2
DROPPED: Final = 4
SPACE: Final = 8
UPPER: Final = 16
LOWER: Final = 32
DIGIT: Final = 64
EMOJI: Final = 128
TEXT_EMOJI: Final = 256
INVISIBLE: Final = 512
HAN: Final = 1024
HIRAGANA: Final = 2048
KATAKANA: Final = 4096
_UNSPACED: Final = HAN | HIRAGANA | KATAKANA

NEWLINE: Final = 10
_BLANK: Final = 32
_CHUNK: Final = 100_000
_APOSTROPHES: Final = "'’ʼ`´"
_PLANE_2: Final = 0x20000
_HAN_END: Final = 0x323B0
_TAGS: Final = (0xE0000, 0xE01F0)

# Unicode 16 Emoji_Presentation, with the unassigned gaps that Unicode reserves for emoji. Beyond
# the first plane the characters that show as text by default are emoji to every viewer as well.
_EMOJI: Final = (
    (0x231A, 0x231B), (0x23E9, 0x23EC), (0x23F0, 0x23F0), (0x23F3, 0x23F3), (0x25FD, 0x25FE),
    (0x2614, 0x2615), (0x2648, 0x2653), (0x267F, 0x267F), (0x2693, 0x2693), (0x26A1, 0x26A1),
    (0x26AA, 0x26AB), (0x26BD, 0x26BE), (0x26C4, 0x26C5), (0x26CE, 0x26CE), (0x26D4, 0x26D4),
    (0x26EA, 0x26EA), (0x26F2, 0x26F3), (0x26F5, 0x26F5), (0x26FA, 0x26FA), (0x26FD, 0x26FD),
    (0x2705, 0x2705), (0x270A, 0x270B), (0x2728, 0x2728), (0x274C, 0x274C), (0x274E, 0x274E),
    (0x2753, 0x2755), (0x2757, 0x2757), (0x2795, 0x2797), (0x27B0, 0x27B0), (0x27BF, 0x27BF),
    (0x2B1B, 0x2B1C), (0x2B50, 0x2B50), (0x2B55, 0x2B55), (0x1F004, 0x1F004), (0x1F0CF, 0x1F0CF),
    (0x1F170, 0x1F171), (0x1F17E, 0x1F17F), (0x1F18E, 0x1F18E), (0x1F191, 0x1F19A),
    (0x1F1E6, 0x1F1FF), (0x1F201, 0x1F202), (0x1F21A, 0x1F21A), (0x1F22F, 0x1F22F),
    (0x1F232, 0x1F23A), (0x1F250, 0x1F251), (0x1F300, 0x1F64F), (0x1F680, 0x1F6FF),
    (0x1F7E0, 0x1F7F0), (0x1F90C, 0x1F9FF), (0x1FA70, 0x1FAFF),
)  # fmt: skip
# Characters that are emoji only before the variation selector U+FE0F.
_TEXT_EMOJI: Final = (
    (0x203C, 0x203C), (0x2049, 0x2049), (0x2139, 0x2139), (0x2194, 0x2199), (0x21A9, 0x21AA),
    (0x2328, 0x2328), (0x23CF, 0x23CF), (0x23ED, 0x23EF), (0x23F1, 0x23F2), (0x23F8, 0x23FA),
    (0x24C2, 0x24C2), (0x25AA, 0x25AB), (0x25B6, 0x25B6), (0x25C0, 0x25C0), (0x25FB, 0x25FC),
    (0x2600, 0x27BF), (0x2934, 0x2935), (0x2B05, 0x2B07), (0x3030, 0x3030), (0x303D, 0x303D),
    (0x3297, 0x3297), (0x3299, 0x3299),
)  # fmt: skip


def _flag(code: int) -> int:
    character = chr(code)
    category = unicodedata.category(character)
    if character.isspace():
        return SPACE
    if category in {"Cc", "Cf", "Cs"} or 0xFE00 <= code <= 0xFE0F:  # noqa: PLR2004 # selectors
        return INVISIBLE | DROPPED
    if category == "Me" or character in _APOSTROPHES:
        return DROPPED
    flag = {"L": WORD, "N": WORD, "M": MARK}.get(category[0], 0)
    flag |= {"Lu": UPPER, "Lt": UPPER, "Ll": LOWER, "Nd": DIGIT}.get(category, 0)
    if flag & WORD:
        name = unicodedata.name(character, "")
        if name.startswith("CJK") or character in "々〆〇":
            flag |= HAN
        elif name.startswith("HIRAGANA"):
            flag |= HIRAGANA
        elif name.startswith("KATAKANA") or character == "ー":
            flag |= KATAKANA
    return flag


@cache
def _table() -> Flags:
    """Return the flags of the first two planes, then of plane-2 Han, of tags, of all else."""
    table = np.array([*map(_flag, range(_PLANE_2)), WORD | HAN, INVISIBLE | DROPPED, 0], np.uint16)
    for first, last in _EMOJI:
        table[first : last + 1] |= EMOJI
    for first, last in _TEXT_EMOJI:
        table[first : last + 1] |= TEXT_EMOJI
    table.setflags(write=False)
    return table


def flags_of(codes: CodePoints) -> Flags:
    """Return what each code point is, as a sum of this module's flags; O(characters).

    Parameters
    ----------
    codes : numpy.ndarray
        Code points.

    Returns
    -------
    numpy.ndarray
        One number per code point.

    References
    ----------
    Ours, by the categories of the Unicode Character Database.

    Examples
    --------
    >>> flags_of(to_code_points("A1 ")).tolist() == [WORD | UPPER, WORD | DIGIT, SPACE]
    True

    >>> flags_of(to_code_points("")).tolist()
    []
    """
    if codes.size and int(codes.max()) >= _PLANE_2:
        high = np.where((codes >= _TAGS[0]) & (codes < _TAGS[1]), _PLANE_2 + 1, _PLANE_2 + 2)
        high = np.where(codes < _HAN_END, _PLANE_2, high)
        return _table()[np.where(codes < _PLANE_2, codes, high)]
    return _table()[codes]


def to_code_points(text: str) -> CodePoints:
    r"""Return the code points of a text, lone surrogates included.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    numpy.ndarray of uint32
        One number per code point.

    Notes
    -----
    O(characters).

    References
    ----------
    Ours, for the keywords of #80.

    Examples
    --------
    >>> to_code_points("a\N{FIRE}").tolist()
    [97, 128293]

    >>> to_code_points("").tolist()
    []
    """
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def joined(texts: Iterable[Any]) -> str:
    r"""Join texts into one, each ended by a line feed, with HTML references resolved once.

    A missing text is an empty one; a line feed inside a text becomes a space.

    Parameters
    ----------
    texts : iterable of str
        Texts; a missing one is None or NaN.

    Returns
    -------
    str
        As many line feeds as texts.

    Notes
    -----
    O(characters).

    References
    ----------
    Ours, for the keywords of #80.

    Examples
    --------
    >>> joined(["Tom &amp; Jerry", None, "two\nlines", "&#10;"])
    'Tom & Jerry\n\ntwo lines\n \n'

    >>> joined([])
    ''
    """
    parts = [text if isinstance(text, str) else "" for text in texts]
    # The line feed cannot be part of a reference, so references never reach across texts.
    block = "".join([part + "\n" for part in parts])
    if "&" in block:
        block = html.unescape(block)
    if block.count("\n") == len(parts):
        return block
    return "".join([html.unescape(part).replace("\n", " ") + "\n" for part in parts])


def _fold(text: str) -> str:
    if "&" in text:
        text = html.unescape(text)
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", folded)


def folded(texts: Iterable[Any]) -> CodePoints:
    r"""Return the code points of all texts with case, width and style folded, one line per text.

    Parameters
    ----------
    texts : iterable of str
        Texts; a missing one is None or NaN.

    Returns
    -------
    numpy.ndarray of uint32
        As many line feeds as texts.

    Notes
    -----
    O(characters).

    References
    ----------
    Unicode Standard Annex 15, normalisation forms (NFKC); for the keywords of #80 and the topics of
    C34.

    Examples
    --------
    >>> bytes(folded(["A &amp; B", None]).astype("u1"))
    b'a & b\n\n'

    >>> folded([]).tolist()
    []
    """
    lines = [_fold(text) if isinstance(text, str) else "" for text in texts]
    block = "\n".join([*lines, ""])
    if block.count("\n") != len(lines):
        block = "\n".join([*(line.replace("\n", " ") for line in lines), ""])
    return to_code_points(block)


def _marks_of_words(is_mark: npt.NDArray[np.bool_], is_word: npt.NDArray[np.bool_]) -> None:
    """Add to the words the marks on them, however many marks follow one letter."""
    marks = np.flatnonzero(is_mark)
    if not marks.size:
        return
    starts = np.flatnonzero(np.diff(marks, prepend=-2) > 1)
    before = marks[starts] - 1
    is_on_word = (before >= 0) & is_word[before]
    is_word[marks] = np.repeat(is_on_word, np.diff(starts, append=marks.size))


def _canonical_block(codes: CodePoints) -> CodePoints:
    flags = flags_of(codes)
    is_dropped = (flags & DROPPED) != 0
    if is_dropped.any():
        codes, flags = codes[~is_dropped], flags[~is_dropped]
    is_word = (flags & WORD) != 0
    is_mark = (flags & MARK) != 0
    _marks_of_words(is_mark, is_word)
    is_end = codes == NEWLINE
    # A character that parts words goes unless a word ends before it: then it is the one space.
    is_kept = is_word | is_end
    is_kept[1:] |= is_word[:-1]
    codes = np.where(is_word | is_end, codes, np.uint32(_BLANK))[is_kept]
    is_trailing = np.zeros(codes.size, dtype=np.bool_)
    is_trailing[:-1] = (codes[:-1] == _BLANK) & (codes[1:] == NEWLINE)
    script = np.where(is_mark, 0, flags & _UNSPACED)[is_kept]
    if script.any():
        is_unmarked = (flags[is_kept] & WORD) != 0
        is_cut = is_unmarked[1:] & (script[1:] != script[:-1])
        is_cut &= (codes[:-1] != _BLANK) & (codes[:-1] != NEWLINE)
        at = np.flatnonzero(is_cut) + 1
        codes = np.insert(codes, at, np.uint32(_BLANK))
        is_trailing = np.insert(is_trailing, at, False)  # the value inserted
    return codes[~is_trailing]


def canonical(texts: Iterable[Any]) -> CodePoints:
    r"""Return the words of all texts as code points: one space between words, one line per text.

    Parameters
    ----------
    texts : iterable of str
        Titles or tags; a missing one has no words.

    Returns
    -------
    numpy.ndarray of uint32
        As many line feeds as texts. O(characters), in blocks of a hundred thousand texts.

    References
    ----------
    What a word is, is ours, for the keywords of #80 and the topics of C34.

    Examples
    --------
    >>> bytes(canonical(["Don't  MISS it!!", "", None, "A & B"]).astype("u1"))
    b'dont miss it\n\n\na b\n'
    """
    parts = list(texts)
    blocks = [
        _canonical_block(folded(parts[at : at + _CHUNK])) for at in range(0, len(parts), _CHUNK)
    ]
    return np.concatenate(blocks) if blocks else np.empty(0, dtype=np.uint32)


def canonical_lines(texts: Iterable[Any]) -> list[str]:
    r"""Return each text as its words with single spaces between; O(characters).

    Parameters
    ----------
    texts : iterable of str
        Texts; a missing one is None or NaN.

    Returns
    -------
    list of str
        One line per text.

    References
    ----------
    What a word is, is ours, for the keywords of #80 and the topics of C34.

    Examples
    --------
    >>> canonical_lines(["ＭＩＮＥ\u200bcraft &lt;3", "【マイクラ】実況プレイ", "\N{FIRE}"])
    ['minecraft 3', 'マイクラ 実況 プレイ', '']
    >>> canonical_lines([])
    []

    >>> canonical_lines([None])
    ['']
    """
    return canonical(texts).astype("<u4").tobytes().decode("utf-32-le").split("\n")[:-1]


def words(text: Any) -> list[str]:  # noqa: ANN401 # a missing text is None or NaN
    r"""Return the words of one text.

    Parameters
    ----------
    text : str
        A text; a missing one is None or NaN.

    Returns
    -------
    list of str
        Its words in order.

    Notes
    -----
    O(characters).

    References
    ----------
    What a word is, is ours, for the keywords of #80 and the topics of C34.

    Examples
    --------
    >>> words("I Survived 100 Days... in HARDCORE Minecraft!")
    ['i', 'survived', '100', 'days', 'in', 'hardcore', 'minecraft']
    >>> words(None), words("\u202e\x00")
    ([], [])
    """
    return canonical_lines([text])[0].split()


_SHORTEST_PLURAL: Final = 4


def lemma(word: str) -> str:
    """Return a word without an English plural ending; other words come back as they are.

    These are the three rules of Harman's S-stemmer: it merges what a reader would merge and, unlike
    heavier stemmers, hardly ever two different words. It only touches ASCII words of four letters
    or more.

    Parameters
    ----------
    word : str
        A word in lower case.

    Returns
    -------
    str
        Its singular, as far as three rules can tell.

    Notes
    -----
    O(1).

    References
    ----------
    Harman, D. (1991). How effective is suffixing? JASIS 42(1).

    Examples
    --------
    >>> [lemma(w) for w in ["mods", "stories", "horses", "boss", "gas", "movies", "bus", "3ds"]]
    ['mod', 'story', 'horse', 'boss', 'gas', 'movy', 'bus', '3ds']

    >>> lemma("")
    ''
    """
    if len(word) < _SHORTEST_PLURAL or not word.endswith("s") or not word.isascii():
        return word
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    if word.endswith("es") and not word.endswith(("aes", "ees", "oes")):
        return word[:-1]
    return word if word.endswith(("us", "ss")) else word[:-1]
