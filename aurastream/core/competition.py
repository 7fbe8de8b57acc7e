"""How hard it is to be seen on Twitch in each game; in every score here higher is easier.

``saturation_score``  100 · (1 − min(live / usual, 2) / 2): 0 at twice the usual streams or more,
50 as usual, 100 when nobody streams; 50 where what is usual is not known yet, or only a part of the
streams came. Usual is what
`aurastream.core.hour_of_week` learned of the window's hour of the week, in the audience's own time,
from the 28 days before the window; ``baseline_low`` and ``baseline_high`` are its 90 % interval.
``concentration_score``  max(0, 100 · (1 − 2 · HHI)): 0 when two channels or fewer share the viewers
(HHI of .5 and more), 40 at an HHI of .30, 50 at .25; 50 where nobody watches.
``ease_score``  half saturation, half concentration. All three are 0–100.

Live streams are a ranking of the moment: a row measures the game's last complete crawl, if that
began in the hour before its window's end, and else its last crawl of 24 hours, whose age lowers the
confidence. A crawl that got only a part of the game's streams says "at least so many", which
compares nothing with what is usual.

``hhi`` is the Herfindahl–Hirschman index of the observed streams' viewer shares: 1/n to 1, higher
is more concentrated; null where nobody watches. ``concentration_band``: LOW below .15, MODERATE to
.25, HIGH above. Only the top 100 streams of a game are asked for, so that a longer list has an
unobserved tail; ``hhi_lower`` and ``hhi_upper`` bound the index over any tail of at most
``tail_streams_max`` streams, none larger than the smallest observed. The tail can only dilute the
shares, so that the upper bound is the observed index. A shorter list is complete, unless its crawl
was not: both bounds equal the index.

``confidence_pct`` (0–100, higher is surer) is freshness confidence × (½ · [somebody watches] +
½ · min(1, n / 12)), with the number n of independent hours that would say as much as the baseline
does (``baseline_n``), and 0 in place of n where only a part of the live streams came, or where both
they and the usual ones fill the page of 100: the largest games always do, their saturation is 50 by
ignorance, and the confidence says so. A game without a crawl in the last 24 hours has confidence 0
and neutral scores.

``is_peak`` says whether the window begins in a peak hour of the audience. ``peak_source`` is
``learned`` where the viewers of the last 28 days tell when that is, ``fixed`` (14–17 and 19–23
o'clock) while fewer than 14 days are known.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core.arrays import floats, together
from aurastream.core.crawls import latest_crawls, of_partial_crawls
from aurastream.core.errors import InvalidInputError
from aurastream.core.frames import (
    HOUR_US,
    Schema,
    Strings,
    build_frame,
    codes_of,
    counters,
    distinct,
    empty_frame,
    flags,
    lookup,
    microseconds,
    refusal,
    require_columns,
    times,
    timestamps,
    tracked_games,
    window_ends,
)
from aurastream.core.freshness import FreshnessParams, confidence
from aurastream.core.hour_of_week import (
    FIXED,
    LEARNED,
    WEEK_H,
    HourOfWeekParams,
    learned_peaks,
    local_hours,
    local_times,
    shrunken_week,
    week_samples,
)

__all__ = [
    "COMPETITION_SCHEMA",
    "HISTORY",
    "CompetitionParams",
    "Concentration",
    "as_known_before",
    "competition",
    "concentration",
    "concentration_scores",
    "peak_hours",
    "saturation_scores",
]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_ROUNDING: Final = 1e-9  # a sum of squared shares

HISTORY: Final = timedelta(days=28, hours=2)
"""How far before a window its history begins: four weeks may be an hour longer by the clock."""

COMPETITION_SCHEMA: Final[Schema] = {
    "window_start": "datetime64[us, UTC]",
    "category": "str",
    "observed_at": "datetime64[us, UTC]",
    "live_count": "int32",
    "viewer_total": "int64",
    "baseline_live_count": "float64",
    "baseline_n": "int32",
    "saturation_score": "float64",
    "hhi": "float64",
    "hhi_lower": "float64",
    "hhi_upper": "float64",
    "concentration_band": "str",
    "concentration_score": "float64",
    "ease_score": "float64",
    "is_peak": "bool",
    "confidence_pct": "float64",
    "baseline_low": "float64",
    "baseline_high": "float64",
    "peak_source": "str",
}

_STREAMS = ("crawl_at", "observed_at", "game_id", "stream_id", "viewer_count")
_HISTORY = ("crawl_at", "game_id", "live_count", "viewer_total")
_GAMES = ("category", "twitch_game_id", "audience_timezone")
_SOURCES: Final = pd.array([FIXED, LEARNED], dtype="str")
_BANDS: Final = pd.array(["LOW", "MODERATE", "HIGH", None], dtype="str")
_MISSING_TIME: Final = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class CompetitionParams:
    """Peak hours, bands and weights, and how the usual number of streams is learned.

    Peak hours (14–17 and 19–23, both included) and the bands are the AuraStream paper's. A tail
    of 20,000 streams is more than any tracked game averaged in any month of 2016–2021. A complete
    crawl is preferred to a part that came later for ``whole_for``, which is ours: four crawls.
    """

    window: timedelta = timedelta(minutes=30)
    max_age: timedelta = timedelta(hours=24)
    whole_for: timedelta = timedelta(hours=1)
    full_samples: int = 12
    page_limit: int = 100
    tail_streams_max: int = 20_000
    bands: tuple[float, float] = (0.15, 0.25)
    saturation_weight: float = 0.5
    week: HourOfWeekParams = HourOfWeekParams()  # noqa: RUF009 # frozen
    freshness: FreshnessParams = FreshnessParams()  # noqa: RUF009 # frozen


DEFAULT: Final = CompetitionParams()
# More than there are people; of a million such streams the sum still is exact.
_MOST_VIEWERS: Final = 2**33


def saturation_scores(live: npt.ArrayLike, baseline: npt.ArrayLike) -> Floats:
    """Score how crowded a game is against its usual: 0–100, higher is less crowded.

    Parameters
    ----------
    live : array_like
        Streams that are live, 0 or more.
    baseline : array_like
        Streams that are usual, of the same shape or one for all; NaN or 0 is not known.

    Returns
    -------
    numpy.ndarray
        0–100: 0 at twice the usual or more, 50 as usual, 100 when nobody streams.

    Raises
    ------
    InvalidInputError
        When a number of live streams is negative, or an argument no array of finite numbers.

    Notes
    -----
    O(n).

    References
    ----------
    AuraStream paper 5.3.1 (#70); what is usual is settled in C30.

    Examples
    --------
    >>> saturation_scores([0, 50, 100, 200, 300], 100).tolist()
    [100.0, 75.0, 50.0, 0.0, 0.0]

    Without a baseline the game counts as usual:

    >>> saturation_scores([80, 80], [float("nan"), 0]).tolist()
    [50.0, 50.0]

    Nothing in, nothing out:

    >>> saturation_scores([], []).tolist()
    []
    """
    there, usual = together(live=live, baseline=baseline)
    if (there < 0).any():
        raise InvalidInputError(
            "A number of live streams is negative.", fix="NaN is for unknown ones."
        )
    known = usual > 0
    divisor = np.where(known, usual, 1.0)
    capped = np.minimum(there, 2.0 * divisor)
    return np.where(known, 100.0 * (1.0 - capped / divisor / 2.0), 50.0)


def concentration_scores(hhi: npt.ArrayLike) -> Floats:
    """Score how evenly viewers are spread: 0–100, higher is more evenly.

    Parameters
    ----------
    hhi : array_like
        Herfindahl–Hirschman indexes, 0–1; NaN where nobody watches.

    Returns
    -------
    numpy.ndarray
        0–100; 50 where the index is not known.

    Raises
    ------
    InvalidInputError
        When an index is not between 0 and 1, or no number.

    Notes
    -----
    O(n).

    References
    ----------
    AuraStream paper 5.3.2 (#71), by its formula, not its text (C31).

    Examples
    --------
    >>> concentration_scores([0.01, 0.25, 0.3, 0.5, 1.0, float("nan")]).round(6).tolist()
    [98.0, 50.0, 40.0, 0.0, 0.0, 50.0]

    >>> concentration_scores([]).tolist()
    []
    """
    index = floats(hhi, "hhi")
    if ((index < 0) | (index > 1 + _ROUNDING)).any():
        raise InvalidInputError(
            "A Herfindahl-Hirschman index is not between 0 and 1.", fix="NaN is for unknown ones."
        )
    return np.where(np.isnan(index), 50.0, np.maximum(0.0, 100.0 * (1.0 - 2.0 * index)))


@dataclass(frozen=True, slots=True)
class Concentration:
    """Herfindahl–Hirschman index of each group with its bounds; NaN where nobody watches."""

    live: Integers
    viewers: Floats
    hhi: Floats
    lower: Floats
    upper: Floats


def concentration(
    codes: Integers,
    viewers: Floats,
    n_groups: int,
    *,
    is_part: Bools | None = None,
    params: CompetitionParams = DEFAULT,
) -> Concentration:
    """Measure how concentrated the viewers of each group are.

    Parameters
    ----------
    codes : numpy.ndarray
        Group of each stream, 0 … n_groups-1.
    viewers : numpy.ndarray
        Viewers of each stream, 0 or more.
    n_groups : int
        Number of groups; groups without streams are allowed.
    is_part : numpy.ndarray, optional
        Whether each group is only a part of its streams: it has a tail, however short it is.
    params : CompetitionParams
        Length of a full page and of the longest tail.

    Returns
    -------
    Concentration
        Arrays of ``n_groups`` each. The index is 1/n to 1, higher is more concentrated.

    Notes
    -----
    O(n): viewers are whole numbers, so that the sums are exact in any order of the streams.

    References
    ----------
    AuraStream paper 5.3.2 (#71) with bounds for the unobserved tail (C31). Rhoades, S. A. (1993).
    The Herfindahl-Hirschman index. Federal Reserve Bulletin 79.

    Examples
    --------
    >>> import numpy as np
    >>> c = concentration(np.array([0, 0, 1]), np.array([30.0, 10.0, 0.0]), 3)
    >>> c.hhi.tolist(), c.lower.tolist(), c.live.tolist()
    ([0.625, nan, nan], [0.625, nan, nan], [2, 1, 0])

    Equal streams are 1/n each, and no streams have no index:

    >>> concentration(np.zeros(4, dtype=np.int64), np.full(4, 7.0), 1).hhi.tolist()
    [0.25]
    >>> concentration(np.empty(0, dtype=np.int64), np.empty(0), 1).hhi.tolist()
    [nan]
    """
    live = np.bincount(codes, minlength=n_groups)
    # Viewer counts are whole numbers: both sums are exact, in whatever order they are added.
    total = np.bincount(codes, viewers, minlength=n_groups).astype(np.float64)
    squares = np.bincount(codes, viewers * viewers, minlength=n_groups)
    smallest = np.full(n_groups, np.inf)
    np.minimum.at(smallest, codes, viewers)
    watched = total > 0
    whole = np.where(watched, total, 1.0)
    hhi = np.where(watched, squares / (whole * whole), np.nan)
    has_tail = live >= params.page_limit
    if is_part is not None:
        has_tail |= is_part
    tail = np.where(watched & has_tail, smallest, 0.0)
    # The index falls as the tail grows up to its cap: the longest tail of equals is the least.
    diluted = whole + params.tail_streams_max * tail
    lower = (squares + params.tail_streams_max * tail * tail) / (diluted * diluted)
    return Concentration(live, total, hhi, np.where(watched, lower, np.nan), hhi)


def peak_hours(
    starts: pd.DatetimeIndex, timezone: str, *, params: CompetitionParams = DEFAULT
) -> Bools:
    """Say which moments lie in the fixed peak hours of a clock, daylight saving included.

    Parameters
    ----------
    starts : pandas.DatetimeIndex
        Moments with time zone.
    timezone : str
        IANA name of the audience's zone.
    params : CompetitionParams
        Whose ``week`` names the fixed peak hours.

    Returns
    -------
    numpy.ndarray
        One boolean per moment.

    Raises
    ------
    InvalidInputError
        When the zone is not an IANA name.

    Notes
    -----
    O(n).

    References
    ----------
    AuraStream paper 5.3.3 (#72), by the audience's clock (C32).

    Examples
    --------
    19:00 in New York is 00:00 UTC in winter and 23:00 UTC in summer:

    >>> import pandas as pd
    >>> moments = pd.to_datetime(["2026-01-15T00:00Z", "2026-07-15T00:00Z", "2026-07-14T22:00Z"])
    >>> peak_hours(moments, "America/New_York").tolist()
    [True, True, False]

    >>> peak_hours(moments[:0], "America/New_York").tolist()
    []
    """
    hours = local_times(starts, timezone).hour.to_numpy()
    return np.isin(hours, list(params.week.fixed_peak_hours))


def competition(
    streams: pd.DataFrame,
    history: pd.DataFrame,
    *,
    as_of: pd.DatetimeIndex,
    games: pd.DataFrame,
    partial_crawls: pd.DataFrame | None = None,
    params: CompetitionParams = DEFAULT,
) -> pd.DataFrame:
    """Measure the competition in every game of every window.

    A crawl that got only a part of a game's streams is not taken for the whole: it counts where no
    complete one began within the hour before a window's end, and says less then.

    Parameters
    ----------
    streams : pandas.DataFrame
        Shaped like ``collection.twitch_streams``, from 24 hours before the first window on.
    history : pandas.DataFrame
        ``crawl_at``, ``game_id``, ``live_count`` and ``viewer_total`` (null: unknown) of the crawls
        of the previous 28 days. A crawl that found nobody is known from here alone (``live_count``
        0), since it left no streams.
    as_of : pandas.DatetimeIndex
        Ends of the windows, with time zone.
    games : pandas.DataFrame
        ``category``, ``twitch_game_id`` (null: no Twitch game), ``audience_timezone``.
    partial_crawls : pandas.DataFrame, optional
        ``category`` and ``crawl_at`` of the incomplete crawls of streams; without it every crawl is
        taken for complete.
    params : CompetitionParams
        Peak hours, bands and sample sizes.

    Returns
    -------
    pandas.DataFrame
        Shaped like ``intelligence.competition``: every game in every window, ordered by window
        and category.

    Raises
    ------
    InvalidInputError
        When a column is missing, a count is negative or a zone is unknown.

    Notes
    -----
    O(s log s + h log h + windows · games · 168) for s streams and h crawls of the past.

    References
    ----------
    AuraStream paper 5.3 (#70–#73), with the baseline, the composite and its confidence settled in
    C30, the index in C31 and the peak hours in C32.

    Examples
    --------
    Three streams share the viewers evenly; nobody knows yet what is usual:

    >>> import pandas as pd
    >>> at = pd.Timestamp("2026-01-10T10:25Z")
    >>> streams = pd.DataFrame({
    ...     "crawl_at": at, "observed_at": at, "game_id": "27471", "stream_id": ["a", "b", "c"],
    ...     "viewer_count": [10, 10, 10],
    ... })
    >>> games = pd.DataFrame({
    ...     "category": ["gta", "minecraft"], "twitch_game_id": [None, "27471"],
    ...     "audience_timezone": "Europe/Berlin",
    ... })
    >>> ends = pd.DatetimeIndex(["2026-01-10T10:30Z"])
    >>> found = competition(streams, pd.DataFrame(), as_of=ends, games=games)
    >>> shown = ["category", "live_count", "saturation_score", "concentration_score", "ease_score"]
    >>> found[shown].round(2).values.tolist()
    [['gta', 0, 50.0, 50.0, 50.0], ['minecraft', 3, 50.0, 33.33, 41.67]]

    A game that was not looked at is neutral, with no index and nothing to be sure of:

    >>> found["hhi"].round(2).tolist(), found["confidence_pct"].tolist()
    ([nan, 0.33], [0.0, 50.0])

    Of a crawl that was incomplete, nobody knows how long the list would have been:

    >>> part = pd.DataFrame({"category": ["minecraft"], "crawl_at": [at]})
    >>> less = competition(
    ...     streams, pd.DataFrame(), as_of=ends, games=games, partial_crawls=part
    ... ).iloc[1]
    >>> less["live_count"].item(), less["hhi"].round(2).item(), less["hhi_lower"].round(5).item()
    (3, 0.33, 5e-05)

    Nobody watching has no index either; no game gives no row:

    >>> quiet = competition(streams.assign(viewer_count=0), pd.DataFrame(), as_of=ends, games=games)
    >>> bool(quiet["hhi"].isna().all())
    True
    >>> competition(streams, pd.DataFrame(), as_of=ends, games=games.iloc[:0]).empty
    True
    """
    ends = window_ends(as_of)
    streams = require_columns(streams, _STREAMS, "twitch_streams")
    history = require_columns(history, _HISTORY, "history")
    games = require_columns(games, _GAMES, "games")
    if ends.size == 0 or games.empty:
        return empty_frame(COMPETITION_SCHEMA)
    games = tracked_games(games)
    (live_game, past_game, own_game), _ = codes_of(
        streams["game_id"], history["game_id"], games["twitch_game_id"]
    )
    now = _states(
        streams,
        live_game,
        history,
        past_game,
        own_game=own_game,
        categories=games["category"].array,
        partial_crawls=partial_crawls,
        ends=ends,
        params=params,
    )
    starts = pd.DatetimeIndex(timestamps(ends - microseconds(params.window)))
    past = _Past(
        times(history, "crawl_at", "history"),
        counters(history, "live_count", "history"),
        counters(history, "viewer_total", "history"),
    )
    cells = (ends.size, len(games))
    usual, low, high = (np.full(cells, np.nan) for _ in range(3))
    samples = np.zeros(cells)
    peak, is_learned = np.zeros(cells, dtype=np.bool_), np.zeros(cells, dtype=np.bool_)
    for column, (code, zone) in enumerate(zip(own_game, games["audience_timezone"], strict=True)):
        mine = past_game == code if code >= 0 else np.zeros(past_game.size, dtype=np.bool_)
        week = _week_at(past.of(mine), starts, zone, params)
        usual[:, column], low[:, column], high[:, column] = week.usual, week.low, week.high
        samples[:, column] = week.samples
        peak[:, column], is_learned[:, column] = week.is_peak, week.is_learned

    measured = now.concentration
    cell = now.cell
    live = np.where(cell >= 0, measured.live[cell], 0).ravel()
    viewers = np.where(cell >= 0, measured.viewers[cell], 0.0).ravel()
    hhi, lower, upper = (
        np.where(cell >= 0, part[cell], np.nan).ravel()
        for part in (measured.hhi, measured.lower, measured.upper)
    )
    seen = cell >= 0
    observed = np.where(seen, now.observed[cell], _MISSING_TIME)
    age = np.where(seen, (ends[:, None] - observed) / HOUR_US, np.nan)
    learned = np.minimum(1.0, samples / params.full_samples)
    # A full page on both sides says "at least 100" twice, which compares nothing.
    full = usual.ravel() >= params.page_limit
    # A part says "at least so many", which compares with nothing.
    is_part = now.is_part[cell].ravel()
    compares = ((live < params.page_limit) | ~full) & ~is_part
    evidence = 0.5 * ~np.isnan(hhi) + 0.5 * learned.ravel() * compares
    is_counted = seen.ravel() & ~is_part
    saturation = np.where(is_counted, saturation_scores(live, usual.ravel()), 50.0)
    spread = concentration_scores(hhi)
    share = params.saturation_weight
    band = (hhi >= params.bands[0]).astype(np.int64) + (hhi > params.bands[1])
    band[np.isnan(hhi)] = len(_BANDS) - 1
    return build_frame(
        COMPETITION_SCHEMA,
        {
            "window_start": timestamps(np.repeat(ends - microseconds(params.window), len(games))),
            "category": pd.array(
                np.tile(games["category"].to_numpy(object), ends.size), dtype="str"
            ),
            "observed_at": timestamps(observed.ravel()),
            "live_count": live,
            "viewer_total": viewers,
            "baseline_live_count": usual.ravel(),
            "baseline_low": low.ravel(),
            "baseline_high": high.ravel(),
            "baseline_n": np.rint(samples.ravel()),
            "saturation_score": saturation,
            "hhi": hhi,
            "hhi_lower": lower,
            "hhi_upper": upper,
            "concentration_band": _BANDS.take(band),
            "concentration_score": spread,
            "ease_score": share * saturation + (1.0 - share) * spread,
            "is_peak": peak.ravel(),
            "peak_source": _SOURCES.take(is_learned.ravel().astype(np.int64)),
            "confidence_pct": confidence(age.ravel(), params=params.freshness) * evidence,
        },
    )


def as_known_before(
    found: pd.DataFrame,
    before: pd.DataFrame,
    crawls: pd.DataFrame | None = None,
    *,
    params: CompetitionParams = DEFAULT,
) -> pd.DataFrame:
    """Return what was found, and what was known before where that rests on a better crawl.

    Streams may have to be deleted after a day. A window that is scored again later is then scored
    from less than it was, and keeps its row. A complete crawl of the last hour is better than any
    other, and of two that are alike in this the newer one.

    Parameters
    ----------
    found : pandas.DataFrame
        What `competition` returned.
    before : pandas.DataFrame
        Rows of the same shape, at most one per window and category, in any order.
    crawls : pandas.DataFrame, optional
        ``category``, ``crawl_at`` and ``is_complete`` of the crawls that they can rest on; without
        it every crawl is taken for complete.
    params : CompetitionParams
        Those that both were found with.

    Returns
    -------
    pandas.DataFrame
        Shaped and ordered like ``found``. A row without a crawl gives way to one with a crawl;
        where both rest on the same crawl the found one stays.

    Raises
    ------
    InvalidInputError
        When a column is missing, or two rows before are of one window and category.

    Notes
    -----
    O(f + b) for f found rows and b rows before.

    References
    ----------
    Ours, because Twitch's terms let streams be kept for a day (C41).

    Examples
    --------
    >>> import pandas as pd
    >>> at = pd.Timestamp("2026-01-10T10:04", tz="UTC")
    >>> games = pd.DataFrame(
    ...     {"category": ["minecraft"], "twitch_game_id": ["g1"], "audience_timezone": ["UTC"]}
    ... )
    >>> crawls = pd.DataFrame(
    ...     {"crawl_at": [at], "game_id": ["g1"], "live_count": [0], "viewer_total": [0]}
    ... )
    >>> end = pd.DatetimeIndex(["2026-01-10T10:30Z"])
    >>> known = competition(pd.DataFrame(), crawls, as_of=end, games=games)
    >>> unknown = competition(pd.DataFrame(), crawls.iloc[:0], as_of=end, games=games)
    >>> [row["observed_at"].tolist() == [at] for row in (known, unknown)]
    [True, False]
    >>> as_known_before(unknown, known).equals(known)
    True
    >>> as_known_before(known, unknown).equals(known)
    True
    """
    key = ["window_start", "category"]
    found = require_columns(found, list(COMPETITION_SCHEMA), "found")
    before = require_columns(before, list(COMPETITION_SCHEMA), "before")
    if before.empty:
        return found
    if before.duplicated(key).any():
        raise InvalidInputError(
            "Two rows before are of one window and category.", fix="Pass the one that is kept."
        )
    beside = found[key].merge(before, on=key, how="left").set_axis(found.index)
    is_less = beside["observed_at"].notna() & ~(found["observed_at"] >= beside["observed_at"])
    if crawls is not None and len(crawls):
        young = times(found, "window_start", "found") + microseconds(params.window)
        young -= microseconds(params.whole_for)
        lesser, lesser_before = (_is_lesser(rows, crawls, young) for rows in (found, beside))
        both = found["observed_at"].notna() & beside["observed_at"].notna()
        is_less = is_less.where(
            ~both | (lesser == lesser_before), pd.Series(lesser, index=found.index)
        )
    if not is_less.any():
        return found
    kept = beside.loc[is_less, list(found.columns)].astype(dict(found.dtypes))
    return pd.concat([found[~is_less], kept]).sort_index()


def _is_lesser(rows: pd.DataFrame, crawls: pd.DataFrame, young: Integers) -> Bools:
    """Return of which rows the crawl, the newest before their observation, was partial or old."""
    crawls = require_columns(crawls, ("category", "crawl_at", "is_complete"), "crawls")
    (own, of_crawl), _ = codes_of(rows["category"], crawls["category"])
    began = times(crawls, "crawl_at", "crawls")
    moments = np.unique(began)
    keys = of_crawl * (moments.size + 1) + np.searchsorted(moments, began) + 1
    order = np.argsort(keys, kind="stable")
    observed = np.searchsorted(moments, times(rows, "observed_at", "rows", null=True), side="right")
    last = np.searchsorted(keys[order], own * (moments.size + 1) + observed, side="right") - 1
    crawl = order[np.maximum(last, 0)]
    is_own: Bools = (last >= 0) & (of_crawl[crawl] == own)
    return is_own & (~flags(crawls, "is_complete")[crawl] | (began[crawl] < young))


@dataclass(frozen=True, slots=True)
class _States:
    """The measured crawls, and which of them each (window, game) shows; -1 for none."""

    cell: Integers
    observed: Integers
    is_part: Bools
    concentration: Concentration


def _states(
    streams: pd.DataFrame,
    live_game: Integers,
    history: pd.DataFrame,
    past_game: Integers,
    *,
    own_game: Integers,
    categories: Strings,
    partial_crawls: pd.DataFrame | None,
    ends: Integers,
    params: CompetitionParams,
) -> _States:
    """Find the crawl that each game shows in each window and measure each such crawl once."""
    viewers = counters(streams, "viewer_count", "twitch_streams", most=_MOST_VIEWERS)
    if np.isnan(viewers).any():
        raise refusal(
            streams.index,
            np.isnan(viewers),
            lambda _: "Column 'viewer_count' of the twitch_streams frame has missing values.",
            fix="Quarantine the streams that lack it.",
        )
    # Crawls that found nobody are rows of no stream.
    nobody = (counters(history, "live_count", "history") == 0).nonzero()[0]
    empty_at = times(history, "crawl_at", "history")[nobody]
    crawl_at = np.concatenate([times(streams, "crawl_at", "twitch_streams"), empty_at])
    observed = np.concatenate([times(streams, "observed_at", "twitch_streams"), empty_at])
    game = np.concatenate([live_game, past_game[nobody]])
    ordered = np.argsort(own_game, kind="stable")
    slot = lookup(own_game[ordered], game)
    usable = (
        (slot >= 0)
        & (game >= 0)
        & (crawl_at >= ends[0] - microseconds(params.max_age))
        & (crawl_at < ends[-1])
    )
    row = np.flatnonzero(usable)
    place = ordered[slot[row]]
    is_partial = of_partial_crawls(crawl_at[row], {"category": (categories, place)}, partial_crawls)
    states = latest_crawls(
        place,
        crawl_at[row],
        own_game.size,
        ends,
        microseconds(params.max_age),
        is_partial=is_partial,
        whole_for=microseconds(params.whole_for),
    )
    n_crawls = max(states.crawl_times.size, 1)
    wanted = np.where(
        states.chosen >= 0, np.arange(own_game.size)[:, None] * n_crawls + states.chosen, -1
    )
    crawls, cell = np.unique(wanted, return_inverse=True)
    cell = cell.reshape(wanted.shape)
    if crawls[0] == -1:
        crawls, cell = crawls[1:], cell - 1
    group = lookup(crawls, states.slot * n_crawls + states.crawl)
    row, group, is_partial = row[group >= 0], group[group >= 0], is_partial[group >= 0]
    # One group more than there are crawls: the one that -1 points to.
    latest = np.full(crawls.size + 1, _MISSING_TIME)
    np.maximum.at(latest, group, observed[row])
    is_part = np.zeros(crawls.size + 1, dtype=np.bool_)
    is_part[group] = is_partial
    stream = row < len(streams)
    row, group = _each_stream_once(streams, viewers, row[stream], group[stream])
    return _States(
        cell=cell.T,
        observed=latest,
        is_part=is_part,
        concentration=concentration(
            group, viewers[row], crawls.size + 1, is_part=is_part, params=params
        ),
    )


def _each_stream_once(
    streams: pd.DataFrame, viewers: Floats, row: Integers, group: Integers
) -> tuple[Integers, Integers]:
    """Drop repeats of a stream within a crawl: pages overlap. The largest count stays."""
    (stream,), names = codes_of(streams["stream_id"].iloc[row])
    key = group * (len(names) + 1) + stream
    if distinct(key).size == key.size:
        return row, group
    order = np.lexsort((viewers[row], key))
    last = np.append(np.diff(key[order]) != 0, [True])
    kept = order[last]
    return row[kept], group[kept]


@dataclass(frozen=True, slots=True)
class _Past:
    """Crawls of the past, in any order."""

    crawl_at: Integers
    live: Floats
    viewers: Floats

    def of(self, mine: Bools) -> "_Past":
        """Return one game's."""
        return _Past(self.crawl_at[mine], self.live[mine], self.viewers[mine])


@dataclass(frozen=True, slots=True)
class _WeekAt:
    """What the week says of each window, and how well it is known."""

    usual: Floats
    low: Floats
    high: Floats
    samples: Floats
    is_peak: Bools
    is_learned: Bools


def _week_at(
    past: _Past,
    starts: pd.DatetimeIndex,
    zone: Any,  # noqa: ANN401 # a cell of a frame
    params: CompetitionParams,
) -> _WeekAt:
    """Look each window's hour up in the week as it was known when the window began.

    Only hours that were over by then count, so that a window's own state is not its baseline.
    """
    # Windows that begin in the same hour see the same week.
    hour, of_window = np.unique(local_hours(starts.as_unit("us").asi8, zone), return_inverse=True)
    hours = local_hours(past.crawl_at, zone)
    live, viewers = (
        shrunken_week(week_samples(hours, counts, hour, params=params.week), params=params.week)
        for counts in (past.live, past.viewers)
    )
    peaks, is_learned = learned_peaks(viewers, params=params.week)
    here = np.arange(hour.size), hour % WEEK_H
    z = params.week.interval_z
    return _WeekAt(
        usual=live.expected()[here][of_window],
        low=live.expected(-z)[here][of_window],
        high=live.expected(z)[here][of_window],
        samples=live.effective_n[here][of_window],
        is_peak=peaks[here][of_window],
        is_learned=is_learned[of_window],
    )
