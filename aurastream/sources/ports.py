"""What the clients need from their surroundings, and what they hand back.

The ports are Protocols: the quota ledger, the rate limiter, the breaker and the clock of a
deployment fit them without importing anything from here. The defaults below (`OpenGate`,
`NoLimiter`, `SystemClock`) make a client usable on its own.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import pandas as pd

    from aurastream.sources.errors import SourceError

__all__ = [
    "Breaker",
    "Clock",
    "Columns",
    "Crawl",
    "FetchRecord",
    "NoLimiter",
    "OpenGate",
    "Page",
    "Platform",
    "QuotaGate",
    "RateLimiter",
    "Rejected",
    "SystemClock",
    "TwitchSource",
    "YouTubeSource",
]

Platform = Literal["youtube", "twitch"]
Columns = dict[str, list[Any]]


class QuotaGate(Protocol):
    """The door every call passes before it is sent."""

    def spend(self, endpoint: str) -> int:
        """Take the units of one call of ``endpoint`` and return how many they were.

        Raises
        ------
        QuotaExhaustedError
            When the units are not there; nothing is taken then.
        """

    def refund(self, units: int) -> None:
        """Give units back: the call was never sent."""

    def exhausted(self, endpoint: str) -> None:
        """Note that the platform itself says the quota behind ``endpoint`` is spent."""


class RateLimiter(Protocol):
    """The pace at which a host is asked."""

    def acquire(self, host: str) -> None:
        """Wait until one more call to ``host`` is allowed.

        Raises
        ------
        RateLimitedError
            When the wait would be longer than the limiter's patience.
        """


class Breaker(Protocol):
    """The fuse between us and a host that keeps failing."""

    def guard(self, host: str) -> AbstractContextManager[None]:
        """Return a context in which one call is made; a `TransientError` in it counts as failure.

        An end in which the host had no part counts as neither failure nor success.

        Raises
        ------
        CircuitOpenError
            On entering, while the circuit of ``host`` is open.
        """


class Clock(Protocol):
    """Time, so that tests need not wait for it."""

    def now(self) -> datetime:
        """Return the current time, UTC."""

    def monotonic(self) -> float:
        """Return seconds on a clock that is never set back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the current time, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds on a clock that is never set back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class OpenGate:
    """A gate without a quota behind it: every call is free."""

    def spend(self, endpoint: str) -> int:  # noqa: ARG002 # the port's signature
        """Let the call pass; it costs 0 units."""
        return 0

    def refund(self, units: int) -> None:
        """Nothing was taken, so nothing is given back."""

    def exhausted(self, endpoint: str) -> None:
        """There is no ledger to note it in."""


class NoLimiter:
    """No pace at all, for servers of our own."""

    def acquire(self, host: str) -> None:
        """Let the call pass at once."""


@dataclass(frozen=True, slots=True)
class FetchRecord:
    """One API call: what was asked, what came, what it cost (``operations.fetch_log``).

    Parameters
    ----------
    observed_at : datetime
        When the answer came, by the platform's clock where it sent one; UTC.
    fetch_id : str
        UUID of the call; the rows it brought carry it.
    platform : {"youtube", "twitch"}
        The platform.
    endpoint : str
        For example ``videos.list`` or ``streams``.
    params : mapping
        The query, without credentials.
    status : int or None
        HTTP status of the last answer; None when there was none.
    outcome : str
        ``ok``, ``not_modified`` or the error's ``outcome``.
    items : int
        Items accepted.
    rejected : int
        Items that belong into the quarantine.
    attempts : int
        Tries, the last one included; 0 when nothing was sent.
    duration_ms : float
        Wall time of the last try in milliseconds.
    units : int
        Quota units that all tries together cost.
    bucket : str
        Quota bucket they were taken from.
    run_id : str or None
        Dagster run, or the name of the loader.
    """

    observed_at: datetime
    fetch_id: str
    platform: Platform
    endpoint: str
    params: Mapping[str, Any]
    status: int | None
    outcome: str
    items: int
    rejected: int
    attempts: int
    duration_ms: float
    units: int
    bucket: str
    run_id: str | None

    def as_row(self) -> dict[str, Any]:
        """Return the record as a row of ``operations.fetch_log``."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Rejected:
    """An item that was not understood, whole, with the reason.

    Parameters
    ----------
    item_id : str or None
        The item's id where it could be read.
    reason : str
        Why it was rejected.
    raw : str
        The item's raw JSON, or the whole body where items could not be told apart. Never holds
        U+0000, which Postgres cannot store.
    fetch_id : str or None
        The call that brought it.
    """

    item_id: str | None
    reason: str
    raw: str
    fetch_id: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One decoded answer.

    Parameters
    ----------
    columns : dict of str to list
        Column name to values, all of one length; the names are those of the tables.
    rejected : tuple of Rejected
        Items for the quarantine.
    fetch : FetchRecord
        The call.
    next_cursor : str or None
        Opaque cursor of the next page.
    total : int or None
        The platform's estimate of all items.
    positions : sequence of int
        Place of each accepted item in the answer, from 0; a rejected item leaves a gap.
    """

    columns: Columns
    rejected: tuple[Rejected, ...]
    fetch: FetchRecord
    next_cursor: str | None = None
    total: int | None = None
    positions: Sequence[int] = ()

    @property
    def entry_count(self) -> int:
        """Return how many items the answer held, rejected ones included."""
        return len(self.positions) + len(self.rejected)


@dataclass(frozen=True, slots=True)
class Crawl:
    """The pages of one question, merged: no item twice, none lost in silence.

    Parameters
    ----------
    dataset : str
        What the rows are: ``videos``, ``search``, ``channels``, ``categories``, ``streams``,
        ``top_games``, ``games``, ``clips``, ``twitch_videos``, ``twitch_channels`` or ``users``.
    columns : dict of str to list
        Rows of all pages in the platform's order (or the order the method documents), the first
        of duplicates kept. Every row carries the ``observed_at`` and ``fetch_id`` of its page.
    rejected : tuple of Rejected
        Items of all pages for the quarantine.
    fetches : tuple of FetchRecord
        Every call that was made, failed ones included, in order.
    is_complete : bool
        Whether everything that was asked for was answered.
    reason : str
        Why it is incomplete, '' otherwise.
    expected : int or None
        Items the platform led us to expect; None when it said nothing reliable.
    missing_ids : tuple of str
        Ids that the platform answered without: deleted, private or never there.
    unfetched_ids : tuple of str
        Ids whose call failed: nothing is known about them.
    duplicate_count : int
        Items that came more than once.
    is_capped : bool
        Whether no more was asked for because as much had come as was wanted: there may be more.
    error : SourceError or None
        The error that ended the crawl early.
    """

    dataset: str
    columns: Columns
    rejected: tuple[Rejected, ...]
    fetches: tuple[FetchRecord, ...]
    is_complete: bool = True
    reason: str = ""
    expected: int | None = None
    missing_ids: tuple[str, ...] = ()
    unfetched_ids: tuple[str, ...] = ()
    duplicate_count: int = 0
    is_capped: bool = False
    error: "SourceError | None" = None

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(next(iter(self.columns.values()), ()))

    @property
    def observed_at(self) -> datetime | None:
        """When the last answer came; None when nothing was asked."""
        return self.fetches[-1].observed_at if self.fetches else None

    @property
    def crawl_at(self) -> datetime | None:
        """When the first answer came, the start of the crawl; None when nothing was asked."""
        return self.fetches[0].observed_at if self.fetches else None

    @property
    def units(self) -> int:
        """Quota units the crawl cost, 0 or more."""
        return sum(fetch.units for fetch in self.fetches)

    def to_frame(self) -> "pd.DataFrame":
        """Return the rows as a frame with the dtypes of the tables.

        Times are ``datetime64[us, UTC]``, counters nullable ``Int64``.
        """
        from aurastream.sources.wire.frames import to_frame  # noqa: PLC0415 # pandas is heavy

        return to_frame(self.dataset, self.columns)


class YouTubeSource(Protocol):
    """What collection asks of YouTube; `aurastream.sources.youtube.YouTubeClient` answers it.

    Every method raises a `SourceError` when nothing at all was answered, and returns an
    incomplete `Crawl` when a part was.
    """

    def videos_chart(
        self, region: str, category_id: int | None = None, *, max_pages: int = 1
    ) -> Crawl:
        """Return a ``mostPopular`` chart (dataset ``videos``), ``rank`` 1 at its top."""

    def videos_by_ids(self, ids: Sequence[str]) -> Crawl:
        """Return videos by id, 50 a call, with ``missing_ids`` and ``unfetched_ids``."""

    def search(
        self,
        q: str | None = None,
        *,
        region: str | None = None,
        category_id: int | None = None,
        channel_id: str | None = None,
        event_type: Literal["live", "upcoming", "completed"] | None = None,
        order: Literal["date", "rating", "relevance", "title", "viewCount"] = "relevance",
        published_after: datetime | None = None,
        published_before: datetime | None = None,
        max_pages: int = 1,
    ) -> Crawl:
        """Search for videos (dataset ``search``)."""

    def search_live(
        self,
        q: str | None = None,
        *,
        region: str | None = None,
        category_id: int | None = None,
        max_pages: int = 1,
    ) -> Crawl:
        """Search for broadcasts that are live now, most watched first."""

    def channels_by_ids(self, ids: Sequence[str]) -> Crawl:
        """Return channels by id, 50 a call, with ``missing_ids`` and ``unfetched_ids``."""

    def video_categories(self, region: str) -> Crawl:
        """Return the video categories of a region (dataset ``categories``)."""


class TwitchSource(Protocol):
    """What collection asks of Twitch; `aurastream.sources.twitch.TwitchClient` answers it.

    Every method raises a `SourceError` when nothing at all was answered, and returns an
    incomplete `Crawl` when a part was.
    """

    def top_games(self, top_n: int = 100) -> Crawl:
        """Return the most watched games, ``rank`` 1 at the top."""

    def games(self, *, ids: Sequence[str] = (), names: Sequence[str] = ()) -> Crawl:
        """Return games by id and by exact name, with ``missing_ids`` (of the ids)."""

    def streams(self, game_id: str, top_n: int = 100) -> Crawl:
        """Return the most watched live streams of a game, ``rank`` 1 at the top."""

    def clips(
        self, game_id: str, started_at: datetime, ended_at: datetime, *, max_items: int = 1000
    ) -> Crawl:
        """Return the clips of a game made in [started_at, ended_at), most viewed first."""

    def videos(
        self,
        *,
        ids: Sequence[str] = (),
        user_id: str | None = None,
        game_id: str | None = None,
        top_n: int = 100,
    ) -> Crawl:
        """Return past broadcasts and uploads by id, by user or by game."""

    def channels(self, broadcaster_ids: Sequence[str]) -> Crawl:
        """Return channels by broadcaster id, with ``missing_ids`` and ``unfetched_ids``."""

    def users(self, *, ids: Sequence[str] = (), logins: Sequence[str] = ()) -> Crawl:
        """Return users by id and by login, with ``missing_ids`` (of both)."""
