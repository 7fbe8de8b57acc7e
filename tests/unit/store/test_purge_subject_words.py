"""Many words in one expression find what a plain alternation of them finds."""

import itertools
import json
import re
from collections.abc import Iterable
from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurastream.store import purge_subject
from aurastream.store.purge_subject import Subject
from aurastream.store.purge_subject_words import any_of

NAMES = (
    "GTA", "GTA VI", "GTA VI trailer", "GTA VI  trailer", "Ω GTA", "straße", "STRASSE", "Straße",
    "İstanbul", "istanbul", "ǅ", "e\u0301clair", "\u00e9clair", "A & B", "A < B > C", 'say "hi"',
    "back\\slash", "new\nline", "a_b*c", "猫", "✨✨", "no", "12", "[forgotten]", "x" * 30,
)  # fmt: skip
VIDEOS = ("abc", "abcd", "a-b", "-a-b-", "12345678901", "1234567890", "_abc", "GTA", "user")
CHANNEL = "UC" + "x" * 22


def _plain(words: Iterable[str]) -> str:
    """Return the alternation that the expression stands for."""
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    return "|".join(map(re.escape, longest_first)) or "(?!)"


def _texts() -> list[str]:
    words = [*NAMES, *VIDEOS, CHANNEL, "GTA VI trailers", "gta vi", "xGTA", "abcde", "x" * 12]
    spelled = [
        spelling
        for word in words
        for spelling in (
            word, word.upper(), word.casefold(), escape(word), json.dumps(word),
            json.dumps(word, ensure_ascii=False), json.dumps(json.dumps(word)),
        )
    ]  # fmt: skip
    frames = (
        "{}", '"{}"', "<b>{}</b>", "| {} | 7 |", "title={}, n=1", "by {}.", "a {} b", "\\n{}\\n",
        '{{"video_id": "{}", "title": "GTA VI"}}', "https://youtu.be/{} and abc", "@{}", "user: {}",
        "{}\n{}", "user_id={} 1234567890", "-{}-", "{},5", "[{}](x) [forgotten]",
    )  # fmt: skip
    return [frame.format(word, word) for frame in frames for word in spelled]


@pytest.mark.parametrize(
    "subject",
    [
        Subject("youtube", CHANNEL, frozenset(VIDEOS), names=frozenset(NAMES)),
        Subject("youtube", CHANNEL, frozenset(VIDEOS), names=frozenset(NAMES),
                ambiguous=frozenset(NAMES[:3])),
        Subject("twitch", "1234567890", clips=frozenset(VIDEOS), logins=frozenset({"gta", "ab"}),
                names=frozenset(NAMES)),
        Subject("twitch", "12", is_word=True, logins=frozenset({"x"})),
    ],
)  # fmt: skip
def test_what_is_found_in_tricky_texts_is_what_a_plain_alternation_finds(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [*_texts(), "\n".join(_texts())]

    def found(one: Subject) -> list[object]:
        ways = (True, False)
        return [
            (
                [one.blanked(text, with_names=way) for way in ways],
                one.spans(text),
                one.may_be_in(text),
            )
            for text in texts
        ]

    now = found(subject)
    monkeypatch.setattr(purge_subject, "any_of", _plain)
    again = Subject(**{name: getattr(subject, name) for name in Subject.__dataclass_fields__})
    assert found(again) == now
    assert sum(bool(spans) for _, spans, _ in now) > 10
    assert not all(spans for _, spans, _ in now)


@given(
    st.lists(st.text("ab-\\|(. é", min_size=1, max_size=4), max_size=12),
    st.text("ab-\\|(. é", max_size=12),
)
def test_every_match_is_the_one_of_the_alternation(words: list[str], text: str) -> None:
    for after in ("", "(?![ab])", "$"):
        merged, plain = (re.compile(f"(?:{of(words)}){after}") for of in (any_of, _plain))
        assert [m.span() for m in merged.finditer(text)] == [m.span() for m in plain.finditer(text)]


def test_titles_that_each_begin_the_next_are_no_burden() -> None:
    words = ["a" * n for n in range(1, 141)]

    assert re.compile(any_of(words)).findall("a" * 300) == ["a" * 140, "a" * 140, "a" * 20]


def test_hundreds_of_words_leave_few_branches_to_a_character() -> None:
    words = ["".join(word) for word in itertools.product("abcdefgh", repeat=3)]

    assert any_of(words).count("|") == 7 + 8 * 7 + 64 * 7
