"""Frames at the border of the algorithms: checked on the way in, typed on the way out.

Inside, everything is a numpy array: categories and ids are integer codes in lexical order,
timestamps are microseconds since the epoch. That keeps one window of 600 rows at a few
milliseconds, and makes results independent of the order of the input rows.
"""

from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core.errors import InvalidInputError

__all__ = [
    "EXACT",
    "HOUR_US",
    "MOST",
    "GroupKeys",
    "Schema",
    "Strings",
    "build_frame",
    "codes_of",
    "counters",
    "distinct",
    "each_once",
    "empty_frame",
    "finite",
    "flags",
    "group_keys",
    "is_missing",
    "lookup",
    "microseconds",
    "named",
    "numbers",
    "percentages",
    "plain_texts",
    "refusal",
    "require_columns",
    "rivals",
    "shown",
    "text",
    "text_lists",
    "texts",
    "times",
    "timestamps",
    "tracked_games",
    "whole_numbers",
    "window_ends",
]

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Strings = Any
"""A pandas string array: its stubs have no public name that exists at run time."""
Schema = Mapping[str, str]

HOUR_US: Final = 3_600_000_000
_TIME: Final = pd.DatetimeTZDtype("us", "UTC")
_MICROSECOND: Final = timedelta(microseconds=1)
_NULLABLE: Final = {"Int64": np.int64, "Int32": np.int32, "Int16": np.int16}
_WHOLE: Final = frozenset({"int64", "int32", "int16"})
# Above it not every integer is a float: 2**53 and 2**53 + 1 are the same one.
EXACT: Final = 2**53 - 1
_PER_CENT: Final = 100.0
_BUNDLES: Final = (
    *(list, tuple, range, deque, dict, set, frozenset, memoryview),
    *(np.ndarray, pd.api.extensions.ExtensionArray, pd.Index, pd.Series, pd.DataFrame),
)
# Kinds of dtypes that numpy would turn into floats in silence, or with no more than a warning.
_NO_NUMBERS: Final = "cmM"
_SHOWN: Final = 120  # characters of another's message, which may quote a title of 10,000
# Far above every counter and speed, and far below what overflows when it is squared and summed.
MOST: Final = 1e100


def refusal(
    index: pd.Index, bad: npt.NDArray[np.bool_], said: Callable[[int], str], *, fix: str
) -> InvalidInputError:
    """Return an error that names every row to blame, for whoever goes on without them.

    Parameters
    ----------
    index : Index
        Labels of the rows that were looked at.
    bad : array of bool
        Which of them are to blame, each by what it holds itself; one at least.
    said : callable
        From the place of a row to what is wrong with it, in one sentence.
    fix : str
        What to do about it.
    """
    at = np.flatnonzero(bad).tolist()
    rows = {label: said(place) for label, place in zip(index[bad], at, strict=True)}
    return InvalidInputError(said(at[0]), fix=fix, rows=rows)


def require_columns(frame: pd.DataFrame, columns: Sequence[str], name: str) -> pd.DataFrame:
    """Return the frame if it has the columns; a frame without rows and columns is empty input.

    Raises
    ------
    InvalidInputError
        Naming the missing columns, or those that come twice; or rows with a signalling NaN, which
        raises whenever it is looked at.
    """
    if not frame.columns.is_unique:
        listed = ", ".join(f"'{column}'" for column in frame.columns[frame.columns.duplicated()])
        raise InvalidInputError(
            f"The {name} frame has more than one column {listed}.", fix="Pass it with one of them."
        )
    missing = [column for column in columns if column not in frame.columns]
    if not missing:
        _refuse_signals(frame, columns, name)
        return frame
    if frame.empty and not len(frame.columns):
        return pd.DataFrame({column: pd.Series(dtype=object) for column in columns})
    listed = ", ".join(f"'{column}'" for column in missing)
    raise InvalidInputError(
        f"The {name} frame has no column {listed}.",
        fix=f"Pass it with {listed}, as the table of that name has it.",
    )


def _refuse_signals(frame: pd.DataFrame, columns: Sequence[str], name: str) -> None:
    for column in columns:
        values = frame[column]
        if values.dtype != object or Decimal not in set(map(type, values)):
            continue
        bad = np.array([isinstance(value, Decimal) and value.is_snan() for value in values])
        if bad.any():
            raise refusal(
                frame.index,
                bad,
                lambda _, column=column: (  # type: ignore[misc] # a place is all that is passed
                    f"Column '{column}' of the {name} frame holds a signalling NaN."
                ),
                fix="Null is for unknown ones.",
            )


def microseconds(delta: timedelta) -> int:
    """Return a duration in whole microseconds."""
    return delta // _MICROSECOND


def window_ends(as_of: pd.DatetimeIndex) -> Integers:
    """Return the ends of the windows in microseconds, ascending, each once.

    Raises
    ------
    InvalidInputError
        When a window end has no time zone or is missing.
    """
    if as_of.tz is None:
        raise InvalidInputError(
            "as_of has no time zone.", fix="Localise the window ends to UTC first."
        )
    if as_of.hasnans:
        raise InvalidInputError("as_of has a missing value.", fix="Drop it.")
    return np.unique(as_of.as_unit("us").asi8)


def times(frame: pd.DataFrame, column: str, name: str, *, null: bool = False) -> Integers:
    """Return a timestamp column in microseconds; a missing one is the smallest integer.

    Raises
    ------
    InvalidInputError
        When a value is no time, has no time zone, or is missing and may not be.
    """
    if frame.empty:
        return np.empty(0, dtype=np.int64)
    values = frame[column]
    try:
        if isinstance(values.dtype, pd.DatetimeTZDtype):
            index = pd.DatetimeIndex(values)
        elif values.isna().all():
            index = pd.DatetimeIndex(np.full(len(values), "NaT", dtype="M8[us]"), tz="UTC")
        else:
            index = _times_of_objects(values, f"Column '{column}' of the {name} frame")
        found = np.asarray(index.as_unit("us").asi8)
    except (pd.errors.OutOfBoundsDatetime, OverflowError) as error:
        raise InvalidInputError(
            f"Column '{column}' of the {name} frame holds what is no time: {str(error)[:_SHOWN]}.",
            fix=_NO_TIME,
        ) from None
    if not null and index.hasnans:
        raise refusal(
            frame.index,
            np.asarray(index.isna()),
            lambda _: f"Column '{column}' of the {name} frame has missing values.",
            fix="Every row needs this time; quarantine the rows that lack it.",
        )
    return found


_NO_TIME: Final = "Convert it to datetime64[us, UTC]; null is for unknown ones."


def _times_of_objects(values: "pd.Series[Any]", whose: str) -> pd.DatetimeIndex:
    """Read times that no column of times holds, one by one where some of them are none."""
    try:
        # Numbers are no times, although pandas would count them from 1970.
        index = None if pd.api.types.is_numeric_dtype(values) else pd.DatetimeIndex(values)
    except (TypeError, ValueError, OverflowError):
        index = None
    if index is not None and index.tz is not None:
        return index
    faults = [_time_fault(value) for value in values]
    bad = np.array([fault is not None for fault in faults])
    if bad.any():
        fix = (
            "Convert it to datetime64[us, UTC]; naive times are not guessed at."
            if all(fault in {None, _NAIVE} for fault in faults)
            else _NO_TIME
        )
        raise refusal(values.index, bad, lambda at: f"{whose} {faults[at]}.", fix=fix)
    # All are times with a zone, and not all of one.
    return pd.DatetimeIndex(
        [pd.NaT if is_missing(value) else pd.Timestamp(value).tz_convert("UTC") for value in values]
    )


_NAIVE: Final = "has no time zone"


def _time_fault(value: object) -> str | None:
    if is_missing(value):
        return None
    if isinstance(value, (bool, *_BUNDLES)):
        return f"holds what is no time: {shown(value)}"
    try:
        moment = pd.Timestamp(value)  # type: ignore[arg-type] # what it is not is refused
        if moment.tz is None:
            return _NAIVE
        moment.tz_convert("UTC").as_unit("us")
    except (TypeError, ValueError, OverflowError) as error:
        return f"holds what is no time: {shown(error)}"
    return None


def shown(value: object) -> str:
    """Return a value as a message can quote it, of any length and with any half of a pair."""
    return f"{value!s:.{_SHOWN}}".encode("utf-8", "backslashreplace").decode()


def is_missing(value: object) -> bool:
    """Return whether one value is a null of any kind."""
    if isinstance(value, _BUNDLES) or (isinstance(value, Decimal) and value.is_snan()):
        return False
    return value is None or value is pd.NA or value is pd.NaT or value != value  # noqa: PLR0124 # NaN


def numbers(frame: pd.DataFrame, column: str) -> Floats:
    """Return a numeric column as floats with NaN for null.

    Raises
    ------
    InvalidInputError
        When a value is no number.
    """
    values = frame[column]
    try:
        if values.dtype.kind not in _NO_NUMBERS:
            return values.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError, ArithmeticError):
        pass
    faults = [_number_fault(value) for value in values]
    bad = np.array([fault is not None for fault in faults])
    if not bad.any():
        # Nulls of more than one kind.
        return np.array([np.nan if is_missing(value) else value for value in values], np.float64)
    raise refusal(
        frame.index,
        bad,
        lambda at: f"Column '{column}' holds what is no number: {faults[at]}.",
        fix="Null is for unknown ones.",
    )


def _number_fault(value: object) -> str | None:
    if isinstance(value, _BUNDLES):
        return shown(value)
    try:
        np.array([value], dtype=object).astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        return None if is_missing(value) else shown(error)
    return None


def flags(frame: pd.DataFrame, column: str) -> npt.NDArray[np.bool_]:
    """Return a column of truth values; null is false, and so is 0 alone among numbers.

    Parameters
    ----------
    frame : pandas.DataFrame
        With the column, of truth values or numbers.
    column : str
        Its name.

    Returns
    -------
    numpy.ndarray
        One truth value per row, in their order.

    Raises
    ------
    InvalidInputError
        When a value is neither true nor false, nor a number.

    Notes
    -----
    O(n).

    References
    ----------
    Ours: what a platform does not say is not so.

    Examples
    --------
    >>> flags(pd.DataFrame({"is_live": [True, False, None, float("nan"), 2]}), "is_live").tolist()
    [True, False, False, False, True]
    >>> flags(pd.DataFrame({"is_live": []}), "is_live").tolist()
    []
    """
    if frame[column].dtype == np.bool_:
        return frame[column].to_numpy()
    values: npt.NDArray[np.bool_] = np.nan_to_num(numbers(frame, column)) != 0
    return values


def counters(frame: pd.DataFrame, column: str, name: str, *, most: float = MOST) -> Floats:
    """Return a column of finite values of 0 or more, NaN for null.

    Parameters
    ----------
    frame : pandas.DataFrame
        With the column, of numbers or truth values.
    column : str
        Its name.
    name : str
        Of the frame, for the message.
    most : float
        The largest value that is taken.

    Returns
    -------
    numpy.ndarray
        One value per row, in their order: 0 to ``most``, or NaN for unknown.

    Raises
    ------
    InvalidInputError
        When a value is negative, infinite, or beyond all that is counted (above ``most``); it
        names every such row by its label.

    Notes
    -----
    O(n).

    References
    ----------
    Ours: what a platform hides is unknown, and never 0.

    Examples
    --------
    >>> counters(pd.DataFrame({"views": [0, 7, None]}), "views", "videos").tolist()
    [0.0, 7.0, nan]
    >>> counters(pd.DataFrame({"views": []}), "views", "videos").tolist()
    []
    >>> try:
    ...     counters(pd.DataFrame({"views": [5, -1]}), "views", "videos")
    ... except InvalidInputError as error:
    ...     print(list(error.rows))
    [1]
    """
    return _fitting(
        *(frame, column, name),
        # A NaN fails both comparisons, so that nulls pass.
        is_bad=lambda values: (values < 0) | (values > most),
        fix="It must be finite and 0 or more; null is the value for unknown.",
    )


def finite(frame: pd.DataFrame, column: str, name: str) -> Floats:
    """Return a column of finite values of either sign, NaN for null.

    Raises
    ------
    InvalidInputError
        When a value is infinite, or beyond all that is measured (above 1e100 either way).
    """
    return _fitting(
        *(frame, column, name),
        # A NaN fails the comparison, so that nulls pass.
        is_bad=lambda values: np.abs(values) > MOST,
        fix="It must be finite; null is the value for unknown.",
    )


def percentages(frame: pd.DataFrame, column: str, name: str) -> Floats:
    """Return a column of values of 0–100, NaN for null.

    Raises
    ------
    InvalidInputError
        When a value is no number or outside 0–100.
    """
    return _fitting(
        *(frame, column, name),
        is_bad=lambda values: (values < 0) | (values > _PER_CENT),
        fix="It must be between 0 and 100; null is the value for unknown.",
    )


def whole_numbers(frame: pd.DataFrame, column: str, name: str) -> Integers:
    """Return a column of whole numbers of 0 or more, such as ranks.

    Raises
    ------
    InvalidInputError
        When a value is missing, no whole number, or below 0.
    """
    values = _fitting(
        *(frame, column, name),
        # A NaN fails the comparison.
        is_bad=lambda values: ~((values >= 0) & (values <= EXACT) & (values == np.floor(values))),
        fix="It must be a whole number of 0 or more.",
    )
    return values.astype(np.int64)


def _fitting(
    frame: pd.DataFrame,
    column: str,
    name: str,
    *,
    is_bad: Callable[[Floats], npt.NDArray[np.bool_]],
    fix: str,
) -> Floats:
    """Return a column of numbers, none of which is bad; refuse the rows of those that are."""
    values = numbers(frame, column)
    bad = is_bad(values)
    if bad.any():
        raise refusal(
            frame.index,
            bad,
            lambda at: f"Column '{column}' of the {name} frame holds {values[at]:g}.",
            fix=fix,
        )
    return values


def texts(frame: pd.DataFrame, column: str, name: str) -> "pd.Series[Any]":
    """Return a column of texts; what is neither a text nor a list of anything counts as missing.

    Raises
    ------
    InvalidInputError
        When a value is a list, or anything else that holds values of its own.
    """
    values = frame[column]
    is_plain = isinstance(values.dtype, pd.StringDtype) or values.empty
    if not is_plain and pd.api.types.infer_dtype(values, skipna=True) not in _PLAIN:
        bad = np.array([isinstance(value, _BUNDLES) for value in values])
        if bad.any():
            raise refusal(
                frame.index,
                bad,
                lambda at: (
                    f"Column '{column}' of the {name} frame holds a list: "
                    f"{values.iloc[at]!r:.{_SHOWN}}."
                ),
                fix="Pass one text per row; null is for a missing one.",
            )
    return values


_PLAIN: Final = frozenset({"string", "empty"})


def text_lists(frame: pd.DataFrame, column: str, name: str) -> list[Any]:
    """Return a column of lists of texts, such as tags; null is for a missing list.

    Raises
    ------
    InvalidInputError
        When a value is one text instead of a list, or its parts are lists themselves.
    """
    values = frame[column].tolist()
    faults = [_list_fault(own) for own in values]
    if any(faults):
        raise refusal(
            frame.index,
            np.array([fault is not None for fault in faults]),
            lambda at: f"Column '{column}' of the {name} frame holds {faults[at]}.",
            fix=f"Pass one list of {column}, each a text.",
        )
    return values


def _list_fault(own: object) -> str | None:
    if isinstance(own, str):
        return f"one text: {own[:40]!r}"
    if not isinstance(own, _BUNDLES):
        return None
    try:
        frozenset(own)
    except TypeError:
        return f"lists in a list: {own!r:.{_SHOWN}}"
    return None


def codes_of(*columns: Any) -> tuple[list[Integers], Strings]:  # noqa: ANN401 # pandas array-likes
    """Encode text columns together; the codes are in lexical order of the distinct values.

    A null is encoded as -1.

    Raises
    ------
    InvalidInputError
        When a text cannot be written, because it holds half of a surrogate pair, or is none but a
        list, or anything else that holds values of its own.
    """
    joined = pd.concat([_names(c) for c in columns], ignore_index=True)
    codes, found = pd.factorize(joined, sort=True)
    ends = np.cumsum([len(c) for c in columns])[:-1]
    parts = np.split(codes.astype(np.int64, copy=False), ends)
    return parts, pd.Index(found, dtype="str").array


def plain_texts(frame: pd.DataFrame, column: str, name: str) -> "pd.Series[str]":
    """Return a column of texts as they can be written and compared; null is for a missing one.

    Raises
    ------
    InvalidInputError
        When a value holds half of a surrogate pair, or is a list or anything else that holds values
        of its own.
    """
    return _names(frame[column], f"Column '{column}' of the {name} frame")


def _names(column: Any, whose: str = "A text that names a row") -> "pd.Series[str]":  # noqa: ANN401 # a pandas array-like
    """Return texts that name rows, as pandas keeps them."""
    given = pd.Series(column)
    if given.dtype == "str":
        return given
    if given.dtype != object:
        return given.astype("str")
    try:
        if pd.api.types.infer_dtype(given, skipna=True) in _PLAIN:
            return given.astype("str")
        faults = [_name_fault(value) for value in given]
    except UnicodeEncodeError:
        faults = [_name_fault(value) for value in given]
    bad = np.array([fault is not None for fault in faults], dtype=np.bool_)
    if not bad.any():
        return given.astype("str")
    raise refusal(
        given.index,
        bad,
        lambda at: f"{whose} {faults[at]}.",
        fix="Quarantine its row.",
    )


def _name_fault(value: object) -> str | None:
    if isinstance(value, _BUNDLES):
        return f"holds a list: {shown(value)}"
    try:
        str(value).encode()
    except UnicodeEncodeError as error:
        return f"holds what cannot be written as UTF-8: {error.reason}"
    return None


def tracked_games(games: pd.DataFrame) -> pd.DataFrame:
    """Return the games in the order of their categories, with texts for names.

    Raises
    ------
    InvalidInputError
        When a category is missing or comes twice, or a name or a game's id is no text.
    """
    categories = plain_texts(games, "category", "games")
    (codes,), _ = codes_of(categories)
    named(games, "category", codes, "games")
    if np.unique(codes).size < codes.size:
        raise InvalidInputError(
            "The games frame names a category twice.",
            fix="Pass one row per category.",
            rivals=rivals(codes, games.index),
        )
    ids = plain_texts(games, "twitch_game_id", "games")
    order = np.argsort(codes, kind="stable")
    return games.assign(category=categories, twitch_game_id=ids).iloc[order]


def named(frame: pd.DataFrame, column: str, codes: Integers, name: str) -> Integers:
    """Return the codes of a column that every row needs.

    Raises
    ------
    InvalidInputError
        When a value is missing.
    """
    missing = codes < 0
    if missing.any():
        raise refusal(
            frame.index,
            missing,
            lambda _: f"Column '{column}' of the {name} frame has missing values.",
            fix="Quarantine the rows that lack it.",
        )
    return codes


@dataclass(frozen=True, slots=True)
class GroupKeys:
    """Windows and categories of several frames, numbered together.

    Each list has one array per frame; ``keys`` grow with the window, then the category.
    """

    keys: list[Integers]
    windows: list[Integers]
    categories: list[Integers]
    names: Strings


def group_keys(*frames: tuple[pd.DataFrame, str]) -> GroupKeys:
    """Give the groups of window and category one number each across several frames.

    Raises
    ------
    InvalidInputError
        When a row has no window or no category.
    """
    windows = [times(frame, "window_start", name) for frame, name in frames]
    categories, names = codes_of(*(frame["category"] for frame, _ in frames))
    for (frame, name), codes in zip(frames, categories, strict=True):
        named(frame, "category", codes, name)
    found = np.unique(np.concatenate(windows))
    keys = [
        np.searchsorted(found, window) * len(names) + codes
        for window, codes in zip(windows, categories, strict=True)
    ]
    return GroupKeys(keys=keys, windows=windows, categories=categories, names=names)


def distinct(values: Integers) -> Integers:
    """Return the distinct values in ascending order.

    What `numpy.unique` returns; but that hashes whole numbers since NumPy 2.3, which takes eight
    times as long as sorting them where most of a million differ.

    Parameters
    ----------
    values : numpy.ndarray of int64
        In any order.

    Returns
    -------
    numpy.ndarray of int64
        Each value once.

    Notes
    -----
    O(n log n).

    References
    ----------
    Ours.

    Examples
    --------
    >>> import numpy as np
    >>> distinct(np.array([3, 1, 3, -2])).tolist()
    [-2, 1, 3]
    >>> distinct(np.array([], dtype=np.int64)).tolist()
    []
    """
    ordered = np.sort(values)
    found: Integers = ordered[np.diff(ordered, prepend=ordered[:1] - 1) != 0]
    return found


def each_once(keys: Integers, index: pd.Index, name: str, what: str = "category") -> None:
    """Refuse keys that come twice: which row counts would hang on their order.

    The index labels the rows of the keys.

    Raises
    ------
    InvalidInputError
        When a key comes twice.
    """
    if distinct(keys).size < keys.size:
        raise InvalidInputError(
            f"The {name} frame has more than one row of a {what} in one window.",
            fix="Pass one of them.",
            rivals=rivals(keys, index),
        )


def rivals(keys: Any, index: pd.Index) -> dict[Hashable, Hashable]:  # noqa: ANN401 # array-likes
    """Return the labels of the rows whose key comes twice, each with its key."""
    twice = pd.Series(keys).duplicated(keep=False).to_numpy()
    return dict(zip(index[twice], pd.Series(keys)[twice].tolist(), strict=True))


def lookup(keys: Integers, wanted: Integers) -> Integers:
    """Return for each wanted key its position in the ascending keys, or -1."""
    if keys.size == 0:
        return np.full(wanted.size, -1, dtype=np.int64)
    at = np.searchsorted(keys, wanted)
    at[at == keys.size] = 0
    return np.where(keys[at] == wanted, at, -1)


def text(values: Strings, codes: Integers) -> Strings:
    """Return the strings behind the codes."""
    return values.take(codes)


def timestamps(values: Integers) -> Any:  # noqa: ANN401 # a pandas datetime array
    """Return microseconds as UTC timestamps; the smallest integer is NaT."""
    return pd.array(values.view("M8[us]"), dtype=_TIME)


def build_frame(schema: Schema, columns: Mapping[str, Any]) -> pd.DataFrame:
    """Build a frame with the columns and dtypes of the schema, in its order.

    Float arrays become nullable integers where the schema says so; NaN is then null.

    Raises
    ------
    InvalidInputError
        When a value does not fit into the integers of its column, or a float is too large to be
        one exactly (above 2**53 - 1): a counter that cannot be would else become another number.

    Examples
    --------
    >>> build_frame({"views": "Int64"}, {"views": np.array([3.0, np.nan])})["views"].tolist()
    [3, <NA>]
    """
    return pd.DataFrame({name: _cast(columns[name], kind, name) for name, kind in schema.items()})


def empty_frame(schema: Schema) -> pd.DataFrame:
    """Return a frame without rows but with the schema's columns and dtypes."""
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in schema.items()})


def _cast(values: Any, kind: str, name: str) -> Any:  # noqa: ANN401 # pandas and numpy arrays alike
    if not isinstance(values, np.ndarray):
        return values
    if kind in _NULLABLE:
        null = np.isnan(values)
        whole = np.where(null, 0, values)
        _refuse_outside(whole, np.dtype(_NULLABLE[kind]), name)
        return pd.arrays.IntegerArray(whole.astype(_NULLABLE[kind]), null)
    if values.dtype != kind:
        if kind in _WHOLE:
            _refuse_outside(values, np.dtype(kind), name)
        return values.astype(kind)
    return values


def _refuse_outside(values: npt.NDArray[Any], wanted: np.dtype[Any], name: str) -> None:
    """Raise for values that numpy would turn into other integers, with a bare warning or none."""
    if not values.size or np.can_cast(values.dtype, wanted):
        return
    limits = np.iinfo(wanted)
    low, high = limits.min, limits.max
    if values.dtype.kind == "f":
        low, high = max(low, -EXACT), min(high, EXACT)
    # A NaN fails both comparisons.
    fits = (values >= low) & (values <= high)
    if not fits.all():
        raise InvalidInputError(
            f"Column '{name}' would hold {values[~fits][0]:g}, which no {wanted.name} can say "
            "exactly.",
            fix="Quarantine the row it comes from: no counter is near that.",
        )
