"""Invented people, titles and tags: deterministic, and nobody real.

A channel's login is spelled from the syllables of a scrambled 16-bit number, so logins are unique
and can be told apart from any real one only by nobody having chosen it.
"""

from typing import Final

from aurastream.replay.hashing import mix_int

__all__ = ["clip_slug", "display_name", "login", "stream_tags", "title", "user_number"]

_BITS: Final = 0xFFFF
_ONSETS: Final = tuple("bdfgklmnprstvzxj")
_SYLLABLES: Final = tuple(
    tuple(onset + ending for onset in _ONSETS) for ending in ("el", "o", "ari", "un")
)
_TAGS: Final = (
    "Chill", "Competitive", "Educational", "FirstPlaythrough", "NoSpoilers", "Speedrun", "Cozy",
    "BackseatingAllowed", "DropsEnabled", "Vtuber", "Controller", "MouseAndKeyboard", "Ranked",
    "Casual", "Funny", "Community", "Challenge", "Hardcore", "Modded", "AMA",
)  # fmt: skip
_FIRE: Final = "\N{FIRE}"
_TITLES: Final = {
    "en": (
        "{game} with viewers",
        "first time in {game}, no spoilers",
        "{fire} road to the top, day {day} {fire}",
        "chill {game} | !discord !schedule",
        "ranked until I win",
        "marathon part {day} | {game}",
        "testing the new patch",
        "GIVEAWAY at 100 followers | {game}",
    ),
    "es": ("{game} con la comunidad", "subiendo de rango, día {day}", "tarde tranquila de {game}"),
    "pt": ("{game} com vocês", "rumo ao topo, dia {day}", "bora de {game} {fire}"),
    "de": ("{game} mit euch", "Gemütlicher Abend mit {game}", "Tag {day} der Challenge"),
    "fr": ("{game} avec vous", "objectif top, jour {day}", "soirée détente sur {game}"),
    "ko": ("{game} 같이 해요", "{day}일차 도전"),
    "ja": ("{game} 参加型", "{day}日目の挑戦"),
    "ru": ("{game} вместе", "день {day}, идём дальше"),
    "it": ("{game} con la chat", "serata su {game}, giorno {day}"),
}
_ADJECTIVES: Final = (
    "Amused", "Bold", "Calm", "Daring", "Eager", "Fancy", "Gentle", "Happy",
    "Icy", "Jolly", "Keen", "Lucky", "Modest", "Noble", "Odd", "Proud",
)  # fmt: skip
_NOUNS: Final = (
    "Anchor", "Bagel", "Comet", "Dolphin", "Ember", "Falcon", "Ginger", "Harbor",
    "Iguana", "Jacket", "Kettle", "Lemon", "Mango", "Nectar", "Otter", "Pepper",
)  # fmt: skip


def user_number(channel: int) -> int:
    """Return the scrambled 16-bit number of a channel; a bijection."""
    return (channel * 40_503 + 12_345) & _BITS


def login(number: int) -> str:
    """Spell a 16-bit number as a login name.

    Examples
    --------
    >>> login(0) != login(1)
    True
    """
    parts = [_SYLLABLES[place][(number >> (4 * place)) & 15] for place in range(4)]
    return "".join(parts)


def display_name(number: int, language: str) -> str:
    """Return how a channel writes its own name; East Asian ones often in their own script."""
    draw = mix_int(number + 7)
    nibbles = [(number >> (4 * place)) & 15 for place in range(4)]
    if language == "ko" and draw % 2:
        return "".join(chr(0xAC00 + 588 * (nibble + 2) % 11_172) for nibble in nibbles)
    if language == "ja" and draw % 2:
        return "".join(chr(0x30AB + 2 * nibble) for nibble in nibbles)
    name = login(number)
    return (name.capitalize(), name, name[:5].capitalize() + name[5:].capitalize())[draw % 3]


def title(number: int, day: int, language: str, game: str) -> str:
    """Return the title of a channel's broadcast on a day."""
    choices = _TITLES.get(language, _TITLES["en"])
    draw = mix_int((number << 20) ^ day)
    return choices[draw % len(choices)].format(game=game, day=draw // 64 % 60 + 1, fire=_FIRE)


def stream_tags(number: int, day: int, language: str) -> list[str]:
    """Return up to five tags of a broadcast, the language's name first."""
    draw = mix_int((number << 21) ^ day)
    picked = dict.fromkeys(_TAGS[(draw >> (5 * n)) % len(_TAGS)] for n in range(draw % 5))
    return [language, *picked]


def clip_slug(draw: int) -> str:
    """Return the readable part of a clip's id."""
    words = (
        _ADJECTIVES[draw & 15],
        _ADJECTIVES[(draw >> 4) & 15],
        _NOUNS[(draw >> 8) & 15],
        _NOUNS[(draw >> 12) & 15],
    )
    return "".join(words)
