"""The whole-day shift from archive time to today, and the seam where the archive starts again.

The archive covers `SPAN_DAYS` days from `ARCHIVE_START`. Its first day is replayed on `EPOCH`
(cycle 0); when it ends it starts over as cycle 1, and before the epoch lies cycle -1. Shift and
span are whole weeks, so every replayed day keeps its weekday, and the hour of the day is never
touched.

At a seam everything that could join two cycles is changed: video ids, channel ids and etags are
re-encoded per cycle, and the ids of another cycle are unknown, exactly as if those videos had been
deleted. Cycle 0 keeps the real ids. A series therefore ends at a seam and never continues across
it, so no difference of two counters can span it.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final

from aurastream.replay.hashing import base64_id, digest_id, id_number, mix_int
from aurastream.replay.moments import DAY

__all__ = ["ARCHIVE_START", "EPOCH", "SPAN_DAYS", "Cycle", "cycle_at"]

SPAN_DAYS: Final = 70
ARCHIVE_START: Final = int(dt.datetime(2026, 2, 1, tzinfo=dt.UTC).timestamp())
EPOCH: Final = int(dt.datetime(2026, 10, 25, tzinfo=dt.UTC).timestamp())
_SPAN: Final = SPAN_DAYS * DAY
_MASK: Final = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Cycle:
    """One pass through the archive.

    Parameters
    ----------
    number : int
        0 for the pass with real ids; any integer.
    """

    number: int

    @property
    def start(self) -> int:
        """Return the first moment of the pass."""
        return EPOCH + self.number * _SPAN

    @property
    def end(self) -> int:
        """Return the first moment after the pass: the seam."""
        return self.start + _SPAN

    @property
    def shift(self) -> int:
        """Return the seconds to add to an archive time; a multiple of a week."""
        return self.start - ARCHIVE_START

    def video_id(self, archived: str) -> str:
        """Return the id under which an archived video is known in this pass."""
        number = id_number(archived)
        if self.number == 0 or number is None:
            return archived if self.number == 0 else digest_id(8, self.number, archived)
        return base64_id(mix_int(number ^ mix_int(self.number & _MASK)))

    def channel_id(self, archived: str) -> str:
        """Return the id under which an archived channel is known in this pass."""
        if self.number == 0:
            return archived
        return "UC" + digest_id(16, self.number, archived)


def cycle_at(moment: float) -> Cycle:
    """Return the pass that a moment lies in.

    Examples
    --------
    >>> cycle_at(EPOCH).number, cycle_at(EPOCH - 1).number
    (0, -1)
    """
    return Cycle(int((moment - EPOCH) // _SPAN))
