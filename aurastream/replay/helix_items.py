"""Single items of Helix: games, users, channels and recordings."""

from typing import Any, Final

import numpy as np

from aurastream.replay.catalog import GAMES, Game
from aurastream.replay.hashing import mix_int
from aurastream.replay.moments import DAY, HOUR, rfc3339
from aurastream.replay.names import user_number
from aurastream.replay.twitch_world import Broadcaster, TwitchWorld

__all__ = ["channel_item", "game_item", "user_item", "video_item"]

_LOOKBACK_DAYS: Final = 7


def game_item(game: Game, base: str) -> dict[str, Any]:
    """Return a game."""
    return {
        "id": game.game_id,
        "name": game.name,
        "box_art_url": f"{base}/ttv-boxart/{game.game_id}-{{width}}x{{height}}.jpg",
        "igdb_id": game.igdb_id,
    }


def user_item(who: Broadcaster, base: str) -> dict[str, Any]:
    """Return a user."""
    return {
        "id": who.user_id,
        "login": who.login,
        "display_name": who.name,
        "type": "",
        "broadcaster_type": who.tier,
        "description": "",
        "profile_image_url": f"{base}/jtv_user_pictures/{who.login}-profile_image-300x300.jpg",
        "offline_image_url": "",
        "view_count": 0,
        "created_at": rfc3339(who.joined_at),
    }


def channel_item(world: TwitchWorld, channel: int, now: float) -> dict[str, Any]:
    """Return a channel with the game and title it broadcasts or last broadcast."""
    who = world.broadcaster(channel)
    game, title, tags = int(world.roster.game[channel]), "", []
    today = int(now // DAY)
    for day in range(today + 1, today - _LOOKBACK_DAYS, -1):
        place = world.session_of(day, channel)
        sessions = world.broadcasts.sessions(day)
        if place is not None and sessions.start[place] <= now:
            game = int(sessions.game[place])
            title, tags = world.title(day, channel, game), world.tags(day, channel)
            break
    return {
        "broadcaster_id": who.user_id,
        "broadcaster_login": who.login,
        "broadcaster_name": who.name,
        "broadcaster_language": who.language,
        "game_id": GAMES[game].game_id,
        "game_name": GAMES[game].name,
        "title": title,
        "delay": 0,
        "tags": tags,
        "content_classification_labels": [],
        "is_branded_content": False,
    }


def video_item(world: TwitchWorld, day: int, place: int, now: float, base: str) -> dict[str, Any]:
    """Return the recording of a broadcast; while that is on, it grows."""
    sessions = world.broadcasts.sessions(day)
    channel, game = int(sessions.channel[place]), int(sessions.game[place])
    start, end = int(sessions.start[place]), int(sessions.end[place])
    who = world.broadcaster(channel)
    vod_id = world.vod_id(day, channel)
    length = int(min(end, now)) - start
    minutes, seconds = divmod(length, 60)
    hours, minutes = divmod(minutes, 60)
    audience = float(sessions.level[place])
    views = audience * length / HOUR + audience * -np.expm1(-max(now - end, 0) / (2 * DAY))
    muted = mix_int((day << 20) ^ user_number(channel)) % 9 == 0 and now > end
    return {
        "id": vod_id,
        "stream_id": world.stream_id(day, channel),
        "user_id": who.user_id,
        "user_login": who.login,
        "user_name": who.name,
        "title": world.title(day, channel, game),
        "description": "",
        "created_at": rfc3339(start),
        "published_at": rfc3339(start),
        "url": f"https://www.twitch.tv/videos/{vod_id}",
        "thumbnail_url": f"{base}/cf_vods/{vod_id}/thumb0-%{{width}}x%{{height}}.jpg",
        "viewable": "public",
        "view_count": int(views),
        "language": who.language,
        "type": "archive",
        "duration": f"{hours}h{minutes}m{seconds}s" if hours else f"{minutes}m{seconds}s",
        "muted_segments": [{"duration": 30, "offset": length // 3}] if muted else None,
    }
