"""How a topic is spelled: the same words as titles write them, names in their own capitals."""

# ruff: noqa: RUF001 # full-width letters and apostrophes of every kind are meant

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurastream.core import words
from aurastream.core.topic_spelling import spelled, surface

PIECES = st.sampled_from(
    ["Don't", "GTA", "RP", "iPhone", "17", "&amp;", "Pokémon", "マイクラ実況", "कैसे", "-", "’",
     "\u200b", "ＦＵＬＬ", "Straße", "İ", "&", "BOSS",
     "fight", ":", " ", "  ", "_", "&amp;amp;", "ŉ", "½"]
)  # fmt: skip


@pytest.mark.parametrize(
    ("topic", "titles", "shown"),
    [
        ("dont starve", ["Don't Starve is great"], "Don't Starve"),
        ("assassins creed", ["ASSASSIN'S CREED"], "Assassin's Creed"),
        ("assassins creed", ["‘Assassin’s Creed’ ends"], "Assassin’s Creed"),
        ("pokémon", ["Poke\u0301mon again", "POKE\u0301MON"], "Pokémon"),
        ("full width", ["Ｆｕｌｌ　Ｗｉｄｔｈ"], "Full Width"),
        ("tom jerry", ["Tom &amp; Jerry"], "Tom & Jerry"),
        ("minecraft", ["Mine\u200bcraft"], "Minecraft"),
        ("マイクラ", ["最強マイクラ実況"], "マイクラ"),
        ("कैसे बनाएं", ["घर कैसे बनाएं"], "कैसे बनाएं"),
        # Names in their own capitals.
        ("gta rp", ["GTA-RP- the return"], "GTA-RP"),
        ("gta rp", ["GTA RP", "GTA RP day 3", "gta rp"], "GTA RP"),
        ("iphone 17", ["IPHONE 17"], "IPHONE 17"),
        ("iphone 17", ["IPHONE 17", "IPHONE 17!!", "The iPhone 17"], "iPhone 17"),
        ("nasa", ["The NASA story"], "NASA"),
        ("rtx 5090 ti", ["RTX 5090 TI"], "RTX 5090 TI"),
        ("gta heists", ["BEST GTA HEISTS", "my GTA life"], "GTA Heists"),
        # What shouts is calmed.
        ("the end", ["THE END"], "The End"),
        ("red dead redemption", ["RED DEAD REDEMPTION"], "Red Dead Redemption"),
        ("insane", ["this is INSANE stuff"], "Insane"),
        # Nothing is written.
        ("boss", [None], "boss"),
        ("boss", [None, "Boss"], "Boss"),
        ("boss", ["bossy", "emboss"], "boss"),
        ("🔥", ["🔥"], "🔥"),
    ],
)
def test_a_topic_is_shown_as_titles_write_it(
    topic: str, titles: list[str | None], shown: str
) -> None:
    assert surface(topic, titles) == shown


@given(st.lists(PIECES, max_size=8).map("".join), st.integers(0, 5), st.integers(1, 3))
def test_a_spelling_is_the_same_words_whatever_stretch_of_a_title_it_is(
    title: str, first: int, size: int
) -> None:
    wanted = words.words(title)[first : first + size]
    topic = " ".join(wanted)

    assert words.words(surface(topic, [title, None])) == wanted


@given(st.lists(st.text(max_size=20) | st.none(), max_size=4))
def test_titles_are_cut_into_the_words_they_have(titles: list[str | None]) -> None:
    found = spelled(titles)

    assert len(found) == len(titles)
    for title in found:
        assert len(title.places) == len(title.words)
        assert all(0 <= start < end <= len(title.text) for start, end in title.places)


@given(st.permutations(["Ender Fort", "ENDER FORT", "ender fort", "Ender-Fort", "Ender Fort"]))
def test_the_order_of_titles_does_not_matter(titles: list[str]) -> None:
    assert surface("ender fort", titles) == "Ender Fort"


@given(st.lists(st.none() | st.lists(PIECES, max_size=8).map("".join), max_size=4))
def test_each_word_stands_where_the_title_writes_it(titles: list[str | None]) -> None:
    for title, found in zip(titles, spelled(titles), strict=True):
        assert found.words == words.words(title)
        for at, (word, (start, end)) in enumerate(zip(found.words, found.places, strict=True)):
            assert word in words.words(found.text[start:end])
            assert at in [place[0] for place in found.places_of([word])]
        assert found.places == sorted(found.places)


CALM = st.lists(
    st.sampled_from(["Ender", "ender", "Fort", "fort", "The", "keep", "Zz"]), max_size=6
).map(" ".join)


@given(st.lists(st.none() | CALM, max_size=5))
def test_the_spelling_is_the_commonest_of_cutting_every_title_at_its_spaces(
    titles: list[str | None],
) -> None:
    counted: Counter[str] = Counter()
    for title in titles:
        written = (title or "").split()
        for pair in pairwise(written):
            if [word.lower() for word in pair] == ["ender", "fort"]:
                counted[" ".join(pair)] += 1
    ordered = sorted(counted, key=lambda text: (-counted[text], text))
    assert surface("ender fort", titles) == (ordered[0] if ordered else "ender fort")
