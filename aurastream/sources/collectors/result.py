"""What a collector is given of the past, and what it hands back."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import pandas as pd

from aurastream.sources.errors import SourceError

__all__ = ["REPLACED_TABLES", "CrawlResult", "Metadata", "Previous"]

Metadata = dict[str, int | float | str]

# Every other table of a result is append-only.
REPLACED_TABLES: Final = frozenset(
    {"intelligence.thumbnail_features", "operations.collection_state"}
)


@dataclass(frozen=True, slots=True)
class Previous:
    """What the record knows from earlier crawls of the same dataset.

    Parameters
    ----------
    state : pandas.DataFrame or None
        Rows of ``operations.collection_state``.
    videos : pandas.DataFrame or None
        The newest ``video_id``, ``views`` and ``metadata_hash`` of each video, to tell new from
        known, changed from unchanged, and falling counters from rising ones.
    lists : pandas.DataFrame or None
        What each chart of each region listed when it was last seen, if that is not long ago:
        ``crawl_at``, ``chart``, ``region`` and ``video_id``.
    items : pandas.DataFrame or None
        The newest counter of each stream or clip that the last hour's crawls saw, by its id.
    got : mapping of str to int
        Items that the last complete crawl of each category got, to tell a short answer from a
        quiet category. A category without such a crawl is absent.
    complete_at : mapping of str to datetime
        When the last complete crawl of each category began. A category without one is absent.
    """

    state: pd.DataFrame | None = None
    videos: pd.DataFrame | None = None
    lists: pd.DataFrame | None = None
    items: pd.DataFrame | None = None
    got: Mapping[str, int] = field(default_factory=dict)
    complete_at: Mapping[str, dt.datetime] = field(default_factory=dict)


@dataclass(frozen=True)
class CrawlResult:
    """Everything one crawl brought, ready to be stored in one transaction.

    Parameters
    ----------
    dataset : str
        For example ``collection/youtube_trending``.
    frames : dict of str to pandas.DataFrame
        ``schema.table`` to rows. Tables of `REPLACED_TABLES` are upserted, the others appended.
    metadata : dict
        ``rows``, ``new``, ``changed``, ``views_fell``, ``rejected``, ``fetches``, ``quota_used``
        (units), ``incomplete`` (categories, or charts × regions), ``coverage`` (got / expected,
        0–1; "unknown" where nobody can say how many there are) and ``span_s`` (seconds from the
        first answer to the last), and what the dataset adds.
    membership_hash : str
        Which items with which metadata, whatever their counters.
    stats_hash : str
        Their counters.
    is_complete : bool
        Whether everything that was asked for came.
    crawl_at : datetime.datetime
        Start of the crawl, by the platform's clock.
    error : SourceError or None
        Why nothing at all came, if so; None for a spent quota, which is no fault: what was
        collected before is served until the reset.
    """

    dataset: str
    frames: dict[str, pd.DataFrame]
    metadata: Metadata
    membership_hash: str
    stats_hash: str
    is_complete: bool
    crawl_at: dt.datetime
    error: SourceError | None = field(default=None)

    @property
    def rows(self) -> pd.DataFrame:
        """Return the rows of the dataset's own table."""
        return self.frames[self.dataset.replace("/", ".")]

    @property
    def data_version(self) -> str:
        """Return what changes whenever an item, its metadata or its counters do."""
        return f"{self.membership_hash}-{self.stats_hash}"

    def raise_if_nothing_came(self) -> None:
        """Raise `error`, if there is one. Store the frames first: they say what happened."""
        if self.error is not None:
            raise self.error
