"""Clips of the replayed Twitch: cut from broadcasts, each with a view curve of its own.

How many clips a broadcast gets grows with its audience and length. A clip's final number of views
is heavy-tailed; how fast it gets there differs from clip to clip by a factor of sixty, so that
some run away within the hour and some trickle for days.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from aurastream.replay.catalog import GAMES
from aurastream.replay.hashing import base64_id, id_number, mix_int, uniform, unmix_int
from aurastream.replay.moments import DAY, HOUR, rfc3339
from aurastream.replay.names import clip_slug, user_number
from aurastream.replay.twitch_world import TwitchWorld

__all__ = ["ClipSet", "Clips"]

_SEED: Final = 3_001
_PER_SESSION: Final = 60
_TAU_H: Final = (0.5, 30.0)
_DAYS_CACHED: Final = 600
_RANGES_CACHED: Final = 40
_ITEMS_CACHED: Final = 60_000
_DAY_ZERO: Final = 18_262
_PUBLISH_DELAY_S: Final = 600  # until then a clip does not know its recording
_HAS_VOD: Final = 0.8
_NONE: Final = np.array([], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class ClipSet:
    """Clips of one game and local day, or a selection of them; columns run together."""

    day: NDArray[np.int64]
    channel: NDArray[np.int64]
    game: NDArray[np.int64]
    number: NDArray[np.int64]
    session_start: NDArray[np.int64]
    created: NDArray[np.int64]
    final: NDArray[np.float64]
    tau: NDArray[np.float64]

    def views(self, moment: float) -> NDArray[np.int64]:
        """Return the views of each clip at a moment; never falling, 0 before creation."""
        age = np.maximum(moment - self.created, 0)
        views: NDArray[np.int64] = (self.final * -np.expm1(-age / self.tau)).astype(np.int64)
        return views

    def take(self, where: NDArray[np.int64]) -> "ClipSet":
        """Return the clips at some positions, in that order."""
        return ClipSet(*(getattr(self, name)[where] for name in self.__slots__))

    @staticmethod
    def join(parts: list["ClipSet"]) -> "ClipSet":
        """Return several sets as one; none at all give an empty one."""
        columns = ([getattr(each, name) for each in parts] for name in ClipSet.__slots__)
        return ClipSet(*(np.concatenate([_NONE, *column]) for column in columns))


class Clips:
    """All clips of a world, by game and creation time, by channel, or by id."""

    def __init__(self, world: TwitchWorld) -> None:
        self._world = world
        self._days: OrderedDict[tuple[int, int], ClipSet] = OrderedDict()
        self._ranges: OrderedDict[tuple[int, int, int], ClipSet] = OrderedDict()
        self._encoded: dict[tuple[int, int, int, bool], tuple[bytes, bytes]] = {}
        self._base = ""

    def of_game(self, game: int, start: float, end: float, moment: float) -> ClipSet:
        """Return a game's clips created in [start, end] and not after the moment."""
        key = (game, int(start // DAY) - 2, int(min(end, moment) // DAY) + 2)
        found = self._ranges.get(key)
        if found is None:
            found = ClipSet.join([self._day(game, day) for day in range(*key[1:])])
            self._ranges[key] = found
            if len(self._ranges) > _RANGES_CACHED:
                self._ranges.popitem(last=False)
        return _between(found, start, min(end, moment))

    def of_channel(self, channel: int, start: float, end: float, moment: float) -> ClipSet:
        """Return a channel's clips created in [start, end] and not after the moment."""
        parts = []
        for day in range(int(start // DAY) - 2, int(min(end, moment) // DAY) + 2):
            position = self._world.session_of(day, channel)
            if position is not None:
                game = int(self._world.broadcasts.sessions(day).game[position])
                clips = self._day(game, day)
                parts.append(clips.take(np.flatnonzero(clips.channel == channel)))
        return _between(ClipSet.join(parts), start, min(end, moment))

    def by_id(self, clip_id: str, moment: float) -> ClipSet | None:
        """Return one clip as a set, or None if there is none by that id yet."""
        number = _decode_id(clip_id)
        if number is None:
            return None
        day, channel, which = (number >> 24) + _DAY_ZERO, (number >> 8) & 0xFFFF, number & 0xFF
        position = self._world.session_of(day, channel)
        if position is None:
            return None
        clips = self._day(int(self._world.broadcasts.sessions(day).game[position]), day)
        where = np.flatnonzero(
            (clips.channel == channel) & (clips.number == which) & (clips.created <= moment)
        )
        return clips.take(where) if where.size else None

    def items(self, clips: ClipSet, moment: float, base: str) -> list[bytes]:
        """Return clips as JSON objects of Helix.

        Parameters
        ----------
        clips : ClipSet
            Which, in the order wanted.
        moment : float
            When, in seconds since 1970.
        base : str
            URL of the server that serves the thumbnails.
        """
        if base != self._base or len(self._encoded) > _ITEMS_CACHED:
            self._encoded.clear()
            self._base = base
        items = []
        columns = zip(
            clips.day.tolist(),
            clips.channel.tolist(),
            clips.game.tolist(),
            clips.number.tolist(),
            clips.session_start.tolist(),
            clips.created.tolist(),
            clips.views(moment).tolist(),
            strict=True,
        )
        for day, channel, game, number, start, created, views in columns:
            settled = moment - created > _PUBLISH_DELAY_S
            found = self._encoded.get((day, channel, number, settled))
            if found is None:
                found = self._encode((day, channel, number), game, start, created, settled=settled)
                self._encoded[day, channel, number, settled] = found
            items.append(found[0] + str(views).encode() + found[1])
        return items

    def _encode(
        self, key: tuple[int, int, int], game: int, start: int, created: int, *, settled: bool
    ) -> tuple[bytes, bytes]:
        """Return a clip's JSON before and after the view count."""
        day, channel, number = key
        clip_id = _encode_id(day, channel, number)
        who = self._world.broadcaster(channel)
        draw = mix_int((day << 28) ^ (channel << 8) ^ number)
        fan = self._world.broadcaster(draw % self._world.roster.game.size)
        recorded = settled and draw % 1000 < _HAS_VOD * 1000
        head = {
            "id": clip_id,
            "url": f"https://clips.twitch.tv/{clip_id}",
            "embed_url": f"https://clips.twitch.tv/embed?clip={clip_id}",
            "broadcaster_id": who.user_id,
            "broadcaster_name": who.name,
            "creator_id": fan.user_id,
            "creator_name": fan.name,
            "video_id": self._world.vod_id(day, channel) if recorded else "",
            "game_id": GAMES[game].game_id,
            "language": who.language,
            "title": self._world.title(day * 31 + number, channel, game),
        }
        tail = {
            "created_at": rfc3339(created),
            "thumbnail_url": f"{self._base}/twitch-clips/{clip_id}-preview-480x272.jpg",
            "duration": 5.0 + draw // 7 % 551 / 10,
            "vod_offset": created - start if recorded else None,
            "is_featured": draw // 11 % 20 == 0,
        }
        return orjson.dumps(head)[:-1] + b',"view_count":', b"," + orjson.dumps(tail)[1:]

    def _day(self, game: int, day: int) -> ClipSet:
        key = (game, day)
        found = self._days.get(key)
        if found is None:
            found = self._days[key] = self._draw(game, day)
            if len(self._days) > _DAYS_CACHED:
                self._days.popitem(last=False)
        return found

    def _draw(self, game: int, day: int) -> ClipSet:
        sessions = self._world.broadcasts.sessions(day)
        where = sessions.of(game)
        channel, start = sessions.channel[where], sessions.start[where]
        length, level = sessions.end[where] - start, sessions.level[where]
        wanted = 0.02 * level**0.6 * length / HOUR * 2 * uniform(_SEED, channel, day)
        count = np.minimum(wanted.astype(np.int64), _PER_SESSION)
        source = np.repeat(np.arange(channel.size), count)
        number = np.arange(source.size) - np.repeat(np.cumsum(count) - count, count)
        key = (day << 8) + number
        luck = uniform(_SEED + 1, channel[source], key)
        low, high = _TAU_H
        created = start[source] + length[source] * uniform(_SEED + 2, channel[source], key)
        return ClipSet(
            day=np.full(source.size, day),
            channel=channel[source],
            game=np.full(source.size, game),
            number=number,
            session_start=start[source],
            created=created.astype(np.int64),
            final=2 + level[source] ** 0.7 * np.exp(0.75 * np.log((luck + 1e-4) / (1.0001 - luck))),
            tau=low * (high / low) ** uniform(_SEED + 3, channel[source], key) * HOUR,
        )


def _between(clips: ClipSet, start: float, end: float) -> ClipSet:
    return clips.take(np.flatnonzero((clips.created >= start) & (clips.created <= end)))


def _encode_id(day: int, channel: int, number: int) -> str:
    scrambled = mix_int(((day - _DAY_ZERO) << 24) | (channel << 8) | number)
    return f"{clip_slug(mix_int(user_number(channel) + number))}-{base64_id(scrambled)}_re0"


def _decode_id(clip_id: str) -> int | None:
    _, _, tail = clip_id.partition("-")
    scrambled = id_number(tail.removesuffix("_re0"))
    if scrambled is None:
        return None
    number = unmix_int(scrambled)
    return number if number < 1 << 40 else None
