"""Words of titles: what joins, what parts, and that no text depends on its neighbours."""

# ruff: noqa: RUF001 # other scripts are the point

import html
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurastream.core import words
from aurastream.core.words import canonical, canonical_lines, folded, joined, lemma

TEXTS = st.text(
    st.characters() | st.sampled_from("aA1 &;#\n\u200b\u0301'’かカ漢ーสा\U0001f525"), max_size=30
)


def slow_words(text: str) -> list[str]:
    """The same definition, written character by character."""
    line = joined([text])[:-1]
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", line).casefold())
    found: list[str] = []
    inside, script = False, 0
    for character in folded:
        flag = int(words.flags_of(words.to_code_points(character))[0])
        if flag & words.DROPPED:
            continue
        own = flag & (words.HAN | words.HIRAGANA | words.KATAKANA)
        if flag & words.WORD:
            if not inside or own != script:
                found.append("")
            found[-1] += character
            inside, script = True, own
        elif flag & words.MARK and inside:
            found[-1] += character
            script = 0
        else:
            inside = False
    return found


@given(st.lists(TEXTS, max_size=6))
def test_texts_together_give_the_words_of_each_alone(texts: list[str]) -> None:
    assert [line.split(" ") if line else [] for line in canonical_lines(texts)] == [
        slow_words(text) for text in texts
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("x", "x"),
        ("\x00\x07\x1b[31mred\x7f", "31mred"),
        ("mine\u200bcraft\ufeff", "minecraft"),
        ("\u202eשלום\u202c עולם", "שלום עולם"),
        ("مرحبا؟ بالعالم", "مرحبا بالعالم"),
        ("हिन्दी गाना", "हिन्दी गाना"),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f", ""),
        ("\u0301\u0301x", "x"),
        ("1\ufe0f\u20e3 tip", "1 tip"),
        ("Tom &amp;amp; Jerry &lt;b&gt; &#39;x&#39; &quot", "tom amp jerry b x"),
        ("STRASSE straße", "strasse strasse"),
        ("snake_case-word", "snake case word"),
        ("𠮷野家 \U000e0067", "𠮷野家"),
    ],
)
def test_awkward_titles(text: str, expected: str) -> None:
    assert canonical_lines([text]) == [expected]
    assert canonical_lines(["a &am", text, "p; b"])[1] == expected


def test_ten_thousand_characters_and_lone_surrogates() -> None:
    assert canonical_lines(["ab " * 3333, "a\ud800b", float("nan"), 7]) == [
        ("ab " * 3333).strip(),
        "ab",
        "",
        "",
    ]


def test_line_feeds_never_change_the_number_of_texts() -> None:
    assert joined(["a\nb", "&#10;", "\r\n", ""]) == "a b\n \n\r \n\n"


@given(st.text(max_size=12))
def test_a_lemma_is_never_empty_for_a_word_and_never_longer(word: str) -> None:
    assert len(lemma(word)) <= len(word)
    assert bool(lemma(word)) == bool(word)


@given(st.lists(st.none() | TEXTS, max_size=5))
def test_a_text_is_folded_as_caseless_matching_of_unicode_folds_it(
    texts: list[str | None],
) -> None:
    expected = []
    for text in texts:
        plain = html.unescape(text or "")
        form = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", plain).casefold())
        expected.append(form.replace("\n", " "))

    codes = folded(texts)

    lines = "".join(map(chr, codes.tolist())).split("\n")
    assert lines == [*expected, ""]
    again = folded(line for line in expected if "&" not in line)
    assert "".join(map(chr, again.tolist())) == "".join(
        f"{unicodedata.normalize('NFKC', line.casefold())}\n"
        for line in expected
        if "&" not in line
    )


@given(st.text(st.characters() | st.sampled_from("\ud800\udfff\n")))
def test_code_points_are_those_that_python_counts(text: str) -> None:
    assert words.to_code_points(text).tolist() == [ord(character) for character in text]


EDGES = [0x20000, 0x2FFFF, 0x323AF, 0x323B0, 0xDFFFF, 0xE0000, 0xE01EF, 0xE01F0, 0x10FFFF]


@given(st.lists(st.integers(0, 0x10FFFF) | st.sampled_from([0xFDFF, 0xFE00, 0xFE0F, *EDGES])))
def test_what_a_character_is_called_says_what_it_is(codes: list[int]) -> None:
    found = words.flags_of(np.array(codes, dtype=np.uint32)).tolist()

    for code, flag in zip(codes, found, strict=True):
        character = chr(code)
        kind = unicodedata.category(character)
        if code >= 0x20000:
            # No names are looked up here: all is Han, then nothing but tags and selectors.
            is_tag = 0xE0000 <= code <= 0xE01EF
            beyond = words.INVISIBLE | words.DROPPED if is_tag else 0
            assert flag == (words.WORD | words.HAN if code <= 0x323AF else beyond)
            continue
        is_letter = kind[0] in "LN" and not character.isspace()
        is_dropped = character in "'’ʼ`´" or 0xFE00 <= code <= 0xFE0F
        is_dropped |= kind in {"Cc", "Cf", "Cs", "Me"} and not character.isspace()
        assert bool(flag & words.SPACE) == character.isspace()
        assert bool(flag & words.DROPPED) == is_dropped
        assert bool(flag & words.WORD) == (is_letter and not is_dropped)
        assert bool(flag & words.MARK) == (kind[0] == "M" and not is_dropped)
        if not is_dropped:
            assert bool(flag & words.UPPER) == (kind in {"Lu", "Lt"})
            assert bool(flag & words.LOWER) == (kind == "Ll")
            assert bool(flag & words.DIGIT) == (kind == "Nd")
        scripts = {words.HAN: "Han", words.HIRAGANA: "Hiragana", words.KATAKANA: "Katakana"}
        own = [name for bit, name in scripts.items() if flag & bit]
        expected = script_of(character) if is_letter and not is_dropped else ""
        assert own == [expected] * bool(expected)


# The table of Harman (1991): an ending, what takes its place, and endings of which it is no part.
# The first rule that applies is the only one.
RULES = (("ies", "y", "eies aies"), ("es", "e", "aes ees oes"), ("s", "", "us ss"))


@given(
    st.builds(
        str.__add__, st.text("aeiosu", max_size=4), st.sampled_from(["s", "es", "ies", "a", "é"])
    )
)
def test_plurals_lose_the_ending_that_the_table_of_harman_takes(word: str) -> None:
    expected = word
    for ending, instead, but in RULES if len(word) > 3 else ():
        if word.endswith(ending) and not word.endswith(tuple(but.split())):
            expected = word.removesuffix(ending) + instead
            break

    assert lemma(word) == expected
    assert lemma(f"é{word}") == f"é{word}"


def script_of(character: str) -> str:
    """The script of a letter, where it is one that is written without spaces."""
    name = unicodedata.name(character, "")
    if character in "々〆〇" or name.startswith("CJK"):
        return "Han"
    if character == "ー" or name.startswith("KATAKANA"):
        return "Katakana"
    return "Hiragana" if name.startswith("HIRAGANA") else ""


def by_categories(text: str) -> list[str]:
    """Read words by nothing but the categories and names of the standard library."""
    plain = html.unescape(text)
    form = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", plain).casefold())
    found: list[str] = []
    before = None  # the script of the word that goes on
    for character in form:
        kind = unicodedata.category(character)
        is_selector = "\ufe00" <= character <= "\ufe0f"
        if character.isspace():
            before = None
        elif kind in {"Cc", "Cf", "Cs", "Me"} or is_selector or character in "'’ʼ`´":
            continue
        elif kind[0] in "LN":
            script = script_of(character)
            if script != before:
                found.append("")
            found[-1] += character
            before = script
        elif kind[0] == "M" and before is not None:
            found[-1] += character
            before = ""
        else:
            before = None
    return found


PIECES = st.characters(max_codepoint=0x1FFFF, exclude_categories=["Cs"]) | st.sampled_from(
    [*"aA1ﬁＡİß &;#\n\u200b\u0301\ufe0f'’かカ漢ー々サッสा٣½", "&amp;", "&lt;", "&#39;"]
)


@given(st.lists(st.none() | st.lists(PIECES, max_size=30).map("".join), max_size=5))
def test_words_are_what_the_standard_library_names_letters_numbers_and_marks(
    texts: list[str | None],
) -> None:
    codes = canonical(texts)
    compiled = pytest.importorskip("aurastream.core.keywords_numba", reason="numba is missing")
    assert compiled.canonical(texts).tolist() == codes.tolist()
    lines = "".join(map(chr, codes.tolist())).split("\n")
    assert lines.pop() == ""
    assert lines == [" ".join(by_categories(text or "")) for text in texts]
    # What is in its form stays in it, unless folding once more says otherwise.
    again = canonical([line for line in lines if unicodedata.is_normalized("NFKC", line)])
    assert "".join(map(chr, again.tolist())) == "".join(
        line + "\n" for line in lines if unicodedata.is_normalized("NFKC", line)
    )
