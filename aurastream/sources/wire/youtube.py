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
from aurastream.sources.wire.values import as_counters, iso_duration_s

__all__ = ["CATEGORIES", "CHANNELS", "KINDS", "SEARCH", "VIDEOS"]

_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_Id = Annotated[str, msgspec.Meta(min_length=1)]


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
    caption: Literal["true", "false"] | None = None
    licensed_content: bool | None = None


class _VideoStatistics(_Struct, frozen=True):
    view_count: str | None = None
    like_count: str | None = None
    comment_count: str | None = None


class _Broadcast(_Struct, frozen=True):
    concurrent_viewers: str | None = None
    scheduled_start_time: _Instant | None = None
    actual_start_time: _Instant | None = None
    actual_end_time: _Instant | None = None


class _VideoStatus(_Struct, frozen=True):
    made_for_kids: bool | None = None


class _Topics(_Struct, frozen=True):
    topic_categories: list[str] = []


_NO_SNIPPET = _VideoSnippet(title="", channel_id="")
_NO_DETAILS = _VideoDetails()
_NO_STATISTICS = _VideoStatistics()
_NO_BROADCAST = _Broadcast()
_NO_STATUS = _VideoStatus()
_NO_TOPICS = _Topics()


class _Video(_Struct, frozen=True):
    id: _Id
    snippet: _VideoSnippet = _NO_SNIPPET
    content_details: _VideoDetails = _NO_DETAILS
    status: _VideoStatus = _NO_STATUS
    statistics: _VideoStatistics = _NO_STATISTICS
    topic_details: _Topics = _NO_TOPICS
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
    view_count: str | None = None
    subscriber_count: str | None = None
    hidden_subscriber_count: bool = False
    video_count: str | None = None


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


def _category_number(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isdecimal() and text.isascii()) or len(text) > _MAX_DIGITS:
        raise ValueError(f"categoryId {text!r} is not a category number")
    return int(text)


class _CategoryNumbers(dict[str | None, int | None]):
    """The few dozen category ids there are."""

    def __missing__(self, text: str | None) -> int | None:
        number = _category_number(text)
        if len(self) < _MEMO_LIMIT:
            self[text] = number
        return number


_category_numbers = _CategoryNumbers()
_MAX_DIGITS = 9
_MEMO_LIMIT = 1_000
_FLAGS = {"true": True, "false": False, None: None}


def _video_columns(videos: list[_Video], is_live: bool) -> Columns:  # noqa: FBT001 # the decoder's signature
    snippets = [video.snippet for video in videos]
    if is_live and any(snippet is _NO_SNIPPET for snippet in snippets):
        raise ValueError("the part snippet is missing although it was asked for")
    details = [video.content_details for video in videos]
    counters = [video.statistics for video in videos]
    broadcasts = [video.live_streaming_details for video in videos]
    states = [snippet.live_broadcast_content for snippet in snippets]
    numbers = _category_numbers
    return {
        "video_id": [video.id for video in videos],
        "views": as_counters([item.view_count for item in counters], "viewCount"),
        "likes": as_counters([item.like_count for item in counters], "likeCount"),
        "comments": as_counters([item.comment_count for item in counters], "commentCount"),
        "concurrent_viewers": as_counters(
            [item.concurrent_viewers for item in broadcasts], "concurrentViewers"
        ),
        "title": [item.title for item in snippets],
        "description": [item.description for item in snippets],
        "tags": [item.tags for item in snippets],
        "channel_id": [item.channel_id for item in snippets],
        "channel_title": [item.channel_title for item in snippets],
        "category_id": [numbers[item.category_id] for item in snippets],
        "published_at": [item.published_at for item in snippets],
        "duration_s": _durations(details, states),
        "definition": [item.definition for item in details],
        "has_captions": [_FLAGS[item.caption] for item in details],
        "is_licensed": [item.licensed_content for item in details],
        "default_language": [item.default_language for item in snippets],
        "audio_language": [item.default_audio_language for item in snippets],
        "live_state": states,
        "scheduled_start_at": [item.scheduled_start_time for item in broadcasts],
        "actual_start_at": [item.actual_start_time for item in broadcasts],
        "actual_end_at": [item.actual_end_time for item in broadcasts],
        "thumbnail_url": [_largest(item.thumbnails) for item in snippets],
        "is_made_for_kids": [video.status.made_for_kids for video in videos],
        "topic_categories": [video.topic_details.topic_categories for video in videos],
    }


def _durations(details: list[_VideoDetails], states: list[str | None]) -> list[int | None]:
    """Return lengths in seconds; a broadcast that has not ended has none, whatever is written."""
    found = iso_duration_s([item.duration for item in details])
    if "live" in states or "upcoming" in states:
        return [
            None if state in ("live", "upcoming") else seconds
            for seconds, state in zip(found, states, strict=True)
        ]
    return found


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
        "views": as_counters([item.view_count for item in counters], "viewCount"),
        "subscribers": as_counters(
            [None if c.hidden_subscriber_count else c.subscriber_count for c in counters],
            "subscriberCount",
        ),
        "videos": as_counters([item.video_count for item in counters], "videoCount"),
    }


def _category_columns(categories: list[_Category], is_live: bool) -> Columns:  # noqa: ARG001, FBT001 # the decoder's signature
    return {
        "category_id": [_category_number(category.id) for category in categories],
        "title": [category.snippet.title for category in categories],
        "is_assignable": [category.snippet.assignable for category in categories],
    }


VIDEOS = PageDecoder("videos", "items", _pages("youtube#videoListResponse"), _Video, _video_columns)
SEARCH = PageDecoder(
    "search", "items", _pages("youtube#searchListResponse"), _SearchResult, _search_columns
)
CHANNELS = PageDecoder(
    "channels", "items", _pages("youtube#channelListResponse"), _Channel, _channel_columns
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
