"""How and when videos came out: announced, instant, broadcast, or never.

``delay_min`` is minutes from the announced to the actual start, above 0 is late.
``velocity_per_hour`` is views over the hours since the release, 0 or more, higher is faster: the
page of an announced video is public before, so its age counts from its actual start.

The API does not tell a premiere from a broadcast that was announced, so both are announced here.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core.errors import InvalidInputError
from aurastream.core.frames import (
    HOUR_US,
    Schema,
    build_frame,
    counters,
    empty_frame,
    microseconds,
    plain_texts,
    require_columns,
    times,
    timestamps,
)
from aurastream.core.versions import known_versions

__all__ = [
    "RELEASES_SCHEMA",
    "ReleaseKind",
    "ReleaseParams",
    "delay_minutes",
    "release_kinds",
    "releases",
]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class ReleaseKind(StrEnum):
    """How a video came out.

    ``announced`` had a scheduled start (a premiere or an announced broadcast) and has begun;
    ``instant`` was simply published; ``live`` was broadcast without a schedule, or still runs;
    ``upcoming`` has not begun; ``overdue`` has not begun long after it should have.
    """

    ANNOUNCED = "announced"
    INSTANT = "instant"
    LIVE = "live"
    UPCOMING = "upcoming"
    OVERDUE = "overdue"


RELEASES_SCHEMA: Final[Schema] = {
    "window_start": "datetime64[us, UTC]",
    "category": "str",
    "video_id": "str",
    "release_kind": "str",
    "released_at": "datetime64[us, UTC]",
    "delay_min": "float64",
    "views": "float64",
    "velocity_per_hour": "float64",
}

_VERSION: Final = ("video_id", "metadata_hash", "first_observed_at", "live_state", "published_at")
_SCHEDULE: Final = ("scheduled_start_at", "actual_start_at")
_VELOCITY: Final = (
    *("window_start", "category", "video_id", "observed_at", "views"),
    "lifetime_velocity_per_hour",
)
_KINDS: Final = np.array([*(kind.value for kind in ReleaseKind), None], dtype=object)
_ANNOUNCED, _INSTANT, _LIVE, _UPCOMING, _OVERDUE, _UNKNOWN = range(6)
_MISSING_TIME: Final = np.iinfo(np.int64).min
_MINUTE_US: Final = 60_000_000


@dataclass(frozen=True, slots=True)
class ReleaseParams:
    """How long a window is, and when what has not begun is taken never to begin.

    A premiere that is a day late is not late, it was called off or forgotten.
    """

    window: timedelta = timedelta(hours=4)
    overdue_after: timedelta = timedelta(hours=24)
    min_age_h: float = 0.5

    def __post_init__(self) -> None:
        if self.window <= timedelta(0) or self.overdue_after < timedelta(0):
            raise InvalidInputError(
                "window must be above 0, overdue_after 0 or more.", fix="Use 4 h and 24 h."
            )
        if not 0 < self.min_age_h < np.inf:
            raise InvalidInputError("min_age_h must be above 0.", fix="Use 0.5.")


DEFAULT: Final = ReleaseParams()


def release_kinds(videos: pd.DataFrame) -> npt.NDArray[Any]:
    """Return how each video came out, as text.

    Whether it is overdue depends on when one asks: see `releases`.

    Parameters
    ----------
    videos : pandas.DataFrame
        With live_state, scheduled_start_at, actual_start_at of ``collection.youtube_videos``.

    Returns
    -------
    numpy.ndarray
        Kinds as text.

    Notes
    -----
    O(n).

    References
    ----------
    Creator Intel V2 (#87); the API does not tell a premiere from an announced broadcast.

    Examples
    --------
    >>> at = pd.Timestamp("2026-01-01", tz="UTC")
    >>> release_kinds(pd.DataFrame({
    ...     "live_state": ["none", "none", "none", "live", "upcoming", None],
    ...     "scheduled_start_at": [at, pd.NaT, pd.NaT, at, at, pd.NaT],
    ...     "actual_start_at": [at, pd.NaT, at, at, pd.NaT, pd.NaT],
    ... })).tolist()
    ['announced', 'instant', 'live', 'live', 'upcoming', 'instant']

    >>> release_kinds(pd.DataFrame()).tolist()
    []
    """
    videos = require_columns(videos, ("live_state", *_SCHEDULE), "youtube_videos")
    kinds: npt.NDArray[Any] = _KINDS[_kind_codes(videos)]
    return kinds


def delay_minutes(scheduled_at: Any, actual_at: Any) -> Floats:  # noqa: ANN401 # pandas datetimes
    """Return minutes from the announced to the actual start; above 0 is late, below early.

    NaN where either is unknown.

    Parameters
    ----------
    scheduled_at, actual_at : datetime array_like
        With time zone, as many of one as of the other.

    Returns
    -------
    numpy.ndarray
        Minutes.

    Raises
    ------
    InvalidInputError
        When a time has no zone.

    Notes
    -----
    O(n).

    References
    ----------
    Creator Intel V2, schedule delay (#87).

    Examples
    --------
    >>> planned = pd.DatetimeIndex(["2026-01-01T10:00"] * 3, tz="UTC")
    >>> began = pd.DatetimeIndex(["2026-01-01T10:01:30", "2026-01-01T09:58", None], tz="UTC")
    >>> delay_minutes(planned, began).tolist()
    [1.5, -2.0, nan]
    """
    frame = pd.DataFrame({"scheduled_start_at": scheduled_at, "actual_start_at": actual_at})
    scheduled = _moments(frame, "scheduled_start_at")
    actual = _moments(frame, "actual_start_at")
    known = (scheduled != _MISSING_TIME) & (actual != _MISSING_TIME)
    apart = np.where(known, actual, 0) - np.where(known, scheduled, 0)
    return np.where(known, apart / _MINUTE_US, np.nan)


def releases(
    velocity: pd.DataFrame, videos: pd.DataFrame, *, params: ReleaseParams = DEFAULT
) -> pd.DataFrame:
    """Say of each row how and when its video came out, as known at the end of its window.

    A video without metadata has no kind. An announced video came out at its actual start, any
    other that is out when it was published; a release after the observation has no velocity.

    Parameters
    ----------
    velocity : pandas.DataFrame
        Shaped like ``intelligence.video_velocity``.
    videos : pandas.DataFrame
        Shaped like ``collection.youtube_videos``, with all versions.
    params : ReleaseParams
        Length of a window, and when a release is overdue.

    Returns
    -------
    pandas.DataFrame
        ``RELEASES_SCHEMA``, a row per row in order. O(n log n), all windows at once.

    Raises
    ------
    InvalidInputError
        When a column is missing, a value is negative, or a time has no zone.

    References
    ----------
    Creator Intel V2 (#87); lifetime velocity as in #61, counted from the release.

    Examples
    --------
    >>> at = pd.Timestamp("2026-01-03T08:00", tz="UTC")
    >>> rows = pd.DataFrame({
    ...     "window_start": at, "category": "music", "video_id": list("abcd"),
    ...     "observed_at": at + pd.Timedelta("3h"), "views": [900, 100, 5, 7],
    ...     "lifetime_velocity_per_hour": [90.0, 50.0, 5.0, 7.0],
    ... })
    >>> plan = pd.DatetimeIndex([at, None, "2026-01-01T00:00Z", None])
    >>> videos = pd.DataFrame({
    ...     "video_id": list("abc") + ["x"], "metadata_hash": "h", "first_observed_at": at,
    ...     "live_state": "none", "published_at": at - pd.Timedelta("9h"),
    ...     "scheduled_start_at": plan,
    ...     "actual_start_at": pd.DatetimeIndex([at, None, None, None]),
    ... })
    >>> releases(rows, videos)[["release_kind", "delay_min", "velocity_per_hour"]].values.tolist()
    [['announced', 0.0, 300.0], ['instant', nan, 50.0], ['overdue', nan, 5.0], [nan, nan, 7.0]]

    Unknown views have no velocity of an announced video; no rows give no rows:

    >>> float(releases(rows.assign(views=None), videos)["velocity_per_hour"].iloc[0])
    nan
    >>> releases(rows.iloc[:0], videos).empty
    True
    """
    name = "video_velocity"
    velocity = require_columns(velocity, _VELOCITY, name)
    videos = require_columns(videos, (*_VERSION, *_SCHEDULE), "youtube_videos")
    if velocity.empty:
        return empty_frame(RELEASES_SCHEMA)
    views = counters(velocity, "views", name)
    speed = counters(velocity, "lifetime_velocity_per_hour", name)
    window = times(velocity, "window_start", name)
    observed = times(velocity, "observed_at", name)
    about = _described(velocity, videos, params)
    late = window + microseconds(params.window - params.overdue_after) > about.scheduled
    kind = np.where((about.kind == _UPCOMING) & about.is_scheduled & late, _OVERDUE, about.kind)
    has_start = (kind == _ANNOUNCED) & (about.started != _MISSING_TIME)
    out = (kind == _ANNOUNCED) | (kind == _INSTANT) | (kind == _LIVE)
    released = np.where(has_start, about.started, np.where(out, about.published, _MISSING_TIME))
    age = (observed - np.where(has_start, about.started, observed)) / HOUR_US
    own = np.where(age >= 0, views / np.maximum(age, params.min_age_h), np.nan)
    return build_frame(
        RELEASES_SCHEMA,
        {
            "window_start": timestamps(window),
            "category": plain_texts(velocity, "category", name).array,
            "video_id": plain_texts(velocity, "video_id", name).array,
            "release_kind": pd.array(_KINDS[kind], dtype="str"),
            "released_at": timestamps(released),
            "delay_min": np.where(kind == _ANNOUNCED, about.delay, np.nan),
            "views": views,
            "velocity_per_hour": np.where(has_start, own, speed),
        },
    )


@dataclass(frozen=True, slots=True)
class _Described:
    """What the metadata known to each row says; kind `_UNKNOWN` has none."""

    kind: Integers
    published: Integers
    scheduled: Integers
    started: Integers
    delay: Floats

    @property
    def is_scheduled(self) -> Bools:
        found: Bools = self.scheduled != _MISSING_TIME
        return found


def _described(velocity: pd.DataFrame, videos: pd.DataFrame, params: ReleaseParams) -> _Described:
    n = len(velocity)
    version = known_versions(velocity, videos, window=params.window)
    known = version >= 0
    if not known.any():
        never = np.full(n, _MISSING_TIME)
        return _Described(np.full(n, _UNKNOWN), never, never, never, np.full(n, np.nan))
    at = np.maximum(version, 0)
    delay = delay_minutes(videos["scheduled_start_at"], videos["actual_start_at"])
    published, scheduled, started = (
        np.where(known, _moments(videos, column)[at], _MISSING_TIME)
        for column in ("published_at", *_SCHEDULE)
    )
    return _Described(
        kind=np.where(known, _kind_codes(videos)[at], _UNKNOWN),
        published=published,
        scheduled=scheduled,
        started=started,
        delay=np.where(known, delay[at], np.nan),
    )


def _kind_codes(videos: pd.DataFrame) -> Integers:
    state = plain_texts(videos, "live_state", "youtube_videos")
    scheduled = _is_set(videos, "scheduled_start_at")
    started = _is_set(videos, "actual_start_at")
    upcoming = (state == "upcoming").to_numpy(dtype=np.bool_, na_value=False)
    live = (state == "live").to_numpy(dtype=np.bool_, na_value=False)
    return np.select(
        [upcoming | (scheduled & ~started & ~live), live | (started & ~scheduled), scheduled],
        [_UPCOMING, _LIVE, _ANNOUNCED],
        default=_INSTANT,
    )


def _moments(videos: pd.DataFrame, column: str) -> Integers:
    """Return a column of times; one without any time may have any type."""
    if not _is_set(videos, column).any():
        return np.full(len(videos), _MISSING_TIME)
    return times(videos, column, "youtube_videos", null=True)


def _is_set(videos: pd.DataFrame, column: str) -> Bools:
    return videos[column].notna().to_numpy(dtype=np.bool_)
