"""Topics once each, against the pairwise comparison."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import distance

from aurastream.core import words
from aurastream.core.errors import InvalidInputError
from aurastream.core.keywords import keyword_scores
from aurastream.core.topics import (
    TOPICS_SCHEMA,
    TopicParams,
    duplicate_of,
    jaccard,
    lemma_sets,
    topics,
)
from benchmarks import core_topics

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "youtube_trending"
CHARTS = DATA / "charts_8c_2025-12-10_2026-04-30.parquet"
NOW = pd.Timestamp("2026-03-01T10:00Z")


def candidates(*rows: tuple[Any, float], category: str = "minecraft") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "window_start": pd.DatetimeIndex([NOW] * len(rows)).as_unit("us"),
            "category": [category] * len(rows),
            "term": [row[0] for row in rows],
            "score": [row[1] for row in rows],
        }
    )


def pairwise(sets: list[frozenset[str]], similarity: float) -> list[int]:
    """The definition, with exact fractions."""
    per_mille = round(similarity * 1000)
    kept: list[int] = []
    result = []
    for place, own in enumerate(sets):
        alike = [
            k for k in kept if own and 1000 * len(own & sets[k]) >= per_mille * len(own | sets[k])
        ]
        if own and not alike:
            kept.append(place)
        result.append(-1 if not own else alike[0] if alike else place)
    return result


@given(
    st.lists(st.frozensets(st.sampled_from("abcdefgh"), max_size=8), max_size=40),
    st.sampled_from([0.501, 0.55, 0.6, 0.7, 0.75, 0.9, 1.0]),
)
def test_the_index_finds_what_the_pairwise_comparison_finds(
    sets: list[frozenset[str]], similarity: float
) -> None:
    assert duplicate_of(sets, similarity=similarity).tolist() == pairwise(sets, similarity)


@pytest.mark.parametrize("seed", range(4))
def test_long_sets_are_found_across_the_change_of_the_index(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sets = []
    for i in range(300):
        if i % 3 == 2:
            base = sorted(sets[int(rng.integers(0, i))])
            keep = rng.random(len(base)) < rng.uniform(0.5, 1.0)
            added = rng.integers(0, 90, int(rng.integers(0, 8)))
            chosen = {w for w, k in zip(base, keep, strict=True) if k} | {f"w{a}" for a in added}
        else:
            chosen = {f"w{a}" for a in rng.integers(0, 90, int(rng.integers(1, 45)))}
        sets.append(frozenset(chosen))
    for similarity in (0.51, 0.6, 0.8):
        found = duplicate_of(sets, similarity=similarity).tolist()
        assert found == pairwise(sets, similarity)
        assert len(set(found)) < len(sets)


def test_the_pairwise_version_of_the_benchmark_agrees() -> None:
    core_topics.check(core_topics.sample(1500))


@given(*[st.frozensets(st.sampled_from("abcdef"))] * 2)
def test_likeness_is_that_of_scipy_and_the_same_from_either_side(
    one: frozenset[str], other: frozenset[str]
) -> None:
    found = jaccard(one, other)
    if not one and not other:
        assert math.isnan(found)
        return
    rows = [[letter in own for letter in "abcdef"] for own in (one, other)]
    assert found == pytest.approx(1 - distance.jaccard(*rows))
    assert found == jaccard(other, one)
    assert (found == 1) == (one == other)


SPOKEN = st.sampled_from(
    [
        "Mods",
        "mod",
        "stories",
        "Don't",
        "boss",
        "the",
        "horses!",
        "&amp;",
        "マイクラ",
        "-",
        "6",
        "gas",
    ]
)


@given(
    st.lists(st.none() | st.lists(SPOKEN, max_size=5).map(" ".join), max_size=8),
    st.lists(SPOKEN, max_size=2),
)
def test_the_words_of_a_text_are_its_lemmas_without_those_of_names(
    texts: list[str | None], names: list[str]
) -> None:
    idle = {words.lemma(word) for name in names for word in words.words(name)}
    expected = [{words.lemma(word) for word in words.words(text)} - idle for text in texts]
    assert lemma_sets(texts, without=names) == expected
    # The lemmas of lemmas are themselves, short of what the rules make of "ss" and "us".
    assert lemma_sets([" ".join(own) for own in expected]) == expected


TERMS = st.lists(
    st.tuples(
        st.sampled_from(["minecraft", "roblox"]),
        st.none() | st.lists(st.sampled_from(["mods", "Mod", "minecraft", "map", "x", "!"]),
                             max_size=4).map(" ".join),
        st.integers(-2, 3),
    ),
    max_size=14,
)  # fmt: skip


@given(TERMS, st.integers(1, 4), st.sampled_from([0.6, 0.75, 1.0]))
def test_topics_are_the_best_terms_that_no_better_one_is_like(
    rows: list[tuple[str, str | None, int]], top: int, similarity: float
) -> None:
    names = {"minecraft": ["Minecraft"]}
    frame = pd.concat(
        [candidates(), *(candidates((term, score), category=own) for own, term, score in rows)]
    )
    found = topics(frame, names=names, params=TopicParams(similarity=similarity, top=top))
    expected = []
    for category in sorted({row[0] for row in rows}):
        own = {(-score, term) for name, term, score in rows if name == category and term}
        ordered = sorted(own)
        sets = lemma_sets([term for _, term in ordered], without=names.get(category, []))
        groups: dict[int, list[int]] = {}
        for place, kept in enumerate(pairwise(sets, similarity)):
            groups.setdefault(kept, []).append(place)
        groups.pop(-1, None)
        for rank, (best, places) in enumerate(list(groups.items())[:top], start=1):
            score, term = ordered[best]
            others = dict.fromkeys(ordered[place][1] for place in places)
            others.pop(term)
            lemmas = " ".join(sorted(sets[best]))
            expected.append([category, rank, term, lemmas, -score, list(others)])
    columns = ["category", "rank", "topic", "lemmas", "score", "duplicates"]
    assert found[columns].to_numpy().tolist() == expected
    assert found["duplicate_count"].tolist() == [len(row[-1]) for row in expected]


@given(st.lists(st.text(st.sampled_from("ab cd's"), max_size=8), max_size=15))
def test_what_is_kept_is_kept_again_and_nothing_alike_is_left(texts: list[str]) -> None:
    sets = lemma_sets(texts)
    found = duplicate_of(sets)
    kept = [sets[i] for i in sorted(set(found.tolist()) - {-1})]
    assert duplicate_of(kept).tolist() == list(range(len(kept)))
    for i, one in enumerate(kept):
        assert all(jaccard(one, other) < 0.6 for other in kept[:i])


def test_parts_of_words_are_no_duplicates() -> None:
    found = topics(candidates(("party", 3.0), ("art", 2.0), ("", 9.0), ("part", 1.0)))
    assert found["topic"].tolist() == ["party", "art", "part"]


def test_the_best_of_equals_is_the_first_in_the_alphabet() -> None:
    found = topics(candidates(("mods best", 1.0), ("best mod", 1.0), ("Best Mods!", 1.0)))
    assert found["topic"].tolist() == ["Best Mods!"]
    assert found["duplicates"].tolist() == [["best mod", "mods best"]]
    assert found["duplicate_count"].tolist() == [2]


def test_categories_and_windows_do_not_mix_and_order_does_not_matter() -> None:
    frame = pd.concat(
        [
            candidates(("minecraft mods", 2.0), ("base tour", 1.0)),
            candidates(("minecraft mods", 5.0), ("roblox", 1.0), category="roblox"),
        ],
        ignore_index=True,
    )
    names = {"minecraft": ["Minecraft"], "roblox": ["Roblox"]}
    found = topics(frame, names=names)
    assert found[["category", "lemmas"]].to_numpy().tolist() == [
        ["minecraft", "mod"],
        ["minecraft", "base tour"],
        ["roblox", "minecraft mod"],
    ]
    pd.testing.assert_frame_equal(topics(frame.iloc[::-1], names=names), found, check_exact=True)


def test_a_part_of_a_longer_term_is_a_topic_only_where_it_stands_alone() -> None:
    found = candidates(("poppy", 9.0), ("evil", 8.0), ("poppy playtime", 3.0), ("evil west", 2.0))
    nested = topics(found.assign(video_count=[10, 10, 8, 7]))
    assert nested[["topic", "duplicates", "score"]].to_numpy().tolist() == [
        ["poppy playtime", ["poppy"], 9.0],
        ["evil", [], 8.0],
        ["evil west", [], 2.0],
    ]
    chain = candidates(("a", 1.0), ("a b", 2.0), ("a b c", 3.0)).assign(video_count=[5, 5, 5])
    assert topics(chain)[["topic", "duplicates"]].to_numpy().tolist() == [["a b c", ["a b", "a"]]]


@pytest.mark.parametrize(
    "term",
    ["\U0001f525", "\u200b", "\x00", "", None, float("nan"), "!!!", "Minecraft", "&amp;"],
)
def test_a_term_without_a_word_is_dropped_and_changes_nothing(term: Any) -> None:
    good = candidates(("base tour", 2.0), ("speedrun", 1.0))
    names = {"minecraft": ["minecraft"]}
    found = topics(pd.concat([good, candidates((term, 99.0))], ignore_index=True), names=names)
    pd.testing.assert_frame_equal(found, topics(good, names=names), check_exact=True)
    assert topics(candidates((term, 1.0)), names=names).empty


def test_awkward_terms_are_topics_like_others() -> None:
    long = "ab " * 3333
    found = topics(candidates(("x", 5.0), ("שלום עולם", 4.0), (long, 3.0), ("マイクラ実況", 2.0)))
    assert found["lemmas"].tolist() == ["x", "עולם שלום", "ab", "マイクラ 実況"]
    words = " ".join(f"word{i}" for i in range(1500))
    assert topics(candidates((words, 2.0), (words + " more", 1.0)))["duplicate_count"][0] == 1


def test_all_same_terms_are_one_topic() -> None:
    found = topics(candidates(*[("grow garden", 1.0)] * 100))
    assert found[["topic", "duplicate_count"]].to_numpy().tolist() == [["grow garden", 0]]


def test_the_list_has_the_columns_and_the_length_asked_for() -> None:
    frame = candidates(*[(f"topic{i}", float(-i)) for i in range(9)])
    found = topics(frame, params=TopicParams(top=3))
    assert found["topic"].tolist() == ["topic0", "topic1", "topic2"]
    for shown in (found, topics(pd.DataFrame()), topics(candidates(("", 1.0)))):
        assert {c: str(t) for c, t in shown.dtypes.items()} == dict(TOPICS_SCHEMA)


def test_wrong_input_is_refused_with_the_mend() -> None:
    with pytest.raises(InvalidInputError, match=r"similarity 0\.5 is out of range"):
        duplicate_of([], similarity=0.5)
    with pytest.raises(InvalidInputError, match="not finite"):
        topics(candidates(("a", float("nan"))))
    with pytest.raises(InvalidInputError, match="no column 'score'"):
        topics(candidates(("a", 1.0)).drop(columns="score"))


@pytest.mark.skipif(not CHARTS.is_file(), reason=f"no archive at {CHARTS}")
def test_real_keywords_become_distinct_topics() -> None:
    rows = pd.read_parquet(CHARTS)
    rows = rows[(rows["snapshot_date"] == "2026-03-01") & (rows["category_id"] == "20")]
    rows = rows.drop_duplicates("video_id").assign(window_start=NOW, category="gaming")
    scored = keyword_scores(rows.assign(lifetime_velocity_per_hour=rows["views"].astype(float)))
    found = topics(scored)
    assert 0 < len(found) < len(scored)
    assert found["duplicate_count"].sum() == len(scored) - len(found)
    assert found["score"].is_monotonic_decreasing
    assert found["topic"].iloc[0] == scored["term"].iloc[0]
