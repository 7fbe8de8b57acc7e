"""Where things are speeding up: 0–100, 50 is as usual, higher is gaining.

Momentum is apart from opportunity: it asks what changed, not how good it is. Three signals of a
category are compared with the same half hour of the day before, so that the rhythm of the day
cancels: ``velocity`` (log of 1 + the median lifetime velocity of its videos), ``viral`` (log of 1 +
the number of VIRAL videos) and ``viewers`` (log of 1 + the viewers on Twitch).

The videos of a game are those that we chose to ask for. Where fewer than half of those of the
larger window are in both (the daily pass over all games found others), it is the choice that
changed and not the game: velocity and viral videos say nothing then. Whom a chart lists is the
platform's own news, and all videos of one chart may be others after a day. Where all charts
together have not one video in common with the day before, it is another source that answers (a
replay that started over), and neither they nor the games say anything.
Where the platform changed what counts as a view between the two half hours
(`aurastream.core.formats.REGIME_BREAKS`), their velocities do not compare and say nothing either.

``*_change`` is that difference: unbounded, 0 is no change, .1 about ten per cent more. ``*_z`` is
the change against the usual changes of the same category in the 14 days before the window,
(change − median) / max(1.4826 · MAD, floor), cut at ±4: a category that always jumps does not jump
by jumping. The floors (.05, .10, .05) keep a category that never moved from making a storm of
one view.

``momentum_score`` = 50 + 50 · tanh(z̄ / 2), z̄ the mean of the known z by the weights .5, .25 and
.25. It is null while no z is known; a z takes 48 earlier changes (two days without a
gap; nothing is filled in). ``direction``: GAINING from
z̄ ≥ 1 on, LOSING from ≤ −1, else STEADY; UNKNOWN without a score.

``confidence_pct`` (0–100, higher is surer) is the confidence of the category's opportunity × the
weight of the known signals × min(1, changes / 336): a week of half hours makes it full. The daily
``momentum_index`` of the rollups is the sources' other formula, and no part of this one.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core.arrays import floats
from aurastream.core.errors import InvalidInputError
from aurastream.core.formats import REGIME_BREAKS, RegimeBreak
from aurastream.core.frames import (
    Schema,
    build_frame,
    codes_of,
    counters,
    each_once,
    empty_frame,
    microseconds,
    percentages,
    require_columns,
    times,
    timestamps,
    window_ends,
)

__all__ = ["MOMENTUM_SCHEMA", "SIGNALS", "MomentumParams", "momentum", "momentum_scores"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

MOMENTUM_SCHEMA: Final[Schema] = {
    "window_start": "datetime64[us, UTC]",
    "category": "str",
    "velocity_change": "float64",
    "velocity_z": "float64",
    "viral_change": "float64",
    "viral_z": "float64",
    "viewers_change": "float64",
    "viewers_z": "float64",
    "changes_n": "int32",
    "momentum_score": "float64",
    "direction": "str",
    "confidence_pct": "float64",
}

SIGNALS: Final = ("velocity", "viral", "viewers")
"""The signals, in the order of their weights."""

_OF_VIDEOS: Final = ("velocity", "viral")
_DIRECTIONS: Final = pd.array(["LOSING", "STEADY", "GAINING", "UNKNOWN"], dtype="str")
_LOSING, _STEADY, _GAINING, _UNKNOWN = range(4)
_MAD_TO_SD: Final = 1.4826
_MOST_CELLS: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class MomentumParams:
    """Weights, floors and how much past; all ours, since the sources name no such score."""

    window: timedelta = timedelta(minutes=30)
    against: timedelta = timedelta(hours=24)
    history: timedelta = timedelta(days=14)
    weights: tuple[float, float, float] = (0.5, 0.25, 0.25)
    floors: tuple[float, float, float] = (0.05, 0.10, 0.05)
    min_changes: int = 48
    full_changes: int = 336
    min_continuity: float = 0.5
    z_limit: float = 4.0
    gaining_z: float = 1.0
    breaks: tuple[RegimeBreak, ...] = REGIME_BREAKS

    def __post_init__(self) -> None:
        if min(self.weights) < 0 or abs(sum(self.weights) - 1.0) > 1e-9:  # noqa: PLR2004 # rounding
            raise InvalidInputError(
                "The momentum weights must be 0 or more and sum to 1.", fix="Correct them."
            )
        if min(self.floors) <= 0 or self.against % self.window or self.history % self.window:
            raise InvalidInputError(
                "Floors must be above 0, and spans whole windows.", fix="Correct them."
            )


DEFAULT: Final = MomentumParams()


def momentum_scores(
    z: npt.ArrayLike, *, params: MomentumParams = DEFAULT
) -> tuple[Floats, Floats, Floats]:
    """Combine the z of the three signals into the score.

    Parameters
    ----------
    z : array_like
        (3, ...), in the order of `SIGNALS`; NaN is unknown.
    params : MomentumParams
        Weights.

    Returns
    -------
    score, mean, known : numpy.ndarray
        Score 0–100, the weighted mean of the known z, and the weight of the known signals (0–1);
        score and mean are NaN where none is known. The score never falls when a z grows.

    Raises
    ------
    InvalidInputError
        When there is not one z-score per weight, or one is no number, or infinite.

    Notes
    -----
    O(n).

    References
    ----------
    Creator Intel V2 (#94) had a second, unbounded opportunity score; as an index of momentum it is
    settled in C27, its bounds are ours.

    Examples
    --------
    >>> score, mean, known = momentum_scores([[0.0, 2.0, 2.0], [0.0, 2.0, np.nan],
    ...                                       [0.0, 2.0, np.nan]])
    >>> score.round(2).tolist(), mean.tolist(), known.tolist()
    ([50.0, 88.08, 88.08], [0.0, 2.0, 2.0], [1.0, 1.0, 0.5])
    >>> momentum_scores([[np.nan], [np.nan], [np.nan]])[0].tolist()
    [nan]

    >>> momentum_scores([[], [], []])[0].tolist()
    []
    """
    parts = floats(z, "z")
    if parts.ndim == 0 or len(parts) != len(params.weights):
        raise InvalidInputError(
            f"{len(params.weights)} z-scores are needed, one per part of the index.",
            fix="Stack them along the first axis; NaN is for unknown ones.",
        )
    weights = np.array(params.weights).reshape(-1, *[1] * (parts.ndim - 1))
    present = ~np.isnan(parts)
    known = np.where(present, weights, 0.0).sum(axis=0)
    total = np.where(present, weights * np.where(present, parts, 0.0), 0.0).sum(axis=0)
    mean = np.where(known > 0, total / np.where(known > 0, known, 1.0), np.nan)
    score: Floats = 50.0 + 50.0 * np.tanh(mean / 2.0)
    return score, mean, known


def momentum(  # noqa: PLR0915 # four frames are laid out, one after another
    stats: pd.DataFrame,
    opportunity: pd.DataFrame,
    competition: pd.DataFrame,
    continuity: pd.DataFrame | None = None,
    *,
    as_of: pd.DatetimeIndex,
    broken: pd.DatetimeIndex | None = None,
    params: MomentumParams = DEFAULT,
) -> pd.DataFrame:
    """Score the momentum of every category in every window.

    Parameters
    ----------
    stats : pandas.DataFrame
        ``window_start``, ``category``, ``velocity_p50`` of ``intelligence.category_stats``, of the
        windows and the 15 days before; categories get a row in the windows they are here.
    opportunity : pandas.DataFrame
        ``window_start``, ``category``, ``viral_count``, ``opportunity_score`` and
        ``confidence_pct``; where the score is null the viral videos are not known.
    competition : pandas.DataFrame
        ``window_start``, ``category``, ``observed_at`` and ``viewer_total``; without an
        observation the viewers are not known.
    continuity : pandas.DataFrame, optional
        ``window_start``, ``category`` and ``same_share`` (0–1): of a category whose videos were
        chosen, not listed, those in both this window and that of a day before, among those of the
        larger one. What is not named, or null, counts as continuous.
    as_of : pandas.DatetimeIndex
        Ends of the windows, with time zone.
    broken : pandas.DatetimeIndex, optional
        Starts of windows from which on another source answers: for a day, changes of velocity and
        viral videos are none, and not usual ones later.
    params : MomentumParams
        Weights, floors and how much past.

    Returns
    -------
    pandas.DataFrame
        Shaped like ``intelligence.momentum``, ordered by window and category; O(windows ·
        categories · windows of two weeks).

    Raises
    ------
    InvalidInputError
        When a column is missing, a value is negative, or a category has two rows in one window.

    References
    ----------
    Creator Intel V2 (#94), as an index apart from the opportunity (C27); no comparison across a
    change of what counts as a view (C37).

    Examples
    --------
    Sixteen steady days, then twice the views per hour:

    >>> times = pd.date_range("2026-01-01", periods=16 * 48, freq="30min", tz="UTC")
    >>> rows = pd.DataFrame({"window_start": times, "category": "gaming", "velocity_p50": 100.0})
    >>> rows.loc[rows.index[-1], "velocity_p50"] = 200.0
    >>> nothing = pd.DataFrame()
    >>> ends = times[-2:] + pd.Timedelta("30min")
    >>> found = momentum(rows, nothing, nothing, as_of=ends)
    >>> found["velocity_z"].tolist(), found["direction"].tolist(), found["changes_n"].tolist()
    ([0.0, 4.0], ['STEADY', 'GAINING'], [672, 672])

    What is not known says nothing, and no statistics give no rows:

    >>> unknown = momentum(rows.assign(velocity_p50=None), nothing, nothing, as_of=ends)
    >>> unknown["direction"].tolist(), unknown["momentum_score"].tolist()
    (['UNKNOWN', 'UNKNOWN'], [nan, nan])
    >>> momentum(nothing, nothing, nothing, as_of=ends).empty
    True

    Nor does what is compared with other videos, or with another source:

    >>> other = pd.DataFrame({"window_start": times[-1:], "category": "gaming", "same_share": 0.4})
    >>> momentum(rows, nothing, nothing, other, as_of=ends)["direction"].tolist()
    ['STEADY', 'UNKNOWN']
    >>> momentum(rows, nothing, nothing, as_of=ends, broken=times[-1:])["direction"].tolist()
    ['STEADY', 'UNKNOWN']
    """
    ends = window_ends(as_of)
    stats = require_columns(stats, ("window_start", "category", "velocity_p50"), "category_stats")
    opportunity = require_columns(
        opportunity,
        ("window_start", "category", "viral_count", "opportunity_score", "confidence_pct"),
        "opportunity",
    )
    competition = require_columns(
        competition, ("window_start", "category", "observed_at", "viewer_total"), "competition"
    )
    if ends.size == 0 or stats.empty:
        return empty_frame(MOMENTUM_SCHEMA)
    window = microseconds(params.window)
    starts = ends - window
    back = params.history // params.window
    against = params.against // params.window
    first = int(starts[0]) - (back + against) * window
    size = (int(starts[-1]) - first) // window + 1
    if continuity is None:
        continuity = pd.DataFrame()
    continuity = require_columns(
        continuity, ("window_start", "category", "same_share"), "continuity"
    )
    codes, names = codes_of(
        stats["category"],
        opportunity["category"],
        competition["category"],
        continuity["category"],
    )

    def lay_out(frame: pd.DataFrame, name: str, code: Integers, values: Floats) -> Floats:
        """Return (categories, half hours), NaN where there is no row."""
        offset = times(frame, "window_start", name) - first
        step = offset // window
        inside = (offset % window == 0) & (step >= 0) & (step < size) & (code >= 0)
        each_once(code[inside] * size + step[inside], frame.index[inside], name)
        grid = np.full((len(names), size), np.nan)
        grid[code[inside], step[inside]] = values[inside]
        return grid

    scored = ~opportunity["opportunity_score"].isna().to_numpy(dtype=np.bool_)
    seen = ~competition["observed_at"].isna().to_numpy(dtype=np.bool_)
    levels = [
        lay_out(
            stats,
            "category_stats",
            codes[0],
            np.log1p(counters(stats, "velocity_p50", "category_stats")),
        ),
        lay_out(
            opportunity,
            "opportunity",
            codes[1],
            np.where(scored, np.log1p(counters(opportunity, "viral_count", "opportunity")), np.nan),
        ),
        lay_out(
            competition,
            "competition",
            codes[2],
            np.where(seen, np.log1p(counters(competition, "viewer_total", "competition")), np.nan),
        ),
    ]
    sure = lay_out(
        opportunity,
        "opportunity",
        codes[1],
        percentages(opportunity, "confidence_pct", "opportunity"),
    )
    at = (starts - first) // window
    share = counters(continuity, "same_share", "continuity")
    is_broken = lay_out(continuity, "continuity", codes[3], share)[:, at] < params.min_continuity
    here = lay_out(stats, "category_stats", codes[0], np.ones(len(stats)))
    change, z, n = [], [], []
    for name, grid, floor in zip(SIGNALS, levels, params.floors, strict=True):
        moved = np.full_like(grid, np.nan)
        moved[:, against:] = grid[:, against:] - grid[:, :-against]
        if name in _OF_VIDEOS and broken is not None:
            for since in (window_ends(broken) - first) // window:
                moved[:, max(since, 0) : max(since + against, 0)] = np.nan
        if name == "velocity":
            moved[:, _is_recounted(first + window * np.arange(1, size + 1), params)] = np.nan
        found = _standardised(moved, at, back, floor, params)
        change.append(moved[:, at])
        z.append(found[0])
        if name in _OF_VIDEOS:
            change[-1][is_broken] = z[-1][is_broken] = np.nan
        n.append(found[1])
    score, mean, known = momentum_scores(np.stack(z), params=params)
    # The signal that weighs most and is known says how much past there is.
    has = ~np.isnan(np.stack(z))
    changes = np.where(has, np.stack(n), 0).max(axis=0)
    direction = np.where(
        mean >= params.gaining_z, _GAINING, np.where(mean <= -params.gaining_z, _LOSING, _STEADY)
    )
    direction[np.isnan(mean)] = _UNKNOWN
    category, column = np.nonzero(~np.isnan(here[:, at]))
    order = np.lexsort((category, column))
    category, column = category[order], column[order]
    pick = (category, column)
    columns: dict[str, Any] = {
        "window_start": timestamps(starts[column]),
        "category": names.take(category),
        "changes_n": changes[pick],
        "momentum_score": score[pick],
        "direction": _DIRECTIONS.take(direction[pick]),
        "confidence_pct": (
            np.nan_to_num(sure[:, at]) * known * np.minimum(1.0, changes / params.full_changes)
        )[pick],
    }
    for number, name in enumerate(SIGNALS):
        columns[f"{name}_change"] = change[number][pick]
        columns[f"{name}_z"] = z[number][pick]
    return build_frame(MOMENTUM_SCHEMA, columns)


def _is_recounted(ends: Integers, params: MomentumParams) -> npt.NDArray[np.bool_]:
    """Tell of the ends of windows whether views are counted otherwise than a day before."""
    found = np.zeros(ends.size, dtype=np.bool_)
    for one in params.breaks:
        if one.affects == "views":
            at = round(one.at.timestamp()) * 1_000_000
            found |= (ends - microseconds(params.against) <= at) & (at < ends)
    return found


def _standardised(
    moved: Floats, at: Integers, back: int, floor: float, params: MomentumParams
) -> tuple[Floats, Integers]:
    """Return z and the number of earlier changes of each category in each window."""
    z = np.full((moved.shape[0], at.size), np.nan)
    n = np.zeros((moved.shape[0], at.size), dtype=np.int64)
    # Many windows in pieces: the past of each is laid out anew.
    piece = max(1, _MOST_CELLS // back)
    for category, changes in enumerate(moved):
        if np.isnan(changes).all():
            continue
        past = np.lib.stride_tricks.sliding_window_view(changes, back)
        for low in range(0, at.size, piece):
            some = at[low : low + piece]
            before = past[some - back]
            count = (~np.isnan(before)).sum(axis=1)
            n[category, low : low + piece] = count
            enough = count >= params.min_changes
            if not enough.any():
                continue
            usual = np.nanmedian(before[enough], axis=1)
            spread = np.nanmedian(np.abs(before[enough] - usual[:, None]), axis=1)
            scale = np.maximum(_MAD_TO_SD * spread, floor)
            values = (changes[some[enough]] - usual) / scale
            z[category, low : low + piece][enough] = np.clip(
                values, -params.z_limit, params.z_limit
            )
    return z, n
