"""Arrays at the border of the algorithms: floats come of what is passed as numbers, or a refusal.

`aurastream.core.frames` does the same for the columns of frames, and names rows; here arguments are
named. Null is ``None``, ``pandas.NA`` or NaN, and becomes NaN.
"""

from collections.abc import Mapping
from decimal import Decimal
from numbers import Real
from types import NoneType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core.errors import InvalidInputError
from aurastream.core.frames import MOST, shown

__all__ = ["floats", "for_each", "integers", "together", "unfit"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_NA: Final = type(pd.NA)
_CLASSES: Final = (Real, Decimal, np.bool_, NoneType, _NA)
_EXACT: Final = 2.0**53


def floats(values: npt.ArrayLike, name: str, *, most: float = MOST) -> Floats:
    """Return an argument as floats; what holds anything else is refused, texts of digits too.

    Parameters
    ----------
    values : array_like
        Numbers or truth values; null is unknown.
    name : str
        Of the argument, for the message.
    most : float
        The largest magnitude that is taken; infinity takes the infinities too.

    Returns
    -------
    numpy.ndarray
        Of the shape of the values; NaN for null.

    Raises
    ------
    InvalidInputError
        When the argument holds words, times, imaginary numbers or lists of unequal length, or a
        number beyond ``most``.

    Notes
    -----
    O(n).

    References
    ----------
    Ours. No counter and no speed is near 1e100, and its square still is a float.

    Examples
    --------
    >>> floats([1, None, True], "views").tolist()
    [1.0, nan, 1.0]
    >>> floats([], "views").tolist()
    []
    >>> try:
    ...     floats([1.0, float("-inf")], "views")
    ... except InvalidInputError as error:
    ...     print(error)
    'views' holds -inf. Pass numbers of at most 1e+100 either way; NaN is for unknown ones.
    """
    try:
        found = _numbers(values)
        with np.errstate(over="ignore"):
            result = found.astype(np.float64, copy=False)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise InvalidInputError(
            f"'{name}' holds what is no number: {shown(error)}.",
            fix="Pass numbers, in lists of equal length; NaN is for unknown ones.",
        ) from None
    # A NaN fails both comparisons.
    bad = (result > most) | (result < -most)
    if most < np.inf and bad.any():
        raise InvalidInputError(
            f"'{name}' holds {result[bad][0]:g}.",
            fix=f"Pass numbers of at most {most:g} either way; NaN is for unknown ones.",
        )
    return result


def _numbers(values: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return numbers as they are and nulls as numpy reads them; anything else is a TypeError."""
    if type(values) is np.ndarray and values.dtype == np.float64:
        return values
    if isinstance(values, np.ma.MaskedArray):
        values = np.where(np.ma.getmaskarray(values), np.nan, values.data)
    found = np.asarray(values)
    classes: set[type] = {found.dtype.type}
    if found.dtype.kind == "O":
        classes = set(map(type, found.ravel().tolist()))
    for one in classes:
        # A duration would be an integer to numpy.
        if not issubclass(one, _CLASSES) or issubclass(one, np.timedelta64):
            raise TypeError(one.__name__)
    return np.where(pd.isna(found), np.nan, found) if _NA in classes else found


def integers(values: npt.ArrayLike, name: str) -> Integers:
    """Return an argument as whole numbers, such as the numbers of hours.

    Parameters
    ----------
    values : array_like
        Whole numbers.
    name : str
        Of the argument, for the message.

    Returns
    -------
    numpy.ndarray
        Of the shape of the values.

    Raises
    ------
    InvalidInputError
        When a value is missing, or no whole number of at most 2**53 either way.

    Notes
    -----
    O(n).

    References
    ----------
    Ours. Beyond 2**53 not every whole number is a float.

    Examples
    --------
    >>> integers([3.0, -4], "hours").tolist()
    [3, -4]
    >>> integers([], "hours").tolist()
    []
    """
    found = floats(values, name)
    # A NaN fails both comparisons.
    fits = (np.abs(found) <= _EXACT) & (found == np.floor(found))
    if not fits.all():
        raise InvalidInputError(
            f"'{name}' holds {found[~fits][0]:g}.", fix="Pass whole numbers, and none missing."
        )
    return found.astype(np.int64)


def together(**arguments: npt.ArrayLike) -> tuple[Floats, ...]:
    """Return arguments as floats of one shape: one value stands for as many as there are.

    Parameters
    ----------
    **arguments : array_like
        Numbers, each by its name.

    Returns
    -------
    tuple of numpy.ndarray
        In the order given, not to be written to.

    Raises
    ------
    InvalidInputError
        When one is no array of numbers (see `floats`), or their shapes do not fit together.

    Notes
    -----
    O(n).

    References
    ----------
    Ours; the rules of NumPy's broadcasting.

    Examples
    --------
    >>> [part.tolist() for part in together(views=[1, 2], age_h=0.5)]
    [[1.0, 2.0], [0.5, 0.5]]
    >>> [part.tolist() for part in together(views=[], age_h=0.5)]
    [[], []]
    >>> try:
    ...     together(views=[1, 2], age_h=[1, 2, 3])
    ... except InvalidInputError as error:
    ...     print(error.message)
    The shapes do not fit together: 'views' (2,), 'age_h' (3,).
    """
    found = {name: floats(values, name) for name, values in arguments.items()}
    shapes = [part.shape for part in found.values()]
    if len(set(shapes)) == 1:
        return tuple(found.values())
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        raise unfit(found) from None
    return tuple(np.broadcast_to(part, shape) for part in found.values())


def for_each(values: Floats, **arguments: npt.ArrayLike) -> tuple[Floats, ...]:
    """Return arguments as floats, one for each of the values: one stands for all of them.

    Parameters
    ----------
    values : numpy.ndarray
        Floats already; they keep their shape.
    **arguments : array_like
        Numbers, each by its name.

    Returns
    -------
    tuple of numpy.ndarray
        In the order given, each flat, not to be written to.

    Raises
    ------
    InvalidInputError
        When one is no array of numbers (see `floats`), or is not of the values' shape.

    Notes
    -----
    O(n).

    References
    ----------
    Ours; the rules of NumPy's broadcasting.

    Examples
    --------
    >>> import numpy as np
    >>> [part.tolist() for part in for_each(np.zeros(2), p25=1, p75=[3, 4])]
    [[1.0, 1.0], [3.0, 4.0]]
    >>> for_each(np.zeros(0), p25=1)[0].tolist()
    []
    """
    found = {name: floats(part, name) for name, part in arguments.items()}
    try:
        return tuple(np.broadcast_to(part, values.shape).ravel() for part in found.values())
    except ValueError:
        raise unfit({"values": values} | found) from None


def unfit(found: Mapping[str, npt.NDArray[Any]]) -> InvalidInputError:
    """Return the refusal of arrays that do not fit together, each by its name.

    Parameters
    ----------
    found : mapping of str to numpy.ndarray
        The arrays.

    Returns
    -------
    InvalidInputError
        Naming the shapes.

    Notes
    -----
    O(1).

    References
    ----------
    Ours.

    Examples
    --------
    >>> print(unfit({"x": np.zeros(0), "y": np.zeros((2, 1))}).message)
    The shapes do not fit together: 'x' (0,), 'y' (2, 1).
    """
    listed = ", ".join(f"'{name}' {part.shape}" for name, part in found.items())
    return InvalidInputError(
        f"The shapes do not fit together: {listed}.", fix="Pass as many of each, or one for all."
    )
