"""Looks, versions and designs of thumbnails against loops over the rows."""

import statistics
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurastream.core.thumbnails_lift import (
    LOOK_COLUMNS,
    LOOKS,
    looks,
    thumbnail_designs,
    with_thumbnails,
)
from aurastream.core.thumbnails_similarity import hash_distance

WINDOW = pd.Timestamp("2026-03-01T08:00Z").as_unit("us")
HUES = ("red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink")
ROWS = ("top", "", "bottom")


def _field(down: int, across: int) -> str:
    name = f"{ROWS[down]} {('left', '', 'right')[across]}".strip()
    return name or "centre"


SHARES = st.none() | st.sampled_from([0.0, 0.02, 0.1, 0.11, 0.12, 0.5])
VIDEOS = st.lists(
    st.fixed_dictionaries(
        {
            "category": st.sampled_from(["gaming", "music"]),
            "face_count": st.none() | st.integers(0, 3),
            **dict.fromkeys(("largest_face_share", "text_area_share"), SHARES),
            **dict.fromkeys(
                ("brightness", "contrast", "saturation", "colourfulness", "clutter"), SHARES
            ),
            "thirds_index": st.none() | st.sampled_from([0.5, 1.19, 1.2, 2.0]),
            "focus_field": st.none() | st.builds(_field, st.integers(0, 2), st.integers(0, 2)),
            "colour_name": st.none() | st.sampled_from([*HUES, "grey"]),
        }
    ),
    min_size=1,
    max_size=12,
)


def _has(row: dict[str, Any], others: list[dict[str, Any]]) -> set[str]:
    """Return the looks of one video by the words of the documentation."""

    def least(column: str, bound: float) -> bool:
        return row[column] is not None and row[column] >= bound

    has = {
        "face": least("face_count", 1),
        "several_faces": least("face_count", 2),
        "large_face": least("largest_face_share", 0.1),
        "words": least("text_area_share", 0.02),
        "many_words": least("text_area_share", 0.12),
        "thirds": least("thirds_index", 1.2),
    }
    for look, column in (
        ("bright", "brightness"),
        ("contrasty", "contrast"),
        ("saturated", "saturation"),
        ("colourful", "colourfulness"),
        ("crowded", "clutter"),
    ):
        known = [other[column] for other in others if other[column] is not None]
        has[look] = row[column] is not None and row[column] > statistics.median(known)
    for look, across in (("left", 0), ("centre", 1), ("right", 2)):
        has[f"focus_{look}"] = row["focus_field"] in {_field(down, across) for down in range(3)}
    for hue in HUES:
        has[hue] = row["colour_name"] == hue
    return {look for look, own in has.items() if own}


@settings(max_examples=40)
@given(VIDEOS)
def test_looks_are_those_that_the_words_say(rows: list[dict[str, Any]]) -> None:
    frame = pd.DataFrame(rows).assign(window_start=WINDOW)

    found = looks(frame)

    assert tuple(found) == LOOKS
    for number, row in enumerate(rows):
        others = [other for other in rows if other["category"] == row["category"]]
        assert {look for look, has in found.items() if has[number]} == _has(row, others)


FILES = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.integers(0, 3)), max_size=10
)
ASKED = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 9)), min_size=1, max_size=10)


@settings(max_examples=40)
@given(FILES, ASKED, st.booleans())
def test_each_window_has_the_file_that_a_search_finds(
    files: list[tuple[str, int, int]],
    asked: list[tuple[str, int]],
    is_twice: bool,  # noqa: FBT001 # drawn by hypothesis
) -> None:
    features = pd.DataFrame(files, columns=["video_id", "hour", "number"])
    features = features.assign(
        first_seen_at=WINDOW + pd.to_timedelta(features["hour"], unit="h"),
        perceptual_hash=[f"{number:016x}" for _, _, number in files],
        **dict.fromkeys(set(LOOK_COLUMNS) - {"face_count"}, None),
        face_count=[number for _, _, number in files],
    ).drop(columns=["hour", "number"])
    videos = pd.DataFrame(asked, columns=["video_id", "hour"])
    videos["as_of"] = WINDOW + pd.to_timedelta(videos["hour"], unit="h")
    if is_twice:
        videos.index = pd.Index([7] * len(videos))

    found = with_thumbnails(videos, features)

    assert found["video_id"].tolist() == [video for video, _ in asked]
    assert found.index.tolist() == videos.index.tolist()
    for place, (video, hour) in enumerate(asked):
        own = [(seen, number) for name, seen, number in files if name == video]
        before = [pair for pair in own if pair[0] < hour]
        earliest = [pair for pair in own if pair[0] == min(own)[0]]
        expected = max(before or earliest, default=None)
        shown = found["perceptual_hash"].iloc[place]
        assert (None if pd.isna(shown) else int(shown, 16)) == (expected and expected[1])
        count = found["face_count"].iloc[place]
        assert (None if pd.isna(count) else count) == (expected and expected[1])


SHOWN = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from(["gaming", "music"]),
        st.sampled_from("xyz"),
        st.none() | st.sampled_from([0.0, 1.0, 2.0, 2.5, 40.0]),
        st.none() | st.sets(st.integers(0, 31), max_size=9).map(lambda b: sum(1 << n for n in b)),
    ),
    max_size=12,
)


def _middle(values: list[Any]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


@settings(max_examples=30)
@given(SHOWN)
def test_designs_are_the_connected_thumbnails_that_networkx_finds(rows: list[Any]) -> None:
    expected = []
    named = [(f"v{number:02}", *row) for number, row in enumerate(rows)]
    for window, category in sorted({row[1:3] for row in named}):
        own = [row for row in named if row[1:3] == (window, category)]
        usual = _middle([row[4] for row in own])
        graph = nx.Graph()
        known = [row for row in own if row[5] is not None]
        graph.add_nodes_from(known)
        for one in known:
            for other in known:
                if hash_distance(f"{one[5]:x}", f"{other[5]:x}") <= 8:
                    graph.add_edge(one, other)
        designs = [sorted(part) for part in nx.connected_components(graph) if len(part) > 1]
        designs.sort(key=lambda part: (-len(part), min(row[5] for row in part)))
        for rank, part in enumerate(designs, 1):
            fastest = min(part, key=lambda row: (-(-1 if row[4] is None else row[4]), row[0]))
            middle = _middle([row[4] for row in part])
            ratio = middle / usual if usual and middle is not None else None
            expected.append(
                (
                    WINDOW + pd.Timedelta(hours=window),
                    category,
                    rank,
                    len(part),
                    len({row[3] for row in part}),
                    [row[0] for row in part],
                    fastest[0],
                    f"{fastest[5]:016x}",
                    ratio,
                )
            )
    columns = ["video_id", "hour", "category", "channel_id", "lifetime_velocity_per_hour", "bits"]
    frame = pd.DataFrame(named, columns=columns)
    frame["window_start"] = WINDOW + pd.to_timedelta(frame["hour"], unit="h")
    frame["perceptual_hash"] = [None if row[5] is None else f"{row[5]:016x}" for row in named]

    found = thumbnail_designs(frame.sample(frac=1, random_state=1))

    assert found.drop(columns="velocity_ratio").to_numpy().tolist() == [
        list(row[:-1]) for row in expected
    ]
    ratios = [np.nan if row[-1] is None else row[-1] for row in expected]
    assert found["velocity_ratio"].tolist() == pytest.approx(ratios, nan_ok=True)
