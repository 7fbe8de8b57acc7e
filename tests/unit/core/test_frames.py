"""The border of the algorithms: what no integer can say is refused, never another number."""

import datetime as dt
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurastream.core.clip_velocity import clip_velocity
from aurastream.core.errors import InvalidInputError
from aurastream.core.frames import (
    build_frame,
    codes_of,
    counters,
    distinct,
    each_once,
    finite,
    flags,
    group_keys,
    is_missing,
    lookup,
    microseconds,
    numbers,
    percentages,
    plain_texts,
    rivals,
    text,
    text_lists,
    texts,
    times,
    timestamps,
    tracked_games,
    whole_numbers,
    window_ends,
)

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


NAMES = st.lists(st.none() | st.text("abÄ ", max_size=2), max_size=6)


@given(st.lists(NAMES, min_size=1, max_size=3))
def test_codes_are_places_in_the_sorted_list_of_all_names_and_lead_back_to_them(
    columns: list[list[str | None]],
) -> None:
    known = sorted({name for column in columns for name in column if name is not None})

    codes, names = codes_of(*(pd.Series(column, dtype=object) for column in columns))

    assert list(names) == known
    for own, column in zip(codes, columns, strict=True):
        assert own.tolist() == [-1 if name is None else known.index(name) for name in column]
        present = [name for name in column if name is not None]
        assert list(text(names, own[own >= 0])) == present


WINDOWS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["gta", "apex", "b"])), min_size=1, max_size=8
)


@given(st.lists(WINDOWS, min_size=1, max_size=3))
def test_groups_are_numbered_across_frames_by_window_and_then_by_name(
    frames: list[list[tuple[int, str]]],
) -> None:
    start = pd.Timestamp("2026-01-10T00:00Z").as_unit("us")
    built = [
        pd.DataFrame(
            {
                "window_start": [start + pd.Timedelta(hours=hour) for hour, _ in rows],
                "category": [name for _, name in rows],
            }
        )
        for rows in frames
    ]

    found = group_keys(*((frame, "videos") for frame in built))

    flat = [row for rows in frames for row in rows]
    keys = np.concatenate(found.keys).tolist()
    for one, own in zip(keys, flat, strict=True):
        for other, theirs in zip(keys, flat, strict=True):
            assert (one < other) == (own < theirs)
    for frame, windows, categories in zip(built, found.windows, found.categories, strict=True):
        assert timestamps(windows).tolist() == frame["window_start"].tolist()
        assert list(text(found.names, categories)) == frame["category"].tolist()


@given(st.lists(st.integers(-5, 5), unique=True).map(sorted), st.lists(st.integers(-6, 6)))
def test_a_key_is_looked_up_as_a_list_finds_it(keys: list[int], wanted: list[int]) -> None:
    found = lookup(np.array(keys, dtype=np.int64), np.array(wanted, dtype=np.int64))

    assert found.tolist() == [keys.index(key) if key in keys else -1 for key in wanted]


ANY_SIGN = (
    NULLS
    | st.integers(-200, 200)
    | st.sampled_from([0.5, 1e100, -1e101, 2.0**53 - 1, 2.0**53, np.inf])
)
TAKEN: dict[str, tuple[Callable[..., Any], Callable[[float], bool], bool]] = {
    "finite": (finite, lambda value: abs(value) <= 1e100, True),
    "percentages": (percentages, lambda value: 0 <= value <= 100, True),
    "whole_numbers": (
        whole_numbers,
        lambda value: value == value // 1 and 0 <= value < 2**53,
        False,
    ),
}


@pytest.mark.parametrize("kind", TAKEN)
@given(told=st.lists(ANY_SIGN, max_size=5))
def test_a_column_is_its_values_and_every_row_that_cannot_be_is_named(
    kind: str, told: list[Any]
) -> None:
    read, fits, null = TAKEN[kind]
    labels = [f"row {n}" for n in range(len(told))]
    frame = pd.DataFrame({"rank": pd.Series(told, dtype=object, index=labels)})
    bad = [
        label
        for label, value in zip(labels, told, strict=True)
        if not (null if _is_null(value) else fits(value))
    ]

    if bad:
        with pytest.raises(InvalidInputError, match="'rank'") as error:
            read(frame, "rank", "videos")
        assert list(error.value.rows) == bad
    else:
        expected = [float("nan") if _is_null(value) else float(value) for value in told]
        np.testing.assert_array_equal(numbers(frame, "rank"), expected)
        np.testing.assert_array_equal(read(frame, "rank", "videos"), expected)


@given(
    st.sampled_from([None, pd.NA, pd.NaT, float("nan"), np.float64("nan"), Decimal("NaN")])
    | st.text(max_size=2)
    | st.floats()
    | st.integers()
    | st.booleans()
)
def test_a_scalar_is_missing_where_pandas_says_so_and_a_bundle_never_is(value: object) -> None:
    assert is_missing(value) == bool(pd.isna(value))  # type: ignore[call-overload] # any scalar
    assert not is_missing([value])


MOMENTS = st.datetimes(dt.datetime(1901, 1, 1), dt.datetime(2199, 1, 1))  # noqa: DTZ001 # zoned below
ZONES = st.sampled_from(["UTC", "Asia/Kolkata", "America/New_York"]).map(ZoneInfo)
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
UNKNOWN = -(2**63)


@given(st.lists(st.none() | st.builds(lambda at, zone: at.replace(tzinfo=zone), MOMENTS, ZONES)))
def test_a_time_is_its_microseconds_since_1970_in_whatever_zone_it_is_told(
    told: list[dt.datetime | None],
) -> None:
    frame = pd.DataFrame({"at": pd.Series(told, dtype=object)})
    utc = [None if at is None else at.astimezone(dt.UTC) for at in told]
    expected = [
        UNKNOWN if at is None else (at - EPOCH) // dt.timedelta(microseconds=1) for at in utc
    ]

    found = times(frame, "at", "videos", null=True)

    assert found.tolist() == expected
    back = timestamps(found)
    assert [None if at is pd.NaT else at.to_pydatetime() for at in back] == utc
    known = pd.DatetimeIndex([at for at in utc if at is not None], tz="UTC")
    assert window_ends(known).tolist() == sorted({*expected} - {UNKNOWN})
    if None in told:
        with pytest.raises(InvalidInputError, match="missing") as error:
            times(frame, "at", "videos")
        assert list(error.value.rows) == [n for n, at in enumerate(told) if at is None]


@given(st.timedeltas())
def test_a_duration_is_all_of_its_microseconds(delta: dt.timedelta) -> None:
    seconds = delta.days * 86_400 + delta.seconds
    assert microseconds(delta) == seconds * 1_000_000 + delta.microseconds


LISTED = st.none() | st.text(max_size=2) | st.lists(st.text(max_size=2), max_size=2)


@given(st.lists(LISTED, max_size=5))
def test_a_column_of_texts_holds_no_list_and_a_column_of_lists_no_text(
    told: list[str | list[str] | None],
) -> None:
    frame = pd.DataFrame({"tags": pd.Series(told, dtype=object)})
    lists = [n for n, value in enumerate(told) if isinstance(value, list)]
    single = [n for n, value in enumerate(told) if isinstance(value, str)]

    for read, bad in ((texts, lists), (plain_texts, lists), (text_lists, single)):
        if bad:
            with pytest.raises(InvalidInputError, match="'tags'") as error:
                read(frame, "tags", "videos")
            assert list(error.value.rows) == bad
        else:
            found = read(frame, "tags", "videos")
            assert [None if is_missing(own) else own for own in found] == told


GAMES = st.lists(st.tuples(st.text("abc", max_size=2), st.none() | st.text("12", max_size=2)))


@given(GAMES)
def test_games_come_in_the_order_of_their_names_and_those_named_twice_are_told(
    rows: list[tuple[str, str | None]],
) -> None:
    frame = pd.DataFrame(rows, columns=["category", "twitch_game_id"], dtype=object)
    often = Counter(name for name, _ in rows)
    twice = [n for n, (name, _) in enumerate(rows) if often[name] > 1]

    if twice:
        with pytest.raises(InvalidInputError, match="twice") as error:
            tracked_games(frame)
        assert list(error.value.rivals) == twice
    else:
        found = tracked_games(frame)
        ids = [None if pd.isna(own) else own for own in found["twitch_game_id"]]
        assert list(zip(found["category"], ids, strict=True)) == sorted(rows)


@given(st.lists(st.integers(0, 4), max_size=8))
def test_a_key_that_comes_twice_is_told_with_every_row_that_has_it(keys: list[int]) -> None:
    labels = pd.Index([f"row {n}" for n in range(len(keys))])
    often = Counter(keys)
    expected = {
        label: key for label, key in zip(labels, keys, strict=True) if often[key] > 1
    }  # fmt: skip

    assert rivals(np.array(keys, dtype=np.int64), labels) == expected
    if expected:
        with pytest.raises(InvalidInputError, match="more than one row") as error:
            each_once(np.array(keys), labels, "competition")
        assert error.value.rivals == expected
    else:
        each_once(np.array(keys, dtype=np.int64), labels, "competition")


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3)))
def test_distinct_values_are_those_of_numpy(values: list[int]) -> None:
    given_values = np.array(values, dtype=np.int64)
    assert distinct(given_values).tolist() == np.unique(given_values).tolist()
