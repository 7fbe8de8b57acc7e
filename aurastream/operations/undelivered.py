"""Writes that wait on this machine's disk, and those that nobody could deliver."""

from contextlib import closing
from dataclasses import dataclass

from aurastream.settings import Settings
from aurastream.store.frames import FrameStore
from aurastream.store.retries import RetryPolicy
from aurastream.store.spool import Spool
from aurastream.store.spool_entry import SpoolEntry

__all__ = ["Redelivery", "as_dict", "deliver_again", "undelivered"]


@dataclass(frozen=True, slots=True)
class Redelivery:
    """What came of another try.

    Parameters
    ----------
    delivered : tuple of SpoolEntry
        What is in the record now.
    left : tuple of SpoolEntry
        What is aside, with the reason of this try, or waits still.
    """

    delivered: tuple[SpoolEntry, ...]
    left: tuple[SpoolEntry, ...]


def undelivered(settings: Settings) -> list[SpoolEntry]:
    """Return what waits and what is aside, in the order in which it came."""
    return Spool(settings.data_dir / "spool").entries()


def deliver_again(settings: Settings, *, patience: RetryPolicy) -> Redelivery:
    """Put what is aside back into its place, and deliver all that waits.

    Raises
    ------
    StoreUnavailableError
        When Postgres is away. Nothing was moved, or what was not delivered waits.
    SpoolBlockedError
        When the spool cannot be read or changed now.
    """
    spool = Spool(settings.data_dir / "spool")
    with closing(
        FrameStore(settings.require_postgres(), spool=spool.directory, retry=patience)
    ) as store:
        store.ping()  # what cannot be tried keeps its place, and its reason
        spool.put_back()
        tried = spool.entries()
        store.drain()
    left = spool.entries()
    still = {entry.number for entry in left}
    return Redelivery(tuple(e for e in tried if e.number not in still), tuple(left))


def as_dict(entry: SpoolEntry) -> dict[str, object]:
    """Return an entry as an object of JSON."""
    return {
        "number": entry.number,
        "is_aside": entry.is_aside,
        "kept_at": entry.kept_at.isoformat(),
        "rows": dict(entry.rows),
        "reason": entry.reason,
        "path": str(entry.path),
    }
