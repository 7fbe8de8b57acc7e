"""How much each platform lets a caller ask: YouTube's quota units, Twitch's points.

Both count by virtual time, so a loader that asks as of last Tuesday spends last Tuesday's quota.
The costs are written down here a second time on purpose: the replay server is the other side of
the product's own ledger, and one mistake should not hide on both.
"""

import datetime as dt
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from aurastream.replay.moments import pacific_date

__all__ = ["POINTS_PER_MINUTE", "PointsBuckets", "QuotaBuckets"]

POINTS_PER_MINUTE: Final = 800
_GRANULAR_SINCE: Final = dt.date(2026, 6, 1)
_LEGACY_SEARCH_UNITS: Final = 100
_KEPT: Final = 20_000
_MINUTE: Final = 60


def _cost(endpoint: str, day: dt.date) -> tuple[str, int]:
    """Return the bucket an endpoint draws from on a day, and how many units it takes."""
    if day < _GRANULAR_SINCE:
        return "default", _LEGACY_SEARCH_UNITS if endpoint == "search.list" else 1
    return {
        "search.list": ("search", 1),
        "videos.batchGetStats": ("batchGetStats", 1),
    }.get(endpoint, ("default", 1))


@dataclass(slots=True)
class QuotaBuckets:
    """YouTube's daily buckets per key; days change at midnight in Los Angeles.

    Parameters
    ----------
    limits : dict
        Units per day of each bucket; may be lowered to reach exhaustion quickly.
    """

    limits: dict[str, int] = field(
        default_factory=lambda: {"default": 10_000, "search": 100, "batchGetStats": 10_000}
    )
    used: "OrderedDict[tuple[str, str, dt.date], int]" = field(default_factory=OrderedDict)

    def spend(self, key: str, endpoint: str, now: float) -> bool:
        """Take an endpoint's units out of its bucket; False where they are not there."""
        day = pacific_date(now)
        bucket, units = _cost(endpoint, day)
        place = (key, bucket, day)
        used = self.used.get(place, 0)
        if used + units > self.limits[bucket]:
            return False
        self.used[place] = used + units
        if len(self.used) > _KEPT:
            self.used.popitem(last=False)
        return True


@dataclass(slots=True)
class PointsBuckets:
    """Twitch's points per client and virtual minute; every call takes one."""

    limit: int = POINTS_PER_MINUTE
    used: "OrderedDict[tuple[str, int], int]" = field(default_factory=OrderedDict)

    def spend(
        self, client_id: str, now: float, *, limit: int, granted: int
    ) -> tuple[bool, int, int]:
        """Take one point.

        Parameters
        ----------
        client_id : str
            Whose bucket.
        now : float
            Virtual moment.
        limit : int
            Points the headers speak of.
        granted : int
            Points the bucket really grants, which a documented misbehaviour makes fewer than
            the headers say.

        Returns
        -------
        tuple of (bool, int, int)
            Whether there was one, how many the headers say remain, and when the bucket is full
            again in seconds since 1970.
        """
        minute = int(now) // _MINUTE
        place = (client_id, minute)
        used = self.used.get(place, 0)
        allowed = used < granted
        if allowed:
            used += 1
            self.used[place] = used
            if len(self.used) > _KEPT:
                self.used.popitem(last=False)
        remaining = max(0, limit - used)
        return allowed, remaining, (minute + 1) * _MINUTE
