"""Whether a title asks: by a question mark, or by words that stand as they do in questions.

A first word alone tells little: "Will Smith is back", "When the boss lags", "How to win" and
"Why I quit" ask nobody. Without a question mark a title asks when it begins

- with an interrogative word and a finite verb right behind it ("why is", "quién es", "warum ist"),
  or a few words behind it where a noun stands between ("which sword is", "how many blocks can");
- with a verb before its subject ("can you", "is this", "hast du"), where the verb is no name or
  noun, or the subject is a pronoun or begins with an article, or what a subject does comes behind
  it ("will Nova survive", "are zombies real"). A verb and one word that is no pronoun announce
  ("Is back"), and so do feats ("Did it!", "Has a plan");
- with a turn that only questions have ("what if", "est-ce que", "será que").

In English, Spanish, Portuguese, French, German, Hindi (either script) and Japanese. Indirect
questions that are written in the same way ("What happened to my base") are counted.
"""

from collections.abc import Sequence
from typing import Final

__all__ = ["QUESTIONS_VERSION", "asks"]

QUESTIONS_VERSION: Final = "2026-11-21.2"


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_AUXILIARIES: Final = _set(
    "is are am was were do does did can could should would will has have had might must isnt arent "
    "wasnt werent dont doesnt didnt cant couldnt shouldnt wouldnt wont hasnt havent"
)
_SUBJECTS: Final = _set(
    "i you he she it we they this that these those there anyone anybody someone everyone nobody "
    "people u ya"
)
_BEFORE_NOUNS: Final = _set("the a an my your his her our their its any all one two")
_DEGREES: Final = _set(
    "many much long far fast big bad good hard old often deep high strong rich smart rare tall"
)
# Verbs that follow "what" and "who" without an auxiliary.
_HAPPENINGS: Final = _set("happens happened happen would made makes")
_DOINGS: Final = _set("wins won wants needs knows made killed said stole built owns lives")
# First words that are hardly anything but verbs of questions, and those that need a subject.
_ONLY_VERBS: Final = _set("is does did has isnt doesnt didnt should would could")
_MAYBE_VERBS: Final = _set(
    "are was were can will am arent wasnt werent cant wont shouldnt wouldnt couldnt"
)
_WITH_PRONOUNS: Final = _set("do dont have havent")
_NO_SUBJECTS: Final = _set("have be been of not never the back here coming gone over out")
# What a subject may do: bare forms that are hardly ever names or nouns behind a name.
_DOES: Final = _set(
    "survive win lose beat be become come get make return die fall fit stop go find escape fly "
    "swim run build break kill save reach happen destroy take catch solve finish defeat hold stay "
    "eat help hide steal see know work ever"
)
_FUTURES: Final = _set("can will cant wont")
_PLURAL_VERBS: Final = _set("are were arent werent")
_FEATS: Final = _set("did has")
_BEHIND_IT: Final = _set("in again for with on at all to twice once without as and by")
_SHORTEST_PLURAL: Final = 4
_FEWEST: Final = 3
_CONTRACTED: Final = _set("whats whos wheres whens whys hows")

_BEHIND: Final[dict[str, frozenset[str]]] = {
    **dict.fromkeys(_set("what who where when why how which whose whom"), _AUXILIARIES),
    **dict.fromkeys(
        _set("qué quién quiénes cuál cuáles dónde cuándo cómo cuánto quien cual"),
        _set(
            "es son fue era está están hay pasa pasó pasará pasaría significa puede pueden puedo "
            "prefieres harías eres tiene tienen debería quieres sabes gana ganó "
            "ganará ganaría sale cuesta va"
        ),
    ),
    **dict.fromkeys(
        _set("quem qual quais onde quando quanto"),
        _set(
            "é são foi era está estão vai vão ganha ganhou venceu aconteceu custa sai pode podem "
            "tem"
        ),
    ),
    **dict.fromkeys(
        _set("qui quel quelle quels quelles où quand pourquoi combien"),
        _set("est sont va vont a sera seront gagne coûte peut êtes es sort"),
    ),
    **dict.fromkeys(
        _set("warum wieso weshalb wann wo wer wie was woher wohin"),
        _set(
            "ist sind war hat haben habt hast wird werden kann kannst können soll sollte muss "
            "macht geht passiert gibt bekommt gewinnt würde würdest kommt funktioniert bedeutet "
            "steckt"
        ),
    ),
}
_TURNS: Final = (
    ("what", "if"), ("why", "not"), ("how", "come"), ("est", "ce", "que"), ("quest", "ce"),
    ("cest", "quoi"), ("pourquoi", "cest"), ("será", "que"), ("o", "que", "é"),
    ("o", "que", "são"), ("o", "que", "aconteceu"), ("o", "que", "acontece"), ("wie", "viel"),
    ("wie", "viele"),
    ("may", "i"), ("shall", "i"), ("shall", "we"), ("bist", "du"), ("hast", "du"),
    ("kannst", "du"), ("würdest", "du"),
    ("kennst", "du"), ("magst", "du"), ("weißt", "du"), ("ist", "das"), ("ist", "es"),
    ("ist", "er"), ("ist", "sie"), ("क्या",), ("kya",),
)  # fmt: skip
_LAST: Final = _set("क्यों kyu kyun kyon")
_JAPANESE: Final = (
    "ですか",
    "ますか",
    "のか",
    "かな",
    "でしょうか",
    "だろうか",
    "ませんか",
    "たか",
)
_WITHIN: Final = 5
_ARTICLES: Final = _set("a an the")
_FIRSTS: Final = frozenset(
    {*_BEHIND, *_CONTRACTED, *_ONLY_VERBS, *_MAYBE_VERBS, *_WITH_PRONOUNS, "por"}
    | {turn[0] for turn in _TURNS}
)


def asks(spoken: Sequence[str]) -> bool:
    """Return whether the words of a title ask, question marks aside.

    Parameters
    ----------
    spoken : sequence of str
        The words of a title, as `aurastream.core.words.canonical_lines` writes them.

    Returns
    -------
    bool
        False where no word is left.

    Notes
    -----
    O(1): at most the first words and the last one are looked at. Written down beside what it
    promises are 165 made-up titles and their truth (``tests/unit/core/test_title_questions.py``).

    References
    ----------
    Worker gaps 1, title intelligence (#80) asks for questions; what is one is ours.

    Examples
    --------
    >>> [asks(t.split()) for t in ("will smith is back", "will you survive", "why i quit")]
    [False, True, False]
    >>> [asks(t.split()) for t in ("how to win", "how many blocks can i place", "quién es ella")]
    [False, True, True]
    >>> asks([])
    False
    """
    if not spoken:
        return False
    first, last = spoken[0], spoken[-1]
    if last in _LAST or last.endswith(_JAPANESE):
        return True
    if first not in _FIRSTS:
        return False
    if any(tuple(spoken[: len(turn)]) == turn for turn in _TURNS if turn[0] == first):
        return True
    behind = list(spoken[1 : 1 + _WITHIN])
    if first == "por" and behind[:1] == ["qué"]:
        first, behind = "qué", behind[1:]
    return bool(behind) and (_asks_with_word(first, behind) or _asks_with_verb(first, behind))


def _asks_with_word(first: str, behind: list[str]) -> bool:
    if first in _CONTRACTED or behind[0] in _BEHIND.get(first, ()):
        return True
    if behind[0] in {"what": _HAPPENINGS, "who": _DOINGS}.get(first, ()):
        return True
    is_open = first in {"what", "which", "whose"} and behind[0] not in _ARTICLES
    return (is_open or (first == "how" and behind[0] in _DEGREES)) and _has_inversion(behind)


def _has_inversion(behind: list[str]) -> bool:
    """Whether a verb stands before a subject: "what game should I", not "what I should"."""
    for at, word in enumerate(behind[1:], start=1):
        if behind[at - 1] in _SUBJECTS:
            return False
        if word in _AUXILIARIES:
            return True
    return False


def _asks_with_verb(first: str, behind: list[str]) -> bool:
    second = behind[0]
    if len(behind) + 1 < _FEWEST and second not in _SUBJECTS:
        return False
    if first in _FEATS and not _asks_of_feat(behind):
        return False
    if first in _ONLY_VERBS:
        return second not in _NO_SUBJECTS or (second == "the" and first not in {"would", "could"})
    if first in _MAYBE_VERBS:
        return second in _SUBJECTS or second in _BEFORE_NOUNS or _has_deed(first, behind)
    return first in _WITH_PRONOUNS and second in _SUBJECTS - _set("this that it")


def _asks_of_feat(behind: list[str]) -> bool:
    """Whether a subject stands behind the verb, and not what was done or is had."""
    second = behind[0]
    if second == "it":
        return len(behind) > 1 and behind[1] not in _BEHIND_IT
    if second in _ARTICLES - {"the"}:
        return not _DOES.isdisjoint(behind[2:])
    return second not in _BEFORE_NOUNS or len(behind) >= _FEWEST


def _has_deed(first: str, behind: list[str]) -> bool:
    """Whether behind a noun or name comes what it does, or behind a plural what it is."""
    if first in _PLURAL_VERBS:
        noun = behind[0]
        return len(noun) >= _SHORTEST_PLURAL and noun.endswith("s") and not noun.endswith("ss")
    if first not in _FUTURES:
        return False
    deed = next((word for word in behind[1:] if word in _DOES or word in _AUXILIARIES), "")
    return deed in _DOES
