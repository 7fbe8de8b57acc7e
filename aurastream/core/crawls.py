"""Which crawl counts in which window.

A slot is whatever is crawled as one: a chart in a region, a game. The state of a slot at a window
is its latest crawl that started before the window's end and not more than `max_age` earlier, so
that a missed poll carries the one before forward; how old it is shows in the freshness.

A crawl that got only a part of its slot is not the slot's whole state. What adds up over time, as
charts and clips do, is carried forward for what it did not answer, back to the last complete crawl
(`carry_forward`). Of a ranking of the moment, as live streams are, the last complete crawl is the
state while it is young, and then whatever came last (`latest_crawls`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core.frames import Strings, plain_texts, require_columns, times

__all__ = [
    "CrawlStates",
    "Expansion",
    "carry_forward",
    "latest_crawls",
    "moments",
    "of_partial_crawls",
]

Bools = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]

_MOMENT_US: Final = 60_000_000


@dataclass(frozen=True, slots=True)
class Expansion:
    """Rows of the chosen crawls, repeated for every window that uses them."""

    row: Integers
    window: Integers


@dataclass(frozen=True, slots=True)
class CrawlStates:
    """The chosen crawl of each slot in each window.

    ``crawl_times`` are the distinct starts, ascending; ``crawl`` numbers each member's crawl in
    them, ``slot`` and ``row`` are its slot and its row; ``chosen`` (slots, windows) holds such a
    number or -1; ``known`` (windows,) counts the starts before each window's end.
    """

    crawl_times: Integers
    crawl: Integers
    slot: Integers
    row: Integers
    chosen: Integers
    known: Integers

    def expand(self) -> Expansion:
        """Return the rows behind every (slot, window), in no particular order."""
        n_crawls = self.crawl_times.size
        key = self.slot * n_crawls + self.crawl
        order = np.argsort(key, kind="stable")
        counts = np.bincount(key, minlength=self.chosen.shape[0] * n_crawls)
        starts = np.cumsum(counts) - counts
        slots, windows = np.nonzero(self.chosen >= 0)
        cells = slots * n_crawls + self.chosen[slots, windows]
        sizes = counts[cells]
        ends = np.cumsum(sizes)
        total = int(ends[-1]) if ends.size else 0
        position = np.repeat(starts[cells] - (ends - sizes), sizes) + np.arange(total)
        return Expansion(row=self.row[order[position]], window=np.repeat(windows, sizes))


def latest_crawls(
    slot: Integers,
    crawl_at: Integers,
    n_slots: int,
    window_end: Integers,
    max_age: int,
    *,
    is_partial: Bools | None = None,
    whole_for: int = 0,
) -> CrawlStates:
    """Choose the crawl of every slot in every window.

    Parameters
    ----------
    slot : numpy.ndarray
        Slot of each row, 0 … n_slots-1.
    crawl_at : numpy.ndarray
        Start of each row's crawl, microseconds.
    n_slots : int
        Number of slots.
    window_end : numpy.ndarray
        Ends of the windows, microseconds, ascending.
    max_age : int
        Oldest start that still counts, in microseconds before the window's end.
    is_partial : numpy.ndarray, optional
        Whether each row's crawl got only a part of its slot; the same for all rows of a crawl.
        Without it all are alike.
    whole_for : int
        For how long a complete crawl is chosen although a part came later: microseconds from its
        start to the window's end.

    Returns
    -------
    CrawlStates
        The newest crawl of each slot that began before each window's end and is not too old.

    Notes
    -----
    O(n log n + slots · (crawls + windows)).

    References
    ----------
    Creator Intel V2 and the AuraStream paper serve what they have until it expires (#96, C3); that
    a window shows what was known at its end is ours.

    Examples
    --------
    Two slots; the second missed the second crawl, and a crawl that begins at the end is the next
    window's:

    >>> import numpy as np
    >>> slot, crawl_at = np.array([0, 1, 0, 0]), np.array([10, 10, 20, 30])
    >>> states = latest_crawls(slot, crawl_at, 2, np.array([15, 30, 60]), 20)
    >>> states.chosen.tolist()
    [[0, 1, -1], [0, 0, -1]]
    >>> latest_crawls(slot[:0], crawl_at[:0], 1, np.array([15]), 20).chosen.tolist()
    [[-1]]

    Of a complete crawl and a part that came later, the complete one counts for a while:

    >>> slot, crawl_at, ends = np.zeros(2, dtype=int), np.array([10, 20]), np.array([25, 35])
    >>> is_partial = np.array([False, True])
    >>> states = latest_crawls(slot, crawl_at, 1, ends, 30, is_partial=is_partial, whole_for=20)
    >>> states.chosen.tolist()
    [[0, 1]]
    """
    crawl_times, crawl = np.unique(crawl_at, return_inverse=True)
    row = np.arange(crawl.size)
    n_crawls = crawl_times.size
    known = np.searchsorted(crawl_times, window_end, side="left")
    if n_crawls == 0:
        chosen = np.full((n_slots, window_end.size), -1, dtype=np.int64)
        return CrawlStates(crawl_times, crawl, slot, row, chosen, known)
    present = np.zeros(n_slots * n_crawls, dtype=np.bool_)
    present[slot * n_crawls + crawl] = True

    def newest(present: Bools, within: int) -> Integers:
        numbered = np.where(present.reshape(n_slots, n_crawls), np.arange(n_crawls), -1)
        latest = np.maximum.accumulate(numbered, axis=1)
        chosen = np.where(known > 0, latest[:, np.maximum(known - 1, 0)], -1)
        too_old = (chosen >= 0) & (crawl_times[chosen] < window_end - within)
        chosen[too_old] = -1
        return chosen

    chosen = newest(present, max_age)
    if is_partial is not None and is_partial.any():
        present[slot[is_partial] * n_crawls + crawl[is_partial]] = False
        whole = newest(present, min(whole_for, max_age))
        chosen = np.where(whole >= 0, whole, chosen)
    return CrawlStates(crawl_times, crawl, slot, row, chosen, known)


def of_partial_crawls(
    crawl_at: Integers,
    slots: Mapping[str, tuple[Strings, Integers]],
    partial_crawls: pd.DataFrame | None,
) -> Bools:
    """Return which rows are of a crawl that is listed as partial.

    Parameters
    ----------
    crawl_at : numpy.ndarray
        Start of each row's crawl, microseconds.
    slots : Mapping
        What names a slot, by the column of ``partial_crawls``: the names, and each row's place
        among them; -1 is the empty name.
    partial_crawls : pandas.DataFrame or None
        ``crawl_at`` and those columns.

    Returns
    -------
    numpy.ndarray
        One truth per row.

    Raises
    ------
    InvalidInputError
        When a column is missing, or a time has no zone.

    Notes
    -----
    O(n log m) for n rows and m partial crawls.

    References
    ----------
    Ours: #13 and C5 ask that nothing is lost in an outage; a part is not taken for the whole.

    Examples
    --------
    Of two games that were crawled at once, one was answered in part:

    >>> at = pd.Timestamp("1970-01-01T00:00:10Z")
    >>> crawls = pd.DataFrame({"category": ["gta"], "crawl_at": [at]})
    >>> games = pd.array(["gta", "minecraft"], dtype="str"), np.array([0, 1, -1])
    >>> starts = np.full(3, 10_000_000)
    >>> of_partial_crawls(starts, {"category": games}, crawls).tolist()
    [True, False, False]

    None is listed, none is partial:

    >>> of_partial_crawls(starts, {"category": games}, None).tolist()
    [False, False, False]
    >>> of_partial_crawls(starts[:0], {"category": (games[0], starts[:0])}, crawls).tolist()
    []
    """
    if partial_crawls is None or partial_crawls.empty:
        return np.zeros(crawl_at.size, dtype=np.bool_)
    name = "partial_crawls"
    partial_crawls = require_columns(partial_crawls, (*slots, "crawl_at"), name)
    starts = times(partial_crawls, "crawl_at", name)
    result = np.isin(crawl_at, starts)
    # Few rows are left, as a rule none; only they are compared by name.
    left = np.flatnonzero(result)
    of_rows = [
        texts.take(place[left], allow_fill=True, fill_value="") for texts, place in slots.values()
    ]
    listed = [plain_texts(partial_crawls, column, name) for column in slots]
    result[left] = pd.MultiIndex.from_arrays([*of_rows, crawl_at[left]]).isin(
        pd.MultiIndex.from_arrays([*listed, starts])
    )
    return result


def carry_forward(states: CrawlStates, item: Integers, is_partial: Bools) -> CrawlStates:
    """Add to every partial crawl what it lacks of its slot's crawls before it.

    A partial crawl then has each item of its slot that was seen since the last complete crawl (or
    since the first known one), with the newest row of it. Complete crawls stay as they are.

    Parameters
    ----------
    states : CrawlStates
        From `latest_crawls`.
    item : numpy.ndarray
        What each row is about, as a code of 0 or more.
    is_partial : numpy.ndarray
        Whether each row's crawl got only a part of its slot; the same for all rows of a crawl.

    Returns
    -------
    CrawlStates
        The same choice, with more members. Carried rows may be older than a window allows.

    Notes
    -----
    O(n log n) in the rows and those that are looked at again: each partial crawl looks at the rows
    of its slot since the last complete crawl.

    References
    ----------
    Ours: #13 and C5 ask that nothing is lost in an outage; a part is not taken for the whole.

    Examples
    --------
    Of two videos, the second crawl was answered about one:

    >>> slot, crawl_at = np.zeros(3, dtype=np.int64), np.array([10, 10, 20])
    >>> states = latest_crawls(slot, crawl_at, 1, np.array([30]), 100)
    >>> sorted(states.expand().row.tolist())
    [2]
    >>> whole = carry_forward(states, np.array([0, 1, 0]), np.array([False, False, True]))
    >>> sorted(whole.expand().row.tolist())
    [1, 2]

    Nothing was seen, nothing is carried:

    >>> none = latest_crawls(slot[:0], crawl_at[:0], 1, np.array([30]), 100)
    >>> carry_forward(none, slot[:0], np.zeros(0, dtype=bool)).expand().row.tolist()
    []
    """
    if not is_partial.any():
        return states
    n_crawls = states.crawl_times.size
    key = states.slot * n_crawls + states.crawl
    order = np.argsort(key, kind="stable")
    cells, begins = np.unique(key[order], return_index=True)
    partial = is_partial[order[begins]]
    slots = cells // n_crawls
    # Where each cell's state begins: at the last complete crawl of its slot, or at its first.
    number = np.arange(cells.size)
    first = np.searchsorted(slots, slots, side="left")
    base = np.maximum(np.maximum.accumulate(np.where(partial, -1, number)), first)
    cell = np.flatnonzero(partial & (base < number))
    if cell.size == 0:
        return states
    sizes = begins[cell] - begins[base[cell]]
    ends = np.cumsum(sizes)
    position = np.repeat(begins[base[cell]] - (ends - sizes), sizes) + np.arange(int(ends[-1]))
    extra = order[position]
    target = np.repeat(cells[cell], sizes)
    # Newest first per target and item; what the target itself has wins, being newest of all.
    own = np.flatnonzero(is_partial)
    rows = np.concatenate([own, extra])
    targets = np.concatenate([key[own], target])
    ranking = np.lexsort((-states.crawl[rows], item[rows], targets))
    rows, targets = rows[ranking], targets[ranking]
    same = (targets[1:] == targets[:-1]) & (item[rows][1:] == item[rows][:-1])
    newest = np.concatenate([[True], ~same])
    carried = newest & (states.crawl[rows] != targets % n_crawls)
    rows, targets = rows[carried], targets[carried]
    return CrawlStates(
        crawl_times=states.crawl_times,
        crawl=np.concatenate([states.crawl, targets % n_crawls]),
        slot=np.concatenate([states.slot, targets // n_crawls]),
        row=np.concatenate([states.row, states.row[rows]]),
        chosen=states.chosen,
        known=states.known,
    )


def moments(crawl_at: Integers, observed: Integers) -> Integers:
    """Return the moment that a snapshot stands for: whole minutes since its crawl began.

    Answers of one crawl come some milliseconds or seconds apart, in the order in which threads and
    networks have them. That is noise of the measuring, far below the minutes in which platforms
    move their counters, and two videos with equal counters and dates must not rank apart by it.
    What took minutes is no noise, so that a slow crawl does not pass for an instant.

    Parameters
    ----------
    crawl_at, observed : numpy.ndarray
        Start of the crawl and time of the answer, microseconds.

    Returns
    -------
    numpy.ndarray
        Microseconds; not before the crawl, not after the answer, less than a minute before it.

    Notes
    -----
    O(n).

    References
    ----------
    Ours: equal counters of one crawl are to give equal velocities (#61).

    Examples
    --------
    >>> began = np.array([0, 0, 0])
    >>> moments(began, np.array([0, 59_999_999, 60_000_000])).tolist()
    [0, 0, 60000000]

    An answer from before its crawl is of its crawl, none of none:

    >>> moments(np.array([60_000_000]), np.array([0])).tolist()
    [60000000]
    >>> moments(began[:0], began[:0]).tolist()
    []
    """
    passed = np.maximum(observed - crawl_at, 0)
    result: Integers = crawl_at + passed // _MOMENT_US * _MOMENT_US
    return result
