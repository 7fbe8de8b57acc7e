"""Twitch Helix answers: their structs and their way into columns.

Keys that Helix added over the years may be absent, ``tags`` may be null, ``game_id`` of an
uncategorised stream is the empty string and stays it, ``started_at`` may be empty just after the
start.
"""

from typing import Annotated, Any

import msgspec

from aurastream.sources.ports import Columns
from aurastream.sources.wire.pages import PageDecoder
from aurastream.sources.wire.values import MAX_COUNTER, parse_instant, twitch_duration_s

__all__ = [
    "BY_PATH",
    "CLIPS",
    "GAMES",
    "STREAMS",
    "TOP_GAMES",
    "TWITCH_CHANNELS",
    "TWITCH_VIDEOS",
    "USERS",
]

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
_BigCount = Annotated[int, msgspec.Meta(ge=0, le=MAX_COUNTER)]
_Offset = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=2**31 - 1)]
# An index refuses values of a few thousand characters, and one such id the whole crawl with it.
_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
_MaybeId = Annotated[str, msgspec.Meta(max_length=200)]


class _Struct(msgspec.Struct, gc=False, frozen=True):
    """Structs that live for one page; the collector need not look at them."""


class _Stream(_Struct, frozen=True):
    id: _Id
    user_id: _MaybeId
    viewer_count: _Count
    game_id: _MaybeId = ""
    user_login: _MaybeId = ""
    user_name: str = ""
    title: str = ""
    started_at: str | None = None
    language: str = ""
    tags: list[str] | None = None
    is_mature: bool | None = None


class _Game(_Struct, frozen=True):
    id: _Id
    name: str
    box_art_url: str = ""
    igdb_id: _MaybeId = ""


class _Clip(_Struct, frozen=True):
    id: _Id
    broadcaster_id: _MaybeId
    created_at: str
    view_count: _BigCount
    broadcaster_name: str = ""
    creator_id: _MaybeId = ""
    video_id: _MaybeId = ""
    game_id: _MaybeId = ""
    title: str = ""
    language: str = ""
    duration: _Seconds | None = None
    vod_offset: _Offset | None = None
    thumbnail_url: str | None = None


class _MutedSegment(_Struct, frozen=True):
    duration: _Count = 0


class _Video(_Struct, frozen=True):
    id: _Id
    user_id: _MaybeId
    created_at: str
    view_count: _BigCount = 0
    stream_id: _MaybeId | None = None
    user_login: _MaybeId = ""
    user_name: str = ""
    title: str = ""
    description: str = ""
    published_at: str | None = None
    url: str = ""
    thumbnail_url: str | None = None
    viewable: str = ""
    language: str = ""
    type: str = ""
    duration: str | None = None
    muted_segments: list[_MutedSegment] | None = None


class _Channel(_Struct, frozen=True):
    broadcaster_id: _Id
    broadcaster_login: _MaybeId = ""
    broadcaster_name: str = ""
    broadcaster_language: str = ""
    game_id: _MaybeId = ""
    game_name: str = ""
    title: str = ""
    tags: list[str] | None = None


class _User(_Struct, frozen=True):
    id: _Id
    login: _MaybeId
    display_name: str = ""
    type: str = ""
    broadcaster_type: str = ""
    description: str = ""
    profile_image_url: str | None = None
    created_at: str | None = None


class _Pagination(_Struct, frozen=True):
    cursor: str | None = None


_LAST = _Pagination()


class _Page(_Struct, frozen=True, kw_only=True):
    data: list[Any]
    pagination: _Pagination | None = _LAST

    def entries(self) -> list[Any]:
        return self.data

    def cursor(self) -> str | None:
        return (self.pagination and self.pagination.cursor) or None

    def total(self) -> int | None:
        """Return None: the lists we ask for name no total."""


def _page_of(item_type: Any) -> type[Any]:  # noqa: ANN401 # a struct or msgspec.Raw
    return msgspec.defstruct(
        "Page", [("data", list[item_type])], bases=(_Page,), kw_only=True, frozen=True, gc=False
    )


def _stream_columns(streams: list[_Stream], is_live: bool) -> Columns:  # noqa: ARG001, FBT001 # the decoder's signature
    return {
        "game_id": [stream.game_id for stream in streams],
        "stream_id": [stream.id for stream in streams],
        "user_id": [stream.user_id for stream in streams],
        "user_login": [stream.user_login for stream in streams],
        "user_name": [stream.user_name for stream in streams],
        "title": [stream.title for stream in streams],
        "viewer_count": [stream.viewer_count for stream in streams],
        "started_at": [parse_instant(stream.started_at) for stream in streams],
        "language": [stream.language for stream in streams],
        "tags": [stream.tags or [] for stream in streams],
        "is_mature": [stream.is_mature for stream in streams],
    }


def _game_columns(games: list[_Game], is_live: bool) -> Columns:  # noqa: ARG001, FBT001 # the decoder's signature
    return {
        "game_id": [game.id for game in games],
        "game_name": [game.name for game in games],
        "box_art_url": [game.box_art_url or None for game in games],
        "igdb_id": [game.igdb_id or None for game in games],
    }


def _top_game_columns(games: list[_Game], is_live: bool) -> Columns:  # noqa: ARG001, FBT001 # the decoder's signature
    return {
        "game_id": [game.id for game in games],
        "game_name": [game.name for game in games],
    }


def _clip_columns(clips: list[_Clip], is_live: bool) -> Columns:  # noqa: ARG001, FBT001 # the decoder's signature
    created = [parse_instant(clip.created_at) for clip in clips]
    if None in created:
        raise ValueError("created_at is empty")
    return {
        "game_id": [clip.game_id for clip in clips],
        "clip_id": [clip.id for clip in clips],
        "broadcaster_id": [clip.broadcaster_id for clip in clips],
        "broadcaster_name": [clip.broadcaster_name for clip in clips],
        "creator_id": [clip.creator_id for clip in clips],
        "video_id": [clip.video_id for clip in clips],
        "title": [clip.title for clip in clips],
        "view_count": [clip.view_count for clip in clips],
        "language": [clip.language for clip in clips],
        "created_at": created,
        "duration_s": [clip.duration for clip in clips],
        "vod_offset_s": [clip.vod_offset for clip in clips],
        "thumbnail_url": [clip.thumbnail_url or None for clip in clips],
    }


def _video_columns(videos: list[_Video], is_live: bool) -> Columns:  # noqa: ARG001, FBT001 # the decoder's signature
    return {
        "video_id": [video.id for video in videos],
        "stream_id": [video.stream_id or None for video in videos],
        "user_id": [video.user_id for video in videos],
        "user_login": [video.user_login for video in videos],
        "user_name": [video.user_name for video in videos],
        "title": [video.title for video in videos],
        "description": [video.description for video in videos],
        "created_at": [parse_instant(video.created_at) for video in videos],
        "published_at": [parse_instant(video.published_at) for video in videos],
        "url": [video.url for video in videos],
        "thumbnail_url": [video.thumbnail_url or None for video in videos],
        "viewable": [video.viewable for video in videos],
        "view_count": [video.view_count for video in videos],
        "language": [video.language for video in videos],
        "type": [video.type for video in videos],
        "duration_s": [twitch_duration_s(video.duration) for video in videos],
        "muted_s": [
            sum(segment.duration for segment in video.muted_segments or ()) for video in videos
        ],
    }


def _channel_columns(channels: list[_Channel], is_live: bool) -> Columns:  # noqa: ARG001, FBT001 # the decoder's signature
    return {
        "broadcaster_id": [channel.broadcaster_id for channel in channels],
        "broadcaster_login": [channel.broadcaster_login for channel in channels],
        "broadcaster_name": [channel.broadcaster_name for channel in channels],
        "broadcaster_language": [channel.broadcaster_language for channel in channels],
        "game_id": [channel.game_id for channel in channels],
        "game_name": [channel.game_name for channel in channels],
        "title": [channel.title for channel in channels],
        "tags": [channel.tags or [] for channel in channels],
    }


def _user_columns(users: list[_User], is_live: bool) -> Columns:  # noqa: ARG001, FBT001 # the decoder's signature
    return {
        "user_id": [user.id for user in users],
        "user_login": [user.login for user in users],
        "user_name": [user.display_name for user in users],
        "type": [user.type for user in users],
        "broadcaster_type": [user.broadcaster_type for user in users],
        "description": [user.description for user in users],
        "profile_image_url": [user.profile_image_url or None for user in users],
        "created_at": [parse_instant(user.created_at) for user in users],
    }


STREAMS = PageDecoder("streams", "data", _page_of, _Stream, _stream_columns)
TOP_GAMES = PageDecoder("top_games", "data", _page_of, _Game, _top_game_columns)
GAMES = PageDecoder("games", "data", _page_of, _Game, _game_columns)
CLIPS = PageDecoder("clips", "data", _page_of, _Clip, _clip_columns)
TWITCH_VIDEOS = PageDecoder("twitch_videos", "data", _page_of, _Video, _video_columns)
TWITCH_CHANNELS = PageDecoder("twitch_channels", "data", _page_of, _Channel, _channel_columns)
USERS = PageDecoder("users", "data", _page_of, _User, _user_columns)

BY_PATH: dict[str, PageDecoder[Any]] = {
    "streams": STREAMS,
    "games/top": TOP_GAMES,
    "games": GAMES,
    "clips": CLIPS,
    "videos": TWITCH_VIDEOS,
    "channels": TWITCH_CHANNELS,
    "users": USERS,
}
