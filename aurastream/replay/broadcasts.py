"""Who broadcasts when, to how many: one engine for Twitch streams and YouTube live streams.

A roster has many channels, each with a main game, a language, a place (and so a local day), a
usual audience drawn from the measured heavy-tailed distribution, and habits. Each local day a
channel broadcasts at most once; the time of day follows the measured curve of streams, the
audience over the day the measured curve of spectators. Every number is a hash of what it belongs
to, so any moment can be computed by itself, in any order.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from aurastream.replay.archive import TwitchShape
from aurastream.replay.catalog import Language
from aurastream.replay.hashing import uniform
from aurastream.replay.moments import DAY, HOUR

__all__ = ["Broadcasts", "Live", "Roster", "Sessions", "build_roster"]

_K = TypeVar("_K")
_V = TypeVar("_V")
_SLOTS: Final = 288
_SLOT_S: Final = 300
_LENGTH_H: Final = (0.5, 16.0)
_GAP_S: Final = 600  # at least this long between two broadcasts of a channel
_VARIETY: Final = 0.12  # share of broadcasts in another game than the channel's own
_WARM_UP_S: Final = 1200.0  # how fast an audience gathers
_DAYS_CACHED: Final = 45
_MOMENTS_CACHED: Final = 96
_MONDAY: Final = 3  # day 0 (1970-01-01) was a Thursday


@dataclass(frozen=True, slots=True)
class Roster:
    """The channels of a world, one entry each.

    Parameters
    ----------
    game, language : array of int64
        Positions in the world's games and languages.
    offset : array of int64
        Hours ahead of UTC.
    audience : array of float64
        Usual viewers at an average hour, 1 or more, heavy-tailed.
    habit : array of float64
        Chance of a broadcast on an average day, 0 to 1.
    length : array of float64
        Usual length in hours.
    """

    game: NDArray[np.int64]
    language: NDArray[np.int64]
    offset: NDArray[np.int64]
    audience: NDArray[np.float64]
    habit: NDArray[np.float64]
    length: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sessions:
    """The broadcasts that began on one local day, sorted by game, then channel."""

    day: int
    channel: NDArray[np.int64]
    game: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    level: NDArray[np.float64]
    offsets: NDArray[np.int64]

    def of(self, game: int | None) -> slice:
        """Return where the sessions of a game lie: all of them for None, none for no game."""
        if game is None:
            return slice(0, self.channel.size)
        if game >= self.offsets.size - 1:
            return slice(0, 0)
        return slice(int(self.offsets[game]), int(self.offsets[game + 1]))


@dataclass(frozen=True, slots=True)
class Live:
    """Broadcasts that are on at one moment, the most watched first, ties by channel."""

    day: NDArray[np.int64]
    channel: NDArray[np.int64]
    game: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    viewers: NDArray[np.int64]


def build_roster(
    seed: int, sizes: NDArray[np.int64], shape: TwitchShape, languages: tuple[Language, ...]
) -> Roster:
    """Invent the channels of a world.

    Parameters
    ----------
    seed : int
        Worlds with different seeds have nothing in common.
    sizes : array of int64
        Channels whose main game is each of the games.
    shape : TwitchShape
        The measured distributions.
    languages : tuple of Language
        What is spoken.
    """
    count = int(sizes.sum())
    channel = np.arange(count)
    shares = np.cumsum([language.share for language in languages])
    spoken = np.searchsorted(shares, uniform(seed, channel) * shares[-1], side="right")
    width = max(len(language.offsets) for language in languages)
    places = np.array(
        [[each.offsets[n % len(each.offsets)] for n in range(width)] for each in languages]
    )
    sizes_of = np.array([len(each.offsets) for each in languages])
    place = (uniform(seed + 1, channel) * sizes_of[spoken]).astype(np.int64)
    return Roster(
        game=np.repeat(np.arange(sizes.size), sizes),
        language=spoken,
        offset=places[spoken, place],
        audience=np.exp(
            np.interp(uniform(seed + 2, channel), shape.quantiles, np.log(shape.mean_viewers))
        )
        # The source lists channels from ten viewers on; most real ones have fewer.
        * (0.15 + 0.85 * uniform(seed + 3, channel)),
        habit=0.25 + 0.65 * uniform(seed + 4, channel),
        length=2.0 + 5.0 * uniform(seed + 5, channel),
    )


class Broadcasts:
    """The broadcasts of a roster at any moment.

    Parameters
    ----------
    seed : int
        Seed of everything random in here.
    roster : Roster
        The channels.
    shape : TwitchShape
        The measured curves.
    """

    def __init__(self, seed: int, roster: Roster, shape: TwitchShape) -> None:
        self.roster = roster
        self._seed = seed
        self._games = int(roster.game.max()) + 1
        self._sizes = np.bincount(roster.game, minlength=self._games)
        # Sessions smear the curve they are drawn from; the power undoes most of it.
        density = np.cumsum(shape.streams**1.5)
        self._start_curve = np.concatenate([[0.0], density / density[-1]])
        wave = shape.spectators / shape.streams
        self._wave = np.append(wave, wave[0]) / wave.mean()
        self._weekdays = shape.weekdays
        self._days: OrderedDict[int, Sessions] = OrderedDict()
        self._starts: OrderedDict[int, tuple[NDArray[np.bool_], NDArray[np.int64]]] = OrderedDict()
        self._moments: OrderedDict[tuple[int, int | None], Live] = OrderedDict()

    def sessions(self, day: int) -> Sessions:
        """Return the broadcasts that begin on a local day.

        Parameters
        ----------
        day : int
            Days since 1970-01-01, in each channel's own place.

        Returns
        -------
        Sessions
            Times are in UTC; a session lies between 16 hours before and 48 hours after the
            day's start in UTC.
        """
        found = self._days.get(day)
        if found is None:
            found = _keep(self._days, day, self._draw_day(day), _DAYS_CACHED)
        return found

    def live(self, moment: float, game: int | None = None) -> Live:
        """Return what is on at a moment, in one game or in all.

        Parameters
        ----------
        moment : float
            Seconds since 1970 in UTC.
        game : int, optional
            Position of the game in the roster's world.
        """
        key = (int(moment), game)
        found = self._moments.get(key)
        if found is None:
            found = _keep(self._moments, key, self._compute(*key), _MOMENTS_CACHED)
        return found

    def viewers(
        self,
        moment: float,
        channel: NDArray[np.int64],
        game: NDArray[np.int64],
        start: NDArray[np.int64],
        level: NDArray[np.float64],
    ) -> NDArray[np.int64]:
        """Return how many watch some broadcasts that are on at a moment.

        The product of the session's level, how long it has been gathering viewers, the local
        hour, the game's own tide, and noise that wanders over five-minute slots.
        """
        local = (moment + self.roster.offset[channel] * HOUR) % DAY / _SLOT_S
        slot = local.astype(np.int64)
        wave = self._wave[slot] + (self._wave[slot + 1] - self._wave[slot]) * (local - slot)
        gathered = -np.expm1((start - moment) / _WARM_UP_S)
        tick, share = divmod(moment, _SLOT_S)
        noise = (
            uniform(self._seed + 11, channel, int(tick)) * (1 - share / _SLOT_S)
            + uniform(self._seed + 11, channel, int(tick) + 1) * share / _SLOT_S
        )
        tide = self._tide(moment)[game]
        people = level * wave * gathered * tide * (0.9 + 0.2 * noise)
        counts: NDArray[np.int64] = people.astype(np.int64)
        return counts

    def _tide(self, moment: float) -> NDArray[np.float64]:
        """Return how each game stands at a moment; slow swings, now and then a surge."""
        games = np.arange(self._games)
        phase = uniform(self._seed + 12, games), uniform(self._seed + 13, games)
        days = moment / DAY
        swing = 0.18 * np.sin(2 * np.pi * (days / 17.0 + phase[0]))
        swing += 0.12 * np.sin(2 * np.pi * (days / 5.3 + phase[1]))
        week = int(days // 7)
        surge = np.zeros(self._games)
        for number in (week - 1, week, week + 1):
            happens = uniform(self._seed + 14, games, number) < 0.2  # noqa: PLR2004 # one in five
            peak = 7 * (number + uniform(self._seed + 15, games, number))
            height = 0.4 + 0.8 * uniform(self._seed + 16, games, number)
            surge += happens * height * np.exp(-(((days - peak) / 0.9) ** 2))
        tide: NDArray[np.float64] = np.exp(swing + surge)
        return tide

    def _compute(self, moment: int, game: int | None) -> Live:
        today = moment // DAY
        parts: list[tuple[NDArray[np.int64], ...]] = []
        levels = []
        for day in (today - 1, today, today + 1):
            sessions = self.sessions(day)
            where = sessions.of(game)
            on = np.flatnonzero((sessions.start[where] <= moment) & (sessions.end[where] > moment))
            on += where.start
            parts.append(
                (
                    np.full(on.size, day),
                    sessions.channel[on],
                    sessions.game[on],
                    sessions.start[on],
                    sessions.end[on],
                )
            )
            levels.append(sessions.level[on])
        days, channel, games, start, end = (
            np.concatenate(each) for each in zip(*parts, strict=True)
        )
        viewers = self.viewers(moment, channel, games, start, np.concatenate(levels))
        order = np.lexsort((channel, -viewers))
        return Live(
            days[order], channel[order], games[order], start[order], end[order], viewers[order]
        )

    def _plan(self, day: int) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.float64]]:
        """Return who broadcasts on a local day, when they start (UTC), and for how long."""
        roster, seed = self.roster, self._seed
        channel = np.arange(roster.game.size)
        weekday = self._weekdays[(day + _MONDAY) % 7]
        active = uniform(seed + 1, channel, day) < roster.habit * weekday
        spread = uniform(seed + 2, channel, day)
        length = roster.length * np.exp(0.3 * np.log((spread + 0.01) / (1.01 - spread)))
        length = np.clip(length, *_LENGTH_H) * HOUR
        point = np.interp(
            uniform(seed + 3, channel, day), self._start_curve, np.arange(_SLOTS + 1) * _SLOT_S
        )
        # A random point of the session lies on the curve; wrapping keeps the day's density.
        local = (point - uniform(seed + 4, channel, day) * length) % DAY
        return active, (day * DAY + local - roster.offset * HOUR).astype(np.int64), length

    def _begin(self, day: int) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        found = self._starts.get(day)
        if found is None:
            active, start, _ = self._plan(day)
            found = _keep(self._starts, day, (active, start), 4)
        return found

    def _draw_day(self, day: int) -> Sessions:
        active, start, length = self._plan(day)
        _keep(self._starts, day, (active, start), 4)
        active_next, start_next = self._begin(day + 1)
        end = start + length.astype(np.int64)
        end = np.where(active_next, np.minimum(end, start_next - _GAP_S), end)
        channel = np.flatnonzero(active & (end - start >= _GAP_S))
        game = self.roster.game[channel]
        strays = uniform(self._seed + 5, channel, day) < _VARIETY
        # Strays go where the channels are: by size of the games, not evenly.
        total = np.cumsum(self._sizes)
        target = uniform(self._seed + 6, channel, day) * total[-1]
        game = np.where(strays, np.searchsorted(total, target, side="right"), game)
        order = np.argsort(game, kind="stable")
        channel, game = channel[order], game[order]
        form = uniform(self._seed + 7, channel, day)
        form = np.exp(0.35 * np.log((form + 0.01) / (1.01 - form)))
        return Sessions(
            day=day,
            channel=channel,
            game=game,
            start=start[channel],
            end=end[channel],
            level=self.roster.audience[channel] * form,
            offsets=np.searchsorted(game, np.arange(self._games + 1)),
        )


def _keep(cache: OrderedDict[_K, _V], key: _K, value: _V, size: int) -> _V:
    cache[key] = value
    if len(cache) > size:
        cache.popitem(last=False)
    return value
