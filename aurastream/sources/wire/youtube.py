"""YouTube Data API v3 answers: their structs and their way into columns.

Counters are strings on the wire. A missing likeCount or commentCount means hidden or switched
off: None, never 0. Titles of search results are HTML-escaped, titles of lists never are, so only
the former are unescaped.
"""

import html
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from aurastream.sources.ports import Columns
from aurastream.sources.wire.pages import PageDecoder
from aurastream.sources.wire.values import MAX_COUNTER, iso_duration_s, refuse_nul

__all__ = ["CATEGORIES", "CHANNELS", "KINDS", "SEARCH", "VIDEOS"]

_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_Id = Annotated[str, msgspec.Meta(min_length=1)]
# Written as strings; the decoders of videos and channels read them as numbers.
_Counter = Annotated[int, msgspec.Meta(ge=0, le=MAX_COUNTER)]


class _Struct(msgspec.Struct, gc=False, frozen=True, rename="camel"):
    """Structs that live for one page; the collector need not look at them."""


class _Thumbnail(_Struct, frozen=True):
    url: str = ""


_NO_THUMBNAIL = _Thumbnail()


class _Thumbnails(_Struct, frozen=True):
    default: _Thumbnail = _NO_THUMBNAIL
    medium: _Thumbnail = _NO_THUMBNAIL
    high: _Thumbnail = _NO_THUMBNAIL
    standard: _Thumbnail = _NO_THUMBNAIL
    maxres: _Thumbnail = _NO_THUMBNAIL


_NO_THUMBNAILS = _Thumbnails()


class _VideoSnippet(_Struct, frozen=True, kw_only=True):
    # In the order in which the API writes them: msgspec looks for the next key here first.
    published_at: _Instant | None = None
    channel_id: str
    title: str
    description: str = ""
    thumbnails: _Thumbnails = _NO_THUMBNAILS
    channel_title: str = ""
    tags: list[str] = []
    category_id: str | None = None
    live_broadcast_content: str | None = None
    default_language: str | None = None
    default_audio_language: str | None = None


class _VideoDetails(_Struct, frozen=True):
    duration: str | None = None
    definition: str | None = None
    caption: bool | None = None  # a string on the wire
    licensed_content: bool | None = None


class _VideoStatistics(_Struct, frozen=True):
    view_count: _Counter | None = None
    like_count: _Counter | None = None
    comment_count: _Counter | None = None


class _Broadcast(_Struct, frozen=True):
    concurrent_viewers: _Counter | None = None
    scheduled_start_time: _Instant | None = None
    actual_start_time: _Instant | None = None


class _VideoStatus(_Struct, frozen=True):
    made_for_kids: bool | None = None


class _Topics(_Struct, frozen=True):
    topic_categories: list[str] = []


_NOTHING = msgspec.Raw(b"")
_NO_STATISTICS = _VideoStatistics()
_NO_BROADCAST = _Broadcast()
_NO_STATUS = _VideoStatus()
_NO_TOPICS = _Topics()


class _Video(_Struct, frozen=True):
    id: _Id
    snippet: msgspec.Raw = _NOTHING
    content_details: msgspec.Raw = _NOTHING
    status: _VideoStatus = _NO_STATUS
    statistics: _VideoStatistics = _NO_STATISTICS
    topic_details: msgspec.Raw = _NOTHING
    live_streaming_details: _Broadcast = _NO_BROADCAST


class _SearchId(_Struct, frozen=True):
    kind: str
    video_id: str | None = None
    channel_id: str | None = None
    playlist_id: str | None = None


class _SearchSnippet(_Struct, frozen=True):
    title: str
    channel_id: str
    published_at: _Instant | None = None
    description: str = ""
    channel_title: str = ""
    live_broadcast_content: str | None = None
    thumbnails: _Thumbnails = _NO_THUMBNAILS


class _SearchResult(_Struct, frozen=True):
    id: _SearchId
    snippet: _SearchSnippet


class _ChannelSnippet(_Struct, frozen=True):
    title: str
    published_at: _Instant | None = None
    country: str | None = None


class _ChannelStatistics(_Struct, frozen=True):
    view_count: _Counter | None = None
    subscriber_count: _Counter | None = None
    hidden_subscriber_count: bool = False
    video_count: _Counter | None = None


_NO_CHANNEL_SNIPPET = _ChannelSnippet(title="")
_NO_CHANNEL_STATISTICS = _ChannelStatistics()


class _Channel(_Struct, frozen=True):
    id: _Id
    snippet: _ChannelSnippet = _NO_CHANNEL_SNIPPET
    statistics: _ChannelStatistics = _NO_CHANNEL_STATISTICS


class _CategorySnippet(_Struct, frozen=True):
    title: str
    assignable: bool = False


class _Category(_Struct, frozen=True):
    id: _Id
    snippet: _CategorySnippet


class _PageInfo(_Struct, frozen=True):
    total_results: int | None = None


_NO_PAGE_INFO = _PageInfo()


class _Page(_Struct, frozen=True, kw_only=True):
    next_page_token: str | None = None
    page_info: _PageInfo = _NO_PAGE_INFO
    items: list[Any] = []

    def entries(self) -> list[Any]:
        return self.items

    def cursor(self) -> str | None:
        return self.next_page_token

    def total(self) -> int | None:
        return self.page_info.total_results


def _pages(kind: str) -> Callable[[Any], type[Any]]:
    """Return a maker of page types that insist on ``kind``: ``{}`` is no empty chart."""

    def page_of(item_type: Any) -> type[Any]:  # noqa: ANN401 # a struct or msgspec.Raw
        return msgspec.defstruct(
            "Page",
            [
                ("kind", Literal[kind]),
                ("items", list[item_type], msgspec.field(default_factory=list)),
            ],
            bases=(_Page,),
            kw_only=True,
            frozen=True,
            gc=False,
            rename="camel",
        )

    return page_of


def _largest(thumbnails: _Thumbnails) -> str | None:
    return (
        thumbnails.maxres.url
        or thumbnails.standard.url
        or thumbnails.high.url
        or thumbnails.medium.url
        or thumbnails.default.url
        or None
    )


_MAX_DIGITS = 9


def _category_number(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isdecimal() and text.isascii()) or len(text) > _MAX_DIGITS:
        raise ValueError(f"categoryId {text!r} is not a category number")
    return int(text)


# What seldom changes in a video, in the order of these columns.
_FACTS = (
    "title",
    "description",
    "tags",
    "channel_id",
    "channel_title",
    "category_id",
    "published_at",
    "duration_s",
    "definition",
    "has_captions",
    "is_licensed",
    "default_language",
    "audio_language",
    "live_state",
    "thumbnail_url",
    "topic_categories",
)
_Facts = tuple[Any, ...]
_Known = tuple[msgspec.Raw, msgspec.Raw, msgspec.Raw, _Facts]
_NO_SNIPPET = _VideoSnippet(title="", channel_id="")
_snippets = msgspec.json.Decoder(_VideoSnippet)
_details = msgspec.json.Decoder(_VideoDetails, strict=False)
_topics = msgspec.json.Decoder(_Topics)


class _FactsMemo:
    """What was read from the snippets, details and topics of the videos seen lately.

    Charts bring the same videos again, in every region and at every poll, and nothing but their
    counters has changed: comparing the bytes is much cheaper than reading them anew, and the texts
    are held once. So the lists of tags and topics are shared between rows; nobody may change
    them in place.

    Parameters
    ----------
    limit : int
        Videos remembered, about 4 KB each; all are forgotten when there are more.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: dict[str, _Known] = {}

    def facts(self, videos: list[_Video]) -> list[_Facts]:
        """Return the facts of each video."""
        known = self._known.get
        found = []
        for video in videos:
            entry = known(video.id)
            if (
                entry is None
                or entry[0] != video.snippet
                or entry[1] != video.content_details
                or entry[2] != video.topic_details
            ):
                entry = self._read(video)
            found.append(entry[3])
        return found

    def _read(self, video: _Video) -> _Known:
        # Copies: the originals are views that would hold the whole page.
        snippet, details, topics = (
            part.copy() for part in (video.snippet, video.content_details, video.topic_details)
        )
        entry = snippet, details, topics, _facts(snippet, details, topics)
        if len(self._known) >= self._limit:
            self._known = {}
        self._known[video.id] = entry
        return entry


def _facts(raw_snippet: msgspec.Raw, raw_details: msgspec.Raw, raw_topics: msgspec.Raw) -> _Facts:
    snippet = _snippets.decode(raw_snippet) if raw_snippet != _NOTHING else _NO_SNIPPET
    details = _details.decode(raw_details) if raw_details != _NOTHING else _VideoDetails()
    topics = _topics.decode(raw_topics) if raw_topics != _NOTHING else _NO_TOPICS
    (length,) = iso_duration_s([details.duration])
    state = snippet.live_broadcast_content
    facts = (
        snippet.title if raw_snippet != _NOTHING else None,
        snippet.description,
        snippet.tags,
        snippet.channel_id,
        snippet.channel_title,
        _category_number(snippet.category_id),
        snippet.published_at,
        # A broadcast that has not ended has no length, whatever is written.
        None if state in ("live", "upcoming") else length,
        details.definition,
        details.caption,
        details.licensed_content,
        snippet.default_language,
        snippet.default_audio_language,
        state,
        _largest(snippet.thumbnails),
        topics.topic_categories,
    )
    texts = [fact for fact in facts if isinstance(fact, str)]
    refuse_nul([snippet.tags, topics.topic_categories, texts])
    return facts


_memo = _FactsMemo(limit=5_000)


def _video_columns(videos: list[_Video], is_live: bool) -> Columns:  # noqa: FBT001 # the decoder's signature
    columns = map(list, zip(*_memo.facts(videos), strict=True)) if videos else ([] for _ in _FACTS)
    facts = dict(zip(_FACTS, columns, strict=True))
    if is_live and None in facts["title"]:
        raise ValueError("the part snippet is missing although it was asked for")
    counters = [video.statistics for video in videos]
    ids = [video.id for video in videos]
    refuse_nul([ids])
    return {
        "video_id": ids,
        "views": [item.view_count for item in counters],
        "likes": [item.like_count for item in counters],
        "comments": [item.comment_count for item in counters],
        **facts,
        **_broadcast_columns([video.live_streaming_details for video in videos]),
        "is_made_for_kids": [video.status.made_for_kids for video in videos],
    }


def _broadcast_columns(broadcasts: list[_Broadcast]) -> Columns:
    if broadcasts.count(_NO_BROADCAST) == len(broadcasts):  # the rule in a chart
        names = ("concurrent_viewers", "scheduled_start_at", "actual_start_at")
        return {name: [None] * len(broadcasts) for name in names}
    return {
        "concurrent_viewers": [item.concurrent_viewers for item in broadcasts],
        "scheduled_start_at": [item.scheduled_start_time for item in broadcasts],
        "actual_start_at": [item.actual_start_time for item in broadcasts],
    }


def _search_columns(results: list[_SearchResult], is_live: bool) -> Columns:  # noqa: ARG001, FBT001 # the decoder's signature
    ids = [result.id for result in results]
    snippets = [result.snippet for result in results]
    if any(not (i.video_id or i.channel_id or i.playlist_id) for i in ids):
        raise ValueError("the result names neither a video nor a channel nor a playlist")
    return {
        "result_kind": [item.kind.removeprefix("youtube#") for item in ids],
        "result_id": [i.video_id or i.channel_id or i.playlist_id for i in ids],
        "video_id": [item.video_id for item in ids],
        "channel_id": [item.channel_id for item in snippets],
        "title": [html.unescape(item.title) for item in snippets],
        "description": [html.unescape(item.description) for item in snippets],
        "channel_title": [html.unescape(item.channel_title) for item in snippets],
        "published_at": [item.published_at for item in snippets],
        # Channels carry "upcoming" here as soon as they plan anything: not a state of a video.
        "live_state": [
            snippet.live_broadcast_content if item.video_id else None
            for item, snippet in zip(ids, snippets, strict=True)
        ],
        "thumbnail_url": [_largest(item.thumbnails) for item in snippets],
    }


def _channel_columns(channels: list[_Channel], is_live: bool) -> Columns:  # noqa: FBT001 # the decoder's signature
    snippets = [channel.snippet for channel in channels]
    if is_live and any(snippet is _NO_CHANNEL_SNIPPET for snippet in snippets):
        raise ValueError("the part snippet is missing although it was asked for")
    counters = [channel.statistics for channel in channels]
    return {
        "channel_id": [channel.id for channel in channels],
        "title": [item.title for item in snippets],
        "country": [item.country for item in snippets],
        "published_at": [item.published_at for item in snippets],
        "views": [item.view_count for item in counters],
        "subscribers": [
            None if item.hidden_subscriber_count else item.subscriber_count for item in counters
        ],
        "videos": [item.video_count for item in counters],
    }


def _category_columns(categories: list[_Category], is_live: bool) -> Columns:  # noqa: ARG001, FBT001 # the decoder's signature
    return {
        "category_id": [_category_number(category.id) for category in categories],
        "title": [category.snippet.title for category in categories],
        "is_assignable": [category.snippet.assignable for category in categories],
    }


VIDEOS = PageDecoder(
    "videos",
    "items",
    _pages("youtube#videoListResponse"),
    _Video,
    _video_columns,
    strict=False,
    refuses_nul=True,
)
SEARCH = PageDecoder(
    "search", "items", _pages("youtube#searchListResponse"), _SearchResult, _search_columns
)
CHANNELS = PageDecoder(
    "channels",
    "items",
    _pages("youtube#channelListResponse"),
    _Channel,
    _channel_columns,
    strict=False,
)
CATEGORIES = PageDecoder(
    "categories", "items", _pages("youtube#videoCategoryListResponse"), _Category, _category_columns
)

KINDS: dict[str, PageDecoder[Any]] = {
    "youtube#videoListResponse": VIDEOS,
    "youtube#searchListResponse": SEARCH,
    "youtube#channelListResponse": CHANNELS,
    "youtube#videoCategoryListResponse": CATEGORIES,
}
