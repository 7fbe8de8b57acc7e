"""The border of the algorithms: what no integer can say is refused, never another number."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurastream.core.clip_velocity import clip_velocity
from aurastream.core.errors import InvalidInputError
from aurastream.core.frames import build_frame, counters, flags

KINDS = ["int64", "int32", "int16", "Int64", "Int32", "Int16"]
EXACT = 2**53 - 1


def limit(kind: str) -> int:
    return min(int(np.iinfo(kind.lower()).max), EXACT)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", [2.0**63, -(2.0**63), 2.0**53, 1e300, np.inf, -np.inf])
def test_what_no_integer_of_the_column_can_say_is_refused_by_name(kind: str, bad: float) -> None:
    with pytest.raises(InvalidInputError, match=r"'views' would hold .* Quarantine"):
        build_frame({"views": kind}, {"views": np.array([1.0, bad])})


@pytest.mark.parametrize("kind", KINDS)
def test_one_above_the_largest_is_refused_and_the_largest_is_itself(kind: str) -> None:
    largest = limit(kind)
    frame = build_frame({"views": kind}, {"views": np.array([float(largest), 0.0])})
    assert frame["views"].tolist() == [largest, 0]
    with pytest.raises(InvalidInputError):
        build_frame({"views": kind}, {"views": np.array([float(largest + 1)])})


@pytest.mark.parametrize("kind", ["int64", "int32", "int16"])
def test_null_is_refused_where_the_column_has_none(kind: str) -> None:
    with pytest.raises(InvalidInputError, match="'views' would hold nan"):
        build_frame({"views": kind}, {"views": np.array([1.0, np.nan])})


def test_integers_too_large_for_a_smaller_column_are_refused() -> None:
    with pytest.raises(InvalidInputError):
        build_frame({"views": "int32"}, {"views": np.array([2**31])})


@given(
    kind=st.sampled_from(KINDS),
    values=st.lists(st.integers(-(2**70), 2**70) | st.integers(-100, 100), max_size=5),
)
def test_a_column_says_exactly_what_it_was_given_or_nothing(kind: str, values: list[int]) -> None:
    given_floats = np.array([float(value) for value in values], dtype=np.float64)
    low = max(int(np.iinfo(kind.lower()).min), -EXACT)
    if all(low <= value <= limit(kind) for value in given_floats):
        frame = build_frame({"views": kind}, {"views": given_floats})
        assert frame["views"].tolist() == [int(value) for value in given_floats]
    else:
        with pytest.raises(InvalidInputError):
            build_frame({"views": kind}, {"views": given_floats})


@pytest.mark.parametrize("views", [2**53, 2**63 - 1])
def test_impossible_views_of_a_clip_are_refused_and_no_negative_number(views: int) -> None:
    at = pd.Timestamp("2026-01-10T09:50Z")
    clips = pd.DataFrame(
        {
            "crawl_at": [at],
            "observed_at": at,
            "game_id": "g1",
            "clip_id": "c1",
            "view_count": views,
            "created_at": pd.Timestamp("2026-01-10T09:20Z"),
        }
    )
    games = pd.DataFrame({"category": ["minecraft"], "twitch_game_id": ["g1"]})
    with pytest.raises(InvalidInputError, match="'view_count' of the clip_radar frame holds 9"):
        clip_velocity(clips, as_of=pd.DatetimeIndex(["2026-01-10T10:00Z"]), games=games)


NULLS = st.sampled_from([None, float("nan"), pd.NA])
TOLD = st.lists(NULLS | st.booleans() | st.integers(-3, 10**9) | st.floats(-2, 1e12), max_size=8)


def _is_null(value: object) -> bool:
    return value is None or value is pd.NA or value != value  # noqa: PLR0124 # NaN


@given(TOLD)
def test_a_flag_is_set_by_what_python_takes_for_true_and_by_no_null(told: list[object]) -> None:
    frame = pd.DataFrame({"is_live": pd.Series(told, dtype=object)})

    assert flags(frame, "is_live").tolist() == [not _is_null(v) and bool(v) for v in told]


@given(TOLD)
def test_counters_are_the_values_themselves_and_every_one_below_zero_is_named(
    told: list[object],
) -> None:
    labels = [f"row {n}" for n in range(len(told))]
    frame = pd.DataFrame({"views": pd.Series(told, dtype=object, index=labels)})
    below = [label for label, v in zip(labels, told, strict=True) if not _is_null(v) and v < 0]  # type: ignore[operator] # numbers

    if below:
        with pytest.raises(InvalidInputError, match="0 or more") as error:
            counters(frame, "views", "videos")
        assert list(error.value.rows) == below
    else:
        expected = [float("nan") if _is_null(v) else float(v) for v in told]  # type: ignore[arg-type] # numbers
        np.testing.assert_array_equal(counters(frame, "views", "videos"), expected)
