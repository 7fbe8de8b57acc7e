"""How hard topics are, against loops over videos and exact fractions."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurastream.core.difficulty import (
    DIFFICULTY_SCHEMA,
    difficulty,
    difficulty_bands,
    difficulty_scores,
)
from aurastream.core.errors import InvalidInputError

NOW = pd.Timestamp("2026-03-01T10:00Z").as_unit("us")
WINDOWS = (NOW, NOW + pd.Timedelta(hours=4))
PARTS = st.floats(0, 100)
# Of each video its window, category, channel, views and topics.
VIDEOS = st.lists(
    st.tuples(
        st.sampled_from(WINDOWS),
        st.sampled_from(["gta", "apex"]),
        st.sampled_from(["x", "y", "z"]),
        st.none() | st.integers(0, 10**9),
        st.frozensets(st.integers(1, 3)),
    ),
    max_size=25,
)
EASE = st.dictionaries(
    st.tuples(st.sampled_from(WINDOWS), st.sampled_from(["gta", "apex", "else"])),
    st.none() | PARTS,
)


@given(st.lists(st.tuples(PARTS, PARTS, PARTS), max_size=9))
def test_the_score_is_the_weighted_mean_of_exact_fractions(rows: list[tuple[float, ...]]) -> None:
    weights = (Fraction(35, 100), Fraction(35, 100), Fraction(30, 100))
    exact = [sum(w * Fraction(p) for w, p in zip(weights, row, strict=True)) for row in rows]
    crowding, concentration, competition = np.array(rows).reshape(-1, 3).T
    found = difficulty_scores(crowding, concentration, competition)
    assert found.tolist() == pytest.approx([float(one) for one in exact], abs=1e-9)


@given(
    st.lists(PARTS | st.sampled_from([34.0, 67.0, math.nextafter(34, 0), math.nextafter(67, 0)]))
)
def test_bands_part_the_scores_at_34_and_at_67(scores: list[float]) -> None:
    edges = [-math.inf, 34, 67, math.inf]
    expected = pd.cut(np.array(scores), edges, right=False, labels=["EASY", "MODERATE", "HARD"])
    assert difficulty_bands(scores).tolist() == list(expected)


@given(PARTS, PARTS)
def test_what_is_harder_is_never_in_an_easier_band(one: float, other: float) -> None:
    low, high = difficulty_bands(sorted([one, other]))
    order = ["EASY", "MODERATE", "HARD"]
    assert order.index(low) <= order.index(high)


@pytest.mark.parametrize("score", [-0.1, 100.1, math.nan])
def test_a_score_out_of_range_has_no_band(score: float) -> None:
    with pytest.raises(InvalidInputError, match="between 0 and 100"):
        difficulty_bands([50.0, score])


def by_loops(
    rows: list[tuple[Any, ...]], ease: dict[tuple[Any, ...], float | None]
) -> list[list[Any]]:
    """Return what each topic of each window and category is, one video after another."""
    found: list[list[Any]] = []
    for window, category, topic in sorted({(r[0], r[1], t) for r in rows for t in r[4]}):
        here = [row for row in rows if row[:2] == (window, category)]
        own = [row for row in here if topic in row[4]]
        views = [row[3] or 0 for row in own]
        views = views if any(views) else [1] * len(own)
        held: dict[str, int] = {}
        for row, count in zip(own, views, strict=True):
            held[row[2]] = held.get(row[2], 0) + count
        crowding = min(100.0, 100 * len(own) / len(here) / 0.2)
        concentration = 100 * sum((n / sum(views)) ** 2 for n in held.values())
        known = ease.get((window, category))
        competing = 50.0 if known is None else 100 - known
        score = 0.35 * crowding + 0.35 * concentration + 0.3 * competing
        key = [window, category, topic, len(own), len(held)]
        found.append([*key, crowding, concentration, competing, score])
    return found


@settings(max_examples=60)
@given(VIDEOS, EASE)
def test_every_topic_is_assessed_within_its_own_window_and_category(
    rows: list[tuple[Any, ...]], ease: dict[tuple[Any, ...], float | None]
) -> None:
    videos = pd.DataFrame(
        {
            "window_start": pd.DatetimeIndex([r[0] for r in rows], dtype="datetime64[us, UTC]"),
            "category": [r[1] for r in rows],
            "video_id": [f"v{at:02d}" for at in range(len(rows))],
            "channel_id": [r[2] for r in rows],
            "views": pd.array([r[3] for r in rows], dtype="Int64"),
        }
    )
    evidence = videos.assign(topic_rank=[sorted(r[4]) for r in rows]).explode("topic_rank")
    evidence = evidence.dropna(subset="topic_rank")
    evidence["topic_rank"] = evidence["topic_rank"].astype("int64")
    twitch = pd.DataFrame(
        {
            "window_start": pd.DatetimeIndex([k[0] for k in ease], dtype="datetime64[us, UTC]"),
            "category": [k[1] for k in ease],
            "ease_score": pd.array(list(ease.values()), dtype="Float64"),
        }
    )

    found = difficulty(evidence, videos, twitch)

    expected = by_loops(rows, ease)
    assert {name: str(kind) for name, kind in found.dtypes.items()} == dict(DIFFICULTY_SCHEMA)
    keys = list(DIFFICULTY_SCHEMA)[:5]
    assert found[keys].to_numpy().tolist() == [row[:5] for row in expected]
    parts = ["crowding_part", "concentration_part", "competition_part", "difficulty_score"]
    for column, values in zip(parts, zip(*(r[5:] for r in expected), strict=True), strict=False):
        assert found[column].tolist() == pytest.approx(list(values))
    assert found["difficulty_band"].tolist() == difficulty_bands(found["difficulty_score"]).tolist()
