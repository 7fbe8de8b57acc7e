"""The Helix endpoints: parameters in, Twitch's JSON out, with its documented misbehaviours.

A quirk is switched on per request by the fault switchboard; each is named where it acts, by its
id in `aurastream.replay.quirks`.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from aurastream.replay import cursors
from aurastream.replay.broadcasts import Live
from aurastream.replay.catalog import GAMES
from aurastream.replay.clips import Clips, ClipSet
from aurastream.replay.hashing import mix_int, uniform
from aurastream.replay.helix_items import channel_item, game_item, user_item, video_item
from aurastream.replay.limits import POINTS_PER_MINUTE, PointsBuckets
from aurastream.replay.moments import DAY, parse_rfc3339
from aurastream.replay.tokens import TokenOffice
from aurastream.replay.twitch_world import TwitchWorld
from aurastream.replay.wire import Answer, ApiError, Query, Request, whole

__all__ = ["HelixApi", "helix_error", "rate_headers"]

MAX_PAGE: Final = 100
_CLIPS_REACH: Final = 1_000  # the reference: about 1,000 results over several requests
_CLIPS_BACK_DAYS: Final = 14  # how far "all time" reaches in the replay
_CLIPS_WINDOW_DAYS: Final = 7  # started_at without ended_at
_VOD_DAYS: Final = 14
_VOD_GAME_DAYS: Final = 3
_QUIRK_POINTS: Final = 600
_QUIRK_LOW_LIMIT: Final = 30
_QUIRK_BATCH: Final = 5
_TYPES: Final = frozenset({"all", "archive", "highlight", "upload"})
_PERIODS: Final = {"all": 60, "day": 1, "week": 7, "month": 30}
_SORTS: Final = frozenset({"time", "trending", "views"})
_REASONS: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


def helix_error(status: int, message: str) -> ApiError:
    """Return an error in Helix's shape."""
    body = {"error": _REASONS.get(status, "Error"), "status": status, "message": message}
    return ApiError(Answer.json(body, status))


def rate_headers(limit: int, remaining: int, reset: int) -> dict[str, str]:
    """Return the three rate-limit headers."""
    return {
        "ratelimit-limit": str(limit),
        "ratelimit-remaining": str(remaining),
        "ratelimit-reset": str(reset),
    }


class HelixApi:
    """The endpoints under ``/helix``.

    Parameters
    ----------
    world : TwitchWorld
        Games, channels and broadcasts.
    tokens : TokenOffice
        Reads tokens.
    points : PointsBuckets
        Points per client and minute.
    """

    def __init__(self, world: TwitchWorld, tokens: TokenOffice, points: PointsBuckets) -> None:
        self._world = world
        self._tokens = tokens
        self._points = points
        self._clips = Clips(world)
        self.routes: dict[str, tuple[str, Callable[[Request], Answer]]] = {
            "/helix/streams": ("streams", self.streams),
            "/helix/games": ("games", self.games),
            "/helix/games/top": ("games/top", self.top_games),
            "/helix/clips": ("clips", self.clips),
            "/helix/videos": ("videos", self.videos),
            "/helix/channels": ("channels", self.channels),
            "/helix/users": ("users", self.users),
        }

    def admit(self, request: Request) -> dict[str, str]:
        """Check token and client, take a point; return the rate-limit headers of the answer.

        Raises
        ------
        ApiError
            401 for a missing or wrong token or client, 429 when the minute's points are gone.
        """
        kind, _, text = request.headers.get("authorization", "").partition(" ")
        client = request.headers.get("client-id", "")
        if not text:
            raise helix_error(401, "OAuth token is missing")
        if not client:
            raise helix_error(401, "Client ID is missing")
        token = self._tokens.read(text, request.now) if kind.lower() == "bearer" else None
        limit = self._points.limit
        if token is None:
            if "token_valid_but_rate_30" not in request.quirks:
                raise helix_error(401, "Invalid OAuth token")
            limit = _QUIRK_LOW_LIMIT
        elif not self._tokens.is_of(token, client):
            raise helix_error(401, "Client ID and OAuth token do not match")
        granted = limit
        if "429_at_600_per_minute" in request.quirks:
            granted = min(limit, _QUIRK_POINTS * limit // POINTS_PER_MINUTE)
        caller = client if token is not None else f"{client} without token"
        allowed, remaining, reset = self._points.spend(
            caller, request.now, limit=limit, granted=granted
        )
        headers = rate_headers(limit, remaining, reset)
        if not allowed:
            error = helix_error(429, "Too Many Requests")
            error.answer.headers.update(headers)
            raise error
        return headers

    def streams(self, request: Request) -> Answer:
        """Answer ``GET /streams``, the most watched first."""
        query = request.query
        size = _first(query)
        if query.one("type", "live") not in {"live", "all"}:
            raise helix_error(400, 'The parameter "type" was malformed')
        live = self._select(query, request.now)
        quirks = request.quirks
        if "short_pages_dead_cursor" in quirks:
            size = max(1, size // 2)
        page = self._stream_page(query, live, size, quirks)
        items = self._world.stream_items(live, page, request.base)
        if "stream_null_or_empty_fields" in quirks:
            items = _spoiled(items)
        cursor = self._stream_cursor(live, page, query, quirks)
        return _listing(items, cursor, quirks)

    def top_games(self, request: Request) -> Answer:
        """Answer ``GET /games/top``."""
        order = self._world.top_games(request.now)
        return _offset_page(
            request,
            order,
            lambda part: [orjson.dumps(game_item(GAMES[n], request.base)) for n in part],
        )

    def games(self, request: Request) -> Answer:
        """Answer ``GET /games`` by ids or names; unknown ones drop out, there is no paging."""
        query = request.query
        ids, names, igdb = query.many("id"), query.many("name"), query.many("igdb_id")
        if not ids and not names and not igdb:
            raise helix_error(400, "Missing required parameter id, name or igdb_id")
        _at_most(len(ids) + len(names) + len(igdb), "id")
        wanted = {*ids, *(name.casefold() for name in names), *(f"igdb:{each}" for each in igdb)}
        found = [
            game_item(game, request.base)
            for game in GAMES
            if wanted & {game.game_id, game.name.casefold(), f"igdb:{game.igdb_id or None}"}
        ]
        return Answer.json({"data": found})

    def clips(self, request: Request) -> Answer:
        """Answer ``GET /clips`` by game, broadcaster or ids, the most viewed first."""
        query, now, quirks = request.query, request.now, request.quirks
        ways = [name for name in ("id", "game_id", "broadcaster_id") if query.has(name)]
        if len(ways) != 1:
            raise helix_error(400, "Must provide one of id, game_id or broadcaster_id")
        if ways == ["id"]:
            _at_most(len(query.many("id")), "id")
            sets = [each for one in query.many("id") if (each := self._clips.by_id(one, now))]
            items = [item for each in sets for item in self._clips.items(each, now, request.base)]
            return _listing(items, "", quirks)
        start, end = _clip_window(query, now)
        found = self._clips_between(query, start, end, now)
        if found is None:
            return _listing([], "", quirks)
        started = query.has("started_at")
        if "clips_missing_in_wide_range" in quirks and end - start > DAY:
            lost = uniform(9_001, found.channel, found.number) < 0.2  # noqa: PLR2004 # a fifth
            found = found.take(np.flatnonzero(~lost))
        views = found.views(now)
        by_views = np.lexsort((found.number, found.channel, found.day, -views))
        if "clips_not_sorted_with_started_at" in quirks and started:
            by_views = np.argsort(found.created, kind="stable")
        if "clips_before_started_at" in quirks and started:
            early = self._clips_between(query, start - DAY, start - 1, now)
            if early is not None and early.day.size:
                latest = early.take(np.array([int(np.argmax(early.created))]))
                by_views = np.concatenate([[found.day.size], by_views])
                found = ClipSet.join([found, latest])
        return self._clip_page(request, found, by_views)

    def videos(self, request: Request) -> Answer:
        """Answer ``GET /videos``: recordings of broadcasts by ids, user or game."""
        query = request.query
        ways = [name for name in ("id", "user_id", "game_id") if query.has(name)]
        if len(ways) != 1:
            raise helix_error(400, "Must provide one of id, user_id or game_id")
        for name, allowed, default in (
            ("type", _TYPES, "all"),
            ("period", frozenset(_PERIODS), "all"),
            ("sort", _SORTS, "time"),
        ):
            if query.one(name, default) not in allowed:
                raise helix_error(400, f'The parameter "{name}" was malformed')
        sessions = self._recordings(query, ways[0], request.now)
        if ways == ["id"] and not sessions:
            raise helix_error(404, "videos not found")
        if query.one("type", "all") in {"highlight", "upload"}:
            sessions = []
        videos = [video_item(self._world, *each, request.now, request.base) for each in sessions]
        if query.has("language"):
            videos = [each for each in videos if each["language"] == query.one("language")]
        if query.one("sort", "time") != "time":
            videos.sort(key=lambda each: (-each["view_count"], each["id"]))
        return _offset_page(request, videos, lambda part: [orjson.dumps(each) for each in part])

    def channels(self, request: Request) -> Answer:
        """Answer ``GET /channels``; unknown ids drop out, there is no paging."""
        ids = request.query.many("broadcaster_id")
        if not ids:
            raise helix_error(400, 'Missing required parameter "broadcaster_id"')
        _at_most(len(ids), "broadcaster_id")
        if not all(each.isdecimal() for each in ids):
            raise helix_error(400, 'The parameter "broadcaster_id" was malformed')
        if "channels_500_empty_message" in request.quirks and len(ids) > _QUIRK_BATCH:
            raise helix_error(500, "")
        found = [self._world.channel_of_user(each) for each in dict.fromkeys(ids)]
        data = [channel_item(self._world, each, request.now) for each in found if each is not None]
        return Answer.json({"data": data})

    def users(self, request: Request) -> Answer:
        """Answer ``GET /users`` by ids or logins; there is no paging."""
        query = request.query
        ids, names = query.many("id"), query.many("login")
        if not ids and not names:
            raise helix_error(400, "Must provide an ID, Login or OAuth Token")
        _at_most(len(ids) + len(names), "id")
        if not all(each.isdecimal() for each in ids):
            raise helix_error(400, "Invalid username(s), email(s), or ID(s). Bad Identifiers.")
        found = [self._world.channel_of_user(each) for each in ids]
        found += [self._world.channel_of_login(each) for each in names]
        people = dict.fromkeys(each for each in found if each is not None)
        data = [user_item(self._world.broadcaster(each), request.base) for each in people]
        return Answer.json({"data": data})

    def _select(self, query: Query, now: float) -> Live:
        """Return the live streams a query asks for, in order."""
        games, people = query.many("game_id"), query.many("user_id")
        logins, languages = query.many("user_login"), query.many("language")
        for name, values in (("game_id", games), ("user_id", people), ("user_login", logins)):
            _at_most(len(values), name)
        if len(games) == 1:
            game = self._world.game_index.get(games[0])
            live = self._world.broadcasts.live(now, len(GAMES) if game is None else game)
        else:
            live = self._world.broadcasts.live(now)
        keep = np.ones(live.channel.size, dtype=bool)
        if len(games) > 1:
            wanted = [self._world.game_index.get(each, -1) for each in games]
            keep &= np.isin(live.game, wanted)
        if people or logins:
            found = [self._world.channel_of_user(each) for each in people]
            found += [self._world.channel_of_login(each) for each in logins]
            keep &= np.isin(live.channel, [each for each in found if each is not None])
        if languages:
            spoken = self._world.languages_of(live.channel)
            keep &= np.isin(spoken, languages)
        if keep.all():
            return live
        return Live(*(getattr(live, name)[keep] for name in Live.__slots__))

    def _stream_page(self, query: Query, live: Live, size: int, quirks: frozenset[str]) -> range:
        total = live.channel.size
        side = "a" if query.has("after") else "b" if query.has("before") else ""
        if not side:
            return range(min(size, total))
        if side == "a" and "invalid_cursor_400_mid_crawl" in quirks:
            raise helix_error(400, "invalid cursor")
        text = query.one("after" if side == "a" else "before")
        place = cursors.read_stream_cursor(text, side)
        if place is None:
            raise helix_error(400, "invalid cursor")
        if place == "dead":
            return range(0)
        if isinstance(place, str):
            return range(min(size, total))
        viewers, channel = place
        after = (live.viewers < viewers) | ((live.viewers == viewers) & (live.channel > channel))
        if side == "a":
            start = total - int(after.sum())
            return range(start, min(start + size, total))
        at = (live.viewers == viewers) & (live.channel == channel)
        end = total - int((after | at).sum())
        return range(max(0, end - size), end)

    def _stream_cursor(self, live: Live, page: range, query: Query, quirks: frozenset[str]) -> str:
        total = live.channel.size
        if not page:
            return ""
        first, last = (
            (int(live.viewers[n]), int(live.channel[n])) for n in (page.start, page.stop - 1)
        )
        if "short_pages_dead_cursor" in quirks:
            return cursors.DEAD
        if page.stop < total or "cursor_then_empty_last_page" in quirks:
            return cursors.write_stream_cursor(first if page.start else None, last)
        if "last_page_cursor_loops" in quirks:
            return cursors.START
        del query
        return ""

    def _clips_between(self, query: Query, start: float, end: float, now: float) -> ClipSet | None:
        if query.has("game_id"):
            game = self._world.game_index.get(query.one("game_id"))
            return None if game is None else self._clips.of_game(game, start, end, now)
        channel = self._world.channel_of_user(query.one("broadcaster_id"))
        return None if channel is None else self._clips.of_channel(channel, start, end, now)

    def _clip_page(self, request: Request, found: ClipSet, order: NDArray[np.int64]) -> Answer:
        query, quirks = request.query, request.quirks
        size = _first(query)
        start = _offset(query, quirks)
        reach = min(order.size, _CLIPS_REACH)
        repeats = "clips_same_items_after_1000" in quirks and reach > 0
        if repeats and start >= reach:
            # The same clips again in another order, for ever.
            mixed = np.array([mix_int(start * 31 + int(n)) for n in order[:reach]], dtype=np.uint64)
            page = order[:reach][np.argsort(mixed)][:size]
        else:
            page = order[start : min(start + size, reach)]
        items = self._clips.items(found.take(page), request.now, request.base)
        cursor = ""
        goes_on = start + size < reach or repeats or "cursor_then_empty_last_page" in quirks
        if page.size and goes_on:
            cursor = cursors.write_offset(start + size)
        elif page.size and "last_page_cursor_loops" in quirks:
            cursor = cursors.START
        return _listing(items, cursor, quirks)

    def _recordings(self, query: Query, way: str, now: float) -> list[tuple[int, int]]:
        """Return (day, position) of recordings that exist at a moment, the newest first."""
        days = range(int(now // DAY) + 1, int(now // DAY) - _VOD_DAYS, -1)
        sessions = self._world.broadcasts.sessions
        found: list[tuple[int, int]] = []
        if way == "id":
            _at_most(len(query.many("id")), "id")
            if not all(each.isdecimal() for each in query.listed("id")):
                raise helix_error(400, 'The parameter "id" was malformed')
            known = [self._world.session_of_vod(each) for each in query.listed("id")]
            found = [each for each in known if each is not None]
        elif way == "user_id":
            channel = self._world.channel_of_user(query.one("user_id"))
            for day in days if channel is not None else ():
                place = self._world.session_of(day, channel or 0)
                if place is not None:
                    found.append((day, place))
        else:
            game = self._world.game_index.get(query.one("game_id"))
            for day in days[: _VOD_GAME_DAYS + 1] if game is not None else ():
                where = sessions(day).of(game)
                found += [(day, place) for place in range(where.start, where.stop)]
        oldest = now - min(_PERIODS[query.one("period", "all")], _VOD_DAYS) * DAY
        started = [(int(sessions(day).start[place]), day, place) for day, place in found]
        if way != "id":
            started.sort(reverse=True)
        return [(day, place) for at, day, place in started if oldest <= at <= now]


def _listing(items: Sequence[bytes], cursor: str, quirks: frozenset[str]) -> Answer:
    """Return a page; an empty cursor means the last one."""
    pagination = b"{}"
    if cursor and "pagination_without_cursor_key" not in quirks:
        if "double_encoded_cursor" in quirks and cursor != cursors.START:
            cursor = cursors.double(cursor)
        pagination = b'{"cursor":"%b"}' % cursor.encode()
    return Answer(body=b'{"data":[%b],"pagination":%b}' % (b",".join(items), pagination))


def _offset_page(
    request: Request, rows: Sequence[Any], encode: Callable[[Sequence[Any]], list[bytes]]
) -> Answer:
    """Return a page of a list whose cursors are places."""
    query, quirks = request.query, request.quirks
    size = _first(query)
    if query.has("before"):
        end = cursors.read_offset(query.one("before"))
        if end is None:
            raise helix_error(400, "invalid cursor")
        start = max(0, end - size)
    else:
        start = _offset(query, quirks)
    part = rows[start : start + size]
    more = start + size < len(rows) or ("cursor_then_empty_last_page" in quirks and part)
    cursor = cursors.write_offset(start + size) if more else ""
    if part and not cursor and "last_page_cursor_loops" in quirks:
        cursor = cursors.START
    return _listing(encode(part), cursor, quirks)


def _offset(query: Query, quirks: frozenset[str]) -> int:
    if not query.has("after"):
        return 0
    offset = cursors.read_offset(query.one("after"))
    if offset is None or "invalid_cursor_400_mid_crawl" in quirks:
        raise helix_error(400, "invalid cursor")
    return offset


def _first(query: Query) -> int:
    size = whole(query.one("first", "20"))
    malformed = 'The parameter "first" was malformed: the value must be'
    if size is None or size < 1:
        raise helix_error(400, f"{malformed} greater than or equal to 1")
    if size > MAX_PAGE:
        raise helix_error(400, f"{malformed} less than or equal to {MAX_PAGE}")
    return size


def _at_most(count: int, name: str) -> None:
    if count > MAX_PAGE:
        raise helix_error(
            400, f'The parameter "{name}" was malformed: at most {MAX_PAGE} values are allowed'
        )


def _clip_window(query: Query, now: float) -> tuple[float, float]:
    try:
        start = parse_rfc3339(query.one("started_at")) if query.has("started_at") else None
        end = parse_rfc3339(query.one("ended_at")) if query.has("ended_at") else None
    except ValueError as error:
        raise helix_error(400, "started_at and ended_at must be in RFC3339 format") from error
    if start is None:
        # The reference: ended_at counts only together with started_at.
        return now - _CLIPS_BACK_DAYS * DAY, now
    # However wide the window, the replay's clips do not live longer than this.
    begin = max(start, now - _CLIPS_BACK_DAYS * DAY)
    return begin, max(begin, start + _CLIPS_WINDOW_DAYS * DAY if end is None else end)


def _spoiled(items: list[bytes]) -> list[bytes]:
    """Return streams as they come seconds after their start: empty, null and zero fields."""
    changes: tuple[dict[str, Any], ...] = (
        {"viewer_count": 0, "tag_ids": None},
        {"game_id": "", "game_name": ""},
        {"type": ""},
    )
    spoiled = [orjson.dumps(orjson.loads(item) | change) for item, change in zip(items, changes)]  # noqa: B905 # the shorter counts
    return spoiled + items[len(spoiled) :]
