"""A client of Twitch Helix."""

import contextlib
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, Self

import httpx

from aurastream.sources.errors import ConfigError, SourceError
from aurastream.sources.paging import Ending, Gathering, fetch_page, follow_ids, follow_pages
from aurastream.sources.ports import Breaker, Clock, Crawl, Page, QuotaGate, RateLimiter
from aurastream.sources.token import AppToken
from aurastream.sources.transport import Fault, RetryPolicy, Transport, http_client
from aurastream.sources.wire.faults import twitch_fault
from aurastream.sources.wire.pages import PageDecoder
from aurastream.sources.wire.twitch import (
    CLIPS,
    GAMES,
    STREAMS,
    TOP_GAMES,
    TWITCH_CHANNELS,
    TWITCH_VIDEOS,
    USERS,
)

__all__ = ["TwitchClient"]

_log = logging.getLogger(__name__)
_PAGE: Final = 100
# Pages come short now and then; twice the pages that full ones would take is plenty.
_SPARE_PAGES: Final = 3
# A wide range leaves clips out that a narrower one brings, so no request spans more than a day.
_CLIP_WINDOW: Final = timedelta(days=1)
# About a thousand clips of a range is all that Helix shows, some fewer or some more.
_CLIP_REACH: Final = 900
_SHORTEST_CLIP_WINDOW: Final = timedelta(hours=1)
_CUT: Final = "a full page came without a cursor: there may be more"
# An unknown token once gave a bucket of 30 instead of a 401.
_ANONYMOUS_LIMIT: Final = 30
_DOUBT_PAUSE_S: Final = 600.0
_BATCH_FAULT: Final = partial(twitch_fault, is_batch=True)


class TwitchClient:
    """Typed calls of Twitch Helix. Thread-safe.

    Parameters
    ----------
    base_url : str
        For example ``https://api.twitch.tv``, or a replay server.
    auth_url : str
        For example ``https://id.twitch.tv``, or the same replay server.
    client_id, client_secret : str
        Of the application registered with Twitch; never logged.
    redis_url : str or None
        Where the app token is shared; see `aurastream.sources.token.AppToken`.
    http : httpx.Client, optional
        Connection pool to share; by default one of its own, closed by `close`.
    gate, limiter, breaker, clock, retry, extra_headers, quota_profile, run_id
        See `aurastream.sources.transport.Transport`.
    timeout_s, max_connections
        Of its own connection pool, see `aurastream.sources.transport.http_client`.

    Raises
    ------
    KeyInvalidError
        When id or secret cannot be one.

    Notes
    -----
    Every method raises a `aurastream.sources.errors.SourceError` when nothing at all was
    answered, and returns an incomplete crawl when a part was.
    """

    def __init__(
        self,
        base_url: str,
        auth_url: str,
        client_id: str,
        client_secret: str,
        *,
        redis_url: str | None = None,
        http: httpx.Client | None = None,
        gate: QuotaGate | None = None,
        limiter: RateLimiter | None = None,
        breaker: Breaker | None = None,
        clock: Clock | None = None,
        retry: RetryPolicy | None = None,
        extra_headers: Callable[[], Mapping[str, str]] | None = None,
        quota_profile: str = "granular_2026",
        run_id: str | None = None,
        timeout_s: float = 20.0,
        max_connections: int = 10,
    ) -> None:
        self._http = http or http_client(timeout_s=timeout_s, max_connections=max_connections)
        self._owns_http = http is None
        shared: dict[str, Any] = {
            "http": self._http,
            "breaker": breaker,
            "clock": clock,
            "retry": retry,
            "extra_headers": extra_headers,
            "run_id": run_id,
        }
        self._token = AppToken(auth_url, client_id, client_secret, redis_url=redis_url, **shared)
        self._transport = Transport(
            "twitch",
            f"{base_url.rstrip('/')}/helix",
            fault=twitch_fault,
            auth=self._token,
            gate=gate,
            limiter=limiter,
            quota_profile=quota_profile,
            **shared,
        )
        self._doubted_s: float | None = None

    def __enter__(self) -> Self:
        """Return the client; it is closed on leaving."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the client."""
        self.close()

    @property
    def rate_remaining(self) -> int | None:
        """Return the points of the minute that were left at the last answer; None before it."""
        return self._transport.rate_remaining

    @property
    def clock_off_s(self) -> float | None:
        """Return by how much Twitch's clock was ahead of ours at the last answer; None before."""
        return self._transport.clock_off_s

    def close(self) -> None:
        """Close the connections to Redis, and the pool unless it is shared."""
        self._token.close()
        if self._owns_http:
            self._http.close()

    def top_games(self, top_n: int = 100) -> Crawl:
        """Return the most watched games.

        Parameters
        ----------
        top_n : int
            Number of games, 1 or more.

        Returns
        -------
        Crawl
            Dataset ``top_games`` with ``rank``, 1 at the top.
        """
        gathering = Gathering("top_games", "game_id", TOP_GAMES.empty(), rank=True)
        self._follow(gathering, _List(TOP_GAMES, "games/top"), top_n)
        gathering.keep(range(min(top_n, len(gathering))))
        return gathering.crawl()

    def games(self, *, ids: Sequence[str] = (), names: Sequence[str] = ()) -> Crawl:
        """Return games by id and by exact name, 100 a call (dataset ``games``)."""
        return self._by_keys(
            _List(GAMES, "games"),
            "game_id",
            by_id=("id", ids),
            by_name=("name", "game_name", names),
        )

    def streams(self, game_id: str, top_n: int = 100) -> Crawl:
        """Return the most watched live streams of a game.

        Parameters
        ----------
        game_id : str
            Twitch game id.
        top_n : int
            Number of streams, 1 or more.

        Returns
        -------
        Crawl
            Dataset ``streams``, most viewers first, with ``rank``, 1 at the top. No more streams
            than ``top_n`` may well be live: that is a complete crawl.
        """
        gathering = Gathering("streams", "stream_id", STREAMS.empty())
        self._follow(
            gathering, _List(STREAMS, "streams", (("game_id", game_id), ("type", "live"))), top_n
        )
        return _ranked(gathering, "viewer_count", "stream_id", top_n)

    def clips(
        self, game_id: str, started_at: datetime, ended_at: datetime, *, max_items: int = 1000
    ) -> Crawl:
        """Return the clips of a game made in [started_at, ended_at).

        Helix leaves clips out of wide ranges, ends or begins to repeat itself after about a
        thousand, and returns clips from outside the range in no dependable order. So the range is
        asked for day by day, a part with about a thousand clips is halved, and filter and order
        are applied here.

        Parameters
        ----------
        game_id : str
            Twitch game id.
        started_at, ended_at : datetime
            Aware bounds; the end is excluded.
        max_items : int
            Clips to return, the most viewed ones; also the most to fetch for one day.

        Returns
        -------
        Crawl
            Dataset ``clips``, most viewed first; capped where a day, or all of them, had more.
        """
        _check_range(started_at, ended_at)
        gathering = Gathering("clips", "clip_id", CLIPS.empty())
        start = started_at
        while start < ended_at:
            end = min(start + _CLIP_WINDOW, ended_at)
            self._clip_window(gathering, game_id, start, end, max_items)
            if gathering.error is not None:
                break
            start = end
        made, views, ids = (
            gathering.columns[name] for name in ("created_at", "view_count", "clip_id")
        )
        inside = [index for index, at in enumerate(made) if started_at <= at < ended_at]
        inside.sort(key=lambda index: (-views[index], ids[index]))
        gathering.is_capped = gathering.is_capped or len(inside) > max_items
        gathering.keep(inside[:max_items])
        return gathering.crawl()

    def videos(
        self,
        *,
        ids: Sequence[str] = (),
        user_id: str | None = None,
        game_id: str | None = None,
        top_n: int = 100,
    ) -> Crawl:
        """Return past broadcasts and uploads by id, or the newest of one user or game.

        Raises
        ------
        ConfigError
            Unless exactly one of ``ids``, ``user_id`` and ``game_id`` is given.
        """
        if sum(map(bool, (ids, user_id, game_id))) != 1:
            raise ConfigError(
                "Videos are asked for by ids, by user or by game.", fix="Pass exactly one of them."
            )
        if ids:
            return self._by_keys(_List(TWITCH_VIDEOS, "videos"), "video_id", by_id=("id", ids))
        name, value = ("user_id", user_id) if user_id else ("game_id", game_id)
        gathering = Gathering("twitch_videos", "video_id", TWITCH_VIDEOS.empty())
        self._follow(gathering, _List(TWITCH_VIDEOS, "videos", ((name, str(value)),)), top_n)
        gathering.keep(range(min(top_n, len(gathering))))
        return gathering.crawl()

    def channels(self, broadcaster_ids: Sequence[str]) -> Crawl:
        """Return channels by broadcaster id, 100 a call (dataset ``twitch_channels``).

        A batch that the platform answers with an empty 500 is asked once more and then halved.
        """
        return self._by_keys(
            _List(TWITCH_CHANNELS, "channels"),
            "broadcaster_id",
            by_id=("broadcaster_id", broadcaster_ids),
        )

    def users(self, *, ids: Sequence[str] = (), logins: Sequence[str] = ()) -> Crawl:
        """Return users by id and by login, 100 a call (dataset ``users``)."""
        lowered = [login.lower() for login in logins]
        return self._by_keys(
            _List(USERS, "users"),
            "user_id",
            by_id=("id", ids),
            by_name=("login", "user_login", lowered),
        )

    def _clip_window(
        self, gathering: Gathering, game_id: str, start: datetime, end: datetime, max_items: int
    ) -> None:
        bounds = (("started_at", _rfc3339(start)), ("ended_at", _rfc3339(end)))
        part = Gathering("clips", "clip_id", CLIPS.empty())
        try:
            ending = self._follow(
                part, _List(CLIPS, "clips", (("game_id", game_id), *bounds)), max_items
            )
        except SourceError as error:
            if not gathering.fetches:
                raise
            gathering.stop(f"clips from {bounds[0][1]} on failed: {error.message}", error)
            return
        # A part whose next page failed may look full, and what it lacks is not known.
        shown = part.item_count
        is_full = part.error is None and (
            ending == "cut" or (shown >= _CLIP_REACH and ending != "enough")
        )
        is_halved = is_full and end - start > _SHORTEST_CLIP_WINDOW
        if is_halved:
            # Narrower ranges bring what this one hides, and say themselves when they do not.
            part.reasons.clear()
        elif is_full and shown < _CLIP_REACH:
            part.stop(_CUT)
        elif is_full and not part.reasons:
            part.stop(f"Helix shows no more than {shown} clips from {bounds[0][1]} on")
        gathering.merge(part)
        if is_halved:
            middle = start + (end - start) / 2
            for half in ((start, middle), (middle, end)):
                if gathering.error is None:
                    self._clip_window(gathering, game_id, *half, max_items)

    def _follow(self, gathering: Gathering, asked: "_List", top_n: int) -> Ending:
        size = min(max(top_n, 1), _PAGE)

        def fetch(cursor: str | None) -> Page:
            more = [("first", str(size)), *([("after", cursor)] if cursor else [])]
            return self._page(asked, [*asked.fixed, *more])

        ending = follow_pages(
            gathering,
            fetch,
            page_size=size,
            max_pages=2 * math.ceil(top_n / _PAGE) + _SPARE_PAGES,
            wanted=top_n,
            # Clips come again in another order long before the end of their list.
            is_ordered=asked.decoder is CLIPS,
        )
        gathering.is_capped = ending == "enough"
        if ending == "cut" and asked.decoder is not CLIPS:  # those can be asked in parts
            gathering.stop(_CUT)
        return ending

    def _page(
        self, asked: "_List", params: Sequence[tuple[str, str]], fault: Fault | None = None
    ) -> Page:
        page, headers = fetch_page(
            self._transport, asked.decoder, asked.path, asked.path, params, fault=fault
        )
        limit = headers.get("ratelimit-limit", "")
        if limit.isdecimal() and int(limit) <= _ANONYMOUS_LIMIT:
            self._doubt_token(int(limit))
        return page

    def _doubt_token(self, limit: int) -> None:
        """Fetch another token, seldom: this answer is good, the next ones shall not crawl."""
        now_s = self._transport.clock.monotonic()
        if self._doubted_s is not None and now_s - self._doubted_s < _DOUBT_PAUSE_S:
            return
        self._doubted_s = now_s
        _log.warning("Twitch allows only %d calls a minute, as if it did not know our token", limit)
        with contextlib.suppress(SourceError):
            self._token.renew(self._token.headers())

    def _by_keys(
        self,
        asked: "_List",
        key: str,
        *,
        by_id: tuple[str, Sequence[str]],
        by_name: tuple[str, str, Sequence[str]] | None = None,
    ) -> Crawl:
        """Ask by (parameter, ids) and then by (parameter, column, names)."""
        gathering = Gathering(asked.decoder.kind, key, asked.decoder.empty())
        questions = [(by_id[0], key, by_id[1]), *([by_name] if by_name else [])]
        missing: list[str] = []
        unfetched: list[str] = []
        for parameter, column, keys in questions:

            def fetch(batch: list[str], parameter: str = parameter) -> Page:
                return self._page(asked, [(parameter, item) for item in batch], _BATCH_FAULT)

            absent, unknown = follow_ids(gathering, keys, _PAGE, fetch, column=column)
            missing += absent
            unfetched += unknown
        return gathering.crawl(
            expected=sum(len({*keys} - {""}) for _, _, keys in questions),
            missing_ids=missing,
            unfetched_ids=unfetched,
        )


@dataclass(frozen=True, slots=True)
class _List:
    """A list of Helix: how it is decoded, where it lies, what is always asked."""

    decoder: PageDecoder[Any]
    path: str
    fixed: tuple[tuple[str, str], ...] = ()


def _ranked(gathering: Gathering, by: str, tie: str, top_n: int) -> Crawl:
    """Return the crawl in descending order of a column: pages shift while they are fetched."""
    values, ties = gathering.columns[by], gathering.columns[tie]
    order = sorted(range(len(values)), key=lambda index: (-values[index], ties[index]))
    gathering.keep(order[:top_n])
    gathering.columns["rank"] = list(range(1, len(order[:top_n]) + 1))
    return gathering.crawl()


def _check_range(started_at: datetime, ended_at: datetime) -> None:
    if started_at.tzinfo is None or ended_at.tzinfo is None or started_at >= ended_at:
        raise ConfigError(
            f"The range from {started_at} to {ended_at} is empty or has no time zone.",
            fix="Pass aware times, the start before the end.",
        )


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
