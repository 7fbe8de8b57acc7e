"""What creators put into descriptions: links, chapters, hashtags, disclosures, calls to action.

All of it is read from the text alone, in time that grows with its length: every pattern is
bounded or looked for word by word. Counts are 0 or more. What is read is what is written: a
disclosure found is no proof of a contract, and none found is no proof of its absence.

A text is cleaned first: HTML references that search results carry are resolved (those that end in
a semicolon, so that ``&copy=1`` in a link stays), control bytes and invisible marks vanish, and
what lies behind 10,000 characters does not count (YouTube allows 5,000).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import unescape
from itertools import pairwise
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import numpy as np
import pandas as pd

from aurastream.core.errors import InvalidInputError
from aurastream.core.frames import (
    Schema,
    build_frame,
    counters,
    empty_frame,
    plain_texts,
    require_columns,
)

__all__ = [
    "CALLS_TO_ACTION",
    "DESCRIPTION_SCHEMA",
    "DISCLOSURES",
    "LINK_CLASSES",
    "RULES_VERSION",
    "Chapter",
    "ChapterFault",
    "Description",
    "Link",
    "clean_description",
    "link_class",
    "mine_description",
    "mine_descriptions",
]

LinkClass = Literal[
    "affiliate", "community", "music", "other", "shop", "shortened", "social", "support", "youtube"
]
ChapterFault = Literal[
    "beyond_the_end", "fewer_than_three", "no_zero_start", "not_ascending", "shorter_than_10_s"
]

RULES_VERSION: Final = "2026-11-21"
"""Day of the last change to what is found in a text: what was found by older rules is stale."""

LINK_CLASSES: Final[dict[LinkClass, tuple[str, ...]]] = {
    "affiliate": ("amzn.to", "a.co", "shrsl.com", "rstyle.me", "go.magik.ly", "howl.me", "geni.us"),
    "community": ("discord.gg", "discord.com", "discord.me", "t.me", "telegram.me", "reddit.com"),
    "music": (
        *("open.spotify.com", "spotify.com", "spoti.fi", "music.apple.com", "soundcloud.com"),
        *("deezer.com", "tidal.com", "bandcamp.com", "lnk.to", "ffm.to", "fanlink.to", "orcd.co"),
    ),
    "shop": (
        *("amazon.com", "amazon.co.uk", "amazon.de", "amazon.fr", "amazon.es", "amazon.com.br"),
        *("amazon.in", "amazon.co.jp", "amazon.com.mx", "etsy.com", "ebay.com", "teespring.com"),
        *("spri.ng", "myshopify.com", "redbubble.com", "store.steampowered.com"),
        *("epicgames.com", "gumroad.com", "aliexpress.com", "shopee.com.br"),
    ),
    "shortened": ("bit.ly", "tinyurl.com", "goo.gl", "ow.ly", "cutt.ly", "rb.gy", "t.ly", "is.gd"),
    "social": (
        *("instagram.com", "twitter.com", "x.com", "t.co", "tiktok.com", "facebook.com", "fb.me"),
        *("fb.com", "threads.net", "bsky.app", "snapchat.com", "linkedin.com", "pinterest.com"),
        *("twitch.tv", "kick.com", "vk.com", "weibo.com", "linktr.ee", "beacons.ai"),
    ),
    "support": (
        *(
            "patreon.com",
            "ko-fi.com",
            "buymeacoffee.com",
            "paypal.me",
            "paypal.com",
            "gofundme.com",
        ),
        *("streamlabs.com", "streamelements.com", "apoia.se", "tipeee.com", "gofund.me"),
    ),
    "youtube": ("youtube.com", "youtu.be", "youtube-nocookie.com"),
}
"""Domains of each class, their subdomains included; every other domain is ``other``."""

DISCLOSURES: Final[dict[str, tuple[str, ...]]] = {
    "sponsor": (
        *("sponsored by", "thanks to our sponsor", "for sponsoring", "today's sponsor"),
        *(
            "sponsor of this video",
            "sponsored this video",
            "in partnership with",
            "patrocinado por",
        ),
        *("patrocinado pela", "gracias a nuestro patrocinador", "sponsorisé par"),
        *("en partenariat avec", "gesponsert von", "unterstützt von", "提供:", "प्रायोजित"),
    ),
    "paid_promotion": (
        *("paid promotion", "paid partnership", "#ad", "#sponsored", "#anzeige", "#werbung"),
        *("#publi", "#publicidad", "#publicidade", "#pub", "#pr", "anzeige:", "werbung:"),
        *("collaboration commerciale", "publicidad pagada", "publicidade paga", "プロモーション"),
        *("企業案件", "유료 광고"),
    ),
    "affiliate": (
        *("affiliate link", "affiliate links", "i may earn a commission", "earn a commission"),
        *(
            "earn from qualifying purchases",
            "commissions earned",
            "affiliate-link",
            "affiliatelink",
        ),
        *("enlaces de afiliado", "links de afiliado", "liens affiliés", "liens d'affiliation"),
        *("アフィリエイト",),
    ),
    "promo_code": (
        *("use code", "use my code", "promo code", "discount code", "coupon code", "creator code"),
        *(
            "with code",
            "código de descuento",
            "código promocional",
            "usa el código",
            "use o código",
        ),
        *("use meu código", "cupom", "code promo", "rabattcode", "gutscheincode", "mit dem code"),
        *("クーポンコード",),
    ),
}
"""Phrases of each kind of disclosure, in lower case."""

CALLS_TO_ACTION: Final[dict[str, tuple[str, ...]]] = {
    "subscribe": (
        *("subscribe", "suscríbete", "suscribete", "suscribirse", "inscreva-se", "se inscreva"),
        *("abonne-toi", "abonnez-vous", "abonniert", "abonnieren", "abonniere", "チャンネル登録"),
        *("구독", "подпишись", "подписывайтесь", "सब्सक्राइब"),
    ),
    "like": (
        *("like this video", "leave a like", "smash the like", "hit the like", "drop a like"),
        *("like and subscribe", "like button", "dale like", "deixa o like", "deixe seu like"),
        *("mets un like", "pouce bleu", "daumen hoch", "lasst einen like", "高評価", "좋아요"),
        *("लाइक",),
    ),
    "comment": (
        *("comment below", "in the comments", "leave a comment", "comenta", "comentarios"),
        *("nos comentários", "commentaires", "in die kommentare", "コメント", "댓글"),
    ),
    "share": ("share this video", "share with", "comparte", "compartilhe", "partagez", "共有"),
    "notifications": (
        *("notification", "hit the bell", "bell icon", "campanita", "sininho", "la cloche"),
        *("glocke", "ベルマーク", "알림"),
    ),
    "follow": (
        *("follow me", "follow us", "follow my", "sígueme", "siga-me", "me siga", "suis-moi"),
        *("suivez-moi", "folgt mir", "フォロー"),
    ),
    "join": (
        *("join my discord", "join our discord", "join the discord", "join this channel"),
        *("become a member", "join the channel", "únete", "seja membro", "devenez membre"),
        *("kanalmitglied", "メンバーシップ"),
    ),
}
"""Phrases of each call to action, in lower case."""

_CLASSES: Final[tuple[LinkClass, ...]] = tuple(sorted([*LINK_CLASSES, "other"]))

DESCRIPTION_SCHEMA: Final[Schema] = {
    "video_id": "str",
    "metadata_hash": "str",
    "character_count": "int32",
    "line_count": "int32",
    "link_count": "int32",
    **{f"{name}_link_count": "int32" for name in _CLASSES},
    "link_domains": "object",
    "hashtag_count": "int32",
    "hashtags": "object",
    "is_overtagged": "bool",
    "timestamp_count": "int32",
    "chapter_count": "int32",
    "chapter_fault": "str",
    "disclosures": "object",
    "calls_to_action": "object",
}

MAX_CHARACTERS: Final = 10_000
MAX_HASHTAGS: Final = 60
"""YouTube ignores every hashtag of a video that has more."""

_MIN_CHAPTERS: Final = 3
_MIN_CHAPTER_S: Final = 10
_ENTITY: Final = re.compile(
    r"&(?:amp|lt|gt|quot|apos|nbsp|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});", re.ASCII
)
_CONTROL: Final = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_BREAKS: Final = re.compile("\r\n|[\r\x0c\x85\u2028\u2029]")
_URL: Final = re.compile(r"https?://[^\s<>\"'|]{1,2000}|www\.[^\s<>\"'|]{1,2000}", re.IGNORECASE)
_HOST: Final = re.compile(r"[\w-]{1,63}(?:\.[\w-]{1,63}){1,10}")
_WRAPPING: Final = "()[]{}<>«»„“”\"'`*_|,;:!?~"
_TAIL: Final = ".,;:!?'\"*_|~»”’…"
# Letters of scripts with vowel signs: Python's \w leaves the signs out.
_TAG: Final = re.compile(
    r"(?<![\w&/#])[#\uff03]([\w\u0300-\u036f\u0610-\u061a\u064b-\u065f\u0900-\u0dff"
    r"\u0e31-\u0e4e\u0eb1-\u0ecd\u102b-\u103e\u17b4-\u17d3\u200c\u200d·]{1,100})"
)
_STAMP: Final = re.compile(r"(?<![\d:.])(?:(\d{1,3}):)?([0-5]?\d):([0-5]\d)(?![\d:])", re.ASCII)
_BULLETS: Final = re.compile(r"[\s\-–—•·*►▶➤→#|>✅⏰⏱⌚️🕒()\[\]【】]{0,20}")
_SEPARATORS: Final = " \t-–—:|.)]】>·•~"
_NEGATED: Final = re.compile(
    r"(?:\bnot|\bno|n't|\bnever|\bnon|\bnicht|\bkeine|\bsin|\bsem)\W{1,3}$"
)
_NEGATION_REACH: Final = 12


@dataclass(frozen=True, slots=True)
class Link:
    """A link as written, its domain without ``www.``, and the domain's class."""

    url: str
    domain: str
    link_class: LinkClass


@dataclass(frozen=True, slots=True)
class Chapter:
    """Start in seconds and title of a chapter."""

    start_s: int
    title: str


@dataclass(frozen=True, slots=True)
class Description:
    """What one description holds.

    ``chapters`` are empty unless the whole list is valid; ``chapter_fault`` then says what keeps
    YouTube from showing it, and is None where no line begins with a time. ``timestamps_s`` are all
    times in the text. Hashtags are in lower case, each once, in their order; so are the kinds of
    disclosures and calls to action, in alphabetical order.
    """

    text: str
    links: tuple[Link, ...]
    hashtags: tuple[str, ...]
    timestamps_s: tuple[int, ...]
    chapters: tuple[Chapter, ...]
    chapter_fault: ChapterFault | None
    disclosures: tuple[str, ...]
    calls_to_action: tuple[str, ...]


def clean_description(text: str) -> str:
    r"""Return the text without control bytes and HTML references, cut at 10,000 characters.

    Line breaks become ``\n``; joiners stay, because emoji and Indian scripts need them.

    Parameters
    ----------
    text : str
        A description as the API gives it.

    Returns
    -------
    str
        At most 10,000 characters.

    Notes
    -----
    O(characters).

    References
    ----------
    Ours, for the description analyzer (#84).

    Examples
    --------
    >>> clean_description("Tom &amp; Jerry&#39;s\x00\r\nhttps://a.io/?b=1&copy=2")
    "Tom & Jerry's\nhttps://a.io/?b=1&copy=2"
    >>> clean_description("")
    ''
    """
    # An entity is at most 10 characters long, so nothing that counts lies further back.
    cut = text[: 10 * MAX_CHARACTERS]
    resolved = _ENTITY.sub(lambda found: unescape(found.group()), cut)
    return _CONTROL.sub("", _BREAKS.sub("\n", resolved))[:MAX_CHARACTERS]


def link_class(domain: str) -> LinkClass:
    """Return the class of a domain; a subdomain has the class of the longest domain that fits.

    Parameters
    ----------
    domain : str
        Host name in lower case.

    Returns
    -------
    LinkClass
        ``other`` for a domain that nothing is known of.

    Notes
    -----
    O(labels of the domain).

    References
    ----------
    Ours, for the description analyzer (#84).

    Examples
    --------
    >>> link_class("instagram.com"), link_class("m.youtube.com"), link_class("example.org")
    ('social', 'youtube', 'other')
    >>> link_class("notinstagram.com")
    'other'

    >>> link_class("")
    'other'
    """
    parts = domain.lower().removeprefix("www.").split(".")
    for start in range(len(parts) - 1):
        found = _CLASS_OF.get(".".join(parts[start:]))
        if found is not None:
            return found
    return "other"


def mine_description(text: object, *, duration_s: float | None = None) -> Description:
    r"""Read everything out of one description.

    Chapters follow YouTube's rules: lines that begin with a time, the first at 0:00, at least
    three, ascending, each at least ten seconds long, and within the video.

    Parameters
    ----------
    text : str or None
        A description; None is an empty one.
    duration_s : float, optional
        Length of the video in seconds; without it no chapter is too late.

    Returns
    -------
    Description
        Linear in the length of the text.

    Raises
    ------
    InvalidInputError
        When the length is negative or infinite.

    Notes
    -----
    O(characters).

    References
    ----------
    Creator Intel V2, the description analyzer (#84); the rules of chapters are those of YouTube's
    help page on video chapters.

    Examples
    --------
    >>> found = mine_description(
    ...     "0:00 Intro\n1:05 Build\n12:30 End\nSubscribe! https://youtu.be/x #Minecraft #ad"
    ... )
    >>> [(c.start_s, c.title) for c in found.chapters]
    [(0, 'Intro'), (65, 'Build'), (750, 'End')]
    >>> [link.link_class for link in found.links], found.hashtags
    (['youtube'], ('minecraft', 'ad'))
    >>> found.disclosures, found.calls_to_action
    (('paid_promotion',), ('subscribe',))

    A list that YouTube does not show says why:

    >>> mine_description("0:05 Intro\n1:05 Build\n12:30 End").chapter_fault
    'no_zero_start'
    >>> mine_description("0:00 Intro\n0:05 Build\n12:30 End").chapter_fault
    'shorter_than_10_s'
    >>> mine_description(None).chapter_fault is None
    True
    """
    if duration_s is not None and not 0 <= duration_s < np.inf:
        if not np.isnan(duration_s):
            raise InvalidInputError(
                f"A length is {duration_s:g} seconds.", fix="None is the value for unknown."
            )
        duration_s = None
    clean = clean_description(text if isinstance(text, str) else "")
    chapters, fault = _chapters(clean, duration_s)
    without_links = _URL.sub(" ", clean)
    folded = without_links.lower().replace("\uff1a", ":")
    tags = tuple(dict.fromkeys(tag.lower() for tag in _hashtags(without_links)))
    return Description(
        text=clean,
        links=tuple(_links(clean)),
        hashtags=tags,
        timestamps_s=tuple(_seconds(found) for found in _STAMP.finditer(without_links)),
        chapters=chapters,
        chapter_fault=fault,
        disclosures=_kinds(folded, tags, _DISCLOSURE_PATTERNS, DISCLOSURES),
        calls_to_action=_kinds(folded, tags, _CALL_PATTERNS, CALLS_TO_ACTION),
    )


def mine_descriptions(videos: pd.DataFrame) -> pd.DataFrame:
    """Read every description; one that repeats is read once.

    Parameters
    ----------
    videos : pandas.DataFrame
        With video_id, metadata_hash, description and duration_s of ``collection.youtube_videos``;
        a null description is an empty one.

    Returns
    -------
    pandas.DataFrame
        ``DESCRIPTION_SCHEMA``, one row per row of ``videos`` in their order. Lists are tuples of
        text; ``chapter_fault`` is null where there are chapters or no times. Linear in the text.

    Raises
    ------
    InvalidInputError
        When a column is missing, or a length is negative or infinite.

    Notes
    -----
    O(characters of the distinct descriptions).

    References
    ----------
    Creator Intel V2, the description analyzer (#84).

    Examples
    --------
    >>> videos = pd.DataFrame({
    ...     "video_id": ["a", "b"], "metadata_hash": "h", "duration_s": [60, None],
    ...     "description": ["use code AURA https://www.patreon.com/a", None],
    ... })
    >>> found = mine_descriptions(videos)
    >>> found[["link_count", "support_link_count", "disclosures"]].values.tolist()
    [[1, 1, ('promo_code',)], [0, 0, ()]]
    >>> mine_descriptions(pd.DataFrame()).empty
    True
    """
    columns = ("video_id", "metadata_hash", "description", "duration_s")
    videos = require_columns(videos, columns, "youtube_videos")
    if videos.empty:
        return empty_frame(DESCRIPTION_SCHEMA)
    lengths = counters(videos, "duration_s", "youtube_videos").tolist()
    texts = plain_texts(videos, "description", "youtube_videos").fillna("").tolist()
    read: dict[tuple[str, float | None], Description] = {}
    found = []
    for text, length in zip(texts, lengths, strict=True):
        key = (text, None if np.isnan(length) else length)
        if key not in read:
            read[key] = mine_description(text, duration_s=key[1])
        found.append(read[key])
    classes = [[link.link_class for link in one.links] for one in found]
    return build_frame(
        DESCRIPTION_SCHEMA,
        {
            "video_id": plain_texts(videos, "video_id", "youtube_videos").array,
            "metadata_hash": plain_texts(videos, "metadata_hash", "youtube_videos").array,
            "character_count": _numbers(len(one.text) for one in found),
            "line_count": _numbers(
                sum(bool(line.strip()) for line in one.text.split("\n")) for one in found
            ),
            "link_count": _numbers(len(one.links) for one in found),
            **{
                f"{name}_link_count": _numbers(row.count(name) for row in classes)
                for name in _CLASSES
            },
            "link_domains": _lists(
                tuple(dict.fromkeys(link.domain for link in one.links)) for one in found
            ),
            "hashtag_count": _numbers(len(one.hashtags) for one in found),
            "hashtags": _lists(one.hashtags for one in found),
            "is_overtagged": np.array([len(one.hashtags) > MAX_HASHTAGS for one in found]),
            "timestamp_count": _numbers(len(one.timestamps_s) for one in found),
            "chapter_count": _numbers(len(one.chapters) for one in found),
            "chapter_fault": pd.array([one.chapter_fault for one in found], dtype="str"),
            "disclosures": _lists(one.disclosures for one in found),
            "calls_to_action": _lists(one.calls_to_action for one in found),
        },
    )


def _numbers(values: Iterable[int]) -> Any:  # noqa: ANN401 # a numpy array of any length
    return np.fromiter(values, dtype=np.int64)


def _lists(values: Iterable[tuple[str, ...]]) -> Any:  # noqa: ANN401 # a numpy array of tuples
    rows = list(values)
    made = np.empty(len(rows), dtype=object)
    made[:] = rows
    return made


def _links(text: str) -> Iterable[Link]:
    """Find links word by word: with a scheme, with www., or a bare domain of a known class."""
    for word in text.split():
        matches = list(_URL.finditer(word))
        if matches:
            for match in matches:
                link = _link(match.group().rstrip(_TAIL))
                if link is not None:
                    yield link
        elif "." in word and "@" not in word:
            link = _link(word.strip(_WRAPPING).rstrip("."))
            if link is not None and link.link_class != "other":
                yield link


def _link(url: str) -> Link | None:
    # A closing bracket belongs to the link only if its opening one does.
    while url.endswith((")", "]", "}")) and url.count(url[-1]) > url.count(_OPENING[url[-1]]):
        url = url[:-1].rstrip(_TAIL)
    has_scheme = url.lower().startswith(("http://", "https://"))
    try:
        host = urlsplit(url if has_scheme else f"//{url}").hostname
    except ValueError:  # such as a broken IPv6 address
        return None
    if not host or not _HOST.fullmatch(host.strip(".")):
        return None
    domain = host.strip(".").removeprefix("www.")
    found = link_class(domain)
    if found == "shop" and "tag=" in url:
        found = "affiliate"
    return Link(url=url, domain=domain, link_class=found)


def _hashtags(text: str) -> Iterable[str]:
    for match in _TAG.finditer(text):
        tag = match.group(1).strip("_·\u200c\u200d")
        if tag and not tag.isdigit():
            yield tag


def _seconds(found: re.Match[str]) -> int:
    hours, minutes, seconds = found.groups()
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)


def _chapters(
    text: str, duration_s: float | None
) -> tuple[tuple[Chapter, ...], ChapterFault | None]:
    """Return the chapters, or what is wrong with them."""
    found = []
    for line in text.split("\n"):
        bullet = _BULLETS.match(line)
        stamp = _STAMP.match(line, bullet.end() if bullet else 0)
        title = line[stamp.end() :].strip(_SEPARATORS) if stamp else ""
        if stamp and title:
            found.append(Chapter(_seconds(stamp), title))
    if not found:
        return (), None
    fault = _chapter_fault([chapter.start_s for chapter in found], duration_s)
    return ((), fault) if fault else (tuple(found), None)


def _chapter_fault(starts: list[int], duration_s: float | None) -> ChapterFault | None:
    if starts[0] != 0:
        return "no_zero_start"
    if len(starts) < _MIN_CHAPTERS:
        return "fewer_than_three"
    steps = [after - before for before, after in pairwise(starts)]
    if min(steps) <= 0:
        return "not_ascending"
    if duration_s is not None and starts[-1] >= duration_s:
        return "beyond_the_end"
    if duration_s is not None:
        steps.append(int(duration_s - starts[-1]))
    return "shorter_than_10_s" if min(steps) < _MIN_CHAPTER_S else None


def _kinds(
    folded: str,
    tags: tuple[str, ...],
    patterns: dict[str, re.Pattern[str]],
    phrases: dict[str, tuple[str, ...]],
) -> tuple[str, ...]:
    """Return the kinds with a phrase or hashtag in the text that is not negated."""
    hashed = {f"#{tag}" for tag in tags}
    found = []
    for kind, pattern in patterns.items():
        said = any(
            not _NEGATED.search(folded[max(0, match.start() - _NEGATION_REACH) : match.start()])
            for match in pattern.finditer(folded)
        )
        if said or not hashed.isdisjoint(phrases[kind]):
            found.append(kind)
    return tuple(sorted(found))


def _pattern(phrases: tuple[str, ...]) -> re.Pattern[str]:
    """Compile phrases; a Latin letter at an end must be the end of a word."""
    parts = []
    for phrase in phrases:
        if phrase.startswith("#"):
            continue  # hashtags are compared whole
        before = r"(?<!\w)" if phrase[0] < "\u0500" and phrase[0].isalnum() else ""
        after = r"(?!\w)" if phrase[-1] < "\u0500" and phrase[-1].isalnum() else ""
        parts.append(before + re.escape(phrase).replace("'", "['’]") + after)
    return re.compile("|".join(parts))


_OPENING: Final = {")": "(", "]": "[", "}": "{"}
_CLASS_OF: Final[dict[str, LinkClass]] = {
    domain: name for name, domains in LINK_CLASSES.items() for domain in domains
}
_DISCLOSURE_PATTERNS: Final = {kind: _pattern(found) for kind, found in DISCLOSURES.items()}
_CALL_PATTERNS: Final = {kind: _pattern(found) for kind, found in CALLS_TO_ACTION.items()}
