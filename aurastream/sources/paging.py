"""Pages into one crawl: deduplicated, bounded, and honest about what is missing.

Cursors misbehave: the last page's cursor may lead back to the first page, a page may bring what
was seen already, a cursor may die. Every loop here ends: by the ids seen, by the cursors seen, or
by the cap on pages; and whatever ended it early stands in the crawl's ``reason``.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal

from aurastream.sources.errors import (
    CircuitOpenError,
    GoneError,
    PermanentError,
    RateLimitedError,
    SourceError,
    TransientError,
)
from aurastream.sources.ports import Columns, Crawl, FetchRecord, Page, Rejected
from aurastream.sources.transport import Fault, Transport
from aurastream.sources.wire.pages import PageDecoder

__all__ = ["Ending", "Gathering", "batches", "fetch_page", "follow_ids", "follow_pages"]

Ending = Literal["end", "enough", "cut", "repeats", "broken"]

_SHORTER: Final = 0.6


def fetch_page(
    transport: Transport,
    decoder: PageDecoder[object],
    endpoint: str,
    path: str,
    params: Sequence[tuple[str, str]],
    *,
    fault: Fault | None = None,
) -> tuple[Page, Mapping[str, str]]:
    """Make one call and return its page and headers.

    Every row carries the ``observed_at`` and ``fetch_id`` of the call.
    """
    answer = transport.call(endpoint, path, params, decoder.decode, fault=fault)
    decoded = answer.value
    fetch = answer.record(len(decoded), len(decoded.rejected))
    columns: Columns = {
        "observed_at": [fetch.observed_at] * len(decoded),
        "fetch_id": [fetch.fetch_id] * len(decoded),
        **decoded.columns,
    }
    page = Page(
        columns=columns,
        rejected=tuple(replace(item, fetch_id=fetch.fetch_id) for item in decoded.rejected),
        fetch=fetch,
        next_cursor=decoded.next_cursor,
        total=decoded.total,
        positions=decoded.positions,
    )
    return page, answer.headers


class Gathering:
    """Collects pages into a `Crawl`.

    Parameters
    ----------
    dataset : str
        Name of the dataset.
    key : str
        Column that identifies a row.
    empty : dict of str to list
        The columns, without rows.
    rank : bool
        Add a column ``rank``: the place in the platform's order, 1 at the top; a rejected item
        keeps its place.
    """

    def __init__(self, dataset: str, key: str, empty: Columns, *, rank: bool = False) -> None:
        names = ["observed_at", "fetch_id", *(["rank"] if rank else []), *empty]
        self.columns: Columns = {name: [] for name in names}
        self.seen: dict[str, None] = {}
        self.rejected: list[Rejected] = []
        self.fetches: list[FetchRecord] = []
        self.reasons: list[str] = []
        self.error: SourceError | None = None
        self.total: int | None = None
        self.is_capped = False
        self.duplicate_count = 0
        self._dataset = dataset
        self.key = key
        self._rank = rank
        self._entries = 0
        self._rejected_ids: set[str] = set()

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.seen)

    @property
    def item_count(self) -> int:
        """Return the number of items, rejected ones included, that can be told apart."""
        return len(self.seen) + len(self._rejected_ids)

    def add(self, page: Page) -> int:
        """Add a page and return how many items of it, rejected ones included, are news."""
        self.fetches.append(page.fetch)
        if self.total is None:
            self.total = page.total
        columns = page.columns
        if self._rank:
            ranks = [self._entries + position + 1 for position in page.positions]
            columns = {**columns, "rank": ranks}
        self._entries += page.entry_count
        new = []
        for index, key in enumerate(columns[self.key]):
            if key not in self.seen:
                self.seen[key] = None
                new.append(index)
        self.duplicate_count += len(page.positions) - len(new)
        for name, kept in self.columns.items():
            values = columns[name]
            kept.extend(values if len(new) == len(values) else [values[index] for index in new])
        return len(new) + self._reject(page.rejected)

    def _reject(self, rejected: Sequence[Rejected]) -> int:
        news = 0
        for item in rejected:
            if item.item_id is not None and item.item_id in self._rejected_ids:
                self.duplicate_count += 1
                continue
            if item.item_id is not None:
                self._rejected_ids.add(item.item_id)
            self.rejected.append(item)
            news += 1
        return news

    def merge(self, other: "Gathering") -> None:
        """Add what another gathering of the same columns holds."""
        new = [index for index, key in enumerate(other.columns[self.key]) if key not in self.seen]
        self.seen.update(dict.fromkeys(other.columns[self.key]))
        for name, kept in self.columns.items():
            kept.extend(other.columns[name][index] for index in new)
        self.duplicate_count += other.duplicate_count + len(other) - len(new)
        self._reject(other.rejected)
        self.fetches += other.fetches
        self.reasons += other.reasons
        self.error = self.error or other.error
        self.is_capped = self.is_capped or other.is_capped

    def stop(self, reason: str, error: SourceError | None = None) -> None:
        """Note why the crawl is incomplete; a malformed body goes to the rejects."""
        self.reasons.append(reason)
        if error is not None:
            self.error = self.error or error
            self.fetches += error.fetches
            raw = getattr(error, "raw", "")
            if raw:
                fetch_id = error.fetches[-1].fetch_id if error.fetches else None
                self.rejected.append(Rejected(None, error.message, raw, fetch_id))

    def keep(self, order: Sequence[int]) -> None:
        """Keep the rows with these indices, in this order."""
        self.columns = {
            name: [values[index] for index in order] for name, values in self.columns.items()
        }

    def crawl(
        self,
        *,
        expected: int | None = None,
        missing_ids: Sequence[str] = (),
        unfetched_ids: Sequence[str] = (),
    ) -> Crawl:
        """Return what was gathered; with an error it is never called complete."""
        reasons = self.reasons or ([self.error.message] if self.error is not None else [])
        return Crawl(
            dataset=self._dataset,
            columns=self.columns,
            rejected=tuple(self.rejected),
            fetches=tuple(self.fetches),
            is_complete=not reasons,
            reason="; ".join(dict.fromkeys(reasons)),
            expected=expected,
            missing_ids=tuple(missing_ids),
            unfetched_ids=tuple(unfetched_ids),
            duplicate_count=self.duplicate_count,
            is_capped=self.is_capped,
            error=self.error,
        )


def follow_pages(
    gathering: Gathering,
    fetch: Callable[[str | None], Page],
    *,
    page_size: int,
    max_pages: int,
    wanted: int | None = None,
    is_ordered: bool = False,
) -> Ending:
    """Follow cursors until the list ends, enough was gathered, or it leads nowhere.

    Parameters
    ----------
    gathering : Gathering
        Takes the pages.
    fetch : callable
        Cursor (None for the first page) to page.
    page_size : int
        Items asked for per page.
    max_pages : int
        Most pages to fetch. Reaching it is an incomplete crawl only when ``wanted`` is given and
        not reached.
    wanted : int, optional
        Rows after which to stop.
    is_ordered : bool
        Whether only the very first page, item by item, shows that a cursor led back to the start.
        Otherwise its first item is enough, as lists by viewers shift between two calls.

    Returns
    -------
    {"end", "enough", "cut", "repeats", "broken"}
        How it ended: where the list does; when as much came as was wanted; on a full page without
        a cursor, which may be either its end or a platform that lost the cursor; with pages that
        were there before; or by a page that failed, or one too many.

    Raises
    ------
    SourceError
        When the first page already fails.
    """
    cursors = _Cursors(page_size, is_ordered=is_ordered)
    cursor: str | None = None
    for number in range(max_pages):
        try:
            page = fetch(cursor)
        except SourceError as error:
            if not number:
                raise
            gathering.stop(f"page {number + 1} failed: {error.message}", error)
            return "broken"
        verdict = cursors.judge(gathering, page, wanted)
        if verdict != "go on":
            return verdict
        cursor = page.next_cursor
    if wanted is not None:
        gathering.stop(f"the cap of {max_pages} pages was reached")
    return "broken"


class _Cursors:
    """What the pages and cursors of a crawl were like so far."""

    def __init__(self, page_size: int, *, is_ordered: bool) -> None:
        self._page_size = page_size
        self._is_ordered = is_ordered
        self._first: list[str] = []
        self._number = 0
        self._seen: set[str | None] = set()
        self._longest = 0
        self._is_dead = False

    def judge(
        self, gathering: Gathering, page: Page, wanted: int | None
    ) -> Ending | Literal["go on"]:
        """Take a page into the gathering and say how to go on."""
        self._number += 1
        news = gathering.add(page)
        if self._number == 1:
            self._first = page.columns[gathering.key]
        if self._number > 1 and not news:
            return self._judge_nothing_new(gathering, page)
        if wanted is not None and len(gathering) >= wanted:
            return "enough"
        if not page.next_cursor:
            return "cut" if page.entry_count >= self._page_size else "end"
        if page.next_cursor in self._seen:
            gathering.stop(f"page {self._number} repeats an earlier cursor")
            return "repeats"
        self._note(page, page.next_cursor)
        return "go on"

    def _judge_nothing_new(self, gathering: Gathering, page: Page) -> Ending:
        if not page.entry_count:
            # An empty page is the usual end of a list, unless a dead cursor led to it.
            if self._is_dead:
                gathering.stop(f"page {self._number - 1} was short and its cursor dead")
            return "end"
        if self._leads_back(page.columns[gathering.key]):
            return "end"  # the list had ended before it
        gathering.stop(f"page {self._number} brought only items that were seen before")
        return "repeats"

    def _leads_back(self, keys: list[str]) -> bool:
        if self._is_ordered:
            return keys == self._first
        return bool(self._first) and self._first[0] in keys

    def _note(self, page: Page, cursor: str) -> None:
        self._seen.add(cursor)
        is_short = page.entry_count < self._page_size
        self._is_dead = is_short and (
            _points_nowhere(cursor) or len(cursor) <= _SHORTER * self._longest
        )
        self._longest = max(self._longest, len(cursor))


def _points_nowhere(cursor: str) -> bool:
    """Return whether a Helix cursor says that nothing comes after it.

    Cursors are opaque and are passed back as they came; but one that reads
    ``{"b": …, "a": {"Cursor": ""}}`` is known to end a list before its end.
    """
    try:
        found = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        return False
    after = found.get("a") if isinstance(found, dict) else None
    return isinstance(after, dict) and after.get("Cursor") == ""


def batches(ids: Sequence[str], size: int) -> Iterator[list[str]]:
    """Return ids in batches, each id once, empty ones left out.

    Examples
    --------
    >>> list(batches(["a", "b", "a", "", "c"], 2))
    [['a', 'b'], ['c']]
    """
    unique = [key for key in dict.fromkeys(ids) if key]
    for start in range(0, len(unique), size):
        yield unique[start : start + size]


def follow_ids(
    gathering: Gathering,
    ids: Sequence[str],
    size: int,
    fetch: Callable[[list[str]], Page],
    *,
    column: str | None = None,
) -> tuple[list[str], list[str]]:
    """Ask for ids in batches; a batch that keeps failing is halved, down to the id at fault.

    Parameters
    ----------
    gathering : Gathering
        Takes the pages.
    ids : sequence of str
        What is asked for.
    size : int
        Ids per call.
    fetch : callable
        Batch to page.
    column : str, optional
        Where an answered id shows; by default the gathering's key. In another
        column case does not matter.

    Returns
    -------
    missing, unfetched : list of str
        Ids that the platform answered without, and ids about which nothing is known.

    Raises
    ------
    SourceError
        When no call at all was answered.
    """
    missing: list[str] = []
    unfetched: list[str] = []
    failed: list[FetchRecord] = []
    queue = list(batches(ids, size))
    last: SourceError | None = None
    while queue:
        batch = queue.pop(0)
        try:
            page = fetch(batch)
        except GoneError as error:
            failed += error.fetches
            gathering.fetches += error.fetches
            missing += batch
            continue
        except SourceError as error:
            last = error
            failed += error.fetches
            if isinstance(error, TransientError) and error.is_data_dependent and len(batch) > 1:
                gathering.fetches += error.fetches
                half = len(batch) // 2
                queue[:0] = [batch[:half], batch[half:]]
                continue
            gathering.stop(f"{len(batch)} ids were not answered: {error.message}", error)
            unfetched += batch
            if isinstance(error, PermanentError | CircuitOpenError | RateLimitedError):
                # The next batch would meet the same refusal, and might be charged for it.
                unfetched += [key for rest in queue for key in rest]
                break
            continue
        gathering.add(page)
        absent, is_doubtful = _absent(page, batch, column or gathering.key, gathering.key)
        (unfetched if is_doubtful else missing).extend(absent)
    if last is not None and len(gathering.fetches) == len(failed):
        last.fetches = tuple(failed)
        raise last
    return missing, unfetched


def _absent(page: Page, batch: list[str], column: str, key: str) -> tuple[list[str], bool]:
    """Return what a page lacks, and whether a reject may be one of these."""
    rejected = [item.item_id for item in page.rejected]
    if column == key:
        known = {*page.columns[key], *rejected}
        return [item for item in batch if item not in known], None in rejected
    # Names are matched as people write them; a reject is known by its id only.
    names = {value.casefold() for value in page.columns[column]}
    return [item for item in batch if item.casefold() not in names], bool(rejected)
