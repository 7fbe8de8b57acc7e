"""Hashes of values are equal exactly when kind and value are, wherever they are computed."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurastream.core.unchanged import fingerprints
from aurastream.core.value_hashes import row_hashes, value_hashes

NULLS = st.sampled_from([None, pd.NA, pd.NaT, math.nan, -math.nan])
ALIKE = st.sampled_from(["None", "nan", "NaT", "<NA>", "1", "1.0", "True", "[]", "['x']", "", "{}"])
NUMBERS = (
    st.integers(-2, 2) | st.sampled_from([2**63 - 1, 2**63, -(2**63) - 1, 2**64]) | st.booleans()
)
FLOATS = st.sampled_from([0.0, -0.0, 1.0, 2.0, 0.5, math.inf, -math.inf, 2.0**63])
WIDTHS = st.sampled_from([np.int8(1), np.uint64(1), np.float32(1.0), np.float64(0.5), np.bool_(1)])
LEAVES = NULLS | ALIKE | NUMBERS | FLOATS | WIDTHS | st.text(max_size=2)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=2).map(tuple)
        | st.dictionaries(ALIKE, inner, max_size=2)
    ),
    max_leaves=4,
)


def identity(value: Any) -> Any:
    """Return what a value is, kind and all, as something that Python compares."""
    if isinstance(value, (list, tuple, np.ndarray)):
        return ("list", *(identity(item) for item in value))
    if isinstance(value, dict):
        return ("mapping", frozenset((key, identity(item)) for key, item in value.items()))
    if value is None or value is pd.NA:
        return "null"
    if value is pd.NaT:
        return "no time"
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return ("float", "nan" if math.isnan(value) else value)
    return (type(value).__name__, value)


def column(values: list[Any]) -> "pd.Series[Any]":
    cells = np.empty(len(values), dtype=object)
    cells[:] = [None] * len(values)
    for n, value in enumerate(values):
        cells[n] = value
    return pd.Series(cells, dtype=object)


@given(st.lists(VALUES, max_size=8))
def test_values_of_a_column_of_objects_are_equal_exactly_when_kind_and_value_are(
    values: list[Any],
) -> None:
    hashes = value_hashes(column(values)).tolist()
    for one, own in zip(hashes, values, strict=True):
        for other, theirs in zip(hashes, values, strict=True):
            assert (one == other) == (identity(own) == identity(theirs))


@given(st.lists(LEAVES, min_size=1, max_size=6), st.integers(0, 99))
def test_a_value_hashes_alike_in_whatever_company_it_is(values: list[Any], seed: int) -> None:
    whole = column(values)
    shuffled = whole.sample(frac=1, random_state=seed)
    together = dict(zip(shuffled.index, value_hashes(shuffled).tolist(), strict=True))
    assert [together[n] for n in whole.index] == value_hashes(whole).tolist()
    assert [value_hashes(whole.iloc[[n]])[0] for n in whole.index] == value_hashes(whole).tolist()


@pytest.mark.parametrize(
    ("values", "dtypes"),
    [
        ([0, 1, 7], ["object", "int8", "uint64", "Int64", "UInt8", "category", "int64[pyarrow]"]),
        ([0.0, 0.5, math.nan], ["object", "float32", "float64", "category"]),
        ([True, False], ["object", "bool", "boolean", "category", "bool[pyarrow]"]),
        (["None", "", "\x00a"], ["object", "str", "string", "category"]),
        ([None, 1], ["object", "Int64"]),
        ([None, 0.5], ["object", "Float64"]),
        ([None, "x"], ["object", "str", "string"]),
        ([2**63 + 1, 1], ["object", "uint64"]),
    ],
)
def test_how_a_value_is_stored_does_not_show(values: list[Any], dtypes: list[str]) -> None:
    first, *others = (value_hashes(pd.Series(values, dtype=dtype)).tolist() for dtype in dtypes)
    assert all(other == first for other in others)


def test_kinds_that_share_their_bits_are_told_apart() -> None:
    zeros = np.zeros(1, dtype=np.int64)
    kinds = [
        pd.Series(zeros, dtype=dtype)
        for dtype in ("int64", "float64", "bool", "datetime64[us]", "datetime64[ns]", "m8[us]")
    ]
    kinds += [pd.Series([text]) for text in ("", "0", "0.0", "False")]
    assert len({value_hashes(kind)[0] for kind in kinds}) == len(kinds)
    zoned = kinds[3].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")
    assert value_hashes(zoned)[0] == value_hashes(kinds[3])[0]


def test_a_long_array_is_told_from_another_whose_representation_is_the_same() -> None:
    one, other = np.arange(5000), np.arange(5000)
    other[2500] = 0
    assert repr(one) == repr(other)
    first, second = value_hashes(column([one, other])).tolist()
    assert first != second


def test_the_hashes_are_the_same_in_every_process() -> None:
    values = [None, "None", 1, 1.0, True, ["x", None], {"b": 1, "a": 2}, {"p", "q", "r"}, 2**70]
    assert [f"{value:016x}" for value in value_hashes(column(values)).tolist()] == [
        "53237bcee4c8a91d",
        "f3b00e8185ad8dbc",
        "ca21d344257e0f12",
        "18a05e4ceafe9162",
        "81149e59319319ff",
        "d4e2b6402bdcbd96",
        "bf3f55f8916a7055",
        "b9f0c1f7d8fc1ac6",
        "2c52310fe31a02b1",
    ]
    frame = pd.DataFrame(
        {"views": [1], "title": ["a"], "at": pd.to_datetime(["2026-11-21"]).as_unit("us")}
    )
    assert f"{row_hashes(frame)[0]:016x}" == "be812bbf87e38aa8"


@settings(max_examples=20)  # the property of values is tested above; here that they are put to use
@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=6), st.integers(0, 99))
def test_a_category_has_another_fingerprint_when_a_value_is_of_another_kind(
    rows: list[tuple[Any, Any]], seed: int
) -> None:
    day = pd.Timestamp("2026-11-21", tz="UTC")
    frame = pd.DataFrame(
        {"window_start": day, "category": "a", "title": column([a for a, _ in rows])}
    )
    one = frame.assign(tags=column([b for _, b in rows])).sample(frac=1, random_state=seed)
    other = frame.assign(tags=column([str(b) for _, b in rows]))
    is_same = all(isinstance(b, str) for _, b in rows)
    found = fingerprints(one)["input_hash"].eq(fingerprints(other)["input_hash"])
    assert found.tolist() == [is_same]


@pytest.mark.parametrize("kind", ["int64", "uint8", "bool", "float64", "str"])
@pytest.mark.parametrize("has_null", [False, True])
def test_a_category_hashes_as_what_it_names_and_its_null_as_a_null(
    kind: str, *, has_null: bool
) -> None:
    values = pd.Series([0, 1], dtype=kind)
    codes = pd.Categorical.from_codes([1, -1, 0] if has_null else [1, 0], pd.Index(values))
    nullable = {"int64": "Int64", "uint8": "UInt8", "bool": "boolean"}.get(kind, kind)
    plain = values.astype(nullable)[[1, 0]]
    expected = plain.reset_index(drop=True).reindex([0, 2, 1] if has_null else [0, 1])

    found = value_hashes(pd.Series(codes)).tolist()

    assert found == value_hashes(expected).tolist()
    assert len(set(found)) == len(found)
