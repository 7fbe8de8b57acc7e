"""What a title looks like: length, case, punctuation, numbers, brackets, emoji, hook phrases.

Counts are 0 or more and have no better direction: `aurastream.core.title_lift` measures which of
the patterns go along with faster videos. HTML references are resolved first; what cannot be seen
(control bytes, zero-width and direction marks) counts nowhere; white space counts once between
what can be seen. A character is a Unicode code point, so that one outside the first plane counts
once, as on YouTube's own counter of 100.

The phrases are data with a version: `HOOK_PHRASES`, reviewed on `HOOKS_VERSION`. They are matched
on whole words without regard to case, width, style, punctuation or apostrophes.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core import words
from aurastream.core.frames import Schema, build_frame, flags, numbers, require_columns
from aurastream.core.title_questions import asks

__all__ = [
    "HOOKS_VERSION",
    "HOOK_PHRASES",
    "PATTERNS",
    "TITLE_FEATURES_SCHEMA",
    "hook_matches",
    "title_features",
    "title_patterns",
]

Bools = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]

HOOKS_VERSION: Final = "2026-11-21"
HOOK_PHRASES: Final[Mapping[str, tuple[str, ...]]] = {
    "challenge": (
        "challenge", "i survived", "survived", "surviving", "last to", "100 days", "24 hours",
        "for 24 hours", "speedrun", "without dying", "no hit", "hardcore", "desafio", "desafío",
        "sobreviví", "sobrevivi", "24 horas", "100 dias", "100 días", "défi", "24 heures",
        "jai survécu", "24 stunden", "überlebe", "縛り", "チャレンジ",
    ),
    "curiosity": (
        "you wont believe", "wont believe", "what happens", "what happened", "the truth",
        "truth about", "secret", "secrets", "nobody knows", "no one knows", "this is why",
        "the real reason", "exposed", "hidden", "mystery", "no vas a creer", "secreto",
        "la verdad", "não vai acreditar", "segredo", "a verdade", "vous nallez pas croire",
        "la vérité", "geheimnis", "die wahrheit", "秘密", "正体", "sach",
    ),
    "first_person": (
        "i tried", "i spent", "i built", "i made", "i bought", "i played", "i became",
        "i pretended", "i found", "i trapped", "i cheated", "we tried", "probé", "compré",
        "eu testei", "comprei", "virei", "jai testé", "jai acheté", "jai passé", "ich habe",
    ),
    "live": (
        "live", "livestream", "live stream", "en vivo", "en directo", "directo", "ao vivo",
        "en direct", "生放送", "生配信", "配信", "लाइव",
    ),
    "news": (
        "update", "leak", "leaks", "leaked", "new season", "patch notes", "announcement",
        "announced", "revealed", "reveal", "breaking", "breaking news", "actualización",
        "noticias", "atualização", "notícias", "mise à jour", "neuigkeiten", "速報", "最新",
        "アップデート",
    ),
    "official": (
        "official video", "official music video", "official audio", "official trailer",
        "official teaser", "official lyric video", "video oficial", "vídeo oficial",
        "clipe oficial", "clip officiel", "bande annonce", "official mv", "trailer", "teaser",
        "予告", "公式",
    ),
    "ranking": (
        "top 3", "top 5", "top 10", "top 20", "top 50", "top 100", "tier list", "ranking",
        "ranked", "best", "worst", "every", "mejores", "peores", "melhores", "piores",
        "meilleurs", "pires", "die besten", "ランキング", "最強",
    ),
    "reaction": (
        "reaction", "reacts", "reacting", "reacts to", "first time hearing", "reacción",
        "reacciona", "reaccionando", "react", "reagindo", "réaction", "je réagis", "reagiert",
        "リアクション", "反応",
    ),
    "superlative": (
        "biggest", "worlds", "most", "impossible", "insane", "craziest", "crazy", "ultimate",
        "greatest", "rarest", "strongest", "más grande", "imposible", "increíble", "maior",
        "impossível", "incrível", "le plus", "incroyable", "größte", "unglaublich", "世界一",
        "神回",
    ),
    "tutorial": (
        "how to", "tutorial", "guide", "tips", "tips and tricks", "explained", "walkthrough",
        "for beginners", "cómo", "como hacer", "guía", "como fazer", "guia", "dicas", "comment",
        "astuces", "anleitung", "so geht", "やり方", "解説", "攻略", "kaise",
    ),
    "urgency": (
        "before its too late", "dont miss", "last chance", "hurry", "right now", "warning",
        "urgent", "stop doing", "ending soon", "urgente", "última hora", "última chance",
        "attention", "achtung", "緊急", "注意",
    ),
    "versus": ("vs", "versus", "contra", "gegen", "1v1", "2v2", "pro vs", "noob", "対決"),
}  # fmt: skip

_COUNTERS: Final = {
    "exclamations": "!！¡‼⁉",  # noqa: RUF001 # full-width forms
    "questions": "?？؟\u037e⁇⁈⁉‽",  # noqa: RUF001 # full-width, Arabic and Greek forms
    "brackets": "([{（［｛【「『《〈〔",  # noqa: RUF001 # full-width forms
    "separators": "|│｜¦•·",  # noqa: RUF001 # full-width form
}

_DASHES: Final = "-–—~〜"

TITLE_FEATURES_SCHEMA: Final[Schema] = {
    "length_chars": "int32",
    "length_words": "int32",
    "upper_share": "float64",
    "caps_words": "int32",
    "exclamations": "int32",
    "questions": "int32",
    "brackets": "int32",
    "separators": "int32",
    "has_ellipsis": "bool",
    "numbers": "int32",
    "emojis": "int32",
    "hashtags": "int32",
    "is_question": "bool",
    **{f"hook_{name}": "bool" for name in sorted(HOOK_PHRASES)},
}

PATTERNS: Final = (
    "short",
    "long",
    "all_caps",
    "caps_word",
    "exclamation",
    "question",
    "ellipsis",
    "number",
    "brackets",
    "separator",
    "emoji",
    "many_emojis",
    "hashtag",
    *(f"hook_{name}" for name in sorted(HOOK_PHRASES)),
)

_CHUNK: Final = 100_000
_SHORT_CHARS: Final = 30
_LONG_CHARS: Final = 70
_CAPS_SHARE: Final = 0.7
_CAPS_WORDS: Final = 2
_MANY: Final = 3
_SELECTOR: Final = 0xFE0F
_JOINER: Final = 0x200D
_KEYCAP: Final = 0x20E3
_TONES: Final = (0x1F3FB, 0x1F3FF)
_REGIONAL: Final = (0x1F1E6, 0x1F1FF)
_HASH: Final = (0x23, 0xFF03)
_APOSTROPHES: Final = np.array([0x27, 0x2019, 0x2BC], dtype=np.uint32)


def title_features(titles: Iterable[Any]) -> pd.DataFrame:
    r"""Describe every title; no title changes what is said of another.

    Parameters
    ----------
    titles : iterable of str
        Titles as the API gave them; a missing one is an empty one.

    Returns
    -------
    pandas.DataFrame
        One row per title, in their order, with the columns of `TITLE_FEATURES_SCHEMA`:

        - ``length_chars``, ``length_words``: visible characters, words as
          `aurastream.core.words` defines them;
        - ``upper_share``: upper-case letters among those that have case, 0–1; NaN where a title has
          none (a script without case says nothing);
        - ``caps_words``: words of two or more letters, all of them upper-case;
        - ``exclamations``, ``questions``, ``brackets`` (opening ones), ``separators``
          (bars and dots that part a title, dashes with space on both sides);
        - ``has_ellipsis``: three dots or more, or the sign for them;
        - ``numbers``: runs of digits, so that "1,000" is two;
        - ``emojis``: as a viewer sees them: a family, a flag, a keycap and a skin tone are one;
        - ``hashtags``: number signs before a letter or a digit at the start of a word;
        - ``is_question``: a question mark, or words that stand as they do in questions
          (`aurastream.core.title_questions`);
        - ``hook_*``: a phrase of that kind in `HOOK_PHRASES`.

    Notes
    -----
    O(characters); 100,000 titles are treated at a time, which bounds the memory. Emoticons and
    numbers written as words are not recognised; the trade mark sign is no emoji.

    References
    ----------
    Worker gaps 1, title intelligence (#80): patterns and phrases; the definitions are ours.

    Examples
    --------
    >>> f = title_features(["I SURVIVED 100 Days... in Minecraft!!", "¿Por qué? \N{FIRE}"])
    >>> f[["length_words", "caps_words", "exclamations", "numbers", "emojis"]].values.tolist()
    [[6, 1, 2, 1, 0], [2, 0, 0, 0, 1]]
    >>> f[["has_ellipsis", "is_question", "hook_challenge"]].values.tolist()
    [[True, False, True], [False, True, False]]

    Neither HTML references nor what cannot be seen count; a family is one emoji, a flag another:

    >>> family = "\N{MAN}\u200d\N{WOMAN}\u200d\N{BOY}\N{REGIONAL INDICATOR SYMBOL LETTER D}"
    >>> family += "\N{REGIONAL INDICATOR SYMBOL LETTER E}"
    >>> f = title_features(["A &amp; B", "\u202ea\u200bb\x00", family])
    >>> f["length_chars"].tolist(), f["emojis"].tolist()
    ([5, 2, 5], [0, 0, 2])

    No letters with case give no share; an empty and a missing title are all zero:

    >>> title_features(["最強", "", None])["upper_share"].tolist()
    [nan, nan, nan]
    >>> title_features([]).empty
    True
    """
    parts = list(titles)
    blocks = [_features(parts[at : at + _CHUNK]) for at in range(0, len(parts), _CHUNK)]
    frame = pd.concat(blocks, ignore_index=True) if blocks else _features([])
    return frame if len(frame.columns) else _features([])


def title_patterns(features: pd.DataFrame) -> pd.DataFrame:
    """Return which of the `PATTERNS` each title shows, as booleans.

    Short is under 30 characters, long 70 or more (where YouTube's lists cut); all caps is 70 % of
    the letters and two words; many emojis are three.

    Parameters
    ----------
    features : pandas.DataFrame
        As `title_features` gives them.

    Returns
    -------
    pandas.DataFrame
        One column per pattern, one row per title.

    Notes
    -----
    O(n).

    References
    ----------
    Worker gaps 1, title intelligence (#80); the limits are ours.

    Examples
    --------
    >>> shown = title_patterns(title_features(["WE WON!!! (finally)", "my garden in june"]))
    >>> shown.columns[shown.iloc[0]].tolist()
    ['short', 'caps_word', 'exclamation', 'brackets']
    >>> shown.columns[shown.iloc[1]].tolist()
    ['short']

    >>> title_patterns(title_features([])).empty
    True
    """
    f = require_columns(features, tuple(TITLE_FEATURES_SCHEMA), "title_features")
    length, caps, emojis = (numbers(f, name) for name in ("length_chars", "caps_words", "emojis"))
    found = {
        "short": (length > 0) & (length < _SHORT_CHARS),
        "long": length >= _LONG_CHARS,
        "all_caps": (numbers(f, "upper_share") >= _CAPS_SHARE) & (caps >= _CAPS_WORDS),
        "caps_word": caps > 0,
        "exclamation": numbers(f, "exclamations") > 0,
        "question": flags(f, "is_question"),
        "ellipsis": flags(f, "has_ellipsis"),
        "number": numbers(f, "numbers") > 0,
        "brackets": numbers(f, "brackets") > 0,
        "separator": numbers(f, "separators") > 0,
        "emoji": emojis > 0,
        "many_emojis": emojis >= _MANY,
        "hashtag": numbers(f, "hashtags") > 0,
    }
    return pd.DataFrame(
        {name: found[name] if name in found else flags(f, name) for name in PATTERNS},
        index=f.index,
    )


def hook_matches(titles: Iterable[Any]) -> dict[str, Bools]:
    """Return for each kind of `HOOK_PHRASES` which titles have one of its phrases; O(words).

    Parameters
    ----------
    titles : iterable of str
        Titles; a missing one has no phrase.

    Returns
    -------
    dict of str to numpy.ndarray
        Booleans, one per title.

    References
    ----------
    Worker gaps 1, title intelligence (#80): phrases; the list is ours.

    Examples
    --------
    >>> found = hook_matches(["HOW TO win", "You won’t believe it!", "show together"])
    >>> found["tutorial"].tolist(), found["curiosity"].tolist()
    ([True, False, False], [False, True, False])

    >>> hook_matches([None])["tutorial"].tolist(), hook_matches([])["tutorial"].tolist()
    ([False], [])
    """
    return _hooks([line.split() for line in words.canonical_lines(titles)])


def _first_words() -> dict[str, list[tuple[list[str], str]]]:
    result: dict[str, list[tuple[list[str], str]]] = {}
    for hook, phrases in HOOK_PHRASES.items():
        for phrase in phrases:
            parts = words.words(phrase)
            result.setdefault(parts[0], []).append((parts, hook))
    return result


def _hooks(titles: list[list[str]]) -> dict[str, Bools]:
    by_first = _first_words()
    found = {hook: np.zeros(len(titles), dtype=np.bool_) for hook in HOOK_PHRASES}
    for row, spoken in enumerate(titles):
        for at, word in enumerate(spoken):
            for phrase, hook in by_first.get(word, ()):
                if spoken[at : at + len(phrase)] == phrase:
                    found[hook][row] = True
    return found


def _features(titles: list[Any]) -> pd.DataFrame:
    text = words.joined(titles)
    codes = words.to_code_points(text)
    flags = words.flags_of(codes)
    is_end = codes == words.NEWLINE
    n = len(titles)
    row_of = np.cumsum(is_end) - is_end

    def count(mask: Bools) -> Counts:
        return np.bincount(row_of[mask], minlength=n)[:n]

    spoken = [line.split() for line in words.canonical_lines(titles)]
    upper, cased = count((flags & words.UPPER) != 0), count((flags & _CASED) != 0)
    share = np.divide(upper, cased, out=np.full(n, np.nan), where=cased > 0)
    questions = count(_among(codes, _COUNTERS["questions"]))
    asking = np.array([asks(line) for line in spoken], dtype=np.bool_)
    return build_frame(
        TITLE_FEATURES_SCHEMA,
        {
            "length_chars": count(_visible(codes, flags)),
            "length_words": np.array([len(s) for s in spoken], dtype=np.int64),
            "upper_share": share,
            "caps_words": count(_caps_word_starts(codes, flags)),
            **{name: count(_among(codes, signs)) for name, signs in _COUNTERS.items()},
            "separators": count(_separators(codes, flags)),
            "has_ellipsis": count(_ellipses(codes)) > 0,
            "numbers": count(_starts((flags & words.DIGIT) != 0)),
            "emojis": count(_emoji_starts(codes, flags)),
            "hashtags": count(_hashtags(codes, flags)),
            "is_question": (questions > 0) | asking,
            **{f"hook_{name}": found for name, found in _hooks(spoken).items()},
        },
    )


_CASED: Final = words.UPPER | words.LOWER


def _shifted(mask: npt.NDArray[Any], by: int = 1) -> Any:  # noqa: ANN401 # the mask's own type
    """Return what stands ``by`` places before (after, if negative); nothing beyond the ends."""
    result = np.zeros_like(mask)
    if by > 0:
        result[by:] = mask[:-by]
    else:
        result[:by] = mask[-by:]
    return result


def _starts(mask: Bools) -> Bools:
    result: Bools = mask & ~_shifted(mask)
    return result


def _among(codes: words.CodePoints, signs: str) -> Bools:
    found = np.zeros(codes.size, dtype=np.bool_)
    for sign in signs:
        found |= codes == ord(sign)
    return found


def _separators(codes: words.CodePoints, flags: words.Flags) -> Bools:
    # The ends of titles are no space in them: what stands beside a title changes nothing in it.
    is_space = ((flags & words.SPACE) != 0) & (codes != words.NEWLINE)
    parts = _among(codes, _DASHES) & _shifted(is_space) & _shifted(is_space, -1)
    result: Bools = parts | _among(codes, _COUNTERS["separators"])
    return result


def _visible(codes: words.CodePoints, flags: words.Flags) -> Bools:
    seen = np.flatnonzero((flags & words.INVISIBLE) == 0)
    is_end = codes[seen] == words.NEWLINE
    is_space = (flags[seen] & words.SPACE) != 0
    # Of a gap its first space counts, unless the gap ends the title.
    follows = _shifted(~is_space)
    gap_ends = np.zeros(seen.size, dtype=np.bool_)
    solid = np.flatnonzero(~is_space | is_end)
    if solid.size:
        nearest = np.minimum(np.searchsorted(solid, np.arange(seen.size)), solid.size - 1)
        gap_ends = is_end[solid[nearest]]
    visible = np.zeros(codes.size, dtype=np.bool_)
    visible[seen] = ~is_end & (~is_space | (follows & ~gap_ends))
    return visible


def _caps_word_starts(codes: words.CodePoints, flags: words.Flags) -> Bools:
    """Mark the first character of each word whose letters all are upper-case, two at least."""
    is_apostrophe = np.isin(codes, _APOSTROPHES)
    is_inner = ((flags & (words.WORD | words.MARK)) != 0) | is_apostrophe
    starts = np.flatnonzero(_starts(is_inner))
    result = np.zeros(codes.size, dtype=np.bool_)
    if not starts.size:
        return result
    upper = np.add.reduceat(((flags & words.UPPER) != 0).astype(np.int64), starts)
    # Between two words there are no letters, so that a sum up to the next word is the word's.
    letters = ((flags & words.WORD) != 0) & ((flags & words.DIGIT) == 0)
    total = np.add.reduceat(letters.astype(np.int64), starts)
    result[starts[(upper == total) & (upper >= _CAPS_WORDS)]] = True
    return result


def _ellipses(codes: words.CodePoints) -> Bools:
    is_dot = codes == ord(".")
    result: Bools = (is_dot & _shifted(is_dot) & _shifted(is_dot, 2)) | (codes == ord("…"))
    return result


def _hashtags(codes: words.CodePoints, flags: words.Flags) -> Bools:
    is_hash = (codes == _HASH[0]) | (codes == _HASH[1])
    is_word = (flags & words.WORD) != 0
    result: Bools = is_hash & _shifted(is_word, -1) & ~_shifted(is_word)
    return result


def _between(codes: words.CodePoints, ends: tuple[int, int]) -> Bools:
    return (codes >= ends[0]) & (codes <= ends[1])


def _emoji_starts(codes: words.CodePoints, flags: words.Flags) -> Bools:
    """Mark one code point of each emoji a viewer sees."""
    selected = _shifted(codes, -1) == _SELECTOR
    is_emoji = (flags & words.EMOJI) != 0
    is_emoji |= ((flags & words.TEXT_EMOJI) != 0) & selected
    is_emoji |= codes == _KEYCAP
    before = _shifted(codes)
    is_emoji &= before != _JOINER
    is_tone = _between(codes, _TONES)
    # A tone alone is a coloured square; after an emoji (and its selector) it only colours it.
    behind = _shifted(flags) & (words.EMOJI | words.TEXT_EMOJI)
    is_emoji &= ~(is_tone & ((behind != 0) | (before == _SELECTOR)))
    is_flag = _between(codes, _REGIONAL)
    places = np.flatnonzero(is_flag)
    if places.size:
        starts = np.flatnonzero(np.diff(places, prepend=-2) > 1)
        lengths = np.diff(starts, append=places.size)
        offset = np.arange(places.size) - np.repeat(starts, lengths)
        is_emoji[places[offset % 2 == 1]] = False
    result: Bools = is_emoji
    return result
