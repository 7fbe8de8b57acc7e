"""When to publish: every hour of the week, hour of the day and day, with its uncertainty.

``index`` is the typical (geometric mean) velocity of the videos released in an hour or on a day
over that of the whole category: above 0, 1 is usual, higher is better, with its confidence
interval. Hours and days are those of the audience's clock.

A video is faster by nature while it is young, so velocities of different ages would rate the hours
before each crawl best. Give each video's velocity at a like age; `early_releases` chooses it.

All of this describes videos that were seen, most of them because they chart: it shows what goes
with success among those, not what causes it.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core.errors import InvalidInputError
from aurastream.core.formats import REGIME_BREAKS, RegimeBreak
from aurastream.core.frames import (
    Schema,
    build_frame,
    counters,
    empty_frame,
    finite,
    group_keys,
    microseconds,
    plain_texts,
    require_columns,
    text,
    times,
    timestamps,
    window_ends,
)
from aurastream.core.intervals import two_sided_z
from aurastream.core.releases import ReleaseKind

__all__ = [
    "PUBLISHING_GRAINS",
    "PUBLISHING_TIMES_SCHEMA",
    "PublishingParams",
    "early_releases",
    "publishing_times",
    "trailing",
]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

PUBLISHING_GRAINS: Final = ("hour_of_week", "hour", "weekday")
"""What is rated: 168 hours from Monday 00:00 on, 24 hours, 7 days from Monday on."""

PUBLISHING_TIMES_SCHEMA: Final[Schema] = {
    "window_start": "datetime64[us, UTC]",
    "category": "str",
    "grain": "str",
    "slot": "int16",
    "dow": "Int16",
    "hour": "Int16",
    "timezone": "str",
    "sample_count": "int32",
    "index": "float64",
    "index_low": "float64",
    "index_high": "float64",
    "is_distinct": "bool",
    "is_best": "bool",
    "is_worst": "bool",
}

_EARLY: Final = ("window_start", "category", "video_id", "release_kind", "velocity_per_hour")
_RELEASED: Final = ("window_start", "category", "released_at", "velocity_per_hour")
_MISSING_TIME: Final = np.iinfo(np.int64).min
_HOURS: Final = 24
_SLOTS: Final = 7 * _HOURS


@dataclass(frozen=True, slots=True)
class PublishingParams:
    """How many videos an hour or day needs, and how sure an interval is.

    Five videos. The spread is pooled over the hours of a category, so that an hour of few videos is
    as uncertain as few videos are.
    """

    min_sample: int = 5
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if self.min_sample < 1:
            raise InvalidInputError("min_sample must be 1 or more.", fix="Use 5.")
        two_sided_z(self.confidence)


DEFAULT: Final = PublishingParams()


def early_releases(releases: pd.DataFrame) -> pd.DataFrame:
    """Return the first row of each video in each category, of those that were simply published.

    Pass rows of like ages, and the first of them stands for the video: it is decided once and does
    not change as the video grows older. Announced videos are left out, because their page is
    public before.

    Parameters
    ----------
    releases : pandas.DataFrame
        ``RELEASES_SCHEMA`` of all windows that are known, for example of videos 24 to 36 hours old.

    Returns
    -------
    pandas.DataFrame
        Rows of `releases` with a velocity, by window, category and video.

    Raises
    ------
    InvalidInputError
        When a column is missing, a row has no window or no category, views or a velocity are
        negative, or one of them or a delay is infinite.

    Notes
    -----
    O(n log n).

    References
    ----------
    Creator Intel V2, best and worst hours (#87, #88); that a video counts once is ours.

    Examples
    --------
    >>> at = pd.Timestamp("2026-01-03T08:00", tz="UTC")
    >>> rows = pd.DataFrame({
    ...     "window_start": [at + pd.Timedelta("4h"), at, at], "category": "gta",
    ...     "video_id": ["a", "a", "b"], "release_kind": ["instant", "instant", "announced"],
    ...     "velocity_per_hour": [5.0, 7.0, 1.0],
    ... })
    >>> early_releases(rows)[["video_id", "velocity_per_hour"]].values.tolist()
    [['a', 7.0]]

    >>> early_releases(rows.iloc[:0]).empty
    True
    >>> early_releases(rows.assign(velocity_per_hour=None)).empty
    True
    """
    releases = require_columns(releases, _EARLY, "releases")
    # The rows are passed on as they are, with whatever columns of numbers they have.
    counters(releases, "velocity_per_hour", "releases")
    for column, possible in (("views", counters), ("delay_min", finite)):
        if column in releases:
            possible(releases, column, "releases")
    keys = ["window_start", "category", "video_id"]
    group_keys((releases, "releases"))
    releases = releases.assign(video_id=plain_texts(releases, "video_id", "releases"))
    kinds = plain_texts(releases, "release_kind", "releases")
    usable = (kinds == ReleaseKind.INSTANT) & releases["velocity_per_hour"].notna()
    rows = releases[usable.to_numpy(dtype=np.bool_, na_value=False)].sort_values(keys)
    return rows.drop_duplicates(["category", "video_id"]).reset_index(drop=True)


def trailing(
    rows: pd.DataFrame,
    *,
    as_of: pd.DatetimeIndex,
    window: timedelta = timedelta(hours=4),
    span: timedelta = timedelta(days=28),
    breaks: tuple[RegimeBreak, ...] = REGIME_BREAKS,
) -> pd.DataFrame:
    """Repeat each row for every window it counts in: its own and those up to `span` after it.

    A row from before a change of what counts as a view does not count in windows that begin after.

    Parameters
    ----------
    rows : pandas.DataFrame
        ``window_start`` and anything else.
    as_of : pandas.DatetimeIndex
        Ends of the windows, with time zone.
    window, span : timedelta
        Length of the windows, and how long a row counts. Four weeks have every hour of the week
        four times.
    breaks : tuple of RegimeBreak
        Changes of counting; those that affect views end what came before.

    Returns
    -------
    pandas.DataFrame
        `rows` with ``window_start`` of the windows asked for.

    Notes
    -----
    O(n log w + rows of the result) for w windows.

    References
    ----------
    Ours: four weeks as for the baseline of C30, no comparison across a change of counting (C37).

    Examples
    --------
    >>> rows = pd.DataFrame({
    ...     "window_start": pd.DatetimeIndex(["2026-01-01T00:00Z", "2026-01-01T04:00Z"]),
    ...     "video_id": ["a", "b"],
    ... })
    >>> ends = pd.DatetimeIndex(["2026-01-01T04:00Z", "2026-01-01T08:00Z", "2026-01-01T12:00Z"])
    >>> found = trailing(rows, as_of=ends, span=timedelta(hours=8))
    >>> found.sort_values("window_start")["video_id"].tolist()
    ['a', 'a', 'b', 'b']

    >>> trailing(rows.iloc[:0], as_of=ends).empty
    True
    """
    rows = require_columns(rows, ("window_start",), "rows")
    starts = window_ends(as_of) - microseconds(window)
    own = times(rows, "window_start", "rows")
    first = np.searchsorted(starts, own)
    until = own + microseconds(span)
    for one in breaks:
        if one.affects == "views":
            at = round(one.at.timestamp()) * 1_000_000
            until = np.where(own < at, np.minimum(until, at), until)
    count = np.maximum(np.searchsorted(starts, until) - first, 0)
    row = np.repeat(np.arange(own.size), count)
    place = np.arange(row.size) - np.repeat(np.cumsum(count) - count, count) + first[row]
    found = rows.iloc[row].reset_index(drop=True)
    return found.assign(
        window_start=pd.Series(timestamps(starts[place]), dtype="datetime64[us, UTC]")
    )


def publishing_times(
    releases: pd.DataFrame,
    *,
    timezones: Mapping[str, str] | None = None,
    params: PublishingParams = DEFAULT,
) -> pd.DataFrame:
    """Rate every hour and day in which videos came out, and name the best and the worst.

    The best is the one with the highest lower bound, the worst the one with the lowest upper bound,
    among those with ``min_sample`` videos whose interval excludes 1: a lucky hour of few videos is
    neither, and often there is none. Ties go to the earlier. ``is_distinct`` is stricter: its
    interval also allows for as many hours having been looked at (Bonferroni). Each grain is rated
    for itself.

    Parameters
    ----------
    releases : pandas.DataFrame
        With window_start, category, released_at and velocity_per_hour; a row without a time or a
        velocity does not count, and a velocity of 0 counts as one view per hour.
    timezones : Mapping, optional
        IANA zone of each category's audience; UTC for those without one.
    params : PublishingParams
        Sample size and confidence.

    Returns
    -------
    pandas.DataFrame
        ``PUBLISHING_TIMES_SCHEMA``, by window, category, grain and slot; hours and days without
        videos have no row. ``dow`` (0 is Monday) is null for hours of the day, ``hour`` for days.
        O(n log n) in the rows, all windows at once.

    Raises
    ------
    InvalidInputError
        When a column is missing, a value is negative, a time has no zone or a zone is unknown.

    References
    ----------
    Creator Intel V2, best and worst hours and days (#87, #88), by the audience's clock (C32). Dunn,
    O. J. (1961). Multiple comparisons among means. JASA 56.

    Examples
    --------
    >>> rows = pd.DataFrame({
    ...     "window_start": pd.Timestamp("2026-01-08", tz="UTC"), "category": "gta",
    ...     "released_at": pd.DatetimeIndex(["2026-01-05T18:30"] * 2 + ["2026-01-06T03:00"] * 2,
    ...                                     tz="UTC"),
    ...     "velocity_per_hour": [90.0, 100.0, 10.0, 11.0],
    ... })
    >>> found = publishing_times(rows, params=PublishingParams(min_sample=2))
    >>> found[["grain", "slot", "sample_count", "is_best", "is_worst"]].values.tolist()
    [['hour', 3, 2, False, True], ['hour', 18, 2, True, False], \
    ['hour_of_week', 18, 2, True, False], ['hour_of_week', 27, 2, False, True], \
    ['weekday', 0, 2, True, False], ['weekday', 1, 2, False, True]]

    Hours that are alike have no best, a row without a velocity does not count, no rows give none:

    >>> alike = rows.assign(velocity_per_hour=[10.0, 30.0, 10.0, 30.0])
    >>> found = publishing_times(alike, params=PublishingParams(min_sample=2))
    >>> bool((found["is_best"] | found["is_worst"]).any()), found["index"].round(9).max().item()
    (False, 1.0)
    >>> publishing_times(rows.assign(velocity_per_hour=None)).empty
    True
    >>> publishing_times(pd.DataFrame()).empty
    True
    """
    name = "releases"
    releases = require_columns(releases, _RELEASED, name)
    if releases.empty:
        return empty_frame(PUBLISHING_TIMES_SCHEMA)
    moment = times(releases, "released_at", name, null=True)
    velocity = counters(releases, "velocity_per_hour", name)
    keyed = group_keys((releases, name))
    row = np.flatnonzero((moment != _MISSING_TIME) & ~np.isnan(velocity))
    if row.size == 0:
        return empty_frame(PUBLISHING_TIMES_SCHEMA)
    zones = [(timezones or {}).get(str(category), "UTC") for category in keyed.names]
    hour_of_week = _slots(moment[row], keyed.categories[0][row], zones)
    log = np.log(np.maximum(velocity[row], 1.0))
    _, group = np.unique(keyed.keys[0][row], return_inverse=True)
    # Summed in one order, so that the order of the rows cannot show in the last bits.
    order = np.lexsort((log, hour_of_week, group))
    row, hour_of_week, log, group = row[order], hour_of_week[order], log[order], group[order]
    parts = []
    for grain, slot in (
        ("hour", hour_of_week % _HOURS),
        ("hour_of_week", hour_of_week),
        ("weekday", hour_of_week // _HOURS),
    ):
        rated = _rate(group, slot, log, params)
        source = row[rated.row]
        whole = rated.slot.astype(np.float64)
        never = np.full(whole.size, np.nan)
        day = {"hour": never, "hour_of_week": whole // _HOURS, "weekday": whole}[grain]
        hour = {"hour": whole, "hour_of_week": whole % _HOURS, "weekday": never}[grain]
        parts.append(
            build_frame(
                PUBLISHING_TIMES_SCHEMA,
                {
                    "window_start": timestamps(keyed.windows[0][source]),
                    "category": text(keyed.names, keyed.categories[0][source]),
                    "grain": pd.array([grain] * source.size, dtype="str"),
                    "slot": rated.slot,
                    "dow": day,
                    "hour": hour,
                    "timezone": pd.array(zones, dtype="str").take(keyed.categories[0][source]),
                    "sample_count": rated.count,
                    "index": np.exp(rated.gain),
                    "index_low": np.exp(rated.low),
                    "index_high": np.exp(rated.high),
                    "is_distinct": rated.is_distinct,
                    "is_best": rated.is_best,
                    "is_worst": rated.is_worst,
                },
            )
        )
    result = pd.concat(parts, ignore_index=True)
    return result.sort_values(
        ["window_start", "category", "grain", "slot"], kind="stable", ignore_index=True
    )


@dataclass(frozen=True, slots=True)
class _Rated:
    """Slots by group: a row of each, its slot, size, gain over the group (log) and verdicts."""

    row: Integers
    slot: Integers
    count: Integers
    gain: Floats
    low: Floats
    high: Floats
    is_distinct: Bools
    is_best: Bools
    is_worst: Bools


def _rate(
    group: npt.NDArray[np.integer[Any]], slot: Integers, log: Floats, params: PublishingParams
) -> _Rated:
    cell, at, member = np.unique(group * _SLOTS + slot, return_index=True, return_inverse=True)
    owner = cell // _SLOTS
    count = np.bincount(member)
    mean = np.bincount(member, weights=log) / count
    size = np.bincount(group)
    centre = np.bincount(group, weights=log) / size
    # The spread inside the slots, pooled: what is left once the slots' own means are taken off.
    rest = np.bincount(group, weights=(log - mean[member]) ** 2)
    freedom = size - np.bincount(owner)
    spread = np.where(freedom > 0, np.sqrt(rest / np.maximum(freedom, 1)), np.nan)
    gain = mean - centre[owner]
    error = spread[owner] * np.sqrt(np.maximum(1.0 / count - 1.0 / size[owner], 0.0))
    enough = count >= params.min_sample
    reach = np.where(enough, two_sided_z(params.confidence) * error, np.nan)
    looked_at = np.bincount(owner[enough], minlength=size.size)
    doubt = 1.0 - params.confidence
    strict = np.array([two_sided_z(1.0 - doubt / max(int(k), 1)) for k in looked_at])
    low, high = gain - reach, gain + reach
    return _Rated(
        row=at,
        slot=cell % _SLOTS,
        count=count,
        gain=gain,
        low=low,
        high=high,
        is_distinct=enough & (np.abs(gain) > strict[owner] * error),
        is_best=_extreme(owner, np.where(low > 0, low, -np.inf)),
        is_worst=_extreme(owner, np.where(high < 0, -high, -np.inf)),
    )


def _extreme(owner: Integers, value: Floats) -> Bools:
    """Mark the first largest value of each owner, unless that is minus infinity."""
    chosen = np.zeros(owner.size, dtype=np.bool_)
    value = np.where(np.isnan(value), -np.inf, value)
    order = np.lexsort((np.arange(owner.size), -value, owner))
    _, first = np.unique(owner[order], return_index=True)
    chosen[order[first]] = True
    return chosen & ~np.isinf(value)


def _slots(moment: Integers, category: Integers, zones: list[str]) -> Integers:
    """Return the hour of the week of each moment on its category's clock; 0 is Monday 00:00."""
    slot = np.zeros(moment.size, dtype=np.int64)
    of_row = np.array(zones, dtype=object)[category]
    for zone in sorted(set(of_row)):
        mine = of_row == zone
        local = _local(pd.DatetimeIndex(timestamps(moment[mine])), zone)
        slot[mine] = local.day_of_week.to_numpy() * _HOURS + local.hour.to_numpy()
    return slot


def _local(moments: pd.DatetimeIndex, zone: str) -> pd.DatetimeIndex:
    if zone:
        with contextlib.suppress(KeyError, ValueError, OSError):
            return moments.tz_convert(zone)
    raise InvalidInputError(
        f"'{zone}' is no time zone.", fix="Use an IANA name such as America/New_York."
    )
