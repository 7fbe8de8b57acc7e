"""Which words, phrases and tags carry a category, and which of them are on the rise.

``score`` is 0 or more, higher carries more: the share of the category's weight whose titles have
the term, × ln(1 + A / f), where f is the number of titles of the window that have the term and A
the terms of that length an average category has (class-based tf-idf). A title counts once for a
term however often it repeats it, and weighs 1 + ln(1 + velocity): fast videos count for more, one
viral video does not drown a category, and a video of unknown velocity still counts as one.
``weight_share`` is 0–1. ``trend_z`` compares the share of titles with the term with that in the
window before: unbounded, above 0 is rising.

Terms are one to three neighbouring words as `aurastream.core.words` defines them. A term neither
starts nor ends with a stop word; a number or a single letter is no term alone. What fewer than
``min_videos`` titles of a category carry is not counted at all, in any of the figures.

Weights are summed as whole numbers (2⁻²⁰ each), so that neither the order of the rows nor the
kernel that counted can show in the result.
"""

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core import words
from aurastream.core.arrays import together
from aurastream.core.errors import InvalidInputError
from aurastream.core.frames import (
    Schema,
    Strings,
    build_frame,
    counters,
    distinct,
    empty_frame,
    group_keys,
    lookup,
    microseconds,
    require_columns,
    text,
    text_lists,
    texts,
    timestamps,
)

__all__ = [
    "KEYWORDS_SCHEMA",
    "STOP_WORDS",
    "STOP_WORDS_VERSION",
    "KeywordParams",
    "keyword_scores",
    "tag_scores",
    "trend_z",
    "usable_rows",
]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

KEYWORDS_SCHEMA: Final[Schema] = {
    "window_start": "datetime64[us, UTC]",
    "category": "str",
    "kind": "str",
    "rank": "int32",
    "term": "str",
    "word_count": "int16",
    "video_count": "int32",
    "sample_count": "int32",
    "weight_share": "float64",
    "score": "float64",
    "prior_video_count": "Int32",
    "prior_sample_count": "Int32",
    "trend_z": "float64",
    "trend": "str",
}

STOP_WORDS_VERSION: Final = "2026-11-21.2"
STOP_WORDS: Final = frozenset(
    (  # noqa: SIM905 # a list of 250 literals would hide the languages
        # English
        "a an and are as at be but by can did do does for from get got had has have he her him "
        "his how i if im in into is it its just me my no not of off on or our out she so that the "
        "their them then there these they this to too up us was we were what when where which who "
        "why will with you your ft feat vs via about after again all almost also always am any "
        "because been before being both could could dont cant didnt doesnt isnt wasnt wont im ive "
        "youre hes shes theyre lets gonna wanna ever every here like many more most much never now "
        "only other over really should some still such than though through till too under until "
        "very well were while would yet yes "
        # Spanish and Portuguese
        "al com como con da das de del do dos e el ela ele em en es esta este eu la las lo los mas "
        "me mi muy na nas no nos o os para pero por que se seu si sin sobre son su sua te tu um "
        "uma un una uno unos y ya não mis mi tus sus hasta desde cuando donde porque pero todo "
        "todos toda todas ser está estoy eres soy fue hay ha he esto esa ese eso ao aos à pelo "
        "pela quando onde isso meu minha seus você eles tudo mais mas nem foi tem "
        # French
        "au aux avec ce ces cest dans des du elle est et il ils je le les leur mon ne nous on ou "
        "pas plus pour quand qui sa ses sont sur ton une vous "
        # German
        "als am auch auf aus bei das dass dem den der des die ein eine einem einen einer er es für "
        "ich ihr im ist mit nach nicht noch nur oder sich sie sind und vom von wie wir zu zum zur "
        # Hindi and Japanese
        "का की के को में से है और पर ने हैं ka ki ke ko mein se hai aur "
        "の を が は に で と も た て する した です ます から まで ー"
    ).split()
)


@dataclass(frozen=True, slots=True)
class KeywordParams:
    """How much evidence a term needs, and how many terms a category keeps.

    Two titles, the fifty best terms, samples of twenty and the 5 % level are ours. The window
    before is the category's latest earlier one, up to a day back.
    """

    min_videos: int = 2
    top: int = 50
    min_trend_sample: int = 20
    trend_z: float = 1.96
    prior_within: timedelta = timedelta(days=1)


DEFAULT: Final = KeywordParams()

# Below this the plain counting is done before the compiled code is at hand; a process that has
# it already uses it earlier.
WARM_TITLES = 10_000
COLD_TITLES = 50_000
_COMPILED: Final = "aurastream.core.keywords_numba"
_UNIT: Final = 1 << 20
_WORD_BITS: Final = 21
_STOP, _WEAK, _STRONG = 0, 1, 2
_VELOCITY: Final = "lifetime_velocity_per_hour"


@dataclass(frozen=True, slots=True)
class _Counted:
    """Terms of groups: ``code`` is the same number wherever the term is the same."""

    group: Integers
    code: Integers
    length: Integers
    titles: Integers
    weight: Integers
    render: Callable[[Integers], list[str]]


def keyword_scores(videos: pd.DataFrame, *, params: KeywordParams = DEFAULT) -> pd.DataFrame:
    """Score the words and phrases of titles in every window and category.

    Parameters
    ----------
    videos : pandas.DataFrame
        ``window_start``, ``category``, ``title`` and ``lifetime_velocity_per_hour``, one row per
        video of a window and category. A missing title has no words but counts as a title.
    params : KeywordParams
        Evidence and length of the lists.

    Returns
    -------
    pandas.DataFrame
        With the columns of `KEYWORDS_SCHEMA`, by window, category and rank; equal scores are in the
        order of the terms. ``trend`` is NEW, RISING, STEADY or FALLING, and UNKNOWN without a
        window before or with fewer than ``min_trend_sample`` titles in either. A term that fewer
        than ``min_videos`` titles of the window before had counts as 0 there. To get the trends
        of the first window, pass the window before it too.

    Raises
    ------
    InvalidInputError
        When a column is missing, a velocity is negative or infinite, or a row has no category.

    Notes
    -----
    O(characters + terms log terms). From `WARM_TITLES` titles on compiled code counts, with equal
    results: words are compared letter by letter, not by their hashes.

    The same video is usually in both windows, so that the two samples are not independent and
    ``trend_z`` understates how sure a change is.

    References
    ----------
    Worker gaps 1, title intelligence (#80). Grootendorst, M. (2022). BERTopic: neural topic
    modeling with a class-based TF-IDF procedure. arXiv 2203.05794.

    Examples
    --------
    >>> import pandas as pd
    >>> videos = pd.DataFrame({
    ...     "window_start": pd.Timestamp("2026-03-01T10:00Z"),
    ...     "category": ["minecraft"] * 3 + ["valorant"] * 2,
    ...     "title": ["Hardcore day 1", "HARDCORE base", "base tour", "ace clip", "Best ace"],
    ...     "lifetime_velocity_per_hour": [10.0, None, 10.0, 5.0, 5.0],
    ... })
    >>> found = keyword_scores(videos)
    >>> found[["category", "rank", "term", "video_count"]].values.tolist()
    [['minecraft', 1, 'base', 2], ['minecraft', 2, 'hardcore', 2], ['valorant', 1, 'ace', 2]]
    >>> found["trend"].unique().tolist()
    ['UNKNOWN']

    Nothing gives nothing, with the right columns:

    >>> keyword_scores(pd.DataFrame()).shape
    (0, 14)
    """
    videos = require_columns(videos, ("window_start", "category", "title", _VELOCITY), "videos")
    if videos.empty:
        return empty_frame(KEYWORDS_SCHEMA)
    groups = _group(videos)
    titles = texts(videos, "title", "videos").tolist()
    counted = _kernel(len(videos))(titles, groups, params.min_videos)
    return _scored(counted, groups, "title", params)


def tag_scores(videos: pd.DataFrame, *, params: KeywordParams = DEFAULT) -> pd.DataFrame:
    """Score the tags of videos in every window and category, each tag as one term.

    Parameters
    ----------
    videos : pandas.DataFrame
        As for `keyword_scores`, with ``tags`` (a sequence of texts, or null) in place of the title.
        Tags that differ only in case, width or punctuation are one.
    params : KeywordParams
        Evidence and length of the lists.

    Returns
    -------
    pandas.DataFrame
        As `keyword_scores` gives it; ``word_count`` is the length of the tag. O(tags log tags).

    Raises
    ------
    InvalidInputError
        As `keyword_scores`, and when the tags of a video are one text instead of a sequence, or
        sequences themselves.

    References
    ----------
    Worker gaps 1, title intelligence (#80); scored as words of titles are.

    Examples
    --------
    >>> import pandas as pd
    >>> videos = pd.DataFrame({
    ...     "window_start": pd.Timestamp("2026-03-01T10:00Z"),
    ...     "category": "minecraft",
    ...     "tags": [["Hard-Core", "hard core", "smp"], ["hard core", ""], None],
    ...     "lifetime_velocity_per_hour": 10.0,
    ... })
    >>> tag_scores(videos)[["term", "word_count", "video_count", "sample_count"]].values.tolist()
    [['hard core', 2, 2, 3]]
    """
    videos = require_columns(videos, ("window_start", "category", "tags", _VELOCITY), "videos")
    if videos.empty:
        return empty_frame(KEYWORDS_SCHEMA)
    groups = _group(videos)
    counted = _count_tags(text_lists(videos, "tags", "videos"), groups, params.min_videos)
    return _scored(counted, groups, "tag", params)


def trend_z(
    titles: npt.ArrayLike, sample: npt.ArrayLike, prior: npt.ArrayLike, prior_sample: npt.ArrayLike
) -> Floats:
    """Return the z-statistic of two shares with pooled variance; above 0 means the share rose.

    Unbounded; 0 where the shares cannot differ (no title or every title has the term), NaN where a
    sample is empty or missing.

    Parameters
    ----------
    titles, prior : array_like
        Titles that have the term, now and before.
    sample, prior_sample : array_like
        All titles, now and before.

    Returns
    -------
    numpy.ndarray
        Above 0 where the share rose.

    Raises
    ------
    InvalidInputError
        When an argument is no array of finite numbers, a number is negative, all titles are a part
        of one, or a term is in more titles than there are.

    Notes
    -----
    O(n).

    References
    ----------
    Worker gaps 1 asks for keywords (#80), not for their trend. Fleiss, J. L., Levin, B. and Paik,
    M. C. (2003). Statistical methods for rates and proportions. Wiley.

    Examples
    --------
    >>> trend_z([30, 10, 0, 5], [100, 100, 9, 0], [10, 30, 0, 1], [100, 100, 9, 9])
    array([ 3.53553391, -3.53553391,  0.        ,         nan])

    >>> trend_z([], [], [], []).tolist()
    []
    """
    x1, n1, x0, n0 = together(titles=titles, sample=sample, prior=prior, prior_sample=prior_sample)
    for x, n in ((x1, n1), (x0, n0)):
        if ((x < 0) | (n < 0) | ((n > 0) & ((n < 1) | (x > n)))).any():
            raise InvalidInputError(
                "Titles with the term must lie between 0 and all titles, and these are 0 or 1 at "
                "least.",
                fix="Count again.",
            )
    n1, n0 = np.where(n1 > 0, n1, np.nan), np.where(n0 > 0, n0, np.nan)
    pooled = (x1 + x0) / (n1 + n0)
    error = np.sqrt(pooled * (1.0 - pooled) * (1.0 / n1 + 1.0 / n0))
    result: Floats = (x1 / n1 - x0 / n0) / np.where(error == 0.0, 1.0, error)
    return np.where(error == 0.0, 0.0, result)


def usable_rows(videos: pd.DataFrame) -> pd.DataFrame:
    """Return rows that `keyword_scores` and `tag_scores` can work on as they are.

    Parameters
    ----------
    videos : pandas.DataFrame
        ``window_start``, ``category``, ``tags`` and ``lifetime_velocity_per_hour``.

    Returns
    -------
    pandas.DataFrame
        The same rows, or an empty frame with the columns.

    Raises
    ------
    InvalidInputError
        When they could not: a column is missing, a velocity is negative or infinite, the tags of a
        video are one text or nested, or a row has no category.

    Notes
    -----
    O(n). Scores rest on all categories of a window: this tells beforehand which rows to leave out.

    References
    ----------
    Ours, beside #80.

    Examples
    --------
    >>> usable_rows(pd.DataFrame()).empty
    True
    """
    videos = require_columns(videos, ("window_start", "category", "tags", _VELOCITY), "videos")
    counters(videos, _VELOCITY, "videos")
    group_keys((videos, "videos"))
    text_lists(videos, "tags", "videos")
    return videos


@dataclass(frozen=True, slots=True)
class _Groups:
    """The rows group by group; groups grow with the window, then the category."""

    of_row: Integers
    rows: Integers
    starts: Integers
    window: Integers
    category: Integers
    names: Strings
    weights: Integers

    @property
    def sizes(self) -> Integers:
        return np.diff(self.starts)


def _group(videos: pd.DataFrame) -> _Groups:
    velocity = np.nan_to_num(counters(videos, _VELOCITY, "videos"), nan=0.0)
    keyed = group_keys((videos, "videos"))
    _, first, of_row = np.unique(keyed.keys[0], return_index=True, return_inverse=True)
    rows = np.argsort(of_row, kind="stable")
    return _Groups(
        of_row=of_row.astype(np.int64),
        rows=rows.astype(np.int64),
        starts=np.append(0, np.cumsum(np.bincount(of_row))).astype(np.int64),
        window=keyed.windows[0][first],
        category=keyed.categories[0][first],
        names=keyed.names,
        weights=np.rint((1.0 + np.log1p(velocity)) * _UNIT).astype(np.int64),
    )


def _kernel(titles: int) -> Callable[[list[Any], _Groups, int], _Counted]:
    if titles < (WARM_TITLES if _COMPILED in sys.modules else COLD_TITLES):
        return _count_plain
    try:
        importlib.import_module(_COMPILED)
    except ImportError:
        return _count_plain
    return _count_compiled


class _Strengths(dict[str, int]):
    """How much of a term each word is, found out once."""

    def __missing__(self, word: str) -> int:
        # As in the compiled code: ASCII digits, or one character.
        is_weak = len(word) == 1 or (word.isascii() and word.isdigit())
        self[word] = value = _STOP if word in STOP_WORDS else _WEAK if is_weak else _STRONG
        return value


def _terms(line: str, strengths: _Strengths) -> set[str]:
    spoken = line.split()
    rated = [strengths[word] for word in spoken]
    found: set[str] = set()
    # Two places past the end, at which no term can end.
    rated += (_STOP, _STOP)
    for at, word in enumerate(spoken):
        first = rated[at]
        if first == _STOP:
            continue
        if first == _STRONG:
            found.add(word)
        second, third = rated[at + 1], rated[at + 2]
        if second and first + second > _STRONG:
            found.add(f"{word} {spoken[at + 1]}")
        if third and _STRONG in (first, second, third):
            found.add(f"{word} {spoken[at + 1]} {spoken[at + 2]}")
    return found


def _count_plain(titles: list[Any], groups: _Groups, min_videos: int) -> _Counted:
    """Count with dictionaries: the definition, and the fastest way for few titles."""
    lines = words.canonical_lines(titles)
    weights = groups.weights.tolist()
    strengths = _Strengths()
    numbers: dict[str, int] = {}
    entries: list[tuple[int, int, int, int]] = []
    for group, (begin, end) in enumerate(pairwise(groups.starts.tolist())):
        totals: dict[str, list[int]] = {}
        for row in groups.rows[begin:end].tolist():
            for term in _terms(lines[row], strengths):
                total = totals.get(term)
                if total is None:
                    totals[term] = [1, weights[row]]
                else:
                    total[0] += 1
                    total[1] += weights[row]
        entries.extend(
            (group, numbers.setdefault(term, len(numbers)), count, weight)
            for term, (count, weight) in totals.items()
            if count >= min_videos
        )
    table = np.array(entries, dtype=np.int64).reshape(-1, 4)
    names = list(numbers)
    lengths = np.array([name.count(" ") + 1 for name in names], dtype=np.int64)
    return _Counted(
        group=table[:, 0],
        code=table[:, 1],
        length=lengths[table[:, 1]],
        titles=table[:, 2],
        weight=table[:, 3],
        render=lambda codes: [names[code] for code in codes.tolist()],
    )


def _count_compiled(titles: list[Any], groups: _Groups, min_videos: int) -> _Counted:
    kernels = importlib.import_module(_COMPILED)
    # A title that windows or categories share is read once.
    distinct: dict[Any, int] = {}
    line_of = np.array([distinct.setdefault(title, len(distinct)) for title in titles])
    # The stop words go first, which makes theirs the lowest numbers.
    stops = words.to_code_points(" ".join(sorted(STOP_WORDS)) + "\n")
    codes = np.concatenate([stops, kernels.canonical(list(distinct))])
    n_words = int(np.count_nonzero(codes <= ord(" ")))  # each ends in a space or a line feed
    ids, line_starts, starts, ends, is_number = kernels.intern_words(
        codes, len(distinct) + 1, n_words
    )
    ids, line_starts = _lines_of_rows(ids, line_starts[1:], line_of)
    strength = np.where(is_number | (ends - starts == 1), _WEAK, _STRONG)
    strength[: len(STOP_WORDS)] = _STOP
    group, parts, count, weight = kernels.count_terms(
        ids,
        line_starts,
        starts.size,
        groups.rows,
        groups.starts,
        groups.weights,
        strength.astype(np.int8),
        min_videos,
    )
    # Only the words of frequent terms are numbered on: three numbers then fit into one.
    used = np.zeros(starts.size + 1, dtype=np.bool_)
    used[parts.ravel()] = True
    used[-1] = False
    kept = np.flatnonzero(used)
    if kept.size >= (1 << _WORD_BITS) - 1:
        return _count_plain(titles, groups, min_videos)
    number = np.zeros(starts.size + 1, dtype=np.int64)  # the last one stands for no word
    number[kept] = np.arange(1, kept.size + 1)
    packed = number[parts]
    code = (packed[:, 0] << (2 * _WORD_BITS)) | (packed[:, 1] << _WORD_BITS) | packed[:, 2]

    def word(at: int) -> str:
        return codes[starts[at] : ends[at]].tobytes().decode("utf-32-le")

    def render(wanted: Integers) -> list[str]:
        low = (1 << _WORD_BITS) - 1
        split = np.column_stack(
            [wanted >> (2 * _WORD_BITS), (wanted >> _WORD_BITS) & low, wanted & low]
        )
        names = {n: word(int(kept[n - 1])) for n in np.unique(split).tolist() if n}
        return [" ".join([names[n] for n in row if n]) for row in split.tolist()]

    return _Counted(
        group=group,
        code=code,
        length=np.count_nonzero(packed, axis=1).astype(np.int64),
        titles=count,
        weight=weight,
        render=render,
    )


def _lines_of_rows(
    ids: Integers, line_starts: Integers, line_of: Integers
) -> tuple[Integers, Integers]:
    """Repeat the words of each line for every row that shows it."""
    if line_of.size == line_starts.size - 1:
        return ids, line_starts
    sizes = np.diff(line_starts)[line_of]
    row_starts = np.append(0, np.cumsum(sizes)).astype(np.int64)
    shift = np.repeat(line_starts[line_of] - row_starts[:-1], sizes)
    return ids[np.arange(row_starts[-1]) + shift], row_starts


def _count_tags(tags: list[Any], groups: _Groups, min_videos: int) -> _Counted:
    flat: list[Any] = []
    sizes = np.zeros(len(tags), dtype=np.int64)
    for row, own in enumerate(tags):
        if isinstance(own, (list, tuple, np.ndarray)):
            flat.extend(own)
            sizes[row] = len(own)
    seen: dict[Any, int] = {}
    places = np.array([seen.setdefault(tag, len(seen)) for tag in flat], dtype=np.int64)
    numbers: dict[str, int] = {}
    lines = words.canonical_lines(seen)
    numbered = np.array(
        [
            numbers.setdefault(line, len(numbers)) if line and line not in STOP_WORDS else -1
            for line in lines
        ],
        dtype=np.int64,
    )
    names = list(numbers)
    rows = np.repeat(np.arange(len(tags)), sizes)
    codes = numbered[places] if places.size else places
    is_kept = codes >= 0
    width = max(len(names), 1)
    once = distinct(rows[is_kept] * width + codes[is_kept])
    rows, codes = once // width, once % width
    keys, entry = np.unique(groups.of_row[rows] * width + codes, return_inverse=True)
    counts = np.bincount(entry, minlength=keys.size)
    # Whole numbers below 2⁵³ add up exactly as floats.
    weights = np.bincount(entry, groups.weights[rows], minlength=keys.size).astype(np.int64)
    kept = counts >= min_videos
    return _Counted(
        group=(keys // width)[kept],
        code=(keys % width)[kept],
        length=np.ones(int(kept.sum()), dtype=np.int64),
        titles=counts[kept].astype(np.int64),
        weight=weights[kept],
        render=lambda wanted: [names[code] for code in wanted.tolist()],
    )


def _scores(counted: _Counted, groups: _Groups) -> tuple[Floats, Floats]:
    """Return each entry's share of its category's weight, and its score."""
    windows, window_of = np.unique(groups.window, return_inverse=True)
    window = window_of[counted.group]
    codes, _ = pd.factorize(counted.code)
    spread, _ = pd.factorize(window * np.int64(codes.max() + 1) + codes)
    frequency = np.bincount(spread, counted.titles)[spread]
    width = int(counted.length.max()) + 1
    cell = window * width + counted.length
    # Of all categories of the window, those without a term of this length too.
    terms = np.bincount(cell, counted.titles, minlength=windows.size * width)
    average = terms / np.repeat(np.bincount(window_of, minlength=windows.size), width)
    totals = np.bincount(groups.of_row, groups.weights, minlength=groups.sizes.size)
    share = counted.weight / totals[counted.group]
    return share, share * np.log1p(average[cell] / frequency)


def _best(
    counted: _Counted, score: Floats, n_groups: int, top: int
) -> tuple[Integers, Integers, list[str]]:
    """Return the best entries of each group in order, their ranks and their terms."""
    order = np.lexsort((-score, counted.group))
    starts = np.searchsorted(counted.group[order], np.arange(n_groups))
    place = np.arange(order.size) - starts[counted.group[order]]
    # The last place may be tied; the terms of all that share it decide.
    last = np.full(n_groups, -np.inf)
    at_edge = place == top - 1
    last[counted.group[order][at_edge]] = score[order][at_edge]
    chosen = order[score[order] >= last[counted.group[order]]]
    terms = counted.render(counted.code[chosen])
    again = np.lexsort((_ordinals(terms), -score[chosen], counted.group[chosen]))
    group = counted.group[chosen][again]
    rank = np.arange(group.size) - np.searchsorted(group, np.arange(n_groups))[group] + 1
    kept = rank <= top
    return chosen[again][kept], rank[kept], [terms[i] for i in again[kept].tolist()]


def _ordinals(terms: list[str]) -> Integers:
    places = {term: place for place, term in enumerate(sorted(set(terms)))}
    return np.array([places[term] for term in terms], dtype=np.int64)


def _prior_groups(groups: _Groups, within: timedelta) -> Integers:
    """Return for each group the same category's group in the window before, or -1."""
    order = np.lexsort((groups.window, groups.category))
    is_next = groups.category[order][1:] == groups.category[order][:-1]
    is_next &= np.diff(groups.window[order]) <= microseconds(within)
    result = np.full(order.size, -1, dtype=np.int64)
    result[order[1:][is_next]] = order[:-1][is_next]
    return result


def _scored(counted: _Counted, groups: _Groups, kind: str, params: KeywordParams) -> pd.DataFrame:
    if not counted.group.size:
        return empty_frame(KEYWORDS_SCHEMA)
    share, score = _scores(counted, groups)
    chosen, rank, terms = _best(counted, score, groups.sizes.size, params.top)
    group, sizes = counted.group[chosen], groups.sizes
    before = _prior_groups(groups, params.prior_within)[group]
    codes, _ = pd.factorize(counted.code)
    width = np.int64(codes.max() + 1)
    keys = counted.group * width + codes
    order = np.argsort(keys)
    at = lookup(keys[order], before * width + codes[chosen])
    prior = np.where(at >= 0, counted.titles[order][at], 0).astype(np.float64)
    prior_sample = np.where(before >= 0, sizes[before], np.nan)
    prior[before < 0] = np.nan
    titles = counted.titles[chosen]
    z = trend_z(titles, sizes[group], prior, prior_sample)
    is_known = np.minimum(sizes[group], np.nan_to_num(prior_sample)) >= params.min_trend_sample
    names = pd.array(["UNKNOWN", "STEADY", "RISING", "NEW", "FALLING"], dtype="str")
    trend = np.select(
        [
            ~is_known,
            (z >= params.trend_z) & (prior == 0),
            z >= params.trend_z,
            z <= -params.trend_z,
        ],
        [0, 3, 2, 4],
        default=1,
    )
    return build_frame(
        KEYWORDS_SCHEMA,
        {
            "window_start": timestamps(groups.window[group]),
            "category": text(groups.names, groups.category[group]),
            "kind": pd.array([kind] * rank.size, dtype="str"),
            "rank": rank,
            "term": pd.array(terms, dtype="str"),
            "word_count": np.array([term.count(" ") + 1 for term in terms], dtype=np.int64),
            "video_count": titles,
            "sample_count": sizes[group],
            "weight_share": share[chosen],
            "score": score[chosen],
            "prior_video_count": prior,
            "prior_sample_count": prior_sample,
            "trend_z": z,
            "trend": names.take(trend),
        },
    )
