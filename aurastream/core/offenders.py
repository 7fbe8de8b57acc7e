"""Which items make an input impossible, so that they alone are left out of it."""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["MOST_ATTEMPTS", "offenders"]

Integers = npt.NDArray[np.int64]

MOST_ATTEMPTS: Final = 1_000
"""How often an input is tried before it is given up: enough for some hundred impossible items."""


def offenders(
    refusal: Callable[[Integers], str | None],
    items: Integers,
    *,
    most_attempts: int = MOST_ATTEMPTS,
) -> dict[int, str] | None:
    """Find the items without which all others are accepted.

    The items are added half by half to those that were accepted before; a half that is refused is
    halved again, down to the single item that is to blame. What is accepted together at the end was
    tried together, so that the rest holds even where items are only impossible beside each other:
    of two that exclude each other the later is left out.

    Parameters
    ----------
    refusal : callable
        Says why the given items are refused, or None when they are accepted; the same answer for
        the same items. No items at all must be accepted.
    items : array of int
        Each once, in the order in which they are believed.
    most_attempts : int, optional
        How often `refusal` may be asked.

    Returns
    -------
    dict of int to str, or None
        The items to leave out, in their order, with the reason of each; None when that was not
        found in so many attempts. Without the items, all others are accepted. An item that is
        accepted in every company is never among them.

    Notes
    -----
    O(k log(n / k)) attempts for k impossible ones among n items. Nothing is asked twice: of a half
    whose other half was accepted it is known that it is refused, and why.

    References
    ----------
    Ours, after the delta debugging of Zeller, A. and Hildebrandt, R. (2002). Simplifying and
    isolating failure-inducing input. IEEE Transactions on Software Engineering 28(2).

    Examples
    --------
    >>> def refusal(some):
    ...     bad = some[some % 7 == 6]
    ...     return f"{bad[0]} is impossible" if bad.size else None
    >>> offenders(refusal, np.arange(16))
    {6: '6 is impossible', 13: '13 is impossible'}
    >>> offenders(refusal, np.arange(6)), offenders(refusal, np.zeros(0, dtype=int))
    ({}, {})

    What excludes something else yields to what came before:

    >>> offenders(lambda some: "twice" if {2, 3} <= set(some.tolist()) else None, np.arange(5))
    {3: 'twice'}
    >>> offenders(refusal, np.arange(1_000), most_attempts=20) is None
    True
    """
    search = _Search(refusal, most_attempts)
    try:
        search.add(items)
    except _TooManyAttemptsError:
        return None
    return search.found


class _TooManyAttemptsError(Exception):
    pass


class _Search:
    def __init__(self, refusal: Callable[[Integers], str | None], attempts_left: int) -> None:
        self.found: dict[int, str] = {}
        self._refusal = refusal
        self._attempts_left = attempts_left
        self._kept = np.zeros(0, dtype=np.int64)

    def add(self, part: Integers) -> bool:
        """Keep what is accepted beside what was kept before; return whether all of it is."""
        if not part.size:
            return True
        if not self._attempts_left:
            raise _TooManyAttemptsError
        self._attempts_left -= 1
        together = np.concatenate([self._kept, part])
        reason = self._refusal(together)
        if reason is None:
            self._kept = together
        else:
            self._split(part, reason)
        return reason is None

    def _split(self, part: Integers, reason: str) -> None:
        """Find out what in a part is to blame, of which it is known that it is refused."""
        if part.size == 1:
            self.found[int(part[0])] = reason
            return
        first, rest = np.array_split(part, 2)
        if self.add(first):
            # The rest beside it is what was refused, and for that reason.
            self._split(rest, reason)
        else:
            self.add(rest)
