"""Which items make an input impossible, so that they alone are left out of it."""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["MOST_ATTEMPTS", "offenders"]

Integers = npt.NDArray[np.int64]

MOST_ATTEMPTS: Final = 8_192
"""How often an input is tried: down to the single one among 4,000, whichever are impossible."""

_HOPELESS: Final = 4
"""What nothing is accepted of is tried for this part of the attempts; so is company."""


def offenders(
    refusal: Callable[[Integers], str | None],
    *blocks: Integers,
    most_attempts: int = MOST_ATTEMPTS,
) -> dict[int, str]:
    """Find the items without which all others are accepted.

    A block that is refused is halved, and each half that is refused again, all parts of one size
    before the smaller ones, down to the single item that is to blame. Where the attempts end
    before, a part that is still refused is left out as a whole, and every part that is accepted
    stays. What is left is tried together, so that the rest holds even where items are only
    impossible beside each other: of two that exclude each other the later is left out.

    Parameters
    ----------
    refusal : callable
        Says why the given items are refused, or None when they are accepted; the same answer for
        the same items. No items at all must be accepted.
    *blocks : array of int
        Items, each once, in the order in which they are believed; those of a block are tried beside
        what was accepted of the blocks before.
    most_attempts : int, optional
        How often `refusal` may be asked about a block, but for a logarithm of its size.

    Returns
    -------
    dict of int to str
        The items to leave out, in their order, with the reason of each; it says so where it is that
        of a whole part. Without the items, all others are accepted. An item that is accepted in
        every company is among them only in such a part.

    Notes
    -----
    O(k log(n / k)) attempts for k impossible ones among n items, on O(n log n) items in all. Of
    more than `most_attempts` can tell apart, parts of about 2 n / `most_attempts` are left out.

    References
    ----------
    Ours, after the delta debugging of Zeller, A. and Hildebrandt, R. (2002). Simplifying and
    isolating failure-inducing input. IEEE Transactions on Software Engineering 28(2).

    Examples
    --------
    >>> def refusal(some):
    ...     bad = some[some % 7 == 6]
    ...     return f"{bad[0]} is impossible." if bad.size else None
    >>> offenders(refusal, np.arange(16))
    {6: '6 is impossible.', 13: '13 is impossible.'}
    >>> offenders(refusal, np.arange(6)), offenders(refusal, np.zeros(0, dtype=int))
    ({}, {})

    What excludes something else yields to what came before:

    >>> offenders(lambda some: "twice" if {2, 3} <= set(some.tolist()) else None, np.arange(5))
    {3: 'twice'}

    With too few attempts, what is beside it goes with it:

    >>> [*offenders(refusal, np.arange(8), most_attempts=6)]
    [6, 7]
    """
    search = _Search(refusal, most_attempts)
    for block in blocks:
        search.add(block)
    order = {int(item): at for at, item in enumerate(np.concatenate([*blocks, _NOTHING]))}
    return dict(sorted(search.found.items(), key=lambda told: order[told[0]]))


_NOTHING: Final = np.zeros(0, dtype=np.int64)


class _Search:
    def __init__(self, refusal: Callable[[Integers], str | None], most_attempts: int) -> None:
        self.found: dict[int, str] = {}
        self._refusal = refusal
        self._most_attempts = most_attempts
        self._attempts_left = 0
        self._kept = _NOTHING

    def add(self, block: Integers) -> None:
        """Keep what is accepted of a block beside what was kept before."""
        if not block.size:
            return
        self._attempts_left = self._most_attempts
        reason = self._ask(block)
        if reason is None:
            self._keep(block)
            return
        parts = self._sound(block, reason)
        if len(parts) == 1:
            self._keep(parts[0])
        if len(parts) > 1:
            together = np.concatenate(parts)
            self._attempts_left = self._most_attempts // _HOPELESS
            if together.size == block.size:
                self._split(together, reason)
            else:
                self._join(together)

    def _ask(self, part: Integers) -> str | None:
        self._attempts_left -= 1
        return self._refusal(np.concatenate([self._kept, part]))

    def _keep(self, part: Integers) -> None:
        self._kept = np.concatenate([self._kept, part])

    def _sound(self, block: Integers, reason: str) -> list[Integers]:
        """Return the parts of a refused block that are accepted one by one, in its order."""
        sound: list[tuple[int, Integers]] = []
        refused = [(0, block, reason)]
        while refused:
            smaller = []
            for start, part, why in refused:
                if part.size == 1:
                    self.found[int(part[0])] = why
                    continue
                spent = self._most_attempts - self._attempts_left
                if not sound and spent > self._most_attempts // _HOPELESS:
                    self._blame(block, reason)
                    return []
                if self._attempts_left < 2:  # noqa: PLR2004 # both halves
                    self._blame(part, why)
                    continue
                at = start
                for half in np.array_split(part, 2):
                    of_half = self._ask(half)
                    if of_half is None:
                        sound.append((at, half))
                    else:
                        smaller.append((at, half, of_half))
                    at += half.size
            refused = smaller
        return [part for _, part in sorted(sound, key=lambda found: found[0])]

    def _join(self, part: Integers) -> bool:
        """Keep what is accepted beside what was kept before; return whether all of it is."""
        reason = self._ask(part)
        if reason is None:
            self._keep(part)
        else:
            self._split(part, reason)
        return reason is None

    def _split(self, part: Integers, reason: str) -> None:
        """Find out what in a part is to blame, of which it is known that it is refused."""
        if part.size == 1:
            self.found[int(part[0])] = reason
            return
        if self._attempts_left < 1:
            self._blame(part, reason)
            return
        first, rest = np.array_split(part, 2)
        if self._join(first):
            # The rest beside it is what was refused, and for that reason.
            self._split(rest, reason)
        else:
            self._join(rest)

    def _blame(self, part: Integers, reason: str) -> None:
        """Leave out a part as a whole."""
        why = f"{reason} That is one of {part.size:,}, more than the attempts could tell apart."
        self.found.update(dict.fromkeys(part.tolist(), why))
