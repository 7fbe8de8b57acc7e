"""A client of the YouTube Data API v3."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal, Self

import httpx

from aurastream.sources.errors import ConfigError
from aurastream.sources.paging import Gathering, fetch_page, follow_ids, follow_pages
from aurastream.sources.ports import (
    Breaker,
    Clock,
    Crawl,
    Page,
    QuotaGate,
    RateLimiter,
)
from aurastream.sources.transport import (
    Etags,
    RetryPolicy,
    Transport,
    clean_credential,
    http_client,
)
from aurastream.sources.wire.faults import youtube_fault
from aurastream.sources.wire.pages import PageDecoder
from aurastream.sources.wire.youtube import CATEGORIES, CHANNELS, SEARCH, VIDEOS

__all__ = ["YouTubeClient"]

_PAGE: Final = 50
_CHART_LIMIT: Final = 200
_SEARCH_LIMIT: Final = 500
# One unit whatever the parts, so all that any table wants.
_VIDEO_PARTS: Final = "snippet,contentDetails,statistics,liveStreamingDetails,status,topicDetails"
_CHANNEL_PARTS: Final = "snippet,statistics"


class _Key:
    """The API key, in a header."""

    def __init__(self, key: str) -> None:
        self._key = clean_credential(key, "YOUTUBE_API_KEY")

    def headers(self) -> Mapping[str, str]:
        return {"X-Goog-Api-Key": self._key}

    def renew(self, sent: Mapping[str, str]) -> bool:  # noqa: ARG002 # the port's signature
        return False


class YouTubeClient:
    """Typed calls of the YouTube Data API v3. Thread-safe.

    Parameters
    ----------
    base_url : str
        For example ``https://youtube.googleapis.com``, or a replay server.
    api_key : str
        The key; it travels in a header and is never logged.
    http : httpx.Client, optional
        Connection pool to share; by default one of its own, closed by `close`.
    gate, limiter, breaker, clock, retry, extra_headers, etags, quota_profile, run_id
        See `aurastream.sources.transport.Transport`.
    timeout_s, max_connections
        Of its own connection pool, see `aurastream.sources.transport.http_client`.

    Raises
    ------
    KeyInvalidError
        When the key cannot be one.

    Notes
    -----
    Every method raises a `aurastream.sources.errors.SourceError` when nothing at all was
    answered, and returns an incomplete crawl when a part was.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        http: httpx.Client | None = None,
        gate: QuotaGate | None = None,
        limiter: RateLimiter | None = None,
        breaker: Breaker | None = None,
        clock: Clock | None = None,
        retry: RetryPolicy | None = None,
        extra_headers: Callable[[], Mapping[str, str]] | None = None,
        etags: Etags | None = None,
        quota_profile: str = "granular_2026",
        run_id: str | None = None,
        timeout_s: float = 20.0,
        max_connections: int = 10,
    ) -> None:
        auth = _Key(api_key)
        self._http = http or http_client(timeout_s=timeout_s, max_connections=max_connections)
        self._owns_http = http is None
        self._transport = Transport(
            "youtube",
            f"{base_url.rstrip('/')}/youtube/v3",
            fault=youtube_fault,
            auth=auth,
            http=self._http,
            gate=gate,
            limiter=limiter,
            breaker=breaker,
            clock=clock,
            retry=retry,
            extra_headers=extra_headers,
            etags=etags,
            quota_profile=quota_profile,
            run_id=run_id,
        )

    def __enter__(self) -> Self:
        """Return the client; it is closed on leaving."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the client."""
        self.close()

    @property
    def clock_off_s(self) -> float | None:
        """Return by how much YouTube's clock was ahead of ours at the last answer; None before."""
        return self._transport.clock_off_s

    def close(self) -> None:
        """Close the connection pool, unless it is shared."""
        if self._owns_http:
            self._http.close()

    def videos_chart(
        self, region: str, category_id: int | None = None, *, max_pages: int = 1
    ) -> Crawl:
        """Return a ``mostPopular`` chart.

        Parameters
        ----------
        region : str
            ISO 3166-1 alpha-2 code.
        category_id : int, optional
            YouTube category; by default all of them mixed.
        max_pages : int
            Pages of 50, each for a unit; a chart has 200 videos at most.

        Returns
        -------
        Crawl
            Dataset ``videos`` with ``rank``, 1 at the top. ``expected`` is what the platform's
            estimate leads to expect of these pages.

        Raises
        ------
        ConfigError
            For an unknown region.
        GoneError
            For a category without a chart in the region.
        """
        fixed = [("part", _VIDEO_PARTS), ("chart", "mostPopular"), ("regionCode", region)]
        if category_id is not None:
            fixed.append(("videoCategoryId", str(category_id)))
        gathering = Gathering("videos", "video_id", VIDEOS.empty(), rank=True)
        self._follow(gathering, VIDEOS, "videos", fixed, max_pages)
        return gathering.crawl(expected=_expected(gathering.total, max_pages, _CHART_LIMIT))

    def videos_by_ids(self, ids: Sequence[str]) -> Crawl:
        """Return videos by id.

        Parameters
        ----------
        ids : sequence of str
            Ids; each is asked for once, 50 a call.

        Returns
        -------
        Crawl
            Dataset ``videos``. ``missing_ids`` are deleted or private, ``unfetched_ids`` could
            not be asked for.
        """
        return self._by_ids("videos", "video_id", VIDEOS, _VIDEO_PARTS, ids)

    def channels_by_ids(self, ids: Sequence[str]) -> Crawl:
        """Return channels by id; see `videos_by_ids`. Hidden subscriber counts are None."""
        return self._by_ids("channels", "channel_id", CHANNELS, _CHANNEL_PARTS, ids)

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
        """Search for videos. Dear: each page is a call of the search bucket.

        Parameters
        ----------
        q : str, optional
            Words; ``|`` is or, ``-`` is not.
        region, category_id, channel_id, event_type, order
            As the API has them.
        published_after, published_before : datetime, optional
            Aware bounds of the publication.
        max_pages : int
            Pages of 50.

        Returns
        -------
        Crawl
            Dataset ``search``, titles unescaped. ``expected`` is None: the API's total is an
            estimate that means little.
        """
        wished = {
            "q": q,
            "regionCode": region,
            "videoCategoryId": category_id,
            "channelId": channel_id,
            "eventType": event_type,
            "publishedAfter": _rfc3339(published_after),
            "publishedBefore": _rfc3339(published_before),
        }
        fixed = [("part", "snippet"), ("type", "video"), ("order", order)]
        fixed += [(name, str(value)) for name, value in wished.items() if value is not None]
        gathering = Gathering("search", "result_id", SEARCH.empty())
        self._follow(gathering, SEARCH, "search", fixed, min(max_pages, _SEARCH_LIMIT // _PAGE))
        return gathering.crawl()

    def search_live(
        self,
        q: str | None = None,
        *,
        region: str | None = None,
        category_id: int | None = None,
        max_pages: int = 1,
    ) -> Crawl:
        """Search for broadcasts that are live now, most watched first; see `search`."""
        return self.search(
            q,
            region=region,
            category_id=category_id,
            event_type="live",
            order="viewCount",
            max_pages=max_pages,
        )

    def video_categories(self, region: str) -> Crawl:
        """Return the video categories of a region (dataset ``categories``)."""
        params = [("part", "snippet"), ("regionCode", region)]
        gathering = Gathering("categories", "category_id", CATEGORIES.empty())
        gathering.add(self._page(CATEGORIES, "videoCategories", params))
        return gathering.crawl()

    def _page(self, decoder: PageDecoder[Any], path: str, params: list[tuple[str, str]]) -> Page:
        return fetch_page(self._transport, decoder, f"{path}.list", path, params)[0]

    def _follow(
        self,
        gathering: Gathering,
        decoder: PageDecoder[Any],
        path: str,
        fixed: list[tuple[str, str]],
        max_pages: int,
    ) -> None:
        params = [*fixed, ("maxResults", str(_PAGE))]

        def fetch(cursor: str | None) -> Page:
            more = [("pageToken", cursor)] if cursor else []
            return self._page(decoder, path, [*params, *more])

        follow_pages(gathering, fetch, page_size=_PAGE, max_pages=max_pages)

    def _by_ids(
        self, dataset: str, key: str, decoder: PageDecoder[Any], parts: str, ids: Sequence[str]
    ) -> Crawl:
        if any("," in item for item in ids):
            raise ConfigError("An id holds a comma.", fix="Pass each id on its own.")
        gathering = Gathering(dataset, key, decoder.empty())
        missing, unfetched = follow_ids(
            gathering,
            ids,
            _PAGE,
            lambda batch: self._page(
                decoder,
                dataset,
                [("part", parts), ("id", ",".join(batch))],
            ),
        )
        return gathering.crawl(
            expected=len({*ids} - {""}), missing_ids=missing, unfetched_ids=unfetched
        )


def _expected(total: int | None, max_pages: int, limit: int) -> int | None:
    return None if total is None else min(total, max_pages * _PAGE, limit)


def _rfc3339(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ConfigError(f"{moment} has no time zone.", fix="Pass aware times.")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
