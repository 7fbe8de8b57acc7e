"""Every function of arrays takes numbers, and refuses what is none by the argument's name."""

import importlib
import inspect
import itertools
import math
import pkgutil
import warnings
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import aurastream.core
from aurastream.core.arrays import floats, for_each, integers, together
from aurastream.core.errors import InvalidInputError
from aurastream.core.formats import short_likelihood
from aurastream.core.lead_lag import lead_lag
from aurastream.core.opportunity import opportunity_scores
from aurastream.core.percentile import percentile_score
from aurastream.core.trend import trend_classes
from aurastream.core.velocity import lifetime_velocity

# What is passed for arguments that are no arrays and have no default.
SINGLE = {"threshold": 2.5, "max_lag": 1, "quantiles": (0.5,), "name": "values"}
WORDS = {"levels"}  # arguments of words
THREE = [1.0, 1.0, 1.0]
INFINITE = {("anomaly_score", "z"), ("percentile_score", "values")}
ANY_LENGTH = {("adjusted_p_values", "p_values")}
# Single arrays of which each number is judged for itself, or all together.
ANY_SHAPE = {
    ("floats", "values"),
    ("integers", "values"),
    ("anomaly_score", "z"),
    ("concentration_scores", "hhi"),
    ("confidence", "age_h"),
    ("difficulty_bands", "scores"),
    ("duration_buckets", "duration_s"),
    ("freshness_levels", "age_h"),
    ("iqr_fence", "values"),
    ("language_diversity", "counts"),
    ("linear_percentiles", "values"),
    ("market_share", "viewers"),
    ("on_time_share", "delay_min"),
    ("remove_outliers", "values"),
    ("short_likelihood", "duration_s"),
    ("should_refresh", "levels"),
}


def _arrays(function: Callable[..., Any]) -> list[str]:
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.annotation == npt.ArrayLike and p.kind != p.VAR_KEYWORD]


FUNCTIONS = {
    name: function
    for found in pkgutil.iter_modules(aurastream.core.__path__)
    for module in (importlib.import_module(f"aurastream.core.{found.name}"),)
    for name in getattr(module, "__all__", ())
    for function in (getattr(module, name),)
    if inspect.isfunction(function) and _arrays(function)
}
ARGUMENTS = [
    (name, argument) for name in sorted(FUNCTIONS) for argument in _arrays(FUNCTIONS[name])
]

NO_NUMBERS = {
    "a word": "fast",
    "words": ["fast", "slow", "1"],
    "digits": ["1", "1", "1"],
    "digits among numbers": [1.0, "1", 1.0],
    "bytes": [b"1", b"1", b"1"],
    "a ragged list": [[1.0], [1.0, 1.0], [1.0]],
    "lists in an array": np.array([[1.0], [1.0, 1.0], None], dtype=object),
    "imaginary numbers": [1j, 1.0, 1.0],
    "imaginary objects": np.array([1j, 1.0, 1.0], dtype=object),
    "times": np.array(["2026-01-01"] * 3, dtype="M8[us]"),
    "times with a zone": pd.DatetimeIndex(["2026-01-01T00:00Z"] * 3),
    "a column of times": pd.Series(pd.DatetimeIndex(["2026-01-01T00:00Z"] * 3)),
    "a time among numbers": [1.0, pd.Timestamp("2026-01-01"), 1.0],
    "durations": np.array([1, 1, 1], dtype="m8[us]"),
    "a time that is missing": [1.0, pd.NaT, 1.0],
    "a column of words": pd.Series(["fast"] * 3, dtype="str"),
    "a mapping": {"a": 1.0},
    "a set": {1.0},
    "a record": np.zeros(3, dtype=[("a", "f8")]),
    "a signalling NaN": [Decimal("sNaN"), 1.0, 1.0],
    "a signalling NaN beside a null": [Decimal("sNaN"), pd.NA, 1.0],
    "a number of 400 digits": [10**400, 1, 1],
    "an iterator": iter(THREE),
}


def _called(name: str, **arguments: Any) -> Any:
    """Call a function with good arguments but for those given."""
    function = FUNCTIONS[name]
    good: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.annotation == npt.ArrayLike and parameter.kind != parameter.VAR_KEYWORD:
            good[parameter.name] = ["FRESH"] * 3 if parameter.name in WORDS else THREE
        elif parameter.default is parameter.empty and parameter.kind != parameter.VAR_KEYWORD:
            good[parameter.name] = SINGLE[parameter.name]
    bound = inspect.signature(function).bind(**(good | arguments))
    return function(*bound.args, **bound.kwargs)


def test_there_are_functions_of_arrays() -> None:
    assert {"lifetime_velocity", "percentile_score", "trend_z", "lead_lag"} <= set(FUNCTIONS)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_good_arguments_are_taken(name: str) -> None:
    assert _called(name) is not None


@pytest.mark.parametrize(("name", "argument"), ARGUMENTS)
def test_what_is_no_number_is_refused_by_the_arguments_name(name: str, argument: str) -> None:
    not_named = []
    for bad, values in NO_NUMBERS.items():
        with pytest.raises(InvalidInputError) as refused:
            _called(name, **{argument: values})
        not_named += [bad] if f"'{argument}'" not in str(refused.value) else []
    assert not not_named


@pytest.mark.parametrize(("name", "argument"), sorted(set(ARGUMENTS) - ANY_SHAPE))
def test_shapes_that_do_not_fit_together_are_refused(name: str, argument: str) -> None:
    for shape in ((2, 4),) if (name, argument) in ANY_LENGTH else ((2, 4), (2,)):
        with pytest.raises(InvalidInputError, match=r"shape|differ|z-scores"):
            _called(name, **{argument: np.ones(shape)})


@pytest.mark.parametrize(("name", "argument"), sorted(set(ARGUMENTS) & ANY_SHAPE))
def test_one_array_by_itself_may_have_any_shape(name: str, argument: str) -> None:
    one = "OLD" if argument in WORDS else 1.0
    plain = _called(name, **{argument: np.full((2, 4), one)})
    assert repr(_called(name, **{argument: np.full((2, 4), one, dtype=object)})) == repr(plain)
    assert _called(name, **{argument: one}) is not None


@pytest.mark.parametrize(("name", "argument"), ARGUMENTS)
def test_a_null_is_a_null_of_any_kind(name: str, argument: str) -> None:
    nulls: tuple[Any, ...] = (
        [np.nan, 1.0, 1.0],
        [None, 1.0, 1.0],
        [pd.NA, Decimal(1), Fraction(1)],
        pd.array([None, 1, 1], dtype="Int64"),
        pd.Series([None, 1, 1], dtype="Float64"),
        np.ma.masked_array([1, 1, 1], mask=[True, False, False]),
    )
    if argument in WORDS:
        nulls = tuple([null, "FRESH", "FRESH"] for null in (np.nan, None, pd.NA))

    def answer(values: Any) -> str:
        try:
            return repr(_called(name, **{argument: values}))
        except InvalidInputError as error:
            return str(error)

    assert len({answer(values) for values in nulls}) == 1


HARD = (
    *(0.0, -0.0, 5e-324, 1e-300, 0.1, 0.5, 1.0, 2.0, 24.0, 1e16, 1e50, 1e100, 1e101, 1.7e308),
    *(-1.0, -5e-324, -1e100, -1.7e308, np.inf, -np.inf, np.nan),
)


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - {"should_refresh"}))
def test_any_numbers_are_worked_on_without_a_warning_or_refused(name: str) -> None:
    """Of some hundred draws the gentle ones mostly pass, and the others mostly not."""
    draw, answered = np.random.default_rng(len(name)), 0
    gentle = [value for value in HARD if 0 <= value <= 1e100]
    names = _arrays(FUNCTIONS[name])
    for pool in (HARD, gentle, gentle) * 80:
        values = draw.choice(pool, (len(names), 3))
        # Of percentiles, and of parts of a whole, the next is no smaller.
        values = np.sort(values, axis=0) if draw.integers(2) else values
        arguments = dict(zip(names, values, strict=True))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                _called(name, **arguments)
            except InvalidInputError:
                continue
        answered += 1
    assert answered


@pytest.mark.parametrize(("name", "argument"), ARGUMENTS)
def test_what_is_beyond_all_counting_is_refused_but_where_the_documentation_takes_it(
    name: str, argument: str
) -> None:
    for value in (1e101, np.inf, -np.inf, np.longdouble("1e4000")):
        values = [value, 1.0, 1.0]
        if (name, argument) in INFINITE:
            _called(name, **{argument: values})
        else:
            with pytest.raises(InvalidInputError):
                _called(name, **{argument: values})


def test_an_array_of_floats_is_not_copied() -> None:
    given = np.array(THREE)

    assert floats(given, "values") is given


def test_half_an_hour_is_no_hour() -> None:
    for bad in (0.5, np.nan, 2.0**60):
        with pytest.raises(InvalidInputError, match="hours"):
            integers([bad], "hours")


def test_series_of_unequal_length_do_not_fit() -> None:
    with pytest.raises(InvalidInputError, match=r"'x' \(2,\), 'y' \(3,\), 'hours' \(3,\)"):
        lead_lag([1, 2], [1, 2, 3], [1, 2, 3])


def test_there_is_one_date_for_each_length() -> None:
    dates = pd.DatetimeIndex(["2026-01-01T00:00Z"] * 2)
    assert short_likelihood([60.0, 61.0], dates).tolist() == [0.9, 0.6]
    for published in (dates[:1], [["2026"], ["2026"]], "soon", [1, 2], pd.DataFrame({"a": dates})):
        with pytest.raises(InvalidInputError, match="published_at"):
            short_likelihood([60.0, 61.0], published)


def test_the_parts_of_an_opportunity_have_the_shape_of_its_score() -> None:
    parts = opportunity_scores(
        [3, 4], 0, velocity_ratio=1.0, ease=50.0, is_peak=[True, np.nan], sample_count=30
    )

    shapes = {np.shape(part) for part in (parts.score, parts.trend, parts.factor)}
    assert shapes == {(2,)}
    assert parts.factor.tolist()[1] == 1.0


def test_percentiles_may_be_one_for_all_or_one_for_each_in_two_dimensions_too() -> None:
    values = np.array([[5.0, 15.0], [25.0, 45.0]])

    assert percentile_score(values, 10, 20, 30, np.full((2, 2), 40.0)).shape == (2, 2)
    assert trend_classes(values, 10, 30, 40, 50).tolist() == [
        ["FALLING", "STABLE"],
        ["STABLE", "VIRAL"],
    ]


def test_a_smallest_age_of_nothing_is_refused() -> None:
    for least in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(InvalidInputError, match="min_age_h"):
            lifetime_velocity([1.0], [1.0], min_age_h=least)


NULLS = st.sampled_from([None, pd.NA, math.nan])
REALS = (
    st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(-1e100, 1e100)
    | st.sampled_from([1e100, -1e100])
    | st.fractions(-9, 9, max_denominator=7)
    | st.decimals(-9, 9, places=2)
)


@given(st.lists(NULLS | REALS, max_size=6))
def test_numbers_of_any_kind_are_the_floats_that_python_makes_of_them(values: list[Any]) -> None:
    expected = [math.nan if pd.isna(value) else float(value) for value in values]

    np.testing.assert_array_equal(floats(values, "values"), expected)
    turned = np.array(values, dtype=object).reshape(-1, 1)
    np.testing.assert_array_equal(floats(turned, "values"), np.reshape(expected, (-1, 1)))


@given(st.lists(st.sampled_from([0.5, 2.0**53, 2.0**53 + 2]) | REALS, max_size=4))
def test_whole_numbers_are_those_that_python_calls_integers_up_to_the_last_exact_one(
    values: list[Any],
) -> None:
    if all(float(value).is_integer() and abs(float(value)) <= 2**53 for value in values):
        assert integers(values, "hours").tolist() == [int(float(value)) for value in values]
    else:
        with pytest.raises(InvalidInputError, match="whole numbers"):
            integers(values, "hours")


SHAPES = st.sampled_from([(), (1,), (2,), (3,), (1, 2), (2, 2), (3, 1), (0,), (2, 0)])


def stretched(shapes: list[tuple[int, ...]]) -> tuple[int, ...] | None:
    """Return the common shape, axis by axis from the last one; None where there is none."""
    axes = []
    for sizes in itertools.zip_longest(*(shape[::-1] for shape in shapes), fillvalue=1):
        wide = {size for size in sizes if size != 1}
        if len(wide) > 1:
            return None
        axes.append(wide.pop() if wide else 1)
    return tuple(axes[::-1])


@given(st.lists(SHAPES, min_size=1, max_size=3))
def test_arrays_are_stretched_to_one_shape_axis_by_axis(shapes: list[tuple[int, ...]]) -> None:
    parts = [np.arange(math.prod(shape), dtype=float).reshape(shape) + 1 for shape in shapes]
    named = {f"part{n}": part for n, part in enumerate(parts)}
    shape = stretched(shapes)
    if shape is None:
        with pytest.raises(InvalidInputError) as refused:
            together(**named)
        listed = ", ".join(f"'{name}' {part.shape}" for name, part in named.items())
        assert refused.value.message == f"The shapes do not fit together: {listed}."
        return
    values = np.zeros(shape)
    for part, wide, flat in zip(parts, together(**named), for_each(values, **named), strict=True):
        assert (wide.shape, flat.shape) == (shape, (values.size,))
        expected = []
        for at in np.ndindex(shape):
            own = at[len(at) - part.ndim :]
            place = tuple(0 if size == 1 else i for i, size in zip(own, part.shape, strict=True))
            expected.append(part[place])
        assert wide.ravel().tolist() == flat.tolist() == expected


@given(SHAPES, SHAPES)
def test_what_would_make_the_values_larger_is_not_for_each_of_them(
    shape: tuple[int, ...], own: tuple[int, ...]
) -> None:
    if stretched([shape, own]) == shape:
        (found,) = for_each(np.zeros(shape), p25=np.ones(own))
        assert found.tolist() == [1.0] * math.prod(shape)
    else:
        with pytest.raises(InvalidInputError, match=r"'values'.*'p25'"):
            for_each(np.zeros(shape), p25=np.ones(own))
