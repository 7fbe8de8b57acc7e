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

__all__ = ["ALL_REJECTED", "Answer", "Call", "ask_all"]

ALL_REJECTED: Final = "every item was rejected"
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
        """Return whether everything that was asked for came, and something of it could be read."""
        return self.crawl is not None and self.crawl.is_complete and not self._is_unreadable

    @property
    def _is_unreadable(self) -> bool:
        """Whether items came and none was understood: of what there is, that says nothing."""
        return self.crawl is not None and not len(self.crawl) and bool(self.crawl.rejected)

    @property
    def reason(self) -> str:
        """Return why it is incomplete, '' otherwise; the error's outcome where there is one."""
        if self.is_complete:
            return ""
        if self.error is not None:
            return self.error.outcome
        said = self.crawl.reason if self.crawl is not None else ""
        return said or (ALL_REJECTED if self._is_unreadable else "incomplete")

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
