"""Ask many things at once, in a fixed order, with no failure costing the others."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from aurastream.sources.errors import (
    KeyInvalidError,
    LedgerUnavailableError,
    QuotaExhaustedError,
    SourceError,
)
from aurastream.sources.ports import Crawl, FetchRecord, Rejected

__all__ = ["Answer", "Call", "ask_all", "said_of_rejects"]

# With more of its items than this in the quarantine, an answer is no state of the whole; the check
# of coverage asks for as much.
_MOST_REJECTED: Final = 0.1
# After one of these every further call fails alike, and may cost quota by failing.
_HOPELESS: Final = (QuotaExhaustedError, KeyInvalidError, LedgerUnavailableError)


@dataclass(frozen=True, slots=True)
class Call:
    """One question.

    Parameters
    ----------
    category : str
        Chart or game it serves.
    region : str
        Region, '' where it does not apply.
    ask : callable
        Puts the question; raises `SourceError` when nothing was answered.
    """

    category: str
    region: str
    ask: Callable[[], Crawl]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a question.

    Parameters
    ----------
    category, region : str
        Those of the call.
    crawl : Crawl or None
        What came; None when nothing did.
    error : SourceError or None
        Why nothing or not everything came.
    was_asked : bool
        False when an earlier answer had shown that asking is useless.
    """

    category: str
    region: str
    crawl: Crawl | None
    error: SourceError | None
    was_asked: bool = True

    @property
    def is_complete(self) -> bool:
        """Return whether everything that was asked for came, and most of it could be read."""
        return self.crawl is not None and self.crawl.is_complete and not self._unreadable

    @property
    def _unreadable(self) -> str:
        crawl = self.crawl
        return said_of_rejects(len(crawl.rejected), len(crawl)) if crawl is not None else ""

    @property
    def reason(self) -> str:
        """Return why it is incomplete, '' otherwise; the error's outcome where there is one."""
        if self.is_complete:
            return ""
        if self.error is not None:
            return self.error.outcome
        said = self.crawl.reason if self.crawl is not None else ""
        return said or self._unreadable or "incomplete"

    @property
    def fetches(self) -> tuple[FetchRecord, ...]:
        """Return the calls that were really made."""
        if self.crawl is not None:
            return self.crawl.fetches
        return self.error.fetches if self.was_asked and self.error is not None else ()

    @property
    def rejected(self) -> tuple[Rejected, ...]:
        """Return what belongs into the quarantine, a body that is no answer at all included."""
        if self.crawl is not None:
            return self.crawl.rejected
        raw = getattr(self.error, "raw", "")
        if not (self.was_asked and raw and self.error is not None):
            return ()
        fetch_id = self.fetches[-1].fetch_id if self.fetches else None
        return (Rejected(None, str(self.error), raw, fetch_id),)


def said_of_rejects(rejected: int, accepted: int) -> str:
    """Return why an answer with so many rejected items is incomplete; '' where they are few.

    A single one is no sign of more, unless nothing else came.

    Examples
    --------
    >>> said_of_rejects(49, 1)
    '49 of 50 items were rejected'
    >>> said_of_rejects(5, 45), said_of_rejects(1, 2)
    ('', '')
    """
    count = rejected + accepted
    are_many = rejected > _MOST_REJECTED * count and (rejected > 1 or not accepted)
    return f"{rejected} of {count} items were rejected" if are_many else ""


def ask_all(calls: Sequence[Call], *, max_parallel: int) -> list[Answer]:
    """Put all questions and return the answers in the order of the questions.

    Parameters
    ----------
    calls : sequence of Call
        The questions; a spent quota, a refused key or a ledger that is away ends the asking.
    max_parallel : int
        Questions under way at a time, 1 or more.
    """
    if not calls:
        return []
    hopeless: list[SourceError] = []
    lock = threading.Lock()

    def ask(call: Call) -> Answer:
        with lock:
            known = hopeless[0] if hopeless else None
        if known is not None:
            return Answer(call.category, call.region, None, known, was_asked=False)
        crawl: Crawl | None = None
        error: SourceError | None
        try:
            crawl = call.ask()
            error = crawl.error
        except SourceError as raised:
            error = raised
        if isinstance(error, _HOPELESS):
            with lock:
                hopeless.append(error)
        return Answer(call.category, call.region, crawl, error)

    with ThreadPoolExecutor(max_workers=min(max_parallel, len(calls))) as pool:
        return list(pool.map(ask, calls))
