"""YouTube Data API v3 answers other than videos: their structs and their way into columns.

Counters are strings on the wire. A missing likeCount or commentCount means hidden or switched
off: None, never 0. Titles of search results are HTML-escaped, titles of lists never are, so only
the former are unescaped.
"""

import html
from typing import Any

from aurastream.sources.ports import Columns
from aurastream.sources.wire.pages import PageDecoder
from aurastream.sources.wire.values import refuse_wild_instants
from aurastream.sources.wire.youtube_common import (
    NO_THUMBNAILS,
    Answer,
    Counter,
    Id,
    Instant,
    MaybeId,
    Thumbnails,
    category_number,
    largest,
    pages_of,
)
from aurastream.sources.wire.youtube_videos import VIDEOS

__all__ = ["CATEGORIES", "CHANNELS", "KINDS", "SEARCH", "VIDEOS"]


class _SearchId(Answer, frozen=True):
    kind: str
    video_id: str | None = None
    channel_id: str | None = None
    playlist_id: str | None = None


class _SearchSnippet(Answer, frozen=True):
    title: str
    channel_id: MaybeId
    published_at: Instant | None = None
    description: str = ""
    channel_title: str = ""
    live_broadcast_content: str | None = None
    thumbnails: Thumbnails = NO_THUMBNAILS


class _SearchResult(Answer, frozen=True):
    id: _SearchId
    snippet: _SearchSnippet


class _ChannelSnippet(Answer, frozen=True):
    title: str
    published_at: Instant | None = None
    country: str | None = None


class _ChannelStatistics(Answer, frozen=True):
    view_count: Counter | None = None
    subscriber_count: Counter | None = None
    hidden_subscriber_count: bool = False
    video_count: Counter | None = None


_NO_CHANNEL_SNIPPET = _ChannelSnippet(title="")
_NO_CHANNEL_STATISTICS = _ChannelStatistics()


class _Channel(Answer, frozen=True):
    id: Id
    snippet: _ChannelSnippet = _NO_CHANNEL_SNIPPET
    statistics: _ChannelStatistics = _NO_CHANNEL_STATISTICS


class _CategorySnippet(Answer, frozen=True):
    title: str
    assignable: bool = False


class _Category(Answer, frozen=True):
    id: Id
    snippet: _CategorySnippet


def _search_columns(results: list[_SearchResult], is_live: bool) -> Columns:  # noqa: ARG001, FBT001 # the decoder's signature
    ids = [result.id for result in results]
    snippets = [result.snippet for result in results]
    if any(not (i.video_id or i.channel_id or i.playlist_id) for i in ids):
        raise ValueError("the result names neither a video nor a channel nor a playlist")
    refuse_wild_instants(item.published_at for item in snippets)
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
        "thumbnail_url": [largest(item.thumbnails) for item in snippets],
    }


def _channel_columns(channels: list[_Channel], is_live: bool) -> Columns:  # noqa: FBT001 # the decoder's signature
    snippets = [channel.snippet for channel in channels]
    if is_live and any(snippet is _NO_CHANNEL_SNIPPET for snippet in snippets):
        raise ValueError("the part snippet is missing although it was asked for")
    refuse_wild_instants(item.published_at for item in snippets)
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
        "category_id": [category_number(category.id) for category in categories],
        "title": [category.snippet.title for category in categories],
        "is_assignable": [category.snippet.assignable for category in categories],
    }


SEARCH = PageDecoder(
    "search", "items", pages_of("youtube#searchListResponse"), _SearchResult, _search_columns
)
CHANNELS = PageDecoder(
    "channels",
    "items",
    pages_of("youtube#channelListResponse"),
    _Channel,
    _channel_columns,
    strict=False,
)
CATEGORIES = PageDecoder(
    "categories",
    "items",
    pages_of("youtube#videoCategoryListResponse"),
    _Category,
    _category_columns,
)

KINDS: dict[str, PageDecoder[Any]] = {
    "youtube#videoListResponse": VIDEOS,
    "youtube#searchListResponse": SEARCH,
    "youtube#channelListResponse": CHANNELS,
    "youtube#videoCategoryListResponse": CATEGORIES,
}
