"""How many quota units adaptive collection may take, so that the fixed one never starves.

The charts are asked on every half hour whatever happens; games take what remains beside that. When
the day's quota would not last at the present rate, the games' intervals are widened.
"""

import datetime as dt
import math
from dataclasses import dataclass
from typing import Final

from aurastream.core.quota import QuotaStatus

__all__ = ["Allowance", "allowance"]

# Wider than this and a game is practically not collected, which the planner says in words.
_WIDEST: Final = 1_000.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What adaptive collection may take now.

    Parameters
    ----------
    units : int
        Units, 0 or more.
    stretch : float
        Factor by which intervals are to be widened, 1 or more.
    """

    units: int
    stretch: float


def allowance(
    status: QuotaStatus, at: dt.datetime, *, fixed_units: int, fixed_every: dt.timedelta
) -> Allowance:
    """Divide what is left of a bucket between fixed and adaptive collection.

    Parameters
    ----------
    status : QuotaStatus
        The bucket.
    at : datetime.datetime
        The present, with a time zone.
    fixed_units : int
        Units that each crawl on a fixed schedule takes.
    fixed_every : datetime.timedelta
        How often it is taken until the reset.

    Returns
    -------
    Allowance
        Nothing once the platform has refused.

    Notes
    -----
    O(1).

    References
    ----------
    AuraStream paper, usage plan (#44), and Creator Intel V2, adaptive intervals (#49); how the rest
    is divided is ours.

    Examples
    --------
    >>> import datetime as dt
    >>> reset = dt.datetime(2026, 11, 21, 8, tzinfo=dt.UTC)
    >>> status = QuotaStatus(
    ...     platform="youtube", bucket="youtube.default", quota_date=dt.date(2026, 11, 20),
    ...     limit=10_000, used=9_000, remaining=1_000, used_pct=90.0, projected=11_000.0,
    ...     resets_at=reset, exhausts_at=None, is_exhausted=False,
    ... )
    >>> allowance(
    ...     status, reset - dt.timedelta(hours=4), fixed_units=24,
    ...     fixed_every=dt.timedelta(minutes=30),
    ... )
    Allowance(units=808, stretch=2.0)

    Nothing left is nothing to take, at the widest intervals:

    >>> from dataclasses import replace
    >>> allowance(
    ...     replace(status, remaining=0), reset - dt.timedelta(hours=4), fixed_units=24,
    ...     fixed_every=dt.timedelta(minutes=30),
    ... ).units
    0
    """
    crawls = max(0, math.ceil((status.resets_at - at) / fixed_every))
    units = max(0, status.remaining - crawls * fixed_units)
    wanted = status.projected - status.used
    if wanted <= status.remaining:
        stretch = 1.0
    else:
        stretch = wanted / status.remaining if status.remaining else _WIDEST
    return Allowance(units, min(stretch, _WIDEST))
