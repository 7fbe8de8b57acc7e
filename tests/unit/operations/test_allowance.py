from datetime import UTC, date, datetime, timedelta

import pytest

from aurastream.core.allowance import allowance
from aurastream.core.quota import QuotaStatus

RESET = datetime(2026, 11, 21, 8, tzinfo=UTC)
HALF_HOUR = timedelta(minutes=30)


def _status(
    used: int, *, remaining: int | None = None, projected: float | None = None
) -> QuotaStatus:
    return QuotaStatus(
        platform="youtube",
        bucket="youtube.default",
        quota_date=date(2026, 11, 20),
        limit=10_000,
        used=used,
        remaining=10_000 - used if remaining is None else remaining,
        used_pct=used / 100,
        projected=float(used) if projected is None else projected,
        resets_at=RESET,
        exhausts_at=None,
        is_exhausted=remaining == 0,
    )


@pytest.mark.parametrize(
    ("hours_left", "used", "expected"),
    [
        (0, 0, 10_000),
        (1, 0, 10_000 - 2 * 32),
        (24, 0, 10_000 - 48 * 32),
        (24, 9_000, 0),
        (0.1, 9_990, 0),
    ],
)
def test_what_the_charts_will_need_until_the_reset_is_kept_back(
    hours_left: float, used: int, expected: int
) -> None:
    at = RESET - timedelta(hours=hours_left)

    assert allowance(_status(used), at, fixed_units=32, fixed_every=HALF_HOUR).units == expected


def test_a_quota_that_lasts_widens_nothing() -> None:
    status = _status(4_000, projected=10_000)

    assert allowance(status, RESET, fixed_units=32, fixed_every=HALF_HOUR).stretch == 1.0


def test_a_quota_that_would_be_overdrawn_twice_doubles_the_intervals() -> None:
    status = _status(8_000, projected=12_000)

    assert allowance(status, RESET, fixed_units=32, fixed_every=HALF_HOUR).stretch == 2.0


def test_a_quota_that_the_platform_refused_gives_nothing_and_a_finite_stretch() -> None:
    share = allowance(
        _status(500, remaining=0, projected=900), RESET, fixed_units=32, fixed_every=HALF_HOUR
    )

    assert share.units == 0
    assert share.stretch == 1_000.0
