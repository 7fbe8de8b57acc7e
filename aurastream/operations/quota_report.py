"""What ``aurastream quota`` prints: quotas and rates in the words of those who pay for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from aurastream.core.quota import QuotaStatus, RateStatus

__all__ = ["QuotaReport", "quota_lines", "spent_lines"]


@dataclass(frozen=True, slots=True)
class QuotaReport:
    """A table and the line below it."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str


def quota_lines(
    statuses: Sequence[QuotaStatus], rates: Sequence[RateStatus], now: datetime
) -> QuotaReport:
    """Return daily quotas first, then what is limited by the minute alone.

    Examples
    --------
    >>> import datetime as dt
    >>> now = dt.datetime(2026, 11, 21, 20, tzinfo=dt.UTC)
    >>> day = dt.date(2026, 11, 21)
    >>> rate = RateStatus("twitch", "twitch.helix", day, 1234, 800, 57)
    >>> quota_lines([], [rate], now).rows[0][:4]
    ('twitch.helix', '1,234 points', '743 points a minute', '800 points a minute')
    """
    daily = [
        (
            status.bucket,
            f"{_units(status.used, 'unit')} ({status.used_pct:.0f} %)",
            "exhausted" if status.is_exhausted else _units(status.remaining, "unit"),
            _daily_limit(status),
            _units(round(status.projected), "unit"),
            _dry(status, now),
            _moment(status.resets_at, now),
        )
        for status in statuses
    ]
    by_minute = [
        (
            rate.bucket,
            _units(rate.used, "point"),
            f"{_units(rate.minute_limit - rate.busiest_minute, 'point')} a minute",
            f"{_units(rate.minute_limit, 'point')} a minute",
            "–",
            "no",
            "every minute",
        )
        for rate in rates
    ]
    days = {status.quota_date for status in statuses} | {rate.quota_date for rate in rates}
    note = (
        f"Quota day {max(days)} (Pacific)" if days else "No quota is known."
    ) + ". What is left of a rate is what the busiest minute of the day left."
    return QuotaReport(
        ("bucket", "used today", "left", "limit", "forecast at reset", "runs dry", "resets"),
        (*daily, *by_minute),
        note,
    )


def spent_lines(statuses: Sequence[QuotaStatus], now: datetime) -> list[str]:
    """Return a sentence for each quota that is used up.

    Examples
    --------
    >>> import datetime as dt
    >>> now = dt.datetime(2026, 11, 21, 20, tzinfo=dt.UTC)
    >>> reset = dt.datetime(2026, 11, 22, 8, tzinfo=dt.UTC)
    >>> spent = QuotaStatus(
    ...     *("youtube", "youtube.default", dt.date(2026, 11, 21), 10_000, 10_000, 0, 100.0),
    ...     *(10_000.0, reset, None, True),
    ... )
    >>> spent_lines([spent], now)[0].partition(": ")[0]
    'youtube.default is used up until 08:00 UTC, in 12 h 00 min'
    """
    return [
        f"{status.bucket} is used up until {_moment(status.resets_at, now)}: until then, what is"
        " stored is served, and nothing new is asked. `aurastream quota` says more."
        for status in statuses
        if status.is_exhausted
    ]


def _daily_limit(status: QuotaStatus) -> str:
    limit = f"{_units(status.limit, 'unit')} a day"
    return limit if status.own_limit is None else f"{limit}, {status.own_limit:,} by our own rule"


def _dry(status: QuotaStatus, now: datetime) -> str:
    if status.is_exhausted:
        return "already"
    return "no" if status.exhausts_at is None else _moment(status.exhausts_at, now)


def _units(count: int, name: str) -> str:
    return f"{count:,} {name}{'' if count == 1 else 's'}"


def _moment(at: datetime, now: datetime) -> str:
    """Return a moment with what matters to a person: the time, and how far away it is."""
    minutes = max(0, round((at - now).total_seconds() / 60))
    hours, rest = divmod(minutes, 60)
    away = f"{hours} h {rest:02d} min" if hours else f"{rest} min"
    return f"{at.astimezone(UTC):%H:%M} UTC, in {away}"
