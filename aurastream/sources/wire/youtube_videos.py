"""Videos of the YouTube Data API v3 into columns.

Nearly all bytes of a video are its snippet, which seldom changes. Two ways of reading give the same
columns: the whole page by a typed decoder, which is the fastest for videos never seen before; and
the counters alone, with the rest taken from memory where its bytes are those of last time, which is
the fastest for charts that bring the same videos again, in every region and at every poll.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from aurastream.sources.ports import Columns
from aurastream.sources.wire.pages import PageDecoder
from aurastream.sources.wire.values import iso_duration_s, refuse_nul, refuse_wild_instants
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

__all__ = ["VIDEOS", "VideoPages", "video_pages"]


class _VideoSnippet(Answer, frozen=True, kw_only=True):
    # In the order in which the API writes them: msgspec looks for the next key here first.
    published_at: Instant | None = None
    channel_id: MaybeId
    title: str
    description: str = ""
    thumbnails: Thumbnails = NO_THUMBNAILS
    channel_title: str = ""
    tags: list[str] = msgspec.field(default_factory=list)
    category_id: str | None = None
    live_broadcast_content: str | None = None
    default_language: str | None = None
    default_audio_language: str | None = None


class _VideoDetails(Answer, frozen=True):
    duration: str | None = None
    definition: str | None = None
    caption: bool | None = None  # a string on the wire
    licensed_content: bool | None = None


class _VideoStatistics(Answer, frozen=True):
    view_count: Counter | None = None
    like_count: Counter | None = None
    comment_count: Counter | None = None


class _Broadcast(Answer, frozen=True):
    concurrent_viewers: Counter | None = None
    scheduled_start_time: Instant | None = None
    actual_start_time: Instant | None = None


class _VideoStatus(Answer, frozen=True):
    made_for_kids: bool | None = None


class _Topics(Answer, frozen=True):
    topic_categories: list[str] = msgspec.field(default_factory=list)


_NO_SNIPPET = _VideoSnippet(title="", channel_id="")
_NO_DETAILS = _VideoDetails()
_NO_STATISTICS = _VideoStatistics()
_NO_BROADCAST = _Broadcast()
_NO_STATUS = _VideoStatus()
_NO_TOPICS = _Topics()
_NOTHING = msgspec.Raw(b"")


class _Video(Answer, frozen=True):
    id: Id
    snippet: _VideoSnippet = _NO_SNIPPET
    content_details: _VideoDetails = _NO_DETAILS
    status: _VideoStatus = _NO_STATUS
    statistics: _VideoStatistics = _NO_STATISTICS
    topic_details: _Topics = _NO_TOPICS
    live_streaming_details: _Broadcast = _NO_BROADCAST


class _Sighting(Answer, frozen=True):
    """A video whose facts are still bytes."""

    id: Id
    snippet: msgspec.Raw = _NOTHING
    content_details: msgspec.Raw = _NOTHING
    status: _VideoStatus = _NO_STATUS
    statistics: _VideoStatistics = _NO_STATISTICS
    topic_details: msgspec.Raw = _NOTHING
    live_streaming_details: _Broadcast = _NO_BROADCAST

    def read(self) -> "_Video":
        """Read the facts too."""
        return _Video(
            self.id,
            _snippet(self.snippet) if self.snippet != _NOTHING else _NO_SNIPPET,
            _details(self.content_details) if self.content_details != _NOTHING else _NO_DETAILS,
            self.status,
            self.statistics,
            _topics(self.topic_details) if self.topic_details != _NOTHING else _NO_TOPICS,
            self.live_streaming_details,
        )


_snippet = msgspec.json.Decoder(_VideoSnippet).decode
_details = msgspec.json.Decoder(_VideoDetails, strict=False).decode
_topics = msgspec.json.Decoder(_Topics).decode

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


def _facts(videos: list[_Video]) -> list[list[Any]]:
    """Return the columns of `_FACTS`."""
    snippets = [video.snippet for video in videos]
    details = [video.content_details for video in videos]
    states = [item.live_broadcast_content for item in snippets]
    lengths = iso_duration_s([item.duration for item in details])
    if "live" in states or "upcoming" in states:
        # A broadcast that has not ended has no length, whatever is written.
        lengths = [
            None if state in ("live", "upcoming") else length
            for state, length in zip(states, lengths, strict=True)
        ]
    published = [item.published_at for item in snippets]
    refuse_wild_instants(published)
    texts = [item.category_id for item in snippets]
    numbers = {text: category_number(text) for text in set(texts)}
    return [
        [None if item is _NO_SNIPPET else item.title for item in snippets],
        [item.description for item in snippets],
        [item.tags for item in snippets],
        [item.channel_id for item in snippets],
        [item.channel_title for item in snippets],
        [numbers[text] for text in texts],
        published,
        lengths,
        [item.definition for item in details],
        [item.caption for item in details],
        [item.licensed_content for item in details],
        [item.default_language for item in snippets],
        [item.default_audio_language for item in snippets],
        states,
        [largest(item.thumbnails) for item in snippets],
        [video.topic_details.topic_categories for video in videos],
    ]


def _columns(
    videos: Sequence[_Video | _Sighting], facts: Sequence[list[Any]], *, is_live: bool
) -> Columns:
    columns = dict(zip(_FACTS, facts, strict=True))
    if is_live and None in columns["title"]:
        raise ValueError("the part snippet is missing although it was asked for")
    counters = [video.statistics for video in videos]
    return {
        "video_id": [video.id for video in videos],
        "views": [item.view_count for item in counters],
        "likes": [item.like_count for item in counters],
        "comments": [item.comment_count for item in counters],
        **columns,
        **_broadcast_columns([video.live_streaming_details for video in videos]),
        "is_made_for_kids": [video.status.made_for_kids for video in videos],
    }


def _broadcast_columns(broadcasts: list[_Broadcast]) -> Columns:
    if broadcasts.count(_NO_BROADCAST) == len(broadcasts):  # the rule in a chart
        names = ("concurrent_viewers", "scheduled_start_at", "actual_start_at")
        return {name: [None] * len(broadcasts) for name in names}
    scheduled = [item.scheduled_start_time for item in broadcasts]
    started = [item.actual_start_time for item in broadcasts]
    refuse_wild_instants([*scheduled, *started])
    return {
        "concurrent_viewers": [item.concurrent_viewers for item in broadcasts],
        "scheduled_start_at": scheduled,
        "actual_start_at": started,
    }


_Fact = tuple[Any, ...]
_Known = tuple[msgspec.Raw, msgspec.Raw, msgspec.Raw, _Fact]


class _FactsMemo:
    """The facts of the videos seen lately, and the bytes they were read from.

    The texts are held once. So the lists of tags and topics are shared between rows; nobody may
    change them in place.

    Parameters
    ----------
    limit : int
        Videos remembered, about 4 KB each; all are forgotten when there are more.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: dict[str, _Known] = {}

    def facts(self, seen: list[_Sighting]) -> list[list[Any]]:
        """Return the columns of `_FACTS`; `ValueError` when new ones cannot be, keeping none."""
        known = self._known.get
        rows: list[Any] = []
        new = []
        for place, video in enumerate(seen):
            entry = known(video.id)
            if (
                entry is None
                or entry[0] != video.snippet
                or entry[1] != video.content_details
                or entry[2] != video.topic_details
            ):
                new.append(place)
                rows.append(None)
            else:
                rows.append(entry[3])
        if new:
            fresh = [seen[place] for place in new]
            read = _facts([video.read() for video in fresh])
            for column in read:
                refuse_nul([column])
            for place, row in zip(new, zip(*read, strict=True), strict=True):
                rows[place] = row
            self._remember(fresh, [rows[place] for place in new])
        return list(map(list, zip(*rows, strict=True)))

    def _remember(self, fresh: list[_Sighting], rows: list[_Fact]) -> None:
        if len(self._known) + len(fresh) > self._limit:
            self._known = {}
        for video, row in zip(fresh, rows, strict=True):
            # Copies: the originals are views that would hold the whole page.
            self._known[video.id] = (
                video.snippet.copy(),
                video.content_details.copy(),
                video.topic_details.copy(),
                row,
            )


_PAGE_OF = pages_of("youtube#videoListResponse")


class _Sightings:
    """The second way of reading, and when it pays: sightings of the same videos come in runs.

    Parameters
    ----------
    limit : int
        Videos whose facts are remembered.
    """

    def __init__(self, limit: int) -> None:
        self.are_expected = False
        self._memo = _FactsMemo(limit)
        self._seen: set[str] = set()
        self._limit = 10 * limit
        self._page = msgspec.json.Decoder(_PAGE_OF(_Sighting), strict=False)

    def read(self, body: bytes, *, is_live: bool) -> tuple[Any, Columns]:
        """Read a page, with the facts of known videos from memory."""
        page = self._page.decode(body)
        columns = _columns(page.items, self._memo.facts(page.items), is_live=is_live)
        refuse_nul([columns["video_id"]])
        return page, columns

    def note(self, ids: list[str]) -> None:
        """Expect of the next page what this one was: mostly seen before, or mostly not."""
        self.are_expected = 2 * len(self._seen.intersection(ids)) > len(ids)
        if len(self._seen) > self._limit:
            self._seen = set()
        self._seen.update(ids)


@dataclass(frozen=True)
class VideoPages(PageDecoder[_Video]):
    """Reads pages of videos in the way that is faster; both give the same columns.

    Parameters
    ----------
    sightings : _Sightings
        What is remembered from page to page.
    """

    sightings: _Sightings = field(kw_only=True, repr=False, compare=False)

    def _read(self, body: bytes, *, is_live: bool) -> tuple[Any, Columns]:
        read = self.sightings.read if self.sightings.are_expected else super()._read
        page, columns = read(body, is_live=is_live)
        self.sightings.note(columns["video_id"])
        return page, columns


def video_pages(limit: int = 5_000) -> VideoPages:
    """Return a decoder that has seen no video yet and remembers the facts of so many."""
    return VideoPages(
        "videos",
        "items",
        _PAGE_OF,
        _Video,
        _to_columns,
        strict=False,
        sightings=_Sightings(limit),
    )


def _to_columns(videos: list[_Video], is_live: bool) -> Columns:  # noqa: FBT001 # the decoder's signature
    return _columns(videos, _facts(videos), is_live=is_live)


VIDEOS = video_pages()
