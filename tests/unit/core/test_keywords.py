"""Keywords and tags, against the benchmark's loops; both ways of counting against each other."""

# ruff: noqa: RUF001 # other scripts are the point

import math
from collections import Counter
from collections.abc import Callable
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from aurastream.core import keywords, words
from aurastream.core.errors import InvalidInputError
from aurastream.core.keywords import (
    KEYWORDS_SCHEMA,
    STOP_WORDS,
    KeywordParams,
    keyword_scores,
    tag_scores,
    trend_z,
    usable_rows,
)
from benchmarks import core_keywords

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "youtube_trending"
CHARTS = DATA / "charts_8c_2025-12-10_2026-04-30.parquet"
T0, T1 = "2026-03-01T10:00Z", "2026-03-01T10:30Z"
AWKWARD = [
    "\U0001f525\U0001f525",
    "\u202eשלום עולם\u202c",
    "zero\u200bwidth \ufeff",
    "x",
    "ab " * 3333,
    "Tom &amp; Jerry &lt;3",
    "\x00\x1b[31m",
    "",
    None,
    "हिन्दी गाना",
    "【マイクラ】実況",
    "100 days 100 days",
    "か\u3099 \u0301x",
]


def videos(*rows: tuple[str, str, Any, float | None]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "window_start": pd.DatetimeIndex([r[0] for r in rows]).as_unit("us"),
            "category": [r[1] for r in rows],
            "title": [r[2] for r in rows],
            "tags": [r[2] for r in rows],
            "lifetime_velocity_per_hour": pd.array([r[3] for r in rows], dtype="Float64"),
        }
    )


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> Callable[[pd.DataFrame], pd.DataFrame]:
    pytest.importorskip("numba", reason="numba is not installed")

    def score(frame: pd.DataFrame) -> pd.DataFrame:
        with monkeypatch.context() as patch:
            patch.setattr(keywords, "WARM_TITLES", 0)
            patch.setattr(keywords, "COLD_TITLES", 0)
            return keyword_scores(frame)

    return score


def test_the_loops_of_the_benchmark_agree() -> None:
    core_keywords.check(core_keywords.sample(3000, 7))


def test_both_ways_of_counting_give_the_same_frame(
    compiled: Callable[..., pd.DataFrame],
) -> None:
    sample = core_keywords.sample(4000, 5)
    later = sample.head(2500).assign(window_start=pd.Timestamp(T1))
    frame = pd.concat([sample.assign(window_start=pd.Timestamp(T0)), later], ignore_index=True)
    frame.loc[:40, "title"] = (AWKWARD * 4)[:41]
    pd.testing.assert_frame_equal(compiled(frame), keyword_scores(frame), check_exact=True)
    assert {"STEADY", "UNKNOWN"} <= set(keyword_scores(frame)["trend"])


@given(
    st.lists(
        st.tuples(
            st.sampled_from([T0, T1]),
            st.sampled_from(["a", "b"]),
            st.none()
            | st.lists(
                st.sampled_from(
                    [
                        "gta",
                        "6",
                        "the",
                        "mods",
                        "é",
                        "x",
                        "マイ",
                        "the123",
                        "2026",
                        "実況か",
                        "́",
                        "'",
                    ]
                ),
                max_size=6,
            ).map(" ".join),
            st.none() | st.floats(0, 1e9),
        ),
        max_size=12,
    ),
    st.integers(1, 3),
)
def test_any_titles_count_alike_and_stay_in_range(
    rows: list[tuple[str, str, str | None, float | None]], fewest: int
) -> None:
    pytest.importorskip("numba", reason="numba is not installed")
    frame = videos(*rows)
    params = KeywordParams(min_videos=fewest, top=4)
    plain = keyword_scores(frame, params=params)
    assert {c: str(t) for c, t in plain.dtypes.items()} == dict(KEYWORDS_SCHEMA)
    if len(frame):
        groups = keywords._group(frame)
        other = keywords._count_compiled(frame["title"].tolist(), groups, fewest)
        pd.testing.assert_frame_equal(
            keywords._scored(other, groups, "title", params), plain, check_exact=True
        )
    assert plain["weight_share"].between(0, 1 + 1e-12).all()
    assert (plain["score"] >= 0).all()
    assert plain["video_count"].ge(fewest).all()
    assert (plain["video_count"] <= plain["sample_count"]).all()
    assert plain["rank"].le(4).all()
    assert not set(plain["term"]) & STOP_WORDS
    for _, own in plain.groupby(["window_start", "category"]):
        assert own["rank"].tolist() == list(range(1, len(own) + 1))
        assert (np.diff(own["score"]) <= 0).all()
    shuffled = keyword_scores(frame.iloc[::-1], params=params)
    pd.testing.assert_frame_equal(shuffled, plain, check_exact=True)


def test_faster_videos_and_rarer_words_score_higher() -> None:
    frame = videos(
        (T0, "a", "slow common", 1.0),
        (T0, "a", "slow common", 1.0),
        (T0, "a", "fast common", 1e6),
        (T0, "a", "fast common", 1e6),
        (T0, "b", "common", 1.0),
        (T0, "b", "common", 1.0),
    )
    found = keyword_scores(frame).set_index(["category", "term"])["score"]
    assert found["a", "fast"] > found["a", "slow"]
    assert found["a", "fast"] > found["b", "common"]


def test_a_title_counts_once_and_a_lone_number_is_no_term() -> None:
    found = keyword_scores(videos(*[(T0, "a", "2026 win win the win 2026", 1.0)] * 2))
    assert sorted(found["term"]) == [
        "2026 win",
        "2026 win win",
        "win",
        "win 2026",
        "win the win",
        "win win",
    ]
    assert set(found["video_count"]) == {2}


def test_awkward_titles_leave_their_siblings_as_they_are(
    compiled: Callable[..., pd.DataFrame],
) -> None:
    good = videos(*[(T0, "a", "steal a brainrot", 5.0)] * 3)
    bad = videos(*[(T0, "b", title, 5.0) for title in AWKWARD])
    for score in (keyword_scores, compiled):
        alone, both = score(good), score(pd.concat([good, bad]))
        own = both[both["category"] == "a"].reset_index(drop=True)
        assert own["term"].tolist() == alone["term"].tolist()
        assert own["weight_share"].tolist() == alone["weight_share"].tolist()


def test_all_same_titles_share_everything() -> None:
    found = keyword_scores(videos(*[(T0, "a", "grow garden tips", 3.0)] * 30))
    assert found["weight_share"].tolist() == [1.0] * 6
    # Terms of one length are equally frequent: the order is the alphabet's, the ranks go on.
    assert found["term"].tolist()[:3] == ["garden", "grow", "tips"]
    assert found["rank"].tolist() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("n", [0, 1, 2])
def test_a_game_with_hardly_any_videos(n: int) -> None:
    frame = videos(*[(T0, "a", "ace clip", 3.0)] * n)
    assert len(keyword_scores(frame)) == (3 if n == 2 else 0)
    assert list(keyword_scores(frame).columns) == list(KEYWORDS_SCHEMA)


def test_trends_compare_with_the_window_before() -> None:
    before = [(T0, "a", "old base", 1.0)] * 30 + [(T0, "a", "calm base", 1.0)] * 30
    after = [(T1, "a", "fresh base", 1.0)] * 30 + [(T1, "a", "calm base", 1.0)] * 25
    gone = [(T1, "a", "old base", 1.0)] * 5
    found = keyword_scores(videos(*before, *after, *gone))
    now = found[found["window_start"] == pd.Timestamp(T1)].set_index("term")
    assert now["trend"][["fresh", "base", "calm", "old"]].tolist() == [
        "NEW",
        "STEADY",
        "STEADY",
        "FALLING",
    ]
    assert now["prior_video_count"]["old"] == 30
    assert set(found[found["window_start"] == pd.Timestamp(T0)]["trend"]) == {"UNKNOWN"}


def test_a_window_too_long_ago_is_no_window_before() -> None:
    rows = videos(*[("2026-02-01T10:00Z", "a", "base", 1.0)] * 30, *[(T1, "a", "base", 1.0)] * 30)
    assert set(keyword_scores(rows)["trend"]) == {"UNKNOWN"}


def test_trend_is_the_pooled_two_proportion_test() -> None:
    table = np.array([[30, 70], [18, 82]])
    p = table.sum(axis=0)[0] / table.sum()
    expected = (0.30 - 0.18) / np.sqrt(p * (1 - p) * (1 / 100 + 1 / 100))
    assert trend_z([30], [100], [18], [100]) == pytest.approx(expected)
    assert trend_z([18], [100], [30], [100]) == pytest.approx(-expected)


LINES = st.lists(
    st.lists(st.sampled_from(["gta", "6", "the", "mods", "é", "2026", "実況"]), max_size=6),
    min_size=1,
    max_size=6,
)


@given(LINES)
def test_words_are_numbered_in_the_order_in_which_they_are_met(lines: list[list[str]]) -> None:
    compiled = pytest.importorskip("aurastream.core.keywords_numba", reason="numba is missing")
    block = "".join(f"{' '.join(line)}\n" for line in lines)
    met = list(dict.fromkeys(word for line in lines for word in line))
    codes = words.to_code_points(block)

    ids, starts, begins, ends, is_number = compiled.intern_words(
        codes, len(lines), sum(map(len, lines)) + len(lines)
    )

    bounds = list(pairwise(starts.tolist()))
    assert [[met[i] for i in ids[a:b].tolist()] for a, b in bounds] == lines
    spans = zip(begins.tolist(), ends.tolist(), strict=True)
    assert [block[a:b] for a, b in spans] == met
    assert is_number.tolist() == [word in {"6", "2026"} for word in met]


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.lists(st.integers(0, 4), max_size=7), st.integers(1, 9)),
        min_size=1,
        max_size=7,
    ),
    st.lists(st.integers(0, 2), min_size=5, max_size=5),
    st.integers(1, 3),
)
def test_terms_of_numbered_words_are_counted_as_a_counter_does(
    titles: list[tuple[int, list[int], int]], strength: list[int], fewest: int
) -> None:
    compiled = pytest.importorskip("aurastream.core.keywords_numba", reason="numba is missing")
    rows = sorted(range(len(titles)), key=lambda at: titles[at][0])
    sizes = [sum(group == own for own, *_ in titles) for group in range(3)]

    found = compiled.count_terms(
        np.array([word for _, own, _ in titles for word in own], dtype=np.int32),
        np.cumsum([0, *(len(own) for _, own, _ in titles)]),
        5,
        np.array(rows),
        np.cumsum([0, *sizes]),
        np.array([weight for *_, weight in titles]),
        np.array(strength, dtype=np.int8),
        fewest,
    )

    counted: Counter[tuple[int, ...]] = Counter()
    weighed: Counter[tuple[int, ...]] = Counter()
    for group, own, weight in titles:
        for term in {tuple(own[at : at + n]) for n in (1, 2, 3) for at in range(len(own) - n + 1)}:
            own_strength = [strength[word] for word in term]
            if own_strength[0] and own_strength[-1] and max(own_strength) == 2:
                counted[group, *term] += 1
                weighed[group, *term] += weight
    terms = [
        (int(group), *(word for word in parts if word >= 0))
        for group, parts in zip(found[0], found[1].tolist(), strict=True)
    ]
    assert len(terms) == len(set(terms))
    expected = {term: n for term, n in counted.items() if n >= fewest}
    assert dict(zip(terms, found[2].tolist(), strict=True)) == expected
    assert dict(zip(terms, found[3].tolist(), strict=True)) == {t: weighed[t] for t in expected}


SPOKEN = st.lists(st.sampled_from(["gta", "6", "the", "mods", "100", "Wins!"]), max_size=5)
TOLD = st.lists(
    st.tuples(
        st.sampled_from([T0, T1]),
        st.sampled_from(["a", "b"]),
        SPOKEN,
        st.none() | st.integers(0, 1000),
    ),
    min_size=1,
    max_size=10,
)


def by_counters(
    rows: list[tuple[str, str, list[str], int | None]], kind: str, fewest: int
) -> dict[tuple[str, str], list[tuple[Any, ...]]]:
    """Score terms with dictionaries, group by group, as the documentation says."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    weights: dict[tuple[str, str], Counter[str]] = {}
    for window, category, own, speed in rows:
        spoken = [word.strip("!").lower() for word in own]
        terms = {word for word in spoken if word not in STOP_WORDS}
        if kind == "title":
            terms = set()
            for n, at in product((1, 2, 3), range(len(spoken))):
                part = spoken[at : at + n]
                strong = [word for word in part if word.isalpha() and word not in STOP_WORDS]
                if len(part) == n and strong and not {part[0], part[-1]} & STOP_WORDS:
                    terms.add(" ".join(part))
        key = (window, category)
        counts.setdefault(key, Counter()).update(terms)
        own_weights = weights.setdefault(key, Counter())
        for term in (*terms, ""):
            own_weights[term] += 1 + math.log1p(speed or 0)  # type: ignore[assignment] # floats
    result: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    for (window, category), own_counts in counts.items():
        kept = {
            key: {term: n for term, n in found.items() if n >= fewest}
            for key, found in counts.items()
            if key[0] == window
        }
        lines = []
        for term, count in kept[window, category].items():
            length = term.count(" ") if kind == "title" else 0
            alike = [
                n
                for found in kept.values()
                for other, n in found.items()
                if kind == "tag" or other.count(" ") == length
            ]
            everywhere = sum(found.get(term, 0) for found in kept.values())
            total = weights[window, category]
            share = total[term] / total[""]
            score = share * math.log1p(sum(alike) / len(kept) / everywhere)
            before = counts.get((T0, category)) if window == T1 else None
            prior = None if before is None else before[term] * (before[term] >= fewest)
            lines.append((term, count, share, score, prior))
        assert own_counts is counts[window, category]
        result[window, category] = lines
    return result


@settings(max_examples=30)
@given(TOLD, st.integers(1, 3))
@pytest.mark.parametrize("kind", ["title", "tag"])
def test_scores_are_those_that_counting_with_dictionaries_gives(
    kind: str, rows: list[tuple[str, str, list[str], int | None]], fewest: int
) -> None:
    frame = videos(*rows).assign(
        title=[" ".join(row[2]) for row in rows], tags=[row[2] for row in rows]
    )
    params = KeywordParams(min_videos=fewest)
    found = (keyword_scores if kind == "title" else tag_scores)(frame, params=params)

    expected = by_counters(rows, kind, fewest)

    assert len(found) == sum(map(len, expected.values()))
    for (window, category), lines in expected.items():
        own = found[(found["window_start"] == pd.Timestamp(window))]
        own = own[own["category"] == category].set_index("term")
        for term, count, share, score, prior in lines:
            row = own.loc[term]
            assert row["video_count"] == count
            assert row["weight_share"] == pytest.approx(share, rel=1e-5)
            assert row["score"] == pytest.approx(score, rel=1e-5)
            shown = row["prior_video_count"]
            assert (None if pd.isna(shown) else shown) == prior


SAMPLES = st.tuples(st.integers(1, 60), st.integers(0, 60)).map(lambda p: (p[0], min(p)))


@given(SAMPLES, SAMPLES)
def test_the_square_of_a_trend_is_the_chi_square_of_scipy(
    now: tuple[int, int], before: tuple[int, int]
) -> None:
    (n1, x1), (n0, x0) = now, before
    z = float(trend_z(x1, n1, x0, n0))
    if 0 < x1 + x0 < n1 + n0:
        table = [[x1, n1 - x1], [x0, n0 - x0]]
        assert z**2 == pytest.approx(stats.contingency.chi2_contingency(table, correction=False)[0])
    else:
        assert z == 0.0
    assert np.sign(z) == np.sign(x1 * n0 - x0 * n1)
    assert float(trend_z(x0, n0, x1, n1)) == pytest.approx(-z)


def test_tags_are_whole_terms_and_count_once_per_video() -> None:
    many = [f"tag {i}" for i in range(500)]
    frame = videos(
        (T0, "a", many, 1.0),
        (T0, "a", np.array(["TAG-7", "tag 7", "Éclair", "the"], dtype=object), 1.0),
        (T0, "a", [], 1.0),
        (T0, "a", ["", "\u200b", "éclair", None], 1.0),
    )
    found = tag_scores(frame)
    assert found[["term", "video_count", "sample_count"]].to_numpy().tolist() == [
        ["tag 7", 2, 4],
        ["éclair", 2, 4],
    ]
    assert set(found["kind"]) == {"tag"}
    assert tag_scores(frame.assign(tags=None)).empty


def test_wrong_frames_are_refused_with_the_mend() -> None:
    frame = videos((T0, "a", "x y", 1.0))
    with pytest.raises(InvalidInputError, match="no column 'title'"):
        keyword_scores(frame.drop(columns="title"))
    with pytest.raises(InvalidInputError, match="holds one text: 'x y'"):
        tag_scores(frame)
    with pytest.raises(InvalidInputError, match="holds -1"):
        keyword_scores(frame.assign(lifetime_velocity_per_hour=-1.0))
    with pytest.raises(InvalidInputError, match="'category' of the videos frame has missing"):
        keyword_scores(frame.assign(category=None))


@pytest.mark.skipif(not CHARTS.is_file(), reason=f"no archive at {CHARTS}")
def test_real_gaming_charts_name_their_games() -> None:
    rows = pd.read_parquet(CHARTS)
    rows = rows[(rows["snapshot_date"] == "2026-03-01") & rows["category_id"].isin(["10", "20"])]
    rows = rows.drop_duplicates("video_id")
    found = keyword_scores(
        rows.assign(
            window_start=pd.Timestamp(T0),
            category=rows["category_name"],
            lifetime_velocity_per_hour=rows["views"].astype(float),
        )
    )
    top = found[found["rank"] <= 25].groupby("category")["term"].agg(set)
    assert {"minecraft", "roblox"} <= top["Gaming"]
    assert "official" in top["Music"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([T0, None]) | st.just(T1),
            st.sampled_from(["a", "b", "c", None]),
            st.sampled_from([None, ["x"], [], "x", ["x", None], [["x"]], ("x", "y")]),
            st.sampled_from([1.0, 0.0, None, 5e8, -1.0, float("inf")]),
        ),
        max_size=3,
    )
)
def test_rows_are_usable_where_both_ways_of_scoring_take_them(
    rows: list[tuple[str | None, str | None, Any, float | None]],
) -> None:
    frame = pd.DataFrame(
        {
            "window_start": pd.DatetimeIndex([r[0] for r in rows], dtype="datetime64[us, UTC]"),
            "category": [r[1] for r in rows],
            "title": "x",
            "tags": pd.Series([r[2] for r in rows], dtype=object),
            "lifetime_velocity_per_hour": [r[3] for r in rows],
        }
    )

    def outcome(work: Callable[[pd.DataFrame], pd.DataFrame]) -> pd.DataFrame | str:
        try:
            return work(frame)
        except InvalidInputError as error:
            return error.message

    found = outcome(usable_rows)
    scored = [outcome(keyword_scores), outcome(tag_scores)]
    assert isinstance(found, str) == any(isinstance(one, str) for one in scored)
    if not isinstance(found, str):
        pd.testing.assert_frame_equal(found, frame)
    is_usable = [
        window is not None
        and category is not None
        and not (isinstance(tags, str) or (isinstance(tags, list) and ["x"] in tags))
        and (velocity is None or 0 <= velocity < float("inf"))
        for window, category, tags, velocity in rows
    ]
    assert isinstance(found, str) == (not all(is_usable))
