"""Languages and regions: what a video is in, what a title is in, and who watches in which.

A video's language is the tag its creator set: the audio tag, else the tag of title and
description, else ``und`` (undetermined); nothing is taken for English. A title's own language is
detected and kept apart, because a title may be in another language than the voice:
``language_source`` is ``tag`` or ``title``, and no count mixes the two.

``confidence`` is 0–1, higher is surer. ``share`` is 0–1, items of a language over all items;
``market_share`` is 0–1, viewers of a language over all known viewers (views on YouTube, concurrent
viewers on Twitch). ``language_diversity`` is 0–1: Shannon entropy over the determined languages
divided by its maximum for as many; 0 is one language, 1 an even mix, null is none determined.
"""

import copy
import html
import importlib
import re
import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core.arrays import floats
from aurastream.core.crawls import latest_crawls, of_partial_crawls
from aurastream.core.errors import InvalidInputError
from aurastream.core.frames import (
    Schema,
    build_frame,
    codes_of,
    counters,
    empty_frame,
    group_keys,
    microseconds,
    plain_texts,
    refusal,
    require_columns,
    text,
    times,
    timestamps,
    tracked_games,
    whole_numbers,
    window_ends,
)

__all__ = [
    "LANGUAGE_ITEMS_SCHEMA",
    "LANGUAGE_MIX_SCHEMA",
    "REGIONAL_SCHEMA",
    "TITLE_LANGUAGE_SCHEMA",
    "UNDETERMINED",
    "LanguageParams",
    "language_diversity",
    "language_mix",
    "market_share",
    "primary_languages",
    "regional",
    "title_language_items",
    "title_languages",
    "twitch_language_items",
    "video_languages",
    "youtube_language_items",
]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

UNDETERMINED: Final = "und"

TITLE_LANGUAGE_SCHEMA: Final[Schema] = {
    "title_language": "str",
    "confidence": "float64",
    "method": "str",
}

LANGUAGE_ITEMS_SCHEMA: Final[Schema] = {
    "window_start": "datetime64[us, UTC]",
    "category": "str",
    "platform": "str",
    "language_source": "str",
    "language": "str",
    "viewers": "float64",
}

LANGUAGE_MIX_SCHEMA: Final[Schema] = {
    "window_start": "datetime64[us, UTC]",
    "category": "str",
    "platform": "str",
    "language_source": "str",
    "language": "str",
    "item_count": "int32",
    "share": "float64",
    "viewer_total": "float64",
    "market_share": "float64",
}

REGIONAL_SCHEMA: Final[Schema] = {
    "window_start": "datetime64[us, UTC]",
    "category": "str",
    "platform": "str",
    "language_source": "str",
    "item_count": "int32",
    "undetermined_count": "int32",
    "language_count": "int32",
    "dominant_language": "str",
    "dominant_share": "float64",
    "leading_market_language": "str",
    "leading_market_share": "float64",
    "language_diversity": "float64",
}

_PLATFORMS: Final = pd.array(["twitch", "youtube"], dtype="str")
_TWITCH, _YOUTUBE = 0, 1
_TAG, _TITLE = "tag", "title"
_STREAMS: Final = ("crawl_at", "game_id", "stream_id", "viewer_count", "language")

# Scripts that one language dominates, by block; the other scripts serve many.
_SCRIPTS: Final = (
    (0x0370, 0x03FF, "el"),
    (0x0530, 0x058F, "hy"),
    (0x0590, 0x05FF, "he"),
    (0x0900, 0x097F, "hi"),
    (0x0980, 0x09FF, "bn"),
    (0x0A00, 0x0A7F, "pa"),
    (0x0A80, 0x0AFF, "gu"),
    (0x0B00, 0x0B7F, "or"),
    (0x0B80, 0x0BFF, "ta"),
    (0x0C00, 0x0C7F, "te"),
    (0x0C80, 0x0CFF, "kn"),
    (0x0D00, 0x0D7F, "ml"),
    (0x0D80, 0x0DFF, "si"),
    (0x0E00, 0x0E7F, "th"),
    (0x0E80, 0x0EFF, "lo"),
    (0x1000, 0x109F, "my"),
    (0x10A0, 0x10FF, "ka"),
    (0x1100, 0x11FF, "ko"),
    (0x1780, 0x17FF, "km"),
    (0x3040, 0x30FF, "ja"),
    (0x3130, 0x318F, "ko"),
    (0x31F0, 0x31FF, "ja"),
    (0xAC00, 0xD7AF, "ko"),
    (0xFF66, 0xFF9F, "ja"),
)
_SCRIPT_STARTS: Final = tuple(start for start, _, _ in _SCRIPTS)
_NOISE: Final = re.compile(r"https?://\S{1,500}|[#@](?=\w)|[^\w\s'’]|[\d_]")
_SPACES: Final = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class LanguageParams:
    """When a title's language is called, and among which.

    Titles are short, so the classifier chooses among the languages charts are in and not among
    all that exist: when it must answer, that takes it from 74 to 82 % on real titles. It is asked
    to be half sure: seven of eight titles are called then, and as many of those are right. A
    script that one language dominates decides from a tenth of the letters on, because names and
    brands stay Latin and a syllable takes one letter where Latin takes three.
    """

    min_letters: int = 4
    min_script_share: float = 0.1
    min_confidence: float = 0.5
    max_characters: int = 300
    candidates: tuple[str, ...] = (
        *("ar", "cs", "de", "en", "es", "fa", "fr", "hi", "hu", "id", "it", "ja", "nl"),
        *("pl", "pt", "ro", "ru", "sv", "tr", "uk", "ur", "vi", "zh"),
    )

    def __post_init__(self) -> None:
        if not (0 < self.min_script_share <= 1 and 0 <= self.min_confidence <= 1):
            raise InvalidInputError(
                "min_script_share and min_confidence lie in 0–1.", fix="Write 10 % as 0.1."
            )
        if self.min_letters < 1 or self.max_characters < 1 or not self.candidates:
            raise InvalidInputError(
                "min_letters, max_characters and candidates must not be empty.",
                fix="Keep the defaults where in doubt.",
            )


DEFAULT: Final = LanguageParams()


def primary_languages(tags: Iterable[str | None]) -> npt.NDArray[Any]:
    """Return the primary subtag of each language tag in lower case; ``und`` where none is set.

    The definition of the SQL macro ``primary_language``.

    Parameters
    ----------
    tags : iterable of str or None
        BCP 47 tags; ``_`` is taken for ``-``.

    Returns
    -------
    numpy.ndarray
        Subtags as text.

    Notes
    -----
    O(characters).

    References
    ----------
    Creator Intel V2 (#86) took a missing language for English; it is undetermined (C38).

    Examples
    --------
    >>> primary_languages(["en-US", "pt_BR", "ZH-Hant-TW", "", None]).tolist()
    ['en', 'pt', 'zh', 'und', 'und']
    >>> primary_languages([]).tolist()
    []
    """
    codes, found = pd.factorize(_texts(tags))
    names = [str(tag).lower().replace("_", "-").split("-", 1)[0] or UNDETERMINED for tag in found]
    # The code of a missing tag is -1: the last name.
    result: npt.NDArray[Any] = np.array([*names, UNDETERMINED], dtype=object)[codes]
    return result


def video_languages(
    audio_tags: Iterable[str | None], default_tags: Iterable[str | None]
) -> npt.NDArray[Any]:
    """Return the language of each video: its audio tag, else its default tag, else ``und``.

    Parameters
    ----------
    audio_tags, default_tags : iterable of str or None
        BCP 47 tags, one of each per video.

    Returns
    -------
    numpy.ndarray
        Subtags as text.

    Raises
    ------
    InvalidInputError
        When there are not as many of one as of the other.

    Notes
    -----
    O(characters).

    References
    ----------
    Creator Intel V2 (#86, C38).

    Examples
    --------
    >>> video_languages(["de", "", None], ["en", "es-419", None]).tolist()
    ['de', 'es', 'und']

    >>> video_languages([], []).tolist()
    []
    """
    audio, default = _texts(audio_tags), _texts(default_tags)
    if len(audio) != len(default):
        raise InvalidInputError(
            "Audio and default tags differ in number.", fix="Pass one of each per video."
        )
    set_ = (audio.notna() & (audio != "")).to_numpy(dtype=np.bool_)
    return primary_languages(audio.where(set_, default))


def title_languages(
    titles: Iterable[str | None], *, params: LanguageParams = DEFAULT
) -> pd.DataFrame:
    """Detect the language of each title.

    HTML references are resolved; links, digits, symbols and emoji do not count. A script that one
    language dominates decides first (method ``script``, confidence its share of the letters), then
    a classifier of character sequences (method ``model``, confidence its posterior probability).
    Too few letters or too low a confidence give ``und`` (method ``none``, with the confidence the
    best guess had).

    Parameters
    ----------
    titles : iterable of str or None
        Any text; what lies behind ``max_characters`` does not count.
    params : LanguageParams
        Thresholds and candidates.

    Returns
    -------
    pandas.DataFrame
        ``TITLE_LANGUAGE_SCHEMA``, one row per title in order. Linear in the number of distinct
        titles, about 50 µs each.

    Notes
    -----
    Measured on the archive where both tags of the creator agree; a test holds the figure. The
    classifier is py3langid's, a naive Bayes over byte sequences [1]_.

    O(characters of the distinct titles).

    References
    ----------
    .. [1] M. Lui and T. Baldwin, "langid.py: An Off-the-shelf Language Identification Tool",
       ACL 2012.
    Creator Intel V2 (#86); what tags say is kept apart (C38).

    Examples
    --------
    >>> title_languages(["Noticias de última hora desde Madrid", "マイクラ実況 part 3"])[
    ...     ["title_language", "method"]
    ... ].values.tolist()
    [['es', 'model'], ['ja', 'script']]

    Nothing to read is no language, and so is no title:

    >>> title_languages(["🔥🔥🔥", "GG", "2026", "", None])["title_language"].tolist()
    ['und', 'und', 'und', 'und', 'und']
    >>> title_languages([]).empty
    True
    """
    codes, found = pd.factorize(_texts(titles))
    nothing = (UNDETERMINED, 0.0, "none")
    answers = [*(_detect(str(title), params) for title in found), nothing]
    rows = [answers[code] for code in codes]
    return build_frame(
        TITLE_LANGUAGE_SCHEMA,
        {
            "title_language": pd.array([row[0] for row in rows], dtype="str"),
            "confidence": np.array([row[1] for row in rows], dtype=np.float64),
            "method": pd.array([row[2] for row in rows], dtype="str"),
        },
    )


def language_diversity(counts: npt.ArrayLike) -> float:
    """Return the normalised entropy of a mix of languages.

    Range 0–1, higher is more diverse: 0 is one language, 1 an even mix. Languages that do not
    occur do not count; NaN when none does.

    Parameters
    ----------
    counts : array_like
        Items of each determined language, 0 or more.

    Returns
    -------
    float
        0–1, or NaN.

    Raises
    ------
    InvalidInputError
        When a count is negative, infinite, NaN or no number.

    Notes
    -----
    O(n log n).

    References
    ----------
    Creator Intel V2 (#86), defined in C56. Pielou, E. C. (1966). The measurement of diversity in
    different types of biological collections. Journal of Theoretical Biology 13.

    Examples
    --------
    >>> language_diversity([5, 5]), language_diversity([7]), language_diversity([7, 0])
    (1.0, 0.0, 0.0)
    >>> round(language_diversity([3, 1]), 6)
    0.811278
    >>> language_diversity([])
    nan
    """
    values = floats(counts, "counts")
    # A NaN fails the comparison.
    if not (values >= 0).all():
        raise InvalidInputError("A count is negative or unknown.", fix="Pass 0 for no items.")
    # Summed in ascending order, so that the order given cannot show in the last bits.
    values = np.sort(values[values > 0])
    return float(_entropies(np.zeros(values.size, dtype=np.int64), values, 1)[0])


def market_share(viewers: npt.ArrayLike) -> Floats:
    """Return each part's share of all viewers; 0–1, the known ones sum to 1.

    NaN viewers have no share and do not count; nobody at all gives NaN.

    Parameters
    ----------
    viewers : array_like
        Viewers of each part, 0 or more.

    Returns
    -------
    numpy.ndarray
        Shares.

    Raises
    ------
    InvalidInputError
        When viewers are negative, infinite or no number.

    Notes
    -----
    O(n log n).

    References
    ----------
    Creator Intel V2 (#86), defined in C56.

    Examples
    --------
    >>> market_share([30.0, 10.0, float("nan")]).tolist()
    [0.75, 0.25, nan]
    >>> market_share([0.0]).tolist(), market_share([]).tolist()
    ([nan], [])
    """
    values = floats(viewers, "viewers")
    if (values < 0).any():
        raise InvalidInputError("Viewers are negative.", fix="Null is the value for unknown.")
    # Summed in ascending order, so that the order given cannot show in the last bits.
    total = np.nansum(np.sort(values, axis=None))
    return values / total if total > 0 else np.full(values.shape, np.nan)


def youtube_language_items(velocity: pd.DataFrame) -> pd.DataFrame:
    """Return the videos of every window and category with language and views.

    Parameters
    ----------
    velocity : pandas.DataFrame
        Shaped like ``intelligence.video_velocity``; its ``audio_language`` falls back to the
        default tag already.

    Returns
    -------
    pandas.DataFrame
        ``LANGUAGE_ITEMS_SCHEMA``, one row per row of ``velocity``.

    Notes
    -----
    O(n).

    References
    ----------
    Creator Intel V2 (#86, C38).

    Examples
    --------
    >>> rows = pd.DataFrame({
    ...     "window_start": pd.Timestamp("2026-01-01", tz="UTC"), "category": "music",
    ...     "audio_language": ["en-GB", "und"], "views": [5, None],
    ... })
    >>> youtube_language_items(rows)[["platform", "language", "viewers"]].values.tolist()
    [['youtube', 'en', 5.0], ['youtube', 'und', nan]]

    >>> youtube_language_items(rows.iloc[:0]).empty
    True
    """
    name = "video_velocity"
    velocity = require_columns(
        velocity, ("window_start", "category", "audio_language", "views"), name
    )
    if velocity.empty:
        return empty_frame(LANGUAGE_ITEMS_SCHEMA)
    return build_frame(
        LANGUAGE_ITEMS_SCHEMA,
        {
            "window_start": timestamps(times(velocity, "window_start", name)),
            "category": plain_texts(velocity, "category", name).array,
            "platform": _PLATFORMS.take(np.full(len(velocity), _YOUTUBE)),
            "language_source": pd.array([_TAG] * len(velocity), dtype="str"),
            "language": pd.array(primary_languages(velocity["audio_language"]), dtype="str"),
            "viewers": counters(velocity, "views", name),
        },
    )


def twitch_language_items(
    streams: pd.DataFrame,
    *,
    as_of: pd.DatetimeIndex,
    games: pd.DataFrame,
    partial_crawls: pd.DataFrame | None = None,
    window: timedelta = timedelta(minutes=30),
    max_age: timedelta = timedelta(hours=24),
    whole_for: timedelta = timedelta(hours=1),
) -> pd.DataFrame:
    """Return the streams of every window and game with language and concurrent viewers.

    Each window takes the game's latest complete crawl before its end, if that is at most
    ``whole_for`` old, and else the latest of all, up to ``max_age`` old; a stream that was answered
    twice in a crawl counts once, with its larger number.

    Parameters
    ----------
    streams : pandas.DataFrame
        Shaped like ``collection.twitch_streams``.
    as_of : pandas.DatetimeIndex
        Ends of the windows, with time zone.
    games : pandas.DataFrame
        ``category`` and ``twitch_game_id`` (null: no Twitch game).
    partial_crawls : pandas.DataFrame, optional
        ``category`` and ``crawl_at`` of the incomplete crawls of streams; without it every crawl is
        taken for complete.
    window, max_age, whole_for : timedelta
        Length of a window, how long a crawl is carried forward, and for how long a complete one is
        preferred to a part that came later.

    Returns
    -------
    pandas.DataFrame
        ``LANGUAGE_ITEMS_SCHEMA``, in no particular order.

    Raises
    ------
    InvalidInputError
        When a column is missing, a count is negative, or a time has no zone.

    Notes
    -----
    O(n log n), all windows at once.

    References
    ----------
    Creator Intel V2 (#86, C38).

    Examples
    --------
    >>> at = pd.Timestamp("2026-01-01T10:25", tz="UTC")
    >>> streams = pd.DataFrame({
    ...     "crawl_at": at, "game_id": "27471", "stream_id": ["a", "b"], "viewer_count": [9, 1],
    ...     "language": ["es", ""],
    ... })
    >>> games = pd.DataFrame({"category": ["minecraft"], "twitch_game_id": ["27471"]})
    >>> as_of = pd.DatetimeIndex(["2026-01-01T10:30Z"])
    >>> found = twitch_language_items(streams, as_of=as_of, games=games)
    >>> found[["category", "language", "viewers"]].values.tolist()
    [['minecraft', 'es', 9.0], ['minecraft', 'und', 1.0]]

    A crawl that got only a part is not taken for the whole while there is one that did:

    >>> later = at + pd.Timedelta("3min")
    >>> both = pd.concat([streams, streams.head(1).assign(crawl_at=later)])
    >>> part = pd.DataFrame({"category": ["minecraft"], "crawl_at": [later]})
    >>> len(twitch_language_items(both, as_of=as_of, games=games, partial_crawls=part))
    2

    >>> twitch_language_items(streams.iloc[:0], as_of=as_of, games=games).empty
    True
    """
    name = "twitch_streams"
    streams = require_columns(streams, _STREAMS, name)
    games = require_columns(games, ("category", "twitch_game_id"), "games")
    ends = window_ends(as_of)
    games = tracked_games(games)
    if ends.size == 0 or streams.empty or games.empty:
        return empty_frame(LANGUAGE_ITEMS_SCHEMA)
    viewers = counters(streams, "viewer_count", name)
    crawl_at = times(streams, "crawl_at", name)
    (game, owner), names = codes_of(streams["game_id"], games["twitch_game_id"])
    tracked = games[owner >= 0].assign(code=owner[owner >= 0]).sort_values("code", kind="stable")
    wanted = np.flatnonzero(np.isin(game, owner[owner >= 0]) & (game >= 0))
    if wanted.size == 0:
        return empty_frame(LANGUAGE_ITEMS_SCHEMA)
    game_of_row, start_of_row = game[wanted], crawl_at[wanted]
    place = np.searchsorted(tracked["code"], game_of_row)
    slots = {"category": (tracked["category"].array, place)}
    states = latest_crawls(
        game_of_row,
        start_of_row,
        len(names),
        ends,
        microseconds(max_age),
        is_partial=of_partial_crawls(start_of_row, slots, partial_crawls),
        whole_for=microseconds(whole_for),
    )
    chosen = states.expand()
    at = wanted[chosen.row]
    rows = pd.DataFrame(
        {
            "window": chosen.window,
            "code": game[at],
            "stream": plain_texts(streams, "stream_id", name).to_numpy()[at],
            "language": primary_languages(streams["language"].iloc[at]),
            "viewers": viewers[at],
        }
    )
    rows = rows.sort_values(
        ["window", "code", "stream", "viewers", "language"],
        na_position="first",  # the larger number is a known one
    )
    rows = rows.drop_duplicates(["window", "code", "stream"], keep="last")
    rows = rows.merge(tracked[["code", "category"]], on="code")
    return build_frame(
        LANGUAGE_ITEMS_SCHEMA,
        {
            "window_start": timestamps(ends[rows["window"].to_numpy()] - microseconds(window)),
            "category": rows["category"].astype("str").array,
            "platform": _PLATFORMS.take(np.full(len(rows), _TWITCH)),
            "language_source": pd.array([_TAG] * len(rows), dtype="str"),
            "language": rows["language"].astype("str").array,
            "viewers": rows["viewers"].to_numpy(),
        },
    )


def title_language_items(items: pd.DataFrame, *, params: LanguageParams = DEFAULT) -> pd.DataFrame:
    """Return the items with the languages of their titles instead of their tags.

    Parameters
    ----------
    items : pandas.DataFrame
        ``LANGUAGE_ITEMS_SCHEMA`` without a language, and ``title``; no title is ``und``.
    params : LanguageParams
        Thresholds and candidates.

    Returns
    -------
    pandas.DataFrame
        ``LANGUAGE_ITEMS_SCHEMA``, one row per item in order.

    Raises
    ------
    InvalidInputError
        When a column is missing, viewers are negative, or a time has no zone.

    Notes
    -----
    O(characters of the distinct titles).

    References
    ----------
    Creator Intel V2 (#86); titles are a source of their own (C38).

    Examples
    --------
    >>> items = pd.DataFrame({
    ...     "window_start": pd.Timestamp("2026-01-01", tz="UTC"), "category": "music",
    ...     "platform": "youtube", "title": ["マイクラ実況", None], "viewers": [5.0, 1.0],
    ... })
    >>> title_language_items(items)[["language_source", "language"]].values.tolist()
    [['title', 'ja'], ['title', 'und']]

    >>> title_language_items(items.iloc[:0]).empty
    True
    """
    columns = ("window_start", "category", "platform", "title", "viewers")
    items = require_columns(items, columns, "items")
    if items.empty:
        return empty_frame(LANGUAGE_ITEMS_SCHEMA)
    detected = title_languages(items["title"], params=params)
    return build_frame(
        LANGUAGE_ITEMS_SCHEMA,
        {
            "window_start": timestamps(times(items, "window_start", "items")),
            "category": plain_texts(items, "category", "items").array,
            "platform": plain_texts(items, "platform", "items").array,
            "language_source": pd.array([_TITLE] * len(items), dtype="str"),
            "language": detected["title_language"].array,
            "viewers": counters(items, "viewers", "items"),
        },
    )


def language_mix(items: pd.DataFrame) -> pd.DataFrame:
    """Count items and viewers per language in every window, category, platform and source.

    Parameters
    ----------
    items : pandas.DataFrame
        ``LANGUAGE_ITEMS_SCHEMA``; null viewers count as an item and not as viewers.

    Returns
    -------
    pandas.DataFrame
        ``LANGUAGE_MIX_SCHEMA``, by window, category, platform, source and language; ``und`` is a
        row of its own. O(n log n) in the items.

    Raises
    ------
    InvalidInputError
        When a column is missing or empty where it may not be, or viewers are negative.

    References
    ----------
    Creator Intel V2 (#86), shares as defined in C56.

    Examples
    --------
    >>> items = pd.DataFrame({
    ...     "window_start": pd.Timestamp("2026-01-01", tz="UTC"), "category": "gta",
    ...     "platform": "twitch", "language_source": "tag", "language": ["en", "en", "es", "und"],
    ...     "viewers": [10.0, 20.0, 70.0, None],
    ... })
    >>> language_mix(items)[["language", "share", "market_share"]].values.tolist()
    [['en', 0.5, 0.3], ['es', 0.25, 0.7], ['und', 0.25, nan]]

    >>> language_mix(items.iloc[:0]).empty
    True
    """
    items = require_columns(items, tuple(LANGUAGE_ITEMS_SCHEMA), "items")
    if items.empty:
        return empty_frame(LANGUAGE_MIX_SCHEMA)
    viewers = counters(items, "viewers", "items")
    keyed = group_keys((items, "items"))
    (platform,), platforms = codes_of(items["platform"])
    (source,), sources = codes_of(items["language_source"])
    (language,), languages = codes_of(items["language"])
    lacking = (platform < 0) | (source < 0) | (language < 0)
    if lacking.any():
        raise refusal(
            items.index,
            lacking,
            lambda _: "An item has no platform, no source or no language.",
            fix="The unknown language is 'und'.",
        )
    group = (keyed.keys[0] * len(platforms) + platform) * len(sources) + source
    cell, first, member = np.unique(
        group * len(languages) + language, return_index=True, return_inverse=True
    )
    _, whole = np.unique(cell // len(languages), return_inverse=True)
    known = ~np.isnan(viewers)
    count = np.bincount(member)
    total = np.bincount(member[known], weights=viewers[known], minlength=cell.size)
    total = np.where(np.bincount(member[known], minlength=cell.size) > 0, total, np.nan)
    all_items = np.bincount(whole, weights=count)[whole]
    everyone = np.bincount(whole, weights=np.nan_to_num(total))[whole]
    return build_frame(
        LANGUAGE_MIX_SCHEMA,
        {
            "window_start": timestamps(keyed.windows[0][first]),
            "category": text(keyed.names, keyed.categories[0][first]),
            "platform": text(platforms, platform[first]),
            "language_source": text(sources, source[first]),
            "language": text(languages, language[first]),
            "item_count": count,
            "share": count / all_items,
            "viewer_total": total,
            "market_share": np.where(everyone > 0, total / np.maximum(everyone, 1e-300), np.nan),
        },
    )


def regional(mix: pd.DataFrame) -> pd.DataFrame:
    """Summarise the language mix of every window, category, platform and source.

    The dominant language has the most items, as in the aggregation layer ``und`` among them; the
    leading market the most viewers, among the determined ones. Ties go to the first in the
    alphabet. Diversity leaves ``und`` out: many unlabelled videos are not diversity.

    Parameters
    ----------
    mix : pandas.DataFrame
        ``LANGUAGE_MIX_SCHEMA``, as `language_mix` returns it.

    Returns
    -------
    pandas.DataFrame
        ``REGIONAL_SCHEMA``, by window, category, platform and source. O(n log n) in the rows.

    Raises
    ------
    InvalidInputError
        When a column is missing or empty where it may not be, or a language has no items.

    References
    ----------
    Creator Intel V2 (#86), with ``und`` apart (C38) and diversity and market as defined in C56.

    Examples
    --------
    >>> items = pd.DataFrame({
    ...     "window_start": pd.Timestamp("2026-01-01", tz="UTC"), "category": "gta",
    ...     "platform": "twitch", "language_source": "tag", "language": ["en", "es", "und"],
    ...     "viewers": [30.0, 70.0, 0.0],
    ... })
    >>> one = regional(language_mix(items)).iloc[0]
    >>> one.dominant_language, one.leading_market_language, one.language_diversity.item()
    ('en', 'es', 1.0)

    A tie goes to the alphabet; an undetermined language is no market; no rows give no rows:

    >>> tie = items.assign(viewers=[1.0, 1.0, 9.0])
    >>> regional(language_mix(tie))["leading_market_language"].tolist()
    ['en']
    >>> unknown = regional(language_mix(items.assign(language="und"))).iloc[0]
    >>> unknown.dominant_language, unknown.language_diversity.item()
    ('und', nan)
    >>> regional(pd.DataFrame()).empty
    True
    """
    mix = require_columns(mix, tuple(LANGUAGE_MIX_SCHEMA), "language_mix")
    if mix.empty:
        return empty_frame(REGIONAL_SCHEMA)
    keys = ["window_start", "category", "platform", "language_source"]
    keyed = group_keys((mix, "language_mix"))
    codes, _ = codes_of(mix["platform"], mix["language_source"], mix["language"])
    lacking = np.min(codes, axis=0) < 0
    if lacking.any():
        raise refusal(
            mix.index,
            lacking,
            lambda _: "A row of the language_mix frame has no platform, no source or no language.",
            fix="The unknown language is 'und'.",
        )
    count = whole_numbers(mix, "item_count", "language_mix").astype(np.float64)
    if not (count > 0).all():
        raise refusal(
            mix.index,
            ~(count > 0),
            lambda _: "Column 'item_count' of the language_mix frame holds 0 or nothing.",
            fix="A language without items has no row.",
        )
    order = np.lexsort((codes[2], codes[1], codes[0], keyed.keys[0]))
    plain = {column: plain_texts(mix, column, "language_mix") for column in (*keys[1:], "language")}
    shares = {column: counters(mix, column, "language_mix") for column in ("share", "market_share")}
    mix = mix.assign(window_start=timestamps(keyed.windows[0]), **plain, **shares)
    mix = mix.iloc[order].reset_index(drop=True)
    group = mix.groupby(keys, sort=True).ngroup().to_numpy(dtype=np.int64)
    n_groups = int(group[-1]) + 1
    first = np.searchsorted(group, np.arange(n_groups))
    count = count[order]
    determined = (mix["language"] != UNDETERMINED).to_numpy(dtype=np.bool_)
    market = np.where(determined, counters(mix, "market_share", "language_mix"), np.nan)
    dominant = _first_maximum(group, count)
    leader = _first_maximum(group, np.nan_to_num(market, nan=-1.0))
    led = ~np.isnan(market[leader])
    languages = mix["language"].astype("str")
    return build_frame(
        REGIONAL_SCHEMA,
        {
            **{key: mix[key].iloc[first].array for key in keys},
            "item_count": np.bincount(group, weights=count),
            "undetermined_count": np.bincount(
                group[~determined], weights=count[~determined], minlength=n_groups
            ),
            "language_count": np.bincount(group[determined], minlength=n_groups),
            "dominant_language": languages.iloc[dominant].array,
            "dominant_share": mix["share"].to_numpy()[dominant],
            "leading_market_language": languages.iloc[leader].where(led).array,
            "leading_market_share": market[leader],
            "language_diversity": _entropies(group[determined], count[determined], n_groups),
        },
    )


def _texts(values: Iterable[str | None]) -> "pd.Series[str]":
    """Return texts by place; a series need not become a list first."""
    known = values.array if isinstance(values, pd.Series) else list(values)
    try:
        return pd.Series(known, dtype="str")
    except UnicodeEncodeError:  # half a surrogate pair: no text, and in no language
        readable = (v.encode(errors="replace").decode() if isinstance(v, str) else v for v in known)
        return pd.Series(list(readable), dtype="str")


def _first_maximum(group: npt.NDArray[np.integer[Any]], values: Floats) -> Integers:
    """Return per group the position of its first maximum; groups ascend and have rows."""
    order = np.lexsort((np.arange(group.size), -values, group))
    _, first = np.unique(group[order], return_index=True)
    return order[first]


def _entropies(group: npt.NDArray[np.integer[Any]], count: Floats, n_groups: int) -> Floats:
    """Return the normalised entropy of each group; every count is above 0."""
    kinds = np.bincount(group, minlength=n_groups)
    total = np.bincount(group, weights=count, minlength=n_groups)
    share = count / total[group]
    entropy = np.bincount(group, weights=_surprise(share), minlength=n_groups)
    many = kinds > 1
    result = np.where(many, entropy / np.log(np.where(many, kinds, 2)), 0.0)
    # An even mix of many adds up to a hair above 1.
    return np.where(kinds > 0, np.clip(result, 0.0, 1.0), np.nan)


def _surprise(share: Floats) -> Floats:
    """Return -p log p; a share that is too small to be told from 0 says nothing."""
    return -share * np.log(np.where(share > 0, share, 1.0))


def _detect(title: str, params: LanguageParams) -> tuple[str, float, str]:
    """Return language, confidence and method of one title."""
    clean = unicodedata.normalize("NFKC", html.unescape(title[: 8 * params.max_characters]))
    clean = clean[: params.max_characters].lower()
    letters = 0
    scripts: Counter[str] = Counter()
    for character in clean:
        if character.isalpha():
            letters += 1
            if character >= "\u0370":
                scripts[_script(ord(character))] += 1
    if letters < params.min_letters and not scripts:
        return UNDETERMINED, 0.0, "none"
    del scripts[""]
    # Sorted by name first, so that a tie has one answer.
    best = max(sorted(scripts), key=lambda name: scripts[name], default="")
    if best:
        share = scripts[best] / letters
        if share >= params.min_script_share and scripts[best] > 1:
            return best, share, "script"
    if letters < params.min_letters:
        return UNDETERMINED, 0.0, "none"
    readable = _SPACES.sub(" ", _NOISE.sub(" ", clean)).strip()
    language, probability = _classifier(params.candidates).classify(readable)
    confidence = float(probability)
    if confidence < params.min_confidence:
        return UNDETERMINED, confidence, "none"
    return str(language), confidence, "model"


def _script(point: int) -> str:
    at = bisect_right(_SCRIPT_STARTS, point) - 1
    if at >= 0 and point <= _SCRIPTS[at][1]:
        return _SCRIPTS[at][2]
    return ""


@cache
def _model() -> Any:  # noqa: ANN401 # the library ships no types
    # Loading takes a second; whoever detects no title does not pay it.
    langid = importlib.import_module("py3langid.langid")
    return langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)


@cache
def _classifier(candidates: tuple[str, ...]) -> Any:  # noqa: ANN401 # the library ships no types
    classifier = copy.copy(_model())
    try:
        classifier.set_languages(candidates)
    except ValueError as error:
        raise InvalidInputError(
            f"The classifier does not know all candidates: {error}.",
            fix="Use ISO 639-1 codes of its languages.",
        ) from error
    return classifier
