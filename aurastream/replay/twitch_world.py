"""The replayed Twitch: games, channels, streams and past broadcasts, with stable ids.

Ids are numbers that say what they stand for, so that any id Helix can be asked for is looked up
without an index: a stream is (day, channel), its past broadcast the same from another base, a
user a scrambled channel number.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from aurastream.replay.archive import load_twitch_shape
from aurastream.replay.broadcasts import Broadcasts, Live, build_roster
from aurastream.replay.catalog import GAMES, LANGUAGES, TRACKED
from aurastream.replay.moments import rfc3339
from aurastream.replay.names import display_name, login, stream_tags, title, user_number
from aurastream.replay.wire import whole

__all__ = ["Broadcaster", "TwitchWorld", "load_twitch_world"]

_SEED: Final = 1_001
_CHANNELS: Final = 45_000  # spread by share of broadcast time, then held between the two bounds
_PER_GAME: Final = (100, 3_000)
_PER_TRACKED_GAME: Final = 1_200
_DAY_ZERO: Final = 18_262  # 2020-01-01
_WIDTH: Final = 16  # bits of a channel number in an id
_STREAM_BASE: Final = 40_000_000_000
_VOD_BASE: Final = 2_000_000_000
_USER_BASE: Final = 480_000_000
_JOINED_FIRST: Final = 1_325_376_000  # 2012-01-01
_JOINED_SPAN: Final = 400_000_000
_CACHED_STREAMS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Broadcaster:
    """A channel as Helix shows it."""

    channel: int
    user_id: str
    login: str
    name: str
    language: str
    tier: str
    joined_at: int


class TwitchWorld:
    """Everything Helix is asked about, at any moment."""

    def __init__(self) -> None:
        shape = load_twitch_shape()
        sizes = np.clip((shape.game_shares[: len(GAMES)] * _CHANNELS).astype(np.int64), *_PER_GAME)
        self.tracked = [n for n, game in enumerate(GAMES) if game.game_id in TRACKED.values()]
        sizes[self.tracked] = np.maximum(sizes[self.tracked], _PER_TRACKED_GAME)
        self.roster = build_roster(_SEED, sizes, shape, LANGUAGES)
        self.broadcasts = Broadcasts(_SEED + 50, self.roster, shape)
        self.game_index = {game.game_id: n for n, game in enumerate(GAMES)}
        self._streams: dict[tuple[int, int], tuple[bytes, bytes]] = {}
        self._stream_base = ""

    def top_games(self, moment: float) -> list[int]:
        """Return the positions of all games, the most watched first."""
        live = self.broadcasts.live(moment)
        watched = np.bincount(live.game, live.viewers, minlength=len(GAMES))
        return [int(game) for game in np.argsort(-watched, kind="stable")]

    def broadcaster(self, channel: int) -> Broadcaster:
        """Return a channel's public face."""
        number = user_number(channel)
        language = LANGUAGES[int(self.roster.language[channel])].code
        audience = float(self.roster.audience[channel])
        return Broadcaster(
            channel=channel,
            user_id=str(_USER_BASE + number),
            login=login(number),
            name=display_name(number, language),
            language=language,
            tier="partner" if audience > 75 else "affiliate" if audience > 3 else "",  # noqa: PLR2004 # Twitch's thresholds
            joined_at=_JOINED_FIRST + number * 6_089 % _JOINED_SPAN,
        )

    def channel_of_user(self, user_id: str) -> int | None:
        """Return the channel of a user id, or None for nobody."""
        number = whole(user_id)
        return None if number is None else self._channel_of_number.get(number - _USER_BASE)

    def channel_of_login(self, name: str) -> int | None:
        """Return the channel of a login, or None for nobody."""
        return self._channel_of_login.get(name.lower())

    def languages_of(self, channels: NDArray[np.int64]) -> NDArray[np.str_]:
        """Return the language code of each channel."""
        codes: NDArray[np.str_] = np.array([each.code for each in LANGUAGES])
        return codes[self.roster.language[channels]]

    @cached_property
    def _channel_of_number(self) -> dict[int, int]:
        return {user_number(channel): channel for channel in range(self.roster.game.size)}

    @cached_property
    def _channel_of_login(self) -> dict[str, int]:
        return {login(number): channel for number, channel in self._channel_of_number.items()}

    @staticmethod
    def stream_id(day: int, channel: int) -> str:
        """Return the id of the broadcast a channel began on a day."""
        return str(_STREAM_BASE + ((day - _DAY_ZERO) << _WIDTH) + channel)

    @staticmethod
    def vod_id(day: int, channel: int) -> str:
        """Return the id of the recording of that broadcast."""
        return str(_VOD_BASE + ((day - _DAY_ZERO) << _WIDTH) + channel)

    def session_of_vod(self, vod_id: str) -> tuple[int, int] | None:
        """Return (day, position in the day's sessions) of a recording, or None."""
        number = (whole(vod_id) or 0) - _VOD_BASE
        if not 0 <= number < _STREAM_BASE - _VOD_BASE:
            return None
        day, channel = (number >> _WIDTH) + _DAY_ZERO, number & ((1 << _WIDTH) - 1)
        position = self.session_of(day, channel)
        return None if position is None else (day, position)

    def session_of(self, day: int, channel: int) -> int | None:
        """Return the position of a channel's session in a day's sessions, or None."""
        where = np.flatnonzero(self.broadcasts.sessions(day).channel == channel)
        return int(where[0]) if where.size else None

    def title(self, day: int, channel: int, game: int) -> str:
        """Return the title of a broadcast."""
        language = LANGUAGES[int(self.roster.language[channel])].code
        return title(user_number(channel), day, language, GAMES[game].name)

    def tags(self, day: int, channel: int) -> list[str]:
        """Return the tags of a broadcast."""
        language = LANGUAGES[int(self.roster.language[channel])].name
        return stream_tags(user_number(channel), day, language)

    def stream_items(self, live: Live, where: range, base: str) -> list[bytes]:
        """Return some of the live streams as JSON objects of Helix.

        Parameters
        ----------
        live : Live
            What is on.
        where : range
            Positions in it.
        base : str
            URL of the server that serves the thumbnails.
        """
        if base != self._stream_base or len(self._streams) > _CACHED_STREAMS:
            self._streams.clear()
            self._stream_base = base
        part = slice(where.start, where.stop)
        items = []
        for day, channel, game, start, viewers in zip(
            live.day[part].tolist(),
            live.channel[part].tolist(),
            live.game[part].tolist(),
            live.start[part].tolist(),
            live.viewers[part].tolist(),
            strict=True,
        ):
            found = self._streams.get((day, channel))
            if found is None:
                found = self._encode(day, channel, game, start)
                self._streams[day, channel] = found
            items.append(found[0] + str(viewers).encode() + found[1])
        return items

    def _encode(self, day: int, channel: int, game: int, start: int) -> tuple[bytes, bytes]:
        """Return a stream's JSON before and after the viewer count."""
        who = self.broadcaster(channel)
        head = {
            "id": self.stream_id(day, channel),
            "user_id": who.user_id,
            "user_login": who.login,
            "user_name": who.name,
            "game_id": GAMES[game].game_id,
            "game_name": GAMES[game].name,
            "type": "live",
            "title": self.title(day, channel, game),
        }
        tail = {
            "started_at": rfc3339(start),
            "language": who.language,
            "thumbnail_url": f"{self._stream_base}/previews-ttv/live_user_{who.login}"
            "-{width}x{height}.jpg",
            "tag_ids": [],
            "tags": self.tags(day, channel),
            "is_mature": False,
        }
        return (
            orjson.dumps(head)[:-1] + b',"viewer_count":',
            b"," + orjson.dumps(tail)[1:],
        )


@lru_cache(maxsize=1)
def load_twitch_world() -> TwitchWorld:
    """Return the world, once per process."""
    return TwitchWorld()
