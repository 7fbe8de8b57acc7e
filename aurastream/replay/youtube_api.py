"""The YouTube Data API v3 endpoints: parameters in, Google's JSON out."""

import base64
from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

from aurastream.replay import youtube_errors as errors
from aurastream.replay.limits import QuotaBuckets
from aurastream.replay.moments import parse_rfc3339
from aurastream.replay.wire import Answer, Query, Request, whole
from aurastream.replay.youtube_live import YouTubeLive
from aurastream.replay.youtube_search import Search, SearchQuery
from aurastream.replay.youtube_world import CycleView, YouTubeWorld, etag

__all__ = ["CATEGORIES", "YouTubeApi"]

MAX_IDS: Final = 50
_CHARTED: Final = frozenset({"0", "1", "10", "20"})
_VIDEO_PARTS: Final = (
    "snippet",
    "contentDetails",
    "status",
    "statistics",
    "paidProductPlacementDetails",
    "player",
    "topicDetails",
    "recordingDetails",
    "liveStreamingDetails",
    "localizations",
    "id",
)
_OWNER_PARTS: Final = frozenset({"fileDetails", "processingDetails", "suggestions"})
_CHANNEL_PARTS: Final = (
    "snippet",
    "contentDetails",
    "statistics",
    "topicDetails",
    "status",
    "brandingSettings",
    "localizations",
    "contentOwnerDetails",
    "id",
)
_STATS_PARTS: Final = ("snippet", "contentDetails", "statistics", "id")
_SEARCH_ORDERS: Final = frozenset(
    {"date", "rating", "relevance", "title", "viewCount", "videoCount"}
)
_CATEGORY_CHANNEL: Final = "UCBR8-60-B28hp2BmDPdntcQ"
# Google's own list; those that nobody can choose for a video are not assignable.
CATEGORIES: Final = {
    "1": ("Film & Animation", True),
    "2": ("Autos & Vehicles", True),
    "10": ("Music", True),
    "15": ("Pets & Animals", True),
    "17": ("Sports", True),
    "18": ("Short Movies", False),
    "19": ("Travel & Events", True),
    "20": ("Gaming", True),
    "21": ("Videoblogging", False),
    "22": ("People & Blogs", True),
    "23": ("Comedy", True),
    "24": ("Entertainment", True),
    "25": ("News & Politics", True),
    "26": ("Howto & Style", True),
    "27": ("Education", True),
    "28": ("Science & Technology", True),
    "29": ("Nonprofits & Activism", True),
    "30": ("Movies", False),
    "31": ("Anime/Animation", False),
    "32": ("Action/Adventure", False),
    "33": ("Classics", False),
    "34": ("Comedy", False),
    "35": ("Documentary", False),
    "36": ("Drama", False),
    "37": ("Family", False),
    "38": ("Foreign", False),
    "39": ("Horror", False),
    "40": ("Sci-Fi/Fantasy", False),
    "41": ("Thriller", False),
    "42": ("Shorts", False),
    "43": ("Shows", False),
    "44": ("Trailers", False),
}


class YouTubeApi:
    """The endpoints under ``/youtube/v3``.

    Parameters
    ----------
    world : YouTubeWorld
        Archived videos and channels.
    live : YouTubeLive
        Live broadcasts.
    quotas : QuotaBuckets
        Units per key and day.
    """

    def __init__(self, world: YouTubeWorld, live: YouTubeLive, quotas: QuotaBuckets) -> None:
        self._world = world
        self._live = live
        self._quotas = quotas
        self._search = Search(world, live)
        self.routes: dict[str, tuple[str, Callable[[Request], Answer]]] = {
            "/youtube/v3/videos": ("videos.list", self.videos),
            "/youtube/v3/videos:batchGetStats": ("videos.batchGetStats", self.batch_get_stats),
            "/youtube/v3/search": ("search.list", self.search),
            "/youtube/v3/channels": ("channels.list", self.channels),
            "/youtube/v3/videoCategories": ("videoCategories.list", self.categories),
        }

    def admit(self, request: Request, endpoint: str) -> None:
        """Check the key and take the call's units; an invalid call costs as much as a valid one.

        Raises
        ------
        ApiError
            403 without a key, or where the key's bucket for the day is empty.
        """
        key = request.query.one("key") or request.headers.get("x-goog-api-key", "")
        if not key:
            raise errors.unregistered()
        if not self._quotas.spend(key, endpoint, request.now):
            raise errors.quota_exceeded()

    def videos(self, request: Request) -> Answer:
        """Answer ``videos.list`` by chart or by ids."""
        query = request.query
        parts = _parts(query, _VIDEO_PARTS)
        filters = [name for name in ("chart", "id", "myRating") if query.has(name)]
        if not filters:
            raise errors.parameter_error(
                "missingRequiredParameter",
                "No filter selected. Expected one of: myRated, idParam, id, chart",
                "",
            )
        if len(filters) > 1:
            raise errors.parameter_error(
                "incompatibleParameters",
                f"Incompatible parameters specified in the request: {', '.join(filters)}",
                "",
            )
        if filters == ["myRating"]:
            raise errors.forbidden("forbidden", "The request must be authorized by a user.")
        size = _max_results(query, low=1)
        view = self._world.view(request.now, request.base)
        if filters == ["id"]:
            items = self._by_ids(_ids(query), view, request, parts)
            return _listing("youtube#videoListResponse", items, _page_info(len(items), len(items)))
        places = self._charted(query, view, request.now)
        start = _offset(query, len(places))
        page = places[start : start + size]
        items = self._world.video_items(view, page, request.now, parts)
        return _listing(
            "youtube#videoListResponse",
            items,
            _page_tokens(start, size, len(places)) + _page_info(len(places), size),
        )

    def batch_get_stats(self, request: Request) -> Answer:
        """Answer ``videos.batchGetStats``: counters, length and publication by ids."""
        parts = _parts(request.query, _STATS_PARTS, required=False) or ("statistics",)
        ids = _ids(request.query)
        if not ids:
            raise errors.parameter_error(
                "required", "Required parameter: id", "id", domain="global"
            )
        view = self._world.view(request.now, request.base)
        places = self._world.known(view, ids, request.now)
        counters = self._world.counters(view, places, request.now)
        found = {
            view.video_ids[place]: _stats_item(
                view.video_ids[place],
                self._world.published_at(view, place),
                self._world.archive.durations[place],
                counts,
                parts,
            )
            for place, counts in zip(places, counters, strict=True)
        }
        for each in ids:
            if each not in found and (live := self._live.by_id(each, request.now)):
                found[each] = _stats_item(
                    each,
                    live.published_at(request.now),
                    live.duration(request.now),
                    self._live.counters(live, request.now),
                    parts,
                )
        items = [found[each] for each in ids if each in found]
        return _listing("youtube#batchGetStatsResponse", items, b"")

    def search(self, request: Request) -> Answer:
        """Answer ``search.list``; titles are HTML-escaped and totals are estimates."""
        query = request.query
        parts = _parts(query, ("snippet", "id"))
        size = _max_results(query, low=0)
        wanted = _search_query(query)
        view = self._world.view(request.now, request.base)
        hits = self._search.find(wanted, view, request.now)
        start = _offset(query, len(hits))
        items = []
        for hit in hits[start : start + size]:
            item = self._search.item(hit, view, request.base, request.now)
            if "snippet" not in parts:
                del item["snippet"]
            items.append(orjson.dumps(item))
        region = query.one("regionCode", "US").upper()
        estimate = len(hits) * 119 // 100 + 1 if len(hits) >= size else len(hits)
        return _listing(
            "youtube#searchListResponse",
            items,
            _page_tokens(start, size, len(hits))
            + b',"regionCode":'
            + orjson.dumps(region)
            + _page_info(estimate, size),
        )

    def channels(self, request: Request) -> Answer:
        """Answer ``channels.list`` by ids; without a hit there is no ``items`` key, as there."""
        query = request.query
        parts = _parts(query, _CHANNEL_PARTS)
        _max_results(query, low=0)
        if not query.has("id"):
            if any(query.has(name) for name in ("mine", "managedByMe", "mySubscribers")):
                raise errors.forbidden("forbidden", "The request must be authorized by a user.")
            if not any(query.has(name) for name in ("forHandle", "forUsername")):
                raise errors.parameter_error(
                    "missingRequiredParameter",
                    "No filter selected. Expected one of: mine, managedByMe, forUsername, "
                    "idParam, id, categoryId, mySubscribers",
                    "",
                )
        view = self._world.view(request.now, request.base)
        items = []
        for channel_id in _ids(query):
            if channel_id in view.channels:
                place = view.channels[channel_id]
                item = self._world.channel_item(view, place, request.now, parts)
            elif channel_id in self._live.channels:
                place = self._live.channels[channel_id]
                item = self._live.channel_item(place, request.now, parts, request.base)
            else:
                continue
            items.append(orjson.dumps(item))
        info = _page_info(len(items), max(len(items), 5))
        if not items:
            return _listing("youtube#channelListResponse", None, info)
        return _listing("youtube#channelListResponse", items, info)

    def categories(self, request: Request) -> Answer:
        """Answer ``videoCategories.list`` by region or by ids, in English whatever ``hl`` says."""
        query = request.query
        _parts(query, ("snippet", "id"))
        if query.has("id"):
            chosen = [each for each in _ids(query) if each in CATEGORIES]
        elif query.has("regionCode"):
            self._region(query)
            chosen = list(CATEGORIES)
        else:
            raise errors.parameter_error(
                "missingRequiredParameter",
                "No filter selected. Expected one of: id, regionCode",
                "",
            )
        items = []
        for category in chosen:
            title, assignable = CATEGORIES[category]
            content = {
                "kind": "youtube#videoCategory",
                "etag": etag(category.encode(), title.encode()).decode(),
                "id": category,
                "snippet": {
                    "title": title,
                    "assignable": assignable,
                    "channelId": _CATEGORY_CHANNEL,
                },
            }
            items.append(orjson.dumps(content))
        return _listing("youtube#videoCategoryListResponse", items, b"")

    def _charted(self, query: Query, view: CycleView, now: float) -> list[int]:
        if query.one("chart") != "mostPopular":
            raise errors.parameter_error(
                "invalidParameter", f"Invalid value '{query.one('chart')}'.", "chart"
            )
        region = self._region(query)
        category = query.one("videoCategoryId", "0")
        if category not in _CHARTED:
            # Since 2025-07-21 only music, movies and gaming have a chart of their own.
            raise errors.parameter_error(
                "videoChartNotFound",
                "The requested video chart is not supported or is not available.",
                "chart",
                domain="youtube.video",
                status=404,
            )
        return self._world.chart(view, region, int(category), now)

    def _region(self, query: Query) -> str:
        region = query.one("regionCode", "US").upper()
        if region not in self._world.regions:
            raise errors.parameter_error(
                "invalidRegionCode",
                "The <code>regionCode</code> parameter specifies an invalid region code.",
                "regionCode",
            )
        return region

    def _by_ids(
        self, ids: Sequence[str], view: CycleView, request: Request, parts: Sequence[str]
    ) -> list[bytes]:
        places = self._world.known(view, ids, request.now)
        items = self._world.video_items(view, places, request.now, parts)
        if len(places) == len(ids):
            return items
        by_id = {view.video_ids[place]: item for place, item in zip(places, items, strict=True)}
        for each in ids:
            if each not in by_id and (found := self._live.by_id(each, request.now)):
                by_id[each] = self._live.video_item(found, request.now, parts, request.base)
        return [by_id[each] for each in ids if each in by_id]


def _listing(kind: str, items: Sequence[bytes] | None, tail: bytes) -> Answer:
    body = b"" if items is None else b',"items":[%b]' % b",".join(items)
    tag = etag(kind.encode(), body, tail)
    return Answer(
        body=b'{"kind":"%b","etag":"%b"%b%b}' % (kind.encode(), tag, body, tail),
        media_type="application/json; charset=UTF-8",
        etag=tag.decode(),
        headers={"cache-control": "private", "vary": "Origin, X-Origin, Referer"},
    )


def _stats_item(
    video_id: str, published: str, duration: str, counts: Sequence[int], parts: Sequence[str]
) -> bytes:
    content: dict[str, Any] = {"kind": "youtube#videoStats", "etag": "", "id": video_id}
    if "snippet" in parts:
        content["snippet"] = {"publishTime": published}
    if "contentDetails" in parts:
        content["contentDetails"] = {"duration": f"{_seconds(duration)}s"}
    if "statistics" in parts:
        names = ("viewCount", "likeCount", "commentCount")
        content["statistics"] = {
            name: str(count) for name, count in zip(names, counts, strict=True) if count >= 0
        }
    content["etag"] = etag(orjson.dumps(content)).decode()
    return orjson.dumps(content)


def _parts(query: Query, known: Sequence[str], *, required: bool = True) -> tuple[str, ...]:
    """Return the parts asked for in the API's own order."""
    asked = query.listed("part")
    if not asked and required:
        raise errors.parameter_error(
            "required", "Required parameter: part", "part", domain="global"
        )
    for part in asked:
        if part in _OWNER_PARTS and "player" in known:
            raise errors.forbidden("forbidden", f"The owner of the video alone may see its {part}.")
        if part not in known:
            raise errors.parameter_error("unknownPart", f"'{part}'", "part", domain="youtube.part")
    return tuple(part for part in known if part in asked)


def _ids(query: Query) -> list[str]:
    ids = query.listed("id")
    if len(ids) > MAX_IDS:
        raise errors.parameter_error(
            "invalidFilters", "The request specifies an invalid filter parameter.", "parameters."
        )
    return ids


def _max_results(query: Query, *, low: int) -> int:
    text = query.one("maxResults", "5")
    size = whole(text)
    if size is None or not low <= size <= MAX_IDS:
        raise errors.invalid_value("maxResults", text, low, MAX_IDS)
    return size


def _offset(query: Query, size: int) -> int:
    """Read a page token: base64 of a protobuf of the offset and a direction."""
    token = query.one("pageToken")
    if not token:
        return 0
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        if raw[0] != 0x08 or raw[-2] != 0x10:  # noqa: PLR2004 # protobuf field tags
            raise ValueError(token)  # noqa: TRY301 # one way out for every malformed token
        offset = sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(raw[1:-2]))
    except (ValueError, IndexError):
        offset = -1
    if not 0 <= offset < max(size, 1):
        raise errors.parameter_error(
            "invalidPageToken", "The request specifies an invalid page token.", "pageToken"
        )
    return offset


def _token(offset: int, *, back: bool) -> bytes:
    out = bytearray([0x08])
    rest = offset
    while rest > 0x7F:  # noqa: PLR2004 # seven bits per byte of a varint
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out += bytes([rest, 0x10, int(back)])
    return base64.urlsafe_b64encode(bytes(out)).rstrip(b"=")


def _page_tokens(start: int, size: int, total: int) -> bytes:
    out = b""
    if size and start + size < total:
        out += b',"nextPageToken":"%b"' % _token(start + size, back=False)
    if start:
        out += b',"prevPageToken":"%b"' % _token(max(0, start - size), back=True)
    return out


def _page_info(total: int, size: int) -> bytes:
    return b',"pageInfo":{"totalResults":%d,"resultsPerPage":%d}' % (total, size)


def _moment(query: Query, name: str) -> float | None:
    if not query.has(name):
        return None
    try:
        return parse_rfc3339(query.one(name))
    except ValueError as error:
        raise errors.parameter_error(
            "invalidParameter", f"Invalid value '{query.one(name)}'.", name, domain="global"
        ) from error


def _search_query(query: Query) -> SearchQuery:
    event, order = query.one("eventType"), query.one("order", "relevance")
    kinds = tuple(query.listed("type")) or ("video", "channel")
    combined = event and kinds != ("video",)
    if combined or (query.has("videoCategoryId") and kinds != ("video",)):
        raise errors.parameter_error(
            "invalidSearchFilter",
            "The request contains an invalid combination of search filters and/or restrictions.",
            "parameters.",
            domain="youtube.search",
        )
    if event and event not in {"live", "upcoming", "completed", "none"}:
        raise errors.parameter_error(
            "invalidParameter", f"Invalid value '{event}'.", "eventType", domain="global"
        )
    if order not in _SEARCH_ORDERS:
        raise errors.parameter_error(
            "invalidParameter", f"Invalid value '{order}'.", "order", domain="global"
        )
    return SearchQuery(
        text=query.one("q"),
        kinds=kinds,
        event_type="" if event == "none" else event,
        channel_id=query.one("channelId"),
        after=_moment(query, "publishedAfter"),
        before=_moment(query, "publishedBefore"),
        category=whole(query.one("videoCategoryId")),
        order=order,
    )


def _seconds(duration: str) -> int:
    """Return the seconds of an ISO 8601 duration of days, hours, minutes and seconds."""
    units = {"D": 86_400, "H": 3600, "M": 60, "S": 1}
    total, digits = 0, ""
    for letter in duration:
        if letter.isdecimal():
            digits += letter
        elif letter in units:
            total += int(digits) * units[letter]
            digits = ""
    return total
