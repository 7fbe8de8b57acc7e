"""Live broadcasts on YouTube: the archive has none, so these are invented.

Every tracked game has sixty invented channels that announce, hold and end broadcasts by the same
measured curves as Twitch. An id is a scrambled (day, channel), so any of them is found again
without an index, in every state: upcoming, live, completed. Broadcasts belong to no pass through
the archive; they go on across its seam with the same ids and smooth counters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import orjson

from aurastream.replay.archive import load_twitch_shape
from aurastream.replay.broadcasts import Broadcasts, Sessions, build_roster
from aurastream.replay.catalog import GAMES, LANGUAGES, TRACKED
from aurastream.replay.hashing import base64_id, digest_id, id_number, mix_int, uniform, unmix_int
from aurastream.replay.moments import DAY, HOUR, rfc3339
from aurastream.replay.names import login, title, user_number
from aurastream.replay.youtube_world import (
    LIST_THUMBNAILS,
    branding,
    channel_status,
    etag,
    player,
    thumbnails,
)

__all__ = ["LiveBroadcast", "YouTubeLive", "load_youtube_live"]

_SEED: Final = 7_001
_PER_GAME: Final = 60
_KEPT_DAYS: Final = 14  # how long a finished broadcast can still be found
_WATCH_S: Final = 900.0  # how long one viewer stays on average
_DAY_BITS: Final = 15
_CHANNEL_BITS: Final = 10
_MARK: Final = 0x11FE << (_DAY_BITS + _CHANNEL_BITS)
_GAMING: Final = "20"
_TOPICS: Final = {"topicCategories": ["https://en.wikipedia.org/wiki/Video_game_culture"]}


@dataclass(frozen=True, slots=True)
class LiveBroadcast:
    """One broadcast; times in seconds since 1970."""

    day: int
    channel: int
    game: int
    announced: int
    start: int
    end: int
    level: float

    def state(self, moment: float) -> str:
        """Return ``upcoming``, ``live`` or ``completed`` at a moment."""
        if moment < self.start:
            return "upcoming"
        return "live" if moment < self.end else "completed"

    def published_at(self, moment: float) -> str:
        """Return when it was published: announced, and once more when it began."""
        return rfc3339(self.announced if moment < self.start else self.start)

    def duration(self, moment: float) -> str:
        """Return its length in ISO 8601, which is nothing until it is over."""
        if moment < self.end:
            return "P0D"
        minutes, seconds = divmod(self.end - self.start, 60)
        hours, minutes = divmod(minutes, 60)
        parts = ((hours, "H"), (minutes, "M"), (seconds, "S"))
        return "PT" + "".join(f"{count}{unit}" for count, unit in parts if count)


class YouTubeLive:
    """All invented broadcasts, by id, by state, or by channel."""

    def __init__(self) -> None:
        shape = load_twitch_shape()
        self.games = [each for n, each in enumerate(GAMES) if each.game_id in TRACKED.values()]
        sizes = np.full(len(self.games), _PER_GAME)
        self.roster = build_roster(_SEED, sizes, shape, LANGUAGES)
        self.broadcasts = Broadcasts(_SEED + 50, self.roster, shape)
        self.channel_ids = [
            "UC" + digest_id(16, "live", channel) for channel in range(self.roster.game.size)
        ]
        self.channels = {each: place for place, each in enumerate(self.channel_ids)}

    def in_state(self, state: str, moment: float) -> list[LiveBroadcast]:
        """Return the broadcasts that can be found in a state, the earliest first."""
        today = int(moment // DAY)
        days = {
            "live": range(today - 1, today + 2),
            "upcoming": range(today - 1, today + 3),
            "completed": range(today - _KEPT_DAYS, today + 2),
        }[state]
        found = [
            each
            for day in days
            for each in self._of_day(day)
            if each.announced <= moment < each.end + _KEPT_DAYS * DAY
            and each.state(moment) == state
        ]
        return sorted(found, key=lambda each: (each.start, each.channel))

    def by_id(self, video_id: str, moment: float) -> LiveBroadcast | None:
        """Return the broadcast of an id if it can be found at a moment."""
        number = id_number(video_id)
        plain = 0 if number is None else unmix_int(number)
        if plain >> (_DAY_BITS + _CHANNEL_BITS) != _MARK >> (_DAY_BITS + _CHANNEL_BITS):
            return None
        day = plain >> _CHANNEL_BITS & ((1 << _DAY_BITS) - 1)
        channel = plain & ((1 << _CHANNEL_BITS) - 1)
        for each in self._of_day(day):
            if each.channel == channel:
                there = each.announced <= moment < each.end + _KEPT_DAYS * DAY
                return each if there else None
        return None

    def video_id(self, broadcast: LiveBroadcast) -> str:
        """Return the id of a broadcast."""
        return base64_id(mix_int(_MARK | broadcast.day << _CHANNEL_BITS | broadcast.channel))

    def channel_title(self, channel: int) -> str:
        """Return an invented channel's name."""
        return f"{login(user_number(channel + 20_000)).capitalize()} Live"

    def title(self, broadcast: LiveBroadcast) -> str:
        """Return a broadcast's title; it names the game, as such titles do."""
        game = self.games[broadcast.game].name
        language = LANGUAGES[int(self.roster.language[broadcast.channel])].code
        text = title(user_number(broadcast.channel), broadcast.day, language, game)
        return text if game in text else f"{text} | {game} & friends LIVE"

    def concurrent_viewers(self, broadcast: LiveBroadcast, moment: float) -> int:
        """Return how many watch a broadcast that is live."""
        counts = self.broadcasts.viewers(
            moment,
            np.array([broadcast.channel]),
            np.array([broadcast.game]),
            np.array([broadcast.start]),
            np.array([broadcast.level]),
        )
        return int(counts[0])

    def views(self, broadcast: LiveBroadcast, moment: float) -> int:
        """Return a broadcast's view count; never falling."""
        aired = min(max(moment - broadcast.start, 0.0), broadcast.end - broadcast.start)
        later = max(moment - broadcast.end, 0.0)
        while_live = broadcast.level * aired / _WATCH_S
        replays = broadcast.level * 3 * -np.expm1(-later / (40 * HOUR))
        return int(while_live + replays)

    def counters(self, broadcast: LiveBroadcast, moment: float) -> tuple[int, int, int]:
        """Return a broadcast's views, likes and comments; until its end, people write in chat."""
        views = self.views(broadcast, moment)
        completed = broadcast.state(moment) == "completed"
        return views, views // 17, views // 900 if completed else 0

    def video_item(
        self, broadcast: LiveBroadcast, moment: float, parts: Sequence[str], base: str
    ) -> bytes:
        """Return a broadcast as a video in JSON with just the parts asked for."""
        state, video_id = broadcast.state(moment), self.video_id(broadcast)
        content: dict[str, Any] = {}
        if "snippet" in parts:
            content["snippet"] = self._snippet(broadcast, moment, base)
        if "contentDetails" in parts:
            content["contentDetails"] = {
                "duration": broadcast.duration(moment),
                "dimension": "2d",
                "definition": "hd" if state == "completed" else "sd",
                "caption": "false",
                "licensedContent": state == "completed",
                "contentRating": {},
                "projection": "rectangular",
            }
        if "status" in parts:
            content["status"] = {
                "uploadStatus": "processed" if state == "completed" else "uploaded",
                "privacyStatus": "public",
                "license": "youtube",
                "embeddable": True,
                "publicStatsViewable": True,
                "madeForKids": False,
            }
        if "statistics" in parts:
            views, likes, comments = self.counters(broadcast, moment)
            content["statistics"] = {
                "viewCount": str(views),
                "likeCount": str(likes),
                "favoriteCount": "0",
                "commentCount": str(comments),
            }
        if "paidProductPlacementDetails" in parts:
            content["paidProductPlacementDetails"] = {"hasPaidProductPlacement": False}
        if "player" in parts:
            content["player"] = player(video_id)
        if "topicDetails" in parts:
            content["topicDetails"] = _TOPICS
        if "recordingDetails" in parts:
            content["recordingDetails"] = {}
        if "liveStreamingDetails" in parts:
            content["liveStreamingDetails"] = self._live_details(broadcast, state, moment, video_id)
        body = orjson.dumps(content)[1:]
        head = b'{"kind":"youtube#video","etag":"%b","id":"%b"' % (
            etag(video_id.encode(), body),
            video_id.encode(),
        )
        return head + (b"," + body if content else body)

    def channel_item(
        self, channel: int, moment: float, parts: Sequence[str], base: str
    ) -> dict[str, Any]:
        """Return an invented channel as a JSON object."""
        channel_id, name = self.channel_ids[channel], self.channel_title(channel)
        draw = float(uniform(_SEED + 20, channel)[0])
        content: dict[str, Any] = {"kind": "youtube#channel", "etag": "", "id": channel_id}
        if "snippet" in parts:
            content["snippet"] = {
                "title": name,
                "description": "",
                "customUrl": "@" + digest_id(6, channel_id).lower(),
                "publishedAt": rfc3339(1_500_000_000 + int(draw * 200_000_000)),
                "thumbnails": {
                    size: {"url": f"{base}/ytc/{channel_id}/{px}.jpg", "width": px, "height": px}
                    for size, px in (("default", 88), ("medium", 240), ("high", 800))
                },
                "localized": {"title": name, "description": ""},
            }
        if "contentDetails" in parts:
            content["contentDetails"] = {
                "relatedPlaylists": {"likes": "", "uploads": "UU" + channel_id[2:]}
            }
        if "statistics" in parts:
            audience = float(self.roster.audience[channel])
            content["statistics"] = {
                "viewCount": str(int(audience * (2_000 + 0.5 * moment / DAY))),
                "subscriberCount": str(int(audience * 40) // 10 * 10),
                "hiddenSubscriberCount": False,
                "videoCount": str(50 + int(draw * 700)),
            }
        if "status" in parts:
            content["status"] = channel_status(for_kids=False)
        if "topicDetails" in parts:
            content["topicDetails"] = _TOPICS
        if "brandingSettings" in parts:
            content["brandingSettings"] = branding(base, channel_id, {"title": name})
        content["etag"] = etag(orjson.dumps(content)).decode()
        return content

    def _snippet(self, broadcast: LiveBroadcast, moment: float, base: str) -> dict[str, Any]:
        state = broadcast.state(moment)
        language = LANGUAGES[int(self.roster.language[broadcast.channel])].code
        name = self.title(broadcast)
        suffix = "" if state == "completed" else "_live"
        snippet: dict[str, Any] = {
            "publishedAt": broadcast.published_at(moment),
            "channelId": self.channel_ids[broadcast.channel],
            "title": name,
            "description": "",
            "thumbnails": thumbnails(base, self.video_id(broadcast), LIST_THUMBNAILS, suffix),
            "channelTitle": self.channel_title(broadcast.channel),
            "tags": [self.games[broadcast.game].name.lower(), "live", "gameplay"],
            "categoryId": _GAMING,
            "liveBroadcastContent": "none" if state == "completed" else state,
            "localized": {"title": name, "description": ""},
        }
        if language != "other":
            snippet["defaultAudioLanguage"] = language
        return snippet

    def _live_details(
        self, broadcast: LiveBroadcast, state: str, moment: float, video_id: str
    ) -> dict[str, Any]:
        details: dict[str, Any] = {}
        if state != "upcoming":
            details["actualStartTime"] = rfc3339(broadcast.start)
        if state == "completed":
            details["actualEndTime"] = rfc3339(broadcast.end)
        details["scheduledStartTime"] = rfc3339(broadcast.start // 1800 * 1800)
        if state == "live":
            details["concurrentViewers"] = str(self.concurrent_viewers(broadcast, moment))
        if state != "completed":
            details["activeLiveChatId"] = "Cg0KC" + digest_id(36, video_id)
        return details

    def _of_day(self, day: int) -> list[LiveBroadcast]:
        if not 0 < day < 1 << _DAY_BITS:
            return []
        sessions: Sessions = self.broadcasts.sessions(day)
        ahead = (HOUR + 23 * HOUR * uniform(_SEED + 21, sessions.channel, day)).astype(np.int64)
        return [
            LiveBroadcast(day, *each)
            for each in zip(
                sessions.channel.tolist(),
                sessions.game.tolist(),
                (sessions.start - ahead).tolist(),
                sessions.start.tolist(),
                sessions.end.tolist(),
                sessions.level.tolist(),
                strict=True,
            )
        ]


@lru_cache(maxsize=1)
def load_youtube_live() -> YouTubeLive:
    """Return the broadcasts, once per process."""
    return YouTubeLive()
