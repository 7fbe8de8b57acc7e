"""Features of titles, against plain loops over characters and against the regex package."""

# ruff: noqa: RUF001 # other scripts are the point

import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurastream.core import words
from aurastream.core.errors import InvalidInputError
from aurastream.core.title_features import (
    HOOK_PHRASES,
    PATTERNS,
    TITLE_FEATURES_SCHEMA,
    hook_matches,
    title_features,
    title_patterns,
)

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "youtube_trending"
CHARTS = DATA / "charts_8c_2025-12-10_2026-04-30.parquet"

TITLES = st.text(
    st.characters(exclude_categories=["Cs"])
    | st.sampled_from("aAB1 .!?#()|-\u200b\u200d\ufe0f\u20e3\U0001f525\U0001f1e9\U0001f3fd\n&;"),
    max_size=25,
)
BASE = {name: 0 for name in TITLE_FEATURES_SCHEMA if name != "upper_share"}
AWKWARD = {
    "": {},
    "x": {"length_chars": 1, "length_words": 1},
    "\U0001f525": {"length_chars": 1, "emojis": 1},
    "\u2764\ufe0f\u2764": {"length_chars": 2, "emojis": 1},
    "\U0001f44d\U0001f3fd": {"length_chars": 2, "emojis": 1},
    "1\ufe0f\u20e3": {"length_chars": 2, "length_words": 1, "numbers": 1, "emojis": 1},
    "\u202eשלום\u202c": {"length_chars": 4, "length_words": 1},
    " \t a \u200b b  ": {"length_chars": 3, "length_words": 2},
    "\x00\x01": {},
    "&lt;3 &amp; #one": {
        "length_chars": 9,
        "length_words": 2,
        "numbers": 1,
        "hashtags": 1,
    },
    "GTA's MOD": {"length_chars": 9, "length_words": 2, "caps_words": 1},
    "Why so？": {"length_chars": 7, "length_words": 2, "questions": 1, "is_question": True},
    "A - B | C-D": {"length_chars": 11, "length_words": 4, "separators": 2},
    "Wait…": {"length_chars": 5, "length_words": 1, "has_ellipsis": True},
}


@pytest.mark.parametrize("title", list(AWKWARD))
def test_awkward_titles(title: str) -> None:
    row = title_features([title]).drop(columns="upper_share").iloc[0].to_dict()
    assert row == BASE | AWKWARD[title]


def test_ten_thousand_characters() -> None:
    row = title_features(["WOW! " * 2000]).iloc[0]
    assert row[["length_chars", "length_words", "caps_words", "exclamations"]].tolist() == [
        9999,
        2000,
        2000,
        2000,
    ]


def test_a_dash_at_an_end_of_a_title_parts_nothing_whatever_stands_beside_it() -> None:
    titles = ["- b", "- b", "a -", "-", "a - b", "- b"]
    assert title_features(titles)["separators"].tolist() == [0, 0, 0, 0, 1, 0]


@given(st.lists(TITLES, max_size=5))
def test_each_title_has_the_features_it_has_alone(titles: list[str]) -> None:
    together = title_features(titles)
    assert {c: str(t) for c, t in together.dtypes.items()} == dict(TITLE_FEATURES_SCHEMA)
    assert len(together) == len(titles)
    for row, title in enumerate(titles):
        pd.testing.assert_frame_equal(
            together.iloc[[row]].reset_index(drop=True), title_features([title]), check_exact=True
        )
    assert together["upper_share"].dropna().between(0, 1).all()
    assert (together["emojis"] <= together["length_chars"] + 1).all()
    assert (together["caps_words"] <= together["length_chars"]).all()


@given(TITLES)
def test_loops_over_the_characters_agree(title: str) -> None:
    row = title_features([title]).iloc[0]
    line = words.joined([title])[:-1]
    upper = sum(unicodedata.category(c) in {"Lu", "Lt"} for c in line)
    cased = upper + sum(unicodedata.category(c) == "Ll" for c in line)
    assert row["upper_share"] == (upper / cased if cased else pytest.approx(np.nan, nan_ok=True))
    assert row["numbers"] == len(re.findall(r"\d+", line))
    assert row["has_ellipsis"] == bool(re.search(r"\.{3}|…", line))
    invisible = re.compile("[\ufe00-\ufe0f]")
    seen = "".join(
        c
        for c in invisible.sub("", line)
        if c.isspace() or unicodedata.category(c) not in {"Cc", "Cf", "Cs"}
    )
    assert row["length_chars"] == len(" ".join(seen.split()))


def test_emoji_are_those_of_unicode() -> None:
    regex = pytest.importorskip("regex", reason="no independent emoji data")
    pictures = regex.compile(r"\p{Emoji_Presentation}|\p{Emoji}\uFE0F")
    codes = [*range(0x203C, 0x3300), *range(0x1F000, 0x1FB00)]
    known = [code for code in codes if unicodedata.category(chr(code)) != "Cn"]
    emojis = [code for code in known if pictures.match(chr(code) + "\ufe0f")]
    found = title_features([chr(code) + "\ufe0f" for code in emojis])["emojis"]
    missed = [hex(code) for code, count in zip(emojis, found, strict=True) if count != 1]
    assert missed == ["0x2122"]  # the trade mark sign stays a sign


@pytest.mark.skipif(not CHARTS.is_file(), reason=f"no archive at {CHARTS}")
def test_real_titles_have_the_shares_they_have() -> None:
    titles = pd.read_parquet(CHARTS, columns=["video_id", "title"]).drop_duplicates("video_id")
    titles = titles["title"].head(4000)
    shown = title_patterns(title_features(titles))
    assert shown["exclamation"].tolist() == titles.str.contains("[!！¡‼⁉]").tolist()
    assert shown["number"].tolist() == titles.str.contains(r"\d").tolist()
    assert 0.01 < shown["emoji"].mean() < 0.2
    assert 0.1 < shown["hook_official"].mean() < 0.4


def test_hooks_match_whole_words_only() -> None:
    found = hook_matches(["Best of", "bestial", "THE TRUTH, about", "the true thing", None])
    assert found["ranking"].tolist() == [True, False, False, False, False]
    assert found["curiosity"].tolist() == [False, False, True, False, False]


def test_every_phrase_finds_itself_and_is_listed_once() -> None:
    for hook, phrases in HOOK_PHRASES.items():
        assert hook_matches(phrases)[hook].all()
        assert len(set(phrases)) == len(phrases)


SPOKEN = st.sampled_from(
    [phrase for phrases in HOOK_PHRASES.values() for phrase in phrases]
) | st.sampled_from(
    ["how", "TO", "top", "10", "bestial", "the", "truth,", "so geht’s", "won't believe", "公式予告"]
)


@cache
def between_spaces() -> dict[str, list[str]]:
    return {
        hook: [f" {line} " for line in words.canonical_lines(phrases)]
        for hook, phrases in HOOK_PHRASES.items()
    }


@settings(max_examples=25)
@given(st.lists(st.none() | st.lists(SPOKEN, max_size=5).map(" ".join), max_size=12))
def test_hooks_are_what_looking_for_every_phrase_between_spaces_finds(
    titles: list[str | None],
) -> None:
    lines = [f" {line} " for line in words.canonical_lines(titles)]
    assert {hook: found.tolist() for hook, found in hook_matches(titles).items()} == {
        hook: [any(phrase in line for phrase in phrases) for line in lines]
        for hook, phrases in between_spaces().items()
    }


@settings(max_examples=15)
@given(st.lists(TITLES, min_size=1, max_size=6))
def test_a_phrase_is_a_hook_in_any_case_wherever_it_stands_and_for_its_own_title_alone(
    titles: list[str],
) -> None:
    n = len(titles)
    said = [f"{title} {tail}" for tail in ("How to", "HOW TO") for title in titles]
    found = hook_matches([*said, *titles])
    alone = hook_matches(titles)
    for hook, rows in found.items():
        assert rows[:n].tolist() == rows[n : 2 * n].tolist()
        assert rows[2 * n :].tolist() == alone[hook].tolist()
        assert not (alone[hook] & ~rows[:n]).any()
    assert found["tutorial"][: 2 * n].all()


def test_all_same_titles_have_all_the_same_features() -> None:
    assert len(title_features(["TOP 10 wins!"] * 50).drop_duplicates()) == 1


COUNTS = st.sampled_from([0, 1, 2, 3, 29, 30, 69, 70])


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                name: st.booleans()
                if kind == "bool"
                else st.sampled_from([0.0, 0.69, 0.7, 1.0, None])
                if name == "upper_share"
                else COUNTS
                for name, kind in TITLE_FEATURES_SCHEMA.items()
            }
        ),
        max_size=5,
    )
)
def test_a_title_shows_the_patterns_whose_words_say_so(rows: list[dict[str, Any]]) -> None:
    frame = pd.DataFrame(rows, columns=list(TITLE_FEATURES_SCHEMA), index=range(7, 7 + len(rows)))

    found = title_patterns(frame)

    assert found.index.tolist() == frame.index.tolist()
    for row, shown in zip(rows, found.to_dict("records"), strict=True):
        caps, emojis, length = row["caps_words"], row["emojis"], row["length_chars"]
        shouts = (row["upper_share"] or 0) >= 0.7
        own = {
            "short": 1 <= length <= 29,
            "long": length >= 70,
            "all_caps": shouts and caps >= 2,
            "caps_word": caps >= 1,
            "exclamation": row["exclamations"] >= 1,
            "question": row["is_question"],
            "ellipsis": row["has_ellipsis"],
            "number": row["numbers"] >= 1,
            "brackets": row["brackets"] >= 1,
            "separator": row["separators"] >= 1,
            "emoji": emojis >= 1,
            "many_emojis": emojis >= 3,
            "hashtag": row["hashtags"] >= 1,
        }
        hooks = {name: row[name] for name in PATTERNS if name.startswith("hook_")}
        assert shown == own | hooks


def test_patterns_of_nothing_and_of_the_wrong_frame() -> None:
    assert list(title_patterns(title_features([])).columns) == list(PATTERNS)
    assert title_patterns(pd.DataFrame()).empty
    with pytest.raises(InvalidInputError, match="no column 'emojis'"):
        title_patterns(title_features(["a"]).drop(columns="emojis"))
