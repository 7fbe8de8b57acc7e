"""The games and languages of the replayed Twitch world.

Names and ids of the games are Twitch's own, so that a tracked game has the id it has there; how
large each audience is follows the measured share of broadcast time by rank, not any game's real
standing today. The eight tracked games come high in the order so that their directories are
longer than one page.
"""

from dataclasses import dataclass
from typing import Final

__all__ = ["GAMES", "LANGUAGES", "TRACKED", "Game", "Language"]


@dataclass(frozen=True, slots=True)
class Game:
    """A Twitch category.

    Parameters
    ----------
    game_id : str
        Twitch's id.
    name : str
        Twitch's name.
    igdb_id : str
        Id in the IGDB; empty for categories that are no games, and where it was not at hand.
    """

    game_id: str
    name: str
    igdb_id: str = ""


@dataclass(frozen=True, slots=True)
class Language:
    """A broadcast language.

    Parameters
    ----------
    code : str
        As Helix writes it.
    name : str
        As the language tag of a stream writes it.
    share : float
        Share of channels; all shares sum to 1.
    offsets : tuple of int
        Hours ahead of UTC of the places its channels broadcast from, equally likely.
    """

    code: str
    name: str
    share: float
    offsets: tuple[int, ...]


GAMES: Final = (
    Game("509658", "Just Chatting"),
    Game("33214", "Fortnite", "1905"),
    Game("32982", "Grand Theft Auto V", "1020"),
    Game("21779", "League of Legends", "115"),
    Game("516575", "VALORANT", "126459"),
    Game("27471", "Minecraft", "121"),
    Game("512710", "Call of Duty: Warzone", "131800"),
    Game("511224", "Apex Legends", "114795"),
    Game("23020", "Roblox", "17269"),
    Game("32399", "Counter-Strike"),
    Game("29595", "Dota 2", "2963"),
    Game("18122", "World of Warcraft", "123"),
    Game("491931", "Escape from Tarkov"),
    Game("491487", "Dead by Daylight"),
    Game("515025", "Overwatch 2"),
    Game("460630", "Tom Clancy's Rainbow Six Siege"),
    Game("30921", "Rocket League", "11198"),
    Game("263490", "Rust"),
    Game("513143", "Teamfight Tactics"),
    Game("26936", "Music"),
    Game("509660", "Art"),
    Game("518203", "Sports"),
    Game("493057", "PUBG: BATTLEGROUNDS"),
    Game("513181", "Genshin Impact"),
    Game("138585", "Hearthstone"),
    Game("512953", "Elden Ring"),
    Game("497057", "Destiny 2"),
    Game("24241", "Final Fantasy XIV Online"),
    Game("490100", "Lost Ark"),
    Game("29307", "Path of Exile"),
    Game("459931", "Old School RuneScape"),
    Game("417752", "Talk Shows & Podcasts"),
    Game("490377", "Sea of Thieves"),
    Game("509659", "ASMR"),
    Game("498566", "Slots"),
    Game("29452", "Virtual Casino"),
    Game("488190", "Poker"),
    Game("743", "Chess"),
    Game("65632", "DayZ"),
    Game("518184", "Phasmophobia"),
    Game("493959", "Red Dead Redemption 2"),
    Game("502732", "Garena Free Fire"),
    Game("512980", "Fall Guys"),
    Game("504461", "Super Smash Bros. Ultimate"),
    Game("489635", "ARK: Survival Evolved"),
    Game("490744", "Stardew Valley"),
    Game("27546", "World of Tanks"),
    Game("19554", "iRacing"),
    Game("31339", "Project Zomboid"),
    Game("66170", "Warframe"),
    Game("32507", "SMITE"),
    Game("499003", "VRChat"),
    Game("27284", "Retro"),
    Game("510218", "Among Us"),
    Game("369252", "The Sims 4"),
    Game("271304", "7 Days to Die"),
    Game("1469308723", "Software and Game Development"),
    Game("509577", "Dungeons & Dragons"),
    Game("272263131", "Animals, Aquariums, and Zoos"),
    Game("509667", "Food & Drink"),
    Game("509673", "Makers & Crafting"),
    Game("21465", "osu!"),
    Game("19976", "MapleStory"),
    Game("491168", "Clash Royale"),
    Game("66366", "War Thunder"),
    Game("386821", "Black Desert"),
    Game("509511", "Marbles On Stream"),
)

TRACKED: Final = {
    "fortnite": "33214",
    "valorant": "516575",
    "minecraft": "27471",
    "apex": "511224",
    "warzone": "512710",
    "gta": "32982",
    "roblox": "23020",
    "league_of_legends": "21779",
}

LANGUAGES: Final = (
    Language("en", "English", 0.47, (-8, -6, -5, -5, 0, 10)),
    Language("es", "Español", 0.10, (-6, -5, -3, 1, 1)),
    Language("pt", "Português", 0.08, (-3, -3, -3, 0)),
    Language("de", "Deutsch", 0.07, (1,)),
    Language("fr", "Français", 0.06, (1, 1, -5)),
    Language("ko", "한국어", 0.05, (9,)),
    Language("ru", "Русский", 0.05, (3, 3, 5)),
    Language("ja", "日本語", 0.035, (9,)),
    Language("it", "Italiano", 0.025, (1,)),
    Language("zh", "中文", 0.02, (8,)),
    Language("pl", "Polski", 0.015, (1,)),
    Language("tr", "Türkçe", 0.01, (3,)),
    Language("th", "ไทย", 0.005, (7,)),
    Language("cs", "Čeština", 0.005, (1,)),
    Language("other", "Other", 0.005, (0, 2)),
)
