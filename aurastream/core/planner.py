"""Which games are collected now, in which order, and why the others are not.

A game is due when its effective interval has passed since its last crawl: its own interval, made
longer while its videos stay the same, and longer for all when the quota would not last until the
reset. The planner is asked at ticks, and a crawl begins a little after its tick: a game is due at
the tick nearest to the end of its interval, so that intervals come out as they are set and not one
tick longer.

Due games go by score, ``priority − 0.5 × hours overdue``, LOWER is sooner. When the units do not
suffice for all of them, value per unit decides, HIGHER is sooner. Ties go by priority, then by
name, so that the same state always gives the same plan.
"""

import datetime as dt
import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from aurastream.core.errors import InvalidInputError
from aurastream.core.frames import (
    counters,
    plain_texts,
    require_columns,
    times,
    timestamps,
    whole_numbers,
)
from aurastream.core.quota import estimate_units

__all__ = ["COLUMNS", "Plan", "PlanParams", "plan_games"]

COLUMNS: Final = (
    "category",
    "title",
    "priority",
    "max_videos",
    "is_due",
    "effective_interval_minutes",
    "overdue_h",
    "score",
    "value_per_unit",
    "estimated_units",
    "is_selected",
    "reason",
)
_GAMES: Final = ("category", "priority", "interval_minutes", "max_videos")
_STATE: Final = ("category", "last_crawl_at", "unchanged_count")


@dataclass(frozen=True, slots=True)
class PlanParams:
    """Constants of the plan.

    Parameters
    ----------
    never_fetched_overdue_h : float
        Hours by which a game that was never crawled counts as overdue.
    overdue_weight : float
        What an hour overdue takes off the score.
    slow_after, slower_after : int
        More crawls than this in a row without a change multiply the interval once, and again.
    slow_factor, slower_factor : float
        The two factors, multiplied with each other.
    max_stretch : float
        Bound on the widening for the sake of the quota, 1 or more.
    tolerance_h : float
        Hours by which a game may be collected before its interval has passed: half the time between
        two plans, never more than half the game's effective interval.
    """

    never_fetched_overdue_h: float = 24.0
    overdue_weight: float = 0.5
    slow_after: int = 3
    slower_after: int = 6
    slow_factor: float = 1.5
    slower_factor: float = 2.0
    max_stretch: float = 4.0
    tolerance_h: float = 0.5


@dataclass(frozen=True, slots=True)
class Plan:
    """What to collect now.

    Parameters
    ----------
    games : pandas.DataFrame
        One row per game, selected ones first and in the order of collection; see `COLUMNS`.
        ``reason`` is empty for selected games.
    estimated_units : int
        What the selected games cost together, never more than was available.
    stretch : float
        Factor by which all intervals were widened for the sake of the quota, 1 or more.
    as_of : datetime.datetime
        The moment the plan is for.
    """

    games: pd.DataFrame
    estimated_units: int
    stretch: float
    as_of: dt.datetime

    @property
    def selected(self) -> tuple[str, ...]:
        """Return the games to collect, in order."""
        return tuple(self.games.loc[self.games["is_selected"], "category"])

    @property
    def skipped(self) -> dict[str, str]:
        """Return the other games with the reason."""
        rest = self.games[~self.games["is_selected"]]
        return dict(zip(rest["category"], rest["reason"], strict=True))


def plan_games(
    games: pd.DataFrame,
    state: pd.DataFrame,
    *,
    as_of: dt.datetime,
    available_units: int,
    stretch: float = 1.0,
    reconcile: bool = False,
    params: PlanParams | None = None,
) -> Plan:
    """Choose and order the games to collect.

    Parameters
    ----------
    games : pandas.DataFrame
        Enabled games: ``category``, ``priority`` (1 is first), ``interval_minutes``,
        ``max_videos``, as in ``operations.categories``; ``title`` where there is one.
    state : pandas.DataFrame
        ``category``, ``last_crawl_at`` (aware, or null) and ``unchanged_count``, as in
        ``operations.collection_state``; a game without a row was never fetched.
    as_of : datetime.datetime
        The present.
    available_units : int
        Quota units these games may take now. Keep back what other collection needs first.
    stretch : float, optional
        Factor by which intervals are to be widened (`Forecast.stretch`); 1 or more.
    reconcile : bool, optional
        Take every game, due or not (the units still bind).
    params : PlanParams, optional
        Constants.

    Returns
    -------
    Plan
        Every game with its place or the reason why it has none.

    Raises
    ------
    InvalidInputError
        When a column is missing, a game is listed twice or a number is out of range.

    Notes
    -----
    O(games log games).

    References
    ----------
    Creator Intel V2 (#48–#50), with its order, estimate and slow-down as settled in C9, C20 and
    C21.

    Examples
    --------
    >>> import datetime as dt
    >>> import pandas as pd
    >>> now = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
    >>> games = pd.DataFrame(
    ...     {
    ...         "category": ["gta", "fortnite", "apex"],
    ...         "priority": [2, 1, 2],
    ...         "interval_minutes": [240, 120, 180],
    ...         "max_videos": [40, 50, 40],
    ...     }
    ... )
    >>> state = pd.DataFrame(
    ...     {
    ...         "category": ["gta", "fortnite"],
    ...         "last_crawl_at": [now - dt.timedelta(hours=3), now - dt.timedelta(hours=3)],
    ...         "unchanged_count": [0, 0],
    ...     }
    ... )
    >>> plan = plan_games(games, state, as_of=now, available_units=100)
    >>> plan.selected, plan.estimated_units
    (('apex', 'fortnite'), 4)
    >>> plan.skipped
    {'gta': 'not due for 60 min'}
    >>> plan_games(games, state, as_of=now, available_units=3).skipped["fortnite"]
    'quota: needs 2 units, 1 left'

    No games, no plan:

    >>> plan_games(games.iloc[:0], state, as_of=now, available_units=100).selected
    ()
    """
    p = params or PlanParams()
    games = require_columns(games, _GAMES, "games")
    state = require_columns(state, _STATE, "state")
    games = games.assign(category=plain_texts(games, "category", "games"))
    state = state.assign(
        category=plain_texts(state, "category", "state"),
        last_crawl_at=timestamps(times(state, "last_crawl_at", "state", null=True)),
        unchanged_count=counters(state, "unchanged_count", "state"),
    )
    _check(games, state, available_units, stretch, as_of)
    table = games.assign(title=games["title"] if "title" in games else games["category"])
    table = table.loc[:, ["title", *_GAMES]].merge(
        state.loc[:, list(_STATE)], on="category", how="left", validate="one_to_one"
    )
    unchanged = table["unchanged_count"].fillna(0).to_numpy(dtype=float)
    # A steady game is asked less often; how steady is told by its membership, not its counters.
    slow = np.where(unchanged > p.slow_after, p.slow_factor, 1.0) * np.where(
        unchanged > p.slower_after, p.slower_factor, 1.0
    )
    stretch = min(stretch, p.max_stretch)
    interval_h = table["interval_minutes"].to_numpy(dtype=float) / 60 * slow * stretch
    last = pd.to_datetime(table["last_crawl_at"], utc=True)
    since_h = ((pd.Timestamp(as_of) - last) / pd.Timedelta(hours=1)).to_numpy(dtype=float)
    # A crawl that is yet to come tells of a clock that was wrong; waiting for it could take days.
    since_h = np.where(since_h < -p.tolerance_h, np.nan, since_h)
    overdue = np.where(np.isnan(since_h), p.never_fetched_overdue_h, since_h - interval_h)
    is_due = (overdue >= -np.minimum(p.tolerance_h, interval_h / 2)) | reconcile
    priority = table["priority"].to_numpy(dtype=float)
    units = np.array([estimate_units(int(n)) for n in table["max_videos"]], dtype=np.int64)
    # Videos refreshed, weighed by how likely they are to have changed and by how long they wait.
    value = table["max_videos"].to_numpy(dtype=float) / priority / slow
    value *= 1 + np.maximum(overdue, 0.0) / interval_h
    table = table.assign(
        is_due=is_due,
        effective_interval_minutes=interval_h * 60,
        overdue_h=overdue,
        score=priority - p.overdue_weight * overdue,
        value_per_unit=value / units,
        estimated_units=units,
    )
    due = table[table["is_due"]]
    is_scarce = int(due["estimated_units"].sum()) > available_units
    by = (
        ["value_per_unit", "priority", "category"]
        if is_scarce
        else ["score", "priority", "category"]
    )
    due = due.sort_values(by, ascending=[not is_scarce, True, True], kind="stable")
    left = available_units
    reasons = []
    for cost in due["estimated_units"]:
        # A dear game that does not fit leaves room for a cheaper one behind it.
        if cost > left:
            reasons.append(f"quota: needs {cost} units, {left} left")
        else:
            reasons.append("")
            left -= int(cost)
    due = due.assign(reason=reasons)
    rest = table[~table["is_due"]].sort_values(["score", "priority", "category"], kind="stable")
    minutes = (-rest["overdue_h"] * 60).map(math.ceil)
    rest = rest.assign(reason=["not due for " + str(m) + " min" for m in minutes])
    ordered = pd.concat([due, rest]) if len(rest) else due
    ordered = ordered.assign(is_selected=ordered["reason"] == "")
    ordered = ordered.sort_values("is_selected", ascending=False, kind="stable")
    return Plan(
        games=ordered.loc[:, list(COLUMNS)].reset_index(drop=True),
        estimated_units=available_units - left,
        stretch=stretch,
        as_of=as_of,
    )


def _check(
    games: pd.DataFrame,
    state: pd.DataFrame,
    available_units: int,
    stretch: float,
    as_of: dt.datetime,
) -> None:
    for name, frame in (("games", games), ("state", state)):
        if frame["category"].duplicated().any():
            raise InvalidInputError(f"The {name} to plan list a category twice.")
    whole_numbers(games, "max_videos", "games")
    sizes = [counters(games, name, "games") for name in ("priority", "interval_minutes")]
    # A NaN fails the comparison.
    if not (np.array([*sizes, counters(games, "max_videos", "games")]) > 0).all():
        raise InvalidInputError("Priority, interval and number of videos must be above 0.")
    if available_units < 0 or not stretch >= 1:
        raise InvalidInputError(
            f"Units must be 0 or more and stretch 1 or more: {available_units}, {stretch}."
        )
    if as_of.tzinfo is None:
        raise InvalidInputError("The present needs a time zone.")
